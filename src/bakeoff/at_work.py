"""What a command tells of the runs that it has at work: between two evaluations no record says how far they are.

It lies with the study for as long as the command is at work on it, and pages show it. Where that was only a part of the
study, as in a comparison of two, which part it was stays there until the whole study is at work.
"""

import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

from bakeoff.locks import is_locked
from bakeoff.records import DamagedError, read_json, write_record
from bakeoff.shapes import AT_WORK, Json
from bakeoff.spec import Run
from bakeoff.study_folder import StudyFolder

#: Its file.
FILE = ".at-work.json"


class Part(NamedTuple):
    """What is at work of a study, where that is not what it declares: some experiments, with other seeds."""

    numbers: Collection[int]
    seeds: Sequence[int]


class Place(NamedTuple):
    """How far a run at work is.

    Attributes:
        step: Its last.
        steps: How many it is to take.
        seconds_left: What the others will take, at its pace so far; None before there is one.
    """

    step: int
    steps: int
    seconds_left: float | None


class AtWork(NamedTuple):
    """What a command told a moment ago.

    Attributes:
        part: What it does of the study, or did at last, where that is not what the study declares.
        places: How far its runs are, by their number and seed.
    """

    part: Part | None
    places: dict[tuple[int, int], Place]


class Teller:
    """Hears what workers say, and writes it down when it is asked to.

    Args:
        folder: The study's.
        part: What is at work of it, where that is not what it declares.
    """

    def __init__(self, folder: StudyFolder, part: Part | None = None) -> None:
        self.folder, self.part = folder, part
        self.steps: dict[Run, int] = {}
        #: The first and the last step of each run at work, with the times at which they were told.
        self.heard: dict[Run, tuple[int, float, int, float]] = {}

    def __call__(self, run: Run, message: Json) -> None:
        """Take note of a message."""
        if message["event"] == "start":
            self.steps[run] = message["steps"]
        elif message["event"] == "end":
            self.heard.pop(run, None)
        elif "step" in message:
            now = time.monotonic()
            first, began, *_ = self.heard.get(run, (message["step"], now))
            self.heard[run] = first, began, message["step"], now

    def write(self) -> None:
        """Write it down."""
        runs = [
            {"number": run.number, "seed": run.seed, **self._place(run)._asdict()}
            for run in self.heard
            if run in self.steps
        ]
        part = self.part and {"numbers": sorted(self.part.numbers), "seeds": list(self.part.seeds)}
        write_record(self.folder.path / FILE, {"runs": runs} | ({"part": part} if part else {}))

    def _place(self, run: Run) -> Place:
        first, began, last, now = self.heard[run]
        steps, ahead = self.steps[run], self.steps[run] - last
        return Place(last, steps, (now - began) * ahead / (last - first) if last > first else None)

    def close(self) -> None:
        """The command is no longer at work."""
        declared = self.folder.study
        numbers, seeds = {entry["number"] for entry in declared["experiments"]}, set(declared["seeds"])
        if self.part and (set(self.part.numbers), set(self.part.seeds)) != (numbers, seeds):
            self.heard.clear()
            self.write()
        else:
            forget(self.folder)


def forget(folder: StudyFolder) -> None:
    """No part of a study is of interest any more, as it is the whole."""
    (folder.path / FILE).unlink(missing_ok=True)


def read(folder: StudyFolder) -> AtWork:
    """What the command at work on a study tells, or the last one told; nothing where it cannot be read."""
    try:
        told = read_json(folder.path / FILE, AT_WORK)
    except (OSError, DamagedError):  # there is none, or it has just ended
        return AtWork(None, {})
    part, runs = told.get("part"), told["runs"] if is_locked(folder.path / ".lock") else []
    places = {(run["number"], run["seed"]): Place(run["step"], run["steps"], run.get("seconds_left")) for run in runs}
    return AtWork(Part(part["numbers"], part["seeds"]) if part else None, places)
