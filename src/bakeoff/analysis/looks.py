"""What may be said of paired differences after numbers of seeds that were fixed in advance.

Whoever looks again and again, and stops once a difference is clear, finds one too often. So every look has the same
smaller level (Pocock 1977, here for Student's t), from which its interval is made, and that interval alone decides:
better or worse where it leaves out zero, the same where it lies within the margin (two one-sided tests, Schuirmann
1987), which comes first. However many looks there are, and whenever it stops, two that are alike are called better or
worse in at most 5 % of comparisons, and a difference of the margin or more the same in at most 5 %. Where noise is as
likely to either side, each word has half of that.

The level is that of Student's intervals and of bell-shaped differences. The intervals are a tenth wider than those
(`WIDER` in `analysis.statistics`), so that it holds as well where one of the two alone has bad seeds; else false alarms
are rarer. It does not hold for every shape: where all differences are exponential, they come to 13 %; where these are
uniform, to 6 %. An estimate that was stopped early is a little too large.

A run that diverged has a loss above every other, and no mean that it is part of means anything. From then on ranks
decide, by flipping signs as in Wilcoxon's test: a divergence of one side is the largest difference, one of both is
none. That takes more than six seeds. And whatever the ranks say, an experiment that diverged where the other did not is
not better, and the two are not the same.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from bakeoff.analysis.statistics import (
    FEWEST_SEEDS,
    MOST_PLANNED,
    POWER,
    SAME,
    UNDECIDED,
    Interval,
    over_seeds,
    reach,
    sign_flip_p,
)

#: Seeds at each look, where no others are declared.
USUAL = (3, 5, 8)
#: Verdicts, beside `the same` and `undecided`.
BETTER, WORSE = "better", "worse"
#: How often all looks together may find a difference between two that are alike.
FALSE_ALARMS = 0.05
#: Comparisons that are simulated. They leave a level uncertain by half a percent of it.
SIMULATED = 1_000_000
#: A level is rounded down to one of so many parts.
GRAINS = 10_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen after so many seeds.

    Attributes:
        seeds: How many.
        level: How often its interval may miss.
        interval: Of the mean gain; None where a run diverged.
        verdict: What follows from it: that is final, unless it is undecided and another look follows.
    """

    seeds: int
    level: float
    interval: Interval | None
    verdict: str


def are_fit(looks: Sequence[int]) -> bool:
    """Whether there are several looks, and they rise from the fewest seeds that have an interval."""
    rising = list(looks) == sorted(set(looks))
    return len(looks) > 1 and rising and looks[0] >= FEWEST_SEEDS and looks[-1] <= MOST_PLANNED


def look(gains: Sequence[float], level: float, margin: float) -> Look:
    """Look at the gains so far.

    Args:
        gains: What the baseline pays more than the candidate, one a seed, in nats per token. Infinite where the
            baseline alone diverged, minus infinite where the candidate did, not a number where both did.
        level: Of this look.
        margin: Smaller differences do not matter, in nats per token.
    """
    interval = over_seeds(gains, 1 - level) if all(map(math.isfinite, gains)) else None
    verdict = _by_ranks(gains, level) if interval is None else _by_interval(interval, margin)
    return Look(seeds=len(gains), level=level, interval=interval, verdict=verdict)


def _by_interval(interval: Interval, margin: float) -> str:
    if -margin < interval.low and interval.high < margin:
        return SAME
    return UNDECIDED if interval.holds_zero else (BETTER if interval.mean > 0 else WORSE)


def _by_ranks(gains: Sequence[float], level: float) -> str:
    known = np.nan_to_num(np.asarray(gains, dtype=np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    ranks = np.sign(known) * stats.rankdata(np.abs(known))
    p = sign_flip_p(ranks)
    if p is None or p > level:
        return UNDECIDED
    verdict, against = (BETTER, -math.inf) if ranks.sum() > 0 else (WORSE, math.inf)
    return UNDECIDED if against in gains else verdict


@functools.cache
def level(looks: tuple[int, ...]) -> float:
    """The level of each look with which all together find a difference between two that are alike in 5 %, by Student's.

    Args:
        looks: Seeds at each, rising.
    """
    lowest = np.ones(SIMULATED)
    for seeds, means, errors in _simulated(looks):
        np.minimum(lowest, 2 * special.stdtr(seeds - 1, -np.abs(means / errors)), out=lowest)
    return math.floor(float(np.quantile(lowest, FALSE_ALARMS)) * GRAINS) / GRAINS


def smallest_effect(looks: Sequence[int], level: float, deviation: float, margin: float) -> float:
    """The smallest true difference that these looks call by its name in four of five comparisons, in nats per token.

    Each simulated comparison has a smallest one, from which on the first look that decides does so for the better: its
    interval leaves out zero, and neither it nor one before lies within the margin.

    Args:
        looks: Seeds at each, rising.
        level: Of each.
        deviation: Standard deviation of the gains of single seeds, in nats per token.
        margin: Smaller differences do not matter, in nats per token.
    """
    needed, not_the_same = np.full(SIMULATED, np.inf), np.full(SIMULATED, -np.inf)
    for seeds, means, errors in _simulated(looks):
        half = reach(seeds, 1 - level) * errors
        np.maximum(not_the_same, margin - deviation * (means + half), out=not_the_same)
        np.minimum(needed, np.maximum(not_the_same, deviation * (half - means)), out=needed)
    return float(np.quantile(needed, POWER))


def _simulated(looks: Sequence[int]) -> Iterator[tuple[int, Floats, Floats]]:
    """For each look its seeds, and means and standard errors of comparisons whose gains are standard normal."""
    generator = np.random.default_rng(0)
    sums, squares = np.zeros(SIMULATED), np.zeros(SIMULATED)
    for seeds in range(1, looks[-1] + 1):
        gains = generator.standard_normal(SIMULATED)
        sums += gains
        squares += gains * gains
        if seeds in looks:
            means = sums / seeds
            yield seeds, means, np.sqrt((squares / seeds - means * means) / (seeds - 1))
