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
from bakeoff.analysis.rows import Baseline, Row, StudyRows
from bakeoff.metrics import Tally

NAME, QUESTION = "counting", "Is the best model better than counting?"


def beats_counting(study: StudyRows) -> Finding:
    """Whether the best model is better than every floor; one that loses to a count table is said to."""
    best, floor = study.best_of_all, study.lowest_floor
    if best is None or best.valid is None:
        text = (
            f"No run has finished. The lowest floor is {FLOOR_TITLES[floor.name]}, with {paid(floor.valid)} on valid."
        )
        return Finding(
            name=NAME, question=QUESTION, verdict=NOT_MEASURED, text=text, evidence=evidence([], [floor.name])
        )
    wins = best.valid.nats < floor.valid.nats
    return Finding(
        name=NAME,
        question=QUESTION,
        verdict=SUPPORTED if wins else CONTRADICTED,
        text=f"{_comparison(study, best, best.valid, wins=wins)} {_how_many(study)}",
        evidence=evidence([best], [floor.name]),
        figures=(f"overlay-{best.model}-epochs",),
    )


def _comparison(study: StudyRows, best: Row, valid: Tally, *, wins: bool) -> str:
    floor = study.lowest_floor
    counted = (
        f"{FLOOR_TITLES[floor.name]} comes to {paid(floor.valid)}, counted and measured in "
        f"{words.duration(floor.seconds)}"
    )
    verdict = "Yes: the best model on valid" if wins else "No, the best model loses to a count table: on valid"
    return f"{verdict}, #{best.number} ({best.name}), comes to {paid(valid)}; {counted}."


def _how_many(study: StudyRows) -> str:
    """How many runs are below each floor, as a sentence."""
    finished = [row for row in study.rows if row.finished]
    floors = sorted((b for b in study.baselines if b != study.uniform), key=lambda floor: -floor.valid.nats)
    counts = [f"{_below(finished, floor)} below {FLOOR_TITLES[floor.name]}" for floor in floors]
    return f"Of {words.counted(len(finished), 'finished run')}, {words.joined(counts)}."


def _below(rows: list[Row], floor: Baseline) -> str:
    below = sum(row.valid is not None and row.valid.nats < floor.valid.nats for row in rows)
    verb = "is" if below == 1 else "are"
    return "none is" if not below else f"{'all' if below == len(rows) > 1 else words.spelled(below)} {verb}"
