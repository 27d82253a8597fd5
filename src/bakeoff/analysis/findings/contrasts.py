"""What an optimizer changes: pairs of experiments that differ in the optimizer alone, per architecture and depth."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bakeoff.analysis import statistics, words
from bakeoff.analysis.comparison import CHANCE, NO, YES, Comparison, certainty, compare, in_words, p_in_words
from bakeoff.analysis.declared import MEAN_RATE, Declared, about_rates, declared
from bakeoff.analysis.findings.finding import (
    NOT_MEASURED,
    VERDICTS,
    Conjecture,
    Finding,
    became,
    evidence,
    link,
    unlearned,
)
from bakeoff.analysis.measured import Deciles
from bakeoff.analysis.rows import Experiment, StudyRows
from bakeoff.records import FAILED

RARE_WORDS = Conjecture(
    text=(
        "Text has very many rare symbols. Plain gradient descent makes slow progress on them, as their gradients are "
        "small and seldom; an optimizer that scales each weight's step does not."
    ),
    source=(
        "Kunstner et al. 2024, Heavy-Tailed Class Imbalance and Why Adam Outperforms Gradient Descent on Language "
        "Models"
    ),
    decided_by="the same pair with a vocabulary of few symbols, none of them rare: the difference should shrink",
)
MOMENTUM = Conjecture(
    text=(
        "At small rates and with noisy gradients, momentum mostly makes the step larger, by 1 / (1 - momentum); what "
        "it gains beyond that should be little."
    ),
    source="Wang et al. 2024, The Marginal Value of Momentum for Small Learning Rate SGD",
    decided_by="the plain optimizer at the rate divided by 1 - momentum, beside this pair",
)
LARGE_STEPS = Conjecture(
    text=(
        "The two took steps of about the same length in the long run, so the step is not what made the difference. At "
        "rates this large momentum is more than a longer step: it averages over steps, and stays stable where plain "
        "ones overshoot."
    ),
    source="Fu et al. 2023, When and Why Momentum Accelerates SGD: An Empirical Study",
    decided_by="the same pair at a tenth of both rates, where the two should agree",
)
DECAY = Conjecture(
    text=(
        "Decoupled weight decay decides how large steps are relative to the weights, and so changes how training "
        "goes, more than it regularizes."
    ),
    source=(
        "Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization; D'Angelo et al. 2024, Why Do We Need Weight "
        "Decay in Modern Deep Learning?"
    ),
    decided_by="three times and a third of this decay: what regularizes makes train worse where it makes valid better",
)
#: The setting (not the optimizer of that name) that says how much of the last step is kept.
FACTOR = "momentum"
#: A decay that takes less than this from a weight in a whole run cannot be what makes a difference.
NOTHING = 0.02
NEXT_TO_NOTHING = " There was next to nothing to measure."
#: Rates within this factor of each other are neighbours in a search half a decade apart.
ALIKE = 3**0.5


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A planned comparison: is the first better than the second?

    Attributes:
        first: With the thing in question.
        second: Without it.
        asked: The question, but for architecture and depth.
        kind: What sets the two apart: `adaptive`, `momentum`, `decay` or `other`.
    """

    first: Declared
    second: Declared
    asked: str
    kind: str

    @property
    def name(self) -> str:
        """Short, for links."""
        first, second = (found.experiment for found in (self.first, self.second))
        sides = (f"{side.rows[0].optimizer}-{side.number}" for side in (first, second))
        return link("-against-".join(sides))

    @property
    def question(self) -> str:
        """The whole question."""
        row = self.first.experiment.rows[0]
        return f"{row.layers}-layer {row.model_title}: {self.asked}"


def contrasts(study: StudyRows) -> list[Contrast]:
    """Every comparison that the study's declaration plans, in the order of its tables."""
    return [contrast for group in _alike(study) for contrast in _planned(group)]


def _alike(study: StudyRows) -> list[list[Declared]]:
    """Experiments that differ in the optimizer alone, in the order of the registry."""
    groups: list[list[Declared]] = []
    for found in declared(study):
        for group in groups:
            if _kind(group[0]) == _kind(found):
                group.append(found)
                break
        else:
            groups.append([found])
    return [group for group in groups if len(group) > 1]


def _kind(found: Declared) -> tuple[object, ...]:
    row = found.experiment.rows[0]
    return row.model, row.layers, found.size


def _planned(group: list[Declared]) -> Iterator[Contrast]:
    """Adaptive steps, momentum and weight decay each against none; whatever else there is against the first."""
    planned = [c for c in (_adaptive(group), *_momentum(group), *_decay(group)) if c]
    yield from planned
    covered = [found for contrast in planned for found in (contrast.first, contrast.second)]
    for found in group[1:]:
        if found not in covered:
            yield Contrast(first=found, second=group[0], asked=_better(found, group[0]), kind="other")


