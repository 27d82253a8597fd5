"""Folders that appear whole or not at all, and files in one that take their places together."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from filelock import Timeout

from bakeoff.errors import UserError
from bakeoff.files import TEMPORARY, require_name, sync_folder
from bakeoff.locks import lock_at

#: The folder in which files lie that are to take their places together.
ARRIVED = ".arrived"


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill; it gets its name only when the block ends without an error.

    Raises:
        OSError: It cannot be written; the error's `filename` is that folder where a write does not say it.
        UserError: There is something of that name, and it is no empty folder; or another process fills it.
    """
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    path = target.with_name(f"{TEMPORARY}{target.name}.lock")
    try:
        lock = lock_at(path).acquire(timeout=0)
    except Timeout as error:
        raise UserError(f"another command is writing {folder}: wait until it has ended", status=1) from error
    with lock:
        try:
            if target.exists() and not (target.is_dir() and not any(target.iterdir())):
                raise UserError(f"{folder} is there and not empty: name a new folder, or an empty one")
            with filled(target) as new:
                yield new
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """What takes the place of an empty folder, or of none, when it is filled; nobody else may be writing it."""
    new = folder.with_name(f"{TEMPORARY}{folder.name}")
    shutil.rmtree(new, ignore_errors=True)  # a killed process may have left it
    try:
        new.mkdir(parents=True)
        yield new
        if folder.exists():
            folder.rmdir()
        new.replace(folder)
    except OSError as error:
        inside = error.filename is None or Path(str(error.filename)).is_relative_to(new)  # which is removed
        error.filename = str(folder) if inside else error.filename
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write_together(folder: Path, files: Mapping[str, bytes], names: Sequence[str]) -> None:
    """Make the files of a folder that have those names what is given, each or none of them, whatever stops it.

    All is on the disk before any of it takes its place, which `settle` finishes where it was stopped.

    Args:
        folder: Is made where it is not there.
        files: Their contents; of `names`, those that are not among them are removed.
        names: In the order in which they change.
    """
    settle(folder)
    with filled(folder / ARRIVED) as new:
        for place, name in enumerate(names):
            with (new / f"{place:02}{'+' if name in files else '-'}{name}").open("wb") as file:
                file.write(files.get(name, b""))
                file.flush()
                os.fsync(file.fileno())
        sync_folder(new)
    sync_folder(folder)
    settle(folder)


def settle(folder: Path) -> None:
    """Finish what a `write_together` that was stopped has left, if it had all on the disk; forget it otherwise."""
    shutil.rmtree(folder / f"{TEMPORARY}{ARRIVED}", ignore_errors=True)
    if not (folder / ARRIVED).is_dir():
        return
    for path in sorted((folder / ARRIVED).iterdir()):
        with contextlib.suppress(FileNotFoundError):  # another process does the same
            if path.name[2:3] == "+":
                path.replace(folder / path.name[3:])
            else:
                (folder / path.name[3:]).unlink()
    sync_folder(folder)
    shutil.rmtree(folder / ARRIVED, ignore_errors=True)


def free_folder(path: Path) -> Path:
    """The nearest existing folder at or above `path`: where making `path` would begin."""
    return next(folder for folder in [path, *path.parents] if folder.exists())


def require_ours(folder: Path, *marks: str) -> None:
    """See that a folder that will be written, or replaced, holds what we write, known by a file, or nothing to see.

    Raises:
        UserError: It holds something else, or has a name that no record can hold.
    """
    require_name(folder)
    known = any(path.is_file() for mark in marks for path in folder.glob(mark))
    if folder.is_dir() and not known and any(path.name[0] != "." for path in folder.iterdir()):
        raise UserError(f"{folder} holds files, and no {marks[0]}: choose another --out, or rename that folder")
