"""The way of a run between its evaluations."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakes
from bakeoff.analysis.evaluations import Point, SamplePoint, curve, way_down
from bakeoff.metrics import Tally

KEY = (1, "lstm", 1, "adam")
LOSSES = st.floats(0.5, 9)


def point(epoch, loss, samples=(), seconds=None):
    """An evaluation after so many epochs of 100 steps, of two seconds unless told otherwise."""
    tally = Tally(nats=loss * 1000, tokens=1000, words=600, bytes=3000)
    return Point(
        epoch=epoch,
        step=100 * epoch,
        train_seconds=2.0 * epoch if seconds is None else seconds,
        train=tally,
        valid=tally,
        running_perplexity=None,
        samples=tuple(samples),
    )


def sample(step, loss):
    return SamplePoint(step=step, train_seconds=step / 50, loss=loss)


def test_without_samples_the_curve_is_the_evaluations():
    assert curve([point(0, 6.0), point(1, 5.0)]) == [(0.0, 6.0), (2.0, 5.0)]
    assert curve([]) == []


def test_samples_of_an_easier_part_of_valid_lie_on_the_curve_of_all_of_it(tmp_path):
    row = fakes.read_study(tmp_path, {KEY: [5.0, 4.8]}, samples=3).rows[0]
    start = row.history[0].valid.loss
    found = curve(row.history)
    assert [seconds for seconds, _ in found] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    quarters = [start + (5.0 - start) * share for share in (0, 0.25, 0.5, 0.75)]
    assert [loss for _, loss in found] == pytest.approx([*quarters, 5.0, 4.95, 4.9, 4.85, 4.8])


def test_how_much_easier_the_part_is_may_change_on_the_way():
    history = [point(0, 6.0, [sample(0, 5.0)]), point(1, 5.0, [sample(25, 4.95), sample(100, 4.4)])]
    assert curve(history)[1] == (0.5, pytest.approx(4.95 + 0.9))


def test_a_sample_outside_of_what_is_known_takes_the_nearest_correction():
    history = [point(0, 6.0), point(1, 5.0, [sample(50, 5.0), sample(100, 4.6)])]
    assert curve(history)[1] == (1.0, pytest.approx(5.4))


@given(losses=st.lists(st.tuples(LOSSES, LOSSES, LOSSES), min_size=1, max_size=6), alone=st.booleans())
def test_the_way_down_never_rises_and_ends_at_the_best_evaluation(losses, alone):
    history = [point(0, 9.0, [sample(0, 9.0)])]
    for epoch, (valid, middle, end) in enumerate(losses, start=1):
        history.append(point(epoch, valid, [sample(100 * epoch - 50, middle), sample(100 * epoch, end)]))
    way = way_down(history, alone=alone)
    assert [moment.by for moment in way] == [seconds for seconds, _ in curve(history)]
    assert [moment.loss for moment in way] == sorted((moment.loss for moment in way), reverse=True)
    assert way[-1].loss == min(p.valid.loss for p in history)
    assert all(moment.earliest == (moment.by if alone else 0) for moment in way)


def test_a_stalled_run_might_have_been_as_fast_as_in_its_fastest_epoch():
    history = [point(0, 6.0, seconds=0.0), point(1, 5.0, seconds=3.0), point(2, 4.0, seconds=33.0)]
    stalled = [*history, dataclasses.replace(point(3, 3.0), train_seconds=35.0)]
    assert [(m.earliest, m.by) for m in way_down(stalled, alone=True)] == [(0, 0), (2, 3), (4, 33), (6, 35)]
    assert [(m.earliest, m.by) for m in way_down(stalled, alone=False)] == [(0, 0), (0, 3), (0, 33), (0, 35)]
