import pytest

from bakeoff.data.overlap import shared_ngrams

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
