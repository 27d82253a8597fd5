"""The front: nothing is both better and cheaper than what is on it."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.analysis import pareto
from bakeoff.analysis.rows import read_rows

CURVES = {
    (1, "lstm", 1, "adam"): [4.9, 4.8, 4.7],
    (2, "lstm", 2, "adam"): [4.9, 4.8, 4.6],
    (3, "lstm", 4, "adam"): [4.9, 4.8, 4.65],
}


def test_a_run_that_is_dearer_and_worse_is_not_on_the_front(build):
    rows = build(CURVES).rows
    assert [row.number for row in pareto.front(rows, pareto.parameters)] == [1, 2]


def test_of_runs_that_cost_the_same_only_the_best_is(build):
    rows = build(CURVES).rows
    assert [row.number for row in pareto.front(rows, pareto.memory)] == [2]
    assert [row.number for row in pareto.front(rows, lambda row: row.train_seconds)] == [2]


def test_what_has_no_cost_is_left_out(build):
    rows = [dataclasses.replace(row, memory=None) for row in build(CURVES).rows]
    assert pareto.front(rows, pareto.memory) == ()


@given(costs=st.lists(st.tuples(st.integers(1, 9), st.integers(4000, 4009)), min_size=1, max_size=8))
def test_every_run_is_on_the_front_or_beaten_by_one_that_is(example, costs):
    rows = [
        dataclasses.replace(
            example, number=n, learnable_parameters=cost, valid=dataclasses.replace(example.valid, nats=float(nats))
        )
        for n, (cost, nats) in enumerate(costs)
    ]
    front = pareto.front(rows, pareto.parameters)
    for row in rows:
        beaten = any(
            other.learnable_parameters <= row.learnable_parameters and other.valid.nats <= row.valid.nats
            for other in front
        )
        assert beaten


@pytest.fixture(scope="module")
def example(fake_study):
    return next(row for row in read_rows(fake_study).rows if row.finished)
