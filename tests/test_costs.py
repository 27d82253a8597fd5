"""The estimate before a study: measured, of the right size, and without a trace."""

import dataclasses

import pytest
import torch

from bakeoff import costs, data
from bakeoff.models import count_parameters
from bakeoff.spec import Architecture

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def study(tiny_study):
    return tiny_study.with_shared(precision="fp32", threads=1)


@pytest.fixture(scope="module")
def tokens(study):
    return data.prepare(study.corpus, study.budget)


@pytest.fixture(scope="module")
def cost(study, tokens):
    return costs.estimate(study.runs, tokens, CPU)


def test_time_is_that_of_all_runs_one_after_the_other(cost, study):
    assert len(study.runs) * costs.START_SECONDS < cost.seconds < len(study.runs) * (costs.START_SECONDS + 60)


def test_memory_holds_at_least_a_process_with_torch(cost):
    assert 50 * 2**20 < cost.memory_bytes < 4 * 2**30


def test_disk_holds_the_weights_of_every_run(cost, study, tokens):
    length = study.budget.sequence_length
    counts = [count_parameters(r.architecture, tokens.vocabulary, length)[0] for r in study.runs]
    assert cost.disk_bytes == 4 * sum(counts)


def test_more_epochs_take_longer_and_more_at_once_less(study, tokens, monkeypatch):
    probe = costs._Probe(step=1.0, evaluated_token=0.0, memory_bytes=0)
    monkeypatch.setattr(costs, "_probe", lambda run, tokens, device: probe)
    long = study.with_shared(epochs=20)
    steps = -(-tokens.splits["train"].sequences(study.budget.sequence_length) // study.budget.batch_size)
    expected = 2 * (costs.START_SECONDS + 20 * steps)
    cost = costs.estimate(long.runs, tokens, CPU)
    assert cost.seconds == cost.wait(1) == pytest.approx(expected)
    assert cost.wait(2) == cost.wait(64) == pytest.approx(expected / 2)


def test_a_model_that_this_machine_cannot_hold_is_not_tried(study, tokens, monkeypatch):
    monkeypatch.setattr(costs, "available_memory", lambda: 1000)
    monkeypatch.setattr(costs, "_probe", lambda run, tokens, device: pytest.fail("it would have been killed"))
    assert costs.estimate(study.runs, tokens, CPU).seconds == 0


def test_random_state_is_left_as_it_was(study, tokens):
    torch.manual_seed(4)
    state = torch.get_rng_state()
    costs.estimate(study.runs[:1], tokens, CPU)
    assert torch.equal(torch.get_rng_state(), state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unbuildable(Architecture):
    name = "unbuildable"
    title = "Unbuildable"

    def build(self, vocabulary, sequence_length):
        raise RuntimeError("no way")


def test_a_model_that_fails_does_not_stop_the_estimate_of_the_others(study, tokens):
    costs.estimate([*study.runs, dataclasses.replace(study.runs[0], architecture=Unbuildable())], tokens, CPU)
