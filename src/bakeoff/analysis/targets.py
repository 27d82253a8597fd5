"""Time to target: how long a run trained until valid was first seen at or below a loss that was fixed in advance."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from bakeoff.analysis.rows import Row, StudyRows
from bakeoff.analysis.timing import is_timed

#: The target that is not a floor: what half of the experiments reach.
MEDIAN = "median"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A loss on valid to get to.

    Attributes:
        name: The floor's name, or `median`.
        loss: Nats per token.
    """

    name: str
    loss: float


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """When a run got to a target: between two of its evaluations, or not at all within its budget.

    Attributes:
        row: The run.
        after: Seconds of training at the last evaluation above the target.
        by: Seconds at the first evaluation that is not; None for a miss, which is never given a time.
    """

    row: Row
    after: float
    by: float | None


def targets(study: StudyRows) -> tuple[Target, ...]:
    """The floors but the uniform one, and the median experiment; the easiest first."""
    floors = [Target(name=floor.name, loss=floor.valid.loss) for floor in study.baselines if floor != study.uniform]
    losses = [experiment.loss for experiment in study.experiments if experiment.finished]
    median = [Target(name=MEDIAN, loss=statistics.median_high(losses))] if losses else []
    return tuple(sorted([*floors, *median], key=lambda target: -target.loss))


def crossing(row: Row, target: Target) -> Crossing:
    """When a run got there; the first evaluation at or below the target counts, whatever came later."""
    after = 0.0
    for point in row.history:
        if point.valid.loss <= target.loss:
            return Crossing(row=row, after=after, by=point.train_seconds)
        after = point.train_seconds
    return Crossing(row=row, after=after, by=None)


def crossings(rows: Iterable[Row], target: Target) -> tuple[Crossing, ...]:
    """Those of finished runs with a clock that can be believed, the soonest first, misses last."""
    found = [crossing(row, target) for row in rows if row.finished and is_timed(row)]
    return tuple(sorted(found, key=lambda c: (c.by is None, c.by or 0.0)))
