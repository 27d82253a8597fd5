"""Deal whole documents into train, valid and test by a hash, so that every machine deals alike."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

SPLITS = ("train", "valid", "test")
#: The share of the hash range that valid and test have each, at its upper end; train has the rest.
HELD_OUT = 0.05

#: Documents of each split, in memory or read from a file as they are asked for.
Splits = Mapping[str, Sequence[str]]


def deal(documents: Iterable[tuple[str, str]]) -> Splits:
    """Deal (key, text) pairs into splits by the hash of the key; equal keys never part."""
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    for key, text in documents:
        splits[split_of(key)].append(text)
    return {split: tuple(texts) for split, texts in splits.items()}


def split_of(key: str) -> str:
    """The split that a document with this key belongs to."""
    fraction = hash_fraction(key)
    if fraction < 1 - 2 * HELD_OUT:
        return "train"
    return "valid" if fraction < 1 - HELD_OUT else "test"


def hash_fraction(key: str) -> float:
    """A number in [0, 1) that depends on nothing but the key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
