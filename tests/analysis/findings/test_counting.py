"""Better than counting, or not."""

import dataclasses

import pytest

from bakeoff.analysis.findings.counting import beats_counting
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
    finding = beats_counting(study)
    assert finding.verdict == "supported"
    assert "#1 (1-layer LSTM, Adam)" in finding.text
    assert "90.02" in finding.text
    assert finding.evidence == ({"number": 1, "seed": 0}, {"baseline": "kn3+cache"})


def test_a_study_that_loses_to_a_count_table_says_so_first(study):
    finding = beats_counting(with_floor(study, 4400))
    assert finding.verdict == "contradicted"
    assert finding.text.startswith("No")
    assert "the Kneser-Ney trigram" in finding.text


def test_over_seeds_the_mean_decides_and_not_the_luckiest(build):
    def curve(*ends):
        return lambda seed: [5.0, ends[seed]]

    key = (1, "lstm", 1, "adam")
    lucky = beats_counting(build({key: curve(4.70, 4.90, 4.92)}, seeds=(0, 1, 2)))
    assert lucky.verdict == "not distinguishable"
    clear = beats_counting(build({key: curve(4.50, 4.52, 4.51)}, seeds=(0, 1, 2)))
    assert clear.verdict == "supported"
    assert "a perplexity of 90.92 (2.169 bits per byte) in the mean over three seeds" in clear.text


def test_test_never_decides(study):
    assert beats_counting(study).evidence[0]["number"] != 7


def test_without_a_finished_run_nothing_was_measured(make_fake_study, tmp_path):
    study = read_rows(make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([], None)}))
    finding = beats_counting(study)
    assert finding.verdict == "not measured"
    assert "No run has finished" in finding.text
