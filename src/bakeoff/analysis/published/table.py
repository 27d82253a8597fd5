"""The published table as data, and what its perplexities were divided by."""

import math
from dataclasses import dataclass
from typing import Any

#: Its budget.
BATCH_SIZE, LENGTH, EPOCHS, RATE, DECAY = 16, 256, 10, 1e-3, 5e-4
#: Tokens of each split in its vocabulary, as the public tokenizer counts them; its own files are not public.
TOKENS = {"train": 2_286_921, "valid": 231_627, "test": 259_587}
#: True perplexities of count tables on those tokens, about.
FLOORS = {
    "unigram": {"valid": 820, "test": 786},
    "kn2": {"valid": 203},
    "kn3": {"valid": 168},
    "kn3+cache": {"valid": 143, "test": 139},
}


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

    def true(self, split: str) -> float:
        """The perplexity of a split without the bias."""
        return true_perplexity(getattr(self, split), TOKENS[split])


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


def published(number: int) -> PublishedRun:
    """The published run of that runner's number."""
    return RUNS[number - 1]


def bias(tokens: int, *, batch_size: int = BATCH_SIZE, length: int = LENGTH) -> float:
    """What the published losses were multiplied by: full places of all batches, though the last batch was smaller.

    Each batch's summed loss was divided by `batch_size * length`, and the quotients averaged over the batches; that is
    the sum of all losses divided by the places that there would be if every batch were full. It does not depend on the
    losses, only on counts.

    Args:
        tokens: Tokens of the split; the first of them is never predicted.
        batch_size: Sequences a batch.
        length: Targets of a sequence.
    """
    targets = tokens - 1
    sequences = math.ceil(targets / length)
    return targets / (math.ceil(sequences / batch_size) * batch_size * length)


def biased_perplexity(nats: float, tokens: int, *, batch_size: int = BATCH_SIZE, length: int = LENGTH) -> float:
    """The perplexity that the published report would have printed.

    Args:
        nats: Summed nats of the split's targets.
        tokens: Tokens of the split; it has one target fewer.
        batch_size: Sequences a batch.
        length: Targets of a sequence.
    """
    return math.exp(nats / (tokens - 1) * bias(tokens, batch_size=batch_size, length=length))


def true_perplexity(printed: float, tokens: int, *, batch_size: int = BATCH_SIZE, length: int = LENGTH) -> float:
    """The perplexity behind a printed one: the inverse of `biased_perplexity`."""
    return float(printed ** (1 / bias(tokens, batch_size=batch_size, length=length)))
