"""Whether anything was gained by training a network at all."""

from dataclasses import dataclass
from statistics import fmean

from bakeoff.analysis.evaluations import Baseline
from bakeoff.analysis.questions.finding import Finding, command, evidence
from bakeoff.analysis.rows import Repeats, StudyRows
from bakeoff.analysis.statistics import NOT_MEASURED, Comparison

#: Among the questions of a report.
PLACE = 10


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """What mixing an experiment's runs with a floor gains; means over the seeds that finished.

    Attributes:
        title: What the floor is called.
        weight: The floor's share.
        loss: Nats per token of valid in the mixture.
        gain: How much less that is than the network's alone.
        bits: The same in bits per byte.
    """

    title: str
    weight: float
    loss: float
    gain: float
    bits: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The best model beside the floors.

    Attributes:
        floor: The lowest on valid.
        best: The best experiment; None where no run finished.
        compared: How much less than the floor it pays.
        mixed: What mixing it with counts gains; None where that was not measured of every run.
        set_aside: Experiments with a lower mean, of which not every run finished.
        runs: How many runs finished.
        below: How many of them are below each floor, the easiest first.
        command: What may decide it.
    """

    floor: Baseline
    best: Repeats | None = None
    compared: Comparison | None = None
    mixed: Mixed | None = None
    set_aside: tuple[Repeats, ...] = ()
    runs: int = 0
    below: tuple[tuple[Baseline, int], ...] = ()
    command: str | None = None


def against_floor(study: StudyRows, experiment: Repeats, floor: Baseline) -> Comparison:
    """How much less an experiment with a finished run pays than a floor, which is one number for all seeds."""
    pairs = [(loss, floor.valid.loss) for loss in experiment.losses.values()]
    return Comparison.of(pairs, study.noise.of(experiment.rows[0].model))


def _mixed(experiment: Repeats) -> Mixed | None:
    pairs = [(row.valid, row.with_counts) for row in experiment.finished if row.valid and row.with_counts]
    if len(pairs) < len(experiment.finished):
        return None
    return Mixed(
        title=pairs[0][1].title,
        weight=fmean(mixed.weight for _, mixed in pairs),
        loss=fmean(mixed.valid.loss for _, mixed in pairs),
        gain=fmean(alone.loss - mixed.valid.loss for alone, mixed in pairs),
        bits=fmean(alone.bits_per_byte - mixed.valid.bits_per_byte for alone, mixed in pairs),
    )


def counting(study: StudyRows) -> Finding:
    """Whether the best model is better than every floor."""
    floor = study.lowest_floor
    best = study.ranked[0] if study.ranked else None
    compared = against_floor(study, best, floor) if best else None
    finished = [row.valid.nats for row in study.rows if row.finished and row.valid]
    floors = sorted((b for b in study.baselines if b != study.uniform), key=lambda b: -b.valid.nats)
    facts = Facts(
        floor=floor,
        best=best,
        compared=compared,
        mixed=_mixed(best) if best else None,
        set_aside=study.set_aside,
        runs=len(finished),
        below=tuple((each, sum(nats < each.valid.nats for nats in finished)) for each in floors),
        command=command(study, (best,), compared) if best else None,
    )
    return Finding(
        name="counting",
        template="counting",
        verdict=compared.verdict if compared else NOT_MEASURED,
        facts=facts,
        evidence=evidence(best.finished if best else (), [floor.name]),
        figures=(f"overlay-{best.rows[0].model}-epochs",) if best else (),
    )
