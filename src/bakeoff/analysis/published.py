"""The course report that Bakeoff starts from: its table, its biased perplexity, its conclusions, beside our rows."""

import math
from dataclasses import dataclass
from typing import Any

from bakeoff import metrics
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.analysis.statistics import CANNOT_TELL, NO, NOT_MEASURED
from bakeoff.metrics import Tally

#: The studies that repeat the published one, at its sizes: their reports show it.
STUDIES = ("seed", "seed-learned")
#: Its budget.
BATCH_SIZE, LENGTH, EPOCHS, RATE, DECAY = 16, 256, 10, 1e-3, 5e-4
#: Tokens of each split in its vocabulary, as the public tokenizer counts them; its own files are not public.
TOKENS = {"train": 2_286_921, "valid": 231_627, "test": 259_587}
#: What was concluded, each with what its own table says of it; the words of both are in the template.
CLAIMS = {
    "deeper_overfit": NO,
    "lstm_does_not": NO,
    "model_well": NO,
    "generalization": NO,
    "sgd_worse": NOT_MEASURED,
    "momentum_wins": NO,
    "adamw_better": CANNOT_TELL,
    "lstm_better": NOT_MEASURED,
    "sgd_saves_memory": NO,
    "perplexities": NO,
    "thirty_million": NO,
    "run_six": NO,
    "two_layer_sgd": NO,
    "fifty_seconds": NOT_MEASURED,
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
#: The published table, by the runner's numbers.
RUNS = {line[0]: PublishedRun(**dict(zip(_COLUMNS, line, strict=True))) for line in _TABLE}


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One published run and this study's run of the same architecture, depth and optimizer.

    Attributes:
        published: As printed.
        row: Ours, of the first seed that finished; None where there is none, or the study is another.
        true: Our perplexities by split, with the last weights, as the published test was taken.
        biased: The same as the published report would have printed them.
    """

    published: PublishedRun
    row: Row | None
    true: dict[str, float]
    biased: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the words about the published report are made of.

    Attributes:
        repeats: Whether this study repeats the published one; only then are our rows quoted.
        runs: The published runs, and ours beside them, by number.
        factors: What every published loss was multiplied by, by split.
        steps: Of a published run.
        shrinkage: The most that its decay could take from a weight, as a share.
        study: All our rows.
    """

    repeats: bool
    runs: dict[int, Beside]
    factors: dict[str, float]
    steps: int
    shrinkage: float
    study: StudyRows

    def gap(self, number: int) -> float | None:
        """The generalization gap of our run of that number in the end, in nats per token."""
        row = self.runs[number].row
        return self.study.gap(row.history[-1]) if row else None


def facts(study: StudyRows) -> Facts:
    """Everything that is said of the published report."""
    repeats = is_comparable(study)
    steps = EPOCHS * math.ceil((TOKENS["train"] - 1) / LENGTH / BATCH_SIZE)
    return Facts(
        repeats=repeats,
        runs={run.number: _beside(study, run, repeats=repeats) for run in RUNS.values()},
        factors={split: bias(tokens) for split, tokens in TOKENS.items()},
        steps=steps,
        shrinkage=1 - (1 - RATE * DECAY) ** steps,
        study=study,
    )


def is_comparable(study: StudyRows) -> bool:
    """Whether a study repeats the published one: same corpus, vocabulary and budget."""
    declared, budget = study.study, study.study["budget"]
    shape = (budget["epochs"], budget["batch_size"], budget["sequence_length"])
    train = declared["corpus"]["train"]["tokens"]
    return bool(
        declared["study"] == "seed"
        and not budget.get("steps")
        and shape == (EPOCHS, BATCH_SIZE, LENGTH)
        and train == TOKENS["train"]
    )


def _beside(study: StudyRows, run: PublishedRun, *, repeats: bool) -> Beside:
    kind = (run.model, run.layers, run.optimizer)
    ours = (row for row in study.rows if row.finished and (row.model, row.layers, row.optimizer) == kind)
    row = next(ours, None) if repeats else None
    tallies = {split: tally for split in TOKENS if row and (tally := row.last[split])}
    return Beside(
        published=run,
        row=row,
        true={split: tally.perplexity for split, tally in tallies.items()},
        biased={split: biased_perplexity(tally) for split, tally in tallies.items()},
    )


def bias(tokens: int) -> float:
    """What the published losses were multiplied by: full places of all batches, though the last batch was smaller.

    Each batch's summed loss was divided by the places of a full one, and the quotients averaged over the batches: that
    is the sum of all losses divided by the places that there would be if every batch were full. It does not depend on
    the losses, only on counts.

    Args:
        tokens: Tokens of the split; the first of them is never predicted.
    """
    targets, places = tokens - 1, BATCH_SIZE * LENGTH
    return targets / (math.ceil(targets / places) * places)


def biased_perplexity(tally: Tally) -> float:
    """The perplexity that the published report would have printed for a split that cost so much."""
    factor = bias(tally.tokens + 1)
    return metrics.perplexity(tally.nats * factor, tally.tokens)


def true_perplexity(printed: float, tokens: int) -> float:
    """The perplexity behind a printed one: the inverse of `biased_perplexity`."""
    return float(printed ** (1 / bias(tokens)))
