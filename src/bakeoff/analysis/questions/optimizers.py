"""What an optimizer changes: experiments that are alike in all but the optimizer, compared as their traits say."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, NamedTuple

from bakeoff.analysis import statistics
from bakeoff.analysis.diagnosis import NEAR
from bakeoff.analysis.questions.contrasts import (
    ADAPTIVE,
    AGAINST_MOMENTUM,
    DECAY,
    MOMENTUM,
    Contrast,
    Group,
    contrasts,
    decay,
    groups,
)
from bakeoff.analysis.questions.finding import Finding, evidence, link
from bakeoff.analysis.rows import Repeats, Row, StudyRows
from bakeoff.analysis.statistics import ANSWERED, LEANING, LEANING_BY, NOT_MEASURED, SAME
from bakeoff.spec import WARMUP

#: Among the questions of a report.
PLACE = 40

#: A rate can be used where the search came within this of the best, in nats per token: a third more perplexity.
USABLE = 0.3
#: So near its best an optimizer is hardly worse: 5 % of a perplexity.
NEAR_BEST = 0.05
#: Rates within this factor of each other are neighbours in a search half a decade apart.
ALIKE = 3**0.5
#: A decay that takes less than this from a weight in a whole run cannot be what makes a difference.
NOTHING = 0.02


class RateRange(NamedTuple):
    """The learning rates around the best of a search within `NEAR_BEST` of it.

    `best` is the best; `below` and `above` are what the next rates tried cost, in nats per token: None where there is
    none, infinite where it diverged.
    """

    low: float
    high: float
    best: float
    below: float | None
    above: float | None

    @property
    def cost(self) -> float:
        """Of the worse of the two neighbours."""
        return max(self.below or 0.0, self.above or 0.0)


class Order(NamedTuple):
    """The optimizers of an architecture: those with a result, best first, neighbours that tie, and who has none.

    `sensitive` are those to which the choice of the learning rate matters most and least, where the search tells them
    apart. `undertuned` have a result, and no place: each lost to its own special case.
    """

    title: str
    ranked: tuple[Repeats, ...]
    ties: tuple[tuple[Repeats, Repeats], ...]
    lost: tuple[Row, ...]
    sensitive: tuple[Repeats, Repeats] | None
    undertuned: tuple[Contrast, ...]


@dataclass(frozen=True, kw_only=True)
class Orders:
    """The optimizers at one depth, and whether their order is the same in every architecture.

    Attributes:
        batch_sizes: Of the study: with several of them, an optimizer of each is one of its own.
        pairs: How many pairs of optimizers have a result in every architecture; None where there is only one.
        reversed: Titles of those that are ordered one way here and the other way there, with the architectures in which
            that is not decided.
        open: Titles of those that cannot be told apart everywhere, with the architectures in which they cannot.
        outdone: Those that are not better than the bigram.
        ranges: What the search says of their learning rates.
    """

    layers: int
    optimizers: int
    batch_sizes: list[int]
    orders: tuple[Order, ...]
    pairs: int | None
    reversed: tuple[tuple[str, str, tuple[str, ...]], ...]
    open: tuple[tuple[str, str, tuple[str, ...]], ...]
    outdone: tuple[Repeats, ...]
    ranges: dict[int, RateRange]


@dataclass(frozen=True, kw_only=True)
class EqualRates:
    """An optimizer with and without decay at equal learning rates, by the trials of the search.

    Attributes:
        best: The rates that were best with decay and without it.
        usable: The highest rates within `USABLE` of the best trial of the two, with decay and without it.
        at_most: The largest difference at rates up to the best without decay, in nats per token.
        noise: Whether that is no more than another seed may change.
        above: Higher rates that decay can use, and what it gains there.
        beyond: Higher ones at which it gains clearly, but which stay more than `USABLE` behind the best.
    """

    best: tuple[float, float]
    usable: tuple[float, float]
    at_most: float
    noise: bool
    above: tuple[tuple[float, float], ...]
    beyond: tuple[tuple[float, float], ...]

    @property
    def higher(self) -> bool:
        """Whether decay lets a higher rate be used."""
        return self.usable[0] > self.usable[1] or (self.best[0] > self.best[1] and bool(self.above))


@dataclass(frozen=True, kw_only=True)
class EqualLengths:
    """Momentum against none where a step under a steady gradient is as long, by the trials of the search.

    Attributes:
        short: The length up to which momentum changed no more than another seed may, and its largest change there.
        gains: Further lengths, and what momentum gained there, in nats per token.
        longer: Whether it lets longer steps be used: within `USABLE` of the best trial of the two.
    """

    short: tuple[float, float] | None
    gains: tuple[tuple[float, float], ...]
    longer: bool

    @property
    def grows(self) -> bool:
        """Whether it gained more with every longer step."""
        gains = [gain for _, gain in self.gains]
        return len(gains) > 1 and gains == sorted(gains)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A contrast, and what the rows show of it besides the difference.

    Attributes:
        adjusted: The sign-flip p after Holm's correction over all contrasts; None with fewer than six seeds.
    """

    contrast: Contrast
    adjusted: float | None

    @property
    def clipped(self) -> tuple[float, float] | None:
        """The shares of their steps whose gradient was clipped; None where none ever is."""
        shares = [(a.clipped or 0.0, b.clipped or 0.0) for a, b in self.contrast.runs]
        first, second = zip(*shares, strict=True)
        return (fmean(first), fmean(second)) if self.contrast.study.study["budget"]["clip"] else None

    @property
    def lengths(self) -> tuple[float, float] | None:
        """Of their steps under a steady gradient of 1, in the long run; None where an optimizer does not say."""
        first, second = (e.entry["learning_rate"] * (e.traits.get("step_scale") or 0.0) for e in self.contrast.sides)
        return (first, second) if first and second else None

    @property
    def as_long(self) -> float | None:
        """How much worse than at its best the search found the second with steps as long; None if it did not try.

        In nats per token; infinite where it diverged.
        """
        trials = self.contrast.study.trial_losses(self.contrast.second)
        first, second = self.lengths or (math.nan, 1.0)
        rate = self.contrast.second.entry["learning_rate"] * first / second
        return next((loss - min(trials.values()) for lr, loss in trials.items() if math.isclose(lr, rate)), None)

    @cached_property
    def equal_lengths(self) -> EqualLengths | None:
        """With and without momentum at steps as long; None where the search has no two such pairs.

        Left out are lengths at which neither got clearly below the unigram, or one diverged.
        """
        if not self.lengths or not self.contrast.compared:
            return None
        scales = [side.traits["step_scale"] for side in self.contrast.sides]
        first, second = (
            {float(f"{rate * scale:.6g}"): loss for rate, loss in self.contrast.study.trial_losses(side).items()}
            for side, scale in zip(self.contrast.sides, scales, strict=True)
        )
        learned = self.contrast.study.unigram.valid.loss - NEAR
        lengths = [
            length for length in sorted(first.keys() & second.keys()) if first[length] + second[length] < math.inf
        ]
        gains = {n: second[n] - first[n] for n in lengths if min(first[n], second[n]) < learned}
        if len(gains) < 2:  # noqa: PLR2004 (one says nothing about short and long)
            return None
        noise = LEANING * self.contrast.compared.deviation
        short = list(itertools.takewhile(lambda length: abs(gains[length]) < noise, gains))
        limit = min(*first.values(), *second.values()) + USABLE
        usable = [max((n for n in side if side[n] <= limit), default=0.0) for side in (first, second)]
        return EqualLengths(
            short=(short[-1], max(abs(gains[length]) for length in short)) if short else None,
            gains=tuple(gains.items())[len(short) :],
            longer=usable[0] > usable[1],
        )

    @property
    def usable(self) -> bool:
        """Whether the first is better with steps as long as the second could not use."""
        return bool(
            self.as_long and self.as_long > USABLE and self.contrast.compared and self.contrast.compared.sign > 0
        )

    @cached_property
    def equal_rates(self) -> EqualRates | None:
        """With and without decay at equal rates; None where no search has tried both, up to the best without decay."""
        decayed, plain = (self.contrast.study.trial_losses(side) for side in self.contrast.sides)
        gains = {rate: plain[rate] - decayed[rate] for rate in decayed.keys() & plain.keys()}
        gains = {rate: gains[rate] for rate in sorted(gains) if math.isfinite(gains[rate])}
        if not gains or not self.contrast.compared:
            return None
        best = min(decayed, key=lambda rate: decayed[rate]), min(plain, key=lambda rate: plain[rate])
        below = [abs(gain) for rate, gain in gains.items() if rate <= best[1]]
        if not below:
            return None
        limit = min(decayed[best[0]], plain[best[1]]) + USABLE
        clear = LEANING * self.contrast.compared.deviation
        higher = [(rate, gain) for rate, gain in gains.items() if rate > best[1]]
        highest = [max((r for r in trials if trials[r] <= limit), default=0.0) for trials in (decayed, plain)]
        return EqualRates(
            best=best,
            usable=(highest[0], highest[1]),
            at_most=max(below),
            noise=max(below) < clear,
            above=tuple((rate, gain) for rate, gain in higher if decayed[rate] <= limit),
            beyond=tuple((rate, gain) for rate, gain in higher if decayed[rate] > limit and gain >= clear),
        )

    @property
    def steps(self) -> int:
        """Of a run."""
        return self.contrast.runs[0][0].history[-1].step

    @property
    def half_life(self) -> float | None:
        """In how many steps at the peak rate decay alone would halve a weight; None unless it is decoupled."""
        first = self.contrast.first
        a_step = first.entry["learning_rate"] * decay(first)
        return math.log(2) / a_step if first.traits.get("decoupled_decay") and a_step else None

    @property
    def halvings(self) -> float | None:
        """How often it would halve a weight in a run, whose rate follows a schedule; None likewise."""
        budget, own = self.contrast.study.study["budget"], self.contrast.first.traits.get("schedule")
        mean = _mean_rate(budget, own or budget["schedule"], self.steps)
        return mean * self.steps / self.half_life if self.half_life else None

    @property
    def shrunk(self) -> float | None:
        """The share that it would take from a weight in a run, were no gradient to move it; None likewise."""
        return None if self.halvings is None else 1 - 0.5**self.halvings

    @property
    def reason(self) -> str | None:
        """The conjecture that the rows support: `rare`, `large steps`, `longer steps` or `decay`; None without one."""
        kind, compared = self.contrast.kind, self.contrast.compared
        if not compared:
            return None
        clear = LEANING * compared.deviation
        better, fits = compared.sign > 0, self.contrast.train_gain > clear
        if kind in (ADAPTIVE, AGAINST_MOMENTUM) and self.contrast.by_frequency:
            common, rare = self.contrast.by_frequency
            return "rare" if better and fits and rare - common > clear else None
        if kind == MOMENTUM and self.lengths:
            ratio = self.lengths[0] / self.lengths[1]
            alike = 1 / ALIKE < ratio < ALIKE
            if better and (alike or (ratio > 1 and self.as_long)):
                return "large steps"
            return "longer steps" if (better and ratio > 1) or (alike and compared.verdict == SAME) else None
        if kind == DECAY and self.equal_rates and (self.shrunk or 0.0) >= NOTHING:
            return "decay" if better and fits and self.equal_rates.higher else None
        return None


