"""Rows: each run reduced to one line of a table. All statistics, figures and sentences are made of rows."""

import dataclasses
import math
import operator
import statistics as mathematics
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from bakeoff.analysis import diagnosis, evaluations, noise, statistics
from bakeoff.analysis.evaluations import Baseline, Moment, Parts, Point, WithCounts
from bakeoff.analysis.noise import Noise
from bakeoff.analysis.optimum import COARSE, left_open, losses, optimum
from bakeoff.analysis.probe import Probe
from bakeoff.analysis.reported import Reported
from bakeoff.analysis.statistics import Comparison
from bakeoff.metrics import Tally
from bakeoff.run_folder import DAMAGED, DIVERGED, FAILED, FINISHED
from bakeoff.shapes import Json

NOT_IN_JSON = {"json": False}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run. What it has not reached is None.

    Attributes:
        number: The experiment's number in the study.
        model_title: As the study needs it to tell its experiments apart, such as `LSTM` or `LSTM (hidden 256)`;
            `optimizer_title` likewise, such as `AdamW (weight decay 0.1)`.
        status: `finished`, `running`, `diverged`, `failed`, `damaged` or `missing`.
        error: Why it diverged or failed.
        epochs: Epochs trained so far.
        best_epoch: The epoch whose weights were best on valid.
        train: The fixed sample of train, under the weights of the best epoch; `valid` and `test` likewise.
        last: The three under the last weights.
        averaged: `valid` and `test` under the moving average of the weights; None where there is none.
        with_counts: The run mixed with the best floor; None in folders that do not say.
        windows: Test in other windows, under the same weights: with a `half_stride`, and with `carried_state` where the
            model has one. Empty in folders that do not say.
        train_running_perplexity: Over the best epoch while its weights were changing.
        clipped: Share of its steps whose gradient was clipped.
        memory: Average and peak bytes above the baseline in steady training, the baseline, and their kind; None where
            the run was over before that was read.
        memory_parts: What it has to hold by computation, in bytes: weights, gradients, optimizer state, activations and
            logits; None in folders that do not say.
        train_seconds: Time spent training, and on nothing else.
        processor_seconds: What all threads together computed in that time; None in folders that do not say.
        alone: Whether the run had the machine to itself; only then do its times mean something.
        diagnosis: What became of it, in a few words; None while it is not over, or where it failed.
        diagnosis_rule: The key of the rule behind that.
        diagnosis_text: A sentence with the numbers that led to it.
        entry: What `study.json` declares of its experiment.
        environment: What it recorded of where it was computed, and by what code.
        history: Every evaluation.
        documents: What each document of valid and test cost; empty before the end.
        texts: How it goes on after some prompts, by these; empty before the end, and in folders that do not say.
        probe: What short counter-experiments to it say; None where there were none.
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
    averaged: dict[str, Tally] | None
    with_counts: WithCounts | None
    windows: dict[str, Tally]
    train_running_perplexity: float | None
    clipped: float | None
    parameters: int
    learnable_parameters: int
    memory: Json | None
    memory_parts: Json | None
    train_seconds: float | None
    processor_seconds: float | None
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
    entry: Json = field(metadata=NOT_IN_JSON)
    environment: Json = field(metadata=NOT_IN_JSON)
    history: tuple[Point, ...] = field(metadata=NOT_IN_JSON)
    documents: dict[str, Parts] = field(metadata=NOT_IN_JSON)
    texts: dict[str, str] = field(metadata=NOT_IN_JSON)
    probe: Probe | None = field(metadata=NOT_IN_JSON)

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

    @property
    def lost(self) -> bool:
        """Whether it ended without a result that can be averaged with others."""
        return self.status in (DIVERGED, FAILED, DAMAGED)

    @property
    def unlearned(self) -> bool:
        """Whether it learned nothing about context: that says something about its settings, nothing about its kind."""
        return self.diagnosis_rule in diagnosis.UNLEARNED

    @property
    def severity(self) -> str:
        """How bad what became of it is: `bad`, `warn`, `note` or `good`; the first two count as having gone wrong."""
        return diagnosis.severity(self.diagnosis_rule or self.status)

    @property
    def traits(self) -> Json:
        """What its architecture and its optimizer say they are; None, or not there, where they do not say."""
        return self.entry.get("traits") or {}

    @property
    def unit(self) -> str:
        """What its budget is in, and it is told in: `epoch` or `step`."""
        return self.history[0].unit if self.history else "epoch"

    @property
    def done(self) -> int:
        """How many epochs it has trained, or steps where the budget is in steps, up to its last evaluation."""
        return self.history[-1].place if self.history else 0

    @property
    def seconds(self) -> float:
        """What it took, but for the start of its process."""
        parts = (self.train_seconds, self.evaluation_seconds, self.warmup_seconds, self.other_seconds)
        return sum(part or 0.0 for part in parts)

    @property
    def best_point(self) -> Point:
        """The evaluation that was lowest on valid; there is at least one."""
        return min(self.history, key=lambda point: point.valid.nats)

    @cached_property
    def way_down(self) -> tuple[Moment, ...]:
        """Every measurement with the lowest loss so far; there is at least one."""
        return evaluations.way_down(self.history, alone=self.alone is True)

    def as_json(self) -> Json:
        """The row as plain data, without its history."""
        kept = [f.name for f in dataclasses.fields(self) if f.metadata.get("json", True)]
        return {name: _as_json(getattr(self, name)) for name in kept}


