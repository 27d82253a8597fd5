"""Where the best learning rate of an experiment lies, by the trials of a search, and what that leaves open.

Near its lowest point a loss is about a parabola over the logarithm of the rate. The trials only show where that point
was for them: they are shorter than what they are for, and lie some way apart.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

#: By how much the best rate of a whole run may lie from that of its trials, in half decades, and by which part of the
#: distance between two trials a parabola may miss it. `tools/drift.py` measured a standard deviation of 0.24;
#: with these, verdicts are as seldom false as they say (`docs/how-sure.md`).
DRIFT, MISSED = 0.4, 0.3
#: A search whose trials are further apart, in half decades, has not looked between those of its grid.
COARSE = 0.75


class Optimum(NamedTuple):
    """The lowest point of a parabola through the best trial and two neighbours.

    Attributes:
        place: Of the lowest point, in half decades above a rate of 1; no nearer to a neighbour than to the best trial,
            and at this where a neighbour did not finish.
        steepness: What a rate half a decade away costs, in nats per token.
        distance: From the best trial to the farther of its neighbours, in half decades.
    """

    place: float
    steepness: float
    distance: float

    @property
    def rate(self) -> float:
        """The learning rate at the lowest point, to two digits."""
        return float(f"{10 ** (self.place / 2):.1e}")


def losses(trials: Iterable[Mapping[str, Any]]) -> dict[float, float]:
    """The loss of every trial by its rate, in order; infinite where it did not finish.

    Args:
        trials: With `lr` and `valid_loss` each, as a search keeps them.
    """
    return {trial["lr"]: math.inf if trial["valid_loss"] is None else trial["valid_loss"] for trial in trials}


def reach(distance: float) -> float:
    """How far from where trials place it the best rate of a whole run may lie, in half decades.

    Args:
        distance: From trial to trial, in half decades.
    """
    return DRIFT + MISSED * distance


def within(distance: float) -> float:
    """The same as a factor between two rates."""
    return float(10 ** (reach(distance) / 2))


def optimum(trials: Mapping[float, float]) -> Optimum | None:
    """The lowest point by the trials of a search.

    Args:
        trials: Losses in nats per token by learning rate; infinite where a trial did not finish.

    Returns:
        None where the best has no lower and no higher rate beside it, or fewer than three finished.
    """
    places = sorted((2 * math.log10(rate), loss) for rate, loss in trials.items())
    best = min(range(len(places)), key=lambda n: places[n][1], default=0)
    if not 0 < best < len(places) - 1:
        return None
    ended = [(place, loss) for place, loss in places if loss < math.inf]
    if len(ended) < 3:  # noqa: PLR2004 (a parabola's points)
        return None
    middle = min(max(ended.index(places[best]), 1), len(ended) - 2)
    (x0, y0), (x1, y1), (x2, y2) = ended[middle - 1 : middle + 2]
    before, after = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    steepness = (after - before) / (x2 - x0)
    (low, below), (at, _), (high, above) = places[best - 1 : best + 2]
    place = at
    if max(below, above) < math.inf and steepness > 0:
        place = min(max((x0 + x1) / 2 - before / (2 * steepness), (low + at) / 2), (at + high) / 2)
    return Optimum(place, max(steepness, 0.0), max(at - low, high - at))


def left_open(trials: Mapping[float, float], rate: float) -> float | None:
    """How much lower an experiment might end at the best rate than at that one, in nats per token.

    Args:
        trials: As for `optimum`.
        rate: The learning rate that is used.

    Returns:
        None where the trials do not say.
    """
    found = optimum(trials)
    return found and found.steepness * (abs(2 * math.log10(rate) - found.place) + reach(found.distance)) ** 2
