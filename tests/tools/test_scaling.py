"""Scaling: one size is varied at a time, and what is drawn is what was measured."""

import json

import pytest

import scaling
from bakeoff.bench.cases import CASES
from bakeoff.models import GPT1, LSTM


@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: case.name)
def test_one_size_is_varied_and_the_others_stay(case):
    assert scaling.varied(case, "vocabulary", 999).vocabulary == 999
    assert scaling.varied(case, "sequence length", 17).length == 17
    assert scaling.varied(case, "layers", 3).architecture.layers == 3
    wide = scaling.varied(case, "width", 256)
    assert (wide.vocabulary, wide.length) == (case.vocabulary, case.length)


def test_a_wider_model_is_wider_everywhere():
    gpt1, lstm = (scaling.varied(case, "width", 256).architecture for case in CASES[:2])
    assert gpt1 == GPT1(width=256, heads=8)
    assert lstm == LSTM(embedding=256, hidden=256)


def test_time_is_that_of_the_slowest_shared_by_the_tokens_of_all(monkeypatch):
    class Pretender:
        made = 0

        def __init__(self, name, case, threads):
            Pretender.made += 1
            self.seconds = float(Pretender.made)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            pass

        def turn(self, steps):
            return {"seconds": steps * self.seconds}

    monkeypatch.setattr(scaling, "Contestant", Pretender)
    assert scaling.microseconds(CASES[0], 1, runs=2) == pytest.approx(1e6 * 2.0 / (2 * CASES[0].tokens))


def test_the_figure_holds_every_axis_and_the_numbers_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(scaling, "microseconds", lambda case, threads, runs=1: 10.0 * threads / runs)
    monkeypatch.setattr(scaling.sys, "argv", ["", str(tmp_path)])
    scaling.main()
    points = json.loads((tmp_path / "scaling.json").read_text())
    assert {point["axis"] for point in points} == {*scaling.AXES, scaling.CORES}
    svg = (tmp_path / "scaling.svg").read_text()
    for axis in scaling.AXES:
        assert axis in svg
    assert (tmp_path / "scaling.png").stat().st_size > 1000
