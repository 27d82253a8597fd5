"""Sums become perplexities in one place, and only at the end."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.metrics import Tally, perplexity

counts = st.integers(1, 10**9)
tallies = st.builds(Tally, nats=st.floats(0, 1e9), tokens=counts, words=counts, bytes=counts)


def test_known_text_has_the_known_quotients():
    tally = Tally(nats=8 * math.log(2), tokens=4, words=2, bytes=8)
    assert tally.loss == pytest.approx(2 * math.log(2))
    assert tally.perplexity == pytest.approx(4)
    assert tally.word_perplexity == pytest.approx(16)
    assert tally.bits_per_byte == pytest.approx(1)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(2, 10**6))
def test_a_uniform_model_has_the_perplexity_of_its_vocabulary(tokens, words, vocabulary):
    tally = Tally(nats=tokens * math.log(vocabulary), tokens=tokens, words=words, bytes=words)
    assert tally.perplexity == pytest.approx(vocabulary)


@given(tallies)
def test_all_quotients_are_of_the_same_sum(tally):
    assert tally.bits_per_byte * tally.bytes * math.log(2) == pytest.approx(tally.nats)
    assert tally.loss * tally.tokens == pytest.approx(tally.nats)
    if math.isfinite(tally.word_perplexity):
        assert math.log(tally.word_perplexity) * tally.words == pytest.approx(tally.nats, abs=1e-6 * tally.words)


@given(tallies, tallies)
def test_nats_are_additive_and_a_whole_lies_between_its_parts(one, other):
    whole = Tally(
        nats=one.nats + other.nats,
        tokens=one.tokens + other.tokens,
        words=one.words + other.words,
        bytes=one.bytes + other.bytes,
    )
    low, high = sorted([one.loss, other.loss])
    assert low * (1 - 1e-9) <= whole.loss <= high * (1 + 1e-9)


def test_a_text_without_words_to_speak_of_has_no_perplexity_per_word():
    for size, known in ((500, True), (501, False)):
        tally = Tally(nats=1e3, tokens=100, words=10, bytes=size)
        assert (tally.as_json()["word_perplexity"] is not None) == known


@given(tallies)
def test_json_is_strict_and_says_null_for_what_no_float_holds(tally):
    data = json.loads(json.dumps(tally.as_json(), allow_nan=False))
    assert set(data) == {"nats", "tokens", "words", "bytes", "loss", "perplexity", "word_perplexity", "bits_per_byte"}
    assert (data["perplexity"] is None) == math.isinf(tally.perplexity)
    assert tally.sums() == {name: data[name] for name in ("nats", "tokens", "words", "bytes")}


def test_perplexity_is_infinite_rather_than_an_error():
    assert perplexity(1e6, 1) == math.inf
