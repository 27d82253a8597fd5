from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data import wikitext2
from bakeoff.models.kneser_ney import DISCOUNT, KneserNey

streams = st.lists(st.integers(0, 5), min_size=4, max_size=60)


class SlowKneserNey:
    """The textbook's recursion over dictionaries, one n-gram at a time."""

    def __init__(self, tokens, vocabulary, order):
        self.vocabulary = vocabulary
        self.counts = {order: Counter(zip(*(tokens[i:] for i in range(order)), strict=False))}
        for length in range(order - 1, 0, -1):
            self.counts[length] = Counter(ngram[1:] for ngram in self.counts[length + 1])

    def probability(self, context, target):
        lower = self.probability(context[1:], target) if context else 1 / self.vocabulary
        after = {ngram: n for ngram, n in self.counts[len(context) + 1].items() if ngram[:-1] == context}
        total = sum(after.values())
        if not total:
            return lower
        kept = max(after.get((*context, target), 0) - DISCOUNT, 0)
        return kept / total + DISCOUNT * len(after) / total * lower


@pytest.mark.parametrize("order", [1, 2, 3])
@given(tokens=streams, context=st.tuples(st.integers(0, 6), st.integers(0, 6)))
def test_probabilities_of_any_context_sum_to_one(order, tokens, context):
    model = KneserNey.fit(np.array(tokens, dtype=np.uint16), 7, order)
    contexts = np.tile(context, (7, 1))
    probabilities = model.probabilities(contexts, np.arange(7))
    assert probabilities.sum() == pytest.approx(1)
    assert (probabilities > 0).all()


@pytest.mark.parametrize("order", [1, 2, 3])
@given(tokens=streams, text=st.lists(st.integers(0, 6), min_size=3, max_size=20))
def test_it_equals_the_slow_dictionary_version(order, tokens, text):
    model, slow = KneserNey.fit(np.array(tokens), 7, order), SlowKneserNey(tokens, 7, order)
    older, last, targets = text[:-2], text[1:-1], text[2:]
    fast = model.probabilities(np.stack([older, last], axis=1), np.array(targets))
    slowly = [slow.probability((o, n)[3 - order :], t) for o, n, t in zip(older, last, targets, strict=True)]
    assert fast == pytest.approx(slowly, rel=1e-12)


def test_published_floors_of_word_level_wikitext_2(given_data):
    """Validation perplexities over 33,278 words: unigram 968, bigram 288, trigram 253."""
    words = {
        split: "".join(documents).replace("\n", " <eos> ").split() for split, documents in wikitext2.read().items()
    }
    numbers = defaultdict(lambda: len(numbers))
    tokens = {split: np.array([numbers[word] for word in words[split]]) for split in ("train", "valid", "test")}
    assert len(numbers) == 33_278
    counts = np.bincount(tokens["train"], minlength=len(numbers)) + 0.1
    valid = tokens["valid"]
    contexts, targets = np.stack([valid[:-2], valid[1:-1]], axis=1), valid[2:]
    models = [KneserNey.fit(tokens["train"], len(numbers), order) for order in (2, 3)]
    models = [KneserNey.fit(tokens["train"], len(numbers), order) for order in (2, 3)]
    probabilities = [(counts / counts.sum())[targets], *(model.probabilities(contexts, targets) for model in models)]
    perplexities = [float(np.exp(-np.log(p).mean())) for p in probabilities]
    assert perplexities == pytest.approx([968, 288, 253], rel=0.01)
