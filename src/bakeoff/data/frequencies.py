"""How often each symbol occurs in train, and deciles of equal token mass, from frequent to rare."""

import numpy as np
import numpy.typing as npt

from bakeoff.data.sequences import Integers

DECILES = 10
#: Tokens that are counted at once, as each then takes eight bytes.
AT_ONCE = 1 << 20


def counts(tokens_N: Integers, vocabulary: int) -> npt.NDArray[np.int64]:
    """Occurrences of each of the `vocabulary` symbols."""
    counted = np.zeros(vocabulary, dtype=np.int64)
    for first in range(0, len(tokens_N), AT_ONCE):
        counted += np.bincount(tokens_N[first : first + AT_ONCE], minlength=vocabulary)
    return counted


def deciles(counts_V: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The frequency decile, 0 to 9, of each symbol: 0 holds the most frequent, 9 the rarest and the unseen.

    Symbols in falling order of their count are cut where a further tenth of all tokens is reached, so that each decile
    has about equal token mass (a symbol is never divided). After Kunstner et al. 2024, who group classes this way.
    """
    order = np.argsort(-counts_V, kind="stable")
    mass_before = np.cumsum(counts_V[order]) - counts_V[order]
    decile_of = np.empty(len(counts_V), dtype=np.int64)
    decile_of[order] = np.minimum(mass_before * DECILES // max(int(counts_V.sum()), 1), DECILES - 1)
    return decile_of
