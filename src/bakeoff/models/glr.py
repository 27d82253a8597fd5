"""A gated linear recurrence: a state that forgets by gates that see the input alone, so that products run in parallel.

Sizes in names: B sequences, L tokens of a sequence, E width.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bakeoff.models.decoder import DecoderArchitecture, Mixer

#: Forget biases are spread evenly between these: the channels' memories begin at 1.4 to 55 tokens.
SHORTEST, LONGEST = -1.0, 4.0


@dataclass(frozen=True, kw_only=True)
class GLR(DecoderArchitecture):
    """A decoder whose blocks mix places by a gated linear recurrence; every sequence starts from zero states.

    With `f = sigmoid(F x + b)` and `u = U x`, each channel's state is `h = f h' + (1 - f) u`, and the block adds
    `O (h silu(G x))`. The recurrence is minGRU's (Feng et al. 2024). It differs from that in the output gate; from
    QRNN's fo-pooling (Bradbury et al. 2017) in linear `u`, and in the token shift instead of a convolution; from SRU
    (Lei et al. 2018) in gates that do not see the state; from HGRN (Qin et al. 2023) in spread biases instead of
    bounds on each layer's forgetting; from Griffin's RG-LRU (De et al. 2024) in the input's share of `1 - f`.
    """

    name: ClassVar[str] = "glr"
    title: ClassVar[str] = "GLR"
    attends: ClassVar[bool | None] = False
    recurrent: ClassVar[bool | None] = True
    post_norm: ClassVar[bool | None] = False
    # Does not compile: the scan is a loop over the places, which compiling would write out.

    token_shift: bool = True

    def mixer(self) -> "GatedRecurrence":
        """The recurrence."""
        return GatedRecurrence(self.width)


class GatedRecurrence(Mixer):
    """The recurrence with its gates."""

    def __init__(self, width: int) -> None:
        super().__init__(width, parts=3)
        self.forget_bias = nn.Parameter(torch.linspace(SHORTEST, LONGEST, width))

    def forward(self, x_BxLxE: Tensor, state_BxE: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mix this place with those before it, BxLxE to BxLxE; and the state of the last."""
        forget, update, gate = self.inputs(x_BxLxE).chunk(3, dim=-1)
        # In float32 whatever the products' type: a state adds up what many places leave in it.
        states = scan(torch.sigmoid(forget.float() + self.forget_bias), update.float(), state_BxE)
        return self.output(states * F.silu(gate)), states[:, -1]


def scan(forget_BxLxE: Tensor, update_BxLxE: Tensor, state_BxE: Tensor | None = None) -> Tensor:
    """The states `h = f h' + (1 - f) u` of every place, BxLxE, with gradients for both.

    A loop over the places, each of which takes one elementwise operation forward and one backward.

    Args:
        forget_BxLxE: `f`.
        update_BxLxE: `u`.
        state_BxE: The state before the first place, to which no gradient goes; zero if there is none.
    """
    first = torch.zeros_like(update_BxLxE[:, 0]) if state_BxE is None else state_BxE
    states: Tensor = _Scan.apply(forget_BxLxE, update_BxLxE, first)  # type: ignore[no-untyped-call]
    return states


class _Scan(torch.autograd.Function):
    """By hand, as autograd would keep and sum views of every place."""

    @staticmethod
    def forward(ctx: Any, forget: Tensor, update: Tensor, first: Tensor) -> Tensor:  # noqa: ANN401
        states = torch.empty_like(update, memory_format=torch.contiguous_format)
        state = first
        for now, f, u in zip(states.unbind(1), forget.unbind(1), update.unbind(1), strict=True):
            state = torch.lerp(u, state, f, out=now)
        ctx.save_for_backward(forget, update, first, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        forget, update, first, states = ctx.saved_tensors
        flows = torch.empty_like(states)  # the gradient of each state, what later states pass back to it included
        flow = torch.zeros_like(flows[:, 0])
        forgets = forget.unbind(1)
        places = zip(flows.unbind(1), gradient.unbind(1), (*forgets[1:], flow), strict=True)
        for now, own, later_forget in reversed(list(places)):
            flow = torch.addcmul(own, flow, later_forget, out=now)
        before = torch.cat((first[:, None], states[:, :-1]), dim=1)
        return flows * (before - update), flows * (1 - forget), None
