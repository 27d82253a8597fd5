"""Whether anything was gained by training a network at all."""

from bakeoff.analysis import words
from bakeoff.analysis.findings.finding import (
    CONTRADICTED,
    FLOOR_TITLES,
    NOT_MEASURED,
    SUPPORTED,
    Finding,
    evidence,
    paid,
)
from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.metrics import Tally

QUESTION = "Is the best model better than counting?"


def beats_counting(study: StudyRows) -> Finding:
    """Whether the best model is better than every floor; one that loses to a count table is said to."""
    best, floor = study.best_of_all, study.lowest_floor
    if best is None or best.valid is None:
        text = f"No run has finished; the lowest floor is {FLOOR_TITLES[floor.name]}, with {paid(floor.valid)}."
        return Finding(
            name="counting",
            question=QUESTION,
            verdict=NOT_MEASURED,
            text=text,
            evidence=evidence([], [floor.name]),
        )
    wins = best.valid.nats < floor.valid.nats
    return Finding(
        name="counting",
        question=QUESTION,
        verdict=SUPPORTED if wins else CONTRADICTED,
        text=_comparison(study, best, best.valid, wins=wins),
        evidence=evidence([best], [floor.name]),
        figures=(f"overlay-{best.model}-epochs",),
    )


def _comparison(study: StudyRows, best: Row, valid: Tally, *, wins: bool) -> str:
    floor = study.lowest_floor
    title = FLOOR_TITLES[floor.name]
    measured = (
        f"#{best.number} ({best.name}) is the best model on valid, with {paid(valid)}; {title} comes to "
        f"{paid(floor.valid)}, counted in {words.duration(floor.seconds)}"
    )
    if wins:
        return f"Yes: {measured}. One seed." if len(study.study["seeds"]) == 1 else f"Yes: {measured}."
    beaten = [FLOOR_TITLES[b.name] for b in study.baselines if valid.nats < b.valid.nats]
    below = f"; the model is below {' and '.join(beaten[-1:])}" if beaten else ""
    return f"No, the best model loses to a count table: {measured}{below}."
