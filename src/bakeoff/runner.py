"""What is missing = declared - finished; each missing run in a process of its own."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bakeoff import costs, data, sources, texts
from bakeoff.data import Tokens, Told, own_text
from bakeoff.data.cache import cache_folder
from bakeoff.declaration import declare, require_buildable
from bakeoff.errors import UserError
from bakeoff.executors import Cluster, Task, do
from bakeoff.executors.apart import CACHE
from bakeoff.executors.local import Local
from bakeoff.files import remove_leftovers, written_atomically
from bakeoff.folders import free_folder, settle
from bakeoff.forkserver import shared_server
from bakeoff.identity import encode, identity
from bakeoff.job import Job
from bakeoff.machine import available_memory, gpus, resolve_precision, return_freed_memory, usable_cores
from bakeoff.models import ngram
from bakeoff.records import DamagedError, write_record
from bakeoff.run_folder import DAMAGED, DIVERGED, FINISHED
from bakeoff.shapes import DECLARED, Json, fault
from bakeoff.spec import Budget, Corpus, Run, Study
from bakeoff.study_folder import StudyFolder

#: Where the worker of a run that was sent to another machine looks for a text and for a study file.
TEXT, CODE = Path("text"), Path("code")
#: Told of everything that a worker says, and of its end.
Observer = Callable[[Run, Json], None]


class OtherCodeError(UserError):
    """Runs that are over were made by other code than their study file has now.

    Args:
        where: The study's folder.
        numbers: Of their experiments.
        source: The study file.
        command: What trains them anew, up to their numbers.
    """

    def __init__(
        self, where: Path, numbers: Collection[int], source: Path | None, command: str = "bakeoff run"
    ) -> None:
        told = ",".join(map(str, numbers))
        super().__init__(
            f"{where} has results of {told} by other code than {source} has now: {command} with --again {told} trains "
            "anew, and with another --out keeps both",
            status=1,
        )
        self.numbers = numbers


@dataclass(frozen=True, kw_only=True)
class Session:
    """A study on disk, prepared to run, and nobody else's meanwhile.

    Attributes:
        study: With precision and threads resolved.
        declared: The same before anything was resolved.
        folder: Where it lies.
        tokens: Its corpus.
        device: Where its runs compute.
        source: The user's study file, if it comes from one.
        cluster: Where its runs are done; None for processes of this machine.
    """

    study: Study
    declared: Study
    folder: StudyFolder
    tokens: Tokens
    device: torch.device
    source: Path | None
    cluster: Cluster | None = None

    def on(self, cluster: Cluster | None) -> "Session":
        """The same, with its runs done on a cluster; for None it is this one.

        Raises:
            UserError: They cannot be done there: a node computes with other versions, say.
        """
        if cluster is None:
            return self
        folder, source = StudyFolder(self.folder.path.absolute()), self.source and self.source.absolute()
        read = [Path(each) for each in (source, self.study.corpus.path) if each]
        there = cluster.check(folder.path, read, self._packed)
        return dataclasses.replace(self, folder=folder, source=source, cluster=there)

    def _packed(self) -> dict[str, bytes]:
        """All that runs read, by where the worker of a `_task` looks for it on a machine that has not got it."""
        floors = ngram.counted(self.tokens, self.study.budget.sequence_length)
        cached = [
            (CACHE / file.relative_to(cache_folder()), file)
            for e in (self.tokens.folder, floors)
            for file in e.iterdir()
        ]
        text = Path(self.study.corpus.path) if self.study.corpus.path else None
        own = [(TEXT / file.relative_to(text.parent), file) for file in own_text.files(text)] if text else []
        code = sources.read(self.source) if self.source else {}
        return {str(path): file.read_bytes() for path, file in (*cached, *own)} | {
            str(CODE / name): content for name, content in code.items()
        }

    def declare(self) -> None:
        """Write what the study is: `study.json`, its tokenizer, the code of its study file, specs that are gone.

        Raises:
            UserError: It could not be read again.
        """
        declared = declare(self.study, self.tokens, self.declared, self.source)
        if told := fault(declared, DECLARED):
            raise UserError(f"{self.declared.name} cannot be kept in records ({told}): mend that in its classes")
        write_record(self.folder.path / "study.json", declared)
        with written_atomically(self.folder.tokenizer) as temporary:
            temporary.write_text(self.tokens.tokenizer.to_str(), encoding="utf-8")  # its own `save` raises no OSError
        for name, content in sources.read(self.source).items() if self.source else ():
            kept = self.folder.code / name
            kept.parent.mkdir(parents=True, exist_ok=True)
            with written_atomically(kept) as temporary:
                temporary.write_bytes(content)
        for run in self.study.runs:
            folder = self.folder.run(run.slug)
            if folder.ended and not (folder.path / "spec.json").exists():
                with contextlib.suppress(DamagedError):  # its summary is damaged, too
                    if folder.identity in (None, identity(run)):
                        write_record(folder.path / "spec.json", {"identity": identity(run), "run": encode(run)})

    def holds(self, memory_bytes: int) -> int:
        """How many runs this machine holds at a time, by its cores or GPUs and its free memory.

        Of a cluster, how many its nodes do; from then on each run gets so much of one.

        Args:
            memory_bytes: What a run needs.

        Raises:
            UserError: No node of the cluster has as much.
        """
        if self.cluster:
            return self.cluster.reserve(self.study.budget.threads or 1, memory_bytes, self.device.type)
        by_memory = available_memory() // max(1, memory_bytes)
        return max(1, min(self.side_by_side, by_memory))

    @property
    def side_by_side(self) -> int:
        """How many runs have cores of their own, or a GPU."""
        cores = usable_cores() // (self.study.budget.threads or 1)
        return max(1, {"cpu": cores, "cuda": len(gpus())}.get(self.device.type, 1))

    def missing(self, only: Sequence[int] | None = None, again: Collection[int] = ()) -> list[Run]:
        """The runs to do: not yet finished and not diverged.

        Args:
            only: Numbers of experiments; None for all.
            again: Numbers of those whose runs that are over are missing as well, until `forget` makes them so.

        Raises:
            UserError: A run that is over, and not to be done again, is another one than the study declares, or was
                made by other code; then nothing is changed.
        """
        statuses = {run: self.folder.run(run.slug).status for run in self._asked(only)}
        kept = {run: status for run, status in statuses.items() if run.number not in again}
        over = [run for run, status in kept.items() if status in (FINISHED, DIVERGED)]
        self._require_declared(over)
        for folder in (self.folder.run(run.slug) for run in over):
            folder.tidy()
            folder.progress.unlink(missing_ok=True)  # nobody reads on
        damaged = [run for run, status in kept.items() if status == DAMAGED and self.folder.run(run.slug).ended]
        blocked = [run for run in statuses if self.folder.run(run.slug).obstacle]
        return [run for run in statuses if run not in {*over, *damaged, *blocked}]

    def forget(self, again: Collection[int]) -> None:
        """Make the runs of those experiments missing that are over, so that they are trained anew.

        So are those with seeds that only a comparison has, where they are of other code: they would stand beside these.
        """
        codes = {run.number: run.code for run in self.study.runs if run.number in again}
        folders = [self.folder.run(run.slug) for run in self.study.runs if run.number in again]
        for entry, _, folder in self.folder.undeclared_runs() if self.folder.exists else ():
            with contextlib.suppress(DamagedError):
                trained = (folder.spec or {}).get("run", {})
                if entry["number"] in codes and trained.get("code") != codes[entry["number"]]:
                    folders.append(folder)
        for folder in folders:
            settle(folder.path)  # of a run that has ended elsewhere that may still have to be seen
            if folder.ended:
                folder.clear()

    def damaged(self, only: Sequence[int] | None = None) -> list[str]:
        """What is wrong with runs that are not missing though they have no result, and how to mend it."""
        folders = [self.folder.run(run.slug) for run in self._asked(only)]
        stay = [folder for folder in folders if folder.ended or folder.obstacle]
        return [records.summary["error"] for folder in stay if (records := folder.read()).status == DAMAGED]

    def run(self, runs: Sequence[Run], jobs: int, observer: Observer) -> None:
        """Do those runs, `jobs` at a time; on an interrupt, stop them and leave what is unfinished to the next time."""
        alone = jobs == 1 and not self.cluster  # nothing is known of what else a node does
        tasks = {self._task(run, alone=alone): run for run in runs}
        do(list(tasks), self.cluster or self._here(), jobs, lambda task, message: observer(tasks[task], message))

    def _here(self) -> Local:
        server = shared_server(self.device)
        return Local(server.start, server.close, gpus() if self.device.type == "cuda" else ())

    def _task(self, run: Run, *, alone: bool) -> Task:
        folder, text = self.folder.run(run.slug).path, run.corpus.path
        sent = self.cluster is not None and self.cluster.sends
        job = Job(
            run=run,
            folder=folder,
            device=self.device.type,
            alone=alone,
            trial=self.study.trial,
            source=CODE / self.source.name if sent and self.source else self.source,
            text=TEXT / Path(text).name if sent and text else None,
        )
        return Task(folder, job.to_line())

    def _asked(self, only: Sequence[int] | None) -> list[Run]:
        return [run for run in self.study.runs if only is None or run.number in only]

    def _require_declared(self, runs: Sequence[Run]) -> None:
        folders = {run: self.folder.run(run.slug) for run in runs}
        others = {run: folder for run, folder in folders.items() if folder.identity not in (None, identity(run))}
        for run, folder in others.items():  # without its spec, the code may be all that is another
            spec = folder.spec
            if spec and identity(dataclasses.replace(run, code=spec["run"].get("code"))) != spec["identity"]:
                raise UserError(
                    f"{folder.path} holds another run than the study declares: choose another --out", status=1
                )
        if others:
            raise OtherCodeError(self.folder.path, sorted({run.number for run in others}), self.source)


def prepare(corpus: Corpus, budget: Budget, told: Told = lambda *_: None) -> Tokens:
    """Make tokens of a corpus and count them, which takes long for a large one; memory that this takes is given back.

    Args:
        corpus: What to read.
        budget: How to tokenize it, and how long a sequence is.
        told: Is told what is being done, where that takes long, and the share that is done, if it is known.

    Raises:
        UserError: Memory or disk are too small for it, or the corpus cannot be used.
    """
    costs.require_room(corpus, budget)
    tokens = data.prepare(corpus, budget, told)
    return_freed_memory(torch.device("cpu"))  # what a tokenizer's training has taken
    ngram.baselines(tokens, budget.sequence_length, told)
    texts.of_floor(tokens, budget.sequence_length)
    return tokens


@contextlib.contextmanager
def open_session(
    declared: Study, path: Path, device: torch.device, source: Path | None = None, jobs: int | None = 1
) -> Iterator[Session]:
    """Open a session as `open_undeclared` does, and declare what the study is.

    Raises:
        UserError: As there.
    """
    with open_undeclared(declared, path, device, source, jobs) as session:
        session.declare()
        yield session


@contextlib.contextmanager
def open_undeclared(  # noqa: PLR0913, PLR0917 (each says something else of what is opened)
    declared: Study,
    path: Path,
    device: torch.device,
    source: Path | None = None,
    jobs: int | None = 1,
    again: Collection[int] = (),
) -> Iterator[Session]:
    """Prepare a study's corpus and folder; until the session is closed no other command gets at the study.

    What there is of the study stays as it is until `Session.declare`, for which there may be a reason not to come.

    Args:
        declared: What to run, with the options of the command line in it.
        path: The study's folder.
        device: Where the runs compute.
        source: The user's study file, if the study comes from one.
        jobs: How many runs at a time are to share the cores, if the study is started now; None for one a core.
        again: Numbers of experiments whose runs may be of other code, as they are to be trained anew.

    Raises:
        UserError: The corpus cannot be used, a model cannot be built, the folder cannot be written or holds another
            study or runs of other code, or another command has it.
    """
    _require_writable(path)
    tokens = tokens_of(declared)
    folder = StudyFolder(path)
    with folder.acquire():
        for written in (path, *folder.code.glob("**")):
            remove_leftovers(written)
        study = resolve(declared, folder, device, jobs)
        session = Session(study=study, declared=declared, folder=folder, tokens=tokens, device=device, source=source)
        session.missing(again=again)  # refuses what is not of this study
        yield session


def tokens_of(declared: Study, told: Told = lambda *_: None) -> Tokens:
    """The tokens of a study all of whose models and optimizers can be built on them.

    Raises:
        UserError: The corpus cannot be used, or one cannot be built.
    """
    tokens = data.prepare(declared.corpus, declared.budget, told)
    require_buildable(declared, tokens.vocabulary)
    return tokens


def folder_name(declared: Study, built_in: Study) -> str:
    """The study's name, and if options changed what is computed, the corpus and six digits of the identity as well."""
    if identity(declared) == identity(built_in):
        return declared.name
    return f"{declared.name}-{declared.corpus.name}-{identity(declared)[:6]}"


