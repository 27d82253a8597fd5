"""A step of each optimizer beside AdamW's."""

import re

import pytest

import step_costs
from bakeoff import costs, data
from bakeoff.experiments import MODERN
from bakeoff.optimizers import OPTIMIZERS


def test_every_optimizer_is_timed_beside_adamw_with_every_model(monkeypatch, capsys):
    seconds = {name: 2.0 + number for number, name in enumerate(OPTIMIZERS)}
    monkeypatch.setattr(data, "prepare", lambda *_: None)
    monkeypatch.setattr(
        costs,
        "time_steps",
        lambda runs, *_: [costs.StepCost(step=seconds[run.optimizer.name], evaluated_token=0.0) for run in runs],
    )
    step_costs.main()
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", capsys.readouterr().out, re.MULTILINE)[1:]
    assert [title for title, _ in rows] == [kind.title for kind in OPTIMIZERS.values()]
    for (_, cells), name in zip(rows, OPTIMIZERS, strict=True):
        multiple = f"{seconds[name] / seconds['adamw']:.2f}"
        assert cells == " | ".join([f"{multiple} ({multiple} to {multiple})"] * 3)


@pytest.mark.slow
def test_real_steps_are_timed(tiny_study, monkeypatch):
    monkeypatch.setattr(step_costs, "ROUNDS", 1)
    tokens = data.prepare(tiny_study.corpus, tiny_study.budget)
    found = step_costs.multiples(tiny_study, MODERN.experiments[4].architecture, tokens)
    assert found[step_costs.MEASURE] == [1.0]
    assert all(0 < multiple < 100 for (multiple,) in found)
