"""Byte-level BPE: loses nothing, is the same every time, and is trained on what it is given and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from bakeoff.data import own_text, tokenizers
from bakeoff.data.tokenizers import train_bpe


@pytest.fixture(scope="module")
def documents(tiny_corpus_file):
    return own_text.read(tiny_corpus_file)["train"]


@pytest.fixture(scope="module")
def tokenizer(documents):
    return train_bpe(documents, 300)


@given(text=st.text() | st.text(st.sampled_from(" \t\r\n\0aé中😀\u200d<|endoftext|>Ġ")))
def test_any_text_survives_byte_for_byte(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_it_has_every_byte_and_the_size_that_was_asked_for(tokenizer):
    assert tokenizer.get_vocab_size() == 300
    assert sum(len(symbol) == 1 for symbol in tokenizer.get_vocab()) == 256


def test_a_text_too_small_for_the_vocabulary_yields_a_smaller_one():
    assert 256 <= train_bpe(("ab",), 300).get_vocab_size() < 300


def test_training_again_gives_the_same_tokenizer(documents, tokenizer):
    assert train_bpe(documents, 300).to_str() == tokenizer.to_str()


@pytest.mark.parametrize("run", ["ACGT" * 500, "\n" * 2000, "=" * 2000, "0123456789" * 200, "字" * 2000])
def test_no_long_run_is_trained_on_whole_as_that_takes_time_with_its_square(run):
    text = f"some words {run} and others"
    shown = list(tokenizers._shown([text, "short"]))
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert "".join(shown) == text + "short"
    assert max(end - start for part in shown for _, (start, end) in words.pre_tokenize_str(part)) <= 257


def test_ordinary_text_is_trained_on_as_it_is(documents):
    assert tuple(tokenizers._shown(documents)) == tuple(documents)


def test_an_interrupt_ends_the_training():
    class Stopped(list):
        def __getitem__(self, _every):
            yield "some text"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_bpe(Stopped(["some text"]), 300)


def test_of_a_large_text_evenly_spread_documents_are_enough(documents, monkeypatch):
    monkeypatch.setattr(tokenizers, "ENOUGH", sum(map(len, documents)) * 2 // 5)
    assert train_bpe(documents, 300).to_str() == train_bpe(documents[::3], 300).to_str()
