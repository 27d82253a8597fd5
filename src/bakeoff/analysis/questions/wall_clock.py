"""Which run to take when wall-clock time matters most: time to targets that were fixed in advance, and by budget."""

import itertools
import statistics
from dataclasses import dataclass

from bakeoff.analysis import timing
from bakeoff.analysis.evaluations import FLOOR_TITLES
from bakeoff.analysis.questions.finding import Finding, command, evidence, run
from bakeoff.analysis.questions.memory import memory
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import ANSWERED, FEWEST_SEEDS, NOT_MEASURED, Comparison
from bakeoff.analysis.timing import EQUAL, MEDIAN, Budgets, Crossing, Leader, Twice, Untimed, Within

#: Among the questions of a report.
PLACE = 20

TITLES = FLOOR_TITLES | {MEDIAN: "the loss of the median experiment"}


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An experiment of which every finished run reached a target: when, by seed."""

    experiment: Repeats
    crossings: dict[int, Crossing]

    @property
    def times(self) -> list[float]:
        """Seconds by which each run was there, the soonest first; `by` is their median."""
        return sorted(found.by for found in self.crossings.values() if found.by is not None)

    @property
    def by(self) -> float:
        """The median over seeds."""
        return statistics.median(self.times)

    @property
    def after(self) -> float:
        """Seconds before which no run can have been there."""
        return min(found.after for found in self.crossings.values())

    @property
    def exact(self) -> bool:
        """Whether its times are more than upper bounds."""
        return timing.is_exact(self.experiment)

    @property
    def soonest(self) -> tuple[float, int]:
        """When the first of its runs was there, and the seed: of upper bounds the lowest says most."""
        return min((found.by, seed) for seed, found in self.crossings.items() if found.by is not None)

    @property
    def at_end(self) -> bool:
        """Whether all it says is that its runs ended below the target."""
        return self.times == sorted(row.history[-1].train_seconds for row in self.experiment.finished)


@dataclass(frozen=True, kw_only=True)
class Race:
    """Who reached a target.

    Attributes:
        name: The floor's, or `median`; `title` is what sentences call it.
        loss: Nats per token.
        arrivals: The soonest first; at least one.
        tied: Those that may have been there as soon as the first.
        lag: How far behind the first of those was, at least.
    """

    name: str
    title: str
    loss: float
    arrivals: tuple[Arrival, ...]
    tied: tuple[Repeats, ...]
    lag: Comparison | None

    @property
    def open(self) -> tuple[Repeats, ...]:
        """The first and those that are tied with it; empty where it is first for sure."""
        return (self.arrivals[0].experiment, *self.tied) if self.tied else ()

    @property
    def near(self) -> tuple[float, float, Repeats] | None:
        """Of those, with one seed: which was seen nearest to the target before the first was there, how near and when.

        None where that is further off than another seed typically is.
        """
        one = self.tied if len(self.arrivals[0].times) == 1 else ()
        ways = [(e, [m for m in e.finished[0].way_down if m.by < self.arrivals[0].by]) for e in one]
        found = [(way[-1].loss - self.loss, way[-1].by, e) for e, way in ways if way]
        nearest = min(found, key=lambda seen: seen[0], default=None)
        return nearest if nearest and self.lag and nearest[0] <= self.lag.deviation else None

    @property
    def sampled(self) -> bool:
        """Whether all of those were measured between evaluations as well; old runs were not."""
        return all(any(point.samples for point in row.history) for e in self.open for row in e.finished)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The races and the table by budget.

    Attributes:
        races: To the targets that were reached, the hardest first.
        entered: How many experiments took part.
        lost: Those that did not, as one of their runs was lost.
        elsewhere: Those that did not, as their runs were on other kinds of machines.
        untimed: Runs whose times are only upper bounds.
        twice: What differs between runs that do the same work.
        leaders: Where there are such runs, who is lowest after each evaluation.
        budgets: Who is lowest within which budget.
        uncertain: How far apart runs were measured that have to hold exactly the same, in bytes.
        may_fit: By a budget of bytes those outside of it by no more than that which are lower or tie with its lowest.
        command: What may decide the race to the hardest target, where it is open.
    """

    races: tuple[Race, ...]
    entered: int
    lost: tuple[Repeats, ...]
    elsewhere: tuple[Repeats, ...]
    untimed: Untimed
    twice: Twice | None
    leaders: tuple[Leader, ...]
    budgets: Budgets
    uncertain: float
    may_fit: dict[float, tuple[Repeats, ...]]
    command: str | None

    @property
    def turns(self) -> dict[str, list[Within]]:
        """The budgets that change the answer, of seconds and of bytes."""
        return {unit: timing.turns(budgets) for unit, budgets in self.budgets._asdict().items()}

    @property
    def spells(self) -> list[tuple[Repeats, int, int]]:
        """From which to which epoch or step each leader is lowest, in order."""
        found = [list(spell) for _, spell in itertools.groupby(self.leaders, key=lambda leader: leader.best)]
        return [(spell[0].best, spell[0].place, spell[-1].place) for spell in found]

    @property
    def fastest(self) -> dict[Repeats, tuple[float, bool]]:
        """Seconds of training of the fastest run of each leader, and whether they are exact."""
        leaders = dict.fromkeys(leader.best for leader in self.leaders)
        rows = {e: min(e.finished, key=lambda row: row.history[-1].train_seconds) for e in leaders}
        return {e: (row.history[-1].train_seconds, timing.is_timed(row)) for e, row in rows.items()}

    @property
    def as_fast(self) -> bool:
        """Whether those are about the same."""
        seconds = [found for found, _ in self.fastest.values()]
        return min(seconds) >= (1 - EQUAL) * max(seconds)


