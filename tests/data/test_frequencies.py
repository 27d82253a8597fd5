"""Frequency deciles: every symbol in one, each with about a tenth of the tokens."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bakeoff.data.frequencies import counts, deciles

vocabularies = arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 1000)).filter(
    lambda counts_V: counts_V.any()
)


def test_counts_are_those_of_a_plain_loop():
    tokens = np.array([3, 1, 3, 0, 3], dtype=np.uint16)
    counted = Counter(tokens.tolist())
    assert counts(tokens, 6).tolist() == [counted[symbol] for symbol in range(6)]


@given(vocabularies)
def test_every_symbol_has_a_decile_and_rarer_ones_no_lower(counts_V):
    decile_of = deciles(counts_V)
    assert set(decile_of.tolist()) <= set(range(10))
    assert len(decile_of) == len(counts_V)
    for symbol, other in zip(*np.triu_indices(len(counts_V)), strict=True):
        if counts_V[symbol] > counts_V[other]:
            assert decile_of[symbol] <= decile_of[other]
    if (counts_V == 0).any():
        assert (decile_of[counts_V == 0] == 9).all()


@given(vocabularies)
def test_deciles_have_equal_mass_up_to_one_symbol(counts_V):
    decile_of, total = deciles(counts_V), counts_V.sum()
    for decile in range(9):
        symbols = decile_of <= decile
        target = (decile + 1) * total / 10
        assert target <= counts_V[symbols].sum()
        assert counts_V[symbols].sum() - counts_V[symbols].min() < target


def test_ten_equally_frequent_symbols_have_a_decile_each():
    assert sorted(deciles(np.full(10, 7)).tolist()) == list(range(10))
