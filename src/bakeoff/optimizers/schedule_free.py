"""Schedule-Free AdamW (Defazio et al. 2024), by its authors: what is measured is an average of the weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from bakeoff.errors import UserError
from bakeoff.optimizers.of_torch import Adam


def averaging(*args: Any, **kwargs: Any) -> torch.optim.Optimizer:  # noqa: ANN401 (its class is there on demand only)
    """The authors' optimizer, which goes on from the very weights that it left when its average was measured.

    Theirs computes the average from the weights and these back from it, which rounds, so that a run would depend on how
    often it is measured.

    Raises:
        UserError: Their package is not installed.
    """
    try:
        from schedulefree import AdamWScheduleFree  # noqa: PLC0415 (not everyone has it)
    except ImportError as error:
        raise UserError("Schedule-Free AdamW needs a package: pip install 'bakeoff[optimizers]'") from error

    class Averaging(AdamWScheduleFree):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            super().__init__(*args, **kwargs)
            self.train()

        @torch.no_grad()
        def eval(self) -> None:
            if self.param_groups[0]["train_mode"]:
                for p, state in self.state.items():
                    state["stepped"] = p.clone()
            super().eval()

        @torch.no_grad()
        def train(self) -> None:
            super().train()
            for p, state in self.state.items():
                if "stepped" in state:
                    p.copy_(state.pop("stepped"))

    return Averaging(*args, **kwargs)


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeAdamW(Adam):
    """Schedule-Free AdamW; the learning rate stays at its peak after the warm-up, whatever the budget says."""

    name: ClassVar[str] = "schedulefree"
    title: ClassVar[str] = "Schedule-Free AdamW"
    implementation: ClassVar[Callable[..., torch.optim.Optimizer]] = staticmethod(averaging)
    rule: ClassVar[str] = "schedulefree"
    decoupled_decay: ClassVar[bool | None] = True
    schedule: ClassVar[str | None] = "warmup"

    def check(self, model: nn.Module) -> None:
        """See that the authors' package is here.

        Raises:
            UserError: It is not.
        """
        self.build(model)
