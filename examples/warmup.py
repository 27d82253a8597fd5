"""The deep models of `textbook.py` once more, with four times the warm-up."""

import dataclasses

from textbook import budget, deep

from bakeoff.experiments import QUICK
from bakeoff.spec import Budget, Study

#: The same 416 steps, counted, as a warm-up is; without being told the rate rises for a twentieth of them, 21.
longer = dataclasses.replace(budget, epochs=Budget.epochs, steps=416, epoch_steps=208, warmup_steps=84)
study = Study.of("warmup", corpus=QUICK.corpus, budget=longer, contenders=deep)
