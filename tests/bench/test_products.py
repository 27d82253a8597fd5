"""The matrix products of a step, against what torch counts while the real model makes one."""

import dataclasses

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bakeoff.bench import products
from bakeoff.bench.cases import CASES, Workload
from bakeoff.models import GPT1, LSTM

SMALL = Workload(name="small", architecture=GPT1(width=8, heads=2), vocabulary=30, batch_size=2, length=5, peers=())


def operations(case):
    """Multiplications and additions of all products of a step."""
    return sum(2 * p.m * p.k * p.n * p.calls * p.batch for p in products.products(case))


def counted(case):
    """Operations of a step as torch sees them, with the plain loss."""
    model = case.architecture.build(case.vocabulary, case.length)
    inputs, targets = torch.randint(case.vocabulary, (2, case.batch_size, case.length))
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
    return counter.get_total_flops()


@pytest.mark.parametrize("layers", [1, 3])
def test_gpt1_s_products_are_those_that_torch_counts(layers):
    case = dataclasses.replace(SMALL, architecture=GPT1(width=8, heads=2, layers=layers))
    assert operations(case) == counted(case)


@pytest.mark.parametrize("layers", [1, 2])
def test_an_lstm_s_products_are_those_of_its_cells_written_out(layers):
    case = dataclasses.replace(SMALL, architecture=LSTM(embedding=6, hidden=4, layers=layers))
    # Per token: a cell multiplies input and state by the gates' weights; then the projection, then the symbols.
    inputs = [6] + [4] * (layers - 1)
    per_token = sum(2 * (width + 4) * 4 * 4 for width in inputs) + 2 * 4 * 6 + 2 * 6 * 30
    assert operations(case) == 3 * per_token * case.tokens


def test_the_limit_is_the_sum_over_all_calls(monkeypatch):
    monkeypatch.setattr(products, "_seconds", lambda product, dtype: 1.0)
    expected = sum(product.calls for product in products.products(CASES[0]))
    assert products.seconds(CASES[0], torch.float32) == expected
    monkeypatch.undo()
    assert 0 < products.seconds(SMALL, torch.float32) < 1
