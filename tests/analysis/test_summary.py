"""The answer first."""

import dataclasses

import pytest

from bakeoff.analysis import summary
from bakeoff.analysis.rows import read_rows


def goals(study):
    return {goal.name: goal for goal in summary.goals(study)}


def test_one_seed_is_an_observation(twelve):
    study = twelve()
    assert summary.headline(study).startswith("#2 (1-layer LSTM, AdamW, learning rate 0.01, weight decay 0.1) did best")
    assert "in one run; the Kneser-Ney trigram with a unigram cache comes to 115.6." in summary.headline(study)
    assert any(text.startswith("One seed: ") for text in summary.caveats(study))
    assert "One seed: no ranking." in goals(study)["quality"].text


def test_three_seeds_recommend(twelve):
    study = twelve(seeds=(0, 1, 2))
    assert summary.headline(study).startswith("Use #2 (1-layer LSTM, AdamW, learning rate 0.01, weight decay 0.1), at")
    assert any("their intervals are wide" in text for text in summary.caveats(study))


def test_ties_are_named_in_the_same_breath(twelve):
    study = twelve(seeds=(0, 1, 2), own=0.03, ends={1: 4.5})
    assert ", or #" in summary.headline(study)
    assert "cannot be told apart" in goals(study)["quality"].text


def test_a_study_that_loses_to_a_count_table_says_that_first(twelve):
    study = twelve(ends=dict.fromkeys(range(1, 13), 4.9))
    assert summary.headline(study).startswith("The Kneser-Ney trigram with a unigram cache, a count table, is better")
    assert any("which only counts" in text for text in summary.caveats(study))


def test_a_mean_that_seeds_cannot_tell_from_the_floor_is_told_as_such(twelve):
    study = twelve(seeds=(0, 1, 2), ends=dict.fromkeys(range(1, 13), 4.75))
    assert summary.headline(study).startswith("Seeds cannot tell the best model from the Kneser-Ney trigram")
    assert any(text.startswith("No model is surely better than") for text in summary.caveats(study))


def test_a_good_experiment_that_lost_a_run_is_not_denied(build):
    curves = {
        (1, "lstm", 1, "adam"): lambda seed: [4.9],
        (2, "lstm", 1, "sgd"): lambda seed: [4.2] if seed else [],
    }
    study = build(curves, seeds=(0, 1, 2))
    rows = [dataclasses.replace(row, status="diverged") if not row.history else row for row in study.rows]
    lost = dataclasses.replace(study, rows=tuple(rows))
    assert "is better than every model of which no run was lost" in summary.headline(lost)
    assert any(text.startswith("No model of which no run was lost is better") for text in summary.caveats(lost))


def test_no_recommendation_rests_on_seeds_that_are_not_there_yet(build):
    curves = {
        (1, "lstm", 1, "adam"): lambda seed: [4.5 + seed / 100],
        (2, "lstm", 1, "sgd"): lambda seed: [] if seed else [4.4],
    }
    study = build(curves, seeds=(0, 1, 2))
    assert [experiment.number for experiment in study.ranked] == [1, 2]
    assert summary.headline(study).startswith("#1 (1-layer LSTM, Adam, learning rate 0.01) did best, with")
    assert "The next, #2 (1-layer LSTM, SGD), is 0.100 nats per token ahead" in goals(study)["quality"].text


def test_every_goal_has_its_run(twelve):
    found = goals(twelve())
    assert list(found) == ["quality", "time", "memory", "parameters", "trouble"]
    assert [found[name].row.number for name in ("quality", "time", "parameters")] == [2, 2, 2]
    assert (found["quality"].value, found["time"].value, found["parameters"].value) == ("90.05", "4.0 s", "10,000")


def test_the_cheapest_run_must_be_as_good_as_the_hardest_floor_that_is_beaten(twelve):
    def edit(study):
        for experiment in study["experiments"]:
            experiment["learnable_parameters"] = {3: 5, 5: 50}.get(experiment["number"], 500)

    assert goals(twelve(edit=edit))["parameters"].row.number == 5


def test_trouble_is_counted_and_named(twelve):
    study = twelve(ends={12: 5.5, 3: 5.1})
    trouble = goals(study)["trouble"]
    assert (trouble.value, trouble.text) == ("2 of 12", "#3: below context; #12: worse than unigram.")
    assert any("#12 learned nothing about context" in text for text in summary.caveats(study))


def test_trouble_with_some_seeds_only_says_with_how_many(twelve):
    study = twelve(seeds=(0, 1, 2))
    rows = [
        dataclasses.replace(row, diagnosis="diverged", diagnosis_rule="diverged")
        if (row.number, row.seed) == (1, 1)
        else row
        for row in study.rows
        if row.number != 7
    ]
    trouble = goals(dataclasses.replace(study, rows=tuple(rows)))["trouble"]
    assert trouble.text == "#1 (1 of 3 seeds): diverged."


def test_seeds_in_the_same_trouble_since_other_epochs_are_named_together(twelve):
    study = twelve(seeds=(0, 1, 2))
    rows = [
        dataclasses.replace(row, diagnosis=f"overfitting since epoch {row.seed}", diagnosis_rule="overfitting")
        if row.number == 1
        else row
        for row in study.rows
        if row.number in (1, 2)
    ]
    assert goals(dataclasses.replace(study, rows=tuple(rows)))["trouble"].text == "#1: overfitting."


def test_no_trouble_is_said_as_well(build):
    assert goals(build({(1, "lstm", 1, "adam"): [4.9, 4.6, 4.5]}))["trouble"].value == "none"


def test_quick_is_a_demonstration(twelve):
    assert "demonstration" in summary.caveats(twelve(study="quick"))[0]
    assert not any("demonstration" in text for text in summary.caveats(twelve()))


def test_times_beside_other_runs_and_rates_by_hand_are_told(twelve):
    study = twelve()
    study.study["tuning"] = None
    shared = dataclasses.replace(study, rows=tuple(dataclasses.replace(row, alone=False) for row in study.rows))
    told = " ".join(summary.caveats(shared))
    assert "no basis for a claim about speed" in told
    assert "not at their best" in told
    assert goals(shared)["time"].value == "none"


@pytest.mark.parametrize("curve", [[], [5.5]])
def test_a_study_without_a_result_has_no_answer(build, curve):
    study = build({(1, "lstm", 1, "adam"): curve})
    found = goals(study)
    assert summary.headline(study)
    assert found["memory"].row is None or found["memory"].row.number == 1
    assert found["trouble"].value == ("1 of 1" if curve else "none")


def test_everything_that_can_go_wrong_at_once_is_summed_up(fake_study):
    study = read_rows(fake_study)
    assert goals(study)["trouble"].text == (
        "#2: worse than unigram; #3: diverged; #4: failed. Two runs have not finished yet."
    )
    assert any(
        text.startswith("Of eight runs, 1 missing, 1 diverged, 1 failed and 1 running.")
        for text in summary.caveats(study)
    )
