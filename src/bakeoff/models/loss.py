"""Output layer and cross-entropy as one: the larger part of a small language model's step.

Sizes in names: N targets, E width of the features, V symbols.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

#: Targets whose logits exist at a time: enough for matrix products at full speed, few enough for a processor's caches.
ROWS = 512
#: Logits held at once while measuring, in numbers; 2^24 are 64 MiB in float32.
LOGITS_AT_ONCE = 2**24


def summed_nats(features_NxE: Tensor, weight_VxE: Tensor, targets_N: Tensor) -> Tensor:
    """Summed nats of the targets under `softmax(features @ weight.T)`, a scalar with gradients for both.

    Equal to `F.cross_entropy(F.linear(features, weight), targets, reduction="sum")`, whose logits never exist all at
    once here, and whose gradients are computed along with it. Under autocast the matrix products are in its type.

    Args:
        features_NxE: What the output layer sees at each place.
        weight_VxE: The output layer; one that is frozen costs no gradient.
        targets_N: Symbols; those of -100 do not count. A target whose probability is too small for the type counts as
            the smallest that is not (87 nats).
    """
    counted_N = targets_N >= 0
    if not counted_N.all():
        features_NxE, targets_N = features_NxE[counted_N], targets_N[counted_N]
    total: Tensor = _SummedNats.apply(features_NxE, weight_VxE, targets_N)  # type: ignore[no-untyped-call]
    return total


def nats_of_targets(features_NxE: Tensor, weight_VxE: Tensor, targets_N: Tensor) -> Tensor:
    """Nats of each target in float32; 0 where the target is -100. For measuring: it keeps nothing for gradients."""
    rows = max(1, LOGITS_AT_ONCE // len(weight_VxE))
    chunks = zip(torch.split(features_NxE, rows), torch.split(targets_N, rows), strict=True)
    nats = [F.cross_entropy(F.linear(part, weight_VxE).float(), target, reduction="none") for part, target in chunks]
    return torch.cat(nats)


class _SummedNats(torch.autograd.Function):
    """The gradient of the logits, `softmax - one hot`, is at hand while they are: no second pass for it."""

    @staticmethod
    def forward(ctx: Any, features_NxE: Tensor, weight_VxE: Tensor, targets_N: Tensor) -> Tensor:  # noqa: ANN401
        kind = features_NxE.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight_VxE.dtype
        learned = ctx.needs_input_grad[1]
        with torch.autocast(kind, enabled=False):  # which would do the softmax in float32, with a copy there and back
            total, features_gradient, weight_gradient = _chunked(
                features_NxE.to(dtype), weight_VxE.to(dtype), targets_N, learned=learned
            )
        ctx.save_for_backward(features_gradient.to(features_NxE.dtype), weight_gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:  # noqa: ANN401
        features_gradient, weight_gradient = ctx.saved_tensors
        scaled = None if weight_gradient is None else weight_gradient * gradient
        return features_gradient * gradient, scaled, None


def _chunked(
    features: Tensor, weight: Tensor, targets_N: Tensor, *, learned: bool
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Summed nats, and their gradients for the features and, if it is learned, for the weight, summed in float32."""
    features_gradient = torch.empty_like(features)
    weight_gradient = torch.zeros_like(weight, dtype=torch.float32) if learned else None
    total = torch.zeros((), device=features.device)
    for first in range(0, len(features), ROWS):
        part, target = features[first : first + ROWS], targets_N[first : first + ROWS]
        logits_gradient = torch.softmax(part @ weight.T, dim=1)
        own = (torch.arange(len(target), device=target.device), target)
        likelihood = logits_gradient[own]
        total -= likelihood.float().clamp_min(torch.finfo(torch.float32).tiny).log().sum()
        logits_gradient[own] = likelihood - 1
        torch.mm(logits_gradient, weight, out=features_gradient[first : first + ROWS])
        if weight_gradient is not None:
            weight_gradient += logits_gradient.T @ part
    return total, features_gradient, weight_gradient
