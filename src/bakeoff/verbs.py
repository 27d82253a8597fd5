"""What the verbs `run`, `tune`, `judge` and `choose` do, for the command line and for Python alike.

Mistakes are raised as `UserError`; progress is shown on standard error, or in a notebook's cell.
"""

import contextlib
import dataclasses
import functools
import re
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack

import torch
from rich.console import Console

from bakeoff import at_work, by_folders, costs, decisions, process, progress, terminal, tuning, words
from bakeoff.analysis.rows import read_rows
from bakeoff.choosing.answer import Answer, answer
from bakeoff.choosing.choice import Choice
from bakeoff.choosing.kept import FILE
from bakeoff.choosing.planning import Request
from bakeoff.choosing.search import NAMES
from bakeoff.data import corpora
from bakeoff.decisions import Decisions
from bakeoff.errors import UserError
from bakeoff.executors import Cluster
from bakeoff.executors.ray import connected
from bakeoff.executors.slurm import Slurm
from bakeoff.export import tensorboard as events
from bakeoff.files import remove_leftovers, require_ours
from bakeoff.measure import require_precision, resolve_device
from bakeoff.records import FAILED, StudyFolder, write_record
from bakeoff.report import live
from bakeoff.report.results import Results, report
from bakeoff.runner import OtherCodeError, Session, folder_name, open_undeclared, parse_jobs
from bakeoff.spec import Run, Study
from bakeoff.study_file import find_study

if TYPE_CHECKING:
    from bakeoff.judging import Judgement

#: One of two that are judged: the number of an experiment, or the folder of one or of a run of it.
Asked = int | str | Path


def run(
    study: str | Path | Study = "quick",
    *,
    only: str | Sequence[int] | None = None,
    again: str | Sequence[int] | None = None,
    seeds: int | None = None,
    corpus: str | Path | None = None,
    epochs: int | None = None,
    out: str | Path = "runs",
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    jobs: str | int | None = None,
    executor: str = "local",
    address: str | None = None,
    shared_folder: bool = True,
    tensorboard: bool = False,
    write_report: bool = True,
) -> Results:
    """Run what is missing of a study, then write its report.

    Finished and diverged runs stay as they are, failed ones are tried again. An interrupt is safe: the same call goes
    on. What changes what is computed (`corpus`, `epochs`, `precision`, `threads`) makes another study folder.

    Args:
        study: A built-in study's name, a Python file that defines `study`, or a study of Bakeoff's classes alone.
        only: Numbers of the experiments to run, such as `[1, 5]`.
        again: Numbers of those whose runs that are over are trained anew; to be left out after an interrupt.
        seeds: Repeat every experiment with this many seeds; those of earlier calls stay.
        corpus: A built-in corpus's name, a text file, or a folder with `train.txt`, `valid.txt`, `test.txt`.
        epochs: Passes over the train split, instead of the study's.
        out: The folder that holds the studies' folders.
        device: `auto`, `cpu`, `cuda` or `mps`.
        precision: `auto`, `fp32` or `bf16`; fixed when a study is started.
        threads: Processor threads of a run, instead of its share of the cores that are allowed.
        jobs: Runs at a time, or `auto`; more than one spoils timings. By default one, and on a cluster `auto`.
        executor: `local`, `ray` or `slurm`.
        address: The Ray cluster's, `HOST:PORT`; by default one that runs on this machine, or else one is started here.
        shared_folder: Whether Ray's nodes may share `out`. What they do not see is sent to them and comes back.
        tensorboard: Whether event files for TensorBoard grow beside the runs, in the study's `tensorboard/`.
        write_report: Whether to.

    Raises:
        UserError: What was asked for cannot be done; its text says how to mend that.
    """
    console = process.console()
    found = find(study, Path(out), corpus=corpus, epochs=epochs, precision=precision, threads=threads, seeds=seeds)
    asked, anew = numbers("--only", only, found.study), numbers("--again", again, found.study) or []
    asked, at_once = asked and [*asked, *anew], _at_once(jobs, executor)
    if tensorboard:
        events.require()
    with (
        clustered(executor, address, shared=shared_folder) as cluster,
        opened(found, device, at_once, console, anew, cluster=cluster) as session,
    ):
        grown = [events.Growing(session.folder, functools.partial(progress.say, console))] if tensorboard else []
        done = do(session, session.missing(asked, anew), at_once, console, *grown, again=anew)
        failed = [*done, *session.damaged(asked)]
    results = reported(found.folder, console) if write_report else Results(folder=found.folder, page=None)
    return dataclasses.replace(results, failed=(*failed, *results.failed))


