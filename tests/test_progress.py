"""What is shown while runs are at work: lines in a pipe, bars on a terminal."""

import dataclasses
import io
import math

import pytest
from rich.console import Console

from bakeoff import process, stopwatch
from bakeoff.progress import Bars, Lines, display, preparing
from bakeoff.spec import Budget

SUMS = {"perplexity": 12.345, "bits_per_byte": 1.5}


@pytest.fixture
def runs(tiny_study):
    return tiny_study.runs


def console(**options):
    return Console(file=io.StringIO(), width=100, **options)


def messages(step, epoch):
    evaluation = {"event": "evaluation", "epoch": epoch, "step": step, "train": SUMS, "valid": SUMS}
    return [
        {"event": "start", "steps": 2 * step},
        {"event": "step", "step": 1, "loss": 1.0},
        evaluation | {"epoch": 0, "step": 0, "train_seconds": 0.0},
        evaluation | {"train_seconds": 2.0},
    ]


END = {"event": "end", "status": "finished", "error": None}
FAILED = {"event": "end", "status": "failed", "error": "[no] such /thing"}


def shown(display_, said):
    with display_:
        for run, message in said:
            display_(run, message)
    return display_.console.file.getvalue()


def test_a_pipe_gets_lines_and_a_terminal_bars(runs):
    assert isinstance(display(runs, console()), Lines)
    assert isinstance(display(runs, console(force_terminal=True)), Bars)


def test_a_notebook_gets_bars_where_its_widgets_are_there(runs, monkeypatch):
    assert isinstance(display(runs, console(force_jupyter=True)), Bars)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    for there in (True, False):
        monkeypatch.setattr("importlib.util.find_spec", lambda name, there=there: there or None)
        assert process.console().is_jupyter == there


def test_a_line_for_every_evaluation_and_end_and_none_for_a_step(runs):
    text = shown(Lines(runs, console()), [*((runs[0], m) for m in messages(10, 1)), (runs[0], END)])
    assert len(text.splitlines()) == 3
    assert "epoch 0/2" in text
    assert "epoch 1/2  train 12.3  valid 12.3" in text.replace("12.35", "12.3").replace("12.34", "12.3")
    assert text.splitlines()[-1].endswith("finished  1.500 bits per byte of valid")


