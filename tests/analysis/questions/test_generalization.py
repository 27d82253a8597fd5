"""The lowest loss on unseen text."""

import dataclasses

import pytest

import fakes
from bakeoff.analysis.questions.generalization import generalization
from bakeoff.reporting import text
from golden import golden

ONE, TWO, THREE = (1, "lstm", 1, "adam"), (2, "lstm", 1, "adamw"), (3, "lstm", 1, "sgd")


def by_seed(*ends):
    return lambda seed: [4.9, ends[seed]]


def with_test(study, number, loss):
    """The study with an experiment's runs at another loss on test."""
    rows = [
        dataclasses.replace(row, test=dataclasses.replace(row.test, nats=loss * fakes.TOKENS))
        if row.number == number
        else row
        for row in study.rows
    ]
    return dataclasses.replace(study, rows=tuple(rows))


def test_the_lowest_mean_on_valid_is_the_best(tmp_path):
    study = fakes.read_study(tmp_path, {ONE: by_seed(4.4, 4.7), TWO: by_seed(4.5, 4.5)}, seeds=(0, 1))
    found = generalization(study)
    assert (found.verdict, found.facts.best.number, found.facts.next[0].number) == ("answered", 2, 1)
    assert found.facts.next[1].gains == pytest.approx((-0.1, 0.2))


def test_test_is_told_and_chooses_nothing(tmp_path):
    study = with_test(fakes.read_study(tmp_path, {ONE: [4.5], TWO: [4.6]}), 2, 4.0)
    facts = generalization(study).facts
    assert (facts.best.number, [e.number for e in facts.lower_on_test]) == (1, [2])


@pytest.mark.parametrize(
    ("third", "found", "said"),
    [
        (4.7, (3, 1.0, 3), "Test puts all three in the same order."),
        (4.55, (3, pytest.approx(1 / 3), 1), "Test puts all three in another order (Kendall's τ = 0.33)."),
    ],
)
def test_whether_test_puts_them_in_the_same_order_is_told(tmp_path, third, found, said):
    study = with_test(fakes.read_study(tmp_path, {ONE: [4.4], TWO: [4.5], THREE: [4.6]}), 3, third)
    assert generalization(study).facts.on_test == found
    assert said in text.finding(generalization(study))["text"]
    assert generalization(fakes.read_study(tmp_path / "two", {ONE: [4.4], TWO: [4.5]})).facts.on_test is None


def test_everything_that_cannot_be_told_from_the_best_is_tied(tmp_path):
    facts = generalization(fakes.read_study(tmp_path, {ONE: [4.50], TWO: [4.53], THREE: [4.60]})).facts
    assert [e.number for e in facts.tied] == [2]
    assert facts.command == "bakeoff run fake --only 1,2 --seeds 5"
    assert generalization(fakes.read_study(tmp_path / "x", {ONE: [4.5], TWO: [4.7]})).facts.command is None


def test_the_gap_is_that_of_the_end_over_all_seeds(tmp_path):
    study = fakes.read_study(tmp_path, {ONE: by_seed(4.5, 4.6, 4.7)}, seeds=(0, 1, 2), gap=0.25)
    assert generalization(study).facts.gap == pytest.approx(0.25)


def test_where_the_text_of_train_is_harder_the_unigram_shows_it(tmp_path):
    study = fakes.read_study(tmp_path, {ONE: [4.5]}, gap=0.3)
    harder, easier = (
        tuple(
            dataclasses.replace(floor, train=dataclasses.replace(floor.train, nats=floor.train.nats + by))
            for floor in study.baselines
        )
        for by in (300, -300)
    )
    plain = [dataclasses.replace(point, train_deciles=None) for point in study.rows[0].history]
    rows = (dataclasses.replace(study.rows[0], history=tuple(plain)),)
    facts = [
        generalization(dataclasses.replace(study, rows=rows, baselines=floors)).facts
        for floors in (study.baselines, harder, easier)
    ]
    assert [(f.gap, f.plain_gap) for f in facts] == [
        (pytest.approx(0.3 + d), pytest.approx(0.3)) for d in (0, 0.3, -0.3)
    ]
    assert [f.unigram for f in facts] == [None, harder[1], easier[1]]


def test_a_small_gap_is_named_where_it_is_smaller_than_the_best_ones(tmp_path):
    study = fakes.read_study(tmp_path, {ONE: [4.5], TWO: [4.8]}, gap=0.3)
    assert generalization(study).facts.smallest_gap is None
    near = [dataclasses.replace(p, train_deciles=p.valid_deciles) for p in study.rows[1].history]
    rows = (study.rows[0], dataclasses.replace(study.rows[1], history=tuple(near)))
    experiment, gap = generalization(dataclasses.replace(study, rows=rows)).facts.smallest_gap
    assert (experiment.number, gap) == (2, pytest.approx(0))


def test_a_lower_experiment_that_lost_a_run_is_set_aside(tmp_path):
    curves = {ONE: by_seed(4.4, 4.4), TWO: by_seed(4.5, 4.5)}
    endings = {(1, 1): {"status": "diverged", "error": "the loss was not finite"}}
    facts = generalization(fakes.read_study(tmp_path, curves, seeds=(0, 1), endings=endings)).facts
    assert (facts.best.number, [e.number for e in facts.set_aside]) == (2, [1])


def test_words(tmp_path):
    seeds = (0, 1, 2)
    lost = {(1, 2): {"status": "diverged", "error": "the loss was not finite"}}
    curves = {ONE: by_seed(4.40, 4.40, 4.40), TWO: by_seed(4.50, 4.52, 4.51), THREE: by_seed(4.51, 4.50, 4.54)}
    studies = {
        "nothing": fakes.read_study(tmp_path / "nothing", {ONE: None}),
        "one run": fakes.read_study(tmp_path / "one", {ONE: [4.5], TWO: None}),
        "a leaning, and lower on test": with_test(
            fakes.read_study(tmp_path / "leaning", {ONE: [4.5], TWO: [4.56]}), 2, 4.4
        ),
        "twelve": fakes.twelve(tmp_path / "twelve", gap=0.4),
        "three seeds, a tie and a lost run": fakes.read_study(tmp_path / "tie", curves, seeds=seeds, endings=lost),
    }
    said = {name: text.finding(generalization(study)) for name, study in studies.items()}
    told = (f"{n}\n{s['verdict']}: {s['text']}\n$ {s['command']}\n\n" for n, s in said.items())
    golden("generalization.txt", "".join(told))
