"""What a training step keeps in memory, computed from an experiment without allocating any of it.

The real model and optimizer take a step on torch's fake tensors, which have shapes and no data. So nothing of what a
model keeps for its gradients is written down here, and a user's own model is counted like any other. What a kernel
allocates for itself while it runs is not seen.
"""

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from bakeoff.machine import in_precision
from bakeoff.spec import Architecture, Budget, Optimizer

#: The workspace of oneDNN's LSTM is measured at this many places and at twice as many: it grows evenly with them.
MEASURED_PLACES = 8

aten = torch.ops.aten


def memory(architecture: Architecture, optimizer: Optimizer, budget: Budget, vocabulary: int) -> dict[str, int] | None:
    """Bytes of a step's parts on a processor; None where a model or an optimizer needs more than shapes to tell.

    Returns:
        `weights`, with their moving average where there is one; `gradients` of the learnable ones; `optimizer_state`;
        `activations`: what is kept from the forward to the backward pass, but for logits and gradients; `logits`: the
        most that the output layer and the loss hold at a time besides, such as logits, their gradients, and the layer's
        weights in another type.
    """
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):
            # Whatever the rate is: a search and a choice ask for many.
            alike = dataclasses.replace(optimizer, lr=1.0)
            shape = budget.batch_size, budget.sequence_length
            parts = {
                **_parameters(architecture, vocabulary, budget.sequence_length, alike),
                **_kept(architecture, vocabulary, shape, budget.precision),
            }
            averaged = parts.pop("averaged")
            return parts | ({"weights": parts["weights"] + averaged} if budget.average else {})
    except (Exception, SystemExit):  # noqa: BLE001 (whatever a user's model does here, it can still be described and trained)
        return None


@functools.cache
def _parameters(
    architecture: Architecture, vocabulary: int, sequence_length: int, described: Optimizer
) -> dict[str, int]:
    """What is there between two steps, and what a moving average would hold besides."""
    model = _fake(architecture, vocabulary, sequence_length)
    learnable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in learnable:
        parameter.grad = torch.empty_like(parameter)
    optimizer = described.build(model)
    with _Allocations():
        optimizer.step()
    state = [value for values in optimizer.state.values() for value in values.values() if isinstance(value, Tensor)]
    return {
        "weights": _bytes([*model.parameters(), *model.buffers()]),
        "gradients": _bytes(learnable),
        "optimizer_state": _bytes(state),
        "averaged": _bytes(model.parameters()),
    }


@functools.cache
def _kept(architecture: Architecture, vocabulary: int, shape: tuple[int, int], precision: str) -> dict[str, int]:
    """What the two passes of a step over a batch BxL of that shape keep, whatever the optimizer."""
    symbols = vocabulary | 1  # odd, as no layer's width is: a dimension of that size is the vocabulary's
    model = _fake(architecture, symbols, shape[1])
    tokens = torch.zeros(shape, dtype=torch.long)
    with _Allocations(symbols, [*model.parameters(), *model.buffers(), tokens]) as allocations:
        with in_precision(precision, torch.device("cpu")):
            loss = model.loss(tokens, tokens)  # type: ignore[operator]
        alive, most = allocations.alive(), allocations.most
        loss.backward()
    # A loss may have computed the gradient of the output layer's weights already.
    early = {(p.shape, p.dtype) for p in model.parameters() if p.requires_grad and symbols in p.shape}
    gradients = sum(block.size for block in alive if (block.shape, block.dtype) in early)
    logits = sum(block.size for block in alive if allocations.are_logits(block))
    activations = sum(block.size for block in alive) - gradients - logits
    return {"activations": activations, "logits": max(allocations.most_logits, most - activations - gradients)}


def _fake(architecture: Architecture, vocabulary: int, sequence_length: int) -> nn.Module:
    with unset_fake_temporarily(), torch.device("meta"):
        model = architecture.build(vocabulary, sequence_length)
    return model.to_empty(device="cpu")


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


class _Block(NamedTuple):
    """A piece of memory: its size in bytes, and the shape and type of the first tensor in it."""

    size: int
    shape: torch.Size
    dtype: torch.dtype


class _Allocations(TorchDispatchMode):
    """Takes note of all memory that is allocated while the mode is entered, and of when it is freed.

    Args:
        symbols: Logits are what has as many columns.
        known: Tensors that were there before; views of them take no memory.

    Attributes:
        most: The most bytes that were alive at a time.
        most_logits: The same of logits and their gradients alone.
    """

    def __init__(self, symbols: int = -1, known: Iterable[Tensor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.symbols = symbols
        self.blocks = WeakIdKeyDictionary()
        for tensor in known:
            self.blocks[tensor.untyped_storage()] = _Block(0, torch.Size(), tensor.dtype)
        self.most = self.most_logits = 0

    def alive(self) -> list[_Block]:
        blocks: list[_Block] = list(self.blocks.values())  # type: ignore[no-untyped-call]
        return blocks

    def are_logits(self, block: _Block) -> bool:
        return block.shape[-1:] == (self.symbols,)

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        if op is aten._local_scalar_dense.default:  # noqa: SLF001
            return True  # there are no numbers; what a loss asks is whether all targets count
        results = op(*args, **(kwargs or {}))
        if op is aten.mkldnn_rnn_layer.default:
            results = (*results[:-1], torch.empty(_workspace(args), dtype=torch.uint8))
        for tensor in tree_leaves(results):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        return results

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self.blocks:
            return
        self.blocks[storage] = block = _Block(storage.nbytes(), tensor.shape, tensor.dtype)
        alive = self.alive()
        self.most = max(self.most, sum(other.size for other in alive))
        if self.are_logits(block):
            self.most_logits = max(self.most_logits, sum(other.size for other in alive if self.are_logits(other)))


def _workspace(args: tuple[Any, ...]) -> int:
    """Bytes that oneDNN's LSTM keeps for its gradient: torch's fake one tells none, so the real one does, briefly."""
    inputs, *others = args
    places, *rest = inputs.shape

    def measured(places: int) -> int:
        real = [torch.zeros(a.shape, dtype=a.dtype) if isinstance(a, Tensor) else a for a in others]
        return int(aten.mkldnn_rnn_layer(torch.zeros(places, *rest, dtype=inputs.dtype), *real)[-1].nbytes)

    with unset_fake_temporarily():
        few, more = measured(MEASURED_PLACES), measured(2 * MEASURED_PLACES)
    return few + (int(places) - MEASURED_PLACES) * (more - few) // MEASURED_PLACES
