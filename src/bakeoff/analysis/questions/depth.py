"""Whether more layers help, per architecture and optimizer, and in which range of rates each depth learned at all."""

from dataclasses import dataclass

from bakeoff.analysis.diagnosis import FLAT, NEAR
from bakeoff.analysis.questions.finding import Finding, evidence, link
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import CANNOT_TELL, LEANING_NO, NO, NOT_MEASURED, Comparison

#: Why a deeper model may be worse: it knows train by heart; its norms stand behind the residual sums; it is a stack of
#: recurrent layers.
BY_HEART, POST_NORM, STACKED = "by heart", "post-norm", "stacked"


@dataclass(frozen=True, kw_only=True)
class Depth:
    """Experiments of one depth.

    Attributes:
        experiment: It.
        compared: How much less it pays than the shallowest that learned; None for that one, and where it did not learn.
        learned_at: The rates of the search with which a trial came clearly below the unigram, of `tried`.
        tried: All rates of the search; none where it was on another corpus or budget, whose unigram is another.
    """

    experiment: Repeats
    compared: Comparison | None
    learned_at: tuple[float, ...]
    tried: tuple[float, ...]

    @property
    def layers(self) -> int:
        """How many it has."""
        return self.experiment.rows[0].layers

    @property
    def worse(self) -> bool:
        """Whether it is worse than the shallowest, or did not learn at all."""
        return bool(self.experiment.unlearned) or bool(self.compared and self.compared.verdict in (NO, LEANING_NO))


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A ladder of depths.

    Attributes:
        depths: The shallowest first.
        base: The shallowest that learned; None where none did.
        best: The deeper one that is lowest on valid; None where there are no two that learned.
        failing: The deepest that is worse than the shallowest, or did not learn; None where all is well.
        cause: Why that may be; None where nothing is known that would explain it.
        searched: Whether every rate was searched for, with lower and higher ones tried.
        study: As the command line knows it.
        epochs: Of the study.
        warms_up: Whether its schedule begins with a warm-up.
    """

    depths: tuple[Depth, ...]
    base: Depth | None
    best: Depth | None
    failing: Depth | None
    cause: str | None
    searched: bool
    study: str
    epochs: int
    warms_up: bool


def ladders(study: StudyRows) -> list[list[Repeats]]:
    """Experiments that differ in the number of layers alone (and in what rate suits them), the shallowest first."""
    groups: dict[str, list[Repeats]] = {}
    for experiment in study.experiments:
        row = experiment.rows[0]
        kind = (row.model, row.optimizer, experiment.size, experiment.settings)
        groups.setdefault(repr(kind), []).append(experiment)
    return [
        sorted(group, key=lambda e: e.rows[0].layers)
        for group in groups.values()
        if len({e.rows[0].layers for e in group}) > 1
    ]


def depth(study: StudyRows) -> list[Finding]:
    """One finding for every such row of experiments."""
    return [_finding(study, ladder) for ladder in ladders(study)]


def facts(study: StudyRows, ladder: list[Repeats]) -> Facts:
    """Each depth against the shallowest that learned."""
    base = next((e for e in ladder if e.finished and not e.unlearned), None)
    depths = [_depth(study, experiment, base) for experiment in ladder]
    failing = next((d for d in reversed(depths) if d.worse), None)
    budget = study.study["budget"]
    return Facts(
        depths=tuple(depths),
        base=next((d for d in depths if d.experiment is base), None),
        best=min((d for d in depths if d.compared), key=lambda d: d.experiment.loss, default=None),
        failing=failing,
        cause=_cause(failing, base) if failing and base else None,
        searched=all(study.has_interior_rate(e) for e in ladder),
        study=study.study["source"] or study.study["study"],
        epochs=budget["epochs"],
        warms_up=budget["schedule"] != "constant",
    )


def _depth(study: StudyRows, experiment: Repeats, base: Repeats | None) -> Depth:
    trials = study.trials(experiment) if study.study["tuning"] and study.study["tuning"]["fits"] else []
    below = study.unigram.valid.loss - NEAR
    comparable = base and experiment is not base and not experiment.unlearned
    return Depth(
        experiment=experiment,
        compared=study.compare(experiment, base) if base and comparable else None,
        learned_at=tuple(t["lr"] for t in trials if t["valid_loss"] is not None and t["valid_loss"] < below),
        tried=tuple(t["lr"] for t in trials),
    )


def _cause(failing: Depth, base: Repeats) -> str | None:
    experiment = failing.experiment
    if not experiment.unlearned and experiment.train_loss <= base.train_loss + FLAT:
        return BY_HEART
    if experiment.traits.get("post_norm"):
        return POST_NORM
    return STACKED if experiment.traits.get("recurrent") else None


def _finding(study: StudyRows, ladder: list[Repeats]) -> Finding:
    found, row = facts(study, ladder), ladder[0].rows[0]
    over = [e for e in ladder if e.finished or e.spoiled]
    compared = found.best.compared if found.best else None
    return Finding(
        name=link("depth", row.model, row.optimizer, row.number),
        template="depth",
        verdict=compared.verdict if compared else CANNOT_TELL if len(over) > 1 else NOT_MEASURED,
        facts=found,
        evidence=evidence(row for e in ladder for row in e.rows),
        figures=(f"overlay-{row.model}-epochs", "gap-by-depth", "parameters"),
    )
