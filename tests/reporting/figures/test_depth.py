"""The generalization gap by depth."""

import pytest

from bakeoff.reporting.figures import depth


def test_only_what_was_trained_at_several_depths_is_compared(study):
    found = depth.by_depth(study)
    assert list(found) == ["LSTM, AdamW"]
    assert [(e.number, gap) for e, gap in found["LSTM, AdamW"]] == [(2, pytest.approx(0.1)), (4, pytest.approx(0.1))]


def test_the_figure_has_a_point_for_every_run(drawn):
    svg = drawn.named["gap-by-depth"].svg
    assert svg.count(": 0.10 nats") == 4
    assert ">LSTM, AdamW</text>" in svg
