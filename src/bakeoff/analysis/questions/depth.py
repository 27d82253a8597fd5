"""Whether more layers help, per architecture and optimizer, and in which range of rates each depth learned at all."""

from dataclasses import dataclass

from bakeoff.analysis.diagnosis import FLAT, NEAR
from bakeoff.analysis.questions.finding import Finding, evidence, link, run
from bakeoff.analysis.questions.pair import Pair
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import NOT_MEASURED, unknown
from bakeoff.records import DIVERGED, FINISHED

#: Among the questions of a report.
PLACE = 70

#: Why a deeper one may be worse: it knows train by heart, its norms follow the residual sums, its layers are recurrent.
BY_HEART, POST_NORM, STACKED = "by heart", "post-norm", "stacked"
#: A run so many times as long, and with it its warm-up, shows whether a depth is only slow.
LONGER = 4


@dataclass(frozen=True, kw_only=True)
class Depth:
    """Experiments of one depth.

    Attributes:
        learned_at: Rates of the search with which a trial came clearly below the unigram.
        stuck_at: The next rate above those, where one was tried.
        tried: How many rates were; none where the search was on another corpus or budget, whose unigram is another.
    """

    experiment: Repeats
    learned_at: tuple[float, ...]
    stuck_at: float | None
    tried: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A ladder of depths.

    Attributes:
        depths: The shallowest first.
        best: The best of the deeper ones against the shallowest of those that learned; None if only one has.
        failing: The deepest that is worse than the shallowest, or did not learn; None where there is none.
        cause: Why that may be; None where nothing is known that would explain it.
        command: What to type next.
    """

    depths: tuple[Depth, ...]
    best: Pair | None
    failing: Depth | None
    cause: str | None
    command: str | None


def ladders(study: StudyRows) -> list[list[Repeats]]:
    """Experiments that differ in the number of layers alone (and in what rate suits them), the shallowest first."""
    groups: dict[str, list[Repeats]] = {}
    for e in study.experiments:
        groups.setdefault(repr((e.rows[0].model, e.rows[0].optimizer, e.size, e.settings)), []).append(e)
    ordered = [sorted(group, key=lambda e: e.rows[0].layers) for group in groups.values()]
    return [ladder for ladder in ordered if ladder[0].rows[0].layers < ladder[-1].rows[0].layers]


def depth(study: StudyRows) -> list[Finding]:
    """One finding for every such row of experiments."""
    return [_finding(study, ladder) for ladder in ladders(study)]


def best_pair(study: StudyRows, ladder: list[Repeats]) -> Pair | None:
    """The best of the deeper ones against the shallowest of those that learned; None where there are no two."""
    learned = [e for e in ladder if e.finished and not e.failure]
    pairs = [Pair(study=study, first=e, second=learned[0]) for e in learned[1:]]
    return min((pair for pair in pairs if pair.compared), key=lambda pair: pair.first.loss, default=None)


def _finding(study: StudyRows, ladder: list[Repeats]) -> Finding:
    row, best = ladder[0].rows[0], best_pair(study, ladder)
    depths = [_depth(study, e) for e in ladder]
    base = best.second if best else None
    behind = [e for e in ladder if base and (c := study.compare(e, base)) and c.sign < 0]
    failing = next((d for d in reversed(depths) if d.experiment.failure or d.experiment in behind), None)
    over = sum(bool(e.finished or e.failure) for e in ladder)
    pending = ",".join(str(e.number) for e in ladder if any(r.status not in (FINISHED, DIVERGED) for r in e.rows))
    epochs = LONGER * study.study["budget"]["epochs"]
    longer = run(study, "--only", failing.experiment.number, "--epochs", epochs) if failing else None
    return Finding(
        name=link("depth", row.model, row.optimizer, row.number),
        template="depth",
        verdict=best.verdict if best else unknown(study.seeds) if over > 1 else NOT_MEASURED,
        facts=Facts(
            depths=tuple(depths),
            best=best,
            failing=failing,
            cause=_cause(failing.experiment, base) if failing else None,
            command=run(study, "--only", pending) if pending else (best and best.command) or longer,
        ),
        evidence=evidence(row for e in ladder for row in e.rows),
        figures=(f"overlay-{row.model}-epochs", "gap-by-depth", "parameters"),
    )


def _depth(study: StudyRows, experiment: Repeats) -> Depth:
    trials = study.trials(experiment) if study.study["tuning"] and study.study["tuning"]["fits"] else []
    below = study.unigram.valid.loss - NEAR
    learned = [t["lr"] for t in trials if t["valid_loss"] is not None and t["valid_loss"] < below]
    return Depth(
        experiment=experiment,
        learned_at=tuple(learned),
        stuck_at=min((t["lr"] for t in trials if learned and t["lr"] > max(learned)), default=None),
        tried=len(trials),
    )


def _cause(failing: Repeats, base: Repeats | None) -> str | None:
    if base and not failing.failure and failing.train_loss <= base.train_loss + FLAT:
        return BY_HEART
    if failing.traits.get("post_norm"):
        return POST_NORM
    return STACKED if failing.traits.get("recurrent") else None
