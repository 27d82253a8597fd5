"""Clocks that can be believed, and those that cannot."""

import dataclasses

import pytest

from bakeoff.analysis.timing import disturbed, epoch_seconds, is_timed, typical_epoch, unevenness, untimed

KEY = (1, "lstm", 1, "adam")


@pytest.fixture
def row(build):
    return build({KEY: [4.9, 4.8, 4.7, 4.6]}).rows[0]


def with_times(row, times):
    history = [dataclasses.replace(p, train_seconds=t) for p, t in zip(row.history, times, strict=True)]
    return dataclasses.replace(row, history=tuple(history))


def test_an_even_run_that_was_alone_is_timed(row):
    assert epoch_seconds(row) == (2.0, 2.0, 2.0, 2.0)
    assert (typical_epoch(row), unevenness(row), is_timed(row), untimed([row])) == (2.0, 1.0, True, None)


def test_a_disturbed_epoch_gives_a_run_away_though_it_was_alone_by_plan(row):
    shared = with_times(row, [0.0, 30.0, 32.0, 34.0, 36.0])
    assert (typical_epoch(shared), is_timed(shared), disturbed([row, shared])) == (2.0, False, (shared,))
    assert untimed([shared]) == "#1 was disturbed (the slowest epoch took up to 15 times as long as the median one)"


def test_a_run_beside_others_is_never_timed(row):
    beside = dataclasses.replace(row, alone=False)
    assert not is_timed(beside)
    assert untimed([row, beside]) == "#1 shared the machine with other runs"


def test_two_epochs_are_too_few_to_call_one_of_them_slow(row):
    short = dataclasses.replace(row, history=with_times(row, [0.0, 30.0, 32.0, 34.0, 36.0]).history[:3])
    assert is_timed(short)
