"""The whole table of `bakeoff bench`."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch

from bakeoff.bench import busy, rounds, whole_runs
from bakeoff.bench.cases import CASES
from bakeoff.errors import UserError
from bakeoff.machine import environment, resolve_precision, usable_cores

#: Rounds, seconds of a turn, and rounds and epochs of the whole runs.
THOROUGH, FAST = (5, 2.5, 3, 10), (3, 1.5, 1, 2)


def measure(tell: Callable[[str], None], *, fast: bool) -> dict[str, Any]:
    """Measure every case, on the processor.

    Args:
        tell: Told what is under way.
        fast: Only the sizes of `quick`, with fewer and shorter rounds.

    Returns:
        The machine, and an entry for each case and peer: `name`, `tokens_per_second`, `peer`, `peer_tokens_per_second`,
        `ratio` with its lowest and highest round, and `limit_fraction`; of a peer that does not run here `failed`, why.

    Raises:
        UserError: The peers are not installed.
    """
    _require_peers()
    threads = usable_cores()
    turns, seconds, runs, epochs = FAST if fast else THOROUGH
    entries = []
    for case in CASES[:2] if fast else CASES:
        entries += rounds.compete(case, threads, turns, seconds, tell)
    for index in whole_runs.PEERS:
        entries += whole_runs.compare(index, threads, runs, epochs, tell)
    return {"machine": _machine(threads), "rounds": turns, "cases": entries}


def measure_busy(tell: Callable[[str], None], *, fast: bool) -> dict[str, Any]:
    """Measure how much a busy program on each core slows a step of GPT-1 at the size of `quick`.

    Args:
        tell: Told what is under way.
        fast: Fewer rounds.

    Returns:
        The machine, the rounds, and as cases the entries of `busy.compete`.

    Raises:
        UserError: The peers are not installed.
    """
    _require_peers()
    threads, turns = usable_cores(), (FAST if fast else THOROUGH)[0]
    return {"machine": _machine(threads), "rounds": turns, "cases": busy.compete(CASES[0], threads, turns, tell)}


def _require_peers() -> None:
    if find_spec("transformers") is None or find_spec("accelerate") is None:
        raise UserError("bench measures beside transformers, which is not here: pip install 'bakeoff[bench]'")


def _machine(threads: int) -> dict[str, Any]:
    cpu = torch.device("cpu")
    return environment(cpu) | {"threads": threads, "precision": resolve_precision("auto", cpu)}
