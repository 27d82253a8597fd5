"""The experiments, declared. Read this file first: everything else follows from it.

Twelve experiments, numbered as in the course report that Bakeoff starts from: two architectures with four optimizers
each at one layer (1-8), then both at two and four layers with AdamW (9-12). The modern studies have sixteen of today. A
study gives all of its experiments the same corpus and the same budget. Their learning rates are not chosen here: the
files in `rates/` hold what one search, the same for every experiment, has found. Those of the course report are its
own, and with those of its contenders `bakeoff choose` begins its search.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bakeoff import rates
from bakeoff.models import GLR, GPT, GPT1, GRU, LSTM
from bakeoff.models.tied import TiedArchitecture
from bakeoff.optimizers import SGD, Adam, AdamW, Lion, Momentum, Muon, ScheduleFreeAdamW
from bakeoff.spec import Architecture, Budget, Corpus, Optimizer, Study

#: Channels of an attention head in contenders of today.
HEAD = 64

Contenders = list[tuple[Architecture, Optimizer]]
Build = Callable[..., Architecture]


def twelve(lstm: Build, gpt1: Build, optimizers: tuple[Optimizer, Optimizer, Optimizer, Optimizer]) -> Contenders:
    """The twelve experiments, with models of some size and optimizers of some settings."""
    adam, adamw, sgd, momentum = optimizers
    return [
        (lstm(layers=1), adam),
        (lstm(layers=1), adamw),
        (lstm(layers=1), sgd),
        (lstm(layers=1), momentum),
        (gpt1(layers=1), adam),
        (gpt1(layers=1), adamw),
        (gpt1(layers=1), sgd),
        (gpt1(layers=1), momentum),
        (lstm(layers=2), adamw),
        (lstm(layers=4), adamw),
        (gpt1(layers=2), adamw),
        (gpt1(layers=4), adamw),
    ]


#: No weight decay but AdamW's, which is large enough to act.
TUNED_OPTIMIZERS = (Adam(), AdamW(weight_decay=0.1), SGD(), Momentum())

#: Minutes on a laptop: an excerpt of whole articles, models of about half a million parameters.
QUICK = Study.of(
    "quick",
    corpus=Corpus(name="vital-articles", documents=(700, 100, 100)),
    budget=Budget(epochs=8, batch_size=16, sequence_length=32, vocabulary=2048),
    contenders=twelve(partial(LSTM, embedding=128, hidden=128), partial(GPT1, width=128, heads=4), TUNED_OPTIMIZERS),
).tuned(rates.chosen("quick"))

#: An hour or two on a laptop, minutes on a GPU: all of WikiText-2.
WIKITEXT_2 = Study.of(
    "wikitext-2",
    corpus=Corpus(name="wikitext-2"),
    budget=Budget(epochs=3, batch_size=16, sequence_length=128, vocabulary=8000),
    contenders=twelve(partial(LSTM, embedding=192, hidden=192), partial(GPT1, width=192, heads=6), TUNED_OPTIMIZERS),
).tuned(rates.chosen("wikitext-2"))

#: The same for a night, or a GPU.
WIKITEXT_2_LONG = WIKITEXT_2.with_shared(name="wikitext-2-long", epochs=10)

#: One rate for all, and a decay that has next to no time to act.
SEED_OPTIMIZERS = (
    Adam(lr=1e-3),
    AdamW(lr=1e-3, weight_decay=5e-4, decayed="all"),
    SGD(lr=1e-3, weight_decay=5e-4, decayed="all"),
    Momentum(lr=1e-3, weight_decay=5e-4, decayed="all"),
)

#: The course report itself, at full size: one rate for all, no schedule, no clipping, the released GPT-1's embeddings.
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
    contenders=twelve(
        partial(LSTM, embedding=768, hidden=512, initialization="pytorch", embeddings="gpt1"),
        partial(GPT1, width=768, heads=12, initialization="pytorch", embeddings="gpt1"),
        SEED_OPTIMIZERS,
    ),
    seeds=(42,),
)

#: The same sizes with embeddings learned here, for whoever lacks the released ones. They begin as published: torch's
#: defaults would begin them fifty times wider than that, which no output layer can use.
SEED_LEARNED = Study.of(
    "seed-learned",
    corpus=SEED.corpus,
    budget=SEED.budget,
    contenders=twelve(partial(LSTM, embedding=768, hidden=512), partial(GPT1, width=768, heads=12), SEED_OPTIMIZERS),
    seeds=SEED.seeds,
)


def modern(width: int, layers: int) -> Contenders:
    """Sixteen experiments whose steps are about as long, with one optimizer.

    A recurrent layer of twice the width takes about as long as two or three blocks of a decoder. Every architecture is
    trained with AdamW and with Muon; those that `bakeoff choose` tries, with Lion and Schedule-Free AdamW as well. The
    GPT-1 has its norms before its branches: with the published ones, after them, two layers learn nothing in so short a
    warm-up.

    Rates are the optimizers' defaults, the centres of a search. Lion's came out near AdamW's, and so it has its decay.
    """
    heads = width // HEAD
    glr, gpt = GLR(width=width, layers=layers), GPT(width=width, layers=layers, heads=heads, token_shift=True)
    gpt1 = GPT1(width=width, layers=layers, heads=heads, post_norm=False)
    lstm = LSTM(embedding=width, hidden=2 * width)
    gru = GRU(embedding=width, hidden=2 * width)
    adamw, muon = AdamW(weight_decay=0.1), Muon(weight_decay=0.01)
    others = Lion(weight_decay=0.1), ScheduleFreeAdamW(weight_decay=0.1)
    return [
        *((architecture, optimizer) for architecture in (lstm, gpt1, gpt, glr, gru) for optimizer in (adamw, muon)),
        *((architecture, optimizer) for architecture in (lstm, gpt, glr) for optimizer in others),
    ]


#: Minutes on a laptop: more text than `quick` has, in longer windows.
MODERN = Study.of(
    "modern",
    corpus=Corpus(name="vital-articles", documents=(1800, 100, 100)),
    budget=Budget(epochs=2, batch_size=16, sequence_length=64, vocabulary=2048),
    contenders=modern(width=128, layers=2),
).tuned(rates.chosen("modern"))

#: Hours on a laptop: all of WikiText-2, with the tokens, the windows and the batch of `wikitext-2`.
WIKITEXT_2_MODERN = Study.of(
    "wikitext-2-modern",
    corpus=WIKITEXT_2.corpus,
    budget=dataclasses.replace(WIKITEXT_2.budget, epochs=2),
    contenders=modern(width=256, layers=3),
)

STUDIES = {
    study.name: study for study in (QUICK, MODERN, WIKITEXT_2, WIKITEXT_2_LONG, WIKITEXT_2_MODERN, SEED, SEED_LEARNED)
}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """What `bakeoff choose` may choose.

    Attributes:
        architecture: With its size; its dropout follows from how often the text will be read.
        optimizer: Its learning rate is where the search for the best one begins.
        batch_size: Sequences a step.
    """

    architecture: TiedArchitecture
    optimizer: Optimizer
    batch_size: int

    @property
    def title(self) -> str:
        """Such as `GLR of 3 layers with Muon`."""
        layers = f"{self.architecture.layers} layer{'' if self.architecture.layers == 1 else 's'}"
        return f"{self.architecture.title} of {layers} with {self.optimizer.title}"


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How large the contenders of `bakeoff choose` are where there is so much time and text.

    Attributes:
        minutes: From this time on, on a machine that is fast enough for it.
        megabytes: From this much text on.
        vocabulary: Symbols of the tokenizer.
        layers: Of a decoder; an LSTM has one.
        width: Likewise; an LSTM's is twice as wide, which makes its steps about as long.
        batch_size: Sequences a step with Muon; half as many with AdamW, whose steps cost less.
    """

    minutes: float
    megabytes: float
    vocabulary: int
    layers: int
    width: int
    batch_size: int

    @property
    def work(self) -> int:
        """About in proportion to what a step of its first contender takes."""
        return self.batch_size * (12 * self.layers * self.width**2 + self.vocabulary * self.width)

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Those believed best first: where the time is short, only the first are tried."""
        glr = GLR(layers=self.layers, width=self.width)
        gpt = GPT(layers=self.layers, width=self.width, heads=self.width // HEAD, token_shift=True)
        lstm = LSTM(embedding=self.width, hidden=2 * self.width)
        half = self.batch_size // 2
        return (
            Contender(architecture=glr, optimizer=Muon(), batch_size=self.batch_size),
            Contender(architecture=gpt, optimizer=Muon(), batch_size=self.batch_size),
            Contender(architecture=lstm, optimizer=AdamW(lr=3e-3, weight_decay=0.1), batch_size=half),
            Contender(architecture=glr, optimizer=AdamW(lr=4e-3, weight_decay=0.1), batch_size=half),
        )


#: By time and text: the last row that asks for no more minutes and megabytes than there are; on a machine that is slow,
#: an earlier one.
SCALES = (
    Scale(minutes=0, megabytes=0, vocabulary=512, layers=1, width=128, batch_size=16),
    Scale(minutes=0, megabytes=0.3, vocabulary=1024, layers=2, width=128, batch_size=16),
    Scale(minutes=1, megabytes=1, vocabulary=4096, layers=2, width=192, batch_size=16),
    Scale(minutes=4, megabytes=2, vocabulary=4096, layers=2, width=256, batch_size=32),
    Scale(minutes=9, megabytes=4, vocabulary=4096, layers=3, width=256, batch_size=32),
    Scale(minutes=25, megabytes=6, vocabulary=8192, layers=3, width=320, batch_size=32),
    Scale(minutes=60, megabytes=6, vocabulary=8192, layers=4, width=384, batch_size=32),
    Scale(minutes=300, megabytes=20, vocabulary=8192, layers=6, width=512, batch_size=32),
)
