"""What templates make of their lines, and that they are compiled once."""

import jinja2
import pytest

from bakeoff import templating, words


def test_what_a_templates_unused_lines_leave_behind_goes():
    source = """{% macro a() %}
one
{% if false %}, two{% endif %}
{% endmacro %}
Here {{ a() }}. ( {{ a() }} ) , and {{ n|counted("run") }}."""
    template = templating.environment().from_string(source)
    assert templating.folded(template.render(n=1)) == "Here one. (one), and one run."


def test_no_line_breaks_before_a_percent_sign():
    assert (
        templating.folded("4.3 % of it (95 %\n interval)").replace("\N{NO-BREAK SPACE}", "~")
        == "4.3~% of it (95~%~interval)"
    )


def test_a_fact_that_is_not_there_is_an_error_and_no_gap():
    with pytest.raises(jinja2.UndefinedError):
        templating.environment().from_string("{{ missing }}").render()


def test_a_template_is_compiled_once_where_python_may_write_what_it_compiles(monkeypatch, tmp_path):
    def environment():
        return templating.environment(jinja2.DictLoader({"one": "{{ 3|spelled }}"}))

    monkeypatch.setattr(words, "__file__", str(tmp_path / "words.py"))
    monkeypatch.setattr(templating, "__file__", str(tmp_path / "templating.py"))
    (tmp_path / "words.py").write_text("")
    compiled = tmp_path / "__pycache__"
    compiled.mkdir()
    monkeypatch.setattr(templating.sys, "dont_write_bytecode", True)
    assert environment().get_template("one").render() == "three"
    assert not any(compiled.iterdir())
    monkeypatch.setattr(templating.sys, "dont_write_bytecode", False)
    assert environment().get_template("one").render() == "three"
    (first,) = compiled.iterdir()
    again = environment()
    monkeypatch.setattr(again, "compile", None)
    assert again.get_template("one").render() == "three"
    (tmp_path / "words.py").write_text("changed")
    assert environment().get_template("one").render() == "three"
    assert {first} < set(compiled.iterdir())
