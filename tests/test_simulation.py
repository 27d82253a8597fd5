"""Whether what is said of studies is as seldom false as it is stated, in worlds whose truth is known."""

import math
from pathlib import Path

import pytest

import simulated
from bakeoff.analysis import looks, statistics

pytestmark = pytest.mark.slow

#: Three standard errors of a share of 5 %, and of one of 2 %.
SLACK = 3 * math.sqrt(0.05 * 0.95 / simulated.STUDIES)
SLACK_OF_A_LOOK = 3 * math.sqrt(0.02 * 0.98 / simulated.STUDIES)
#: Worlds whose noise is as likely to either side: each of two words is then false half as often.
EVEN = [name for name, world in simulated.WORLDS.items() if world.noise[0] is world.noise[1]]
CELLS = [(world, seeds) for world in simulated.WORLDS for seeds in simulated.SEEDS if seeds >= statistics.FEWEST_SEEDS]


@pytest.mark.parametrize(("world", "seeds"), CELLS)
def test_one_of_twenty_intervals_misses_by_chance_and_so_does_one_of_twenty_verdicts(world, seeds):
    found = simulated.cell(world, seeds)
    for false in ("misses", "yes or no", "the same"):
        assert found[false] < 0.05 + SLACK
    if world in EVEN:
        assert found["the same"] < 0.025 + SLACK


@pytest.mark.parametrize("world", simulated.WORLDS)
@pytest.mark.parametrize("seeds", [1, 2])
def test_with_fewer_seeds_one_of_ten_that_are_decided_is_wrong_at_most(world, seeds):
    assert simulated.cell(world, seeds)["yes or no"] < 0.1


@pytest.mark.parametrize(("world", "seeds"), CELLS)
def test_what_a_plan_says_can_be_seen_is_seen(world, seeds):
    assert simulated.cell(world, seeds)["found"] == pytest.approx(0.8, abs=0.11)


@pytest.mark.parametrize("seeds", simulated.SEEDS)
@pytest.mark.parametrize("world", ["half decades", "quarter decades", "all"])
def test_arms_that_are_equal_at_their_best_rates_are_as_seldom_told_apart(world, seeds):
    assert simulated.cell(world, seeds)["best rates"] < 0.05 + SLACK


@pytest.mark.parametrize("world", simulated.WORLDS)
def test_a_judge_is_wrong_as_seldom_as_it_says(world):
    found = simulated.judged(world)
    for seeds in simulated.LOOKS:
        assert found[f"at {seeds}"] < looks.level(simulated.LOOKS) + SLACK_OF_A_LOOK
    for false in ("better or worse", "the same", "without reservation"):
        assert found[false] < 0.05 + SLACK
    for false in ("one of them", "the same") if world in EVEN else ():
        assert found[false] < 0.025 + SLACK


def test_the_tables_in_the_docs_are_these():
    page = (Path(__file__).parents[1] / "docs" / "how-sure.md").read_text(encoding="utf-8")
    assert simulated.table() in page
    assert simulated.table_of_judges() in page
