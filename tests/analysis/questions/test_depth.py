"""Whether more layers help."""

import dataclasses

import pytest

import fakes
from bakeoff.analysis.questions.depth import (
    BY_HEART,
    BY_LAYERS,
    BY_ONE_RATE,
    BY_RATE,
    POST_NORM,
    STACKED,
    depth,
    ladders,
)
from bakeoff.reporting import text
from golden import golden

ONE, TWO, FOUR = (2, "lstm", 1, "adamw"), (9, "lstm", 2, "adamw"), (10, "lstm", 4, "adamw")
GPT_ONE, GPT_TWO, GPT_FOUR = (6, "gpt1", 1, "adamw"), (11, "gpt1", 2, "adamw"), (12, "gpt1", 4, "adamw")
DIVERGED = {"status": "diverged", "error": "the loss was not finite"}


def searched(losses, rates=None):
    """Trials at half decades around 0.01, by the experiment's number; None for one that diverged; and rates chosen."""

    def edit(study):
        tried = study["tuning"]["rates"]
        for experiment in study["experiments"]:
            if experiment["number"] in losses:
                tried[experiment["slug"]] = fakes.trials(0.01, losses[experiment["number"]])
                experiment["learning_rate"] = (rates or {}).get(experiment["number"], 0.01)

    return edit


def asked(path, curves, **options):
    """The only finding on depth of such a study."""
    (found,) = depth(
        fakes.read_study(path, {key: fakes.falling(end) if end else None for key, end in curves.items()}, **options)
    )
    return found


def test_experiments_that_differ_in_layers_alone_are_a_ladder(tmp_path):
    def edit(study):
        study["experiments"][2]["optimizer_settings"]["weight_decay"] = 0.5  # another decay is another optimizer
        study["experiments"][3]["architecture"]["hidden"] = 32
        study["experiments"][1]["learning_rate"] = 0.001  # another rate is not

    keys = [FOUR, ONE, TWO, (13, "lstm", 8, "adamw"), (3, "lstm", 2, "sgd")]
    study = fakes.read_study(tmp_path, {key: [4.5] for key in keys}, edit=edit)
    assert [[e.number for e in ladder] for ladder in ladders(study)] == [[2, 10]]


@pytest.mark.parametrize(
    ("ends", "verdict", "brief", "best"),
    [
        ((4.6, 4.4, 4.8), "answered", "Yes with 2 layers, no with 4", 9),
        ((4.6, 4.8, 4.55), "answered", "No with 2 layers, leaning yes with 4", 10),
        ((4.6, 4.61, 4.8), "answered", "No with 4 layers, cannot be told with 2", 9),
        ((4.5, 4.65, 4.7), "no", "No", 9),
    ],
)
def test_every_depth_against_the_shallowest_the_best_of_them_in_full(tmp_path, ends, verdict, brief, best):
    found = asked(tmp_path, dict(zip((ONE, TWO, FOUR), ends, strict=True)))
    assert (found.verdict, text.finding(found)["brief"]) == (verdict, brief)
    assert (found.facts.best.first.number, found.facts.best.second.number) == (best, 2)


def test_a_depth_that_did_not_learn_is_no_base_and_fails(tmp_path):
    found = asked(tmp_path, {ONE: 5.3, TWO: 4.7, FOUR: 4.5})
    assert (found.verdict, found.facts.best.second.number) == ("yes", 9)
    assert found.facts.failing.experiment.number == 2


def test_a_lost_run_is_named_and_not_averaged_away(tmp_path):
    found = asked(tmp_path, {ONE: 4.6, TWO: 4.5, FOUR: 4.4}, seeds=(0, 1), endings={(10, 1): DIVERGED})
    assert (found.facts.best.first.number, found.facts.failing.experiment.number) == (9, 10)
    assert text.finding(found)["text"].count("diverged") == 1


@pytest.mark.parametrize(
    ("curves", "verdict", "command"),
    [
        ({ONE: 4.5, TWO: None, FOUR: None}, "not measured", "bakeoff run fake --only 9,10"),
        ({ONE: 4.5, TWO: 5.3, FOUR: 5.3}, "cannot be told", "bakeoff probe runs/fake 10"),
        ({ONE: 4.5, TWO: 4.7, FOUR: 4.9}, "no", "bakeoff probe runs/fake 10"),
        ({ONE: 4.5, TWO: 4.51, FOUR: 4.9}, "answered", "bakeoff run fake --only 2,9 --seeds 5"),
        ({ONE: 4.7, TWO: 4.5, FOUR: 4.4}, "yes", None),
    ],
)
def test_what_to_type_next(tmp_path, curves, verdict, command):
    found = asked(tmp_path, curves)
    assert (found.verdict, found.facts.command) == (verdict, command)