@dataclass(frozen=True, kw_only=True, eq=False)
class Repeats:
    """The runs of one experiment, one a seed."""

    rows: tuple[Row, ...]

    @property
    def number(self) -> int:
        """The experiment's number in the study."""
        return self.rows[0].number

    @property
    def name(self) -> str:
        """Such as "1-layer LSTM, Adam"."""
        return self.rows[0].name

    @property
    def entry(self) -> Json:
        """What `study.json` declares of the experiment."""
        return self.rows[0].entry

    @property
    def traits(self) -> Json:
        """What its architecture and its optimizer say they are."""
        return self.rows[0].traits

    @property
    def size(self) -> Json:
        """What its models are built of, but for the number of layers."""
        return {name: value for name, value in self.entry["architecture"].items() if name != "layers"}

    @property
    def settings(self) -> Json:
        """Its batch size, and every setting of its optimizer but the learning rate."""
        settings = self.entry["optimizer_settings"] | {"batch_size": self.entry["batch_size"]}
        return {name: value for name, value in settings.items() if name not in ("type", "lr")}

    @property
    def described(self) -> str:
        """Number, name and settings: `#2 (1-layer LSTM, AdamW, learning rate 0.03, weight decay 0.1)`.

        Those that the name tells already are not told twice.
        """
        row = self.rows[0]
        rate, decay = f"{row.learning_rate:g}", f"weight decay {row.weight_decay:g}"
        told = [row.name]
        if f"(lr {rate})" not in row.name:
            told.append(f"learning rate {rate}")
        if row.weight_decay and decay not in row.name:
            told.append(decay)
        return f"#{row.number} ({', '.join(told)})"

    @property
    def finished(self) -> tuple[Row, ...]:
        """Its runs that finished."""
        return tuple(row for row in self.rows if row.finished)

    @property
    def spoiled(self) -> bool:
        """Whether a run of it was lost, which no mean over the others may hide."""
        return any(row.lost for row in self.rows)

    @property
    def whole(self) -> bool:
        """Whether every run of it finished."""
        return len(self.finished) == len(self.rows)

    @property
    def unlearned(self) -> tuple[Row, ...]:
        """Its runs that learned nothing about context."""
        return tuple(row for row in self.rows if row.unlearned)

    @property
    def failure(self) -> Row | None:
        """The first of its runs that was lost or learned nothing about context: it says nothing about its kind."""
        return next((row for row in self.rows if row.lost or row.unlearned), None)

    @property
    def probe(self) -> Probe | None:
        """What the counter-experiments to one of its runs say; None where there were none."""
        return next((row.probe for row in self.rows if row.probe), None)

    @property
    def losses(self) -> dict[int, float]:
        """Nats per token of valid at the best epoch, by the seeds that finished."""
        return {row.seed: row.valid.loss for row in self.finished if row.valid}

    @property
    def loss(self) -> float:
        """The mean of `losses`; infinite where there is none."""
        return mathematics.fmean(self.losses.values()) if self.losses else math.inf

    @property
    def test_loss(self) -> float | None:
        """Nats per token of test under the weights that were best on valid, the mean over the seeds that finished."""
        return mean([row.test.loss for row in self.finished if row.test])

    @property
    def train_loss(self) -> float:
        """Nats per token of train in the end, the mean over the seeds that finished; at least one has."""
        return mathematics.fmean(row.history[-1].train.loss for row in self.finished)

    @property
    def memory(self) -> float | None:
        """Bytes on average in steady training, the mean over the seeds that finished and were measured."""
        return mean([row.memory["average_bytes"] for row in self.finished if row.memory])

    @property
    def best(self) -> Row:
        """The finished run that is lowest on valid."""
        return min(self.finished, key=lambda row: row.valid.nats if row.valid else math.inf)


