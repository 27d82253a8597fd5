"""Rows: each run reduced to one line of a table. All statistics, figures and sentences are made of rows."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from bakeoff.analysis import diagnosis, measured, statistics
from bakeoff.analysis.diagnosis import Diagnosis
from bakeoff.analysis.measured import Deciles, Documents, Point
from bakeoff.errors import UserError
from bakeoff.metrics import Tally
from bakeoff.records import DIVERGED, FAILED, FINISHED, RunFolder, StudyFolder

__all__ = ["Baseline", "Deciles", "Documents", "Experiment", "Point", "Row", "StudyRows", "read_rows"]

Json = dict[str, Any]
NOT_IN_JSON = {"json": False}


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
        memory_parts: What it has to hold by computation, in bytes: weights, gradients, optimizer state, activations and
            logits; None in folders that do not say.
        train_seconds: Time spent training, and on nothing else.
        alone: Whether the run had the machine to itself; only then do its times mean something.
        diagnosis: What became of it, in a few words; None while it is not over, or where it failed.
        diagnosis_rule: The key of the rule behind that.
        diagnosis_text: A sentence with the numbers that led to it.
        history: Every evaluation.
        documents: What each document of valid and test cost; empty before the end.
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
    memory_parts: Json | None
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
    diagnosis_rule: str | None
    diagnosis_text: str | None
    folder: str
    history: tuple[Point, ...] = field(metadata=NOT_IN_JSON)
    documents: dict[str, Documents] = field(metadata=NOT_IN_JSON)

    @property
    def name(self) -> str:
        """Such as "1-layer LSTM, Adam"."""
        return f"{self.layers}-layer {self.model_title}, {self.optimizer_title}"

    @property
    def kind(self) -> str:
        """The name of the rule behind the diagnosis, or the status: what runs of other epochs have in common."""
        return (self.diagnosis_rule or self.status).replace("-", " ")

    @property
    def finished(self) -> bool:
        """Whether it has trained to the end and been measured."""
        return self.status == FINISHED and self.valid is not None

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
class Experiment:
    """All runs of one experiment, one a seed."""

    rows: tuple[Row, ...]

    @property
    def number(self) -> int:
        """Its number in the study."""
        return self.rows[0].number

    @property
    def name(self) -> str:
        """Such as "1-layer LSTM, Adam"."""
        return self.rows[0].name

    @property
    def finished(self) -> tuple[Row, ...]:
        """Its runs that finished."""
        return tuple(row for row in self.rows if row.finished)

    @property
    def spoiled(self) -> bool:
        """Whether a run of it diverged or failed, which no mean over the others may hide."""
        return any(row.status in (DIVERGED, FAILED) for row in self.rows)

    @property
    def whole(self) -> bool:
        """Whether every run of it finished."""
        return len(self.finished) == len(self.rows)

    @property
    def losses(self) -> dict[int, float]:
        """Nats per token of valid at the best epoch, by the seeds that finished."""
        return {row.seed: row.valid.loss for row in self.finished if row.valid}

    @property
    def loss(self) -> float:
        """The mean of `losses`; infinite where there is none."""
        losses = self.losses.values()
        return sum(losses) / len(losses) if losses else math.inf

    @property
    def train_loss(self) -> float:
        """Nats per token of train in the end, the mean over the seeds that finished; at least one has."""
        losses = [row.history[-1].train.loss for row in self.finished]
        return sum(losses) / len(losses)

    @property
    def best(self) -> Row:
        """The finished run that is lowest on valid."""
        return min(self.finished, key=lambda row: row.valid.nats if row.valid else math.inf)


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
        return self.floor("unigram")

    @property
    def lowest_floor(self) -> Baseline:
        """The floor that is best on valid."""
        return min(self.baselines, key=lambda baseline: baseline.valid.nats)

    @property
    def uniform(self) -> Baseline:
        """The floor that has not even seen train."""
        return self.floor("uniform")

    def floor(self, name: str) -> Baseline:
        """The floor of that name."""
        return next(baseline for baseline in self.baselines if baseline.name == name)

    def gap(self, point: Point) -> float:
        """How much more valid costs than train at an evaluation, at equal mix of frequent and rare tokens, in nats."""
        return diagnosis.gap_of(point, self.unigram.valid.loss - self.unigram.train.loss)

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """The rows by experiment, in the order of the tables."""
        groups: dict[int, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row.number, []).append(row)
        return tuple(Experiment(rows=tuple(rows)) for rows in groups.values())

    @property
    def ranked(self) -> tuple[Experiment, ...]:
        """Experiments with a finished run, the best first: by their mean on valid.

        Those of which runs are missing stand behind the whole ones, and those that lost one at the end.
        """
        finished = [experiment for experiment in self.experiments if experiment.finished]
        return tuple(sorted(finished, key=lambda e: (e.spoiled, not e.whole, e.loss)))

    @property
    def best_of_all(self) -> Row | None:
        """The best run on valid of the experiment that is best on valid over its seeds."""
        return self.ranked[0].best if self.ranked else None

    def best(self, model: str) -> Row | None:
        """The same of one architecture; test never selects."""
        ranked = self._ranked(model)
        return ranked[0].best if ranked else None

    def ties(self, model: str) -> tuple[Row, ...]:
        """Finished runs of an architecture that seeds cannot tell from its best experiment, that one's included.

        With fewer than three seeds nothing is known about noise, and only the best run is named.
        """
        ranked = self._ranked(model)
        if not ranked or len(ranked[0].finished) < statistics.FEWEST_SEEDS:
            return (ranked[0].best,) if ranked else ()
        losses = {experiment.number: experiment.losses for experiment in ranked if not experiment.spoiled}
        tied = statistics.cannot_be_told_apart(losses) or (ranked[0].number,)
        return tuple(row for experiment in ranked if experiment.number in tied for row in experiment.finished)

    def _ranked(self, model: str) -> list[Experiment]:
        return [experiment for experiment in self.ranked if experiment.rows[0].model == model]


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
    undiagnosed = [_row(study, experiment, seed, run) for experiment, seed, run in folder.declared_runs()]
    floors = _floors({baseline.name: baseline for baseline in baselines})
    rows = [_diagnosed(row, floors, undiagnosed) for row in undiagnosed]
    return StudyRows(study=study, rows=tuple(sorted(rows, key=_table_order(study))), baselines=baselines)


def _table_order(study: Json) -> Any:  # noqa: ANN401 (a sort key)
    models, optimizers = ([entry["name"] for entry in study[kind]] for kind in ("models", "optimizers"))
    return lambda row: (models.index(row.model), row.layers, optimizers.index(row.optimizer), row.number, row.seed)


def _row(study: Json, experiment: Json, seed: int, run: RunFolder) -> Row:
    status, summary, environment, documents, lines = run.read()
    history = tuple(map(measured.point, lines))
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
        device=environment.get("device"),
        precision=study["budget"]["precision"],
        threads=study["budget"]["threads"],
        memory_parts=experiment.get("memory"),
        diagnosis=None,
        diagnosis_rule=None,
        diagnosis_text=None,
        folder=f"{run.path.parent.name}/{run.path.name}",
        history=history,
        documents=measured.documents(documents),
    )


def _measured(history: tuple[Point, ...], best: Point | None, test: Json | None) -> Json:
    """The fields of a row that come from its evaluations."""
    last = history[-1] if history else None
    return {
        "epochs": last.epoch if last else 0,
        "best_epoch": best.epoch if best else None,
        "train": best.train if best else None,
        "valid": best.valid if best else None,
        "test": measured.tally(test["best"]) if test else None,
        "last": {
            "train": last.train if last else None,
            "valid": last.valid if last else None,
            "test": measured.tally(test["last"]) if test else None,
        },
        "train_running_perplexity": best.running_perplexity if best else None,
        "train_seconds": last.train_seconds if last else None,
    }


def _floors(baselines: dict[str, Baseline]) -> diagnosis.Floors:
    unigram = baselines["unigram"]
    return diagnosis.Floors(
        uniform=baselines["uniform"].valid.loss,
        unigram_train=unigram.train.loss,
        unigram_valid=unigram.valid.loss,
        kn2_valid=baselines["kn2"].valid.loss,
    )


def _diagnosed(row: Row, floors: diagnosis.Floors, rows: list[Row]) -> Row:
    """The row with what became of it, if it is over."""
    found = _diagnosis(row, floors, rows)
    if found is None:
        return row
    return dataclasses.replace(row, diagnosis=found.name, diagnosis_rule=found.rule, diagnosis_text=found.text)


def _diagnosis(row: Row, floors: diagnosis.Floors, rows: list[Row]) -> Diagnosis | None:
    if not (row.status == DIVERGED or row.finished):
        return None
    diverged = (row.error or "diverged") if row.status == DIVERGED else None
    case = diagnosis.Case(history=row.history, floors=floors, diverged=diverged, smaller=_smaller(row, rows))
    return diagnosis.diagnose(case)


def _smaller(row: Row, rows: list[Row]) -> float | None:
    """The lowest loss on valid of smaller runs of the same architecture, optimizer and seed."""
    kind = (row.model, row.optimizer, row.seed)
    siblings = [other for other in rows if other.finished and (other.model, other.optimizer, other.seed) == kind]
    return min(
        (other.valid.loss for other in siblings if other.valid and other.parameters < row.parameters), default=None
    )


def _baseline(entry: Json) -> Baseline:
    train, valid, test = (measured.tally(entry[split]) for split in ("train", "valid", "test"))
    weight = entry.get("cache_weight")
    return Baseline(
        name=entry["name"], train=train, valid=valid, test=test, seconds=entry["seconds"], cache_weight=weight
    )


def _title(entries: list[Json], name: str) -> str:
    return str(next(entry["title"] for entry in entries if entry["name"] == name))


def _plain(value: object) -> object:
    if isinstance(value, Tally):
        return value.as_json()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
