"""Axes, colours and files."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakes
from bakeoff.reporting.figures import style
from bakeoff.reporting.figures.style import Axis


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
    assert y.numbers() == [
        (pytest.approx(math.log10(tick / 50)), written)
        for tick, written in ((50, "50"), (70, "70"), (100, "100"), (150, "150"), (200, "200"), (300, "300"))
    ]


def test_a_plain_axis_leaves_its_values_alone():
    x = Axis(low=0, high=10, title="epoch")
    assert (x.drawn(7.0), x.share(5), x.share(20)) == (7.0, 0.5, 1.0)
    assert x.numbers() == [(share / 10, f"{share}") for share in range(0, 11, 2)]


def test_what_is_outside_of_an_axis_has_a_place_there():
    x = Axis(low=0, high=10, title="epoch")
    assert (x.place(-5), x.place(20)) == (-0.5, 2.0)
    assert perplexities(50, 500).place(math.log(5000)) == pytest.approx(2)


def test_ticks_of_ones_own_are_shown_where_they_are_on_the_axis():
    x = Axis(low=0.001, high=1, title="", log=True, ticks=style.decades(0.002, 5))
    assert [text for _, text in x.numbers()] == ["0.001", "0.01", "0.1", "1"]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_round_ticks_are_some_six_at_equal_distances_on_the_axis(low, size):
    ticks = style.round_ticks(low, low + size)
    slack = 1e-9 * (abs(low) + size)
    assert 3 <= len(ticks) <= 10
    assert all(low - slack <= tick <= low + size + slack for tick in ticks)
    steps = [after - before for before, after in itertools.pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps), abs=slack)


def test_numbers_are_written_without_an_exponent():
    assert [style.decimal(x) for x in (1e-5, 0.3, 1.0, 2e12, -0.2)] == ["0.00001", "0.3", "1", "2000000000000", "−0.2"]  # noqa: RUF001
    assert [style.scaled(x) for x in (900, 2000, 1.5e6, 2e9)] == ["900", "2k", "1.5M", "2G"]


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
