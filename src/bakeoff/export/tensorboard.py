"""A study's runs as event files for TensorBoard: curves, settings, final figures.

Runs keep their folders' names, by which TensorBoard tells them apart.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from bakeoff.analysis.evaluations import Point
from bakeoff.analysis.rows import Row, read_rows
from bakeoff.errors import UserError
from bakeoff.files import new_folder
from bakeoff.records import RunFolder, StudyFolder, only_study


class Scalar(NamedTuple):
    """A point of a curve.

    Attributes:
        when: Seconds on the wall clock, from the beginning of 1970; in old histories, seconds of training.
    """

    tag: str
    value: float
    step: int
    when: float


def export(path: Path, folder: Path) -> None:
    """Write a study's evaluated runs, or one run, into a folder, which is there whole or not at all.

    Args:
        path: The study's folder, or the run's.
        folder: A new or an empty one.

    Raises:
        UserError: The folder holds something, the library is missing, or there is no such study or nothing in it.
    """
    try:
        from tensorboardX import SummaryWriter, summary  # noqa: PLC0415 (not everyone has it)
    except ImportError as error:
        raise UserError("exporting needs a package: pip install 'bakeoff[tensorboard]'") from error
    rows = _rows(path)
    if not rows:
        raise UserError(f"no run in {path} has been evaluated yet: bakeoff run goes on with it")
    with new_folder(folder) as new:
        for row in rows:
            figures = {scalar.tag: scalar.value for scalar in finals(row)}
            with SummaryWriter(logdir=str(new / row.folder)) as writer:
                for part in summary.hparams(settings(row), figures):
                    writer.file_writer.add_summary(part, walltime=_when(row.history[0]))
                for scalar in (*curves(row), *finals(row)):
                    writer.add_scalar(*scalar)


def _rows(path: Path) -> list[Row]:
    """The run in a folder, or the runs of the study in it, as far as they have been evaluated."""
    run, alone = path.resolve(), RunFolder(path).spec is not None
    study = StudyFolder(run.parent.parent) if alone else only_study(path)
    rows = [row for row in read_rows(study).rows if row.history]
    return [row for row in rows if not alone or row.folder == f"{run.parent.name}/{run.name}"]


def settings(row: Row) -> dict[str, str | float]:
    """What a run was given, each setting by a name of its own, such as `optimizer.lr`."""
    nested = {"model": row.entry["architecture"], "optimizer": row.entry["optimizer_settings"]}
    named = {f"{part}.{name}": value for part, values in nested.items() for name, value in values.items()}
    named |= {name: row.entry[name] for name in ("batch_size", "sequence_length", "parameters")}
    told: dict[str, Any] = named | {"seed": row.seed, "precision": row.precision, "device": row.device}
    return {name: value if isinstance(value, int | float) else str(value) for name, value in told.items()}


def curves(row: Row) -> Iterator[Scalar]:
    """Every evaluation of a run, and the samples of valid between them.

    A sample's time lies between those of the evaluations around it, as its seconds of training do.
    """
    for point in row.history:
        for split, tally in (("train", point.train), ("valid", point.valid)):
            for figure in ("loss", "perplexity", "bits_per_byte"):
                yield Scalar(f"{figure}/{split}", getattr(tally, figure), point.step, _when(point))
        for tag, value in (("perplexity/train_running", point.running_perplexity), ("clipped", point.clipped)):
            if value is not None:
                yield Scalar(tag, value, point.step, _when(point))
    for before, after in pairwise(row.history):
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
