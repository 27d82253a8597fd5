"""Test with more before each target, against windows that are cut one by one."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff import windows
from bakeoff.data.sequences import TokenStream
from bakeoff.models import GLR, GPT, GPT1, GRU, LSTM
from bakeoff.models.tied import TiedLanguageModel
from bakeoff.spec import Budget
from bakeoff.training import token_nats
from processor import bf16_lstm

VOCABULARY, CPU = 50, torch.device("cpu")
BUDGET = Budget(epochs=1, batch_size=1, sequence_length=8, vocabulary=300, precision="fp32", threads=1)
ATTENDING = (GPT1(width=16, heads=2), GPT(width=16, heads=2))
CARRYING = (LSTM(embedding=16, hidden=16, layers=2), GRU(embedding=16, hidden=16), GLR(width=16, layers=2))


def stream_of(tokens):
    one = np.zeros(1, dtype=np.int64)
    return TokenStream(tokens_N=np.array(tokens, dtype=np.uint16), starts_D=one, words_D=one, bytes_D=one)


@pytest.fixture
def stream():
    return stream_of(np.random.default_rng(0).integers(0, VOCABULARY, 77))


def built(architecture, length):
    """A model in which every part does something."""
    torch.manual_seed(0)
    model = architecture.build(VOCABULARY, length).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def whole(model, tokens):
    """What the targets of one sequence cost."""
    inputs, targets = (torch.tensor(np.asarray(part, dtype=np.int64))[None] for part in (tokens[:-1], tokens[1:]))
    with torch.no_grad():
        return model.token_nats(inputs, targets)[0].numpy()


def sliding(model, tokens, length, stride):
    """The sliding window, one place at a time: each window begins a stride later, and counts where none did before."""
    nats = {}
    for begin in range(0, len(tokens) - 1, stride):
        for place, cost in enumerate(whole(model, tokens[begin : begin + length + 1]), start=begin):
            nats.setdefault(place, (cost, place - begin))
    costs, before = zip(*(nats[place] for place in range(len(tokens) - 1)), strict=True)
    return np.array(costs), np.array(before)


@pytest.mark.parametrize("length", [2, 6, 8, 40, 60, 74, 76, 90])
@pytest.mark.parametrize("architecture", [ATTENDING[0], CARRYING[0]], ids=lambda a: a.name)
def test_a_half_stride_is_a_sliding_window(stream, architecture, length):
    budget = dataclasses.replace(BUDGET, sequence_length=length)
    model = built(architecture, length)
    plain = token_nats(model, stream, budget, CPU)
    expected, before = sliding(model, stream.tokens_N, length, length // 2)
    assert windows.half_stride(model, stream, plain, budget, CPU) == pytest.approx(expected, rel=1e-4)
    assert (before >= np.minimum(np.arange(len(before)), length // 2)).all()


@pytest.mark.parametrize("length", [1, 7, 75])
def test_a_window_without_a_middle_is_cut_before_it(stream, length):
    budget = dataclasses.replace(BUDGET, sequence_length=length)
    model, half = built(ATTENDING[0], length), length // 2
    plain = token_nats(model, stream, budget, CPU)
    found = windows.half_stride(model, stream, plain, budget, CPU)
    for place in range(stream.targets):
        begin = place - place % length
        if begin and place - begin < half:
            begin += half - length
        assert found[place] == pytest.approx(whole(model, stream.tokens_N[begin : place + 2])[-1], rel=1e-4)


@pytest.mark.parametrize("targets", [1, 3, 7, 8, 9, 16, 79, 80, 81, 200])
@pytest.mark.parametrize("architecture", CARRYING, ids=lambda a: a.name)
def test_a_state_is_carried_through_each_of_few_stretches(architecture, targets):
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, targets + 1)
    model = built(architecture, 8)
    size = -(-targets // min(windows.STRETCHES, max(1, targets // 8)))
    stretches = [tokens[first : first + size + 1] for first in range(0, targets, size)]
    expected = np.concatenate([whole(model, stretch) for stretch in stretches])
    assert windows.carried_state(model, stream_of(tokens), BUDGET, CPU) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("architecture", "precision"),
    [
        pytest.param(
            a, precision, marks=bf16_lstm if (a.name, precision) == ("lstm", "bf16") else (), id=f"{a.name}-{precision}"
        )
        for a in (*ATTENDING, *CARRYING)
        for precision in ("fp32", "bf16")
    ],
)
def test_what_carries_a_state_is_measured_with_it(stream, architecture, precision):
    budget = dataclasses.replace(BUDGET, precision=precision)
    model = built(architecture, 8)
    found = windows.measured(model, stream, token_nats(model, stream, budget, CPU), budget, CPU)
    assert set(found) == {"half_stride"} | ({"carried_state"} if architecture in CARRYING else set())
    for nats in found.values():
        assert nats.shape == (stream.targets,)
        assert np.isfinite(nats).all()


def test_what_looks_back_or_reads_everything_again_carries_no_state():
    assert all(windows.carries(built(architecture, 8)) for architecture in CARRYING)
    assert not any(windows.carries(built(architecture, 8)) for architecture in ATTENDING)
    assert not windows.carries(TiedLanguageModel(VOCABULARY, 8)), "its state is all tokens so far"
    assert not windows.carries(nn.Linear(1, 1))
