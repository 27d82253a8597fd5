"""What a user sees while runs are at work: bars on a terminal, plain lines in a pipe; both on standard error."""

import contextlib
import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bakeoff import at_work, runner, words
from bakeoff.data import Tokens
from bakeoff.errors import plain
from bakeoff.reporting import live
from bakeoff.shapes import Json
from bakeoff.spec import Budget, Corpus, Run, Study
from bakeoff.stopwatch import Stopwatch
from bakeoff.study_folder import StudyFolder

#: Seconds without a line after which a step is worth one.
SILENCE = 30.0


class Display(Protocol):
    """Shows what workers say."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def __call__(self, run: Run, message: Json) -> None:
        """Show one message of a run."""
        ...


def redraws(console: Console) -> bool:
    """Whether what is shown can change in its place: on a terminal, and in a notebook."""
    return console.is_terminal or console.is_jupyter


def display(runs: Sequence[Run], console: Console) -> Display:
    """Bars where they can move, lines elsewhere."""
    return Bars(runs, console) if redraws(console) else Lines(runs, console)


@contextlib.contextmanager
def following(*displays: Display) -> Iterator[runner.Observer]:
    """Whoever tells this tells all of them, in their order."""
    with contextlib.ExitStack() as stack:
        told = [stack.enter_context(display) for display in displays]

        def tell(run: Run, message: Json) -> None:
            for each in told:
                each(run, message)

        yield tell


def page(study: StudyFolder, console: Console, part: Study | None = None) -> live.Page:
    """The page that lies beside a study while its runs, or those of a part of it, are at work."""
    shown = at_work.Part(part.numbers, part.seeds) if part else None
    return live.Page(study, functools.partial(say, console), shown)


@contextlib.contextmanager
def preparing(name: str, console: Console) -> Iterator[Callable[[str, float | None], None]]:
    """A bar for what is done to a corpus before anything is trained, moved by what it yields; gone in the end."""
    columns = TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn()
    with Progress(*columns, console=console, transient=True, disable=not redraws(console)) as bars:
        task = bars.add_task(escape(plain(f"preparing {name}")), total=None)

        def told(doing: str, share: float | None) -> None:
            bars.update(task, description=escape(plain(doing)), total=share and 1.0, completed=share or 0.0)

        yield told


def prepare(corpus: Corpus, budget: Budget, console: Console) -> Tokens:
    """Make a corpus ready, and show meanwhile what is being done; the errors are those of `runner.prepare`."""
    with preparing(corpus.name, console) as told:
        return runner.prepare(corpus, budget, told)


def say(console: Console, text: str) -> None:
    """A line as it is, however long."""
    console.print(plain(text), markup=False, highlight=False, soft_wrap=True)


class Lines:
    """A line for every full evaluation and every end, and where these are far between for a step now and then."""

    def __init__(self, runs: Sequence[Run], console: Console) -> None:
        self.console, self.total, self.done = console, len(runs), 0
        self.clock = Stopwatch(time.monotonic())
        self.places: dict[Run, int] = {}
        self.epochs: dict[Run, int] = {}
        self.steps: dict[Run, int] = {}
        self.shares: dict[Run, float] = {}
        self.best: dict[Run, float] = {}
        self.spoke = time.monotonic()
        self.watched = self.clock.watched()
        #: Seconds until the first run began: until one is over they say nothing of the others.
        self.starting = 0.0

    def __enter__(self) -> Self:
        self.watched.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.watched.__exit__(None, None, None)

    def __call__(self, run: Run, message: Json) -> None:
        """Print what an epoch's evaluation found, once, or how a run ended, or how far it is after a silence."""
        self.done += message["event"] == "end"
        if message["event"] == "start":
            self.starting = self.starting or self.clock.seconds
            self.steps[run] = message["steps"]
        elif message["event"] == "step" and run in self.steps:  # its beginning may have been lost
            step, steps = message["step"], self.steps[run]
            self.shares[run] = step / steps
            if time.monotonic() - self.spoke >= SILENCE:
                self._print(run, f"step {step}/{steps}  loss {words.small(message['loss'])}", self.left())
        elif message["event"] == "evaluation" and self.epochs.get(run) != message["epoch"]:
            self.epochs[run] = message["epoch"]
            self.best[run] = min(message["valid"]["bits_per_byte"], self.best.get(run, math.inf))
            unit, done, whole = _place(run, message)
            self.shares[run] = done / whole
            self._print(run, f"{unit} {done}/{whole}  {_perplexities(message)}  {_speed(run, message)}", self.left())
        elif message["event"] == "note":
            self._print(run, message["text"], None)
        elif message["event"] == "end":
            self.shares.pop(run, None)
            reached = f"  {words.small(self.best[run])} bits per byte of valid" if run in self.best else ""
            self._print(run, _ending(message) + reached, None)

    def left(self) -> float | None:
        """Seconds left, if all runs are as long as those so far; None before there is anything to go by."""
        share = (self.done + sum(self.shares.values())) / self.total
        seconds = self.clock.seconds - (0.0 if self.done else self.starting)
        return seconds * (1 - share) / share if share else None

    def _print(self, run: Run, text: str, left: float | None) -> None:
        self.spoke = time.monotonic()
        remaining = f"  {words.duration(left)} left" if left else ""
        place = f"[{self.places.setdefault(run, len(self.places) + 1)}/{self.total}]"
        say(self.console, f"{place} {run.slug}  {text}{remaining}")


