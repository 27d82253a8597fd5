"""A corpus made ready: the tokenizer sees train alone, and what is too small is said in one line."""

import dataclasses

import numpy as np
import pytest

from bakeoff import data
from bakeoff.data import corpora, own_text
from bakeoff.data.splits import SPLITS
from bakeoff.errors import UserError
from bakeoff.spec import Budget

#: Frequent enough to become a symbol of every tokenizer that is shown it.
PLANTED = " xqzxqz" * 500
BUDGET = Budget(batch_size=4, sequence_length=16, vocabulary=400)


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


@pytest.fixture
def prepared(tmp_path, tiny_corpus_file):
    """A folder of splits, prepared with something more in some of them."""
    splits = {split: "".join(documents) for split, documents in own_text.read(tiny_corpus_file).items()}

    def prepare(name, **more):
        (tmp_path / name).mkdir()
        for split, text in splits.items():
            (tmp_path / name / f"{split}.txt").write_text(text + more.get(split, ""))
        return data.prepare(corpora.choose(str(tmp_path / name)), BUDGET)

    return prepare


def test_a_word_of_valid_or_test_never_reaches_the_tokenizer(prepared):
    plain, planted = prepared("plain"), prepared("planted", valid=PLANTED, test=PLANTED)
    assert planted.tokenizer.to_str() == plain.tokenizer.to_str()
    assert not any("xq" in symbol for symbol in planted.tokenizer.get_vocab())
    for split in ("valid", "test"):
        assert planted.splits[split].words == plain.splits[split].words + 500
    shown = prepared("shown", train=PLANTED)
    assert any("xqz" in symbol for symbol in shown.tokenizer.get_vocab())


def test_every_split_decodes_to_its_text(tokens):
    for split in SPLITS:
        assert tokens.tokenizer.decode(tokens.splits[split].tokens_N.tolist()) == "".join(tokens.text.splits[split])


def test_the_train_sample_is_whole_train_documents_of_about_valids_size(tokens):
    train, sample, valid = tokens.splits["train"], tokens.train_sample, tokens.splits["valid"]
    pieces = [piece.tolist() for piece in np.split(train.tokens_N, train.starts_D[1:])]
    places = [pieces.index(piece.tolist()) for piece in np.split(sample.tokens_N, sample.starts_D[1:])]
    assert places == sorted(set(places))
    assert valid.targets <= sample.targets < valid.targets + max(map(len, pieces))
    assert places != list(range(len(places)))


def test_the_train_sample_is_always_the_same(tokens, tiny_study):
    again = data.prepare(tiny_study.corpus, tiny_study.budget)
    assert (again.train_sample.tokens_N == tokens.train_sample.tokens_N).all()


def test_a_sample_of_more_than_there_is_is_all_of_train(tokens):
    train = tokens.splits["train"]
    assert (data.sample_documents(train, 10**9).tokens_N == train.tokens_N).all()


@pytest.mark.parametrize(
    "text",
    [
        "The same paragraph.\n\n" * 2000,
        "abc def ghi " * 8000,
        "Title\n\n" + "hello there world. " * 3000,
        "Line\n" * 50,
    ],
)
def test_a_text_that_repeats_itself_is_told_so_as_a_longer_one_would_not_help(tmp_path, text):
    path = tmp_path / "same.txt"
    path.write_text(text)
    with pytest.raises(UserError, match="says the same over and over"):
        data.prepare(corpora.choose(str(path)), BUDGET)


@pytest.mark.parametrize("text", ["One paragraph.", "One.\n\nTwo.\n\nThree."])
def test_a_text_that_is_too_small_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "small.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=r"\A[^\n]*small is too small[^\n]*\Z"):
        data.prepare(corpora.choose(str(path)), BUDGET)


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_shorter_than_a_sequence_is_named(tmp_path, tiny_corpus_file, split):
    for name in SPLITS:
        (tmp_path / f"{name}.txt").write_text("word" if name == split else tiny_corpus_file.read_text())
    with pytest.raises(UserError, match=rf"\A[^\n]*too small: its {split} split has [^\n]*17[^\n]*\Z"):
        data.prepare(corpora.choose(str(tmp_path)), BUDGET)


def test_a_split_of_exactly_one_sequence_is_enough(tiny_study, tokens):
    shortest = min(stream.targets for stream in tokens.splits.values())
    budget = tiny_study.budget
    data.prepare(tiny_study.corpus, dataclasses.replace(budget, sequence_length=shortest))
    with pytest.raises(UserError, match="too small"):
        data.prepare(tiny_study.corpus, dataclasses.replace(budget, sequence_length=shortest + 1))


def test_an_unknown_tokenizer_is_told_in_one_line(tiny_study):
    with pytest.raises(UserError, match=r"\Aunknown tokenizer 'words'[^\n]*bpe[^\n]*\Z"):
        data.prepare(tiny_study.corpus, dataclasses.replace(tiny_study.budget, tokenizer="words"))


def test_what_of_test_stands_in_train_too_is_measured(prepared, tiny_corpus_file):
    test = "".join(own_text.read(tiny_corpus_file)["test"])
    plain, leaked = prepared("plain"), prepared("leaked", train=test)
    assert plain.shared["test"] < 0.02
    assert leaked.shared["test"] > 0.9
    assert leaked.shared["valid"] == pytest.approx(plain.shared["valid"], abs=0.02)
