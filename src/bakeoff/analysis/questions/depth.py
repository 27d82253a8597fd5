"""Whether more layers help, per architecture and optimizer, and in which range of rates each depth learned at all."""

from dataclasses import dataclass

from bakeoff.analysis.diagnosis import FLAT, NEAR
from bakeoff.analysis.probe import NO_CHANGE, RECIPE
from bakeoff.analysis.questions.finding import Finding, evidence, link, probe, run
from bakeoff.analysis.questions.pair import Pair
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import ANSWERED, LEANING, LEANING_NO, NO, NOT_MEASURED, UNDECIDED, YES, unknown
from bakeoff.run_folder import DIVERGED, FINISHED

#: Among the questions of a report.
PLACE = 70

#: Why a deeper one may be worse: it knows train by heart, its norms follow the residual sums, its layers are recurrent.
BY_HEART, POST_NORM, STACKED = "by heart", "post-norm", "stacked"
#: What a deeper one that is behind loses by: it is behind at every equal rate too, or at none of them, but learns
#: nothing at the rate of the shallowest. One equal rate alone says less.
BY_LAYERS, BY_RATE, BY_ONE_RATE = "layers", "rate", "one rate"
#: A run so many times as long, and with it its warm-up, shows whether a depth is only slow.
LONGER = 4


@dataclass(frozen=True, kw_only=True)
class Depth:
    """Experiments of one depth.

    Attributes:
        learned_at: Rates of the search with which a trial came clearly below the unigram.
        stuck_at: The next rate above those, where one was tried.
        tried: How many rates were; none where the search was on another corpus or budget, whose unigram is another.
        gains: How far it is ahead of the shallowest in the search, at each rate at which both learned, in nats.
        loses: `BY_LAYERS`, `BY_RATE` or `BY_ONE_RATE`; None where it is not behind, or the search does not say.
        only: Of `BY_ONE_RATE`, that rate, how far the shallowest is there behind its best in the search, and at which.
    """

    experiment: Repeats
    learned_at: tuple[float, ...]
    stuck_at: float | None
    tried: int
    gains: tuple[float, ...] = ()
    loses: str | None = None
    only: tuple[float, float, float] | None = None

    @property
    def highest(self) -> float:
        """The highest rate at which it learned; zero for none."""
        return max(self.learned_at, default=0.0)


