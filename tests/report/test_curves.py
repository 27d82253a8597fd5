import json

import pytest

from bakeoff.analysis.rows import read_rows
from bakeoff.report import curves, style


@pytest.fixture(scope="module")
def study(fake_study):
    return read_rows(fake_study)


def spec_of(study, number, axis="epochs"):
    rows = [row for row in study.rows if row.number == number]
    return curves._chart(study, rows, axis, curves._domain(study, rows[0].model)).to_dict()


def test_runs_of_an_architecture_share_their_axis(study):
    domains = {number: curves._domain(study, model) for number, model in ((1, "lstm"), (7, "lstm"), (8, "gpt1"))}
    assert domains[1] == domains[7] != domains[8]


def test_the_axis_reaches_from_below_everything_to_above_the_uniform_floor(study):
    low, high = curves._domain(study, "lstm")
    points = [point for row in study.rows if row.model == "lstm" for point in row.history]
    assert low < min(point.train.perplexity for point in points)
    assert low < study.lowest_floor.valid.perplexity
    assert high > study.uniform.valid.perplexity


def test_every_floor_is_drawn_and_labelled(study):
    drawn = json.dumps(spec_of(study, 1))
    for baseline in study.baselines:
        assert f'"{baseline.name} ' in drawn


def test_a_curve_has_its_optimizers_colour_on_both_axes(study):
    for axis in curves.AXES:
        assert style.colours(study.study)["Momentum"] in json.dumps(spec_of(study, 7, axis))
        assert style.colours(study.study)["Adam"] not in json.dumps(spec_of(study, 7, axis))


def test_the_best_epoch_alone_is_marked(study):
    (row,) = [row for row in study.rows if row.number == 1]
    marked = [value for value in curves._values(row, "epochs") if value["best"]]
    assert [(value["x"], value["curve"], value["label"]) for value in marked] == [(1, "valid", "90.02")]
