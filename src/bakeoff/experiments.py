"""The experiments, declared. Read this file first: everything else follows from it.

Twelve experiments, numbered as in the course report that Bakeoff starts from: two architectures with four optimizers
each at one layer (1-8), then both at two and four layers with AdamW (9-12). A study gives them all the same corpus and
the same budget.
"""

from functools import partial

from bakeoff.models import GPT1, LSTM
from bakeoff.optimizers import SGD, Adam, AdamW, Momentum
from bakeoff.spec import Budget, Corpus, Study

# Weight decay is none but for AdamW, whose decay is large enough to act.
_DecayingAdamW = partial(AdamW, weight_decay=0.1)

#: Minutes on a laptop: an excerpt of whole articles, models of about half a million parameters.
QUICK = Study.of(
    "quick",
    corpus=Corpus(name="vital-articles", documents=(640, 150, 150)),
    budget=Budget(epochs=10, batch_size=16, sequence_length=128, vocabulary=2048),
    contenders=[
        (LSTM(layers=1), Adam(lr=1e-2)),
        (LSTM(layers=1), _DecayingAdamW(lr=1e-2)),
        (LSTM(layers=1), SGD(lr=10.0)),
        (LSTM(layers=1), Momentum(lr=1.0)),
        (GPT1(layers=1), Adam(lr=3e-3)),
        (GPT1(layers=1), _DecayingAdamW(lr=3e-3)),
        (GPT1(layers=1), SGD(lr=1.0)),
        (GPT1(layers=1), Momentum(lr=0.1)),
        (LSTM(layers=2), _DecayingAdamW(lr=1e-2)),
        (LSTM(layers=4), _DecayingAdamW(lr=1e-2)),
        (GPT1(layers=2), _DecayingAdamW(lr=3e-3)),
        (GPT1(layers=4), _DecayingAdamW(lr=1e-3)),
    ],
)

# The course report's sizes and settings; its embeddings were the released GPT-1's, frozen.
_SeedLSTM = partial(LSTM, embedding=768, hidden=512, initialization="pytorch", embeddings="gpt1")
_SeedGPT1 = partial(GPT1, width=768, heads=12, initialization="pytorch", embeddings="gpt1")
_SeedAdam = partial(Adam, lr=1e-3)
_SeedAdamW = partial(AdamW, lr=1e-3, weight_decay=5e-4, decayed="all")
_SeedSGD = partial(SGD, lr=1e-3, weight_decay=5e-4, decayed="all")
_SeedMomentum = partial(Momentum, lr=1e-3, weight_decay=5e-4, decayed="all")

#: The course report itself, at full size: one learning rate for all, no schedule, no clipping.
SEED = Study.of(
    "seed",
    corpus=Corpus(name="wikitext-2"),
    budget=Budget(
        epochs=10,
        batch_size=16,
        sequence_length=256,
        tokenizer="gpt1",
        vocabulary=40_478,
        schedule="constant",
        clip=None,
    ),
    contenders=[
        (_SeedLSTM(layers=1), _SeedAdam()),
        (_SeedLSTM(layers=1), _SeedAdamW()),
        (_SeedLSTM(layers=1), _SeedSGD()),
        (_SeedLSTM(layers=1), _SeedMomentum()),
        (_SeedGPT1(layers=1), _SeedAdam()),
        (_SeedGPT1(layers=1), _SeedAdamW()),
        (_SeedGPT1(layers=1), _SeedSGD()),
        (_SeedGPT1(layers=1), _SeedMomentum()),
        (_SeedLSTM(layers=2), _SeedAdamW()),
        (_SeedLSTM(layers=4), _SeedAdamW()),
        (_SeedGPT1(layers=2), _SeedAdamW()),
        (_SeedGPT1(layers=4), _SeedAdamW()),
    ],
    seeds=(42,),
)

STUDIES = {study.name: study for study in (QUICK, SEED)}