class Bars:
    """A bar for the study and one for every run at work."""

    def __init__(self, runs: Sequence[Run], console: Console) -> None:
        self.console = console
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self.study = self.bars.add_task("study", total=len(runs), note="")
        self.tasks: dict[Run, TaskID] = {}

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.bars.stop()

    def __call__(self, run: Run, message: Json) -> None:
        """Move the bars."""
        if message["event"] == "start" and run not in self.tasks:  # or it is begun again on another node
            self.tasks[run] = self.bars.add_task(escape(plain(run.slug)), total=message["steps"], note="")
        elif message["event"] == "step" and run in self.tasks:  # its beginning may have been lost
            self.bars.update(self.tasks[run], completed=message["step"])
        elif message["event"] == "evaluation" and run in self.tasks:
            note = f"{_perplexities(message)}  {_speed(run, message)}"
            self.bars.update(self.tasks[run], completed=message["step"], note=note)
        elif message["event"] == "note":
            say(self.console, f"{run.slug}  {message['text']}")
        elif message["event"] == "end":
            self._end(run, message)

    def _end(self, run: Run, message: Json) -> None:
        if run in self.tasks:
            note = str(self.bars.tasks[self.bars.task_ids.index(self.tasks[run])].fields["note"])
            self.bars.remove_task(self.tasks.pop(run))
        else:
            note = ""
        self.bars.advance(self.study)
        say(self.console, f"{run.slug}  {_ending(message)}  {note}")


def _place(run: Run, message: Json) -> tuple[str, int, int]:
    """Where a run is: in which unit its budget is, how many of them are done, and of how many."""
    steps = run.budget.steps
    return ("step", message["step"], steps) if steps else ("epoch", message["epoch"], run.budget.epochs)


def _perplexities(message: Json) -> str:
    return "  ".join(f"{split} {words.number(message[split]['perplexity'])}" for split in ("train", "valid"))


def _speed(run: Run, message: Json) -> str:
    """Tokens per second of training so far; full batches are assumed, which is right but for the last of an epoch."""
    budget = run.budget
    tokens = message["step"] * budget.batch_size * budget.sequence_length
    return f"{words.count(tokens / message['train_seconds'])} tokens/s" if message["step"] else ""


def _ending(message: Json) -> str:
    error = message.get("error")
    return f"{message['status']}: {error}" if error else str(message["status"])
