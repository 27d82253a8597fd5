"""What the verbs `run`, `tune`, `judge`, `probe` and `choose` do, for the command line and for Python alike.

Mistakes are raised as `UserError`; progress is shown on standard error, or in a notebook's cell.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bakeoff import probing, process, progress, terminal, tuning, words
from bakeoff.analysis.probe import Probe
from bakeoff.analysis.reading import read_rows
from bakeoff.choosing.answer import Answer, answer
from bakeoff.choosing.choice import NOT_BEGUN, Choice
from bakeoff.choosing.fitting import Request, fitted
from bakeoff.choosing.search import NAMES
from bakeoff.data import corpora
from bakeoff.decisions import CHOICE_FILE, Decisions
from bakeoff.errors import UserError
from bakeoff.export import tensorboard as events
from bakeoff.files import remove_leftovers
from bakeoff.folders import require_ours
from bakeoff.machine import resolve_device
from bakeoff.options import (
    Asked,
    Options,
    at_once_of,
    bytes_of,
    clustered,
    contest_of,
    device_of,
    find,
    numbers,
    with_options,
)
from bakeoff.records import write_record
from bakeoff.reporting.results import Results
from bakeoff.run_folder import FAILED
from bakeoff.runner import OtherCodeError, open_undeclared, parse_jobs
from bakeoff.sessions import do, opened, reported, say_cost, say_where, train
from bakeoff.shapes import Json
from bakeoff.spec import Study
from bakeoff.study_file import find_study
from bakeoff.study_folder import StudyFolder, only_study

if TYPE_CHECKING:
    from bakeoff.judging import Judgement

#: Why `judge` and `probe` end without one.
NO_VERDICT = "there is no verdict while a run has failed; repeat the command to try it again"
NO_ANSWER = "there is no answer while a start has failed; repeat the command to try it again"


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
    asked, at_once = asked and [*asked, *anew], at_once_of(jobs, executor)
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

    search: tuning.RateSearch
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
    jobs: str | int = "auto",
    executor: str = "local",
    address: str | None = None,
    shared_folder: bool = True,
    again: str | Sequence[int] | None = None,
) -> Tuned:
    """Search learning rates for a study, round after round; the arguments are those of `run`.

    Raises:
        UserError: What was asked for cannot be done, or every trial of an experiment failed.
    """
    console, at_once = process.console(), parse_jobs(str(jobs))
    built_in, source = find_study(study)
    declared = with_options(built_in, corpus=corpus, epochs=epochs, precision=precision, threads=threads)
    anew = numbers("--again", again, declared) or ()
    progress.prepare(declared.corpus, declared.budget, console)
    folder = tuning.folder(Path(out), declared, built_in)
    search = tuning.RateSearch(declared, threads=tuning.threads(folder, at_once))
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
    if search.left_out:
        without = words.plural(search.left_out, "trial")
        process.say(f"{without} failed, and the rates were chosen without: repeat the command to try again")
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
    jobs: str | int | None = None,
    executor: str = "local",
    address: str | None = None,
    shared_folder: bool = True,
    again: str | Sequence[int] | None = None,
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

    console, at_once, seeds = process.console(), at_once_of(jobs, executor), judging.parse_looks(looks)
    options: Options = {"corpus": corpus, "epochs": epochs, "precision": precision, "threads": threads}
    contest = contest_of(study, (baseline, candidate), Path(out), options, seeds=seeds[0], trust=trust)
    one, other = contest.baseline, contest.candidate
    question = judging.Question(study=contest.study, baseline=one, candidate=other, looks=seeds, margin=margin)
    anew = numbers("--again", again, question.pair) or ()
    with (
        clustered(executor, address, shared=shared_folder) as cluster,
        opened(contest, device, at_once, console, anew, cluster=cluster) as session,
    ):
        judge, planned = judging.Judge(question, session, contest.remedy, contest.seen), 0
        if judge.missing(judge.first, anew):
            planned = say_cost(judge.whole, judge.missing(judge.whole, anew), at_once, console)
            progress.say(console, f"it looks after {looks} seeds, and stops once the answer is known")
        judge.begin(anew)
        decide = Decisions(contest.folder, functools.partial(progress.say, console))
        while (part := judge.next_look()) is not None:
            if missing := judge.missing(part):
                planned = planned or say_cost(judge.whole, judge.missing(judge.whole), at_once, console)
                for failure in (failed := train(part, missing, planned, console)):
                    process.say(failure)
                if failed:
                    raise UserError(NO_VERDICT, status=1)
            decide(f"#{other} against #{one} {terminal.look_text(judge.learn())}")
        judgement = judge.judgement()
        decide.end(f"#{other} against #{one}: {judgement.last.verdict}")
        progress.page(session.folder, console, question.pair.with_seeds(judgement.last.seeds)).draw()
        return judgement


class Probed(NamedTuple):
    """What a probe found, of which run, and where its starts are kept."""

    suspect: probing.Suspect
    found: Probe
    path: Path


def probe(
    folder: str | Path,
    number: int,
    *,
    device: str = "auto",
    executor: str = "local",
    address: str | None = None,
    shared_folder: bool = True,
    trust: bool = False,
) -> Probed:
    """Find out whether a run that learned nothing, or is behind a smaller model, fails for its recipe.

    Args:
        folder: The study's.
        number: The experiment's.
        device: Where to train; this and the next three are those of `run`.
        executor: Likewise.
        address: Likewise.
        shared_folder: Likewise.
        trust: Whether the study file that is kept with the study may be executed.

    Raises:
        UserError: There is nothing to probe, what was asked for cannot be done, or a start failed.
    """
    console, study = process.console(), only_study(Path(folder))
    suspect = probing.find(study, number, trust=trust)
    if suspect.other_code:
        process.say(f"#{number} was computed by other code of Bakeoff than is here, which repeats its start")
    with contextlib.ExitStack() as stack:
        stack.enter_context(study.acquire())
        tokens = progress.prepare(suspect.run.corpus, suspect.run.budget, console)
        cluster = stack.enter_context(clustered(executor, address, shared=shared_folder))
        where = device_of(device, cluster, suspect.run.budget.precision)
        sessions = [
            stack.enter_context(probing.open_anew(declared, at, where, suspect.source)).on(cluster)
            for at, declared in suspect.studies(tokens).items()
        ]
        missing = [session.missing() for session in sessions]
        if runs := list(chain.from_iterable(missing)):
            about = f"the probe of #{number}: {len(runs)} of {sum(len(s.study.runs) for s in sessions)} runs"
            jobs = say_cost(sessions[0], runs, None, console, about)
            done = zip(sessions, missing, strict=True)
            failed = [line for session, its in done for line in train(session, its, jobs, console)]
            for line in failed:
                process.say(line)
            if failed:
                raise UserError(NO_ANSWER, status=1)
        found = suspect.keep(*(read_rows(session.folder) for session in sessions))
    return Probed(suspect, found, sessions[0].folder.path.parent)


@dataclass(frozen=True, kw_only=True)
class Advice(Results):
    """What `bakeoff.choose` gives: the results of the study of the last run, and what to use.

    Attributes:
        answer: What was found.
        text: The same in words, as the command prints it.
        record: The same for programs.
    """

    answer: Answer
    text: str
    record: Json

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
        where, limit = resolve_device(device), bytes_of(memory)
        request = Request(corpus=found, minutes=minutes, memory_bytes=limit, seed=seed, device=where)
    except ValueError as error:
        raise UserError(str(error)) from error
    fitted(found, minutes)  # what is wrong with the text is told before there is a folder
    folder = Path(out) / f"choose-{found.name}"
    # A damaged choice.json may have been removed.
    require_ours(folder, CHOICE_FILE, *(f"{name}/study.json" for name in NAMES))
    with StudyFolder(folder).acquire():
        remove_leftovers(folder)
        choice = Choice(request, folder, began, console)
        chosen = choice.make()
        told = answer(chosen, folder)
        choice.decide.end(terminal.answer_text(told))
        if write_report:
            with choice.kept.clock.watched():
                results = reported(told.study, console)
        else:
            results = Results(folder=told.study, page=None)
            progress.page(StudyFolder(told.study), console).draw()
    lost = [f"the last run {chosen.ended}: {chosen.error}"] if chosen.ended in (FAILED, NOT_BEGUN) else []
    failed = (*results.failed, *lost)
    text, record = terminal.choice_text(told), terminal.choice_json(told)
    return Advice(folder=results.folder, page=results.page, failed=failed, answer=told, text=text, record=record)
