"""The published table beside a study's own rows, under both definitions of perplexity, and what is assumed in that."""

from dataclasses import dataclass

from bakeoff import words
from bakeoff.analysis.published.table import (
    BATCH_SIZE,
    EPOCHS,
    LENGTH,
    RUNS,
    TOKENS,
    PublishedRun,
    bias,
    biased_perplexity,
)
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.metrics import Tally

#: The study that repeats the published one.
SEED = "seed"
SPLITS = ("train", "valid", "test")


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One published run and this study's run of the same architecture, depth and optimizer.

    Attributes:
        published: As printed.
        row: Ours; None where there is none.
        true: Our perplexities by split, with the last weights, as the published test was taken.
        biased: The same as the published report would have printed them.
    """

    published: PublishedRun
    row: Row | None
    true: dict[str, float]
    biased: dict[str, float]


def is_comparable(study: StudyRows) -> bool:
    """Whether a study repeats the published one: same corpus, vocabulary and budget."""
    declared, budget = study.study, study.study["budget"]
    shape = (budget["epochs"], budget["batch_size"], budget["sequence_length"])
    train = declared["corpus"]["train"]["tokens"]
    return bool(declared["study"] == SEED and shape == (EPOCHS, BATCH_SIZE, LENGTH) and train == TOKENS["train"])


def beside(study: StudyRows) -> tuple[Beside, ...]:
    """Every published run with ours beside it, by the runner's numbers; ours is the first seed's."""
    ours: dict[tuple[str, int, str], Row] = {}
    for row in study.rows:
        if row.finished:
            ours.setdefault((row.model, row.layers, row.optimizer), row)
    return tuple(_beside(study, run, ours.get((run.model, run.layers, run.optimizer))) for run in RUNS)


def _beside(study: StudyRows, run: PublishedRun, row: Row | None) -> Beside:
    tallies = {split: tally for split in SPLITS if row and (tally := row.last[split])}
    return Beside(
        published=run,
        row=row,
        true={split: tally.perplexity for split, tally in tallies.items()},
        biased={split: _biased(study, tally) for split, tally in tallies.items()},
    )


def _biased(study: StudyRows, tally: Tally) -> float:
    budget = study.study["budget"]
    return biased_perplexity(
        tally.nats, tally.tokens + 1, batch_size=budget["batch_size"], length=budget["sequence_length"]
    )


def assumptions(study: StudyRows) -> list[str]:
    """What is assumed, and what is not comparable, in sentences."""
    factors = words.joined([f"{bias(TOKENS[split]):.4f} on {split}" for split in SPLITS])
    shared = [
        (
            "The published perplexities are biased. Each batch's summed loss was divided by the places of a full "
            f"batch, {BATCH_SIZE} x {LENGTH}, even where the last batch was smaller, and the quotients were averaged: "
            f"every loss was multiplied by {factors}. The figures called biased here are computed the same way, so "
            "that like stands beside like; all others are true."
        ),
        (
            "The published token files are not public. That <unk> is one symbol, and that line ends have none, is an "
            "assumption, and with it the token counts, the floors and the factors."
        ),
        (
            "The published train perplexity is a mean over an epoch in which the weights changed; ours is measured on "
            "a fixed sample, with the weights held still."
        ),
        "The published runs have one seed and no error bars.",
    ]
    other = (
        "This study has another corpus, vocabulary or budget than the published one: the published table stands here "
        "as context, and no figure of it can be compared with one of ours."
    )
    return shared if is_comparable(study) else [other, *shared]
