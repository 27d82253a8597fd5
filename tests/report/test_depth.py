"""The gap between train and valid by depth."""

import dataclasses

import pytest

from bakeoff.analysis.measured import Deciles
from bakeoff.report import depth


def deeper(study):
    one = next(row for row in study.rows if row.number == 1)
    return dataclasses.replace(study, rows=(*study.rows, dataclasses.replace(one, number=9, layers=2)))


def test_only_optimizers_with_several_depths_are_compared(study):
    assert depth.comparable(study) == []
    assert [row.number for row in depth.comparable(deeper(study))] == [1, 9]


def test_the_gap_is_taken_at_the_best_epoch_and_at_the_end(study):
    (one,) = [row for row in study.rows if row.number == 1]
    assert depth.gaps(one) == pytest.approx((0.1, 0.6))
    assert depth.means([one, one]) == {("LSTM with Adam", 1): pytest.approx((0.1, 0.6))}


def test_the_gap_is_at_an_equal_mix_of_tokens_where_that_is_known(study):
    point = study.rows[0].history[0]
    train = Deciles(nats=(1.0, 8.0), tokens=(1, 2))
    valid = Deciles(nats=(4.0, 5.0), tokens=(2, 1))
    mixed = dataclasses.replace(point, train_deciles=train, valid_deciles=valid)
    assert depth.gap(mixed) == pytest.approx((1 * (2.0 - 1.0) + 2 * (5.0 - 4.0)) / 3)


def test_the_figure_is_drawn_with_a_mark_for_every_run(study, tmp_path):
    assert list(depth.draw(study, tmp_path)) == []
    (figure,) = depth.draw(deeper(study), tmp_path)
    assert figure.name == "gap-by-depth"
    assert figure.svg.count("#9 1-layer LSTM, Adam") + figure.svg.count("#9 2-layer LSTM, Adam") == 2
