"""Nats and counts, and the only place where they become perplexity."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

#: Where there is less than a word in so many bytes, as in text without spaces, a perplexity per word says nothing.
BYTES_A_WORD = 50


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a model paid for a piece of text: a sum, and the counts to divide it by.

    Quotients are taken once, of whole sums, so no figure depends on how the text was cut into batches.

    Attributes:
        nats: Summed negative log-likelihood of every predicted token, in nats.
        tokens: Predicted tokens.
        words: Whitespace-separated words of the text.
        bytes: UTF-8 bytes of the text.
    """

    nats: float
    tokens: int
    words: int
    bytes: int

    @classmethod
    def of(cls, sums: Mapping[str, Any]) -> Self:
        """From sums as records keep them, without whatever stands beside them."""
        return cls(nats=sums["nats"], tokens=sums["tokens"], words=sums["words"], bytes=sums["bytes"])

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Perplexity per token, `exp(nats / tokens)`; comparable only under one tokenizer."""
        return perplexity(self.nats, self.tokens)

    @property
    def word_perplexity(self) -> float:
        """Perplexity per word, `exp(nats / words)`; comparable across lossless tokenizers."""
        return perplexity(self.nats, self.words)

    @property
    def has_words(self) -> bool:
        """Whether the text has words to speak of."""
        return self.bytes <= BYTES_A_WORD * self.words

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte, `nats / (bytes ln 2)`; comparable across lossless tokenizers."""
        return self.nats / (self.bytes * math.log(2))

    def sums(self) -> dict[str, float]:
        """What a history keeps: the sum and the counts, no quotient."""
        return {"nats": self.nats, "tokens": self.tokens, "words": self.words, "bytes": self.bytes}

    def as_json(self) -> dict[str, float | None]:
        """The sums and every quotient of them; None where one is too large for a float, or there are no words."""
        quotients = {
            "loss": self.loss,
            "perplexity": self.perplexity,
            "word_perplexity": self.word_perplexity if self.has_words else math.inf,
            "bits_per_byte": self.bits_per_byte,
        }
        return self.sums() | {name: value if math.isfinite(value) else None for name, value in quotients.items()}


def perplexity(nats: float, units: int) -> float:
    """`exp(nats / units)`; infinite where a float cannot hold it."""
    try:
        return math.exp(nats / units)
    except OverflowError:
        return math.inf
