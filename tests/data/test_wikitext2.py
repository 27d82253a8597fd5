import zipfile

import polars as pl
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from hypothesis import given
from hypothesis import strategies as st

from bakeoff.data import corpora, hub, wikitext2
from bakeoff.errors import UserError
from bakeoff.spec import Corpus

ARTICLE = " \n = Title = \n \n Some text = of it = . \n \n = = Section = = \n \n More . \n"


@pytest.fixture(autouse=True)
def forgotten():
    wikitext2._read_split.cache_clear()
    yield
    wikitext2._read_split.cache_clear()


@pytest.fixture
def empty_places(monkeypatch, tmp_path):
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def official(given_data):
    return {split: "".join(documents) for split, documents in wikitext2.read().items()}


def test_the_official_counts(given_data):
    text = corpora.load(Corpus(name="wikitext-2"))
    assert {split: len(documents) for split, documents in text.splits.items()} == {
        "train": 600,
        "valid": 60,
        "test": 60,
    }
    words = {split: sum(text.count(document)[0] for document in documents) for split, documents in text.splits.items()}
    assert words == {"train": 2_088_628, "valid": 217_646, "test": 245_569}
    assert sum(len(document.encode()) for document in text.splits["valid"]) == 1_121_681


def test_articles_begin_at_titles_between_blank_lines():
    first, *rest = wikitext2.articles(ARTICLE * 3)
    assert first == ARTICLE + " \n"
    assert [article[:11] for article in rest] == [" = Title = "] * 2
    assert len(wikitext2.articles(ARTICLE + " = No title = \n text \n")) == 1


@given(st.lists(st.sampled_from([" \n", " = Title = \n", " = = Part = = \n", " text \n"]), max_size=30))
def test_articles_lose_nothing(lines):
    assert "".join(wikitext2.articles("".join(lines))) == "".join(lines)


def test_rows_of_the_public_dataset_join_to_the_official_file(official, empty_places, monkeypatch):
    def download(repository, filename, **pinned):
        assert (repository, pinned["revision"]) == ("Salesforce/wikitext", wikitext2.REVISION)
        split = {"train": "train", "validation": "valid", "test": "test"}[filename.split("/")[1].partition("-")[0]]
        rows = ["" if line == " \n" else line for line in official[split].splitlines(keepends=True)]
        path = empty_places / f"{split}.parquet"
        pl.DataFrame({"text": rows}).write_parquet(path)
        return str(path)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    wikitext2._read_split.cache_clear()
    assert {split: "".join(documents) for split, documents in wikitext2.read().items()} == official
    assert wikitext2.place() == empty_places / "cache" / "corpora" / "wikitext-2"
    monkeypatch.setattr(hub, "hf_hub_download", None)
    wikitext2._read_split.cache_clear()
    assert {split: "".join(documents) for split, documents in wikitext2.read().items()} == official


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_no_network_names_both_places_and_the_mend(empty_places, monkeypatch):
    def refuse(*_, **__):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    with pytest.raises(UserError) as error:
        wikitext2.read()
    message = one_line(error)
    assert all(part in message for part in (str(empty_places / "cache"), "Salesforce/wikitext", "BAKEOFF_DATA"))
    assert not list(empty_places.rglob("*.tokens"))


def zip_at(folder, split, text):
    path = folder / "data" / "wikitext-2" / f"wiki.{split}.tokens.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"wiki.{split}.tokens", text)
    return path


def test_a_zip_with_another_text_is_refused(empty_places):
    path = zip_at(empty_places, "train", "some other text\n")
    with pytest.raises(UserError) as error:
        wikitext2.read()
    assert str(path) in one_line(error)
    assert "sha256" in str(error.value)


def test_a_truncated_zip_is_refused(empty_places):
    path = zip_at(empty_places, "train", "text " * 1000)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError) as error:
        wikitext2.read()
    assert str(path) in one_line(error)


def test_a_truncated_parquet_is_refused(tmp_path):
    path = tmp_path / "train.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(UserError) as error:
        wikitext2.joined_rows(path)
    assert str(path) in one_line(error)


def test_a_zip_of_a_disk_full_of_zeros_is_refused_after_a_split_of_it(empty_places, monkeypatch):
    path = zip_at(empty_places, "train", "")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("wiki.train.tokens", "w") as file:
        for _ in range(100):
            file.write(b"0" * 1_000_000)
    read = []
    monkeypatch.setattr(wikitext2, "_verified", lambda text, *_: read.append(len(text)))
    wikitext2._read_split("train")
    assert read == [wikitext2.LARGEST + 1]
    assert wikitext2.LARGEST < 20_000_000


def test_a_damaged_cache_is_fetched_anew(official, empty_places, monkeypatch):
    cached = wikitext2._cached("valid")
    cached.parent.mkdir(parents=True)
    cached.write_text(official["valid"][:-10])
    parquet = empty_places / "valid.parquet"
    rows = ["" if line == " \n" else line for line in official["valid"].splitlines(keepends=True)]
    pl.DataFrame({"text": rows}).write_parquet(parquet)
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: str(parquet))
    monkeypatch.delenv("BAKEOFF_DATA")
    wikitext2._read_split.cache_clear()
    assert wikitext2._read_split("valid") == official["valid"] == cached.read_text(encoding="utf-8")
