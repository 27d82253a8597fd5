"""Everyone trains the same model on the same text: each lowers the loss as the others do."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from bakeoff.bench import contenders
from bakeoff.bench.cases import Workload
from bakeoff.models import GPT1, LSTM, gpt1
from processor import bf16_lstm

GPT1_CASE = Workload(name="gpt1", architecture=GPT1(width=16, heads=2), vocabulary=60, batch_size=4, length=8, peers=())
LSTM_CASE = Workload(
    name="lstm", architecture=LSTM(embedding=16, hidden=16), vocabulary=60, batch_size=4, length=8, peers=()
)
STEPS = 60
PLAIN = [
    pytest.param(GPT1_CASE, contenders.bakeoff, id="bakeoff-gpt1"),
    pytest.param(LSTM_CASE, contenders.bakeoff, id="bakeoff-lstm"),
    pytest.param(LSTM_CASE, contenders.word_lm, id="word-lm"),
    pytest.param(LSTM_CASE, partial(contenders.word_lm, bf16=True), id="word-lm-bf16", marks=bf16_lstm),
    pytest.param(GPT1_CASE, contenders.nanogpt, id="nanogpt"),
    pytest.param(GPT1_CASE, contenders.linear_cross_entropy, id="linear-ce"),
]


class EnoughError(Exception):
    """Raised to end a contender, which would go on for ever."""


def losses_of(case, contender, steps=STEPS):
    losses = []

    def stepped(loss):
        losses.append(loss)
        if len(losses) == steps:
            raise EnoughError

    with pytest.raises(EnoughError):
        contender(case, stepped)
    return losses


@pytest.fixture(autouse=True)
def leave_no_trace(monkeypatch):
    monkeypatch.setattr(gpt1, "WRITTEN_OUT", gpt1.WRITTEN_OUT)
    monkeypatch.setattr(contenders, "keep_freed_memory", lambda: None)


@pytest.mark.parametrize(("case", "contender"), PLAIN)
def test_a_contender_starts_at_chance_and_learns(case, contender):
    torch.manual_seed(0)
    losses = losses_of(case, contender)
    assert losses[0] == pytest.approx(math.log(60), abs=0.15)
    assert np.mean(losses[-10:]) < losses[0] - 0.2


def test_the_peers_learn_as_much_as_bakeoff_in_as_many_steps():
    torch.manual_seed(0)
    ends = {
        name: np.mean(losses_of(LSTM_CASE, peer)[-20:])
        for name, peer in (("own", contenders.bakeoff), ("peer", contenders.word_lm))
    }
    assert ends["own"] == pytest.approx(ends["peer"], abs=0.15)


def test_the_trainer_of_transformers_tells_every_step():
    assert len(losses_of(GPT1_CASE, contenders.trainer, steps=3)) == 3


def test_the_text_is_the_same_for_everyone_and_uneven_as_words_are():
    tokens = contenders.tokens(GPT1_CASE)
    assert (tokens == contenders.tokens(GPT1_CASE)).all()
    counts = np.bincount(tokens, minlength=60)
    assert counts[0] == pytest.approx(2 * counts[1], rel=0.15)
    assert counts.min() > 0
