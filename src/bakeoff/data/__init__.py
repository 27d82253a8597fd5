"""From a corpus's name to token streams that a model can be trained and measured on."""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from bakeoff.data import corpora, overlap, sequences, tokenizers
from bakeoff.data.cache import cache_folder, entry
from bakeoff.data.sequences import TokenStream
from bakeoff.data.splits import SPLITS, hash_fraction
from bakeoff.errors import UserError
from bakeoff.spec import Budget, Corpus

#: Is told what is being done, and the share that is done, if it is known.
Told = Callable[[str, float | None], object]
#: An entry of the cache keeps the tokenizer in this file, and what its splits share with train in that one.
TOKENIZER, SHARED = "tokenizer.json", "shared.json"


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A corpus ready for a budget.

    Attributes:
        key: Stands for all that the tokens depend on.
        text: The corpus as text.
        tokenizer: Trained on the train split alone.
        splits: The streams of `train`, `valid` and `test`.
        train_sample: Whole train documents, as many tokens as valid has: what "train" means in every evaluation.
        shared: Which share of the runs of `overlap.TOKENS` tokens in `valid`, and in `test`, stands in train as well.
    """

    key: str
    text: corpora.Text
    tokenizer: Tokenizer
    splits: dict[str, TokenStream]
    train_sample: TokenStream
    shared: Mapping[str, float] = field(default_factory=dict)

    @property
    def vocabulary(self) -> int:
        """Symbols that the tokenizer has."""
        return int(self.tokenizer.get_vocab_size())

    @property
    def folder(self) -> Path:
        """Where the cache keeps them."""
        return cache_folder() / "tokens" / self.key


def prepare(corpus: Corpus, budget: Budget, told: Told = lambda *_: None) -> Tokens:
    """Load, tokenize and cut a corpus; what was computed before comes from the cache.

    Args:
        corpus: What to read.
        budget: How to tokenize it, and how long a sequence is.
        told: Is told what is being done, where that takes long, and the share that is done, if it is known.

    Raises:
        UserError: The corpus cannot be used, or a split is shorter than one sequence.
    """
    kind, text = tokenizers.find(budget.tokenizer), corpora.load(corpus)
    key = _key(text, corpus, budget)

    def make(folder: Path) -> None:
        _require_documents(text)
        told(f"{text.name}: making a tokenizer", None)
        tokenizer = kind.make(text.splits["train"], budget.vocabulary)
        (folder / TOKENIZER).write_text(tokenizer.to_str(), encoding="utf-8")
        for split, documents in text.splits.items():
            doing = f"{text.name}: tokenizing {split}"
            count = _count_lossy if kind.lossy else text.count
            sequences.write(folder / split, documents, tokenizer, count=count, told=partial(told, doing))
        told(f"{text.name}: looking for test in train", None)
        streams = {split: sequences.read(folder / split).tokens_N for split in SPLITS}
        found = {split: overlap.shared_runs(streams[split], streams["train"]) for split in ("valid", "test")}
        (folder / SHARED).write_text(json.dumps(found), encoding="utf-8")
        if corpora.load(corpus).sha256 != text.sha256:
            raise UserError(f"{text.source} was changed while it was read: repeat the command", status=1)

    folder = entry(f"tokens/{key}", make)
    splits = {split: sequences.read(folder / split) for split in SPLITS}
    for split, tokens in splits.items():
        _require_a_sequence(text.name, split, tokens, budget.sequence_length)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    sample = sample_documents(splits["train"], splits["valid"].targets)
    shared = json.loads((folder / SHARED).read_text(encoding="utf-8"))
    return Tokens(key=key, text=text, tokenizer=tokenizer, splits=splits, train_sample=sample, shared=shared)


def is_prepared(corpus: Corpus, budget: Budget) -> bool:
    """Whether the cache has what `prepare` would make.

    Raises:
        UserError: The corpus is not there.
    """
    return (cache_folder() / "tokens" / _key(corpora.load(corpus), corpus, budget)).is_dir()


def _key(text: corpora.Text, corpus: Corpus, budget: Budget) -> str:
    made_of = (text.sha256, corpus.documents, budget.tokenizer, budget.vocabulary, version("tokenizers"), _sources())
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:24]


@functools.cache
def _sources() -> str:
    """Checksum of the sources that make tokens of a text: what they made is not believed once they have changed."""
    return hashlib.sha256(
        b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    ).hexdigest()


def _count_lossy(document: str) -> tuple[int, int]:
    """Words and bytes without what a lossy tokenizer never predicts: line ends, and how wide a space is."""
    words = document.split()
    return len(words), len(" ".join(words).encode())


def is_here(corpus: Corpus, budget: Budget) -> bool:
    """Whether `prepare` would work without fetching anything."""
    if not tokenizers.find(budget.tokenizer).is_here():
        return False
    if corpus.path is not None:
        return True
    return corpus.name in corpora.CORPORA and corpora.find(corpus.name).place() is not None


def sample_documents(train: TokenStream, tokens: int) -> TokenStream:
    """Whole documents of about that many tokens, the same ones always, in the order in which they stand in train."""
    documents = len(train.starts_D)
    draws_D = np.fromiter(
        (hash_fraction(f"train sample {document}") for document in range(documents)), float, documents
    )
    shuffled_D = np.argsort(draws_D, kind="stable")
    totals_D = np.cumsum(train.tokens_D[shuffled_D]) - 1  # the first token of the sample is not predicted
    enough = int(np.searchsorted(totals_D, tokens)) + 1
    return train.select(np.sort(shuffled_D[:enough]))


def _require_documents(text: corpora.Text) -> None:
    """See that every split has some of the text.

    Raises:
        UserError: One has not.
    """
    for split in SPLITS:
        if not len(text.splits[split]):
            documents = [hash(document) for each in SPLITS for document in text.splits[each]]
            if len(documents) > 2 * len({*documents}):
                raise UserError(
                    f"corpus {text.name} says the same over and over, which makes no three splits that differ: give a "
                    "text of different paragraphs, or a folder with train.txt, valid.txt and test.txt"
                )
            raise UserError(
                f"corpus {text.name} is too small: no document fell into {split}; give a longer text "
                "(some hundred paragraphs), or a folder with train.txt, valid.txt and test.txt"
            )


def _require_a_sequence(name: str, split: str, tokens: TokenStream, length: int) -> None:
    if not tokens.words:
        raise UserError(f"corpus {name} is too small: its {split} split has no words; give a longer text")
    if tokens.targets < length:
        raise UserError(
            f"corpus {name} is too small: its {split} split has {len(tokens.tokens_N)} tokens, and one sequence needs "
            f"{length + 1}; give a longer text"
        )
