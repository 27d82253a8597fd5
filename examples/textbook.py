"""Five effects that textbooks tell of, looked for in a small study: a grid of learning rates for each way to train.

    bakeoff run examples/textbook.py --seeds 3 --jobs 2 --threads 1
    bakeoff run examples/warmup.py --seeds 3 --jobs 2 --threads 1
    python tests/effects.py results/textbook.json runs/textbook* runs/warmup*

docs/textbook.md says what was expected before anything was run, and what came of it.
"""

import dataclasses

from bakeoff import tuning
from bakeoff.experiments import QUICK
from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import SGD, Adam, AdamW, Momentum
from bakeoff.spec import Architecture, Optimizer, Study

ADAM, ADAMW, MOMENTUM, PLAIN = Adam(), AdamW(weight_decay=0.1), Momentum(), SGD()
#: For each of two models its optimizers, and the rate in the middle of the grid of each, in half decades above 1.
MIDDLE: dict[Architecture, dict[Optimizer, int]] = {
    LSTM(embedding=128, hidden=128): {ADAM: -4, ADAMW: -4, MOMENTUM: 1, PLAIN: 2},
    GPT1(width=128, heads=4): {ADAM: -6, ADAMW: -6, MOMENTUM: -1, PLAIN: 1},
}
#: The norm after each branch and before it, at three depths; their grid is that of one layer.
DEEP = [GPT1(width=128, heads=4, layers=layers, post_norm=post) for layers in (4, 1, 2) for post in (True, False)]
#: Half decades from the middle.
GRID = (-2, -1, 0, 1, 2)


def grid(architecture: Architecture, optimizer: Optimizer, middle: int) -> list[tuple[Architecture, Optimizer]]:
    """A model with an optimizer at every rate of its grid."""
    return [(architecture, dataclasses.replace(optimizer, lr=tuning.rate(middle + place))) for place in GRID]


shallow = [
    pair for model, middles in MIDDLE.items() for kind, middle in middles.items() for pair in grid(model, kind, middle)
]
deep = [pair for model in DEEP for pair in grid(model, ADAMW, MIDDLE[GPT1(width=128, heads=4)][ADAMW])]
budget = dataclasses.replace(QUICK.budget, epochs=2)
study = Study.of("textbook", corpus=QUICK.corpus, budget=budget, contenders=[*dict.fromkeys([*shallow, *deep])])
