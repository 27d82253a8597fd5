"""The command line. Each verb imports what it needs when it is called, so that help answers at once."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bakeoff.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from bakeoff.analysis.rows import StudyRows
    from bakeoff.records import StudyFolder
    from bakeoff.runner import Session
    from bakeoff.spec import Run, Study

INTERRUPTED = 130
DEFAULT_OUT = Path("runs")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""Train small language models with several optimizers, measure each honestly, and write the report.

    Start with `bakeoff run quick`: twelve experiments on a few hundred encyclopedia articles, in minutes.
    Then try your own text: `bakeoff run quick --corpus my.txt`.""",
)

StudyArgument = Annotated[str, typer.Argument(help="quick, seed, or a Python file that defines `study`.")]
FolderArgument = Annotated[Path, typer.Argument(help="A study's folder, or a folder of studies.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")
]


def main() -> None:
    """Run the command line; a user's mistake becomes one line on standard error."""
    status: object = 0
    try:
        status = app(standalone_mode=False)
    except UserError as error:
        _say(str(error))
        status = error.status
    except typer.TyperException as error:
        _say(f"{error.format_message().rstrip('.')}; see `bakeoff --help`")
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        _say("stopped; repeat the command to go on with what is missing")
        status = INTERRUPTED
    sys.exit(status if isinstance(status, int) else 0)


