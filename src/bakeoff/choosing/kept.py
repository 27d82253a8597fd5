"""What a choice keeps on the disk while it is made, so that a killed command goes on with the time that it had left."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bakeoff.choosing.rungs import Rung
from bakeoff.choosing.search import Pace, Schedule, Trials, Winner
from bakeoff.errors import UserError
from bakeoff.records import read_json, write_record
from bakeoff.shapes import CHECKSUM, CHOICE
from bakeoff.stopwatch import Stopwatch

#: Seconds between two notes of how much time is spent.
INTERVAL = 10.0
#: Seconds from the last run's end to the answer.
ANSWERING = 15.0


@dataclass(kw_only=True)
class Kept:
    """The decisions so far, and the time that they took.

    Attributes:
        path: The file.
        asked: What the choice is for, as the identity of text, time, memory, seed, device and all contenders.
        minutes: The time that there is.
        clock: The seconds of this command.
        threads: Of every run.
        precision: Of every run.
        spent_seconds: Of the time, by commands before this one.
        prepared_seconds: Of the time, until the plan was made.
        scale: The place of the contenders' scale in the table of scales.
        paces: Of the contenders that take part, by their places in the scale.
        left_out: Of the others, by their places: why.
        plan: The rungs; None before they are decided, and with them all that is above.
        trials: What is tried on each rung so far. A trial that is done again has its planned steps, however fast the
            others were meanwhile.
        repeats: With how many other seeds the best of the last rung are trained again; None before that.
        winner: Who gets the last run; None before it.
        final: The schedule of the last run; None before it.
        noted: How much of the time was spent when that was last kept.
    """

    path: Path
    asked: str
    minutes: float
    clock: Stopwatch
    threads: int
    precision: str
    spent_seconds: float = 0.0
    prepared_seconds: float = 0.0
    scale: int = 0
    paces: dict[int, Pace] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)
    plan: list[Rung] | None = None
    trials: list[list[Trials]] = field(default_factory=list)
    repeats: int | None = None
    winner: Winner | None = None
    final: Schedule | None = None
    noted: float = 0.0

    def resumed(self) -> Self:
        """What an earlier command kept there; where none did, this, the beginning.

        Raises:
            DamagedError: It is not what was kept.
            UserError: It is another text's, or was asked otherwise.
        """
        if not self.path.is_file():
            return self
        data = read_json(self.path, CHOICE)
        if data["asked"] != self.asked:
            raise UserError(
                f"{self.path.parent} holds a choice for another text, time, memory, seed or device, or by a version "
                "of Bakeoff with other contenders: repeat the command as it was, or choose another --out"
            )
        as_kept = ("spent_seconds", "prepared_seconds", "threads", "precision", "scale", "repeats")
        return dataclasses.replace(
            self,
            **{name: data[name] for name in as_kept},
            paces={int(place): Pace(**pace) for place, pace in data["paces"].items()},
            left_out={int(place): why for place, why in data["left_out"].items()},
            plan=[Rung(**rung) for rung in data["plan"]],
            trials=[[Trials(**trials) for trials in rung] for rung in data["trials"]],
            winner=data["winner"] and Winner(**data["winner"]),
            final=data["final"] and Schedule(**data["final"]),
        )

    @property
    def spent(self) -> float:
        """Seconds from the first command's start, but for those between two commands or in which one was suspended."""
        return self.spent_seconds + self.clock.seconds

    @property
    def seconds(self) -> float:
        """From the first command's start until the answer is due."""
        return 60 * self.minutes

    @property
    def left(self) -> float:
        """Those that are left until the last run has to be over."""
        return self.seconds - ANSWERING - self.spent

    @property
    def trained(self) -> float:
        """Those that were left when the plan was made, which all runs share."""
        return self.seconds - ANSWERING - self.prepared_seconds

    def write(self) -> None:
        """Keep it."""
        self.noted = self.spent
        names = [name.rstrip("?") for name in CHOICE if name != CHECKSUM]
        kept = {name: getattr(self, name) for name in names} | {"spent_seconds": self.noted, "plan": self.plan or []}
        write_record(self.path, json.loads(json.dumps(kept, default=dataclasses.asdict)))

    def tick(self) -> None:
        """Keep how much time is spent, where that was not done just now."""
        if self.spent - self.noted > INTERVAL:
            self.write()
