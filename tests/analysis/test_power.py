"""The smallest difference that so many seeds can see, against studies in which it was planted."""

import math

import numpy as np
import pytest

import fakes
from bakeoff.analysis import power, statistics

TWO = ((1, "lstm", 1, "adam"), (2, "gpt1", 1, "adam"))


def share_of_yes(effect, deviation, seeds, studies=1500):
    """How often a planted effect is found: by the report's own verdict, on runs with noise of their own."""
    generator = np.random.default_rng(seeds)
    own = generator.normal(0, deviation / math.sqrt(2), size=(studies, 2, seeds))
    alike = generator.normal(0, 1, size=(studies, 1, seeds))  # what a seed does to both drops out
    better, worse = np.moveaxis(5.0 + own + alike, 1, 0)
    return np.mean([statistics.verdict(gains, deviation) == "yes" for gains in (worse + effect - better).tolist()])


@pytest.mark.parametrize("seeds", [3, 5, 8, 20])
@pytest.mark.parametrize("deviation", [0.02, 0.002])
def test_a_planted_effect_is_found_in_four_of_five_studies_and_a_fifth_less_in_clearly_fewer(deviation, seeds):
    effect = power.smallest_effect(deviation, seeds)
    assert share_of_yes(effect, deviation, seeds) == pytest.approx(0.8, abs=0.03)
    assert share_of_yes(0.8 * effect, deviation, seeds) < 0.72
    assert share_of_yes(1.2 * effect, deviation, seeds) > 0.87


def test_with_little_noise_it_is_what_no_longer_counts_as_the_same():
    assert power.smallest_effect(1e-6, 5) == pytest.approx(statistics.SAME_WITHIN, rel=0.01)
    assert power.smallest_effect(0.0, 5) == statistics.SAME_WITHIN


@pytest.mark.parametrize("own", [0.005, 0.05])
def test_the_deviation_of_a_studys_own_pairs_is_found_though_seeds_move_all_runs_alike(tmp_path, own):
    """What is planted is a run's own deviation; the difference of two has the larger one by sqrt 2."""
    study = fakes.twelve(tmp_path, seeds=range(5), own=own)
    found = power.measured(study, range(1, 13))
    assert (found.pairs, found.seeds, found.few) == (66, 5, False)
    truth = power.smallest_effect(own * math.sqrt(2), 5)
    assert power.smallest_effect(found.nats, 5) == pytest.approx(truth, rel=0.2)


def test_only_the_experiments_that_are_asked_for_and_have_learned_count(tmp_path):
    ends = {1: 4.6, 3: 5.4}  # the unigram has 5.2
    study = fakes.twelve(tmp_path, seeds=range(3), ends=ends, endings={(4, 1): {"status": "diverged", "error": "nan"}})
    assert power.measured(study, (1, 2, 3, 4)) == power.measured(study, (1, 2))
    found = power.measured(study, (1, 2))
    assert (found.pairs, found.seeds, found.few) == (1, 3, True)
    gains = study.compare(*map(study.experiment, (1, 2))).gains
    assert found.nats == pytest.approx(np.std(gains, ddof=1) / math.sqrt(math.log(2)))


def test_two_seeds_or_a_single_experiment_say_nothing(tmp_path):
    assert power.measured(fakes.twelve(tmp_path / "two", seeds=range(2)), range(1, 13)) is None
    assert power.measured(fakes.twelve(tmp_path / "three", seeds=range(3)), [1]) is None


def test_only_seeds_that_both_finished_count(tmp_path):
    endings = {(1, 0): None, (2, 3): None}  # still running
    study = fakes.read_study(
        tmp_path, dict.fromkeys(TWO, lambda seed: [4.5 + seed**2]), seeds=range(4), endings=endings
    )
    assert power.measured(study, (1, 2)) is None


def test_what_was_kept_is_of_single_runs_so_a_difference_has_that_of_both():
    assert power.expected(fakes.NOISE, ["lstm", "gpt1"]).nats == pytest.approx(math.hypot(0.02, 0.005))
    assert power.expected(fakes.NOISE, ["gpt1"]).nats == pytest.approx(0.005 * math.sqrt(2))
    of_three = power.expected(fakes.NOISE, ["lstm", "gpt1", "gpt1"])
    assert (of_three.nats, of_three.pairs) == (pytest.approx(math.hypot(0.02, 0.005)), 3)
    assert power.expected(fakes.NOISE, ["unheard-of"]).nats == pytest.approx(0.02 * math.sqrt(2))
