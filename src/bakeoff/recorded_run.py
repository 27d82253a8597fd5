"""One run while it is trained: what it measures goes into its folder, and to whoever watches."""

import contextlib
import functools
import random
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict

import numpy as np
import torch
from torch import Tensor

from bakeoff import checkpoints, data, models, sampling, texts, windows
from bakeoff.data.cache import cache_folder
from bakeoff.files import sha256_of
from bakeoff.identity import encode, identity, stem
from bakeoff.job import Job
from bakeoff.machine import Clock, environment, synchronizer
from bakeoff.memory import Readings, meter
from bakeoff.optimizers import SCHEDULES
from bakeoff.presence import Presence
from bakeoff.recording import Best, Measures, RunState, by_document, tally, with_counts
from bakeoff.run_folder import DIVERGED, FAILED, FINISHED, RunFolder
from bakeoff.shapes import Json
from bakeoff.training import DivergedError, Evaluation, Training, evaluation_steps, token_nats

#: Seconds between two progress messages.
REPORTING_INTERVAL = 0.2

Emit = Callable[[Json], None]


def record(job: Job, folder: RunFolder, emit: Emit) -> Json:
    """Train, measure and record a run; its summary, of whatever went wrong as well."""
    try:
        with Presence(cache_folder() / "at-work") as here:
            return RecordedRun(job, folder, emit, here).record()
    except (Exception, SystemExit) as error:  # noqa: BLE001 (however a run fails is a result, and the study goes on)
        return {"status": FAILED, "error": _reason(error), "traceback": traceback.format_exc()}


def say(emit: Emit, text: str) -> None:
    """Tell it to the run's log and to whoever watches."""
    print(text, flush=True)  # noqa: T201 (into the run's log)
    emit({"event": "note", "text": text})


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"out of memory: {lines[0]}" if _out_of_memory(error) else f"{type(error).__name__}: {lines[0]}"


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


