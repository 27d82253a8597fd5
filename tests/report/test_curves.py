"""Learning curves, alone and as panels."""

import json

import pytest

from bakeoff.report import curves, floors, style


def spec_of(study, number, axis="epochs"):
    rows = [row for row in study.rows if row.number == number]
    y = curves.perplexity_axis(study, rows[0].model)
    chart = style.alt.layer(*floors.layers(study, y), *curves._curves(study, rows, axis, y))
    return style.as_spec(chart, title="")


def test_runs_of_an_architecture_share_their_axis_and_architectures_do_not(study):
    lstm, gpt1 = (curves.perplexity_axis(study, model) for model in ("lstm", "gpt1"))
    assert lstm != gpt1


def test_the_axis_reaches_from_below_everything_to_above_the_uniform_floor(study):
    axis = curves.perplexity_axis(study, "lstm")
    points = [point for row in study.rows if row.model == "lstm" for point in row.history]
    assert axis.low < min(point.train.perplexity for point in points)
    assert axis.low < study.lowest_floor.valid.perplexity
    assert axis.high > study.uniform.valid.perplexity
    assert axis.linear_high > study.unigram.valid.perplexity


def test_a_curve_has_its_optimizers_colour_on_both_axes(study):
    colours = style.colours(study.study)
    for axis in curves.AXES:
        assert colours["Momentum"] in json.dumps(spec_of(study, 7, axis))
        assert colours["Adam"] not in json.dumps(spec_of(study, 7, axis))


def test_the_best_epoch_alone_is_marked(study):
    (row,) = [row for row in study.rows if row.number == 1]
    marked = [value for value in curves._values(row, "epochs") if value["labelled"]]
    assert [(value["x"], value["curve"], value["label"]) for value in marked] == [(1, "valid", "90.02")]


@pytest.mark.parametrize("axis", curves.AXES)
def test_every_run_with_an_evaluation_has_a_panel_with_either_scale(built, axis):
    panels = {panel.experiment: panel for panel in built.figures.panels if panel.axis == axis}
    assert sorted(panels) == [1, 2, 3, 6, 7, 8]
    for panel in panels.values():
        assert panel.svg != panel.linear
        assert "mark-line" in panel.svg
        assert "mark-line" in panel.linear
