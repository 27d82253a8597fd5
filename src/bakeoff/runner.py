"""What is missing = declared - finished; each missing run in a process of its own."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import psutil
import torch
from filelock import Timeout

from bakeoff import costs, data
from bakeoff.data import Tokens
from bakeoff.declaration import declare
from bakeoff.errors import UserError
from bakeoff.files import free_folder, write_json, written_atomically
from bakeoff.identity import identity
from bakeoff.measure import resolve_precision, usable_cores
from bakeoff.records import DIVERGED, FAILED, FINISHED, StudyFolder, is_locked
from bakeoff.spec import Run, Study
from bakeoff.worker import Job

Json = dict[str, Any]
#: Told of everything that a worker says, and of its end.
Observer = Callable[[Run, Json], None]
#: Seconds that a worker has to end after it was told to.
PATIENCE = 5.0
#: Seconds without a word after which a worker is taken to hang. Training speaks several times a second; an evaluation
#: does not, and a large one may take minutes.
LONGEST_SILENCE = 1800.0
BUSY = "another `bakeoff run` is at work on {}: wait until it has ended"


@dataclass(frozen=True, kw_only=True)
class Session:
    """A study on disk, prepared to run.

    Attributes:
        study: With precision and threads resolved.
        folder: Where it lies.
        declaration: What `study.json` says.
        tokens: Its corpus.
        device: Where its runs compute.
        source: The user's study file, if it comes from one.
    """

    study: Study
    folder: StudyFolder
    declaration: Json
    tokens: Tokens
    device: torch.device
    source: Path | None

    def holds(self, memory_bytes: int) -> int:
        """How many runs this machine holds at a time, by its cores and its free memory; one where they share a GPU.

        Args:
            memory_bytes: What a run needs.
        """
        by_memory = int(psutil.virtual_memory().available) // max(1, memory_bytes)
        return max(1, min(self.side_by_side, by_memory))

    @property
    def side_by_side(self) -> int:
        """How many runs have cores of their own; one where they share a GPU."""
        return max(1, usable_cores() // (self.study.budget.threads or 1)) if self.device.type == "cpu" else 1

    def missing(self, only: Sequence[int] | None = None) -> list[Run]:
        """The runs to do: not yet finished and not diverged, of all experiments or of those numbers.

        Raises:
            UserError: A run's folder holds another run.
        """
        wanted = [run for run in self.study.runs if only is None or run.number in only]
        return [run for run in wanted if not self._is_over(run)]

    def run(self, runs: Sequence[Run], jobs: int, observer: Observer) -> None:
        """Do those runs, `jobs` at a time; on an interrupt, stop them and leave what is unfinished to the next time.

        Raises:
            UserError: Another process runs this study.
        """
        try:
            with self.folder.lock().acquire(timeout=0):
                # Again, as another command may have opened the study since, with other seeds, and found it free.
                write_json(self.folder.path / "study.json", self.declaration)
                _Workers(self, jobs, observer).do(runs)
        except Timeout as error:
            raise UserError(BUSY.format(self.folder.path), status=1) from error

    def _is_over(self, run: Run) -> bool:
        folder = self.folder.run(run.slug)
        if (spec := folder.spec) is None:
            return False
        if spec["identity"] != identity(run):
            raise UserError(f"{folder.path} holds another run than the study declares: choose another --out", status=1)
        return folder.status in (FINISHED, DIVERGED)


def open_session(
    declared: Study, path: Path, device: torch.device, source: Path | None = None, jobs: int | None = 1
) -> Session:
    """Prepare a study's corpus and folder.

    Args:
        declared: What to run, with the options of the command line in it.
        path: The study's folder.
        device: Where the runs compute.
        source: The user's study file, if the study comes from one.
        jobs: How many runs at a time are to share the cores, if the study is started now; None for one a core.

    Raises:
        UserError: The corpus cannot be used, a model cannot be built, or the folder cannot be written or holds another
            study.
    """
    folder = StudyFolder(path)
    existing = folder.study if folder.exists else None
    if existing and existing["identity"] != identity(declared):
        raise UserError(
            f"{folder.path} holds another study than {declared.name} as it is declared now: "
            "rename the study, choose another --out, or remove that folder"
        )
    if is_locked(folder.path / ".lock"):
        raise UserError(BUSY.format(folder.path), status=1)
    _require_writable(folder.path)
    tokens = data.prepare(declared.corpus, declared.budget)
    for experiment in declared.experiments:
        experiment.architecture.check(tokens.vocabulary, declared.budget.sequence_length)
    study = _resolve(declared, existing, tokens, device, jobs)
    declaration = declare(study, tokens, declared, source)
    write_json(folder.path / "study.json", declaration)
    with written_atomically(folder.tokenizer) as temporary:
        tokens.tokenizer.save(str(temporary))
    return Session(study=study, folder=folder, declaration=declaration, tokens=tokens, device=device, source=source)


def folder_name(declared: Study, built_in: Study) -> str:
    """The study's name, and if options changed what is computed, the corpus and six digits of the identity as well."""
    if identity(declared) == identity(built_in):
        return declared.name
    return f"{declared.name}-{declared.corpus.name}-{identity(declared)[:6]}"


