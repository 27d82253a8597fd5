"""SOAP (Vyas et al. 2024): Adam, in the eigenbases of what Shampoo would precondition a matrix with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bakeoff.optimizers.of_torch import Adam
from bakeoff.spec import MOST, whole


class AdamInEigenbases(torch.optim.Optimizer):
    """Algorithm 3 of the paper as its authors have it in code: the first gradient begins the bases, and moves nothing.

    Products and eigenvectors are of the weights' own type, whatever the budget's precision: rounded ones would be no
    bases.

    Args:
        groups: The parameters.
        settings: `lr`; `weight_decay`, decoupled, as AdamW's; `betas` of the mean gradient, and of the mean square and
            of the products that the bases come from; `eps`, which is added to the root of the mean square; `every` and
            `longest`, as `SOAP` says.
    """

    def __init__(self, groups: list[dict[str, Any]], **settings: Any) -> None:  # noqa: ANN401 (as it says)
        super().__init__(groups, settings)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take a step."""
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                with torch.autocast(p.device.type, enabled=False):
                    self._move(p, p.grad, group)

    def _move(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, (of_mean, of_square) = self.state[p], group["betas"]
        sides = [side for side in (0, 1) if p.ndim == 2 and p.shape[side] <= group["longest"]]  # noqa: PLR2004
        if first := not state:
            state |= {"step": 0, "mean": torch.zeros_like(p), "square": torch.zeros_like(p)}
            state |= {f"products_{side}": p.new_zeros(p.shape[side], p.shape[side]) for side in sides}
        else:
            state["step"] += 1
            state["mean"].lerp_(gradient, 1 - of_mean)
            state["square"].lerp_(_into(gradient, state, sides).square_(), 1 - of_square)
            corrections = 1 - of_mean ** state["step"], 1 - of_square ** state["step"]
            size = group["lr"] * corrections[1] ** 0.5 / corrections[0]
            scaled = _into(state["mean"], state, sides) / state["square"].sqrt().add_(group["eps"])
            p.sub_(_back(scaled, state, sides), alpha=size)
            p.mul_(1 - group["lr"] * group["weight_decay"])
        for side in sides:
            outer = gradient @ gradient.T if side == 0 else gradient.T @ gradient
            state[f"products_{side}"].lerp_(outer, 1 - of_square)
            if first:
                state[f"basis_{side}"] = torch.linalg.eigh(state[f"products_{side}"]).eigenvectors.flip(1)
            elif state["step"] % group["every"] == 0:
                _refresh(state, side)


def _into(matrix: Tensor, state: dict[str, Any], sides: list[int]) -> Tensor:
    """A matrix in the bases of its sides."""
    for side in sides:
        basis = state[f"basis_{side}"]
        matrix = basis.T @ matrix if side == 0 else matrix @ basis
    return matrix.clone() if not sides else matrix


def _back(matrix: Tensor, state: dict[str, Any], sides: list[int]) -> Tensor:
    """The inverse of `_into`."""
    for side in sides:
        basis = state[f"basis_{side}"]
        matrix = basis @ matrix if side == 0 else matrix @ basis.T
    return matrix


def _refresh(state: dict[str, Any], side: int) -> None:
    """A step of the power iteration, the largest eigenvalues first; mean squares go with their directions."""
    products, basis = state[f"products_{side}"], state[f"basis_{side}"]
    order = (basis * (products @ basis)).sum(dim=0).argsort(descending=True)
    state["square"] = state["square"].index_select(side, order)
    state[f"basis_{side}"] = torch.linalg.qr(products @ basis[:, order]).Q


@dataclass(frozen=True, kw_only=True)
class SOAP(Adam):
    """SOAP. A step costs more than Adam's: products as large as its matrices, and every few steps their factors.

    Attributes:
        every: After how many steps the bases of a matrix are brought up to date.
        longest: The longest side of a matrix that has a basis: that of a vocabulary would take longer than the step.
    """

    name: ClassVar[str] = "soap"
    title: ClassVar[str] = "SOAP"
    implementation: ClassVar[Callable[..., torch.optim.Optimizer]] = AdamInEigenbases
    rule: ClassVar[str] = "soap"
    decoupled_decay: ClassVar[bool | None] = True

    betas: tuple[float, float] = (0.95, 0.95)
    every: int = 10
    longest: int = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self, "every", 1, MOST)
        whole(self, "longest", 0, MOST)
