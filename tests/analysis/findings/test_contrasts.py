"""What each optimizer changes."""

import dataclasses
import math

import numpy as np
import pytest

from bakeoff.analysis.findings.contrasts import contrasts, optimizers, shrinkage
from bakeoff.analysis.measured import Deciles
from bakeoff.optimizers import SCHEDULES


def by_name(study):
    return {finding.name: finding for finding in optimizers(study)}


def test_the_twelve_experiments_plan_three_comparisons_an_architecture(twelve):
    assert [contrast.name for contrast in contrasts(twelve())] == [
        "adam-1-against-sgd-3",
        "momentum-4-against-sgd-3",
        "adamw-2-against-adam-1",
        "adam-5-against-sgd-7",
        "momentum-8-against-sgd-7",
        "adamw-6-against-adam-5",
    ]


def test_one_seed_says_one_seed_and_ranks_nothing(twelve):
    for finding in optimizers(twelve()):
        assert finding.verdict in ("not measured", "not distinguishable")
        assert finding.text.startswith("In one run of each, ")
        assert "Yes" not in finding.text


def test_three_seeds_that_agree_answer_yes_or_no(twelve):
    found = by_name(twelve(seeds=(0, 1, 2)))
    assert found["adam-1-against-sgd-3"].verdict == "supported"
    assert found["adam-1-against-sgd-3"].text.startswith("Yes: in the mean over three seeds, #1 (1-layer LSTM, Adam)")
    turned = by_name(twelve(seeds=(0, 1, 2), ends={3: 4.4}))["adam-1-against-sgd-3"]
    assert turned.verdict == "contradicted"
    assert turned.text.startswith("No, the other way round: in the mean over three seeds, #3")
    assert turned.conjecture is None


def test_three_seeds_that_do_not_agree_leave_it_open(twelve):
    found = by_name(twelve(seeds=(0, 1, 2), own=0.05, ends={1: 4.5, 2: 4.5}))["adamw-2-against-adam-1"]
    assert found.verdict == "not distinguishable"
    assert found.conjecture is None


def test_six_seeds_bring_a_p_value_that_is_corrected(twelve):
    found = by_name(twelve(seeds=range(6)))["adam-1-against-sgd-3"]
    assert "Sign-flip test over seeds: p = 0.031, 0.19 after Holm's correction." in found.text


def test_a_run_that_did_not_learn_says_nothing_about_its_optimizer(twelve):
    found = by_name(twelve(ends={3: 5.4}))["adam-1-against-sgd-3"]
    assert found.verdict == "not measured"
    assert found.text.startswith("#3 is worse than unigram at a learning rate of 1. A run that did not learn")
    assert "nothing about its optimizer" in found.text
    assert found.conjecture is None


def test_what_has_not_finished_is_named_and_nothing_else_said(build):
    study = build({(1, "lstm", 1, "adam"): [4.6], (2, "lstm", 1, "sgd"): []})
    assert by_name(study)["adam-1-against-sgd-2"].text == "#2 has not finished."


def test_a_diverged_run_is_not_averaged_away(twelve, make_fake_study):
    study = twelve(seeds=(0, 1, 2))
    rows = [
        dataclasses.replace(row, status="diverged", diagnosis="diverged", diagnosis_rule="diverged")
        if (row.number, row.seed) == (3, 2)
        else row
        for row in study.rows
    ]
    found = by_name(dataclasses.replace(study, rows=tuple(rows)))["adam-1-against-sgd-3"]
    assert found.verdict == "not measured"
    assert found.text.startswith("#3 diverged at a learning rate of 1.")


