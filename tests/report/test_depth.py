"""The gap between train and valid by depth."""

import dataclasses

import pytest

from bakeoff.report import depth


def deeper(study):
    one = next(row for row in study.rows if row.number == 1)
    return dataclasses.replace(study, rows=(*study.rows, dataclasses.replace(one, number=9, layers=2)))


def test_only_optimizers_with_several_depths_are_compared(study):
    assert depth.comparable(study) == []
    assert [row.number for row in depth.comparable(deeper(study))] == [1, 9]


def test_the_gap_is_taken_at_the_best_epoch_and_at_the_end(study):
    (one,) = [row for row in study.rows if row.number == 1]
    assert depth.gaps(study, one) == pytest.approx((0.1, 0.6), abs=0.02)
    assert depth.means(study, [one, one]) == {("LSTM with Adam", 1): pytest.approx((0.1, 0.6))}


def test_the_figure_is_drawn_with_a_mark_for_every_run(study, tmp_path):
    assert list(depth.draw(study, tmp_path)) == []
    (figure,) = depth.draw(deeper(study), tmp_path)
    assert figure.name == "gap-by-depth"
    assert figure.svg.count("#9 1-layer LSTM, Adam") + figure.svg.count("#9 2-layer LSTM, Adam") == 2
