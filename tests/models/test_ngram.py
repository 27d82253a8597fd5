"""The floors, against slow and obvious counting."""

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff import data
from bakeoff.data.sequences import TokenStream
from bakeoff.models.kneser_ney import DISCOUNT, KneserNey
from bakeoff.models.ngram import CACHE_WEIGHTS, SMOOTHING, Floors, baselines, best_cache_weight, mixed

VOCABULARY = 5
token_lists = st.lists(st.integers(0, VOCABULARY - 1), min_size=3, max_size=40)


def stream_of(tokens):
    ones = np.ones(1, dtype=np.int64)
    return TokenStream(tokens_N=np.array(tokens, dtype=np.uint16), starts_D=0 * ones, words_D=ones, bytes_D=ones)


def slow_kneser_ney(train, order, context, word):
    """The textbook's recursion, one n-gram at a time; the highest order counts occurrences, lower ones types."""

    def counts(length):
        found = Counter(tuple(train[i : i + order]) for i in range(len(train) - order + 1))
        for size in range(order - 1, length - 1, -1):
            found = Counter(ngram[-size:] for ngram in found)
        return found

    def probability(context):
        lower = probability(context[1:]) if context else 1 / VOCABULARY
        after = {ngram: count for ngram, count in counts(len(context) + 1).items() if ngram[:-1] == context}
        if not after:
            return lower
        discounted = max(after.get((*context, word), 0) - DISCOUNT, 0)
        return (discounted + DISCOUNT * len(after) * lower) / sum(after.values())

    return probability(tuple(context))


@given(token_lists, st.integers(1, 3), st.data())
def test_kneser_ney_is_the_textbooks(train, order, draw):
    model = KneserNey.fit(np.array(train), VOCABULARY, order)
    context = draw.draw(st.lists(st.integers(0, VOCABULARY - 1), min_size=order - 1, max_size=order - 1))
    contexts = np.tile(np.array(context, dtype=np.int64).reshape(1, -1), (VOCABULARY, 1))
    probabilities = model.probabilities(contexts, np.arange(VOCABULARY))
    expected = [slow_kneser_ney(train, order, context, word) for word in range(VOCABULARY)]
    assert probabilities.tolist() == pytest.approx(expected)
    assert probabilities.sum() == pytest.approx(1)
    assert (probabilities > 0).all()


@given(token_lists, token_lists, st.integers(1, 9))
def test_floors_see_only_what_stands_before_in_the_same_sequence(train, other, length):
    floors, stream = Floors.fit(stream_of(train), VOCABULARY, length), stream_of(other)
    kn3, cache = floors.kn3(stream), floors.cache(stream)
    assert len(kn3) == len(cache) == stream.targets
    for place, target in enumerate(other[1:]):
        window = other[place - place % length : place + 1]
        order = min(3, len(window) + 1)
        context = window[1 - order :]
        assert kn3[place] == pytest.approx(slow_kneser_ney(train, order, context, target))
        assert cache[place] == pytest.approx(window.count(target) / len(window))


@given(st.integers(0, VOCABULARY - 1), st.sampled_from(CACHE_WEIGHTS))
def test_a_mixture_of_distributions_is_one(seen, weight):
    floors = Floors.fit(stream_of([0, 1, 2, 0, 1]), VOCABULARY, 4)
    streams = [stream_of([seen, word]) for word in range(VOCABULARY)]
    assert sum(mixed(floors.kn3(s), floors.cache(s), weight)[0] for s in streams) == pytest.approx(1)


def test_the_cache_has_no_share_where_it_does_not_help():
    floors = Floors.fit(stream_of([0, 1, 2, 3, 4] * 40), VOCABULARY, 5)
    assert best_cache_weight(floors, stream_of([0, 1, 2, 3, 4] * 4)) == 0
    assert best_cache_weight(floors, stream_of([0] * 20 + [3] * 20)) > 0


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


@pytest.fixture(scope="module")
def floors(tokens):
    return {floor["name"]: floor for floor in baselines(tokens, 16)}


def test_all_floors_are_measured_on_the_tokens_that_the_networks_predict(tokens, floors):
    assert list(floors) == ["uniform", "unigram", "kn2", "kn3", "kn3+cache"]
    streams = {"train": tokens.train_sample, "valid": tokens.splits["valid"], "test": tokens.splits["test"]}
    for floor in floors.values():
        for split, stream in streams.items():
            counts = {unit: floor[split][unit] for unit in ("tokens", "words", "bytes")}
            assert counts == {"tokens": len(stream.tokens_N) - 1, "words": stream.words, "bytes": stream.bytes}
        assert floor["seconds"] >= 0


def test_uniform_and_unigram_are_what_arithmetic_says(tokens, floors):
    assert floors["uniform"]["valid"]["perplexity"] == pytest.approx(tokens.vocabulary)
    counted = Counter(tokens.splits["train"].tokens_N.tolist())
    total = sum(counted.values()) + SMOOTHING * tokens.vocabulary
    nats = [-math.log((counted[token] + SMOOTHING) / total) for token in tokens.splits["valid"].tokens_N[1:].tolist()]
    assert floors["unigram"]["valid"]["nats"] == pytest.approx(math.fsum(nats))


def test_each_floor_is_lower_than_the_one_before_it(floors):
    nats = [floors[name]["valid"]["nats"] for name in ("uniform", "unigram", "kn2", "kn3+cache")]
    assert nats == sorted(nats, reverse=True)
    assert floors["kn3+cache"]["valid"]["nats"] <= floors["kn3"]["valid"]["nats"]


def test_the_caches_share_is_chosen_on_valid_alone(tokens):
    repeating = stream_of([token for token in range(60, 100) for _ in range(16)])
    fitted = Floors.fit(tokens.splits["train"], tokens.vocabulary, 16)
    kn3, cache = fitted.kn3(repeating), fitted.cache(repeating)
    costs = {weight: -np.log((1 - weight) * kn3 + weight * cache).sum() for weight in CACHE_WEIGHTS}
    best = min(costs, key=costs.get)
    for split, chosen in (("valid", True), ("test", False)):
        changed = dataclasses.replace(tokens, splits={**tokens.splits, split: repeating})
        floor = baselines(changed, 16)[-1]
        assert (floor["cache_weight"] == best) == chosen
        if chosen:
            assert floor["valid"]["nats"] == pytest.approx(costs[best])
