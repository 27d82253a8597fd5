"""Whether models with attention behave as one expects of transformers, expectation by expectation."""

import math
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from bakeoff.analysis import statistics
from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.questions import depth as depths
from bakeoff.analysis.questions.contrasts import ADAPTIVE, contrasts
from bakeoff.analysis.questions.counting import against_floor
from bakeoff.analysis.questions.depth import ladders, pairs
from bakeoff.analysis.questions.finding import Finding, command, evidence, link, run
from bakeoff.analysis.questions.pair import Pair
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import ANSWERED, LEANING_NO, LEANING_YES, NO, NOT_MEASURED, SAME, YES

#: Among the questions of a report.
PLACE = 60

#: What one expects: that the best beats counting, and the best of each recurrent model; that adaptive steps beat plain
#: ones, that more layers help (each depth), and that those which help do so more than in a recurrent model.
COUNTING, AHEAD, STEPS, DEPTH, DEEPER = "counting", "ahead", "steps", "depth", "deeper"
#: Tokens that a model of the best size for its compute reads for every parameter, each once (Hoffmann et al. 2022).
ENOUGH = 20


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Something that one expects of a transformer: of which kind, and whether it is so.

    Attributes:
        gain: By how much the first is ahead of the second (or of counting), in nats per token; None if not measured.
        command: What to type next to decide it; None where it is decided.
        beside: Of `DEEPER`, the depths of a recurrent model, the same two, and by how much the deeper is ahead there.
    """

    kind: str
    verdict: str
    gain: float | None
    command: str | None
    first: Repeats
    second: Repeats | None = None
    beside: tuple[Pair, float] | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is so; None where that is open."""
        return {YES: True, LEANING_YES: True, NO: False, LEANING_NO: False, SAME: False}.get(self.verdict)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is expected of an architecture, and what it had to learn from.

    Attributes:
        title: The architecture's.
        expected: Every expectation that the study can test.
        floor: The lowest on valid.
        tokens: Of train; a run reads each `reads` times, on average.
        per_parameter: Tokens of train for every trained parameter, in the largest model and in the smallest.
        barred: The depths, where some learn nothing at the rate of the shallowest and are worse, and post-norm may be
            why; None elsewhere.
        starved: Whether something is nowhere as expected, with less text than is `ENOUGH`.
        command: What to type next.
    """

    title: str
    expected: tuple[Expectation, ...]
    floor: Baseline
    tokens: int
    reads: float
    per_parameter: tuple[float, float]
    barred: depths.Facts | None
    starved: bool
    command: str | None


def transformers(study: StudyRows) -> list[Finding]:
    """One finding for every architecture with attention."""
    models = dict.fromkeys(e.rows[0].model for e in study.experiments if e.traits.get("attends"))
    return [_finding(study, model) for model in models]


def _finding(study: StudyRows, model: str) -> Finding:
    rows = [row for row in study.rows if row.model == model]
    expected, tokens = _expected(study, model), study.study["corpus"]["train"]["tokens"]
    most, fewest = (tokens / pick(row.learnable_parameters for row in rows) for pick in (min, max))
    missed, met = ({e.kind for e in expected if e.met is wanted} for wanted in (False, True))
    starved = bool(missed - met) and most < ENOUGH
    found = [f.facts for f in depths.depth(study) if f.facts.depths[0].experiment.rows[0].model == model]
    return Finding(
        name=link("as-expected", model),
        template="transformers",
        verdict=_verdict(study, expected),
        facts=Facts(
            title=rows[0].model_title,
            expected=tuple(expected),
            floor=study.lowest_floor,
            tokens=tokens,
            reads=study.reads,
            per_parameter=(fewest, most),
            barred=next((f for f in found if f.cause == depths.POST_NORM and {*f.barred} & {*f.worse}), None),
            starved=starved,
            command=next(
                (e.command for e in expected if e.command), run(study, "--corpus", "FILE") if starved else None
            ),
        ),
        evidence=evidence(rows, [study.lowest_floor.name]),
        figures=(f"overlay-{model}-epochs", f"deciles-{model}"),
    )


def _verdict(study: StudyRows, expected: list[Expectation]) -> str:
    verdicts, met = {e.verdict for e in expected}, {e.met for e in expected}
    if verdicts <= {NOT_MEASURED}:
        return NOT_MEASURED
    if met == {True}:
        return LEANING_YES if LEANING_YES in verdicts else YES
    if met == {False}:
        return LEANING_NO if verdicts == {LEANING_NO} else NO
    return ANSWERED if {True, False} <= met else statistics.unknown(study.seeds)


def _expected(study: StudyRows, model: str) -> list[Expectation]:
    bests = {name: next((e for e in study.ranked_of(name) if not e.failure), None) for name in study.models}
    best = bests.pop(model)
    found = [_counting(study, lowest) for lowest in study.ranked_of(model)[:1]]
    recurrent = [e for e in bests.values() if e and e.traits.get("recurrent")]
    found += [_of_pair(AHEAD, Pair(study=study, first=best, second=other)) for other in recurrent if best]
    planned = [c for c in contrasts(study) if c.kind == ADAPTIVE]
    found += [_of_pair(STEPS, contrast) for contrast in planned if contrast.first.rows[0].model == model]
    deeper = [pair for ladder in ladders(study) for pair in pairs(study, ladder)]
    for pair in (pair for pair in deeper if pair.first.rows[0].model == model):
        found.append(_of_pair(DEPTH, pair))
        alike = (
            [p for p in deeper if p.first.traits.get("recurrent") and _shared(p) == _shared(pair)]
            if found[-1].met
            else []
        )
        found += [_deeper(study, pair, other) for other in alike]
    return found


def _shared(pair: Pair) -> tuple[Any, ...]:
    """What two pairs of depths must share to be compared: the optimizer's settings and both numbers of layers."""
    return pair.first.settings, *(side.rows[0].layers for side in pair.sides)


def _counting(study: StudyRows, best: Repeats) -> Expectation:
    c = against_floor(study, best, study.lowest_floor)
    what = command(study, (best,), c)
    return Expectation(kind=COUNTING, verdict=c.verdict, gain=c.gain, command=what, first=best)


def _of_pair(kind: str, pair: Pair, **different: Any) -> Expectation:  # noqa: ANN401
    gain = pair.compared.gain if pair.compared else None
    told = {"verdict": pair.verdict, "gain": gain, "command": pair.command} | different
    return Expectation(kind=kind, first=pair.first, second=pair.second, **told)


def _deeper(study: StudyRows, pair: Pair, other: Pair) -> Expectation:
    brings, beside = (
        {a.seed: b.best_point.valid.loss - a.best_point.valid.loss for a, b in each.runs} for each in (pair, other)
    )
    more = [brings[seed] - beside[seed] for seed in sorted(brings.keys() & beside.keys())]
    # Two differences are compared, each as noisy as the one that a typical deviation judges.
    noise = math.sqrt(2) * study.noise.of(pair.first.rows[0].model, other.first.rows[0].model)
    verdict = statistics.verdict(more, noise) if more else NOT_MEASURED
    return _of_pair(DEEPER, pair, verdict=verdict, command=None, beside=(other, fmean(beside.values())))
