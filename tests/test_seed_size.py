"""Experiments 1 and 5 of the seed's study at full width, on all of WikiText-2, for as many minutes as one has.

`make seed-check`; BAKEOFF_MINUTES says how many minutes each of the two is trained (15).
"""

import dataclasses
import os
import time

import numpy as np
import pytest
import torch

from bakeoff import costs, data, models, words
from bakeoff.experiments import SEED_LEARNED
from bakeoff.machine import Clock, keep_freed_memory, usable_cores
from bakeoff.memory import SamplingMeter
from bakeoff.training import Training, token_nats

MINUTES = os.environ.get("BAKEOFF_MINUTES")
#: Nats of the unigram on valid: a model above it has learned nothing about context.
UNIGRAM = 6.71
MOST_BYTES = 4_000_000_000
#: Valid sequences that are evaluated.
EVALUATED = 64
CPU = torch.device("cpu")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MINUTES is None, reason="BAKEOFF_MINUTES names no minutes: `make seed-check`"),
]


class OutOfTimeError(Exception):
    pass


@pytest.fixture(scope="module")
def study():
    precision = "bf16" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "fp32"
    return SEED_LEARNED.with_shared(precision=precision, threads=usable_cores())


@pytest.fixture
def tokens(given_data, study):
    if not data.is_here(study.corpus, study.budget):
        pytest.skip("BAKEOFF_DATA has no gpt1")
    return data.prepare(study.corpus, study.budget)


@pytest.fixture
def said(capsys):
    """Print past pytest: the numbers are what one calls this for."""

    def say(line):
        with capsys.disabled():
            print(f"\n{line}", flush=True)  # noqa: T201

    return say


def trained(run, tokens, seconds):
    """The run after so many seconds, its clock and its memory, by the loop that its runs use."""
    torch.manual_seed(42)
    torch.set_num_threads(run.budget.threads)
    keep_freed_memory()
    memory, clock = SamplingMeter(CPU), Clock()
    model = models.build(run.architecture, run.budget, tokens.vocabulary, CPU)
    ends = time.monotonic() + seconds

    def on_step(step, loss):
        if time.monotonic() > ends:
            raise OutOfTimeError

    training = Training(
        model=model,
        optimizer=run.optimizer.build(model),
        schedule=lambda step: 1.0,
        train=tokens.splits["train"],
        measured={},
        budget=run.budget,
        seed=42,
        device=CPU,
        clock=clock,
        steady=memory.window,
        on_step=on_step,
    )
    with pytest.raises(OutOfTimeError):
        list(training.evaluations())
    return training, clock, memory.as_json()


@pytest.mark.parametrize("number", [1, 5])
def test_it_learns_in_the_memory_that_there_is(number, study, tokens, said):
    run = study.runs[number - 1]
    training, clock, memory = trained(run, tokens, 60 * float(MINUTES))
    budget = run.budget
    valid = tokens.splits["valid"]
    part = dataclasses.replace(valid, tokens_N=valid.tokens_N[: EVALUATED * budget.sequence_length + 1])
    loss = float(token_nats(training.model, part, budget, CPU).mean())
    seen = training.step * budget.batch_size * budget.sequence_length
    peak = memory["baseline_bytes"] + memory["peak_bytes"]
    said(
        f"{run.slug}, {budget.precision}, {budget.threads} threads: {training.step} steps, {words.count(seen)} "
        f"tokens, {words.count(seen / clock.seconds['training'])} tokens/s; memory {words.megabytes(peak)} MB at its "
        f"peak; train {np.mean(training.steps.losses[-20:]):.3f}, valid {loss:.3f} nats"
    )
    assert peak < MOST_BYTES
    assert training.steps.losses[-1] < training.steps.losses[0]
    assert loss < UNIGRAM


def test_the_whole_study_can_be_projected(study, tokens, said):
    cost = costs.estimate(study.runs, tokens, CPU)
    said(f"the whole of {study.name} on this machine: {words.duration(cost.seconds)}, by three steps of each model")
    assert cost.seconds > 0
