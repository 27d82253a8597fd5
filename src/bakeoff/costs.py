"""What a study will cost on this machine, measured with a few real steps of each of its models."""

import contextlib
import dataclasses
import shutil
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bakeoff import accounting, data, sampling, words
from bakeoff.data import Tokens, own_text
from bakeoff.data.cache import cache_folder
from bakeoff.data.sequences import TokenStream
from bakeoff.errors import UserError
from bakeoff.folders import free_folder
from bakeoff.machine import Clock, available_memory, keep_freed_memory, return_freed_memory, synchronizer
from bakeoff.memory import SamplingMeter
from bakeoff.models import build, without_weights
from bakeoff.spec import MOST, Architecture, Budget, Corpus, Optimizer, Run
from bakeoff.training import EVALUATED_AT_ONCE, Evaluation, Training, evaluation_steps

#: Steps of a model that are timed, and of each where several are compared.
PROBE_STEPS, COMPARED_STEPS = 3, 5
#: Starting a process, importing torch, reading the corpus: a rough allowance for each run, in seconds.
START_SECONDS = 4.0
#: Bytes of disk for a run's records, and for each document and each step that they or a checkpoint speak of.
RECORDS, DOCUMENT, STEP = 20_000, 45, 45
#: Bytes of disk for what a study has once: the report, most of all.
REPORT = 6_000_000
#: Bytes of memory that making a text ready takes, whatever the text; for each of its bytes, until as many n-grams are
#: there as are counted at once; and for each of them, until as many tokens are asked about as are asked about at once.
PREPARING, COUNTING, ASKING = 50_000_000, (20.0, 15_000_000), (7.4, 100_000_000)
#: Bytes of disk for each byte of a text: tokens of two bytes, some of them short, and what floors give to those of
#: valid and test, a tenth at most.
PREPARED = 1.1


#: What decides how long a step takes, and how much memory: an architecture, a kind of optimizer, and a batch size.
Model = tuple[Architecture, type[Optimizer], int]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """An estimate of what is ahead.

    Attributes:
        seconds: Of all runs, one after the other.
        memory_bytes: The most that one run needs, the process included.
        kept_bytes: What finished runs and the report will take on the disk.
        unfinished_bytes: The most that one run takes there besides, while it trains.
        runs: How many there are.
    """

    seconds: float
    memory_bytes: int
    kept_bytes: int
    unfinished_bytes: int
    runs: int

    def wait(self, side_by_side: int) -> float:
        """Seconds from the first run to the report, with that many runs at a time that do not slow each other down."""
        return self.seconds / max(1, min(side_by_side, self.runs))

    def repeated(self, times: int) -> "Cost":
        """What the same runs cost with so many seeds each."""
        kept = (self.kept_bytes - REPORT) * times + REPORT
        return dataclasses.replace(self, seconds=self.seconds * times, kept_bytes=kept, runs=self.runs * times)

    def disk_bytes(self, at_once: int) -> int:
        """The most that the study's folder takes on the disk, with that many runs at a time."""
        return self.kept_bytes + self.unfinished_bytes * min(at_once, self.runs)


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """What a step and an evaluated token take, in seconds; the most memory of a run, the process included."""

    step: float
    evaluated_token: float
    memory_bytes: int = 0


def estimate(runs: Sequence[Run], tokens: Tokens, device: torch.device, *, trial: bool = False) -> Cost:
    """Estimate what `runs` will cost, by a few real steps; a model that fails costs nothing: its runs will say why.

    Of a `trial` valid is not measured once more in the end, nor test in other windows.
    """
    one_of = {_model(run): run for run in runs}  # one after the other: together the memory might not hold them
    probes = {model: probe for model, run in one_of.items() if (probe := time_steps([run], tokens, device)[0])}
    able = [run for run in runs if _model(run) in probes]
    seconds = [_seconds(run, probes[_model(run)], tokens, trial=trial) for run in able]
    sizes = [files(run, tokens) for run in able]
    return Cost(
        seconds=sum(seconds),
        memory_bytes=max((probe.memory_bytes for probe in probes.values()), default=0),
        kept_bytes=sum(kept for kept, _ in sizes) + REPORT,
        unfinished_bytes=max((unfinished for _, unfinished in sizes), default=0),
        runs=len(runs),
    )


