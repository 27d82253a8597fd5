"""One-layer experiments of `quick` over the whole budget, at the rate of the kept search and at others beside it."""

import dataclasses

from bakeoff import tuning
from bakeoff.experiments import QUICK
from bakeoff.spec import Architecture, Optimizer, Study

#: Numbers of experiments and half decades from their kept rate; last are two whose best whole run was at an edge.
PLACES = [*((number, place) for number in range(1, 9) for place in (-1, 0, 1)), (3, -2), (5, 2)]


def contender(number: int, place: int) -> tuple[Architecture, Optimizer]:
    """That experiment of `quick`, so many half decades from its rate."""
    found = QUICK.experiments[number - 1]
    rate = tuning.rate(tuning.half_decades(found.optimizer.lr) + place)
    return found.architecture, dataclasses.replace(found.optimizer, lr=rate)


study = Study.of("around", corpus=QUICK.corpus, budget=QUICK.budget, contenders=[contender(*place) for place in PLACES])
