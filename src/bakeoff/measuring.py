"""What a causal language model of `transformers` costs on a corpus, counted as every run of a study is."""

import contextlib
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from bakeoff import runner
from bakeoff.data import Tokens, Told, sequences
from bakeoff.data.sequences import TokenStream
from bakeoff.errors import UserError, first_line
from bakeoff.machine import resolve_precision
from bakeoff.metrics import Tally
from bakeoff.models import ngram
from bakeoff.recording import by_document, tally
from bakeoff.shapes import Json
from bakeoff.spec import PRECISIONS, Budget, Corpus
from bakeoff.training import Nats, token_nats

#: Tokens of a window by default, for models that have as many places.
WINDOW = 1024
#: What configurations call the number of places.
PLACES = ("max_position_embeddings", "max_seq_len", "max_sequence_length", "n_positions")
#: Files of which a tokenizer has one, at least.
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
#: Tokens of the sequence on which it is seen that no place looks ahead.
COMPARED = 16
#: The tokens and the windows of the floors beside it.
FLOORS = Budget()
#: How far, as a share of the largest, logits of a place are from the same ones computed again.
ROUNDING = 1e-5
#: In how many parts a split is measured, between which it is told how far that is.
PARTS = 100


class Borrowed(nn.Module):
    """A model of the library's, as the evaluation of every run asks for one."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 (the library is there on demand only)
        super().__init__()
        self.model = model

    def logits(self, tokens_BxL: Tensor) -> Tensor:
        """The library's own, BxLxV in float32."""
        logits: Tensor = self.model(input_ids=tokens_BxL, use_cache=False).logits.float()
        return logits

    def token_nats(self, inputs_BxL: Tensor, targets_BxL: Tensor) -> Tensor:
        """Nats of each target, BxL; 0 where the target is -100. One sequence at a time, as logits may be large."""
        pairs = zip(torch.split(inputs_BxL, 1), targets_BxL, strict=True)
        return torch.stack([F.cross_entropy(self.logits(row)[0], targets, reduction="none") for row, targets in pairs])

    @torch.no_grad()
    def looks_ahead(self, symbols: int, length: int) -> bool:
        """Whether logits of a place change with a later token, in a sequence of that length."""
        tokens_1xL = torch.arange(length)[None] % symbols
        changed = tokens_1xL.clone()
        changed[:, -1] = (changed[:, -1] + 1) % symbols
        before, after = self.logits(tokens_1xL), self.logits(changed)
        if not before.isfinite().all():
            raise ValueError("its logits are not finite")
        earlier = (before - after)[:, :-1].abs()  # of a single place there is none
        return bool((earlier > ROUNDING * before.abs().max()).any())


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What was measured.

    Attributes:
        folder: The model's.
        kind: What the library calls such models.
        parameters: How many it has.
        window: Most tokens before and with each target; windows do not overlap.
        precision: Of matrix products.
        corpus: Its name.
        split: `valid` or `test`.
        cost: What the model paid for the split.
        documents: The same of each document, as runs keep it.
        floor: The best floor's name, and what it paid for the same text, by tokens of Bakeoff's own.
    """

    folder: Path
    kind: str
    parameters: int
    window: int
    precision: str
    corpus: str
    split: str
    cost: Tally
    documents: Json
    floor: tuple[str, Tally]

    def as_json(self) -> Json:
        """All of it, with every quotient of the sums."""
        name, cost = self.floor
        facts = {name: getattr(self, name) for name in ("kind", "parameters", "window", "precision", "corpus", "split")}
        floor = {"name": name, **cost.as_json()}
        return {"model": str(self.folder), **facts, **self.cost.as_json(), "documents": self.documents, "floor": floor}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be measured.

    Attributes:
        folder: What `save_pretrained` wrote of a model and its tokenizer.
        corpus: Whose split is measured.
        split: `valid` or `test`.
        window: Tokens of a window; None for as many as the model has places, 1,024 at most.
        precision: Of matrix products, or `auto`.
        floors: The tokens and the windows of the floors beside it; None for those of `FLOORS`.
    """

    folder: Path
    corpus: Corpus
    split: str = "valid"
    window: int | None = None
    precision: str = "auto"
    floors: Budget | None = None


