"""Optimizers of torch's: each is a class of a few lines, whose fields are the implementation's arguments."""

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bakeoff.spec import Optimizer, one_of, real

#: What weight decay may act on.
DECAYED = ("matrices", "all")
#: Devices on which torch's optimizers, where they have one kernel for all parameters, have it.
FUSED_DEVICES = ("cpu", "cuda")


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
        one_of(self, "decayed", DECAYED)

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Build the optimizer over every learnable parameter of `model`, each in exactly one group."""
        arguments: dict[str, Any] = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "decayed"
        }
        if "fused" in inspect.signature(self.implementation).parameters:
            arguments["fused"] = is_fused(model)
        return self.implementation(self.groups(model.parameters()), **arguments)

    def groups(self, parameters: Iterable[Tensor]) -> list[dict[str, Any]]:
        """The learnable ones among some parameters: those that decay, and those that do not."""
        learnable = [parameter for parameter in parameters if parameter.requires_grad]
        plain = [p for p in learnable if self.decayed == "matrices" and p.ndim < 2]  # noqa: PLR2004
        excluded = set(map(id, plain))
        groups: list[dict[str, Any]] = [
            {"params": [p for p in learnable if id(p) not in excluded]},
            {"params": plain, "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]


def is_fused(model: nn.Module) -> bool:
    """Whether torch has one kernel for all parameters where the model is."""
    return next(model.parameters()).device.type in FUSED_DEVICES


def decays_of_means(spec: object, name: str) -> None:
    """See that a field of a spec can be the decay rates of two running means; make them floats, as `real` does.

    Raises:
        ValueError: It cannot.
    """
    betas = getattr(spec, name)
    two = isinstance(betas, tuple) and len(betas) == len(("mean", "mean square"))
    if not two or not all(type(beta) in (int, float) and 0 <= beta < 1 for beta in betas):
        raise ValueError(f"{name} must be a tuple of two numbers from 0 and below 1, not {betas!r}")
    object.__setattr__(spec, name, tuple(map(float, betas)))


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
        decays_of_means(self, "betas")


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    name: ClassVar[str] = "adamw"
    title: ClassVar[str] = "AdamW"
    implementation: ClassVar[Callable[..., torch.optim.Optimizer]] = torch.optim.AdamW
    decoupled_decay: ClassVar[bool | None] = True


@dataclass(frozen=True, kw_only=True)
class NAdam(Adam):
    """Adam with Nesterov momentum (Dozat 2016); weight decay, if any, is L2.

    Attributes:
        momentum_decay: How soon the momentum rises to its full size.
    """

    name: ClassVar[str] = "nadam"
    title: ClassVar[str] = "NAdam"
    implementation: ClassVar[Callable[..., torch.optim.Optimizer]] = torch.optim.NAdam
    rule: ClassVar[str] = "nadam"

    momentum_decay: float = 4e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        real(self, "momentum_decay")


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