@dataclass(frozen=True, kw_only=True, eq=False)
class StudyRows:
    """A study's rows in the order of its tables: by architecture, layers, optimizer, number, seed.

    Attributes:
        study: What `study.json` declares.
        folder: Where it lies in the folder of all studies; see `decisions.place`.
        rows: One a declared run, whether it exists or not.
        baselines: The floors.
        noise: How much another seed changes a loss, typically.
        texts: How a floor goes on after the runs' prompts, by these; empty in folders that do not say.
        reported: Runs that other programs trained and measured: no rows.
    """

    study: Json
    folder: str
    rows: tuple[Row, ...]
    baselines: tuple[Baseline, ...]
    noise: Noise
    texts: dict[str, str]
    reported: tuple[Reported, ...] = ()
    _compared: dict[tuple[int, int], Comparison | None] = field(default_factory=dict, init=False, repr=False)

    @property
    def seeds(self) -> int:
        """How many seeds the study declares."""
        return len(self.study["seeds"])

    @property
    def measured_elsewhere(self) -> list[Reported]:
        """Models that were trained elsewhere and measured here: they stand in the table, with the floors."""
        return [run for run in self.reported if run.cost]

    @property
    def shared(self) -> dict[str, float]:
        """Which share of valid, and of test, stands in train as well; nothing in folders that do not say."""
        found = {split: self.study["corpus"][split].get("shared") for split in ("valid", "test")}
        return {split: shared["share"] for split, shared in found.items() if shared}

    @property
    def unit(self) -> str:
        """What its budget is in: `epoch` or `step`."""
        return budget_unit(self.study)

    @property
    def length(self) -> int:
        """How many epochs or steps a run has."""
        return int(self.study["budget"][f"{self.unit}s"])

    @property
    def batch_sizes(self) -> list[int]:
        """Those of its experiments, each once, the smallest first."""
        return sorted({entry["batch_size"] for entry in self.study["experiments"]})

    @property
    def reads(self) -> float:
        """How often a run reads each token of train, on average."""
        return noise.trained_tokens(self.study) / float(self.study["corpus"]["train"]["tokens"])

    @property
    def unigram(self) -> Baseline:
        """The floor under which a model has learned nothing about context."""
        return self.floors["unigram"]

    @property
    def lowest_floor(self) -> Baseline:
        """The floor that is best on valid."""
        return min(self.baselines, key=lambda baseline: baseline.valid.nats)

    @property
    def uniform(self) -> Baseline:
        """The floor that has not even seen train."""
        return self.floors["uniform"]

    @cached_property
    def floors(self) -> dict[str, Baseline]:
        """The floors by name."""
        return {floor.name: floor for floor in self.baselines}

    def gap(self, point: Point) -> float:
        """The generalization gap at an evaluation, token frequencies matched, in nats per token."""
        return diagnosis.gap_of(point, self.unigram.valid.loss - self.unigram.train.loss)

    def final_gap(self, experiment: Repeats) -> float:
        """The gap of an experiment in the end, the mean over the seeds that finished; at least one has."""
        return mathematics.fmean(self.gap(row.history[-1]) for row in experiment.finished)

    @cached_property
    def experiments(self) -> tuple[Repeats, ...]:
        """The rows by experiment, in the order of the tables."""
        groups: dict[int, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row.number, []).append(row)
        return tuple(Repeats(rows=tuple(rows)) for rows in groups.values())

    def experiment(self, number: int) -> Repeats:
        """The runs of the experiment of that number."""
        return next(experiment for experiment in self.experiments if experiment.number == number)

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Names of the architectures that were declared, in the order of the tables."""
        return tuple(dict.fromkeys(row.model for row in self.rows))

    @cached_property
    def optimizer_titles(self) -> tuple[str, ...]:
        """The optimizers' titles as rows have them, in the order of the registry, then of the tables."""
        names = [entry["name"] for entry in self.study["optimizers"]]
        ordered = sorted(self.rows, key=lambda row: names.index(row.optimizer))
        return tuple(dict.fromkeys(row.optimizer_title for row in ordered))

    @cached_property
    def ranked(self) -> tuple[Repeats, ...]:
        """Experiments with a finished run, the best first: by their mean on valid.

        Those of which runs are missing stand behind the whole ones, and those that lost one at the end.
        """
        finished = [experiment for experiment in self.experiments if experiment.finished]
        return tuple(sorted(finished, key=lambda e: (e.spoiled, not e.whole, e.loss)))

    @property
    def set_aside(self) -> tuple[Repeats, ...]:
        """Experiments with a lower mean than the first of `ranked`, behind it as they lost or still miss a run."""
        return tuple(experiment for experiment in self.ranked if experiment.loss < self.ranked[0].loss)

    def ranked_of(self, model: str) -> list[Repeats]:
        """The same of one architecture."""
        return [experiment for experiment in self.ranked if experiment.rows[0].model == model]

    def compare(self, first: Repeats, second: Repeats) -> Comparison | None:
        """How much less the first pays on valid, by the seeds that both finished; None where there is none."""
        key = (first.number, second.number)
        if key not in self._compared:
            self._compared[key] = _compare(first, second, self.noise, (self.left_open(first), self.left_open(second)))
        return self._compared[key]

    def left_open(self, experiment: Repeats) -> float:
        """By how much it might be lower at its best learning rate, as far as the search says; 0 without a search."""
        return left_open(self.trial_losses(experiment), experiment.entry["learning_rate"]) or 0.0

    def ties(self, best: Repeats, others: Iterable[Repeats]) -> tuple[Repeats, ...]:
        """Those of the others that cannot be told from the best; a lost run is no tie."""
        found = ((other, self.compare(best, other)) for other in others if other is not best and not other.spoiled)
        return tuple(other for other, compared in found if compared and compared.open)

    def suspect(self, experiment: Repeats) -> tuple[Row, Row | None] | None:
        """A run of it that a probe is for, and the smaller model's that it is behind; None where there is none.

        It is the first that learned nothing about context, or else the first that is behind.
        """
        over = [row for row in experiment.rows if row.finished or row.status == DIVERGED]
        if failing := next((row for row in over if row.unlearned), None):
            return failing, None
        for row in over:
            alike = [r for r in smaller_than(row, self.rows) if r.entry["batch_size"] == row.entry["batch_size"]]
            best = min(alike, key=valid_loss, default=None)
            if best and valid_loss(best) < valid_loss(row) - diagnosis.FLAT:
                return row, best
        return None

    def trials(self, experiment: Repeats) -> list[Json]:
        """Every trial of the search for its learning rate, by rate; empty where there was no search for it.

        A trial has `lr`, `status`, `valid_loss` and `valid_perplexity`; the losses are None where it did not finish.
        """
        found = ((self.study["tuning"] or {}).get("rates") or {}).get(experiment.entry["slug"])
        return list(found["trials"]) if found else []

    def trial_losses(self, experiment: Repeats) -> dict[float, float]:
        """The loss of every trial by its rate, in order; infinite where it did not finish."""
        return losses(self.trials(experiment))

    def is_coarse(self, experiment: Repeats) -> bool:
        """Whether the search for its learning rate, as of earlier versions, tried half decades alone."""
        found = optimum(self.trial_losses(experiment))
        return found is not None and found.distance > COARSE

    def has_interior_rate(self, experiment: Repeats) -> bool:
        """Whether its learning rate is what a search found, and lower and higher ones were tried as well."""
        found = ((self.study["tuning"] or {}).get("rates") or {}).get(experiment.entry["slug"])
        rate = experiment.entry["learning_rate"]
        tried = [trial["lr"] for trial in self.trials(experiment)]
        return bool(found and found["lr"] == rate and min(tried) < rate < max(tried))


