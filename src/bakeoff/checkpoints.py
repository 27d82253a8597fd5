"""Checkpoints: a run in the middle, as one safetensors file, there whole or not at all, and checked when read."""

import dataclasses
import errno
import hashlib
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from bakeoff.files import written_atomically
from bakeoff.shapes import Json
from bakeoff.training import Sample, Steps, Training

#: Seconds after which a checkpoint is due even inside an epoch.
INTERVAL = 120.0
#: The most that checkpoints may cost, as a share of the time between two.
SHARE = 0.015


class State(NamedTuple):
    """A run in the middle: tensors, and facts that are JSON."""

    tensors: dict[str, Tensor]
    facts: Json


class Due:
    """When a checkpoint is due: after an evaluation, and inside an epoch after a while, as far as they cost little."""

    def __init__(self) -> None:
        self.saved, self.cost = time.perf_counter(), 0.0

    def due(self, least: float = 0.0) -> bool:
        """Whether at least so many seconds have passed since the last one, and enough for what that took."""
        return time.perf_counter() - self.saved > max(least, self.cost / SHARE)

    def note(self, started: float) -> None:
        """Take note of one that was begun then and is written."""
        self.saved = time.perf_counter()
        self.cost = self.saved - started


def take(training: Training) -> State:
    """Everything that the rest of a run depends on; may be taken between evaluations and in `on_step`.

    Raises:
        ValueError: Model or optimizer keep something that no checkpoint holds.
    """
    training.require_kept()
    tensors, optimizer = _optimizer_state(training)
    tensors |= {f"model.{name}": tensor for name, tensor in training.model.state_dict().items()}
    if training.average:
        tensors |= {f"average.{name}": tensor for name, tensor in training.average.weights.items()}
    tensors |= {f"random.{name}": state for name, state in _random_states(training.device).items()}
    facts = {
        "step": training.step,
        "epochs": training.epochs,
        "steps": dataclasses.asdict(training.steps),
        "samples": [dataclasses.asdict(sample) for sample in training.samples],
        "optimizer": optimizer,
    }
    with training.clock.measuring("checkpoint"):  # so that the seconds of what is under way are in
        facts["seconds"] = dict(training.clock.seconds)
        facts["processor_seconds"] = dict(training.clock.processor_seconds)
    return State(tensors, facts)


def restore(training: Training, state: State) -> None:
    """Bring a training that has not begun to where `state` was taken, to the bit.

    Raises:
        ValueError: Its optimizer has other weights, or the same in another order.
    """
    tensors, facts = state
    training.step, training.epochs = facts["step"], facts["epochs"]
    training.steps = Steps(**facts["steps"])
    training.samples = [Sample(**sample) for sample in facts["samples"]]
    training.model.load_state_dict(_under("model.", tensors))
    if training.average:
        training.average.load(_under("average.", tensors))
    _restore_optimizer(training, facts["optimizer"], _under("optimizer.", tensors))
    _set_random_states(_under("random.", tensors), training.device)
    clock = training.clock
    for sums, before in ((clock.seconds, facts["seconds"]), (clock.processor_seconds, facts["processor_seconds"])):
        for purpose, seconds in before.items():
            sums[purpose] += seconds


def _optimizer_state(training: Training) -> State:
    """All that the rest of a run depends on of its optimizer.

    Raises:
        ValueError: Some of it would not come back as it is.
    """
    whole = training.optimizer.state_dict()
    tensors, numbers = _flatten(whole["state"])
    _require_apart(tensors, training.model)
    settings = [(f"{name} in its groups", value) for group in whole["param_groups"] for name, value in group.items()]
    for name, value in settings:
        _require_json(name, list(value) if isinstance(value, tuple) else value)  # which comes back as a tuple
    # A list among the settings, as of betas, is nothing that changes.
    kept = [*numbers.items(), *((name, value) for name, value in settings if isinstance(value, dict))]
    held = [(each, name) for name, value in kept for each in _mutable(value)]
    for (one, name), (other, _) in itertools.pairwise(sorted(held)):
        if one == other:
            raise ValueError(
                f"the optimizer keeps {name.removeprefix('optimizer.')} for several weights: give each its own"
            )
    return State(tensors, {"numbers": numbers, "groups": whole["param_groups"], "weights": _weights_in_order(training)})


def _restore_optimizer(training: Training, facts: Json, tensors: dict[str, Tensor]) -> None:
    optimizer, state = training.optimizer, _unflatten(tensors, facts["numbers"])
    if facts.get("weights", ours := _weights_in_order(training)) != ours:  # checkpoints of earlier versions have none
        raise ValueError("the optimizer has its weights in another order now, so that its state would be of others")
    groups = [
        {key: tuple(value) if isinstance(fresh.get(key), tuple) else value for key, value in group.items()}
        for group, fresh in zip(facts["groups"], optimizer.param_groups, strict=True)
    ]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for place, weight in enumerate(training.parameters):
        for key, value in state.get(place, {}).items():
            if isinstance(value, Tensor):  # which torch has cast to the weight's type
                optimizer.state[weight][key] = value.to(optimizer.state[weight][key].device)


