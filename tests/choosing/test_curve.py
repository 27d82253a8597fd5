"""The law against formulas: what it foretells of curves that are such laws, and how sure it says it is."""

import numpy as np
import pytest

from bakeoff.choosing.curve import EXPONENTS_B, curve


@pytest.mark.parametrize("exponent", EXPONENTS_B[[2, 10, 18]])
def test_a_law_is_found_again(exponent):
    def law(x):
        return 0.8 + 1.2 * x**-exponent

    found = curve([(x, law(x)) for x in (1.0, 3.0, 9.0, 80.0)], 1e-4)
    assert found(800.0).mean == pytest.approx(law(800.0), abs=1e-3)


def test_a_line_is_as_sure_as_textbooks_say():
    """With one exponent far likelier than the others it is a line by least squares in `x ** -b`."""
    exponent = EXPONENTS_B[10]
    points = [(x, 1.0 + x**-exponent) for x in (1.0, 3.0, 9.0, 27.0, 81.0)]
    z = np.array([x**-exponent for x, _ in points])
    new, deviation = 200.0**-exponent, 1e-5
    expected = deviation * np.sqrt(1 + 1 / 5 + (new - z.mean()) ** 2 / np.square(z - z.mean()).sum())
    assert curve(points, deviation)(200.0).deviation == pytest.approx(expected, rel=1e-3)
