"""The same model over 2,048 to 16,384 symbols, at three learning rates, and at the best of them with three seeds.

    python examples/vocabulary.py

A vocabulary is part of a budget, and a study has one budget: so there is a study for each. docs/fair.md says what was
expected before anything was run, and what came of it.
"""

import bakeoff
from bakeoff.experiments import MODERN
from bakeoff.models import GLR
from bakeoff.optimizers import Muon
from bakeoff.spec import Study

VOCABULARIES = (2048, 4096, 8192, 16384)
contenders = [(GLR(width=128, layers=2), Muon(lr=lr, weight_decay=0.01)) for lr in (0.01, 0.03, 0.1)]
usual = Study.of("usual", corpus=MODERN.corpus, budget=MODERN.budget, contenders=contenders)

if __name__ == "__main__":
    for vocabulary in VOCABULARIES:
        study = usual.with_shared(name=f"vocabulary-{vocabulary}", vocabulary=vocabulary)
        found = bakeoff.run(study, jobs=2, threads=1, write_report=False).rows()
        best = found.sort("valid_perplexity")["number"][0]
        bakeoff.run(study, only=[best], seeds=3, jobs=2, threads=1, write_report=False)
