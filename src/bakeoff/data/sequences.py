"""Token streams: a split as one memory-mapped array of integers, its document boundaries, and batches cut from it.

Sizes in names: B sequences of a batch, L tokens of a sequence, N tokens of a stream, D documents.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from bakeoff.data.cache import cache_folder
from bakeoff.files import written_atomically

Integers = npt.NDArray[np.integer]
#: The target of a padded place; the loss skips it, as torch's does by default.
IGNORED = -100


class Batch(NamedTuple):
    """Sequences with their next-token targets, both BxL in int64, and how many targets are not padding."""

    inputs_BxL: Integers
    targets_BxL: Integers
    targets: int


@dataclass(frozen=True, kw_only=True)
class TokenStream:
    """A split as tokens, cut into consecutive sequences in which every token but the first is predicted once.

    Attributes:
        tokens_N: All documents' tokens, one after the other.
        starts_D: Where each document begins in `tokens_N`.
        words_D: Whitespace-separated words of each document.
        bytes_D: UTF-8 bytes of each document.
    """

    tokens_N: Integers
    starts_D: Integers
    words_D: Integers
    bytes_D: Integers

    @property
    def targets(self) -> int:
        """Tokens that are predicted: all but the first."""
        return len(self.tokens_N) - 1

    @property
    def words(self) -> int:
        """Words of the whole split."""
        return int(self.words_D.sum())

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of the whole split."""
        return int(self.bytes_D.sum())

    @property
    def tokens_D(self) -> Integers:
        """Predicted tokens of each document."""
        return np.bincount(self.document_of_targets, minlength=len(self.starts_D))

    @property
    def document_of_targets(self) -> Integers:
        """The document that each of the N - 1 targets belongs to."""
        return np.searchsorted(self.starts_D, np.arange(1, len(self.tokens_N)), side="right") - 1

    def sequences(self, length: int) -> int:
        """How many sequences of `length` targets the stream has, the ragged last one included."""
        return -(-self.targets // length)

    def batches(self, order: Integers, batch_size: int, length: int) -> Iterator[Batch]:
        """Cut batches in the given order of sequences; the last may be smaller, the ragged sequence is padded."""
        for first in range(0, len(order), batch_size):
            yield self.batch(order[first : first + batch_size], length)

    def batch(self, sequences_B: Integers, length: int) -> Batch:
        """The batch of those sequences, each of `length` targets; only the stream's last one can be padded."""
        longest = min(length, self.targets - int(sequences_B.min()) * length)
        places = sequences_B[:, None].astype(np.int64) * length + np.arange(longest)
        beyond = places >= self.targets
        places[beyond] = 0
        targets = self.tokens_N[places + 1].astype(np.int64)
        targets[beyond] = IGNORED
        return Batch(self.tokens_N[places].astype(np.int64), targets, targets.size - int(beyond.sum()))

    def select(self, documents: Sequence[int] | Integers) -> "TokenStream":
        """A stream of those documents, in that order, whole."""
        ends = np.append(self.starts_D[1:], len(self.tokens_N))
        pieces = [self.tokens_N[self.starts_D[d] : ends[d]] for d in documents]
        starts = np.cumsum([0, *(len(piece) for piece in pieces)])[:-1]
        return TokenStream(
            tokens_N=np.concatenate(pieces),
            starts_D=starts,
            words_D=self.words_D[documents],
            bytes_D=self.bytes_D[documents],
        )


def stream(
    documents: Sequence[str],
    tokenizer: Tokenizer,
    count_words: Callable[[str], int] = lambda text: len(text.split()),
    count_bytes: Callable[[str], int] = lambda text: len(text.encode()),
) -> TokenStream:
    """Encode documents, each on its own so that no token spans two, or take their tokens from the cache."""
    folder = cache_folder() / "tokens" / _fingerprint(documents, tokenizer)
    if not (folder / "starts.npy").is_file():
        _write(folder, documents, tokenizer)
    return TokenStream(
        tokens_N=np.load(folder / "tokens.npy", mmap_mode="r"),
        starts_D=np.load(folder / "starts.npy"),
        words_D=np.array(list(map(count_words, documents))),
        bytes_D=np.array(list(map(count_bytes, documents))),
    )


def _write(folder: Path, documents: Sequence[str], tokenizer: Tokenizer) -> None:
    encoded = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(documents), add_special_tokens=False)]
    smallest = np.uint16 if tokenizer.get_vocab_size() <= np.iinfo(np.uint16).max + 1 else np.uint32
    starts = np.cumsum([0, *map(len, encoded)])[:-1]
    with written_atomically(folder / "tokens.npy") as temporary:
        np.save(temporary, np.fromiter((token for ids in encoded for token in ids), dtype=smallest))
    # Written last: its presence says that the stream is whole.
    with written_atomically(folder / "starts.npy") as temporary:
        np.save(temporary, starts)


def _fingerprint(documents: Sequence[str], tokenizer: Tokenizer) -> str:
    digest = hashlib.sha256(tokenizer.to_str().encode())
    for document in documents:
        digest.update(hashlib.sha256(document.encode()).digest())
    return digest.hexdigest()[:24]
