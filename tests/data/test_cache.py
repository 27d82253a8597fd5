"""What was made of a text is kept with its checksums, and believed only if they match."""

import dataclasses
import os
import shutil
import time

import pytest

from bakeoff import data
from bakeoff.data import cache
from bakeoff.errors import UserError
from bakeoff.files import TEMPORARY


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made(name, content="content"):
    """Fill an entry unless it is there, and say whether it had to be."""
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "a.bin").write_text(content)

    folder = cache.entry(name, make)
    assert (folder / "a.bin").read_text() == content
    return bool(calls)


def test_an_entry_is_made_once():
    assert [made("things/one"), made("things/one"), made("things/two")] == [True, False, True]


DAMAGES = {
    "emptied": lambda folder: (folder / "a.bin").write_text(""),
    "flipped": lambda folder: (folder / "a.bin").write_text("cOntent"),
    "gone": lambda folder: (folder / "a.bin").unlink(),
    "without checksums": lambda folder: (folder / cache.CHECKSUMS).unlink(),
    "with other checksums": lambda folder: (folder / cache.CHECKSUMS).write_text("[]"),
    "with half of its checksums": lambda folder: (folder / cache.CHECKSUMS).write_text('{"entry": "things/one'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_heals_itself(damage, place):
    made("things/one")
    damage(place / "things" / "one")
    assert made("things/one")
    assert not made("things/one")


def test_the_entry_of_another_is_not_believed(place):
    made("things/one")
    made("things/two", "other content")
    shutil.rmtree(place / "things/one")
    shutil.copytree(place / "things/two", place / "things/one")
    assert made("things/one")


def test_what_a_killed_process_left_is_removed_and_an_error_leaves_nothing(place):
    leftover = place / "things" / f"{TEMPORARY}one"
    leftover.mkdir(parents=True)
    (leftover / "half.bin").write_text("half")

    def fails(folder):
        (folder / "a.bin").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("things/one", fails)
    assert [path.name for path in (place / "things").iterdir()] == ["one.lock"]


def test_what_was_left_half_made_elsewhere_goes_with_the_next_use_once_nobody_can_be_at_work_on_it(place):
    old, new = (place / "corpora" / f"{TEMPORARY}{age}" for age in ("old", "new"))
    folder = place / "tokens" / f"{TEMPORARY}old"
    folder.mkdir(parents=True)
    old.parent.mkdir()
    for file in (old, new, folder / "half.bin"):
        file.write_text("half")
    for path in (old, folder / "half.bin", folder):
        os.utime(path, (time.time() - 2 * cache.ABANDONED,) * 2)
    assert made("things/one")
    assert [path.exists() for path in (old, folder, new)] == [False, False, True]


def test_a_write_that_fails_names_the_place(place):
    def full(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        cache.entry("things/one", full)
    assert caught.value.filename == str(place / "things/one")


def test_tokens_come_from_the_cache_without_the_text(tiny_study, monkeypatch):
    first = data.prepare(tiny_study.corpus, tiny_study.budget)
    monkeypatch.setattr("bakeoff.data.own_text._cut", None)
    again = data.prepare(tiny_study.corpus, tiny_study.budget)
    assert again.tokenizer.to_str() == first.tokenizer.to_str()
    for split, stream in first.splits.items():
        assert (again.splits[split].tokens_N == stream.tokens_N).all()
        assert (again.splits[split].words, again.splits[split].bytes) == (stream.words, stream.bytes)


@pytest.mark.parametrize("name", ["train.tokens", "valid.npz", "tokenizer.json"])
@pytest.mark.parametrize("change", ["emptied", "flipped", "another's"])
def test_damaged_and_foreign_tokens_are_made_again(tiny_study, place, name, change):
    tokens = data.prepare(tiny_study.corpus, tiny_study.budget).splits["train"].tokens_N.tolist()
    (file,) = place.glob(f"tokens/*/{name}")
    if change == "another's":
        content = next(place.glob(f"tokens/*/{'test.tokens' if name.endswith('tokens') else 'test.npz'}")).read_bytes()
    else:
        content = b"" if change == "emptied" else bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:]
    file.unlink()  # not in place: the stream above has it mapped
    file.write_bytes(content)
    assert data.prepare(tiny_study.corpus, tiny_study.budget).splits["train"].tokens_N.tolist() == tokens


def test_tokens_made_by_other_code_are_not_believed(tiny_study, place, monkeypatch):
    data.prepare(tiny_study.corpus, tiny_study.budget)
    monkeypatch.setattr(data, "_sources", lambda: "other sources")
    data.prepare(tiny_study.corpus, tiny_study.budget)
    assert len(list(place.glob("tokens/*/train.tokens"))) == 2


def test_a_text_that_changes_while_it_is_read_leaves_no_tokens(tiny_study, place, monkeypatch):
    sums = iter("ab")
    monkeypatch.setattr("bakeoff.data.own_text.checksum", lambda path: next(sums))
    corpus = dataclasses.replace(tiny_study.corpus, sha256=None)
    with pytest.raises(UserError, match=r"\A[^\n]*was changed while it was read[^\n]*\Z"):
        data.prepare(corpus, tiny_study.budget)
    assert not list(place.glob("tokens/*/train.tokens"))
