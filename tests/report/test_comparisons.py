"""Quality against what it costs."""

import dataclasses

from bakeoff.report import comparisons


def test_finished_runs_alone_are_shown(study):
    time, memory, parameters = comparisons.COSTS
    for cost in (time, memory, parameters):
        assert sorted(row.number for _, row in comparisons.measured(study, cost)) == [1, 2, 7, 8]
    assert [value for value, row in comparisons.measured(study, memory) if row.number == 1] == [5.0]


def test_the_front_holds_what_nothing_beats_in_both_and_only_believed_times(study):
    time = comparisons.COSTS[0]
    one, two = (next(row for row in study.rows if row.number == number) for number in (1, 2))
    slow = dataclasses.replace(one, number=9)
    shared = dataclasses.replace(one, number=10, alone=False)
    shown = [(1.0, two), (2.0, one), (3.0, slow), (0.5, shared)]
    assert [row.number for _, row in comparisons.front(shown, time)] == [2, 1]
    assert comparisons.front(shown, comparisons.COSTS[2]) == []


def test_every_run_is_labelled_and_shapes_follow_the_registry(built, study):
    for name in ("pareto-time", "pareto-memory", "parameters"):
        for label in ("#1", "#2", "#7", "#8"):
            assert f">{label}</text>" in built.named[name].svg
    scale = comparisons.shape_scale(study).to_dict()
    assert scale == {"domain": ["LSTM", "GPT-1"], "range": ["circle", "square"]}


def test_labels_of_far_points_are_left_alone():
    values = [{"x": x, "number": number} for number, x in enumerate((1.0, 1.01, 90.0))]
    groups = comparisons._neighbours(values)
    assert [[value["number"] for value in group] for group in groups] == [[0, 1], [2]]


def test_several_seeds_are_one_point_an_experiment(seeds_built):
    svg = seeds_built.named["pareto-time"].svg
    assert "#1 1-layer LSTM, Adam (mean of 3 seeds): valid 99.48 at 3.00 seconds" in svg
    assert svg.count("(mean of 3 seeds)") == 2
    assert "every finished experiment (mean of its 3 seeds)" in seeds_built.named["pareto-time"].caption
