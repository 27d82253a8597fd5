"""Exported runs against the runs: loaded by `transformers` itself, or by Bakeoff where it has no such class."""

import dataclasses
import json
import os
import platform
import re
import shutil
import socket
import stat
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

import bakeoff
from bakeoff import data, metrics, words
from bakeoff.errors import UserError
from bakeoff.export import transformers as exporting
from bakeoff.files import write_json
from bakeoff.job import Job
from bakeoff.loading import Trained
from bakeoff.models import GLR, GPT, GPT1, GRU, LSTM, Transformers
from bakeoff.optimizers import Adam
from bakeoff.records import read_json, write_record
from bakeoff.run_folder import RunFolder
from bakeoff.runner import open_session
from bakeoff.spec import Study
from bakeoff.training import token_nats
from bakeoff.worker import work

SMALL = {"width": 16, "heads": 2}
LLAMA = Transformers("llama", layers=2, hidden_size=16, num_attention_heads=2, intermediate_size=24)
EQUAL = {
    "OpenAIGPTLMHeadModel": GPT1(layers=2, gelu="tanh", dropout=0.1, **SMALL),
    "NanoChatForCausalLM": GPT(layers=2, **SMALL),
    "LlamaForCausalLM": LLAMA,
}
ALONE = {
    "lstm": LSTM(embedding=16, hidden=16),
    "gru": GRU(embedding=16, hidden=16),
    "glr": GLR(width=16),
    "gpt with the token shift": GPT(token_shift=True, **SMALL),
    "gpt1 with pre-norm": GPT1(post_norm=False, **SMALL),
}
EXACT = "gpt1 with the exact GELU"
TEXT = "Größe 12\n  hello don't . , world !\n\n \t東京  \n"


@pytest.fixture(scope="module")
def study(tiny_study):
    contenders = [*EQUAL.values(), *ALONE.values(), GPT1(**SMALL)]
    return Study.of(
        "tiny",
        corpus=tiny_study.corpus,
        budget=dataclasses.replace(tiny_study.budget, epochs=1, epoch_steps=30),
        contenders=[(architecture, Adam(lr=3e-2)) for architecture in contenders],
    )


@pytest.fixture(scope="module")
def runs(study, tmp_path_factory):
    """The folder of each run, by what it is called above."""
    with open_session(study, tmp_path_factory.mktemp("out") / study.name, torch.device("cpu")) as session:
        for run in session.study.runs:
            folder = session.folder.run(run.slug).path
            work(Job(run=run, folder=folder, device="cpu", alone=True), lambda message: None)
        folders = [session.folder.run(run.slug).path for run in session.study.runs]
    return dict(zip([*EQUAL, *ALONE, EXACT], folders, strict=True))


@pytest.fixture(scope="module")
def exported(runs, tmp_path_factory):
    """The folder of an exported run, made when it is first asked for."""
    made = {}

    def export(name):
        if name not in made:
            made[name] = tmp_path_factory.mktemp("exported") / "my-model"
            assert exporting.export(runs[name], made[name]) == (name if name in EQUAL else None)
        return made[name]

    return export


