"""Test with more before each target than a study's windows let a model see: extra measures of a finished run.

They tell how much of a run's figure is owed to the windows, and compare with no figure of windows that do not overlap.
Sizes in names: S stretches of a stream, L places of a piece, N targets of a stream.
"""

import dataclasses
from typing import TypeGuard

import numpy as np
import torch
from torch import nn

from bakeoff.data.sequences import TokenStream
from bakeoff.machine import in_precision
from bakeoff.models.loss import nats_of_targets
from bakeoff.models.tied import TiedLanguageModel
from bakeoff.spec import Budget
from bakeoff.training import Nats, token_nats

#: Parts of a stream that are read side by side, each from a state of zero: so few that this hardly shows.
STRETCHES = 10


def measured(
    model: nn.Module, stream: TokenStream, nats_N: Nats, budget: Budget, device: torch.device
) -> dict[str, Nats]:
    """Nats of each target by `half_stride`, and by `carried_state` where the model has one; each as one evaluation.

    Args:
        model: A `LanguageModel` on `device`, as `token_nats` leaves it.
        stream: What is measured.
        nats_N: What its targets cost in windows that do not overlap.
        budget: Its windows and its precision.
        device: Where the model is.
    """
    found = {"half_stride": half_stride(model, stream, nats_N, budget, device)}
    return found | {"carried_state": carried_state(model, stream, budget, device)} if carries(model) else found


def half_stride(model: nn.Module, stream: TokenStream, nats_N: Nats, budget: Budget, device: torch.device) -> Nats:
    """Nats of each target in windows that begin every half a window, and count for their second half alone.

    The first one counts whole; before all other targets stands at least half a window. Every other window is one of the
    study's; those between are the windows of the same stream from half a window on.
    """
    length = budget.sequence_length
    half, places = length // 2, np.arange(len(nats_N))
    early = places[(places >= length) & (places % length < half)]  # in the first halves of the study's windows
    if not len(early):
        return nats_N
    shifted = dataclasses.replace(stream, tokens_N=stream.tokens_N[half:])
    found_N = nats_N.copy()
    found_N[early] = token_nats(model, shifted, budget, device)[early - half]
    return found_N


def carries(model: nn.Module) -> TypeGuard[TiedLanguageModel]:
    """Whether a model has a state that sums up whatever came before, and goes on from it."""
    tied = isinstance(model, TiedLanguageModel)
    return tied and model.window is None and type(model).resume is not TiedLanguageModel.resume


@torch.no_grad()
def carried_state(model: TiedLanguageModel, stream: TokenStream, budget: Budget, device: torch.device) -> Nats:
    """Nats of each target with the state carried over from window to window, as usual since Zaremba et al. (2014)."""
    length = budget.sequence_length
    stretches = min(STRETCHES, max(1, stream.targets // length))
    size = -(-stream.targets // stretches)
    padded = np.pad(stream.tokens_N, (0, stretches * size + 1 - len(stream.tokens_N)))
    inputs_SxN, targets_SxN = padded[:-1].reshape(stretches, size), padded[1:].reshape(stretches, size)
    found_SxN, state = np.empty((stretches, size), dtype=np.float32), None
    with in_precision(budget.precision, device):
        for first in range(0, size, length):
            piece = np.s_[:, first : first + length]
            inputs, targets = (
                torch.from_numpy(a[piece].astype(np.int64)).to(device) for a in (inputs_SxN, targets_SxN)
            )
            features, state = model.resume(inputs, state)
            nats = nats_of_targets(features.flatten(0, 1), model.embedding.weight, targets.flatten())
            found_SxN[piece] = nats.view_as(targets).cpu().numpy()
    return found_SxN.ravel()[: stream.targets]
