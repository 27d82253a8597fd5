"""A user's own text: one file, split by paragraph, or a folder with `train.txt`, `valid.txt` and `test.txt`."""

import codecs
import hashlib
import itertools
import re
from collections.abc import Iterable
from pathlib import Path

from bakeoff.data.splits import SPLITS, Splits, deal
from bakeoff.errors import UserError


def read(path: Path) -> Splits:
    """Read a file or folder into splits of documents.

    Raises:
        UserError: A file is missing, unreadable, empty, binary or not UTF-8.
    """
    if path.is_dir():
        return {split: documents_of(_read_text(path / f"{split}.txt")) for split in SPLITS}
    text = _read_text(path)
    paragraphs = _dealt(documents_of(text))
    return paragraphs if all(paragraphs.values()) else _dealt(lines_of(text))


def _dealt(documents: Iterable[str]) -> Splits:
    return deal((document.strip(), document) for document in documents)


def checksum(path: Path) -> str:
    """SHA-256 of the file, or of the checksums of the folder's three files.

    Raises:
        UserError: A file is missing or unreadable.
    """
    if path.is_dir():
        return joint_checksum(hashlib.sha256(_read_bytes(path / f"{split}.txt")).hexdigest() for split in SPLITS)
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def joint_checksum(checksums: Iterable[str]) -> str:
    """SHA-256 of several files' checksums, joined by spaces."""
    return hashlib.sha256(" ".join(checksums).encode()).hexdigest()


def documents_of(text: str) -> tuple[str, ...]:
    """Cut a text into paragraphs with the blank lines that follow each, or into lines where it is a single paragraph.

    Joined, the documents are the text again; blank lines at the very start belong to the first document.
    """
    paragraphs = _cut(text, r"^(?:[^\n]*\S[^\n]*(?:\n|\Z))+")
    return paragraphs if len(paragraphs) > 1 else lines_of(text)


def lines_of(text: str) -> tuple[str, ...]:
    """The same with every line that is not blank as a document."""
    return _cut(text, r"^[^\n]*\S[^\n]*(?:\n|\Z)")


def _cut(text: str, document: str) -> tuple[str, ...]:
    """Cut a text before every match but the first, so that what lies between two matches belongs to the earlier one."""
    places = [match.start() for match in re.finditer(document, text, re.MULTILINE)]
    return tuple(text[start:end] for start, end in itertools.pairwise([0, *places[1:], len(text)]) if end)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: a folder of splits needs train.txt, valid.txt and test.txt") from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _read_text(path: Path) -> str:
    raw = _read_bytes(path)
    if not raw.strip():
        raise UserError(f"{path} is empty: give a file with text in it")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{path} is UTF-16: convert it, for example with iconv -f utf-16 -t utf-8")
    if b"\0" in raw:
        raise UserError(f"{path} is binary (it has a zero byte): give a plain text file")
    try:
        return raw.decode("utf-8-sig")  # a byte order mark is no text
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 at byte {error.start}: convert it, for example with iconv -t utf-8"
        ) from error
