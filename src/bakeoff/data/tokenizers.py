"""Tokenizers: byte-level BPE trained on a train split, so that every text can be spelled and nothing is lost."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from bakeoff.data.cache import cache_folder
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


#: From a budget's `tokenizer` to the function that makes it from the train split's documents at a vocabulary size.
TOKENIZERS = {"bpe": train_bpe}


def _fingerprint(documents: Sequence[str], vocabulary: int) -> str:
    digest = hashlib.sha256(f"byte-level BPE, {vocabulary} symbols, tokenizers {version('tokenizers')}".encode())
    for document in documents:
        digest.update(hashlib.sha256(document.encode()).digest())
    return digest.hexdigest()[:24]
