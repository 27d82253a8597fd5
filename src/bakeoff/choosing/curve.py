"""How bits per byte fall as a contender is trained for longer: a law through few points, and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Exponents of the law that are thought possible, each as likely as the others. Sizes in names: B exponents, N points.
EXPONENTS_B = np.linspace(0.1, 0.6, 21)

Floats = npt.NDArray[np.float64]


class Foretold(NamedTuple):
    """A value and its standard deviation."""

    mean: float
    deviation: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The law `e + a x ** -b` through points: for each exponent a straight line in `x ** -b`, and how likely that is.

    Attributes:
        likely_B: How likely each exponent is.
        intercepts_B: Of its line, which is its `e`; `slopes_B`, its `a`, likewise.
        centres_B: The mean of the points' `x ** -b`, and `spreads_B` the sum of their squared distances from it.
        points: How many there are.
        deviation: Of a point.
    """

    likely_B: Floats
    intercepts_B: Floats
    slopes_B: Floats
    centres_B: Floats
    spreads_B: Floats
    points: int
    deviation: float

    def __call__(self, x: float) -> Foretold:
        """What another point would be, each exponent's prediction (of a line by least squares) as likely as it is."""
        powers_B = x**-EXPONENTS_B
        means_B = self.intercepts_B + self.slopes_B * powers_B
        apart_B = np.square(powers_B - self.centres_B) / self.spreads_B
        mean = float(self.likely_B @ means_B)
        variances_B = self.deviation**2 * (1 + 1 / self.points + apart_B) + np.square(means_B - mean)
        return Foretold(mean, math.sqrt(float(self.likely_B @ variances_B)))


def curve(points: Sequence[tuple[float, float]], deviation: float) -> Curve:
    """The law through two points or more.

    Args:
        points: Seconds, which are not the same in all, and bits per byte.
        deviation: How much another seed changes the latter.
    """
    from scipy.special import softmax  # noqa: PLC0415 (importing it takes longer than all else that `run` needs here)

    x_N, y_N = (np.array(values) for values in zip(*points, strict=True))
    powers_BxN = x_N ** -EXPONENTS_B[:, None]
    centres_B = powers_BxN.mean(axis=1)
    apart_BxN = powers_BxN - centres_B[:, None]
    spreads_B = np.square(apart_BxN).sum(axis=1)
    slopes_B = apart_BxN @ y_N / spreads_B
    intercepts_B = y_N.mean() - slopes_B * centres_B
    residuals_BxN = y_N - intercepts_B[:, None] - slopes_B[:, None] * powers_BxN
    surprise_B = np.square(residuals_BxN).sum(axis=1) / (2 * deviation**2)
    return Curve(
        likely_B=softmax(-surprise_B),
        intercepts_B=intercepts_B,
        slopes_B=slopes_B,
        centres_B=centres_B,
        spreads_B=spreads_B,
        points=len(points),
        deviation=deviation,
    )
