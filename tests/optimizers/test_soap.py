"""SOAP against the published algorithm, written out in numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from bakeoff.optimizers import SOAP, AdamW

STEPS, LR, DECAY, B1, B2, EPS, EVERY = 30, 0.05, 0.3, 0.8, 0.95, 1e-6, 4
#: A square one has full bases on both sides from the first gradient on: without zeros, whose directions are arbitrary.
SQUARE, TALL = (4, 4), (5, 3)


def gradients(*shape):
    return np.random.default_rng(1).normal(size=(STEPS, *shape))


def weight(*shape):
    return nn.Parameter(torch.from_numpy(np.random.default_rng(0).normal(size=shape)))


def soap(start, given, sides):
    """Vyas et al. 2024, algorithm 3; a side without a basis has the identity."""
    products, bases = [np.zeros((n, n)) for n in start.shape], [np.eye(n) for n in start.shape]
    found, mean, square = start, np.zeros_like(start), np.zeros_like(start)
    for t, gradient in enumerate(given):
        if t:
            mean = B1 * mean + (1 - B1) * gradient
            square = B2 * square + (1 - B2) * (bases[0].T @ gradient @ bases[1]) ** 2
            direction = (bases[0].T @ mean @ bases[1]) / (np.sqrt(square) + EPS)
            scale = LR * np.sqrt(1 - B2**t) / (1 - B1**t)
            found = (found - scale * bases[0] @ direction @ bases[1].T) * (1 - LR * DECAY)
        for side, outer in enumerate((gradient @ gradient.T, gradient.T @ gradient)):
            if side not in sides:
                continue
            products[side] = B2 * products[side] + (1 - B2) * outer
            if t == 0:
                bases[side] = np.linalg.eigh(products[side])[1][:, ::-1]
            elif t % EVERY == 0:
                order = np.argsort(-np.diag(bases[side].T @ products[side] @ bases[side]))
                square = square[order] if side == 0 else square[:, order]
                bases[side] = np.linalg.qr(products[side] @ bases[side][:, order])[0]
    return found


def trained(kind, given, *, decay=DECAY, **settings):
    """What the weight is after these gradients."""
    model = nn.Module()
    model.weight = weight(*given.shape[1:])
    optimizer = kind(lr=LR, weight_decay=decay, betas=(B1, B2), eps=EPS, decayed="all", **settings).build(model)
    for gradient in given:
        model.weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
    return model.weight.detach().numpy()


@pytest.mark.parametrize(
    ("shape", "longest", "sides"), [(SQUARE, 4, (0, 1)), (TALL, 4, (1,)), (TALL[::-1], 4, (0,)), (TALL, 0, ())]
)
def test_thirty_steps_are_those_of_the_published_algorithm(shape, longest, sides):
    given = gradients(*shape)
    found = trained(SOAP, given, every=EVERY, longest=longest)
    np.testing.assert_allclose(found, soap(weight(*shape).detach().numpy(), given, sides), rtol=1e-8)


def test_without_a_basis_it_is_adam_from_the_second_gradient_on():
    given = gradients(6)
    found = trained(SOAP, given)
    np.testing.assert_allclose(found, trained(SOAP, given.reshape(STEPS, 6, 1), longest=0)[:, 0], rtol=1e-12)
    without_decay = trained(SOAP, given, decay=0.0)
    np.testing.assert_allclose(without_decay, trained(AdamW, given[1:], decay=0.0), rtol=1e-4)  # where eps is added


def test_its_way_does_not_depend_on_how_the_axes_are_turned():
    given, turn = gradients(*TALL), np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]

    def apart(kind, **settings):
        start = weight(*TALL).detach().numpy()
        way, turned = (trained(kind, each, decay=0.0, **settings) - start for each in (given, given @ turn))
        return np.abs(way @ turn - turned).max()

    assert apart(SOAP, every=1, longest=4) < 1e-9
    assert apart(AdamW) > 0.01


@pytest.mark.parametrize("settings", [{"every": 0}, {"every": 1.5}, {"longest": -1}, {"betas": (0.9, 1.0)}])
def test_what_it_cannot_take_is_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        SOAP(**settings)
