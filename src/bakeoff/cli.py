"""The command line. Each verb imports what it needs when it is called, so that help answers at once."""

import contextlib
import json
import os
import re
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from bakeoff import process
from bakeoff.errors import UserError, plain
from bakeoff.process import INTERRUPTED, say, show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console

    from bakeoff.analysis.rows import StudyRows
    from bakeoff.records import StudyFolder
    from bakeoff.runner import Session
    from bakeoff.spec import Run, Study

DEFAULT_OUT = Path("runs")


class Grouped(TyperGroup):
    """Verbs under headings, those of one heading together."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002 (typer's own, and private)
        """Write the verbs of each heading."""
        verbs: list[Any] = list(self.commands.values())
        for heading, together in groupby(verbs, key=lambda verb: verb.rich_help_panel):
            with formatter.section(heading):
                formatter.write_dl([(verb.name, verb.get_short_help_str(limit=200)) for verb in together])


app = typer.Typer(
    cls=Grouped,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""Train small language models with several optimizers, measure each honestly, and write the report.

    Start with `bakeoff run quick`: twelve experiments on a few hundred encyclopedia articles, in minutes.
    Then try your own text: `bakeoff run quick --corpus my.txt`.""",
)

#: The headings of the verbs.
START, LOOK, BE_SURE, TAKE = "Start here", "Look", "Be sure", "Take along"

