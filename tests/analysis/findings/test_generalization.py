"""The lowest loss on unseen text."""

import dataclasses

from bakeoff.analysis.findings.generalization import generalizes_best
from bakeoff.analysis.rows import StudyRows

A, B = (1, "lstm", 1, "adam"), (2, "lstm", 1, "sgd")


def test_the_best_on_valid_is_named_with_its_settings_and_the_next(build):
    finding = generalizes_best(build({A: [4.9, 4.5], B: [4.9, 4.6]}))
    assert finding.verdict == "not measured"
    assert finding.text.startswith(
        "#1 (1-layer LSTM, Adam, learning rate 0.01) is lowest on valid, which selects, at 90.02"
    )
    assert "comes to 99.48 on test, which does not." in finding.text
    assert "Next comes #2 (1-layer LSTM, SGD) at 99.48" in finding.text


def test_the_text_follows_the_rows(build):
    assert generalizes_best(build({A: [4.9, 4.7], B: [4.9, 4.6]})).text.startswith("#2")


def test_test_is_told_and_chooses_nothing(build):
    study = build({A: [4.9, 4.5], B: [4.9, 4.6]})
    rows = [
        dataclasses.replace(row, test=dataclasses.replace(row.test, nats=4000.0)) if row.number == 2 else row
        for row in study.rows
    ]
    finding = generalizes_best(dataclasses.replace(study, rows=tuple(rows)))
    assert finding.text.startswith("#1")
    assert "On test #2 is lower, which changes no choice here." in finding.text


def test_seeds_support_it_or_call_it_a_tie(build):
    def curve(*ends):
        return lambda seed: [4.9, ends[seed]]

    clear = build({A: curve(4.50, 4.51, 4.52), B: curve(4.60, 4.62, 4.61)}, seeds=(0, 1, 2))
    assert generalizes_best(clear).verdict == "supported"
    tied = build({A: curve(4.50, 4.61, 4.52), B: curve(4.60, 4.52, 4.53)}, seeds=(0, 1, 2))
    finding = generalizes_best(tied)
    assert finding.verdict == "not distinguishable"
    assert "Chance in the seeds alone" in finding.text


def test_a_small_gap_is_not_mistaken_for_generalization(build):
    study = build({A: [4.9, 4.5], B: [4.9, 4.8]})
    best = next(row for row in study.rows if row.number == 1)
    history = [
        dataclasses.replace(p, train_deciles=None, train=dataclasses.replace(p.train, nats=3000.0))
        for p in best.history
    ]
    wide = dataclasses.replace(best, history=tuple(history))
    rows = tuple(wide if row.number == 1 else row for row in study.rows)
    finding = generalizes_best(StudyRows(study=study.study, rows=rows, baselines=study.baselines))
    assert "A small gap between train and valid is no merit by itself: #2 has the smallest" in finding.text


def test_nothing_is_said_of_nothing(build):
    assert generalizes_best(build({A: []})).text == "No run has finished."
    assert "No other run has finished" in generalizes_best(build({A: [4.5], B: []})).text
