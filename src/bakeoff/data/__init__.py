"""From a corpus's name to token streams that a model can be trained and measured on."""

from dataclasses import dataclass

from tokenizers import Tokenizer

from bakeoff.data import corpora, tokenizers
from bakeoff.data.sequences import TokenStream, stream
from bakeoff.data.splits import SPLITS, hash_fraction
from bakeoff.errors import UserError
from bakeoff.spec import Budget, Corpus


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A corpus ready for a budget.

    Attributes:
        text: The corpus as text.
        tokenizer: Trained on the train split alone.
        splits: The streams of `train`, `valid` and `test`.
        train_sample: Whole train documents, as many tokens as valid has: what "train" means in every evaluation.
    """

    text: corpora.Text
    tokenizer: Tokenizer
    splits: dict[str, TokenStream]
    train_sample: TokenStream

    @property
    def vocabulary(self) -> int:
        """Symbols that the tokenizer has."""
        return int(self.tokenizer.get_vocab_size())


def prepare(corpus: Corpus, budget: Budget) -> Tokens:
    """Load, tokenize and cut a corpus; what was computed before comes from the cache.

    Raises:
        UserError: The corpus cannot be used, or a split is shorter than one sequence.
    """
    kind = tokenizers.find(budget.tokenizer)
    text = corpora.load(corpus)
    _require_documents(text)
    tokenizer = kind.make(text.splits["train"], budget.vocabulary)
    splits = {split: _stream(text, split, tokenizer, lossy=kind.lossy) for split in SPLITS}
    for split, tokens in splits.items():
        _require_a_sequence(text.name, split, tokens, budget.sequence_length)
    sample = sample_documents(splits["train"], splits["valid"].targets)
    return Tokens(text=text, tokenizer=tokenizer, splits=splits, train_sample=sample)


def is_here(corpus: Corpus, budget: Budget) -> bool:
    """Whether `prepare` would work without fetching anything."""
    if not tokenizers.find(budget.tokenizer).is_here():
        return False
    if corpus.path is not None:
        return True
    return corpus.name in corpora.CORPORA and corpora.find(corpus.name).place() is not None


def _stream(text: corpora.Text, split: str, tokenizer: Tokenizer, *, lossy: bool) -> TokenStream:
    """A split as tokens. What a lossy tokenizer never predicts, line ends and how wide a space is, counts nothing."""
    documents = text.splits[split]
    if not lossy:
        return stream(documents, tokenizer, text.count_words)
    return stream(documents, tokenizer, count_bytes=lambda document: len(" ".join(document.split()).encode()))


def sample_documents(train: TokenStream, tokens: int) -> TokenStream:
    """Whole documents of about that many tokens, the same ones always, in the order in which they stand in train."""
    shuffled = sorted(range(len(train.starts_D)), key=lambda document: hash_fraction(f"train sample {document}"))
    chosen: list[int] = []
    total = -1  # the first token of the sample is not predicted
    sizes = train.tokens_D
    for document in shuffled:
        if total >= tokens:
            break
        chosen.append(document)
        total += int(sizes[document])
    return train.select(sorted(chosen))


def _require_documents(text: corpora.Text) -> None:
    for split in SPLITS:
        if not text.splits[split]:
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
