"""What is put aside is in no choice's text, and intervals are made and held beside real runs."""

import re
import sys

import pytest

import intervals
from bakeoff.choosing import fitting, rungs
from bakeoff.experiments import Scale


def test_a_document_is_one_paragraph():
    assert intervals.paragraph("= A =\n\n one \n \ntwo\n") == "= A =\n one \ntwo"


def test_what_is_put_aside_is_no_part_of_the_rest(monkeypatch):
    monkeypatch.setattr(intervals, "UNSEEN", 30)
    unseen, rest = intervals.dealt([f"paragraph {number}" for number in range(10)])
    assert [*unseen, *rest] == [f"paragraph {number}" for number in range(10)]
    assert len(unseen) == 3
    assert intervals.dealt(["one", "other"]) == (["one"], ["other"])


@pytest.mark.slow
def test_every_choice_is_measured_on_what_no_choice_has_seen(monkeypatch, tiny_corpus_file, tmp_path, capsys):
    scale = Scale(minutes=0, megabytes=0, vocabulary=300, layers=1, width=64, batch_size=4)
    monkeypatch.setattr(fitting, "SCALES", (scale,))
    monkeypatch.setattr(fitting, "LENGTH", 16)
    monkeypatch.setattr(rungs, "FEWEST_STEPS", 2)
    monkeypatch.setattr(intervals, "UNSEEN", 5000)
    text = tmp_path / "text.txt"
    text.write_text(40 * (tiny_corpus_file.read_text(encoding="utf-8") + "\n"), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["intervals", str(text), "3", "2"])
    intervals.main()
    *lines, last = capsys.readouterr().out.splitlines()
    told = [tuple(map(float, re.findall(r"\d\.\d+", line))) for line in lines if " from " in line]
    assert 1 <= len(told) <= 2, "one may be cut off"
    assert all(low < mean < high and 1 < cost < 9 for mean, low, high, cost in told)
    held = sum(low <= cost <= high for _, low, high, cost in told)
    assert last.startswith(f"of {len(told)} intervals {held} hold what their own model costs")
