"""One run, in a process of its own: `python -m bakeoff.worker`, with its job as one line of JSON on standard input.

It writes the run's folder and reports progress as lines of JSON on standard output. When standard input closes, because
the parent stopped it or died, it ends at once.
"""

import functools
import json
import math
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from safetensors.torch import load_file
from torch import nn

from bakeoff import checkpoints, data, models
from bakeoff.data import frequencies
from bakeoff.data.sequences import TokenStream
from bakeoff.files import remove_leftovers
from bakeoff.identity import encode, identity
from bakeoff.measure import Clock, MemoryMeter, Readings, environment, keep_freed_memory, synchronizer
from bakeoff.metrics import Tally
from bakeoff.optimizers import SCHEDULES
from bakeoff.records import DIVERGED, FAILED, FINISHED, RunFolder
from bakeoff.spec import Run
from bakeoff.study_file import decode_run
from bakeoff.training import DivergedError, EpochRecord, Evaluation, Nats, Training, steps_an_epoch, token_nats

#: Seconds between two progress messages.
REPORTING_INTERVAL = 0.2
#: Seconds after which a checkpoint is written even inside an epoch.
CHECKPOINT_INTERVAL = 120.0
#: The most that checkpoints may cost, as a share of the time between two.
CHECKPOINT_SHARE = 0.015

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


