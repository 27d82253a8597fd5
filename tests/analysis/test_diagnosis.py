"""What became of a run: a history for every rule, and each rule's printed meaning against what it does."""

import itertools
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakeoff.analysis import diagnosis
from bakeoff.analysis.diagnosis import RULES, UNLEARNED, Case
from bakeoff.analysis.evaluations import Baseline, Parts, Point
from bakeoff.metrics import Tally


def tally(loss):
    return Tally(nats=1000 * loss, tokens=1000, words=700, bytes=4000)


def floors(**losses):
    """Floors by name: what each pays for train and for valid."""
    return {
        name: Baseline(
            name=name, train=tally(train), valid=tally(valid), test=tally(valid), seconds=1.0, cache_weight=None
        )
        for name, (train, valid) in losses.items()
    }


U = math.log(2048)
BIGRAM = 4.81
FLOORS = floors(uniform=(U, U), unigram=(6.45, 6.42), kn2=(3.9, BIGRAM))
#: In the published vocabulary; the unigram's train figure counts <unk> as one symbol, as the others do.
PUBLISHED = floors(
    uniform=(math.log(40_478), math.log(40_478)),
    unigram=(math.log(1056), math.log(820)),
    kn2=(math.log(100), math.log(203)),
)


def points(train, valid, first=0):
    """Evaluations with those losses, from an epoch on."""
    return tuple(
        Point(
            epoch=epoch,
            step=100 * epoch,
            train_seconds=float(epoch),
            train=tally(ours),
            valid=tally(theirs),
            running_perplexity=None,
        )
        for epoch, (ours, theirs) in enumerate(zip(train, valid, strict=True), start=first)
    )


def diagnosed(train, valid, *, diverged=None, smaller=None):
    return diagnosis.diagnose(points(train, valid), FLOORS, diverged=diverged, smaller=smaller)


HISTORIES = {
    "diverged": {"train": [U, 6.0], "valid": [U, 6.0], "diverged": "the loss was not finite at step 27"},
    "dead": {"train": [U, U - 0.01, U - 0.02], "valid": [U, U - 0.01, U - 0.01]},
    "worse-than-a-unigram": {"train": [U, 7.0, 6.8], "valid": [U, 7.0, 6.8]},
    "unigram-plateau": {"train": [U, 6.5, 6.46], "valid": [U, 6.5, 6.40]},
    "worse-than-a-bigram": {"train": [U, 5.8, 5.5], "valid": [U, 5.9, 5.6]},
    "late-instability": {"train": [U, 4.5, 4.3, 4.5], "valid": [U, 4.6, 4.5, 4.6]},
    "overfitting": {"train": [U, 4.6, 4.3, 4.0, 3.7], "valid": [U, 4.75, 4.70, 4.73, 4.80]},
    "memorizing": {"train": [U, 4.6, 4.3, 4.1], "valid": [U, 4.75, 4.70, 4.70]},
    "undertrained": {"train": [U, 5.0, 4.7, 4.5], "valid": [U, 5.0, 4.75, 4.6]},
    "underfitting": {"train": [U, 4.7, 4.66, 4.65], "valid": [U, 4.75, 4.71, 4.70], "smaller": 4.5},
    "capacity": {"train": [U, 4.7, 4.66, 4.65], "valid": [U, 4.75, 4.71, 4.70]},
    "healthy": {"train": [U, 4.6, 4.51, 4.5], "valid": [U, 4.75, 4.71, 4.70]},
}


@pytest.mark.parametrize("rule", HISTORIES)
def test_every_rule_has_its_history(rule):
    found = diagnosed(**HISTORIES[rule])
    assert found.rule == rule
    assert re.fullmatch(r"[A-Z].*\d.*\.", found.text)


def test_the_rules_are_told_in_the_order_in_which_they_are_tried():
    assert [rule.key for rule in RULES] == list(HISTORIES)


