"""Token streams and the batches that are cut from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data import own_text, sequences
from bakeoff.data.sequences import IGNORED, TokenStream
from bakeoff.data.tokenizers import train_bpe


def stream_of(sizes):
    """Documents of those many tokens; the tokens are their own places, and words and bytes tell documents apart."""
    starts = np.cumsum([0, *sizes])[:-1]
    places = np.arange(len(sizes))
    return TokenStream(tokens_N=np.arange(sum(sizes)), starts_D=starts, words_D=places + 1, bytes_D=10 * places + 1)


@pytest.fixture(scope="module")
def documents(tiny_corpus_file):
    return own_text.read(tiny_corpus_file)["valid"]


@pytest.fixture(scope="module")
def tokenizer(documents):
    return train_bpe(documents, 300)


@pytest.fixture
def stream(tmp_path):
    """Documents, written and read again."""

    def written(documents, tokenizer, name="split"):
        sequences.write(tmp_path / name, documents, tokenizer)
        return sequences.read(tmp_path / name)

    return written


streams = st.lists(st.integers(1, 9), min_size=2, max_size=12).map(stream_of)


@given(streams, st.integers(1, 20), st.integers(1, 7), st.randoms(use_true_random=False))
def test_every_token_but_the_first_is_predicted_once_from_the_one_before(tokens, length, batch_size, generator):
    order = list(range(tokens.sequences(length)))
    generator.shuffle(order)
    batches = list(tokens.batches(np.array(order), batch_size, length))
    predicted = []
    for batch in batches:
        real = batch.targets_BxL != IGNORED
        assert real.sum() == batch.targets
        assert (batch.inputs_BxL[real] == batch.targets_BxL[real] - 1).all()
        predicted += batch.targets_BxL[real].tolist()
    assert sorted(predicted) == list(range(1, len(tokens.tokens_N)))
    assert len(batches) == -(-len(order) // batch_size)


@given(streams, st.integers(1, 20), st.integers(1, 7))
def test_sequences_are_consecutive_and_padding_stands_at_the_end_of_the_last(tokens, length, batch_size):
    order = np.arange(tokens.sequences(length))
    rows = [row for batch in tokens.batches(order, batch_size, length) for row in batch.targets_BxL.tolist()]
    expected = [list(range(1 + s * length, 1 + min((s + 1) * length, tokens.targets))) for s in order]
    assert [[target for target in row if target != IGNORED] for row in rows] == expected
    for row in rows:
        assert row == sorted(row, key=lambda target: target == IGNORED)
    assert all(IGNORED not in row for row in rows[:-1])


@given(streams, st.integers(1, 20))
def test_batches_are_what_torch_takes(tokens, length):
    batch = tokens.batch(np.arange(tokens.sequences(length)), length)
    assert batch.inputs_BxL.dtype == batch.targets_BxL.dtype == np.int64
    assert batch.inputs_BxL.shape == batch.targets_BxL.shape
    assert (batch.inputs_BxL >= 0).all()
    assert (batch.inputs_BxL < len(tokens.tokens_N)).all()


@given(streams)
def test_every_target_belongs_to_the_document_that_it_stands_in(tokens):
    ends = [*tokens.starts_D[1:], len(tokens.tokens_N)]
    of_place = [d for d, (start, end) in enumerate(zip(tokens.starts_D, ends, strict=True)) for _ in range(start, end)]
    assert tokens.document_of_targets.tolist() == of_place[1:]
    assert tokens.tokens_D.tolist() == [of_place[1:].count(document) for document in range(len(ends))]


@given(streams, st.data())
def test_a_selection_has_whole_documents_in_the_order_asked_for(tokens, draw):
    chosen = draw.draw(st.lists(st.sampled_from(range(len(tokens.starts_D))), min_size=1, unique=True))
    selected = tokens.select(chosen)
    pieces = np.split(tokens.tokens_N, tokens.starts_D[1:])
    assert [piece.tolist() for piece in np.split(selected.tokens_N, selected.starts_D[1:])] == [
        pieces[document].tolist() for document in chosen
    ]
    assert selected.words_D.tolist() == [document + 1 for document in chosen]
    assert selected.bytes_D.tolist() == [10 * document + 1 for document in chosen]
    assert (selected.words, selected.bytes) == (sum(selected.words_D), sum(selected.bytes_D))


def test_a_stream_is_each_document_encoded_on_its_own(documents, tokenizer, stream, monkeypatch):
    monkeypatch.setattr(sequences, "SLICE", 300)
    tokens = stream(documents, tokenizer)
    expected = [tokenizer.encode(document).ids for document in documents]
    assert [piece.tolist() for piece in np.split(tokens.tokens_N, tokens.starts_D[1:])] == expected
    assert tokens.words_D.tolist() == [len(document.split()) for document in documents]
    assert tokens.bytes_D.tolist() == [len(document.encode()) for document in documents]


def test_no_token_spans_two_documents(tokenizer, stream):
    one, two = stream(("the", " end"), tokenizer), stream(("the end",), tokenizer, "other")
    pieces = np.split(one.tokens_N, one.starts_D[1:])
    assert [tokenizer.decode(piece.tolist()) for piece in pieces] == ["the", " end"]
    assert tokenizer.decode(two.tokens_N.tolist()) == "the end"


def test_a_stream_is_a_memory_mapped_file_of_small_integers(documents, tokenizer, stream):
    tokens = stream(documents, tokenizer).tokens_N
    assert isinstance(tokens, np.memmap)
    assert (tokens.dtype, tokens.flags.writeable) == (np.uint16, False)


def test_documents_without_a_token_are_kept(tokenizer, stream):
    tokens = stream(("", "the", "", " end", ""), tokenizer)
    assert tokens.tokens_D.tolist() == [
        0,
        len(tokenizer.encode("the").ids) - 1,
        0,
        len(tokenizer.encode(" end").ids),
        0,
    ]
    assert stream(("", ""), tokenizer, "empty").tokens_N.tolist() == []


class Counting:
    """A tokenizer that knows how many characters it was given at once."""

    def __init__(self, tokenizer):
        self.tokenizer, self.most = tokenizer, 0

    def __getattr__(self, name):
        return getattr(self.tokenizer, name)

    def encode_batch_fast(self, documents, **options):
        self.most = max(self.most, sum(map(len, documents)))
        return self.tokenizer.encode_batch_fast(documents, **options)


def test_a_text_is_encoded_in_slices_and_their_share_is_told(documents, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(sequences, "SLICE", 100)
    counting, told = Counting(tokenizer), []
    sequences.write(tmp_path / "split", documents, counting, told=told.append)
    assert 0 < counting.most < 100 + max(map(len, documents))
    assert told == sorted(told)
    assert (len(told) > 3, told[-1]) == (True, 1)
