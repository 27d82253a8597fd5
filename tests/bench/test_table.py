"""The whole table, with everything that takes time replaced."""

import pytest

from bakeoff import terminal
from bakeoff.bench import table
from bakeoff.bench.cases import CASES
from bakeoff.errors import UserError


def entry(name, limit):
    speeds = {"tokens_per_second": 50_000.0, "peer": "trainer", "peer_tokens_per_second": 12_500.0}
    return {"name": name, **speeds, "ratio": 4.0, "ratio_low": 3.5, "ratio_high": 4.5, "limit_fraction": limit}


@pytest.fixture
def asked(monkeypatch):
    calls = []
    monkeypatch.setattr(table.rounds, "compete", lambda case, *rest: calls.append(case) or [entry(case.name, 0.61)])
    monkeypatch.setattr(table.whole_runs, "compare", lambda index, *rest: entry(f"whole {index}", None))
    return calls


@pytest.mark.parametrize(("fast", "cases"), [(True, CASES[:2]), (False, CASES)])
def test_every_case_is_measured_and_told_in_a_line(asked, fast, cases):
    measured = table.measure(lambda what: None, fast=fast)
    assert asked == list(cases)
    assert [e["name"] for e in measured["cases"]] == [*(case.name for case in cases), "whole 0", "whole 1"]
    text = terminal.bench_text(measured)
    for case in cases:
        assert f"{case.name}" in text
    assert text.count("4.00  3.50 to 4.50") == len(cases) + 2
    assert text.count("61%") == len(cases)


def test_without_the_peers_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(table, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'bakeoff\[bench\]'"):
        table.measure(lambda what: None, fast=True)
