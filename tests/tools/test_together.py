"""A study together and in turn: the very command in both ways, in turns."""

import pytest

import together


@pytest.fixture
def commands(monkeypatch):
    """The commands that are given; a run at a time takes three seconds, and two at a time take two."""
    given, now = [], [0.0]

    def run(command, **options):
        given.append(command)
        now[0] += 2.0 if command[command.index("--jobs") + 1] == "2" else 3.0

    monkeypatch.setattr(together.subprocess, "run", run)
    monkeypatch.setattr(together.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(together.data, "prepare", lambda *arguments: None)
    return given


def test_both_ways_have_the_same_runs_and_all_cores_and_take_turns(commands, monkeypatch, capsys):
    monkeypatch.setattr(together, "usable_cores", lambda: 2)
    together.main()
    chosen = [[c[c.index(option) + 1] for option in ("--seeds", "--jobs", "--threads")] for c in commands]
    side, single = ["2", "2", "1"], ["2", "1", "2"]
    assert chosen == [side, single, single, side, side, single]
    assert "together 1.50 times as fast (1.50 to 1.50)" in capsys.readouterr().out


def test_with_one_core_there_is_nothing_to_compare(commands, monkeypatch):
    monkeypatch.setattr(together, "usable_cores", lambda: 1)
    with pytest.raises(SystemExit, match="one core"):
        together.main()
    assert not commands
