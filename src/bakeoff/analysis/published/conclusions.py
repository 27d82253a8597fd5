"""What the published report concluded, and what its own table, or a study that repeats it, has to say of that."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from bakeoff import words
from bakeoff.analysis.findings.contrasts import contrasts, optimizers, shrinkage
from bakeoff.analysis.findings.finding import (
    CONTRADICTED,
    FLOOR_TITLES,
    NOT_DISTINGUISHABLE,
    NOT_MEASURED,
)
from bakeoff.analysis.published.beside import is_comparable
from bakeoff.analysis.published.table import (
    BATCH_SIZE,
    DECAY,
    EPOCHS,
    FLOORS,
    LENGTH,
    RATE,
    RUNS,
    TOKENS,
    bias,
    published,
)
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.analysis.timing import is_timed

#: What Adam keeps of every trained parameter: two running means, four bytes each.
ADAM_BYTES = 8
#: Trained parameters of the one-layer LSTM, exactly.
LSTM_LEARNABLE = 3_019_520


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """Something that the published report concluded or took for granted, and what is to be said of it.

    Attributes:
        claim: It, in our words.
        verdict: `supported`, `contradicted`, `not distinguishable` or `not measured`.
        text: Why.
    """

    claim: str
    verdict: str
    text: str


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """A claim, what its own table says of it, and how to see it in the rows of a study that repeats it."""

    claim: str
    verdict: str
    text: str
    ours: Callable[[StudyRows], str]


def conclusions(study: StudyRows) -> list[Conclusion]:
    """Every published conclusion, and the verdict on it; rows are quoted only where the study repeats the published."""
    repeats = is_comparable(study)
    return [
        Conclusion(claim=c.claim, verdict=c.verdict, text=f"{c.text}{c.ours(study) if repeats else ''}")
        for c in _claims()
    ]


def _row(study: StudyRows, number: int) -> Row | None:
    """Our finished run of that number, of the first seed that has one."""
    return next((row for row in study.rows if row.number == number and row.finished), None)


def _diagnosed(*numbers: int) -> Callable[[StudyRows], str]:
    """What became of our runs of those numbers."""

    def ours(study: StudyRows) -> str:
        rows = [row for number in numbers if (row := _row(study, number))]
        parts = [f"#{row.number} is {row.diagnosis}, at {_ppl(row)} on valid" for row in rows]
        return f" Here {words.joined(parts)}." if parts else ""

    return ours


def _ppl(row: Row) -> str:
    return words.perplexity(row.valid.loss) if row.valid else "no figure"


def _contrast(kind: str) -> Callable[[StudyRows], str]:
    """What our comparisons of a kind came to."""

    def ours(study: StudyRows) -> str:
        names = [contrast.name for contrast in contrasts(study) if contrast.kind == kind]
        found = [finding for finding in optimizers(study) if finding.name in names]
        return "".join(f" Here, {finding.question} {finding.verdict.capitalize()}." for finding in found)

    return ours


def _gap(number: int) -> Callable[[StudyRows], str]:
    def ours(study: StudyRows) -> str:
        row = _row(study, number)
        return (
            f" Here valid costs #{number} {words.nats(study.gap(row.history[-1]))} nats more than train in the end, at "
            f"equal mix of tokens; it is {row.diagnosis}."
            if row
            else ""
        )

    return ours


def _memory(study: StudyRows) -> str:
    first, second = _row(study, 1), _row(study, 3)
    if not (first and second and first.memory and second.memory):
        return ""
    difference = first.memory["average_bytes"] - second.memory["average_bytes"]
    return f" Here #1 takes {words.megabytes(difference)} more than #3 on average in training."


def _best_against_floor(study: StudyRows) -> str:
    best, floor = study.best_of_all, study.lowest_floor
    if best is None:
        return ""
    return (
        f" Here the best, #{best.number}, comes to {_ppl(best)} and {FLOOR_TITLES[floor.name]} to "
        f"{words.number(floor.valid.perplexity)}."
    )


def _time_to_330(study: StudyRows) -> str:
    row = _row(study, 5)
    if row is None or not is_timed(row):
        return ""
    point = next((point for point in row.history if point.valid.perplexity <= 330), None)  # noqa: PLR2004
    reached = f"is first seen below that after {words.duration(point.train_seconds)}" if point else "never gets there"
    return f" Here #5 {reached} of training, on {row.device}."


def _nothing(study: StudyRows) -> str:  # noqa: ARG001 (claims are called alike)
    return ""


def _claims() -> tuple[_Claim, ...]:
    return (*_about_overfitting(), *_about_quality(), *_about_optimizers(), *_about_sizes(), *_about_figures())


def _about_overfitting() -> tuple[_Claim, ...]:
    two, four, deep = published(11), published(12), published(9)
    return (
        _Claim(
            claim="The deeper GPT-1s overfit.",
            verdict=CONTRADICTED,
            text=(
                f"Train and valid agree: {two.train:.0f} and {two.valid:.0f} with two layers, {four.train:.0f} and "
                f"{four.valid:.0f} with four. With four layers it is worse than the unigram, "
                f"{FLOORS['unigram']['valid']}: a failure to optimize, which a short run with a tenth of the rate "
                "would decide."
            ),
            ours=_diagnosed(11, 12),
        ),
        _Claim(
            claim="The LSTMs do not overfit.",
            verdict=CONTRADICTED,
            text=(
                f"With two layers train is at {deep.train} and valid at {deep.valid}, the widest gap of the LSTMs, "
                "though valid is the easier text by what a unigram pays."
            ),
            ours=_gap(9),
        ),
    )


def _about_quality() -> tuple[_Claim, ...]:
    best = min(RUNS, key=lambda run: run.valid)
    return (
        _Claim(
            claim="The best runs model this text well.",
            verdict=CONTRADICTED,
            text=(
                f"No floor was measured. The best run, printed as {best.valid}, is a true "
                f"{best.true('valid'):.0f}; "
                f"{FLOOR_TITLES['kn3+cache']}, a count table, comes to about {FLOORS['kn3+cache']['valid']}."
            ),
            ours=_best_against_floor,
        ),
        _Claim(
            claim="Generalization is the difference between validation and test perplexity.",
            verdict=CONTRADICTED,
            text=(
                f"That difference says which text is harder: the unigram pays {FLOORS['unigram']['valid']} and "
                f"{FLOORS['unigram']['test']}. By it run 7, at {published(7).valid:.0f} and {published(7).test:.0f}, "
                "would generalize better than run 1."
            ),
            ours=_nothing,
        ),
    )


def _about_optimizers() -> tuple[_Claim, ...]:
    first, second, fifth, eighth = (published(number) for number in (1, 2, 5, 8))
    steps = EPOCHS * math.ceil((TOKENS["train"] - 1) / LENGTH / BATCH_SIZE)
    share = shrinkage(rate=RATE, decay=DECAY, steps=steps, schedule="constant")
    return (
        _Claim(
            claim="SGD and momentum are worse optimizers for these models than Adam.",
            verdict=NOT_MEASURED,
            text=(
                f"All four were run at the rate {RATE:g}. At it runs 3, 4 and 7 are worse than the unigram, and 8 is "
                "not far below it: that says something about a learning rate, and nothing about an optimizer."
            ),
            ours=_diagnosed(3, 4, 7, 8),
        ),
        _Claim(
            claim="Momentum beats Adam on GPT-1.",
            verdict=CONTRADICTED,
            text=f"Its own table has {eighth.valid:.1f} for momentum and {fifth.valid:.1f} for Adam.",
            ours=_diagnosed(5, 8),
        ),
        _Claim(
            claim="AdamW generalizes better than Adam.",
            verdict=NOT_DISTINGUISHABLE,
            text=(
                f"On valid {second.valid:.2f} against {first.valid:.2f}, on test {second.test:.2f} against "
                f"{first.test:.2f}: AdamW wins the one and loses the other, for GPT-1 as well, with one seed. Over the "
                f"{steps:,} steps of the run its decay could shrink a weight by {words.percent(share)}: there was next "
                "to nothing to measure."
            ),
            ours=_contrast("decay"),
        ),
    )


def _about_sizes() -> tuple[_Claim, ...]:
    first, third, fifth = (published(number) for number in (1, 3, 5))
    return (
        _Claim(
            claim="The LSTM does better than GPT-1.",
            verdict=NOT_MEASURED,
            text=(
                f"Run 1 has {first.valid:.1f} and run 5 {fifth.valid:.1f}, with one seed, at one rate for both, and "
                f"with {first.learnable} and {fifth.learnable} million trained parameters: two "
                "configurations, and no error bar."
            ),
            ours=_diagnosed(1, 5),
        ),
        _Claim(
            claim="SGD saves 0.9 GB of memory.",
            verdict=CONTRADICTED,
            text=(
                f"Adam keeps {words.megabytes(ADAM_BYTES * LSTM_LEARNABLE)} for the {LSTM_LEARNABLE / 1e6:.1f} million "
                f"trained parameters of runs 1 to 4. The {first.gigabytes} and {third.gigabytes} GB were read off a "
                "screen once."
            ),
            ours=_memory,
        ),
    )


def _about_figures() -> tuple[_Claim, ...]:
    fifth, sixth = published(5), published(6)
    return (
        _Claim(
            claim="The printed figures are perplexities.",
            verdict=CONTRADICTED,
            text=(
                f"Their losses were multiplied by {bias(TOKENS['valid']):.4f} on valid and {bias(TOKENS['test']):.4f} "
                f"on test, as small last batches were divided by the size of full ones. Run 2, printed as "
                f"{published(2).valid:.1f} and {published(2).test:.1f}, has {published(2).true('valid'):.0f} and "
                f"{published(2).true('test'):.0f}, and with another batch size the same model would have got others."
            ),
            ours=_nothing,
        ),
        _Claim(
            claim="The one-layer LSTM trains 30 million parameters.",
            verdict=CONTRADICTED,
            text=f"It trains {LSTM_LEARNABLE:,}; its embedding is frozen.",
            ours=_nothing,
        ),
        _Claim(
            claim="Run 6 has a validation perplexity of 174.55.",
            verdict=CONTRADICTED,
            text=f"That is run 5's, {fifth.valid}; run 6 has {sixth.valid}.",
            ours=_nothing,
        ),
        _Claim(
            claim="A two-layer LSTM was trained with SGD.",
            verdict=CONTRADICTED,
            text="There is no such run: runs 3 and 4 have one layer, and the deeper LSTMs were trained with AdamW.",
            ours=_nothing,
        ),
        _Claim(
            claim="The one-layer GPT-1 reached a perplexity of about 330 in about 50 seconds on a GPU.",
            verdict=NOT_MEASURED,
            text="Nothing speaks against it, and it is a time to compare with; another machine is another time.",
            ours=_time_to_330,
        ),
    )
