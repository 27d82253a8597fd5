"""Muon against AdamW, and recurrence against attention, each at its best batch and rate.

    bakeoff run examples/fair.py --jobs 2 --threads 1

docs/fair.md says what was expected before anything was run, and what came of it.
"""

import dataclasses

from bakeoff.experiments import MODERN
from bakeoff.models import GLR, GPT
from bakeoff.optimizers import AdamW, Muon
from bakeoff.spec import Architecture, Experiment, Optimizer, Study

#: Learning rates of each optimizer's grid, half a decade apart, around those that a search of `modern` found.
RATES: dict[Optimizer, tuple[float, ...]] = {
    Muon(weight_decay=0.01): (0.01, 0.03, 0.1),
    AdamW(weight_decay=0.1): (0.001, 0.003, 0.01),
}
MUON, ADAMW = RATES
BATCHES = (4, 8, 16, 32)
#: The usual batch, with which architectures are compared.
BATCH = MODERN.budget.batch_size

RECURRENCE = {shift: GLR(width=128, layers=2, token_shift=shift) for shift in (True, False)}
ATTENTION = {shift: GPT(width=128, layers=2, heads=2, token_shift=shift) for shift in (True, False)}

arms: list[tuple[Architecture, Optimizer, int]] = [
    *((RECURRENCE[True], optimizer, batch) for optimizer in RATES for batch in BATCHES),
    *((architecture, MUON, BATCH) for architecture in (RECURRENCE[False], ATTENTION[True], ATTENTION[False])),
]
runs = [
    (architecture, dataclasses.replace(optimizer, lr=rate), batch)
    for architecture, optimizer, batch in arms
    for rate in RATES[optimizer]
]
study = Study(
    name="fair",
    corpus=MODERN.corpus,
    budget=MODERN.budget,
    experiments=tuple(
        Experiment(number=number, architecture=architecture, optimizer=optimizer, batch_size=batch)
        for number, (architecture, optimizer, batch) in enumerate(runs, start=1)
    ),
)
