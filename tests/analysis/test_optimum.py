import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bakeoff.analysis.optimum import DRIFT, MISSED, left_open, optimum, within

places = st.lists(st.integers(-64, 32).map(lambda eighths: eighths / 8), min_size=3, max_size=9, unique=True)


def by_rate(places, loss):
    return {10 ** (place / 2): loss(place) for place in places}


@given(places, st.floats(-8, 4), st.floats(0.05, 5))
def test_the_lowest_point_of_a_parabola_is_found_wherever_trials_lie_around_it(places, best, steepness):
    nearest, second = sorted(places, key=lambda place: abs(place - best))[:2]
    assume(abs(second - best) - abs(nearest - best) > 1e-6)  # else either may be the best trial
    found = optimum(by_rate(places, lambda place: 3 + steepness * (place - best) ** 2))
    if nearest in (min(places), max(places)):
        assert found is None
        return
    assert found.place == pytest.approx(best, abs=1e-6)
    assert found.steepness == pytest.approx(steepness, rel=1e-6)
    assert found.rate == pytest.approx(10 ** (best / 2), rel=0.051)


@given(st.lists(st.floats(2, 6), min_size=7, max_size=7, unique=True))
def test_it_is_numpys_parabola_through_the_best_and_its_neighbours_and_never_nearer_to_one_of_these(losses):
    found, best = optimum(dict(zip(10.0 ** np.arange(-3, 0.5, 0.5), losses, strict=True))), int(np.argmin(losses))
    if best in (0, 6):
        assert found is None
        return
    square, slope, _ = np.polyfit([-1, 0, 1], losses[best - 1 : best + 2], 2)
    assert found.steepness == pytest.approx(square)
    assert found.place == pytest.approx(best - 6 - slope / (2 * square))
    assert abs(found.place - (best - 6)) <= 0.5 + 1e-9


def test_nobody_goes_nearer_to_a_rate_that_diverged_and_the_others_give_the_shape():
    found = optimum({1e-3: 3.9, 3.1622776e-3: 3.4, 1e-2: 3.1, 3.1622776e-2: math.inf})
    assert found.steepness == pytest.approx(0.1)
    assert found.place == -4.0  # the parabola's is at -3
    straight = optimum({1e-3: 4.0, 1e-2: 3.0, 1e-1: 2.0, 1.0: math.inf})
    assert (straight.steepness, straight.place) == (0.0, -2.0)


@pytest.mark.parametrize(
    "trials", [{}, {1.0: 2.0}, {0.1: math.inf, 1.0: 2.0, 10.0: 3.0}, {0.1: 2.0, 1.0: 2.0, 9.0: 1.0}]
)
def test_too_few_trials_say_nothing(trials):
    assert optimum(trials) is None
    assert left_open(trials, 1.0) is None


def test_what_a_search_leaves_open_is_what_the_farthest_likely_rate_costs():
    coarse = by_rate((-5, -4, -3), lambda place: 3 + 0.4 * (place + 4) ** 2)
    fine = by_rate((-5, -4.5, -4, -3.5, -3), lambda place: 3 + 0.4 * (place + 4) ** 2)
    assert left_open(coarse, 0.01) == pytest.approx(0.4 * (DRIFT + MISSED) ** 2)
    assert left_open(fine, 0.01) == pytest.approx(0.4 * (DRIFT + MISSED / 2) ** 2)
    assert left_open(fine, 0.1) == pytest.approx(0.4 * (2 + DRIFT + MISSED / 2) ** 2)
    assert within(0.5) == pytest.approx(1.88, abs=0.01)