def _adaptive(group: list[Declared]) -> Contrast | None:
    """The optimizer whose step follows running means of the gradient and its square, with the least decay."""
    adaptive = [found for found in group if "betas" in found.settings]
    plain = [found for found in group if _is_plain(found)]
    if not adaptive or not plain:
        return None
    first = min(adaptive, key=lambda found: found.decay)
    return Contrast(first=first, second=plain[0], asked=_better(first, plain[0]), kind="adaptive")


def _is_plain(found: Declared) -> bool:
    return "type" in found.entry["optimizer_settings"] and not found.settings


def _momentum(group: list[Declared]) -> Iterator[Contrast]:
    plain = [found for found in group if _is_plain(found)]
    for found in group:
        if plain and set(found.settings) == {FACTOR} and found.decay == plain[0].decay:
            title = _title(plain[0], found)
            yield Contrast(first=found, second=plain[0], asked=f"does momentum help {title}?", kind="momentum")


def _decay(group: list[Declared]) -> Iterator[Contrast]:
    for found in group:
        without = [other for other in group if not other.decay and other.settings == found.settings]
        if found.decay and found.settings and without:
            asked = f"does weight decay help ({_title(found, without[0])} against {_title(without[0], found)})?"
            yield Contrast(first=found, second=without[0], asked=asked, kind="decay")


def _better(first: Declared, second: Declared) -> str:
    return f"is {_title(first, second)} better than {_title(second, first)}?"


def _title(found: Declared, other: Declared) -> str:
    """The optimizer's title, with the experiment's number where the other has the same."""
    titles = [declared.experiment.rows[0].optimizer_title for declared in (found, other)]
    return f"{titles[0]} (#{found.experiment.number})" if titles[0] == titles[1] else titles[0]


def optimizers(study: StudyRows) -> list[Finding]:
    """A finding for every planned comparison."""
    planned = contrasts(study)
    compared = [compare(contrast.first.experiment, contrast.second.experiment) for contrast in planned]
    p_values = {c.name: found.p for c, found in zip(planned, compared, strict=True) if found and found.p is not None}
    adjusted = statistics.holm(p_values)
    return [
        _finding(study, contrast, found, adjusted.get(contrast.name))
        for contrast, found in zip(planned, compared, strict=True)
    ]


def _finding(study: StudyRows, contrast: Contrast, found: Comparison | None, adjusted: float | None) -> Finding:
    pair = (contrast.first.experiment, contrast.second.experiment)
    unmeasured = _why_not(pair)
    verdict = NOT_MEASURED if unmeasured or found is None else VERDICTS[found.answer]
    text = unmeasured or (found and _answer(study, contrast, found, adjusted)) or ""
    learned = found is not None and not unmeasured
    return Finding(
        name=contrast.name,
        question=contrast.question,
        verdict=verdict,
        text=text,
        evidence=evidence(row for experiment in pair for row in experiment.rows),
        figures=_figures(contrast),
        conjecture=_conjecture(study, contrast, found) if found and learned else None,
    )


def _figures(contrast: Contrast) -> tuple[str, ...]:
    model = contrast.first.experiment.rows[0].model
    return (f"overlay-{model}-epochs", *([f"deciles-{model}"] if contrast.kind == "adaptive" else []))


def _conjecture(study: StudyRows, contrast: Contrast, found: Comparison) -> Conjecture | None:
    """Why it may be so; nothing where there is nothing to explain, or the rows already speak against the reason."""
    if found.answer == CHANCE:
        return None
    reasons = {"adaptive": _why_adaptive, "momentum": _why_momentum, "decay": _why_decay}
    return reasons[contrast.kind](study, contrast, found) if contrast.kind in reasons else None


def _why_adaptive(study: StudyRows, contrast: Contrast, found: Comparison) -> Conjecture | None:  # noqa: ARG001
    gains = _gains_by_decile(contrast)
    return RARE_WORDS if found.gain > 0 and gains and gains[-1] > gains[0] else None


def _why_momentum(study: StudyRows, contrast: Contrast, found: Comparison) -> Conjecture | None:  # noqa: ARG001
    longer = _effective_rate(contrast) / contrast.second.entry["learning_rate"]
    alike = 1 / ALIKE < longer < ALIKE
    if alike and found.gain > 0:
        return LARGE_STEPS
    return MOMENTUM if found.gain <= 0 or longer >= ALIKE else None


def _why_decay(study: StudyRows, contrast: Contrast, found: Comparison) -> Conjecture | None:  # noqa: ARG001
    return DECAY if _shrunk(study, contrast) >= NOTHING else None


def _why_not(pair: tuple[Experiment, Experiment]) -> str | None:
    """Why the two say nothing about their optimizers, if that is so."""
    missing = [experiment.number for experiment in pair if not experiment.finished and not experiment.spoiled]
    if missing:
        return f"{words.numbers(missing)} {'has' if len(missing) == 1 else 'have'} not finished."
    failed = words.numbers(row.number for experiment in pair for row in experiment.rows if row.status == FAILED)
    if failed:
        return f"{failed} failed before its end, so there is nothing to compare."
    lost = {row.number: row for experiment in pair for row in unlearned(experiment.rows)}
    if not lost:
        return None
    reasons = [f"{became(row)} at a learning rate of {words.rate(row.learning_rate)}" for row in lost.values()]
    return (
        f"{words.joined(reasons)}. A run that did not learn says something about its settings, and nothing about its "
        "optimizer."
    )


