"""Numbers as they are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import words


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (words.number, 94.214, "94.21"),
        (words.number, 610.26, "610.3"),
        (words.number, 2051.4, "2,051"),
        (words.perplexity, 4.5, "90.02"),
        (words.number, 3.2e12, "3.2e+12"),
        (words.number, None, "—"),
        (words.perplexity, 800.0, "∞"),
        (words.perplexity, 8471.0, "∞"),
        (words.nats, -0.142, "0.14"),
        (words.nats, 0.0123, "0.012"),
        (words.signed, -0.142, "−0.14"),  # noqa: RUF001
        (words.signed, -0.0001, "0.000"),
        (words.percent, 0.0028, "0.28 %"),
        (words.percent, 0.043, "4.3 %"),
        (words.percent, 0.76, "76 %"),
        (words.duration, 8.26, "8.3 s"),
        (words.duration, 44.7, "45 s"),
        (words.duration, 245, "4 min 05 s"),
        (words.duration, 11_520, "3 h 12 min"),
        (words.duration, 300, "5 min"),
        (words.duration, 7200, "2 h"),
        (words.megabytes, 3_300_000, "3.3 MB"),
        (words.megabytes, 1_240_000_000, "1,240 MB"),
        (words.in_megabytes, 1_240_000_000, "1,240"),
        (words.millions, 34_106_624, "34.1"),
        (words.millions, 124_439_808, "124"),
        (words.millions, 1_240_000_000, "1,240"),
        (words.rate, 0.03, "0.03"),
        (words.spelled, 3, "three"),
        (words.spelled, 36, "36"),
        (words.numbers, [4, 3, 4], "#3 and #4"),
        (words.sentence, "in one run", "In one run"),
    ],
)
def test_written(function, value, text):
    assert function(value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(0.551, 0.629, "0.551 to 0.629"), (-0.0004, 0.018, "0.000 to 0.018"), (-0.02, 0.1, "−0.020 to 0.100")],  # noqa: RUF001
)
def test_an_interval_has_three_decimals(low, high, text):
    assert words.spread(low, high) == text


def test_lists_and_counts():
    assert words.joined([]) == ""
    assert words.joined(["a", "b", "c"]) == "a, b and c"
    assert words.joined(["a", "b"], "or") == "a or b"
    assert [words.counted(count, "run") for count in (0, 1, 2)] == ["no runs", "one run", "two runs"]


@given(st.floats(allow_nan=False))
def test_no_number_is_longer_than_a_cell(value):
    assert len(words.number(value)) <= len("-9,999,999")
