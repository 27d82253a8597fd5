"""A floor as a model: what Kneser-Ney, with a cache or without, says of every token that may come next.

`kneser_ney` answers many questions in a few passes over a text of any size; text is generated a token at a time. So
the whole text is kept here, sorted by what stands before each token: whatever followed a context lies together.

Sizes in names: N tokens of the text, T of a context, V symbols.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bakeoff.data import Tokens
from bakeoff.models.kneser_ney import CountedText, Discounting, interpolated, runs
from bakeoff.models.ngram import TABLES, Floor

Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]


class CountTable:
    """An interpolated Kneser-Ney model that is mixed with a cache of the tokens in its window (Kuhn & De Mori 1990).

    It keeps as many integers a token of the text as its order; building it takes about thirty bytes a token.

    Args:
        tokens_N: The train split.
        vocabulary: Number of symbols.
        discounting: From orders, which are 2 and the next ones, to how they discount. The highest is the model's; after
            fewer tokens than it looks at, the order answers that they are enough for.
        window: Tokens that it looks back at, at most.
        cache_weight: The share of the cache.
    """

    def __init__(
        self,
        tokens_N: Integers,
        vocabulary: int,
        discounting: Mapping[int, Discounting],
        *,
        window: int,
        cache_weight: float = 0.0,
    ) -> None:
        self.vocabulary, self.window, self.cache_weight = vocabulary, window, cache_weight
        self.order, text = max(discounting), CountedText(tokens_N, vocabulary)
        shorter = [text.counted(length, continued=True) for length in range(1, self.order)]
        #: For each order, what is given up by the counts of its n-grams of one token, of two, and so on.
        self.discounts = {
            order: [*map(kind, shorter[: order - 1]), kind(text.counted(order, continued=False))]
            for order, kind in discounting.items()
        }
        furthest = self.order - 1
        # V stands before the text: no context has it, and it is last in order.
        padded_N = np.append(np.full(furthest, vocabulary), tokens_N).astype(np.min_scalar_type(vocabulary))
        before = [padded_N[furthest - lag : len(padded_N) - lag] for lag in range(1, furthest + 1)]
        sorted_N = np.lexsort(before[::-1])
        #: The text's tokens, and those one place before each, two places before, and so on, which they are sorted by.
        self.tokens_N, *self.before = (column_N[sorted_N] for column_N in (tokens_N, *before))
        lowest_V = np.full(vocabulary, 1 / vocabulary)
        counts_V = self._counts(0, len(tokens_N), 1, continued=True)
        self.lowest = {
            order: _interpolated(counts_V, discounts[0], lowest_V) for order, discounts in self.discounts.items()
        }

    def next_V(self, context_T: Sequence[int]) -> Floats:
        """The probability of each token of the vocabulary after a context of at least one token; they sum to one."""
        seen_T = context_T[-self.window :]
        cache_V = np.bincount(seen_T, minlength=self.vocabulary) / len(seen_T)
        return (1 - self.cache_weight) * self._kneser_ney_V(seen_T) + self.cache_weight * cache_V

    def _kneser_ney_V(self, context_T: Sequence[int]) -> Floats:
        order = min(self.order, len(context_T) + 1)
        answer_V, low, high = self.lowest[order], 0, len(self.tokens_N)
        for length in range(2, order + 1):
            column_N = self.before[length - 2][low:high]
            token = context_T[1 - length]
            bounds = np.array([token, token + 1], dtype=column_N.dtype)  # of another type the column would be copied
            low, high = (low + np.searchsorted(column_N, bounds)).tolist()
            if low == high:
                break
            counts_V = self._counts(low, high, length, continued=length < order)
            answer_V = _interpolated(counts_V, self.discounts[order][length - 1], answer_V)
        return answer_V

    def _counts(self, low: int, high: int, length: int, *, continued: bool) -> Integers:
        """How often each token follows the context of some rows, or how many different tokens stand before the two."""
        tokens_N = self.tokens_N[low:high]
        if continued:
            before_N = self.before[length - 1][low:high]
            known = np.searchsorted(before_N, before_N.dtype.type(self.vocabulary))  # where something stands before it
            pairs = before_N[:known].astype(np.min_scalar_type(self.vocabulary**2)) * self.vocabulary + tokens_N[:known]
            pairs.sort()
            tokens_N = runs(pairs)[0] % self.vocabulary
        return np.bincount(tokens_N.astype(np.int64), minlength=self.vocabulary)


def of_floor(floor: Floor, tokens: Tokens, length: int) -> CountTable:
    """A floor of a study as a model.

    Args:
        floor: One of `ngram.TABLES`, with the share of its cache.
        tokens: The study's corpus.
        length: Targets of a sequence: as far as the cache looks back.
    """
    return CountTable(
        tokens.splits["train"].tokens_N,
        tokens.vocabulary,
        TABLES[floor.name],
        window=length,
        cache_weight=floor.cache_weight or 0.0,
    )


def _interpolated(counts_V: Integers, discounts: Sequence[float], lower_V: Floats) -> Floats:
    types = np.bincount(np.minimum(counts_V, 3), minlength=4)[1:]
    return interpolated(counts_V, counts_V.sum(), types, discounts, lower_V)
