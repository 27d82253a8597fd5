"""A user's own text: nothing of it is lost, and what cannot be used is said in one line."""

import hashlib
import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bakeoff.data import own_text
from bakeoff.errors import UserError

#: Text that is mostly line ends, blanks and what `str.splitlines` takes for line ends.
texts = st.text(st.sampled_from("ab \t\n\r\x0b\x0c\x1c\x85\u2028\xa0é😀")) | st.text()


@given(texts)
@example("\n\n\na\n\n\nb")
@example("a\r\n\r\nb")
@example("a\n\nb")
def test_documents_joined_are_the_text(text):
    documents = own_text.documents_of(text)
    assert "".join(documents) == text
    assert all(documents)


@given(texts)
def test_every_document_has_one_paragraph_or_one_line_where_there_is_only_one(text):
    groups = itertools.groupby(text.split("\n"), key=lambda line: not line.strip())
    paragraphs = [list(group) for blank, group in groups if not blank]
    expected = paragraphs if len(paragraphs) > 1 else [[line] for paragraph in paragraphs for line in paragraph]
    found = [[line for line in document.split("\n") if line.strip()] for document in own_text.documents_of(text)]
    assert [lines for lines in found if lines] == expected


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a\nb\n\nc\n \n\nd", ("a\nb\n\n", "c\n \n\n", "d")),
        ("\n\na\n\nb\n", ("\n\na\n\n", "b\n")),
        ("a\nb\nc", ("a\n", "b\n", "c")),
        ("a", ("a",)),
        ("", ()),
    ],
)
def test_paragraphs_keep_the_blank_lines_after_them(text, documents):
    assert own_text.documents_of(text) == documents


def folder_of(path, **splits):
    path.mkdir()
    for split, text in splits.items():
        (path / f"{split}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_folder_gives_each_split_its_own_file(tmp_path):
    folder = folder_of(tmp_path / "own", train="a\n\nb\n", valid="c\r\n", test="d")
    assert own_text.read(folder) == {"train": ("a\n\n", "b\n"), "valid": ("c\r\n",), "test": ("d",)}


def test_a_file_is_dealt_whole_into_the_splits(tiny_corpus_file):
    splits = own_text.read(tiny_corpus_file)
    text = tiny_corpus_file.read_text(encoding="utf-8")
    assert sorted(document for split in splits.values() for document in split) == sorted(own_text.documents_of(text))
    assert 0.85 < len(splits["train"]) / text.count("\n\n") < 0.95


@pytest.mark.parametrize("text", ["{}\n", "\n{}", "\n\n{}\n\n\n"])
def test_blank_lines_around_a_text_of_lines_change_nothing(tmp_path, text):
    lines = [f"sentence {number}" for number in range(2000)]
    path = tmp_path / "own.txt"
    path.write_text(text.format("\n".join(lines)))
    splits = own_text.read(path)
    assert sorted(document.strip() for split in splits.values() for document in split) == sorted(lines)


def test_a_text_of_too_few_paragraphs_for_three_splits_is_cut_into_lines(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("\n\n".join("\n".join(f"line {part} {line}" for line in range(300)) for part in range(3)))
    splits = own_text.read(path)
    assert all(splits.values())
    assert sum(map(len, splits.values())) == 900


def test_equal_paragraphs_never_stand_in_two_splits(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("\n\n".join(f"  paragraph {i % 40}{' ' * (i // 40)}" for i in range(120)) + "\n\n\n")
    splits = own_text.read(path)
    keys = [{document.strip() for document in documents} for documents in splits.values()]
    assert sum(map(len, keys)) == len(set.union(*keys)) == 40
    assert sum(map(len, splits.values())) == 120


BAD = {
    "empty": b"",
    "only blanks": b" \n\t\n",
    "binary": b"some\0text",
    "Latin-1": "Zürich".encode("latin-1"),
    "UTF-16": "text".encode("utf-16-le"),
    "UTF-16 with a mark": "text".encode("utf-16"),
    "cut off inside a character": "Zürich".encode()[:2],
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
def test_a_file_that_is_no_text_is_refused_in_one_line(tmp_path, raw):
    path = tmp_path / "own.txt"
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"\A[^\n]*own\.txt is [^\n]+\Z"):
        own_text.read(path)
    folder = folder_of(tmp_path / "folder", train="a", valid=raw, test="b")
    with pytest.raises(UserError, match=r"\A[^\n]*valid\.txt is [^\n]+\Z"):
        own_text.read(folder)


@pytest.mark.parametrize("missing", ["train", "valid", "test"])
@pytest.mark.parametrize("use", [own_text.read, own_text.checksum])
def test_a_folder_without_a_split_is_refused_in_one_line(tmp_path, missing, use):
    folder = folder_of(tmp_path / "own", **{split: "a" for split in ("train", "valid", "test") if split != missing})
    with pytest.raises(UserError, match=rf"\A[^\n]*{missing}\.txt is missing[^\n]+\Z"):
        use(folder)


def test_a_checksum_is_that_of_sha256sum_and_sees_every_file(tmp_path):
    path = tmp_path / "own.txt"
    path.write_bytes(b"abc")
    assert own_text.checksum(path) == hashlib.sha256(b"abc").hexdigest()
    checksums = {
        own_text.checksum(
            folder_of(tmp_path / "".join(texts), **dict(zip(("train", "valid", "test"), texts, strict=True)))
        )
        for texts in ("aab", "aba", "baa", "aaa")
    }
    assert len(checksums) == 4
