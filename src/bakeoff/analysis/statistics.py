"""Differences and what may be said of them: intervals over seeds and over documents, and the scale of verdicts.

Everything is paired: runs of one seed share their order of data, and all runs share the documents that they are
measured on, so what both have in common drops out.
"""

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

#: With fewer seeds their own spread decides nothing: two differences say next to nothing about it.
FEWEST_SEEDS = 3
#: From here on a sign-flip test can come below 0.05 at all (2 / 2**6 = 0.031).
FEWEST_FOR_SIGN_FLIPS = 6
#: Fewer documents than these do not say how much another text would change.
FEWEST_DOCUMENTS = 10
#: How often an interval holds the truth, unless another level is asked for.
LEVEL = 0.95
#: Intervals over seeds are so many times as wide as Student's. Where one of two experiments alone has bad seeds, which
#: most samples lack, those of 95 % miss in 6.4 % instead of 5.
WIDER = 1.1
#: In what share of studies a smallest effect that can be seen is found.
POWER = 0.8
#: Two are the same where the interval of their difference lies within this, in nats per token.
SAME_WITHIN = 0.01
#: With fewer seeds a difference is clear from so many typical deviations between seeds, and leaning from so many.
CLEAR, LEANING = 5.0, 2.0
#: Up to this many differences all sign flips are tried, 2**12 of them; a seeded sample of them beyond.
EXACT_FLIPS = 12
#: More seeds than these nobody plans for.
MOST_PLANNED = 100

#: What a verdict may be; `ANSWERED` is for questions of which or how much, `REPORTED` of what was measured elsewhere.
YES, NO, LEANING_YES, LEANING_NO = "yes", "no", "leaning yes", "leaning no"
SAME, UNDECIDED, CANNOT_TELL, NOT_MEASURED = "the same", "undecided", "cannot be told", "not measured"
ANSWERED = "answered"
REPORTED = "reported, not measured here"
#: What becomes of a verdict that is sure of the experiments as they were run, and not of more.
LEANING_BY = {YES: LEANING_YES, NO: LEANING_NO}


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean, and an interval around it."""

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


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How much less the first pays than the second, in nats per token.

    Attributes:
        first_loss: Mean loss of the first over the seeds that both finished, and `second_loss` of the second.
        gains: What the second pays more than the first, by seed.
        deviation: The typical deviation between seeds, by which a difference of one or two seeds is judged.
        over_documents: The 95 % interval of the mean gain over documents of valid; None where there are too few.
        documents: How many those are.
        left_open: By how much the first, and the second, might be lower at its best learning rate, as far as the
            searches for these can tell, in nats per token; 0 where nothing was searched.
    """

    first_loss: float
    second_loss: float
    gains: tuple[float, ...]
    deviation: float
    over_documents: Interval | None = None
    documents: int = 0
    left_open: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]], deviation: float, **more: Any) -> Self:  # noqa: ANN401 (other fields)
        """Of losses of both, or of whatever else is better where it is less, by seed."""
        first, second = zip(*pairs, strict=True)
        return cls(
            first_loss=statistics.fmean(first),
            second_loss=statistics.fmean(second),
            gains=tuple(b - a for a, b in pairs),
            deviation=deviation,
            **more,
        )

    @property
    def gain(self) -> float:
        """The mean of `gains`: positive where the first is better."""
        return statistics.fmean(self.gains)

    @property
    def times(self) -> float:
        """The size of the gain in typical deviations between seeds."""
        return abs(self.gain) / self.deviation

    @property
    def over_seeds(self) -> Interval | None:
        """The 95 % interval of the mean gain over seeds; None with fewer than three."""
        return over_seeds(self.gains)

    @property
    def as_run(self) -> str:
        """Whether the first is better at the learning rates of the two."""
        return verdict(self.gains, self.deviation, self.over_documents)

    @property
    def verdict(self) -> str:
        """Whether the first is better, each at its best learning rate: leaning where the searches leave that open."""
        return LEANING_BY[self.as_run] if self.by_rates else self.as_run

    @property
    def by_rates(self) -> bool:
        """Whether it is decided at these learning rates, and might be otherwise at the best one of who is behind."""
        uncertain = self.over_seeds.half_width if self.over_seeds else LEANING * self.deviation
        return self.as_run in LEANING_BY and abs(self.gain) - uncertain <= self.might_gain

    @property
    def might_gain(self) -> float:
        """What the searches leave open of the one that is behind, in nats per token."""
        return self.left_open[1 if self.gain > 0 else 0]

    @property
    def decided(self) -> bool:
        """Whether one of the two is better for sure."""
        return self.verdict in (YES, NO)

    @property
    def open(self) -> bool:
        """Whether the two cannot be told apart: by chance, or as they are the same."""
        return self.verdict in (SAME, UNDECIDED, CANNOT_TELL)

    @property
    def sign(self) -> int:
        """1 where the first is better or leaning so, -1 where the second is, 0 where they cannot be told apart."""
        return 0 if self.open else (1 if self.gain > 0 else -1)

    @property
    def seeds_to_decide(self) -> int | None:
        """With how many seeds this would be decided, were mean and spread to stay; None where that is not known."""
        return seeds_to_decide(self.gains)

    @property
    def p(self) -> float | None:
        """Sign-flip p; None with fewer than six seeds."""
        return sign_flip_p(self.gains)


