"""What `bakeoff choose` comes to on a text, beside what people do today with as many minutes.

`python tools/alternatives.py CORPUS MINUTES` prints a table. Both alternatives train a small GPT-2 of
`transformers`, for as many steps as the minutes hold by a short timing, so that their schedules are complete:

- nanogpt: the settings that nanoGPT's page gives for a computer without a GPU, over bytes.
- trainer: `Trainer` with its defaults on a model of the same size, over tokens that Bakeoff makes by default.

Their minutes are of training alone; those of a choice hold everything from the command to the answer. All are measured
on the documents of valid on which the choice measures.
"""

import itertools
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast, Trainer, TrainingArguments

from bakeoff import data, measuring, verbs
from bakeoff.bench.contenders import examples
from bakeoff.choosing import fitting
from bakeoff.data import Tokens, corpora
from bakeoff.data.sequences import TokenStream
from bakeoff.spec import SMALLEST_VOCABULARY, Budget, Corpus

CPU = torch.device("cpu")
SEED = 0
#: Of both models: layers, heads and width as nanoGPT's page has them.
SIZE = {"n_layer": 4, "n_head": 4, "n_embd": 128}
#: Steps of the timing.
TIMED = 20
#: The other settings of nanoGPT's page, and of what it trains by default.
BATCH, BETAS, DECAY, HIGHEST, LOWEST, RISING = 12, (0.9, 0.99), 0.1, 1e-3, 1e-4, 100

#: Trains a model on a text for so many steps.
Train = Callable[[GPT2LMHeadModel, TokenStream, int], None]


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A way to train a model on a text that is not Bakeoff's.

    Attributes:
        length: Tokens of a sequence.
        vocabulary: Symbols.
        train: The way.
    """

    length: int
    vocabulary: int
    train: Train

    def bits_per_byte(self, corpus: Corpus, seconds: float) -> tuple[int, float]:
        """Train for so long: the number of steps, and bits per byte of valid."""
        tokens = data.prepare(corpus, Budget(vocabulary=self.vocabulary, sequence_length=self.length))
        self._trained(tokens, TIMED)  # what happens once is not timed
        timed = self._seconds(tokens, 2 * TIMED) - self._seconds(tokens, TIMED)
        if timed <= 0:
            sys.exit("the machine has other work: its steps cannot be timed")
        steps = max(1, math.floor(seconds * TIMED / timed))
        model = self._trained(tokens, steps)
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            PreTrainedTokenizerFast(tokenizer_object=tokens.tokenizer).save_pretrained(folder)
            measured = measuring.measure(measuring.Request(folder=Path(folder), corpus=corpus), CPU)
        return steps, measured.cost.bits_per_byte

    def _trained(self, tokens: Tokens, steps: int) -> GPT2LMHeadModel:
        torch.manual_seed(SEED)
        none = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
        size = {"vocab_size": tokens.tokenizer.get_vocab_size(), "n_positions": self.length}
        model = GPT2LMHeadModel(GPT2Config(**size, **SIZE, **none))
        self.train(model, tokens.splits["train"], steps)
        return model

    def _seconds(self, tokens: Tokens, steps: int) -> float:
        began = time.perf_counter()
        self._trained(tokens, steps)
        return time.perf_counter() - began


def nanogpt(model: GPT2LMHeadModel, train: TokenStream, steps: int) -> None:
    """Batches from anywhere, AdamW, a warm-up, a cosine down to a tenth, clipping."""
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=HIGHEST, betas=BETAS)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps) / HIGHEST)
    model.train()
    for batch in itertools.islice(batches(train, model.config.n_positions), steps):
        model(input_ids=batch, labels=batch).loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)


def rate(step: int, steps: int) -> float:
    """The learning rate of a step as nanoGPT has it."""
    if step < RISING:
        return HIGHEST * (step + 1) / (RISING + 1)
    share = (step - RISING) / max(1, steps - RISING)
    return LOWEST + (HIGHEST - LOWEST) * (1 + math.cos(math.pi * share)) / 2


def batches(train: TokenStream, length: int) -> Iterator[Tensor]:
    """Sequences of a text from anywhere, again and again, BxL."""
    generator = torch.Generator().manual_seed(SEED)
    text_N, places_L = torch.from_numpy(train.tokens_N[:].astype("int64")), torch.arange(length)
    while True:
        yield text_N[torch.randint(len(text_N) - length, (BATCH, 1), generator=generator) + places_L]


def trainer(model: GPT2LMHeadModel, train: TokenStream, steps: int) -> None:
    """`Trainer` as it is, on whole sequences of the text."""
    length = model.config.n_positions
    whole = train.tokens_N[: len(train.tokens_N) // length * length].reshape(-1, length)
    quiet: dict[str, Any] = {"report_to": [], "save_strategy": "no", "logging_steps": 10**9, "disable_tqdm": True}
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, use_cpu=True, seed=SEED, max_steps=steps, **quiet)
        Trainer(model, arguments, train_dataset=examples(whole)).train()


ALTERNATIVES = {
    "nanogpt": Alternative(length=64, vocabulary=SMALLEST_VOCABULARY, train=nanogpt),
    "trainer": Alternative(length=Budget.sequence_length, vocabulary=Budget.vocabulary, train=trainer),
}


def main() -> None:
    """Choose, train the others, and print what each came to."""
    name, minutes = sys.argv[1], float(sys.argv[2])
    told = verbs.choose(name, minutes=minutes, device=CPU.type, write_report=False).answer
    corpus = fitting.fitted(corpora.choose(name), minutes).corpus
    lines: list[tuple[str, float | None]] = [
        ("choose, the network", told.valid),
        ("choose, mixed with counts", told.mixed),
        ("count table", told.floor.valid.bits_per_byte),
    ]
    for way, alternative in ALTERNATIVES.items():
        steps, bits = alternative.bits_per_byte(corpus, 60 * minutes)
        lines.append((f"{way}, {steps:,} steps", bits))
    print("| | bits per byte of valid |", "|---|--:|", sep="\n")
    for what, reached in lines:
        print(f"| {what} | {f'{reached:.3f}' if reached else 'none was complete'} |")


if __name__ == "__main__":
    main()