def main() -> None:
    """Do the job that standard input names."""
    # Whatever a study file or a model prints goes to the log; only messages go to the parent.
    messages = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    keep_freed_memory()
    job = Job.from_line(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work(job, lambda message: print(json.dumps(message), file=messages, flush=True))


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def work(job: Job, emit: Emit) -> None:
    """Train, measure and record one run; whatever goes wrong is recorded as its result."""
    folder = RunFolder(job.folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.path / "run.lock"):
        remove_leftovers(folder.path)
        try:
            ending = _Recording(job, folder, emit).record()
        except DivergedError as error:
            ending = _divergence(error)
        except Exception as error:  # noqa: BLE001 (a run that fails in any way is a result, and the study goes on)
            ending = {"status": FAILED, "error": _reason(error), "traceback": traceback.format_exc()}
        folder.finish({"alone": job.alone, **ending})
    emit({"event": "end", "status": ending["status"], "error": ending.get("error")})


def _divergence(error: DivergedError) -> Json:
    return {
        "status": DIVERGED,
        "error": str(error),
        "epoch": error.epoch,
        "step": error.step,
        "last_losses": error.last_losses,
        "last_gradient_norms": error.last_norms,
    }


def _reason(error: Exception) -> str:
    out_of_memory = isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
    lines = str(error).strip().splitlines() or [""]
    return f"out of memory: {lines[0]}" if out_of_memory else f"{type(error).__name__}: {lines[0]}"


@dataclass(frozen=True, kw_only=True)
class Best:
    """The best evaluation so far: its summed nats on valid, its epoch, and what each of valid's documents cost."""

    nats: float = math.inf
    epoch: int = -1
    documents: Json = field(default_factory=dict)


class _Recording:
    """A run while it is trained: what it measures, what is kept of it, and when."""

    def __init__(self, job: Job, folder: RunFolder, emit: Emit) -> None:
        self.job, self.folder, self.emit = job, folder, emit
        self.device = torch.device(job.device)
        self.clock = Clock(synchronizer(self.device))
        self.budget = job.run.budget
        torch.set_num_threads(self.budget.threads or 1)
        self.alone = job.alone
        self.spec = {"identity": identity(job.run), "run": encode(job.run)}
        self.best = Best()
        self.evaluations = 0
        self.resumed_at_step: list[int] = []
        self.spoke = self.saved = time.perf_counter()
        self.saving_seconds = 0.0

    def record(self) -> Json:
        """Train to the end of the budget, from the last checkpoint if there is one; the summary of the run."""
        self._prepare()
        training = self._training()
        self._go_on(training)
        for evaluation in training.evaluations():
            self._keep(evaluation, training)
        return self._summary(training)

    def _prepare(self) -> None:
        """Begin the folder anew unless it holds a checkpoint of this very run on the same kind of device."""
        same = self.folder.spec == self.spec and self.folder.environment.get("device") == self.device.type
        if not (same and self.folder.checkpoint.is_file()):
            self._start()
        self.tokens = data.prepare(self.job.run.corpus, self.budget)
        self.measured = {"train": self.tokens.train_sample, "valid": self.tokens.splits["valid"]}
        train_counts = frequencies.counts(self.tokens.splits["train"], self.tokens.vocabulary)
        self.deciles_V = frequencies.deciles(train_counts)
        self.memory = MemoryMeter(self.device)

    def _training(self) -> Training:
        run, budget = self.job.run, self.budget
        torch.manual_seed(run.seed)
        model = models.build(run.architecture, budget, self.tokens.vocabulary, self.device)
        train = self.tokens.splits["train"]
        steps = budget.epochs * steps_an_epoch(train, budget)
        self.emit({"event": "start", "steps": steps})
        training = Training(
            model=model,
            optimizer=run.optimizer.build(model),
            schedule=SCHEDULES[budget.schedule](steps),
            train=train,
            measured=self.measured,
            budget=budget,
            seed=run.seed,
            device=self.device,
            clock=self.clock,
            compiled=budget.compiles(run.architecture),
            steady=self.memory.window,
            on_step=lambda step, loss: self._after_step(training, step, loss),
        )
        return training

    def _start(self) -> None:
        self.folder.start(self.spec, environment(self.device))

    def _go_on(self, training: Training) -> None:
        """Continue where the checkpoint was taken, if there is one that is not damaged."""
        if not self.folder.checkpoint.is_file():
            return
        state = checkpoints.load(self.folder.checkpoint)
        if state is None:
            self._start()
            return
        training.restore(state)
        kept = state.facts["recording"]
        self.folder.go_on(kept["evaluations"])
        self.evaluations, self.best = kept["evaluations"], Best(**kept["best"])
        self.alone = self.alone and kept["alone"]
        self.memory.readings = Readings(**kept["memory"])
        self.resumed_at_step = [*kept["resumed_at_step"], training.step]

    def _after_step(self, training: Training, step: int, loss: float) -> None:
        now = time.perf_counter()
        if now - self.spoke > REPORTING_INTERVAL:
            self.spoke = now
            self.emit({"event": "step", "step": step, "loss": loss})
        if now - self.saved > max(CHECKPOINT_INTERVAL, self.saving_seconds / CHECKPOINT_SHARE):
            self._save(training)

    def _keep(self, evaluation: Evaluation, training: Training) -> None:
        valid, stream = evaluation.nats["valid"], self.measured["valid"]
        nats = float(valid.sum(dtype=np.float64))
        if nats < self.best.nats:
            self.best = Best(nats=nats, epoch=evaluation.epoch, documents=_by_document(stream, valid))
            checkpoints.save_tensors(self.folder.best_weights, training.model.state_dict())
        self.folder.append(self._line(evaluation))
        self.evaluations += 1
        spoken = {split: _tally(self.measured[split], evaluation.nats[split]).as_json() for split in self.measured}
        self.emit(
            {"event": "evaluation", "epoch": evaluation.epoch, "step": evaluation.step, **spoken, **self._times()}
        )
        if time.perf_counter() - self.saved > self.saving_seconds / CHECKPOINT_SHARE:
            self._save(training)

    def _save(self, training: Training) -> None:
        """Write a checkpoint, and take note of what that cost."""
        with self.clock.measuring("checkpoint"):
            started = time.perf_counter()
            state = training.state()
            state.facts["recording"] = {
                "evaluations": self.evaluations,
                "best": asdict(self.best),
                "alone": self.alone,
                "memory": asdict(self.memory.readings),
                "resumed_at_step": self.resumed_at_step,
            }
            checkpoints.save(self.folder.checkpoint, state)
            self.saved = time.perf_counter()
            self.saving_seconds = self.saved - started

    def _summary(self, training: Training) -> Json:
        test = self._final_measures(training.model)
        trained = sum(line["running"]["tokens"] for line in self.folder.history() if "running" in line)
        return {
            "status": FINISHED,
            "epochs": self.budget.epochs,
            "best_epoch": self.best.epoch,
            "test": test,
            "memory": self.memory.as_json(),
            **self._times(),
            "tokens_per_second": trained / self.clock.seconds["training"],
            "alone": self.alone,
            "resumed_at_step": self.resumed_at_step,
        }

    def _line(self, evaluation: Evaluation) -> Json:
        line: Json = {"epoch": evaluation.epoch, "step": evaluation.step, **self._times()}
        for split, stream in self.measured.items():
            nats = evaluation.nats[split]
            line[split] = _tally(stream, nats).sums() | {"deciles": self._by_decile(stream, nats)}
        if evaluation.trained:
            line |= _trained(evaluation.trained, self.budget.clip)
        return line

    def _by_decile(self, stream: TokenStream, nats: Nats) -> Json:
        deciles = self.deciles_V[stream.tokens_N[1:]]
        bincount = functools.partial(np.bincount, deciles, minlength=frequencies.DECILES)
        return {"nats": bincount(weights=nats).tolist(), "tokens": bincount().tolist()}

    def _final_measures(self, model: nn.Module) -> Json:
        """Measure test with the last weights and with the best; keep what each document cost under the best."""
        test = self.tokens.splits["test"]
        measure = functools.partial(token_nats, model, test, self.budget, self.device)
        with self.clock.measuring("evaluation"):
            last = best = measure()
            if self.best.epoch < self.budget.epochs:
                model.load_state_dict(load_file(self.folder.best_weights, device=str(self.device)))
                best = measure()
        self.folder.write_documents({"valid": self.best.documents, "test": _by_document(test, best)})
        return {"best": _tally(test, best).sums(), "last": _tally(test, last).sums()}

    def _times(self) -> Json:
        """Seconds by purpose; `other` is what the run took besides: reading, writing, building."""
        seconds = self.clock.seconds
        purposes = ("evaluation", "warmup", "compiling", "checkpoint", "other")
        return {"train_seconds": seconds["training"]} | {f"{purpose}_seconds": seconds[purpose] for purpose in purposes}


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