def parse_jobs(jobs: str) -> int | None:
    """How many runs at a time; None for `auto`.

    Raises:
        UserError: It is neither a number of at most three digits from 1 nor `auto`.
    """
    if jobs == "auto":
        return None
    if not re.fullmatch("[1-9][0-9]{0,2}", jobs):
        raise UserError(f"--jobs takes auto or a number from 1 to 999, not {jobs}")
    return int(jobs)


def share_of_cores(jobs: int | None) -> int:
    """Threads of a run where that many share the cores; None stands for one a core."""
    return max(1, usable_cores() // jobs) if jobs else 1


def resolve(declared: Study, folder: StudyFolder, device: torch.device, jobs: int | None = 1) -> Study:
    """Precision, threads and seeds, as resolved when the study was started, or else for this machine.

    Whether models are compiled was resolved as well once; what a study was started with stays.

    Raises:
        UserError: The folder holds another study.
    """
    existing = folder.study if folder.exists else None
    if existing and existing["identity"] != identity(declared):
        text = declared.corpus.sha256
        why = ", of another text" if text and text != existing["corpus"].get("sha256") else ""
        raise UserError(
            f"{folder.path} holds another study than {declared.name} as it is declared now{why}: "
            "rename the study, choose another --out, or remove that folder"
        )
    budget = declared.budget
    started = existing["budget"] if existing else {}
    precision = started.get("precision") or resolve_precision(budget.precision, device)
    threads = started.get("threads") or budget.threads or share_of_cores(jobs)
    compiling = started.get("compile", budget.compile)
    seeds = tuple(sorted({*declared.seeds, *existing["seeds"]})) if existing else declared.seeds
    return dataclasses.replace(
        declared.with_shared(precision=precision, threads=threads, compile=compiling), seeds=seeds
    )


def _require_writable(path: Path) -> None:
    nearest = free_folder(path.absolute())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"cannot write in {path}: choose a folder with --out")
