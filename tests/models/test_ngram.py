"""The floors, against slow and obvious counting."""

import dataclasses
import itertools
import math
import tracemalloc
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff import data
from bakeoff.data import frequencies
from bakeoff.data.sequences import TokenStream
from bakeoff.models import kneser_ney, ngram
from bakeoff.models.kneser_ney import Questions, probabilities
from bakeoff.models.ngram import CACHED, ORDERS, SMOOTHING, Part, answers, baselines, best, measure

VOCABULARY = 5
token_lists = st.lists(st.integers(0, VOCABULARY - 1), min_size=6, max_size=25)


def stream_of(tokens):
    ones = np.ones(1, dtype=np.int64)
    return TokenStream(tokens_N=np.array(tokens, dtype=np.uint16), starts_D=0 * ones, words_D=ones, bytes_D=ones)


def corpus(train, other, vocabulary=VOCABULARY):
    """A corpus of such streams; only train and valid matter."""
    streams = {split: stream_of(other) for split in ("valid", "test")} | {"train": stream_of(train)}
    tokenizer = SimpleNamespace(get_vocab_size=lambda: vocabulary)
    text = SimpleNamespace(name="text")
    return data.Tokens(key="", text=text, tokenizer=tokenizer, splits=streams, train_sample=stream_of(other))


def asked(train, other, length, cuts=()):
    """Each floor's probability of the targets of a stream, in parts that are cut at those sequences."""
    stream = stream_of(other)
    edges = [0, *(cut * length for cut in sorted(set(cuts)) if cut * length < stream.targets), stream.targets]
    parts = [(stream, Part("valid", *edge)) for edge in itertools.pairwise(sorted(set(edges)))]
    floors = answers(corpus(train, other), parts, length, told=lambda share: None)
    return {floor: probabilities_T.copy() for floor, probabilities_T in floors}


def answer_of(train, order, context, target):
    """What the model of that order, which has its own tests, answers to one question."""
    columns = [np.array([token]) for token in (target, *reversed(context))]
    questions = Questions(columns=columns, known_T=np.array([order - 1]))
    discounting = {order: ORDERS[order]}
    ((_, answer),) = probabilities(np.array(train), VOCABULARY, questions, discounting)
    return answer.item()


@settings(max_examples=20)
@given(token_lists, token_lists, st.integers(1, 9), st.lists(st.integers(1, 9), max_size=3))
def test_floors_see_only_what_stands_before_in_the_same_sequence(train, other, length, cuts):
    floors = asked(train, other, length, cuts)
    for place, target in enumerate(other[1:]):
        window = other[place - place % length : place + 1]
        for order in ORDERS:
            known = min(order, len(window) + 1)
            expected = answer_of(train, known, window[1 - known :], target)
            assert floors[f"kn{order}", None][place] == pytest.approx(expected)
            if order in CACHED:
                mixed = 0.8 * expected + 0.2 * window.count(target) / len(window)
                assert floors[f"kn{order}+cache", 0.2][place] == pytest.approx(mixed)


@settings(max_examples=20)
@given(token_lists, token_lists)
def test_every_floor_is_a_distribution(train, window):
    every = [asked(train, [*window, word], len(window)) for word in range(VOCABULARY)]
    for floor in every[0]:
        last = [floors[floor][-1] for floors in every]
        assert sum(last) == pytest.approx(1)


@pytest.mark.parametrize(("other", "helps"), [([0, 1, 2, 3, 4] * 4, False), ([0] * 20 + [3] * 20, True)])
def test_the_cache_has_no_share_where_it_does_not_help(tmp_path, other, helps):
    floors = {floor["name"]: floor for floor in measure(corpus([0, 1, 2, 3, 4] * 40, other), 5, tmp_path)}
    assert (floors["kn3+cache"]["cache_weight"] > 0) == helps


@given(
    st.dictionaries(st.sampled_from(["train", "valid", "test"]), st.integers(1, 50), min_size=1),
    st.integers(1, 9),
    st.integers(1, 60),
)
def test_what_is_asked_in_batches_is_every_target_once_in_whole_sequences(targets, length, at_once):
    streams = {split: stream_of(range(count + 1)) for split, count in targets.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram, "TARGETS_AT_ONCE", at_once)
        batches = ngram._batches(streams, length)
    places = [(part.split, place) for batch in batches for part in batch for place in range(part.first, part.end)]
    assert places == [(split, place) for split, count in targets.items() for place in range(count)]
    assert all(part.first % length == 0 for batch in batches for part in batch)
    assert all(sum(part.end - part.first for part in batch) <= max(at_once, length) for batch in batches)