@pytest.mark.parametrize(("decay", "percent"), [(0.1, "18 %"), (0.5, "63 %"), (1e-3, "0.20 %")])
def test_how_much_the_decay_could_shrink_a_weight_is_told(twelve, decay, percent):
    def edit(study):
        for experiment in study["experiments"]:
            if experiment["weight_decay"]:
                experiment["weight_decay"] = decay

    text = by_name(twelve(edit=edit))["adamw-2-against-adam-1"].text
    assert f"({decay:g} at rates up to 0.01) could shrink a weight by {percent} at most." in text
    assert ("next to nothing to measure" in text) == (decay < 0.01)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_shrinkage_is_the_product_over_all_steps(schedule):
    steps, rate, decay = 950, 0.03, 0.1
    multiplier = SCHEDULES[schedule](steps)
    kept = math.prod(1 - rate * decay * multiplier(step) for step in range(steps))
    assert shrinkage(rate=rate, decay=decay, steps=steps, schedule=schedule) == pytest.approx(1 - kept, abs=2e-3)


def test_the_published_decay_comes_to_what_is_known_of_it():
    assert shrinkage(rate=1e-3, decay=5e-4, steps=5590, schedule="constant") == pytest.approx(0.0028, abs=5e-5)


def test_rare_words_are_a_reason_only_where_the_difference_lies_there(twelve):
    study = twelve()

    def with_rare(row, extra):
        history = []
        for point in row.history:
            losses = np.linspace(3.0, 3.0 + extra, 10)
            deciles = Deciles(nats=tuple(losses * 100), tokens=(100,) * 10)
            history.append(dataclasses.replace(point, valid_deciles=deciles))
        return dataclasses.replace(row, history=tuple(history))

    def found(extra_of_sgd):
        rows = [with_rare(row, {3: extra_of_sgd}.get(row.number, 1.0)) for row in study.rows]
        return by_name(dataclasses.replace(study, rows=tuple(rows)))["adam-1-against-sgd-3"]

    assert (
        "SGD pays 0.000 nats more than Adam on the most frequent tenth of the tokens, and 1.50 nats more on the rarest."
    ) in found(2.5).text
    assert "Kunstner" in found(2.5).conjecture.source
    assert found(0.2).conjecture is None


def test_momentum_is_told_with_the_step_that_it_amounts_to(twelve):
    found = by_name(twelve())["momentum-4-against-sgd-3"]
    assert (
        "Momentum 0.9 at a rate of 0.1 moves about as far in the long run as plain steps at 1; the plain run used 1."
        in (found.text)
    )
    assert "Fu et al." in found.conjecture.source


def test_longer_steps_are_the_reason_where_momentum_makes_them(twelve):
    def edit(study):
        for experiment in study["experiments"]:
            if experiment["optimizer"] == "sgd":
                experiment["learning_rate"] = 0.1

    assert "Wang et al." in by_name(twelve(edit=edit))["momentum-4-against-sgd-3"].conjecture.source


def test_an_optimizer_of_the_users_own_is_compared_with_the_first(build):
    def edit(study):
        study["experiments"][1]["optimizer_settings"] = {"type": "Mine", "boost": 2.0, "lr": 0.1, "weight_decay": 0.0}
        study["experiments"][1] |= {"optimizer": "mine"}
        study["optimizers"].append({"name": "mine", "title": "My <own>"})

    study = build({(1, "lstm", 1, "adam"): [4.6], (2, "lstm", 1, "adamw"): [4.5]}, edit=edit)
    (contrast,) = contrasts(study)
    assert (contrast.name, contrast.question) == (
        "mine-2-against-adam-1",
        "1-layer LSTM: is My <own> better than Adam?",
    )


def test_models_of_unlike_size_are_not_compared_by_their_optimizers(build):
    def edit(study):
        study["experiments"][1]["architecture"]["hidden"] = 999

    assert contrasts(build({(1, "lstm", 1, "adam"): [4.6], (2, "lstm", 1, "sgd"): [4.5]}, edit=edit)) == []


def test_rates_by_hand_are_told(twelve):
    study = twelve()
    study.study["tuning"] = None
    assert all("not at their best" in finding.text for finding in optimizers(study))