class Tuned(NamedTuple):
    """What a search for learning rates found, and where it is kept."""

    search: tuning.Search
    path: Path


def tune(
    study: str | Path,
    *,
    corpus: str | Path | None = None,
    epochs: int | None = None,
    out: str | Path = "runs",
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    jobs: str = "auto",
    executor: str = "local",
    address: str | None = None,
    shared_folder: bool = True,
    again: str | None = None,
) -> Tuned:
    """Search learning rates for a study, round after round; the arguments are those of `run`.

    Raises:
        UserError: What was asked for cannot be done, or every trial of an experiment failed.
    """
    console, at_once = process.console(), parse_jobs(jobs)
    built_in, source = find_study(study)
    declared = with_options(built_in, corpus=corpus, epochs=epochs, precision=precision, threads=threads)
    anew = numbers("--again", again, declared) or ()
    progress.prepare(declared.corpus, declared.budget, console)
    folder = tuning.folder(Path(out), declared, built_in)
    search = tuning.Search(declared, threads=tuning.threads(folder, at_once))
    with StudyFolder(folder).acquire(), clustered(executor, address, shared=shared_folder) as cluster:
        decide = Decisions(folder, functools.partial(progress.say, console))
        where = device_of(device, cluster, declared.budget.precision)
        while (round_ := search.next_round()) is not None:
            if moved := tuning.put_aside(folder, round_):
                process.say(f"{round_.name} follows from other results than there are now: moved to {moved}")
            trials, at = search.trials_of(anew), folder / round_.name
            try:
                with open_undeclared(round_, at, where, source, again=trials) as here:
                    session = here.on(cluster)
                    say_where(session, console)
                    decide(f"round {search.rounds}: {words.plural(len(round_.experiments), 'trial')}")
                    for failure in do(session, session.missing(again=trials), at_once, console, again=trials):
                        process.say(failure)
            except OtherCodeError as error:
                raise OtherCodeError(at, search.experiments_of(error.numbers), source, "bakeoff tune") from error
            search.learn(read_rows(session.folder))
            if failed := ", ".join(search.failed()):
                told = f"every trial of {failed} failed, so nothing is chosen; repeat the command to try again"
                raise UserError(told, status=1)
            decide(terminal.round_text(search))
            progress.page(session.folder, console).draw()
        remove_leftovers(folder)
        write_record(folder / tuning.FILE, search.result())
        decide.end(f"the learning rates in {tuning.FILE}")
        progress.page(session.folder, console).draw()
    return Tuned(search, folder / tuning.FILE)


def judge(
    study: str | Path | None = None,
    *,
    baseline: Asked,
    candidate: Asked,
    looks: str = "3,5,8",
    margin: float = 0.01,
    corpus: str | Path | None = None,
    epochs: int | None = None,
    out: str | Path = "runs",
    device: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    jobs: str | None = None,
    executor: str = "local",
    address: str | None = None,
    shared_folder: bool = True,
    again: str | None = None,
    trust: bool = False,
) -> "Judgement":
    """Judge whether an experiment, the candidate, is better than the baseline, after as many seeds as that takes.

    The two are numbers of the study; without one they are folders of experiments or runs, of one study or of two with
    the same text and budget, whose study files are executed with `trust` alone. The arguments are those of `run`;
    `looks` are numbers of seeds after which it may stop; within the `margin`, in nats per token of valid, two are the
    same.

    Raises:
        UserError: What was asked for cannot be done, or a run failed, so that there is no verdict.
    """
    from bakeoff import judging  # noqa: PLC0415 (scipy, which no other verb here needs, takes a second to import)

    console, at_once, seeds = process.console(), _at_once(jobs, executor), judging.parse_looks(looks)
    options: Options = {"corpus": corpus, "epochs": epochs, "precision": precision, "threads": threads}
    contest = _contest(study, (baseline, candidate), Path(out), options, seeds=seeds[0], trust=trust)
    found, one, other = Found(contest.study, contest.folder, contest.study, contest.source), *contest[3:5]
    question = judging.Question(study=found.study, baseline=one, candidate=other, looks=seeds, margin=margin)
    anew = numbers("--again", again, question.pair) or ()
    with (
        clustered(executor, address, shared=shared_folder) as cluster,
        opened(found, device, at_once, console, anew, cluster=cluster) as session,
    ):
        judge, planned = judging.Judge(question, session, contest.remedy, contest.seen), 0
        if judge.missing(judge.first, anew):
            planned = say_cost(judge.whole, judge.missing(judge.whole, anew), at_once, console)
            progress.say(console, f"it looks after {looks} seeds, and stops once the answer is known")
        decide = Decisions(found.folder, functools.partial(progress.say, console))
        judge.begin(anew)
        while (part := judge.next_look()) is not None:
            if missing := judge.missing(part):
                planned = planned or say_cost(judge.whole, judge.missing(judge.whole), at_once, console)
                _train_all(part, missing, planned, console)
            decide(f"#{other} against #{one} {terminal.look_text(judge.learn())}")
        judgement = judge.judgement()
        decide.end(f"#{other} against #{one}: {judgement.last.verdict}")
        progress.page(session.folder, console, question.pair.with_seeds(judgement.last.seeds)).draw()
        return judgement


