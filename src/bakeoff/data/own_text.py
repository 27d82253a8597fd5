"""A user's own text: one file, split by paragraph, or a folder with `train.txt`, `valid.txt` and `test.txt`."""

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
    return deal((document.strip(), document) for document in documents_of(_read_text(path)))


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
    """Cut a text into paragraphs with the blank lines that follow each, or into lines where none is blank.

    Joined, the documents are the text again; blank lines at the very start belong to the first document.
    """
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    if not any(map(_is_blank, lines)):
        return tuple(lines)
    documents: list[str] = []
    for blank, group in itertools.groupby(lines, key=_is_blank):
        if documents and (blank or _is_blank(documents[-1])):
            documents[-1] += "".join(group)
        else:
            documents.append("".join(group))
    return tuple(documents)


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
    if b"\0" in raw:
        raise UserError(f"{path} is binary (it has a zero byte): give a plain text file")
    try:
        return raw.decode("utf-8-sig")  # a byte order mark is no text
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 at byte {error.start}: convert it, for example with iconv -t utf-8"
        ) from error


def _is_blank(line: str) -> bool:
    return not line.strip()
