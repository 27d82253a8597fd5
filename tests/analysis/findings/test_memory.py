"""What memory there is, and what it is made of."""

import dataclasses

import pytest

from bakeoff.analysis.findings.memory import memory

PARTS = {"weights": 4, "gradients": 4, "optimizer_state": 8, "activations": 20, "logits": 10}


@pytest.fixture
def study(twelve):
    """The optimizer's state is 0, 4 or 8 million bytes; what is measured is 50 million more than what is computed."""
    read = twelve()
    state = {"adam": 8, "adamw": 8, "sgd": 0, "momentum": 4}
    rows = []
    for row in read.rows:
        parts = {name: size * 1_000_000 * row.layers for name, size in PARTS.items()}
        parts["optimizer_state"] = state[row.optimizer] * 1_000_000 * row.layers
        measured = {**row.memory, "average_bytes": sum(parts.values()) + 50_000_000}
        rows.append(dataclasses.replace(row, memory=measured, memory_parts=parts))
    return dataclasses.replace(read, rows=tuple(rows))


def with_memory(study, number, average):
    rows = [
        dataclasses.replace(row, memory={**row.memory, "average_bytes": average}) if row.number == number else row
        for row in study.rows
    ]
    return dataclasses.replace(study, rows=tuple(rows))


def test_least_most_and_what_the_most_is_made_of(study):
    finding = memory(study)
    assert "the least was 88 MB (#3, 1-layer LSTM, SGD) and the most 234 MB (#10, 4-layer LSTM, AdamW)" in finding.text
    assert (
        "By computation #10 has to hold the most, 184 MB: activations 80 MB, logits 40 MB, optimizer state 32 MB"
        in (finding.text)
    )
    assert finding.verdict == "supported"
    assert "of which they are 1.3 to 2.3 times." in finding.text


def test_few_experiments_show_no_correlation(study):
    few = tuple(row for row in study.rows if row.number in (1, 3, 9, 10))
    assert memory(dataclasses.replace(study, rows=few)).verdict == "not measured"


def test_what_the_optimizers_state_adds_stands_beside_what_was_measured(study):
    assert (
        "The optimizer's state makes 8.0 MB of difference between #1 (1-layer LSTM, Adam) and #3 (SGD); measured, the "
        "first takes 8.0 MB more." in memory(study).text
    )
    assert "the first takes 2.0 MB less" in memory(with_memory(study, 1, 86_000_000)).text


def test_totals_that_do_not_follow_are_said_not_to(study):
    wild = study
    for number in range(1, 13):
        wild = with_memory(wild, number, 200_000_000 - 7_000_000 * number)
    assert memory(wild).verdict == "contradicted"
    assert "do not follow" in memory(wild).text


def test_without_parts_nothing_is_explained(study):
    rows = tuple(dataclasses.replace(row, memory_parts=None) for row in study.rows)
    finding = memory(dataclasses.replace(study, rows=rows))
    assert finding.verdict == "not measured"
    assert finding.text.endswith("What the memory is made of was not recorded.")


def test_without_a_run_there_is_nothing(build):
    assert memory(build({(1, "lstm", 1, "adam"): []})).text == "No run has measured its memory."