@dataclass(frozen=True, kw_only=True)
class Deeper(Pair):
    """A depth against the shallowest that learned."""

    @property
    def verdict(self) -> str:
        """Whether it is better; open where it is behind for its recipe, as a probe shows: its layers do not tell."""
        verdict, probed = super().verdict, self.first.probe
        recipe = probed is not None and probed.found == RECIPE
        return unknown(self.study.seeds) if recipe and verdict in (NO, LEANING_NO) else verdict


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A ladder of depths.

    Attributes:
        depths: The shallowest first.
        pairs: The deeper ones against the shallowest of those that learned: what is decided first, then the best.
        worse: Those that are worse than that, or did not learn.
        cause: Why that may be; None where nothing is known that would explain it, or a probe has shown what it is.
        probe: The command that would probe the deepest of those; None where it was probed.
        command: What to type next.
    """

    depths: tuple[Depth, ...]
    pairs: tuple[Deeper, ...]
    worse: tuple[Depth, ...]
    cause: str | None
    probe: str | None
    command: str | None

    @property
    def best(self) -> Deeper | None:
        """The best of the deeper ones; None if only one has learned."""
        return min(self.pairs, key=lambda pair: pair.first.loss, default=None)

    @property
    def failing(self) -> Depth | None:
        """The deepest of those that are worse; None where there is none."""
        return self.worse[-1] if self.worse else None

    @property
    def differ(self) -> bool:
        """Whether the answer is another by depth."""
        return len({pair.verdict for pair in self.pairs}) > 1

    @property
    def unfit(self) -> tuple[int, ...]:
        """The numbers of layers that are worse on train as well."""
        behind = [pair for pair in self.pairs if pair.compared and pair.compared.sign < 0]
        worse = [pair.first for pair in behind if pair.first.train_loss > pair.second.train_loss + FLAT]
        return tuple(sorted(e.rows[0].layers for e in worse))

    @property
    def barred(self) -> tuple[Depth, ...]:
        """Those of the deeper ones that learned nothing at the rate of the one that they are compared with."""
        base = self.best.second if self.best else None
        rate = base.entry["learning_rate"] if base else 0.0
        return tuple(
            d for d in self.depths if d.experiment is not base and d.learned_at and d.stuck_at and d.stuck_at <= rate
        )


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


def pairs(study: StudyRows, ladder: list[Repeats]) -> list[Deeper]:
    """Each of the deeper ones against the shallowest, of those that learned."""
    learned = [e for e in ladder if e.finished and not e.failure]
    found = [Deeper(study=study, first=e, second=learned[0]) for e in learned[1:]]
    return [pair for pair in found if pair.compared]


def _finding(study: StudyRows, ladder: list[Repeats]) -> Finding:
    row = ladder[0].rows[0]
    found = sorted(pairs(study, ladder), key=lambda pair: (pair.verdict not in (YES, NO), pair.first.loss))
    best = min(found, key=lambda pair: pair.first.loss, default=None)
    base = best.second if best else None
    depths = [_depth(study, e, base) for e in ladder]
    behind = [pair.first for pair in found if pair.compared and pair.compared.sign < 0]
    worse = tuple(d for d in depths if d.experiment.failure or d.experiment in behind)
    over = sum(bool(e.finished or e.failure) for e in ladder)
    pending = ",".join(str(e.number) for e in ladder if any(r.status not in (FINISHED, DIVERGED) for r in e.rows))
    cause, probed = (_cause(worse[-1], base), probe(study, worse[-1].experiment)) if worse else (None, None)
    facts = Facts(
        depths=tuple(depths),
        pairs=tuple(found),
        worse=worse,
        cause=cause,
        probe=probed,
        command=run(study, "--only", pending)
        if pending
        else (best and best.command) or (probed if cause != BY_HEART else None) or _longer(study, worse, best),
    )
    verdict = best.verdict if best else unknown(study.seeds) if over > 1 else NOT_MEASURED
    return Finding(
        name=link("depth", row.model, row.optimizer, row.number),
        template="depth",
        verdict=ANSWERED if facts.differ else verdict,
        facts=facts,
        evidence=evidence(row for e in ladder for row in e.rows),
        figures=(f"overlay-{row.model}-epochs", "gap-by-depth", "parameters"),
    )


def _longer(study: StudyRows, worse: tuple[Depth, ...], best: Pair | None) -> str | None:
    experiments = (worse[-1].experiment,) if worse else best.sides if best and best.verdict == UNDECIDED else ()
    if experiments and (probed := experiments[0].probe) and probed.found == RECIPE:
        return None
    numbers = ",".join(str(e.number) for e in sorted(experiments, key=lambda e: e.number))
    if not numbers or study.unit == "step":  # for which there is no option
        return None
    return run(study, "--only", numbers, "--epochs", LONGER * study.length)


def _depth(study: StudyRows, experiment: Repeats, base: Repeats | None) -> Depth:
    tried, learned = _search(study, experiment)
    stuck_at = min((rate for rate in tried if learned and rate > max(learned)), default=None)
    gains, loses, only = [], None, None
    if base and base is not experiment:
        shallow, compared = _search(study, base)[1], study.compare(experiment, base)
        gains = [shallow[rate] - learned[rate] for rate in learned if rate in shallow]
        level = LEANING * study.noise.of(experiment.rows[0].model)
        if gains and compared and compared.sign < 0:
            own, other = experiment.rows[0].learning_rate, base.rows[0].learning_rate
            barred = stuck_at is not None and own < stuck_at <= other
            by_rate = barred and min(gains) > -level
            loses = BY_LAYERS if max(gains) <= -level else BY_RATE if by_rate and len(gains) > 1 else None
            if by_rate and len(gains) == 1:  # which may be a bad one for both
                (rate,), best = (rate for rate in learned if rate in shallow), min(shallow, key=lambda lr: shallow[lr])
                behind = shallow[rate] - shallow[best]
                loses, only = (BY_ONE_RATE, (rate, behind, best)) if behind >= level else (None, None)
    return Depth(
        experiment=experiment,
        learned_at=tuple(learned),
        stuck_at=stuck_at,
        tried=len(tried),
        gains=tuple(gains),
        loses=loses,
        only=only,
    )


def _search(study: StudyRows, experiment: Repeats) -> tuple[list[float], dict[float, float]]:
    """The rates of the search, and the loss by rate of the trials that learned."""
    trials = study.trials(experiment) if study.study["tuning"] and study.study["tuning"]["fits"] else []
    below = study.unigram.valid.loss - NEAR
    learned = {t["lr"]: t["valid_loss"] for t in trials if t["valid_loss"] is not None and t["valid_loss"] < below}
    return [t["lr"] for t in trials], learned


def _cause(failing: Depth, base: Repeats | None) -> str | None:
    e = failing.experiment
    if base and not e.failure and e.train_loss <= base.train_loss + FLAT:
        return BY_HEART
    found = e.probe.found if e.probe else None
    if found == RECIPE:
        return None
    barred = failing.stuck_at or not failing.learned_at  # post-norm would bar high rates
    if e.traits.get("post_norm") and barred and found != NO_CHANGE:
        return POST_NORM
    return STACKED if e.traits.get("recurrent") else None
