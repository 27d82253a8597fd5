"""Tasks as jobs of Slurm, submitted by submitit, on nodes that share the study's folder.

A job is one run: on its node it starts the worker that would run here. Jobs that are begun together are one array. One
that is preempted, or whose time is up, goes back into the queue and later on from its checkpoint. How a job ended is
read from the run's folder; nothing that it wrote is unpickled here. What sbatch is to be told besides (a partition, an
account), it reads from its own variables: `SBATCH_PARTITION`, `SBATCH_ACCOUNT`, `SBATCH_TIMELIMIT`, …
"""

import contextlib
import importlib
import math
import platform
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bakeoff.errors import UserError, one_line
from bakeoff.executors import Ended, Task
from bakeoff.executors.local import last_line
from bakeoff.executors.node import LOOK, Progress, difference, say, unseen, versions, work
from bakeoff.run_folder import FAILED, RunFolder
from bakeoff.shapes import Json

#: Submitit's name of what jobs are submitted to.
ENGINE = "slurm"
#: Minutes after which a job goes back into the queue, and how often it does that.
MINUTES, REQUEUED = 240, 1000
#: The most jobs that are begun at a time: an array of Slurm's has 1,001 where nothing else is configured.
MOST = 1000
#: Bytes that a process may take beside what its run was estimated to need: Slurm kills what takes more than it asked
#: for, and a driver's libraries may not be a node's.
MARGIN = 10**9
#: States of a job that is not over, though submitit takes it to be.
WAITING = ("SUSPENDED", "STOPPED", "CONFIGURING", "RESIZING", "SIGNALING", "STAGE_OUT", "SPECIAL_EXIT", "RESV_DEL_HOLD")
#: Seconds that jobs may take to stop: Slurm kills those that do not after half a minute, if nothing else is configured.
STOPPED = 40.0
#: Seconds that a shared folder may take to show what a job wrote that has ended.
SHOWN = 90.0


class _Job:
    """What a job does on its node.

    Attributes:
        mark: Is in all that it writes, to tell it from what an earlier job of the run may still write.
    """

    def __init__(self, task: Task, driver: Json, read: Sequence[Path]) -> None:
        self.task, self.driver, self.read = task, driver, read
        self.mark = {"job": secrets.token_hex(8)}

    def __call__(self) -> None:
        """Do the run, and write how it ended, as a shared folder may show the driver other files later."""
        fault = difference(self.driver, versions())
        if lacking := unseen(self.read):
            fault = f"does not see {lacking[0]}: put it on a file system that all machines share"
        if fault:
            say(self.task, {"event": "refused", "why": f"the node {platform.node()} {fault}"} | self.mark)
        else:
            say(self.task, work(self.task, {}, self.mark) | self.mark)

    def checkpoint(self) -> Any:  # noqa: ANN401 (submitit's)
        """What is to be done once the job, which is about to be stopped, is out of the queue again: the same."""
        return importlib.import_module("submitit").helpers.DelayedSubmission(self)


class _Submitted:
    """A job that has been submitted.

    Args:
        job: Submitit's.
        progress: What it writes.
        mark: What all of that has.
    """

    def __init__(self, job: Any, progress: Progress, mark: Json) -> None:  # noqa: ANN401 (submitit's)
        self.job, self.progress, self.mark = job, progress, mark
        self.ended: float | None = None

    def look(self) -> list[Json | Ended]:
        """What it has written since the last look, to its end; if it has ended without a word of that, then `Ended`."""
        if not self.job.done() or self.job.state in WAITING:
            self.ended = None
        elif self.ended is None:
            self.ended = time.monotonic()
        said: list[Json | Ended] = [
            Ended(message["why"]) if message["event"] == "refused" else message
            for message in self.progress
            if message.items() >= self.mark.items()
        ]
        if not said and self.ended is not None and time.monotonic() - self.ended >= SHOWN:
            last = last_line(self.job.paths.stderr) if self.job.paths.stderr.is_file() else "it wrote no log"
            said.append(Ended(f"lost as job {self.job.job_id} of Slurm, which calls it {self.job.state}: {last}"))
        return said

    def tidy(self, *, failed: bool) -> None:
        """Remove its files, but of a failed one its log."""
        paths = self.job.paths
        for path in (paths.submission_file, paths.submitted_pickle, paths.result_pickle, self.progress.path):
            path.unlink(missing_ok=True)
        if not failed:
            paths.stdout.unlink(missing_ok=True)
            paths.stderr.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there are others
            paths.folder.rmdir()


