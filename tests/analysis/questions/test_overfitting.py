"""Who overfits, and what capacity has to do with it."""

import pytest

import fakes
from bakeoff.analysis.questions.overfitting import overfitting
from bakeoff.reporting import text
from golden import golden

ADAM, ONE, TWO, FOUR = (
    (1, "lstm", 1, "adam"),
    (2, "lstm", 1, "adamw"),
    (9, "lstm", 2, "adamw"),
    (10, "lstm", 4, "adamw"),
)
DIVERGED = {"status": "diverged", "error": "the loss was not finite"}
#: Valid that comes down and stays, rises for good, rises once, and still falls with train; and what train is below it.
FLAT, RISING, LATE, FALLING = [4.7, 4.6, 4.6, 4.6], [4.7, 4.6, 4.64, 4.7], [4.7, 4.6, 4.6, 4.65], [4.9, 4.7, 4.6, 4.5]
WIDENING, NARROW = [0.1, 0.2, 0.4, 0.6], 0.1


def asked(path, curves, **options):
    """Who overfits in such a study, and what is said of capacity."""
    return overfitting(fakes.read_study(path, curves, **options))


def course(path, curve, gap):
    finding, *_ = asked(path, {ONE: curve}, gap=gap)
    return finding.facts.courses[0]


@pytest.mark.parametrize(
    ("curve", "gap", "found"),
    [
        (FLAT, WIDENING, (True, (3,), 0)),
        (RISING, WIDENING, (True, (3,), 1)),
        (RISING, [0.1, 0.12, 0.18, 0.26], (True, (), 1)),
        (LATE, WIDENING, (True, (3,), 0)),
        (FLAT, NARROW, (False, (), 0)),
        (FALLING, [0.4, 0.4, 0.4, 0.4], (False, (1,), 0)),  # what is learned about train still carries over
        (FLAT, [0.4, 0.2, 0.35, 0.35], (True, (3,), 0)),  # since it is large for good
    ],
)
def test_a_run_overfits_where_the_gap_grows_or_valid_rises(tmp_path, curve, gap, found):
    told = course(tmp_path, curve, gap)
    assert (told.overfits, told.since, told.risen) == found


def test_what_early_stopping_gains_is_what_valid_rose_by(tmp_path):
    found = course(tmp_path, RISING, WIDENING)
    assert (found.rise, found.best) == (pytest.approx(0.1), (2,))


def test_most_runs_decide_for_an_experiment(tmp_path):
    def curve(seed):
        return RISING if seed == 0 else FLAT

    found, *_ = asked(tmp_path, {ONE: curve}, seeds=(0, 1, 2), gap=[0.1, 0.1, 0.2, 0.25])
    assert (found.facts.courses[0].risen, found.facts.courses[0].overfits) == (1, False)


def test_runs_that_learned_nothing_cannot_overfit(tmp_path):
    found, *_ = asked(tmp_path, {ONE: [5.4, 5.3, 5.3, 5.3], ADAM: FLAT})
    assert ([c.experiment.number for c in found.facts.courses], [row.number for row in found.facts.lost]) == ([1], [2])


def test_remedies_are_named_where_something_overfits(tmp_path):
    some, *_ = asked(tmp_path / "some", {ADAM: FLAT, ONE: FLAT}, gap={1: WIDENING, 2: [0.1, 0.1, 0.2, 0.3]})
    said = text.finding(some)
    assert said["command"] == "bakeoff run fake --corpus FILE --epochs 1"
    assert "each token of train is read 4 times" in said["conjecture"]["text"]
    assert "gaps of 0.30 (#2) against 0.60 without (#1)" in said["conjecture"]["text"]
    none, *_ = asked(tmp_path / "none", {ADAM: FLAT, ONE: FALLING})
    said = text.finding(none)
    assert said["conjecture"]["text"].startswith("A run of twice as many epochs")
    assert said["command"] == "bakeoff run fake --epochs 8"
    assert said["text"].startswith("None clearly does.")


