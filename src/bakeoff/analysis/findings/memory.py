"""Steady-state memory of every experiment, and what it is made of."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bakeoff.analysis import words
from bakeoff.analysis.findings.contrasts import contrasts
from bakeoff.analysis.findings.finding import CONTRADICTED, NOT_MEASURED, SUPPORTED, Finding, evidence
from bakeoff.analysis.rows import Experiment, StudyRows

NAME = "memory"
QUESTION = "How much memory does each run need in steady training, and does what it has to hold explain it?"
#: What parts are called in sentences.
PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer_state": "optimizer state",
    "activations": "activations",
    "logits": "logits",
}
#: Correlation from which measured memory is said to follow the computed one: two thirds of its variance.
FOLLOWS = 0.8
#: With fewer experiments a correlation is no evidence: among six, chance comes to `FOLLOWS` in 3 % of cases.
FEWEST = 6


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an experiment needs, in bytes.

    Attributes:
        experiment: It.
        measured: Average above the process before the model existed; the mean over its finished runs.
        parts: What it has to hold by computation; empty where the folder does not say.
    """

    experiment: Experiment
    measured: float
    parts: dict[str, int]

    @property
    def computed(self) -> int:
        """The sum of its parts."""
        return sum(self.parts.values())


def memory(study: StudyRows) -> Finding:
    """The least and the most, what they are made of, and what the optimizer adds."""
    needs = [found for experiment in study.experiments if (found := _needs(experiment))]
    if not needs:
        return Finding(
            name=NAME, question=QUESTION, verdict=NOT_MEASURED, text="No run has measured its memory.", evidence=()
        )
    explained = [found for found in needs if found.parts]
    return Finding(
        name=NAME,
        question=QUESTION,
        verdict=_verdict(explained),
        text=f"{_range(needs)}{_made_of(explained)}{_explained(explained)}{_optimizers(study, explained)}",
        evidence=evidence(row for found in needs for row in found.experiment.finished),
        figures=("pareto-memory",),
    )


def _needs(experiment: Experiment) -> Needs | None:
    measured = [row.memory["average_bytes"] for row in experiment.finished if row.memory]
    if not measured:
        return None
    parts = experiment.rows[0].memory_parts or {}
    held = {name: parts[name] for name in PARTS if name in parts}
    return Needs(experiment=experiment, measured=statistics.mean(measured), parts=held)


def _verdict(explained: list[Needs]) -> str:
    correlation = _correlation(explained)
    if correlation is None:
        return NOT_MEASURED
    return SUPPORTED if correlation >= FOLLOWS else CONTRADICTED


def _correlation(explained: list[Needs]) -> float | None:
    """Pearson's, of measured and computed; None where there are too few experiments, or all are alike."""
    computed, measured = [n.computed for n in explained], [n.measured for n in explained]
    if len(explained) < FEWEST or len(set(computed)) == 1 or len(set(measured)) == 1:
        return None
    return statistics.correlation(computed, measured)


def _range(needs: list[Needs]) -> str:
    least, most = _least(needs, lambda n: n.measured), _most(needs, lambda n: n.measured)
    if words.megabytes(least.measured) == words.megabytes(most.measured):
        return f"Every run took {words.megabytes(most.measured)} on average over steady training."
    return (
        f"On average over steady training, and above the process before the model existed, the least was "
        f"{words.megabytes(least.measured)} (#{least.experiment.number}, {least.experiment.name}) and the most "
        f"{words.megabytes(most.measured)} (#{most.experiment.number}, {most.experiment.name})."
    )


def _least(needs: list[Needs], size: Callable[[Needs], float]) -> Needs:
    return min(needs, key=size)


def _most(needs: list[Needs], size: Callable[[Needs], float]) -> Needs:
    return max(needs, key=size)


def _made_of(explained: list[Needs]) -> str:
    """The parts of the experiment that has to hold most, largest first."""
    if not explained:
        return " What the memory is made of was not recorded."
    largest = _most(explained, lambda n: n.computed)
    parts = sorted(largest.parts.items(), key=lambda part: -part[1])
    listed = words.joined([f"{PARTS[name]} {words.megabytes(size)}" for name, size in parts])
    return (
        f" By computation #{largest.experiment.number} has to hold the most, {words.megabytes(largest.computed)}: "
        f"{listed}."
    )


def _explained(explained: list[Needs]) -> str:
    """How measured and computed compare over all experiments."""
    correlation = _correlation(explained)
    if correlation is None:
        return ""
    if correlation < FOLLOWS:
        return (
            " From experiment to experiment the measured totals do not follow the computed ones (correlation "
            f"{correlation:.2f}): something else decides them."
        )
    shares = [needs.measured / needs.computed for needs in explained]
    return (
        f" From experiment to experiment the measured totals follow the computed ones (correlation "
        f"{correlation:.2f}), of which they are {min(shares):.1f} to {max(shares):.1f} times."
    )


def _optimizers(study: StudyRows, explained: list[Needs]) -> str:
    """What an optimizer's state adds by computation, beside the measured difference, for pairs that differ in it."""
    by_number = {found.experiment.number: found for found in explained}
    for contrast in contrasts(study):
        pair = [by_number.get(found.experiment.number) for found in (contrast.first, contrast.second)]
        first, second = pair
        if contrast.kind == "adaptive" and first and second:
            state = first.parts.get("optimizer_state", 0) - second.parts.get("optimizer_state", 0)
            difference = first.measured - second.measured
            more = "more" if difference >= 0 else "less"
            return (
                f" The optimizer's state makes {words.megabytes(state)} of difference between "
                f"#{first.experiment.number} ({first.experiment.name}) and #{second.experiment.number} "
                f"({second.experiment.rows[0].optimizer_title}); measured, the first takes "
                f"{words.megabytes(abs(difference))} {more}."
            )
    return ""
