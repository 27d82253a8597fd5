"""Muon (Jordan et al. 2024): momentum whose matrices are orthogonalized; AdamW for what is no matrix inside a layer."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bakeoff.errors import UserError
from bakeoff.optimizers.of_torch import TorchOptimizer, decays_of_means, is_fused
from bakeoff.spec import real

#: The quintic that pushes singular values towards 1, and how often; as published, and as torch's Muon has them.
QUINTIC, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
EPSILON = 1e-7


@dataclass(frozen=True, kw_only=True)
class Muon(TorchOptimizer):
    """Muon for the matrices inside layers, and AdamW for embeddings, gains and biases.

    Which matrices, and where several stand in one parameter, such as the gates of an LSTM, the model says: its module
    has `matrices()`. Each is orthogonalized for itself. Equal to `torch.optim.Muon` but for that, and for the products'
    type: theirs is always bfloat16, which many processors lack; here it is the budget's.

    Attributes:
        momentum: Of Muon's running mean.
        adamw_share: AdamW's learning rate as a share of Muon's.
        betas: AdamW's.
    """

    name: ClassVar[str] = "muon"
    title: ClassVar[str] = "Muon"
    # Two optimizers in one: whether it is adaptive has no answer.
    rule: ClassVar[str] = "muon"
    heavy_ball: ClassVar[bool | None] = False
    decoupled_decay: ClassVar[bool | None] = True

    lr: float = 2e-2
    momentum: float = 0.95
    adamw_share: float = 0.5
    betas: tuple[float, float] = (0.9, 0.95)

    def __post_init__(self) -> None:
        super().__post_init__()
        real(self, "momentum", below=1)
        real(self, "adamw_share", above=0)
        decays_of_means(self, "betas")

    def check(self, model: nn.Module) -> None:
        """See that the model has matrices inside its layers.

        Raises:
            UserError: It has none, or does not say which they are.
        """
        self._matrices(model)

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Build both optimizers as one, over every learnable parameter of `model`, each in exactly one group.

        Raises:
            UserError: As in `check`.
        """
        matrices = self._matrices(model)
        groups = [
            {"params": [p for p, stacked in matrices.items() if stacked == parts], "stacked": parts}
            for parts in sorted(set(matrices.values()))
        ]
        muon = OrthogonalizedMomentum(groups, self.lr, self.weight_decay, self.momentum)
        share, fused = self.adamw_share * self.lr, is_fused(model)
        others = self.groups(p for p in model.parameters() if p not in matrices)
        if not others:
            return muon
        return Together(muon, torch.optim.AdamW(others, share, self.betas, weight_decay=self.weight_decay, fused=fused))

    def _matrices(self, model: nn.Module) -> dict[Tensor, int]:
        named: dict[Tensor, int] = getattr(model, "matrices", dict)()
        if learnable := {p: stacked for p, stacked in named.items() if p.requires_grad}:
            return learnable
        raise UserError(
            f"Muon has nothing to do in {type(model).__name__}, which names no matrices inside its layers: take another"
            " optimizer, or give the module a method `matrices`"
        )


class OrthogonalizedMomentum(torch.optim.Optimizer):
    """Muon itself, with Nesterov momentum and decoupled decay.

    Args:
        groups: Matrices; `stacked` says how many each is made of, one below the other.
        lr: Learning rate of a square matrix; a tall one's is larger by the root of height over width.
        weight_decay: Decoupled, as AdamW's.
        momentum: Of the running mean.
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float, weight_decay: float, momentum: float) -> None:
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take a step."""
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                state, parts = self.state[p], (group["stacked"], -1, p.shape[1])
                if not state:
                    state["mean"] = torch.zeros_like(p)
                state["mean"].lerp_(p.grad, 1 - group["momentum"])
                step = torch.lerp(p.grad, state["mean"], group["momentum"])
                p.mul_(1 - group["lr"] * group["weight_decay"])
                each = p.view(parts)
                wider = math.sqrt(max(1, each.shape[1] / each.shape[2]))
                each.add_(orthogonalized(step.view(parts)), alpha=-group["lr"] * wider)


def orthogonalized(matrices: Tensor) -> Tensor:
    """About `U V'` of the singular value decomposition `U S V'` of each matrix: singular values from 0.7 to 1.2."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=EPSILON)
    linear, cubic, quintic = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = linear * x + (cubic * square + quintic * square @ square) @ x
    result: Tensor = x.mT if tall else x
    return result


class Together(torch.optim.Optimizer):
    """Several optimizers as one: it has the groups and the states of all."""

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        self.optimizers = optimizers
        super().__init__([group for optimizer in optimizers for group in optimizer.param_groups], {})
        self._share()

    def _share(self) -> None:
        """Have the several work on this one's groups and states."""
        groups = iter(self.param_groups)
        for optimizer in self.optimizers:
            optimizer.param_groups = [next(groups) for _ in optimizer.param_groups]
            optimizer.state = self.state

    def step(self) -> None:  # type: ignore[override]
        """Take a step with each."""
        for optimizer in self.optimizers:
            optimizer.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the groups and states of another one."""
        super().load_state_dict(state_dict)
        self._share()
