"""One run, in a process of its own: `python -m bakeoff.worker`, with its job as one line of JSON on standard input.

It reports progress as lines of JSON on standard output. When standard input closes, because the parent stopped it or
died, it ends at once; while the parent is suspended, it pauses.
"""

import contextlib
import json
import os
import sys
import threading
import time

import psutil
from filelock import BaseFileLock, Timeout

from bakeoff.files import remove_leftovers
from bakeoff.job import Job
from bakeoff.locks import lease_at, lock_at
from bakeoff.machine import compute_in_float32, keep_freed_memory
from bakeoff.recorded_run import REPORTING_INTERVAL, Emit, record, say
from bakeoff.run_folder import DIVERGED, FINISHED, RunFolder
from bakeoff.shapes import Json

#: Seconds that a process which is about to end may hold a run's lock, and between two words about one that does not.
PATIENCE, REMINDER = 2.0, 300.0


def main() -> None:
    """Do the job that standard input names."""
    line = sys.stdin.readline()  # a forked worker has its parent only when it is given this
    # Whatever a study file or a model prints goes to the log, and what it asks has no answer; only messages go to the
    # parent, and only its end comes from there.
    parents, messages = os.dup(0), Messages(os.dup(1))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, args=(parents,), daemon=True).start()
    keep_freed_memory()
    compute_in_float32()
    job = Job.from_line(line)
    if not job.folder.is_dir():
        sys.exit(f"{job.folder} is gone")  # it was there when this was started
    work(job, messages)


def _end_with_parent(pipe: int) -> None:
    os.read(pipe, 1)
    os._exit(1)


class Messages:
    """Lines of JSON to the parent. What a slow one's pipe cannot take is dropped; a suspended one is waited for."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.unsent = descriptor, b""
        os.set_blocking(descriptor, False)
        self.parent = psutil.Process(os.getppid())

    def __call__(self, message: Json) -> None:
        """Send a message, once all of the one before is sent."""
        with contextlib.suppress(psutil.Error):  # it has ended, and so will this process
            while self.parent.status() == psutil.STATUS_STOPPED:
                time.sleep(REPORTING_INTERVAL)
        self._flush()
        if not self.unsent:
            self.unsent = json.dumps(message).encode() + b"\n"
            self._flush()

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            self.unsent = self.unsent[os.write(self.descriptor, self.unsent) :]


def work(job: Job, emit: Emit) -> None:
    """Train, measure and record one run; whatever goes wrong is recorded as its result.

    The lock tells other processes of this machine apart, suspended ones too; the claim those of other machines. What
    another command has finished meanwhile stays.
    """
    folder = RunFolder(job.folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    lock, claim = lock_at(folder.path / "run.lock"), lease_at(folder.path / "run.claim")
    with _acquired(lock, emit), _acquired(claim, emit):
        if (folder.summary or {}).get("status") in (FINISHED, DIVERGED):
            return
        remove_leftovers(folder.path)
        folder.finish({"alone": job.alone, **record(job, folder, emit)})


def _acquired(lock: BaseFileLock, emit: Emit) -> contextlib.AbstractContextManager[object]:
    """The lock, once whoever else has it lets it go."""
    patience = PATIENCE
    while True:
        try:
            return lock.acquire(timeout=patience)
        except Timeout:
            say(emit, f"waiting for another process, perhaps a suspended one, that holds {lock.lock_file}")
            patience = REMINDER


if __name__ == "__main__":
    main()
