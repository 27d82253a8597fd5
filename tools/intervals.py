"""Whether the interval that a choice states holds what unseen text costs.

`python tools/intervals.py CORPUS MINUTES CHOICES` prints that.

The documents of a corpus are dealt at random. Some are put aside; of the others each choice gets one half, a text of
its own with its own split, and seeds of its own, in which a document is a paragraph. Then every model is measured on
what was put aside. An interval should hold what its own model costs there, and what all models cost on average.
"""

import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from bakeoff import process
from bakeoff.analysis.statistics import Interval
from bakeoff.choosing import answer
from bakeoff.choosing.choice import Choice
from bakeoff.choosing.fitting import Request
from bakeoff.data import corpora, sequences
from bakeoff.loading import load_run
from bakeoff.metrics import Tally
from bakeoff.recording import tally
from bakeoff.spec import Budget
from bakeoff.study_folder import StudyFolder
from bakeoff.training import token_nats

CPU = torch.device("cpu")
#: Bytes that are put aside.
UNSEEN = 1_000_000


def documents(name: str) -> list[str]:
    """Those of a corpus, in an order of chance."""
    splits = corpora.load(corpora.choose(name)).splits
    found = [paragraph(document) for split in splits.values() for document in split]
    random.Random(0).shuffle(found)  # noqa: S311 (no secret)
    return found


def paragraph(document: str) -> str:
    """The document without blank lines, which would cut it."""
    return "\n".join(line for line in document.splitlines() if line.strip())


def dealt(found: list[str]) -> tuple[list[str], list[str]]:
    """What is put aside, and the rest."""
    size = place = 0
    while place < len(found) - 1 and size < UNSEEN:
        size, place = size + len(found[place].encode()), place + 1
    return found[:place], found[place:]


def chosen(text: Path, minutes: float, seed: int, out: Path) -> tuple[Interval | None, Path]:
    """The interval that a choice states, and its run."""
    console = process.console()
    request = Request(corpus=corpora.choose(str(text)), minutes=minutes, memory_bytes=None, seed=seed, device=CPU)
    with StudyFolder(out).acquire():
        made = Choice(request, out, time.monotonic(), console).make()
    assert made.row, "a run was complete"
    return answer.unseen(made.row.documents["test"], answer.deviation_of(made)), out / made.study / made.row.folder


def cost(run: Path, unseen: list[str]) -> Tally:
    """What a run's model costs on paragraphs."""
    trained = load_run(run)
    with tempfile.TemporaryDirectory() as folder:
        sequences.write(Path(folder) / "unseen", unseen, trained.tokenizer)
        stream = sequences.read(Path(folder) / "unseen")
        budget = Budget(sequence_length=trained.sequence_length, precision="fp32")
        return tally(stream, token_nats(trained.model, stream, budget, CPU))


def main() -> None:
    """Print a line for each choice, and how many intervals hold."""
    name, minutes, choices = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    unseen, rest = dealt(documents(name))
    told: list[tuple[Interval, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(choices):
            text = Path(folder) / f"text-{seed}.txt"
            half = random.Random(seed).sample(rest, len(rest) // 2)  # noqa: S311 (no secret)
            text.write_text("\n\n".join(half) + "\n", encoding="utf-8")
            interval, run = chosen(text, minutes, seed, Path(folder) / f"choice-{seed}")
            if interval is None:
                print("no interval: the last run was cut off, or too few paragraphs were measured")
            else:
                told.append((interval, cost(run, unseen).bits_per_byte))
                print(f"{interval.mean:.4f} from {interval.low:.4f} to {interval.high:.4f}: {told[-1][1]:.4f}")
    if not told:
        sys.exit("no choice stated an interval: too few paragraphs were measured")
    average = statistics.fmean(reached for _, reached in told)
    own = sum(interval.low <= reached <= interval.high for interval, reached in told)
    all_ = sum(interval.low <= average <= interval.high for interval, _ in told)
    print(f"of {len(told)} intervals {own} hold what their own model costs, {all_} what all cost on average")


if __name__ == "__main__":
    main()
