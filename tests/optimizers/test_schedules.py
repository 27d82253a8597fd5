"""Schedules against their promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import spec
from bakeoff.optimizers import SCHEDULES, WARMUP


def test_a_budget_may_name_each_of_them_and_no_other():
    assert tuple(SCHEDULES) == spec.SCHEDULES


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(steps=st.integers(1, 3000))
def test_rates_are_positive_at_every_step_and_reach_exactly_the_peak(schedule, steps):
    rates = [SCHEDULES[schedule](steps)(step) for step in range(steps)]
    assert min(rates) > 0
    assert max(rates) == 1.0


@given(steps=st.integers(1, 3000))
def test_the_linear_schedule_is_two_straight_lines_that_start_and_end_one_step_from_zero(steps):
    schedule = SCHEDULES["linear"](steps)
    rates = np.array([0.0, *map(schedule, range(steps + 1))])  # one place before the first step, one after the last
    peak = int(rates.argmax())
    assert peak == max(1, round(WARMUP * steps))
    np.testing.assert_allclose(rates[: peak + 1], np.linspace(0, 1, peak + 1), atol=1e-12)
    np.testing.assert_allclose(rates[peak:], np.linspace(1, 0, len(rates) - peak), atol=1e-12)


@given(steps=st.integers(1, 3000))
def test_the_warm_up_is_the_linear_schedules_and_then_stays(steps):
    warmup, linear = (SCHEDULES[name](steps) for name in ("warmup", "linear"))
    rising = max(1, round(WARMUP * steps))
    assert [warmup(step) for step in range(rising)] == [linear(step) for step in range(rising)]
    assert {warmup(step) for step in range(rising, steps)} <= {1.0}


def test_the_constant_schedule_never_moves():
    assert {SCHEDULES["constant"](7)(step) for step in range(9)} == {1.0}
