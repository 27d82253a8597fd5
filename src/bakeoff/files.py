"""Files that appear whole or not at all, and are judged before they are read."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from filelock import AcquireReturnProxy, FileLock, SoftFileLease, Timeout

from bakeoff.errors import UserError, plain

#: How the names of files begin that are not whole yet, and those that safetensors writes beside them.
TEMPORARY, SAFETENSORS_TEMPORARY = ".unfinished-", ".tmp"

#: The folder in which files lie that are to take their places together.
ARRIVED = ".arrived"

#: Seconds after which a claim without content was not made to its end.
MAKING = 2.0
#: Seconds after which a claim that nobody has renewed is taken over by whoever waits for it.
LEASE = 60.0


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
        _sync_folder(path.parent)
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
            with _filled(target) as new:
                yield new
        finally:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _filled(folder: Path) -> Iterator[Path]:
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
        error.filename = error.filename or str(folder)
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
    with _filled(folder / ARRIVED) as new:
        for place, name in enumerate(names):
            with (new / f"{place:02}{'+' if name in files else '-'}{name}").open("wb") as file:
                file.write(files.get(name, b""))
                file.flush()
                os.fsync(file.fileno())
        _sync_folder(new)
    _sync_folder(folder)
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
    _sync_folder(folder)
    shutil.rmtree(folder / ARRIVED, ignore_errors=True)


def write_json(path: Path, data: object) -> None:
    """Write strict JSON atomically: no NaN, no infinity."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def lock_at(path: Path, timeout: float = -1) -> FileLock:
    """The lock of that file, not yet taken. A link there, which is never followed, is nobody's lock and is removed.

    Raises:
        UserError: A folder is in its place.
    """
    _make_way(path)
    return FileLock(path, timeout=timeout)


class Claim(SoftFileLease):
    """A claim that is not stopped for ever by one without content, which a machine leaves that went off in between."""

    def acquire(self, *arguments: Any, **options: Any) -> AcquireReturnProxy[Self]:  # noqa: ANN401 (the library's)
        """Make it; an empty one is nobody's once it is older than `MAKING`, by the clock of the disk."""
        path = Path(self.lock_file)
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            if not found.st_size and _now(path.parent) - found.st_mtime > MAKING:
                path.unlink()
        return super().acquire(*arguments, **options)


def _now(folder: Path) -> float:
    """The time as files in a folder have it, which may be another machine's."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=TEMPORARY) as file:
        return os.fstat(file.fileno()).st_mtime


def lease_at(path: Path) -> Claim:
    """A claim, not yet made, that holds between machines, where locks on a file system that they share may not.

    It is renewed as long as this process lives. If another has taken it over all the same, as this machine stood still
    for longer than `LEASE`, the process ends at once.

    Raises:
        UserError: A folder is in its place.
    """
    _make_way(path)
    return Claim(path, lease_duration=LEASE, poll_interval=0.5, on_compromise=lambda _: _end(path))


def _end(path: Path) -> None:
    """End this process, and say why in its log: whoever started it has nothing else to tell."""
    print(f"{path} was taken over or removed, or could not be renewed: repeat the command", flush=True)  # noqa: T201
    os._exit(1)


def _make_way(path: Path) -> None:
    """See that a lock can be at that path."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
    elif path.is_dir():
        raise UserError(f"{path} is a folder, in the place of a lock: remove it")


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written; nobody else may be writing in the folder."""
    for named in (f"{TEMPORARY}*", f"{SAFETENSORS_TEMPORARY}??????"):
        for leftover in folder.glob(named):
            if not leftover.is_dir():
                leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """See a renamed file's new name onto the disk, where folders can be synchronized: not everywhere, as on a share."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