def test_floors_are_the_same_however_many_targets_are_asked_at_once(tokens, tmp_path, monkeypatch):
    folders = [tmp_path / name for name in ("whole", "parts")]
    for folder in folders:
        folder.mkdir()
    whole = measure(tokens, 16, folders[0])
    monkeypatch.setattr(ngram, "TARGETS_AT_ONCE", 1000)
    for floor, again in zip(whole, measure(tokens, 16, folders[1]), strict=True):
        assert again["name"] == floor["name"]
        assert again["valid"]["nats"] == pytest.approx(floor["valid"]["nats"], rel=1e-12)
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()


@pytest.mark.parametrize("train", ["short", "long"])
def test_the_best_floor_is_known_target_by_target(tokens, train):
    """Where train has little, shorter contexts may be better."""
    few = np.asarray(tokens.splits["train"].tokens_N[: 500 if train == "short" else None])
    changed = dataclasses.replace(tokens, key=train, splits=tokens.splits | {"train": stream_of(few)})
    told = {floor["name"]: floor for floor in baselines(changed, 16)}
    found = best(changed, 16)
    assert told[found.name] == min((told["kn3+cache"], told["kn5+cache"]), key=lambda floor: floor["valid"]["nats"])
    for split in ("valid", "test"):
        stream = tokens.splits[split]
        assert found.nats[split].sum() == pytest.approx(told[found.name][split]["nats"], rel=1e-6)
        floors = answers(changed, [(stream, Part(split, 0, stream.targets))], 16, told=lambda share: None)
        expected = next(-np.log(p) for floor, p in floors if floor == (found.name, told[found.name]["cache_weight"]))
        assert found.nats[split] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.slow
def test_counting_takes_memory_in_proportion_to_a_slice(tmp_path, monkeypatch):
    monkeypatch.setattr(kneser_ney, "AT_ONCE", 1 << 12)
    monkeypatch.setattr(kneser_ney, "BLOCK", 1 << 12)
    monkeypatch.setattr(frequencies, "AT_ONCE", 1 << 12)
    monkeypatch.setattr(ngram, "TARGETS_AT_ONCE", 1 << 12)

    def peak(size):
        folder = tmp_path / str(size)
        folder.mkdir()
        random = np.random.default_rng(0)
        tokens = corpus(random.integers(0, 500, size), random.integers(0, 500, size // 10), 500)
        tracemalloc.start()
        measure(tokens, 16, folder)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(160_000) < 1.2 * peak(40_000) < 1.2 * 200 * (1 << 12)


def test_floors_are_counted_once_for_each_corpus_and_length(tokens, monkeypatch):
    told = []
    before = baselines(tokens, 8, lambda *doing: told.append(doing))
    assert told[-1] == (f"{tokens.text.name}: counting n-grams", 1)
    monkeypatch.setattr(ngram, "measure", lambda tokens, length, folder, told: [{"name": f"of {length}"}])
    assert baselines(tokens, 8) == before
    assert baselines(tokens, 9) == [{"name": "of 9"}]
    assert baselines(dataclasses.replace(tokens, key="other"), 8) == [{"name": "of 8"}]


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


@pytest.fixture(scope="module")
def floors(tokens, tmp_path_factory):
    return {floor["name"]: floor for floor in measure(tokens, 16, tmp_path_factory.mktemp("floors"))}


def test_all_floors_are_measured_on_the_tokens_that_the_networks_predict(tokens, floors):
    assert list(floors) == ["uniform", "unigram", "kn2", "kn3", "kn3+cache", "kn4", "kn5", "kn5+cache"]
    streams = {"train": tokens.train_sample, "valid": tokens.splits["valid"], "test": tokens.splits["test"]}
    for floor in floors.values():
        for split, stream in streams.items():
            counts = {unit: floor[split][unit] for unit in ("tokens", "words", "bytes")}
            assert counts == {"tokens": len(stream.tokens_N) - 1, "words": stream.words, "bytes": stream.bytes}
        assert floor["seconds"] > 0


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


def test_the_caches_share_is_chosen_on_valid_alone(tokens, tmp_path):
    repeating = stream_of([token for token in range(60, 100) for _ in range(16)])
    floors = answers(tokens, [(repeating, Part("valid", 0, repeating.targets))], 16, told=lambda share: None)
    costs = {floor.cache_weight: -np.log(p).sum() for floor, p in floors if floor.name == "kn5+cache"}
    best = min(costs, key=costs.get)
    for split, chosen in (("valid", True), ("test", False)):
        changed = dataclasses.replace(tokens, splits={**tokens.splits, split: repeating})
        (tmp_path / split).mkdir()
        floor = measure(changed, 16, tmp_path / split)[-1]
        assert (floor["cache_weight"] == best) == chosen
        if chosen:
            assert floor["valid"]["nats"] == pytest.approx(costs[best])
