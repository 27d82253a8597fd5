"""Rounds in which everyone has a turn, and what they come to: medians, and ratios with their interval."""

import contextlib
import statistics
from collections.abc import Callable, Mapping, Sequence

from bakeoff.bench.cases import Workload
from bakeoff.bench.turns import LIMIT, OWN, Contestant, EndedError
from bakeoff.shapes import Json

#: Steps of the first turn, which is not counted: caches, compiled code, optimizer state.
WARMING_STEPS = 5


def compete(case: Workload, threads: int, rounds: int, seconds: float, tell: Callable[[str], None]) -> list[Json]:
    """Time a case: an entry for each peer, with Bakeoff beside it; of one that does not run here, why.

    Args:
        case: What is trained.
        threads: Of every process.
        rounds: Turns of everyone; the order is reversed from one round to the next.
        seconds: About how long one turn is.
        tell: Told what is under way.
    """
    with contextlib.ExitStack() as stack:
        everyone = []
        for name in (OWN, LIMIT, *case.peers):
            tell(f"{case.name}: starting {name}")
            everyone.append(stack.enter_context(Contestant(name, case, threads)))
        steps: dict[str, int] = {}
        failed: dict[str, str] = {}
        for contestant in everyone:
            try:
                steps[contestant.name] = _steps_in(seconds, contestant)
            except EndedError as error:  # such as a peer in a precision that this processor lacks
                if contestant.name not in case.peers:
                    raise
                failed[contestant.name] = str(error)
        everyone = [contestant for contestant in everyone if contestant.name in steps]
        readings: dict[str, list[Json]] = {name: [] for name in steps}
        for number in range(rounds):
            order = everyone if number % 2 == 0 else everyone[::-1]
            for contestant in order:
                tell(f"{case.name}: round {number + 1} of {rounds}, {contestant.name}")
                readings[contestant.name].append(contestant.turn(steps[contestant.name]))
    speeds = {
        name: [case.tokens * steps[name] / reading["seconds"] for reading in found] for name, found in readings.items()
    }
    losses = {name: found[-1]["loss"] for name, found in readings.items()}
    return [
        entry(case.name, speeds, peer) | {"loss": losses[OWN], "peer_loss": losses[peer]}
        if peer in speeds
        else {"name": case.name, "peer": peer, "failed": failed[peer]}
        for peer in case.peers
    ]


def entry(name: str, speeds: Mapping[str, Sequence[float]], peer: str) -> Json:
    """One line of the table: medians, the ratio with the interval of the rounds' own ratios, the share of the limit."""
    own, theirs = speeds[OWN], speeds[peer]
    ratios = [a / b for a, b in zip(own, theirs, strict=True)]
    limit = speeds.get(LIMIT)
    shares = [a / b for a, b in zip(own, limit, strict=True)] if limit else []
    return {
        "name": name,
        "tokens_per_second": statistics.median(own),
        "peer": peer,
        "peer_tokens_per_second": statistics.median(theirs),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "limit_fraction": statistics.median(shares) if shares else None,
    }


def _steps_in(seconds: float, contestant: Contestant) -> int:
    """How many steps take that long, after a first turn that is not counted; the limit has one step a turn."""
    if contestant.name == LIMIT:
        return 1
    contestant.turn(WARMING_STEPS)
    step = float(contestant.turn(WARMING_STEPS)["seconds"]) / WARMING_STEPS
    return max(1, round(seconds / step))
