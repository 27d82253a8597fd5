"""Axes, colours and files."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakes
from bakeoff.report.figures import style
from bakeoff.report.figures.style import Axis


def perplexities(low, high):
    return style.perplexity(math.log(low), math.log(high))


def test_ticks_are_one_two_and_five_times_powers_of_ten_or_finer():
    assert style.log_ticks(33, 2560) == [50, 100, 200, 500, 1000, 2000]
    assert style.log_ticks(49, 248) == [50, 70, 100, 150, 200]
    assert style.log_ticks(255, 960) == [400, 600, 800]


@given(st.floats(1, 1e6), st.floats(1.2, 1e6))
def test_every_axis_has_some_ticks_and_all_are_on_it(low, factor):
    ticks = style.log_ticks(low, low * factor)
    assert 3 <= len(ticks) <= 60
    assert all(low * (1 - 1e-9) <= tick <= low * factor * (1 + 1e-9) for tick in ticks)


def test_an_axis_of_losses_draws_perplexity_and_holds_any_loss():
    y = perplexities(50, 500)
    assert y.drawn(math.log(100)) == pytest.approx(100)
    assert y.drawn(8471.0) == style.LARGEST
    assert y.height(math.log(500)) == pytest.approx(0)
    assert y.height(math.log(50)) == style.HEIGHT
    assert y.height(math.log(math.sqrt(50 * 500))) == pytest.approx(style.HEIGHT / 2)
    assert y.height(8471.0) == 0
    scale = y.channel("y")["scale"]
    assert (scale["type"], scale["domain"]) == ("log", [pytest.approx(50), pytest.approx(500)])


def test_a_plain_axis_leaves_its_values_alone():
    x = Axis(low=0, high=10, title="epoch")
    assert (x.drawn(7.0), x.share(5), x.share(20)) == (7.0, 0.5, 1.0)
    assert x.channel("x")["axis"]["grid"] is False


def test_the_axis_begins_where_the_contest_is(study):
    y = style.contest(study, [row for row in study.rows if row.model == "lstm"])
    assert math.log(300) > y.high > max(row.best_point.valid.loss for row in study.rows if row.finished)
    assert y.low < 4.5


def test_runs_that_learned_nothing_do_not_stretch_it_beyond_the_unigram(tmp_path):
    study = fakes.read_study(tmp_path / "study", {(1, "lstm", 1, "adam"): [4.6], (2, "lstm", 1, "sgd"): [5.6]})
    assert style.contest(study, study.rows).high == pytest.approx(5.2 + style.MARGIN)


def test_train_and_floors_are_on_the_axis(tmp_path):
    low = fakes.read_study(tmp_path / "low", {(1, "lstm", 1, "adam"): [4.6]}, gap=2.0)
    assert style.contest(low, low.rows).low == pytest.approx(4.5)
    assert style.contest(low, low.rows, train=True).low < 2.6
    high = fakes.read_study(tmp_path / "high", {(1, "lstm", 1, "adam"): [5.0]})
    assert style.contest(high, high.rows).low < 4.75


def test_colours_follow_the_registrys_order_and_differ(study):
    assert list(style.colours(study).items()) == list(zip(("Adam", "AdamW", "SGD"), style.COLOURS, strict=False))
    assert len(set(style.COLOURS)) == len(style.COLOURS) == len(style.DARK_COLOURS)


def test_more_kinds_than_dashes_begin_again():
    dashes = style.dashes(range(len(style.DASHES) + 1))
    assert dashes[0] == [1, 0] == dashes[len(style.DASHES)]
