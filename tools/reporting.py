"""How long a report is waited for: `python tools/reporting.py STUDY_FOLDER...`, for studies that were run.

For each: its first report, the same once more, when all pictures are kept, and `bakeoff status`; then `bakeoff --help`.
All take turns. Processor seconds say more than seconds on a busy machine.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bakeoff.study_folder import StudyFolder

#: Of every command.
TURNS = 3
HEAD = ["command", "runs", "seconds", "processor seconds", "lowest of them"]


class Cost(NamedTuple):
    """What a command took."""

    seconds: float
    processor: float


def timed(*arguments: str) -> Cost:
    """What `bakeoff` takes with some arguments, from starting to its end."""
    before, started = _of_children(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "bakeoff", *arguments], stdout=subprocess.DEVNULL, check=True)
    return Cost(time.perf_counter() - started, _of_children() - before)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(folders: list[Path]) -> list[list[str]]:
    """A line for each command, in the order of `HEAD`; nothing is written into the studies."""
    costs: dict[tuple[str, str], list[Cost]] = {}
    for _ in range(TURNS):
        for folder in folders:
            runs = str(len(list(StudyFolder(folder).declared_runs())))
            with tempfile.TemporaryDirectory() as out:
                for command in ("first report", "report again"):
                    cost = timed("report", str(folder), "--out", out)
                    costs.setdefault((f"{folder.name}: {command}", runs), []).append(cost)
            costs.setdefault((f"{folder.name}: status", runs), []).append(timed("status", str(folder)))
        costs.setdefault(("--help", ""), []).append(timed("--help"))
    lines = []
    for name, found in costs.items():
        seconds, processor = zip(*found, strict=True)
        lines.append([*name, *(f"{value:.2f}" for value in (median(seconds), median(processor), min(processor)))])
    return lines


def main() -> None:
    """Print a table in Markdown."""
    lines = [HEAD, ["---", *["--:"] * (len(HEAD) - 1)], *measure([Path(argument) for argument in sys.argv[1:]])]
    sys.stdout.writelines(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