def parse_jobs(jobs: str) -> int | None:
    """How many runs at a time; None for `auto`.

    Raises:
        UserError: It is neither a number from 1 nor `auto`.
    """
    if jobs == "auto":
        return None
    if not jobs.isdecimal() or int(jobs) < 1:
        raise UserError(f"--jobs takes auto or a number from 1, not {jobs}")
    return int(jobs)


def share_of_cores(jobs: int | None) -> int:
    """Threads of a run where that many share the cores; None stands for one a core."""
    return max(1, usable_cores() // jobs) if jobs else 1


def _resolve(declared: Study, existing: Json | None, tokens: Tokens, device: torch.device, jobs: int | None) -> Study:
    """Precision, threads, compiling and seeds, as resolved when the study was started, or else for this machine."""
    budget = declared.budget
    started = existing["budget"] if existing else {}
    precision = started.get("precision") or resolve_precision(budget.precision, device)
    threads = started.get("threads") or budget.threads or share_of_cores(jobs)
    seeds = tuple(sorted({*declared.seeds, *existing["seeds"]})) if existing else declared.seeds
    study = dataclasses.replace(declared.with_shared(precision=precision, threads=threads), seeds=seeds)
    compiling = started.get("compile", budget.compile)
    return study.with_shared(compile=costs.compiling_pays(study, tokens, device) if compiling is None else compiling)


def _require_writable(path: Path) -> None:
    nearest = free_folder(path.absolute())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"cannot write in {path}: choose a folder with --out")


class _Workers:
    """The processes that are at work, and what they say."""

    def __init__(self, session: Session, jobs: int, observer: Observer) -> None:
        self.session = session
        self.jobs = jobs
        self.observer = observer
        self.messages: Queue[tuple[Run, Json | None]] = Queue()
        self.active: dict[Run, subprocess.Popen[str]] = {}
        self.heard: dict[Run, float] = {}
        self.listeners: list[threading.Thread] = []

    def do(self, runs: Sequence[Run]) -> None:
        waiting = deque(runs)
        try:
            while waiting or self.active:
                while waiting and len(self.active) < self.jobs:
                    self._start(waiting.popleft())
                self._stop_silent()
                try:
                    run, message = self.messages.get(timeout=PATIENCE)
                except Empty:
                    continue
                if message is None:
                    self._ended(run)
                else:
                    self.heard[run] = time.monotonic()
                    self.observer(run, message)
        finally:
            self._stop_all()

    def _start(self, run: Run) -> None:
        folder = self.session.folder.run(run.slug)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.reopen()
        job = Job(
            run=run,
            folder=folder.path,
            device=self.session.device.type,
            alone=self.jobs == 1,
            source=self.session.source,
        )
        with (folder.path / "log.txt").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bakeoff.worker"],  # -P: nothing is imported from the user's folder
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment(),
                start_new_session=True,  # Ctrl-C reaches this process alone, which then stops its workers
            )
        self.active[run] = process
        self.heard[run] = time.monotonic()
        assert process.stdin is not None, "the worker's input is a pipe"
        with contextlib.suppress(BrokenPipeError):  # it died at once; its end tells why
            process.stdin.write(job.to_line() + "\n")
            process.stdin.flush()
        listener = threading.Thread(target=self._listen, args=(run, process), daemon=True)
        listener.start()
        self.listeners.append(listener)

    def _environment(self) -> dict[str, str]:
        """Threads that wait by spinning are the fastest on cores of their own, and ruinous on shared ones."""
        threads = self.session.study.budget.threads or 1
        waiting = {"OMP_WAIT_POLICY": "PASSIVE"} if self.jobs * threads > usable_cores() else {}
        return waiting | os.environ

    def _listen(self, run: Run, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None, "the worker's output is a pipe"
        for line in process.stdout:
            self.messages.put((run, json.loads(line)))
        self.messages.put((run, None))

    def _ended(self, run: Run) -> None:
        """Note how a worker ended; one that could not say so itself has failed."""
        process = self.active.pop(run)
        with contextlib.suppress(BrokenPipeError), process:  # closes its pipes; one that died at once reads no job
            process.wait()
        folder = self.session.folder.run(run.slug)
        if folder.summary is None:
            reason = self._why(run, process.returncode)
            folder.finish({"status": FAILED, "error": reason})
            self.observer(run, {"event": "end", "status": FAILED, "error": reason})

    def _why(self, run: Run, status: int) -> str:
        if time.monotonic() - self.heard[run] > LONGEST_SILENCE:
            return f"killed, as it had said nothing for {LONGEST_SILENCE / 60:.0f} minutes"
        if status < 0:
            return f"killed by signal {-status} (out of memory?)"
        return _last_line(self.session.folder.run(run.slug).path / "log.txt")

    def _stop_silent(self) -> None:
        """Kill the workers that have said nothing for so long that they must hang."""
        now = time.monotonic()
        for run, process in self.active.items():
            if now - self.heard[run] > LONGEST_SILENCE:
                process.kill()

    def _stop_all(self) -> None:
        """Workers end when their input closes; one that does not is killed."""
        for process in self.active.values():
            assert process.stdin is not None, "the worker's input is a pipe"
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        for process in self.active.values():
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for listener in self.listeners:
            listener.join(PATIENCE)  # until it has read the last of the output
        for process in self.active.values():
            assert process.stdout is not None, "the worker's output is a pipe"
            process.stdout.close()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "the worker ended without a word"
