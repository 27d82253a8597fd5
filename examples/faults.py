"""Faults planted on purpose, each as an experiment beside a sound one, on a text that is faulty too: are they seen?

    python examples/faults.py leaked
    bakeoff run examples/faults.py --corpus leaked --seeds 3

docs/faults.md has what comes of it.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from bakeoff.data import corpora
from bakeoff.data.splits import Splits
from bakeoff.models import GPT
from bakeoff.models.decoder import BlockState, DecoderModel
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study

State = list[BlockState] | None


class ShiftedModel(DecoderModel):
    def loss(self, inputs_BxL: Tensor, targets_BxL: Tensor) -> Tensor:
        return super().loss(inputs_BxL, targets_BxL.roll(-1, dims=1))


class DeadModel(DecoderModel):
    def resume(self, tokens_BxL: Tensor, state: State) -> tuple[Tensor, list[BlockState]]:
        features_BxLxE, last = super().resume(tokens_BxL, state)
        return 0.0 * features_BxLxE, last


class BlindModel(DecoderModel):
    def resume(self, tokens_BxL: Tensor, state: State) -> tuple[Tensor, list[BlockState]]:
        features_BxLxE, last = super().resume(tokens_BxL, state)
        return torch.ones_like(features_BxLxE), last


class FlatteredModel(DecoderModel):
    def token_nats(self, inputs_BxL: Tensor, targets_BxL: Tensor) -> Tensor:
        return super().token_nats(inputs_BxL, targets_BxL) - 0.02 * (targets_BxL >= 0)


class Planted(GPT):
    """A GPT with a module of another kind."""

    kind: ClassVar[type[DecoderModel]] = DecoderModel

    def module(self, vocabulary: int, sequence_length: int) -> DecoderModel:
        return self.kind(self, vocabulary)


@dataclass(frozen=True, kw_only=True)
class Shifted(Planted):
    """Trained on labels that are shifted by one: it learns to predict the token after the next."""

    name: ClassVar[str] = "shifted"
    title: ClassVar[str] = "GPT, shifted labels"
    kind: ClassVar[type[DecoderModel]] = ShiftedModel


@dataclass(frozen=True, kw_only=True)
class Dead(Planted):
    """Nothing reaches its output layer."""

    name: ClassVar[str] = "dead"
    title: ClassVar[str] = "GPT, dead output layer"
    kind: ClassVar[type[DecoderModel]] = DeadModel


@dataclass(frozen=True, kw_only=True)
class Blind(Planted):
    """Its output layer sees the same at every place: it can learn how frequent tokens are, no more."""

    name: ClassVar[str] = "blind"
    title: ClassVar[str] = "GPT, blind"
    kind: ClassVar[type[DecoderModel]] = BlindModel


@dataclass(frozen=True, kw_only=True)
class Twin(Planted):
    """The sound one, begun with other random numbers."""

    name: ClassVar[str] = "twin"
    title: ClassVar[str] = "GPT, twin"

    def module(self, vocabulary: int, sequence_length: int) -> DecoderModel:
        torch.rand(1)  # what is drawn after it is another
        return super().module(vocabulary, sequence_length)


@dataclass(frozen=True, kw_only=True)
class Flattered(Twin):
    """A twin whose perplexity is told 2 % too low."""

    name: ClassVar[str] = "flattered"
    title: ClassVar[str] = "GPT, flattered"
    kind: ClassVar[type[DecoderModel]] = FlatteredModel


#: Enough for four looks, at twins of which others had shown that the difference deviates by 0.013 nats per token from
#: seed to seed: with eight it is hardly to be seen that they are the same within 2 %. None of these was seen by then.
SEEDS = tuple(range(30, 45))
SIZES = {"width": 64, "layers": 1, "heads": 2}
study = Study.of(
    "faults",
    corpus=Corpus(name="vital-articles", documents=(300, 60, 60)),
    budget=Budget(epochs=8, batch_size=16, sequence_length=32, vocabulary=1024, precision="fp32"),
    contenders=[
        (GPT(**SIZES), Adam(lr=5e-3)),  # 1: nothing is wrong
        (GPT(**SIZES), Adam(lr=0.5)),  # 2: a rate a hundred times too high
        (Shifted(**SIZES), Adam(lr=5e-3)),
        (Dead(**SIZES), Adam(lr=5e-3)),
        (Blind(**SIZES), Adam(lr=5e-3)),
        (Twin(**SIZES), Adam(lr=5e-3)),
        (Flattered(**SIZES), Adam(lr=5e-3)),
    ],
    seeds=SEEDS,
)


def leak(text: Splits, folder: Path) -> None:
    """Write the text as a folder for `--corpus`, with test in train as well."""
    folder.mkdir()
    for split, documents in (text | {"train": [*text["train"], *text["test"]]}).items():
        (folder / f"{split}.txt").write_text("".join(documents), encoding="utf-8")


if __name__ == "__main__":
    leak(corpora.load(study.corpus).splits, Path(sys.argv[1]))
