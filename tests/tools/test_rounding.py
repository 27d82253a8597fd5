"""What bfloat16 changes is measured on a real run, and is small."""

import dataclasses

import pytest
import torch

import rounding
from bakeoff.job import Job
from bakeoff.runner import open_session
from bakeoff.worker import work
from processor import bf16_lstm


@pytest.fixture
def folder(tiny_study, tmp_path):
    study = dataclasses.replace(tiny_study, experiments=tiny_study.experiments[:1])
    with open_session(study, tmp_path / study.name, torch.device("cpu")) as session:
        run = session.study.runs[0]
        work(Job(run=run, folder=session.folder.run(run.slug).path, device="cpu", alone=True), lambda message: None)
        return session.folder.run(run.slug)


@bf16_lstm
def test_a_line_tells_the_nats_and_how_little_they_change(folder, monkeypatch, capsys):
    monkeypatch.setattr(rounding, "keep_freed_memory", lambda: None)
    monkeypatch.setattr("sys.argv", ["rounding", str(folder.path)])
    rounding.main()
    head, _, line = capsys.readouterr().out.splitlines()
    assert all(name in head for name in rounding.HEAD)
    slug, nats, difference, error, deviation, faster = line.strip("| ").split(" | ")
    best = folder.history()[folder.summary["best_epoch"]]["valid"]
    assert slug == folder.path.parent.name
    assert float(nats) == pytest.approx(best["nats"] / best["tokens"], abs=0.01)
    assert abs(float(difference)) < 0.01
    assert 0 < float(error) < float(deviation) < 0.1
    assert float(faster) > 0
