"""Each optimizer against the published update, written out."""

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Lion, Momentum, NAdam

STEPS = 30
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


def nadam(w, g, state, t, decay):
    """Dozat 2016, with torch's schedule of the momentum (0.96 to the power of the step, times its decay)."""
    g = g + decay * w
    mu, following = (B1 * (1 - 0.5 * 0.96 ** (step * 4e-3)) for step in (t, t + 1))
    product = state["product"] = state.get("product", 1.0) * mu
    m = state["m"] = B1 * state.get("m", 0.0) + (1 - B1) * g
    v = state["v"] = B2 * state.get("v", 0.0) + (1 - B2) * g**2
    mean = following * m / (1 - product * following) + (1 - mu) * g / (1 - product)
    return w - LR * mean / (np.sqrt(v / (1 - B2**t)) + EPS)


def lion(w, g, state, t, decay):
    """Chen et al. 2023, algorithm 2."""
    m = state.get("m", 0.0)
    step = np.sign(B1 * m + (1 - B1) * g)
    state["m"] = B2 * m + (1 - B2) * g
    return w - LR * (step + decay * w)


REFERENCES = {
    "adam": (Adam(lr=LR, betas=(B1, B2), eps=EPS), adam),
    "adamw": (AdamW(lr=LR, betas=(B1, B2), eps=EPS), adamw),
    "sgd": (SGD(lr=LR), sgd),
    "momentum": (Momentum(lr=LR, momentum=MU), momentum),
    "nadam": (NAdam(lr=LR, betas=(B1, B2), eps=EPS), nadam),
    "lion": (Lion(lr=LR, betas=(B1, B2)), lion),
}


def test_every_registered_optimizer_has_a_reference_here_or_a_file_of_its_own():
    assert {*REFERENCES, "muon", "soap", "schedulefree"} == set(OPTIMIZERS)
    assert [kind.name for kind in OPTIMIZERS.values()] == list(OPTIMIZERS)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("decayed", ["none", "matrices", "all"])
def test_steps_equal_the_published_update(name, decayed):
    spec, reference = REFERENCES[name]
    tolerance = 1e-5 if name == "nadam" else 1e-9  # torch keeps the product of momenta in float32
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
            np.testing.assert_allclose(
                parameter.detach().numpy(), expected[key], rtol=tolerance, err_msg=f"{key}, step {t}"
            )


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
