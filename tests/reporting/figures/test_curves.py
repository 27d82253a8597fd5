"""Learning curves."""

import re

import pytest

import fakes
from bakeoff.analysis import evaluations
from bakeoff.reporting.figures import curves


def row(study, number, seed=0):
    return next(row for row in study.rows if (row.number, row.seed) == (number, seed))


def test_curves_over_time_have_all_samples_and_those_over_epochs_the_evaluations(study):
    one = row(study, 1)
    assert curves.way(one, "epochs") == [(point.epoch, point.valid.loss) for point in one.history]
    assert curves.way(one, "time") == evaluations.curve(one.history)
    assert len(curves.way(one, "time")) == 13


def test_the_axis_reaches_the_last_evaluation_and_counts_whole_epochs(study):
    x = curves.horizontal([row(study, 1), row(study, 4)], "epochs")
    assert (x.high, list(x.ticks)) == (pytest.approx(3.06), [0, 1, 2, 3])
    assert curves.horizontal([row(study, 1)], "time").high == pytest.approx(6.12)


def test_a_curve_has_its_optimizers_colour_and_labels_of_both_ends(drawn):
    svg = drawn.named["02-epochs"].svg
    assert 'stroke="#D55E00"' in svg
    assert 'stroke="#0072B2"' not in svg
    assert ">valid 90.02</text>" in svg
    assert ">train 81.45</text>" in svg


def test_the_best_epoch_has_its_number_in_the_plot_only_if_it_is_not_the_last(drawn):
    assert drawn.named["01-epochs"].svg.count(">99.48</text>") == 1
    assert ">90.02</text>" not in drawn.named["02-epochs"].svg


def test_every_floor_in_reach_is_named_beside_the_plot(drawn):
    for label in ("unigram 181.3", "kn2 148.4", "kn3 121.5", "kn3+cache 115.6"):
        assert f">{label}</text>" in drawn.named["01-time"].svg


def test_a_run_of_infinite_perplexity_is_shown_where_it_began(drawn):
    figure = drawn.named["03-epochs"]
    assert ">valid ∞ ↑</text>" in figure.svg
    assert ">uniform 300.0</text>" in figure.svg
    assert "up to ∞" in figure.caption


def test_of_a_run_itself_the_start_alone_is_cut_though_train_lies_above_valid(tmp_path):
    def harder(study):
        study["baselines"][1]["train"] |= fakes.sums(5.6)

    study = fakes.read_study(tmp_path, {(1, "lstm", 1, "sgd"): [5.1]}, gap=-0.5, edit=harder)
    chart = next(curves.draw(study))
    assert "train 270.4" in str(chart.spec)
    assert "270.4 ↑" not in str(chart.spec)
    assert "Train lies above valid as its text is harder (unigram 270.4 against 181.3)." in chart.caption


def test_points_tell_their_values(drawn):
    told = 'aria-label="#1 1-layer LSTM, Adam, seed 1: epoch 2, 4.0 s: valid 101.5, train 91.84"'
    assert told in drawn.named["01-epochs"].svg


def test_a_panel_is_its_figure_without_what_is_around_the_plot(drawn):
    for figure, panel in zip(drawn.figures.alone, drawn.figures.panels, strict=True):
        assert (panel.experiment, panel.axis) == (figure.experiment, figure.axis)
        assert 'fill="none" stroke="' in panel.svg
        assert figure.title not in panel.svg
        assert "perplexity per token" not in panel.svg
        assert "unigram" not in panel.svg
        assert set(re.findall(r'font-size="(\d+)"', panel.svg)) == {str(curves.PANEL_FONT)}
        assert f"{figure.name}-small-clip" in panel.svg
        left, _, width, _ = map(float, re.search(r'viewBox="(\S+) (\S+) (\S+) (\S+)"', panel.svg).groups())
        assert left + width < 400
