import dataclasses

import pytest

from bakeoff.analysis import findings
from bakeoff.analysis.rows import read_rows


@pytest.fixture(scope="module")
def study(fake_study):
    return read_rows(fake_study)


def with_floor(study, nats):
    """The study with its lowest floor at that many nats on valid."""
    floors = [
        dataclasses.replace(floor, valid=dataclasses.replace(floor.valid, nats=nats))
        if floor.name == "kn3+cache"
        else floor
        for floor in study.baselines
    ]
    return dataclasses.replace(study, baselines=tuple(floors))


def test_a_model_below_every_floor_is_better_than_counting(study):
    finding = findings.beats_counting(study)
    assert finding.verdict == "supported"
    assert finding.text.startswith("Yes: #1 (1-layer LSTM, Adam) is the best model on valid, 90.02 per token")
    assert finding.text.endswith("One seed.")
    assert finding.evidence == ({"number": 1, "seed": 0}, {"baseline": "kn3+cache"})


def test_a_study_that_loses_to_a_count_table_says_so_first(study):
    finding = findings.beats_counting(with_floor(study, 4400))
    assert finding.verdict == "contradicted"
    assert finding.text.startswith("No, the best model loses to a count table")
    assert "the model is below the Kneser-Ney trigram." in finding.text


def test_test_never_decides(study):
    assert findings.beats_counting(study).evidence[0]["number"] != 7


def test_without_a_finished_run_nothing_was_measured(make_fake_study, tmp_path):
    study = read_rows(make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([], None)}))
    finding = findings.beats_counting(study)
    assert finding.verdict == "not measured"
    assert "No run has finished" in finding.text


def test_a_finding_is_plain_data(study):
    assert set(findings.findings(study)[0].as_json()) == {"question", "verdict", "text", "evidence"}