def time_steps(runs: Sequence[Run], tokens: Tokens, device: torch.device) -> list[StepCost | None]:
    """What a step and an evaluated token of each run take; None for one that cannot be built or trained here.

    They take turns, a step each: what else the machine does for some seconds slows all of them alike. All that is in
    this process; global random state is left as it was.
    """
    return_freed_memory(device)  # which making the text ready took, and a run will not
    keep_freed_memory()
    baseline = SamplingMeter(device).baseline
    with torch.random.fork_rng():
        found = _in_turns(runs, tokens, device)
    return_freed_memory(device)  # which is the runs' from now on
    return [cost and dataclasses.replace(cost, memory_bytes=baseline + cost.memory_bytes) for cost in found]


def _in_turns(runs: Sequence[Run], tokens: Tokens, device: torch.device) -> list[StepCost | None]:
    """The costs alone: the models are gone when their memory is to be returned."""
    rehearsals = [_Rehearsal(run, tokens, device) for run in runs]
    for _ in range(PROBE_STEPS if len(runs) == 1 else COMPARED_STEPS):
        for rehearsal in rehearsals:
            rehearsal.go_on()
    return [rehearsal.cost for rehearsal in rehearsals]


def _model(run: Run) -> Model:
    return run.architecture, type(run.optimizer), run.budget.batch_size


def room(size: int) -> tuple[float, float]:
    """Bytes of memory, above the process's own, and of disk that making a text of `size` bytes ready takes."""
    return PREPARING + sum(each * min(size, most) for each, most in (COUNTING, ASKING)), PREPARED * size


def require_room(corpus: Corpus, budget: Budget) -> None:
    """See that memory and disk hold what preparing a user's text takes, before it is begun.

    Raises:
        UserError: They do not, or the text is not there.
    """
    if corpus.path is None or data.is_prepared(corpus, budget):
        return
    size, cache = own_text.size(Path(corpus.path)), cache_folder()
    memory, disk = room(size)
    about = f"making {corpus.name}, a text of {words.megabytes(size)}, ready takes about"
    if (free := available_memory()) < memory:
        raise UserError(
            f"{about} {words.megabytes(memory)} of memory, and {words.megabytes(free)} are free: close other programs, "
            "or give a part of it",
            status=1,
        )
    require_disk(about, disk, cache, "name another folder with BAKEOFF_CACHE")


def require_disk(about: str, needed: float, folder: Path, otherwise: str) -> None:
    """See that a folder's disk has room.

    Args:
        about: What takes about that much.
        needed: Bytes.
        folder: Where; it need not be there yet.
        otherwise: What one can do besides freeing space.

    Raises:
        UserError: It has not.
    """
    if (free := shutil.disk_usage(free_folder(folder.absolute())).free) < needed:
        raise UserError(
            f"{about} {words.megabytes(needed)} of disk, and {words.megabytes(free)} are free in {folder}: free some "
            f"space there, or {otherwise}",
            status=1,
        )


def too_large(runs: Sequence[Run], vocabulary: int, device: torch.device) -> Iterator[str]:
    """A line for each experiment that this machine's memory does not hold: it is not timed, and will fail."""
    free = available_memory()
    for number, size in {run.number: _needed(run, vocabulary, device) for run in runs}.items():
        if size >= free:
            needs = f"#{number} needs about {words.megabytes(size)} of memory for a step"
            yield f"{needs}, and {words.megabytes(free)} are free: it will fail"


def _needed(run: Run, vocabulary: int, device: torch.device) -> int:
    """Bytes that a step takes, computed; 0 where that cannot be told, and on a GPU, which refuses what it cannot hold.

    A system that runs out of memory kills.
    """
    parts = accounting.memory(run.architecture, run.optimizer, run.budget, vocabulary) if device.type == "cpu" else {}
    return sum((parts or {}).values())


