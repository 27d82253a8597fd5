"""Models of the library's own, measured, against sums of the library's own losses."""

import dataclasses
import json
import math
import re
import shutil
import sys

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from bakeoff import cli, data, measuring, terminal, words
from bakeoff.analysis.reading import read_rows
from bakeoff.data import corpora, tokenizers
from bakeoff.errors import UserError
from bakeoff.export import transformers as exporting
from bakeoff.models import Transformers, ngram
from bakeoff.optimizers import Adam
from bakeoff.reporting import table
from bakeoff.reporting.build import build
from bakeoff.runner import open_session
from bakeoff.spec import Budget, Study

CPU = torch.device("cpu")
SMALL = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 24}
GPT2 = {"bos_token_id": None, "eos_token_id": None, "n_embd": 16, "n_head": 2, "n_layer": 1, "n_positions": 40}


FLOORS = Budget(vocabulary=300, sequence_length=16)


@pytest.fixture(autouse=True)
def floors_of_a_small_text(monkeypatch):
    monkeypatch.setattr(measuring, "FLOORS", FLOORS)


@pytest.fixture(scope="module")
def corpus(tiny_corpus_file):
    return corpora.choose(str(tiny_corpus_file))


@pytest.fixture(scope="module")
def text(corpus):
    return corpora.load(corpus)


@pytest.fixture(scope="module")
def bpe(text):
    return tokenizers.train_bpe(text.splits["train"], 280)


def saved(folder, model, tokenizer):
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gpt2(bpe, tmp_path_factory):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=bpe.get_vocab_size(), **GPT2))
    return saved(tmp_path_factory.mktemp("gpt2"), model, bpe)


def measured(folder, corpus, **options):
    return measuring.measure(measuring.Request(folder=folder, corpus=corpus, precision="fp32", **options), CPU)


