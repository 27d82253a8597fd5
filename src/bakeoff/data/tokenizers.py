"""Tokenizers: byte-level BPE trained on a train split, with which nothing is lost, and GPT-1's, with which much is."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from bakeoff.data import gpt1
from bakeoff.errors import UserError

#: Runs of letters, of blanks and of signs that are no words: a tokenizer's training takes time with the square of them.
_RUNS = re.compile(r"(\w{256}|\s{256}|[^\w\s]{256})")

#: Characters of train that a tokenizer is trained on, at most: its training keeps all different words in memory, which
#: took 4 bytes a character of an ordinary text, and 18 of one as diverse as a hundred languages.
ENOUGH = 1 << 25


def train_bpe(documents: Sequence[str], vocabulary: int) -> Tokenizer:
    """Train byte-level BPE (Sennrich et al. 2016; on bytes: Radford et al. 2019).

    Args:
        documents: The train split, and nothing else; a run of over 256 letters, blanks or signs is shown in parts, and
            of a split above `ENOUGH` only every n-th document.
        vocabulary: Symbols wanted; a small text may have fewer pairs to merge, and then yields fewer.

    Returns:
        A tokenizer without special symbols: decoding what it encoded gives the text back, byte for byte.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    every = -(-sum(map(len, documents)) // ENOUGH)
    tokenizer.train_from_iterator(_shown(documents[:: max(1, every)]), trainer=trainer)
    return tokenizer


def _shown(documents: Iterable[str]) -> Iterator[str]:
    for document in documents:
        yield from filter(None, _RUNS.split(document))


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of tokenizer.

    Attributes:
        make: From the train split's documents and a vocabulary size, the tokenizer.
        is_here: Whether `make` would fetch nothing.
        lossy: Whether some of the text is lost, so that bits per byte compare with no lossless tokenizer's.
    """

    make: Callable[[Sequence[str], int], Tokenizer]
    is_here: Callable[[], bool] = lambda: True
    lossy: bool = False


#: From a budget's `tokenizer` to what makes it.
TOKENIZERS = {
    "bpe": Kind(make=train_bpe),
    "gpt1": Kind(make=gpt1.tokenizer, is_here=gpt1.tokenizer_is_here, lossy=True),
}


def find(name: str) -> Kind:
    """The kind of tokenizer of that name.

    Raises:
        UserError: There is none.
    """
    if name not in TOKENIZERS:
        raise UserError(f"unknown tokenizer {name!r}: use {', '.join(TOKENIZERS)}")
    return TOKENIZERS[name]
