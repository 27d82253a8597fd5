"""Interpolated Kneser-Ney n-gram models on integer tokens (Kneser & Ney 1995; Chen & Goodman 1998).

    P(w | context) = (max(count(context w) - D, 0) + D types(context) P(w | shorter context)) / count(context)

The highest order counts occurrences; each lower one counts in how many different left contexts an n-gram occurs.
Below single tokens stands the uniform distribution, so that every token has a probability, and all sum to one.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]

#: What every count gives up to the lower order (Jurafsky & Martin, Speech and Language Processing, section 3.8).
DISCOUNT = 0.75


@dataclass(frozen=True, kw_only=True)
class _Order:
    """Counts of one length of n-gram; n-grams and contexts are numbers in base V, in rising order.

    Attributes:
        ngrams: The n-grams that occur.
        counts: How often each does, or in how many left contexts.
        contexts: Their contexts, each once.
        totals: The sum of the counts of each context's n-grams.
        types: How many different n-grams each context has.
    """

    ngrams: Integers
    counts: Integers
    contexts: Integers
    totals: Integers
    types: Integers

    @classmethod
    def of(cls, ngrams: Integers, counts: Integers, vocabulary: int) -> Self:
        """Count the contexts of n-grams that stand in rising order."""
        contexts, first = np.unique(ngrams // vocabulary, return_index=True)
        return cls(
            ngrams=ngrams,
            counts=counts,
            contexts=contexts,
            totals=np.add.reduceat(counts, first),
            types=np.diff(np.append(first, len(ngrams))),
        )

    def interpolate(self, ngrams: Integers, contexts: Integers, lower: Floats) -> Floats:
        """Probability of each n-gram's last token after its context, given the lower order's probabilities."""
        counts = _look_up(ngrams, self.ngrams, self.counts)
        totals = _look_up(contexts, self.contexts, self.totals)
        types = _look_up(contexts, self.contexts, self.types)
        known = np.maximum(totals, 1)
        mixed = (np.maximum(counts - DISCOUNT, 0) + DISCOUNT * types * lower) / known
        return np.where(totals > 0, mixed, lower)


@dataclass(frozen=True, kw_only=True)
class KneserNey:
    """An n-gram model.

    Attributes:
        vocabulary: Number of symbols.
        orders: Counts of n-grams of length 1, 2, and so on.
    """

    vocabulary: int
    orders: tuple[_Order, ...]

    @classmethod
    def fit(cls, tokens_N: Integers, vocabulary: int, order: int) -> Self:
        """Count a stream of tokens once.

        Args:
            tokens_N: The train split.
            vocabulary: Number of symbols; its `order`-th power must be below 2^63.
            order: Length of the longest n-gram, the predicted token included.
        """
        ngrams, counts = np.unique(_ngrams(tokens_N, vocabulary, order), return_counts=True)
        orders = [_Order.of(ngrams, counts, vocabulary)]
        for length in range(order - 1, 0, -1):
            ngrams, counts = np.unique(ngrams % vocabulary**length, return_counts=True)
            orders.append(_Order.of(ngrams, counts, vocabulary))
        return cls(vocabulary=vocabulary, orders=tuple(reversed(orders)))

    def probabilities(self, contexts_TxC: Integers, targets_T: Integers) -> Floats:
        """Probability of each target after its context, whose last column is the token just before."""
        probability = np.full(len(targets_T), 1 / self.vocabulary)
        ngrams = targets_T.astype(np.int64)
        contexts = np.zeros_like(ngrams)
        for length, order in enumerate(self.orders):
            if length:
                older = contexts_TxC[:, -length].astype(np.int64)
                contexts = older * self.vocabulary ** (length - 1) + contexts
                ngrams = older * self.vocabulary**length + ngrams
            probability = order.interpolate(ngrams, contexts, probability)
        return probability


def _ngrams(tokens_N: Integers, vocabulary: int, length: int) -> Integers:
    """Every run of `length` tokens as one number in base V."""
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(tokens_N), length).astype(np.int64)
    return windows @ (vocabulary ** np.arange(length - 1, -1, -1, dtype=np.int64))


def _look_up(keys: Integers, known: Integers, values: Integers) -> Integers:
    """The value of each key, 0 for those that are not known."""
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, values[places], 0)
