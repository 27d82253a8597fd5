"""A study's runs as event files for TensorBoard: curves, settings, final figures.

Runs keep their folders' names, by which TensorBoard tells them apart.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Self

from bakeoff.analysis import evaluations
from bakeoff.analysis.evaluations import Point
from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.rows import Row, budget_unit
from bakeoff.errors import UserError, plain
from bakeoff.folders import new_folder
from bakeoff.loading import place_of
from bakeoff.run_folder import RunFolder
from bakeoff.shapes import Json
from bakeoff.spec import Run
from bakeoff.study_folder import StudyFolder, only_study

#: Where the event files of a study at work are, in its folder.
FOLDER = "tensorboard"


class Scalar(NamedTuple):
    """A point of a curve.

    Attributes:
        when: Seconds on the wall clock, from the beginning of 1970; in old histories, seconds of training.
    """

    tag: str
    value: float
    step: int
    when: float


def require() -> None:
    """See that the library is there.

    Raises:
        UserError: It is not.
    """
    try:
        import tensorboardX  # noqa: F401, PLC0415 (not everyone has it)
    except ImportError as error:
        raise UserError("event files need a package: pip install 'bakeoff[tensorboard]'") from error


class Events:
    """A run's event file, in the place of those before it; it can be read while it grows.

    The library's own writer has a queue and a thread, which hang where a disk is full.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboardX import event_file_writer, summary  # noqa: PLC0415
        from tensorboardX.proto import event_pb2  # noqa: PLC0415

        if folder.is_symlink() or folder.parent.is_symlink():
            raise OSError(f"{folder} leads elsewhere")
        folder.mkdir(parents=True, exist_ok=True)
        for earlier in folder.glob("events.out.tfevents.*"):
            earlier.unlink()
        self._event, self._summary = event_pb2.Event, summary
        self._file = event_file_writer.EventsWriter(str(folder / "events"), f".{time.time_ns()}")
        self._points = 0
        # Whoever has read an earlier file has to forget what stands in it.
        begun = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._file.write_event(self._event(step=0, wall_time=time.time(), session_log=begun))

    def follow(self, history: Sequence[Point]) -> None:
        """Add what a history has more than the last time."""
        self._add(curves(history, self._points))
        self._points = len(history)

    def end(self, row: Row) -> None:
        """Add settings and final figures, and close it."""
        figures = {scalar.tag: scalar.value for scalar in finals(row)}
        for part in self._summary.hparams(settings(row), figures):
            self._file.write_event(self._event(wall_time=_when(row.history[0]), summary=part))
        self._add(finals(row))
        self.close()

    def close(self) -> None:
        """Close it, with what it has."""
        self._file.close()

    def _add(self, scalars: Iterable[Scalar]) -> None:
        for tag, value, step, when in scalars:
            self._file.write_event(self._event(step=step, wall_time=when, summary=self._summary.scalar(tag, value)))
        self._file.flush()


def export(path: Path, folder: Path) -> None:
    """Write a study's evaluated runs, or one run, into a folder, which is there whole or not at all.

    Args:
        path: The study's folder, or the run's.
        folder: A new or an empty one.

    Raises:
        UserError: The folder holds something, the library is missing, or there is no such study or nothing in it.
    """
    require()
    rows = _rows(path)
    if not rows:
        raise UserError(f"no run in {path} has been evaluated yet: bakeoff run goes on with it")
    with new_folder(folder) as new:
        for row in rows:
            _write(new, row)


