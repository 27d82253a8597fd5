"""Findings in words."""

from types import SimpleNamespace

import pytest

import fakes
from bakeoff.analysis.questions.finding import Finding, evidence, link
from bakeoff.analysis.statistics import Comparison
from bakeoff.reporting import text


def test_a_finding_has_what_the_contract_asks_for(tmp_path):
    study = fakes.twelve(tmp_path)
    found = Finding(
        name="x",
        template="published",
        verdict="yes",
        facts=SimpleNamespace(),
        evidence=evidence(study.rows[:1], ["kn2"]),
        figures=("pareto-time",),
    )
    said = text.finding(found)
    assert said["evidence"] == [{"number": 1, "seed": 0}, {"baseline": "kn2"}]
    assert (said["verdict"], said["figures"], said["conjecture"], said["command"]) == (
        "yes",
        ["pareto-time"],
        None,
        None,
    )


def test_what_a_template_does_not_define_is_nothing():
    assert text.say("published", "no_such_part", SimpleNamespace()) == ""


def test_an_interval_is_that_of_the_better_ones_lead():
    lead = Comparison(first_loss=1.0, second_loss=1.2, gains=(0.1, 0.2, 0.3), deviation=0.02)
    behind = Comparison(first_loss=1.2, second_loss=1.0, gains=(-0.1, -0.2, -0.3), deviation=0.02)
    assert text.interval(lead) == text.interval(behind)


@pytest.mark.parametrize(("factor", "said"), [(2.14, "2.1 times"), (29.7, "30 times"), (1234.0, "1,234 times")])
def test_how_many_times(factor, said):
    assert text.times(factor) == said


def test_runs_and_numbers_are_named(tmp_path):
    study = fakes.twelve(tmp_path)
    assert text.named(study.rows[0]) == text.named(study.experiments[0]) == "#1 (1-layer LSTM, Adam)"
    assert text.numbers([study.experiments[1], study.rows[0], 9]) == "#1, #2 and #9"


def test_links_are_letters_digits_and_hyphens():
    assert link("AdamW (decay 0.1)", 2, "x") == "adamw-decay-0-1-2-x"
