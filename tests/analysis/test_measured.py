"""Deciles, documents, and the gap at equal mix."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.analysis.measured import Deciles, Documents, documents, gap_at_equal_mix, point

SUMS = {"nats": 4500.0, "tokens": 1000, "words": 600, "bytes": 3000}


def deciles(losses, tokens):
    return Deciles(nats=tuple(a * b for a, b in zip(losses, tokens, strict=True)), tokens=tuple(tokens))


def test_a_decile_without_tokens_has_no_loss():
    assert Deciles(nats=(3.0, 0.0), tokens=(2, 0)).losses == (1.5, None)


def test_a_split_that_is_easier_by_its_mix_alone_shows_no_gap():
    train = deciles([2.0, 8.0], [100, 100])
    valid = deciles([2.0, 8.0], [180, 20])
    assert gap_at_equal_mix(train, valid) == pytest.approx(0)


def test_the_gap_is_weighted_by_the_mix_of_train():
    train = deciles([2.0, 8.0], [300, 100])
    valid = deciles([2.2, 9.0], [50, 50])
    assert gap_at_equal_mix(train, valid) == pytest.approx(0.75 * 0.2 + 0.25 * 1.0)


def test_a_decile_that_one_split_lacks_is_left_out():
    train = deciles([2.0, 8.0], [300, 100])
    assert gap_at_equal_mix(train, deciles([2.5, 0.0], [50, 0])) == pytest.approx(0.5)
    assert gap_at_equal_mix(train, deciles([0.0, 0.0], [0, 0])) is None


@given(st.lists(st.integers(1, 1000), min_size=10, max_size=10), st.floats(-2, 2))
def test_the_same_difference_in_every_decile_is_the_gap(tokens, difference):
    losses = [1.0 + place for place in range(10)]
    valid = deciles([loss + difference for loss in losses], tokens[::-1])
    assert gap_at_equal_mix(deciles(losses, tokens), valid) == pytest.approx(difference, abs=1e-9)


def test_a_line_of_an_old_history_has_no_deciles():
    found = point({"epoch": 0, "step": 0, "train_seconds": 0.0, "train": SUMS, "valid": SUMS})
    assert (found.train_deciles, found.valid_deciles, found.running_perplexity, found.clipped) == (None,) * 4


def test_a_line_keeps_what_it_says():
    split = SUMS | {"deciles": {"nats": [1.0] * 10, "tokens": [100] * 10}}
    norm = {"median": 0.1, "p99": 0.2, "clipped": 0.25}
    found = point({"epoch": 1, "step": 9, "train_seconds": 2.0, "train": split, "valid": split, "gradient_norm": norm})
    assert found.valid_deciles == Deciles(nats=(1.0,) * 10, tokens=(100,) * 10)
    assert (found.clipped, found.valid.loss) == (0.25, 4.5)


def test_documents_by_split():
    entry = {"nats": [1.0, 2.0], "tokens": [3, 4], "words": [1, 1], "bytes": [5, 6]}
    assert documents({"valid": entry}) == {"valid": Documents(nats=(1.0, 2.0), tokens=(3, 4))}
    assert documents(None) == {}
