"""What the first screen knows of the best, and of runs that still fell."""

import dataclasses

import pytest

import fakes
from bakeoff.analysis.answer import first_screen
from bakeoff.analysis.questions import findings
from bakeoff.analysis.timing import Twice
from bakeoff.reporting import text

CURVES = {(1, "lstm", 1, "adam"): [4.9, 4.8, 4.7, 4.6], (2, "lstm", 1, "sgd"): [5.1, 5.0, 4.9, 4.8]}


def screen(study):
    return first_screen(study, findings(study))


def test_the_time_of_the_best_is_marked_where_it_is_an_upper_bound(tmp_path):
    study = fakes.read_study(tmp_path, CURVES)
    rows = tuple(dataclasses.replace(row, alone=False) for row in study.rows)
    beside = dataclasses.replace(study, rows=rows)
    assert [screen(each).exact for each in (study, beside)] == [True, False]
    assert "after 8.0 s of training" in text.answer(screen(study))["headline"]
    assert "after 8.0 s† of training" in text.answer(screen(beside))["headline"]


def test_only_the_tile_of_what_went_wrong_warns_and_only_where_something_did(tmp_path):
    fine = fakes.read_study(tmp_path / "fine", CURVES)
    lost = fakes.read_study(tmp_path / "lost", CURVES, endings={2: {"status": "diverged", "error": "…"}})
    warn = [[tile["label"] for tile in text.answer(screen(each))["tiles"] if tile["warns"]] for each in (fine, lost)]
    assert warn == [[], ["Went wrong"]]


@pytest.mark.parametrize(
    ("worst", "says"),
    [
        (
            1.71,
            "the slowest seed than with the fastest (the median of the experiments), at most 71 %.",
        ),
        (1.33, "took 33 % longer with the slowest seed than with the fastest."),
    ],
)
def test_the_first_screen_tells_what_seconds_differ_by_themselves(worst, says):
    said = text.say("shared", "differs", Twice(times=1.33, worst=(worst, object()), nats=0.01))
    assert said.replace("\N{NO-BREAK SPACE}", " ").endswith(says)
    assert text.say("shared", "differs", None) == "How much seconds differ by themselves was not measured."


def test_runs_that_still_fall_and_hardly_generalize_are_known(tmp_path):
    """On valid all fall by 0.1 in the last epoch; on train by 0.3 where the gap widens."""
    widening = screen(fakes.read_study(tmp_path / "widening", CURVES, gap=[0.1, 0.2, 0.3, 0.5]))
    constant = screen(fakes.read_study(tmp_path / "constant", CURVES, gap=0.5))
    assert [row.number for row in (*widening.falling, *constant.falling)] == [1, 2, 1, 2]
    assert [row.number for row in (*widening.memorizing, *constant.memorizing)] == [1, 2]
