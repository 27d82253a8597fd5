"""Looks fixed in advance: against scipy, against what must always hold, and by simulations that are not their own."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bakeoff.analysis import looks
from bakeoff.analysis.looks import BETTER, WORSE
from bakeoff.analysis.statistics import SAME, UNDECIDED

LOOKS = (3, 5, 8)
LEVEL = looks.level(LOOKS)
MARGIN = 0.01
gains = st.lists(st.floats(-1, 1).map(lambda x: round(x, 4)), min_size=3, max_size=10)
endings = st.lists(st.sampled_from([0.1, -0.05, 0.02, math.inf, -math.inf, math.nan]), min_size=3, max_size=10)
OPPOSITE = {BETTER: WORSE, WORSE: BETTER, SAME: SAME, UNDECIDED: UNDECIDED}


def verdict(values, level=LEVEL, margin=MARGIN):
    return looks.look(values, level, margin).verdict


def judged(values, at=LOOKS, level=LEVEL, margin=MARGIN):
    """What a comparison ends with, that stops at the first look which decides."""
    seen = [verdict(values[:seeds].tolist(), level, margin) for seeds in at]
    return next((found for found in seen if found != UNDECIDED), UNDECIDED)


def decided(samples, at=LOOKS, level=LEVEL, wider=1.1):
    """The share of comparisons, a row each, that find a difference at any look; by scipy's t-test."""
    return np.any([excludes_zero(samples[:, :seeds], level, wider) for seeds in at], axis=0).mean()


def excludes_zero(samples, level=LEVEL, wider=1.1):
    """Of each row, whether Student's interval leaves out zero, and so does one that is so many times as wide."""
    statistic = stats.ttest_1samp(samples, 0, axis=-1).statistic
    return np.abs(statistic) > wider * stats.t.isf(level / 2, samples.shape[-1] - 1)


def above(share, count):
    """A share that is stated, and three standard errors of one that was counted."""
    return share + 3 * math.sqrt(share * (1 - share) / count)


@pytest.mark.parametrize("at", [LOOKS, (3, 6, 10), (3, 4), (5, 10, 20)])
def test_all_looks_together_raise_a_false_alarm_in_five_percent_by_students_intervals_and_in_fewer_by_these(at):
    samples = np.random.default_rng(11).standard_normal((200_000, at[-1]))
    share = decided(samples, at, looks.level(at), wider=1.0)
    assert share <= above(looks.FALSE_ALARMS, len(samples))
    assert share >= 0.047  # and not in much less
    assert decided(samples, at, looks.level(at)) < share


def test_the_level_is_known_and_lies_between_one_looks_and_all_looks_share():
    assert LEVEL == 0.0199
    for at in ((3, 4), (3, 20), tuple(range(3, 12))):
        assert 0.05 / len(at) < looks.level(at) < 0.05


@pytest.mark.parametrize(
    ("at", "fit"),
    [
        ((3, 5, 8), True),
        ((3, 100), True),
        ((3,), False),
        ((), False),
        ((2, 5), False),
        ((5, 3), False),
        ((3, 3), False),
        ((3, 101), False),
    ],
)
def test_which_looks_are_fit(at, fit):
    assert looks.are_fit(at) is fit


@given(gains, st.floats(0, 0.5))
def test_the_interval_alone_decides_and_it_is_a_tenth_wider_than_students(values, margin):
    found = looks.look(values, LEVEL, margin)
    if len(set(values)) > 1:
        expected = stats.ttest_1samp(values, 0).confidence_interval(1 - LEVEL)
        assert found.interval.half_width == pytest.approx(1.1 * (expected.high - expected.low) / 2, abs=1e-9)
    low, high = found.interval.low, found.interval.high
    if found.verdict == SAME:
        assert max(-low, high) < margin
    elif found.verdict == UNDECIDED:
        assert low <= 0 <= high
    else:
        assert (found.verdict == BETTER, found.verdict == WORSE) == (low > 0, high < 0)


def test_the_same_is_what_two_one_sided_tests_say():
    generator = np.random.default_rng(12)
    seen = set()
    for _ in range(300):
        values = generator.normal(0.02 * generator.standard_normal(), 0.02, size=5)
        above, below = (stats.ttest_1samp(values, edge).statistic for edge in (-0.05, 0.05))
        same = verdict(values, margin=0.05) == SAME
        assert same == (min(above, -below) > 1.1 * stats.t.isf(LEVEL / 2, 4))
        seen.add(same)
    assert seen == {True, False}


@given(gains | endings, st.floats(0, 0.5))
def test_the_other_way_round_the_verdict_turns(values, margin):
    assert verdict([-value for value in values], margin=margin) == OPPOSITE[verdict(values, margin=margin)]


@given(gains, st.floats(0.1, 100))
def test_the_unit_does_not_matter(values, factor):
    scaled = [factor * value for value in values]
    first, second = looks.look(values, LEVEL, 0.1), looks.look(scaled, LEVEL, 0.1 * factor)
    assert second.interval.half_width == pytest.approx(factor * first.interval.half_width, rel=1e-6, abs=1e-9)


def test_the_same_comes_before_a_difference_that_does_not_matter():
    small = [0.004, 0.0041, 0.0042]
    assert verdict(small) == SAME
    assert verdict(small, margin=0.0) == BETTER
    assert verdict([0.0, 0.0, 0.0]) == SAME
    assert verdict([0.0, 0.0, 0.0], margin=0.0) == UNDECIDED


