"""This machine's own limit: the time that a step's matrix products take when nothing else is done.

A product of M x K and K x N matrices is written (M, K, N). Every product of a forward pass has two in the
backward pass: one for the gradient of each factor.
"""

import timeit
from collections.abc import Callable
from typing import NamedTuple

import torch

from bakeoff.bench.cases import Workload
from bakeoff.models import GPT1, LSTM
from bakeoff.spec import Architecture

#: Times that a product is repeated for one reading.
REPEATS = 5


class Product(NamedTuple):
    """A product, how many of them a library call does at once, and how many such calls a step makes."""

    m: int
    k: int
    n: int
    calls: int = 1
    batch: int = 1


def products(case: Workload) -> list[Product]:
    """Every matrix product of one training step, output layer included."""
    architecture, tokens = case.architecture, case.tokens
    width = getattr(architecture, "width", None) or architecture.embedding  # type: ignore[attr-defined]
    return [*_with_gradients(Product(tokens, width, case.vocabulary)), *_BODIES[type(architecture)](architecture, case)]


def seconds(case: Workload, dtype: torch.dtype) -> float:
    """What the products of one step take, each timed alone at its own shape, in that precision."""
    return sum(product.calls * _seconds(product, dtype) for product in products(case))


def _seconds(product: Product, dtype: torch.dtype) -> float:
    a = torch.randn(product.batch, product.m, product.k, dtype=dtype)
    b = torch.randn(product.batch, product.k, product.n, dtype=dtype)
    if product.batch == 1:
        a, b = a[0], b[0]
    out = a @ b
    readings = timeit.repeat(lambda: torch.matmul(a, b, out=out), number=1, repeat=REPEATS)
    return sorted(readings)[REPEATS // 2]


def _with_gradients(forward: Product) -> list[Product]:
    m, k, n, calls, batch = forward
    return [forward, Product(m, n, k, calls, batch), Product(k, m, n, calls, batch)]


def _gpt1(spec: GPT1, case: Workload) -> list[Product]:
    tokens, width, heads = case.tokens, spec.width, case.batch_size * spec.heads
    head_width = width // spec.heads
    forward = [
        Product(tokens, width, 3 * width, spec.layers),
        Product(case.length, head_width, case.length, spec.layers, heads),
        Product(case.length, case.length, head_width, spec.layers, heads),
        Product(tokens, width, width, spec.layers),
        Product(tokens, width, 4 * width, spec.layers),
        Product(tokens, 4 * width, width, spec.layers),
    ]
    return [product for one in forward for product in _with_gradients(one)]


def _lstm(spec: LSTM, case: Workload) -> list[Product]:
    """The recurrent product is done place by place, forward and back; the gradient of its weights at once."""
    tokens, gates = case.tokens, 4 * spec.hidden
    found = _with_gradients(Product(tokens, spec.hidden, spec.embedding))
    for layer in range(spec.layers):
        found += _with_gradients(Product(tokens, spec.hidden if layer else spec.embedding, gates))
        found += [
            Product(case.batch_size, spec.hidden, gates, case.length),
            Product(case.batch_size, gates, spec.hidden, case.length),
            Product(spec.hidden, tokens, gates),
        ]
    return found


_BODIES: dict[type[Architecture], Callable[..., list[Product]]] = {GPT1: _gpt1, LSTM: _lstm}
