"""Findings: questions answered from rows, with a verdict and the rows that it rests on."""

from dataclasses import asdict, dataclass
from typing import Any

from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.metrics import Tally

SUPPORTED, CONTRADICTED = "supported", "contradicted"
NOT_DISTINGUISHABLE, NOT_MEASURED = "not distinguishable", "not measured"

#: What floors are called in sentences.
FLOOR_TITLES = {
    "uniform": "the uniform distribution",
    "unigram": "the unigram",
    "kn2": "the Kneser-Ney bigram",
    "kn3": "the Kneser-Ney trigram",
    "kn3+cache": "the Kneser-Ney trigram with a unigram cache",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An answer.

    Attributes:
        question: What was asked.
        verdict: `supported`, `contradicted`, `not distinguishable` or `not measured`.
        text: The answer in words.
        evidence: The keys (`number`, `seed`) of the rows behind it, and the names of floors.
    """

    question: str
    verdict: str
    text: str
    evidence: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)


def findings(study: StudyRows) -> list[Finding]:
    """Everything that the rows answer."""
    return [beats_counting(study)]


def beats_counting(study: StudyRows) -> Finding:
    """Whether the best model is better than every floor; one that loses to a count table is said to."""
    question = "Is the best model better than counting?"
    best, floor = study.best_of_all, study.lowest_floor
    if best is None or best.valid is None:
        text = f"No run has finished; the lowest floor is {FLOOR_TITLES[floor.name]}, {_paid(floor.valid)}."
        return Finding(question=question, verdict=NOT_MEASURED, text=text, evidence=({"baseline": floor.name},))
    wins = best.valid.nats < floor.valid.nats
    return Finding(
        question=question,
        verdict=SUPPORTED if wins else CONTRADICTED,
        text=_comparison(study, best, best.valid, wins=wins),
        evidence=({"number": best.number, "seed": best.seed}, {"baseline": floor.name}),
    )


def _comparison(study: StudyRows, best: Row, valid: Tally, *, wins: bool) -> str:
    floor = study.lowest_floor
    title = FLOOR_TITLES[floor.name]
    measured = (
        f"#{best.number} ({best.name}) is the best model on valid, {_paid(valid)}; {title} comes to "
        f"{_paid(floor.valid)}, counted in {floor.seconds:.1f} seconds"
    )
    if wins:
        return f"Yes: {measured}. One seed." if len(study.study["seeds"]) == 1 else f"Yes: {measured}."
    beaten = [FLOOR_TITLES[b.name] for b in study.baselines if valid.nats < b.valid.nats]
    below = f"; the model is below {' and '.join(beaten[-1:])}" if beaten else ""
    return f"No, the best model loses to a count table: {measured}{below}."


def _paid(tally: Tally) -> str:
    return f"{tally.perplexity:.4g} per token, {tally.bits_per_byte:.3f} bits per byte"
