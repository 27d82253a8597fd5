"""What a choice is compared with learns, on the text that it is given, and is measured as every run is."""

import pytest

import alternatives
from bakeoff.data import corpora


@pytest.mark.slow
@pytest.mark.parametrize("name", alternatives.ALTERNATIVES)
def test_an_alternative_takes_as_long_as_it_is_given_and_learns(name, tiny_corpus_file, tmp_path, monkeypatch):
    monkeypatch.setattr(alternatives, "TIMED", 2)
    text = tmp_path / "text.txt"
    text.write_text(4 * tiny_corpus_file.read_text(encoding="utf-8"), encoding="utf-8")
    corpus = corpora.choose(str(text))
    alternative = alternatives.ALTERNATIVES[name]
    few, first = alternative.bits_per_byte(corpus, 0.001)
    more, last = alternative.bits_per_byte(corpus, 3)
    assert few == 1 < more
    assert last < first < 20


def test_the_learning_rate_is_that_of_nanogpt():
    rates = [alternatives.rate(step, 2000) for step in range(2001)]
    assert rates[0] == pytest.approx(1e-3 / 101)
    assert max(rates) == rates[100] == 1e-3
    assert rates[1050] == pytest.approx(5.5e-4)
    assert rates[2000] == pytest.approx(1e-4)
