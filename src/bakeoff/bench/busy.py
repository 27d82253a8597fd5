"""What other programs cost: a step on the machine as it is, and beside a busy program on each core, in turns."""

import contextlib
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator

from bakeoff.bench.cases import ITSELF, Workload
from bakeoff.bench.turns import OWN, Contestant
from bakeoff.machine import usable_cores
from bakeoff.shapes import Json

#: Bakeoff, once more, the same with threads that wait as they do by default, and its peer.
WHO = (OWN, ITSELF, "spinning", "trainer")
#: A program that never waits.
BUSY = "while True: pass"
#: Steps of the first turn, which is not counted, and of each that is: few, as a step may take a second.
WARMING_STEPS, STEPS = 5, 10


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core that this process may use busy until the block ends."""
    with contextlib.ExitStack() as stack:
        for _ in range(usable_cores()):
            program = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            stack.callback(program.kill)
        yield


def compete(case: Workload, threads: int, rounds: int, tell: Callable[[str], None]) -> list[Json]:
    """Time a case: an entry for everyone.

    Args:
        case: What is trained.
        threads: Of every process.
        rounds: Turns of everyone, of which each is once alone and once beside the busy programs.
        tell: Told what is under way.

    Returns:
        For each its `name` and `who`; medians of `seconds` and `processor_seconds` a step, alone and beside, as lists
        of two; and how much longer a step takes beside: `slowdown`, with its lowest and highest round.
    """
    with contextlib.ExitStack() as stack:
        everyone = [stack.enter_context(Contestant(name, case, threads)) for name in WHO]
        readings: dict[str, list[tuple[Json, Json]]] = {contestant.name: [] for contestant in everyone}
        for contestant in everyone:
            tell(f"{case.name}: starting {contestant.name}")
            contestant.turn(WARMING_STEPS)
        for number in range(rounds):
            for contestant in everyone:
                tell(f"{case.name}: round {number + 1} of {rounds}, {contestant.name}")
                alone = contestant.turn(STEPS)
                with busy_cores():
                    readings[contestant.name].append((alone, contestant.turn(STEPS)))
    return [_entry(case, who, found) for who, found in readings.items()]


def _entry(case: Workload, who: str, found: list[tuple[Json, Json]]) -> Json:
    slowdowns = [beside["seconds"] / alone["seconds"] for alone, beside in found]
    medians = {
        key: [
            statistics.median(reading[key] for reading in condition) / STEPS for condition in zip(*found, strict=True)
        ]
        for key in ("seconds", "processor_seconds")
    }
    return {
        "name": case.name,
        "who": who,
        **medians,
        "slowdown": statistics.median(slowdowns),
        "slowdown_low": min(slowdowns),
        "slowdown_high": max(slowdowns),
    }
