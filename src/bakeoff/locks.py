"""Who is at work: locks between the processes of a machine, claims between machines."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

from filelock import AcquireReturnProxy, FileLock, SoftFileLease, Timeout

from bakeoff.errors import UserError
from bakeoff.files import TEMPORARY

if sys.platform != "win32":
    import fcntl

#: Seconds after which a claim without content was not made to its end.
MAKING = 2.0
#: Seconds after which a claim that nobody has renewed is taken over by whoever waits for it.
LEASE = 60.0


def lock_at(path: Path, timeout: float = -1) -> FileLock:
    """The lock of that file, not yet taken. A link there, which is never followed, is nobody's lock and is removed.

    Raises:
        UserError: A folder is in its place.
    """
    _make_way(path)
    return FileLock(path, timeout=timeout)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on that file, which may be another user's."""
    if not path.is_file():
        return False
    if sys.platform == "win32":
        try:
            with FileLock(path, timeout=0):
                return False
        except Timeout:
            return True
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


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
