"""Which run is where soonest."""

import dataclasses

import pytest

import fakes
from bakeoff.analysis.questions.wall_clock import races, wall_clock
from bakeoff.analysis.statistics import NOT_MEASURED
from bakeoff.reporting import text
from golden import golden

FAST, SLOW, LAST = (1, "lstm", 1, "adam"), (2, "lstm", 1, "adamw"), (3, "lstm", 1, "sgd")
CURVES = {FAST: [4.9, 4.7, 4.6], SLOW: [5.4, 4.95, 4.7], LAST: [5.6, 5.3, 5.1]}


def build(path, curves=None, **options):
    return fakes.read_study(path, curves or CURVES, samples=3, **options)


def changed(study, number, seed=0, *, alone=True, stall=0.0):
    """The study with one run beside others, or with a first epoch that took so many seconds longer."""

    def late(at):
        return dataclasses.replace(at, train_seconds=at.train_seconds + stall) if at.step >= 100 else at

    def change(row):
        history = [dataclasses.replace(late(point), samples=tuple(map(late, point.samples))) for point in row.history]
        return dataclasses.replace(row, alone=alone, history=tuple(history))

    rows = [change(row) if (row.number, row.seed) == (number, seed) else row for row in study.rows]
    return dataclasses.replace(study, rows=tuple(rows))


def order(race):
    return [arrival.experiment.number for arrival in race.arrivals], [experiment.number for experiment in race.tied]


def test_the_hardest_target_that_was_reached_decides(tmp_path):
    found = wall_clock(build(tmp_path))
    assert [race.name for race in found.facts.races] == ["median", "kn3+cache", "kn3", "kn2", "unigram"]
    hardest = found.facts.races[0]
    assert (found.verdict, *order(hardest)) == ("answered", [1, 2], [])
    first = hardest.arrivals[0]
    assert (first.after, first.by, first.exact) == (3.5, 4.0, True)
    assert found.evidence == ({"number": 1, "seed": 0}, {"number": 2, "seed": 0})


def test_targets_that_nobody_reached_are_left_out(tmp_path):
    found = wall_clock(build(tmp_path, {FAST: [5.1], SLOW: [5.3]}))
    assert [race.name for race in found.facts.races] == ["unigram"]
    assert found.evidence == ({"number": 1, "seed": 0}, {"baseline": "unigram"})


def test_windows_that_overlap_cannot_be_told_apart(tmp_path):
    close = build(tmp_path, {FAST: [4.9, 4.7, 4.6], SLOW: [4.92, 4.72, 4.62]})
    found = wall_clock(close)
    assert (found.verdict, *order(found.facts.races[0])) == ("answered", [1, 2], [2])
    assert found.facts.command == "bakeoff run fake --only 1,2 --seeds 5"


def test_a_disturbed_run_may_be_first(tmp_path):
    study = changed(build(tmp_path), 1, stall=1.2)
    found = wall_clock(study)
    assert (found.verdict, *order(found.facts.races[0])) == ("answered", [1, 2], [])
    assert (found.facts.races[0].arrivals[0].exact, found.facts.command) == (False, None)
    assert [row.number for row in found.facts.untimed.disturbed] == [1]


def test_a_disturbed_run_may_have_been_first_though_it_was_not_seen_so(tmp_path):
    found = wall_clock(changed(build(tmp_path), 1, stall=30))
    assert (found.verdict, *order(found.facts.races[0])) == ("answered", [2, 1], [1])
    assert found.facts.command == "bakeoff run fake --again 1,2 --seeds 3 --jobs 1"


def test_what_was_measured_at_evaluations_alone_is_trained_anew(tmp_path):
    close = {FAST: [4.9, 4.7, 4.6], SLOW: [4.92, 4.72, 4.62]}
    facts = wall_clock(fakes.read_study(tmp_path, close, seeds=(0, 1, 2))).facts
    assert (facts.races[0].sampled, facts.command) == (False, "bakeoff run fake --again 1,2 --jobs 1")


def test_of_a_run_beside_others_nothing_is_known_but_that_it_was_there(tmp_path):
    study = build(tmp_path)
    assert order(races(changed(study, 1, alone=False))[0]) == ([1, 2], [])
    assert order(races(changed(study, 2, alone=False))[0]) == ([1, 2], [2])