def by_the_library(folder, documents, window):
    """Nats of all tokens but the first, a window at a time; and how many they are."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    tokens = [token for document in documents for token in tokenizer(document, add_special_tokens=False)["input_ids"]]
    nats = 0.0
    with torch.no_grad():
        for first in range(0, len(tokens) - 1, window):
            piece = torch.tensor([tokens[first : first + window + 1]])
            logits = model(piece[:, :-1]).logits
            nats += float(torch.nn.functional.cross_entropy(logits[0], piece[0, 1:], reduction="sum"))
    return nats, len(tokens) - 1


@pytest.mark.parametrize(("split", "window"), [("valid", None), ("test", 7)])
def test_it_costs_what_the_library_says_and_bytes_and_words_are_the_texts(gpt2, corpus, text, split, window):
    found, documents = measured(gpt2, corpus, split=split, window=window), text.splits[split]
    nats, tokens = by_the_library(gpt2, documents, window or 40)
    assert found.cost.nats == pytest.approx(nats, rel=1e-5)
    assert found.cost.tokens == tokens
    assert found.cost.bytes == sum(len(document.encode()) for document in documents)
    assert found.cost.words == sum(len(document.split()) for document in documents)
    assert math.fsum(found.documents["nats"]) == pytest.approx(found.cost.nats)
    assert (found.kind, found.window, found.split) == ("gpt2", window or 40, split)
    assert found.parameters == sum(p.numel() for p in AutoModelForCausalLM.from_pretrained(gpt2).parameters())


def test_a_run_that_was_exported_is_measured_as_the_run_was(tiny_study, tmp_path):
    study = Study.of(
        "exported",
        corpus=tiny_study.corpus,
        budget=tiny_study.budget,
        contenders=[(Transformers("llama", **SMALL), Adam(lr=1e-2))],
    )
    with open_session(study, tmp_path / "study", CPU) as session:
        session.run(session.missing(), 1, lambda run, message: None)
        [(_, _, run)] = session.folder.declared_runs()
    exporting.export(run.path, tmp_path / "exported")
    for split, told in (
        ("valid", run.history()[run.summary["best_epoch"]]["valid"]),
        ("test", run.summary["test"]["best"]),
    ):
        found = measured(tmp_path / "exported", study.corpus, split=split, window=study.budget.sequence_length)
        assert found.cost.nats == pytest.approx(told["nats"], rel=1e-5)
        assert found.cost.sums() == pytest.approx({key: told[key] for key in found.cost.sums()}, rel=1e-5)


def test_the_floor_beside_it_is_the_best_of_the_corpus(gpt2, corpus):
    name, cost = measured(gpt2, corpus).floor
    tokens = data.prepare(corpus, FLOORS)
    floors = {floor["name"]: floor for floor in ngram.baselines(tokens, FLOORS.sequence_length)}
    assert cost.nats == min(floor["valid"]["nats"] for floor in floors.values()) == floors[name]["valid"]["nats"]


def test_a_model_stands_beside_a_studys_runs_measured_on_the_studys_own_valid(
    gpt2, tiny_study, tmp_path, monkeypatch, capsys
):
    few = dataclasses.replace(tiny_study.corpus, documents=(120, 8, 9))
    with open_session(tiny_study.with_shared(corpus=few), tmp_path / "study", CPU) as session:
        study, valid = session.folder, session.tokens.splits["valid"]

    def call(*arguments):
        given = ["measure", str(gpt2), "--corpus", tiny_study.corpus.path, "--into", str(study.path), *arguments]
        monkeypatch.setattr(sys, "argv", ["bakeoff", *given, "--precision", "fp32"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    status, told, said = call("--name", "small one", "--json")
    assert (status, "small-one is shown with" in said) == (0, True)
    (run,) = read_rows(study).reported
    assert (run.name, run.by, run.window, run.bytes) == ("small-one", "measured here", 40, valid.bytes)
    assert run.bits_per_byte(run.best[1]) == pytest.approx(json.loads(told)["bits_per_byte"])
    shown = terminal.status_text(study, read_rows(study))
    assert re.search(r"small-one +measured here +\d\.\d+ +as it is +\d\.\d+ +not even below the unigram", shown)
    page = build(study)
    assert page.failed == ()
    assert "small-one was trained elsewhere and measured here, by the counting" in page.page.read_text()
    line, details = (
        [each for each in made["lines"] if each["kind"] == "elsewhere"] for made in table.tables(read_rows(study))
    )
    cells = [cell["text"] for cell in line[0]["cells"] if cell["text"]]
    found = json.loads(told)
    expected = [found["bits_per_byte"], found["nats"] / found["words"], found["parameters"]]
    assert (len(line), details) == (1, []), "what it holds and took is not known"
    assert cells == [
        "small-one",
        *(form(x) for form, x in zip((words.small, words.perplexity, words.millions), expected, strict=True)),
        "trained elsewhere",
    ]
    assert "small-one was trained elsewhere and measured here" in (page.page.parent / "table.md").read_text()
    (kept,) = json.loads((page.page.parent / "results.json").read_text())["reported"]
    assert (kept["name"], kept["words"], kept["parameters"]) == ("small-one", valid.words, found["parameters"])
    assert "\n\nTrained elsewhere, measured here:\n" in shown
    assert "<h2>Trained elsewhere, measured here</h2>" in (study.path / "live.html").read_text()
    assert json.loads(told)["floor"]["nats"] == read_rows(study).lowest_floor.valid.nats, "the study's own"
    assert call("--split", "test")[2] == "bakeoff: --into is for valid: test decides nothing before a study is over\n"
    assert "losses would not compare" in call("--corpus", "vital-articles")[2]


def test_the_command_prints_a_table_or_json(gpt2, corpus, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bakeoff", "measure", str(gpt2), "--corpus", corpus.path, *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    found = measured(gpt2, corpus)
    status, told, _ = call("--precision", "fp32")
    assert status == 0
    heads, ours, floor, about, _ = told.splitlines()
    assert heads.split() == ["bits/byte", "word", "ppl", "ppl", "tokens"]
    assert ours.split()[:2] == [gpt2.name, f"{found.cost.bits_per_byte:.3f}"]
    assert floor.startswith(f"floor: {found.floor[0]}")
    assert about.startswith("gpt2, ")
    status, told, _ = call("--precision", "fp32", "--json", "--split", "test", "--window", "8")
    parts = json.loads(told)
    assert (status, parts["split"], parts["window"], parts["precision"]) == (0, "test", 8, "fp32")
    assert parts["bits_per_byte"] == pytest.approx(parts["nats"] / parts["bytes"] / math.log(2))
    status, told, said = call("--window", "41")
    assert (status, told, said) == (2, "", "bakeoff: gpt2 has 40 places, too few for windows of 41 tokens\n")


def lossy(bpe, document):
    worse = Tokenizer.from_str(bpe.to_str())
    worse.normalizer = normalizers.Lowercase()
    return worse


def too_large(bpe, document):
    larger = Tokenizer.from_str(bpe.to_str())
    larger.add_tokens([AddedToken(max(document.split(), key=len), normalized=False)])
    return larger


def sparse(bpe, document):
    """Few symbols, with large numbers."""
    symbols = {letter: 70_000 + 3 * n for n, letter in enumerate("ab ")}
    tokenizer = Tokenizer(models.WordLevel(symbols, unk_token="a"))  # noqa: S106 (no password)
    tokenizer.decoder = decoders.Fuse()
    return tokenizer


def words_alone(bpe, document):
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))  # noqa: S106 (no password)
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Whitespace(), decoders.Fuse()
    return tokenizer


@pytest.fixture
def with_tokenizer(gpt2, bpe, text, tmp_path):
    """The model with another tokenizer, made of its own and a document."""
    model = AutoModelForCausalLM.from_pretrained(gpt2)
    return lambda make: saved(tmp_path, model, make(bpe, text.splits["valid"][0]))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lossy, r"loses text, .*: in document 1 '.*' comes back as '.*'"),
        (words_alone, "loses text"),
        (too_large, r"its tokenizer has a symbol \d+, its model \d+ symbols"),
    ],
)
def test_a_tokenizer_that_does_not_fit_is_refused(with_tokenizer, corpus, make, says):
    with pytest.raises(UserError, match=says):
        measured(with_tokenizer(make), corpus)


def test_what_sees_later_tokens_is_refused_before_it_is_measured(bpe, corpus, tmp_path, monkeypatch):
    saved(tmp_path, BertLMHeadModel(BertConfig(vocab_size=bpe.get_vocab_size(), **SMALL)), bpe)
    monkeypatch.setattr(measuring, "_nats", lambda *_: pytest.fail("it is measured"))
    with pytest.raises(UserError, match="bert is no causal language model: its places see later tokens"):
        measured(tmp_path, corpus)


def test_weights_that_are_not_there_are_not_made_up(bpe, corpus, tmp_path):
    saved(tmp_path, LlamaForCausalLM(LlamaConfig(vocab_size=bpe.get_vocab_size(), **SMALL)), bpe)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    with pytest.raises(UserError, match=r"lacks weights of its model, such as model\.layers\.1\."):
        measured(tmp_path, corpus)


def test_a_folder_of_something_else_is_refused(corpus, tmp_path, gpt2):
    with pytest.raises(UserError, match=r"holds no config\.json"):
        measured(tmp_path, corpus)
    (tmp_path / "config.json").write_text('{"model_type": "nothing of theirs"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="holds no causal language model that transformers can read"):
        measured(tmp_path, corpus)
    (tmp_path / "config.json").write_text((gpt2 / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"never unpickled")
    with pytest.raises(UserError, match="holds no causal language model that transformers can read"):
        measured(tmp_path, corpus)


def test_numbers_that_leave_some_out_are_kept(bpe, tmp_path):
    tokenizer = sparse(bpe, "")
    data.sequences.write(tmp_path / "split", ["b"], tokenizer)
    assert data.sequences.read(tmp_path / "split").tokens_N.tolist() == [70_003]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda model: model.transformer.wpe.weight.data.fill_(float("nan")),
            "fails in windows of 40 tokens .its logits are not",
        ),
        (
            lambda model: setattr(model.config, "n_positions", 64),
            "ignore_mismatched_sizes|holds no causal language model",
        ),
    ],
)
def test_a_model_that_fails_is_said(gpt2, corpus, tmp_path, change, says):
    model = AutoModelForCausalLM.from_pretrained(gpt2)
    change(model)
    shutil.copytree(gpt2, tmp_path, dirs_exist_ok=True)
    model.save_pretrained(tmp_path)
    with pytest.raises(UserError, match=says):
        measured(tmp_path, corpus)


def test_a_model_of_few_places_is_measured(bpe, corpus, text, tmp_path):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=bpe.get_vocab_size(), **GPT2 | {"n_positions": 8}))
    found = measured(saved(tmp_path, model, bpe), corpus)
    assert found.window == 8
    assert found.cost.nats == pytest.approx(by_the_library(tmp_path, text.splits["valid"], 8)[0], rel=1e-5)


def test_a_length_that_the_configuration_does_not_tell_is_asked_for(gpt2, corpus, monkeypatch):
    monkeypatch.setattr(measuring, "PLACES", ())
    with pytest.raises(UserError, match=r"gpt2 fails in windows of 1024 tokens \(.*\); --window takes fewer"):
        measured(gpt2, corpus)
    assert measured(gpt2, corpus, window=40).cost.nats > 0


def with_config(folder, into, **changes):
    """A copy of the model whose configuration says something else."""
    shutil.copytree(folder, into, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (into / "config.json").write_text(json.dumps(config | changes))
    return into


@pytest.fixture(scope="module")
def llama(bpe, tmp_path_factory):
    """A model whose places are numbered by no table, so that there may be any number of them."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=bpe.get_vocab_size(), max_position_embeddings=32, **SMALL))
    return saved(tmp_path_factory.mktemp("llama"), model, bpe)


