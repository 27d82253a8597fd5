"""Text from a model, a token at a time.

Sizes in names: T tokens that are given, V symbols.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from torch import Tensor, nn

from bakeoff.errors import UserError
from bakeoff.models.count_table import CountTable
from bakeoff.models.tied import TiedLanguageModel
from bakeoff.spec import LARGEST_SEED, real, whole

#: What stands before a text that nothing was given of: documents end with it, so that others follow it.
BEFORE = "\n"


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How the next token is chosen.

    Attributes:
        tokens: How many are generated.
        temperature: What logits are divided by; at 0 the likeliest token is taken.
        top_k: How many of the likeliest tokens may be drawn; None for all.
        seed: Of the draws.
    """

    tokens: int = 200
    temperature: float = 0.8
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        whole(self, "tokens", 1, 1_000_000)
        real(self, "temperature")
        if self.top_k is not None:
            whole(self, "top_k", 1, 1_000_000)
        whole(self, "seed", 0, LARGEST_SEED)


class Source(Protocol):
    """What says which tokens may come next; it remembers what it has read."""

    def read(self, tokens_T: Sequence[int]) -> Tensor:
        """Read some more tokens, at least one; the logits of the one after them, V numbers."""
        ...


class Network:
    """A network as a source. It carries its state from token to token (`TiedLanguageModel.resume`).

    Raises:
        UserError: The model has no such state, nor logits to be seen.
    """

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, TiedLanguageModel):
            raise UserError("only models with a tied output layer generate text, and this one has none")
        self.model = model.eval()
        self.state: Any = None
        self.seen: list[int] = []

    @torch.no_grad()
    def read(self, tokens_T: Sequence[int]) -> Tensor:
        """As in `Source`. A full window loses its older half, so that the rest is read again only now and then."""
        self.seen.extend(tokens_T)
        if self.model.window and len(self.seen) > self.model.window:
            self.seen = self.seen[-max(1, self.model.window // 2) :]
            self.state, tokens_T = None, self.seen
        weight_VxE = self.model.embedding.weight
        features, self.state = self.model.resume(torch.tensor([tokens_T], device=weight_VxE.device), self.state)
        return F.linear(features[0, -1], weight_VxE).cpu()


class Counts:
    """A count table as a source; what stood before its window is forgotten."""

    def __init__(self, table: CountTable) -> None:
        self.table = table
        self.seen: list[int] = []

    def read(self, tokens_T: Sequence[int]) -> Tensor:
        """As in `Source`: logarithms of probabilities are logits."""
        self.seen = [*self.seen, *tokens_T][-self.table.window :]
        return torch.from_numpy(np.log(self.table.next_V(self.seen)))


def generate(source: Source, prompt_T: Sequence[int], choice: Decoding) -> Iterator[int]:
    """The tokens that follow the prompt, as they are drawn."""
    generator = torch.Generator().manual_seed(choice.seed)
    tokens = prompt_T
    for _ in range(choice.tokens):
        token = _draw(source.read(tokens), choice, generator)
        yield token
        tokens = [token]


def text(source: Source, tokenizer: Tokenizer, prompt: str, choice: Decoding) -> Iterator[str]:
    """What follows the prompt, in pieces of whole characters, as they come."""
    tokens = _encoded(tokenizer, prompt or BEFORE) or _encoded(tokenizer, ".")  # some tokenizers drop all blanks
    stream = DecodeStream()
    for token in generate(source, tokens, choice):
        if piece := stream.step(tokenizer, token):
            yield piece


def _encoded(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def _draw(logits_V: Tensor, choice: Decoding, generator: torch.Generator) -> int:
    if choice.temperature == 0:
        return int(logits_V.argmax())
    if choice.top_k is not None:
        least = logits_V.topk(min(choice.top_k, len(logits_V))).values[-1]
        logits_V = logits_V.masked_fill(logits_V < least, -torch.inf)
    logits_V = logits_V.double()
    # The largest is 0 first, so that no temperature makes it infinite: a very low one takes the likeliest token.
    probabilities = ((logits_V - logits_V.max()) / choice.temperature).softmax(0)
    return int(torch.multinomial(probabilities, 1, generator=generator))
