"""Lion (Chen et al. 2023, Symbolic Discovery of Optimization Algorithms): steps of one size, along the sign."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from bakeoff.optimizers.of_torch import TorchOptimizer, decays_of_means


class SignedSteps(torch.optim.Optimizer):
    """The update of algorithm 2; it keeps one number a weight.

    Args:
        groups: The parameters.
        lr: How far each weight moves, each step.
        weight_decay: Decoupled, as AdamW's.
        betas: Of the mean whose sign is the step, and of the mean that is kept.
    """

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, weight_decay: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "betas": betas})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take a step."""
        for group in self.param_groups:
            of_step, of_mean = group["betas"]
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if not state:
                    state["mean"] = torch.zeros_like(p)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(torch.lerp(p.grad, state["mean"], of_step).sign_(), alpha=-group["lr"])
                state["mean"].lerp_(p.grad, 1 - of_mean)


@dataclass(frozen=True, kw_only=True)
class Lion(TorchOptimizer):
    """Lion. As published, its best rate is three to ten times below AdamW's, and its decay as much above.

    For the models of `modern` the same search found a fifth of AdamW's rate to one and a half times it.
    """

    name: ClassVar[str] = "lion"
    title: ClassVar[str] = "Lion"
    implementation: ClassVar[Callable[..., torch.optim.Optimizer]] = SignedSteps
    # Neither adaptive nor plain: it scales no step by statistics, and all steps are of one size.
    rule: ClassVar[str] = "lion"
    heavy_ball: ClassVar[bool | None] = False
    decoupled_decay: ClassVar[bool | None] = True

    lr: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.99)

    def __post_init__(self) -> None:
        super().__post_init__()
        decays_of_means(self, "betas")
