"""How much of one split stands word for word in another: the share of its runs of words, or tokens, in the other.

What was seen in training is remembered, and measures nothing.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from bakeoff.data.sequences import SLICE, Integers

#: Words of a shared run that is hardly chance (the length that GPT-3's authors looked for, Brown et al. 2020).
LENGTH = 13
#: Tokens of one: at a vocabulary of some thousands they are about as many words.
TOKENS = 20
#: Odd, and without a pattern in its bits: what a run's earlier tokens are multiplied by, modulo 2**64 (Knuth 1997).
FACTOR = np.uint64(6364136223846793005)

Hashes = npt.NDArray[np.uint64]


def shared_ngrams(documents: Sequence[str], train: Sequence[str]) -> float:
    """Share of the different runs of `LENGTH` words in `documents` that occur in `train`, each inside one document."""
    seen = set(_ngrams(documents))
    return len(seen.intersection(_ngrams(train))) / max(len(seen), 1)


def _ngrams(documents: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for document in documents:
        words = document.split()
        yield from zip(*(words[first:] for first in range(LENGTH)), strict=False)


def shared_runs(tokens_N: Integers, train_N: Integers, length: int = TOKENS) -> float:
    """Share of the different runs of `length` tokens in a stream that occur in train's, across documents too.

    Runs are known by 64 bits: among a billion of train and a million others one in 20,000 streams is off by a run.
    """
    wanted = np.unique(np.concatenate([np.zeros(0, np.uint64), *_hashes(tokens_N, length)]))
    found = np.zeros(len(wanted), bool)
    for hashes in _hashes(train_N, length) if len(wanted) else ():
        places = np.searchsorted(wanted, hashes)
        places[places == len(wanted)] = 0
        found[places[wanted[places] == hashes]] = True
    return float(found.mean()) if len(wanted) else 0.0


def _hashes(tokens_N: Integers, length: int) -> Iterator[Hashes]:
    """Of every run, in the order of the stream, some at a time."""
    for first in range(0, len(tokens_N) - length + 1, SLICE):
        part = tokens_N[first : first + SLICE + length - 1].astype(np.uint64)
        hashes = np.zeros(len(part) - length + 1, np.uint64)
        for place in range(length):
            hashes = hashes * FACTOR + part[place : place + len(hashes)] + np.uint64(1)
        yield hashes
