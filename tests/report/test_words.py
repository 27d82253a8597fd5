"""Numbers and durations as a table wants them."""

import pytest

from bakeoff.report import words


@pytest.mark.parametrize(
    "form", [words.number, words.small, words.count, words.megabytes, words.millions, words.duration]
)
def test_what_was_not_measured_is_a_dash_and_never_a_zero(form):
    assert form(None) == words.ABSENT
    assert form(0) != words.ABSENT


def test_units_are_as_named():
    assert [words.megabytes(size) for size in (5_000_000, 95_641_046, 1_240_000_000)] == ["5", "95.6", "1,240"]
    assert [words.millions(count) for count in (410_752, 3_019_520, 34_106_624)] == ["0.411", "3.02", "34.1"]
    assert words.count(40_410_368) == "40,410,368"
    assert words.small(1.23456) == "1.235"
    assert words.number(94.2149) == "94.21"
    assert words.rate(3e-4) == "0.0003"


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ({"epochs": 1}, "1 epoch"),
        ({"epochs": 10, "epoch_steps": None}, "10 epochs"),
        ({"epochs": 5, "epoch_steps": 140}, "5 epochs of at most 140 steps"),
    ],
)
def test_a_schedule_tells_where_its_epochs_are_cut_short(schedule, told):
    assert words.epochs(schedule) == told