def _compare(first: Repeats, second: Repeats, noise: Noise, left_open: tuple[float, float]) -> Comparison | None:
    mine, theirs = first.losses, second.losses
    seeds = sorted(mine.keys() & theirs.keys())
    if not seeds:
        return None
    pairs = [[next(row for row in e.finished if row.seed == seed) for e in (first, second)] for seed in seeds]
    documents = [[row.documents.get("valid") for row in pair] for pair in pairs]
    nats = [map(operator.sub, b.nats, a.nats) for a, b in documents if a and b]
    counts = documents[0][0].tokens if documents[0][0] and len(nats) == len(pairs) else ()
    differences = [mathematics.fmean(each) for each in zip(*nats, strict=True)] if counts else []
    return Comparison.of(
        [(mine[seed], theirs[seed]) for seed in seeds],
        noise.of(first.rows[0].model, second.rows[0].model),
        over_documents=statistics.over_documents(differences, counts),
        documents=len(counts),
        left_open=left_open,
    )


def budget_unit(study: Json) -> str:
    """What the budget that `study.json` declares is in: `epoch` or `step`."""
    return "step" if study["budget"].get("steps") else "epoch"


def smaller_than(row: Row, rows: Iterable[Row]) -> list[Row]:
    """The finished runs of smaller models of the same architecture, with the same optimizer and seed."""
    kind = (row.model, row.optimizer, row.seed)
    siblings = [other for other in rows if other.finished and (other.model, other.optimizer, other.seed) == kind]
    return [other for other in siblings if other.parameters < row.parameters]


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are known; None where none is."""
    known = [value for value in values if value is not None]
    return mathematics.fmean(known) if known else None


def valid_loss(row: Row) -> float:
    """Nats per token of valid; infinite where it was never measured."""
    return row.valid.loss if row.valid else math.inf


def _as_json(value: object) -> object:
    if isinstance(value, Tally):
        return value.as_json()
    if isinstance(value, WithCounts):
        value = vars(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return {key: _as_json(item) for key, item in value.items()} if isinstance(value, dict) else value
