"""How far `bakeoff choose` is from the best: every contender at several learning rates, each with all of the time.

`python tools/exhaustive.py CORPUS MINUTES` makes a choice, if `runs` has none yet, and prints a line for each run, the
choice's winner first: bits per byte of valid, alone and mixed with the best count table. It takes twelve times the
minutes where the memory holds all contenders; stopped and repeated it goes on.
"""

import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from bakeoff import process, verbs, words
from bakeoff.analysis.reading import read_rows
from bakeoff.analysis.rows import Row
from bakeoff.choosing import rungs
from bakeoff.choosing.choice import FEWEST_EVALUATIONS, Choice, Chosen
from bakeoff.choosing.fitting import Request
from bakeoff.choosing.search import Schedule, Search
from bakeoff.data import corpora
from bakeoff.spec import Study
from bakeoff.study_folder import StudyFolder

#: Learning rates of each contender, as factors of its usual one.
FACTORS = (1.0, 0.5, 2.0)


def chosen(name: str, minutes: float, out: Path) -> Chosen:
    """The choice for a text."""
    request = Request(
        corpus=corpora.choose(name), minutes=minutes, memory_bytes=None, seed=0, device=torch.device("cpu")
    )
    folder = out / f"choose-{request.corpus.name}"
    with StudyFolder(folder).acquire():
        return Choice(request, folder, time.monotonic(), process.console()).make()


def whole(search: Search, contender: int, seconds: float) -> Study:
    """A contender at each learning rate, with schedules that take so long each."""
    pace, lr = search.paces[contender], search.contenders[contender].optimizer.lr
    measuring = pace.measuring * (1 + FEWEST_EVALUATIONS) / 2
    schedule = Schedule.of(rungs.steps(seconds, pace.step, measuring), FEWEST_EVALUATIONS)
    name = f"whole-{contender + 1}-{search.contenders[contender].architecture.name}"
    return search.study(name, contender, schedule, [lr * factor for factor in FACTORS], (search.seed,))


def trained(search: Search, seconds: float, out: Path) -> Iterator[tuple[str, Row]]:
    """What each run is, and what came of it."""
    best_first = search.left(len(search.plan))
    others = [contender for contender in range(len(search.contenders)) if contender not in best_first]
    for contender in (*best_first, *others):
        study = whole(search, contender, seconds)
        title = f"{search.contenders[contender].title}, {study.budget.steps:,} steps, learning rate"
        for number in study.numbers:
            folder = StudyFolder(verbs.run(study, only=[number], out=out, write_report=False).folder)
            row = next(row for row in read_rows(folder).rows if row.number == number)
            yield f"{title} {words.rate(row.learning_rate)}", row


def line(what: str, row: Row) -> str:
    """A line of the table."""
    mixed = f"{row.with_counts.valid.bits_per_byte:.4f}" if row.with_counts else ""
    minutes = f"{(row.train_seconds or 0.0) / 60:.1f}"
    return f"| {what} | {words.count(row.entry['parameters'])} | {minutes} | {reached(row):.4f} | {mixed} |"


def reached(row: Row) -> float:
    """Bits per byte of valid; infinite where the run diverged."""
    return row.valid.bits_per_byte if row.finished and row.valid else math.inf


def main() -> None:
    """Choose, train everything, and print what it came to."""
    name, minutes, out = sys.argv[1], float(sys.argv[2]), Path("runs")
    made = chosen(name, minutes, out)
    if made.row is None or made.row.valid is None:
        sys.exit("the choice has no network to compare with")
    print("| | parameters | minutes of training | bits per byte of valid | with counts |\n|---|--:|--:|--:|--:|")
    print(line("choose", made.row), flush=True)
    best = math.inf
    for what, row in trained(made.search, 60 * minutes, out / f"whole-{made.search.corpus.name}"):
        best = min(best, reached(row))
        print(line(what, row), flush=True)
    cost = reached(made.row) - best
    print(f"the search costs {cost:.4f} bits per byte, {2**cost - 1:.1%} of the perplexity per byte")


if __name__ == "__main__":
    main()
