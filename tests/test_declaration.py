"""A study as JSON: what `describe` prints and `study.json` keeps."""

import dataclasses
import hashlib
import json

import pytest

from bakeoff import data
from bakeoff.declaration import declare, describe, traits
from bakeoff.identity import identity, purpose
from bakeoff.models import ARCHITECTURES
from bakeoff.optimizers import OPTIMIZERS

EXPERIMENT = {
    "number",
    "model",
    "layers",
    "optimizer",
    "learning_rate",
    "parameters",
    "learnable_parameters",
    "vocabulary",
    "sequence_length",
    "batch_size",
    "epochs",
}


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text("import helpers\n")
    path.with_name("helpers.py").write_text("ONE = 1\n")
    return path


@pytest.fixture(scope="module")
def declared(tiny_study, tokens, source):
    return declare(tiny_study, tokens, tiny_study, source)


def test_an_experiment_has_the_keys_of_the_contract(tiny_study, tokens):
    for experiment in describe(tiny_study, tokens)["experiments"]:
        assert set(experiment) >= EXPERIMENT


def test_an_experiment_tells_the_parts_of_its_memory(tiny_study, tokens):
    for experiment in describe(tiny_study, tokens)["experiments"]:
        assert set(experiment["memory"]) == {"weights", "gradients", "optimizer_state", "activations", "logits"}
        assert experiment["memory"]["weights"] == 4 * experiment["parameters"]


def test_counts_are_null_where_the_corpus_is_not_here(tiny_study):
    corpus = describe(tiny_study, None)["corpus"]
    assert corpus["name"] == "tiny"
    for split in ("train", "valid", "test"):
        assert {corpus[split][unit] for unit in ("tokens", "words", "bytes")} == {None}


def test_counts_are_those_of_the_text(tiny_study, tokens, tiny_corpus_file):
    text, corpus = tiny_corpus_file.read_text(encoding="utf-8"), describe(tiny_study, tokens)["corpus"]
    assert sum(corpus[split]["words"] for split in tokens.splits) == len(text.split())
    assert sum(corpus[split]["bytes"] for split in tokens.splits) == len(text.encode())
    assert sum(corpus[split]["documents"] for split in tokens.splits) == len(text.split("\n\n"))


def test_parameters_are_counted_for_the_tokenizer_that_there_is(tiny_study, tokens):
    experiment = describe(tiny_study, tokens)["experiments"][0]
    assert experiment["vocabulary"] == tokens.vocabulary
    # embedding + LSTM of 4 gates with two biases each + projection
    assert experiment["parameters"] == tokens.vocabulary * 16 + 4 * (16 * 16 * 2 + 2 * 16) + 16 * 16 + 16


def test_a_declaration_names_the_study_file_and_what_lies_beside_it(declared, source):
    assert declared["source"] == str(source)
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in source.parent.iterdir()}
    assert declared["code"] == files
    assert next(iter(declared["code"])) == "mine.py"


def test_a_declaration_is_strict_json_and_orders_by_the_registry(declared, tiny_study):
    assert json.loads(json.dumps(declared, allow_nan=False)) == declared
    assert declared["identity"] == identity(tiny_study)
    assert [entry["name"] for entry in declared["models"]] == list(ARCHITECTURES)
    assert [entry["name"] for entry in declared["optimizers"]] == list(OPTIMIZERS)


@pytest.mark.parametrize("fits", [True, False])
def test_rates_fit_only_the_study_that_they_were_searched_for(tiny_study, tokens, fits):
    slugs = [experiment.slug for experiment in tiny_study.experiments]
    tuning = {"for": purpose(tiny_study) if fits else "another", "rates": dict.fromkeys(slugs)}
    tuned = dataclasses.replace(tiny_study, tuning=tuning)
    assert declare(tuned, tokens, tuned, None)["tuning"]["fits"] == fits


def test_the_study_that_tests_write_by_hand_is_like_a_real_one(declared, fake_study):
    fake = fake_study.study
    assert set(fake) == set(declared) - {"runs", "texts"}, "as of an earlier version"
    for entry in fake["experiments"]:
        told = traits(ARCHITECTURES[entry["model"]](), OPTIMIZERS[entry["optimizer"]]())
        assert entry["traits"] == pytest.approx(told)
    for part in ("corpus", "budget"):
        assert set(fake[part]) == set(declared[part])
    assert set(fake["experiments"][0]) == set(declared["experiments"][0])
    # Studies that were started before there were counts of more than three tokens have fewer floors.
    floors = {floor["name"]: set(floor) for floor in declared["baselines"]}
    assert {floor["name"]: set(floor) for floor in fake["baselines"]}.items() <= floors.items()


@pytest.mark.parametrize(("tokenizer", "lossy"), [("bpe", False), ("gpt1", True)])
def test_a_tokenizer_that_loses_text_is_told(tiny_study, tokenizer, lossy):
    assert describe(tiny_study.with_shared(tokenizer=tokenizer), None)["corpus"]["lossy"] == lossy


def test_an_experiment_tells_what_its_classes_say_they_are(tiny_study):
    lstm, gpt1 = (experiment["traits"] for experiment in describe(tiny_study, None)["experiments"])
    names = (
        "adaptive",
        "rule",
        "heavy_ball",
        "decoupled_decay",
        "step_scale",
        "schedule",
        "attends",
        "recurrent",
        "post_norm",
    )
    assert tuple(lstm) == tuple(gpt1) == names
    assert (lstm["rule"], lstm["recurrent"], gpt1["step_scale"], gpt1["attends"]) == ("adam", True, 1.0, True)
