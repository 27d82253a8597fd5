"""Whether a study is done sooner with a run on each core than with all cores for one run after another.

`python tools/together.py` has the command itself train a part of `quick` in both ways, in turns.
"""

import statistics
import subprocess
import sys
import tempfile
import time

from bakeoff import data
from bakeoff.experiments import QUICK
from bakeoff.machine import usable_cores

#: How often each way is taken; the order is reversed from one turn to the next.
TURNS = 3
#: An LSTM and a GPT-1 with a seed for each core, so that no core is idle for long.
PART = ("run", QUICK.name, "--only", "2,6", "--epochs", "2", "--no-report")


def seconds(jobs: int, threads: int, cores: int) -> float:
    """What the part takes from the start of the command to its end, with so many runs at once of so many threads."""
    with tempfile.TemporaryDirectory() as out:
        chosen = ("--seeds", str(cores), "--jobs", str(jobs), "--threads", str(threads), "--out", out)
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bakeoff", *PART, *chosen], check=True, capture_output=True)
        return time.perf_counter() - started


def measure(cores: int) -> list[tuple[float, float]]:
    """Of each turn the seconds together, a thread each, and those in turn, with a thread on every core."""
    turns = []
    for number in range(TURNS):
        ways = [(cores, 1), (1, cores)][:: 1 if number % 2 == 0 else -1]
        took = {way: seconds(*way, cores) for way in ways}
        turns.append((took[cores, 1], took[1, cores]))
    return turns


def main() -> None:
    """Print both medians, and how many times sooner the study is done together, with the range over the turns."""
    cores = usable_cores()
    if cores == 1:
        sys.exit("one core may be used here: there is nothing to compare")
    data.prepare(QUICK.corpus, QUICK.budget)  # so that no turn has to
    turns = measure(cores)
    together, in_turn = (statistics.median(way) for way in zip(*turns, strict=True))
    ratios = sorted(alone / beside for beside, alone in turns)
    sys.stdout.write(
        f"{cores} runs at once, a thread each: {together:.1f} s; one at a time, {cores} threads: {in_turn:.1f} s; "
        f"together {statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f}); "
        f"either way took up to {max(max(way) / min(way) for way in zip(*turns, strict=True)):.2f} times as long in "
        "one turn as in another\n"
    )


if __name__ == "__main__":
    main()
