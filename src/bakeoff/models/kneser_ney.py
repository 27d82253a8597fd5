"""Interpolated Kneser-Ney n-gram models on integer tokens (Kneser & Ney 1995; Chen & Goodman 1998).

    P(w | context) = (max(c - D(c), 0) + (D1 N1 + D2 N2 + D3 N3) P(w | shorter context)) / count(context)

Here c is the count of the n-gram, and N1, N2, N3 are how many n-grams of the context count one, two, and more. The
highest order counts occurrences; each lower one counts how many different tokens stand before an n-gram. Below single
tokens stands the uniform distribution, so that every token has a probability, and all sum to one.

The counts of a large text fit into no memory. So all that is asked is asked at once, and the text is counted for it,
the n-grams of some first tokens at a time: what that takes depends on neither the text's size nor the vocabulary's.
"""

import itertools
import mmap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bakeoff.data import frequencies

Integers = npt.NDArray[np.integer]
Numbers = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)
Unsigned = TypeVar("Unsigned", bound=np.unsignedinteger)
#: From how many n-grams count 0, 1, 2, 3, 4 to what a count of one, of two, and of more gives up to the lower order.
Discounting = Callable[[Integers], tuple[float, float, float]]

#: N-grams that are counted at once, as far as first tokens tell them apart.
AT_ONCE = 1 << 22
#: Tokens that are looked through, and questions that are answered, at once.
BLOCK = 1 << 20
#: How many different keys there are.
KEYS = 1 << 64


def textbook(_counted: Integers) -> tuple[float, float, float]:
    """Three quarters of any count (Jurafsky & Martin, Speech and Language Processing, section 3.8)."""
    return 0.75, 0.75, 0.75


