"""The process of the command line: its streams, its signals, and what it says when the system refuses something."""

import _thread
import contextlib
import errno
import gc
import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, cast

import psutil

from bakeoff import threads
from bakeoff.errors import UserError, plain

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds after which a process that is told to stop ends where it stands, if it could not do so in order.
GRACE = 3.0
#: Seconds after which an interrupt that Python has dropped comes again.
AGAIN = 0.02
INTERRUPTED = 130
_ELSEWHERE = "choose another folder with --out, or for the cache with BAKEOFF_CACHE"
#: From what the system says to what mends it.
MENDS = {
    errno.ENOSPC: f"free some space there, or {_ELSEWHERE}",
    errno.EDQUOT: f"free some space there, or {_ELSEWHERE}",
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.ENOTDIR: _ELSEWHERE,
    errno.ENOENT: "was its folder moved? Repeat the command where that is now",
    errno.EISDIR: "it is in the place of a file: remove it, or rename it",
    errno.EFBIG: "a limit for the size of files is set here: raise it (`ulimit -f`)",
    errno.EMFILE: "a limit for the number of open files is set here: raise it (`ulimit -n`)",
}


def start() -> None:
    """See to it that the interpreter is as the libraries expect it.

    The three standard streams are open, as a file that is opened would otherwise become one of them; whatever is named
    can be printed; docstrings are there, as they are the verbs' help; and there is a home, if only one in which nothing
    can be looked up or kept.
    """
    if sys.flags.optimize > 1:
        os.environ["PYTHONOPTIMIZE"] = "1"
        os.execv(sys.executable, [sys.executable, *(word for word in sys.orig_argv[1:] if word != "-OO")])  # noqa: S606 (our own interpreter)
    gc.set_threshold(50_000, 20, 100)  # what is imported is kept: looking for garbage in it takes a sixth of a start
    for name, value in threads.waiting().items():  # steps are timed here as well
        os.environ.setdefault(name, value)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = os.devnull
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # they are text streams


def require_folder() -> None:
    """See that the folder that this process is in is there: torch ends without a reason where it is not.

    Raises:
        UserError: It is gone.
    """
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise UserError("the folder that this command was started in is gone: go to another one") from error


def began() -> float:
    """When this process began, on the monotonic clock."""
    return time.monotonic() - (time.time() - float(psutil.Process().create_time()))


@contextlib.contextmanager
def interruptible(last_words: Callable[[], None]) -> Iterator[None]:
    """Being told to stop (SIGINT, SIGTERM) raises KeyboardInterrupt, soon; afterwards it ends the process at once.

    Python hears a signal only between two of its own steps. Where a library computes for longer than `GRACE`, the
    process ends without waiting for it.

    Args:
        last_words: What is done before that.
    """
    heard = threading.Event()
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        heard.set()
        raise KeyboardInterrupt

    def watch() -> None:
        while number := os.read(ours, 1):  # of any signal that Python handles
            if number[0] in (signal.SIGINT, signal.SIGTERM) and not heard.wait(GRACE):
                last_words()
                os._exit(INTERRUPTED)
        os.close(ours)

    def unraisable(told: "sys.UnraisableHookArgs") -> None:
        if told.exc_type is KeyboardInterrupt:  # in a `__del__`, where Python drops it: once more, in a moment
            threading.Timer(AGAIN, _thread.interrupt_main).start()
        else:
            hook(told)

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    before = signal.set_wakeup_fd(theirs)
    signal.signal(signal.SIGTERM, interrupt)  # being told to stop is being interrupted
    signal.signal(signal.SIGINT, interrupt)  # also where a shell's & had it ignored
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(theirs)
        watcher.join()
        sys.unraisablehook = hook
        for number in (signal.SIGINT, signal.SIGTERM):  # from now on there is nothing to put in order
            signal.signal(number, signal.SIG_DFL)


class _StandardError:
    """Standard error, whatever that is now; what it cannot take, as on a full disk, is no reason to stop a run."""

    def write(self, text: str) -> int:
        """Write it, or drop it; a reader that is gone is an error as ever."""
        self._try(lambda stream: stream.write(text))
        return len(text)

    def flush(self) -> None:
        """See it written, or drop it."""
        self._try(lambda stream: stream.flush())

    def _try(self, do: Callable[[IO[str]], object]) -> None:
        try:
            if sys.stderr is not None:  # as where it was closed
                do(sys.stderr)
        except BrokenPipeError:
            raise
        except OSError:
            pass

    def __getattr__(self, name: str) -> object:
        return getattr(sys.stderr, name)


def console() -> "Console":
    """Standard error, or the output of a notebook's cell where ipywidgets can redraw it.

    A terminal only where there is one that can move its cursor, whatever FORCE_COLOR says.
    """
    from rich.console import Console  # noqa: PLC0415 (help needs none)

    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    notebook = None if importlib.util.find_spec("ipywidgets") else False  # None: rich finds out whether it is one
    return Console(file=cast("IO[str]", _StandardError()), force_terminal=terminal, force_jupyter=notebook)


def show(text: str, end: str = "\n") -> None:
    """Print a verb's result on standard output, to the last byte.

    Raises:
        OSError: It cannot be written; standard output is closed from then on.
    """
    try:
        print(text, end=end, flush=True)  # noqa: T201 (the command line's output)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter would try once more when it ends
        error.filename = error.filename or "standard output"
        raise


def say(message: str) -> None:
    """Print one line on standard error."""
    print(f"bakeoff: {plain(' '.join(message.split()))}", file=_StandardError())


def what_was_refused(error: OSError) -> str:
    """The file, what the system says, and what mends it."""
    said = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part)
    return f"{said}: {MENDS[error.errno]}" if error.errno in MENDS else said
