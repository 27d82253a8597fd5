"""Clocks that can be believed and those that cannot, when a loss was reached, and who is lowest within a budget."""

import dataclasses
import math

import pytest

import fakes
from bakeoff.analysis import timing
from bakeoff.analysis.questions.wall_clock import wall_clock
from bakeoff.reporting import text

FAST, SLOW = (1, "lstm", 1, "adam"), (2, "lstm", 1, "sgd")


@pytest.fixture
def study(tmp_path):
    return fakes.read_study(tmp_path, {FAST: [4.9, 4.7, 4.6], SLOW: [5.3, 5.1, 4.9]})


def with_times(row, *ends):
    """The row with other seconds at the end of each epoch."""
    history = [dataclasses.replace(p, train_seconds=s) for p, s in zip(row.history, (0.0, *ends), strict=True)]
    return dataclasses.replace(row, history=tuple(history))


def changed(study, number, change):
    """The study with all rows of an experiment changed."""
    rows = tuple(change(row) if row.number == number else row for row in study.rows)
    return dataclasses.replace(study, rows=rows)


def stalled(row):
    """The row with a first epoch that took 28 seconds longer, and all others as they were."""
    return with_times(row, *(point.train_seconds + 28 for point in row.history[1:]))


def beside_others(row):
    return dataclasses.replace(row, alone=False)


def best(budgets):
    return [(budget.limit, budget.best.number, [tie.number for tie in budget.ties]) for budget in budgets]


def test_an_even_run_that_was_alone_has_exact_times(study):
    row = study.rows[0]
    assert (timing.unevenness(row), timing.is_timed(row)) == (1.0, True)
    assert timing.untimed(study.rows) == ((), (), 1.0, 2)


def test_a_slow_epoch_gives_a_run_away_though_it_was_alone_by_plan(study):
    row = stalled(study.rows[0])
    assert not timing.is_timed(row)
    assert timing.untimed([row, study.rows[1]]) == ((), (row,), 15.0, 2)


def test_a_run_beside_others_has_no_exact_time(study):
    row = beside_others(study.rows[0])
    assert not timing.is_timed(row)
    assert timing.untimed([row]) == ((row,), (), 1.0, 1)


def test_the_processor_seconds_of_runs_without_exact_times_are_told_the_fewest_first(study):
    first, second = (
        dataclasses.replace(beside_others(row), processor_seconds=seconds)
        for row, seconds in zip(study.rows, (1234.0, 41.0), strict=True)
    )
    alone = dataclasses.replace(study.rows[0], processor_seconds=1.0)
    assert timing.untimed([first, second, alone]).computed == (second, first)
    assert timing.untimed([beside_others(study.rows[0])]).computed == ()
    said = text.say("shared", "clocks", timing.untimed([first, second]))
    assert said.endswith("of training, of all threads together: 41 (#2) to 1,234 (#1).")
    assert text.say("shared", "clocks", timing.untimed([second])).endswith("together: 41 (#2).")
    assert "processor" not in text.say("shared", "clocks", timing.untimed([beside_others(study.rows[0])]))


def test_two_epochs_are_too_few_to_call_one_of_them_slow(study):
    row = study.rows[0]
    assert timing.is_timed(dataclasses.replace(row, history=stalled(row).history[:3]))


def test_a_loss_is_reached_between_two_measurements(study):
    row = study.rows[0]
    assert timing.crossing(row, 4.8) == (2.0, 4.0)
    assert timing.crossing(row, row.history[2].valid.loss).by == 4.0
    assert timing.crossing(row, 1.0) == (6.0, None)
    assert timing.crossing(row, 9.0) == (0.0, 0.0)
    uneven = with_times(row, 2.0, 4.5, 6.5)  # but exact: it was measured above the target at 4.5 seconds
    assert timing.crossing(uneven, row.history[3].valid.loss) == (4.5, 6.5)


