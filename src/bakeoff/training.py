"""The training loop: it yields evaluations, and knows no file, no plot, no model and no optimizer by name."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from bakeoff.data.sequences import Batch, TokenStream
from bakeoff.measure import Clock
from bakeoff.spec import Budget

#: Steps at the start of a run that are left out of the memory's steady state: buffers and optimizer state appear there.
SETTLING_STEPS = 3
#: Sequences that are evaluated at once; it changes speed, not nats.
EVALUATION_BATCH = 32

Nats = npt.NDArray[np.float32]


class DivergedError(Exception):
    """The loss or the gradient stopped being finite: the end of a run, and a result."""

    def __init__(self, epoch: int, step: int, what: str) -> None:
        super().__init__(f"{what} was not finite at step {step}, in epoch {epoch}")
        self.epoch, self.step = epoch, step


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
class Evaluation:
    """One measurement of a run: every measured stream under the same weights.

    Attributes:
        epoch: Whole epochs trained so far.
        step: Steps taken so far.
        nats: For each measured stream the nats of its N - 1 targets.
        trained: The epoch that ended here; None before the first.
    """

    epoch: int
    step: int
    nats: dict[str, Nats]
    trained: EpochRecord | None


@dataclass(kw_only=True)
class Training:
    """One run in progress.

    Attributes:
        model: A `LanguageModel` on `device`.
        optimizer: Over the model's learnable parameters.
        schedule: From a step to the share of the peak learning rate.
        train: What is learned from.
        measured: The streams that every evaluation measures.
        budget: Epochs, batch size, sequence length, clipping and precision.
        seed: Decides, with the epoch's number, the order of the sequences.
        device: Where the model is.
        clock: Told what is training and what is evaluation.
        steady: Opened around the steps that belong to the steady state.
        on_step: Called after every step with the steps done so far and the mean loss of the last one.
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
    steady: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    on_step: Callable[[int, float], None] = lambda step, loss: None  # noqa: ARG005
    step: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.scheduler = LambdaLR(self.optimizer, self.schedule)
        self.parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def evaluations(self) -> Iterator[Evaluation]:
        """Train for the whole budget; yield an evaluation at step zero and after every epoch.

        Between two of them the clock stands still, and the caller may do as it likes.

        Raises:
            DivergedError: A loss or a gradient is not finite.
        """
        self._warm_up()
        yield self._evaluate(0, None)
        for epoch in range(1, self.budget.epochs + 1):
            with self.clock.measuring("training"):
                trained = self._train_epoch(epoch)
            yield self._evaluate(epoch, trained)

    def _warm_up(self) -> None:
        """Pay once, and apart, for what a first step allocates; no weight and no random state changes."""
        with self.clock.measuring("warmup"), torch.random.fork_rng():
            first = np.arange(min(self.budget.batch_size, self.train.sequences(self.budget.sequence_length)))
            self._loss(self.train.batch(first, self.budget.sequence_length)).backward()  # type: ignore[no-untyped-call]
            self.optimizer.zero_grad()

    def _train_epoch(self, epoch: int) -> EpochRecord:
        self.model.train()
        losses: list[float] = []
        norms: list[float] = []
        targets: list[int] = []
        with contextlib.ExitStack() as stack:
            for batch in self._batches(epoch):
                if self.step == SETTLING_STEPS or (self.step > SETTLING_STEPS and not losses):
                    stack.enter_context(self.steady())
                loss, norm = self._train_step(batch, epoch)
                losses.append(loss)
                targets.append(batch.targets)
                norms.append(norm)
                self.on_step(self.step, loss)
        return EpochRecord(
            nats=float(np.dot(losses, targets)),
            tokens=sum(targets),
            learning_rate=self.optimizer.param_groups[0]["lr"],
            gradient_norms=np.array(norms),
        )

    def _batches(self, epoch: int) -> Iterator[Batch]:
        """The epoch's batches, in an order that depends on the seed and the epoch alone."""
        length = self.budget.sequence_length
        order = np.random.default_rng((self.seed, epoch)).permutation(self.train.sequences(length))
        return self.train.batches(order, self.budget.batch_size, length)

    def _train_step(self, batch: Batch, epoch: int) -> tuple[float, float]:
        """One step of the optimizer: its mean loss and the norm of its gradient before clipping."""
        if self.step:
            self.scheduler.step()
        loss = self._loss(batch)
        value = loss.item()
        if not np.isfinite(value):
            raise DivergedError(epoch, self.step, "the loss")
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.parameters, self.budget.clip or float("inf")).item()
        if not np.isfinite(norm):
            raise DivergedError(epoch, self.step, "the gradient")
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return value, norm

    def _loss(self, batch: Batch) -> torch.Tensor:
        inputs, targets = (torch.from_numpy(array).to(self.device) for array in (batch.inputs_BxL, batch.targets_BxL))
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.budget.precision == "bf16"):
            loss: torch.Tensor = self.model.loss(inputs, targets)  # type: ignore[operator]
        return loss

    def _evaluate(self, epoch: int, trained: EpochRecord | None) -> Evaluation:
        with self.clock.measuring("evaluation"):
            length = self.budget.sequence_length
            nats = {name: token_nats(self.model, s, length, self.device) for name, s in self.measured.items()}
        if not all(np.isfinite(values).all() for values in nats.values()):
            raise DivergedError(epoch, self.step, "an evaluated loss")
        return Evaluation(epoch=epoch, step=self.step, nats=nats, trained=trained)


@torch.no_grad()
def token_nats(
    model: nn.Module, stream: TokenStream, length: int, device: torch.device, batch_size: int = EVALUATION_BATCH
) -> Nats:
    """Nats of each of a stream's N - 1 targets, in order, computed in float32 without dropout.

    Args:
        model: A `LanguageModel` on `device`; it is in evaluation mode afterwards.
        stream: What is measured.
        length: Tokens of a sequence; no state is carried from one to the next.
        device: Where the model is.
        batch_size: Sequences at once; it does not change the result.
    """
    model.eval()
    pieces = []
    for batch in stream.batches(np.arange(stream.sequences(length)), batch_size, length):
        inputs, targets = (torch.from_numpy(array).to(device) for array in (batch.inputs_BxL, batch.targets_BxL))
        nats = model.token_nats(inputs, targets)  # type: ignore[operator]
        pieces.append(nats[targets >= 0].cpu().numpy())
    return np.concatenate(pieces)