def test_a_difference_as_large_as_the_margin_is_called_the_same_in_at_most_half_the_rate_of_false_alarms():
    """Where the spread is so small that `the same` is within reach, at every look; it is none the less a margin off."""
    generator = np.random.default_rng(13)
    for spread in (0.002, 0.005):
        found = [judged(row) for row in generator.normal(MARGIN, spread, size=(4000, 8))]
        assert found.count(SAME) / len(found) <= above(0.025, len(found))


# --- divergences ------------------------------------------------------------------------------------------------------


@given(endings)
def test_who_diverged_where_the_other_did_not_is_not_better_and_they_are_not_the_same(values):
    found = looks.look(values, LEVEL, MARGIN)
    if any(not math.isfinite(value) for value in values):
        assert found.interval is None
        assert found.verdict != SAME
    if -math.inf in values:
        assert found.verdict != BETTER
    if math.inf in values:
        assert found.verdict != WORSE


@pytest.mark.parametrize(
    ("seeds", "expected"), [(3, UNDECIDED), (5, UNDECIDED), (6, UNDECIDED), (7, WORSE), (8, WORSE)]
)
def test_a_candidate_that_always_diverges_is_worse_from_seven_seeds_on(seeds, expected):
    assert verdict([-math.inf] * seeds) == expected


def test_one_divergence_among_gains_leaves_it_undecided_and_among_losses_makes_it_worse():
    assert verdict([-math.inf, *[0.1 + seed / 100 for seed in range(7)]]) == UNDECIDED
    assert verdict([-math.inf, *[0.1 + seed / 100 for seed in range(29)]]) == UNDECIDED  # whatever the ranks say
    assert verdict([-math.inf, *[-0.1 - seed / 100 for seed in range(7)]]) == WORSE
    assert verdict([math.inf, *[0.1 + seed / 100 for seed in range(7)]]) == BETTER


def test_where_both_diverge_nothing_is_known():
    assert verdict([math.nan] * 8) == UNDECIDED
    assert verdict([math.nan, *[0.1 + seed / 100 for seed in range(7)]]) == BETTER


def test_ranks_decide_as_in_wilcoxons_test():
    values = [-math.inf, -0.3, -0.2, 0.01, -0.4, -0.5, -0.7, -0.6]
    finite = [-9.0 if math.isinf(value) else value for value in values]
    p = stats.wilcoxon(finite, method="exact").pvalue
    assert verdict(values, level=p + 1e-9) == WORSE
    assert verdict(values, level=p - 1e-9) == UNDECIDED


# --- the smallest effect ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("deviation", "margin"), [(0.02, 0.0), (0.02, MARGIN), (0.004, MARGIN)])
def test_an_effect_of_that_size_is_found_in_four_of_five_comparisons(deviation, margin):
    effect = looks.smallest_effect(LOOKS, LEVEL, deviation, margin)
    samples = np.random.default_rng(14).normal(effect, deviation, size=(4000, 8))
    found = [judged(row, margin=margin) for row in samples]
    assert found.count(BETTER) / len(found) == pytest.approx(0.8, abs=0.02)


def test_more_seeds_see_more_and_without_spread_all_that_matters_is_seen():
    effects = [looks.smallest_effect(at, LEVEL, 1.0, 0.0) for at in ((3,), (3, 5), (3, 5, 8), (3, 5, 8, 12))]
    assert all(fewer > more for fewer, more in pairwise(effects))
    assert looks.smallest_effect((3, 4), LEVEL, 0.0, MARGIN) == MARGIN


# --- what is stated, by simulation ------------------------------------------------------------------------------------

#: Differences between two experiments that are alike.
ALIKE = {
    "normal": lambda g, shape: g.standard_normal(shape),
    "t with 3 degrees of freedom": lambda g, shape: g.standard_t(3, shape),
    "Cauchy": lambda g, shape: g.standard_cauchy(shape),
    "now and then ten times as far": lambda g, s: g.standard_normal(s) * np.where(g.random(s) < 0.1, 10, 1),
    "of two with an unlucky seed now and then": lambda g, s: g.lognormal(0, 1, s) - g.lognormal(0, 1, s),
}


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "diverging"), [(0.002, 0.0), (0.01, 0.0), (0.1, 0.0), (0.1, 0.1), (0.1, 0.5)])
@pytest.mark.parametrize("shape", ALIKE)
def test_false_alarms_are_at_most_what_is_stated_whatever_the_tails_and_however_many_diverge(shape, diverging, spread):
    generator = np.random.default_rng(15)
    samples = spread * ALIKE[shape](generator, (2_000 if diverging else 10_000, 8))
    baseline, candidate = (np.where(generator.random(samples.shape) < diverging, np.inf, 0.0) for _ in range(2))
    with np.errstate(invalid="ignore"):  # both diverged
        samples += baseline - candidate
    found = [judged(row) for row in samples]
    assert found.count(BETTER) / len(found) <= above(0.025, len(found))
    assert found.count(WORSE) / len(found) <= above(0.025, len(found))


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.002, 0.005, 0.02])
@pytest.mark.parametrize("shape", ALIKE)
def test_the_same_is_said_of_a_difference_of_the_margin_in_at_most_what_is_stated(shape, spread):
    samples = MARGIN + spread * ALIKE[shape](np.random.default_rng(16), (10_000, 8))
    found = [judged(row) for row in samples]
    assert found.count(SAME) / len(found) <= above(0.025, len(found))


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "stated"), [("exponential", 0.13), ("uniform", 0.06)])
def test_what_is_stated_of_shapes_for_which_it_does_not_hold(shape, stated):
    generator, size = np.random.default_rng(17), (100_000, 8)
    samples = generator.exponential(size=size) - 1 if shape == "exponential" else generator.uniform(-1, 1, size)
    assert decided(samples) == pytest.approx(stated, abs=0.01)
