"""A user's own text: nothing of it is lost, and what cannot be used is said in one line."""

import hashlib
import itertools
import os
import random
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bakeoff.data import own_text
from bakeoff.errors import UserError

#: Text that is mostly line ends, blanks and what `str.splitlines` takes for line ends.
texts = (st.text(st.sampled_from("ab \t\n\r\x0b\x0c\x1c\x85\u2028\xa0é😀")) | st.text()).filter(
    lambda text: text.strip() and "\0" not in text and text[0] != "\ufeff"
)


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Documents of a text, by way of a file."""
    path = tmp_path_factory.mktemp("cut") / "own.txt"

    def documents_of(text):
        path.write_bytes(text.encode())
        return tuple(own_text.documents_of(path))

    return documents_of


@given(text=texts)
@example(text="\n\n\na\n\n\nb")
@example(text="a\r\n\r\nb")
@example(text="a\n\nb")
@example(text="a\r\rb\rc")
def test_documents_joined_are_the_text(cut, text):
    documents = cut(text)
    assert "".join(documents) == text
    assert all(documents)


def lines_of(text):
    """A line ends with LF, CR or both."""
    return re.split(r"\r\n|\r|\n", text)


@given(text=texts)
def test_every_document_has_one_paragraph_or_one_line_where_there_is_only_one(cut, text):
    groups = itertools.groupby(lines_of(text), key=lambda line: not line.strip())
    paragraphs = [list(group) for blank, group in groups if not blank]
    expected = paragraphs if len(paragraphs) > 1 else [[line] for paragraph in paragraphs for line in paragraph]
    found = [[line for line in lines_of(document) if line.strip()] for document in cut(text)]
    assert [lines for lines in found if lines] == expected


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a\nb\n\nc\n \n\nd", ("a\nb\n\n", "c\n \n\n", "d")),
        ("\n\na\n\nb\n", ("\n\na\n\n", "b\n")),
        ("a\nb\nc", ("a\n", "b\n", "c")),
        ("a\rb\r\rc\r", ("a\rb\r\r", "c\r")),
        ("a", ("a",)),
    ],
)
def test_paragraphs_keep_the_blank_lines_after_them(cut, text, documents):
    assert cut(text) == documents


def test_a_mark_of_the_byte_order_is_no_text(cut):
    assert cut("\ufeffa\n\nb") == ("a\n\n", "b")


def letters(count, alphabet, seed=0):
    return "".join(random.Random(seed).choices(alphabet, k=count))  # noqa: S311 (no secret)


def words(count, seed=0):
    return letters(6 * count, "abcdefgh ", seed).split()


LONG = {
    "one line": " ".join(words(40_000)),
    "one line of sentences": ". ".join(" ".join(words(12, seed)) for seed in range(4_000)),
    "a run of letters": letters(200_000, "ACGT"),
    "a run without ASCII": letters(100_000, "天地玄黃宇宙洪荒"),
    "three long lines": "\n".join(" ".join(words(20_000, seed)) for seed in range(3)),
    "lines that CR alone ends": "\r".join(" ".join(words(30, seed)) for seed in range(2_000)),
    "long paragraphs": "\n\n".join(" ".join(words(4_000, seed)) for seed in range(100)),
    "long paragraphs of lines": "\n\n".join("\n".join(words(4_000, seed)) for seed in range(100)),
    "two short lines and a long one": "one\ntwo\n" + " ".join(words(40_000)),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_any_text_is_cut_into_documents_that_make_three_fair_splits(tmp_path, text):
    path = tmp_path / "own.txt"
    path.write_bytes(text.encode())
    splits = own_text.read(path)
    held = {split: sum(map(len, documents)) / len(text) for split, documents in splits.items()}
    assert sum(held.values()) == pytest.approx(1)
    assert 0.01 < held["valid"] < 0.2
    assert 0.01 < held["test"] < 0.2
    assert max(len(document) for documents in splits.values() for document in documents) <= own_text.LONG + 200


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("alphabet", ["的一是了我不人在他有这个上们来到时大地为", "abcdefghij "])
def test_a_small_text_on_a_single_line_has_three_splits(tmp_path, alphabet, seed):
    text = letters(60_000, alphabet, seed)
    (tmp_path / "mine.txt").write_text(text, encoding="utf-8")
    splits = own_text.read(tmp_path / "mine.txt")
    assert all(splits[split].bytes > 500 for split in ("train", "valid", "test"))
    assert sum(split.bytes for split in splits.values()) == len(text.encode())


@pytest.mark.parametrize("seed", range(40))
def test_of_20_kb_as_much_is_held_out_as_a_choice_needs(tmp_path, seed):
    chance, paragraphs, size = random.Random(seed), [], 0  # noqa: S311 (no secret)
    while size < 20_000:
        paragraphs.append(" ".join(words(chance.randint(45, 140), seed=chance.random())))
        size += len(paragraphs[-1])
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(paragraphs))
    splits = own_text.read(path)
    assert min(splits["valid"].bytes, splits["test"].bytes) >= 500


def test_a_long_line_is_cut_after_sentences_or_else_at_blanks(cut):
    assert all(document.endswith(". ") for document in cut(LONG["one line of sentences"])[:-1])
    assert all(document.endswith(" ") for document in cut(LONG["one line"])[:-1])
    assert "".join(cut(LONG["a run without ASCII"])) == LONG["a run without ASCII"]


def test_a_text_without_any_paragraph_end_is_no_single_document(cut):
    text = "\n\n".join("\n".join(f"line {part} {line}" for line in range(20_000)) for part in range(2))
    documents = cut(text)
    assert "".join(documents) == text
    assert max(map(len, documents)) < 100_000


def test_documents_are_read_by_place_and_by_slice(cut, tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("a\n\nb\n\nc")
    documents = own_text.documents_of(path)
    assert (documents[0], documents[-1], tuple(documents[1:])) == ("a\n\n", "c", ("b\n\n", "c"))


def folder_of(path, **splits):
    path.mkdir()
    for split, text in splits.items():
        (path / f"{split}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_folder_gives_each_split_its_own_file(tmp_path):
    folder = folder_of(tmp_path / "own", train="a\n\nb\n", valid="c\r\n", test="d")
    read = {split: tuple(documents) for split, documents in own_text.read(folder).items()}
    assert read == {"train": ("a\n\n", "b\n"), "valid": ("c\r\n",), "test": ("d",)}


def test_a_file_is_dealt_whole_into_the_splits(tiny_corpus_file):
    splits = own_text.read(tiny_corpus_file)
    text = tiny_corpus_file.read_text(encoding="utf-8")
    assert sorted(document for split in splits.values() for document in split) == sorted(
        own_text.documents_of(tiny_corpus_file)
    )
    assert 0.85 < len(splits["train"]) / text.count("\n\n") < 0.95


def test_what_is_held_out_stands_in_an_order_of_chance_and_train_in_that_of_the_file(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("\n\n".join(f"{number}. " + " ".join(words(20, number)) for number in range(2_000)))
    numbers = {split: [int(each.split(".")[0]) for each in texts] for split, texts in own_text.read(path).items()}
    assert numbers["train"] == sorted(numbers["train"])
    for split in ("valid", "test"):
        first = numbers[split][: len(numbers[split]) // 4]
        assert min(first) < 400
        assert max(first) > 1_600


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
    assert all(map(len, splits.values()))
    assert sum(map(len, splits.values())) == 900


def test_a_large_text_holds_out_as_much_as_is_worth_measuring(tmp_path, monkeypatch):
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(" ".join(words(20, seed)) for seed in range(4000)))
    whole = own_text.read(path)
    monkeypatch.setattr(own_text, "MOST_HELD_OUT", 5_000)
    splits = own_text.read(path)
    for split in ("valid", "test"):
        assert splits[split].bytes == pytest.approx(5_000, rel=0.5)
        assert {*splits[split]} < {*whole["valid"], *whole["test"]}
    assert sum(map(len, splits.values())) == sum(map(len, whole.values()))


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
    "UTF-32 with a mark": "text".encode("utf-32"),
    "cut off inside a character": "Zürich".encode()[:2],
}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1"])
def test_the_command_that_a_refusal_gives_makes_the_text_usable(tmp_path, encoding):
    path = tmp_path / "my own.txt"
    path.write_bytes("Grüße aus Zürich\n".encode(encoding))
    with pytest.raises(UserError) as refused:
        own_text.read(path)
    command = str(refused.value).partition("for example with ")[2]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "utf-8.txt").read_text(encoding="utf-8") == "Grüße aus Zürich\n"


def test_a_byte_that_is_not_utf_8_is_named_by_its_place_in_the_file(tmp_path):
    path = tmp_path / "own.txt"
    path.write_bytes("é".encode() * own_text.BLOCK + b"ab\xff")
    with pytest.raises(UserError, match=f"not UTF-8 at byte {2 * own_text.BLOCK + 2}:"):
        own_text.read(path)


@pytest.mark.parametrize("use", [own_text.read, own_text.checksum])
def test_what_does_not_end_or_cannot_be_read_twice_is_refused_unread(tmp_path, use):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UserError, match=r"\A[^\n]*is no regular file[^\n]*\Z"):
            use(path)


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
