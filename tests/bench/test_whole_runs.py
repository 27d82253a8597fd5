"""Whole runs: both sides do the same work, in processes that end well."""

import dataclasses
import subprocess

import pytest

from bakeoff import data
from bakeoff.bench import contenders, whole_runs
from bakeoff.bench.cases import CASES
from bakeoff.models import GPT1, LSTM


@pytest.fixture
def tiny(monkeypatch, tiny_study):
    """`quick` as a tiny text, with models to match."""
    experiments = tiny_study.experiments
    studies = {kind: next(e for e in experiments if isinstance(e.architecture, kind)) for kind in (GPT1, LSTM)}
    cases = tuple(
        dataclasses.replace(case, architecture=studies[type(case.architecture)].architecture, vocabulary=300, length=16)
        for case in CASES[:2]
    )
    monkeypatch.setattr(whole_runs, "QUICK", tiny_study)
    monkeypatch.setattr(whole_runs, "CASES", cases)
    return cases


def test_the_peer_trains_on_every_target_of_every_epoch(tiny, monkeypatch):
    monkeypatch.setattr(whole_runs.sys, "argv", ["", "1", "1", "2"])
    trained = []
    real = contenders.train
    monkeypatch.setattr(contenders, "train", lambda batches, *rest: real(_noting(batches, trained), *rest))
    whole_runs.main()
    assert sum(trained) == 2 * _train_targets(tiny[1])


def test_the_trainer_of_transformers_is_asked_for_the_same_epochs_and_evaluations(tiny, monkeypatch):
    monkeypatch.setattr(whole_runs.sys, "argv", ["", "0", "1", "2"])
    asked = []
    monkeypatch.setattr(contenders, "run_trainer", lambda case, settings, **data: asked.append((settings, data)))
    whole_runs.main()
    settings, given = asked[0]
    assert settings == {"num_train_epochs": 2, "eval_strategy": "epoch"}
    assert len(given["train_dataset"]) == _train_targets(tiny[0]) // tiny[0].length
    assert {len(example["input_ids"]) for example in given["eval_dataset"]} == {tiny[0].length}


def _noting(batches, trained):
    for inputs, targets in batches:
        trained.append(int((targets >= 0).sum()))
        yield inputs, targets


def _train_targets(case):
    run = whole_runs._run(case, 1, 2)
    return data.prepare(run.corpus, run.budget).splits["train"].targets


def test_a_comparison_takes_turns_and_counts_the_whole_run(tiny, monkeypatch):
    done = []
    monkeypatch.setattr(whole_runs, "_own", lambda run: done.append("own"))
    monkeypatch.setattr(whole_runs, "_peer", lambda *arguments: done.append("peer"))
    now = iter([0.0, 1.0, 1.0, 3.0, 3.0, 7.0, 7.0, 8.0, 8.0, 10.0, 10.0, 14.0])
    monkeypatch.setattr(whole_runs.time, "perf_counter", lambda: next(now))
    entries = whole_runs.compare(1, 1, 2, 3, lambda what: None)
    assert done == ["own", "own", "peer"] * 2
    assert [entry["peer"] for entry in entries] == ["itself", "word-lm"]
    assert [entry["ratio"] for entry in entries] == [2.0, 4.0]
    assert {entry["tokens_per_second"] for entry in entries} == {3 * _train_targets(tiny[1])}
    assert {entry["limit_fraction"] for entry in entries} == {None}


def test_our_own_run_is_a_worker_that_ends_well(tiny):
    whole_runs._own(whole_runs._run(tiny[1], 1, 1))


def test_a_peer_that_fails_is_noticed(monkeypatch):
    failed = subprocess.CompletedProcess([], 3)
    monkeypatch.setattr(whole_runs.subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(RuntimeError, match="status 3"):
        whole_runs._peer(0, 1, 1)