def _answer(study: StudyRows, contrast: Contrast, found: Comparison, adjusted: float | None) -> str:
    opening = {YES: "Yes: ", NO: "No, the other way round: "}.get(found.answer, "")
    return (
        f"{words.sentence(opening + in_words(found))}.{certainty(found)}{p_in_words(found, adjusted)}"
        f"{_detail(study, contrast)}{about_rates(study, (contrast.first, contrast.second))}"
    )


def _detail(study: StudyRows, contrast: Contrast) -> str:
    """What the rows show beyond the difference, by what is compared."""
    details = {"adaptive": _where, "momentum": _effective_rates, "decay": _shrinkage, "other": lambda *_: ""}
    return details[contrast.kind](study, contrast)


def _where(study: StudyRows, contrast: Contrast) -> str:  # noqa: ARG001 (details are called alike)
    """The difference on the most frequent and on the rarest tenth of tokens."""
    gains = _gains_by_decile(contrast)
    if not gains:
        return ""
    first, second = (found.experiment.rows[0].optimizer_title for found in (contrast.first, contrast.second))
    common, rare = (f"{words.nats(gain)} nats {'more' if gain >= 0 else 'less'}" for gain in (gains[0], gains[-1]))
    return (
        f" By frequency in train, {second} pays {common} than {first} on the most frequent tenth of the tokens, and "
        f"{rare} on the rarest."
    )


def _gains_by_decile(contrast: Contrast) -> list[float]:
    """What the second pays more on the tokens of each decile that valid has, the mean over the seeds that both have.

    Empty where that was not recorded.
    """
    first, second = (_deciles(found.experiment) for found in (contrast.first, contrast.second))
    pairs = [(first[seed], second[seed]) for seed in sorted(first.keys() & second.keys())]
    known = [(a.losses, b.losses) for a, b in pairs if a and b]
    if not known or len(known) < len(pairs):
        return []
    gains = [[y - x for x, y in zip(a, b, strict=True) if x is not None and y is not None] for a, b in known]
    return [sum(gained) / len(gained) for gained in zip(*gains, strict=True)]


def _deciles(experiment: Experiment) -> dict[int, Deciles | None]:
    """Of valid at the best epoch of every seed that finished."""
    return {
        row.seed: next((point.valid_deciles for point in row.history if point.epoch == row.best_epoch), None)
        for row in experiment.finished
    }


def _effective_rates(study: StudyRows, contrast: Contrast) -> str:  # noqa: ARG001 (details are called alike)
    rate, plain = (found.entry["learning_rate"] for found in (contrast.first, contrast.second))
    return (
        f" Momentum {contrast.first.settings[FACTOR]:g} at a rate of {words.rate(rate)} moves about as far in the "
        f"long run as plain steps at {_effective_rate(contrast):.3g}; the plain run used {words.rate(plain)}."
    )


def _effective_rate(contrast: Contrast) -> float:
    """The rate at which plain steps would move as far under a steady gradient."""
    return float(contrast.first.entry["learning_rate"] / (1 - contrast.first.settings[FACTOR]))


def _shrinkage(study: StudyRows, contrast: Contrast) -> str:
    """How much the decay could shrink a weight that no gradient moved."""
    row, share = contrast.first.experiment.best, _shrunk(study, contrast)
    ends = [words.perplexity(found.experiment.train_loss) for found in (contrast.first, contrast.second)]
    return (
        f" Over the {row.history[-1].step:,} steps of a run this decay ({words.rate(contrast.first.decay)} at rates up "
        f"to {words.rate(row.learning_rate)}) could shrink a weight by {words.percent(share)} at most."
        f"{NEXT_TO_NOTHING if share < NOTHING else f' Train ended at {ends[0]} with it and at {ends[1]} without.'}"
    )


def _shrunk(study: StudyRows, contrast: Contrast) -> float:
    row = contrast.first.experiment.best
    return shrinkage(
        rate=row.learning_rate,
        decay=contrast.first.decay,
        steps=row.history[-1].step,
        schedule=study.study["budget"]["schedule"],
    )


def shrinkage(*, rate: float, decay: float, steps: int, schedule: str) -> float:
    """The share of a weight that decoupled decay takes away over a run in which no gradient acts on it.

    Args:
        rate: The peak learning rate.
        decay: The weight decay; each step multiplies a weight by 1 - rate x decay.
        steps: Steps of the run.
        schedule: The budget's.
    """
    return -math.expm1(-rate * decay * MEAN_RATE[schedule] * steps)
