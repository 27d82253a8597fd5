"""The training loop: it yields evaluations, and knows no file, no plot, no model and no optimizer by name."""

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from bakeoff.data.sequences import Batch, Integers, TokenStream
from bakeoff.machine import Clock, in_precision
from bakeoff.moving_average import MovingAverage
from bakeoff.sampling import Sampling
from bakeoff.spec import Budget

#: Steps at the start of a run that are left out of the memory's steady state: buffers and optimizer state appear there.
SETTLING_STEPS = 3
#: Tokens that are evaluated at once; it changes speed, not nats.
EVALUATED_AT_ONCE = 4096
#: Finite losses and gradient norms before a divergence that are kept.
LAST = 20
#: How far below zero nats may come by rounding.
ROUNDING = 1e-3

Nats = npt.NDArray[np.float32]


@dataclass
class Steps:
    """The steps of an epoch so far: each one's mean loss, its targets, and its gradient's norm before clipping."""

    losses: list[float] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)

    def add(self, loss: float, targets: int, norm: float) -> None:
        """Take note of one step."""
        self.losses.append(loss)
        self.targets.append(targets)
        self.norms.append(norm)

    def record(self, learning_rate: float) -> "EpochRecord":
        """What they come to at the end of the epoch."""
        return EpochRecord(
            nats=float(np.dot(self.losses, self.targets)),
            tokens=sum(self.targets),
            learning_rate=learning_rate,
            gradient_norms=np.array(self.norms),
        )


