"""Loss by how frequent a token is."""

import dataclasses

import pytest

from bakeoff.analysis.evaluations import Parts
from bakeoff.reporting.figures import deciles


def with_deciles(study, change):
    rows = [
        dataclasses.replace(row, history=tuple(dataclasses.replace(p, valid_deciles=change(row)) for p in row.history))
        for row in study.rows
    ]
    return dataclasses.replace(study, rows=tuple(rows))


def test_optimizers_are_compared_at_the_depth_that_most_share_the_best_first(study):
    found = deciles.comparable(study, "lstm")
    assert [e.number for e in found] == [2, 1]
    assert [decile for decile, _ in next(iter(found.values()))] == list(range(1, 11))


def test_seeds_are_averaged_and_deciles_without_a_token_left_out(study):
    def change(row):
        return Parts(nats=(row.seed + 1.0, row.seed + 4.0, 0.0), tokens=(1, 2, 0))

    found = deciles.comparable(with_deciles(study, change), "lstm")
    assert next(iter(found.values())) == [(1, pytest.approx(1.5)), (2, pytest.approx(2.25))]


def test_old_histories_have_no_figure(study):
    assert list(deciles.draw(with_deciles(study, lambda row: None))) == []


def test_every_optimizer_is_measured_against_the_best(drawn):
    svg = drawn.named["deciles-lstm"].svg
    assert "nats per token behind #2" in svg
    assert ">#1 Adam</text>" in svg
    assert "#2 1-layer LSTM, AdamW, decile 1: 0.000 nats" in svg
    assert "#1 1-layer LSTM, Adam, decile 10: 0.10 nats" in svg
