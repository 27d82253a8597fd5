"""What evaluating in bfloat16 changes: `python tools/rounding.py RUN_FOLDER...`, for runs that were trained.

For each: mean nats on valid in float32, how far bfloat16 is from them (with its standard error, and the standard
deviation of a single target's difference), and how many times faster it is.
"""

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bakeoff import data
from bakeoff.data.sequences import TokenStream
from bakeoff.loading import load_run
from bakeoff.machine import keep_freed_memory
from bakeoff.run_folder import RunFolder
from bakeoff.spec import Budget
from bakeoff.study_file import decode_run
from bakeoff.training import Nats, token_nats

#: Evaluations in each precision, of which the fastest counts.
REPEATS = 5
HEAD = ["run", "nats in float32", "difference", "standard error", "sd of a target", "times faster"]


def compare(path: Path) -> list[str]:
    """The numbers of one run, in the order of `HEAD`."""
    model, spec = load_run(path).model, RunFolder(path).spec
    assert spec is not None, "a model was loaded by it"
    run = decode_run(spec["run"], None)
    budget = run.budget
    torch.set_num_threads(budget.threads or 1)
    valid = data.prepare(run.corpus, budget).splits["valid"]
    exact, slow = _measured(model, valid, dataclasses.replace(budget, precision="fp32"))
    rounded, fast = _measured(model, valid, dataclasses.replace(budget, precision="bf16"))
    difference = rounded.astype(np.float64) - exact
    error = difference.std() / np.sqrt(len(difference))
    numbers = (f"{difference.mean():+.1e}", f"{error:.1e}", f"{difference.std():.1e}", f"{slow / fast:.2f}")
    return [run.slug, f"{exact.mean(dtype=np.float64):.4f}", *numbers]


def _measured(model: nn.Module, stream: TokenStream, budget: Budget) -> tuple[Nats, float]:
    """The stream's nats, and the seconds that they take."""
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        nats = token_nats(model, stream, budget, torch.device("cpu"))
        seconds.append(time.perf_counter() - started)
    return nats, min(seconds)


def main() -> None:
    """Print a table in Markdown, with a row for each run folder that is named."""
    keep_freed_memory()
    rows = [HEAD, ["--:"] * len(HEAD), *(compare(Path(argument)) for argument in sys.argv[1:])]
    sys.stdout.writelines(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
