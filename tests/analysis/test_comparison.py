"""Two experiments against each other."""

import dataclasses

import pytest

from bakeoff.analysis.comparison import CHANCE, NO, UNKNOWN, YES, certainty, compare, difference, in_words, p_in_words

FIRST, SECOND = (1, "lstm", 1, "adam"), (2, "lstm", 1, "sgd")


def pair(build, first, second, **fields):
    study = build({FIRST: first, SECOND: second}, **fields)
    return compare(*study.experiments)


def seeded(*ends):
    """A curve whose end depends on the seed."""
    return lambda seed: [5.0, 4.9, ends[seed]]


def test_one_seed_decides_nothing_however_large_the_difference(build):
    found = pair(build, [5.0, 4.5], [5.0, 4.9])
    assert (found.answer, found.over_seeds, found.p) == (UNKNOWN, None, None)
    assert found.gain == pytest.approx(0.4)
    assert certainty(found) == " One seed: chance was not measured."


def test_seeds_that_agree_decide_either_way(build):
    better, worse = seeded(4.50, 4.52, 4.55), seeded(4.80, 4.83, 4.84)
    assert pair(build, better, worse, seeds=(0, 1, 2)).answer == YES
    assert pair(build, worse, better, seeds=(0, 1, 2)).answer == NO


def test_seeds_that_contradict_each_other_leave_it_to_chance(build):
    found = pair(build, seeded(4.50, 4.60, 4.55), seeded(4.52, 4.57, 4.56), seeds=(0, 1, 2))
    assert found.answer == CHANCE
    assert "Chance in the seeds" in certainty(found)


def test_documents_that_contradict_each_other_do_as_well(build):
    study = build({FIRST: seeded(4.50, 4.51, 4.52), SECOND: seeded(4.52, 4.53, 4.54)}, seeds=(0, 1, 2))
    first, second = study.experiments
    noisy = []
    for row in first.rows:
        valid = row.documents["valid"]
        nats = tuple(n + (40 if place % 2 else -40) for place, n in enumerate(valid.nats))
        noisy.append(dataclasses.replace(row, documents={"valid": dataclasses.replace(valid, nats=nats)}))
    found = compare(dataclasses.replace(first, rows=tuple(noisy)), second)
    assert not found.over_seeds.holds_zero
    assert found.answer == CHANCE
    assert "Other text" in certainty(found)


def test_the_interval_over_documents_is_that_of_the_mean_over_seeds(build):
    found = pair(build, seeded(4.50, 4.52, 4.55), seeded(4.80, 4.83, 4.84), seeds=(0, 1, 2))
    assert found.documents == 20
    assert found.over_documents.mean == pytest.approx(found.gain)


def test_only_seeds_that_both_finished_are_compared(build):
    study = build({FIRST: seeded(4.5, 4.6), SECOND: lambda seed: [] if seed else [5.0, 4.9]}, seeds=(0, 1))
    found = compare(*study.experiments)
    assert found.gains == pytest.approx((0.4,))
    assert "90.02" in in_words(found)


def test_without_a_shared_seed_there_is_no_comparison(build):
    study = build({FIRST: [4.5], SECOND: []})
    assert compare(*study.experiments) is None


def test_the_better_one_is_named_first_whatever_was_asked(build):
    words = in_words(pair(build, [5.0, 4.9], [5.0, 4.5]))
    assert words.index("#2") < words.index("#1")
    assert words.startswith("in one run of each, #2 (1-layer LSTM, SGD) comes to 90.02 on valid")
    assert "0.400 nats per token apart (95 % interval" in words


def test_both_intervals_are_told(build):
    text = difference(pair(build, seeded(4.50, 4.52, 4.55), seeded(4.80, 4.83, 4.84), seeds=(0, 1, 2)))
    assert " over seeds, " in text
    assert " over 20 documents)" in text


def test_a_p_value_is_told_with_its_correction_and_only_from_six_seeds(build):
    ends = [4.5 + place / 100 for place in range(6)]
    found = pair(build, seeded(*ends), seeded(*[end + 0.2 for end in ends]), seeds=range(6))
    assert p_in_words(found, 0.09) == " Sign-flip test over seeds: p = 0.031, 0.09 after Holm's correction."
    assert p_in_words(pair(build, [4.5], [4.6]), None) == ""
