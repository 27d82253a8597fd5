"""A network mixed with a floor, against another way to find the weight, and as a distribution."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize_scalar

from bakeoff import data
from bakeoff.data.sequences import TokenStream
from bakeoff.models import ngram
from bakeoff.models.mixture import fitted, mixed, mixture

NATS = st.floats(0, 50, width=32)


def pairs(smallest):
    """What targets cost under a network and under a floor."""
    sizes = st.integers(smallest, 40)
    return sizes.flatmap(lambda size: arrays.arrays(np.float32, (2, size), elements=NATS))


@given(pairs(1))
def test_no_other_weight_costs_less(both):
    network_T, floor_T = both

    def cost(weight):
        return mixed(network_T, floor_T, weight).sum()

    other = minimize_scalar(cost, bounds=(0, 1), method="bounded")
    assert cost(fitted(network_T, floor_T)) <= other.fun + 1e-6 * max(1, other.fun)


@given(pairs(1), st.floats(0.01, 0.99))
def test_a_mixture_is_what_its_formula_says(both, weight):
    network_T, floor_T = both.astype(np.float64)
    expected = -np.log((1 - weight) * np.exp(-network_T) + weight * np.exp(-floor_T))
    assert mixed(network_T, floor_T, weight) == pytest.approx(expected)


def test_a_token_that_one_of_both_never_expected_is_no_trouble():
    network_T, floor_T = np.float32([9000, 1, 1]), np.float32([1, 1, 9000])
    assert fitted(network_T, floor_T) == pytest.approx(0.5)
    assert np.isfinite(mixed(network_T, floor_T, 0.5)).all()
    assert fitted(floor_T[:1], network_T[:1]) == pytest.approx(0, abs=1e-8)
    assert fitted(network_T[:1], floor_T[:1]) == pytest.approx(1, abs=1e-8)


@given(pairs(2), st.data())
def test_each_half_of_valid_is_scored_with_the_weight_of_the_other_and_test_with_that_of_all(both, data):
    (network_T, floor_T), size = both, both.shape[1]
    documents_T = np.sort(data.draw(arrays.arrays(np.int64, size, elements=st.integers(0, 5))))
    odd = [document % 2 == 1 for document in documents_T]
    assume(any(odd) and not all(odd))
    test = both[:, ::-1]
    network, floor = ({"valid": both[place], "test": test[place]} for place in (0, 1))
    found = mixture(network, floor, documents_T)
    assert found.weight == fitted(network_T, floor_T)
    assert found.nats["test"] == pytest.approx(mixed(*test, found.weight))
    for half in (odd, np.logical_not(odd)):
        others = fitted(network_T[np.logical_not(half)], floor_T[np.logical_not(half)])
        assert found.nats["valid"][half] == pytest.approx(mixed(network_T[half], floor_T[half], others))


def test_a_single_document_has_no_halves():
    nats = {"valid": np.ones(3), "test": np.ones(3)}
    assert mixture(nats, nats, np.zeros(3, dtype=np.int64)) is None


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


@pytest.mark.parametrize("experiment", [0, 1])
@pytest.mark.parametrize("weight", [0.1, 0.9])
def test_a_mixture_gives_all_words_together_a_probability_of_one(tiny_study, tokens, experiment, weight):
    """The network as it is measured and the floor as it is counted, for every word that could follow some contexts."""
    valid, length = np.asarray(tokens.splits["valid"].tokens_N), 10
    torch.manual_seed(0)
    model = tiny_study.experiments[experiment].architecture.build(tokens.vocabulary, length)
    for first in (0, 160, 320):
        before = np.tile(valid[first : first + length], (tokens.vocabulary, 1))
        windows = np.column_stack([before, np.arange(tokens.vocabulary, dtype=valid.dtype)])
        with torch.no_grad():
            inputs, targets = (torch.tensor(part.astype(np.int64)) for part in (windows[:, :-1], windows[:, 1:]))
            network = model.token_nats(inputs, targets)[:, -1].numpy()
        parts = [(stream_of(window), ngram.Part("valid", 0, length)) for window in windows]
        floors = ngram.answers(tokens, parts, length, told=lambda share: None)
        floor = next(-np.log(p) for floor, p in floors if floor == ("kn5+cache", 0.2)).reshape(-1, length)[:, -1]
        assert np.exp(-mixed(network, floor, weight)).sum() == pytest.approx(1, abs=1e-5)


def stream_of(tokens_N):
    one = np.zeros(1, dtype=np.int64)
    return TokenStream(tokens_N=tokens_N, starts_D=one, words_D=one, bytes_D=one)
