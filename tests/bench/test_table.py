"""The whole table, with everything that takes time replaced."""

import psutil
import pytest

from bakeoff import terminal
from bakeoff.bench import table
from bakeoff.bench.cases import CASES
from bakeoff.errors import UserError

WHOLE = ["whole 0", "whole 1"]


def entry(name, limit):
    speeds = {"tokens_per_second": 50_000.0, "peer": "trainer", "peer_tokens_per_second": 12_500.0}
    return {"name": name, **speeds, "ratio": 4.0, "ratio_low": 3.5, "ratio_high": 4.5, "limit_fraction": limit}


@pytest.fixture
def asked(monkeypatch):
    calls = []
    monkeypatch.setattr(table.rounds, "compete", lambda case, *rest: calls.append(case) or [entry(case.name, 0.61)])
    monkeypatch.setattr(table.whole_runs, "compare", lambda index, *rest: [entry(f"whole {index}", None)])
    monkeypatch.setattr(table, "usable_cores", lambda: 2)
    return calls


@pytest.mark.parametrize(("fast", "cases"), [(True, CASES[:2]), (False, CASES)])
def test_every_case_is_measured_and_told_in_a_line(asked, fast, cases):
    measured = table.measure(lambda what: None, fast=fast)
    assert asked == list(cases)
    assert [e["name"] for e in measured["cases"]] == [*(case.name for case in cases), *WHOLE]
    text = terminal.bench_text(measured)
    for case in cases:
        assert f"{case.name}" in text
    assert text.count("4.00  3.50 to 4.50") == len(cases) + len(WHOLE)
    assert text.count("61%") == len(cases)


def test_a_peer_that_does_not_run_here_has_a_line_that_says_why(asked, monkeypatch):
    failed = {"name": "a case", "peer": "word-lm-bf16", "failed": "word-lm-bf16 ended with status 1: no primitive"}
    monkeypatch.setattr(table.rounds, "compete", lambda case, *rest: [entry(case.name, 0.61), failed])
    text = terminal.bench_text(table.measure(lambda what: None, fast=True))
    assert text.count("a case: word-lm-bf16 ended with status 1: no primitive\n") == 2


def test_beside_busy_programs_both_clocks_and_the_slowdown_are_told(monkeypatch):
    monkeypatch.setattr(table.busy, "Contestant", Pretender)
    measured = table.measure_busy(lambda what: None, fast=True)
    assert [entry["who"] for entry in measured["cases"]] == list(table.busy.WHO)
    told = terminal.busy_text(measured).splitlines()
    (own,) = [line.split() for line in told if "bakeoff " in line]
    assert own[-8:] == ["200.0", "500.0", "400.0", "400.0", "2.50", "2.50", "to", "2.50"]
    assert any("trainer" in line for line in told)


class Pretender:
    """A step takes 0.2 seconds, and 2.5 times as long beside other programs; processor time stays."""

    def __init__(self, name, case, threads):
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def turn(self, steps):
        others = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
        while not all(child.cmdline() for child in others):
            pass  # the system tells it a moment after the program has begun
        beside = any("while True" in " ".join(child.cmdline()) for child in others)
        return {"seconds": steps * 0.2 * (2.5 if beside else 1), "processor_seconds": steps * 0.4, "loss": 3.0}


def test_without_the_peers_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(table, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'bakeoff\[bench\]'"):
        table.measure(lambda what: None, fast=True)