def estimated(counted: Integers) -> tuple[float, float, float]:
    """Modified Kneser-Ney's discounts (Chen & Goodman 1998, equation 26).

    With Y = n1 / (n1 + 2 n2), a count c of one, two, and three or more gives up c - (c + 1) Y n(c + 1) / n(c). Where
    one of them gives up nothing, as in a text too small for this, the textbook's: no token has probability 0.

    Args:
        counted: How many n-grams count 0, 1, 2, 3, 4.
    """
    n = counted.tolist()
    if not all(n[1:]):
        return textbook(counted)
    share = n[1] / (n[1] + 2 * n[2])
    one, two, more = (c - (c + 1) * share * n[c + 1] / n[c] for c in (1, 2, 3))
    return (one, two, more) if min(one, two, more) > 0 else textbook(counted)


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Tokens whose probabilities are asked for, T of them.

    Attributes:
        columns: The tokens themselves, those one place before them, two places before, and so on; T each.
        known_T: How many of the places before each may be looked at; what stands in the others does not matter.
    """

    columns: Sequence[Integers]
    known_T: Integers


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    """What a text has of the n-grams that T questions ask for.

    Attributes:
        counts_T: The count of the n-gram.
        totals_T: The sum of the counts of all n-grams of its context.
        types: How many n-grams of its context count one, two, and more; T each.
        counted: How many n-grams of the whole text count 0, 1, 2, 3, 4.
    """

    counts_T: Integers
    totals_T: Integers
    types: Sequence[Integers]
    counted: Integers

    def interpolate(self, discounting: Discounting, lower_T: Floats, enough_T: Flags, answers_T: Floats) -> None:
        """Answer each question that knows enough: its token's probability, given the lower order's probabilities."""
        discounts = discounting(self.counted)
        for first in range(0, len(answers_T), BLOCK):
            part = slice(first, first + BLOCK)
            types = [types_T[part] for types_T in self.types]
            answer = interpolated(self.counts_T[part], self.totals_T[part], types, discounts, lower_T[part])
            answers_T[part] = np.where(enough_T[part], answer, answers_T[part])


def interpolated(
    counts: Integers,
    totals: Integers | np.integer,
    types: Sequence[Integers] | Integers,
    discounts: Sequence[float],
    lower: Floats,
) -> Floats:
    """The formula above, for the tokens of many contexts or of one; where a context is new, the lower order's answer.

    Args:
        counts: The count of each n-gram.
        totals: The sum of the counts of all n-grams of its context.
        types: How many n-grams of its context count one, two, and more.
        discounts: What a count of one, of two, and of more gives up.
        lower: The lower order's probability of its last token.
    """
    given_up = np.array([0.0, *discounts])
    mass = np.maximum(counts - given_up[np.minimum(counts, 3)], 0)
    mass += lower * sum(discount * number for discount, number in zip(discounts, types, strict=True))
    return np.where(totals > 0, mass / np.maximum(totals, 1), lower)


def probabilities(
    tokens_N: Integers,
    vocabulary: int,
    questions: Questions,
    discounting: Mapping[int, Discounting],
    told: Callable[[float], object] = lambda _: None,
) -> Iterator[tuple[int, Floats]]:
    """Probability of each question's token by models of rising order, for all of which the text is counted once.

    Where a question knows less context than a model has, the model before it answers.

    Args:
        tokens_N: The train split.
        vocabulary: Number of symbols.
        questions: What is asked.
        discounting: From the orders wanted, which are 1 or 2 and the next ones, to how they discount.
        told: Is told the share that is done.

    Yields:
        Each order, and its T answers, which are overwritten afterwards.
    """
    text = CountedText(tokens_N, vocabulary)
    answers_T = np.full(len(questions.known_T), 1 / vocabulary)
    lower = {kind: answers_T.copy() for kind in discounting.values()}
    for length in range(1, max(discounting) + 1):
        ngrams, enough_T = questions.columns[length - 1 :: -1], questions.known_T >= length - 1
        if length in discounting:
            kind = discounting[length]
            text.evidence(ngrams, enough_T, continued=False).interpolate(kind, lower[kind], enough_T, answers_T)
            told(length / max(discounting))
            yield length, answers_T
        lower = {kind: lower[kind] for order, kind in discounting.items() if order > length}
        if lower:
            seen = text.evidence(ngrams, enough_T, continued=True)
            for kind, lower_T in lower.items():
                seen.interpolate(kind, lower_T, enough_T, lower_T)
            del seen  # while the next are counted it would take as much as they do


class CountedText:
    """A text that is counted for what is asked."""

    def __init__(self, tokens_N: Integers, vocabulary: int) -> None:
        self.tokens_N, self.vocabulary = tokens_N, vocabulary
        before = np.append(0, np.cumsum(frequencies.counts(tokens_N, vocabulary)))
        edges = [0]
        while edges[-1] < vocabulary:
            last = int(np.searchsorted(before, before[edges[-1]] + AT_ONCE, side="right")) - 1
            edges.append(max(last, edges[-1] + 1))
        #: First tokens that are counted together, from one to before another.
        self.ranges = list(itertools.pairwise(edges))

    def evidence(self, asked: Sequence[Integers], enough_T: Flags, *, continued: bool) -> _Evidence:
        """What the text has of n-grams.

        Args:
            asked: The n-grams as columns, the oldest token first.
            enough_T: Which of them are asked for.
            continued: Whether what counts is how many different tokens stand before an n-gram, and not how often.
        """
        counts_T, totals_T, *types = (np.zeros(len(asked[0]), dtype=np.uint32) for _ in range(5))
        counted = np.zeros(5, dtype=np.int64)
        for low, high in self.ranges:
            here = np.flatnonzero((asked[0] >= low) & (asked[0] < high) & enough_T)
            keys, wanted = self._keys([column[here] for column in asked], low, high, continued=continued)
            if not len(keys):
                continue
            order = np.argsort(wanted)  # neighbours are looked up faster
            here, wanted = here[order], wanted[order]
            ngrams, counts = runs(keys)
            counted += np.bincount(np.minimum(counts, 5), minlength=6)[:5]
            counts_T[here] = _look_up(wanted, ngrams, counts)
            contexts, sizes = runs(ngrams // np.uint64(self.vocabulary))
            wanted //= np.uint64(self.vocabulary)
            first, kinds = np.cumsum(sizes, dtype=np.int64) - sizes, np.minimum(counts, 3)
            for of_T, values in zip((totals_T, *types), (counts, *(kinds == kind for kind in (1, 2, 3))), strict=True):
                sums = np.add.reduceat(values, first, dtype=np.uint32)
                if len(asked) == 1:  # the empty context is that of every token
                    np.add(of_T, sums.sum(dtype=np.uint32), out=of_T)
                else:
                    of_T[here] = _look_up(wanted, contexts, sums)
        return _Evidence(counts_T=counts_T, totals_T=totals_T, types=types, counted=counted)

    def counted(self, length: int, *, continued: bool) -> Integers:
        """How many n-grams of the whole text count 0, 1, 2, 3, 4; `continued` as in `evidence`."""
        nothing = np.zeros(0, dtype=self.tokens_N.dtype)
        return self.evidence([nothing] * length, nothing.astype(np.bool_), continued=continued).counted

    def _keys(self, asked: Sequence[Integers], low: int, high: int, *, continued: bool) -> tuple[Numbers, Numbers]:
        """The text's n-grams with a first token from `low` to before `high`, as often as they count; those asked for.

        Both as numbers, the text's in rising order: in base V, but for contexts that are too many for that, which are
        replaced by their ranks.
        """
        offsets = range(-1 if continued else 0, len(asked))
        ngrams = dict(zip(offsets, self._columns(low, high, offsets), strict=True))
        keys, wanted = (tokens.astype(np.uint64) - np.uint64(low) for tokens in (ngrams[0], asked[0]))
        size = high - low
        for offset, column in enumerate(asked[1:], start=1):
            more = 2 if continued and offset == len(asked) - 1 else 1
            keys, wanted, size = self._with_room(keys, wanted, size, more)
            keys, wanted = self._appended(keys, ngrams[offset]), self._appended(wanted, column)
        if continued:
            keys = self._appended(keys, ngrams[-1])
            keys.sort()
            keys = runs(keys)[0] // np.uint64(self.vocabulary)
        else:
            keys.sort()
        return keys, wanted

    def _columns(self, low: int, high: int, offsets: range) -> list[Integers]:
        """At each offset, what stands so far from each token from `low` to before `high` that has them all."""
        columns = [[self.tokens_N[:0]] for _ in offsets]
        first, end = -offsets[0], len(self.tokens_N) - offsets[-1]
        for start in range(first, end, BLOCK):
            block = self.tokens_N[start : min(start + BLOCK, end)]
            places = np.flatnonzero((block >= low) & (block < high)) + start
            for column, offset in zip(columns, offsets, strict=True):
                column.append(self.tokens_N[places + offset])
            _leave(self.tokens_N)
        return list(map(np.concatenate, columns))

    def _appended(self, keys: Numbers, tokens: Integers) -> Numbers:
        keys *= np.uint64(self.vocabulary)
        keys += tokens.astype(np.uint64)
        return keys

    def _with_room(self, keys: Numbers, wanted: Numbers, size: int, more: int) -> tuple[Numbers, Numbers, int]:
        """Keys that leave room for so many more tokens, and how many there can be with one more."""
        if size * self.vocabulary**more > KEYS:
            order = np.argsort(keys)
            known, counts = runs(keys[order])
            ranks = np.arange(1, len(known) + 1, dtype=np.uint64)  # 0 is what the text does not have
            keys[order] = np.repeat(ranks, counts)
            wanted, size = _look_up(wanted, known, ranks), len(known) + 1
        return keys, wanted, size * self.vocabulary


def runs(keys: npt.NDArray[Unsigned]) -> tuple[npt.NDArray[Unsigned], npt.NDArray[np.uint32]]:
    """The different keys of an array in order, and how often each is there."""
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else np.zeros(0, dtype=np.int64)
    return keys[first], np.diff(first, append=len(keys)).astype(np.uint32)


def _look_up(keys: Numbers, known: Numbers, values: npt.NDArray[Value]) -> npt.NDArray[Value]:
    """The value of each key, 0 for those that are not known."""
    if not len(known):
        return np.zeros(len(keys), dtype=values.dtype)
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, values[places], 0)


def _leave(tokens_N: Integers) -> None:
    """Let the system take back the memory of a file's pages, which it would count as ours."""
    if isinstance(tokens_N.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        tokens_N.base.madvise(mmap.MADV_DONTNEED)