def measure(request: Request, device: torch.device, told: Told = lambda *_: None) -> Measurement:
    """Measure a model; nothing of its folder is executed or unpickled.

    Args:
        request: Which, and on what.
        device: Where it is computed.
        told: Is told what is being done, and the share that is done.

    Raises:
        UserError: The library is missing; the folder holds no causal language model, or one without some of its
            weights; its tokenizer loses text; the window is too long for it.
    """
    folder, split = request.folder, request.split
    if request.precision not in PRECISIONS:
        raise UserError(f"precision must be one of {', '.join(PRECISIONS)}, not {request.precision}")
    told(f"reading {folder}", None)
    model, tokenizer = _read(folder)
    kind, config = model.model.config.model_type, model.model.config.get_text_config()
    length = _window(kind, config, request.window)
    with _failing_in_one_line(folder, kind, length):
        budget = Budget(sequence_length=length, precision=resolve_precision(request.precision, device))
        ahead = model.looks_ahead(config.vocab_size, min(COMPARED, length))
    if ahead:
        raise UserError(f"{folder}: {kind} is no causal language model: its places see later tokens")
    counted = request.floors or FLOORS
    tokens = runner.prepare(request.corpus, counted, told)
    stream = _stream(folder, tokenizer, tokens, split, told)
    if (largest := int(stream.tokens_N.max())) >= config.vocab_size:
        raise UserError(f"{folder}: its tokenizer has a symbol {largest}, its model {config.vocab_size} symbols")
    with _failing_in_one_line(folder, kind, length):
        nats = _nats(model.to(device), stream, budget, device, lambda share: told(f"measuring {split}", share))
        cost = tally(stream, nats)
    floor = min(ngram.baselines(tokens, counted.sequence_length), key=lambda floor: floor["valid"]["nats"])
    return Measurement(
        folder=folder,
        kind=kind,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        window=length,
        precision=budget.precision,
        corpus=tokens.text.name,
        split=split,
        cost=cost,
        documents=by_document(stream, nats),
        floor=(floor["name"], Tally.of(floor[split])),
    )


def _read(folder: Path) -> tuple[Borrowed, Tokenizer]:
    if not folder.is_dir():
        raise UserError(
            f"{folder} is no folder: save a model there with save_pretrained; nothing is fetched from a hub"
        )
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} holds no config.json: give a folder that save_pretrained of transformers wrote")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise UserError(f"{folder} holds no tokenizer: save it there too")
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 (not everyone has it)
        from transformers.utils.logging import disable_progress_bar, set_verbosity_error  # noqa: PLC0415
    except ImportError as error:
        raise UserError("measuring needs a package: pip install 'bakeoff[transformers]'") from error
    disable_progress_bar()
    set_verbosity_error()  # what matters of its warnings is an error here
    there: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, output_loading_info=True, return_dict=True, **there
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, **there)
    except Exception as error:
        told = f"{folder} holds no causal language model that transformers can read"
        raise UserError(f"{told}: {first_line(error)}") from error
    if missing := sorted(told["missing_keys"]):
        raise UserError(f"{folder} lacks weights of its model, such as {missing[0]}: they would be random")
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(f"{folder} has no fast tokenizer: save it again from a class that ends in Fast")
    backend: Tokenizer = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    return Borrowed(model).eval(), backend


@contextlib.contextmanager
def _failing_in_one_line(folder: Path, kind: str, length: int) -> Iterator[None]:
    """Whatever a model of the library's raises."""
    try:
        yield
    except Exception as error:
        told = f"{folder}: {kind} fails in windows of {length} tokens ({first_line(error)})"
        raise UserError(f"{told}; --window takes fewer") from error


def _window(kind: str, config: Any, asked: int | None) -> int:  # noqa: ANN401
    told = [getattr(config, name, None) for name in PLACES]
    most = min((places for places in told if isinstance(places, int) and places > 0), default=None)  # -1 for no bound
    length = asked or min(WINDOW, most or WINDOW)
    if most is not None and length > most:
        raise UserError(f"{kind} has {most} places, too few for windows of {length} tokens")
    return length


def _stream(folder: Path, tokenizer: Tokenizer, tokens: Tokens, split: str, told: Told) -> TokenStream:
    """The split by the model's own tokenizer, each document on its own and without special symbols, as ours are."""
    documents = tokens.text.splits[split]
    _require_lossless(folder, tokenizer, documents)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / split
        sequences.write(
            path, documents, tokenizer, count=tokens.text.count, told=lambda share: told(f"tokenizing {split}", share)
        )
        stream = sequences.read(path)
        return stream.select(range(len(documents)))  # in memory, as the files go


def _require_lossless(folder: Path, tokenizer: Tokenizer, documents: Collection[str]) -> None:
    """See that what is measured is the text: bits per byte of another one would compare with nothing."""
    for number, document in enumerate(documents):
        again = tokenizer.decode(tokenizer.encode(document, add_special_tokens=False).ids, skip_special_tokens=False)
        if again != document:
            pairs = enumerate(zip(document, again, strict=False))
            place = next((at for at, (one, other) in pairs if one != other), min(len(document), len(again)))
            lost, came = document[place : place + 12], again[place : place + 12]
            raise UserError(
                f"{folder}: its tokenizer loses text, so that bits per byte would compare with nothing: in document "
                f"{number + 1} {lost!r} comes back as {came!r}"
            )


def _nats(
    model: nn.Module, stream: TokenStream, budget: Budget, device: torch.device, told: Callable[[float], object]
) -> Nats:
    order = np.arange(stream.sequences(budget.sequence_length))
    parts, found = [part for part in np.array_split(order, PARTS) if len(part)], []
    for number, part in enumerate(parts):
        told(number / len(parts))
        found.append(token_nats(model, stream, budget, device, part))
    return np.concatenate(found)