class Growing:
    """The event files of a study, in its folder, which grow while its runs are at work.

    What is there in the beginning is written anew, as it may be of runs that are gone on with from an earlier step.
    What goes wrong is said once, and disturbs no run.
    """

    def __init__(self, study: StudyFolder, say: Callable[[str], object]) -> None:
        self.study, self.folder, self.say = study, study.path / FOLDER, say
        self._open: dict[str, Events] = {}
        self._failed = False

    def __enter__(self) -> Self:
        with self._harmless():
            self._unit = budget_unit(self.study.study)
            for row in read_rows(self.study).rows:
                if row.history:
                    _write(self.folder, row)
        return self

    def __exit__(self, *exception: object) -> None:
        with self._harmless():
            for events in self._open.values():
                events.close()

    def __call__(self, run: Run, message: Json) -> None:
        """Add what was measured, and in the end what is told of the whole run."""
        if self._failed or message["event"] not in ("evaluation", "end"):
            return
        with self._harmless():
            history = [evaluations.point(line, self._unit) for line in self.study.run(run.slug).history()]
            if history:
                self._follow(run.slug, history, ended=message["event"] == "end")

    def _follow(self, slug: str, history: Sequence[Point], *, ended: bool) -> None:
        if slug not in self._open:
            self._open[slug] = Events(self.folder / slug)
        self._open[slug].follow(history)
        if ended:
            row = next(row for row in read_rows(self.study).rows if row.folder == slug)
            self._open.pop(slug).end(row)

    @contextlib.contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 (whatever it was)
            self._failed = True
            self.say(f"{self.folder} is not written any more: {plain(' '.join(str(error).split()))}")


def _write(folder: Path, row: Row) -> None:
    events = Events(folder / row.folder)
    events.follow(row.history)
    events.end(row)


def _rows(path: Path) -> list[Row]:
    """The run in a folder, or the runs of the study in it, as far as they have been evaluated."""
    run, alone = place_of(path), RunFolder(path).spec is not None
    study = StudyFolder(run.parent.parent) if alone else only_study(path)
    rows = [row for row in read_rows(study, study.seeds).rows if row.history]
    return [row for row in rows if not alone or row.folder == f"{run.parent.name}/{run.name}"]


def settings(row: Row) -> dict[str, str | float]:
    """What a run was given, each setting by a name of its own, such as `optimizer.lr`."""
    nested = {"model": row.entry["architecture"], "optimizer": row.entry["optimizer_settings"]}
    named = {f"{part}.{name}": value for part, values in nested.items() for name, value in values.items()}
    named |= {name: row.entry[name] for name in ("batch_size", "sequence_length", "parameters")}
    told: dict[str, Any] = named | {"seed": row.seed, "precision": row.precision, "device": row.device}
    return {name: value if isinstance(value, int | float) else str(value) for name, value in told.items()}


def curves(history: Sequence[Point], known: int = 0) -> Iterator[Scalar]:
    """Every evaluation of a run but the first, which are known, and the samples of valid before each.

    A sample's time lies between those of the evaluations around it, as its seconds of training do.
    """
    for point in history[known:]:
        for split, tally in (("train", point.train), ("valid", point.valid)):
            for figure in ("loss", "perplexity", "bits_per_byte"):
                yield Scalar(f"{figure}/{split}", getattr(tally, figure), point.step, _when(point))
        for tag, value in (("perplexity/train_running", point.running_perplexity), ("clipped", point.clipped)):
            if value is not None:
                yield Scalar(tag, value, point.step, _when(point))
    for before, after in pairwise(history[max(known - 1, 0) :]):
        pace = (_when(after) - _when(before)) / ((after.train_seconds - before.train_seconds) or math.inf)
        for sample in after.samples:
            when = _when(before) + pace * (sample.train_seconds - before.train_seconds)
            yield Scalar("loss/valid_sample", sample.loss, sample.step, when)


def finals(row: Row) -> Iterator[Scalar]:
    """What a finished run came to under its best weights, and the seconds that it trained."""
    end = row.history[-1]
    for split, tally in (("valid", row.valid), ("test", row.test)):
        if row.finished and tally:
            yield Scalar(f"final/{split}_perplexity", tally.perplexity, end.step, _when(end))
            yield Scalar(f"final/{split}_bits_per_byte", tally.bits_per_byte, end.step, _when(end))
    if row.finished:
        yield Scalar("final/train_seconds", end.train_seconds, end.step, _when(end))


def _when(point: Point) -> float:
    return point.train_seconds if point.unix_seconds is None else point.unix_seconds
