"""Quality against what it costs."""

import dataclasses
import re
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakes
from bakeoff.analysis import timing
from bakeoff.reporting.figures import costs


def experiment(study, number):
    return study.experiment(number)


def test_the_way_of_an_experiment_is_the_mean_of_the_best_so_far_of_its_seeds(study):
    way = dict(costs.path(experiment(study, 1)))
    # Its last epoch is worse, and changes nothing.
    assert way[4.0] == pytest.approx(4.61)
    assert way[6.0] == pytest.approx(4.61)
    losses = list(way.values())
    assert losses == sorted(losses, reverse=True)


def test_a_loss_is_reached_when_the_median_seed_is_there_and_only_if_all_are(study):
    assert costs.seconds_to(experiment(study, 2), 4.81) == 4.0
    assert costs.seconds_to(experiment(study, 2), 4.51) is None
    assert costs.seconds_to(experiment(study, 2), 1.0) is None


def test_one_run_that_was_slowed_down_makes_the_times_of_its_experiment_upper_bounds(study):
    assert [number for number in (1, 2, 4, 5) if not timing.is_exact(experiment(study, number))] == [4]


def test_upper_bounds_are_pale_and_marked(drawn):
    svg = drawn.named["pareto-time"].svg
    assert "#4 AdamW, LSTM ×2†</text>" in svg  # noqa: RUF001
    assert re.search(rf'class="run-4" opacity="{costs.PALE}"', svg)
    assert svg.count(f'opacity="{costs.PALE}"') == 1
    assert "† Pale: times are upper bounds" in drawn.named["pareto-time"].caption


def test_experiments_that_lost_a_run_are_in_no_figure_of_costs(drawn):
    for name in ("pareto-time", "pareto-memory", "parameters"):
        assert "#3" not in drawn.named[name].svg
        assert "#1" in drawn.named[name].svg


def test_the_front_holds_what_nothing_beats_in_both(tmp_path):
    curves = {(n, "lstm", 1, "adam"): [loss] for n, loss in enumerate((4.9, 4.7, 4.8, 4.7), start=1)}
    found = fakes.read_study(tmp_path / "study", curves)
    priced = [(value, found.experiment(n)) for value, n in ((1.0, 1), (3.0, 2), (2.0, 3), (4.0, 4))]
    assert [(value, e.number) for value, e in costs.front(priced)] == [(1.0, 1), (2.0, 3), (3.0, 2)]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=8))
def test_every_one_is_on_the_front_or_beaten_by_one_that_is(pairs):
    front = [(cost, e.loss) for cost, e in costs.front([(cost, SimpleNamespace(loss=loss)) for cost, loss in pairs])]
    assert all(any(cost <= c and loss <= at for cost, loss in front) for c, at in pairs)
    assert [cost for cost, _ in front] == sorted({cost for cost, _ in front})
    assert [loss for _, loss in front] == sorted({loss for _, loss in front}, reverse=True)


def test_memory_that_was_not_measured_has_no_point(study):
    one = dataclasses.replace(experiment(study, 1).rows[0], memory=None)
    bare = dataclasses.replace(experiment(study, 1), rows=(one,))
    assert costs.COSTS[0].of(bare) is None
    assert costs.COSTS[0].of(experiment(study, 1)) == 5.0
