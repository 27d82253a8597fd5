"""A clock that stands still while its process is suspended."""

import contextlib
import threading
import time
from collections.abc import Iterator

#: Seconds between two looks, and the most that count: it was more if the process was suspended.
BETWEEN, MOST = 1.0, 5.0


class Stopwatch:
    """Seconds of this process, but for those in which it was suspended, for which the system has no clock.

    Args:
        began: When the process began, on the monotonic clock.
    """

    def __init__(self, began: float) -> None:
        self._looked = time.monotonic()
        self._seconds = self._looked - began
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Those until now."""
        with self._lock:
            before, self._looked = self._looked, time.monotonic()
            self._seconds += min(self._looked - before, MOST)
            return self._seconds

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Meanwhile somebody looks at it often enough."""
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(over,), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(BETWEEN):
            _ = self.seconds
