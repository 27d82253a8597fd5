"""Schedules against their promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import spec
from bakeoff.optimizers import SCHEDULES
from bakeoff.spec import WARMUP, Budget


def rates(schedule, steps, **parts):
    """Of every step, and of the one after the last; parts of a schedule need a budget in steps."""
    budget = Budget(schedule=schedule, **({"steps": steps, "epoch_steps": steps} | parts if parts else {}))
    return [*map(SCHEDULES[schedule](budget, steps), range(steps + 1))]


def test_a_budget_may_name_each_of_them_and_no_other():
    assert tuple(SCHEDULES) == spec.SCHEDULES


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(steps=st.integers(1, 3000))
def test_rates_are_positive_at_every_step_and_reach_exactly_the_peak(schedule, steps):
    found = rates(schedule, steps)[:-1]
    assert min(found) > 0
    assert max(found) == 1.0


@given(steps=st.integers(1, 3000))
def test_the_linear_schedule_is_two_straight_lines_that_start_and_end_one_step_from_zero(steps):
    found = np.array([0.0, *rates("linear", steps)])  # one place before the first step, one after the last
    peak = int(found.argmax())
    assert peak == max(1, round(WARMUP * steps))
    np.testing.assert_allclose(found[: peak + 1], np.linspace(0, 1, peak + 1), atol=1e-12)
    np.testing.assert_allclose(found[peak:], np.linspace(1, 0, len(found) - peak), atol=1e-12)


@given(steps=st.integers(1, 3000))
def test_the_warm_up_is_the_linear_schedules_and_then_stays(steps):
    warmup, linear = (rates(name, steps) for name in ("warmup", "linear"))
    rising = max(1, round(WARMUP * steps))
    assert warmup[:rising] == linear[:rising]
    assert set(warmup[rising:]) <= {1.0}


def test_the_constant_schedule_never_moves():
    assert set(rates("constant", 7)) == {1.0}


@st.composite
def trapezoids(draw):
    steps = draw(st.integers(2, 3000))
    rising = draw(st.integers(1, steps - 1))
    return {
        "steps": steps,
        "epoch_steps": 1,
        "warmup_steps": rising,
        "decay_steps": draw(st.integers(1, steps - rising)),
    }


@given(budget=trapezoids())
def test_with_a_decay_of_its_own_it_is_three_straight_lines(budget):
    steps, rising, falling = budget["steps"], budget["warmup_steps"], budget["decay_steps"]
    found = [0.0, *rates("linear", **budget)]
    np.testing.assert_allclose(found[: rising + 1], np.linspace(0, 1, rising + 1), atol=1e-12)
    assert set(found[rising : steps - falling + 1]) == {1.0}
    np.testing.assert_allclose(found[steps - falling :], np.linspace(1, 0, falling + 2), atol=1e-12)


@given(budget=trapezoids(), more=st.integers(1, 1000))
def test_a_longer_run_with_the_same_warm_up_has_the_same_rates_to_the_bit_until_the_shorter_one_decays(budget, more):
    longer = budget | {"steps": budget["steps"] + more}
    same = budget["steps"] - budget["decay_steps"]
    assert rates("linear", **longer)[:same] == rates("linear", **budget)[:same]


def test_the_end_of_a_warm_up_of_so_many_steps_is_the_peak():
    assert rates("warmup", 10, warmup_steps=4)[:6] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