@pytest.mark.parametrize(("own", "tied"), [(0.002, []), (0.12, [2])])
def test_from_three_seeds_their_spread_decides(tmp_path, own, tied):
    def late(seed):
        return [5.4, 4.95 - own * seed, 4.7]

    found = wall_clock(build(tmp_path, CURVES | {SLOW: late}, seeds=(0, 1, 2)))
    first = found.facts.races[0].arrivals[0]
    assert ([e.number for e in found.facts.races[0].tied], first.by, first.times) == (tied, 4.0, [4.0, 4.0, 4.0])


def test_an_experiment_that_gets_there_with_some_seeds_only_is_not_there(tmp_path):
    study = build(tmp_path, CURVES | {FAST: lambda seed: [4.9, 4.7, 4.6] if seed else [5.1, 5.0, 4.99]}, seeds=(0, 1))
    assert {race.name: order(race)[0] for race in races(study)} == {
        **{name: [2] for name in ("median", "kn3+cache", "kn3")},
        "kn2": [1, 2],
        "unigram": [1, 2, 3],
    }


def test_an_experiment_that_lost_a_run_is_left_out_and_named(tmp_path):
    endings = {(1, 1): {"status": "diverged", "error": "the loss was not finite"}}
    facts = wall_clock(build(tmp_path, seeds=(0, 1), endings=endings)).facts
    assert ([e.number for e in facts.lost], facts.entered) == ([1], 2)
    assert 1 not in {number for race in facts.races for number in order(race)[0]}


def elsewhere(study, *numbers):
    """The study with those experiments' runs on a faster processor."""
    fast = {"processor": "a fast one"}
    rows = [
        dataclasses.replace(row, environment=row.environment | fast) if row.number in numbers else row
        for row in study.rows
    ]
    return dataclasses.replace(study, rows=tuple(rows))


def test_the_clock_compares_experiments_on_machines_of_one_kind_alone(tmp_path):
    study = build(tmp_path)
    facts = wall_clock(elsewhere(study, 1)).facts
    assert ([e.number for e in facts.elsewhere], facts.entered) == ([1], 2)
    assert 1 not in {number for race in facts.races for number in order(race)[0]}
    assert 1 not in {budget.best.number for budget in facts.budgets.seconds}
    assert 1 in {budget.best.number for budget in facts.budgets.bytes}, "memory is compared"
    assert (
        "Not compared by time (on other kinds of machines): #1."
        in text.finding(wall_clock(elsewhere(study, 1)))["text"]
    )
    assert wall_clock(elsewhere(study, 1, 2, 3)).facts.elsewhere == ()


def test_where_seeds_were_on_several_kinds_of_machines_no_times_are_compared(tmp_path):
    study = build(tmp_path, seeds=(0, 1))
    rows = [dataclasses.replace(r, environment=r.environment | {"processor": f"that of {r.seed}"}) for r in study.rows]
    finding = wall_clock(dataclasses.replace(study, rows=tuple(rows)))
    assert finding.verdict == NOT_MEASURED
    assert "on several kinds of machines, whose times are not compared" in text.finding(finding)["text"]


def test_only_a_lead_that_can_be_told_changes_the_answer(tmp_path):
    def turns(path, curves):
        return [(turn.limit, turn.best.number) for turn in wall_clock(build(path, curves)).facts.turns["seconds"]]

    overtaken = {FAST: [4.9, 4.88, 4.87], SLOW: [5.4, 4.95, 4.7]}
    assert turns(tmp_path / "clear", overtaken) == [(2, 1), (5, 2)]
    assert turns(tmp_path / "not", overtaken | {SLOW: [5.4, 4.95, 4.85]}) == [(2, 1)]


@pytest.mark.parametrize(("second", "near"), [(4.81, (0.01, 2.0)), (4.95, None)])
def test_who_was_nearly_there_is_told_unless_another_seed_would_change_less(tmp_path, second, near):
    study = fakes.read_study(tmp_path, {FAST: [4.9, 4.7], SLOW: [second, 4.805, 4.7]})
    race = next(race for race in races(study) if race.name == "kn3")
    assert (race.loss, *order(race)) == (4.8, [1, 2], [2])
    assert (race.near and race.near[:2]) == (near and pytest.approx(near))


