"""Steady-state memory of every experiment, and why it is larger or smaller, by what each has to hold."""

import itertools
import statistics
from dataclasses import dataclass
from typing import NamedTuple

from bakeoff.analysis.questions.depth import ladders
from bakeoff.analysis.questions.finding import Finding, evidence, run
from bakeoff.analysis.questions.pair import only_kinds_differ
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import ANSWERED, NOT_MEASURED
from bakeoff.shapes import Json

#: Among the questions of a report.
PLACE = 80

#: Of the process's size: a peak so many times the average was read while the process still grew or shrank.
SETTLED = 1.1
#: With fewer experiments a correlation says nothing.
FEWEST = 4


class Needs(NamedTuple):
    """What an experiment needs in bytes: measured on average in steady training by run, and by computed part.

    Attributes:
        peak: The most at a time, the mean over its runs.
        resting: What is held between two steps, the mean over its runs; None where live bytes were not measured.
    """

    experiment: Repeats
    runs: tuple[float, ...]
    parts: dict[str, int]
    peak: float
    resting: float | None

    @property
    def measured(self) -> float:
        """The mean over its runs, above the process before the model existed."""
        return statistics.fmean(self.runs)

    @property
    def computed(self) -> int:
        """The sum of its parts."""
        return sum(self.parts.values())

    @property
    def rest(self) -> float:
        """What was measured beyond its parts."""
        return self.measured - self.computed

    @property
    def kept(self) -> float:
        """Of live bytes: what is held between two steps beyond weights and optimizer state."""
        assert self.resting is not None, "live bytes were measured"
        return self.resting - self.parts["weights"] - self.parts["optimizer_state"]

    @property
    def unexplained(self) -> float:
        """Of live bytes at their peak: what is neither a computed part nor kept, negative where parts take turns."""
        return self.peak - self.computed - self.kept


class Model(NamedTuple):
    """An architecture's experiments, the least measured first, and how measured and computed totals correlate."""

    needs: list[Needs]
    correlation: float | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Needs, and pairs that explain them.

    Attributes:
        live: Whether live bytes were measured in all runs, in which nothing counts that was freed.
        models: The architectures of which memory was measured.
        known: Those whose parts are known, the least by computation first; all that follows is of them.
        states: Bytes of optimizer state for every trained parameter, with the optimizer's title.
        layers: Experiments that differ in depth alone, the shallowest and the deepest.
        kinds: Two architectures at equal depth, with equal optimizers.
        logits: Batch x length x vocabulary in float32.
        twins: Those that have to hold exactly the same, and whose runs were measured furthest apart, by `spread`.
        smallest: The smallest difference by computation between two of one architecture that differ.
        command: What measures live bytes, where that was not done.
    """

    live: bool
    models: list[Model]
    known: list[Needs]
    states: list[tuple[float, str]]
    layers: list[tuple[Needs, Needs]]
    kinds: tuple[Needs, Needs] | None
    logits: int
    twins: list[Needs]
    spread: float
    smallest: int
    command: str | None

    @property
    def off(self) -> float:
        """Of live bytes: by what share of a peak its parts and what is kept miss it, at most."""
        return max(abs(n.unexplained / n.peak) for n in self.known)

    @property
    def unsettled(self) -> list[Needs]:
        """Those whose peak is far above their average, the least far first."""
        found = [n for n in self.known if n.peak > SETTLED * n.measured]
        return sorted(found, key=lambda n: n.peak - n.measured)


def memory(study: StudyRows) -> Finding:
    """What was measured, and pairs of experiments that differ in one thing."""
    runs = {e: [row.memory for row in e.finished if row.memory] for e in study.experiments}
    needs = {e: _needs(e, found, e.rows[0].memory_parts or {}) for e, found in runs.items() if found}
    models = [[n for e, n in needs.items() if e.rows[0].model == model] for model in study.models]
    known = sorted((n for n in needs.values() if n.parts), key=lambda n: (n.computed, *n.parts.values()))
    depths = [[needs[e] for e in ladder if e in needs and needs[e].parts] for ladder in ladders(study)]
    states = [(n.parts["optimizer_state"], n.experiment.rows[0]) for n in known]
    twins = max((list(alike) for _, alike in itertools.groupby(known, key=lambda n: n.parts)), key=_spread, default=[])
    pairs = itertools.combinations(known, 2)
    totals = [sorted({n.computed for n in model}) for model in models]
    budget, vocabulary = study.study["budget"], study.study["experiments"][0]["vocabulary"]
    live = bool(known) and all(n.resting is not None for n in needs.values())
    again = ",".join(map(str, sorted(e.number for e in needs)))
    facts = Facts(
        live=live,
        models=[Model(sorted(found, key=lambda n: n.measured), _correlation(found)) for found in models if found],
        known=known,
        states=sorted({(round(size / row.learnable_parameters, 1), row.optimizer_title) for size, row in states}),
        layers=[(ladder[0], ladder[-1]) for ladder in depths if len(ladder) > 1],
        kinds=next((pair for pair in pairs if only_kinds_differ(*(n.experiment for n in pair))), None),
        logits=4 * study.batch_sizes[-1] * budget["sequence_length"] * vocabulary,
        twins=twins,
        spread=_spread(twins),
        smallest=min((b - a for found in totals for a, b in itertools.pairwise(found)), default=0),
        command=run(study, "--again", again, "--jobs", 1) if known and not live else None,
    )
    return Finding(
        name="memory",
        template="memory",
        verdict=ANSWERED if needs else NOT_MEASURED,
        facts=facts,
        evidence=evidence(row for e in needs for row in e.finished),
        figures=("pareto-memory",),
    )


def _needs(experiment: Repeats, memories: list[Json], computed: dict[str, int]) -> Needs:
    resting = [found["resting_bytes"] for found in memories if "resting_bytes" in found]
    return Needs(
        experiment,
        runs=tuple(found["average_bytes"] for found in memories),
        parts=computed,
        peak=statistics.fmean(found["peak_bytes"] for found in memories),
        resting=statistics.fmean(resting) if len(resting) == len(memories) else None,
    )


def _spread(twins: list[Needs]) -> float:
    runs = [size for n in twins for size in n.runs]
    return max(runs, default=0) - min(runs, default=0)


def _correlation(needs: list[Needs]) -> float | None:
    computed, measured = [n.computed for n in needs], [n.measured for n in needs]
    enough = len(needs) >= FEWEST and len(set(computed)) > 1 and len(set(measured)) > 1
    return statistics.correlation(computed, measured) if enough else None
