"""Intervals and tests, against scipy, against what must always hold, and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from bakeoff.analysis import statistics

differences = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=3, max_size=12)


@given(differences)
def test_the_interval_over_seeds_holds_its_mean_and_turns_with_the_sign(values):
    interval, turned = statistics.over_seeds(values), statistics.over_seeds([-value for value in values])
    assert interval.low <= interval.mean <= interval.high
    assert (turned.low, turned.high) == pytest.approx((-interval.high, -interval.low), abs=1e-9)


@given(differences, st.floats(0.1, 100))
def test_it_scales_with_the_unit(values, factor):
    interval, scaled = statistics.over_seeds(values), statistics.over_seeds([factor * value for value in values])
    assert scaled.half_width == pytest.approx(factor * interval.half_width, rel=1e-6, abs=1e-9)


def test_it_is_a_tenth_wider_than_students_interval_of_paired_differences():
    generator = np.random.default_rng(1)
    first, second = generator.normal(size=(2, 7))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    interval = statistics.over_seeds(first - second)
    assert interval.mean == pytest.approx((expected.low + expected.high) / 2)
    assert interval.half_width == pytest.approx(1.1 * (expected.high - expected.low) / 2)


@pytest.mark.parametrize(("seeds", "factor"), [(3, 2.73), (4, 1.75), (5, 1.37), (6, 1.15), (8, 0.92), (10, 0.79)])
def test_its_width_in_standard_deviations_is_known(seeds, factor):
    values = np.random.default_rng(seeds).normal(size=seeds)
    half = statistics.over_seeds(values).half_width
    assert half / np.std(values, ddof=1) == pytest.approx(factor, abs=0.006)


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.2]])
def test_fewer_than_three_seeds_have_no_interval(values):
    assert statistics.over_seeds(values) is None


def test_differences_without_any_spread_have_an_interval_without_width():
    interval = statistics.over_seeds([0.5, 0.5, 0.5])
    assert (interval.low, interval.high, interval.holds_zero) == (0.5, 0.5, False)
    assert statistics.over_seeds([0.0, 0.0, 0.0]).holds_zero


def test_the_interval_over_seeds_covers_at_least_as_often_as_it_says():
    generator = np.random.default_rng(2)
    samples = generator.normal(0.3, 1.0, size=(2000, 4))
    covered = [i.low <= 0.3 <= i.high for i in map(statistics.over_seeds, samples)]
    assert 0.945 < np.mean(covered) < 0.975  # of bell-shaped noise in more


def test_the_interval_over_documents_covers_as_often_as_it_says():
    """Documents of very different length, whose tokens hang together."""
    generator = np.random.default_rng(3)
    covered = []
    for _ in range(600):
        tokens = generator.integers(20, 400, size=60)
        per_token = 0.2 + generator.normal(0, 0.3, size=60)
        interval = statistics.over_documents(tokens * per_token, tokens)
        covered.append(interval.low <= 0.2 <= interval.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_the_interval_over_documents_agrees_with_the_bootstrap():
    generator = np.random.default_rng(4)
    tokens = generator.integers(50, 500, size=80)
    nats = tokens * (0.1 + generator.normal(0, 0.2, size=80))
    interval = statistics.over_documents(nats, tokens)
    drawn = stats.bootstrap(
        (nats, tokens.astype(float)),
        lambda nats, tokens, axis: nats.sum(axis=axis) / tokens.sum(axis=axis),
        paired=True,
        n_resamples=4000,
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert interval.mean == pytest.approx(nats.sum() / tokens.sum())
    assert (interval.low, interval.high) == pytest.approx((drawn.low, drawn.high), abs=0.15 * interval.half_width)


def test_documents_of_equal_length_are_a_plain_t_test():
    values = np.random.default_rng(6).normal(size=30)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    interval = statistics.over_documents(values * 40, [40] * 30)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_empty_documents_do_not_count_and_few_say_nothing():
    assert statistics.over_documents([1.0] * 9 + [0.0], [10] * 9 + [0]) is None
    assert statistics.over_documents([1.0] * 10 + [0.0], [10] * 10 + [0]).mean == pytest.approx(0.1)


@pytest.mark.parametrize(("seeds", "smallest"), [(6, 2 / 64), (8, 2 / 256), (10, 2 / 1024)])
def test_sign_flips_come_to_their_smallest_p_where_all_signs_agree(seeds, smallest):
    assert statistics.sign_flip_p([0.1 + seed / 1000 for seed in range(seeds)]) == pytest.approx(smallest)


def test_sign_flips_are_counted_exactly():
    values = np.array([0.5, -0.1, 0.3, 0.2, -0.4, 0.6])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    means = (signs * values[:, None]).mean(axis=0)
    expected = np.mean(np.abs(means) >= abs(values.mean()) - 1e-12)
    assert statistics.sign_flip_p(values) == pytest.approx(expected)


def test_sign_flips_need_six_differences_and_sample_where_there_are_many():
    assert statistics.sign_flip_p([0.1] * 5) is None
    many = np.random.default_rng(7).normal(0.1, 1.0, size=16)
    assert statistics.sign_flip_p(many) == statistics.sign_flip_p(many)


def test_holm_by_hand():
    adjusted = statistics.holm({"a": 0.01, "b": 0.04, "c": 0.03})
    assert adjusted == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})


@given(st.dictionaries(st.integers(0, 9), st.floats(0, 1), max_size=8))
def test_holm_raises_and_keeps_the_order(p_values):
    adjusted = statistics.holm(p_values)
    assert all(p <= adjusted[name] <= 1 for name, p in p_values.items())
    ordered = sorted(p_values, key=lambda name: p_values[name])
    assert [adjusted[name] for name in ordered] == sorted(adjusted.values())


def test_a_narrower_level_is_a_narrower_interval():
    values = np.random.default_rng(8).normal(size=5)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.90)
    interval = statistics.over_seeds(values, level=0.90)
    assert interval.half_width == pytest.approx(1.1 * (expected.high - expected.low) / 2)


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([0.30, 0.31, 0.29], statistics.YES),
        ([-0.30, -0.31, -0.29], statistics.NO),
        ([0.001, -0.001, 0.002], statistics.SAME),
        ([0.005, 0.0051, 0.0049], statistics.SAME),  # sure, and too small to matter
        ([0.2, -0.1, 0.1], statistics.UNDECIDED),
        ([0.105], statistics.YES),
        ([-0.105], statistics.NO),
        ([0.06, 0.06], statistics.LEANING_YES),
        ([-0.06], statistics.LEANING_NO),
        ([0.03], statistics.CANNOT_TELL),
        ([0.0], statistics.CANNOT_TELL),
    ],
)
def test_the_scale_of_verdicts(gains, expected):
    assert statistics.verdict(gains, deviation=0.02) == expected


def test_a_clear_difference_that_other_text_could_reverse_is_leaning():
    doubtful = statistics.Interval(mean=0.2, low=-0.1, high=0.5)
    assert statistics.verdict([0.2], 0.02, doubtful) == statistics.LEANING_YES
    assert statistics.verdict([0.2, 0.2, 0.2], 0.02, doubtful) == statistics.YES


@given(st.lists(st.floats(-2, 2).map(lambda x: round(x, 4)), min_size=1, max_size=8))
def test_verdicts_turn_with_the_sign(gains):
    turned = {"yes": "no", "no": "yes", "leaning yes": "leaning no", "leaning no": "leaning yes"}
    verdict = statistics.verdict(gains, 0.02)
    assert statistics.verdict([-gain for gain in gains], 0.02) == turned.get(verdict, verdict)


def decided(mean, deviation, seeds):
    """Whether the interval of so many seeds says that one is better, or that the two are the same."""
    half = 1.1 * stats.t.ppf(0.975, seeds - 1) * deviation / math.sqrt(seeds)
    return half < mean or mean + half < 0.01


@given(differences)
@example([0.05, -0.05, 0.012, 0.0, -0.01])
def test_as_many_seeds_as_are_said_to_decide_do(values):
    mean, deviation = abs(np.mean(values)), np.std(values, ddof=1)
    needed = statistics.seeds_to_decide(values)
    assert needed is None or decided(mean, deviation, needed)
    assert not any(decided(mean, deviation, seeds) for seeds in range(len(values), needed or 101))


def test_two_that_are_about_the_same_are_decided_as_such():
    values = [0.021, -0.021, -0.001]
    assert statistics.verdict(values, 0.02) == statistics.UNDECIDED
    assert statistics.seeds_to_decide(values) == 25


def test_a_mean_of_zero_is_never_decided():
    assert statistics.seeds_to_decide([1.0, -1.0, 0.0]) is None
    assert statistics.seeds_to_decide([0.1, 0.1]) is None
