"""Turns: steps are done when they are asked for, and counted; whoever dies is noticed."""

import io
import json

import pytest

from bakeoff.bench import turns
from bakeoff.bench.cases import CASES


class DoneError(Exception):
    """Raised where a process would end."""


@pytest.fixture
def ending(monkeypatch):
    def leave(status):
        raise DoneError(status)

    monkeypatch.setattr(turns.os, "_exit", leave)


def test_a_turn_is_as_many_steps_as_were_asked_for(ending, monkeypatch):
    now, computed = iter([10.0, 12.0, 100.0, 101.0]), iter([1.0, 4.0, 50.0, 50.5])
    monkeypatch.setattr(turns.time, "process_time", lambda: next(computed))
    monkeypatch.setattr(turns.time, "perf_counter", lambda: next(now))
    answers = io.StringIO()
    taking = turns.Turns(io.StringIO("2\n1\n"), answers)
    taking.stepped(3.0)
    assert answers.getvalue() == ""
    taking.stepped(5.0)
    with pytest.raises(DoneError):
        taking.stepped(7.0)  # the last turn; then nobody asks for more
    assert [json.loads(line) for line in answers.getvalue().splitlines()] == [
        {"seconds": 2.0, "processor_seconds": 3.0, "loss": 4.0},
        {"seconds": 1.0, "processor_seconds": 0.5, "loss": 7.0},
    ]


def test_a_process_takes_its_turns_and_one_that_dies_is_named():
    with turns.Contestant(turns.LIMIT, CASES[0], 1) as limit:
        first = limit.turn(1)
        assert first["seconds"] > 0
        assert limit.turn(2)["seconds"] > 0
    with (
        turns.Contestant("nobody", CASES[0], 1) as nobody,
        pytest.raises(turns.EndedError, match="nobody ended with status 1: KeyError: 'nobody'"),
    ):
        nobody.turn(1)
    assert nobody.process.returncode is not None