@dataclass(frozen=True, kw_only=True)
class Advice(Results):
    """What `bakeoff.choose` gives: the results of the study of the last run, and what to use.

    Attributes:
        answer: What was found.
        text: The same in words, as the command prints it.
    """

    answer: Answer
    text: str

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text)}</pre>{super()._repr_html_()}"


def choose(
    corpus: str | Path,
    *,
    minutes: float = 10.0,
    memory: str | None = None,
    out: str | Path = "runs",
    device: str = "auto",
    seed: int = 0,
    write_report: bool = True,
    began: float | None = None,
) -> Advice:
    """Find out what to use on a text in the time there is, and train it.

    Compares several contenders in short complete schedules, gives most of the time to the winner, and says how sure
    that is. An interrupt is safe: the same call goes on with the time that was left.

    Args:
        corpus: A text file, a folder with `train.txt`, `valid.txt`, `test.txt`, or a built-in corpus's name.
        minutes: From the call to the answer.
        memory: What a run may take, such as `2GB`; what is free by default.
        out: The folder that holds the studies' folders.
        device: `auto`, `cpu`, `cuda` or `mps`.
        seed: Of the last run.
        write_report: Whether to write that of its study.
        began: When the minutes began, on the monotonic clock; by default now.

    Raises:
        UserError: What was asked for cannot be done; its text says how to mend that.
    """
    console, began = process.console(), time.monotonic() if began is None else began
    found = corpora.choose(str(corpus))
    try:
        request = Request(
            corpus=found,
            minutes=minutes,
            memory_bytes=_bytes(memory),
            seed=seed,
            device=resolve_device(device),
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    folder = Path(out) / f"choose-{found.name}"
    # A damaged choice.json may have been removed.
    require_ours(folder, FILE, *(f"{name}/study.json" for name in NAMES))
    with StudyFolder(folder).acquire():
        remove_leftovers(folder)
        choice = Choice(request, folder, began, console)
        chosen = choice.make()
        told = answer(chosen, folder)
        choice.decide.end(terminal.answer_text(told, chosen))
        if write_report:
            results = reported(told.study, console)
        else:
            results = Results(folder=told.study, page=None)
            progress.page(StudyFolder(told.study), console).draw()
    failed = (*results.failed, *([f"the last run failed: {told.error}"] if told.ended == FAILED else []))
    text = terminal.choice_text(told, chosen)
    return Advice(folder=results.folder, page=results.page, failed=failed, answer=told, text=text)


class Options(TypedDict, total=False):
    """What a verb may change of a study, each None or `auto` where it does not."""

    corpus: str | Path | None
    epochs: int | None
    precision: str
    threads: int | None
    seeds: int | None


class Found(NamedTuple):
    """A study as it is to be run: with a verb's options, and the rates that were found for it; and where it lies."""

    study: Study
    folder: Path
    built_in: Study
    source: Path | None


def find(study: str | Path | Study, out: Path, **options: Unpack[Options]) -> Found:
    """The study that is asked for, whose folder is in `out`.

    Raises:
        UserError: There is no such study, or it cannot have these options.
    """
    built_in, source = find_study(study)
    declared = tuning.apply(out, with_options(built_in, **options), built_in, source)
    return Found(declared, out / folder_name(declared, built_in), built_in, source)


def with_options(study: Study, **options: Unpack[Options]) -> Study:
    """The study with a verb's options in it.

    Raises:
        UserError: It cannot have them.
    """
    corpus, seeds = options.get("corpus"), options.get("seeds")
    budget: dict[str, Any] = {name: options.get(name) for name in ("epochs", "precision", "threads")}
    asked = {name: value for name, value in budget.items() if value not in (None, "auto")}
    try:
        changed = study.with_shared(corpus=corpora.choose(str(corpus)) if corpus is not None else None, **asked)
        return changed.with_seeds(seeds) if seeds is not None else changed
    except ValueError as error:
        raise UserError(str(error)) from error


def numbers(option: str, given: str | Sequence[int] | None, study: Study) -> list[int] | None:
    """Numbers of a study's experiments, in a list or as they are typed: `1,5`."""
    if given is None:
        return None
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else list(map(str, given))
    if not all(part in map(str, study.numbers) for part in parts):
        known = ", ".join(map(str, study.numbers))
        raise UserError(f"{option} takes experiment numbers such as 1,5; study {study.name} has {known}; not {given!r}")
    return [int(part) for part in parts]


#: What may be judged.
PAIRS = (
    "--baseline and --candidate take two numbers of a study, as in `bakeoff judge quick --baseline 1 --candidate 2`, "
    "or two folders and no study, as in `bakeoff judge --baseline runs/quick/02-lstm-1-adamw --candidate "
    "runs/mine/01-glr-1-adam`"
)


def _contest(
    study: str | Path | None,
    pair: tuple[Asked, Asked],
    out: Path,
    options: Options,
    *,
    seeds: int,
    trust: bool,
) -> by_folders.Contest:
    """The study in which two are compared, and their numbers there; a new one has so many seeds.

    Raises:
        UserError: They are neither two numbers of a study nor two folders that can be compared.
    """
    counted = [re.fullmatch("-?[0-9]{1,9}", str(each)) is not None for each in pair]
    if len({*counted, study is not None}) > 1:
        raise UserError(PAIRS)
    if study is None:
        if given := [f"--{name}" for name, value in options.items() if value not in (None, "auto")]:
            raise UserError(f"the two folders say what their text and their budget are: leave out {given[0]}")
        return by_folders.contest(str(pair[0]), str(pair[1]), out, seeds=seeds, trust=trust)
    found, (baseline, candidate) = find(study, out, **options), (int(str(each)) for each in pair)
    searching = tuning.command(out, found.study, found.built_in, found.source)
    remedy = f"`{searching}` searches for both alike, and this command then judges with what it finds"
    return by_folders.Contest(found.study, found.folder, found.source, baseline, candidate, remedy)


def clustered(
    executor: str, address: str | None, *, shared: bool = True
) -> contextlib.AbstractContextManager[Cluster | None]:
    """The cluster that is asked for; None for this machine.

    Raises:
        UserError: There is no such executor; the errors of the cluster come when it is entered.
    """
    if executor == "ray":
        return connected(address, shared=shared)
    if not shared:
        raise UserError("--no-shared-folder is for the nodes of a Ray cluster: use it with --executor ray")
    if address is not None:
        raise UserError("--address is that of a Ray cluster: use it with --executor ray")
    if executor == "slurm":
        return contextlib.nullcontext(Slurm())
    if executor != "local":
        raise UserError(f"unknown executor {executor!r}: use local, ray or slurm")
    return contextlib.nullcontext()


def device_of(name: str, cluster: Cluster | None, precision: str) -> torch.device:
    """The device of that name, here or on a cluster's nodes.

    Raises:
        UserError: There is none, or it is not here and the precision is for it to decide.
    """
    if cluster is None:
        return resolve_device(name)
    device = torch.device(cluster.device(name))
    if precision == "auto" and not _is_here(device):
        raise UserError("this machine has no GPU that tells what the nodes' compute in: use --precision bf16 or fp32")
    return device


def _is_here(device: torch.device) -> bool:
    return device.type != "cuda" or torch.cuda.is_available()


@contextlib.contextmanager
def opened(
    found: Found,
    device: str,
    at_once: int | None,
    console: Console,
    again: Collection[int] = (),
    *,
    cluster: Cluster | None = None,
) -> Iterator[Session]:
    """The session of a study, once its text is ready; nothing of the study is declared yet."""
    study, folder, _, source = found
    require_ours(folder, "study.json", "*/seed-*/spec.json")  # a damaged study.json may have been removed
    progress.prepare(study.corpus, study.budget, console)
    with contextlib.ExitStack() as stack:
        with console.status(f"preparing {study.corpus.name}"):
            where = device_of(device, cluster, study.budget.precision)
            session = stack.enter_context(open_undeclared(study, folder, where, source, at_once, again)).on(cluster)
        say_where(session, console)
        yield session


def say_where(session: Session, console: Console) -> None:
    """Say where runs have their files meanwhile, if that is not the study's folder."""
    if session.cluster and session.cluster.sends:
        told = "what runs read is sent to them, and the runs' folders come back"
        progress.say(console, f"the nodes do not share {session.folder.path}: {told}")


def do(
    session: Session,
    missing: Sequence[Run],
    at_once: int | None,
    console: Console,
    *also: progress.Display,
    again: Collection[int] = (),
) -> list[str]:
    """Do the missing runs, and say before what that will cost; a line for each that failed.

    Where the disk or the cluster has no room for them, whatever there is stays as it is.
    """
    jobs = say_cost(session, missing, at_once, console) if missing else 1
    session.forget(again)
    session.declare()
    decisions.forget(session.folder.path)
    if missing:
        return train(session, missing, jobs, console, *also)
    with progress.following(*also):  # what they show of runs that are over
        return []


def say_cost(
    session: Session, missing: Sequence[Run], at_once: int | None, console: Console, about: str | None = None
) -> int:
    """Say what the missing runs will cost, and how many are done at a time: by default what the machine holds.

    They are those of the session, or what it is `about`, with runs of others that are like it.
    """
    study = session.study
    if not session.cluster:
        require_precision(study.budget.precision, session.device)
    with console.status("timing a few steps of each model"):
        here = session.device if _is_here(session.device) else torch.device("cpu")
        cost = costs.estimate(missing, session.tokens, here)
    held = session.holds(cost.memory_bytes)
    jobs = min(at_once or held, len(missing))
    disk = cost.disk_bytes(jobs)
    costs.require_disk(f"what is to do of {study.name} takes about", disk, session.folder.path, "choose another --out")
    threads = words.plural(study.budget.threads or 1, "thread")
    progress.say(
        console,
        f"{about or f'{study.name}: {len(missing)} of {len(study.runs)} runs'} to do on {session.device.type}, "
        f"{threads} a run, {study.budget.precision}, {jobs} at a time: about "
        f"{words.duration(cost.wait(min(jobs, held if session.cluster else session.side_by_side)))}, "
        f"{words.megabytes(cost.memory_bytes * jobs)} of memory, {words.megabytes(disk)} of disk",
    )
    return jobs


def train(session: Session, missing: Sequence[Run], jobs: int, console: Console, *also: progress.Display) -> list[str]:
    """Do the missing runs, `jobs` at a time; a line for each that failed.

    Progress and the study's page are told what they say, and whoever else is named.
    """
    progress.say(console, f"as it goes on: {live.path(session.folder)}")
    displays = progress.display(missing, console), progress.page(session.folder, console, session.study)
    with progress.following(*displays, *also) as observer:
        session.run(missing, jobs, observer)
    records = {run.slug: session.folder.run(run.slug).read() for run in missing}
    return [f"{slug} failed: {kept.summary['error']}" for slug, kept in records.items() if kept.status == FAILED]


def _train_all(session: Session, missing: Sequence[Run], jobs: int, console: Console) -> None:
    """Do the missing runs.

    Raises:
        UserError: One failed.
    """
    failed = train(session, missing, jobs, console)
    for failure in failed:
        process.say(failure)
    if failed:
        raise UserError("there is no verdict while a run has failed; repeat the command to try it again", status=1)


def reported(folder: Path, console: Console) -> Results:
    """The results of a study, once its report is written, to which its page leads then."""
    with console.status("writing the report"):
        results = report(folder)
    at_work.forget(StudyFolder(folder))
    progress.page(StudyFolder(folder), console).draw()
    return results


def _at_once(jobs: str | int | None, executor: str) -> int | None:
    """How many runs at a time: by default one here, where times are measured, and on a cluster what its nodes hold."""
    return parse_jobs(str(("1" if executor == "local" else "auto") if jobs is None else jobs))


def _bytes(given: str | None) -> float | None:
    """A size such as `2GB` or `500MB` in bytes."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", given.strip())
    if not found or not float(found[1]):
        raise UserError(f"--memory takes a size such as 2GB or 500MB, not {given!r}")
    return float(found[1]) * 1000.0 ** " kMGT".index(found[2] or " ")
