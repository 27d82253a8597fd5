"""Each optimizer against the published update, written out; schedules against their promises."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bakeoff.optimizers import OPTIMIZERS, SCHEDULES, SGD, WARMUP, Adam, AdamW, Momentum

STEPS = 5
LR, DECAY = 0.05, 0.3
B1, B2, EPS, MU = 0.8, 0.95, 1e-6, 0.7


class Two(nn.Module):
    """A matrix and a bias."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3, 2, generator=generator, dtype=torch.float64))
        self.bias = nn.Parameter(torch.randn(4, generator=generator, dtype=torch.float64))


GRADIENTS = {name: np.random.default_rng(1).normal(size=(STEPS, *p.shape)) for name, p in Two().named_parameters()}


def adam_step(w, g, state, t):
    m = state["m"] = B1 * state.get("m", 0.0) + (1 - B1) * g
    v = state["v"] = B2 * state.get("v", 0.0) + (1 - B2) * g**2
    return w - LR * (m / (1 - B1**t)) / (np.sqrt(v / (1 - B2**t)) + EPS)


def adam(w, g, state, t, decay):
    """Kingma & Ba 2015, algorithm 1, with L2 in the gradient."""
    return adam_step(w, g + decay * w, state, t)


def adamw(w, g, state, t, decay):
    """Loshchilov & Hutter 2019, algorithm 2: the decay beside the adaptive step."""
    return adam_step(w, g, state, t) - LR * decay * w


def sgd(w, g, state, t, decay):
    return w - LR * (g + decay * w)


def momentum(w, g, state, t, decay):
    """Polyak 1964: the velocity is a sum, not a mean, of gradients."""
    state["v"] = MU * state.get("v", 0.0) + g + decay * w
    return w - LR * state["v"]


REFERENCES = {
    "adam": (Adam(lr=LR, betas=(B1, B2), eps=EPS), adam),
    "adamw": (AdamW(lr=LR, betas=(B1, B2), eps=EPS), adamw),
    "sgd": (SGD(lr=LR), sgd),
    "momentum": (Momentum(lr=LR, momentum=MU), momentum),
}


def test_every_registered_optimizer_has_a_reference_here():
    assert list(REFERENCES) == list(OPTIMIZERS)
    assert [kind.name for kind in OPTIMIZERS.values()] == list(OPTIMIZERS)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("decayed", ["none", "matrices", "all"])
def test_steps_equal_the_published_update(name, decayed):
    spec, reference = REFERENCES[name]
    options = {} if decayed == "none" else {"weight_decay": DECAY, "decayed": decayed}
    model = Two()
    optimizer = type(spec)(**{**vars(spec), **options}).build(model)
    expected, states = {n: p.detach().numpy().copy() for n, p in model.named_parameters()}, {"weight": {}, "bias": {}}
    for t in range(1, STEPS + 1):
        for key, parameter in model.named_parameters():
            parameter.grad = torch.from_numpy(GRADIENTS[key][t - 1])
            decay = DECAY if decayed == "all" or (decayed == "matrices" and key == "weight") else 0.0
            expected[key] = reference(expected[key], GRADIENTS[key][t - 1], states[key], t, decay)
        optimizer.step()
        for key, parameter in model.named_parameters():
            np.testing.assert_allclose(parameter.detach().numpy(), expected[key], rtol=1e-9, err_msg=f"{key}, step {t}")


def test_defaults_are_the_published_ones():
    assert (Adam(lr=1).betas, Adam(lr=1).eps, Momentum(lr=1).momentum) == ((0.9, 0.999), 1e-8, 0.9)
    assert all(kind(lr=1).weight_decay == 0 for kind in OPTIMIZERS.values())


@pytest.mark.parametrize("wrong", [{"lr": 0.0}, {"lr": -1.0}, {"lr": float("nan")}, {"lr": 1.0, "weight_decay": -0.1}])
def test_an_impossible_rate_or_decay_is_refused(wrong):
    with pytest.raises(ValueError, match=r"learning rate|weight decay"):
        SGD(**wrong)


def test_a_misspelt_kind_of_decay_is_refused():
    with pytest.raises(ValueError, match="decayed"):
        SGD(lr=1.0, decayed="matrixes")


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(steps=st.integers(1, 3000))
def test_rates_are_positive_at_every_step_and_reach_exactly_the_peak(schedule, steps):
    rates = [SCHEDULES[schedule](steps)(step) for step in range(steps)]
    assert min(rates) > 0
    assert max(rates) == 1.0


@given(steps=st.integers(1, 3000))
def test_the_linear_schedule_is_two_straight_lines_that_start_and_end_one_step_from_zero(steps):
    schedule = SCHEDULES["linear"](steps)
    rates = np.array([0.0, *map(schedule, range(steps + 1))])  # one place before the first step, one after the last
    peak = int(rates.argmax())
    assert peak == max(1, round(WARMUP * steps))
    np.testing.assert_allclose(rates[: peak + 1], np.linspace(0, 1, peak + 1), atol=1e-12)
    np.testing.assert_allclose(rates[peak:], np.linspace(1, 0, len(rates) - peak), atol=1e-12)


def test_the_constant_schedule_never_moves():
    assert {SCHEDULES["constant"](7)(step) for step in range(9)} == {1.0}
