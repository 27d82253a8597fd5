"""A network mixed with a floor by one weight w: p = (1 - w) p_network + w p_floor, for every token.

The weight that valid is scored with is never fitted on what it scores. Sizes in names: T targets.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bakeoff.data.sequences import Integers

Floats = npt.NDArray[np.floating]
#: How often the interval that holds the weight is halved: to a billionth.
HALVINGS = 30


class Mixture(NamedTuple):
    """What each target of valid and of test costs where two models are mixed.

    Attributes:
        weight: The floor's share on test, fitted on all of valid.
        nats: Of valid, each half of whose documents is mixed by the weight that was fitted on the other; and of test.
    """

    weight: float
    nats: dict[str, Floats]


def mixture(network: Mapping[str, Floats], floor: Mapping[str, Floats], documents_T: Integers) -> Mixture | None:
    """Mix a network with a floor; None where valid has no two halves.

    Args:
        network: The nats of each target of `valid` and of `test`.
        floor: The same of the floor.
        documents_T: The document that each target of valid belongs to; every second one is of the same half.
    """
    valid_T, second_T = np.zeros(len(documents_T)), documents_T % 2 == 1
    if not 0 < second_T.sum() < len(second_T):
        return None
    for half_T in (second_T, ~second_T):
        weight = fitted(network["valid"][~half_T], floor["valid"][~half_T])
        valid_T[half_T] = mixed(network["valid"][half_T], floor["valid"][half_T], weight)
    weight = fitted(network["valid"], floor["valid"])
    return Mixture(weight, {"valid": valid_T, "test": mixed(network["test"], floor["test"], weight)})


def mixed(network_T: Floats, floor_T: Floats, weight: float) -> Floats:
    """Nats of each target under the mixture, of its nats under both; the weight is between 0 and 1."""
    nats_T: Floats = -np.logaddexp(np.log1p(-weight) - network_T, np.log(weight) - floor_T)
    return nats_T


def fitted(network_T: Floats, floor_T: Floats) -> float:
    """The weight under which targets cost the least: what they cost is convex in it, so that its slope has one zero."""
    # p_floor / p_network - 1; what is beyond these bounds, which a float holds, changes no weight.
    ratios_T = np.expm1(np.clip(np.subtract(network_T, floor_T, dtype=np.float64), -300, 300))
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        gains = (ratios_T / (1 + middle * ratios_T)).sum()
        low, high = (middle, high) if gains > 0 else (low, middle)
    return (low + high) / 2