StudyArgument = Annotated[
    str,
    typer.Argument(
        help="quick, modern, wikitext-2, wikitext-2-long, wikitext-2-modern, seed, seed-learned, or a Python file that "
        "defines `study`."
    ),
]
FolderArgument = Annotated[Path, typer.Argument(help="A study's folder, or a folder of studies.")]
CorpusOption = Annotated[
    str | None,
    typer.Option(help="A name from `bakeoff data`, a text file, or a folder with train.txt, valid.txt, test.txt."),
]
EpochsOption = Annotated[int | None, typer.Option(help="Passes over the train split, instead of the study's.")]
OutOption = Annotated[Path, typer.Option(help="The folder that holds the studies' folders.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
PrecisionOption = Annotated[str, typer.Option(help="auto, fp32 or bf16; fixed when a study is started.")]
ThreadsOption = Annotated[
    int | None, typer.Option(help="Processor threads of a run, instead of its share of the cores that are allowed.")
]
JobsOption = Annotated[
    str,
    typer.Option(
        help="Runs at a time: a number, or auto for what cores and memory hold. They share the cores, as fixed when "
        "the study is started. More than 1 spoils timings."
    ),
]
TrialsOption = Annotated[
    str, typer.Option(help="Trials at a time, which share the cores: a number, or auto for one a core.")
]
TrustOption = Annotated[
    bool, typer.Option("--trust", help="Execute the study file that is kept with the study, if the model needs it.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")
]


def main() -> None:
    """Run the command line; a user's mistake becomes one line on standard error."""
    status: object = 0
    process.start()
    try:
        with process.interruptible(_say_stopped):
            status = app(standalone_mode=False)
    except UserError as error:
        say(str(error))
        status = error.status
    except typer.TyperException as error:
        say(f"{error.format_message().rstrip('.')}; see `bakeoff --help`")
        status = 2
    except OSError as error:
        say(process.what_was_refused(error))
        status = 1
    except UnicodeError as error:
        say(f"{error}: a name or a text")
        status = 1
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:  # which typer may also return
        _say_stopped()
    sys.exit(status if isinstance(status, int) else 0)


def _say_stopped() -> None:
    say("stopped; repeat the command to go on with what is missing")


@app.callback(invoke_without_command=True)
def bakeoff(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Print the version, or help where there is no verb."""
    if version:
        from importlib import metadata

        show(f"bakeoff {metadata.version('bakeoff')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        show(context.get_help())


@app.command(rich_help_panel=START)
def run(
    study: StudyArgument = "quick",
    *,
    only: Annotated[str | None, typer.Option(help="Numbers of the experiments to run, such as 1,5.")] = None,
    again: Annotated[
        str | None, typer.Option(help="Numbers of experiments to train anew, whatever there is of them, such as 1,5.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Repeat every experiment with this many seeds; those of earlier commands stay.")
    ] = None,
    corpus: CorpusOption = None,
    epochs: EpochsOption = None,
    out: OutOption = DEFAULT_OUT,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    jobs: JobsOption = "1",
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the report at the end.")] = True,
) -> int:
    """Run what is missing of a study, then write its report.

    Finished and diverged runs stay as they are, failed ones are tried again. Ctrl-C is safe: repeat the command to go
    on. An option that changes what is computed (--corpus, --epochs, --precision, --threads) makes another study folder.
    """
    from bakeoff import progress, tuning
    from bakeoff.measure import resolve_device
    from bakeoff.runner import folder_name, open_session, parse_jobs
    from bakeoff.study_file import find_study

    console = _console()
    built_in, source = find_study(study)
    options = _with_options(built_in, corpus=corpus, epochs=epochs, precision=precision, threads=threads, seeds=seeds)
    declared = tuning.apply(out, options, built_in, source)
    numbers, anew = _numbers("--only", only, declared), _numbers("--again", again, declared)
    at_once, folder = parse_jobs(jobs), out / folder_name(declared, built_in)
    _require_ours(folder, "study.json", "*/seed-*/spec.json")  # a damaged study.json may have been removed
    progress.prepare(declared.corpus, declared.budget, console)
    with contextlib.ExitStack() as stack:
        with console.status(f"preparing {declared.corpus.name}"):
            session = stack.enter_context(open_session(declared, folder, resolve_device(device), source, at_once))
        session.forget(anew or ())
        missing, damaged = session.missing(numbers), session.damaged(numbers)
        failed = _do(session, missing, at_once, console) if missing else 0
    for damage in damaged:
        say(damage)
    incomplete = _report(session.folder, console) if report else 0
    return 1 if failed or damaged or incomplete else 0


@app.command(rich_help_panel=START)
def choose(
    corpus: Annotated[
        str,
        typer.Argument(
            help="A text file, a folder with train.txt, valid.txt, test.txt, or a name from `bakeoff data`."
        ),
    ],
    *,
    minutes: Annotated[float, typer.Option(help="From the command to the answer.")] = 10.0,
    memory: Annotated[
        str | None, typer.Option(help="What a run may take, such as 2GB; what is free by default.")
    ] = None,
    out: OutOption = DEFAULT_OUT,
    device: DeviceOption = "auto",
    seed: Annotated[int, typer.Option(help="Of the last run.")] = 0,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the report at the end.")] = True,
) -> int:
    """Find out what to use on a text in the time there is, and train it.

    Compares several contenders in short complete schedules, gives most of the time to the winner, and says how sure
    that is. Ctrl-C is safe: the same command goes on with the time that was left.
    """
    from bakeoff import terminal
    from bakeoff.choosing.answer import answer
    from bakeoff.choosing.choice import Choice
    from bakeoff.choosing.kept import FILE
    from bakeoff.choosing.planning import Request
    from bakeoff.choosing.search import NAMES
    from bakeoff.data import corpora
    from bakeoff.files import remove_leftovers
    from bakeoff.measure import resolve_device
    from bakeoff.records import FAILED, StudyFolder

    began, console = process.began(), _console()
    found = corpora.choose(corpus)
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
    folder = out / f"choose-{found.name}"
    # A damaged choice.json may have been removed.
    _require_ours(folder, FILE, *(f"{name}/study.json" for name in NAMES))
    with StudyFolder(folder).acquire():
        remove_leftovers(folder)
        chosen = Choice(request, folder, began, console).make()
        told = answer(chosen, folder)
        incomplete = _report(StudyFolder(told.study), console) if report else 0
    show(terminal.choice_text(told, chosen))
    return 1 if incomplete or told.ended == FAILED else 0


@app.command(name="data", rich_help_panel=START)
def data_(name: Annotated[str | None, typer.Argument(help="A corpus to fetch and verify.")] = None) -> None:
    """List the built-in corpora, or fetch and verify one: its sizes, and what its splits share."""
    from bakeoff import terminal
    from bakeoff.data import corpora
    from bakeoff.spec import Corpus

    names = list(corpora.CORPORA) if name is None else [name]
    for each in names:
        text = corpora.load(Corpus(name=each)) if name or corpora.find(each).place() else None
        show(terminal.corpus_text(each, corpora.find(each), text))


@app.command(rich_help_panel=LOOK)
def status(folder: FolderArgument = DEFAULT_OUT, *, as_json: JsonOption = False) -> int:
    """Tell what is finished, running, diverged, failed or missing, and how long the rest will take."""
    from bakeoff import terminal
    from bakeoff.analysis.rows import read_rows
    from bakeoff.records import find_studies

    studies: list[tuple[StudyFolder, StudyRows]] = []
    damaged = _for_each(find_studies(folder), lambda found: studies.append((found, read_rows(found))))
    if as_json:
        _print_json({"studies": [terminal.status_json(found, rows) for found, rows in studies]})
    elif studies:
        show("\n\n".join(terminal.status_text(found, rows) for found, rows in studies))
    return damaged


@app.command(rich_help_panel=LOOK)
def report(
    folder: FolderArgument = DEFAULT_OUT,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Write it into this folder, not into the study's: one folder a study.")
    ] = None,
    beside_published: Annotated[
        bool, typer.Option("--beside-published", help="Show the course report's table too, as in the study seed.")
    ] = False,
) -> int:
    """Rebuild the report from the run folders; this never trains."""
    from bakeoff.records import find_studies

    def write(study: "StudyFolder") -> int:
        into = out / study.path.resolve().name if out else None
        if into:
            _require_ours(into, "index.html")
        return _report(study, _console(), into, beside_published=beside_published)

    return _for_each(find_studies(folder), write)


@app.command(rich_help_panel=LOOK)
def describe(study: StudyArgument = "quick", *, out: OutOption = DEFAULT_OUT, as_json: JsonOption = False) -> None:
    """Show a study's experiments: numbers, sizes, exact parameter counts, tokens, the rates that `run` would use."""
    from bakeoff import data, declaration, terminal, tuning
    from bakeoff.study_file import find_study

    built_in, source = find_study(study)
    declared = tuning.apply(out, built_in, built_in, source)
    tokens = None
    with contextlib.suppress(OSError):  # nothing can be kept, so counts stay unknown
        if data.is_here(declared.corpus, declared.budget):
            tokens = data.prepare(declared.corpus, declared.budget)
    description = declaration.describe(declared, tokens)
    if as_json:
        _print_json(description)
    else:
        show(terminal.description_text(description))


@app.command(rich_help_panel=BE_SURE)
def tune(
    study: StudyArgument = "quick",
    *,
    corpus: CorpusOption = None,
    epochs: EpochsOption = None,
    out: OutOption = DEFAULT_OUT,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    jobs: TrialsOption = "auto",
    again: Annotated[
        str | None, typer.Option(help="Numbers of experiments whose trials are trained anew, such as 1,5.")
    ] = None,
) -> int:
    """Search learning rates: the same grid and the same short schedules for every experiment.

    Prints and stores what it chose, with every trial; `bakeoff run` with the same STUDY, --corpus, --epochs,
    --precision, --threads and --out uses it from then on. Ctrl-C is safe: repeat the command to go on.
    """
    from bakeoff import progress, terminal, tuning
    from bakeoff.analysis.rows import read_rows
    from bakeoff.files import remove_leftovers
    from bakeoff.measure import resolve_device
    from bakeoff.records import write_record
    from bakeoff.runner import OtherCodeError, open_session, parse_jobs
    from bakeoff.study_file import find_study

    console, at_once = _console(), parse_jobs(jobs)
    built_in, source = find_study(study)
    declared = _with_options(built_in, corpus=corpus, epochs=epochs, precision=precision, threads=threads)
    anew = _numbers("--again", again, declared) or ()
    progress.prepare(declared.corpus, declared.budget, console)
    folder = tuning.folder(out, declared, built_in)
    search = tuning.Search(declared, threads=tuning.threads(folder, at_once))
    while (round_ := search.next_round()) is not None:
        if moved := tuning.put_aside(folder, round_):
            say(f"{round_.name} follows from other results than there are now: moved to {moved}, and begun anew")
        with open_session(round_, folder / round_.name, resolve_device(device), source) as session:
            session.forget(search.trials_of(anew))
            try:
                missing = session.missing()
            except OtherCodeError as error:
                numbers = search.experiments_of(error.numbers)
                raise OtherCodeError(session.folder.path, numbers, source, "bakeoff tune") from error
            if missing:
                _do(session, missing, at_once, console)
        search.learn(read_rows(session.folder))
        if failed := search.failed():
            say(f"every trial of {', '.join(failed)} failed, so nothing is chosen; repeat the command to try again")
            return 1
    remove_leftovers(folder)
    write_record(folder / tuning.FILE, search.result())
    show(terminal.tuning_text(search))
    show(f"rates: {folder / tuning.FILE}")
    return 0


@app.command(rich_help_panel=BE_SURE)
def plan(
    study: StudyArgument = "quick",
    *,
    only: Annotated[str | None, typer.Option(help="Numbers of the experiments to plan for, such as 1,5.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Plan for this many seeds, instead of the study's.")] = None,
    corpus: CorpusOption = None,
    epochs: EpochsOption = None,
    out: OutOption = DEFAULT_OUT,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a study costs here, and the smallest difference that so many seeds can see; trains nothing.

    How much another seed changes is what the study's own runs in --out say, once two experiments have three seeds in
    common; until then it is what was kept of the most similar built-in study. Costs are those of all runs, one at a
    time, finished ones included. For example, for two experiments: `bakeoff plan quick --only 5,6`.
    """
    from bakeoff import costs, planning, progress, terminal, tuning
    from bakeoff.measure import resolve_device
    from bakeoff.records import StudyFolder
    from bakeoff.runner import folder_name, tokens_of
    from bakeoff.study_file import find_study

    console = _console()
    built_in, source = find_study(study)
    options = _with_options(built_in, corpus=corpus, epochs=epochs, precision=precision, threads=threads, seeds=seeds)
    declared = tuning.apply(out, options, built_in, source)
    numbers, on = _numbers("--only", only, declared), resolve_device(device)
    folder = StudyFolder(out / folder_name(declared, built_in))
    costs.require_room(declared.corpus, declared.budget)
    with progress.preparing(declared.corpus.name, console) as told:
        tokens = tokens_of(declared, told)
    with console.status("timing a few steps of each model"):
        planned = planning.plan(declared, tokens, folder, on, numbers or declared.numbers)
    if as_json:
        _print_json(planned.as_json())
    else:
        show(terminal.plan_text(planned))


@app.command(rich_help_panel=BE_SURE)
def bench(
    *,
    fast: Annotated[bool, typer.Option("--fast", help="Only the sizes of quick, in under three minutes.")] = False,
    busy: Annotated[
        bool, typer.Option("--busy", help="Only how much a busy program on each core slows a step, beside Trainer.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure training speed here, beside public peers and beside what this machine's matrix products allow.

    Every peer trains the same model on the same batches; all take turns, so that the ratios hold on a busy machine.
    """
    from bakeoff import terminal
    from bakeoff.bench import table

    console = _console()
    with console.status("starting") as status:
        measured = (table.measure_busy if busy else table.measure)(status.update, fast=fast)
    if as_json:
        _print_json(measured)
    else:
        show(terminal.busy_text(measured) if busy else terminal.bench_text(measured))


@app.command(rich_help_panel=TAKE)
def sample(
    folder: Annotated[
        Path, typer.Argument(help="A run's folder, or a study's for its run with the lowest valid loss.")
    ] = DEFAULT_OUT,
    prompt: Annotated[str, typer.Argument(help="What the text begins with.")] = "",
    *,
    tokens: Annotated[int, typer.Option(help="Tokens to generate.")] = 200,
    temperature: Annotated[float, typer.Option(help="Below 1 the likelier tokens gain; 0 takes the likeliest.")] = 0.8,
    top_k: Annotated[int | None, typer.Option(help="Draw from this many of the likeliest tokens alone.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same text.")] = 0,
    floor: Annotated[
        str | None, typer.Option(help="Sample from this floor of the study, such as kn3, instead; best for its best.")
    ] = None,
    trust: TrustOption = False,
) -> None:
    """Generate text with a finished run's model, or with a floor, which counts the study's text again.

    The text goes to standard output as it comes.
    """
    from bakeoff import generation, loading, progress

    try:
        choice = generation.Choice(tokens=tokens, temperature=temperature, top_k=top_k, seed=seed)
    except ValueError as error:
        raise UserError(str(error)) from error
    source: generation.Source
    if floor is None:
        run_folder = loading.best_run(folder)
        model, tokenizer = loading.load(run_folder, trust=trust)
        source = generation.Network(model)
        say(f"text from {run_folder}")
    else:
        name = loading.best_floor(folder) if floor == "best" else floor
        with progress.preparing(str(folder), _console()) as told:
            table, tokenizer = loading.load_floor(folder, name, told)
        source = generation.Counts(table)
        say(f"text from {name} of {folder}")
    show(prompt, end="")
    for piece in generation.text(source, tokenizer, prompt, choice):
        show("".join(mark if mark in "\n\t" else plain(mark) for mark in piece), end="")
    show("")


@app.command(rich_help_panel=TAKE)
def export(
    run: Annotated[Path, typer.Argument(help="A run's folder, or a study's for its run with the lowest valid loss.")],
    folder: Annotated[Path, typer.Argument(help="A new folder, or an empty one.")],
    *,
    to: Annotated[Literal["transformers"], typer.Option(help="The library that is to read it.")],
    trust: TrustOption = False,
) -> None:
    """Write a finished run's model, tokenizer and measured numbers for another library.

    What that library would not compute as the run did is refused; what it has no class for, `bakeoff.load` reads.
    """
    from bakeoff import loading
    from bakeoff.export import transformers

    if (run_folder := loading.best_run(run)) != run:
        say(f"the best run is {run_folder}")
    write = {"transformers": transformers.export}[to]
    loaded_by = write(run_folder, folder, trust=trust)
    show(f"exported: {folder}, which {loaded_by or 'bakeoff.load'} loads")


# --- run --------------------------------------------------------------------------------------------------------------


def _with_options(
    study: "Study",
    *,
    corpus: str | None,
    epochs: int | None,
    precision: str,
    threads: int | None = None,
    seeds: int | None = None,
) -> "Study":
    """The study with the command line's options in it."""
    from bakeoff.data import corpora

    budget: dict[str, Any] = {"epochs": epochs} if epochs is not None else {}
    if precision != "auto":
        budget["precision"] = precision
    if threads is not None:
        budget["threads"] = threads
    try:
        changed = study.with_shared(corpus=corpora.choose(corpus) if corpus is not None else None, **budget)
        return changed.with_seeds(seeds) if seeds is not None else changed
    except ValueError as error:
        raise UserError(str(error)) from error


def _bytes(given: str | None) -> float | None:
    """A size such as `2GB` or `500MB` in bytes."""
    if given is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", given.strip())
    if not found or not float(found[1]):
        raise UserError(f"--memory takes a size such as 2GB or 500MB, not {given!r}")
    return float(found[1]) * 1000.0 ** " kMGT".index(found[2] or " ")


def _numbers(option: str, given: str | None, study: "Study") -> list[int] | None:
    if given is None:
        return None
    known = ", ".join(map(str, study.numbers))
    parts = [part.strip() for part in given.split(",")]
    if not all(part in map(str, study.numbers) for part in parts):
        raise UserError(f"{option} takes experiment numbers such as 1,5; study {study.name} has {known}; not {given!r}")
    return [int(part) for part in parts]


def _require_ours(folder: Path, *marks: str) -> None:
    """See that a folder that will be written, or replaced, holds what we write, known by a file, or nothing to see."""
    known = any(path.is_file() for mark in marks for path in folder.glob(mark))
    if folder.is_dir() and not known and any(path.name[0] != "." for path in folder.iterdir()):
        raise UserError(f"{folder} holds files, and no {marks[0]}: choose another --out, or rename that folder")


def _do(session: "Session", missing: "Sequence[Run]", at_once: int | None, console: "Console") -> int:
    """Say what the missing runs will cost, do them, and count those that failed.

    By default as many at a time as the machine holds.
    """
    from bakeoff import costs, progress, words
    from bakeoff.records import FAILED

    study = session.study
    with console.status("timing a few steps of each model"):
        cost = costs.estimate(missing, session.tokens, session.device)
    jobs = at_once or session.holds(cost.memory_bytes)
    disk = cost.disk_bytes(jobs)
    costs.require_disk(f"what is to do of {study.name} takes about", disk, session.folder.path, "choose another --out")
    threads = words.plural(study.budget.threads or 1, "thread")
    progress.say(
        console,
        f"{study.name}: {len(missing)} of {len(study.runs)} runs to do on {session.device.type}, {threads} a run, "
        f"{study.budget.precision}, {jobs} at a time: about "
        f"{words.duration(cost.wait(min(jobs, session.side_by_side)))}, "
        f"{words.megabytes(cost.memory_bytes * jobs)} of memory, {words.megabytes(disk)} of disk",
    )
    with progress.display(missing, console) as observer:
        session.run(missing, jobs, observer)
    failed = [run for run in missing if session.folder.run(run.slug).status == FAILED]
    for run in failed:
        say(f"{run.slug} failed: {(session.folder.run(run.slug).summary or {})['error']}")
    return len(failed)


def _for_each(studies: "list[StudyFolder]", do: "Callable[[StudyFolder], int | None]") -> int:
    """Do it for each study; one that is damaged is said and keeps no other from it. The exit status."""
    from bakeoff.records import DamagedError

    status = 0
    for study in studies:
        try:
            status = max(status, do(study) or 0)
        except DamagedError as error:
            say(str(error))
            status = 1
    return status


def _report(
    folder: "StudyFolder", console: "Console", into: Path | None = None, *, beside_published: bool = False
) -> int:
    """Write a study's report; the exit status, which parts of it that could not be made have a say in."""
    from bakeoff.report.build import build

    with console.status("writing the report"):
        built = build(folder, into, beside_published=beside_published)
    show(f"report: {built.page}")
    for reason in built.failed:
        say(f"{built.page}: {reason}")
    return 1 if built.failed else 0


def _print_json(document: object) -> None:
    show(json.dumps(document, indent=1, ensure_ascii=False))


def _console() -> "Console":
    """Standard error: a terminal only where there is one that can move its cursor, whatever FORCE_COLOR says."""
    from rich.console import Console

    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return Console(stderr=True, force_terminal=terminal)
