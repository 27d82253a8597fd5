"""Whether more layers help."""

import dataclasses

from bakeoff.analysis.findings.depth import depths, ladders


def numbers(ladder):
    return [found.experiment.number for found in ladder]


def by_model(study):
    return {finding.name: finding for finding in depths(study)}


def test_the_twelve_experiments_have_a_ladder_an_architecture(twelve):
    assert [numbers(ladder) for ladder in ladders(twelve())] == [[2, 9, 10], [6, 11, 12]]


def test_three_seeds_decide(twelve):
    found = by_model(twelve(seeds=(0, 1, 2)))["depth-lstm-adamw-2"]
    assert found.verdict == "contradicted"
    assert "No deeper one is better" in found.text
    helped = by_model(twelve(seeds=(0, 1, 2), ends={9: 4.3}))["depth-lstm-adamw-2"]
    assert helped.verdict == "supported"
    assert "More layers help: in the mean over three seeds, #9" in helped.text
    assert helped.conjecture is None


def test_one_seed_does_not(twelve):
    assert by_model(twelve())["depth-gpt1-adamw-6"].verdict == "not measured"


def test_what_is_worse_on_train_as_well_does_not_lose_by_overfitting(twelve):
    found = by_model(twelve(ends={12: 4.95}))["depth-gpt1-adamw-6"]
    assert "the deepest is worse on train as well, so it does not lose by overfitting" in found.text
    assert "Xiong" in found.conjecture.source


def test_what_is_better_on_train_and_worse_on_valid_may_know_it_by_heart(twelve):
    study = twelve()
    rows = []
    for row in study.rows:
        history = [dataclasses.replace(p, train=dataclasses.replace(p.train, nats=3500.0)) for p in row.history]
        rows.append(dataclasses.replace(row, history=tuple(history)) if row.number == 10 else row)
    found = by_model(dataclasses.replace(study, rows=tuple(rows)))["depth-lstm-adamw-2"]
    assert "overfitting" not in found.text
    assert "Zaremba" in found.conjecture.source


def test_no_claim_about_depth_from_a_run_that_did_not_learn(twelve):
    found = by_model(twelve(seeds=(0, 1, 2), ends={12: 5.5}))["depth-gpt1-adamw-6"]
    assert found.verdict == "not measured"
    assert "#12 is worse than unigram: a run that did not learn shows a failed optimization" in found.text


def test_no_claim_about_depth_at_one_rate_for_all(twelve):
    study = twelve(seeds=(0, 1, 2))
    study.study["tuning"] = None
    found = by_model(study)["depth-lstm-adamw-2"]
    assert found.verdict == "not measured"
    assert "nothing is claimed about depth itself" in found.text
    assert "No deeper one is better" not in found.text
    assert found.conjecture is None


def test_the_comparison_that_decides_is_the_one_that_is_told(build):
    noisy = {0: 4.0, 1: 4.9, 2: 4.0}
    study = build(
        {
            (1, "lstm", 1, "adamw"): [4.6],
            (2, "lstm", 2, "adamw"): lambda seed: [4.5 + seed / 1000],
            (3, "lstm", 4, "adamw"): lambda seed: [noisy[seed]],
        },
        seeds=(0, 1, 2),
    )
    found = by_model(study)["depth-lstm-adamw-1"]
    assert found.verdict == "supported"
    assert "More layers help: in the mean over three seeds, #2" in found.text


def test_two_rows_of_depths_have_two_names(build):
    def edit(study):
        for experiment in study["experiments"]:
            experiment["architecture"] = {"width": 10 * (1 + experiment["number"] // 3), "layers": experiment["layers"]}

    curves = {(n, "lstm", layers, "adamw"): [4.5] for n, layers in ((1, 1), (2, 2), (3, 1), (4, 2))}
    assert len(by_model(build(curves, edit=edit))) == 2


def test_missing_depths_are_named(build):
    study = build({(1, "lstm", 1, "adamw"): [4.6], (2, "lstm", 2, "adamw"): []})
    assert by_model(study)["depth-lstm-adamw-1"].text == (
        "There are no two depths to compare. Without a finished run: #2."
    )