def test_how_bad_a_run_is_stands_in_its_rule():
    assert frozenset(("diverged", "dead", "worse-than-a-unigram", "unigram-plateau")) == UNLEARNED
    kinds = [*HISTORIES, "failed", "damaged", "running", "missing", None]
    wrong = {kind for kind in kinds if diagnosis.severity(kind) in ("bad", "warn")}
    assert set(kinds) - wrong == {"memorizing", "undertrained", "capacity", "healthy", "running", "missing", None}


# Each rule's meaning, read once more from the lists of losses alone; the thresholds are those that are printed.
THRESHOLDS = {rule.key: [float(found) for found in re.findall(r"\d\.\d+", rule.means)] for rule in RULES}


def below_by(printed, train, valid):
    """How far train and valid at the best epoch are below the unigram, and whether by as much as is printed."""
    best = valid.index(min(valid))
    return 6.45 - train[best] > printed, 6.42 - valid[best] > 0


def fell_since_the_last_quarter(losses):
    start = max((epoch for epoch in range(len(losses)) if 4 * epoch <= 3 * (len(losses) - 1)), default=0)
    return losses[start] - losses[-1]


def gap(train, valid):
    return valid[-1] - train[-1] - (6.42 - 6.45)


def is_flat(printed, train, valid):
    return any(fell_since_the_last_quarter(losses) <= printed for losses in (train, valid))


def is_dead(train, valid, smaller):
    (near,) = THRESHOLDS["dead"]
    return abs(min(valid) - U) < near


def is_worse_than_a_unigram(train, valid, smaller):
    (near,) = THRESHOLDS["worse-than-a-unigram"]
    return not any(below_by(near, train, valid))


def is_on_the_plateau(train, valid, smaller):
    (near,) = THRESHOLDS["unigram-plateau"]
    best = valid.index(min(valid))
    return abs(train[best] - 6.45) < near and abs(valid[best] - 6.42) < near


def is_worse_than_a_bigram(train, valid, smaller):
    return not any(loss < BIGRAM for loss in valid)


def is_unstable(train, valid, smaller):
    (rise,) = THRESHOLDS["late-instability"]
    return any(train[-1] - loss > rise for loss in train)


def is_overfitting(train, valid, smaller):
    (least,) = THRESHOLDS["overfitting"]
    best = valid.index(min(valid))
    after = valid[best + 1 :]
    return len(after) >= 2 and all(loss - min(valid) >= least for loss in after[-2:]) and train[-1] < train[best]


def is_memorizing(train, valid, smaller):
    large, flat = THRESHOLDS["memorizing"]
    ours, theirs = map(fell_since_the_last_quarter, (train, valid))
    return gap(train, valid) > large and (theirs <= ours / 2 or theirs <= flat)


def is_undertrained(train, valid, smaller):
    (flat,) = THRESHOLDS["undertrained"]
    return not is_flat(flat, train, valid)


def is_underfitting(train, valid, smaller):
    (small, worse), (flat,) = THRESHOLDS["underfitting"], THRESHOLDS["undertrained"]
    outdone = smaller is not None and min(valid) - smaller > worse
    return gap(train, valid) < small and is_flat(flat, train, valid) and outdone


def is_at_capacity(train, valid, smaller):
    (small,), (flat,), (_, worse) = (THRESHOLDS[key] for key in ("capacity", "undertrained", "underfitting"))
    outdone = smaller is not None and min(valid) - smaller > worse
    return gap(train, valid) < small and is_flat(flat, train, valid) and not outdone


