"""Tasks in processes of this machine: started, listened to, and stopped."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import IO

import psutil

from bakeoff.executors import Ended, Task
from bakeoff.run_folder import LOG
from bakeoff.shapes import Json
from bakeoff.threads import waiting

#: For the environment of a process that trains on a GPU. Without it, recurrent layers compute other bits each time with
#: some versions of cuDNN (torch's documentation of `nn.LSTM`). It is read when CUDA starts.
SAME_BITS_ON_CUDA = {"CUBLAS_WORKSPACE_CONFIG": ":4096:2"}
#: For that of any. Otherwise a set of names has another order in each process: an optimizer that groups weights by such
#: sets would get its state in another order when a run goes on.
SAME_ORDER = {"PYTHONHASHSEED": "0"}
#: Seconds that a worker has to end after it was told to, and the most that count between two looks at a silent one.
PATIENCE = 5.0
#: Seconds without a word after which a worker is taken to hang, and what share of them counts while it computes.
#: Training speaks several times a second; an evaluation does not, and a large one may take an hour.
LONGEST_SILENCE, COMPUTING = 1800.0, 0.1


def worker_environment() -> dict[str, str]:
    """A worker's: this process's; where it says nothing of it, what keeps bits the same and how threads wait."""
    return SAME_BITS_ON_CUDA | waiting() | os.environ | SAME_ORDER


@dataclass(frozen=True, kw_only=True)
class Child:
    """A worker's process: `wait` of it gives its exit status, negative where a signal ended it.

    Attributes:
        stdin: Takes its job; when it closes, the worker ends.
        stdout: Its messages.
    """

    process: psutil.Process
    stdin: IO[str]
    stdout: IO[str]

    def close(self) -> None:
        """Close its pipes."""
        with contextlib.suppress(BrokenPipeError):  # a job that it never read
            self.stdin.close()
        self.stdout.close()


def started_anew(environment: Mapping[str, str], log: IO[str]) -> Child:
    """A worker that imports everything itself."""
    process = psutil.Popen(
        [sys.executable, "-P", "-m", "bakeoff.worker"],  # -P: nothing is imported from the user's folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches the command alone, which then stops its workers
    )
    return Child(process=process, stdin=process.stdin, stdout=process.stdout)


@dataclass(kw_only=True)
class _Worker:
    """A process at work on a task.

    Attributes:
        child: The process and its pipes.
        listener: Passes on what it says.
        gpu: The one that is its own, where GPUs are given out.
        silence: Seconds since it last did, as far as it and this process were running.
        computed: Processor seconds that it had taken at the last look.
        hung: Whether it was killed for its silence.
    """

    child: Child
    listener: threading.Thread
    gpu: str | None = None
    silence: float = 0.0
    computed: float = 0.0
    hung: bool = False


class Local:
    """The processes that are at work, and what they say.

    Args:
        start: Starts one with an environment, that writes whatever is printed into a log.
        stop: Ends what starts them, if that is a process as well.
        gpus: Their names; each process sees the one that the fewest others use.
    """

    def __init__(
        self,
        start: Callable[[Mapping[str, str], IO[str]], Child],
        stop: Callable[[], object] = lambda: None,
        gpus: Sequence[str] = (),
    ) -> None:
        self.start, self.stop, self.gpus = start, stop, gpus
        self.said: Queue[tuple[Task, Json | None]] = Queue()
        self.active: dict[Task, _Worker] = {}
        self.looked = time.monotonic()

    def submit(self, task: Task) -> None:
        """Start a task, with the run's own log."""
        path = task.folder / LOG
        path.unlink(missing_ok=True)  # where it is a link, what that names is not ours
        used = [worker.gpu for worker in self.active.values()]
        gpu = min(self.gpus, key=used.count, default=None)
        with path.open("w", encoding="utf-8") as log:
            child = self.start(worker_environment() | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}), log)
        listener = threading.Thread(target=self._listen, args=(task, child), daemon=True)
        listener.start()
        self.active[task] = _Worker(child=child, listener=listener, gpu=gpu)
        with contextlib.suppress(BrokenPipeError):  # it died at once; its end tells why
            child.stdin.write(task.line + "\n")
            child.stdin.flush()

    def poll(self) -> list[tuple[Task, Json | Ended]]:
        """The next message, or the end of a task; nothing if there is none for a while."""
        self._stop_silent()
        try:
            task, message = self.said.get(timeout=PATIENCE)
        except Empty:
            return []
        if message is None:
            return [(task, self._ended(task))]
        self.active[task].silence = 0.0
        return [(task, message)]

    def cancel(self) -> None:
        """Workers end when their input closes; one that does not is killed."""
        self.stop()  # it may be importing, or about to tell the number of a process
        for worker in self.active.values():
            with contextlib.suppress(BrokenPipeError):
                worker.child.stdin.close()
        for worker in self.active.values():
            process = worker.child.process
            try:
                process.wait(PATIENCE)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait()
            worker.listener.join(PATIENCE)  # until it has read the last of the output
            worker.child.close()

    def _listen(self, task: Task, child: Child) -> None:
        try:
            for line in child.stdout:
                with contextlib.suppress(ValueError):  # a library printed it, or the worker was killed while it spoke
                    self.said.put((task, json.loads(line)))
        finally:
            self.said.put((task, None))

    def _ended(self, task: Task) -> Ended:
        worker = self.active.pop(task)
        status = worker.child.process.wait()
        worker.child.close()
        if worker.hung:
            return Ended(f"killed, as it had said nothing for {LONGEST_SILENCE / 60:.0f} minutes or more")
        if status < 0:
            memory = " (out of memory?)" if -status == signal.SIGKILL else ""
            return Ended(f"killed by signal {-status}{memory}")
        return Ended(last_line(task.folder / LOG))

    def _stop_silent(self) -> None:
        """Kill the workers that have said nothing for so long that they must hang; suspended ones do not."""
        before, self.looked = self.looked, time.monotonic()
        passed = min(self.looked - before, PATIENCE)  # it was more if this process was suspended
        for worker in self.active.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                if worker.child.process.status() != psutil.STATUS_STOPPED:
                    computed_before, worker.computed = worker.computed, sum(worker.child.process.cpu_times()[:2])
                    worker.silence += passed * (COMPUTING if worker.computed - computed_before > passed / 2 else 1)
            if worker.silence > LONGEST_SILENCE:
                worker.hung = True
                worker.child.process.kill()


def last_line(log: Path) -> str:
    """The last that a process has printed."""
    printed = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = printed.strip().splitlines()
    return lines[-1] if lines else "the worker ended without a word"