@pytest.mark.parametrize("places", [-1, -5, 0])
def test_no_number_of_places_is_no_bound(llama, corpus, tmp_path, monkeypatch, places):
    monkeypatch.setattr(measuring, "WINDOW", 24)
    unbounded = with_config(llama, tmp_path, max_position_embeddings=places)
    assert measured(unbounded, corpus).window == 24
    assert measured(unbounded, corpus, window=48).window == 48
    with pytest.raises(
        UserError, match=r"llama fails in windows of 2000000000 tokens \(sequence length must be a whole"
    ):
        measured(unbounded, corpus, window=2_000_000_000)


def test_a_configuration_that_asks_for_tuples_changes_nothing(gpt2, corpus, tmp_path):
    assert measured(with_config(gpt2, tmp_path, return_dict=False), corpus).cost == measured(gpt2, corpus).cost


def test_a_window_of_one_token_is_measured(gpt2, corpus, text):
    found = measured(gpt2, corpus, window=1)
    assert found.cost.nats == pytest.approx(by_the_library(gpt2, text.splits["valid"], 1)[0], rel=1e-5)


def test_what_is_missing_or_unknown_is_said_before_any_work(gpt2, corpus, tmp_path):
    with pytest.raises(UserError, match="precision must be one of auto, fp32, bf16, not foo"):
        measuring.measure(measuring.Request(folder=gpt2, corpus=corpus, precision="foo"), CPU)
    with pytest.raises(UserError, match=r"is no folder: .*nothing is fetched"):
        measured(tmp_path / "gpt2", corpus)
    AutoModelForCausalLM.from_pretrained(gpt2).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="holds no tokenizer: save it there too"):
        measured(tmp_path, corpus)
