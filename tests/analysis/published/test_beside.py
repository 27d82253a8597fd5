"""The published table beside our rows."""

import math

import pytest

from bakeoff.analysis.published.beside import assumptions, beside, is_comparable
from bakeoff.analysis.published.table import TOKENS


def as_seed(study):
    """Declare a study as one that repeats the published one."""
    study["study"] = "seed"
    study["budget"] |= {"epochs": 10, "batch_size": 16, "sequence_length": 256, "schedule": "constant"}
    for split, tokens in TOKENS.items():
        study["corpus"][split]["tokens"] = tokens


def test_only_the_same_corpus_and_budget_can_be_compared(twelve):
    assert is_comparable(twelve(edit=as_seed))
    assert not is_comparable(twelve())
    assert not is_comparable(twelve(edit=lambda study: (as_seed(study), study["budget"].update(epochs=1))))


def test_every_published_run_has_ours_beside_it(twelve):
    pairs = beside(twelve(edit=as_seed))
    assert [pair.published.number for pair in pairs] == [pair.row.number for pair in pairs] == list(range(1, 13))
    assert pairs[1].true["valid"] == pytest.approx(math.exp(pairs[1].row.last["valid"].loss))
    assert pairs[1].biased["valid"] < pairs[1].true["valid"]
    assert set(pairs[1].true) == {"train", "valid", "test"}


def test_a_run_that_we_lack_has_nothing_beside_it(build):
    pairs = beside(build({(1, "lstm", 1, "adam"): [4.5]}))
    assert [pair.published.number for pair in pairs if pair.row] == [1]
    assert (pairs[1].true, pairs[1].biased) == ({}, {})


def test_what_is_assumed_is_said_and_first_that_another_study_is_not_comparable(twelve):
    ours, other = assumptions(twelve(edit=as_seed)), assumptions(twelve())
    assert other[1:] == ours
    assert "no figure of it can be compared" in other[0]
    assert "0.9988 on train, 0.9921 on valid and 0.9902 on test" in ours[0]
