"""What was measured of a run: its evaluations, the samples between them, and what each document cost in the end."""

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bakeoff.metrics import Tally, perplexity
from bakeoff.shapes import Json


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What each part of a split cost: each of its documents in their order, or each frequency decile of its tokens.

    The first decile has the most frequent tokens of train, the last one the rarest and the unseen.

    Attributes:
        nats: Summed nats of each part's tokens.
        tokens: How many there are.
        bytes: How many bytes of UTF-8 documents have; nothing of deciles.
    """

    nats: tuple[float, ...]
    tokens: tuple[int, ...]
    bytes: tuple[int, ...] = ()

    @property
    def losses(self) -> tuple[float | None, ...]:
        """Nats per token of each part; None where it has no token."""
        return tuple(nats / tokens if tokens else None for nats, tokens in zip(self.nats, self.tokens, strict=True))


def gap_at_equal_mix(train: Parts, valid: Parts) -> float | None:
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
class SamplePoint:
    """Valid between two evaluations, measured on a small fixed part of it.

    Attributes:
        loss: Nats per token of that part, not of all of valid.
    """

    step: int
    train_seconds: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class Point:
    """One evaluation of a run: the fixed train sample and valid, under the same weights.

    Attributes:
        epoch: Epochs trained so far; of a run whose budget is in steps how many such evaluations came after the first.
        unit: `epoch`, or `step` where the budget is in steps: what a reader counts in.
        running_perplexity: Of train while the weights changed, over the epoch that ends here.
        train_deciles: The train sample by token frequency, and `valid_deciles` valid; None in old histories.
        clipped: Share of the epoch's steps whose gradient was clipped; None before the first.
        samples: Taken since the evaluation before; the last of them is at this very step. Empty in old histories.
        unix_seconds: When it was made, counted from the beginning of 1970; None in old histories.
    """

    epoch: int
    step: int
    train_seconds: float
    train: Tally
    valid: Tally
    running_perplexity: float | None
    train_deciles: Parts | None = None
    valid_deciles: Parts | None = None
    clipped: float | None = None
    samples: tuple[SamplePoint, ...] = ()
    unix_seconds: float | None = None
    unit: str = "epoch"

    @property
    def place(self) -> int:
        """How far the run was, in its unit."""
        return self.step if self.unit == "step" else self.epoch

    @property
    def when(self) -> str:
        """Such as `epoch 3` or `step 1,500`."""
        return f"{self.unit} {self.place:,}"


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A floor: a model that only counts, measured on the same tokens.

    Attributes:
        seconds: What counting and measuring took.
        cache_weight: The cache's share, where there is one.
    """

    name: str
    train: Tally
    valid: Tally
    test: Tally
    seconds: float
    cache_weight: float | None

    @property
    def title(self) -> str:
        """What sentences call it."""
        return FLOOR_TITLES.get(self.name, self.name)

    def as_json(self) -> Json:
        """The baseline as plain data."""
        tallies = {split: getattr(self, split).as_json() for split in ("train", "valid", "test")}
        return {"name": self.name, **tallies, "seconds": self.seconds, "cache_weight": self.cache_weight}


@dataclass(frozen=True, kw_only=True)
class WithCounts:
    """A run under its best weights, mixed with a floor by one weight.

    Attributes:
        floor: The floor's name.
        weight: Its share on test, fitted on all of valid.
        valid: Each half of the documents with the weight that was fitted on the other.
        test: What test costs.
    """

    floor: str
    weight: float
    valid: Tally
    test: Tally

    @property
    def title(self) -> str:
        """What sentences call the floor."""
        return FLOOR_TITLES.get(self.floor, self.floor)


#: What floors are called in sentences.
FLOOR_TITLES = {
    "uniform": "the uniform distribution",
    "unigram": "the unigram",
    "kn2": "the Kneser-Ney bigram",
    "kn3": "the Kneser-Ney trigram",
    "kn3+cache": "the Kneser-Ney trigram with a cache",
    "kn4": "Kneser-Ney of order 4",
    "kn5": "Kneser-Ney of order 5",
    "kn5+cache": "Kneser-Ney of order 5 with a cache",
}


