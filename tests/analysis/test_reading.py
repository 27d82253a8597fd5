"""What lies in the folders of runs is read, once where it is over."""

import dataclasses

import pytest

import fakes
from bakeoff.analysis import diagnosis
from bakeoff.analysis.reading import read_rows
from bakeoff.run_folder import RunFolder


def test_runs_with_other_seeds_than_the_declared_ones_are_read_where_they_are_asked_for(tmp_path):
    found = fakes.write_study(tmp_path / "fake", {(1, "lstm", 1, "adam"): fakes.falling(4.5)})
    fakes.write_run(found.run("01-lstm-1-adam/seed-7"), fakes.falling(4.4), ending={})
    assert [(row.seed, row.status) for row in read_rows(found).rows] == [(0, "finished")]
    told = [(row.seed, row.status) for row in read_rows(found, (0, 7, 8)).rows]
    assert told == [(0, "finished"), (7, "finished"), (8, "missing")]


def test_what_is_over_is_read_once_unless_it_has_changed(tmp_path, monkeypatch):
    curves = {(1, "lstm", 1, "adam"): fakes.falling(4.5), (2, "lstm", 1, "sgd"): [4.7]}
    study = fakes.write_study(tmp_path / "fake", curves, endings={2: None})
    known, read, before = {}, [], RunFolder.read
    monkeypatch.setattr(RunFolder, "read", lambda run: read.append(run.path.parent.name[:2]) or before(run))

    def as_read_anew():
        diagnosed = read_rows(study).rows
        nothing = {"diagnosis": None, "diagnosis_rule": None, "diagnosis_text": None}
        assert all(row.diagnosis for row in diagnosed if row.finished)
        return tuple(dataclasses.replace(row, **nothing) for row in diagnosed)

    rows = [read_rows(study, known=known) for _ in range(2)]
    assert rows[0].rows == rows[1].rows == as_read_anew()
    assert read == ["01", "02", "02", "01", "02"], "the first is over"
    run = study.run("01-lstm-1-adam/seed-0")
    fakes.write_run(run, fakes.falling(4.4), ending={})
    assert read_rows(study, known=known).rows == as_read_anew() != rows[0].rows


def test_a_run_that_was_over_before_its_memory_was_read_has_none(tmp_path):
    unread = {"average_bytes": 0, "peak_bytes": 0, "resting_bytes": 0, "baseline_bytes": 5, "kind": "live"}
    runs, endings = {(1, "lstm", 1, "adam"): fakes.falling(4.5)}, {1: {"memory": unread}}
    assert fakes.read_study(tmp_path, runs, endings=endings).rows[0].memory is None


def test_parts_of_the_memory_are_there_where_the_study_declares_them(tmp_path):
    parts = {"weights": 1, "gradients": 2, "optimizer_state": 3, "activations": 4, "logits": 5}
    for name, memory in (("told", parts), ("untold", None)):
        rows = fakes.read_study(
            tmp_path / name,
            {(1, "lstm", 1, "adam"): [4.5]},
            edit=lambda study, memory=memory: study["experiments"][0].update(memory=memory),
        ).rows
        assert rows[0].memory_parts == memory


def test_the_share_of_clipped_steps_is_the_mean_over_epochs(tmp_path):
    rows = fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): [4.6, 4.5], (2, "lstm", 1, "sgd"): None}).rows
    assert [row.clipped for row in rows] == [pytest.approx(0.1), None]


def test_a_run_that_a_rule_cannot_judge_is_said_to_be_so(tmp_path, monkeypatch):
    broken = dataclasses.replace(diagnosis.RULES[0], when=lambda case: 1 / 0)
    monkeypatch.setattr(diagnosis, "RULES", (broken, *diagnosis.RULES))
    row = fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): [4.5]}).rows[0]
    assert (row.diagnosis, row.diagnosis_rule) == ("not diagnosed", None)
    assert "ZeroDivisionError" in row.diagnosis_text
