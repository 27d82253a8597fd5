"""What is kept of a run: what was measured, as the JSON of its records."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bakeoff import provenance
from bakeoff.data import Tokens, frequencies
from bakeoff.data.sequences import TokenStream
from bakeoff.machine import HARDWARE
from bakeoff.metrics import Tally
from bakeoff.models import ngram
from bakeoff.models.mixture import mixture
from bakeoff.shapes import Json
from bakeoff.training import EpochRecord, Evaluation, Nats


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best evaluation so far: its summed nats on valid, its epoch, and what each of valid's documents cost.

    And the checksum of the file of its weights; None in checkpoints of versions that did not keep it.
    """

    nats: float = math.inf
    epoch: int = -1
    documents: Json = field(default_factory=dict)
    weights_sha256: str | None = None


@dataclass(kw_only=True)
class RunState:
    """What is known of a run beside its training; a checkpoint holds both.

    Attributes:
        alone: Whether it has had the machine to itself all along.
        environment: Where it is computed, and by which code.
        evaluations: How many lines its history has.
        history_sha256: Its checksum when the last checkpoint was taken; None in those of versions that did not keep it.
        best: The best of them.
        resumed_at_step: Where it went on after it had been cut off.
    """

    alone: bool
    environment: Json
    evaluations: int = 0
    history_sha256: str | None = None
    best: Best = field(default_factory=Best)
    resumed_at_step: list[int] = field(default_factory=list)

    def resumed(self, step: int, *, alone: bool, environment: Json) -> None:
        """Take note of going on there; code that is not what it was, or another machine, is named beside that."""
        self.resumed_at_step.append(step)
        self.alone = self.alone and alone
        for key in [key for key in (*provenance.KEYS, *HARDWARE) if key in self.environment]:
            before, now = str(self.environment[key]), str(environment[key])
            if now not in (before, *before.split(", ")):
                self.environment[key] = f"{before}, {now}"


class Measures:
    """The streams that evaluations measure, and what their nats come to."""

    def __init__(self, tokens: Tokens) -> None:
        self.streams = {"train": tokens.train_sample, "valid": tokens.splits["valid"]}
        self.deciles_V = frequencies.deciles(frequencies.counts(tokens.splits["train"].tokens_N, tokens.vocabulary))

    def line(self, evaluation: Evaluation, clip: float | None) -> Json:
        """An evaluation as it stands in the history, but for the seconds that the run has taken."""
        line: Json = {"epoch": evaluation.epoch, "step": evaluation.step}
        for split, stream in self.streams.items():
            nats = evaluation.nats[split]
            line[split] = tally(stream, nats).sums() | {"deciles": self._by_decile(stream, nats)}
        line["sample"] = [vars(sample) for sample in evaluation.samples]
        return line | _trained(evaluation.trained, clip) if evaluation.trained else line

    def spoken(self, evaluation: Evaluation) -> Json:
        """An evaluation as it is told to whoever watches."""
        tallies = {split: tally(stream, evaluation.nats[split]).as_json() for split, stream in self.streams.items()}
        return {"event": "evaluation", "epoch": evaluation.epoch, "step": evaluation.step, **tallies}

    def _by_decile(self, stream: TokenStream, nats: Nats) -> Json:
        deciles = self.deciles_V[stream.tokens_N[1:]]
        bincount = functools.partial(np.bincount, deciles, minlength=frequencies.DECILES)
        return {"nats": bincount(weights=nats).tolist(), "tokens": bincount().tolist()}


def tally(stream: TokenStream, nats: Nats) -> Tally:
    """What a stream cost, as a sum with its counts.

    Raises:
        ValueError: It is not finite.
    """
    total = float(nats.sum(dtype=np.float64))
    if not math.isfinite(total):
        raise ValueError("its loss is not finite")
    return Tally(nats=total, tokens=stream.targets, words=stream.words, bytes=stream.bytes)


def with_counts(tokens: Tokens, length: int, nats: Mapping[str, Nats]) -> Json | None:
    """What a run costs on valid and test where it is mixed with the best floor; None for a valid of no two halves.

    Args:
        tokens: The corpus.
        length: Targets of a sequence.
        nats: Of each target of both under the run's best weights.
    """
    floor, splits = ngram.best(tokens, length), tokens.splits
    found = mixture(nats, floor.nats, splits["valid"].document_of_targets)
    if found is None:
        return None
    sums = {split: tally(splits[split], nats_T).sums() for split, nats_T in found.nats.items()}
    return {"floor": floor.name, "weight": found.weight, **sums}


def by_document(stream: TokenStream, nats: npt.NDArray[np.floating]) -> Json:
    """What each document of a stream cost, with its counts."""
    summed = np.bincount(stream.document_of_targets, weights=nats, minlength=len(stream.starts_D))
    return {
        "nats": summed.tolist(),
        "tokens": stream.tokens_D.tolist(),
        "words": stream.words_D.tolist(),
        "bytes": stream.bytes_D.tolist(),
    }


def _trained(trained: EpochRecord, clip: float | None) -> Json:
    norms = trained.gradient_norms
    return {
        "running": {"nats": trained.nats, "tokens": trained.tokens},
        "learning_rate": trained.learning_rate,
        "gradient_norm": {
            "median": float(np.median(norms)),
            "p99": float(np.percentile(norms, 99)),
            "clipped": float(np.mean(norms > clip)) if clip else 0.0,
        },
    }