class DivergedError(Exception):
    """The loss or the gradient stopped being finite: the end of a run, and a result.

    Args:
        what: What was not finite, and when.
        epoch: The epoch that was being trained.
        step: Steps done before.
        steps: Those of the epoch; the last of them are kept, as they tell how it came.
    """

    def __init__(self, what: str, epoch: int, step: int, steps: Steps) -> None:
        super().__init__(what)
        self.epoch, self.step = epoch, step
        self.last_losses, self.last_gradient_norms = steps.losses[-LAST:], steps.norms[-LAST:]


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What training itself saw in one epoch, while the weights were changing.

    Attributes:
        nats: Summed nats of all targets, each under the weights of its step.
        tokens: Those targets.
        learning_rate: The rate of the epoch's last step.
        gradient_norms: Norm of every step's gradient, before clipping.
    """

    nats: float
    tokens: int
    learning_rate: float
    gradient_norms: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What the sampled part of valid cost at a step, when training had taken that many seconds."""

    step: int
    train_seconds: float
    nats: float
    tokens: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One full measurement of a run: every measured stream under the same weights.

    Attributes:
        epoch: Whole epochs trained so far.
        step: Steps taken so far.
        nats: For each measured stream the nats of its N - 1 targets.
        trained: The epoch that ended here; None before the first.
        samples: Those taken since the evaluation before, and last the one that is part of this.
    """

    epoch: int
    step: int
    nats: dict[str, Nats]
    trained: EpochRecord | None
    samples: tuple[Sample, ...]


@runtime_checkable
class Averaging(Protocol):
    """An optimizer that wants other weights measured than it steps from; what is called again changes nothing."""

    def train(self) -> None:
        """Have the model hold the weights that it steps from, to the bit as they were."""
        ...

    def eval(self) -> None:
        """Have the model hold those to be measured."""
        ...


@dataclass(kw_only=True)
class Training:
    """One run in progress.

    Attributes:
        model: A `LanguageModel` on `device`.
        optimizer: Over the model's learnable parameters.
        schedule: From a step to the share of the peak learning rate.
        train: What is learned from.
        measured: The streams that every full evaluation measures.
        budget: Epochs or steps, batch size, sequence length, clipping, and the precision of training and of evaluation.
        seed: Decides, with the number of the pass over `train`, the order of the sequences.
        device: Where the model is.
        clock: Told what is training and what is evaluation.
        sampling: Where, between full evaluations, which part of `measured["valid"]` is measured.
        compiled: Whether the first step compiles the model, so that its seconds are called that.
        steady: Opened around the steps that belong to the steady state.
        watched: Opened around a few whole steps among these, one an epoch, that may be looked into.
        on_step: Called after every step with the steps done so far and the mean loss of the last one.
        step: Steps done so far.
        epochs: Whole epochs trained and evaluated so far; -1 before the evaluation at step zero.
        steps: Those of the epoch that is being trained.
        samples: Those taken since the last full evaluation.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Callable[[int], float]
    train: TokenStream
    measured: dict[str, TokenStream]
    budget: Budget
    seed: int
    device: torch.device
    clock: Clock
    sampling: Sampling = field(default_factory=Sampling)
    compiled: bool = False
    steady: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    watched: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    on_step: Callable[[int, float], None] = lambda step, loss: None  # noqa: ARG005
    step: int = field(default=0, init=False)
    epochs: int = field(default=-1, init=False)
    steps: Steps = field(default_factory=Steps, init=False)
    samples: list[Sample] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        self.ends = evaluation_steps(self.train, self.budget)
        self.average = MovingAverage(self.model, self.budget.average) if self.budget.average else None
        self._unkept: dict[str, bytes] = {}
        self._names = self._kept_names()
        given = set(map(id, self.parameters))
        for name, weight in self.model.named_parameters():
            if weight.requires_grad and id(weight) not in given:
                raise ValueError(
                    f"the optimizer was not given {name}, a weight that can be learned: give it all of them"
                )

    def evaluations(self) -> Iterator[Evaluation]:
        """Train for the whole budget; yield an evaluation at step zero and after every epoch.

        Between two of them the clock stands still, and the caller may do as it likes. After a state was restored it
        goes on where that was taken.

        Raises:
            DivergedError: A loss or a gradient is not finite.
        """
        self._warm_up()
        if self.epochs < 0:
            yield self._evaluate(None)
        while self.epochs < len(self.ends):
            yield self._evaluate(self._train_epoch())

    def _warm_up(self) -> None:
        """Pay once, and apart, for what a first step allocates or compiles; weights, buffers, random state stay.

        Raises:
            ValueError: As `require_kept`.
        """
        self._names = self._kept_names()
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        self._unkept = {name: _digest(buffers[name]) for name in buffers.keys() - self.model.state_dict().keys()}
        with self.clock.measuring("compiling" if self.compiled else "warmup"), self._random_state_kept():
            self.model.train()  # after an evaluation cuDNN's layers have no backward pass
            first = np.arange(min(self.budget.batch_size, self.train.sequences(self.budget.sequence_length)))
            self._loss(self.train.batch(first, self.budget.sequence_length)).backward()  # type: ignore[no-untyped-call]
            self.optimizer.zero_grad()
        self.require_kept()
        for name, before in buffers.items():
            self.model.get_buffer(name).copy_(before)

    def require_kept(self) -> None:
        """See that whatever of the model has changed is what a checkpoint holds.

        Raises:
            ValueError: A buffer has that is not, or is there only since.
        """
        if made := self._kept_names() ^ self._names:
            raise ValueError(f"the model makes or drops {min(made)} while it trains: register it in __init__")
        for name, before in self._unkept.items():
            if _digest(self.model.get_buffer(name)) != before:
                raise ValueError(f"the model changes its buffer {name}, which it does not keep: register it persistent")

    def _kept_names(self) -> set[str]:
        """The names of buffers, and of all that a checkpoint holds of the model."""
        return {*self.model.state_dict(), *(name for name, _ in self.model.named_buffers())}

    def _train_epoch(self) -> EpochRecord:
        """Train the epoch, or the rest of it, in stretches: from one place where the sample is measured to the next."""
        batches, end = self._batches(), self.ends[self.epochs]
        stops = (SETTLING_STEPS, *self.sampling.places, end)
        while self.step < end:
            if self.step in self.sampling.places and self.step not in (sample.step for sample in self.samples):
                self._note_sample(self._nats(self.measured["valid"], self.sampling.sequences))
            stretch = min(stop for stop in stops if stop > self.step) - self.step
            if isinstance(self.optimizer, Averaging):
                self.optimizer.train()
            steady = self.steady() if self.step >= SETTLING_STEPS else contextlib.nullcontext()
            with steady, self.clock.measuring("training"):
                self.model.train()
                for batch in itertools.islice(batches, stretch):
                    with self.watched() if self._is_watched() else contextlib.nullcontext():
                        loss, norm = self._train_step(batch)
                    self.steps.add(loss, batch.targets, norm)
                    self.on_step(self.step, loss)
        return self.steps.record(self.optimizer.param_groups[0]["lr"])

    def _is_watched(self) -> bool:
        """The first step of the steady state, and of every epoch in it."""
        return self.step == SETTLING_STEPS or (self.step > SETTLING_STEPS and not self.steps.losses)

    def _batches(self) -> Iterator[Batch]:
        """The batches from here on, pass after pass without end."""
        done, here = divmod(self.step, steps_a_pass(self.train, self.budget))
        later = itertools.chain.from_iterable(map(self._pass, itertools.count(done + 2)))
        return itertools.chain(self._pass(done + 1, here), later)

    def _pass(self, number: int, first: int = 0) -> Iterator[Batch]:
        """The batches of a pass from one of them on, in an order that depends on the seed and its number alone.

        Passes are counted from 1.
        """
        length, size = self.budget.sequence_length, self.budget.batch_size
        order = np.random.default_rng((self.seed, number)).permutation(self.train.sequences(length))
        end = steps_a_pass(self.train, self.budget) * size
        return self.train.batches(order[first * size : end], size, length)

    def _train_step(self, batch: Batch) -> tuple[float, float]:
        """One step of the optimizer: its mean loss and the norm of its gradient before clipping."""
        # A function of the step alone: there is no state of a schedule to keep.
        rates = [peak * self.schedule(self.step) for peak in self.peaks]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        loss = self._loss(batch)
        value = loss.item()
        if not np.isfinite(value):
            raise self._diverged("the loss")
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.parameters, self.budget.clip or float("inf")).item()
        if not np.isfinite(norm):
            raise self._diverged("the gradient")
        with in_precision(self.budget.precision, self.device):  # an optimizer's own matrix products
            self.optimizer.step()
        if [group["lr"] for group in self.optimizer.param_groups] != rates:
            raise ValueError(
                "the optimizer changes its learning rate, which the budget's schedule sets: leave it to that"
            )
        self.optimizer.zero_grad()
        self.step += 1
        if self.average:
            self.average.update(self.step)
        return value, norm

    def _diverged(self, what: str) -> DivergedError:
        epoch = self.epochs + 1
        within = "" if self.budget.steps else f", in epoch {epoch}"
        return DivergedError(f"{what} was not finite at step {self.step}{within}", epoch, self.step, self.steps)

    def _loss(self, batch: Batch) -> Tensor:
        inputs, targets = on_device(batch, self.device)
        with in_precision(self.budget.precision, self.device):
            loss: Tensor = self.model.loss(inputs, targets)  # type: ignore[operator]
        return loss

    def _evaluate(self, trained: EpochRecord | None) -> Evaluation:
        self.require_kept()
        nats = {name: self._nats(stream) for name, stream in self.measured.items()}
        if not all(np.isfinite(values).all() for values in nats.values()):
            raise self._diverged("an evaluated loss")
        if len(self.sampling.sequences):
            self._note_sample(self.sampling.part(nats["valid"], self.budget.sequence_length))
        samples = tuple(self.samples)
        self.epochs, self.steps, self.samples = self.epochs + 1, Steps(), []
        return Evaluation(epoch=self.epochs, step=self.step, nats=nats, trained=trained, samples=samples)

    def _note_sample(self, nats: Nats) -> None:
        seconds, summed = self.clock.seconds["training"], float(nats.sum(dtype=np.float64))
        # A measurement ends no run: weights that are broken end it at the next step, as they would without this.
        if np.isfinite(summed):
            self.samples.append(Sample(step=self.step, train_seconds=seconds, nats=summed, tokens=len(nats)))

    def _nats(self, stream: TokenStream, sequences: Integers | None = None) -> Nats:
        with self.clock.measuring("evaluation"), self._random_state_kept():
            if isinstance(self.optimizer, Averaging):
                self.optimizer.eval()
            return token_nats(self.model, stream, self.budget, self.device, sequences)

    def _random_state_kept(self) -> contextlib.AbstractContextManager[None]:
        return torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else [])


