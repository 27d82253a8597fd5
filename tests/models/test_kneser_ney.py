from collections import Counter, defaultdict
from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.data import wikitext2
from bakeoff.models import kneser_ney
from bakeoff.models.kneser_ney import Questions, estimated, probabilities, textbook

VOCABULARY = 7
KINDS = {"textbook": textbook, "estimated": estimated}
#: Few symbols, so that n-grams of every count are there, and longer texts, so that discounts can be estimated.
streams = st.one_of(
    st.lists(st.integers(0, VOCABULARY - 2), min_size=6, max_size=60),
    st.builds(
        lambda seed, size: np.random.default_rng(seed).zipf(2, size).clip(max=VOCABULARY - 1).tolist(),
        st.integers(0, 100),
        st.integers(100, 200),
    ),
)


@pytest.fixture(params=["at once", "a first token at a time", "short keys"])
def counting(request, monkeypatch):
    """However a text is counted, the answers are the same."""
    if request.param == "a first token at a time":
        monkeypatch.setattr(kneser_ney, "AT_ONCE", 1)
        monkeypatch.setattr(kneser_ney, "BLOCK", 5)
    if request.param == "short keys":  # that hold a rank and two tokens of the smallest texts only
        monkeypatch.setattr(kneser_ney, "KEYS", VOCABULARY**3)


class SlowKneserNey:
    """The textbook's recursion over dictionaries, one n-gram at a time."""

    def __init__(self, tokens, order, discounting):
        self.counts = {order: Counter(zip(*(tokens[i:] for i in range(order)), strict=False))}
        for length in range(order - 1, 0, -1):
            longer = set(zip(*(tokens[i:] for i in range(length + 1)), strict=False))
            self.counts[length] = Counter(ngram[1:] for ngram in longer)
        self.discounts = {}
        for length, counts in self.counts.items():
            of_counts = Counter(counts.values())
            found = discounting(np.array([of_counts[count] for count in range(5)]))
            self.discounts[length] = lambda count, found=found: (0, *found)[min(count, 3)]

    def probability(self, context, target):
        lower = self.probability(context[1:], target) if context else 1 / VOCABULARY
        discount = self.discounts[len(context) + 1]
        after = {ngram: n for ngram, n in self.counts[len(context) + 1].items() if ngram[:-1] == context}
        total = sum(after.values())
        if not total:
            return lower
        count = after.get((*context, target), 0)
        return (max(count - discount(count), 0) + sum(map(discount, after.values())) * lower) / total


def answers(tokens, contexts, targets, orders, known=None):
    """Each order's probability of each target after its context, whose last token is the one just before it."""
    columns = [np.array(targets), *np.array(contexts).T[::-1]]
    known_T = np.full(len(targets), len(columns) - 1) if known is None else np.array(known)
    questions = Questions(columns=columns, known_T=known_T)
    asked = probabilities(np.array(tokens, dtype=np.uint16), VOCABULARY, questions, orders)
    return {order: answers_T.tolist() for order, answers_T in asked}


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(tokens=streams, context=st.tuples(*[st.integers(0, VOCABULARY - 1)] * 4))
def test_probabilities_of_any_context_sum_to_one(order, kind, tokens, context):
    told = answers(tokens, [context] * VOCABULARY, range(VOCABULARY), {order: KINDS[kind]})[order]
    assert sum(told) == pytest.approx(1)
    assert min(told) > 0


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("counting")
@settings(max_examples=20)
@given(tokens=streams, text=st.lists(st.integers(0, VOCABULARY - 1), min_size=5, max_size=20))
def test_it_equals_the_slow_dictionary_version(order, kind, tokens, text):
    ngrams = list(zip(*(text[i:] for i in range(5)), strict=False))
    contexts, targets = [ngram[:-1] for ngram in ngrams], [ngram[-1] for ngram in ngrams]
    slow = SlowKneserNey(tokens, order, KINDS[kind])
    expected = [slow.probability(c[5 - order :], t) for c, t in zip(contexts, targets, strict=True)]
    assert answers(tokens, contexts, targets, {order: KINDS[kind]})[order] == pytest.approx(expected, rel=1e-12)


@settings(max_examples=30)
@given(tokens=streams, draw=st.data())
def test_orders_together_are_what_each_is_alone_and_little_context_is_answered_by_the_order_that_it_is_enough_for(
    tokens, draw
):
    kinds = {2: textbook, 3: textbook, 4: estimated, 5: estimated}
    contexts = [draw.draw(st.tuples(*[st.integers(0, VOCABULARY - 1)] * 4)) for _ in range(6)]
    known, targets = [1, 2, 3, 4, 4, 4], draw.draw(st.tuples(*[st.integers(0, VOCABULARY - 1)] * 6))
    together = answers(tokens, contexts, targets, kinds, known)
    alone = {order: answers(tokens, contexts, targets, {order: kind})[order] for order, kind in kinds.items()}
    for order, told in together.items():
        expected = [alone[min(order, places + 1)][question] for question, places in enumerate(known)]
        assert told == pytest.approx(expected, rel=1e-12)


def test_discounts_are_those_of_chen_and_goodman():
    """With 100, 40, 20 and 10 n-grams of one to four counts: Y = 100 / 180."""
    share = 100 / 180
    expected = (1 - 2 * share * 40 / 100, 2 - 3 * share * 20 / 40, 3 - 4 * share * 10 / 20)
    assert estimated(np.array([0, 100, 40, 20, 10])) == pytest.approx(expected)


@given(st.lists(st.integers(0, 1000), min_size=5, max_size=5))
def test_every_count_gives_up_something_and_none_more_than_itself(counted):
    assert all(0 < discount < count for count, discount in enumerate(estimated(np.array(counted)), start=1))


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
    columns = [valid[2:], valid[1:-1], valid[:-2]]
    questions = Questions(columns=columns, known_T=np.full(len(valid) - 2, 2))
    models = probabilities(tokens["train"], len(numbers), questions, {2: textbook, 3: textbook})
    means = [np.log((counts / counts.sum())[valid[2:]]).mean(), *(np.log(answers_T).mean() for _, answers_T in models)]
    assert [exp(-mean) for mean in means] == pytest.approx([968, 288, 253], rel=0.01)
