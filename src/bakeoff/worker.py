"""One run, in a process of its own: `python -m bakeoff.worker`, with its job as one line of JSON on standard input.

It writes the run's folder and reports progress as lines of JSON on standard output. When standard input closes, because
the parent stopped it or died, it ends at once.
"""

import functools
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import nn

from bakeoff import data
from bakeoff.data import frequencies
from bakeoff.data.sequences import TokenStream
from bakeoff.files import written_atomically
from bakeoff.measure import Clock, MemoryMeter, environment, synchronizer
from bakeoff.metrics import Tally
from bakeoff.optimizers import SCHEDULES
from bakeoff.records import DIVERGED, FAILED, FINISHED, RunFolder
from bakeoff.spec import Architecture, Budget, Corpus, Experiment, Optimizer, Run, decode, encode, identity
from bakeoff.study_file import load_study
from bakeoff.training import DivergedError, EpochRecord, Evaluation, Nats, Training, token_nats

#: Seconds between two progress messages.
REPORTING_INTERVAL = 0.2

Json = dict[str, Any]
Emit = Callable[[Json], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is asked to do.

    Attributes:
        run: The run.
        folder: Where it is recorded.
        device: A device that is here.
        alone: Whether it has the machine to itself, so that its times mean something.
        source: The user's study file, if the run's specs are defined in one.
    """

    run: Run
    folder: Path
    device: str
    alone: bool
    source: Path | None = None

    def to_line(self) -> str:
        """The job as a line of JSON."""
        return json.dumps(
            {
                "run": encode(self.run),
                "folder": str(self.folder),
                "device": self.device,
                "alone": self.alone,
                "source": str(self.source) if self.source else None,
            }
        )

    @classmethod
    def from_line(cls, line: str) -> "Job":
        """The inverse of `to_line`; executes the study file first, so that what it defines is known."""
        job = json.loads(line)
        source = Path(job["source"]) if job["source"] else None
        return cls(
            run=decode_run(job["run"], source),
            folder=Path(job["folder"]),
            device=job["device"],
            alone=job["alone"],
            source=source,
        )


def decode_run(encoded: Json, source: Path | None) -> Run:
    """A run from its JSON, with the architectures and optimizers of a user's study file, if it has one."""
    if source:
        load_study(source)
    kinds = [Corpus, Budget, Experiment, Run, *_subclasses(Architecture), *_subclasses(Optimizer)]
    run: Run = decode(encoded, {kind.__name__: kind for kind in kinds})
    return run


def _subclasses(base: type) -> list[type]:
    children: list[type] = base.__subclasses__()
    return [found for child in children for found in (child, *_subclasses(child))]


def main() -> None:
    """Do the job that standard input names."""
    job = Job.from_line(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work(job, lambda message: print(json.dumps(message), flush=True))  # noqa: T201 (its way to speak to the parent)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def work(job: Job, emit: Emit) -> None:
    """Train, measure and record one run; whatever goes wrong is recorded as its result."""
    folder = RunFolder(job.folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.path / "run.lock"):
        folder.start({"identity": identity(job.run), "run": encode(job.run)}, environment(torch.device(job.device)))
        try:
            ending = _Recording(job, folder, emit).record()
        except DivergedError as error:
            ending = {"status": DIVERGED, "error": str(error), "epoch": error.epoch, "step": error.step}
        except Exception as error:  # noqa: BLE001 (a run that fails in any way is a result, and the study goes on)
            ending = {"status": FAILED, "error": _reason(error), "traceback": traceback.format_exc()}
        folder.finish(ending)
    emit({"event": "end", "status": ending["status"], "error": ending.get("error")})


def _reason(error: Exception) -> str:
    out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
    lines = str(error).strip().splitlines() or [""]
    return f"out of memory: {lines[0]}" if out_of_memory else f"{type(error).__name__}: {lines[0]}"


@dataclass
class _Recording:
    """A run while it is trained: the best evaluation so far, and the streams that are measured."""

    job: Job
    folder: RunFolder
    emit: Emit
    started: float = field(default_factory=time.perf_counter)
    spoke: float = 0.0
    tokens_trained: int = 0
    best: Evaluation | None = None
    best_nats: float = np.inf

    def __post_init__(self) -> None:
        budget = self.budget
        torch.set_num_threads(budget.threads or 1)
        self.device = torch.device(self.job.device)
        self.tokens = data.prepare(self.job.run.experiment.corpus, budget)
        self.measured = {"train": self.tokens.train_sample, "valid": self.tokens.splits["valid"]}
        train_counts = frequencies.counts(self.tokens.splits["train"], self.tokens.vocabulary)
        self.deciles_V = frequencies.deciles(train_counts)
        self.clock = Clock(synchronizer(self.device))
        self.memory = MemoryMeter(self.device)

    @property
    def budget(self) -> Budget:
        return self.job.run.experiment.budget

    def record(self) -> Json:
        """Train to the end of the budget; the summary of the run."""
        training = self._training()
        for evaluation in training.evaluations():
            self._keep(evaluation, training.model)
        test = self._test(training.model)
        return {
            "status": FINISHED,
            "epochs": self.budget.epochs,
            "best_epoch": self._best.epoch,
            "test": test,
            "memory": self.memory.as_json(),
            **self._times(),
            "tokens_per_second": self.tokens_trained / self.clock.seconds["training"],
            "alone": self.job.alone,
        }

    @property
    def _best(self) -> Evaluation:
        assert self.best is not None, "a run is evaluated before its first step"
        return self.best

    def _training(self) -> Training:
        torch.manual_seed(self.job.run.seed)
        experiment, budget = self.job.run.experiment, self.budget
        # Built on the processor, so that a seed means the same weights on every device.
        model = experiment.architecture.build(self.tokens.vocabulary, budget.sequence_length).to(self.device)
        train = self.tokens.splits["train"]
        batches = -(-train.sequences(budget.sequence_length) // budget.batch_size)
        steps = budget.epochs * batches
        self.emit({"event": "start", "steps": steps})
        return Training(
            model=model,
            optimizer=experiment.optimizer.build(model),
            schedule=SCHEDULES[budget.schedule](steps),
            train=train,
            measured=self.measured,
            budget=budget,
            seed=self.job.run.seed,
            device=self.device,
            clock=self.clock,
            steady=self.memory.window,
            on_step=self._say_step,
        )

    def _say_step(self, step: int, loss: float) -> None:
        if time.perf_counter() - self.spoke > REPORTING_INTERVAL:
            self.spoke = time.perf_counter()
            self.emit({"event": "step", "step": step, "loss": loss})

    def _keep(self, evaluation: Evaluation, model: nn.Module) -> None:
        valid = float(evaluation.nats["valid"].sum(dtype=np.float64))
        if valid < self.best_nats:
            self.best, self.best_nats = evaluation, valid
            with written_atomically(self.folder.best_weights) as temporary:
                save_file(model.state_dict(), temporary)
        line = self._line(evaluation)
        self.folder.append(line)
        spoken = {split: _tally(self.measured[split], evaluation.nats[split]).as_json() for split in self.measured}
        self.emit(
            {"event": "evaluation", "epoch": evaluation.epoch, "step": evaluation.step, **spoken, **self._times()}
        )

    def _line(self, evaluation: Evaluation) -> Json:
        line: Json = {"epoch": evaluation.epoch, "step": evaluation.step, **self._times()}
        for split, stream in self.measured.items():
            nats = evaluation.nats[split]
            line[split] = _tally(stream, nats).sums() | {"deciles": self._by_decile(stream, nats)}
        if evaluation.trained:
            self.tokens_trained += evaluation.trained.tokens
            line |= _trained(evaluation.trained, self.budget.clip)
        return line

    def _by_decile(self, stream: TokenStream, nats: Nats) -> Json:
        deciles = self.deciles_V[stream.tokens_N[1:]]
        bincount = functools.partial(np.bincount, deciles, minlength=frequencies.DECILES)
        return {"nats": bincount(weights=nats).tolist(), "tokens": bincount().tolist()}

    def _test(self, model: nn.Module) -> Json:
        """Measure test with the last weights and with the best; keep what each document cost under the best."""
        test = self.tokens.splits["test"]
        measure = functools.partial(token_nats, model, test, self.budget.sequence_length, self.device)
        with self.clock.measuring("evaluation"):
            last = measure()
            model.load_state_dict(load_file(self.folder.best_weights, device=str(self.device)))
            best = measure()
        valid = self.tokens.splits["valid"]
        self.folder.write_documents(
            {"valid": _by_document(valid, self._best.nats["valid"]), "test": _by_document(test, best)}
        )
        return {"best": _tally(test, best).sums(), "last": _tally(test, last).sums()}

    def _times(self) -> Json:
        """Seconds by purpose; `other` is what the run took besides: reading, writing, building."""
        seconds = {
            f"{purpose}_seconds": self.clock.seconds[purpose] for purpose in ("training", "evaluation", "warmup")
        }
        other = time.perf_counter() - self.started - sum(seconds.values())
        return {"train_seconds": seconds.pop("training_seconds"), **seconds, "other_seconds": other}


def _tally(stream: TokenStream, nats: Nats) -> Tally:
    total = float(nats.sum(dtype=np.float64))
    return Tally(nats=total, tokens=stream.targets, words=stream.words, bytes=stream.bytes)


def _by_document(stream: TokenStream, nats: Nats) -> Json:
    summed = np.bincount(stream.document_of_targets, weights=nats, minlength=len(stream.starts_D))
    return {
        "nats": summed.tolist(),
        "tokens": stream.tokens_D.tolist(),
        "words": stream.words_D.tolist(),
        "bytes": stream.bytes_D.tolist(),
    }


def _trained(trained: EpochRecord, clip: float | None) -> Json:
    norms = trained.gradient_norms
    return {
        "running": {"nats": trained.nats, "tokens": trained.tokens},
        "learning_rate": trained.learning_rate,
        "gradient_norm": {
            "median": float(np.median(norms)),
            "p99": float(np.percentile(norms, 99)),
            "clipped": float(np.mean(norms > clip)) if clip else 0.0,
        },
    }


if __name__ == "__main__":
    main()
