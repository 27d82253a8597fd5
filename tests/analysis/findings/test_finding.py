"""What every finding has, of whatever study."""

import dataclasses
import re

import pytest

from bakeoff.analysis import published, summary
from bakeoff.analysis.findings import findings
from bakeoff.analysis.rows import read_rows

FIELDS = {"name", "question", "verdict", "text", "evidence", "figures", "conjecture"}
VERDICTS = {"supported", "contradicted", "not distinguishable", "not measured"}
LSTM, GPT1 = (1, "lstm", 1, "adam"), (2, "gpt1", 1, "sgd")
CURVES = {
    "one run": {LSTM: [4.9, 4.6]},
    "one epoch": {LSTM: [4.6], GPT1: [4.9]},
    "nothing yet": {LSTM: [], GPT1: []},
    "one missing": {LSTM: [4.9, 4.6], GPT1: []},
    "one architecture": {LSTM: [4.9, 4.6], (2, "lstm", 1, "sgd"): [5.0, 4.9]},
    "nothing learned": {LSTM: [5.5, 5.4], GPT1: [5.6, 5.6]},
    "all alike": {LSTM: [4.6, 4.6], GPT1: [4.6, 4.6]},
}


def texts(study):
    yield summary.headline(study)
    yield from (goal.text for goal in summary.goals(study))
    yield from summary.caveats(study)
    yield from (finding.text for finding in findings(study))
    yield from (conclusion.text for conclusion in published.conclusions(study))
    yield from published.assumptions(study)
    yield from (row.diagnosis_text for row in study.rows if row.diagnosis_text)


def check(study):
    found = findings(study)
    assert all(set(finding.as_json()) == FIELDS and finding.verdict in VERDICTS for finding in found)
    assert len({finding.name for finding in found}) == len(found)
    assert all(re.fullmatch(r"[a-z0-9-]+", finding.name) for finding in found)
    for text in texts(study):
        assert text[:1] == text[:1].upper()
        assert text.endswith(".")
        assert not re.search(r"\bnan\b|\binf\b|\bNone\b|  |\.\.|,\.|\( |\{", text), text


@pytest.mark.parametrize("seeds", [(0,), (0, 1), (0, 1, 2)], ids=len)
@pytest.mark.parametrize("curves", CURVES.values(), ids=CURVES)
def test_every_study_gets_true_sentences(build, curves, seeds):
    check(build(curves, seeds=seeds))


def test_so_do_the_twelve_and_everything_that_can_go_wrong_at_once(twelve, fake_study):
    check(twelve())
    check(twelve(seeds=(0, 1, 2), ends={12: 5.6}))
    check(read_rows(fake_study))


def failed(row):
    """The run as it is when it never came to an evaluation."""
    gone = dict.fromkeys(
        ("valid", "train", "test", "best_epoch", "memory", "diagnosis", "diagnosis_rule", "train_seconds")
    )
    last = {"train": None, "valid": None, "test": None}
    return dataclasses.replace(row, **gone, status="failed", history=(), documents={}, last=last)


def test_a_study_in_which_everything_failed(twelve):
    study = twelve(seeds=(0, 1, 2))
    study = dataclasses.replace(study, rows=tuple(map(failed, study.rows)))
    check(dataclasses.replace(study, rows=tuple(dataclasses.replace(row, diagnosis_text=None) for row in study.rows)))


def test_no_comparison_survives_other_rows(twelve):
    """Every number in the text comes from the rows: other rows, other text."""
    before = {finding.name: finding.text for finding in findings(twelve())}
    after = {finding.name: finding.text for finding in findings(twelve(ends={n: 4.3 + n / 50 for n in range(1, 13)}))}
    assert before.keys() == after.keys()
    unchanged = {name for name in before if before[name] == after[name]}
    assert unchanged <= {"memory", "as-expected-gpt1", "overfitting", "capacity-gpt1-adamw-6"}
