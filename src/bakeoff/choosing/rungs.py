"""When what is trained: rungs of ever fewer and longer trials, and then one run of the winner, for most of the time.

Every trial is a complete schedule: what a schedule that was cut short would show says little of its end, as rankings
turn around while the rate decays.
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

#: The share of the time, once all is prepared, that is planned for the winner's run, what seeds leave it, and what
#: trials do that are slower than they were timed: they are stopped.
FINAL_SHARE, LEAST_SHARE, KEPT_SHARE = 0.75, 0.7, 0.5
#: How much longer the trials of a rung are than those of the one before.
GROWTH = 3
#: A schedule of fewer steps tells nothing, and with fewer in the winner's run a smaller model would learn more.
FEWEST_STEPS, ENOUGH_STEPS = 100, 700
#: The most passes over a text: of 50 kB ten were as good as twenty, and forty worse; of 139 kB eight and ten were
#: better than twenty, each with the dropout that is best there (`docs/ladder.md`, `docs/options.md`).
MOST_PASSES = 10
#: The most rungs, and the learning rates of each contender on a rung. On the first one a contender is compared with
#: others at its usual rate alone.
MOST_RUNGS, RATES = 3, 2
#: The best of the last rung, and how often each of them is trained again with another seed, at most.
FINALISTS, MOST_REPEATS = 2, 3
#: The factor between two learning rates.
FACTOR = 2.0


@dataclass(frozen=True, kw_only=True)
class Rung:
    """Trials of the same length in seconds.

    Attributes:
        contenders: How many are left.
        rates: Learning rates of each.
        seconds: What each trial may take, from its start to its end.
        repeated: How many more are planned of the last rung's best, with another seed.
    """

    contenders: int
    rates: int
    seconds: float
    repeated: int = 0

    @property
    def trials(self) -> int:
        """How many there are, without those that are repeated."""
        return self.contenders * self.rates

    @property
    def all_seconds(self) -> float:
        """Of all its trials."""
        return (self.trials + self.repeated) * self.seconds


def plan(seconds: float, contenders: int, shortest: float, longest: float = math.inf) -> tuple[Rung, ...]:
    """The rungs for a time: as many contenders as can be tried, then as many rungs, then another seed for the best.

    Half of the contenders go on from one rung to the next, two at least. Where the time is too short for two, the first
    is tried alone, for its learning rate. One rung alone is as short as may be: what it leaves is worth more to the
    winner's run, which then has few steps. On a small text that run needs no more, and no trial is longer than helps.

    Args:
        seconds: What all trials together may take.
        contenders: How many there are; where the time is short only the first are tried.
        shortest: Seconds of the shortest trial that tells something.
        longest: Of the longest that helps, on a text so small that the winner's run is as long.

    Returns:
        No rung where there is no time for two trials.
    """
    for many in range(contenders, 0, -1):
        finalists = min(many, FINALISTS) if many > 1 else 0
        for rungs, repeated in itertools.product(range(MOST_RUNGS, 0, -1), sorted({finalists, 0}, reverse=True)):
            planned = [
                Rung(
                    contenders=max(min(many, 2), math.ceil(many / 2**rung)),
                    rates=RATES if rung or many == 1 else 1,
                    seconds=GROWTH**rung,  # of a first trial's
                    repeated=repeated if rung == rungs - 1 else 0,
                )
                for rung in range(rungs)
            ]
            first = min(seconds / sum(rung.all_seconds for rung in planned), longest / GROWTH ** (rungs - 1))
            if first >= shortest:
                first = first if rungs > 1 or math.isfinite(longest) else shortest
                return tuple(dataclasses.replace(rung, seconds=first * rung.seconds) for rung in planned)
    return ()


def rates(centre: float, tried: Mapping[float, float]) -> tuple[float, float]:
    """The best learning rate of a contender so far, at first the centre of the search, and one more.

    That lies beyond the best if nothing better was tried on that side, and else between it and the better of its
    neighbours. Where all diverged they are two lower ones.

    Args:
        centre: Where the search begins.
        tried: What earlier trials cost, by their rates; infinite where one diverged.
    """
    tried = tried or {centre: 0.0}
    ordered = sorted(tried)
    best = min(ordered, key=lambda rate: tried[rate])
    if math.isinf(tried[best]):
        return (best / FACTOR, best / FACTOR**2)
    if best == ordered[0]:
        return (best, best / FACTOR)
    if best == ordered[-1]:
        return (best, best * FACTOR)
    place = ordered.index(best)
    neighbour = min(ordered[place - 1], ordered[place + 1], key=lambda rate: tried[rate])
    return (best, math.sqrt(best * neighbour))


def most_steps(tokens: int, a_step: int) -> int:
    """Steps of the most passes that are made over a text.

    Args:
        tokens: Of the text.
        a_step: Tokens of a step.
    """
    return max(FEWEST_STEPS, math.ceil(MOST_PASSES * tokens / a_step))


def steps(seconds: float, a_step: float, measuring: float) -> int:
    """Steps of a run that may take so long.

    Args:
        seconds: From its start to its end.
        a_step: Seconds of a step.
        measuring: Seconds of the run in which no step is taken.
    """
    return max(FEWEST_STEPS, int((seconds - measuring) / a_step))
