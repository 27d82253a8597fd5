"""The memory of a step: what it is computed to be is what torch allocates for a real one."""

import dataclasses
import sys

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from bakeoff import accounting
from bakeoff.experiments import SEED
from bakeoff.models import GLR, GPT, GPT1, GRU, LSTM
from bakeoff.optimizers import SGD, Adam, AdamW, Momentum
from bakeoff.spec import Architecture, Budget

VOCABULARY = 3000
#: What a step ends each of its parts with, for the profile.
FORWARD, BACKWARD, STEP = MARKS = ("forward is over", "backward is over", "step is over")
LARGE = {
    "lstm": LSTM(embedding=96, hidden=128, layers=2),
    "gpt1": GPT1(width=128, heads=4, layers=2),
    "gpt": GPT(width=128, heads=4, layers=2),
    "glr": GLR(width=128, layers=2),
    "gru": GRU(embedding=96, hidden=128, layers=2),
}


def specs(architecture, optimizer=None, precision="fp32"):
    """What `accounting.memory` takes before the vocabulary."""
    budget = Budget(batch_size=8, sequence_length=64, vocabulary=VOCABULARY, precision=precision)
    return architecture, optimizer or AdamW(), budget


def take_a_step(model, optimizer, budget):
    tokens = torch.randint(VOCABULARY, (budget.batch_size, budget.sequence_length))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=budget.precision == "bf16"):
        loss = model.loss(tokens, tokens)
    with record_function(FORWARD):
        pass
    loss.backward()
    del loss
    with record_function(BACKWARD):
        pass
    optimizer.step()
    with record_function(STEP):
        pass
    optimizer.zero_grad()


def allocated(model, described, budget):
    """Bytes that a first step holds when each of its parts is over, and the most before, by torch's own profiler."""
    optimizer = described.build(model)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as told:
        take_a_step(model, optimizer, budget)
    events = [e for e in told.profiler.kineto_results.events() if e.name() in ("[memory]", *MARKS)]
    held = most = 0
    at_the_end = {}
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
        else:
            at_the_end[event.name()] = held, most
            most = held
    return at_the_end


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("frozen", [False, True], ids=["learned", "frozen"])
@pytest.mark.parametrize("name", LARGE)
def test_it_is_what_torch_allocates(name, frozen, precision, monkeypatch):
    if precision == "bf16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor does not compute in bfloat16")
    model = LARGE[name].build(VOCABULARY, 64)
    if frozen:
        model.freeze_embeddings()
    embeddings = "gpt1" if frozen else "learned"
    ours = specs(dataclasses.replace(LARGE[name], embeddings=embeddings), precision=precision)
    computed = accounting.memory(*ours, VOCABULARY)
    real = allocated(model, *ours[1:])
    kept, most = real[FORWARD]
    # The output layer's gradient is computed along with the loss.
    early = 0 if frozen else model.embedding.weight.nbytes
    assert computed["activations"] == pytest.approx(kept - early, rel=0.1)
    assert computed["gradients"] == pytest.approx(real[BACKWARD][0], rel=0.1)
    assert computed["optimizer_state"] == pytest.approx(real[STEP][0] - real[BACKWARD][0], rel=0.1)
    assert computed["weights"] == sum(parameter.nbytes for parameter in model.parameters())
    assert computed["logits"] == pytest.approx(most - kept, rel=0.1)


@pytest.mark.parametrize(("optimizer", "copies"), [(SGD(), 0), (Momentum(), 1), (Adam(), 2), (AdamW(), 2)])
def test_an_optimizer_keeps_as_many_copies_of_what_it_learns(optimizer, copies):
    told = accounting.memory(*specs(LARGE["gpt1"], optimizer), VOCABULARY)
    assert told["optimizer_state"] == pytest.approx(copies * told["gradients"], rel=0.001)


def test_the_seeds_parts_are_those_of_its_parameters():
    ends = SEED.experiments[0], SEED.experiments[-1]
    small, large = (accounting.memory(e.architecture, e.optimizer, SEED.budget, 40_478) for e in ends)
    assert small["weights"] == 34_106_624 * 4
    assert small["gradients"] == 3_019_520 * 4
    assert large["optimizer_state"] == pytest.approx(2 * 28_351_488 * 4, rel=0.001)
    assert small["logits"] == pytest.approx(large["logits"], rel=0.1)


def test_a_moving_average_is_the_weights_once_more():
    architecture, optimizer, budget = specs(LARGE["gpt1"])
    budgets = budget, dataclasses.replace(budget, average=0.99)
    plain, averaged = (accounting.memory(architecture, optimizer, b, VOCABULARY) for b in budgets)
    assert averaged == plain | {"weights": 2 * plain["weights"]}


def test_twice_the_sequences_keep_twice_the_activations():
    architecture, optimizer, budget = specs(LARGE["lstm"])
    budgets = budget, dataclasses.replace(budget, batch_size=16)
    activations = [accounting.memory(architecture, optimizer, b, VOCABULARY)["activations"] for b in budgets]
    assert activations[1] == pytest.approx(2 * activations[0], rel=0.02)


@pytest.mark.parametrize("vocabulary", [512, 513])
def test_layers_as_wide_as_the_vocabulary_are_not_taken_for_logits(vocabulary):
    """The MLP of a model of width 128 is 512 wide."""
    narrow, wide = (accounting.memory(*specs(LARGE["gpt1"]), symbols) for symbols in (vocabulary, 514))
    assert narrow["logits"] == pytest.approx(wide["logits"], rel=0.01)
    assert narrow["activations"] == pytest.approx(wide["activations"], rel=0.01)


def test_counting_draws_nothing():
    state = torch.get_rng_state()
    accounting.memory(*specs(LARGE["lstm"]), VOCABULARY)
    assert torch.equal(torch.get_rng_state(), state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bigram(Architecture):
    """A user's model, with logits that are all there at once, and one that looks at numbers."""

    name = "a-bigram"
    title = "Bigram"
    wants_numbers: bool = False

    def build(self, vocabulary, sequence_length):
        return BigramModel(vocabulary, wants_numbers=self.wants_numbers)


class BigramModel(nn.Module):
    def __init__(self, vocabulary, *, wants_numbers):
        super().__init__()
        self.table = nn.Embedding(vocabulary, vocabulary)
        self.wants_numbers = wants_numbers

    def loss(self, inputs_BxL, targets_BxL):
        if self.wants_numbers:
            inputs_BxL = inputs_BxL[torch.tensor(inputs_BxL.tolist()) >= 0]
        logits = self.table(inputs_BxL).flatten(0, 1)
        return nn.functional.cross_entropy(logits, targets_BxL.flatten())


def test_a_users_model_is_counted_as_well():
    told = accounting.memory(*specs(Bigram()), 300)
    # The logits, their logarithm of softmax, and the gradients of both.
    assert 2 <= told["logits"] / (8 * 64 * 300 * 4) <= 4
    assert told["activations"] < told["logits"] / 10


def test_of_a_model_that_cannot_do_without_numbers_nothing_is_said():
    assert accounting.memory(*specs(Bigram(wants_numbers=True)), 300) is None


def test_of_a_model_that_ends_python_nothing_is_said(monkeypatch):
    monkeypatch.setattr(BigramModel, "loss", lambda *_: sys.exit())
    assert accounting.memory(*specs(Bigram()), 299) is None
