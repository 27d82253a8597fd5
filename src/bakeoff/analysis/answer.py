"""The first screen: what to take from what was tried, under which goal, and what must not be overlooked."""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bakeoff.analysis import diagnosis, timing
from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.noise import Carried, carried
from bakeoff.analysis.questions import Finding
from bakeoff.analysis.questions.counting import Facts as Counting
from bakeoff.analysis.questions.wall_clock import Facts as WallClock
from bakeoff.analysis.rows import Repeats, Row, StudyRows

#: More of a split than this stands in train by no chance: in the built-in corpora it is up to 0.2 %.
LEAKED = 0.02


@dataclass(frozen=True, kw_only=True)
class Least:
    """Who needs the least of something, of those that are below a floor.

    Attributes:
        least: That experiment; its `value` is the mean over its runs.
        ties: Those that need as much.
        most: Who needs the most of them, and how much.
        floor: The hardest floor that any experiment is below.
        below: How many are.
    """

    least: Repeats
    value: float
    ties: tuple[Repeats, ...]
    most: tuple[Repeats, float]
    floor: Baseline
    below: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the first screen says.

    Attributes:
        study: All rows.
        counting: The best, and how it stands to the lowest floor.
        clock: The races to targets, and who is lowest by which budget.
        ties: Experiments that cannot be told from the best.
        memory: Who needs the least on average in training, in bytes, and `parameters` the fewest that are trained.
        wrong: Runs that went wrong, by what happened to them.
        falling: Finished runs whose valid loss still fell when their budget ended.
        memorizing: Those of them with a large gap, of which train fell at least twice as fast.
        finished: How many runs finished.
        statuses: How many runs are in each other state.
        unsearched: Experiments whose learning rate does not come from inside of what a search tried.
        elsewhere: Whether the rates were searched on another corpus or budget.
        carried: What became of this study's ranking on a larger corpus, where that was measured.
        leaked: Splits of which more than `LEAKED` stands in train as well, and how much.
    """

    study: StudyRows
    counting: Counting
    clock: WallClock
    ties: tuple[Repeats, ...]
    memory: Least | None
    parameters: Least | None
    wrong: Mapping[str, Sequence[Row]]
    falling: tuple[Row, ...]
    memorizing: tuple[Row, ...]
    finished: int
    statuses: Mapping[str, int]
    unsearched: tuple[Repeats, ...]
    elsewhere: bool
    carried: Carried | None
    leaked: Mapping[str, float]

    @property
    def best(self) -> Repeats | None:
        """The lowest on valid; None where no run finished."""
        return self.counting.best

    @property
    def seconds(self) -> float:
        """What the best took to train, the mean over its runs."""
        return statistics.fmean(row.train_seconds or 0.0 for row in self.best.finished) if self.best else 0.0

    @property
    def exact(self) -> bool:
        """Whether that is more than an upper bound."""
        return self.best is not None and timing.is_exact(self.best)


def first_screen(study: StudyRows, findings: Sequence[Finding]) -> Facts:
    """What the first screen says, of findings that were computed before."""
    facts = {finding.name: finding.facts for finding in findings}
    finished = [row for row in study.rows if row.finished]
    wrong: dict[str, list[Row]] = {}
    for row in study.rows:
        if row.lost or diagnosis.severity(row.diagnosis_rule) in ("bad", "warn"):
            wrong.setdefault(row.kind, []).append(row)
    cases = [(row, diagnosis.Case(history=row.history, floors=study.floors)) for row in finished]
    falling = [(row, case) for row, case in cases if case.valid_falls]
    searched = study.study["tuning"] or {}
    return Facts(
        study=study,
        counting=facts["counting"],
        clock=facts["wall-clock"],
        ties=study.ties(study.ranked[0], study.ranked) if study.ranked else (),
        memory=_least(study, lambda e: e.memory),
        parameters=_least(study, lambda e: float(e.rows[0].learnable_parameters)),
        wrong=wrong,
        falling=tuple(row for row, _ in falling),
        memorizing=tuple(row for row, case in falling if case.memorizes),
        finished=len(finished),
        statuses=Counter(row.status for row in study.rows if not row.finished),
        unsearched=tuple(e for e in study.experiments if not study.has_interior_rate(e)),
        elsewhere=bool(searched and not searched["fits"]),
        carried=carried(study.study["study"]),
        leaked={split: share for split, share in study.shared.items() if share > LEAKED},
    )


def _least(study: StudyRows, cost: Callable[[Repeats], float | None]) -> Least | None:
    """Who needs the least of those below the hardest floor that any is below; None where none is below a floor."""
    means = {e: found for e in study.ranked if (found := cost(e)) is not None}
    beaten = [floor for floor in study.baselines if any(e.loss < floor.valid.loss for e in means)]
    if not beaten:
        return None
    floor = min(beaten, key=lambda floor: floor.valid.nats)
    below = [e for e in means if e.loss < floor.valid.loss]
    least, most = (pick(below, key=lambda e: means[e]) for pick in (min, max))
    return Least(
        least=least,
        value=means[least],
        ties=tuple(e for e in below if e is not least and (means[e] == means[least] or _twins(e, least))),
        most=(most, means[most]),
        floor=floor,
        below=len(below),
    )


def _twins(one: Repeats, other: Repeats) -> bool:
    """Whether two have to hold exactly the same: what was measured of them differs by the instrument alone."""
    parts = one.rows[0].memory_parts
    return parts is not None and parts == other.rows[0].memory_parts
