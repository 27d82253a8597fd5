"""Whether anything was gained by training a network at all."""

from bakeoff.analysis import words
from bakeoff.analysis.comparison import named
from bakeoff.analysis.findings.finding import (
    CONTRADICTED,
    FLOOR_TITLES,
    NOT_DISTINGUISHABLE,
    NOT_MEASURED,
    SUPPORTED,
    Finding,
    evidence,
    paid,
)
from bakeoff.analysis.rows import Baseline, Experiment, Row, StudyRows
from bakeoff.analysis.statistics import over_seeds

NAME, QUESTION = "counting", "Is the best model better than counting?"
#: What floors are called in a list of them all.
SHORT = {"unigram": "the unigram", "kn2": "the bigram", "kn3": "the trigram", "kn3+cache": "the trigram with a cache"}
OPENINGS = {
    SUPPORTED: "Yes: the best model on valid, ",
    CONTRADICTED: "No, the best model loses to a count table: on valid, ",
    NOT_DISTINGUISHABLE: "Seeds cannot tell: the best model on valid, ",
}


def beats_counting(study: StudyRows) -> Finding:
    """Whether the best model is better than every floor; one that loses to a count table is said to."""
    floor = study.lowest_floor
    if not study.ranked:
        text = (
            f"No run has finished. The lowest floor is {FLOOR_TITLES[floor.name]}, with {paid(floor.valid)} on valid."
        )
        return Finding(
            name=NAME, question=QUESTION, verdict=NOT_MEASURED, text=text, evidence=evidence([], [floor.name])
        )
    best = study.ranked[0]
    verdict = against_floor(best, floor)
    return Finding(
        name=NAME,
        question=QUESTION,
        verdict=verdict,
        text=f"{OPENINGS[verdict]}{_comparison(best, floor)}{_except(study)} {_how_many(study)}",
        evidence=evidence(best.finished, [floor.name]),
        figures=(f"overlay-{best.rows[0].model}-epochs",),
    )


def against_floor(best: Experiment, floor: Baseline) -> str:
    """The verdict on "is better", by the mean over seeds; a count table has none, so one run can lose or win."""
    interval = over_seeds([floor.valid.loss - loss for loss in best.losses.values()])
    if interval and interval.holds_zero:
        return NOT_DISTINGUISHABLE
    return SUPPORTED if best.loss < floor.valid.loss else CONTRADICTED


def lost_but_below(study: StudyRows) -> list[Experiment]:
    """Experiments that lost a run, and so rank behind others, though those that finished are below every floor."""
    return [e for e in study.ranked if e.spoiled and e.loss < study.lowest_floor.valid.loss]


def _except(study: StudyRows) -> str:
    lost = lost_but_below(study)
    return f" (Not counting {words.joined([named(e) for e in lost])}, of which runs were lost.)" if lost else ""


def _comparison(best: Experiment, floor: Baseline) -> str:
    seeds = len(best.losses)
    over = f" in the mean over {words.counted(seeds, 'seed')}" if seeds > 1 else ""
    valid = best.best.valid
    ours = f"{named(best)}, comes to {paid(valid, best.loss)}{over}" if valid else named(best)
    return (
        f"{ours}; {FLOOR_TITLES[floor.name]} comes to {paid(floor.valid)}, counted and measured in "
        f"{words.duration(floor.seconds)}."
    )


def _how_many(study: StudyRows) -> str:
    """How many runs are below each floor, as a sentence."""
    finished = [row for row in study.rows if row.finished]
    floors = sorted((b for b in study.baselines if b != study.uniform), key=lambda floor: -floor.valid.nats)
    counts = [f"{_below(finished, floor)} below {SHORT[floor.name]}" for floor in floors]
    return f"Of {words.counted(len(finished), 'finished run')}, {words.joined(counts)}."


def _below(rows: list[Row], floor: Baseline) -> str:
    below = sum(row.valid is not None and row.valid.nats < floor.valid.nats for row in rows)
    verb = "is" if below == 1 else "are"
    if not below:
        return "none is"
    return f"{'all' if below == len(rows) > 2 else words.spelled(below)} {verb}"  # noqa: PLR2004 (both, of two)