class RecordedRun:
    """A run while it is trained: what it measures goes into its folder and to whoever watches."""

    def __init__(self, job: Job, folder: RunFolder, emit: Emit, here: Presence) -> None:
        self.run, self.corpus, self.trial, self.folder, self.emit = job.run, job.corpus, job.trial, folder, emit
        self.here = here
        self.budget, self.device = job.run.budget, torch.device(job.device)
        torch.set_num_threads(self.budget.threads or 1)
        self.clock, self.pace = Clock(synchronizer(self.device)), checkpoints.Due()
        self.spec = {"identity": identity(job.run), "run": encode(job.run)}
        self.kept = RunState(alone=job.alone and not here.is_shared(), environment=environment(self.device))
        #: The best epoch that the last checkpoint knew.
        self.checkpointed = -1
        self.spoke = time.perf_counter()

    def record(self) -> Json:
        """Train to the end of the budget, from the last checkpoint if there is one; the summary of the run."""
        self.tokens = data.prepare(self.corpus, self.budget)
        self.measures = Measures(self.tokens)
        self.memory = meter(self.device, compiled=self.budget.compiles(self.run.architecture))
        self.ends = evaluation_steps(self.tokens.splits["train"], self.budget)
        self.emit({"event": "start", "steps": self.ends[-1]})
        if (training := self._resumed()) is None:
            self.folder.start(self.spec, self.kept.environment)
            training = self._training()
        try:
            for evaluation in training.evaluations():
                self._keep(evaluation, training)
            return self._summary(training)
        except DivergedError as error:
            samples = [vars(sample) for sample in training.samples]
            self._look_around()
            told = {"status": DIVERGED, "error": str(error), **vars(error)}
            return told | {"alone": self.kept.alone, "sample": samples}

    def _resumed(self) -> Training | None:
        """The run where its checkpoint was taken; None, and a word about it, where that is of no use."""
        if not self.folder.checkpoint.is_file():
            return None
        training = self._training()
        try:
            self._go_on(training)
        except Exception as error:
            if _out_of_memory(error) or (isinstance(error, OSError) and not isinstance(error, FileNotFoundError)):
                raise  # another time it may go on
            say(self.emit, f"the checkpoint is deleted and the run begins anew: {_reason(error)}")
            self.clock.seconds.clear()
            self.clock.processor_seconds.clear()
            return None
        return training

    def _training(self) -> Training:
        run, budget, train = self.run, self.budget, self.tokens.splits["train"]
        for seed in (torch.manual_seed, np.random.seed, random.seed):  # models of one's own may draw from any
            seed(run.seed)
        model = models.build(run.architecture, budget, self.tokens.vocabulary, self.device)
        training = Training(
            model=model,
            optimizer=run.optimizer.build(model),
            schedule=SCHEDULES[run.optimizer.schedule or budget.schedule](budget, self.ends[-1]),
            train=train,
            measured=self.measures.streams,
            sampling=sampling.plan(train, self.measures.streams["valid"], budget, self.ends[0]),
            budget=budget,
            seed=run.seed,
            device=self.device,
            clock=self.clock,
            compiled=budget.compiles(run.architecture),
            steady=self.memory.window,
            watched=self.memory.watch,
            on_step=lambda step, loss: self._after_step(training, step, loss),
        )
        return training

    def _go_on(self, training: Training) -> None:
        """Bring everything to where the checkpoint was taken.

        Raises:
            ValueError: The checkpoint or what belongs to it is another's, or damaged; other errors if it is very much.
        """
        state = checkpoints.load(self.folder.checkpoint)
        before = RunState(**state.facts["kept"] | {"best": Best(**state.facts["kept"]["best"])})
        if state.facts["identity"] != self.spec["identity"] and not self._was_the_same(state.facts):
            raise ValueError("it is another run's")
        if before.environment["device"] != self.device.type:
            raise ValueError(f"it was taken on {before.environment['device']}")
        self._best_weights(before.best)
        checkpoints.restore(training, state)
        before.resumed(training.step, alone=self.kept.alone, environment=self.kept.environment)
        self.folder.go_on(self.spec, before.environment, before.evaluations, before.history_sha256)
        self.kept, self.checkpointed = before, before.best.epoch
        self.memory.readings = Readings(**state.facts["memory"])

    def _was_the_same(self, facts: Json) -> bool:
        """Whether a checkpoint is of a run that was the same as this one so far, and would have decayed elsewhere."""
        theirs, ours = facts.get("stem"), stem(self.run)
        return bool(theirs and ours and theirs[0] == ours[0] and facts["step"] <= min(theirs[1], ours[1]))

    def _best_weights(self, best: Best) -> dict[str, Tensor]:
        """The weights of the best evaluation so far; one that was cut off may have left better ones.

        Raises:
            ValueError: They are not there, or damaged.
        """
        for path in (self.folder.best_weights, self.folder.earlier_weights):
            if not path.is_file():
                continue
            state = checkpoints.load(path)
            if state.facts["epoch"] == best.epoch and best.weights_sha256 in (None, sha256_of(path)):
                path.replace(self.folder.best_weights)
                return state.tensors
        raise ValueError(f"the weights of epoch {best.epoch}, the best so far, are not there")

    def _after_step(self, training: Training, step: int, loss: float) -> None:
        if time.perf_counter() - self.spoke > REPORTING_INTERVAL:
            with self.clock.measuring("other"):  # where time passes if this process has to wait for its parent
                self.emit({"event": "step", "step": step, "loss": loss})
            self.spoke = time.perf_counter()
        if self.pace.due(checkpoints.INTERVAL):
            self._save(training)

    def _keep(self, evaluation: Evaluation, training: Training) -> None:
        nats = evaluation.nats["valid"]
        summed = float(nats.sum(dtype=np.float64))
        if summed < self.kept.best.nats:
            if self.kept.best.epoch == self.checkpointed >= 0:
                self.folder.best_weights.replace(self.folder.earlier_weights)
            checkpoints.save(self.folder.best_weights, training.model.state_dict(), {"epoch": evaluation.epoch})
            self.kept.best = Best(
                nats=summed,
                epoch=evaluation.epoch,
                documents=by_document(self.measures.streams["valid"], nats),
                weights_sha256=sha256_of(self.folder.best_weights),
            )
        line = self.measures.line(evaluation, self.budget.clip) | self._times()
        self.folder.append(line | {"unix_seconds": time.time()})
        self.kept.evaluations += 1
        self.emit(self.measures.spoken(evaluation) | self._times())
        if self.pace.due():
            self._save(training)

    def _save(self, training: Training) -> None:
        """Write a checkpoint, and take note of what that cost."""
        with self.clock.measuring("checkpoint"):
            started = time.perf_counter()
            tensors, facts = checkpoints.take(training)
            self._look_around()
            self.kept.history_sha256 = self.folder.history_sha256
            facts |= {
                "identity": self.spec["identity"],
                "stem": stem(self.run),
                "kept": asdict(self.kept),
                "memory": vars(self.memory.readings),
            }
            checkpoints.save(self.folder.checkpoint, tensors, facts)
            self.checkpointed = self.kept.best.epoch
            self.folder.earlier_weights.unlink(missing_ok=True)
            self.pace.note(started)
            self.emit({"event": "checkpoint", "step": training.step})

    def _look_around(self) -> None:
        self.kept.alone = self.kept.alone and not self.here.is_shared()

    def _summary(self, training: Training) -> Json:
        measured = self._final_measures(training)
        self._look_around()
        trained = sum(line["running"]["tokens"] for line in self.folder.history() if "running" in line)
        return {
            "status": FINISHED,
            "epochs": len(self.ends),
            "best_epoch": self.kept.best.epoch,
            **measured,
            "memory": self.memory.as_json(),
            **self._times(),
            "tokens_per_second": trained / self.clock.seconds["training"],
            "alone": self.kept.alone,
            "resumed_at_step": self.kept.resumed_at_step,
        }

    def _final_measures(self, training: Training) -> Json:
        """Measure test with the last weights and with the best, and the best with counts and with other windows.

        What each document cost under the best is kept, and some texts of it. If the weights were averaged, valid and
        test are also measured with the average. A trial is measured by itself and in its own windows alone.

        Raises:
            DivergedError: The loss on test is not finite.
        """
        model, kept, mixed, windowed, said, averaged = training.model, self.kept.best, None, None, None, None
        valid, test = self.measures.streams["valid"], self.tokens.splits["test"]
        measure = functools.partial(token_nats, model, budget=self.budget, device=self.device)
        with self.clock.measuring("evaluation"):
            last = best = measure(test)
            if kept.epoch < len(self.ends):
                model.load_state_dict(self._best_weights(kept))
                best = measure(test)
            if not (np.isfinite(last).all() and np.isfinite(best).all()):
                what = "the loss on test was not finite in the end"
                raise DivergedError(what, training.epochs + 1, training.step, training.steps)
            if not self.trial:
                with self._optional("with counts"):
                    nats = {"valid": measure(valid), "test": best}
                    mixed = with_counts(self.tokens, self.budget.sequence_length, nats)
                with self._optional("in other windows"):
                    otherwise = windows.measured(model, test, best, self.budget, self.device)
                    windowed = {name: tally(test, nats).sums() for name, nats in otherwise.items()}
                with self._optional("by texts of its own"):
                    said = texts.of_network(model, self.tokens)
            if training.average:
                model.load_state_dict(training.average.weights, strict=False)  # buffers stay those of the best
                with self._optional("under the averaged weights"):
                    streams = {"valid": valid, "test": test}
                    averaged = {name: tally(stream, measure(stream)).sums() for name, stream in streams.items()}
        self.folder.write_documents({"valid": kept.documents, "test": by_document(test, best)})
        if said:
            self.folder.write_texts(said)
        sums = {"best": tally(test, best).sums(), "last": tally(test, last).sums()}
        return {"test": sums, "with_counts": mixed, "windows": windowed} | ({"averaged": averaged} if averaged else {})

    @contextlib.contextmanager
    def _optional(self, what: str) -> Iterator[None]:
        """Around a measure that a result can do without: where it fails it is absent, and why is said."""
        try:
            yield
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever a model of one's own raises; the run is trained)
            say(self.emit, f"not measured {what}: {_reason(error)}")

    def _times(self) -> Json:
        """Seconds by purpose, and training's processor seconds; `other` is reading, writing, building."""
        seconds, processor = self.clock.seconds, self.clock.processor_seconds
        purposes = ("evaluation", "warmup", "compiling", "checkpoint", "other")
        training = {"train_seconds": seconds["training"], "processor_seconds": processor["training"]}
        return training | {f"{purpose}_seconds": seconds[purpose] for purpose in purposes}