def _mean_rate(budget: Mapping[str, Any], schedule: str, steps: int) -> float:
    """Mean of a schedule over a run of so many steps, as a share of the peak, but for less than a step."""
    if schedule == "constant":
        return 1.0
    rising = budget.get("warmup_steps") or WARMUP * steps
    falling = (budget.get("decay_steps") or steps - rising) if schedule == "linear" else 0
    return float(1 - (rising + falling) / 2 / steps)


def rate_ranges(study: StudyRows) -> dict[int, RateRange]:
    """How sensitive each experiment is to its learning rate, by number; what no search has tried is left out."""
    return {e.number: found for e in study.experiments if (found := _range(study.trial_losses(e)))}


def _range(trials: dict[float, float]) -> RateRange | None:
    rates, losses = list(trials), list(trials.values())
    limit = min(losses, default=math.inf) + NEAR_BEST
    if limit == math.inf:
        return None
    best, last = losses.index(min(losses)), len(losses) - 1
    low = next((place + 1 for place in range(best, -1, -1) if losses[place] > limit), 0)
    high = next((place - 1 for place in range(best, last + 1) if losses[place] > limit), last)
    costs = [losses[place] - losses[best] if 0 <= place <= last else None for place in (best - 1, best + 1)]
    return RateRange(rates[low], rates[high], rates[best], *costs)


