"""What captions say, from the numbers of their own runs."""

import re

import pytest

from bakeoff.analysis.rows import read_rows
from bakeoff.report import captions, figures


@pytest.fixture(scope="module")
def drawn(fake_study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    return {figure.name: figure for figure in figures.draw(read_rows(fake_study), folder)}


def test_a_caption_speaks_of_its_own_run(drawn):
    caption = drawn["01-epochs"].caption
    assert "1-layer LSTM, Adam on tiny & <b>: perplexity per token over epochs" in caption
    assert "lowest after epoch 1, at 90.02, where train is at 81.45" in caption
    assert "after epoch 2 they are at 99.48 and 54.60" in caption
    assert "over training time" in drawn["01-time"].caption
    assert re.search(r"below [^.;]*unigram[^,;]* after epoch 1\b", caption)


def test_captions_of_runs_that_went_wrong_say_so(drawn):
    assert re.search(r"never [^.]*unigram|unigram[^,.;]* never", drawn["02-epochs"].caption)
    assert "The run is diverged: the loss was not finite at step 27" in drawn["03-epochs"].caption
    assert "The run is running." in drawn["06-epochs"].caption
    assert "measured beside other runs" in drawn["07-time"].caption
    assert "measured beside other runs" not in drawn["01-time"].caption


def test_every_floor_but_the_uniform_is_named_as_crossed_or_not(drawn):
    assert "below unigram after epoch 1, below kn2 after epoch 1, below kn3 after epoch 1" in drawn["01-epochs"].caption
    assert "below kn2 never, below kn3 never, below kn3+cache never" in drawn["02-epochs"].caption


def test_what_the_axis_cuts_off_is_said(fake_study):
    study = read_rows(fake_study)
    rows = [row for row in study.rows if row.number == 1]
    assert "cut off where it rises above the axis, up to 301.9" in captions.learning_curves(
        study, rows, "time", (50, 250)
    )
    assert "cut off" not in captions.learning_curves(study, rows, "time", (50, 400))
