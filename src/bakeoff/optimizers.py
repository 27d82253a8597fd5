"""The optimizers that can be compared, and learning-rate schedules.

To add an optimizer of torch's: a class of a few lines and an entry in `OPTIMIZERS`.
"""

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from bakeoff.spec import Optimizer, real

#: Share of the steps in which the linear schedule rises to the peak.
WARMUP = 0.05
#: What weight decay may act on.
DECAYED = ("matrices", "all")
#: Devices on which torch's optimizers, where they have one kernel for all parameters, have it.
FUSED_DEVICES = ("cpu", "cuda")

#: From a step, counted from 0, to the share of the peak learning rate that it uses.
Schedule = Callable[[int], float]


@dataclass(frozen=True, kw_only=True)
class TorchOptimizer(Optimizer):
    """An optimizer of `torch.optim`; its fields are the implementation's arguments.

    Attributes:
        decayed: What weight decay acts on: `matrices` (all but biases and gains, as GPT-1 was trained) or `all`.
    """

    implementation: ClassVar[Callable[..., torch.optim.Optimizer]]

    decayed: str = "matrices"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decayed not in DECAYED:
            raise ValueError(f"decayed must be one of {', '.join(DECAYED)}, not {self.decayed}")

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Build the optimizer over every learnable parameter of `model`, each in exactly one group."""
        arguments: dict[str, Any] = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "decayed"
        }
        if "fused" in inspect.signature(self.implementation).parameters:
            arguments["fused"] = next(model.parameters()).device.type in FUSED_DEVICES
        return self.implementation(self._groups(model), **arguments)

    def _groups(self, model: nn.Module) -> list[dict[str, Any]]:
        learnable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        plain = [p for p in learnable if self.decayed == "matrices" and p.ndim < 2]  # noqa: PLR2004
        excluded = set(map(id, plain))
        groups: list[dict[str, Any]] = [
            {"params": [p for p in learnable if id(p) not in excluded]},
            {"params": plain, "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]


@dataclass(frozen=True, kw_only=True)
class Adam(TorchOptimizer):
    """Adam (Kingma & Ba 2015); weight decay, if any, is L2."""

    name: ClassVar[str] = "adam"
    title: ClassVar[str] = "Adam"
    implementation: ClassVar[Callable[..., torch.optim.Optimizer]] = torch.optim.Adam

    adaptive: ClassVar[bool | None] = True
    rule: ClassVar[str] = "adam"
    heavy_ball: ClassVar[bool | None] = False
    decoupled_decay: ClassVar[bool | None] = False

    lr: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        real(self, "eps")
        if len(self.betas) != len(("mean", "mean square")) or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must be two numbers from 0 and below 1, not {self.betas!r}")


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    name: ClassVar[str] = "adamw"
    title: ClassVar[str] = "AdamW"
    implementation: ClassVar[Callable[..., torch.optim.Optimizer]] = torch.optim.AdamW
    decoupled_decay: ClassVar[bool | None] = True


@dataclass(frozen=True, kw_only=True)
class SGD(TorchOptimizer):
    """Stochastic gradient descent; weight decay, if any, is L2."""

    name: ClassVar[str] = "sgd"
    title: ClassVar[str] = "SGD"
    implementation: ClassVar[Callable[..., torch.optim.Optimizer]] = torch.optim.SGD

    adaptive: ClassVar[bool | None] = False
    rule: ClassVar[str] = "sgd"
    heavy_ball: ClassVar[bool | None] = False
    decoupled_decay: ClassVar[bool | None] = False

    lr: float = 3.0

    @property
    def step_scale(self) -> float | None:
        """A steady gradient moves a weight by the learning rate, each step."""
        return 1.0


@dataclass(frozen=True, kw_only=True)
class Momentum(SGD):
    """SGD with heavy-ball momentum (Polyak 1964; as torch scales it, without dampening)."""

    name: ClassVar[str] = "momentum"
    title: ClassVar[str] = "Momentum"

    rule: ClassVar[str] = "momentum"
    heavy_ball: ClassVar[bool | None] = True

    lr: float = 1.0
    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        real(self, "momentum", below=1)

    @property
    def step_scale(self) -> float | None:
        """Under a steady gradient the velocity becomes the sum of the powers of the momentum, times the gradient."""
        return 1 / (1 - self.momentum)


#: In the order in which tables and figures show them; the order also fixes their colours.
OPTIMIZERS: dict[str, type[Optimizer]] = {optimizer.name: optimizer for optimizer in (Adam, AdamW, SGD, Momentum)}


def linear(steps: int) -> Schedule:
    """A warm-up over the first 5 % of the steps, then a linear decay that would reach zero one step after the last."""
    rising = max(1, round(WARMUP * steps))

    def multiplier(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        return max(0.0, (steps - step) / (steps - rising + 1))

    return multiplier


def constant(steps: int) -> Schedule:  # noqa: ARG001 (every schedule is made for a number of steps)
    """The peak learning rate at every step."""
    return lambda step: 1.0  # noqa: ARG005


#: From a budget's `schedule` to the function that makes it for a number of steps.
SCHEDULES: dict[str, Callable[[int], Schedule]] = {"linear": linear, "constant": constant}
