"""From a name or a path to a verified text."""

import dataclasses

import pytest

from bakeoff import data
from bakeoff.data import corpora
from bakeoff.data.corpora import CORPORA, Text
from bakeoff.errors import UserError
from bakeoff.spec import Corpus


def test_a_built_in_name_is_that_corpus():
    assert {name: corpora.choose(name) for name in CORPORA} == {name: Corpus(name=name) for name in CORPORA}
    assert set(CORPORA) >= {"vital-articles", "wikitext-2"}


def test_every_built_in_corpus_has_licence_source_and_checksum():
    for corpus in CORPORA.values():
        assert corpus.licence
        assert corpus.source
        assert len(corpus.sha256) == 64


@pytest.mark.parametrize("name", ["nothing", "vital_articles"])
@pytest.mark.parametrize("use", [corpora.choose, corpora.find])
def test_what_is_no_corpus_is_told_in_one_line_that_names_those_there_are(use, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"\A[^\n]*vital-articles[^\n]*\Z"):
        use(name)


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        *(("Émile Zola (2).txt", "Émile-Zola-2"), ("<b>&.txt", "b"), ("….txt", "text"), ("a", "a")),
        *(("x.de-en.en", "x.de-en.en"), ("x.de-en.de", "x.de-en.de"), ("a\x1b[31m\nb.txt", "a-31m-b")),
        *(("n" * 247 + ".txt", "n" * 80), ("字" * 80 + ".txt", "字" * 26)),
    ],
)
def test_a_file_gives_the_corpus_a_name_that_can_be_a_folders(tmp_path, filename, name):
    path = tmp_path / filename
    path.write_text("text")
    corpus = corpora.choose(str(path))
    assert (corpus.name, corpus.path) == (name, str(path))


def test_a_relative_path_is_the_same_corpus_from_everywhere(tmp_path, monkeypatch):
    (tmp_path / "own.txt").write_text("text")
    monkeypatch.chdir(tmp_path)
    assert corpora.choose("own.txt") == corpora.choose(str(tmp_path / "own.txt"))


def test_a_link_is_named_as_the_user_named_it(tmp_path):
    (tmp_path / "0fe3a1").write_text("text")
    (tmp_path / "novel.txt").symlink_to("0fe3a1")
    corpus = corpora.choose(str(tmp_path / "novel.txt"))
    assert (corpus.name, corpora.load(corpus).source) == ("novel", "novel.txt")


def test_the_name_of_a_file_is_shown_harmless(tmp_path):
    path = tmp_path / "a\x1b[31m.txt"
    path.write_text("text")
    assert corpora.load(corpora.choose(str(path))).source == r"a\x1b[31m.txt"


def test_an_edited_text_is_another_corpus_and_the_old_one_is_refused(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("a\n\nb\n")
    before = corpora.choose(str(path))
    assert corpora.load(before).sha256 == before.sha256
    path.write_text("a\n\nB\n")
    assert corpora.choose(str(path)).sha256 != before.sha256
    with pytest.raises(UserError, match=r"\A[^\n]*has changed[^\n]*\Z"):
        corpora.load(before)


def test_a_text_that_is_gone_is_told_in_one_line(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("a")
    corpus = corpora.choose(str(path))
    path.unlink()
    with pytest.raises(UserError, match=r"\A[^\n]*own\.txt is missing[^\n]*\Z"):
        corpora.load(corpus)


def test_an_excerpt_is_the_first_documents_of_each_split(tiny_study):
    corpus = tiny_study.corpus
    whole, excerpt = (corpora.load(c) for c in (corpus, dataclasses.replace(corpus, documents=(7, 2, 10**6))))
    assert {split: list(documents) for split, documents in excerpt.splits.items()} == {
        "train": list(whole.splits["train"])[:7],
        "valid": list(whole.splits["valid"])[:2],
        "test": list(whole.splits["test"]),
    }


def test_line_ends_are_words_only_where_the_field_counts_them():
    text = Text(name="", licence="", source="", sha256="", read=dict)
    assert text.count(" a  b\nc\n\n") == (3, 9)
    assert dataclasses.replace(text, newline_is_word=True).count(" a  b\nc\n\n") == (6, 9)


def test_what_is_here_needs_no_fetching(tiny_study, tmp_path, monkeypatch):
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path))
    assert data.is_here(tiny_study.corpus, tiny_study.budget)
    assert not data.is_here(Corpus(name="vital-articles"), tiny_study.budget)
    assert not data.is_here(Corpus(name="nothing"), tiny_study.budget)
