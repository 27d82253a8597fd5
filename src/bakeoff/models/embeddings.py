"""The released embeddings of GPT-1 (Radford et al. 2018), for models that keep them frozen. Nothing is unpickled."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from bakeoff.data import gpt1
from bakeoff.errors import UserError, one_line
from bakeoff.files import sha256_of

#: The whole model. A copy of one's own may hold the two embeddings alone.
WEIGHTS = gpt1.Released(
    name="model.safetensors",
    public="model.safetensors",
    what="the released GPT-1's weights",
    sha256="25c82cdf1844d2d93e9120b3b628fc6c2b4fcc7801a1297f58465ba67d45deb3",
)
TOKENS, POSITIONS = "tokens_embed.weight", "positions_embed.weight"
#: What stands before a key, or does not.
PREFIXES = ("", "transformer.")

Embeddings = Mapping[str, nn.Embedding]


def require(embeddings: Embeddings) -> None:
    """See that there are weights for these modules, by the names `TOKENS` and `POSITIONS`, without reading them.

    Raises:
        UserError: The file is missing and cannot be fetched, is damaged, lacks a key, or has weights of another shape.
    """
    with _opened() as file:
        for name, embedding in embeddings.items():
            _fitting_key(file, name, embedding)


@torch.no_grad()
def load(embeddings: Embeddings) -> None:
    """Copy the released weights into these modules: every symbol, and as many positions as the module has.

    Raises:
        UserError: As in `require`.
    """
    with _opened() as file:
        for name, embedding in embeddings.items():
            weights = file.get_tensor(_fitting_key(file, name, embedding))
            embedding.weight.copy_(weights[: embedding.num_embeddings])


@contextlib.contextmanager
def _opened() -> Iterator[Any]:
    path = gpt1.place(WEIGHTS) or _fetched()
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, ValueError, OSError) as error:
        why = one_line(error)
        raise UserError(
            f"{path} is not {WEIGHTS.what} ({why}): put the one of {gpt1.PAGE} there, or remove it to fetch it",
            status=1,
        ) from error


def _fetched() -> Path:
    path = gpt1.find(WEIGHTS)
    if (found := sha256_of(path)) != WEIGHTS.sha256:
        path.resolve().unlink()
        raise UserError(f"what was fetched is not {WEIGHTS.what} (sha256 {found[:12]}…): repeat the command", status=1)
    return path


def _fitting_key(file: Any, name: str, embedding: nn.Embedding) -> str:  # noqa: ANN401 (safetensors is untyped)
    """The file's key for weights that fit the module."""
    found = [prefix + name for prefix in PREFIXES if prefix + name in file.keys()]  # noqa: SIM118 (it is no dictionary)
    if not found:
        raise ValueError(f"it has no {name}")
    shape, wanted = file.get_slice(found[0]).get_shape(), list(embedding.weight.shape)
    # Symbols are these or others; of positions there may be more than a sequence needs.
    if shape[1:] != wanted[1:] or shape[0] < wanted[0] or (name == TOKENS and shape != wanted):
        raise ValueError(f"{name} has shape {shape}, not {wanted}")
    return found[0]