READINGS = {
    "dead": is_dead,
    "worse-than-a-unigram": is_worse_than_a_unigram,
    "unigram-plateau": is_on_the_plateau,
    "worse-than-a-bigram": is_worse_than_a_bigram,
    "late-instability": is_unstable,
    "overfitting": is_overfitting,
    "memorizing": is_memorizing,
    "undertrained": is_undertrained,
    "underfitting": is_underfitting,
    "capacity": is_at_capacity,
}
#: Walks that come near the floors and the thresholds, and never nearer than rounding does.
STARTS = st.sampled_from([U + 0.013, 6.5113, 6.4313, 4.8713, 4.8213, 4.5113]) | st.floats(3, 8)
VALID = st.lists(st.sampled_from([-0.603, -0.251, -0.103, -0.051, -0.013, 0.0011, 0.0071, 0.0231, 0.117]), max_size=9)
ENDINGS = st.sampled_from([[], [0.0231, 0.0011]])
TRAIN = st.sampled_from([-0.3107, -0.0437, -0.0093, 0.0, 0.0113, 0.0507, 0.0907])
APART = st.sampled_from([-0.0531, 0.0173, 0.0471, 0.2171, 0.2873, 0.4571, 1.5019])


def walked(start, steps):
    return list(itertools.accumulate(steps, initial=start))


@settings(max_examples=300)
@given(data=st.data())
def test_the_meaning_of_a_rule_is_what_it_does(data):
    valid = walked(data.draw(STARTS), data.draw(VALID) + data.draw(ENDINGS))
    off = walked(-data.draw(APART), [data.draw(TRAIN) for _ in valid[1:]])
    train = [loss + apart for loss, apart in zip(valid, off, strict=True)]
    smaller = data.draw(
        st.none() | st.sampled_from([-0.1511, -0.0331, -0.0131, 0.1007]).map(lambda by: min(valid) + by)
    )
    case = Case(history=points(train, valid), floors=FLOORS, smaller=smaller)
    done = {rule.key: rule.when(case) for rule in RULES if rule.key in READINGS}
    assert done == {key: reading(train, valid, smaller) for key, reading in READINGS.items()}


LOSSES = st.lists(st.tuples(st.floats(0.1, 12), st.floats(0.1, 12)), min_size=1, max_size=12)


@given(losses=LOSSES, smaller=st.none() | st.floats(1, 9))
def test_every_history_has_one_diagnosis_and_floors_come_first(losses, smaller):
    train, valid = zip(*losses, strict=True)
    found = diagnosed(train, valid, smaller=smaller)
    assert found.name
    assert found.text.endswith(".")
    lost = found.rule in UNLEARNED or found.rule == "worse-than-a-bigram"
    assert lost or min(valid) < BIGRAM
    assert not lost or min(valid) >= BIGRAM or found.rule in ("dead", "unigram-plateau")
    if min(valid) >= 6.42 and min(train) >= 6.45:
        assert found.rule in UNLEARNED


def test_a_constant_predictor_is_on_the_unigrams_plateau():
    assert diagnosed([U, 6.45, 6.45, 6.45], [U, 6.419, 6.419, 6.419]).name == "on the unigram plateau"


def test_random_logits_ten_times_too_large_are_worse_than_the_unigram():
    assert diagnosed([60.0, 58.0], [61.0, 59.0]).rule == "worse-than-a-unigram"


def test_overfitting_names_the_epoch_since_which():
    found = diagnosed(**HISTORIES["overfitting"])
    assert found.name == "overfitting since epoch 2"
    assert "rose by 0.10 nats" in found.text


def test_a_single_high_evaluation_in_the_end_is_not_overfitting_yet():
    found = diagnosed([U, 4.6, 4.3, 4.0], [U, 4.75, 4.70, 4.80])
    assert found.rule == "memorizing"
    assert found.text.endswith(
        "Valid ended 0.10 nats above its lowest (epoch 2), which does not meet the rule for overfitting."
    )


def test_a_rise_that_is_made_good_is_not_overfitting():
    assert diagnosed([U, 4.6, 4.5, 4.45, 4.44], [U, 4.70, 4.75, 4.74, 4.69]).rule != "overfitting"


