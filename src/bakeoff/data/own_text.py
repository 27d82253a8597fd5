"""A user's own text: one file, split by paragraph, or a folder with `train.txt`, `valid.txt` and `test.txt`.

A text costs no memory: where its documents begin is found line by line, and each is read when it is asked for.
"""

import codecs
import dataclasses
import hashlib
import re
import shlex
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from bakeoff.data.splits import HELD_OUT, SPLITS, Splits, hash_fraction
from bakeoff.errors import UserError
from bakeoff.files import is_regular, sha256_of

#: Bytes that are looked at together.
BLOCK = 1 << 20
#: Bytes after which a document ends with the line, and characters with which a line is no document but many.
LONGEST = 1 << 16
#: The same where paragraphs are longer than twice that on average: a few of them would say little of the others.
LONG = 4096
#: Characters of a piece of a line that is cut, at least and at most.
PIECE = 1000, 2000
#: A piece ends after a sentence; where there is none, after a blank; where there is none either, anywhere.
_PIECES = re.compile(
    r".{%d,%d}?(?:(?<=[.!?])\s+|(?<=[。！？]))|.{%d,%d}?\s+|.{1,%d}" % (*PIECE, *PIECE, PIECE[1]),  # noqa: UP031, RUF001 (braces; full-width marks end sentences)
    re.DOTALL,
)
#: Bytes that valid and test have each, at most: more of them would only take longer to measure.
MOST_HELD_OUT = 5_000_000
#: What they have of what they should have if the text was cut finely enough, at least and at most.
FAIR = 0.5, 4.0
#: From coarse to fine, whether every line is a document and what is too long for one: paragraphs, parts of them, lines,
#: pieces.
_CUTS = (False, LONGEST), (False, LONG), (True, LONGEST), (True, PIECE[1])
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Documents(Sequence[str]):
    """Documents of a file in UTF-8, each read when it is asked for.

    Attributes:
        path: The file.
        places_Dx2: The bytes at which each document begins and ends.
    """

    path: Path
    places_Dx2: npt.NDArray[np.int64]

    @property
    def bytes(self) -> int:
        """Of all documents."""
        return int((self.places_Dx2[:, 1] - self.places_Dx2[:, 0]).sum())

    def __len__(self) -> int:
        return len(self.places_Dx2)

    def __iter__(self) -> Iterator[str]:
        with self.path.open("rb") as file:
            for start, end in self.places_Dx2.tolist():
                file.seek(start)
                yield file.read(end - start).decode("utf-8", errors="replace")

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Documents": ...
    def __getitem__(self, place: int | slice) -> "str | Documents":
        if isinstance(place, slice):
            return self.select(place)
        return next(iter(self.select([place])))

    def select(self, places: slice | Sequence[int] | npt.NDArray[np.int64]) -> "Documents":
        """Those documents, in that order."""
        return dataclasses.replace(self, places_Dx2=self.places_Dx2[places])


def read(path: Path) -> Splits:
    """Cut a file or folder into splits of documents.

    A file gives 5 % each to valid and test, and of a large one as much as is worth measuring. A text of too few
    paragraphs for three fair splits, or of very long ones, is cut into parts of them, into lines, or into pieces. What
    is held out stands in an order of chance, so that its first documents are from anywhere.

    Raises:
        UserError: A file is missing, unreadable, empty, binary or not UTF-8.
    """
    if path.is_dir():
        return {split: documents_of(path / f"{split}.txt") for split in SPLITS}
    _judge(path)
    cuts = (_cut(path, by_line=by_line, longest=longest) for by_line, longest in _CUTS)
    for documents in cuts:
        held_out = min(HELD_OUT, MOST_HELD_OUT / documents.bytes)
        splits = _dealt(documents, held_out)
        shares = [splits[split].bytes / documents.bytes for split in ("valid", "test")]
        fair = all(FAIR[0] * held_out <= share <= FAIR[1] * held_out for share in shares)
        if fair and documents.bytes <= 2 * LONG * len(documents):
            break
    if len(documents) >= len(SPLITS) and not fair:
        splits = _dealt(documents, held_out, by_rank=True)
    return dict(splits)


