"""Loss by how frequent a token is."""

import dataclasses

import pytest

from bakeoff.analysis.measured import Deciles
from bakeoff.report import deciles


@pytest.fixture
def counted(study):
    """The study with deciles in every evaluation of valid, as new histories have them."""
    known = Deciles(nats=tuple(float(place) for place in range(1, 11)), tokens=(1,) * 9 + (0,))
    rows = [
        dataclasses.replace(
            row, history=tuple(dataclasses.replace(point, valid_deciles=known) for point in row.history)
        )
        for row in study.rows
    ]
    deep = dataclasses.replace(rows[0], number=9, layers=3)
    return dataclasses.replace(study, rows=(*rows, deep))


def test_one_run_of_each_optimizer_at_the_depth_that_most_share(counted):
    assert [row.number for row, _ in deciles.comparable(counted, "lstm")] == [1, 2, 7]


def test_old_histories_have_no_figure(study, tmp_path):
    assert list(deciles.draw(study, tmp_path)) == []


def test_every_optimizer_has_a_labelled_line_and_empty_deciles_none(counted, tmp_path):
    figures = {figure.name: figure for figure in deciles.draw(counted, tmp_path)}
    assert list(figures) == ["deciles-lstm", "deciles-gpt1"]
    for title in ("Adam", "SGD", "Momentum"):
        assert f">{title}</text>" in figures["deciles-lstm"].svg
    assert "decile 9: 9.00 nats per token" in figures["deciles-lstm"].svg
    assert "decile 10:" not in figures["deciles-lstm"].svg
