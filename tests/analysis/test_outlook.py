"""How far a study is, and what is left of it in time."""

import dataclasses

import pytest

import fakes
from bakeoff.analysis.outlook import count_statuses, seconds_left, what_is_next
from bakeoff.analysis.reading import read_rows
from bakeoff.at_work import Place


def test_every_run_is_counted_once(fake_study):
    counted = count_statuses(read_rows(fake_study))
    assert counted == {"finished": 4, "running": 1, "diverged": 1, "failed": 1, "damaged": 0, "missing": 1}


def test_time_left_is_by_finished_runs_alike_or_else_by_all(fake_study):
    # Every finished run took 8 s of training and 1.5 s of the rest; half of number 6 is done; 4 and 5 are to be run.
    assert seconds_left(read_rows(fake_study), {}) == pytest.approx(9.5 + 9.5 + 9.5 / 2)


def test_what_an_interrupted_run_has_done_is_not_done_again(fake_study):
    rows = read_rows(fake_study)
    missing = dataclasses.replace(next(row for row in rows.rows if row.status == "running"), status="missing")
    others = tuple(row for row in rows.rows if row.finished)
    assert seconds_left(dataclasses.replace(rows, rows=(*others, missing)), {}) == pytest.approx(9.5 / 2)


def test_a_run_that_trained_to_its_end_and_was_not_measured_is_not_nothing(tmp_path):
    study = fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): [5.0, 4.9, 4.8, 4.7]}, endings={1: None})
    assert [row.done for row in study.rows] == [study.length]
    assert 0 < seconds_left(study, {}) < 2


def test_runs_of_the_same_depth_count_first(tmp_path):
    curves = {
        (1, "lstm", 1, "adam"): [5.0],
        (2, "lstm", 2, "adam"): [5.0],
        (3, "lstm", 2, "sgd"): [5.0],
        (4, "lstm", 2, "adamw"): None,
        (5, "gpt1", 1, "adam"): None,
    }
    nothing = {"warmup_seconds": 0.0, "other_seconds": 0.0}  # an epoch of training takes two seconds
    endings = {number: nothing | {"evaluation_seconds": 10.0 * n} for number, n in ((1, 1), (2, 3), (3, 5))}
    study = fakes.read_study(tmp_path, curves, endings=endings)
    assert seconds_left(study, {}) == pytest.approx((2 + 40) + (2 + 30))


def test_until_a_run_has_finished_those_at_work_are_what_there_is_to_go_by(tmp_path):
    curves = {(1, "lstm", 1, "adam"): [5.0, 4.9], (2, "gpt1", 1, "adam"): None}
    study = fakes.read_study(tmp_path, curves, endings={1: None})
    (begun, _), length = study.rows, study.length
    assert begun.status == "missing"
    whole = begun.train_seconds * length / begun.done
    assert seconds_left(study, {}) == pytest.approx(whole * (1 - begun.done / length) + whole)


def test_before_any_evaluation_the_pace_of_those_at_work_is_what_there_is_to_go_by(tmp_path):
    curves = {(1, "lstm", 1, "adam"): None, (2, "gpt1", 1, "adam"): None, (3, "gpt1", 2, "adam"): None}
    study = fakes.read_study(tmp_path, curves)
    assert seconds_left(study, {(1, 0): Place(100, 400, 30.0)}) == pytest.approx(30 + 40 + 40)
    places = {(1, 0): Place(100, 400, 30.0), (2, 0): Place(200, 400, 30.0)}
    assert seconds_left(study, places) == pytest.approx(30 + 30 + 50)
    assert seconds_left(study, {(1, 0): Place(1, 400, None)}) is None


def test_between_two_evaluations_a_run_gets_on(fake_study):
    rows = read_rows(fake_study)
    (running,) = [row for row in rows.rows if row.status == "running"]
    left = seconds_left(rows, {(running.number, running.seed): Place(300, 400, 2.0)})
    assert left == pytest.approx(9.5 + 9.5 + 9.5 / 4)


def test_runs_that_are_at_work_together_take_their_time_together(tmp_path):
    curves = {(number, "lstm", 1, optimizer): None for number, optimizer in ((1, "adam"), (2, "sgd"), (3, "adamw"))}
    study = fakes.read_study(tmp_path, {(4, "lstm", 1, "momentum"): [5.0], **curves})
    whole = seconds_left(study, {}) / 3

    def beside(*running):
        status = dict.fromkeys(running, "running")
        rows = tuple(dataclasses.replace(row, status=status.get(row.number, row.status)) for row in study.rows)
        return dataclasses.replace(study, rows=rows)

    assert seconds_left(beside(1), {}) == pytest.approx(3 * whole)
    assert seconds_left(beside(1, 2), {}) == pytest.approx(1.5 * whole)
    assert seconds_left(beside(1, 2), {(1, 0): Place(300, 400, 9.0)}) == pytest.approx(2.25 / 2 * whole)
    almost = {(number, 0): Place(399, 400, 0.0) for number in (1, 2)}
    assert seconds_left(beside(1, 2), almost) == pytest.approx(whole), "one run takes no less than itself"


def test_a_finished_run_that_was_measured_nowhere_took_its_time_all_the_same(tmp_path):
    study = fakes.read_study(tmp_path, {(1, "lstm", 1, "adam"): [5.0], (2, "lstm", 1, "sgd"): None})
    whole = seconds_left(study, {})
    rows = tuple(dataclasses.replace(row, valid=None, epochs=0, history=()) for row in study.rows)
    assert seconds_left(dataclasses.replace(study, rows=rows), {}) == pytest.approx(whole)


def test_of_many_runs_that_are_next_the_first_are_named(tmp_path):
    curves = {(number, "lstm", number, "adam"): None for number in range(1, 10)}
    assert what_is_next(fakes.read_study(tmp_path / "nine", curves)) == "start #1, #2, #3, #4, #5 and 4 more"
    six = dict(list(curves.items())[:6])
    assert what_is_next(fakes.read_study(tmp_path / "six", six)) == "start #1, #2, #3, #4, #5, #6"


def test_nothing_left_takes_no_time_and_nothing_done_no_guess(tmp_path):
    diverged = {1: {"status": "diverged", "error": "…"}}
    assert seconds_left(fakes.read_study(tmp_path / "over", {(1, "lstm", 1, "adam"): []}, endings=diverged), {}) == 0
    assert seconds_left(fakes.read_study(tmp_path / "new", {(1, "lstm", 1, "adam"): None}), {}) is None
