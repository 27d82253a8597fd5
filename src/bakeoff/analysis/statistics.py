"""Differences with their intervals: over seeds (would retraining change it?), over documents (would other text?).

Everything is paired: runs of one seed share their order of data, and all runs share the documents that they are
measured on, so what both have in common drops out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

#: With fewer seeds nothing is ranked: two differences say next to nothing about their spread.
FEWEST_SEEDS = 3
#: From here on a sign-flip test can come below 0.05 at all (2 / 2**6 = 0.031).
FEWEST_FOR_SIGN_FLIPS = 6
#: Fewer documents than these do not say how much another text would change.
FEWEST_DOCUMENTS = 10
LEVEL = 0.95
#: Up to this many differences all sign flips are tried, 2**12 of them; a seeded sample of them beyond.
EXACT_FLIPS = 12


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean, and the 95 % interval around it."""

    mean: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether no difference at all is among what it allows."""
        return self.low <= 0 <= self.high

    @property
    def half_width(self) -> float:
        """How far it reaches to either side."""
        return (self.high - self.low) / 2


def over_seeds(differences: Sequence[float]) -> Interval | None:
    """Student's interval for the mean of paired differences, one a seed; None with fewer than three seeds."""
    if len(differences) < FEWEST_SEEDS:
        return None
    error = float(np.std(differences, ddof=1)) / math.sqrt(len(differences))
    return _student(float(np.mean(differences)), error, len(differences) - 1)


def over_documents(differences: Sequence[float], tokens: Sequence[int]) -> Interval | None:
    """Interval of the mean difference per token, had other documents of the same kind been drawn.

    A ratio of two sums over documents, with the linearized standard error of such a ratio (Cochran 1977, chapter 6):
    documents are what is drawn, and tokens of one document hang together.

    Args:
        differences: In summed nats, one a document.
        tokens: Of each document.
    """
    kept = [(difference, count) for difference, count in zip(differences, tokens, strict=True) if count]
    if len(kept) < FEWEST_DOCUMENTS:
        return None
    nats_D, tokens_D = np.array(kept, dtype=np.float64).T
    ratio, n = float(nats_D.sum() / tokens_D.sum()), len(kept)
    residuals_D = nats_D - ratio * tokens_D
    error = math.sqrt(n / (n - 1) * float(np.square(residuals_D).sum())) / float(tokens_D.sum())
    return _student(ratio, error, n - 1)


def _student(mean: float, error: float, freedom: int) -> Interval:
    from scipy import stats  # noqa: PLC0415 (importing it takes longer than `bakeoff status` does without)

    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return Interval(mean=mean, low=mean - half, high=mean + half)


def sign_flip_p(differences: Sequence[float]) -> float | None:
    """Two-sided p of a mean this far from zero, if each difference might as well have the other sign.

    Returns:
        None with fewer than six differences, where no result could come below 0.05.
    """
    if len(differences) < FEWEST_FOR_SIGN_FLIPS:
        return None
    from scipy import stats  # noqa: PLC0415 (as above)

    exact = len(differences) <= EXACT_FLIPS
    test = stats.permutation_test(
        (np.asarray(differences, dtype=np.float64),),
        np.mean,
        permutation_type="samples",
        n_resamples=np.inf if exact else 2**EXACT_FLIPS,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values of planned comparisons, raised so that one false alarm among all of them is as rare as each p says.

    Holm 1979: the smallest is multiplied by their number, the next by one less, and none may come below one before it.
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = largest
    return adjusted


def cannot_be_told_apart(losses: Mapping[int, Mapping[int, float]]) -> tuple[int, ...]:
    """Which experiments the seeds cannot tell from the best one, itself included.

    Args:
        losses: For each experiment's number its loss by seed.

    Returns:
        Their numbers, the best first; only the best where fewer than three seeds are shared. None at all of none.
    """
    ordered = sorted((number for number in losses if losses[number]), key=lambda number: _mean(losses[number]))
    return tuple(number for number in ordered if number == ordered[0] or _tied(losses[ordered[0]], losses[number]))


def _tied(best: Mapping[int, float], other: Mapping[int, float]) -> bool:
    interval = over_seeds([other[seed] - best[seed] for seed in sorted(best.keys() & other.keys())])
    return interval is not None and interval.holds_zero


def _mean(losses: Mapping[int, float]) -> float:
    return sum(losses.values()) / len(losses)