def point(line: Json, unit: str = "epoch") -> Point:
    """An evaluation from its line of the history, of a run whose budget is in that unit."""
    running, norm = line.get("running"), line.get("gradient_norm")
    return Point(
        epoch=line["epoch"],
        step=line["step"],
        train_seconds=line["train_seconds"],
        train=Tally.of(line["train"]),
        valid=Tally.of(line["valid"]),
        running_perplexity=perplexity(running["nats"], running["tokens"]) if running else None,
        train_deciles=parts(found) if (found := line["train"].get("deciles")) else None,
        valid_deciles=parts(found) if (found := line["valid"].get("deciles")) else None,
        clipped=norm["clipped"] if norm else None,
        samples=tuple(
            SamplePoint(step=s["step"], train_seconds=s["train_seconds"], loss=s["nats"] / s["tokens"])
            for s in line.get("sample") or ()
        ),
        unix_seconds=line.get("unix_seconds"),
        unit=unit,
    )


class Moment(NamedTuple):
    """A measurement on a run's way down.

    Attributes:
        earliest: Seconds of training after which the run may have been there, had nothing disturbed it.
        by: Seconds after which it was.
        loss: Nats per token of valid, the lowest so far.
    """

    earliest: float
    by: float
    loss: float


def way_down(history: Sequence[Point], *, alone: bool) -> tuple[Moment, ...]:
    """Every measurement of a run, with the lowest loss so far; a sample never counts as lower than the best evaluation.

    A run that something disturbed was only slowed down. So its times are upper bounds. The lower ones are those that it
    would have, had all its steps taken as long as those of its fastest epoch.

    Args:
        history: At least one evaluation.
        alone: Whether the run had the machine to itself, or else even its fastest epoch says nothing.
    """
    pairs = itertools.pairwise(history)
    paces = [(after.train_seconds - before.train_seconds) / (after.step - before.step) for before, after in pairs]
    fastest = min(paces, default=0.0) if alone else 0.0
    end, lowest, found = min(point.valid.loss for point in history), math.inf, []
    for step, seconds, loss in measurements(history):
        lowest = min(lowest, max(loss, end))
        found.append(Moment(min(fastest * step, seconds), seconds, lowest))
    return tuple(found)


def curve(history: Sequence[Point]) -> list[tuple[float, float]]:
    """Seconds of training and loss on valid, as densely as it was measured."""
    return [(seconds, loss) for _, seconds, loss in measurements(history)]


def measurements(history: Sequence[Point]) -> list[tuple[int, float, float]]:
    """Step, seconds of training and loss on valid of every evaluation and of every sample between them.

    A sample is a small part of valid, easier or harder than all of it. At an evaluation both are known, so each sample
    is corrected by the difference at the evaluations around it, interpolated over the steps.
    """
    places = [(p.step, p.valid.loss - p.samples[-1].loss) for p in history if p.samples]
    whole = [(p.step, p.train_seconds, p.valid.loss) for p in history]
    samples = [
        (s.step, s.train_seconds, s.loss + _interpolated(places, s.step)) for p in history for s in p.samples[:-1]
    ]
    return sorted(whole + samples)


def _interpolated(places: Sequence[tuple[int, float]], step: int) -> float:
    """The value at a step, linear between the two known places around it, and constant outside of them."""
    after = bisect.bisect_left(places, (step,))
    if after in (0, len(places)):
        return places[min(after, len(places) - 1)][1]
    (low, below), (high, above) = places[after - 1], places[after]
    return below + (above - below) * (step - low) / (high - low)


def baseline(entry: Json) -> Baseline:
    """A floor from its entry in `study.json`."""
    return Baseline(
        name=entry["name"],
        train=Tally.of(entry["train"]),
        valid=Tally.of(entry["valid"]),
        test=Tally.of(entry["test"]),
        seconds=entry["seconds"],
        cache_weight=entry.get("cache_weight"),
    )


def with_counts(entry: Json) -> WithCounts:
    """A mixture from its entry in `summary.json`."""
    splits = {split: Tally.of(entry[split]) for split in ("valid", "test")}
    return WithCounts(floor=entry["floor"], weight=entry["weight"], **splits)


def parts(entry: Json) -> Parts:
    """Documents or deciles, from their entry in `documents.json` or in a line of the history."""
    return Parts(nats=tuple(entry["nats"]), tokens=tuple(entry["tokens"]), bytes=tuple(entry.get("bytes", ())))
