"""Whether models with attention behave as one expects of transformers."""

import pytest

import fakes
from bakeoff.analysis.questions.transformers import transformers
from bakeoff.reporting import text
from golden import golden


def asked(path, ends, **options):
    """The only finding on transformers of the twelve experiments, with other ends."""
    (found,) = transformers(fakes.twelve(path, ends=ends, **options))
    return found


def met(found):
    """Whether each expectation is met: by its kind, and where that asks for layers by their number."""
    deep = ("depth", "deeper")
    return {e.kind + str(e.first.rows[0].layers) * (e.kind in deep): e.met for e in found.facts.expected}


#: More layers help GPT-1, and hurt the LSTM.
DEEP = {6: 4.61, 11: 4.5, 12: 4.4, 2: 4.52, 9: 4.62, 10: 4.72}
BASIC = {"counting": True, "ahead": True, "steps": True}


@pytest.mark.parametrize(
    ("ends", "verdict", "expected"),
    [
        (DEEP, "yes", BASIC | {"depth2": True, "deeper2": True, "depth4": True, "deeper4": True}),
        (DEEP | {11: 4.8}, "answered", BASIC | {"depth2": False, "depth4": True, "deeper4": True}),
        (DEEP | {11: 4.8, 12: 4.8}, "answered", BASIC | {"ahead": False, "depth2": False, "depth4": False}),
        (
            dict.fromkeys((5, 6, 11, 12), 4.9) | {7: 4.8, 8: 4.9},
            "cannot be told",
            {"counting": False, "ahead": False, "steps": False, "depth2": None, "depth4": None},
        ),
        (
            {5: 5.1, 6: 4.95, 7: 4.9, 8: 5.0, 11: 5.0, 12: 5.05, 2: 4.6, 9: 4.5, 10: 4.4},
            "no",
            {"counting": False, "ahead": False, "steps": False, "depth2": False, "depth4": False},
        ),
        (
            DEEP | {6: 4.61, 11: 4.59, 12: 4.6},
            "answered",
            BASIC | {"ahead": False, "depth2": True, "deeper2": True, "depth4": True, "deeper4": True},
        ),
    ],
)
def test_the_expectations_together_are_the_answer(tmp_path, ends, verdict, expected):
    found = asked(tmp_path, ends)
    assert met(found) == expected
    assert found.verdict == verdict


def test_what_is_compared(tmp_path):
    counting, ahead, steps, *_, depth, deeper = asked(tmp_path, DEEP, own=0.0).facts.expected
    assert (counting.first.number, counting.gain) == (12, pytest.approx(4.75 - 4.4))
    assert (ahead.gain, counting.met, ahead.met) == (pytest.approx(4.52 - 4.4), True, True)
    pairs = [(e.first.number, e.second.number) for e in (ahead, steps, depth, deeper)]
    assert pairs == [(12, 2), (5, 7), (12, 6), (12, 6)]
    pair, gain = deeper.beside
    assert (pair.first.number, pair.second.number) == (10, 2)
    assert (deeper.gain, gain) == (pytest.approx(0.21), pytest.approx(-0.2))


def test_two_differences_are_noisier_than_one(tmp_path):
    """0.025 nats more are leaning by a deviation of 0.02 nats only from 2 * sqrt(2) of them, which is 0.057."""
    ends = {6: 4.5, 11: 4.45, 12: 4.6, 2: 4.5, 9: 4.5, 10: 4.6}
    assert met(asked(tmp_path / "less", ends, own=0.0))["deeper2"] is None
    assert met(asked(tmp_path / "more", ends | {11: 4.44}, own=0.0))["deeper2"] is True


def test_attention_is_a_trait_and_no_name(tmp_path):
    def swap(study):
        for experiment in study["experiments"]:
            experiment["traits"]["attends"] = experiment["model"] == "lstm"

    assert [finding.facts.title for finding in transformers(fakes.twelve(tmp_path / "a", edit=swap))] == ["LSTM"]

    def forget(study):
        for experiment in study["experiments"]:
            experiment["traits"] = None

    assert transformers(fakes.twelve(tmp_path / "b", edit=forget)) == []


def test_what_there_was_to_learn_from(tmp_path):
    facts = asked(tmp_path / "whole", DEEP).facts
    assert (facts.tokens, facts.reads) == (1001, 4)
    assert facts.per_parameter == (pytest.approx(1001 / 40_500), pytest.approx(1001 / 10_500))
    assert not facts.starved

    def cut(study):
        study["budget"]["epoch_steps"] = 5

    facts = asked(tmp_path / "cut", dict.fromkeys((5, 6, 7, 8, 11, 12), 4.9), edit=cut).facts
    assert facts.reads == pytest.approx(4 * 5 * 4 * 16 / 1001)
    assert facts.starved


def test_what_holds_at_one_depth_is_not_for_want_of_text(tmp_path):
    assert not asked(tmp_path / "one", DEEP | {11: 4.8}).facts.starved
    assert asked(tmp_path / "none", DEEP | {11: 4.8, 12: 4.8}).facts.starved


def test_what_the_rate_holds_back_are_the_depths_that_do_worse(tmp_path):
    def edit(study):
        rates = study["tuning"]["rates"]
        for number, layers, losses in ((11, 2, (4.9, 5.3, 5.3)), (12, 4, (4.9, 5.3, 5.3))):
            rates[f"{number}-gpt1-{layers}-adamw"] = fakes.trials(0.01, losses)

    def said(name, ends):
        return text.finding(asked(tmp_path / name, DEEP | ends, edit=edit))["text"]

    opening = " layers back is probably the rate: with post-norm, 2 and 4 layers learned only at 0.003, and 1 layer "
    assert f"What holds 2{opening}trained at 0.01 (below); 4 layers win all the same." in said("two", {11: 4.8})
    assert f"What holds 2 and 4{opening}trained at 0.01 (below)." in said("both", {11: 4.8, 12: 4.8})
    assert opening not in said("none", {})


def test_what_is_open_comes_before_more_text(tmp_path):
    assert asked(tmp_path / "open", {11: 4.612}).facts.command == "bakeoff run fake --only 6,11 --seeds 5"
    lost = asked(tmp_path / "lost", dict.fromkeys((5, 6, 8), 4.9) | {7: 4.8, 11: 5.0, 12: 5.1, 9: 4.4})
    assert lost.facts.command == "bakeoff run fake --corpus FILE"
    assert asked(tmp_path / "fine", DEEP).facts.command is None


def test_words(tmp_path):
    nothing = dict.fromkeys(fakes.TWELVE)
    diverged = {(7, 0): {"status": "diverged", "error": "the loss was not finite"}}
    studies = {
        "twelve": fakes.twelve(tmp_path / "twelve"),
        "as expected": fakes.twelve(tmp_path / "deep", ends=DEEP, seeds=(0, 1, 2)),
        "worse than counting": fakes.twelve(tmp_path / "worse", ends=dict.fromkeys((5, 6, 8, 11, 12), 4.9) | {7: 4.8}),
        "one lost": fakes.twelve(tmp_path / "lost", ends=DEEP, endings=diverged),
        "nothing": fakes.read_study(tmp_path / "nothing", nothing),
    }
    said = {name: text.finding(transformers(study)[0]) for name, study in studies.items()}
    told = (f"{n}\n{s['verdict']}: {s['text']}\n? {s['conjecture']}\n$ {s['command']}\n\n" for n, s in said.items())
    golden("transformers.txt", "".join(told))
