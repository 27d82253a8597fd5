"""What the clock says: whose times are exact, when a run reached a loss, and who is lowest within a budget.

A run that something disturbed was only slowed down: its times are upper bounds, and with them it may win.
"""

import bisect
import itertools
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from bakeoff.analysis.noise import typical_deviation
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import LEANING, LEANING_YES, YES, Comparison, verdict

#: Every epoch of a run is the same work, but for a shorter last one; what took half again as long as the median was
#: disturbed.
UNEVEN = 1.5
#: With fewer epochs there is no median to speak of.
FEWEST_EPOCHS = 3
#: The target that is not a floor: what half of the experiments reach.
MEDIAN = "median"
#: Training times and sizes that differ by no more than this share are called equal.
EQUAL = 0.1
#: Round budgets: of seconds, minutes and hours; of bytes.
TIMES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, *(60 * n for n in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3000)))
SIZES = tuple(n * 10**power for power in range(3, 15) for n in (1, 2, 5))


def unevenness(row: Row) -> float:
    """How much longer the slowest epoch took than the median one; 1 where there is nothing to compare."""
    parts = list(itertools.pairwise(row.history))
    steps = [after.step - before.step for before, after in parts]
    whole = [part for part, each in zip(parts, steps, strict=True) if each == steps[0]]
    epochs = [after.train_seconds - before.train_seconds for before, after in whole]
    return max(epochs) / statistics.median(epochs) if len(epochs) >= FEWEST_EPOCHS else 1.0


def is_timed(row: Row) -> bool:
    """Whether its times are exact, and not upper bounds only."""
    return row.alone is True and unevenness(row) <= UNEVEN


def is_exact(experiment: Repeats) -> bool:
    """Whether the times of all its runs that finished are."""
    return all(map(is_timed, experiment.finished))


def machine(row: Row) -> tuple[str | None, str | None]:
    """The kind of machine that a run was on: its processor and its device, by their models."""
    return row.environment.get("processor"), row.environment.get("device_name")


def clocked(study: StudyRows) -> list[Repeats]:
    """Experiments that lost no run, and that the clock can compare: all on the kind of machine that most were on."""
    entered = [experiment for experiment in study.ranked if not experiment.spoiled]
    kinds = {experiment: {machine(row) for row in experiment.finished} for experiment in entered}
    counted = Counter(kind for found in kinds.values() if len(found) == 1 for kind in found)
    most = {kind for kind, _ in counted.most_common(1)}
    return [experiment for experiment in entered if kinds[experiment] == most]


class Untimed(NamedTuple):
    """The finished runs whose times are upper bounds: they shared the machine, or were disturbed all the same."""

    shared: tuple[Row, ...]
    disturbed: tuple[Row, ...]
    slowest: float  # the largest unevenness of the disturbed ones
    runs: int  # all that finished

    @property
    def computed(self) -> tuple[Row, ...]:
        """Those that say how many processor seconds they took, which is the steadier measure; the fewest first."""
        known = [row for row in (*self.shared, *self.disturbed) if row.processor_seconds is not None]
        return tuple(sorted(known, key=lambda row: row.processor_seconds or 0.0))


def untimed(rows: Iterable[Row]) -> Untimed:
    """Which of the finished runs have no exact time, and why."""
    finished = [row for row in rows if row.finished]
    shared = tuple(row for row in finished if row.alone is not True)
    disturbed = tuple(row for row in finished if row.alone is True and not is_timed(row))
    return Untimed(shared, disturbed, max(map(unevenness, disturbed), default=1.0), len(finished))


class Twice(NamedTuple):
    """What differs between runs that do the same work: the seeds of an experiment.

    Attributes:
        times: How many times as long the slowest trained as the fastest; the median over experiments.
        worst: The same of the experiment where it is most, and that one.
        nats: The standard deviation of a typical experiment's losses on valid.
    """

    times: float
    worst: tuple[float, Repeats]
    nats: float


def twice(experiments: Iterable[Repeats]) -> Twice | None:
    """How much seconds and losses differ by themselves; None where no work was done twice on the same kind of machine.

    It is what two identical arms would show, and says what a difference of two others has to exceed.
    """
    repeated = [e for e in experiments if len(e.finished) > 1]
    seconds = {e: [row.history[-1].train_seconds for row in e.finished] for e in repeated}
    ratios = [(max(took) / min(took), e) for e, took in seconds.items() if min(took) > 0]
    if not ratios:
        return None
    return Twice(
        times=statistics.median(ratio for ratio, _ in ratios),
        worst=max(ratios, key=lambda found: found[0]),
        nats=typical_deviation(list(e.losses.values()) for e in repeated),
    )


