"""Byte-level BPE: loses nothing, is the same every time, and is trained on what it is given and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, trainers

from bakeoff.data import own_text, tokenizers
from bakeoff.data.tokenizers import train_bpe


@pytest.fixture(scope="module")
def documents(tiny_corpus_file):
    return own_text.read(tiny_corpus_file)["train"]


@pytest.fixture(scope="module")
def tokenizer(documents):
    return train_bpe(documents, 300)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path))
    return tmp_path


@given(text=st.text() | st.text(st.sampled_from(" \t\r\n\0aé中😀\u200d<|endoftext|>Ġ")))
def test_any_text_survives_byte_for_byte(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_it_has_every_byte_and_the_size_that_was_asked_for(tokenizer):
    assert tokenizer.get_vocab_size() == 300
    assert sum(len(symbol) == 1 for symbol in tokenizer.get_vocab()) == 256


def test_a_text_too_small_for_the_vocabulary_yields_a_smaller_one():
    assert 256 <= train_bpe(("ab",), 300).get_vocab_size() < 300


def test_training_again_gives_the_same_tokenizer(documents, tokenizer, cache):
    assert train_bpe(documents, 300).to_str() == tokenizer.to_str()


def test_the_second_time_it_is_read_from_the_cache(documents, cache, monkeypatch):
    first = train_bpe(documents, 300)
    (file,) = (cache / "tokenizers").iterdir()
    monkeypatch.setattr(trainers, "BpeTrainer", None)
    assert train_bpe(documents, 300).to_str() == first.to_str() == Tokenizer.from_file(str(file)).to_str()


def test_another_text_size_or_cut_is_another_entry_of_the_cache(cache):
    for documents, vocabulary in ((("ab", "c"), 300), (("ab", "d"), 300), (("a", "bc"), 300), (("ab", "c"), 301)):
        train_bpe(documents, vocabulary)
    assert len(list((cache / "tokenizers").iterdir())) == 4


def test_an_interrupted_training_leaves_no_entry(documents, cache, monkeypatch):
    class Full:
        def save(self, path):
            raise OSError("no space left")

        def train_from_iterator(self, documents, trainer):
            pass

    monkeypatch.setattr(tokenizers, "Tokenizer", lambda model: Full())
    with pytest.raises(OSError, match="no space"):
        train_bpe(documents, 300)
    assert list((cache / "tokenizers").iterdir()) == []
