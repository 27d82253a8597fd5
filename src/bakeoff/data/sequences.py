"""Token streams: a split as one memory-mapped array of integers, its document boundaries, and batches cut from it.

Sizes in names: B sequences of a batch, L tokens of a sequence, N tokens of a stream, D documents.
"""

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

Integers = npt.NDArray[np.integer]
#: The target of a padded place; the loss skips it, as torch's does by default.
IGNORED = -100
#: Characters that are encoded at once: what they take in memory until they are on the disk is seventy times as much.
SLICE = 1 << 20


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
        sizes = np.diff(self.starts_D, append=len(self.tokens_N))
        sizes[np.searchsorted(self.starts_D, 0, side="right") - 1] -= 1  # the first token is not predicted
        return sizes

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


def words_and_bytes(document: str) -> tuple[int, int]:
    """Whitespace-separated words and UTF-8 bytes of a document."""
    return len(document.split()), len(document.encode())


def write(
    path: Path,
    documents: Collection[str],
    tokenizer: Tokenizer,
    *,
    count: Callable[[str], tuple[int, int]] = words_and_bytes,
    told: Callable[[float], object] = lambda _: None,
) -> None:
    """Encode documents, each on its own so that no token spans two, a slice at a time.

    Args:
        path: Where `read` finds the stream again: two files, with suffixes of their own.
        documents: The text.
        tokenizer: What encodes it.
        count: Words and bytes of a document.
        told: Is told the share that is done.
    """
    largest = max(tokenizer.get_vocab().values(), default=0)  # those of others may leave some out
    smallest = np.uint16 if largest <= np.iinfo(np.uint16).max else np.uint32
    facts = array("q")
    with path.with_suffix(".tokens").open("wb") as file:
        for part in _slices(documents):
            for document, encoded in zip(
                part, tokenizer.encode_batch_fast(part, add_special_tokens=False), strict=True
            ):
                tokens = np.array(encoded.ids, dtype=smallest)
                file.write(tokens.tobytes())
                facts.extend((len(tokens), *count(document)))
            told(len(facts) // 3 / len(documents))
    np.savez(path.with_suffix(".npz"), dtype=smallest(0), facts_Dx3=np.array(facts).reshape(-1, 3))


def read(path: Path) -> TokenStream:
    """The stream that `write` left there, its tokens memory-mapped."""
    with np.load(path.with_suffix(".npz")) as kept:
        facts_Dx3, dtype = kept["facts_Dx3"], kept["dtype"].dtype
    tokens_D, words_D, bytes_D = facts_Dx3.T.copy()
    return TokenStream(
        tokens_N=np.memmap(path.with_suffix(".tokens"), dtype, "r") if tokens_D.any() else np.zeros(0, dtype),
        starts_D=np.cumsum(tokens_D) - tokens_D,
        words_D=words_D,
        bytes_D=bytes_D,
    )


def _slices(documents: Iterable[str]) -> Iterator[list[str]]:
    """Documents in lists of about `SLICE` characters."""
    part: list[str] = []
    size = 0
    for document in documents:
        part.append(document)
        size += len(document)
        if size >= SLICE:
            yield part
            part, size = [], 0
    if part:
        yield part