def optimizers(study: StudyRows) -> list[Finding]:
    """The order of the optimizers at every depth that has several, then a finding for every planned comparison."""
    depths: dict[int, list[Group]] = {}
    for group in groups(study):
        depths.setdefault(group[0].rows[0].layers, []).append(group)
    planned = contrasts(study)
    p_values = {c.name: c.compared.p for c in planned if c.compared and c.compared.p is not None}
    adjusted = statistics.holm(p_values)
    return [
        *(_ordered(study, depth, found, planned) for depth, found in depths.items()),
        *(_contrasted(Facts(contrast=contrast, adjusted=adjusted.get(contrast.name))) for contrast in planned),
    ]


def _ordered(study: StudyRows, layers: int, groups: list[Group], planned: list[Contrast]) -> Finding:
    ranges = rate_ranges(study)
    orders = [_order(study, group, ranges, [c for c in planned if c.first in group]) for group in groups]
    by_title = [{e.rows[0].optimizer_title: e for e in order.ranked} for order in orders]
    shared = [title for title in by_title[0] if all(title in found for found in by_title)] if len(groups) > 1 else []
    reversed_, open_ = [], []
    for a, b in itertools.combinations(shared, 2):
        compared = {order.title: study.compare(by[a], by[b]) for order, by in zip(orders, by_title, strict=True)}
        signs = {title: c.sign if c else 0 for title, c in compared.items()}
        if {1, -1} <= set(signs.values()):
            undecided = (title for title, c in compared.items() if not c or c.verdict not in LEANING_BY)
            reversed_.append((a, b, tuple(undecided)))
        elif not all(signs.values()):
            open_.append((a, b, tuple(title for title, sign in signs.items() if not sign)))
    models = dict.fromkeys(group[0].rows[0].model for group in groups)
    return Finding(
        name=link("optimizers", layers, "layers"),
        template="optimizers",
        verdict=ANSWERED if any(len(order.ranked) > 1 for order in orders) else NOT_MEASURED,
        facts=Orders(
            layers=layers,
            optimizers=len({e.rows[0].optimizer_title for group in groups for e in group}),
            batch_sizes=study.batch_sizes,
            orders=tuple(orders),
            pairs=math.comb(len(shared), 2) if len(groups) > 1 else None,
            reversed=tuple(reversed_),
            open=tuple(open_),
            outdone=tuple(e for order in orders for e in order.ranked if e.loss >= study.floors["kn2"].valid.loss),
            ranges=ranges,
        ),
        evidence=evidence(row for group in groups for e in group for row in e.rows),
        figures=(*(f"overlay-{model}-epochs" for model in models), *(f"rates-{model}" for model in models)),
    )


