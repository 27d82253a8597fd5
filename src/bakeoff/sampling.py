"""Measurements between the full evaluations: at which steps of a run, and on which part of valid.

They tell within 5 % of a run when it reached a loss, and cost at most 3 % of its training.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bakeoff.data.sequences import Integers, TokenStream
from bakeoff.spec import Budget

#: A gap is at most this share of the steps before it, so that early places lie evenly in log steps ...
GROWTH = 0.5
#: ... and at most this share of all steps.
WIDEST = 0.04
#: The most that all measurements may cost, as a share of training.
SHARE = 0.03
#: What a measured token costs of a trained one: a forward pass, of which the backward pass takes two.
PRICE = 1 / 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Sampling:
    """Where in a run a part of valid is measured, and which part.

    Attributes:
        places: Steps, none of which ends an epoch: the full evaluation there measures the sample as well.
        sequences: Those of valid that are measured, in their order.
    """

    places: tuple[int, ...] = ()
    sequences: Integers = field(default_factory=lambda: np.arange(0))

    def part(self, nats_N: npt.NDArray[np.float32], length: int) -> npt.NDArray[np.float32]:
        """What belongs to the sample of the nats of all of valid's N targets, in sequences of `length`."""
        return nats_N[np.isin(np.arange(len(nats_N)) // length, self.sequences)]


def plan(train: TokenStream, valid: TokenStream, budget: Budget, steps_an_epoch: int) -> Sampling:
    """The sampling of a run: the same for every run of a study.

    As many of valid's sequences as the cost allows, spread evenly. A run that is too small for one sequence at every
    place has fewer places. A run whose budget is in steps has none: places depend on how many steps there are, and two
    such runs shall be the same as far as their schedules are.
    """
    if budget.steps is not None:
        return Sampling()
    length = budget.sequence_length
    trained = budget.epochs * (min(train.sequences(length), steps_an_epoch * budget.batch_size) - 1)  # whole ones
    affordable = int(SHARE / PRICE * trained)
    places = _places(budget.epochs, steps_an_epoch)
    places = places[:: -(-len(places) // affordable)] if places and affordable else []
    whole = valid.sequences(length)
    count = max(1, min(whole, affordable // max(1, len(places))))
    return Sampling(places=tuple(places), sequences=((np.arange(count) + 0.5) * whole / count).astype(int))


def _places(epochs: int, steps_an_epoch: int) -> list[int]:
    places, step, steps = [], 0, epochs * steps_an_epoch
    while step < steps:
        gap = max(1, int(min(GROWTH * step, WIDEST * steps)))
        step = min(step + gap, step - step % steps_an_epoch + steps_an_epoch)
        if step % steps_an_epoch:
            places.append(step)
    return places
