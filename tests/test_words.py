"""Numbers as they are read."""

import jinja2
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


def test_what_a_templates_unused_lines_leave_behind_goes():
    source = """{% macro a() %}
one
{% if false %}, two{% endif %}
{% endmacro %}
Here {{ a() }}. ( {{ a() }} ) , and {{ n|counted("run") }}."""
    template = words.environment().from_string(source)
    assert words.folded(template.render(n=1)) == "Here one. (one), and one run."


def test_no_line_breaks_before_a_percent_sign():
    assert (
        words.folded("4.3 % of it (95 %\n interval)").replace("\N{NO-BREAK SPACE}", "~")
        == "4.3~% of it (95~%~interval)"
    )


def test_a_fact_that_is_not_there_is_an_error_and_no_gap():
    with pytest.raises(jinja2.UndefinedError):
        words.environment().from_string("{{ missing }}").render()


def test_a_template_is_compiled_once_where_python_may_write_what_it_compiles(monkeypatch, tmp_path):
    def environment():
        return words.environment(jinja2.DictLoader({"one": "{{ 3|spelled }}"}))

    monkeypatch.setattr(words, "__file__", str(tmp_path / "words.py"))
    (tmp_path / "words.py").write_text("")
    compiled = tmp_path / "__pycache__"
    compiled.mkdir()
    monkeypatch.setattr(words.sys, "dont_write_bytecode", True)
    assert environment().get_template("one").render() == "three"
    assert not any(compiled.iterdir())
    monkeypatch.setattr(words.sys, "dont_write_bytecode", False)
    assert environment().get_template("one").render() == "three"
    (first,) = compiled.iterdir()
    again = environment()
    monkeypatch.setattr(again, "compile", None)
    assert again.get_template("one").render() == "three"
    (tmp_path / "words.py").write_text("changed")
    assert environment().get_template("one").render() == "three"
    assert {first} < set(compiled.iterdir())
