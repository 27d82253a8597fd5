"""Faults planted on purpose, each as an experiment beside a sound one: does a report see through them?

    bakeoff run examples/faults.py --seeds 3
    bakeoff judge examples/faults.py --baseline 1 --candidate 7

docs/faults.md has what comes of it.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from bakeoff.models import LSTM
from bakeoff.models.lstm import LSTMModel
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study


class ShiftedModel(LSTMModel):
    def loss(self, inputs_BxL: Tensor, targets_BxL: Tensor) -> Tensor:
        return super().loss(inputs_BxL, targets_BxL.roll(-1, dims=1))


class DeadModel(LSTMModel):
    def features(self, tokens_BxL: Tensor) -> Tensor:
        return 0.0 * super().features(tokens_BxL)


class BlindModel(LSTMModel):
    def features(self, tokens_BxL: Tensor) -> Tensor:
        return torch.ones_like(super().features(tokens_BxL))


class FlatteredModel(LSTMModel):
    def token_nats(self, inputs_BxL: Tensor, targets_BxL: Tensor) -> Tensor:
        return super().token_nats(inputs_BxL, targets_BxL) - 0.02 * (targets_BxL >= 0)


class Planted(LSTM):
    """An LSTM with a module of another kind."""

    kind: ClassVar[type[LSTMModel]] = LSTMModel

    def module(self, vocabulary: int, sequence_length: int) -> LSTMModel:
        return self.kind(self, vocabulary, nn.LSTM, torch.lstm, states=2)


@dataclass(frozen=True, kw_only=True)
class Shifted(Planted):
    """Trained on labels that are shifted by one: it learns to predict the token after the next."""

    name: ClassVar[str] = "shifted"
    title: ClassVar[str] = "LSTM, shifted labels"
    kind: ClassVar[type[LSTMModel]] = ShiftedModel


@dataclass(frozen=True, kw_only=True)
class Dead(Planted):
    """Nothing reaches its output layer."""

    name: ClassVar[str] = "dead"
    title: ClassVar[str] = "LSTM, dead output layer"
    kind: ClassVar[type[LSTMModel]] = DeadModel


@dataclass(frozen=True, kw_only=True)
class Blind(Planted):
    """Its output layer sees the same at every place: it can learn how frequent tokens are, no more."""

    name: ClassVar[str] = "blind"
    title: ClassVar[str] = "LSTM, blind"
    kind: ClassVar[type[LSTMModel]] = BlindModel


@dataclass(frozen=True, kw_only=True)
class Twin(Planted):
    """The sound one, begun with other random numbers."""

    name: ClassVar[str] = "twin"
    title: ClassVar[str] = "LSTM, twin"

    def module(self, vocabulary: int, sequence_length: int) -> LSTMModel:
        torch.rand(1)  # what is drawn after it is another
        return super().module(vocabulary, sequence_length)


@dataclass(frozen=True, kw_only=True)
class Flattered(Twin):
    """A twin whose perplexity is told 2 % too low."""

    name: ClassVar[str] = "flattered"
    title: ClassVar[str] = "LSTM, flattered"
    kind: ClassVar[type[LSTMModel]] = FlatteredModel


SIZES = {"embedding": 64, "hidden": 64}
study = Study.of(
    "faults",
    corpus=Corpus(name="vital-articles", documents=(300, 60, 60)),
    budget=Budget(epochs=4, batch_size=16, sequence_length=32, vocabulary=1024, precision="fp32"),
    contenders=[
        (LSTM(**SIZES), Adam(lr=1e-2)),  # 1: nothing is wrong
        (LSTM(**SIZES), Adam(lr=1.0)),  # 2: a rate a hundred times too high
        (Shifted(**SIZES), Adam(lr=1e-2)),
        (Dead(**SIZES), Adam(lr=1e-2)),
        (Blind(**SIZES), Adam(lr=1e-2)),
        (Twin(**SIZES), Adam(lr=1e-2)),
        (Flattered(**SIZES), Adam(lr=1e-2)),
    ],
)
