"""Medians, ratios round by round, and the share of the limit; with processes that only pretend."""

from typing import ClassVar

import pytest

from bakeoff.bench import rounds
from bakeoff.bench.cases import CASES
from bakeoff.bench.turns import EndedError

#: Seconds of a step of each; the machine gets slower from turn to turn, for everyone alike.
STEP = {"bakeoff": 0.5, "limit": 0.25, **dict.fromkeys(CASES[0].peers, 2.0)}


class Pretender:
    log: ClassVar[list[tuple[str, object]]] = []

    def __init__(self, name, case, threads):
        self.name, self.case, self.threads = name, case, threads
        self.turns = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.log.append((self.name, "closed"))

    def turn(self, steps):
        self.turns += 1
        self.log.append((self.name, steps))
        return {"seconds": steps * STEP[self.name] * (1 + self.turns), "loss": 3.0}


@pytest.fixture
def entries(monkeypatch):
    monkeypatch.setattr(rounds, "Contestant", Pretender)
    Pretender.log = []
    return rounds.compete(CASES[0], 2, 3, 60.0, lambda what: None)


def test_every_peer_has_an_entry_with_the_ratio_of_speeds(entries):
    assert [entry["peer"] for entry in entries] == list(CASES[0].peers)
    for entry in entries:
        assert entry["ratio"] == entry["ratio_low"] == entry["ratio_high"] == pytest.approx(4.0)
        assert entry["peer_tokens_per_second"] == pytest.approx(entry["tokens_per_second"] / 4)
        assert entry["loss"] == entry["peer_loss"] == 3.0


def test_the_limit_is_compared_round_by_round(entries):
    # Its process had two turns fewer before the rounds, so it is less slow by then: 0.25 * 2 against 0.5 * 4 and so on.
    shares = [(0.25 * a) / (0.5 * b) for a, b in ((2, 4), (3, 5), (4, 6))]
    assert entries[0]["limit_fraction"] == pytest.approx(sorted(shares)[1])


def test_the_order_is_reversed_in_every_other_round(entries):
    names = [name for name, what in Pretender.log if what != "closed"]
    everyone = ["bakeoff", "limit", *CASES[0].peers]
    counted = names[-3 * len(everyone) :]
    assert counted == [*everyone, *reversed(everyone), *everyone]


def test_all_processes_are_closed_also_when_one_fails(monkeypatch):
    monkeypatch.setattr(rounds, "Contestant", Pretender)
    Pretender.log = []
    monkeypatch.setitem(STEP, CASES[0].peers[-1], None)
    with pytest.raises(TypeError):
        rounds.compete(CASES[0], 2, 1, 1.0, lambda what: None)
    assert sum(what == "closed" for _, what in Pretender.log) == 2 + len(CASES[0].peers)


def test_a_peer_that_does_not_run_here_is_named_and_the_others_are_compared(monkeypatch):
    class Failing(Pretender):
        def turn(self, steps):
            if self.name == CASES[0].peers[0]:
                raise EndedError("trainer ended with status 1: no such instruction")
            return super().turn(steps)

    monkeypatch.setattr(rounds, "Contestant", Failing)
    Pretender.log = []
    failed, *entries = rounds.compete(CASES[0], 2, 1, 1.0, lambda what: None)
    assert failed["failed"] == "trainer ended with status 1: no such instruction"
    assert [entry["peer"] for entry in entries] == list(CASES[0].peers[1:])
    assert all(entry["ratio"] > 0 for entry in entries)


def test_without_bakeoff_itself_there_is_nothing_to_compare(monkeypatch):
    def end(self, steps):
        raise EndedError(self.name)

    monkeypatch.setattr(Pretender, "turn", end)
    monkeypatch.setattr(rounds, "Contestant", Pretender)
    with pytest.raises(EndedError, match="bakeoff"):
        rounds.compete(CASES[0], 2, 1, 1.0, lambda what: None)
