"""The published table, and its bias."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.analysis.published.table import RUNS, TOKENS, bias, biased_perplexity, published, true_perplexity


@pytest.mark.parametrize(("split", "factor"), [("train", 0.9988), ("valid", 0.9921), ("test", 0.9902)])
def test_the_known_factors_follow_from_counts_alone(split, factor):
    assert bias(TOKENS[split]) == pytest.approx(factor, abs=5e-5)


@pytest.mark.parametrize("split", TOKENS)
def test_uniform_nats_show_the_factor(split):
    uniform = math.log(40_478)
    targets = TOKENS[split] - 1
    assert math.log(biased_perplexity(targets * uniform, TOKENS[split])) == pytest.approx(uniform * bias(TOKENS[split]))


@given(st.integers(2, 400), st.integers(1, 5), st.integers(1, 9), st.integers(0, 10**6))
def test_it_is_what_averaging_batch_sums_over_full_batches_gives(tokens, batch_size, length, seed):
    """The published computation, spelled out."""
    nats = np.random.default_rng(seed).uniform(0, 9, size=tokens - 1)
    sequences = [nats[start : start + length] for start in range(0, len(nats), length)]
    batches = [sequences[start : start + batch_size] for start in range(0, len(sequences), batch_size)]
    quotients = [sum(map(np.sum, batch)) / (batch_size * length) for batch in batches]
    expected = math.exp(np.mean(quotients))
    found = biased_perplexity(float(nats.sum()), tokens, batch_size=batch_size, length=length)
    assert found == pytest.approx(expected)


def test_true_values_behind_the_printed_ones():
    assert round(true_perplexity(144.5, TOKENS["valid"])) == 150
    assert round(true_perplexity(149.6, TOKENS["test"])) == 157
    assert round(published(6).true("valid")) == 181


@given(st.floats(1.1, 1e4))
def test_true_and_biased_are_inverse(perplexity):
    nats = math.log(perplexity) * (TOKENS["test"] - 1)
    assert true_perplexity(biased_perplexity(nats, TOKENS["test"]), TOKENS["test"]) == pytest.approx(perplexity)


def test_the_table_is_by_the_runners_numbers():
    assert [run.number for run in RUNS] == list(range(1, 13))
    assert sorted(run.printed_as for run in RUNS) == list(range(1, 13))
    assert [(run.model, run.layers, run.optimizer) for run in RUNS][8] == ("lstm", 2, "adamw")