@app.callback(invoke_without_command=True)
def bakeoff(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Print the version, or leave it to a verb."""
    if version:
        from importlib import metadata

        typer.echo(f"bakeoff {metadata.version('bakeoff')}")
        raise typer.Exit


@app.command()
def run(
    study: StudyArgument = "quick",
    *,
    only: Annotated[str | None, typer.Option(help="Numbers of the experiments to run, such as 1,5.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Repeat every experiment with this many seeds.")] = None,
    corpus: Annotated[
        str | None,
        typer.Option(help="A name from `bakeoff data`, a text file, or a folder with train.txt, valid.txt, test.txt."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the train split, instead of the study's.")] = None,
    out: Annotated[Path, typer.Option(help="The folder that holds the studies' folders.")] = DEFAULT_OUT,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16; fixed when the study is started.")] = "auto",
    jobs: Annotated[
        str, typer.Option(help="Runs at a time: a number, or auto for what the cores hold. More than 1 spoils timings.")
    ] = "1",
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the report at the end.")] = True,
) -> int:
    """Run what is missing of a study, then write its report.

    Finished and diverged runs stay as they are, failed ones are tried again. Ctrl-C is safe: repeat the command to go
    on. An option that changes what is computed (--corpus, --epochs, --precision) makes another study folder.
    """
    from bakeoff.measure import resolve_device
    from bakeoff.runner import open_session, parse_jobs
    from bakeoff.study_file import find_study

    console = _console()
    built_in, source = find_study(study)
    declared = _with_options(built_in, corpus=corpus, epochs=epochs, precision=precision, seeds=seeds)
    numbers = _numbers(only, declared)
    at_once = parse_jobs(jobs)
    with console.status(f"preparing {declared.corpus.name}"):
        session = open_session(declared, built_in, out, resolve_device(device), source)
    missing = session.missing(numbers)
    failed = _do(session, missing, at_once or session.cores_hold, console) if missing else 0
    if report:
        _report(session.folder, console)
    return 1 if failed else 0


@app.command()
def status(folder: FolderArgument = DEFAULT_OUT, *, as_json: JsonOption = False) -> None:
    """Tell what is finished, running, diverged, failed or missing, and how long the rest will take."""
    from bakeoff.analysis.rows import read_rows
    from bakeoff.records import find_studies

    studies = [(found, read_rows(found)) for found in find_studies(folder)]
    if as_json:
        _print_json({"studies": [_status_json(found, rows) for found, rows in studies]})
        return
    for found, rows in studies:
        _print_status(found, rows)


@app.command()
def report(folder: FolderArgument = DEFAULT_OUT) -> None:
    """Rebuild the report from the run folders; this never trains."""
    from bakeoff.records import find_studies

    for study in find_studies(folder):
        _report(study, _console())


@app.command()
def describe(study: StudyArgument = "quick", *, as_json: JsonOption = False) -> None:
    """Show a study's experiments: numbers, sizes, exact parameter counts, tokens, learning rates."""
    from bakeoff import data, declaration
    from bakeoff.study_file import find_study

    declared, _ = find_study(study)
    tokens = data.prepare(declared.corpus, declared.budget) if data.is_here(declared.corpus, declared.budget) else None
    description = declaration.describe(declared, tokens)
    if as_json:
        _print_json(description)
    else:
        _print_description(description)


@app.command(name="data")
def data_(name: Annotated[str | None, typer.Argument(help="A corpus to fetch and verify.")] = None) -> None:
    """List the built-in corpora, or fetch and verify one."""
    from bakeoff.data import corpora
    from bakeoff.spec import Corpus

    if name is None:
        for corpus in corpora.CORPORA.values():
            typer.echo(f"{corpus.name}\n  {corpus.source}\n  licence: {corpus.licence}")
            typer.echo(f"  here: {corpora.local_copy(corpus) or f'not yet; fetch it with: bakeoff data {corpus.name}'}")
        return
    text = corpora.load(Corpus(name=corpora.find(name).name))
    typer.echo(f"{name}: verified, {corpora.local_copy(corpora.find(name))}")
    for split, documents in text.splits.items():
        words, size = (sum(len(unit(d)) for d in documents) for unit in (str.split, str.encode))
        typer.echo(f"  {split}: {len(documents):,} documents, {words:,} words, {size:,} bytes")


# --- run --------------------------------------------------------------------------------------------------------------


def _with_options(
    study: "Study", *, corpus: str | None, epochs: int | None, precision: str, seeds: int | None
) -> "Study":
    """The study with the command line's options in it."""
    import dataclasses

    from bakeoff.data import corpora

    if seeds is not None and seeds < 1:
        raise UserError(f"--seeds takes a number from 1, not {seeds}")
    budget: dict[str, Any] = {"epochs": epochs} if epochs is not None else {}
    if precision != "auto":
        budget["precision"] = precision
    try:
        changed = study.with_shared(corpus=corpora.choose(corpus) if corpus else None, **budget)
    except ValueError as error:
        raise UserError(str(error)) from error
    return dataclasses.replace(changed, seeds=tuple(range(seeds))) if seeds else changed


def _numbers(only: str | None, study: "Study") -> list[int] | None:
    if only is None:
        return None
    known = ", ".join(map(str, study.numbers))
    parts = [part.strip() for part in only.split(",")]
    if not all(part.isdecimal() and int(part) in study.numbers for part in parts):
        raise UserError(f"--only takes experiment numbers such as 1,5; study {study.name} has {known}; not {only!r}")
    return [int(part) for part in parts]


def _do(session: "Session", missing: "Sequence[Run]", jobs: int, console: "Console") -> int:
    """Say what the missing runs will cost, do them, and count those that failed."""
    from bakeoff import costs, progress
    from bakeoff.records import FAILED
    from bakeoff.report import words

    study = session.study
    with console.status("timing a few steps of each model"):
        cost = costs.estimate(missing, session.tokens, session.device, jobs)
    threads = f"{study.budget.threads} thread{'s' if study.budget.threads != 1 else ''}"
    console.print(
        f"{study.name}: {len(missing)} of {len(study.runs)} runs to do on {session.device.type}, {threads} a run, "
        f"{study.budget.precision}, {jobs} at a time: about {words.duration(cost.seconds)}, "
        f"{words.megabytes(cost.memory_bytes * jobs)} MB of memory, {words.megabytes(cost.disk_bytes)} MB of disk",
        highlight=False,
        soft_wrap=True,
    )
    with progress.display(missing, console) as observer:
        session.run(missing, jobs, observer)
    failed = [run for run in missing if session.folder.run(run.slug).status == FAILED]
    for run in failed:
        _say(f"{run.slug} failed: {(session.folder.run(run.slug).summary or {})['error']}")
    return len(failed)


def _report(folder: "StudyFolder", console: "Console") -> None:
    from bakeoff import report

    with console.status("writing the report"):
        page = report.build(folder)
    typer.echo(f"report: {page}")


# --- showing ----------------------------------------------------------------------------------------------------------


def _status_json(folder: "StudyFolder", rows: "StudyRows") -> dict[str, Any]:
    from bakeoff.analysis.outlook import count_statuses, seconds_left

    kept = ("number", "model", "layers", "optimizer", "seed", "status", "epochs", "best_epoch", "error", "folder")
    return {
        "study": rows.study["study"],
        "folder": str(folder.path),
        "counts": count_statuses(rows),
        "seconds_left": seconds_left(rows),
        "runs": [{name: getattr(row, name) for name in kept} for row in rows.rows],
    }


def _print_status(folder: "StudyFolder", rows: "StudyRows") -> None:
    from bakeoff.analysis.outlook import count_statuses, seconds_left
    from bakeoff.report import words

    total = rows.study["budget"]["epochs"]
    _print_table(
        ["#", "model", "layers", "optimizer", "seed", "status", "epochs", "valid ppl"],
        [
            [
                *(str(row.number), row.model_title, str(row.layers), row.optimizer_title, str(row.seed), row.status),
                *(f"{row.epochs}/{total}", words.number(row.valid.perplexity if row.valid else None)),
            ]
            for row in rows.rows
        ],
    )
    counts = ", ".join(f"{count} {status}" for status, count in count_statuses(rows).items() if count)
    left = seconds_left(rows)
    typer.echo(f"{folder.path}: {counts}; left to run: {'nothing' if left == 0 else words.duration(left)}")


def _print_description(description: dict[str, Any]) -> None:
    from bakeoff.report import words

    corpus, budget = description["corpus"], description["budget"]
    columns = (
        "number",
        "model",
        "layers",
        "optimizer",
        "learning_rate",
        "weight_decay",
        "parameters",
        "learnable_parameters",
    )
    formats = {"parameters": words.count, "learnable_parameters": words.count, "learning_rate": words.rate}
    _print_table(
        [name.replace("_", " ") for name in columns],
        [[formats.get(name, str)(entry[name]) for name in columns] for entry in description["experiments"]],
    )
    tokens = ", ".join(f"{split} {words.count(corpus[split]['tokens'])}" for split in ("train", "valid", "test"))
    typer.echo(f"corpus {corpus['name']}; tokens: {tokens}; vocabulary {budget['vocabulary']:,}")
    typer.echo(
        f"{budget['epochs']} epochs, batches of {budget['batch_size']} sequences of {budget['sequence_length']} "
        f"tokens, {budget['schedule']} schedule, seeds {', '.join(map(str, description['seeds']))}"
    )


def _print_table(head: list[str], lines: list[list[str]]) -> None:
    """Columns wide enough for their content, numbers to the right; never wrapped, so that a pipe sees whole lines."""
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    for line in [head, *lines]:
        cells = [
            cell.rjust(width) if any(c.isdigit() for c in lines[0][i]) else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


def _print_json(document: object) -> None:
    typer.echo(json.dumps(document, indent=1, ensure_ascii=False))


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True)


def _say(message: str) -> None:
    typer.echo(f"bakeoff: {' '.join(message.split())}", err=True)