def races(study: StudyRows) -> tuple[Race, ...]:
    """Who reached each target, the hardest first; targets that nobody reached are left out."""
    entered = timing.clocked(study)
    found = []
    for name, loss in timing.targets(study).items():
        ways = [
            Arrival(experiment=e, crossings={row.seed: timing.crossing(row, loss) for row in e.finished})
            for e in entered
        ]
        arrivals = sorted((w for w in ways if len(w.times) == len(w.crossings)), key=lambda arrival: arrival.by)
        if arrivals:
            first, *others = arrivals
            marks = {seed: (each.by, loss) for seed, each in first.crossings.items() if each.by is not None}
            tied = timing.tied(study, first.experiment, [other.experiment for other in others], marks)
            lag = timing.lag(study, first.experiment, tied[0], marks) if tied else None
            found.append(Race(name=name, title=TITLES[name], loss=loss, arrivals=tuple(arrivals), tied=tied, lag=lag))
    return tuple(reversed(found))


def wall_clock(study: StudyRows) -> Finding:
    """Who is first at each target, and who is lowest by when."""
    found, untimed = races(study), timing.untimed(study.rows)
    hardest = found[0] if found else None
    reached = [arrival.experiment for arrival in hardest.arrivals] if hardest else []
    budgets, uncertain = timing.by_budget(study), memory(study).facts.spread
    entered, lost = timing.clocked(study), tuple(experiment for experiment in study.ranked if experiment.spoiled)
    elsewhere = tuple(experiment for experiment in study.ranked if experiment not in (*entered, *lost))
    facts = Facts(
        races=found,
        entered=len(entered),
        lost=lost,
        elsewhere=elsewhere,
        untimed=untimed,
        twice=timing.twice(entered),
        leaders=timing.by_epoch(study) if (untimed.shared or untimed.disturbed) and not elsewhere else (),
        budgets=budgets,
        uncertain=uncertain,
        may_fit={budget.limit: _may_fit(study, budget, uncertain) for budget in budgets.bytes},
        command=_command(study, hardest) if hardest and hardest.open else None,
    )
    return Finding(
        name="wall-clock",
        template="wall_clock",
        verdict=ANSWERED if hardest else NOT_MEASURED,
        facts=facts,
        evidence=evidence(
            (row for experiment in reached for row in experiment.finished),
            [hardest.name] if hardest and hardest.name != MEDIAN else [],
        ),
        figures=("pareto-time", *(f"overlay-{model}-time" for model in study.models)),
    )


def _may_fit(study: StudyRows, budget: Within, uncertain: float) -> tuple[Repeats, ...]:
    around = [e for e in study.ranked if not e.spoiled and e.memory and 0 < e.memory - budget.limit <= uncertain]
    ties = study.ties(budget.best, around)
    return tuple(e for e in around if e.loss < budget.loss or e in ties)


def _command(study: StudyRows, race: Race) -> str | None:
    """More seeds where all is known of those there are; else the same again, alone and sampled between evaluations."""
    if race.sampled and all(map(timing.is_exact, race.open)):
        return command(study, race.open, race.lag)
    numbers = ",".join(map(str, sorted(e.number for e in race.open)))
    seeds = ("--seeds", FEWEST_SEEDS) if study.seeds < FEWEST_SEEDS else ()
    return run(study, "--again", numbers, *seeds, "--jobs", 1)
