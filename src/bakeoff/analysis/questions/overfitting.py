"""Overfitting: who and since when, how capacity matters, and what would help."""

import dataclasses
import itertools
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from bakeoff.analysis.diagnosis import FLAT, LARGE_GAP, Case
from bakeoff.analysis.questions.contrasts import DECAY, contrasts
from bakeoff.analysis.questions.depth import ladders
from bakeoff.analysis.questions.finding import Finding, command, evidence, link, run
from bakeoff.analysis.questions.pair import Pair, only_kinds_differ
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import ANSWERED, NOT_MEASURED, Comparison

#: Among the questions of a report.
PLACE = 90

#: Who has read train so many times as often has repeated it much more.
REPEATED = 1.5


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an experiment went, over its finished runs; at least one has.

    Attributes:
        gap: The generalization gap in the end, the mean.
        since: The epochs or steps since which it has been large for good, by run; of those that ended so.
        best: The epochs or steps after which valid was lowest, by run.
        rises: How far above its lowest valid ended, by run.
        risen: In how many runs it rose for good, while train went on falling.
        late: When the last evaluation was before the run's last quarter.
        falls: By how much train and valid fell since then, the means.
        overfits: Whether in most runs it did, or the gap is large and what was still learned hardly carried over.
        falling: Whether in most runs valid still fell when the budget ended.
    """

    experiment: Repeats
    gap: float
    since: tuple[int, ...]
    best: tuple[int, ...]
    rises: tuple[float, ...]
    risen: int
    late: str
    falls: tuple[float, float]
    overfits: bool
    falling: bool

    @property
    def rise(self) -> float:
        """The mean of `rises`."""
        return fmean(self.rises)


@dataclass(frozen=True, kw_only=True)
class EqualFit:
    """Gaps of two experiments at one train loss: that with which the one that fits train less well, `late`, ends.

    Attributes:
        widens: How much wider the gap of `late` is than that of `early` was.
        passes: How often each had read train by then, by seed.
    """

    early: Repeats
    late: Repeats
    widens: Comparison
    passes: dict[Repeats, tuple[float, ...]]

    @property
    def wider(self) -> Repeats | None:
        """The one with the wider gap; None where they cannot be told apart."""
        return {1: self.late, -1: self.early}.get(self.widens.sign)

    @property
    def repeated(self) -> bool:
        """Whether `late` had read train much more often by then, which widens a gap as well."""
        return fmean(self.passes[self.late]) >= REPEATED * fmean(self.passes[self.early])


@dataclass(frozen=True, kw_only=True)
class Who:
    """Who overfits.

    Attributes:
        courses: Of every experiment that learned something about context, the largest gap first.
        lost: Runs of the others.
        decayed: Pairs with and without weight decay.
        kinds: Experiments that differ in the architecture alone.
        reads: How often a run reads each token of train, on average.
        larger: The command that reads a text once that is as long as what was read; None where none names the study.
        length: How many epochs or steps a run has.
        longer: The command that trains for twice as many epochs; None where the budget is in steps.
    """

    courses: list[Course]
    lost: list[Row]
    decayed: list[tuple[Course, Course]]
    kinds: list[EqualFit]
    reads: float
    larger: str | None
    length: int
    longer: str | None


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Gaps of models that differ in depth alone.

    Attributes:
        smallest: The first of them.
        courses: The smallest first; of those that learned something about context.
        lost: Runs of the others.
        widens: How much wider the gap of the largest is than that of the smallest; None where there are no two.
        turn: Neighbours between which it changes the other way, and `turn_fit` the same when both fitted train alike;
            None where the one with the wider gap does not fit it better.
        as_fit: The same when both fitted train alike; None where the largest does not fit it less well.
        command: What may decide it.
    """

    smallest: Row
    courses: list[Course]
    lost: list[Row]
    widens: Comparison | None = None
    turn: tuple[Course, Course] | None = None
    turn_fit: EqualFit | None = None
    as_fit: EqualFit | None = None
    command: str | None = None

    @property
    def widest(self) -> tuple[Course, Course]:
        """That of which the gap ends widest, and of the smallest and the largest the one with the narrower gap."""
        return max(self.courses, key=lambda c: c.gap), min(self.courses[0], self.courses[-1], key=lambda c: c.gap)

    @property
    def learned_most(self) -> bool:
        """Whether that with the widest gap is the one that fits train best."""
        return self.widest[0].experiment.train_loss == min(course.experiment.train_loss for course in self.courses)

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates, where they differ."""
        found = tuple(course.experiment.rows[0].learning_rate for course in self.courses)
        return found if len(set(found)) > 1 else ()


def overfitting(study: StudyRows) -> list[Finding]:
    """Who overfits at all; then, for experiments that differ in depth alone, whether capacity decides it."""
    return [_who(study), *(_capacity(study, ladder) for ladder in ladders(study))]


def _who(study: StudyRows) -> Finding:
    finished = [e for e in study.experiments if e.finished]
    courses = {e: _course(study, e) for e in finished if not e.failure}
    decayed = [c.sides for c in contrasts(study) if c.kind == DECAY and c.compared]
    pairs = itertools.combinations(courses, 2)
    return Finding(
        name="overfitting",
        template="overfitting",
        verdict=ANSWERED if courses else NOT_MEASURED,
        facts=Who(
            courses=sorted(courses.values(), key=lambda course: -course.gap),
            lost=[e.failure for e in finished if e.failure],
            decayed=[(courses[first], courses[second]) for first, second in decayed],
            kinds=[fit for a, b in pairs if only_kinds_differ(a, b) and (fit := _at_equal_fit(study, a, b))],
            reads=study.reads,
            larger=run(study, "--corpus", "FILE", *(("--epochs", 1) if study.unit == "epoch" else ())),
            length=study.length,
            longer=run(study, "--epochs", 2 * study.length) if study.unit == "epoch" else None,
        ),
        evidence=evidence(row for e in finished for row in e.finished),
        figures=("gap-by-depth",),
    )


def _course(study: StudyRows, experiment: Repeats) -> Course:
    rows = experiment.finished
    cases = [Case(history=row.history, floors=study.floors) for row in rows]
    small = [[point.epoch for point in row.history if study.gap(point) <= LARGE_GAP] for row in rows]
    return Course(
        experiment=experiment,
        gap=study.final_gap(experiment),
        since=tuple(
            case.history[max(found) + 1].place for found, case in zip(small, cases, strict=True) if case.gap > LARGE_GAP
        ),
        best=tuple(case.best.place for case in cases),
        rises=tuple(case.rises[1] for case in cases),
        risen=sum(case.overfits for case in cases),
        late=cases[0].late.when,
        falls=(fmean(case.falls[0] for case in cases), fmean(case.falls[1] for case in cases)),
        overfits=sum(case.memorizes or case.overfits for case in cases) > len(rows) / 2,
        falling=sum(case.valid_falls for case in cases) > len(rows) / 2,
    )


def _capacity(study: StudyRows, ladder: list[Repeats]) -> Finding:
    row, learned = ladder[0].rows[0], [e for e in ladder if e.finished and not e.failure]
    facts = Capacity(
        smallest=row,
        courses=[_course(study, e) for e in learned],
        lost=[e.failure for e in ladder if e.failure],
    )
    pairs = Pair(study=study, first=learned[0], second=learned[-1]).runs if len(learned) > 1 else ()
    if pairs:
        gaps = [(study.gap(a.history[-1]), study.gap(b.history[-1])) for a, b in pairs]
        widens = Comparison.of(gaps, study.noise.of(row.model))
        neighbours = itertools.pairwise(facts.courses)
        turn = next(((a, b) for a, b in neighbours if (a.gap - b.gap) * np.sign(widens.gain) > FLAT), None)
        narrow, wide = (c.experiment for c in sorted(turn or facts.courses[:2], key=lambda c: c.gap))
        fits_more = turn and narrow.train_loss - wide.train_loss > FLAT
        less_fit = learned[-1].train_loss - learned[0].train_loss > FLAT
        as_fit = _at_equal_fit(study, learned[0], learned[-1]) if less_fit else None
        decisive = as_fit.widens if as_fit and not as_fit.repeated else widens
        facts = dataclasses.replace(
            facts,
            widens=widens,
            turn=turn,
            turn_fit=_at_equal_fit(study, narrow, wide) if fits_more else None,
            as_fit=as_fit,
            command=command(study, learned, decisive),
        )
    return Finding(
        name=link("capacity", row.model, row.optimizer, row.number),
        template="capacity",
        verdict=decisive.verdict if pairs else NOT_MEASURED,
        facts=facts,
        evidence=evidence(row for e in ladder for row in e.finished),
        figures=("gap-by-depth",),
    )


def _at_equal_fit(study: StudyRows, one: Repeats, other: Repeats) -> EqualFit | None:
    """None where they share no finished seed."""
    early, late = sorted((one, other), key=lambda e: e.train_loss)
    runs = Pair(study=study, first=early, second=late).runs
    # With some seed the one that fits less in the mean may fit more: both are read where that seed's lesser fit ends.
    ends = [max(row.history[-1].train.loss for row in pair) for pair in runs]
    found = [(_at_fit(study, a, end), _at_fit(study, b, end)) for (a, b), end in zip(runs, ends, strict=True)]
    if not found:
        return None
    return EqualFit(
        early=early,
        late=late,
        widens=Comparison.of([(a[0], b[0]) for a, b in found], study.noise.of(early.rows[0].model, late.rows[0].model)),
        passes={early: tuple(a[1] for a, _ in found), late: tuple(b[1] for _, b in found)},
    )


def _at_fit(study: StudyRows, row: Row, train_loss: float) -> tuple[float, float]:
    """The gap of a run, and its passes over train, when its loss on train was that; linear between evaluations."""
    points = sorted(row.history, key=lambda point: point.train.loss)
    losses, end = [p.train.loss for p in points], row.history[-1].step
    gap, share = (
        np.interp(train_loss, losses, of) for of in ([study.gap(p) for p in points], [p.step / end for p in points])
    )
    return float(gap), study.reads * float(share)