#: What a probe came to: that it is the recipe; that no change helps; that it fails later than a probe sees.
HELPED, HELPLESS, LATE = (5.3, (4.6, 5.0, 5.3)), (5.3, (5.3, 5.3, 5.3)), (4.6, (4.6, 4.6, 4.6))


@pytest.mark.parametrize(
    ("probed", "end", "verdict", "cause"),
    [
        (HELPED, 5.3, "cannot be told", None),
        (HELPLESS, 5.3, "cannot be told", STACKED),
        ((*HELPED, 4.62), 4.9, "cannot be told", None),
        ((*HELPLESS, 4.62), 4.9, "no", STACKED),
        ((*LATE, 4.62), 4.9, "no", STACKED),
    ],
)
def test_a_probe_changes_the_answer(tmp_path, probed, end, verdict, cause):
    found = asked(tmp_path, {ONE: 4.5, FOUR: end}, probes={10: probed})
    said = text.finding(found)
    assert (found.verdict, found.facts.cause) == (verdict, cause)
    assert said["command"] == ("bakeoff run fake --only 10 --epochs 16" if cause else None)
    assert ("#10 is behind #6 is not" in said["text"]) == (end == 4.9 and cause is None)
    assert ("learned nothing about context is not a matter of capacity: at a tenth" in said["text"]) == (
        end == 5.3 and cause is None
    )
    assert "bakeoff probe" not in ((said["conjecture"] or {}).get("decided_by") or "")


def test_post_norm_is_suspected_until_a_probe_refutes_it(tmp_path):
    def cause(name, *probed):
        barred = searched({12: (4.9, 5.3, 5.3)})
        probes = {12: probed} if probed else None
        found = asked(tmp_path / name, {GPT_ONE: 4.5, GPT_FOUR: 4.9}, edit=barred, probes=probes)
        return found.facts.cause, (text.finding(found)["conjecture"] or {}).get("decided_by") or ""

    suspected, decided = cause("unprobed")
    assert (suspected, decided.partition(":")[0]) == (POST_NORM, "`bakeoff probe runs/fake 12`")
    assert cause("helpless", *HELPLESS, 4.62) == (None, "")
    suspected, decided = cause("late", *LATE, 4.62)
    assert (suspected, decided) == (
        POST_NORM,
        "#12 for four times as many epochs, which shows whether it is only slow",
    )


def test_where_no_seeds_would_decide_the_one_that_fails_is_trained_longer(tmp_path, monkeypatch):
    monkeypatch.setattr("bakeoff.analysis.statistics.MOST_PLANNED", 3)
    curves = {2: lambda seed: [4.5 + 0.05 * seed], 9: lambda seed: [4.6 - 0.05 * seed], 10: [4.9]}
    study = fakes.read_study(tmp_path, {key: curves[key[0]] for key in (ONE, TWO, FOUR)}, seeds=(0, 1, 2))
    (found,) = depth(study)
    assert (found.verdict, found.facts.command) == ("answered", "bakeoff probe runs/fake 10")


def test_a_run_that_failed_is_tried_again(tmp_path):
    failed = {10: {"status": "failed", "error": "out of memory"}}
    assert asked(tmp_path, {ONE: 4.5, FOUR: 4.6}, endings=failed).facts.command == "bakeoff run fake --only 10"


def test_rates_at_which_a_depth_learned_are_those_clearly_below_the_unigram(tmp_path):
    losses = {6: (5.3, 4.9, 4.8, 5.0, 5.0), 12: (4.9, 5.19, 5.15, None, 5.3)}
    facts = asked(tmp_path, {GPT_ONE: 4.6, GPT_FOUR: 4.8}, edit=searched(losses)).facts
    shallow, deep = facts.depths
    assert (shallow.learned_at, shallow.stuck_at, shallow.tried) == ((0.003, 0.01, 0.03, 0.1), None, 5)
    assert (deep.learned_at, deep.stuck_at, deep.tried) == ((0.001,), 0.003, 5)


@pytest.mark.parametrize(
    ("trials", "ends", "gains", "loses"),  # trials at 0.001, 0.003 and 0.01, the rate of the shallow one
    [
        ((5.0, 4.85, 5.3), (4.7, 4.8), (0.05, 0.05), BY_RATE),  # ahead where it learns
        ((5.05, 4.905, 5.3), (4.7, 4.8), (0.0, -0.005), BY_RATE),  # and so where it is level
        ((5.0, 4.85, 5.3), (4.8, 4.7), (0.05, 0.05), None),  # but not where it is ahead in the end
        ((5.0, 4.85, 4.9), (4.7, 4.8), (0.05, 0.05, -0.1), None),  # at the one rate ahead, at the other behind
        ((5.08, 4.95, 4.9), (4.7, 4.8), (-0.03, -0.05, -0.1), BY_LAYERS),
        ((5.3, 5.3, None), (4.7, 4.8), (), None),
    ],
)
def test_what_a_deeper_one_loses_by_is_read_at_equal_rates(tmp_path, trials, ends, gains, loses):
    curves = dict(zip((GPT_ONE, GPT_FOUR), ends, strict=True))
    search = searched({6: (5.05, 4.9, 4.8, 5.0, 5.3), 12: (*trials, 5.3, None)}, {12: 0.003})
    shallow, deep = asked(tmp_path, curves, edit=search).facts.depths
    assert (shallow.gains, shallow.loses) == ((), None)
    assert (deep.gains, deep.loses) == (pytest.approx(gains), loses)


