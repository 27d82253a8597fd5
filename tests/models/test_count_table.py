"""A count table against the answers to questions asked in batches, which have their own tests."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff import data
from bakeoff.models.count_table import CountTable, of_floor
from bakeoff.models.kneser_ney import Questions, probabilities
from bakeoff.models.ngram import ORDERS, TABLES, Floor, Part, answers

VOCABULARY = 7
contexts = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=9)
texts = st.one_of(
    st.lists(st.integers(0, VOCABULARY - 2), min_size=6, max_size=60),
    st.builds(  # long enough for every discount to be estimated
        lambda seed, size: np.random.default_rng(seed).zipf(2, size).clip(max=VOCABULARY - 1).tolist(),
        st.integers(0, 100),
        st.integers(100, 200),
    ),
)


def table_of(text, order, *, vocabulary=VOCABULARY, window=100, cache_weight=0.0):
    stream = np.array(text, dtype=np.uint16)
    return CountTable(stream, vocabulary, TABLES[f"kn{order}"], window=window, cache_weight=cache_weight)


def batch_V(text, order, context, vocabulary=VOCABULARY):
    """What the batch answers when it is asked for every token after one context."""
    lags = [*reversed(context)][: order - 1]
    columns = [np.arange(vocabulary), *(np.full(vocabulary, token) for token in lags)]
    columns += [columns[0]] * (order - len(columns))
    questions = Questions(columns=columns, known_T=np.full(vocabulary, len(lags)))
    stream = np.array(text, dtype=np.uint16)
    *_, (_, answers_V) = probabilities(stream, vocabulary, questions, TABLES[f"kn{order}"])
    return answers_V


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=50)
@given(text=texts, context=contexts, place=st.integers(0, 200), length=st.integers(1, 8))
def test_it_says_of_every_token_what_the_batch_answers(order, text, context, place, length):
    table, seen = table_of(text, order), text[place % len(text) :][:length]
    for each in (context, seen, text[:length]):  # one that may be new, one of the text, and how the text begins
        np.testing.assert_allclose(table.next_V(each), batch_V(text, order, each), rtol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=50)
@given(text=texts, context=contexts, weight=st.floats(0, 1, exclude_max=True), window=st.integers(1, 9))
def test_it_gives_every_token_a_share_and_they_sum_to_one(order, text, context, weight, window):
    next_V = table_of(text, order, cache_weight=weight, window=window).next_V(context)
    assert next_V.dtype == np.float64
    assert next_V.min() > 0
    assert next_V.sum() == pytest.approx(1)


@given(text=texts, context=contexts, window=st.integers(1, 9))
def test_the_cache_is_how_often_a_token_stands_in_the_window_and_nothing_before_it_counts(text, context, window):
    mixed, plain = (table_of(text, 3, cache_weight=weight, window=window) for weight in (0.3, 0))
    seen = context[-window:]
    shares_V = np.array([seen.count(token) / len(seen) for token in range(VOCABULARY)])
    assert mixed.next_V(context) == pytest.approx(0.7 * plain.next_V(seen) + 0.3 * shares_V)


def test_a_vocabulary_as_large_as_its_integers_leaves_room_for_what_stands_before_the_text():
    text = [65_535, 0, 65_535, 65_535, 0, 1] * 3
    table = table_of(text, 3, vocabulary=65_536)
    for context in ([65_535], [65_535, 0], [0, 65_535], text[:2]):
        np.testing.assert_allclose(table.next_V(context), batch_V(text, 3, context, 65_536), rtol=1e-12)


def test_it_keeps_its_order_in_tokens_of_the_text():
    def kept(size):
        text = np.random.default_rng(0).integers(0, 500, size).astype(np.uint16)
        tracemalloc.start()
        table = table_of(text, 3, vocabulary=500)
        now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert table.order == 3
        return now, most

    now, most = (large - small for large, small in zip(kept(60_000), kept(20_000), strict=True))
    assert now <= 40_000 * 3 * 2 * 1.1
    assert most <= 40_000 * 60


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


@pytest.mark.parametrize("name", TABLES)
def test_a_floor_as_a_model_pays_what_the_floor_pays(name, tokens):
    """On the first sequences of valid, with every window that a sequence has."""
    length, stream = 16, tokens.splits["valid"]
    part = Part("valid", 0, 3 * length)
    floors = {floor: p.tolist() for floor, p in answers(tokens, [(stream, part)], length, told=lambda share: None)}
    weight = 0.15 if "cache" in name else None
    table = of_floor(Floor(name, weight), tokens, length)
    read = stream.tokens_N[: part.end + 1].tolist()
    said = [table.next_V(read[place - place % length : place + 1])[read[place + 1]].item() for place in range(part.end)]
    assert said == pytest.approx(floors[Floor(name, weight)])
