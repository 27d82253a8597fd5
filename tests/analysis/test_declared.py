"""What a study declares of its experiments."""

import math

import pytest

from bakeoff.analysis.declared import MEAN_RATE, about_rates, declared, describe, has_interior_rate
from bakeoff.optimizers import SCHEDULES

CURVES = {(1, "lstm", 1, "adam"): [4.9], (2, "lstm", 1, "adamw"): [4.8], (3, "gpt1", 1, "sgd"): [4.8]}


@pytest.fixture
def study(build):
    return build(CURVES)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [100, 950, 5590])
def test_the_mean_of_a_schedule_is_what_its_steps_come_to(name, steps):
    rates = list(map(SCHEDULES[name](steps), range(steps)))
    assert sum(rates) / steps == pytest.approx(MEAN_RATE[name], abs=0.6 / steps)


def test_every_schedule_has_its_mean():
    assert set(MEAN_RATE) == set(SCHEDULES)


def test_settings_are_what_makes_an_optimizer_what_it_is(study):
    adam, adamw, sgd = declared(study)
    assert adam.settings == adamw.settings == {"betas": [0.9, 0.999], "eps": 1e-8}
    assert (sgd.settings, adam.decay, adamw.decay) == ({}, 0.0, 0.1)
    assert (adam.attends, sgd.attends) == (False, True)


def test_an_experiment_is_described_with_what_a_reader_would_set(study):
    assert describe(study, 1) == "#1 (1-layer LSTM, Adam, learning rate 0.01)"
    assert describe(study, 2) == "#2 (1-layer LSTM, AdamW, learning rate 0.01, weight decay 0.1)"


def test_a_rate_at_the_edge_of_its_search_is_no_interior_one(study):
    entry = study.study["experiments"][0]
    assert has_interior_rate(study, entry)
    trials = study.study["tuning"]["rates"][entry["slug"]]["trials"]
    trials[:] = [trial for trial in trials if trial["lr"] <= entry["learning_rate"]]
    assert not has_interior_rate(study, entry)
    assert "not at their best" in about_rates(study, declared(study))


def test_rates_that_nobody_searched_or_searched_elsewhere_are_told(study):
    assert about_rates(study, declared(study)) == ""
    study.study["tuning"]["fits"] = False
    assert "another corpus or budget" in about_rates(study, declared(study))
    study.study["tuning"] = None
    assert "All trained at 0.01." in about_rates(study, declared(study)[:2])
    assert math.isclose(study.rows[0].learning_rate, 0.01)
