"""What the published report concluded."""

import pytest

from bakeoff.analysis.published.conclusions import conclusions
from bakeoff.analysis.published.table import TOKENS

VERDICTS = {"supported", "contradicted", "not distinguishable", "not measured"}


def as_seed(study):
    study["study"] = "seed"
    study["budget"] |= {"epochs": 10, "batch_size": 16, "sequence_length": 256, "schedule": "constant"}
    study["corpus"]["train"]["tokens"] = TOKENS["train"]


def by_claim(study):
    return {conclusion.claim: conclusion for conclusion in conclusions(study)}


def test_every_conclusion_has_a_verdict_and_a_reason(twelve):
    found = conclusions(twelve())
    assert len(found) >= 12
    assert all(conclusion.verdict in VERDICTS and conclusion.text.endswith(".") for conclusion in found)


def test_numbers_of_the_published_table_are_quoted(twelve):
    found = by_claim(twelve())
    assert "473 and 470 with two layers, 1552 and 1479 with four" in found["The deeper GPT-1s overfit."].text
    assert "679.8 for momentum and 174.6 for Adam" in found["Momentum beats Adam on GPT-1."].text
    assert "by 0.28 %" in found["AdamW generalizes better than Adam."].text
    assert "24 MB" in found["SGD saves 0.9 GB of memory."].text
    assert "a true 150" in found["The best runs model this text well."].text


@pytest.mark.parametrize("claim", ["The deeper GPT-1s overfit.", "AdamW generalizes better than Adam."])
def test_our_rows_are_quoted_only_where_they_repeat_the_published_study(twelve, claim):
    ours, other = by_claim(twelve(edit=as_seed))[claim], by_claim(twelve())[claim]
    assert " Here" in ours.text
    assert " Here" not in other.text
    assert ours.text.startswith(other.text)


def test_what_is_quoted_follows_the_rows(twelve):
    def deep(ends):
        return by_claim(twelve(ends=ends, edit=as_seed))["The deeper GPT-1s overfit."].text

    assert "#12 is worse than unigram" in deep({12: 5.5})
    assert "#12 is worse than unigram" not in deep({})


def test_a_study_without_its_runs_quotes_nothing(build):
    found = conclusions(build({(1, "lstm", 1, "adam"): []}, edit=as_seed))
    assert not any(" Here" in conclusion.text for conclusion in found)