def _order(study: StudyRows, group: Group, ranges: dict[int, RateRange], planned: list[Contrast]) -> Order:
    lost = tuple(failure for e in group if (failure := e.failure))
    undertuned = tuple(contrast for contrast in planned if contrast.undertuned)
    placeless = [contrast.first for contrast in undertuned]
    ranked = tuple(e for e in study.ranked if e in group and not e.failure and e not in placeless)
    ties = tuple(pair for pair in itertools.pairwise(ranked) if not (c := study.compare(*pair)) or not c.sign)
    inside = [e for e in ranked if (r := ranges.get(e.number)) and r.below is not None and r.above is not None]
    by_cost = sorted(inside, key=lambda e: ranges[e.number].cost)
    spread = ranges[by_cost[-1].number].cost - ranges[by_cost[0].number].cost if by_cost else 0.0
    clear = spread >= LEANING * study.noise.of(group[0].rows[0].model)
    sensitive = (by_cost[-1], by_cost[0]) if clear else None
    return Order(group[0].rows[0].model_title, ranked, ties, lost, sensitive, undertuned)


def _contrasted(facts: Facts) -> Finding:
    contrast, model = facts.contrast, facts.contrast.first.rows[0].model
    shows = {ADAPTIVE: (f"deciles-{model}",), AGAINST_MOMENTUM: (f"deciles-{model}",), DECAY: (f"rates-{model}",)}
    return Finding(
        name=contrast.name,
        template="contrast",
        verdict=contrast.verdict,
        facts=facts,
        evidence=evidence(row for side in contrast.sides for row in side.rows),
        figures=(f"overlay-{model}-epochs", *shows.get(contrast.kind, ())),
    )
