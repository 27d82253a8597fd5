"""Tokenizers: byte-level BPE trained on a train split, with which nothing is lost, and GPT-1's, with which much is."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from bakeoff.data import gpt1
from bakeoff.data.cache import cache_folder
from bakeoff.errors import UserError
from bakeoff.files import written_atomically


def train_bpe(documents: Sequence[str], vocabulary: int) -> Tokenizer:
    """Train byte-level BPE (Sennrich et al. 2016; on bytes: Radford et al. 2019), or take it from the cache.

    Args:
        documents: The train split, and nothing else.
        vocabulary: Symbols wanted; a small text may have fewer pairs to merge, and then yields fewer.

    Returns:
        A tokenizer without special symbols: decoding what it encoded gives the text back, byte for byte.
    """
    cached = cache_folder() / "tokenizers" / f"{_fingerprint(documents, vocabulary)}.json"
    if cached.is_file():
        return Tokenizer.from_file(str(cached))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(documents, trainer=trainer)
    with written_atomically(cached) as temporary:
        tokenizer.save(str(temporary))
    return tokenizer


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


def _fingerprint(documents: Sequence[str], vocabulary: int) -> str:
    digest = hashlib.sha256(f"byte-level BPE, {vocabulary} symbols, tokenizers {version('tokenizers')}".encode())
    for document in documents:
        digest.update(hashlib.sha256(document.encode()).digest())
    return digest.hexdigest()[:24]
