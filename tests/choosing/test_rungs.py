import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.choosing import rungs


@given(st.floats(0.0, 1e6), st.integers(1, 12), st.floats(0.1, 1e4))
def test_rungs_keep_to_the_time_get_fewer_and_longer_and_tell_something(seconds, contenders, shortest):
    planned = rungs.plan(seconds, contenders, shortest)
    assert math.fsum(rung.all_seconds for rung in planned) <= seconds * (1 + 1e-9)
    assert all(rung.seconds >= shortest for rung in planned)
    assert len(planned) != 1 or planned[0].seconds == shortest
    for before, after in itertools.pairwise(planned):
        assert after.contenders == max(min(2, before.contenders), -(-before.contenders // 2))
        assert after.seconds == pytest.approx(rungs.GROWTH * before.seconds)
        assert (before.repeated, after.rates) == (0, rungs.RATES)
    if planned:
        assert planned[0].rates == (1 if planned[0].contenders > 1 else rungs.RATES), "one by itself is not compared"
        assert planned[0].contenders <= contenders
        assert planned[-1].repeated in (0, 2)
    else:  # one contender on one rung would not have had the time
        assert seconds < rungs.RATES * shortest * (1 + 1e-9)


def test_where_the_time_is_short_the_last_contenders_are_not_tried():
    def planned(seconds):
        return [(rung.contenders, rung.repeated) for rung in rungs.plan(seconds, 4, 1.0)]

    assert planned(70.0) == [(4, 0), (2, 0), (2, 2)]
    assert planned(55.0) == [(4, 0), (2, 0), (2, 0)]  # rungs before seeds
    assert planned(6.0) == [(4, 2)]
    assert planned(5.0) == [(4, 0)]
    assert planned(2.0) == [(2, 0)]
    assert rungs.plan(3.0, 1, 1.0) == (rungs.Rung(contenders=1, rates=2, seconds=1.0),)
    assert rungs.plan(1.0, 4, 1.0) == ()


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        ({}, (0.02, 0.01)),
        ({0.02: math.inf}, (0.01, 0.005)),
        ({0.02: math.inf, 0.01: math.inf}, (0.005, 0.0025)),
        ({0.02: 1.5, 0.01: 1.6}, (0.02, 0.04)),
        ({0.02: 1.6, 0.01: 1.5}, (0.01, 0.005)),
        ({0.02: 1.6, 0.01: math.inf}, (0.02, 0.04)),
        ({0.01: 1.7, 0.02: 1.5, 0.04: 1.6}, (0.02, math.sqrt(0.02 * 0.04))),
    ],
)
def test_the_next_rates_bracket_the_best_one(tried, expected):
    assert rungs.rates(0.02, tried) == pytest.approx(expected)


@given(st.floats(10, 4000), st.integers(1, 4), st.floats(1, 20), st.floats(20, 400))
def test_on_a_small_text_no_trial_is_longer_than_helps(seconds, contenders, shortest, longest):
    planned = rungs.plan(seconds, contenders, shortest, longest)
    assert sum(rung.all_seconds for rung in planned) <= seconds * (1 + 1e-9)
    assert all(shortest <= rung.seconds <= longest * (1 + 1e-9) for rung in planned)
    assert bool(planned) == bool(rungs.plan(seconds, contenders, shortest))


@given(st.floats(-6, 0), st.floats(-6, 0), st.integers(2, 8))
def test_rates_come_closer_to_the_best_one(best, centre, rounds):
    """On a curve with one minimum, each round ends at least as close to it as the one before."""
    tried, distances = {}, []
    for _ in range(rounds):
        for rate in rungs.rates(10.0**centre, tried):
            tried[rate] = abs(math.log10(rate) - best)
        distances.append(min(tried.values()))
    assert distances == sorted(distances, reverse=True)


def test_a_run_has_the_steps_that_fit():
    assert rungs.steps(60.0, a_step=0.05, measuring=10.0) == 1000
    assert rungs.steps(10.0, a_step=0.05, measuring=10.0) == rungs.FEWEST_STEPS
