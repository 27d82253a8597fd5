"""The published course report beside this study: its table, its biased perplexity, and its conclusions."""

import math
from dataclasses import dataclass
from typing import Any

from bakeoff.analysis.rows import StudyRows


@dataclass(frozen=True, kw_only=True)
class PublishedRun:
    """A row of the published table, under the runner's number.

    Attributes:
        number: The runner's number.
        printed_as: The number that the report's table gave it.
        train: Perplexity as printed: biased, and a running mean over the last epoch; `valid` and `test` biased too.
        parameters: In millions, and so are `learnable`.
        gigabytes: GPU memory, read off a screen once.
    """

    number: int
    printed_as: int
    model: str
    layers: int
    optimizer: str
    train: float
    valid: float
    test: float
    parameters: float
    learnable: float
    gigabytes: float


_COLUMNS = tuple(PublishedRun.__dataclass_fields__)
_TABLE: tuple[tuple[Any, ...], ...] = (
    (1, 1, "lstm", 1, "adam", 81.06, 144.84, 148.86, 34.1, 3.0, 4.7),
    (2, 2, "lstm", 1, "adamw", 81.07, 144.50, 149.58, 34.1, 3.0, 4.7),
    (3, 4, "lstm", 1, "sgd", 2322.22, 2173.39, 2088.85, 34.1, 3.0, 3.8),
    (4, 3, "lstm", 1, "momentum", 1748.33, 1654.09, 1600.03, 34.1, 3.0, 4.7),
    (5, 7, "gpt1", 1, "adam", 41.24, 174.55, 178.21, 38.4, 7.1, 3.5),
    (6, 8, "gpt1", 1, "adamw", 41.20, 174.12, 178.76, 38.4, 7.1, 3.51),
    (7, 10, "gpt1", 1, "sgd", 1617.57, 1500.89, 1476.06, 38.4, 7.1, 3.51),
    (8, 9, "gpt1", 1, "momentum", 714.16, 679.82, 666.62, 38.4, 7.1, 3.51),
    (9, 5, "lstm", 2, "adamw", 58.65, 148.45, 153.10, 36.2, 5.1, 4.7),
    (10, 6, "lstm", 4, "adamw", 84.80, 159.57, 164.58, 40.4, 9.3, 4.8),
    (11, 11, "gpt1", 2, "adamw", 473.19, 469.95, 449.53, 45.5, 14.2, 3.8),
    (12, 12, "gpt1", 4, "adamw", 1552.26, 1478.83, 1442.59, 59.6, 28.4, 4.45),
)
#: The published table, in the order of the runner's numbers.
RUNS = tuple(PublishedRun(**dict(zip(_COLUMNS, line, strict=True))) for line in _TABLE)


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """Something that the published report concluded, and what is to be said of it.

    Attributes:
        claim: What it said.
        verdict: `supported`, `contradicted`, `not distinguishable` or `not measured`.
        text: Why.
    """

    claim: str
    verdict: str
    text: str


def bias(targets: int, *, batch_size: int = 16, length: int = 256) -> float:
    """What the published losses were multiplied by: full places of all batches, though the last batch was smaller.

    Each batch's summed loss was divided by `batch_size * length`, and the quotients averaged over the batches; that is
    the sum of all losses divided by the places that there would be if every batch were full.

    Args:
        targets: Predicted tokens of the split.
        batch_size: Sequences a batch.
        length: Tokens a sequence.
    """
    sequences = math.ceil(targets / length)
    return targets / (math.ceil(sequences / batch_size) * batch_size * length)


def biased_perplexity(nats: float, targets: int, *, batch_size: int = 16, length: int = 256) -> float:
    """The perplexity that the published report would have printed for these summed nats."""
    return math.exp(nats / targets * bias(targets, batch_size=batch_size, length=length))


def conclusions(study: StudyRows) -> list[Conclusion]:
    """The published conclusions, each with what is to be said of it."""
    del study
    return []
