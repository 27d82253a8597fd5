"""GPT-1's tokenizer: the ids of the public one, from either source's files, and one line where they are wrong."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from transformers import OpenAIGPTTokenizer

from bakeoff import data
from bakeoff.data import gpt1, hub, wikitext2
from bakeoff.data.sequences import TokenStream
from bakeoff.errors import UserError
from bakeoff.experiments import SEED
from bakeoff.spec import Budget

SYMBOLS = 40_478
#: Of WikiText-2's splits: tokens, sequences of 256 targets, words without line ends.
COUNTS = {
    "train": (2_286_921, 8_934, 2_051_910),
    "valid": (231_627, 905, 213_886),
    "test": (259_587, 1_015, 241_211),
}
PASSAGE = " = Robert <unk> = \n \n The “naïve” café , 3 @.@ 5 km away — 北京 ; don 't\t<unk>-like <UNK> \n"
FILES = (gpt1.VOCABULARY, gpt1.MERGES)


@pytest.fixture
def given(given_data):
    folder = Path(os.environ["BAKEOFF_DATA"]) / "gpt1"
    if not folder.is_dir():
        pytest.skip("BAKEOFF_DATA has no gpt1")
    return folder


@pytest.fixture
def copied(given, tmp_path, monkeypatch):
    """The released files in a folder that can be spoiled, and no other place to find them in."""
    folder = tmp_path / "data" / "gpt1"
    folder.mkdir(parents=True)
    for file in FILES:
        (folder / file.name).write_bytes((given / file.name).read_bytes())
    monkeypatch.setenv("BAKEOFF_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "hf_hub_download", refuse)


def contents(folder):
    symbols = json.loads((folder / gpt1.VOCABULARY.name).read_text(encoding="utf-8"))
    lines = (folder / gpt1.MERGES.name).read_text(encoding="utf-8").split("\n")[1:-1]
    return symbols, [tuple(line.split(" ")) for line in lines]


def public(folder):
    symbols, merges = contents(folder)
    return OpenAIGPTTokenizer(vocab=symbols, merges=merges)


def test_a_passage_is_spelled_as_by_the_public_tokenizer(given):
    tokenizer = gpt1.tokenizer((), SYMBOLS)
    encoded = tokenizer.encode(PASSAGE)
    assert encoded.ids == public(given).encode(PASSAGE)
    assert tokenizer.get_vocab_size() == SYMBOLS
    assert encoded.tokens[:4] == ["=</w>", "robert</w>", "<unk>", "=</w>"]
    assert {"naive</w>", "cafe</w>"} < set(encoded.tokens)


@pytest.mark.parametrize("split", [pytest.param("train", marks=pytest.mark.slow), "valid", "test"])
def test_wikitext_2_is_spelled_as_by_the_public_tokenizer(split, given):
    documents = wikitext2.read()[split]
    ours = gpt1.tokenizer((), SYMBOLS).encode_batch_fast(list(documents), add_special_tokens=False)
    ids = [token for encoding in ours for token in encoding.ids]
    assert ids == public(given).encode("".join(documents))
    assert len(ids) == COUNTS[split][0]


@pytest.mark.slow
def test_the_seeds_streams_are_counted_as_in_the_report(given):
    assert data.is_here(SEED.corpus, SEED.budget)
    splits = data.prepare(SEED.corpus, SEED.budget).splits
    counts = {split: (len(s.tokens_N), s.sequences(256), s.words) for split, s in splits.items()}
    assert counts == COUNTS


@pytest.mark.parametrize(("split", "factor"), [("train", 0.9988), ("valid", 0.9921), ("test", 0.9902)])
def test_the_reports_quotients_are_too_low_by_what_the_last_batch_lacks(split, factor):
    """It divided each batch's sum by 16 x 256 and averaged: where every target costs 1 nat, it found this."""
    one, tokens = np.array([0]), np.zeros(COUNTS[split][0], np.uint16)
    stream = TokenStream(tokens_N=tokens, starts_D=one, words_D=one, bytes_D=one)
    batches = stream.batches(np.arange(stream.sequences(256)), 16, 256)
    quotients = [batch.targets / (16 * 256) for batch in batches]
    assert np.mean(quotients) == pytest.approx(factor, abs=5e-5)
    assert np.mean(quotients) == pytest.approx(stream.targets / (len(quotients) * 16 * 256))


def test_words_and_bytes_are_those_that_a_lossy_tokenizer_can_predict(given, tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.txt").write_text("Two  words\n\n Été \n \n")
    corpus = data.corpora.choose(str(tmp_path))
    valid = data.prepare(corpus, Budget(tokenizer="gpt1", vocabulary=SYMBOLS, sequence_length=2)).splits["valid"]
    assert (valid.words, valid.bytes) == (3, len(b"Two words") + len("Été".encode()))


def test_the_public_repositorys_names_and_layout_give_the_same_tokenizer(given, copied, monkeypatch):
    expected = gpt1.tokenizer((), SYMBOLS).to_str()
    symbols, merges = contents(copied)
    for file in FILES:
        (copied / file.name).unlink()
    assert not gpt1.tokenizer_is_here()
    fetched = copied.parent / "fetched"
    fetched.mkdir()
    (fetched / "vocab.json").write_text(json.dumps(symbols, indent=1, ensure_ascii=False), encoding="utf-8")
    (fetched / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, merges)]), encoding="utf-8")
    monkeypatch.setattr(hub, "hf_hub_download", lambda repository, name, **_: fetched / name)
    assert gpt1.tokenizer((), SYMBOLS).to_str() == expected


def one_line(error, *parts):
    assert "\n" not in str(error.value)
    assert all(part in str(error.value) for part in parts)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw.replace(b"the", b"teh", 1),
        lambda raw: b"",
        lambda raw: b"\xff",
    ],
    ids=["truncated", "changed", "empty", "no text"],
)
def test_a_wrong_or_truncated_file_is_named(file, spoil, copied):
    path = copied / file.name
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError) as error:
        gpt1.tokenizer((), SYMBOLS)
    one_line(error, str(path), f"is not {file.what} as released", "replace it")


def test_without_files_and_network_it_is_said_what_goes_where(copied, no_network, tmp_path):
    (copied / gpt1.MERGES.name).unlink()
    assert not gpt1.tokenizer_is_here()
    with pytest.raises(UserError) as error:
        gpt1.tokenizer((), SYMBOLS)
    one_line(error, gpt1.MERGES.name, str(tmp_path / "cache" / "gpt1"), "merges.txt", "no network")


def test_another_size_of_vocabulary_is_refused(given):
    with pytest.raises(UserError) as error:
        gpt1.tokenizer((), 2048)
    one_line(error, "40,478", "vocabulary=40478")