def _weights_in_order(training: Training) -> list[Any]:
    """Name and shape of each weight that the optimizer has, by which its state is found again."""
    names = {id(weight): name for name, weight in training.model.named_parameters()}
    return [[names.get(id(weight)), list(weight.shape)] for weight in training.parameters]


def save(path: Path, tensors: Mapping[str, Tensor], facts: Json) -> None:
    """Write tensors and facts with their checksum; the last file stays until this one is whole and on the disk.

    Tensors that share memory (such as tied weights) are written each for itself.

    Raises:
        OSError: It cannot be written; the error's `filename` is `path`.
    """
    written: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        storage = own.untyped_storage().data_ptr()
        written[name] = own.clone() if storage in storages else own
        storages.add(storage)
    record = {"sha256": _checksum(written, facts), "facts": facts}
    with written_atomically(path) as temporary:
        try:
            # One entry, as several come in any order, and equal runs leave equal files.
            save_file(written, temporary, metadata={"bakeoff": json.dumps(record)})
        except SafetensorError as error:  # what it says of a full disk names no file
            raise OSError(errno.EIO, str(error)) from error


def load(path: Path) -> State:
    """What was saved, on the processor.

    Raises:
        ValueError: It is not what was saved, or has no checksum.
    """
    try:
        with safe_open(path, framework="pt") as file:
            record = json.loads(file.metadata()["bakeoff"])
            # Cloned, as what the file is mapped to would count as no memory of this process.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no dict)
        facts, checksum = record["facts"], record["sha256"]
    except (SafetensorError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is damaged, or another version's ({error})") from error
    if _checksum(tensors, facts) != checksum:
        raise ValueError(f"{path.name} is damaged: its checksum is another")
    return State(tensors, facts)


def _checksum(tensors: Mapping[str, Tensor], facts: Json) -> str:
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _flatten(states: dict[int | str, dict[str, Any]]) -> tuple[dict[str, Tensor], Json]:
    """An optimizer's state as named tensors, and whatever of it is no tensor.

    Raises:
        ValueError: It would not come back: a value is neither a tensor nor JSON, or a name has a point in it.
    """
    for place, state in states.items():
        if odd := [name for name in state if not isinstance(name, str)]:
            raise ValueError(
                f"the optimizer's state of {place} has the key {odd[0]!r}, which no checkpoint holds: use text"
            )
    named = {f"optimizer.{place}.{name}": v for place, state in states.items() for name, v in state.items()}
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    others = {name: value for name, value in named.items() if name not in tensors}
    for name, value in others.items():
        _require_json(f"{name.removeprefix('optimizer.')} in its state", value)
    if _unflatten(_under("optimizer.", tensors), others).keys() != {place for place, state in states.items() if state}:
        raise ValueError("the optimizer's state has a name of its own with a point in it: name it otherwise")
    return tensors, others


def _mutable(value: object) -> list[int]:
    """What stands for each list or mapping in a value, itself among them."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    itself = [id(value)] if isinstance(value, list | dict) else []
    return [*itself, *(each for part in parts for each in _mutable(part))]


def _require_apart(tensors: Mapping[str, Tensor], model: nn.Module) -> None:
    """See that no tensor of an optimizer's state lies in the memory of another or of a weight: each comes back alone.

    Raises:
        ValueError: One does.
    """
    ends: list[tuple[int, int, str]] = []
    weights = {f"the weight {name}": weight for name, weight in model.named_parameters()}
    for name, tensor in {**tensors, **weights}.items():
        begin, steps = tensor.data_ptr(), zip(tensor.shape, tensor.stride(), strict=True)
        if tensor.numel():
            ends.append((begin, begin + (1 + sum((n - 1) * step for n, step in steps)) * tensor.itemsize, name))
    ends.sort()
    for (_, end, name), (begin, _, other) in itertools.pairwise(ends):
        if begin < end and not {name, other} <= weights.keys():
            what = " and ".join(sorted(each.removeprefix("optimizer.") for each in (name, other)))
            raise ValueError(f"the optimizer keeps {what} in the same memory: give each state tensors of its own")


def _require_json(what: str, value: object) -> None:
    try:
        same = json.loads(json.dumps(value)) == value
    except (TypeError, ValueError):
        same = False
    if not same:
        raise ValueError(
            f"the optimizer keeps {what} as {type(value).__name__}, which no checkpoint gives back as it was: keep "
            "tensors, numbers and text"
        )


def _unflatten(tensors: dict[str, Tensor], numbers: Json) -> dict[int | str, dict[str, Any]]:
    """The inverse of `_flatten`."""
    states: defaultdict[int | str, dict[str, Any]] = defaultdict(dict)
    for name, value in (tensors | _under("optimizer.", numbers)).items():
        place, _, key = name.partition(".")
        states[int(place) if place.isdecimal() else place][key] = value
    return dict(states)


def _under(prefix: str, named: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of torch's global generators, which dropout draws from."""
    states = {"cpu": torch.get_rng_state()}
    return states | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def _set_random_states(states: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