def best_so_far(row: Row) -> list[tuple[float, float]]:
    """Seconds of training, and the lowest loss on valid by then."""
    return [(moment.by, moment.loss) for moment in row.way_down]


def loss_by(row: Row, seconds: float) -> float:
    """The lowest loss on valid that a finished run was seen at by then."""
    return min(loss for by, loss in best_so_far(row) if by <= seconds)


class Crossing(NamedTuple):
    """When a run got to a loss: not before `after`, and `by` then; None for a miss, which is never given a time."""

    after: float
    by: float | None


def crossing(row: Row, loss: float) -> Crossing:
    """When a finished run got to a loss; the first time counts, whatever came later.

    Where its times are exact it was not there yet when it was last measured before; else it would have been sooner.
    """
    after, exact = 0.0, is_timed(row)
    for moment in row.way_down:
        if moment.loss <= loss:
            return Crossing(after, moment.by)
        after = moment.by if exact else moment.earliest
    return Crossing(after, None)


def targets(study: StudyRows) -> dict[str, float]:
    """Losses to get to, fixed in advance: the floors but the uniform one, and the median experiment; easiest first."""
    found = {floor.name: floor.valid.loss for floor in study.baselines if floor != study.uniform}
    losses = [experiment.loss for experiment in study.ranked]
    found |= {MEDIAN: statistics.median_high(losses)} if len(losses) > 2 else {}  # noqa: PLR2004 (of two it is one)
    return dict(sorted(found.items(), key=lambda target: -target[1]))


def lag(study: StudyRows, best: Repeats, other: Repeats, marks: Mapping[int, tuple[float, float]]) -> Comparison | None:
    """How much higher the other still was when the best was at some losses, at least; None where they share no seed.

    Args:
        study: All rows.
        best: Who was there first.
        other: Judged by the lowest loss that each of its runs may have had by then, undisturbed.
        marks: When the best was there, in seconds of training, and the loss, by seed.
    """
    losses = _by_then(other, marks)
    return Comparison.of(losses, study.noise.of(best.rows[0].model, other.rows[0].model)) if losses else None


def _by_then(other: Repeats, marks: Mapping[int, tuple[float, float]]) -> list[tuple[float, float]]:
    """The losses of the marks, and the lowest that a run of the other may have had by then, for each seed of both."""
    ways = [(row.way_down, *marks[row.seed]) for row in other.finished if row.seed in marks]
    return [(loss, next((m.loss for m in way if m.earliest >= by), way[-1].loss)) for way, by, loss in ways]


def tied(
    study: StudyRows, best: Repeats, others: Iterable[Repeats], marks: Mapping[int, tuple[float, float]]
) -> tuple[Repeats, ...]:
    """Those of the others that may have been there as well: by what is between measurements, or with another seed.

    None is tied of which every run was clearly behind every run of the best, however much the seeds of either differ.
    """
    found = [(other, lag(study, best, other, marks)) for other in others if other is not best]
    return tuple(other for other, behind in found if not (behind and _is_behind(behind, _by_then(other, marks))))


def _is_behind(lag: Comparison, losses: list[tuple[float, float]]) -> bool:
    first, second = zip(*losses, strict=True)
    return lag.verdict in (YES, LEANING_YES) or min(second) - max(first) >= LEANING * lag.deviation


class Leader(NamedTuple):
    """Who is lowest on valid after so many epochs or steps, the mean over seeds of the lowest so far, and its ties."""

    place: int
    best: Repeats
    ties: tuple[Repeats, ...]


