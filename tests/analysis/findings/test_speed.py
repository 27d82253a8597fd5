"""Which run is where soonest."""

import dataclasses

import pytest

from bakeoff.analysis.findings.speed import first_arrival, wall_clock

FAST, SLOW = (1, "lstm", 1, "adam"), (2, "lstm", 1, "sgd")


@pytest.fixture
def study(build):
    return build({FAST: [4.7, 4.6, 4.55], SLOW: [5.1, 4.9, 4.7]})


def altered(study, **fields):
    return dataclasses.replace(study, rows=tuple(dataclasses.replace(row, **fields) for row in study.rows))


def test_the_first_at_the_hardest_target_is_named_with_its_window_and_no_rank(study):
    finding = wall_clock(study)
    assert finding.verdict == "not measured"
    assert finding.text.startswith("#1 (1-layer LSTM, Adam, learning rate 0.01) is the first at the hardest target")
    assert "the median experiment (perplexity 109.9): between 0.0 s and 2.0 s of training; then come #2 by 6.0 s" in (
        finding.text
    )
    assert "One seed: an observation, no ranking." in finding.text
    assert {entry["number"] for entry in finding.evidence} == {1, 2}


def test_the_text_follows_the_rows(build):
    other = wall_clock(build({FAST: [5.1, 4.9, 4.7], SLOW: [4.7, 4.6, 4.55]}))
    assert other.text.startswith("#2 (1-layer LSTM, SGD")


def test_three_seeds_that_agree_support_it(build):
    study = build({FAST: [4.7, 4.6, 4.55], SLOW: [5.1, 4.9, 4.7]}, seeds=(0, 1, 2))
    assert wall_clock(study).verdict == "supported"


def test_three_seeds_of_which_one_was_timed_support_nothing(build):
    study = build({FAST: [4.7, 4.6, 4.55], SLOW: [5.1, 4.9, 4.7]}, seeds=(0, 1, 2))
    rows = [dataclasses.replace(row, alone=row.number != 1 or row.seed == 0) for row in study.rows]
    finding = wall_clock(dataclasses.replace(study, rows=tuple(rows)))
    assert finding.verdict == "not measured"
    assert "One seed: an observation, no ranking." in finding.text


def test_an_experiment_that_lost_a_run_is_left_out_and_named(build):
    study = build({FAST: [4.7, 4.6, 4.55], SLOW: [5.1, 4.9, 4.7]}, seeds=(0, 1, 2))
    lost = [
        dataclasses.replace(row, status="diverged") if (row.number, row.seed) == (1, 2) else row for row in study.rows
    ]
    finding = wall_clock(dataclasses.replace(study, rows=tuple(lost)))
    assert finding.text.startswith("#2")
    assert "Not counted: #1 (lost a run)." in finding.text


def test_windows_that_overlap_tell_nothing_apart(build):
    study = build({FAST: [4.7, 4.6, 4.55], SLOW: [4.71, 4.61, 4.56]}, seeds=(0, 1, 2))
    finding = wall_clock(study)
    assert finding.verdict == "not distinguishable"
    assert "too far to tell #1 from #2" in finding.text


def test_runs_beside_others_carry_no_claim(study):
    finding = wall_clock(altered(study, alone=False))
    assert finding.verdict == "not measured"
    assert finding.text.endswith("Not counted: #1 and #2 shared the machine with other runs.")
    assert finding.evidence == ()
    assert first_arrival(altered(study, alone=False)) is None


def test_an_experiment_that_gets_there_with_some_seeds_only_is_not_there(build):
    study = build({FAST: lambda seed: [5.1, 4.9, 4.5 if seed else 4.9], SLOW: [5.1, 4.9, 4.74]}, seeds=(0, 1, 2))
    assert wall_clock(study).text.startswith("#2")


def test_a_study_without_a_run_reaches_nothing(build):
    assert wall_clock(build({FAST: []})).text == "No run with a time that counts reached any target."