def test_after_a_silence_a_step_gets_a_line(runs, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    there = console()
    with Lines(runs, there) as lines:
        lines(runs[0], {"event": "start", "steps": 200})
        for step in range(1, 200):  # a second each
            now[0] += 1.0
            lines(runs[0], {"event": "step", "step": step, "loss": 2.0})
    text = there.file.getvalue()
    assert [int(line.split("step ")[1].split("/")[0]) for line in text.splitlines()] == [30, 60, 90, 120, 150, 180]
    assert "step 30/200  loss 2.000  " in text


def test_a_run_whose_budget_is_in_steps_is_told_in_steps(runs):
    run = dataclasses.replace(runs[0], budget=Budget(steps=1500, epoch_steps=10))
    assert "step 10/1500  train 12.3" in shown(Lines([run], console()), [(run, m) for m in messages(10, 1)])


@pytest.mark.parametrize("kind", [Lines, Bars])
def test_what_a_worker_says_beside_progress_is_shown(runs, kind):
    note = {"event": "note", "text": "the checkpoint is [deleted]"}
    said = [*((runs[0], message) for message in messages(10, 1)), (runs[0], note)]
    assert f"{runs[0].slug}  the checkpoint is [deleted]" in shown(kind(runs, console()), said)


def test_evaluations_inside_an_epoch_add_no_lines(runs):
    said = [(runs[0], message) for message in (*messages(10, 1), *messages(10, 1)[-1:], *messages(20, 2)[-1:])]
    text = shown(Lines(runs, console()), said)
    assert [line.split("epoch ")[1][:3] for line in text.splitlines()] == ["0/2", "1/2", "2/2"]


def test_a_run_that_is_begun_again_on_another_node_keeps_its_one_bar(runs):
    bars = Bars(runs, console())
    shown(bars, [(runs[0], message) for message in (*messages(10, 1), *messages(10, 1))])
    assert len(bars.bars.tasks) == 2, "the study's, and the run's"


@pytest.mark.parametrize("kind", [Lines, Bars])
def test_escapes_are_shown_harmless(runs, kind):
    said = [(runs[0], FAILED | {"error": "\x1b]0;title\x07"})]
    assert r"\x1b]0;title\x07" in shown(kind(runs, console(force_terminal=kind is Bars, color_system=None)), said)


def test_the_speed_is_tokens_by_training_time(runs):
    budget = runs[0].budget
    tokens_per_second = 10 * budget.batch_size * budget.sequence_length / 2.0
    text = shown(Lines(runs, console()), [(runs[0], m) for m in messages(10, 1)])
    assert f"{tokens_per_second:,.0f} tokens/s" in text


@pytest.mark.parametrize("kind", [Lines, Bars])
def test_a_failure_is_shown_with_its_reason_as_it_was_said(runs, kind):
    terminal = kind is Bars
    text = shown(kind(runs, console(force_terminal=terminal, color_system=None)), [(runs[0], FAILED)])
    assert "failed: [no] such /thing" in text


def test_bars_survive_every_order_of_messages(runs):
    said = [*((runs[0], m) for m in messages(10, 1)), (runs[1], FAILED), *((runs[1], m) for m in messages(4, 2))]
    text = shown(Bars(runs, console(force_terminal=True, color_system=None)), [*said, (runs[0], END), (runs[1], END)])
    assert f"{runs[0].slug}  finished" in text


@pytest.mark.parametrize("kind", [Lines, Bars])
def test_a_run_whose_beginning_was_not_heard_stops_nothing(runs, kind):
    said = [(runs[0], message) for message in (*messages(10, 1)[1:], END)]
    assert f"{runs[0].slug}  finished" in shown(
        kind(runs, console(force_terminal=kind is Bars, color_system=None)), said
    )


def test_the_end_of_the_first_run_is_numbered_as_the_first(runs):
    assert shown(Lines(runs, console()), [(runs[0], END)]).startswith(f"[1/{len(runs)}]")


@pytest.fixture
def now(monkeypatch):
    """What the clock says, which the test sets, as if somebody looked all the time."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(stopwatch, "MOST", math.inf)
    return now


def test_what_is_left_follows_from_what_is_done(runs, now):
    lines = Lines(runs, console())
    with lines:
        assert lines.left() is None
        now[0] += 30
        lines(runs[0], END)
        assert lines.left() == pytest.approx(30 * (len(runs) - 1))
        lines.shares[runs[1]] = 0.5
        assert lines.left() == pytest.approx(30 * (len(runs) - 1.5) / 1.5)


def test_what_is_left_takes_no_account_of_the_time_in_which_the_command_was_suspended(runs, now, monkeypatch):
    monkeypatch.setattr(stopwatch, "MOST", 5.0)
    with Lines(runs, console()) as lines:
        lines(runs[0], {"event": "start", "steps": 20})
        now[0] += 36000
        lines(runs[0], END)
        assert lines.left() == pytest.approx(5 * (len(runs) - 1))


def test_what_is_left_of_the_first_run_takes_no_account_of_its_start(runs, now):
    lines = Lines(runs[:1], console())
    now[0] += 60
    lines(runs[0], {"event": "start", "steps": 20})
    now[0] += 5
    lines(runs[0], {"event": "step", "step": 10, "loss": 1.0})
    assert lines.left() == pytest.approx(5)


def test_what_is_left_counts_all_that_is_at_work(runs, now):
    lines = Lines(runs, console())
    half = {"event": "step", "step": 10, "loss": 1.0}
    for run in runs:
        lines(run, {"event": "start", "steps": 20})
    for run in runs:
        now[0] += 300
        lines(run, half)
    assert lines.console.file.getvalue().splitlines()[-1].endswith("  10 min left"), "both are half done"


def test_making_a_text_ready_moves_a_bar_that_is_gone_in_the_end():
    there = console(force_terminal=True, color_system=None)
    with preparing("a [text]\x1b", there) as told:
        told("a [text]: making a tokenizer", None)
        told("a [text]: tokenizing train", 0.5)
    text = there.file.getvalue()
    assert all(part in text for part in ("a [text]: tokenizing train", " 50%"))
    assert "[text]\x1b" not in text


def test_in_a_pipe_making_a_text_ready_prints_nothing():
    there = console()
    with preparing("text", there) as told:
        told("text: tokenizing train", 0.5)
    assert there.file.getvalue() == ""
