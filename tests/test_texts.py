"""Texts for the report: they are those that anyone can draw again, from the beginnings of documents."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff import data, texts
from bakeoff.generation import Counts, Network, text
from bakeoff.models import GPT1
from bakeoff.models.count_table import CountTable
from bakeoff.models.ngram import TABLES

LENGTH = 16


@pytest.fixture(scope="module")
def tokens(tiny_study):
    return data.prepare(tiny_study.corpus, tiny_study.budget)


def drawn(source, tokens, prompt):
    return "".join(text(source, tokens.tokenizer, prompt, texts.CHOICE))


def test_prompts_are_the_beginnings_of_documents_spread_over_valid(tokens):
    documents = list(tokens.text.splits["valid"])
    found = texts.prompts(tokens)
    assert len(found) == texts.PROMPTS == 3
    places = [next(place for place, each in enumerate(documents) if each.startswith(prompt)) for prompt in found]
    assert places == [(2 * third + 1) * len(documents) // 6 for third in range(3)]
    encoded = [tokens.tokenizer.encode(prompt, add_special_tokens=False).ids for prompt in found]
    assert all(1 < len(tokens_T) <= texts.BEGINNING for tokens_T in encoded)


def test_a_short_document_is_given_whole_a_single_one_once_and_a_cut_character_not_at_all(tokens):
    stream, tokenizer = tokens.splits["valid"], tokens.tokenizer
    written = tokenizer.encode("ab é", add_special_tokens=False).ids

    def of(tokens_N, *starts):
        valid = dataclasses.replace(stream, tokens_N=np.array(tokens_N), starts_D=np.array(starts))
        return texts.prompts(dataclasses.replace(tokens, splits=tokens.splits | {"valid": valid}))

    assert of(written, 0) == ["ab é"]
    assert of(written[:-1], 0) == ["ab "]
    assert of([*written, *stream.tokens_N], 0, len(written))[0] == "ab é"


@pytest.mark.parametrize("kind", ["network", "other"])
def test_a_networks_texts_are_those_that_sample_draws_and_another_model_has_none(tokens, kind):
    if kind == "other":
        assert texts.of_network(nn.Linear(2, 2), tokens) is None
        return
    torch.manual_seed(0)
    model = GPT1(width=16, heads=2, dropout=0.5).build(tokens.vocabulary, LENGTH).train()
    found = texts.of_network(model, tokens)
    assert found["texts"] == [
        {"prompt": prompt, "text": drawn(Network(model), tokens, prompt)} for prompt in texts.prompts(tokens)
    ]
    assert {key: found[key] for key in ("tokens", "temperature", "top_k", "seed")} == vars(texts.CHOICE)
    state = torch.random.get_rng_state()
    assert texts.of_network(model, tokens) == found
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_trigrams_texts_are_drawn_from_a_part_of_a_large_text_and_once(tokens, monkeypatch):
    monkeypatch.setattr(texts, "COUNTED", 1000)
    monkeypatch.setattr(texts, "CHOICE", dataclasses.replace(texts.CHOICE, tokens=7))
    table = CountTable(tokens.splits["train"].tokens_N[:1000], tokens.vocabulary, TABLES["kn3"], window=LENGTH + 1)
    found = texts.of_floor(tokens, LENGTH + 1)
    assert (found["floor"], found["counted"], found["tokens"]) == ("kn3", 1000, 7)
    assert found["texts"] == [
        {"prompt": prompt, "text": drawn(Counts(table), tokens, prompt)} for prompt in texts.prompts(tokens)
    ]
    monkeypatch.setattr(texts, "CountTable", None)
    assert texts.of_floor(tokens, LENGTH + 1) == found
