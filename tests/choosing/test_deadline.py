"""The last run beside other programs, on a clock that is told what a step takes."""

import pytest

from bakeoff.choosing.deadline import WORTH, Deadline, OverdueError, RescheduledError
from bakeoff.choosing.search import Schedule

PLANNED = Schedule.of(1000, evaluations=10)


def watched(pace, checkpoints=range(0, 1001, 100), most=10**9):
    """Follow a run of 1,000 steps in 102 seconds, whose steps take so long each, by their number: the seconds left.

    Checkpoints are written after the steps that are named, and not after every evaluation.
    """
    clock = [102.0]
    deadline = Deadline(schedule=PLANNED, left=lambda: clock[0], late=3.0, lost=6.0, restarting=1.0, most=most)
    deadline({"event": "start", "steps": PLANNED.steps})
    deadline({"event": "evaluation", "step": 0})
    for step in range(1, PLANNED.steps + 1):
        clock[0] -= pace(step)
        deadline({"event": "step", "step": step})
        if step % PLANNED.epoch_steps == 0:
            deadline({"event": "evaluation", "step": step})
        if step in checkpoints:
            deadline({"event": "checkpoint", "step": step})
    return clock[0]


def test_a_run_that_will_be_a_little_late_is_left_alone():
    assert watched(lambda step: 0.104) == pytest.approx(-2.0)


def test_a_run_that_will_be_late_decays_earlier_and_ends_in_time():
    with pytest.raises(RescheduledError) as found:
        watched(lambda step: 0.15)
    earlier = found.value.schedule
    assert (earlier.epoch_steps, earlier.warmup_steps) == (PLANNED.epoch_steps, PLANNED.warmup_steps)
    assert earlier.steps == 100 + int((102 - 15 - 1) / 0.15)
    assert earlier.decay_steps == round(earlier.steps / 2)
    assert earlier.steps - earlier.decay_steps >= 100


def test_it_goes_on_from_a_checkpoint_and_what_is_decided_waits_for_one():
    with pytest.raises(RescheduledError) as found:
        watched(lambda step: 0.15, checkpoints=[0, 250])
    earlier = found.value.schedule
    assert earlier.steps == 250 + int((102 - 37.5 - 1) / 0.15)
    with pytest.raises(OverdueError):
        watched(lambda step: 0.15, checkpoints=[0])


def test_where_little_is_left_it_decays_at_once():
    with pytest.raises(RescheduledError) as found:
        watched(lambda step: 0.1 if step <= 300 else 0.5)
    earlier = found.value.schedule
    assert earlier.steps - earlier.decay_steps == 400


def test_what_decays_already_is_stopped_where_the_time_is_up():
    with pytest.raises(OverdueError):
        watched(lambda step: 0.1 if step <= 500 else 1.0)


def test_a_run_that_will_be_early_goes_on_for_longer_and_ends_in_time():
    with pytest.raises(RescheduledError) as found:
        watched(lambda step: 0.08)
    later = found.value.schedule
    assert later.steps == 100 + int((102 - 8 - 2) / 0.08)
    assert later.decay_steps == round(later.steps / 2)
    assert (later.epoch_steps, later.warmup_steps) == (PLANNED.epoch_steps, PLANNED.warmup_steps)


def test_what_is_hardly_worth_a_stop_is_left_unused():
    pace = (102 - 1) / (PLANNED.steps * (1 + 0.9 * WORTH))
    assert watched(lambda step: pace) == pytest.approx(102 - PLANNED.steps * pace)


def test_what_has_read_the_text_often_enough_is_not_made_longer():
    assert watched(lambda step: 0.05, most=1030) == pytest.approx(52.0)
    with pytest.raises(RescheduledError) as found:
        watched(lambda step: 0.05, most=1200)
    assert found.value.schedule.steps == 1200


def test_what_comes_to_be_a_little_late_while_it_decays_is_let_to_its_end():
    assert watched(lambda step: 0.1 if step <= 500 else 0.115) == pytest.approx(-5.5)


def test_what_decays_already_is_not_made_longer():
    assert watched(lambda step: 0.1 if step <= 500 else 0.01) == pytest.approx(47.0)
