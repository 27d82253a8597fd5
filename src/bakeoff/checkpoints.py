"""Checkpoints: a run in the middle, as one safetensors file that is there whole or not at all."""

import json
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from bakeoff.files import written_atomically
from bakeoff.training import Json, State


def save(path: Path, state: State) -> None:
    """Write a state; the last one stays until this one is whole and on the disk."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in state.tensors.items()}
    with written_atomically(path) as temporary:
        save_file(tensors, temporary, metadata={"facts": json.dumps(state.facts)})


def load(path: Path) -> State | None:
    """The state that was written; None if there is none."""
    if not path.is_file():
        return None
    with safe_open(path, framework="pt") as file:
        facts: Json = json.loads(file.metadata()["facts"])
        return State({name: file.get_tensor(name) for name in file.keys()}, facts)  # noqa: SIM118 (it is no dict)
