"""What runs report that other programs trained. Nothing of it is a row, and nothing is ranked or judged by it."""

from collections.abc import Iterable
from dataclasses import dataclass

from bakeoff.analysis.diagnosis import FLAT
from bakeoff.analysis.evaluations import Baseline
from bakeoff.metrics import Tally
from bakeoff.shapes import Json

#: Where a run was, and its loss there.
Place = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A run as another program reports it.

    Attributes:
        name: Its name here: letters, digits, `_`, `.` and `-`.
        by: What wrote it.
        unit: What its places are in, `step` or `epoch`.
        valid: Its losses on valid, in nats per token of its own, in the order of places; empty where `error` says why.
        train: Those on train, mostly running means while the weights changed.
        tokens: How many tokens of its own valid has, and `bytes` how many bytes; None where nobody said.
        checked: Whether its own count of bytes agrees with the corpus's.
        words: How many words valid has, where it was measured here, as a model that is there; None where it was not.
        window: Tokens of a window in which that was done, and `parameters` how many the model has.
        error: Why it cannot be read.
    """

    name: str
    by: str
    unit: str
    valid: tuple[Place, ...]
    train: tuple[Place, ...] = ()
    tokens: int | None = None
    bytes: int | None = None
    checked: bool = False
    words: int | None = None
    window: int | None = None
    parameters: int | None = None
    error: str | None = None

    @property
    def best(self) -> Place:
        """Where it was lowest on valid."""
        return min(self.valid, key=lambda place: place[1])

    @property
    def rise(self) -> float:
        """By how much it ended above that, in nats per token; 0 where nobody would see it."""
        rise = self.valid[-1][1] - self.best[1]
        return rise if rise >= FLAT else 0.0

    @property
    def comparable(self) -> bool:
        """Whether its losses become bits per byte."""
        return bool(self.valid and self.tokens and self.bytes)

    def bits_per_byte(self, loss: float) -> float | None:
        """A loss of its own in bits per byte; None where its counts are not known."""
        if not (self.tokens and self.bytes):
            return None
        return Tally(nats=loss * self.tokens, tokens=self.tokens, words=1, bytes=self.bytes).bits_per_byte

    @property
    def cost(self) -> Tally | None:
        """What it paid for valid, if that was measured here."""
        if not (self.valid and self.tokens and self.bytes) or self.words is None:
            return None
        return Tally(nats=self.best[1] * self.tokens, tokens=self.tokens, words=self.words, bytes=self.bytes)

    def beside(self, floors: Iterable[Baseline]) -> tuple[list[Baseline], list[Baseline]]:
        """The floors that it is below at its best, and those that it is not, the easiest first; none if not known."""
        bits = self.bits_per_byte(self.best[1]) if self.valid else None
        ordered = sorted(floors, key=lambda floor: -floor.valid.nats)
        below = [floor for floor in ordered if bits is not None and bits < floor.valid.bits_per_byte]
        return below, [floor for floor in ordered if bits is not None and floor not in below]


def reported(name: str, record: Json) -> Reported:
    """A run from its record, or from the `error` that is there instead."""
    if "error" in record:
        return Reported(name=name, by="", unit="step", valid=(), error=record["error"])
    told: Json = {key: record.get(key) for key in ("by", "unit", "tokens", "bytes", "words", "window", "parameters")}
    told |= {split: tuple((at, loss) for at, loss in record[split]) for split in ("valid", "train")}
    return Reported(name=name, checked=bool(record.get("checked")), **told)
