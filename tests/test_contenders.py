"""Every model with every optimizer, at its default rate, through the real worker."""

import dataclasses
import itertools

import numpy as np
import pytest

from bakeoff.job import Job
from bakeoff.models import ARCHITECTURES, GLR, GPT, GPT1, GRU, LSTM, Transformers
from bakeoff.optimizers import OPTIMIZERS, SOAP, Lion, Muon, NAdam, ScheduleFreeAdamW
from bakeoff.run_folder import FINISHED, RunFolder
from bakeoff.spec import Budget
from bakeoff.worker import work

MODELS = {
    LSTM: LSTM(embedding=16, hidden=16, dropout=0.1, locked_dropout=True, weight_drop=0.1),
    GPT1: GPT1(width=16, heads=2),
    GPT: GPT(width=16, heads=2, dropout=0.1, token_shift=True),
    GLR: GLR(width=16, dropout=0.1),
    GRU: GRU(embedding=16, hidden=16),
    Transformers: Transformers("llama", hidden_size=16, num_attention_heads=2, intermediate_size=32),
}
#: Each new one once; the others are slow.
FIRST = [(GPT, Lion), (GPT1, SOAP), (GRU, NAdam), (GLR, Muon), (Transformers, ScheduleFreeAdamW)]
ALL = [
    pytest.param(*pair, marks=() if pair in FIRST else pytest.mark.slow, id="-".join(kind.name for kind in pair))
    for pair in itertools.product(ARCHITECTURES.values(), OPTIMIZERS.values())
]


@pytest.mark.parametrize(("model", "optimizer"), ALL)
def test_a_contender_learns_at_its_default_rate_and_is_recorded(tiny_study, tmp_path, model, optimizer):
    study = tiny_study.with_shared(precision="fp32", threads=1, epochs=Budget.epochs, steps=60, epoch_steps=30)
    run = dataclasses.replace(study.runs[0], architecture=MODELS[model], optimizer=optimizer())
    work(Job(run=run, folder=tmp_path, device="cpu", alone=True), lambda message: None)
    folder = RunFolder(tmp_path)
    assert folder.status == FINISHED, folder.summary
    history = folder.history()
    nats = [line["valid"]["nats"] / line["valid"]["tokens"] for line in history]
    assert np.isfinite(nats).all()
    assert min(nats[1:]) < nats[0]
