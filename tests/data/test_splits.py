"""Documents are dealt by a hash of their key, alike on every machine."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data.splits import SPLITS, deal, hash_fraction, split_of

pairs = st.lists(st.tuples(st.text(max_size=2), st.text(max_size=3)))


@given(pairs)
def test_dealing_keeps_every_document_whole_and_in_order(documents):
    splits = deal(documents)
    assert Counter(text for texts in splits.values() for text in texts) == Counter(text for _, text in documents)
    for split in SPLITS:
        assert splits[split] == tuple(text for key, text in documents if split_of(key) == split)


@given(pairs, st.text(max_size=2))
def test_equal_keys_never_part(documents, key):
    splits = deal([*documents, (key, "mark one"), (key, "mark two")])
    assert sum("mark one" in texts and "mark two" in texts for texts in splits.values()) == 1


@given(st.text())
def test_the_hash_is_a_fraction(key):
    assert 0 <= hash_fraction(key) < 1


def test_splits_have_their_shares():
    counts = Counter(split_of(f"document {i}") for i in range(20_000))
    for split, share in (("train", 0.90), ("valid", 0.05), ("test", 0.05)):
        assert abs(counts[split] / 20_000 - share) < 0.01


def test_splits_are_what_they_were():
    assert hash_fraction("Zürich") == 0.2590546826893768
    assert {key: split_of(key) for key in ("Tea", "Sun", "Opera", "Piano")} == {
        "Tea": "train",
        "Sun": "train",
        "Opera": "valid",
        "Piano": "test",
    }