def by_epoch(study: StudyRows) -> tuple[Leader, ...]:
    """Who is lowest after each evaluation that all finished runs have had, which no clock can change."""
    entered = [experiment for experiment in study.ranked if not experiment.spoiled]
    ways = {e: {row.seed: [point.valid.loss for point in row.history] for row in e.finished} for e in entered}
    leaders = []
    for epoch in range(1, min(len(way) for found in ways.values() for way in found.values()) if ways else 0):
        lowest = {e: {seed: min(way[: epoch + 1]) for seed, way in found.items()} for e, found in ways.items()}
        best = min(entered, key=lambda e: statistics.fmean(lowest[e].values()))
        ties = []
        for other in entered:
            gains = [lowest[other][seed] - loss for seed, loss in lowest[best].items() if seed in lowest[other]]
            noise = study.noise.of(best.rows[0].model, other.rows[0].model)
            if other is not best and not (gains and verdict(gains, noise) in (YES, LEANING_YES)):
                ties.append(other)
        leaders.append(Leader(best.finished[0].history[epoch].place, best, tuple(ties)))
    return tuple(leaders)


class Within(NamedTuple):
    """Who is lowest on valid within a budget.

    Attributes:
        limit: Seconds of training, or bytes of steady memory.
        best: The lowest that was seen within it, by the mean over seeds, and `loss` its nats per token.
        ties: Those that cannot be told from it.
        cut_short: Whether its runs go on beyond the limit: its learning rate had not decayed by then.
        told: Whether it ties with no more than half of the others.
    """

    limit: float
    best: Repeats
    loss: float
    ties: tuple[Repeats, ...]
    cut_short: bool
    told: bool = True

    @property
    def bound(self) -> bool:
        """Whether it may have been lower by then, as its times are upper bounds."""
        return self.cut_short and not is_exact(self.best)


class Budgets(NamedTuple):
    """The table by budget, the smallest first: by round times and those that change the answer; by round memory."""

    seconds: tuple[Within, ...]
    bytes: tuple[Within, ...]


def turns(budgets: Iterable[Within]) -> list[Within]:
    """The budgets that change the answer: the first, and where what was taken so far can be told from the best.

    Where the best ties with most others there is no answer.
    """
    found: list[Within] = []
    for budget in budgets:
        if budget.told and (not found or found[-1].best not in (budget.best, *budget.ties)):
            found.append(budget)
    return found


def by_budget(study: StudyRows) -> Budgets:
    """Who is lowest within budgets of training time and of memory; an experiment that lost a run is nowhere.

    Within those of time one is nowhere that was on another kind of machine than most.
    """
    entered = [experiment for experiment in study.ranked if not experiment.spoiled]
    return Budgets(_by_seconds(study, clocked(study)), _by_bytes(study, entered))


def _by_seconds(study: StudyRows, entered: list[Repeats]) -> tuple[Within, ...]:
    """Round times at which the best is below the unigram, until all runs are over; between, when the answer changes."""
    rows = [row for experiment in entered for row in experiment.finished]
    below = [found for row in rows if (found := crossing(row, study.unigram.valid.loss).by)]
    round_times = _round(below, [row.history[-1].train_seconds for row in rows], TIMES)
    budgets = []
    moments = {moment.by for row in rows for moment in row.way_down if round_times and moment.by > round_times[0]}
    for limit in sorted({*round_times, *moments}):
        seen = {e: {row.seed: loss_by(row, limit) for row in e.finished} for e in entered}
        means = {e: statistics.fmean(losses.values()) for e, losses in seen.items()}
        best = min(entered, key=means.__getitem__)
        if means[best] < study.unigram.valid.loss:
            ties = tied(study, best, entered, {seed: (limit, loss) for seed, loss in seen[best].items()})
            cut_short = any(row.history[-1].train_seconds > limit for row in best.finished)
            told = 2 * len(ties) <= len(entered) - 1
            budgets.append(Within(limit, best, means[best], ties, cut_short, told))
    changes = turns(budgets)
    return tuple(budget for budget in budgets if budget.limit in round_times or budget in changes)


def _by_bytes(study: StudyRows, entered: list[Repeats]) -> tuple[Within, ...]:
    sizes = {e: e.memory for e in entered if e.memory is not None}
    budgets = []
    for limit in _round(sizes.values(), sizes.values(), SIZES):
        within = [e for e, size in sizes.items() if size <= limit]
        best = min(within, key=lambda e: e.loss)
        budgets.append(Within(limit, best, best.loss, study.ties(best, within), cut_short=False))
    return tuple(budgets)


def _round(low: Collection[float], high: Collection[float], ladder: Sequence[float]) -> Sequence[float]:
    """From the first step that the lowest is within to the first that all are; none where there is nothing."""
    return ladder[bisect.bisect_left(ladder, min(low)) : bisect.bisect_left(ladder, max(high)) + 1] if low else ()
