"""How long a step takes with each optimizer, as a multiple of AdamW's.

`python tools/step_costs.py` trains models of the size of `modern`, on one thread: a step with each optimizer in turns.
"""

import dataclasses
import statistics

import torch

from bakeoff import costs, data
from bakeoff.data import Tokens
from bakeoff.experiments import MODERN
from bakeoff.models import GLR, GPT, LSTM
from bakeoff.optimizers import OPTIMIZERS, AdamW
from bakeoff.spec import Architecture, Run, Study

#: How often a few steps of all are timed.
ROUNDS = 5
#: Whose steps are the measure.
MEASURE = list(OPTIMIZERS.values()).index(AdamW)


def multiples(study: Study, architecture: Architecture, tokens: Tokens) -> list[list[float]]:
    """For each optimizer its step as a multiple of AdamW's, by rounds."""
    budget = dataclasses.replace(study.budget, threads=1, precision="fp32")
    optimizers = [kind() for kind in OPTIMIZERS.values()]
    runs = [
        Run(number=number, corpus=study.corpus, architecture=architecture, optimizer=each, budget=budget, seed=0)
        for number, each in enumerate(optimizers, start=1)
    ]
    rounds = []
    for _ in range(ROUNDS):
        seconds = [cost.step if cost else float("nan") for cost in costs.time_steps(runs, tokens, torch.device("cpu"))]
        rounds.append([each / seconds[MEASURE] for each in seconds])
    return [list(of_one) for of_one in zip(*rounds, strict=True)]


def main() -> None:
    """Print the medians and their ranges as a table."""
    models = {
        experiment.architecture.title: experiment.architecture
        for experiment in MODERN.experiments
        if isinstance(experiment.architecture, LSTM | GPT | GLR)
    }
    tokens = data.prepare(MODERN.corpus, MODERN.budget)
    found = [multiples(MODERN, architecture, tokens) for architecture in models.values()]
    print(f"| | {' | '.join(models)} |", f"|---|{'--:|' * len(models)}", sep="\n")
    for kind, *by_model in zip(OPTIMIZERS.values(), *found, strict=True):
        cells = [f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})" for each in by_model]
        print(f"| {kind.title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
