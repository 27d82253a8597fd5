"""Files that appear whole or not at all."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: How the names of files begin that are not whole yet, and those that safetensors writes beside them.
TEMPORARY, SAFETENSORS_TEMPORARY = ".unfinished-", ".tmp"


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """A temporary sibling to write; it takes the place of `path` only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)  # mkstemp's files are private, and results are for sharing
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, data: object) -> None:
    """Write strict JSON atomically: no NaN, no infinity."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written; nobody else may be writing in the folder."""
    for prefix in (TEMPORARY, SAFETENSORS_TEMPORARY):
        for leftover in folder.glob(f"{prefix}*"):
            leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """See a renamed file's new name onto the disk, where folders can be synchronized."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_folder(path: Path) -> Path:
    """The nearest existing folder at or above `path`: where making `path` would begin."""
    return next(folder for folder in [path, *path.parents] if folder.exists())
