"""How much of one split stands word for word in another: the share of its n-grams that the other has as well."""

from collections.abc import Iterator, Sequence

#: Words of a shared run that is hardly chance (the length that GPT-3's authors looked for, Brown et al. 2020).
LENGTH = 13


def shared_ngrams(documents: Sequence[str], train: Sequence[str], length: int = LENGTH) -> float:
    """Share of the different runs of `length` words in `documents` that occur in `train`, each inside one document."""
    seen = set(_ngrams(documents, length))
    return len(seen.intersection(_ngrams(train, length))) / max(len(seen), 1)


def _ngrams(documents: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    for document in documents:
        words = document.split()
        yield from zip(*(words[first:] for first in range(length)), strict=False)