class _Rehearsal:
    """The first steps of a run, by the very loop that runs use, an evaluation after each; the weights stay.

    What fails has no cost: an estimate must not stop a study.

    Args:
        run: Its model is built and takes a step, for its memory, and so that all is warm where time counts.
        tokens: Of which the first are used.
        device: Where.
    """

    def __init__(self, run: Run, tokens: Tokens, device: torch.device) -> None:
        self.clock = Clock(synchronizer(device))
        self.steps: list[float] = []
        self.evaluated_tokens: list[float] = []
        self.memory_bytes = 0
        self.evaluations: Iterator[Evaluation] = iter(())
        if _needed(run, tokens.vocabulary, device) >= available_memory():
            return
        return_freed_memory(device)  # what another one has freed would hide what this one takes
        torch.set_num_threads(run.budget.threads or 1)
        memory = SamplingMeter(device, interval=0.02, share=0.5)
        with memory.window(), contextlib.suppress(Exception, SystemExit):
            self.evaluations = self._training(run, tokens, device).evaluations()
            for _ in range(2):  # the first is before any step
                next(self.evaluations)
        self.memory_bytes = memory.as_json()["peak_bytes"]

    def _training(self, run: Run, tokens: Tokens, device: torch.device) -> Training:
        """The run with a step an epoch."""
        budget = dataclasses.replace(run.budget, epochs=MOST, steps=None, warmup_steps=None, decay_steps=None)
        model = build(run.architecture, budget, tokens.vocabulary, device)
        return Training(
            model=model,
            optimizer=run.optimizer.build(model),
            schedule=lambda step: 0.0,  # noqa: ARG005 (weights that stay cannot diverge)
            train=_head(tokens.splits["train"], budget.batch_size * budget.sequence_length),
            measured={"valid": _head(tokens.splits["valid"], EVALUATED_AT_ONCE)},
            budget=budget,
            seed=0,
            device=device,
            clock=self.clock,
            compiled=budget.compiles(run.architecture),
        )

    def go_on(self) -> None:
        """Take a step and evaluate, and note the seconds."""
        before = self.clock.seconds.copy()
        try:
            evaluated = len(next(self.evaluations).nats["valid"])
        except (Exception, SystemExit):  # noqa: BLE001 (whatever a model of one's own raises)
            self.steps.clear()  # there are no more: what raised has ended
            return
        self.steps.append(self.clock.seconds["training"] - before["training"])
        self.evaluated_tokens.append((self.clock.seconds["evaluation"] - before["evaluation"]) / evaluated)

    @property
    def cost(self) -> StepCost | None:
        """What a step and an evaluated token took, the median of each."""
        if not self.steps:
            return None
        step, token = map(statistics.median, (self.steps, self.evaluated_tokens))
        return StepCost(step=step, evaluated_token=token, memory_bytes=self.memory_bytes)


def _head(stream: TokenStream, targets: int) -> TokenStream:
    """The first tokens of a stream, as one document."""
    one = np.array([0])
    return TokenStream(tokens_N=stream.tokens_N[: targets + 1], starts_D=one, words_D=one, bytes_D=one)


def _seconds(run: Run, probe: StepCost, tokens: Tokens, *, trial: bool) -> float:
    train, valid, test = (tokens.splits[split] for split in ("train", "valid", "test"))
    budget = run.budget
    ends = evaluation_steps(train, budget)
    between = sampling.plan(train, valid, budget, ends[0])
    sampled = len(between.places) * len(between.sequences) * budget.sequence_length
    evaluated = (len(ends) + 1) * (tokens.train_sample.targets + valid.targets) + sampled
    evaluated += test.targets if trial else valid.targets + 3 * test.targets  # in windows of three kinds
    return START_SECONDS + ends[-1] * probe.step + evaluated * probe.evaluated_token


def files(run: Run, tokens: Tokens) -> tuple[int, int]:
    """Bytes of disk that a run takes when it is finished, and those that it takes besides at the most.

    These are the weights that were the best before, and a checkpoint while the next one is written beside it.
    """
    length, vocabulary = run.budget.sequence_length, tokens.vocabulary
    state = without_weights(run.architecture, vocabulary, length).state_dict()
    weights = sum(tensor.nbytes for tensor in state.values())
    parts = accounting.memory(run.architecture, run.optimizer, run.budget, vocabulary)
    optimizer_state = parts["optimizer_state"] if parts else 2 * weights  # as of Adam, where nothing can be told
    valid, test = (len(tokens.splits[split].starts_D) for split in ("valid", "test"))
    facts = valid * DOCUMENT + evaluation_steps(tokens.splits["train"], run.budget)[0] * STEP
    checkpoint = weights + optimizer_state + facts
    return weights + (valid + test) * DOCUMENT + RECORDS, weights + 2 * checkpoint
