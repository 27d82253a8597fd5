"""Numbers and durations as a reader wants them."""

import pytest

from bakeoff.report import words


@pytest.mark.parametrize(
    ("value", "text"), [(94.2149, "94.21"), (610.25, "610.2"), (2051.4, "2,051"), (1.0, "1.00"), (1e6, "1,000,000")]
)
def test_a_number_has_three_or_four_digits_that_mean_something(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.31, "8.3 s"),
        (59.9, "59.9 s"),
        (245, "4 min 05 s"),
        (3599.6, "1 h 00 min"),
        (11520, "3 h 12 min"),
    ],
)
def test_a_duration_has_the_unit_that_fits(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize("form", [words.number, words.small, words.count, words.megabytes, words.duration])
def test_what_was_not_measured_is_a_dash_and_never_a_zero(form):
    assert form(None) == words.ABSENT
    assert form(0) != words.ABSENT


def test_units_are_as_named():
    assert words.megabytes(5_000_000) == "5"
    assert words.count(40_410_368) == "40,410,368"
    assert words.small(1.23456) == "1.235"
    assert [words.rate(rate) for rate in (1e-3, 3e-4, 10.0, 0.003)] == ["0.001", "0.0003", "10", "0.003"]
