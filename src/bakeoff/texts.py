"""Texts for the report: how networks and the trigram go on after the same beginnings of documents of valid."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from bakeoff import generation
from bakeoff.data import Tokens
from bakeoff.data.cache import entry
from bakeoff.generation import Counts, Decoding, Network, Source
from bakeoff.models import count_table, kneser_ney, ngram
from bakeoff.models.count_table import CountTable
from bakeoff.models.ngram import TABLES
from bakeoff.models.tied import TiedLanguageModel
from bakeoff.shapes import Json

#: Documents, and the tokens that are taken of each, at most.
PROMPTS, BEGINNING = 3, 16
#: How they are gone on with: as `bakeoff sample` would, but for how long.
CHOICE = Decoding(tokens=40)
#: The floor whose texts stand beside the networks', and the most tokens of train that it counts for them.
FLOOR, COUNTED = "kn3", 5_000_000
#: The file of the cache.
FILE = "texts.json"


def prompts(tokens: Tokens) -> list[str]:
    """The beginnings of some documents of valid, spread evenly over it."""
    stream = tokens.splits["valid"]
    documents = len(stream.starts_D)
    ends = [*stream.starts_D[1:].tolist(), len(stream.tokens_N)]
    places = dict.fromkeys((2 * place + 1) * documents // (2 * PROMPTS) for place in range(PROMPTS))
    documents_T = (stream.tokens_N[stream.starts_D[place] : ends[place]] for place in places)
    decoded = (tokens.tokenizer.decode(document_T[:BEGINNING].tolist()) for document_T in documents_T)
    return [text.rstrip("\ufffd") for text in decoded]  # a character may have been cut


def of_network(model: nn.Module, tokens: Tokens) -> Json | None:
    """A network's texts, as they are kept; None where it generates none.

    Args:
        model: In whatever mode; left in evaluation mode.
        tokens: The corpus that it was trained on.
    """
    if not isinstance(model, TiedLanguageModel):
        return None
    return _kept([(prompt, Network(model)) for prompt in prompts(tokens)], tokens)


def of_floor(tokens: Tokens, length: int) -> Json:
    """The trigram's texts, as they are kept, with how many tokens it counted; what was made before is in the cache.

    Args:
        tokens: The corpus.
        length: Targets of a sequence.
    """
    sources = [Path(module.__file__ or "").read_bytes() for module in (count_table, generation, kneser_ney, ngram)]
    told = [f"{tokens.key} {length} {torch.__version__} ".encode(), *sources, Path(__file__).read_bytes()]

    def make(folder: Path) -> None:
        counted_N = tokens.splits["train"].tokens_N[:COUNTED]
        table = CountTable(counted_N, tokens.vocabulary, TABLES[FLOOR], window=length)
        made = _kept([(prompt, Counts(table)) for prompt in prompts(tokens)], tokens)
        (folder / FILE).write_text(json.dumps(made | {"floor": FLOOR, "counted": len(counted_N)}), encoding="utf-8")

    folder = entry(f"texts/{hashlib.sha256(b''.join(told)).hexdigest()[:24]}", make)
    made: Json = json.loads((folder / FILE).read_bytes())
    return made


def _kept(begun: list[tuple[str, Source]], tokens: Tokens) -> Json:
    texts = [
        {"prompt": prompt, "text": "".join(generation.text(source, tokens.tokenizer, prompt, CHOICE))}
        for prompt, source in begun
    ]
    return asdict(CHOICE) | {"texts": texts}
