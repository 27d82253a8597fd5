"""The models that can be compared. To add one: a file in this folder and a line in `ARCHITECTURES`."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bakeoff.models.glr import GLR
from bakeoff.models.gpt import GPT
from bakeoff.models.gpt1 import GPT1
from bakeoff.models.gru import GRU
from bakeoff.models.lstm import LSTM
from bakeoff.models.transformers import Transformers
from bakeoff.spec import Architecture, Budget

#: In the order in which tables and figures show them.
ARCHITECTURES: dict[str, type[Architecture]] = {
    architecture.name: architecture for architecture in (LSTM, GPT1, GPT, GLR, GRU)
}

__all__ = [
    "ARCHITECTURES",
    "GLR",
    "GPT",
    "GPT1",
    "GRU",
    "LSTM",
    "Transformers",
    "build",
    "count_parameters",
    "without_weights",
]


def build(architecture: Architecture, budget: Budget, vocabulary: int, device: torch.device) -> nn.Module:
    """A model, freshly initialized from torch's global generator, compiled if its budget says so.

    It is built on the processor, so that a seed means the same weights on every device.
    """
    model = architecture.build(vocabulary, budget.sequence_length).to(device)
    if budget.compiles(architecture):
        model.compile_for((budget.batch_size, budget.sequence_length))  # type: ignore[operator]
    return model


def without_weights(architecture: Architecture, vocabulary: int, sequence_length: int) -> nn.Module:
    """The real module, whose tensors have shapes and no data.

    Raises:
        TypeError: It is no module, or one that no checkpoint holds.
    """
    with torch.device("meta"):
        model = architecture.build(vocabulary, sequence_length)
    if not isinstance(model, nn.Module):
        raise TypeError(f"build gives {type(model).__name__}, no torch.nn.Module")
    for name, value in model.state_dict().items():
        if not isinstance(value, Tensor) or is_lazy(value):
            raise TypeError(f"{name} of its state is {type(value).__name__}, no tensor that has a shape")
    return model


def count_parameters(architecture: Architecture, vocabulary: int, sequence_length: int) -> tuple[int, int]:
    """All parameters and the learnable ones among them, counted on the real module without allocating weights."""
    model = without_weights(architecture, vocabulary, sequence_length)
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(count for count, _ in counts), sum(count for count, learnable in counts if learnable)
