"""Better than counting, or not."""

import dataclasses
import math

import pytest

import fakes
from bakeoff.analysis.questions.counting import against_floor, counting
from bakeoff.reporting import text
from golden import golden

ONE, TWO = (1, "lstm", 1, "adam"), (2, "lstm", 1, "adamw")
#: What the lowest floor, the trigram with a cache, pays.
FLOOR = fakes.FLOORS["kn3+cache"]


def ends(*losses):
    """A curve with another end for each seed."""
    return lambda seed: [5.0, FLOOR - losses[seed]]


def one(path, *gains, **options):
    """A study of one experiment that is so much below the lowest floor, by seed."""
    return fakes.read_study(path, {ONE: ends(*gains)}, seeds=range(len(gains)), **options)


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([0.25], "yes"),
        ([0.05], "leaning yes"),
        ([0.03], "cannot be told"),
        ([-0.05], "leaning no"),
        ([-0.25], "no"),
        ([0.30, -0.06], "yes"),
        ([0.20, 0.22, 0.21], "yes"),
        ([-0.20, -0.22, -0.21], "no"),
        ([0.05, -0.15, -0.17], "undecided"),
        ([0.001, -0.001, 0.0], "the same"),
    ],
)
def test_a_floor_is_one_number_and_the_seeds_decide(tmp_path, gains, verdict):
    found = counting(one(tmp_path, *gains))
    assert found.verdict == verdict
    assert found.facts.compared.gains == pytest.approx(gains)


def test_any_floor_can_be_compared_with(tmp_path):
    study = one(tmp_path, 0.25)
    compared = against_floor(study, study.experiments[0], study.unigram)
    assert (compared.gain, compared.second_loss, compared.deviation) == (pytest.approx(0.7), 5.2, 0.02)


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        ((-0.3, -0.3), "Of two finished runs all are below the unigram and none below the Kneser-Ney bigram."),
        ((-0.02, -0.02), "all below the Kneser-Ney trigram and none below the Kneser-Ney trigram with a cache."),
        ((-0.1, 0.1), "one below the Kneser-Ney trigram and one below the Kneser-Ney trigram with a cache."),
    ],
)
def test_floors_are_named_up_to_the_first_that_no_run_is_below(tmp_path, gains, told):
    assert told in text.finding(counting(one(tmp_path, *gains)))["text"]


def test_the_mean_over_seeds_is_the_best_and_not_the_luckiest_run(tmp_path):
    study = fakes.read_study(tmp_path, {ONE: ends(0.3, 0.0, 0.0), TWO: ends(0.15, 0.15, 0.15)}, seeds=(0, 1, 2))
    assert counting(study).facts.best.number == 2


def test_an_experiment_that_lost_a_run_is_set_aside_though_it_is_lower(tmp_path):
    curves = {ONE: ends(0.3, 0.3), TWO: ends(-0.3, -0.3)}
    study = fakes.read_study(tmp_path, curves, seeds=(0, 1), endings={(1, 1): {"status": "diverged", "error": "nan"}})
    found = counting(study)
    assert (found.facts.best.number, [e.number for e in found.facts.set_aside], found.verdict) == (2, [1], "no")
    assert found.evidence == ({"number": 2, "seed": 0}, {"number": 2, "seed": 1}, {"baseline": "kn3+cache"})


def test_runs_below_each_floor_are_counted(tmp_path):
    facts = counting(fakes.twelve(tmp_path)).facts
    assert facts.runs == 12
    assert [(floor.name, count) for floor, count in facts.below] == [
        ("unigram", 12),
        ("kn2", 12),
        ("kn3", 8),
        ("kn3+cache", 8),
    ]


def with_counts(share, valid):
    """How a run ends that was mixed with counts."""
    sums = {split: fakes.sums(valid) for split in ("valid", "test")}
    return {"with_counts": {"floor": "kn3+cache", "weight": share, **sums}}


def test_what_mixing_gains_is_of_the_best_experiment_over_its_seeds(tmp_path):
    endings = {(1, 0): with_counts(0.2, FLOOR - 0.4), (1, 1): with_counts(0.4, FLOOR - 0.3)}
    mixed = counting(one(tmp_path / "both", 0.3, 0.1, endings=endings)).facts.mixed
    assert (mixed.weight, mixed.loss, mixed.gain) == pytest.approx((0.3, FLOOR - 0.35, 0.15))
    assert mixed.bits == pytest.approx(0.15 * fakes.TOKENS / 3000 / math.log(2))
    del endings[1, 1]
    assert counting(one(tmp_path / "not all", 0.3, 0.1, endings=endings)).facts.mixed is None


def test_test_never_decides(tmp_path):
    study = fakes.twelve(tmp_path)
    rows = [dataclasses.replace(row, test=None) for row in study.rows]
    assert counting(dataclasses.replace(study, rows=tuple(rows))).verdict == counting(study).verdict


def test_words(tmp_path):
    lost = {(1, 1): {"status": "diverged", "error": "the loss was not finite"}}
    studies = {
        "nothing": fakes.read_study(tmp_path / "nothing", {ONE: None}),
        "one run": one(tmp_path / "one", 0.25),
        "one run above all": one(tmp_path / "above", -1.25),
        "a tie": one(tmp_path / "tie", 0.05, -0.15, -0.17),
        "with counts": one(tmp_path / "mixed", 0.25, endings={1: with_counts(0.25, FLOOR - 0.4)}),
        "of no use with counts": one(tmp_path / "useless", 0.25, endings={1: with_counts(0.001, FLOOR - 0.249)}),
        "twelve": fakes.twelve(tmp_path / "twelve"),
        "lost": fakes.read_study(
            tmp_path / "lost", {ONE: ends(0.3, 0.3), TWO: ends(-0.3, -0.3)}, seeds=(0, 1), endings=lost
        ),
    }
    found = {name: counting(study) for name, study in studies.items()}
    said = {name: text.finding(finding) for name, finding in found.items()}
    golden("counting.txt", "".join(f"{n}\n{s['verdict']}: {s['text']}\n$ {s['command']}\n\n" for n, s in said.items()))


def test_what_takes_many_seeds_to_decide_is_too_small_to_matter(tmp_path):
    few = counting(one(tmp_path / "few", 0.04, -0.15, -0.17))
    assert (few.facts.compared.seeds_to_decide, few.facts.command) == (10, "bakeoff run fake --only 1 --seeds 10")
    many = counting(one(tmp_path / "many", 0.10, -0.05, 0.02))
    assert (many.facts.compared.seeds_to_decide > 10, many.facts.command) == (True, None)
    assert "too small a difference to matter here" in text.finding(many)["text"]
    assert "even chance" in text.finding(few)["text"]
