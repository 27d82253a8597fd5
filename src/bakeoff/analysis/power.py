"""How small a difference so many seeds can see: simulated, and judged by the rule of the verdicts.

What is simulated are paired differences, so their deviation from seed to seed is what is asked for, not that of a
single run. Where a seed does nothing alike to both runs, it is the larger by a factor of sqrt 2.
"""

import itertools
import math
import statistics as mathematics
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bakeoff.analysis.noise import Noise, typical_deviation
from bakeoff.analysis.rows import StudyRows
from bakeoff.analysis.statistics import FEWEST_SEEDS, POWER, SAME_WITHIN, reach

#: With fewer differences than these, each counted without its pair's mean, a deviation may well be off by a third.
ENOUGH = 6
#: So many give it to 1 % of the deviation.
SIMULATED = 40_000


@dataclass(frozen=True, kw_only=True)
class Paired:
    """How much the difference of two experiments' best valid losses typically deviates from seed to seed.

    Attributes:
        nats: Standard deviation, in nats per token, of a pair in the middle.
        pairs: How many there are.
        seeds: The fewest seeds that a pair has in common; 0 where none was repeated.
    """

    nats: float
    pairs: int
    seeds: int = 0

    @property
    def few(self) -> bool:
        """Whether it rests on so few differences that it is rough."""
        return self.pairs * (self.seeds - 1) < ENOUGH


def smallest_effect(deviation: float, seeds: int) -> float:
    """The smallest difference for which `statistics.verdict` says "yes" in four of five studies, in nats per token.

    Every simulated study draws a difference a seed from a normal distribution. With the same draws a larger effect is
    never judged less clear, so each study has a smallest effect from which on it says so: the interval no longer holds
    zero, and no longer lies within what counts as the same.

    Args:
        deviation: Standard deviation of the paired difference between seeds, in nats per token.
        seeds: Of each study, at least three.
    """
    import numpy as np  # noqa: PLC0415 (analysis without a simulation does without)

    drawn = deviation * np.random.default_rng(0).standard_normal((SIMULATED, seeds))
    mean, half = drawn.mean(axis=1), reach(seeds) * drawn.std(axis=1, ddof=1) / math.sqrt(seeds)
    return float(np.quantile(np.maximum(half, SAME_WITHIN - half) - mean, POWER))


def measured(study: StudyRows, numbers: Collection[int]) -> Paired | None:
    """The deviation over all pairs of those experiments; None where no two have learned with three seeds in common."""
    losses = [e.losses for e in study.experiments if e.number in numbers and not e.failure]
    gains = [[b[seed] - a[seed] for seed in a.keys() & b.keys()] for a, b in itertools.combinations(losses, 2)]
    repeated = [gain for gain in gains if len(gain) >= FEWEST_SEEDS]
    if not repeated:
        return None
    return Paired(nats=typical_deviation(repeated), pairs=len(repeated), seeds=min(map(len, repeated)))


def expected(noise: Noise, models: Sequence[str]) -> Paired:
    """The same by what was kept of single runs, as if a seed did nothing alike to both runs of a pair.

    So it was where it was measured: pairing brought nothing.

    Args:
        noise: Of a study like this one.
        models: The architecture of each experiment; one that is alone is paired with another of its kind.
    """
    pairs = list(itertools.combinations(models, 2)) or [(models[0], models[0])]
    nats = mathematics.median(math.hypot(noise.of(first), noise.of(second)) for first, second in pairs)
    return Paired(nats=nats, pairs=len(pairs))
