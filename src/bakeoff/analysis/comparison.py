"""Two experiments against each other, on valid, with both intervals; and what may be said of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bakeoff.analysis import statistics, words
from bakeoff.analysis.rows import Experiment, Row
from bakeoff.analysis.statistics import Interval

#: What a comparison can say of "the first pays less": yes, no, could be chance, cannot be known from so few seeds.
YES, NO, CHANCE, UNKNOWN = "yes", "no", "chance", "unknown"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How much less one experiment pays than another, in nats per token of valid at their best epochs.

    Attributes:
        first: The one of which it is asked whether it is better.
        second: The other.
        gains: What the second pays more than the first, by the seeds that both finished.
        over_seeds: The interval of their mean; None with fewer than three seeds.
        over_documents: The interval of the same mean over documents of valid; None where there are too few.
        documents: How many those are.
    """

    first: Experiment
    second: Experiment
    gains: tuple[float, ...]
    over_seeds: Interval | None
    over_documents: Interval | None
    documents: int

    @property
    def gain(self) -> float:
        """The mean of `gains`: positive where the first is better."""
        return sum(self.gains) / len(self.gains)

    @property
    def answer(self) -> str:
        """Whether the first is better: `yes`, `no`, `chance` where an interval holds zero, `unknown` for few seeds."""
        intervals = [interval for interval in (self.over_seeds, self.over_documents) if interval]
        if any(interval.holds_zero for interval in intervals):
            return CHANCE
        if self.over_seeds is None:
            return UNKNOWN
        return YES if self.gain > 0 else NO

    @property
    def p(self) -> float | None:
        """Sign-flip p; None with fewer than six seeds."""
        return statistics.sign_flip_p(self.gains)


def compare(first: Experiment, second: Experiment) -> Comparison | None:
    """Compare by the seeds that both finished; None where there is none."""
    seeds = sorted(first.losses.keys() & second.losses.keys())
    if not seeds:
        return None
    gains = tuple(second.losses[seed] - first.losses[seed] for seed in seeds)
    pairs = [(_run(first, seed), _run(second, seed)) for seed in seeds]
    differences, tokens = _by_document(pairs)
    return Comparison(
        first=first,
        second=second,
        gains=gains,
        over_seeds=statistics.over_seeds(gains),
        over_documents=statistics.over_documents(differences, tokens),
        documents=len(tokens),
    )


def _run(experiment: Experiment, seed: int) -> Row:
    return next(row for row in experiment.finished if row.seed == seed)


def _by_document(pairs: Sequence[tuple[Row, Row]]) -> tuple[Sequence[float], Sequence[int]]:
    """What the second pays more for each document of valid, the mean over pairs; nothing where one did not keep it."""
    documents = [(first.documents.get("valid"), second.documents.get("valid")) for first, second in pairs]
    nats = [np.subtract(second.nats, first.nats) for first, second in documents if first and second]
    if len(nats) < len(pairs) or documents[0][0] is None:
        return [], []
    return np.mean(nats, axis=0).tolist(), documents[0][0].tokens


def in_words(comparison: Comparison) -> str:
    """How often both were run, their perplexities, the better one's first, and the difference: a clause."""
    better, worse = comparison.first, comparison.second
    if comparison.gain < 0:
        better, worse = worse, better
    return (
        f"{repeated(comparison)}, {named(better)} comes to {words.perplexity(_loss(better, comparison))} on valid and "
        f"{named(worse)} to {words.perplexity(_loss(worse, comparison))}, {difference(comparison)}"
    )


def repeated(comparison: Comparison) -> str:
    """Such as `in one run of each`, `over the mean of three seeds`."""
    seeds = len(comparison.gains)
    return "in one run of each" if seeds == 1 else f"in the mean over {words.counted(seeds, 'seed')}"


def difference(comparison: Comparison) -> str:
    """How far the two are apart, with the intervals of that."""
    return f"{_nats(comparison)} apart{_intervals(comparison)}"


def behind(comparison: Comparison) -> str:
    """How far the second is behind the first, or ahead of it, with the intervals of that."""
    where = "behind" if comparison.gain >= 0 else "ahead"
    return f"{_nats(comparison)} {where}{_intervals(comparison)}"


def _nats(comparison: Comparison) -> str:
    return f"{words.fine(abs(comparison.gain))} nats per token"


def _intervals(comparison: Comparison) -> str:
    sign = 1 if comparison.gain >= 0 else -1
    over = (
        (comparison.over_seeds, "seeds"),
        (comparison.over_documents, f"{comparison.documents} documents"),
    )
    parts = [f"{_range(interval, sign)} over {what}" for interval, what in over if interval]
    return f" (95 % interval {', '.join(parts)})" if parts else ""


def _range(interval: Interval, sign: int) -> str:
    return words.spread(*sorted((sign * interval.low, sign * interval.high)))


def certainty(comparison: Comparison) -> str:
    """How far the difference can be believed, as a sentence; empty where both intervals leave no doubt."""
    seeds = len(comparison.gains)
    if comparison.over_seeds and comparison.over_seeds.holds_zero:
        return " Chance in the seeds alone could make such a difference."
    if comparison.over_documents and comparison.over_documents.holds_zero:
        return " Other text of the same kind could turn it round."
    if comparison.over_seeds is None:
        return f" {words.sentence(words.counted(seeds, 'seed'))}: chance was not measured."
    return ""


def p_in_words(comparison: Comparison, adjusted: float | None) -> str:
    """The sign-flip p, where there are seeds enough for one, and its adjusted value; empty otherwise.

    Args:
        comparison: With its own p.
        adjusted: The same by Holm's method over all planned comparisons.
    """
    if comparison.p is None or adjusted is None:
        return ""
    return f" Sign-flip test over seeds: p = {comparison.p:.2g}, {adjusted:.2g} after Holm's correction."


def named(experiment: Experiment) -> str:
    """Its number and what it is."""
    return f"#{experiment.number} ({experiment.name})"


def _loss(experiment: Experiment, comparison: Comparison) -> float:
    """The mean loss over the seeds that are compared."""
    other = comparison.second if experiment == comparison.first else comparison.first
    seeds = experiment.losses.keys() & other.losses.keys()
    return sum(experiment.losses[seed] for seed in seeds) / len(seeds)
