"""What a probe of a run says: whether it fails, or is behind a smaller model, for its recipe or for want of capacity.

A probe is a counter-experiment: the run's own start and the same start with one thing changed, as complete short
schedules (`bakeoff.probing` makes them).
"""

import math
from dataclasses import dataclass
from typing import Any

from bakeoff.analysis.diagnosis import FLAT, NEAR
from bakeoff.analysis.statistics import CLEAR
from bakeoff.metrics import Tally

#: What a probe found: a change with which the run gets where it should have; that one helps, but not as far; that none
#: does; or that its own start is as it should be, so that what goes wrong comes later than a probe sees.
RECIPE, PARTLY, NO_CHANGE, LATER = "recipe", "partly", "no change", "later"


@dataclass(frozen=True, kw_only=True)
class Start:
    """A complete short schedule.

    Attributes:
        change: What is changed in it; empty for none.
        loss: The lowest on valid, in nats per token; infinite where it diverged.
    """

    change: str
    learning_rate: float
    loss: float

    @property
    def diverged(self) -> bool:
        """Whether it has no result."""
        return math.isinf(self.loss)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A run's own start, and the same with one thing changed.

    Attributes:
        steps: Of each.
        number: The experiment's.
        own: The start of the run as it is.
        changed: The others.
        smaller: The start of a smaller model that did better, and its number; None where the run learned nothing.
        unigram: The unigram's loss on valid.
        deviation: What another seed typically changes.
    """

    steps: int
    number: int
    own: Start
    changed: tuple[Start, ...]
    smaller: tuple[int, Start] | None
    unigram: float
    deviation: float

    @property
    def goal(self) -> float:
        """The loss that would have been no failure: clearly below the unigram, and not behind the smaller model."""
        learned = self.unigram - NEAR
        return min(learned, self.smaller[1].loss + FLAT) if self.smaller else learned

    @property
    def helping(self) -> tuple[Start, ...]:
        """The changes that improve its own start clearly, by the scale of verdicts; the best first."""
        clear = max(FLAT, CLEAR * self.deviation)
        found = (start for start in self.changed if self.own.loss - start.loss > clear)
        return tuple(sorted(found, key=lambda start: start.loss))

    @property
    def best(self) -> Start:
        """The best of the changed ones, whether that is an improvement or not."""
        return min(self.changed, key=lambda start: start.loss)

    @property
    def reaching(self) -> tuple[Start, ...]:
        """Those that get to the goal."""
        return tuple(start for start in self.helping if start.loss <= self.goal)

    @property
    def found(self) -> str:
        """`RECIPE`, `PARTLY`, `NO_CHANGE` or `LATER`."""
        if self.own.loss <= self.goal:
            return LATER
        return RECIPE if self.reaching else PARTLY if self.helping else NO_CHANGE


def probe(record: dict[str, Any], number: int, unigram: float, deviation: float) -> Probe:
    """What was kept of the probe of experiment `number`'s run; the other arguments are those of `Probe`."""
    smaller = record.get("smaller")
    return Probe(
        steps=record["steps"],
        number=number,
        own=_start("", record["own"]),
        changed=tuple(_start(change, start) for change, start in record["changed"].items()),
        smaller=(smaller["number"], _start("", smaller["start"])) if smaller else None,
        unigram=unigram,
        deviation=deviation,
    )


def _start(change: str, record: dict[str, Any]) -> Start:
    valid = record.get("valid")
    loss = Tally.of(valid).loss if valid else math.inf
    return Start(change=change, learning_rate=record["learning_rate"], loss=loss)