@pytest.mark.parametrize(
    ("train", "valid", "why"),
    [
        ([U, 5.0, 4.5, 4.0, 3.7], [U, 5.0, 4.85, 4.88, 4.92], "valid has risen since epoch 2"),
        ([U, 3.0, 1.0, 0.5], [U, 6.9, 7.1, 7.4], "valid has risen since epoch 1"),
        ([U, 5.5, 4.8, 4.5], [U, 5.6, 5.42, 5.40], "does not carry over: the generalization gap is 0.93 nats"),
        (
            [U, 5.8, 5.5],
            [U, 5.9, 5.6],
            "Since epoch 1 train fell by 0.30 and valid fell by 0.30 nats: the budget ended",
        ),
    ],
)
def test_whatever_is_not_below_the_bigram_is_called_so_and_says_what_else_is_seen(train, valid, why):
    found = diagnosed(train, valid)
    assert found.rule == "worse-than-a-bigram"
    assert why in found.text


def test_a_flat_last_epoch_of_a_decayed_rate_is_not_the_end_of_learning():
    train, valid = [U, 5.2, 5.0, 4.9, 4.85, 4.80, 4.75, 4.70, 4.69], [U, 5.2, 5.0, 4.9, 4.86, 4.82, 4.78, 4.74, 4.735]
    assert diagnosed(train, valid).rule == "undertrained"
    assert diagnosis.Case(history=points(train, valid), floors={}).valid_falls
    assert not diagnosis.Case(history=points(train, [*valid[:-2], 4.79, 4.775]), floors={}).valid_falls


def test_a_run_that_carries_over_what_it_learns_is_undertrained_even_with_a_gap():
    assert diagnosed([U, 4.6, 4.2, 4.0], [U, 4.9, 4.6, 4.45]).rule == "undertrained"
    assert diagnosed([U, 4.6, 4.2, 4.0], [U, 4.9, 4.6, 4.55]).rule == "memorizing"


def test_a_valid_split_that_is_easier_by_its_mix_does_not_hide_the_gap():
    """Twice as many of a symbol that costs nothing make valid look as good as train."""
    train = Parts(nats=(0.0, 4500.0), tokens=(100, 900))
    valid = Parts(nats=(0.0, 4500.0), tokens=(325, 675))
    history = [
        Point(
            epoch=epoch,
            step=epoch,
            train_seconds=1.0,
            train=tally(4.5),
            valid=tally(4.5),
            running_perplexity=None,
            train_deciles=train,
            valid_deciles=valid,
        )
        for epoch in (1, 2)
    ]
    assert diagnosis.gap_of(history[-1], -0.03) == pytest.approx(0.9 * (4500 / 675 - 5))
    assert diagnosis.diagnose(history, FLOORS, diverged=None, smaller=None).rule == "memorizing"


def test_a_run_that_diverged_needs_no_evaluation():
    found = diagnosis.diagnose((), FLOORS, diverged="the loss was not finite at step 1", smaller=None)
    assert (found.rule, found.text) == ("diverged", "The loss was not finite at step 1.")


#: The published table's perplexities of train and valid in the end, and what they show.
PUBLISHED_RUNS = {
    1: (81.06, 144.84, "memorizing"),
    2: (81.07, 144.50, "memorizing"),
    3: (2322.22, 2173.39, "worse-than-a-unigram"),
    4: (1748.33, 1654.09, "worse-than-a-unigram"),
    5: (41.24, 174.55, "memorizing"),
    6: (41.20, 174.12, "memorizing"),
    7: (1617.57, 1500.89, "worse-than-a-unigram"),
    8: (714.16, 679.82, "worse-than-a-bigram"),
    9: (58.65, 148.45, "memorizing"),
    10: (84.80, 159.57, "memorizing"),
    11: (473.19, 469.95, "worse-than-a-bigram"),
    12: (1552.26, 1478.83, "worse-than-a-unigram"),
}


@pytest.mark.parametrize("number", PUBLISHED_RUNS)
def test_the_published_final_values_alone_get_the_published_table_right(number):
    train, valid, rule = PUBLISHED_RUNS[number]
    history = points([math.log(train)], [math.log(valid)], first=10)
    assert diagnosis.diagnose(history, PUBLISHED, diverged=None, smaller=None).rule == rule
