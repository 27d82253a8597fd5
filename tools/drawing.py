"""What the page beside a study costs: `python tools/drawing.py STUDY [NUMBER...]`.

Trains those experiments of a study, or all, in a folder that is removed, and says what drawing took beside that.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from bakeoff.reporting.live import Page
from bakeoff.runner import open_session
from bakeoff.study_file import find_study

HEAD = ["study", "runs", "drawings", "processor seconds of drawing", "of training", "share", "of training's seconds"]


def measure(name: str, numbers: Sequence[int] | None) -> list[str]:
    """A line in the order of `HEAD`: the shares are of training in processor seconds, and of its seconds."""
    study, source = find_study(name)
    with tempfile.TemporaryDirectory() as out:
        with open_session(study, Path(out) / study.name, torch.device("cpu"), source) as session:
            runs = session.missing(numbers)
            with Page(session.folder, print) as page:
                session.run(runs, 1, page)
        summaries = [session.folder.run(run.slug).summary or {} for run in runs]
    seconds, processor = (sum(s.get(f"{kind}_seconds", 0.0) for s in summaries) for kind in ("train", "processor"))
    shares = (f"{page.seconds / spent:.2%}" for spent in (processor, seconds))
    return [study.name, str(len(runs)), str(page.drawings), f"{page.seconds:.2f}", f"{processor:.0f}", *shares]


def main() -> None:
    """Print a table in Markdown."""
    _, name, *numbers = sys.argv
    lines = [HEAD, ["---", *["--:"] * (len(HEAD) - 1)], measure(name, [*map(int, numbers)] or None)]
    sys.stdout.writelines(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
