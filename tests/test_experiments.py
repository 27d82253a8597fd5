"""The twelve experiments are those of the course report, and the sixteen others cost about the same."""

import dataclasses

import pytest

import fakes
from bakeoff import declaration, rates
from bakeoff.declaration import describe
from bakeoff.experiments import (
    MODERN,
    QUICK,
    SEED,
    SEED_LEARNED,
    WIKITEXT_2,
    WIKITEXT_2_LONG,
    WIKITEXT_2_MODERN,
)
from bakeoff.identity import fits
from bakeoff.models import LSTM
from bakeoff.optimizers import Momentum
from bakeoff.spec import Experiment


@pytest.fixture(autouse=True)
def without_accounting(monkeypatch):
    """What is described here is not what steps keep in memory, which takes seconds to compute."""
    monkeypatch.setattr(declaration.accounting, "memory", lambda *_: None)


#: All parameters of `seed`, and those that learn.
SEED_PARAMETERS = {
    ("lstm", 1): (34_106_624, 3_019_520),
    ("lstm", 2): (36_207_872, 5_120_768),
    ("lstm", 4): (40_410_368, 9_323_264),
    ("gpt1", 1): (38_371_584, 7_087_872),
    ("gpt1", 2): (45_459_456, 14_175_744),
    ("gpt1", 4): (59_635_200, 28_351_488),
}


@pytest.mark.parametrize("study", [QUICK, WIKITEXT_2, WIKITEXT_2_LONG, SEED, SEED_LEARNED], ids=lambda s: s.name)
def test_these_studies_begin_with_the_twelve_of_the_report(study):
    table = [(e.number, e.architecture.name, e.architecture.layers, e.optimizer.name) for e in study.experiments]
    assert tuple(table[:12]) == fakes.TWELVE


@pytest.mark.parametrize("study", [MODERN, WIKITEXT_2_MODERN], ids=lambda study: study.name)
def test_modern_contenders_are_about_as_large_and_each_is_there_once(study):
    described = describe(study, None)["experiments"]
    kinds = [(e["model"], e["optimizer"]) for e in described]
    assert len(set(kinds)) == len(kinds) == 16
    assert {model for model, _ in kinds} == {"lstm", "gpt1", "gpt", "glr", "gru"}
    assert {optimizer for _, optimizer in kinds} == {"adamw", "muon", "lion", "schedulefree"}
    sizes = [e["parameters"] for e in described]
    assert max(sizes) < 1.35 * min(sizes)


@pytest.mark.parametrize("model", ["lstm", "gpt1", "gpt", "glr", "gru"])
def test_at_the_rates_of_modern_no_optimizer_decays_the_same_weights_ten_times_as_much_as_another(model):
    optimizers = [e.optimizer for e in MODERN.experiments if e.architecture.name == model]
    products = [optimizer.lr * optimizer.weight_decay for optimizer in optimizers]
    assert 0 < max(products) < 10 * min(products)


def test_seed_has_exactly_the_reports_parameters():
    for experiment in describe(SEED, None)["experiments"]:
        expected = SEED_PARAMETERS[experiment["model"], experiment["layers"]]
        assert (experiment["parameters"], experiment["learnable_parameters"]) == expected


def test_seed_learned_has_the_same_models_and_learns_all_of_them():
    for experiment in describe(SEED_LEARNED, None)["experiments"]:
        total, _ = SEED_PARAMETERS[experiment["model"], experiment["layers"]]
        assert (experiment["parameters"], experiment["learnable_parameters"]) == (total, total)
    assert SEED_LEARNED.budget == SEED.budget
    assert [e.optimizer for e in SEED_LEARNED.experiments] == [e.optimizer for e in SEED.experiments]


def test_seed_is_the_report_as_it_was():
    budget = SEED.budget
    assert (budget.epochs, budget.batch_size, budget.sequence_length) == (10, 16, 256)
    assert (budget.schedule, budget.clip, budget.tokenizer) == ("constant", None, "gpt1")
    assert {e.optimizer.lr for e in SEED.experiments} == {1e-3}
    decay = {e.optimizer.name: e.optimizer.weight_decay for e in SEED.experiments}
    assert decay == {"adam": 0.0, "adamw": 5e-4, "sgd": 5e-4, "momentum": 5e-4}


@pytest.mark.parametrize("study", [QUICK, WIKITEXT_2], ids=lambda study: study.name)
def test_outside_seed_everyone_is_scheduled_and_clipped_and_only_adamw_decays(study):
    assert (study.budget.schedule, study.budget.clip) == ("linear", 1.0)
    decaying = {e.optimizer.name for e in study.experiments if e.optimizer.weight_decay}
    assert decaying == {"adamw"}


@pytest.mark.parametrize("study", [QUICK, WIKITEXT_2], ids=lambda study: study.name)
def test_a_search_has_found_the_rates_of_the_twelve(study):
    assert set(study.tuning["rates"]) >= {experiment.slug for experiment in study.experiments[:12]}


def test_a_contender_that_is_added_keeps_its_default_rate_and_the_others_keep_theirs():
    added = Experiment(number=13, architecture=LSTM(layers=3), optimizer=Momentum(momentum=0.5))
    study = dataclasses.replace(QUICK, experiments=(*QUICK.experiments, added)).tuned(rates.chosen("quick"))
    assert study.experiments == (*QUICK.experiments, added)
    assert fits(study.tuning, study)
    assert not fits(study.tuning, study.with_shared(epochs=9))
    assert not fits(study.tuning, dataclasses.replace(study, experiments=study.experiments[1:]))
    assert describe(study, None)["experiments"][-1]["learning_rate"] == Momentum().lr