def _dealt(documents: Documents, held_out: float, *, by_rank: bool = False) -> dict[str, Documents]:
    """Each document by a hash of it; by its rank where chance did not deal them fairly."""
    fractions_D = np.fromiter((hash_fraction(document.strip()) for document in documents), float, len(documents))
    by_chance_D = np.argsort(fractions_D, kind="stable")
    sorted_D = fractions_D[by_chance_D]
    edges = np.array([1 - 2 * held_out, 1 - held_out])
    if by_rank:
        each = max(1, round(held_out * len(documents)))
        edges = sorted_D[[-2 * each, -each]]
    bounds = np.searchsorted(sorted_D, edges)  # equal documents stay together
    places = dict(zip(SPLITS, np.split(by_chance_D, bounds), strict=True))
    places["train"].sort()
    return {split: documents.select(places_D) for split, places_D in places.items()}


def checksum(path: Path) -> str:
    """SHA-256 of the file, or of the checksums of the folder's three files.

    Raises:
        UserError: A file is missing, unreadable or no regular file.
    """
    if path.is_dir():
        return joint_checksum(map(checksum, files(path)))
    try:
        return sha256_of(_regular(path))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def size(path: Path) -> int:
    """Bytes of the file, or of the folder's three files."""
    return sum(file.stat().st_size for file in files(path))


def files(path: Path) -> list[Path]:
    """The file, or the folder's three files."""
    return [path / f"{split}.txt" for split in SPLITS] if path.is_dir() else [path]


def joint_checksum(checksums: Iterable[str]) -> str:
    """SHA-256 of several files' checksums, joined by spaces."""
    return hashlib.sha256(" ".join(checksums).encode()).hexdigest()


def documents_of(path: Path) -> Documents:
    """Cut a text into paragraphs with the blank lines that follow each, or into lines where it is a single paragraph.

    Joined, the documents are the text again; blank lines at the very start belong to the first document. A line ends
    with LF, CR or both. What is longer than any paragraph is cut as well.

    Raises:
        UserError: The file is missing, unreadable, empty, binary or not UTF-8.
    """
    _judge(path)
    paragraphs = _cut(path, by_line=False, longest=LONGEST)
    return paragraphs if len(paragraphs) > 1 else _cut(path, by_line=True, longest=LONGEST)


def _cut(path: Path, *, by_line: bool, longest: int) -> Documents:
    """Cut a text where a paragraph or a line begins, where a line ends after that many bytes, and longer lines too."""
    starts = array("q")
    with path.open("rb") as raw:
        place = len(codecs.BOM_UTF8) if raw.read(3) == codecs.BOM_UTF8 else 0
    starts_at = first = place
    blank_before = ended_before = True
    with path.open(encoding="utf-8-sig", newline="") as file:
        for part in iter(partial(file.readline, LONGEST), ""):
            blank, ended = part.isspace(), part.endswith(("\n", "\r"))
            long = len(part) > longest or not ended_before or (not ended and len(part) == LONGEST)
            if ended_before and not blank and (by_line or blank_before or place - starts_at > longest):
                starts_at = place
                starts.append(place)
            pieces = _PIECES.findall(part) if long else [part]
            for piece in pieces[:-1]:
                place += len(piece.encode())
                starts.append(place)
            place += len(pieces[-1].encode())
            blank_before, ended_before = blank, ended
    edges = np.array([first, *starts[1:], place], dtype=np.int64)
    return Documents(path, np.stack([edges[:-1], edges[1:]], axis=1))


def _regular(path: Path) -> Path:
    try:
        regular = is_regular(path)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing: put it there; a folder of splits needs train.txt, valid.txt and test.txt"
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if not regular:
        raise UserError(f"{path} is no regular file, and a text is read more than once: copy it into one first")
    return path


def _judge(path: Path) -> None:
    """See that it is text in UTF-8, block by block."""
    decoder, blank, place = codecs.getincrementaldecoder("utf-8")(), True, 0
    advice = f"convert it, for example with iconv -f {{}} -t utf-8 {shlex.quote(path.name)} > utf-8.txt"
    try:
        with _regular(path).open("rb") as file:
            for block in iter(partial(file.read, BLOCK), b""):
                mark = next((kind for mark, kind in _MARKS.items() if not place and block.startswith(mark)), None)
                if mark:
                    raise UserError(f"{path} is {mark.upper()}: {advice.format(mark)}")
                if b"\0" in block:
                    raise UserError(f"{path} is binary (it has a zero byte): give a plain text file")
                place += len(block)
                blank &= not decoder.decode(block).strip().strip("\ufeff")
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        wrong = place - len(error.object) + error.start
        raise UserError(f"{path} is not UTF-8 at byte {wrong}: {advice.format('latin1')}") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if blank:
        raise UserError(f"{path} is empty: give a file with text in it")
