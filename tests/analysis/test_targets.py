"""Time to target."""

import dataclasses

import pytest

from bakeoff.analysis.targets import Target, crossing, crossings, targets

CURVES = {
    (1, "lstm", 1, "adam"): [4.9, 4.7, 4.6],
    (2, "lstm", 1, "adamw"): [5.1, 4.9, 4.7],
    (3, "lstm", 1, "sgd"): [5.3, 5.1, 4.9],
}


@pytest.fixture
def study(build):
    return build(CURVES)


def test_targets_are_the_floors_and_the_median_experiment_the_easiest_first(study):
    assert [(t.name, round(t.loss, 2)) for t in targets(study)] == [
        ("unigram", 5.2),
        ("kn2", 5.0),
        ("kn3", 4.8),
        ("kn3+cache", 4.75),
        ("median", 4.7),
    ]


def test_a_crossing_lies_between_two_evaluations(study):
    found = crossing(study.rows[0], Target(name="kn3", loss=4.8))
    assert (found.after, found.by) == (2.0, 4.0)


def test_as_good_as_the_target_is_there(study):
    assert crossing(study.rows[0], Target(name="median", loss=4.7)).by == 4.0


def test_a_miss_has_no_time(study):
    found = crossing(study.rows[0], Target(name="far", loss=1.0))
    assert (found.after, found.by) == (6.0, None)


def test_the_soonest_come_first_and_misses_last(study):
    found = crossings(study.rows, Target(name="kn3", loss=4.8))
    assert [(c.row.number, c.by) for c in found] == [(1, 4.0), (2, 6.0), (3, None)]


def test_runs_that_shared_the_machine_do_not_count(study):
    rows = [dataclasses.replace(row, alone=row.number != 1) for row in study.rows]
    assert [c.row.number for c in crossings(rows, Target(name="kn3", loss=4.8))] == [2, 3]
