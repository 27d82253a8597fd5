"""Files that appear whole or not at all, and are judged before they are read."""

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from bakeoff.errors import UserError, plain

#: How the names of files begin that are not whole yet, and those that safetensors writes beside them.
TEMPORARY, SAFETENSORS_TEMPORARY = ".unfinished-", ".tmp"


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """A temporary sibling to write; it takes the place of `path` only when the block ends without an error.

    Its folder is not made: who is at work in one that is moved away meanwhile has to notice that.

    Raises:
        OSError: It cannot be written; the error's `filename` is `path`.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}{path.suffix}")
    try:
        temporary.touch(exist_ok=False)
        mode = temporary.stat().st_mode
        yield temporary
        keep_mode(temporary, mode)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if error.filename in (None, str(temporary)):  # a write that fails does not say where
            error.filename = str(path)
            del error.filename2  # None would be shown
        raise
    finally:
        temporary.unlink(missing_ok=True)


def keep_mode(path: Path, mode: int) -> None:
    """Give a file its mode back, where it may be changed: safetensors puts another, which only its owner may read."""
    if path.stat().st_mode != mode:
        with contextlib.suppress(OSError):
            path.chmod(mode)


def write_json(path: Path, data: object) -> None:
    """Write strict JSON atomically: no NaN, no infinity."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written; nobody else may be writing in the folder."""
    for named in (f"{TEMPORARY}*", f"{SAFETENSORS_TEMPORARY}??????"):
        for leftover in folder.glob(named):
            if not leftover.is_dir():
                leftover.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """See a renamed file's new name onto the disk, where folders can be synchronized: not everywhere, as on a share."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def require_name(path: Path) -> None:
    """See that a name that the user has given can be written into records.

    Raises:
        UserError: It is not UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the name {plain(str(path))} is not UTF-8: rename it") from error


def is_regular(path: Path) -> bool:
    """Whether it is a file that ends and can be read again: no device, no pipe; a link to one counts as what it is."""
    return stat.S_ISREG(path.stat().st_mode)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, which may be larger than the memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
