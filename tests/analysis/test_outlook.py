"""How far a study is, and what is left of it in time."""

import dataclasses

import pytest

from bakeoff.analysis.outlook import count_statuses, seconds_left
from bakeoff.analysis.rows import read_rows


def test_every_run_is_counted_once(fake_study):
    counted = count_statuses(read_rows(fake_study))
    assert counted == {"finished": 4, "running": 1, "diverged": 1, "failed": 1, "missing": 1}


def test_time_left_is_by_finished_runs_alike_or_else_by_all(fake_study):
    # Every finished run took 3 s of training and 1.5 s of the rest; half of number 6 is done; 4 and 5 are to be run.
    assert seconds_left(read_rows(fake_study)) == pytest.approx(4.5 + 4.5 + 4.5 / 2)


def test_what_an_interrupted_run_has_done_is_not_done_again(fake_study):
    rows = read_rows(fake_study)
    missing = dataclasses.replace(next(row for row in rows.rows if row.status == "running"), status="missing")
    others = tuple(row for row in rows.rows if row.finished)
    assert seconds_left(dataclasses.replace(rows, rows=(*others, missing))) == pytest.approx(4.5 / 2)


def test_runs_of_the_same_depth_count_first(make_fake_study, tmp_path):
    sums = {"nats": 1.0, "tokens": 1, "words": 1, "bytes": 1}

    def took(seconds):
        line = {"epoch": 2, "step": 1, "train_seconds": seconds, "train": sums, "valid": sums}
        return [line], {"status": "finished", "test": {"best": sums, "last": sums}}

    runs = {
        (1, "lstm", 1, "adam"): took(10.0),
        (2, "lstm", 2, "adam"): took(30.0),
        (3, "lstm", 2, "sgd"): took(50.0),
        (4, "lstm", 2, "adamw"): ([], None),
        (5, "gpt1", 1, "adam"): ([], None),
    }
    assert seconds_left(read_rows(make_fake_study(tmp_path / "fake", runs=runs))) == pytest.approx(40 + 30)


def test_nothing_left_takes_no_time_and_nothing_done_no_guess(make_fake_study, tmp_path):
    diverged = {(1, "lstm", 1, "adam"): ([], {"status": "diverged", "error": "…"})}
    missing = {(1, "lstm", 1, "adam"): ([], None)}
    assert seconds_left(read_rows(make_fake_study(tmp_path / "over", runs=diverged))) == 0
    assert seconds_left(read_rows(make_fake_study(tmp_path / "new", runs=missing))) is None
