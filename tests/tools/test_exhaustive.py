"""Every contender gets all of the time at every rate, and a choice is compared with the best of them."""

import re
import sys

import pytest

import exhaustive
from bakeoff.choosing import fitting, rungs
from bakeoff.experiments import Scale


@pytest.mark.slow
def test_every_contender_is_trained_at_every_rate_and_a_repeated_call_trains_nothing(
    monkeypatch, tiny_corpus_file, tmp_path, capsys
):
    scale = Scale(minutes=0, megabytes=0, vocabulary=300, layers=1, width=64, batch_size=4)
    monkeypatch.setattr(fitting, "SCALES", (scale,))
    monkeypatch.setattr(fitting, "LENGTH", 16)
    monkeypatch.setattr(rungs, "FEWEST_STEPS", 2)
    whole, given = exhaustive.whole, []
    monkeypatch.setattr(exhaustive, "whole", lambda *args: given.append(args[2]) or whole(*args[:2], 0.5))
    monkeypatch.chdir(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text(4 * tiny_corpus_file.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["exhaustive", str(text), "1"])
    exhaustive.main()
    told = capsys.readouterr().out
    rows = re.findall(r"^\| (.*) \| [\d,]+ \| \d\.\d \| (\d\.\d+) \| \d\.\d+ \|$", told, re.MULTILINE)
    (_, chosen), *others = [(what, float(bits)) for what, bits in rows]
    assert len(others) == 4 * len(exhaustive.FACTORS)
    assert len({what for what, _ in others}) == len(others)
    cost = chosen - min(bits for _, bits in others)
    last = re.search(r"^the search costs (-?\d\.\d+) bits per byte,", told, re.MULTILINE)
    assert float(last[1]) == pytest.approx(cost, abs=1.1e-4)  # of numbers that are rounded
    assert set(given) == {60}
    made = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("history.jsonl"))
    exhaustive.main()
    assert capsys.readouterr().out == told
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("history.jsonl")) == made