def test_one_equal_rate_is_told_with_how_bad_it_is_for_the_shallow_one(tmp_path):
    def told(path, shallow):
        search = searched({6: shallow, 12: (5.02, 5.19, 5.3)}, {12: 0.003, 6: 0.01})
        (found,) = depth(
            fakes.read_study(path, {GPT_ONE: fakes.falling(4.6), GPT_FOUR: fakes.falling(4.8)}, edit=search)
        )
        return found.facts.depths[1], text.finding(found)["text"]

    deep, said = told(tmp_path / "bad", (5.05, 4.7, 4.9))
    assert (deep.loses, deep.only) == (BY_ONE_RATE, pytest.approx((0.003, 0.35, 0.01)))
    assert "at 0.003 alone, where 1 layer is 0.35 nats behind its best, at 0.01. So what #12 probably lacks" in said
    deep, said = told(tmp_path / "good", (5.05, 5.05, 5.1))
    assert (deep.loses, deep.only, "probably lacks" in said) == (None, None, False)


def test_a_search_elsewhere_says_nothing_about_the_unigram_here(tmp_path):
    facts = asked(tmp_path, {GPT_ONE: 4.6, GPT_FOUR: 4.8}, edit=lambda study: study["tuning"].update(fits=False)).facts
    assert [d.tried for d in facts.depths] == [0, 0]


def test_the_cause_is_read_from_traits_and_from_train(tmp_path):
    def without(study):
        for experiment in study["experiments"]:
            experiment["traits"] = None

    curves = {GPT_ONE: 4.5, GPT_FOUR: 4.9}
    barred = searched({12: (4.9, 5.3, 5.3)})
    assert asked(tmp_path / "a", curves, edit=barred).facts.cause == POST_NORM
    assert asked(tmp_path / "f", curves).facts.cause is None  # it learned at every rate
    assert asked(tmp_path / "b", {ONE: 4.5, FOUR: 4.9}).facts.cause == STACKED
    assert asked(tmp_path / "c", curves, edit=without).facts.cause is None
    assert asked(tmp_path / "d", {GPT_ONE: 4.9, GPT_FOUR: 4.5}).facts.cause is None
    study = fakes.read_study(tmp_path / "e", {key: fakes.falling(end) for key, end in curves.items()})
    shallow, deep = study.rows
    last = dataclasses.replace(deep.history[-1], train=shallow.history[-1].train)
    rows = (shallow, dataclasses.replace(deep, history=(*deep.history[:-1], last)))
    (found,) = depth(dataclasses.replace(study, rows=rows))
    assert found.facts.cause == BY_HEART


def test_words(tmp_path):
    losses = {6: (5.0, 4.9, 4.8, 5.0, 5.3), 11: (4.9, 4.95, 5.19, None, 5.3), 12: (4.98, 5.19, 5.15, None, 5.3)}
    losses |= {2: (5.03, 4.98, 5.1), 9: (5.09, 5.05, 5.15), 10: (5.09, 5.05, 5.19)}
    search = searched(losses, {11: 0.003, 12: 0.001})
    twelve = fakes.twelve(tmp_path / "twelve", edit=search)
    fails = fakes.twelve(tmp_path / "fails", ends={11: 4.58, 12: 5.3, 9: 4.50, 10: 4.9}, edit=search)
    seeds = fakes.twelve(tmp_path / "seeds", seeds=(0, 1, 2), ends={11: 4.609}, endings={(12, 1): DIVERGED})
    unsearched = fakes.twelve(tmp_path / "unsearched", tuning=None)
    probes = {10: (*HELPED, 4.62), 12: (None, (None, 5.3, 4.9))}
    probed = fakes.twelve(tmp_path / "probed", ends={12: 5.3}, probes=probes)
    told = []
    studies = {"twelve": twelve, "fails": fails, "seeds": seeds, "unsearched": unsearched, "probed": probed}
    for name, study in studies.items():
        for found in depth(study):
            said = text.finding(found)
            told += [f"{name}: {said['question']}", f"{said['verdict']}: {said['text']}", f"? {said['conjecture']}"]
            told += [f"$ {said['command']}", ""]
    golden("depth.txt", "\n".join(told))