def verdict(gains: Sequence[float], deviation: float, over_documents: Interval | None = None) -> str:
    """Whether gains say that the first is better.

    From three seeds on the interval of their mean decides. With fewer the size of the mean does, in typical deviations
    between seeds; it is clear only if other documents would not reverse it either.

    Args:
        gains: What the second pays more than the first, one a seed, in nats per token.
        deviation: The typical deviation between seeds, in nats per token.
        over_documents: The interval of the same mean over documents, where there are enough.
    """
    mean = statistics.fmean(gains)
    if interval := over_seeds(gains):
        if interval.low > -SAME_WITHIN and interval.high < SAME_WITHIN:
            return SAME
        return UNDECIDED if interval.holds_zero else (YES if mean > 0 else NO)
    reversible = over_documents is not None and over_documents.holds_zero
    if abs(mean) >= CLEAR * deviation and not reversible:
        return YES if mean > 0 else NO
    if abs(mean) >= LEANING * deviation:
        return LEANING_YES if mean > 0 else LEANING_NO
    return CANNOT_TELL


def unknown(seeds: int) -> str:
    """The verdict where nothing is decided."""
    return CANNOT_TELL if seeds < FEWEST_SEEDS else UNDECIDED


def over_seeds(differences: Sequence[float], level: float = LEVEL) -> Interval | None:
    """The interval for the mean of paired differences, one a seed; None with fewer than three seeds."""
    if len(differences) < FEWEST_SEEDS:
        return None
    # `statistics.stdev` computes with fractions, which a report with its thousands of differences would wait for.
    mean, n = statistics.fmean(differences), len(differences)
    error = math.sqrt(math.fsum((difference - mean) ** 2 for difference in differences) / (n - 1) / n)
    return _around(mean, reach(n, level) * error)


@functools.cache
def reach(seeds: int, level: float = LEVEL) -> float:
    """How many standard errors an interval over seeds reaches to either side: a tenth more than Student's."""
    return WIDER * quantile(seeds - 1, level)


def over_documents(differences: Sequence[float], tokens: Sequence[int]) -> Interval | None:
    """95 % interval of the mean difference per token, had other documents of the same kind been drawn.

    Args:
        differences: In summed nats, one a document.
        tokens: Of each document.
    """
    kept = [(difference, count) for difference, count in zip(differences, tokens, strict=True) if count]
    if len(kept) < FEWEST_DOCUMENTS:
        return None
    sums, counts = zip(*kept, strict=True)
    return _around(math.fsum(sums) / sum(counts), quantile(len(kept) - 1, LEVEL) * ratio_error(sums, counts))


def ratio_error(sums: Sequence[float], counts: Sequence[int]) -> float:
    """Standard error of a mean per token over documents, which are what is drawn: tokens of one hang together.

    That of a ratio of two sums, linearized (Cochran 1977, chapter 6).

    Args:
        sums: One a document.
        counts: Tokens of each.
    """
    n, total = len(sums), sum(counts)
    ratio = math.fsum(sums) / total
    squares = math.fsum((each - ratio * count) ** 2 for each, count in zip(sums, counts, strict=True))
    return math.sqrt(n / (n - 1) * squares) / total


def seeds_to_decide(differences: Sequence[float]) -> int | None:
    """With how many seeds one would be better for sure, or the two the same, were mean and spread to stay.

    Returns:
        None with fewer than three differences, or where a hundred seeds would not do.
    """
    if len(differences) < FEWEST_SEEDS:
        return None
    mean, deviation = abs(statistics.fmean(differences)), statistics.stdev(differences)
    for n in range(len(differences), MOST_PLANNED + 1):
        half = reach(n) * deviation / math.sqrt(n)
        if half < mean or mean + half < SAME_WITHIN:
            return n
    return None


def _around(mean: float, half: float) -> Interval:
    return Interval(mean=mean, low=mean - half, high=mean + half)


@functools.cache
def quantile(freedom: float, level: float) -> float:
    """How many standard errors Student's interval of that level reaches to either side."""
    from scipy import special  # noqa: PLC0415 (importing it takes longer than `bakeoff status` does without)

    return float(special.stdtrit(freedom, (1 + level) / 2))


def sign_flip_p(differences: Sequence[float]) -> float | None:
    """Two-sided p of a mean this far from zero, if each difference might as well have the other sign.

    Returns:
        None with fewer than six differences, where no result could come below 0.05.
    """
    if len(differences) < FEWEST_FOR_SIGN_FLIPS:
        return None
    import numpy as np  # noqa: PLC0415 (as above)
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
