"""Whether other runs train on this machine meanwhile, of whichever command of the same user."""

import contextlib
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from bakeoff.locks import is_locked, lock_at

#: Seconds in which one that begins has locked its file.
BEGINNING = 60.0


class Presence:
    """A run's, for as long as it is entered: a locked file among those of the others, whose last change is its end.

    Where it cannot be written, as on a full disk, nobody knows of this run.

    Args:
        folder: The user's, for this and other machines.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / hashlib.sha256(platform.node().encode()).hexdigest()[:12]
        self.began = time.time()  # until it is told by the clock of the disk
        self.path: Path | None = None
        self.held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not any(map(is_locked, others := list(self._others()))):  # nobody will ask who was here
                for path in others:
                    if time.time() - path.stat().st_mtime > BEGINNING:
                        path.unlink(missing_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.folder, suffix=".lock")
            os.close(descriptor)
            self.path = Path(name)
            self.began = self.path.stat().st_mtime
            self.held.enter_context(lock_at(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.path:
            with contextlib.suppress(OSError):
                os.utime(self.path)
        self.held.close()

    def is_shared(self) -> bool:
        """Whether another run is here, or was since this one is."""
        with contextlib.suppress(OSError):
            return any(path.stat().st_mtime > self.began or is_locked(path) for path in self._others())
        return False

    def _others(self) -> Iterator[Path]:
        return (path for path in self.folder.glob("*.lock") if path != self.path)