def test_samples_narrow_the_window(tmp_path):
    row = fakes.read_study(tmp_path, {FAST: [4.9, 4.7]}, samples=3).rows[0]
    assert timing.crossing(row, 4.79) == (pytest.approx(3.0), pytest.approx(3.5))


def test_of_a_disturbed_run_the_time_is_an_upper_bound_only(study):
    row = study.rows[0]
    assert timing.crossing(stalled(row), 4.8) == (2.0, 32.0)
    assert timing.crossing(beside_others(row), 4.8) == (0.0, 4.0)


def test_best_so_far_never_rises(tmp_path):
    row = fakes.read_study(tmp_path, {FAST: [4.6, 4.9, 4.5]}).rows[0]
    assert timing.best_so_far(row)[1:] == [(2.0, 4.6), (4.0, 4.6), (6.0, 4.5)]
    assert [timing.loss_by(row, seconds) for seconds in (1.9, 2.0, 5.0, 99.0)] == [fakes.START, 4.6, 4.6, 4.5]


def test_targets_are_the_floors_and_the_median_experiment_the_easiest_first(tmp_path):
    floors = {"unigram": 5.2, "kn2": 5.0, "kn3": 4.8, "kn3+cache": 4.75}
    three = {FAST: [4.6], SLOW: [4.9], (3, "lstm", 2, "adam"): [4.7]}
    study = fakes.read_study(tmp_path / "three", three)
    assert timing.targets(study) == pytest.approx(floors | {"median": 4.7})
    assert list(timing.targets(study)) == ["unigram", "kn2", "kn3", "kn3+cache", "median"]
    alone = fakes.read_study(tmp_path / "one", {FAST: [4.6]})
    assert timing.targets(alone) == pytest.approx(floors)


def test_who_is_lowest_by_a_time_and_who_cannot_be_told_from_it(study):
    assert best(timing.by_budget(study).seconds) == [(2, 1, []), (5, 1, []), (10, 1, [])]
    assert [budget.cut_short for budget in timing.by_budget(study).seconds] == [True, True, False]
    assert [budget.loss for budget in timing.by_budget(study).seconds] == pytest.approx([4.9, 4.7, 4.6])


def test_between_its_measurements_a_run_may_have_been_as_low_as_at_the_next(tmp_path):
    study = fakes.read_study(tmp_path, {FAST: [4.9, 4.8, 4.6], SLOW: [5.3, 4.7, 4.63]})
    late = changed(study, 2, lambda row: with_times(row, 2.1, 4.2, 6.3))
    assert best(timing.by_budget(late).seconds) == [(2, 1, []), (5, 2, [1]), (10, 1, [2])]


def test_another_seed_may_change_who_is_lowest(tmp_path):
    study = fakes.read_study(tmp_path, {FAST: [4.9, 4.6], SLOW: [4.93, 4.65]})
    seconds = timing.by_budget(study).seconds
    assert best(seconds) == [(2, 1, [2]), (4, 1, []), (5, 1, [])]
    assert best(timing.turns(seconds)) == [(4, 1, [])], "where all tie there is no answer"


def test_an_answer_is_named_from_the_very_time_on_at_which_it_becomes_true(tmp_path):
    study = fakes.read_study(tmp_path, {FAST: [4.9, 4.8, 4.79], SLOW: [5.3, 5.0, 4.5]})
    late = changed(study, 2, lambda row: with_times(row, 3.7, 7.4, 11.1))
    assert best(timing.by_budget(late).seconds) == [
        *[(2, 1, []), (5, 1, []), (10, 1, [2])],
        *[(11.1, 2, []), (20, 2, [])],
    ]


def test_no_budget_has_a_best_that_is_above_the_unigram(tmp_path):
    study = fakes.read_study(tmp_path, {FAST: lambda seed: [5.1 if seed else 5.4, 4.7]}, seeds=(0, 1))
    assert best(timing.by_budget(study).seconds) == [(4, 1, []), (5, 1, [])]


