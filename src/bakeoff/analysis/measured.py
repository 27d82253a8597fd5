"""What was measured of a run: its evaluations, and what each document cost in the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bakeoff.metrics import Tally, perplexity

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Deciles:
    """What the tokens of each frequency decile cost: 0 the most frequent in train, 9 the rarest and the unseen.

    Attributes:
        nats: Summed nats of each decile's tokens.
        tokens: How many there are.
    """

    nats: tuple[float, ...]
    tokens: tuple[int, ...]

    @property
    def losses(self) -> tuple[float | None, ...]:
        """Nats per token of each decile; None where it has no token."""
        return tuple(nats / tokens if tokens else None for nats, tokens in zip(self.nats, self.tokens, strict=True))


def gap_at_equal_mix(train: Deciles, valid: Deciles) -> float | None:
    """How much more a token of valid costs than one of train, if valid had train's mix of frequent and rare tokens.

    One split can be easier than the other for no other reason than that it has more of a frequent symbol. So every
    decile's difference is weighted by its share of train; deciles that one of the two lacks are left out.
    """
    pairs = [
        (tokens, theirs - ours)
        for tokens, ours, theirs in zip(train.tokens, train.losses, valid.losses, strict=True)
        if ours is not None and theirs is not None
    ]
    total = sum(tokens for tokens, _ in pairs)
    return sum(tokens * difference for tokens, difference in pairs) / total if total else None


@dataclass(frozen=True, kw_only=True)
class Point:
    """One evaluation of a run: the fixed train sample and valid, under the same weights.

    Attributes:
        running_perplexity: Of train while the weights changed, over the epoch that ends here.
        train_deciles: The train sample by token frequency, and `valid_deciles` valid; None in old histories.
        clipped: Share of the epoch's steps whose gradient was clipped.
    """

    epoch: int
    step: int
    train_seconds: float
    train: Tally
    valid: Tally
    running_perplexity: float | None
    train_deciles: Deciles | None = None
    valid_deciles: Deciles | None = None
    clipped: float | None = None


@dataclass(frozen=True, kw_only=True)
class Documents:
    """What each document of a split cost, in the split's order, under the weights of the best epoch.

    Attributes:
        nats: Summed nats of its tokens.
        tokens: How many there are.
    """

    nats: tuple[float, ...]
    tokens: tuple[int, ...]


def point(line: Json) -> Point:
    """An evaluation from its line of the history."""
    running, norm = line.get("running"), line.get("gradient_norm")
    return Point(
        epoch=line["epoch"],
        step=line["step"],
        train_seconds=line["train_seconds"],
        train=tally(line["train"]),
        valid=tally(line["valid"]),
        running_perplexity=perplexity(running["nats"], running["tokens"]) if running else None,
        train_deciles=_deciles(line["train"].get("deciles")),
        valid_deciles=_deciles(line["valid"].get("deciles")),
        clipped=norm["clipped"] if norm else None,
    )


def documents(entries: Json | None) -> dict[str, Documents]:
    """The documents of each split, from a run's `documents.json`."""
    return {
        split: Documents(nats=_tuple(entry["nats"]), tokens=_tuple(entry["tokens"]))
        for split, entry in (entries or {}).items()
    }


def tally(sums: Json) -> Tally:
    """Nats and counts, without whatever stands beside them."""
    return Tally(nats=sums["nats"], tokens=sums["tokens"], words=sums["words"], bytes=sums["bytes"])


def _deciles(sums: Json | None) -> Deciles | None:
    return Deciles(nats=_tuple(sums["nats"]), tokens=_tuple(sums["tokens"])) if sums else None


def _tuple(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(values)
