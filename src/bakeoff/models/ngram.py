"""Models that only count: the floors under every table.

They predict the tokens that the networks predict, from the context that the networks see: what stands before the token
in its own sequence, and nothing of the sequence before.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bakeoff.data import Tokens, frequencies
from bakeoff.data.sequences import TokenStream
from bakeoff.metrics import Tally
from bakeoff.models.kneser_ney import KneserNey

#: Added to every symbol's count by the unigram, so that none has probability zero.
SMOOTHING = 0.1
#: Shares of the cache that are tried on valid.
CACHE_WEIGHTS = tuple(weight / 100 for weight in (0, 1, 2, 5, 8, 10, 12, 15, 20, 25, 30, 40, 50))
#: Sequences whose cache is counted at once.
SEQUENCES_AT_ONCE = 64

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Floors:
    """Counts of a train split, and what they make of other streams.

    Attributes:
        unigram_V: Probability of each symbol.
        bigram: Kneser-Ney of order two.
        trigram: Kneser-Ney of order three.
        length: Targets of a sequence.
    """

    unigram_V: Floats
    bigram: KneserNey
    trigram: KneserNey
    length: int

    @classmethod
    def fit(cls, train: TokenStream, vocabulary: int, length: int) -> "Floors":
        """Count train, as one stream."""
        counts_V = frequencies.counts(train, vocabulary) + SMOOTHING
        bigram, trigram = (KneserNey.fit(train.tokens_N, vocabulary, order) for order in (2, 3))
        return cls(unigram_V=counts_V / counts_V.sum(), bigram=bigram, trigram=trigram, length=length)

    def kn2(self, stream: TokenStream) -> Floats:
        """Probability of each target by the bigram."""
        return self.bigram.probabilities(stream.tokens_N[:-1, None], stream.tokens_N[1:])

    def kn3(self, stream: TokenStream) -> Floats:
        """Probability of each target by the trigram; by the bigram where a sequence begins, with one token to go by."""
        probabilities = self.kn2(stream)
        places = np.arange(1, stream.targets)
        inside = places[places % self.length != 0]
        contexts = np.stack([stream.tokens_N[inside - 1], stream.tokens_N[inside]], axis=1)
        probabilities[inside] = self.trigram.probabilities(contexts, stream.tokens_N[inside + 1])
        return probabilities

    def cache(self, stream: TokenStream) -> Floats:
        """Share of each target among the tokens before it in its sequence (Kuhn & De Mori 1990)."""
        return np.concatenate(list(self._cache_shares(stream)))

    def _cache_shares(self, stream: TokenStream) -> Iterator[Floats]:
        earlier_or_same = np.tri(self.length, dtype=bool)
        seen_L = np.arange(1, self.length + 1)
        for first in range(0, stream.sequences(self.length), SEQUENCES_AT_ONCE):
            last = min(first + SEQUENCES_AT_ONCE, stream.sequences(self.length))
            batch = stream.batch(np.arange(first, last), self.length)
            size = batch.inputs_BxL.shape[1]
            equal = batch.targets_BxL[:, :, None] == batch.inputs_BxL[:, None, :]
            shares = (equal & earlier_or_same[:size, :size]).sum(axis=2) / seen_L[:size]
            yield shares[batch.targets_BxL >= 0]


def baselines(tokens: Tokens, length: int) -> list[dict[str, Any]]:
    """Each floor's name, the seconds it took, and what it pays for the train sample, valid and test.

    Args:
        tokens: The corpus.
        length: Targets of a sequence, as the networks are given.
    """
    streams = {"train": tokens.train_sample, "valid": tokens.splits["valid"], "test": tokens.splits["test"]}
    started = time.perf_counter()
    floors = Floors.fit(tokens.splits["train"], tokens.vocabulary, length)
    fitting = time.perf_counter() - started
    weight = best_cache_weight(floors, streams["valid"])
    models: dict[str, Callable[[TokenStream], Floats]] = {
        "uniform": lambda stream: np.full(stream.targets, 1 / tokens.vocabulary),
        "unigram": lambda stream: floors.unigram_V[stream.tokens_N[1:]],
        "kn2": floors.kn2,
        "kn3": floors.kn3,
        "kn3+cache": lambda stream: mixed(floors.kn3(stream), floors.cache(stream), weight),
    }
    return [_baseline(name, model, streams, fitting) | _weight(name, weight) for name, model in models.items()]


def best_cache_weight(floors: Floors, valid: TokenStream) -> float:
    """The share of the cache with which valid costs the least."""
    trigram, cache = floors.kn3(valid), floors.cache(valid)
    return min(CACHE_WEIGHTS, key=lambda weight: -float(np.log(mixed(trigram, cache, weight)).sum()))


def mixed(model: Floats, cache: Floats, weight: float) -> Floats:
    """A model and its cache, in those shares."""
    return (1 - weight) * model + weight * cache


def _baseline(
    name: str, model: Callable[[TokenStream], Floats], streams: dict[str, TokenStream], fitting: float
) -> dict[str, Any]:
    started = time.perf_counter()
    measured = {split: tally(stream, model(stream)).as_json() for split, stream in streams.items()}
    counted = 0.0 if name == "uniform" else fitting
    return {"name": name, **measured, "seconds": counted + time.perf_counter() - started}


def _weight(name: str, weight: float) -> dict[str, float]:
    return {"cache_weight": weight} if name == "kn3+cache" else {}


def tally(stream: TokenStream, probabilities: Floats) -> Tally:
    """What a stream costs, given the probability of each of its targets."""
    nats = -float(np.log(probabilities).sum())
    return Tally(nats=nats, tokens=stream.targets, words=stream.words, bytes=stream.bytes)