class Slurm:
    """The driver's end of the queue: submits jobs, reads on what they write, cancels them."""

    sends = False

    def __init__(self) -> None:
        try:
            self.submitit = importlib.import_module("submitit")
        except ImportError as error:
            raise UserError(f"--executor slurm needs submitit: pip install 'bakeoff[slurm]' ({error})") from error
        self.executor: Any = None
        self.read: Sequence[Path] = ()
        self.ours: Json = {}
        self.waiting: dict[Task, Progress] = {}
        self.active: dict[Task, _Submitted] = {}

    def device(self, name: str) -> str:
        """The device of that name; `auto` is the processor, as nothing is known of the nodes.

        Raises:
            UserError: Slurm's nodes have no such device.
        """
        if name not in ("auto", "cpu", "cuda"):
            raise UserError(f"Slurm gives out no device {name}: use --device cpu or cuda")
        return "cuda" if name == "cuda" else "cpu"

    def check(self, folder: Path, read: Sequence[Path], packed: Callable[[], Mapping[str, bytes]]) -> "Slurm":  # noqa: ARG002 (nodes of Slurm share folders)
        """See that jobs can be submitted; each looks for itself whether its node is as this machine.

        Args:
            folder: The study's.
            read: What runs read elsewhere.
            packed: Not needed, as Slurm's nodes share folders.

        Raises:
            UserError: This machine submits nothing to Slurm.
        """
        self.read, self.ours = read, versions()
        try:
            python = shlex.join([sys.executable, "-P"])  # nothing is imported from the user's folder
            options = {f"{ENGINE}_max_num_timeout": REQUEUED, f"{ENGINE}_python": python}
            self.executor = self.submitit.AutoExecutor(folder / "slurm", cluster=ENGINE, **options)
        except RuntimeError as error:
            raise UserError(f"no Slurm here: run the command where sbatch works ({error})", status=1) from error
        return self

    def reserve(self, threads: int, memory_bytes: int, device: str) -> int:
        """How many jobs are begun at a time, if each gets so much, as from now on it does; the others wait here."""
        self.executor.update_parameters(
            name="bakeoff",
            timeout_min=MINUTES,
            cpus_per_task=threads,
            mem_gb=math.ceil((memory_bytes + MARGIN) / 1e9),
            gpus_per_node=int(device == "cuda"),
        )
        return MOST

    def submit(self, task: Task) -> None:
        """Have a task submitted with all others that are begun now."""
        self.waiting[task] = Progress.begun(task)

    def poll(self) -> list[tuple[Task, Json | Ended]]:
        """What was written since the last look, and which jobs have ended."""
        if self.waiting:
            asked = [_Job(task, self.ours, self.read) for task in self.waiting]
            try:
                jobs = self.executor.submit_array(asked)
            except Exception as error:  # submitit's own, with what sbatch said
                why = one_line(error)
                raise UserError(f"Slurm takes no job: {why}", status=1) from error
            self.active |= {
                task: _Submitted(job, progress, each.mark)
                for job, each, (task, progress) in zip(jobs, asked, self.waiting.items(), strict=True)
            }
            self.waiting = {}
        time.sleep(LOOK)
        said: list[tuple[Task, Json | Ended]] = []
        for task, submitted in list(self.active.items()):
            messages = submitted.look()
            said += [(task, message) for message in messages]
            if messages and (isinstance(last := messages[-1], Ended) or last["event"] == "end"):
                self.active.pop(task).tidy(failed=isinstance(last, Ended) or last["status"] == FAILED)
        return said

    def cancel(self) -> None:
        """Take all jobs out of the queue, and stop those at work; that they were stopped is no result of their runs."""
        for submitted in self.active.values():
            submitted.job.cancel(check=False)
        began = time.monotonic()
        while time.monotonic() - began < STOPPED and not all(each.job.done() for each in self.active.values()):
            time.sleep(LOOK)
        for folder in (RunFolder(task.folder) for task in self.active):
            if (folder.summary or {}).get("status") == FAILED:
                folder.reopen()
