"""Rows: each run reduced to one line of a table. All statistics, figures and sentences are made of rows."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bakeoff.errors import UserError
from bakeoff.metrics import Tally, perplexity
from bakeoff.records import RunFolder, StudyFolder

Json = dict[str, Any]
NOT_IN_JSON = {"json": False}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One evaluation of a run: the fixed train sample and valid, under the same weights."""

    epoch: int
    step: int
    train_seconds: float
    train: Tally
    valid: Tally
    running_perplexity: float | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run. What it has not reached is None.

    Attributes:
        number: The experiment's number in the study.
        status: `finished`, `running`, `diverged`, `failed` or `missing`.
        error: Why it diverged or failed.
        epochs: Epochs trained so far.
        best_epoch: The epoch whose weights were best on valid.
        train: The fixed sample of train, under the weights of the best epoch; `valid` and `test` likewise.
        last: The three under the last weights.
        train_running_perplexity: Over the best epoch while its weights were changing.
        memory: Average and peak bytes above the baseline in steady training, the baseline, and their kind.
        train_seconds: Time spent training, and on nothing else.
        alone: Whether the run had the machine to itself; only then do its times mean something.
        diagnosis: What went wrong, if anything did.
        history: Every evaluation.
    """

    number: int
    model: str
    model_title: str
    layers: int
    optimizer: str
    optimizer_title: str
    learning_rate: float
    weight_decay: float
    seed: int
    status: str
    error: str | None
    epochs: int
    best_epoch: int | None
    train: Tally | None
    valid: Tally | None
    test: Tally | None
    last: dict[str, Tally | None]
    train_running_perplexity: float | None
    parameters: int
    learnable_parameters: int
    memory: Json | None
    train_seconds: float | None
    evaluation_seconds: float | None
    warmup_seconds: float | None
    other_seconds: float | None
    tokens_per_second: float | None
    alone: bool | None
    device: str | None
    precision: str
    threads: int
    diagnosis: str | None
    folder: str
    history: tuple[Point, ...] = field(metadata=NOT_IN_JSON)

    @property
    def name(self) -> str:
        """Such as "1-layer LSTM, Adam"."""
        return f"{self.layers}-layer {self.model_title}, {self.optimizer_title}"

    def as_json(self) -> Json:
        """The row as plain data, without its history."""
        kept = [f.name for f in dataclasses.fields(self) if f.metadata.get("json", True)]
        return {name: _plain(getattr(self, name)) for name in kept}


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A floor: a model that only counts, measured on the same tokens.

    Attributes:
        seconds: What counting and measuring took.
        cache_weight: The cache's share, where there is one.
    """

    name: str
    train: Tally
    valid: Tally
    test: Tally
    seconds: float
    cache_weight: float | None

    def as_json(self) -> Json:
        """The baseline as plain data."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}


@dataclass(frozen=True, kw_only=True)
class StudyRows:
    """A study's rows in the order of its tables: by architecture, layers, optimizer, seed.

    Attributes:
        study: What `study.json` declares.
        rows: One a declared run, whether it exists or not.
        baselines: The floors.
    """

    study: Json
    rows: tuple[Row, ...]
    baselines: tuple[Baseline, ...]

    @property
    def unigram(self) -> Baseline:
        """The floor under which a model has learned nothing about context."""
        return self._floor("unigram")

    @property
    def lowest_floor(self) -> Baseline:
        """The floor that is best on valid."""
        return min(self.baselines, key=lambda baseline: baseline.valid.nats)

    @property
    def best_of_all(self) -> Row | None:
        """The finished run that is best on valid."""
        return self._lowest(self.rows)

    @property
    def uniform(self) -> Baseline:
        """The floor that has not even seen train."""
        return self._floor("uniform")

    def _floor(self, name: str) -> Baseline:
        return next(baseline for baseline in self.baselines if baseline.name == name)

    def best(self, model: str) -> Row | None:
        """The finished run of an architecture that is best on valid; test never selects."""
        return self._lowest(row for row in self.rows if row.model == model)

    def _lowest(self, rows: Iterable[Row]) -> Row | None:
        finished = [(row.valid.nats, row) for row in rows if row.status == "finished" and row.valid]
        return min(finished, key=lambda pair: pair[0])[1] if finished else None


def read_rows(folder: StudyFolder) -> StudyRows:
    """Reduce every declared run of a study to a row.

    Raises:
        UserError: The folder was written by a version that recorded other things.
    """
    try:
        return _read_rows(folder)
    except KeyError as error:
        raise UserError(
            f"{folder.path} was written by another version of Bakeoff: it lacks {error}", status=1
        ) from error


def _read_rows(folder: StudyFolder) -> StudyRows:
    study = folder.study
    baselines = tuple(_baseline(entry) for entry in study["baselines"])
    unigram = next(baseline for baseline in baselines if baseline.name == "unigram")
    rows = [_row(study, unigram, experiment, seed, run) for experiment, seed, run in folder.declared_runs()]
    return StudyRows(study=study, rows=tuple(sorted(rows, key=_table_order(study))), baselines=baselines)


def _table_order(study: Json) -> Any:  # noqa: ANN401 (a sort key)
    models, optimizers = ([entry["name"] for entry in study[kind]] for kind in ("models", "optimizers"))
    return lambda row: (models.index(row.model), row.layers, optimizers.index(row.optimizer), row.number, row.seed)


def _row(study: Json, unigram: Baseline, experiment: Json, seed: int, run: RunFolder) -> Row:
    status, summary = run.status, run.summary or {}
    history = tuple(map(_point, run.history()))
    best = min(history, key=lambda point: point.valid.nats, default=None)
    declared = ("number", "model", "layers", "optimizer", "learning_rate", "weight_decay")
    told = ("error", "memory", "evaluation_seconds", "warmup_seconds", "other_seconds", "tokens_per_second", "alone")
    fields: Json = {name: experiment[name] for name in (*declared, "parameters", "learnable_parameters")}
    fields |= {name: summary.get(name) for name in told}
    fields |= _measured(history, best, summary.get("test"))
    return Row(
        **fields,
        model_title=_title(study["models"], experiment["model"]),
        optimizer_title=_title(study["optimizers"], experiment["optimizer"]),
        seed=seed,
        status=status,
        device=run.environment.get("device"),
        precision=study["budget"]["precision"],
        threads=study["budget"]["threads"],
        diagnosis=_diagnosis(status, best, unigram),
        folder=f"{run.path.parent.name}/{run.path.name}",
        history=history,
    )


def _measured(history: tuple[Point, ...], best: Point | None, test: Json | None) -> Json:
    """The fields of a row that come from its evaluations."""
    last = history[-1] if history else None
    return {
        "epochs": last.epoch if last else 0,
        "best_epoch": best.epoch if best else None,
        "train": best.train if best else None,
        "valid": best.valid if best else None,
        "test": _tally(test["best"]) if test else None,
        "last": {
            "train": last.train if last else None,
            "valid": last.valid if last else None,
            "test": _tally(test["last"]) if test else None,
        },
        "train_running_perplexity": best.running_perplexity if best else None,
        "train_seconds": last.train_seconds if last else None,
    }


def _diagnosis(status: str, best: Point | None, unigram: Baseline) -> str | None:
    """What must be said of a run before anything else."""
    if status == "diverged":
        return "diverged"
    if status == "finished" and best and best.valid.nats >= unigram.valid.nats:
        return "worse than unigram"
    return None


def _point(line: Json) -> Point:
    running = line.get("running")
    return Point(
        epoch=line["epoch"],
        step=line["step"],
        train_seconds=line["train_seconds"],
        train=_tally(line["train"]),
        valid=_tally(line["valid"]),
        running_perplexity=perplexity(running["nats"], running["tokens"]) if running else None,
    )


def _baseline(entry: Json) -> Baseline:
    train, valid, test = (_tally(entry[split]) for split in ("train", "valid", "test"))
    weight = entry.get("cache_weight")
    return Baseline(
        name=entry["name"], train=train, valid=valid, test=test, seconds=entry["seconds"], cache_weight=weight
    )


def _tally(sums: Json) -> Tally:
    return Tally(nats=sums["nats"], tokens=sums["tokens"], words=sums["words"], bytes=sums["bytes"])


def _title(entries: list[Json], name: str) -> str:
    return str(next(entry["title"] for entry in entries if entry["name"] == name))


def _plain(value: object) -> object:
    if isinstance(value, Tally):
        return value.as_json()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
