"""A run's model, back from its folder."""

import dataclasses

import numpy as np
import pytest
import torch

import bakeoff
from bakeoff import data
from bakeoff.errors import UserError
from bakeoff.records import RunFolder
from bakeoff.runner import open_session
from bakeoff.training import token_nats
from bakeoff.worker import Job, work


@pytest.fixture(scope="module")
def session(tiny_study, tmp_path_factory):
    study = dataclasses.replace(tiny_study, experiments=tiny_study.experiments[:1])
    with open_session(study, tmp_path_factory.mktemp("out") / study.name, torch.device("cpu")) as session:
        run = session.study.runs[0]
        folder = session.folder.run(run.slug)
        work(Job(run=run, folder=folder.path, device="cpu", alone=True), lambda message: None)
        return session, folder.path


def test_a_loaded_model_is_the_one_that_was_measured(session):
    opened, path = session
    model, tokenizer = bakeoff.load(str(path))
    assert not model.training
    tokens = data.prepare(opened.study.corpus, opened.study.budget)
    nats = token_nats(model, tokens.splits["test"], opened.study.budget, torch.device("cpu"))
    assert nats.sum(dtype=np.float64) == pytest.approx(RunFolder(path).summary["test"]["best"]["nats"], rel=1e-6)
    assert tokenizer.decode(tokenizer.encode("Größe 12\n").ids) == "Größe 12\n"


def test_a_relative_path_does_as_well(session, monkeypatch):
    _, path = session
    monkeypatch.chdir(path.parent)
    model, _ = bakeoff.load(path.name)
    assert model.embedding.weight.abs().sum() > 0


def test_a_folder_without_weights_is_refused_in_words(session, tmp_path):
    for path in (tmp_path, tmp_path / "nowhere", session[1].parent):
        with pytest.raises(UserError, match="no folder of a run with weights"):
            bakeoff.load(path)


def test_damaged_weights_are_refused_in_words(session):
    weights = RunFolder(session[1]).best_weights
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(UserError, match=r"\A[^\n]*best\.safetensors is damaged[^\n]*\Z"):
        bakeoff.load(session[1])
    weights.write_bytes(before)
