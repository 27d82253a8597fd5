"""When what is trained: rungs of ever fewer and longer trials, and then one run of the winner, for most of the time.

Every trial is a complete schedule: what a schedule that was cut short would show says little of its end, as rankings
turn around while the rate decays.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: The share of the time, once all is prepared, that belongs to the winner's run.
FINAL_SHARE = 0.55
#: How much longer the trials of a rung are than those of the one before.
GROWTH = 3
#: A schedule of fewer steps tells nothing, and with fewer in the winner's run a smaller model would learn more.
FEWEST_STEPS, ENOUGH_STEPS = 100, 1000
#: The most rungs, and the trials of each contender on a rung.
MOST_RUNGS, TRIALS = 3, 2
#: The factor between two learning rates.
FACTOR = 2.0


@dataclass(frozen=True, kw_only=True)
class Rung:
    """Trials of the same length in seconds.

    Attributes:
        contenders: How many are left.
        seconds: What each trial may take, from its start to its end.
    """

    contenders: int
    seconds: float

    @property
    def all_seconds(self) -> float:
        """Of all its trials."""
        return self.contenders * TRIALS * self.seconds


def plan(seconds: float, contenders: int, shortest: float) -> tuple[Rung, ...]:
    """The rungs for a time: as many contenders as can be tried, and then as many rungs.

    Half of the contenders go on from one rung to the next, two at least. Where the time is too short for two, the first
    is tried alone, for its learning rate.

    Args:
        seconds: What all trials together may take.
        contenders: How many there are; where the time is short only the first are tried.
        shortest: Seconds of the shortest trial that tells something.

    Returns:
        No rung where there is no time for two trials.
    """
    for many in range(contenders, 0, -1):
        for rungs in range(MOST_RUNGS, 0, -1):
            counts = [max(min(many, 2), math.ceil(many / 2**rung)) for rung in range(rungs)]
            first = seconds / sum(count * TRIALS * GROWTH**rung for rung, count in enumerate(counts))
            if first >= shortest:
                return tuple(Rung(contenders=count, seconds=first * GROWTH**rung) for rung, count in enumerate(counts))
    return ()


def rates(centre: float, tried: Mapping[float, float]) -> tuple[float, ...]:
    """The learning rates of a contender's next trials.

    Args:
        centre: Where the search begins.
        tried: What earlier trials cost, by their rates; infinite where one diverged.

    Returns:
        At first the centre and half of it; then the best rate so far and, beside it, one more: beyond it if nothing
        better was tried on that side, and else between it and the better of its neighbours.
    """
    if not tried:
        return (centre, centre / FACTOR)
    ordered = sorted(tried)
    best = min(ordered, key=lambda rate: tried[rate])
    if best == ordered[0]:
        return (best, best / FACTOR)
    if best == ordered[-1]:
        return (best, best * FACTOR)
    place = ordered.index(best)
    neighbour = min(ordered[place - 1], ordered[place + 1], key=lambda rate: tried[rate])
    return (best, math.sqrt(best * neighbour))


def steps(seconds: float, a_step: float, measuring: float) -> int:
    """Steps of a run that may take so long.

    Args:
        seconds: From its start to its end.
        a_step: Seconds of a step.
        measuring: Seconds of the run in which no step is taken.
    """
    return max(FEWEST_STEPS, int((seconds - measuring) / a_step))