def test_a_disturbed_run_may_win_and_may_have_been_there_sooner(study):
    assert best(timing.by_budget(changed(study, 1, stalled)).seconds) == [
        *[(limit, 2, [1]) for limit in (5, 10, 20)],
        *[(30, 1, [2]), (32, 1, []), (60, 1, [])],
    ]


def test_an_experiment_that_lost_a_run_is_in_no_budget(tmp_path):
    curves = {FAST: [4.9, 4.7], SLOW: [5.1, 4.9]}
    endings = {1: {}, 2: {}, (1, 1): {"status": "diverged", "error": "loss is nan"}}
    study = fakes.read_study(tmp_path, curves, seeds=(0, 1), endings=endings)
    assert {budget.best.number for kind in timing.by_budget(study) for budget in kind} == {2}


def test_who_is_lowest_within_some_memory(study):
    def needs(size):
        return lambda row: dataclasses.replace(row, memory={**row.memory, "average_bytes": size})

    sized = changed(changed(study, 1, needs(900e6)), 2, needs(200e6))
    assert best(timing.by_budget(sized).bytes) == [(200e6, 2, []), (500e6, 2, []), (1e9, 1, [])]
    unmeasured = changed(study, 1, lambda row: dataclasses.replace(row, memory=None))
    assert {budget.best.number for budget in timing.by_budget(unmeasured).bytes} == {2}


def test_without_a_finished_run_there_is_no_budget(tmp_path):
    study = fakes.read_study(tmp_path, {FAST: None, SLOW: [5.0]}, endings={2: None})
    assert timing.by_budget(study) == ((), ())


def test_seeds_that_differ_do_not_tie_with_an_experiment_that_none_of_them_is_near(tmp_path):
    """One slow seed makes the mean uncertain; a run that is above even that one has not been there."""

    def slow(seed):
        return [4.5 + 0.3 * (seed == 2)]

    study = fakes.read_study(tmp_path, {FAST: slow, SLOW: [4.85], (3, "lstm", 1, "adamw"): [4.79]}, seeds=(0, 1, 2))
    assert study.compare(study.experiment(1), study.experiment(2)).verdict == "undecided"
    assert [(limit, number, ties) for limit, number, ties in best(timing.by_budget(study).seconds)] == [(2, 1, [3])]


# --- what differs by itself -------------------------------------------------------------------------------------------


def test_what_differs_between_seeds_is_what_two_identical_arms_would_show(tmp_path):
    ends = {FAST: lambda seed: [4.9, 4.7, 4.6 + 0.02 * seed], SLOW: lambda seed: [5.3, 5.1, 4.9 + 0.02 * seed]}
    study = fakes.read_study(tmp_path, ends, seeds=(0, 1, 2))
    slowed = changed(study, 2, lambda row: with_times(row, 1.0, 2.0, 3.0 * (1 + 0.2 * row.seed)))
    found = timing.twice(slowed.experiments)
    assert (found.worst[0], found.worst[1].number) == (pytest.approx(1.4), 2)
    assert found.times == pytest.approx(1.2), "of the other all took the same"
    assert found.nats == pytest.approx(0.02 / math.sqrt(math.log(2))), "by its definition, of three numbers"
    said = text.finding(wall_clock(slowed))["text"].replace("\xa0", " ")
    assert "the slowest took 20 % longer than the fastest (the median of the experiments), at most 40 % (#2)" in said
    assert "by a standard deviation of 0.024 nats." in said


def test_where_no_work_was_done_twice_that_is_told(study):
    assert timing.twice(study.experiments) is None
    assert "No work was done twice" in text.finding(wall_clock(study))["text"]
    none = changed(changed(study, 1, lambda row: dataclasses.replace(row, status="failed")), 2, beside_others)
    assert timing.twice(none.experiments) is None


def test_a_record_of_no_seconds_costs_no_answer(tmp_path):
    study = fakes.read_study(tmp_path, {FAST: [4.9, 4.7, 4.6]}, seeds=(0, 1))
    assert timing.twice(changed(study, 1, lambda row: with_times(row, 0.0, 0.0, 0.0)).experiments) is None
