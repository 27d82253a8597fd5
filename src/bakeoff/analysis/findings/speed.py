"""Which run to take when wall-clock time matters most: time to targets that were fixed in advance."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bakeoff.analysis import words
from bakeoff.analysis.declared import describe
from bakeoff.analysis.findings.finding import (
    FLOOR_TITLES,
    NOT_DISTINGUISHABLE,
    NOT_MEASURED,
    SUPPORTED,
    Finding,
    evidence,
)
from bakeoff.analysis.rows import StudyRows
from bakeoff.analysis.statistics import FEWEST_SEEDS
from bakeoff.analysis.targets import MEDIAN, Crossing, Target, crossings, targets
from bakeoff.analysis.timing import untimed

NAME = "wall-clock"
QUESTION = "Which run, and so which optimizer and settings, when wall-clock time matters most?"
TITLES = FLOOR_TITLES | {MEDIAN: "the median experiment"}


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """An experiment on its way to a target.

    Attributes:
        number: The experiment's.
        crossings: Of its timed runs, by seed.
    """

    number: int
    crossings: tuple[Crossing, ...]

    @property
    def by(self) -> float | None:
        """The median over seeds of when it is first seen there; None unless all of them got there."""
        times = [crossing.by for crossing in self.crossings if crossing.by is not None]
        return statistics.median(times) if len(times) == len(self.crossings) else None

    @property
    def window(self) -> str:
        """Between which two evaluations, over all seeds."""
        times = [crossing.by for crossing in self.crossings if crossing.by is not None]
        first = min(crossing.after for crossing in self.crossings)
        return f"between {words.duration(first)} and {words.duration(max(times))} of training"

    @property
    def seeds(self) -> frozenset[int]:
        """Those that got there with a time that counts."""
        return frozenset(crossing.row.seed for crossing in self.crossings if crossing.by is not None)

    def surely_before(self, other: "Arrival") -> bool:
        """Whether in every seed that both have it was there before the other can have been."""
        theirs = {crossing.row.seed: crossing for crossing in other.crossings}
        pairs = [(ours, theirs[ours.row.seed]) for ours in self.crossings if ours.row.seed in theirs]
        return bool(pairs) and all(ours.by is not None and ours.by <= other.after for ours, other in pairs)


def first_arrival(study: StudyRows) -> tuple[str, Arrival, str] | None:
    """Who is first at the hardest target that was reached: what that is called, who, and what is doubtful about it."""
    reached = [(target, found) for target in targets(study) if (found := _arrivals(study, target))]
    if not reached:
        return None
    target, arrivals = reached[-1]
    return TITLES[target.name], arrivals[0], _how_sure(arrivals)


def wall_clock(study: StudyRows) -> Finding:
    """Which run is first below each target, of those that were timed without disturbance."""
    reached = [(target, found) for target in targets(study) if (found := _arrivals(study, target))]
    excluded = [reason for reason in (untimed(study.rows), _lost(study)) if reason]
    left_out = f" Not counted: {'; '.join(excluded)}." if excluded else ""
    if not reached:
        text = f"No run with a time that counts reached any target.{left_out}"
        return Finding(
            name=NAME, question=QUESTION, verdict=NOT_MEASURED, text=text, evidence=(), figures=("pareto-time",)
        )
    target, hardest = reached[-1]
    return Finding(
        name=NAME,
        question=QUESTION,
        verdict=_verdict(hardest),
        text=f"{_first(study, target, hardest)}{_others(reached[:-1])}{_how_sure(hardest)}{left_out}",
        evidence=evidence([c.row for found in hardest for c in found.crossings], _floor_names([target])),
        figures=("pareto-time", *(f"overlay-{model}-time" for model in dict.fromkeys(row.model for row in study.rows))),
    )


def _arrivals(study: StudyRows, target: Target) -> list[Arrival]:
    """Experiments of which every timed run gets there and none was lost, the soonest first."""
    groups: dict[int, list[Crossing]] = {}
    kept = [row for experiment in study.experiments if not experiment.spoiled for row in experiment.rows]
    for crossing in crossings(kept, target):
        groups.setdefault(crossing.row.number, []).append(crossing)
    arrivals = [Arrival(number=number, crossings=tuple(found)) for number, found in groups.items()]
    return sorted((a for a in arrivals if a.by is not None), key=lambda arrival: arrival.by or 0.0)


def _floor_names(found: Sequence[Target]) -> list[str]:
    return [target.name for target in found if target.name != MEDIAN]


def _lost(study: StudyRows) -> str:
    """Experiments that are left out although some of their runs finished."""
    lost = words.numbers(e.number for e in study.experiments if e.spoiled and e.finished)
    return f"{lost} (lost a run)" if lost else ""


def _verdict(arrivals: list[Arrival]) -> str:
    if _rivals(arrivals):
        return NOT_DISTINGUISHABLE
    return SUPPORTED if _seeds(arrivals) >= FEWEST_SEEDS else NOT_MEASURED


def _seeds(arrivals: list[Arrival]) -> int:
    """The fewest seeds by which the first is compared with another."""
    first, *others = (arrival.seeds for arrival in arrivals)
    return min((len(first & other) for other in others), default=len(first))


def _rivals(arrivals: list[Arrival]) -> list[Arrival]:
    """Those of the others that may have been there as soon as the first."""
    return [other for other in arrivals[1:] if not arrivals[0].surely_before(other)]


def _first(study: StudyRows, target: Target, arrivals: list[Arrival]) -> str:
    first, missing = arrivals[0], "no other timed run gets there"
    goal = f"{TITLES[target.name]} (perplexity {words.perplexity(target.loss)})"
    others = [f"#{other.number} by {words.duration(other.by or 0.0)}" for other in arrivals[1:4]]
    following = f"then come {words.joined(others)}" if others else missing
    return (
        f"{describe(study, first.number)} is the first at the hardest target that was reached, {goal}: {first.window}; "
        f"{following}."
    )


def _others(reached: list[tuple[Target, list[Arrival]]]) -> str:
    """Who is first at each of the easier targets, as a sentence."""
    parts = [
        f"at {TITLES[target.name]} ({words.perplexity(target.loss)}) #{found[0].number}, by "
        f"{words.duration(found[0].by or 0.0)}"
        for target, found in reversed(reached)
    ]
    return f" Of the easier targets, the first are: {'; '.join(parts)}." if parts else ""


def _how_sure(arrivals: list[Arrival]) -> str:
    rivals = _rivals(arrivals)
    overlap = f" Evaluations are an epoch apart, too far to tell #{arrivals[0].number} from "
    doubt = f"{overlap}{words.joined([f'#{rival.number}' for rival in rivals])}." if rivals else ""
    seeds = _seeds(arrivals)
    few = f" {words.sentence(words.counted(seeds, 'seed'))}: an observation, no ranking."
    return doubt + (few if seeds < FEWEST_SEEDS else "")
