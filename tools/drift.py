"""How far the best learning rate of whole runs lies from that of the trials which chose it.

`bakeoff run examples/around.py` trains experiments of `quick` over the whole budget, at the rate that the kept search
found and at others beside it, and `python tools/drift.py quick runs/around*` compares.
"""

import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bakeoff import rates
from bakeoff.analysis.optimum import losses, optimum
from bakeoff.analysis.reading import read_rows
from bakeoff.study_folder import StudyFolder


class Drift(NamedTuple):
    """The best rate of an experiment, by the lowest points of two parabolas.

    Attributes:
        trials: By the trials, in half decades above a rate of 1; `runs` likewise.
        cost: What the rate of the trials costs the runs over their best one, in nats per token.
    """

    name: str
    trials: float
    runs: float
    cost: float


def drifts(study: str, folders: Sequence[StudyFolder]) -> Iterator[Drift]:
    """Compare the kept search of a built-in study with whole runs of its experiments at several rates.

    Left out is an experiment whose runs have no lowest point between others.
    """
    runs: dict[str, dict[float, float]] = {}
    for row in (row for folder in folders for row in read_rows(folder).rows):
        name = row.entry["slug"].partition("-")[2]  # without its number
        runs.setdefault(name, {})[row.learning_rate] = row.valid.loss if row.finished and row.valid else math.inf
    for slug, found in rates.chosen(study)["rates"].items():
        name = slug.partition("-")[2]
        tried, ran = optimum(losses(found["trials"])), optimum(runs.get(name, {}))
        if tried and ran:
            away = tried.place - ran.place
            yield Drift(name, tried.place, ran.place, ran.steepness * away**2)


def main() -> None:
    """Print a line an experiment, then all of them."""
    study, *folders = sys.argv[1:]
    found = list(drifts(study, [StudyFolder(Path(folder)) for folder in folders]))
    for name, trials, runs, cost in found:
        print(f"{name:20} trials {trials:+.2f}, runs {runs:+.2f}: {trials - runs:+.2f}, {cost:.3f} nats")
    away = [drift.trials - drift.runs for drift in found]
    print(f"mean {statistics.fmean(away):+.2f}, deviation {statistics.stdev(away):.2f} half decades")


if __name__ == "__main__":
    main()