def test_of_upper_bounds_the_soonest_run_is_told(tmp_path):
    def curve(seed):
        return [4.9, 4.7, 4.6] if seed != 1 else [4.9, 4.5, 4.4]

    study = build(tmp_path, {FAST: curve, SLOW: [5.4, 4.95, 4.7]}, seeds=(0, 1, 2))
    told = " the soonest single runs were #1 by "
    assert told not in text.finding(wall_clock(study))["text"]
    assert told in text.finding(wall_clock(changed(study, 2, alone=False)))["text"]


def test_what_may_fit_into_memory_is_told_within_what_is_uncertain(tmp_path):
    sizes = {1: 4e6, 2: 6e6, 3: 5.5e6}  # the first two have to hold exactly the same
    kind = {"peak_bytes": 9e6, "baseline_bytes": 9e7, "kind": "resident"}
    endings = {number: {"memory": {"average_bytes": size, **kind}} for number, size in sizes.items()}
    found = wall_clock(build(tmp_path, {FAST: [4.9], SLOW: [4.7], LAST: [5.1]}, endings=endings))
    assert {limit: [e.number for e in fits] for limit, fits in found.facts.may_fit.items()} == {5e6: [2], 1e7: []}
    assert text.finding(found)["table"][-2][-2] == "none; #2 may fit"


def test_words(tmp_path):
    lost = {(1, 1): {"status": "diverged", "error": "the loss was not finite"}}
    close = {FAST: [4.9, 4.7, 4.6], SLOW: [4.92, 4.72, 4.62]}
    twelve = fakes.twelve(tmp_path / "twelve", samples=10)
    studies = {
        "nothing": build(tmp_path / "nothing", {FAST: None}),
        "no target": build(tmp_path / "none", {FAST: [5.4], SLOW: [5.5]}),
        "one run": build(tmp_path / "one", {FAST: [4.9, 4.7]}),
        "three runs": build(tmp_path / "three"),
        "a tie": build(tmp_path / "tie", close),
        "twelve, one stalled and one beside others": changed(changed(twelve, 2, stall=20), 9, alone=False),
        "all beside others": changed(changed(build(tmp_path / "beside", close), 1, alone=False), 2, alone=False),
        "three seeds and a lost run": build(tmp_path / "seeds", seeds=(0, 1, 2), endings=lost),
    }
    said = {name: text.finding(wall_clock(study)) for name, study in studies.items()}
    told = (f"{n}\n{s['verdict']}: {s['text']}\n$ {s['command']}\n\n" for n, s in said.items())
    golden("wall_clock.txt", "".join(told))


def test_where_times_are_upper_bounds_epochs_tell_who_leads(tmp_path):
    study = build(tmp_path, {FAST: [4.9, 4.7, 4.6], SLOW: [5.4, 4.69, 4.4], LAST: [5.6, 5.3, 5.1]})
    assert wall_clock(study).facts.leaders == ()
    beside = changed(study, 1, alone=False)
    facts = wall_clock(beside).facts
    assert [(n.best.number, [e.number for e in n.ties]) for n in facts.leaders] == [(1, []), (2, [1]), (2, [])]
    assert [(best.number, low, high) for best, low, high in facts.spells] == [(1, 1, 1), (2, 2, 3)]
    assert [(e.number, found) for e, found in facts.fastest.items()] == [(1, (6.0, False)), (2, (6.0, True))]
    said = text.finding(wall_clock(beside))["text"]
    assert "#1 is lowest after 1 and #2 after 2 and 3; after 1 and 3 no other ties." in said
    assert "The fastest run took #1 6.0 s† and #2 6.0 s, so the order in seconds is probably much the same." in said
    assert not wall_clock(changed(beside, 2, stall=3)).facts.as_fast


def test_uncertain_memory_is_told_wherever_budgets_of_memory_are(tmp_path):
    memory = {"average_bytes": 9_000_000, "peak_bytes": 9_000_000, "baseline_bytes": 1, "kind": "resident"}
    said = text.finding(wall_clock(build(tmp_path, seeds=(0, 1), endings={(1, 1): {"memory": memory}})))
    assert len([line for line in said["table"] if line[0].endswith("of memory")]) > 0
    assert said["text"].count("uncertain by up to 4.0 MB") == 1