class Theirs(nn.Module):
    """A model of the library's, as the measuring of Bakeoff asks it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def token_nats(self, inputs, targets):
        nats = F.cross_entropy(self.model(inputs).logits.flatten(0, 1), targets.flatten(), reduction="none")
        return nats.view_as(targets)


@pytest.mark.parametrize("name", EQUAL)
def test_the_library_computes_the_logits_and_the_perplexity_of_the_run(name, runs, exported, study):
    theirs, (ours, _) = AutoModelForCausalLM.from_pretrained(exported(name)), bakeoff.load(runs[name])
    assert (type(theirs).__name__, theirs.dtype) == (name, torch.float32)
    tokens = data.prepare(study.corpus, study.budget)
    inputs = torch.from_numpy(tokens.splits["valid"].tokens_N[: 4 * 16].astype(np.int64)).view(4, 16)
    with torch.no_grad():
        expected = ours(inputs)
        torch.testing.assert_close(theirs(inputs).logits, expected, rtol=0, atol=1e-5)
        assert expected.std() > 0.5  # so that it means something
    nats = token_nats(Theirs(theirs), tokens.splits["valid"], study.budget, torch.device("cpu"))
    recorded = min((line["valid"] for line in RunFolder(runs[name]).history()), key=lambda valid: valid["nats"])
    perplexity = metrics.perplexity(recorded["nats"], recorded["tokens"])
    assert metrics.perplexity(nats.sum(dtype=np.float64), len(nats)) == pytest.approx(perplexity, rel=1e-6)


@pytest.mark.parametrize("name", EQUAL)
def test_the_library_generates_what_the_run_finds_likeliest(name, runs, exported):
    theirs, (ours, tokenizer) = AutoModelForCausalLM.from_pretrained(exported(name)), bakeoff.load(runs[name])
    tokens = torch.tensor([tokenizer.encode("The w").ids])
    found = theirs.generate(tokens, attention_mask=torch.ones_like(tokens), max_length=12, do_sample=False)
    with torch.no_grad():
        for _ in range(12 - tokens.shape[1]):
            tokens = torch.cat((tokens, ours(tokens)[:, -1:].argmax(-1)), dim=1)
    assert found.tolist() == tokens.tolist()


@pytest.mark.parametrize("name", ALONE)
def test_what_no_class_equals_is_loaded_again_by_bakeoff(name, runs, exported):
    theirs, ours = bakeoff.load(exported(name)), bakeoff.load(runs[name])
    tokens = torch.tensor([ours.tokenizer.encode(TEXT).ids[:16]])
    with torch.no_grad():
        assert torch.equal(theirs.model(tokens), ours.model(tokens))
    assert not theirs.model.training
    assert theirs.tokenizer.encode(TEXT).ids == ours.tokenizer.encode(TEXT).ids


@pytest.mark.parametrize("name", [*EQUAL, "lstm"])
def test_the_tokenizer_is_the_runs_own(name, runs, exported):
    ours = bakeoff.load(runs[name]).tokenizer
    theirs = (AutoTokenizer if name in EQUAL else PreTrainedTokenizerFast).from_pretrained(exported(name))
    assert theirs(TEXT).input_ids == ours.encode(TEXT).ids
    assert theirs.decode(theirs(TEXT).input_ids) == TEXT
    assert (len(theirs), theirs.model_max_length, theirs.special_tokens_map) == (ours.get_vocab_size(), 16, {})


def test_the_symbol_of_unknown_words_stays_one(tmp_path):
    tokenizer = Tokenizer(models.BPE({"<unk>": 0, "a": 1, "b": 2}, [], unk_token="<unk>"))  # noqa: S106 (no password)
    tokenizer.add_special_tokens(["<unk>"])
    exporting._tokenizer(Trained(LSTM(), 16, nn.Identity(), tokenizer)).save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert (again.unk_token, again.unk_token_id, again("abc").input_ids) == ("<unk>", 0, [1, 2, 0])


# --- what is refused --------------------------------------------------------------------------------------------------


def refused(match, run, folder):
    """Nothing but one line comes of it."""
    with pytest.raises(UserError, match=rf"\A[^\n]*{match}[^\n]*\Z"):
        exporting.export(run, folder)
    assert not list(folder.parent.glob(".unfinished*"))


def test_the_exact_gelu_is_refused_with_what_can_be_exported(runs, tmp_path):
    refused(r'train with GPT1\(gelu="tanh"\)', runs[EXACT], tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_logits_that_are_not_the_runs_are_refused(runs, tmp_path, monkeypatch):
    def wrong(self, model):
        found = mapped(self, model)
        return found._replace(config={**found.config, "num_attention_heads": 1})

    mapped = GPT.to_transformers
    monkeypatch.setattr(GPT, "to_transformers", wrong)
    refused("NanoChatForCausalLM of transformers computes other logits", runs["NanoChatForCausalLM"], tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(runs, tmp_path):
    for name in ("mine.txt", ".hidden"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("mine")
        refused("is there and not empty: name a new folder", runs["lstm"], folder)
        refused("is there and not empty: name a new folder", runs["lstm"], folder / name)
        assert [path.read_text() for path in folder.iterdir()] == ["mine"]


def test_an_empty_folder_is_filled_also_after_a_kill(runs, tmp_path):
    folder = tmp_path / "empty"
    (tmp_path / ".unfinished-empty" / "old").mkdir(parents=True)
    folder.mkdir()
    exporting.export(runs["lstm"], folder)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    }


def test_what_fails_leaves_nothing(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_CARD", None)
    with pytest.raises(AttributeError):
        exporting.export(runs["lstm"], tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_one_line_names_the_extra(runs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    for name in ("lstm", "NanoChatForCausalLM"):
        refused(r"pip install 'bakeoff\[transformers\]'", runs[name], tmp_path / "new")


def test_a_run_that_has_not_finished_is_refused(runs, tmp_path):
    study = shutil.copytree(runs["lstm"].parents[1], tmp_path / "tiny")
    run = study / runs["lstm"].relative_to(runs["lstm"].parents[1])
    (run / "summary.json").unlink()
    refused("has not finished", run, tmp_path / "new")


def test_a_seed_that_only_a_comparison_has_is_exported_too(runs, tmp_path):
    study = shutil.copytree(runs["lstm"].parents[1], tmp_path / "tiny")
    declared = read_json(study / "study.json")
    write_json(study / "study.json", declared | {"seeds": [5]})
    exporting.export(study / runs["lstm"].relative_to(runs["lstm"].parents[1]), tmp_path / "new")
    assert (tmp_path / "new" / "README.md").is_file()


def test_what_bakeoff_cannot_load_is_said_in_one_line(exported, tmp_path):
    def said(folder):
        with pytest.raises(UserError, match=r"\A[^\n]+\Z") as error:
            bakeoff.load(folder)
        return str(error.value)

    assert "AutoModelForCausalLM.from_pretrained" in said(exported("NanoChatForCausalLM"))
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        folder = shutil.copytree(exported("glr"), tmp_path / name)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
        assert "is damaged" in said(folder)
    another = shutil.copytree(exported("glr"), tmp_path / "another")
    tokenizer = json.loads((another / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"] |= {"e": tokenizer["model"]["vocab"]["t"], "t": tokenizer["model"]["vocab"]["e"]}
    write_json(another / "tokenizer.json", tokenizer)
    assert "is damaged (its checksum is another): export the run again" in said(another)
    config = read_json(exported("glr") / "config.json")
    for architecture, expected in (({"type": "mine.Wide"}, "mine.Wide: load the run's own"), ({}, "is damaged")):
        write_record(tmp_path / "config.json" / "config.json", config | {"architecture": architecture})
        assert expected in said(tmp_path / "config.json")


# --- the card ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["NanoChatForCausalLM", "lstm"])
def test_the_card_has_the_measured_numbers_and_how_to_load_it(name, runs, exported, monkeypatch):
    card = (exported(name) / "README.md").read_text(encoding="utf-8")
    summary, history = RunFolder(runs[name]).summary, RunFolder(runs[name]).history()
    best = min((line["valid"] for line in history), key=lambda valid: valid["nats"])
    for split, sums in (("valid", best), ("test", summary["test"]["best"])):
        counts = {unit: sums[unit] for unit in ("nats", "tokens", "words", "bytes")}
        tally = metrics.Tally(**counts)
        numbers = (
            words.number(tally.perplexity),
            words.number(tally.word_perplexity),
            words.small(tally.bits_per_byte),
        )
        assert f"| {split} | {' | '.join(numbers)} |" in card
    declared = json.loads((runs[name].parents[1] / "study.json").read_text())
    for said in (declared["corpus"]["name"], declared["corpus"]["licence"], f"Bakeoff {declared['bakeoff']}"):
        assert said in card
    assert f"{declared['experiments'][1 if name in EQUAL else 3]['parameters']:,} parameters" in card
    assert card.startswith("---\nlibrary_name: transformers\n") == (name in EQUAL)
    (block,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(exported(name).parent)
    loaded = {}
    exec(block, loaded)  # noqa: S102 (ours)
    assert len(block.splitlines()) == (3 if name in EQUAL else 2)
    assert loaded["model"](torch.zeros(1, 2, dtype=torch.long)) is not None
    assert loaded["tokenizer"].encode("The ")


@pytest.mark.parametrize("name", ["OpenAIGPTLMHeadModel", "lstm"])
def test_nothing_tells_where_or_on_which_machine_it_was_made(name, runs, tmp_path, monkeypatch):
    machine = "name-of-this-machine"  # the true one may be short enough to stand among weights by chance
    monkeypatch.setattr(platform, "node", lambda: machine)
    monkeypatch.setattr(socket, "gethostname", lambda: machine)
    exporting.export(runs[name], tmp_path / "model")
    for path in (tmp_path / "model").iterdir():
        content = path.read_bytes()
        for place in (runs[name].parents[2], tmp_path, machine, ".unfinished"):
            assert str(place).encode() not in content, path.name


def test_the_card_of_a_text_without_words_to_speak_of_has_no_perplexity_per_word(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "BYTES_A_WORD", 1)
    exporting.export(runs["lstm"], tmp_path / "model")
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "| split | perplexity per token | bits per byte |\n|---|---|---|\n| valid | " in card
    assert {line.count("|") for line in card.splitlines() if line.startswith("|")} == {4}


@pytest.mark.parametrize("name", ["OpenAIGPTLMHeadModel", "lstm"])
def test_others_may_read_all_of_it_as_the_users_umask_says(name, runs, tmp_path):
    before = os.umask(0o027)
    try:
        exporting.export(runs[name], tmp_path / "model")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "model").iterdir()} == {0o640}
