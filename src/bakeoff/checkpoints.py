"""Checkpoints: a run in the middle, as one safetensors file that is there whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bakeoff.files import written_atomically
from bakeoff.training import Json, State


def save(path: Path, state: State) -> None:
    """Write a state; the last one stays until this one is whole and on the disk."""
    save_tensors(path, state.tensors, {"facts": json.dumps(state.facts)})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors, those that share memory (such as tied weights) each for itself."""
    written: dict[str, Tensor] = {}
    storages: set[int] = set()
    for name, tensor in tensors.items():
        own = tensor.detach().contiguous()
        storage = own.untyped_storage().data_ptr()
        written[name] = own.clone() if storage in storages else own
        storages.add(storage)
    with written_atomically(path) as temporary:
        save_file(written, temporary, metadata=metadata)


def load(path: Path) -> State | None:
    """The state that was written; None if there is none, or only a damaged one."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            facts: Json = json.loads(file.metadata()["facts"])
            # Cloned, as what the file is mapped to would count as no memory of this process.
            return State({name: file.get_tensor(name).clone() for name in file.keys()}, facts)  # noqa: SIM118 (no dict)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        print(f"{path} is damaged ({error}): the run begins anew")  # noqa: T201 (into the run's log)
        return None