@pytest.mark.parametrize(
    ("gaps", "verdict", "turn"),
    [
        ((0.2, 0.3, 0.5), "yes", None),
        ((0.33, 0.23, 0.27), "leaning no", (9, 10)),
        ((0.2, 0.5, 0.35), "yes", (9, 10)),
        ((0.2, 0.22, 0.21), "cannot be told", None),
        ((0.5, 0.3, 0.2), "no", None),
    ],
)
def test_the_gap_by_size(tmp_path, gaps, verdict, turn):
    by_number = dict(zip((2, 9, 10), gaps, strict=True))
    _, found = asked(tmp_path, {ONE: FLAT, TWO: FLAT, FOUR: FLAT}, gap=by_number)
    assert [c.gap for c in found.facts.courses] == pytest.approx(gaps)
    assert found.facts.widens.gain == pytest.approx(gaps[-1] - gaps[0])
    assert found.verdict == verdict
    assert (found.facts.turn and tuple(c.experiment.number for c in found.facts.turn)) == turn
    assert (" layers it gets " in text.finding(found)["text"]) is (turn is not None and found.facts.as_fit is None)


def test_three_seeds_decide_by_their_interval(tmp_path):
    _, found = asked(tmp_path, {ONE: FLAT, FOUR: FLAT}, seeds=(0, 1, 2), gap={2: 0.2, 10: 0.24})
    assert found.facts.widens.over_seeds.mean == pytest.approx(0.04)
    assert found.verdict == "yes"


def test_a_model_that_fits_less_is_compared_where_both_fit_alike(tmp_path):
    """Train of the small one goes 4.6, 4.4, 4.2, 4.0 as its gap grows; train of the large one ends at 4.5."""
    curves = {ONE: [4.7, 4.6, 4.6, 4.6], FOUR: [4.9, 4.8, 4.7, 4.6]}
    _, found = asked(tmp_path, curves, gap={2: [0.1, 0.2, 0.4, 0.6], 10: 0.1})
    assert found.facts.widens.gain == pytest.approx(-0.5)
    assert found.facts.as_fit.widens.first_loss == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("large", "at_fit", "verdict", "opening"),
    [
        (
            (4.7, 0.3),
            (0.2, 2),
            "no",
            "Not in this budget: the gap ends widest with 1 layer (0.60, against 0.30 with 4), ",
        ),
        (
            (4.65, [0.3, 0.3, 0.3, 0.55]),
            (0.5, 3.5),
            "yes",
            "At equal train loss, that is; in this budget the gap ends ",
        ),
    ],
)
def test_where_one_had_read_train_far_more_often_the_end_decides(tmp_path, large, at_fit, verdict, opening):
    """Train of the small one goes 4.6, 4.4, 4.2, 4.0 as its gap grows; train of the large one ends at 4.4 or 4.1."""
    (last, gap), (gap_of_small, passes) = large, at_fit
    curves = {ONE: [4.7, 4.6, 4.6, 4.6], FOUR: [4.9, 4.8, 4.75, last]}
    _, found = asked(tmp_path, curves, gap={2: [0.1, 0.2, 0.4, 0.6], 10: gap}, seeds=(0, 1, 2))
    fit, said = found.facts.as_fit, text.finding(found)["text"]
    assert (found.facts.widens.sign, fit.widens.sign) == (-1, 1)
    assert fit.widens.first_loss == pytest.approx(gap_of_small)
    assert (fit.passes[fit.early], fit.passes[fit.late]) == (pytest.approx((passes,) * 3), (4,) * 3)
    assert (found.verdict, said[: len(opening)]) == (verdict, opening)
    assert ("size and repetition cannot be told apart" in said) is (verdict == "no")


def test_architectures_are_compared_where_both_fit_train_alike(tmp_path):
    """Train of the LSTM goes 4.6, 4.4, 4.2, 4.0 as its gap grows; train of the GPT-1 ends at 4.3."""
    curves = {ONE: FLAT, (6, "gpt1", 1, "adamw"): [4.8, 4.7, 4.65, 4.5], (5, "gpt1", 1, "adam"): FLAT}
    found, *_ = asked(tmp_path, curves, gap={2: [0.1, 0.2, 0.4, 0.6], 6: 0.2, 5: 0.2})
    (fit,) = found.facts.kinds
    assert (fit.early.number, fit.late.number, fit.wider.number) == (2, 6, 2)
    assert fit.widens.gain == pytest.approx(0.2 - 0.3)
    assert "wider with the LSTM in one (#2 and #6 by 0.100, a leaning, 2.5 and 4)" in text.finding(found)["text"]


def test_a_rise_that_is_not_yet_overfitting_is_told(tmp_path):
    found, *_ = asked(tmp_path, {ONE: LATE}, seeds=(0, 1, 2), gap=WIDENING)
    assert found.facts.courses[0].risen == 0
    assert "rose by 0.050 in #2 (after epoch 2, in all three seeds; for the" in text.finding(found)["text"]


