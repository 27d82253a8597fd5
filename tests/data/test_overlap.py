import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data.overlap import shared_ngrams, shared_runs

WORDS = [f"w{number}" for number in range(40)]


def test_the_same_text_is_shared_whole_and_another_not_at_all():
    text = [" ".join(WORDS)]
    assert shared_ngrams(text, text) == 1
    assert shared_ngrams(text, [" ".join(reversed(WORDS))]) == 0


def test_a_run_of_thirteen_words_is_one_of_twenty_eight():
    assert shared_ngrams([" ".join(WORDS)], ["x " + " ".join(WORDS[5:18]) + " y"]) == pytest.approx(1 / 28)


def test_runs_do_not_span_documents():
    assert shared_ngrams([" ".join(WORDS)], [" ".join(WORDS[:12]), " ".join(WORDS[12:24])]) == 0


def test_texts_shorter_than_a_run_share_nothing():
    assert shared_ngrams(["a b c"], ["a b c"]) == 0


def slow(tokens, train, length):
    def runs(stream):
        return {tuple(stream[first : first + length]) for first in range(len(stream) - length + 1)}

    return len(runs(tokens) & runs(train)) / max(len(runs(tokens)), 1)


@given(*[st.lists(st.integers(0, 3), max_size=60)] * 2, st.integers(1, 5))
def test_runs_of_tokens_are_counted_as_by_a_slow_obvious_version(tokens, train, length):
    streams = (np.array(stream, dtype=np.uint16) for stream in (tokens, train))
    assert shared_runs(*streams, length) == pytest.approx(slow(tokens, train, length))


def test_runs_are_found_across_the_slices_that_are_looked_at(monkeypatch):
    monkeypatch.setattr("bakeoff.data.overlap.SLICE", 7)
    train = np.random.default_rng(0).integers(0, 9000, 500).astype(np.uint32)
    assert shared_runs(train[100:200], train) == 1
    assert shared_runs(np.flip(train), train) == 0
