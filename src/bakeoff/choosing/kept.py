"""What a choice keeps on the disk while it is made, so that a killed command goes on with the time that it had left."""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakeoff.choosing.rungs import Rung
from bakeoff.choosing.search import Pace, Schedule
from bakeoff.errors import UserError
from bakeoff.files import write_json
from bakeoff.records import CHOICE, read_json

#: The file.
FILE = "choice.json"
#: Seconds between two notes of how much time is spent.
INTERVAL = 2.0

Json = dict[str, Any]


@dataclass(kw_only=True)
class Kept:
    """The decisions so far, and the time that they took.

    Attributes:
        path: The file.
        asked: What the choice is for, as the identity of text, time, memory and seed.
        minutes: The time that there is.
        spent_seconds: Of it, by commands before this one.
        began: When this command began, on the monotonic clock.
        scale: The place of the contenders' scale in the table of scales.
        paces: Of the contenders that take part, by their places in the scale.
        left_out: Of the others, by their places: why.
        plan: The rungs.
        trials: Seconds of a trial, by the name of its study.
        repeats: With how many other seeds the best of the last rung are trained again; None before that.
        final: The schedule of the last run; None before it.
    """

    path: Path
    asked: str
    minutes: float
    spent_seconds: float = 0.0
    began: float = field(default_factory=time.monotonic)
    scale: int = 0
    paces: dict[int, Pace] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)
    plan: list[Rung] | None = None
    trials: dict[str, float] = field(default_factory=dict)
    repeats: int | None = None
    final: Schedule | None = None
    noted: float = field(default_factory=time.monotonic)

    @classmethod
    def read(cls, path: Path, asked: str, minutes: float, began: float) -> "Kept":
        """What an earlier command kept there, or the beginning.

        Raises:
            UserError: It is another text's, or was asked otherwise.
        """
        if not path.is_file():
            return cls(path=path, asked=asked, minutes=minutes, began=began)
        data = read_json(path, CHOICE)
        if data["asked"] != asked:
            raise UserError(
                f"{path.parent} holds a choice for another text, time, memory or seed: repeat the command as it was, "
                "or choose another --out"
            )
        return cls(
            path=path,
            asked=asked,
            minutes=minutes,
            began=began,
            spent_seconds=data["spent_seconds"],
            scale=data["scale"],
            paces={int(place): Pace(**pace) for place, pace in data["paces"].items()},
            left_out={int(place): why for place, why in data["left_out"].items()},
            plan=None if data["plan"] is None else [Rung(**rung) for rung in data["plan"]],
            trials=data["trials"],
            repeats=data["repeats"],
            final=None if data["final"] is None else Schedule(**data["final"]),
        )

    @property
    def spent(self) -> float:
        """Seconds from the first command's start, but for those between two commands."""
        return self.spent_seconds + time.monotonic() - self.began

    @property
    def seconds(self) -> float:
        """From the first command's start until the answer is due."""
        return 60 * self.minutes

    @property
    def left(self) -> float:
        """What is left of them."""
        return self.seconds - self.spent

    def write(self) -> None:
        """Keep it."""
        self.noted = time.monotonic()
        write_json(
            self.path,
            {
                "asked": self.asked,
                "minutes": self.minutes,
                "spent_seconds": self.spent,
                "scale": self.scale,
                "paces": {str(place): dataclasses.asdict(pace) for place, pace in self.paces.items()},
                "left_out": {str(place): why for place, why in self.left_out.items()},
                "plan": None if self.plan is None else [dataclasses.asdict(rung) for rung in self.plan],
                "trials": self.trials,
                "repeats": self.repeats,
                "final": None if self.final is None else dataclasses.asdict(self.final),
            },
        )

    def tick(self) -> None:
        """Keep how much time is spent, where that was not done just now."""
        if time.monotonic() - self.noted > INTERVAL:
            self.write()
