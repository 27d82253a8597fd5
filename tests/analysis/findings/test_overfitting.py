"""Overfitting over time and by capacity."""

import dataclasses

from bakeoff.analysis.findings.overfitting import overfitting

RISING = [4.6, 4.5, 4.55, 4.62]


def trained_on(study, losses):
    """The study with other losses on train in the end, by number."""
    rows = []
    for row in study.rows:
        nats = losses.get(row.number)
        history = (
            [
                dataclasses.replace(p, train=dataclasses.replace(p.train, nats=nats[place]), train_deciles=None)
                for place, p in enumerate(row.history)
            ]
            if nats
            else row.history
        )
        rows.append(dataclasses.replace(row, history=tuple(history)))
    return dataclasses.replace(study, rows=tuple(rows))


def by_name(study):
    return {finding.name: finding for finding in overfitting(study)}


def test_who_overfits_is_named_with_what_it_cost(build):
    study = build({(1, "lstm", 1, "adam"): RISING, (2, "lstm", 1, "sgd"): [4.9, 4.8, 4.75, 4.74]})
    rows = [
        dataclasses.replace(row, diagnosis="overfitting since epoch 2", diagnosis_rule="overfitting")
        if row.number == 1
        else row
        for row in study.rows
    ]
    finding = by_name(dataclasses.replace(study, rows=tuple(rows)))["overfitting"]
    assert finding.verdict == "supported"
    assert "In one of two finished runs valid rose again while train went on falling (#1 by 0.12 nats" in finding.text
    assert "dropout" in finding.conjecture.text.lower()


def diagnosed(study, rule):
    """The study with that diagnosis for every run."""
    rows = [dataclasses.replace(row, diagnosis=rule, diagnosis_rule=rule) for row in study.rows]
    return dataclasses.replace(study, rows=tuple(rows))


def test_the_cost_of_several_seeds_is_told_as_a_range(build):
    def rising(seed):
        return [4.6, 4.5, 4.55, 4.7 + seed / 10]

    finding = by_name(diagnosed(build({(1, "lstm", 1, "adam"): rising}, seeds=(0, 1, 2)), "overfitting"))["overfitting"]
    assert "(#1 by 0.20 to 0.40 nats from its lowest)" in finding.text


def test_a_rise_too_late_to_be_told_from_noise_answers_nothing(build):
    finding = by_name(build({(1, "lstm", 1, "adam"): [4.6, 4.5, 4.55]}))["overfitting"]
    assert finding.verdict == "not measured"
    assert "In one (#1) valid ended above its lowest, too late to be told from noise." in finding.text


def test_where_nothing_rose_nothing_is_remedied(twelve):
    finding = by_name(twelve())["overfitting"]
    assert (finding.verdict, finding.conjecture) == ("contradicted", None)
    assert finding.text.startswith("In none of twelve finished runs")


def test_a_failure_to_learn_is_not_overfitting(twelve):
    found = by_name(twelve(ends={12: 5.5}))
    assert "#12 did not learn enough to overfit" in found["overfitting"].text
    assert found["capacity-gpt1-adamw-6"].verdict == "not measured"
    assert "nothing overfits" in found["capacity-gpt1-adamw-6"].text


def test_a_gap_that_widens_with_size_over_seeds_is_seen(twelve):
    study = twelve(seeds=(0, 1, 2))
    wide = trained_on(study, {10: [5700, 4400, 4200, 4000, 3800]})
    finding = by_name(wide)["capacity-lstm-adamw-2"]
    assert finding.verdict == "supported"
    assert "it gets wider by" in finding.text


def test_one_seed_says_one_run(twelve):
    finding = by_name(trained_on(twelve(), {10: [5700, 4400, 4200, 4000, 3800]}))["capacity-lstm-adamw-2"]
    assert finding.verdict == "not measured"
    assert "It gets wider from the smallest to the largest, in one run of each" in finding.text


def test_a_narrow_gap_of_a_model_that_learned_less_is_no_protection(twelve):
    finding = by_name(twelve(ends={10: 4.9}))["capacity-lstm-adamw-2"]
    assert "the largest also fits train less" in finding.text


def test_nothing_is_said_of_nothing(build):
    (finding,) = overfitting(build({(1, "lstm", 1, "adam"): []}))
    assert finding.text == "No run has finished."
