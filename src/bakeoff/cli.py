"""The command line. Each verb imports what it needs when it is called, so that help answers at once."""

import contextlib
import json
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
    from collections.abc import Callable

    from bakeoff.analysis.rows import StudyRows
    from bakeoff.reporting.results import Results
    from bakeoff.study_folder import StudyFolder

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
_JOBS = (
    "Runs at a time: a number, or auto for what cores and memory hold. They share the cores, as fixed when the study "
    "is started. More than 1 spoils timings."
)
JobsOption = Annotated[str | None, typer.Option(help=f"{_JOBS} By default 1, and on a cluster auto.")]
ExecutorOption = Annotated[
    str, typer.Option(help="local; or ray or slurm: on nodes of a cluster, which as a rule see --out as this machine.")
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        help="Of the Ray cluster, HOST:PORT. By default one that runs on this machine, or else one is started here."
    ),
]
SharedOption = Annotated[
    bool,
    typer.Option(
        "--shared-folder/--no-shared-folder",
        help="Whether Ray's nodes may share --out; what they do not see is sent to them and comes back.",
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
        process.require_folder()
        with process.interruptible(_say_stopped):
            status = app(standalone_mode=False)
    except UserError as error:
        say(str(error))
        status = error.status
    except typer.TyperException as error:
        near = getattr(error, "possibilities", None)  # the nearest is the first
        said = f"{error.message}. Did you mean {near[0]}?" if near else error.format_message().rstrip(".")
        say(f"{said}{' See' if said.endswith('?') else '; see'} `bakeoff --help`")
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
    again = any(word.startswith("--again") for word in sys.argv) and "tune" not in sys.argv[1:2]
    without = ", without --again if it had begun to train," if again else ""
    say(f"stopped; repeat the command{without} to go on with what is missing")


@app.callback(invoke_without_command=True)
def bakeoff(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Print the version, or help where there is no verb."""
    if version:
        from bakeoff import provenance

        code = provenance.code()
        show(f"bakeoff {code['bakeoff']}" + (f" (commit {code['commit']})" if code["commit"] else ""))
        raise typer.Exit
    if context.invoked_subcommand is None:
        show(context.get_help())


@app.command(rich_help_panel=START)
def run(
    study: StudyArgument = "quick",
    *,
    only: Annotated[str | None, typer.Option(help="Numbers of the experiments to run, such as 1,5.")] = None,
    again: Annotated[
        str | None,
        typer.Option(
            help="Numbers of experiments whose runs that are over are trained anew, such as 1,5; after Ctrl-C the "
            "command without it goes on."
        ),
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
    jobs: JobsOption = None,
    executor: ExecutorOption = "local",
    address: AddressOption = None,
    shared_folder: SharedOption = True,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Let event files for TensorBoard grow in the study's tensorboard/.")
    ] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the report at the end.")] = True,
) -> int:
    """Run what is missing of a study, then write its report.

    Finished and diverged runs stay as they are, failed ones are tried again. Ctrl-C is safe: repeat the command to go
    on. An option that changes what is computed (--corpus, --epochs, --precision, --threads) makes another study folder.
    For example `bakeoff run quick`, and `bakeoff run quick --seeds 3 --corpus my.txt`.
    """
    from bakeoff import verbs

    return _finish(
        verbs.run(
            study,
            only=only,
            again=again,
            seeds=seeds,
            corpus=corpus,
            epochs=epochs,
            out=out,
            device=device,
            precision=precision,
            threads=threads,
            jobs=jobs,
            executor=executor,
            address=address,
            shared_folder=shared_folder,
            tensorboard=tensorboard,
            write_report=report,
        )
    )


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
    as_json: JsonOption = False,
) -> int:
    """Find out what to use on a text in the time there is, and train it.

    Compares several contenders in short complete schedules, gives most of the time to the winner, and says how sure
    that is. Ctrl-C is safe: the same command goes on with the time that was left. For example `bakeoff choose my.txt
    --minutes 10`.
    """
    from bakeoff import verbs

    advice = verbs.choose(
        corpus,
        minutes=minutes,
        memory=memory,
        out=out,
        device=device,
        seed=seed,
        write_report=report,
        began=process.began(),
    )
    if as_json:
        _tell(advice.record | {"report": advice.page and str(advice.page)})
        return _failed(advice)
    status = _finish(advice)
    show(advice.text)
    return status


@app.command(rich_help_panel=START)
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
    """Rebuild the report from the run folders; this never trains.

    For example `bakeoff report runs/quick`.
    """
    from bakeoff.files import remove_leftovers
    from bakeoff.reporting import live, results
    from bakeoff.study_folder import StudyFolder, find_studies

    def write(study: "StudyFolder") -> int:
        with process.console().status("writing the report"):
            written = results.report(study.path, out, beside_published=beside_published)
            if out is None and live.path(study).is_file():
                whole = StudyFolder(live.path(study).parent)
                with contextlib.suppress(UserError, OSError), whole.acquire():  # whoever is at work there draws it
                    remove_leftovers(whole.path)
                    live.Page(study, say).draw()
        return _finish(written)

    return _for_each(find_studies(folder), write)


@app.command(name="data", rich_help_panel=LOOK)
def data_(name: Annotated[str | None, typer.Argument(help="A corpus to fetch and verify.")] = None) -> None:
    """List the built-in corpora, or fetch and verify one: its sizes, and what its splits share.

    For example `bakeoff data vital-articles`.
    """
    from bakeoff import terminal
    from bakeoff.data import corpora
    from bakeoff.spec import Corpus

    names = list(corpora.CORPORA) if name is None else [name]
    for each in names:
        found = corpora.find(each)
        text = corpora.load(Corpus(name=each)) if name or found.place() else None
        show(terminal.corpus_text(found, text))


@app.command(rich_help_panel=LOOK)
def status(folder: FolderArgument = DEFAULT_OUT, *, as_json: JsonOption = False) -> int:
    """Tell what is finished, running, diverged, failed or missing, and how long the rest will take.

    For example `bakeoff status runs/quick`; without a folder it is all of runs/.
    """
    from bakeoff import terminal
    from bakeoff.analysis.reading import read_rows
    from bakeoff.study_folder import find_studies

    studies: list[tuple[StudyFolder, StudyRows]] = []
    damaged = _for_each(find_studies(folder), lambda found: studies.append((found, read_rows(found))))
    if as_json:
        _tell({"studies": [terminal.status_json(found, rows) for found, rows in studies]})
    elif studies:
        show("\n\n".join(terminal.status_text(found, rows) for found, rows in studies))
    return damaged


@app.command(rich_help_panel=LOOK)
def watch(
    folder: FolderArgument = DEFAULT_OUT,
    *,
    port: Annotated[int, typer.Option(help="Of this machine; 0 for any that is free.", min=0, max=65535)] = 8484,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in a browser.")] = True,
) -> None:
    """Show studies in a browser while they are at work, on this machine alone: how far each is, and its curves.

    It reads what is on the disk and writes nothing, so it may begin, before them too, and end at any time, with Ctrl-C.
    For example `bakeoff watch` in a second terminal, or with `ssh -L 8484:localhost:8484` from another machine.
    """
    import threading
    import webbrowser

    from bakeoff import watching

    with watching.Server(folder, port) as server:
        show(server.url)
        if browser:
            # One that runs in this terminal waits for the page, and would be waited for.
            threading.Thread(target=webbrowser.open, args=[server.url], daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@app.command(rich_help_panel=LOOK)
def describe(study: StudyArgument = "quick", *, out: OutOption = DEFAULT_OUT, as_json: JsonOption = False) -> None:
    """Show a study's experiments: numbers, sizes, exact parameter counts, tokens, the rates that `run` would use.

    For example `bakeoff describe my_study.py`.
    """
    from bakeoff import data, declaration, options, terminal

    declared, tokens = options.find(study, out).study, None
    with contextlib.suppress(OSError):  # nothing can be kept, so counts stay unknown
        if data.is_here(declared.corpus, declared.budget):
            tokens = data.prepare(declared.corpus, declared.budget)
    description = declaration.describe(declared, tokens)
    _tell(description if as_json else terminal.description_text(description))


@app.command(rich_help_panel=LOOK)
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
    For example `bakeoff bench --fast`.
    """
    from bakeoff import terminal
    from bakeoff.bench import table

    with process.console().status("starting") as status:
        measured = (table.measure_busy if busy else table.measure)(status.update, fast=fast)
    told = terminal.busy_text if busy else terminal.bench_text
    _tell(measured if as_json else told(measured))


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
    executor: ExecutorOption = "local",
    address: AddressOption = None,
    shared_folder: SharedOption = True,
    again: Annotated[
        str | None,
        typer.Option(help="Numbers of experiments whose trials are all trained anew, such as 1,5, also after Ctrl-C."),
    ] = None,
) -> int:
    """Search learning rates: the same grid and the same short schedules for every experiment.

    Prints and stores what it chose, with every trial; `bakeoff run` with the same STUDY, --corpus, --epochs,
    --precision, --threads and --out uses it from then on. Ctrl-C is safe: repeat the command to go on. For example
    `bakeoff tune my_study.py`, then `bakeoff run my_study.py`.
    """
    from bakeoff import terminal, verbs

    found = verbs.tune(
        study,
        corpus=corpus,
        epochs=epochs,
        out=out,
        device=device,
        precision=precision,
        threads=threads,
        jobs=jobs,
        executor=executor,
        address=address,
        shared_folder=shared_folder,
        again=again,
    )
    show(terminal.tuning_text(found.search))
    show(plain(f"rates: {found.path}"))
    return int(found.search.left_out > 0)


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
    from bakeoff import costs, options, planning, progress, terminal
    from bakeoff.machine import resolve_device
    from bakeoff.runner import tokens_of
    from bakeoff.study_folder import StudyFolder

    console = process.console()
    declared, folder, *_ = options.find(
        study, out, corpus=corpus, epochs=epochs, precision=precision, threads=threads, seeds=seeds
    )
    numbers, on = options.numbers("--only", only, declared), resolve_device(device)
    costs.require_room(declared.corpus, declared.budget)
    with progress.preparing(declared.corpus.name, console) as told:
        tokens = tokens_of(declared, told)
    with console.status("timing a few steps of each model"):
        planned = planning.plan(declared, tokens, StudyFolder(folder), on, numbers or declared.numbers)
    _tell(planned.as_json() if as_json else terminal.plan_text(planned))


@app.command(rich_help_panel=BE_SURE)
def judge(
    study: Annotated[
        str | None, typer.Argument(help="As of `bakeoff run`, if the two are numbers; none, if they are folders.")
    ] = None,
    *,
    baseline: Annotated[str, typer.Option(help="An experiment: its number, or its folder or that of a run of it.")],
    candidate: Annotated[str, typer.Option(help="The one that may be better, likewise.")],
    looks: Annotated[
        str, typer.Option(help="Numbers of seeds after which it may stop, declared beforehand.")
    ] = "3,5,8",
    margin: Annotated[float, typer.Option(help="Two are the same within this, in nats per token of valid.")] = 0.01,
    corpus: CorpusOption = None,
    epochs: EpochsOption = None,
    out: OutOption = DEFAULT_OUT,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    threads: ThreadsOption = None,
    jobs: JobsOption = None,
    executor: ExecutorOption = "local",
    address: AddressOption = None,
    shared_folder: SharedOption = True,
    again: Annotated[str | None, typer.Option(help="Numbers, of the two, to train anew, such as 1,5.")] = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Judge whether one experiment is better than another: better, worse, the same, or undecided.

    For example `bakeoff judge quick --baseline 1 --candidate 2`. Trains both with the same seeds, looks after 3, 5 and
    8 of them, and stops once the answer is known; for the two at their rates false alarms stay at 5 %. Runs that are
    there are used, and the study's own seeds stay as they are. Ctrl-C is safe: repeat the command to go on.

    Or two folders: `bakeoff judge --baseline runs/quick/02-lstm-1-adamw --candidate runs/mine/01-glr-1-adam`. Of two
    studies they must have the same text and budget; both are then trained in a new study in --out.
    """
    from bakeoff import terminal, verbs

    judgement = verbs.judge(
        study,
        baseline=baseline,
        candidate=candidate,
        looks=looks,
        margin=margin,
        corpus=corpus,
        epochs=epochs,
        out=out,
        device=device,
        precision=precision,
        threads=threads,
        jobs=jobs,
        executor=executor,
        address=address,
        shared_folder=shared_folder,
        again=again,
        trust=trust,
    )
    _tell(judgement.as_json() if as_json else terminal.judgement_text(judgement))


@app.command(rich_help_panel=BE_SURE)
def probe(
    folder: FolderArgument,
    number: Annotated[int, typer.Argument(help="The number of an experiment.")],
    *,
    device: DeviceOption = "auto",
    executor: ExecutorOption = "local",
    address: AddressOption = None,
    shared_folder: SharedOption = True,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find out whether a run that learned nothing, or is behind a smaller model, fails for its recipe.

    Trains a few hundred steps of it once more, and as many at a tenth and a hundredth of its rate, with a longer
    warm-up, and with pre-norm where its model has that; they lie beside the study, and its report says from then on
    what they found. Ctrl-C is safe: repeat the command to go on. For example, `bakeoff probe runs/quick 12`.
    """
    from bakeoff import terminal, verbs

    probed = verbs.probe(
        folder,
        number,
        device=device,
        executor=executor,
        address=address,
        shared_folder=shared_folder,
        trust=trust,
    )
    if as_json:
        _tell(terminal.probe_json(probed.suspect.folder, probed.found))
    else:
        show(terminal.probe_text(probed.found))
        show(plain(f"runs: {probed.path}; in the report after `bakeoff report {folder}`"))


@app.command(rich_help_panel=BE_SURE)
def verify(
    folder: FolderArgument = DEFAULT_OUT,
    *,
    number: Annotated[
        int | None, typer.Option("--run", help="Train a run of this experiment again, instead of one that is drawn.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed of the run that is trained again.")] = None,
    training: Annotated[
        bool, typer.Option("--training/--no-training", help="Train a run again, the only step that takes long.")
    ] = True,
    first_epoch: Annotated[
        bool,
        typer.Option("--first-epoch", help="Train it to the end of its first epoch alone, and compare that."),
    ] = False,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> int:
    """Make every number of a study again from what it was made of, and train one run again; changes nothing there.

    Such as `bakeoff verify runs/quick --run 5 --seed 0`. Checksums of text, tokenizer and records; report and floors;
    the best weights, measured again. Exit status 1 where something differs, or a run that was named could not be
    trained; what else could not be checked is said.
    """
    from bakeoff import progress, terminal, verifying

    console = process.console()
    if not training and (first_epoch or number is not None or seed is not None):
        raise UserError("--run, --seed and --first-epoch say which run is trained again: leave out --no-training")
    how_far: verifying.HowFar = "first epoch" if first_epoch else "whole" if training else "not"
    check = verifying.Verification(folder, number=number, seed=seed, training=how_far, trust=trust)
    console.print(terminal.verification_plan(check), markup=False, highlight=False, soft_wrap=True)
    with progress.preparing(str(folder), console) as told:
        check.rebuild(told)
    if run := check.to_train:
        with progress.display([run], console) as observer:
            check.train(observer)
    _tell(check.review.as_json() if as_json else terminal.review_text(check.review))
    asked = number is not None or seed is not None
    return 1 if check.review.differences or (asked and not check.to_train) else 0


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

    The text goes to standard output as it comes. For example `bakeoff sample runs/quick "The city"`.
    """
    from bakeoff import generation, loading, progress

    try:
        prompt.encode()
        choice = generation.Decoding(tokens=tokens, temperature=temperature, top_k=top_k, seed=seed)
    except UnicodeError as error:
        raise UserError("the prompt is not text in UTF-8") from error
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
        with progress.preparing(str(folder), process.console()) as told:
            table, tokenizer = loading.load_floor(folder, name, told)
        source = generation.Counts(table)
        say(f"text from {name} of {folder}")
    show(prompt, end="")
    for piece in generation.text(source, tokenizer, prompt, choice):
        show("".join(mark if mark in "\n\t" else plain(mark) for mark in piece), end="")
    show("")


@app.command(rich_help_panel=TAKE)
def export(
    run: Annotated[
        Path,
        typer.Argument(
            help="A run's folder; or a study's: of transformers for its run with the lowest valid loss, of tensorboard "
            "for all."
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="A new folder, or an empty one.")],
    *,
    to: Annotated[Literal["transformers", "tensorboard"], typer.Option(help="The program that is to read it.")],
    trust: TrustOption = False,
) -> None:
    """Write a finished run's model and tokenizer for transformers, or a study's curves for TensorBoard.

    What transformers would not compute as the run did is refused; what it has no class for, `bakeoff.load` reads. For
    example `bakeoff export runs/quick events --to tensorboard`, then `tensorboard --logdir events`.
    """
    from bakeoff import loading
    from bakeoff.export import tensorboard, transformers

    if to == "tensorboard":
        tensorboard.export(run, folder)
        show(plain(f"exported: {folder}, which tensorboard --logdir reads"))
        return
    if (run_folder := loading.best_run(run)) != run:
        say(f"the best run is {run_folder}")
    loaded_by = transformers.export(run_folder, folder, trust=trust)
    show(plain(f"exported: {folder}, which {loaded_by or 'bakeoff.load'} loads"))


@app.command(name="import", rich_help_panel=TAKE)
def import_(
    folder: Annotated[
        Path,
        typer.Argument(
            help="What another program wrote of a run: a folder with trainer_state.json, with event files of "
            "TensorBoard, or of BakeoffCallback; or a CSV file with the columns step or epoch, and valid_loss."
        ),
    ],
    *,
    into: Annotated[Path, typer.Option(help="The study's folder.")],
    corpus: Annotated[
        str | None, typer.Option(help="The study's own corpus, where the run's valid was that; as for run.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help="How many tokens of its own valid has, where the run does not tell.", min=1)
    ] = None,
    valid: Annotated[str | None, typer.Option(help="What the loss on valid is called there.")] = None,
    train: Annotated[str | None, typer.Option(help="What the loss on train is called there.")] = None,
    name: Annotated[str | None, typer.Option(help="What it is to be called; by default as its folder.")] = None,
) -> None:
    """Show a run of another program with a study, as reported, not measured here: it enters no rank and no verdict.

    In status, on the study's page and in its report. With --corpus its loss becomes bits per byte, beside the floors.
    For example `bakeoff import my-trainer --into runs/quick`; importing again takes what has come since.
    """
    from bakeoff import importing, progress
    from bakeoff.study_folder import only_study

    study, told = only_study(into), importing.Told(valid, train, corpus, tokens, name)
    before = dict(study.reported)
    called = importing.bring(folder, study, told)
    progress.page(study, process.console()).draw()
    shown = f"{called} is shown with {study.path}, as reported{_instead(called in before)}"
    show(plain(f"{shown}: `bakeoff status {into}`, `bakeoff report {into}`"))


@app.command(rich_help_panel=TAKE)
def measure(
    model: Annotated[
        Path,
        typer.Argument(
            help="A folder on this machine with what save_pretrained of transformers wrote of a model (safetensors) "
            "and of its fast tokenizer."
        ),
    ],
    *,
    corpus: Annotated[str, typer.Option(help="As for run: a name, a text file, or a folder with three splits.")],
    split: Annotated[Literal["valid", "test"], typer.Option(help="What is measured.")] = "valid",
    window: Annotated[
        int | None,
        typer.Option(help="Tokens of a window; by default the model's context length, 1,024 at most.", min=1),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="A study's folder: measured on its valid, the model stands in its status, page and report."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What it is to be called there; by default as its folder.")] = None,
    device: DeviceOption = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure any causal language model of transformers on a corpus, by the counting of every study.

    Bits per byte and perplexity per word compare with those of Bakeoff's runs on that corpus, and the best floor stands
    beside them. For example `bakeoff measure gpt2-folder --corpus vital-articles`.
    """
    from bakeoff import importing, measuring, progress, terminal
    from bakeoff.data import corpora
    from bakeoff.machine import resolve_device
    from bakeoff.study_folder import only_study

    study = only_study(into) if into else None
    if study and split != "valid":
        raise UserError("--into is for valid: test decides nothing before a study is over")
    if name and not study:
        raise UserError("--name is what a model is called in a study: use it with --into")
    found = importing.text_of(study, corpus) if study else corpora.choose(corpus)
    floors = importing.counting_of(study) if study else None
    request = measuring.Request(
        folder=model, corpus=found, split=split, window=window, precision=precision, floors=floors
    )
    with progress.preparing(found.name, process.console()) as told:
        measured = measuring.measure(request, resolve_device(device), told)
    if study:
        before = dict(study.reported)
        called = importing.keep_measured(study, measured, name)
        progress.page(study, process.console()).draw()
        shown = f"{called} is shown with {study.path}{_instead(called in before)}"
        say(f"{shown}: `bakeoff status {into}`, `bakeoff report {into}`")
    _tell(measured.as_json() if as_json else terminal.measurement_text(measured))


def _instead(replaced: bool) -> str:
    return ", in the place of what was called so" if replaced else ""


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


def _finish(results: "Results") -> int:
    """Say where the report is, and what went wrong; the exit status."""
    if results.page:
        show(plain(f"report: {results.page}"))
    return _failed(results)


def _failed(results: "Results") -> int:
    """Say what went wrong; the exit status."""
    for failure in results.failed:
        say(failure)
    return 1 if results.failed else 0


def _tell(result: object) -> None:
    """Print a result: words as they are, whatever else as one JSON document."""
    show(result if isinstance(result, str) else json.dumps(result, indent=1, ensure_ascii=False))
