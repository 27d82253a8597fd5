"""How far a study is, and how long the rest of it will take."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.at_work import Place
from bakeoff.run_folder import DAMAGED, DIVERGED, FAILED, FINISHED, MISSING, RUNNING, STATUSES

#: Of more runs than these the first ones are named.
NAMED = 6
#: Seconds that a run has before it which has trained to its end and is not measured yet.
MEASURING = 1.0


def count_statuses(study: StudyRows) -> dict[str, int]:
    """How many runs have each status, in a fixed order."""
    return {status: sum(row.status == status for row in study.rows) for status in STATUSES}


def seconds_left(study: StudyRows, places: Mapping[tuple[int, int], Place]) -> float | None:
    """What the runs that are neither finished nor diverged will take, as many at a time as are at work.

    Args:
        study: Whose runs; where none is at work, one at a time.
        places: How far those at work are, by number and seed, as far as that is known.

    Returns:
        0 where nothing is left; None where no run has come far enough to judge by.
    """
    ahead = [row for row in study.rows if row.status not in (FINISHED, DIVERGED)]
    begun = [row for row in study.rows if row.status == FINISHED] or [row for row in ahead if row.done]
    left = _by_others(study, ahead, begun, places) if begun else _by_pace(ahead, places)
    if left is None:
        return None
    at_once = max(sum(row.status == RUNNING for row in ahead), 1)
    return max(sum(left) / at_once, max(left, default=0.0))


def _by_others(
    study: StudyRows, ahead: Sequence[Row], begun: Sequence[Row], places: Mapping[tuple[int, int], Place]
) -> list[float]:
    """Seconds left of each by what others took so far, those of the same model and depth where there are any."""
    found = []
    for row in ahead:
        alike = [other for other in begun if (other.model, other.layers) == (row.model, row.layers)] or begun
        # What is trained so far is not trained again, whether the run is at work or was interrupted.
        place = places.get((row.number, row.seed))
        share = 1 - max(row.done / study.length, place.step / place.steps if place else 0.0)
        wholes = ((1.0 if other.status == FINISHED else study.length / other.done) * other.seconds for other in alike)
        found.append(share * fmean(wholes) or MEASURING)
    return found


def _by_pace(ahead: Sequence[Row], places: Mapping[tuple[int, int], Place]) -> list[float] | None:
    """The same before the first evaluation of any, by the pace of those at work; None where that is not known."""
    here = [places.get((row.number, row.seed)) for row in ahead]
    wholes = [p.seconds_left * p.steps / (p.steps - p.step) for p in here if p and p.seconds_left]
    if ahead and not wholes:
        return None
    return [p.seconds_left if p and p.seconds_left is not None else fmean(wholes) for p in here]


def what_is_next(study: StudyRows) -> str:
    """What the next `bakeoff run` will do, in words."""
    interrupted = _numbers(row for row in study.rows if row.status == MISSING and row.history)
    untouched = _numbers(row for row in study.rows if row.status == MISSING and not row.history)
    failed = _numbers(row for row in study.rows if row.status == FAILED)
    damaged = _numbers(row for row in study.rows if row.status == DAMAGED)
    plans = [("go on with", interrupted), ("start", untouched), ("try again", failed)]
    plan = ", ".join(f"{verb} {numbers}" for verb, numbers in plans if numbers) or "only write the report"
    return f"{plan}; first mend what is damaged of {damaged}" if damaged else plan


def _numbers(rows: Iterable[Row]) -> str:
    found = [f"#{row.number}" if row.seed == 0 else f"#{row.number} (seed {row.seed})" for row in rows]
    if len(found) > NAMED:
        return f"{', '.join(found[: NAMED - 1])} and {len(found) - NAMED + 1} more"
    return ", ".join(found)
