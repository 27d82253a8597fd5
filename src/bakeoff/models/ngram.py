"""Models that only count: the floors under every table.

They predict the same tokens as the networks do: every token of a split but its first.
"""

from typing import Any

import numpy as np

from bakeoff.data import Tokens, frequencies
from bakeoff.data.sequences import TokenStream
from bakeoff.metrics import Tally

#: Added to every symbol's count, so that none has probability zero.
SMOOTHING = 0.1


def uniform(stream: TokenStream, vocabulary: int) -> Tally:
    """Every symbol alike: `ln V` nats a token."""
    return _tally(stream, stream.targets * float(np.log(vocabulary)))


def unigram(stream: TokenStream, train: TokenStream, vocabulary: int) -> Tally:
    """Each symbol by its count in train plus `SMOOTHING`: all that can be known without context."""
    counts = frequencies.counts(train, vocabulary) + SMOOTHING
    nats_V = np.log(counts.sum()) - np.log(counts)
    return _tally(stream, float(nats_V[stream.tokens_N[1:]].sum()))


def baselines(tokens: Tokens) -> list[dict[str, Any]]:
    """Each floor's name and what it pays for the train sample, valid and test."""
    streams = {"train": tokens.train_sample, "valid": tokens.splits["valid"], "test": tokens.splits["test"]}
    train, vocabulary = tokens.splits["train"], tokens.vocabulary
    return [
        {"name": "uniform"} | {split: uniform(s, vocabulary).as_json() for split, s in streams.items()},
        {"name": "unigram"} | {split: unigram(s, train, vocabulary).as_json() for split, s in streams.items()},
    ]


def _tally(stream: TokenStream, nats: float) -> Tally:
    return Tally(nats=nats, tokens=stream.targets, words=stream.words, bytes=stream.bytes)
