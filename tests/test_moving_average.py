"""The moving average of the weights against the sum that defines it."""

import pytest
import torch
from torch import nn

from bakeoff.moving_average import MovingAverage


def walked(decay, steps):
    """A model whose weights jump about, what they were after each step, and their average."""
    torch.manual_seed(0)
    model, seen = nn.Linear(3, 2), []
    average = MovingAverage(model, decay)
    for step in range(1, steps + 1):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update(step)
        seen.append({name: parameter.detach().clone() for name, parameter in model.named_parameters()})
    return model, seen, average


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.9999])
def test_each_step_weighs_less_than_the_one_after_it_by_the_decay(decay):
    _, seen, average = walked(decay, 20)
    shares = [decay ** (len(seen) - 1 - place) for place in range(len(seen))]
    for name, weight in average.weights.items():
        expected = sum(share * each[name].double() for share, each in zip(shares, seen, strict=True)) / sum(shares)
        torch.testing.assert_close(weight.double(), expected, rtol=1e-4, atol=1e-5)


def test_after_one_step_it_is_the_weights_and_none_of_those_before():
    model, _, average = walked(0.999, 1)
    assert all(torch.equal(weight, model.get_parameter(name)) for name, weight in average.weights.items())


def test_it_goes_on_from_what_was_saved_and_not_without_all_of_it():
    model, _, average = walked(0.9, 5)
    other = MovingAverage(model, 0.9)
    other.load(average.weights)
    assert all(torch.equal(weight, average.weights[name]) for name, weight in other.weights.items())
    with pytest.raises(KeyError):
        other.load({"weight": average.weights["weight"]})