def evaluation_steps(train: TokenStream, budget: Budget) -> Sequence[int]:
    """The steps after which epochs end and everything is measured; the last one ends the run."""
    if budget.steps is not None and budget.epoch_steps is not None:
        return *range(budget.epoch_steps, budget.steps, budget.epoch_steps), budget.steps
    each = steps_a_pass(train, budget)
    return range(each, budget.epochs * each + 1, each)


def steps_a_pass(train: TokenStream, budget: Budget) -> int:
    """Steps of every pass over train, the last of them perhaps with a smaller batch; epochs may cut passes short."""
    batches = -(-train.sequences(budget.sequence_length) // budget.batch_size)
    return batches if budget.steps else min(batches, budget.epoch_steps or batches)


def on_device(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """A batch's inputs and targets, BxL, where the model is; a GPU gets them while it computes what came before."""
    tensors = (torch.from_numpy(array) for array in (batch.inputs_BxL, batch.targets_BxL))
    if device.type == "cuda":
        tensors = (tensor.pin_memory() for tensor in tensors)
    inputs, targets = (tensor.to(device, non_blocking=True) for tensor in tensors)
    return inputs, targets


@torch.no_grad()
def token_nats(
    model: nn.Module, stream: TokenStream, budget: Budget, device: torch.device, sequences: Integers | None = None
) -> Nats:
    """Nats of each of a stream's N - 1 targets, in order, without dropout.

    Matrix products are in the budget's precision, as in training; the nats are made of them in float32.

    Args:
        model: A `LanguageModel` on `device`; it is in evaluation mode afterwards.
        stream: What is measured.
        budget: Its sequence length, between whose sequences no state is carried, and its precision.
        device: Where the model is.
        sequences: Only the targets of these.
    """
    model.eval()
    length, pieces = budget.sequence_length, []
    size = max(1, EVALUATED_AT_ONCE // length)
    order = np.arange(stream.sequences(length)) if sequences is None else sequences
    with in_precision(budget.precision, device):
        for batch in stream.batches(order, size, length):
            inputs, targets = on_device(batch, device)
            nats = model.token_nats(inputs, targets)  # type: ignore[operator]
            if not isinstance(nats, Tensor) or nats.shape != targets.shape or not nats.is_floating_point():
                told = f"{nats.dtype} {tuple(nats.shape)}" if isinstance(nats, Tensor) else type(nats).__name__
                raise ValueError(f"token_nats gives {told} for {tuple(targets.shape)}: give the nats of each target")
            pieces.append(nats[targets >= 0].cpu().numpy())
            if (pieces[-1] < -ROUNDING).any():
                raise ValueError("token_nats gives less than 0, and -log of a probability is not: mind its sign")
    return np.concatenate(pieces)


def _digest(tensor: torch.Tensor) -> bytes:
    """The checksum of a tensor's bytes."""
    return hashlib.sha256(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data).digest()