def test_sizes_that_learned_nothing_are_left_out_and_named(tmp_path):
    curves = {ONE: FLAT, TWO: FLAT, FOUR: FLAT}
    _, found = asked(tmp_path / "a", curves, gap={2: 0.2, 9: 0.5}, endings={10: DIVERGED})
    assert ([c.experiment.number for c in found.facts.courses], found.verdict) == ([2, 9], "yes")
    _, found = asked(tmp_path / "b", {ONE: FLAT, TWO: [5.4, 5.3, 5.3, 5.3]})
    assert (found.facts.widens, found.verdict) == (None, "not measured")


def test_words(tmp_path):
    gap = {1: WIDENING, 2: [0.1, 0.2, 0.31, 0.35], 6: 0.33, 11: 0.23, 12: 0.27, 10: 0.05}
    seeds = fakes.twelve_curves(seeds=(0, 1, 2)) | {ADAM: RISING}
    studies = {
        "twelve": fakes.twelve(tmp_path / "twelve", gap=gap),
        "three seeds": fakes.read_study(
            tmp_path / "seeds", seeds, seeds=(0, 1, 2), gap=gap | {5: 0.4}, endings={(12, 1): DIVERGED}
        ),
        "none": fakes.twelve(tmp_path / "none"),
        "one run": fakes.read_study(tmp_path / "one", {ONE: RISING, FOUR: None}, gap=WIDENING),
        "nothing learned": fakes.read_study(tmp_path / "lost", {ONE: [5.4, 5.3, 5.3, 5.3]}),
        "nothing": fakes.read_study(tmp_path / "nothing", {ONE: None}),
    }
    told = []
    for name, study in studies.items():
        for found in overfitting(study):
            said = text.finding(found)
            told += [f"{name}: {said['question']}", f"{said['verdict']}: {said['text']}", f"? {said['conjecture']}"]
            told += [f"$ {said['command']}", ""]
    golden("overfitting.txt", "\n".join(told))


def test_the_gap_at_equal_fit_is_read_where_the_lesser_fit_of_each_seed_ends(tmp_path):
    """Both runs have the same gap at every train loss; one is ahead on train in the mean, and behind with one seed."""
    gaps = [0.1, 0.2, 0.3, 0.4]
    valid = [5.0 - 2 * gap for gap in gaps]
    curves = {
        (1, "lstm", 1, "adam"): lambda seed: valid[: 2 if seed == 2 else 4],
        (2, "gpt1", 1, "adam"): valid[:3],
    }
    study = fakes.read_study(tmp_path, curves, seeds=(0, 1, 2), gap=gaps)
    widens = overfitting(study)[0].facts.kinds[0].widens
    assert widens.gains == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_a_turn_is_judged_where_both_fit_alike_if_the_wider_learned_more(tmp_path):
    """Train ends at 4.1, 4.3 and 4.0; where it was 4.3, the gap of the largest was between 0.2 and 0.3."""
    curves = {ONE: [4.9, 4.8, 4.6, 4.5], TWO: [4.9, 4.8, 4.6, 4.5], FOUR: [4.9, 4.7, 4.5, 4.3]}
    gap = {2: 0.4, 9: 0.2, 10: 0.3}
    _, found = asked(tmp_path, curves, gap=gap)
    facts, said = found.facts, text.finding(found)["text"]
    assert (facts.as_fit, facts.turn_fit.early.number, facts.turn_fit.late.number) == (None, 10, 9)
    assert facts.turn_fit.widens.gain == pytest.approx(0.2 - 0.3)
    assert "although the largest fits train better (54.60 against 60.34)" in said
    assert "From 2 to 4 layers it gets wider, as 4 layers learned more" in said
    assert "at equal train loss it is 0.20 with 2 and 0.30 with 4 (#9 had read train 4 times by then and #10 " in said


def test_learning_rates_of_sizes_are_told_where_they_differ(tmp_path):
    def edit(study):
        study["experiments"][1]["learning_rate"] = 0.001

    _, found = asked(tmp_path / "differ", {ONE: FLAT, FOUR: FLAT}, edit=edit)
    assert "at different learning rates (1 layer 0.01, 4 layers 0.001): this is" in text.finding(found)["text"]
    _, found = asked(tmp_path / "alike", {ONE: FLAT, FOUR: FLAT})
    assert found.facts.rates == ()
