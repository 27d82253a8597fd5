"""Overfitting: who and since when, how capacity matters, and what would help."""

import dataclasses
import itertools
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from bakeoff.analysis.diagnosis import FLAT, LARGE_GAP, Case, overfits, still_falling
from bakeoff.analysis.questions.contrasts import DECAY, contrasts
from bakeoff.analysis.questions.depth import ladders
from bakeoff.analysis.questions.finding import Finding, command, evidence, link, run
from bakeoff.analysis.questions.pair import Pair
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import ANSWERED, NOT_MEASURED, Comparison

#: Among the questions of a report.
PLACE = 90


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an experiment went, over its finished runs; at least one has.

    Attributes:
        gap: The generalization gap in the end, the mean.
        since: The epochs since which it has been large for good, by run; of those that ended so.
        best: The epochs after which valid was lowest, by run.
        rise: How far above its lowest valid ended, the mean.
        risen: In how many runs it rose for good, while train went on falling.
        overfits: Whether in most runs it did, or the gap is large and what was still learned hardly carried over.
        falling: Whether in most runs valid still fell when the budget ended.
    """

    experiment: Repeats
    gap: float
    since: tuple[int, ...]
    best: tuple[int, ...]
    rise: float
    risen: int
    overfits: bool
    falling: bool


@dataclass(frozen=True, kw_only=True)
class Who:
    """Who overfits.

    Attributes:
        courses: Of every experiment that learned something about context, the largest gap first.
        lost: Runs of the others.
        decayed: Pairs with and without weight decay.
        reads: How often a run reads each token of train, on average.
        larger: The command that reads a text once that is as long as what was read.
    """

    courses: list[Course]
    lost: list[Row]
    decayed: list[tuple[Course, Course]]
    reads: float
    larger: str


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """Gaps of models that differ in depth alone.

    Attributes:
        smallest: The first of them.
        courses: The smallest first; of those that learned something about context.
        lost: Runs of the others.
        widens: How much wider the gap of the largest is than that of the smallest; None where there are no two.
        turn: Neighbours between which it changes the other way.
        less_fit: By how much the largest ends above the smallest on train.
        as_fit: The gap of the smallest when it fitted train as the largest does in the end.
        command: What may decide it.
    """

    smallest: Row
    courses: list[Course]
    lost: list[Row]
    widens: Comparison | None = None
    turn: tuple[Course, Course] | None = None
    less_fit: float = 0.0
    as_fit: float = 0.0
    command: str | None = None


def overfitting(study: StudyRows) -> list[Finding]:
    """Who overfits at all; then, for experiments that differ in depth alone, whether capacity decides it."""
    return [_who(study), *(_capacity(study, ladder) for ladder in ladders(study))]


def _who(study: StudyRows) -> Finding:
    finished = [e for e in study.experiments if e.finished]
    courses = {e: _course(study, e) for e in finished if not e.failure}
    decayed = [c.sides for c in contrasts(study) if c.kind == DECAY and c.compared]
    return Finding(
        name="overfitting",
        template="overfitting",
        verdict=ANSWERED if courses else NOT_MEASURED,
        facts=Who(
            courses=sorted(courses.values(), key=lambda course: -course.gap),
            lost=[e.failure for e in finished if e.failure],
            decayed=[(courses[first], courses[second]) for first, second in decayed],
            reads=study.reads,
            larger=run(study, "--corpus", "FILE", "--epochs", 1),
        ),
        evidence=evidence(row for e in finished for row in e.finished),
        figures=("gap-by-depth",),
    )


def _course(study: StudyRows, experiment: Repeats) -> Course:
    rows, floors = experiment.finished, {floor.name: floor for floor in study.baselines}
    cases = [Case(history=row.history, floors=floors) for row in rows]
    small = [[point.epoch for point in row.history if study.gap(point) <= LARGE_GAP] for row in rows]
    return Course(
        experiment=experiment,
        gap=study.final_gap(experiment),
        since=tuple(max(found) + 1 for found, case in zip(small, cases, strict=True) if case.gap > LARGE_GAP),
        best=tuple(case.best.epoch for case in cases),
        rise=fmean(case.rises[1] for case in cases),
        risen=sum(overfits(row.history) for row in rows),
        overfits=sum(case.memorizes or overfits(case.history) for case in cases) > len(rows) / 2,
        falling=sum(still_falling(row.history) for row in rows) > len(rows) / 2,
    )


def _capacity(study: StudyRows, ladder: list[Repeats]) -> Finding:
    row, learned = ladder[0].rows[0], [e for e in ladder if e.finished and not e.failure]
    courses, lost = [_course(study, e) for e in learned], [e.failure for e in ladder if e.failure]
    pairs = Pair(study=study, first=learned[-1], second=learned[0]).runs if len(learned) > 1 else ()
    facts = Capacity(smallest=row, courses=courses, lost=lost)
    if pairs:
        gaps = [(study.gap(small.history[-1]), study.gap(large.history[-1])) for large, small in pairs]
        widens = Comparison(
            first_loss=fmean(small for small, _ in gaps),
            second_loss=fmean(large for _, large in gaps),
            gains=tuple(large - small for small, large in gaps),
            deviation=study.noise.of(row.model),
        )
        turns = [(a, b) for a, b in itertools.pairwise(courses) if (a.gap - b.gap) * np.sign(widens.gain) > FLAT]
        facts = dataclasses.replace(
            facts,
            widens=widens,
            turn=turns[0] if turns else None,
            less_fit=learned[-1].train_loss - learned[0].train_loss,
            as_fit=fmean(_gap_at(study, small, large.history[-1].train.loss) for large, small in pairs),
            command=command(study, learned, widens),
        )
    return Finding(
        name=link("capacity", row.model, row.optimizer, row.number),
        template="capacity",
        verdict=facts.widens.verdict if facts.widens else NOT_MEASURED,
        facts=facts,
        evidence=evidence(row for e in ladder for row in e.finished),
        figures=("gap-by-depth",),
    )


def _gap_at(study: StudyRows, row: Row, train_loss: float) -> float:
    """The gap of a run when its loss on train was that, linear between evaluations."""
    points = sorted(row.history, key=lambda point: point.train.loss)
    return float(np.interp(train_loss, [p.train.loss for p in points], [study.gap(p) for p in points]))
