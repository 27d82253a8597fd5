"""The published table, its bias, and what it concluded, beside our rows."""

import math
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakes
from bakeoff.analysis import published
from bakeoff.analysis.published import CLAIMS, RUNS, TOKENS, bias, biased_perplexity, true_perplexity
from bakeoff.metrics import Tally
from bakeoff.reporting import text
from golden import golden


def as_seed(study):
    """Declare a study as one that repeats the published one."""
    study["study"] = "seed"
    study["budget"] |= {"epochs": 10, "batch_size": 16, "sequence_length": 256, "schedule": "constant"}
    for split, tokens in TOKENS.items():
        study["corpus"][split]["tokens"] = tokens


def tally(nats, tokens):
    return Tally(nats=nats, tokens=tokens - 1, words=1, bytes=1)


@pytest.mark.parametrize(("split", "factor"), [("train", 0.9988), ("valid", 0.9921), ("test", 0.9902)])
def test_the_known_factors_follow_from_counts_alone(split, factor):
    assert bias(TOKENS[split]) == pytest.approx(factor, abs=5e-5)


@given(st.integers(2, 400), st.integers(1, 5), st.integers(1, 9), st.integers(0, 10**6))
def test_it_is_what_averaging_batch_sums_over_full_batches_gives(tokens, batch_size, length, seed):
    """The published computation, spelled out."""
    nats = np.random.default_rng(seed).uniform(0, 9, size=tokens - 1)
    sequences = [nats[start : start + length] for start in range(0, len(nats), length)]
    batches = [sequences[start : start + batch_size] for start in range(0, len(sequences), batch_size)]
    quotients = [sum(map(np.sum, batch)) / (batch_size * length) for batch in batches]
    with mock.patch.multiple(published, BATCH_SIZE=batch_size, LENGTH=length):
        found = biased_perplexity(tally(float(nats.sum()), tokens))
    assert found == pytest.approx(math.exp(np.mean(quotients)))


def test_true_values_behind_the_printed_ones():
    assert round(true_perplexity(144.5, TOKENS["valid"])) == 150
    assert round(true_perplexity(149.6, TOKENS["test"])) == 157
    assert round(RUNS[6].true("valid")) == 181


@given(st.floats(1.1, 1e4))
def test_true_and_biased_are_inverse(perplexity):
    biased = biased_perplexity(tally(math.log(perplexity) * (TOKENS["test"] - 1), TOKENS["test"]))
    assert true_perplexity(biased, TOKENS["test"]) == pytest.approx(perplexity)


def test_the_table_is_by_the_runners_numbers():
    assert list(RUNS) == list(range(1, 13))
    assert sorted(run.printed_as for run in RUNS.values()) == list(range(1, 13))
    assert (RUNS[9].model, RUNS[9].layers, RUNS[9].optimizer) == ("lstm", 2, "adamw")


def test_only_the_same_corpus_and_budget_can_be_compared(tmp_path):
    assert published.is_comparable(fakes.twelve(tmp_path / "same", edit=as_seed))
    assert not published.is_comparable(fakes.twelve(tmp_path / "other"))
    shorter = fakes.twelve(tmp_path / "shorter", edit=lambda study: (as_seed(study), study["budget"].update(epochs=1)))
    assert not published.is_comparable(shorter)


def test_every_published_run_has_ours_beside_it_where_the_study_repeats_it(tmp_path):
    same = published.facts(fakes.twelve(tmp_path / "same", edit=as_seed)).runs
    assert [pair.row.number for pair in same.values()] == list(range(1, 13))
    assert same[2].true["valid"] == pytest.approx(math.exp(same[2].row.last["valid"].loss))
    assert same[2].biased["valid"] < same[2].true["valid"]
    other = published.facts(fakes.twelve(tmp_path / "other")).runs
    assert [pair.row for pair in other.values()] == [None] * 12


@pytest.mark.parametrize("repeats", [True, False])
def test_what_is_said(tmp_path, repeats):
    edit = {"edit": as_seed} if repeats else {}
    found = published.facts(fakes.twelve(tmp_path / "study", ends={12: 5.5}, **edit))
    parts = ("other_study", "biased", "tokens", "train")
    said = [text.say("published", part, found) for part in parts]
    said += [
        f"{text.say('published', f'{key}_claim', found)} {verdict}. {text.say('published', key, found)}"
        for key, verdict in CLAIMS.items()
    ]
    golden(f"published-{'seed' if repeats else 'other'}.txt", "\n".join(filter(None, said)) + "\n")


def test_a_study_without_finished_runs_quotes_nothing(tmp_path):
    found = published.facts(fakes.read_study(tmp_path / "none", {(1, "lstm", 1, "adam"): None}, edit=as_seed))
    assert not any("Here" in text.say("published", key, found) for key in CLAIMS)
