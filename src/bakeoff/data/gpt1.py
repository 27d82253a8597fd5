"""What OpenAI released of GPT-1 (Radford et al. 2018): where its files are looked for, and its tokenizer.

A file is looked for in the folder `gpt1` where `BAKEOFF_DATA` points, then in the cache, then at its public source.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from bakeoff.data import hub
from bakeoff.data.cache import cache_folder
from bakeoff.errors import UserError

NAME = "gpt1"
REPOSITORY, REVISION = "openai-community/openai-gpt", "61cf0c79fa2d7a182fcec7970e1f4c03a04e339b"
PAGE = f"https://huggingface.co/{REPOSITORY}"
#: Bytes of a file, at most.
LARGEST = 4_000_000
#: The one symbol of a word that WikiText-2 itself replaced.
UNKNOWN = "<unk>"
#: What ends a word, inside its last symbol.
END_OF_WORD = "</w>"


@dataclass(frozen=True, kw_only=True)
class Released:
    """A released file.

    Attributes:
        name: What OpenAI called it.
        public: What it is called in the public repository.
        what: What it holds, for messages.
        sha256: Checksum of the public file; of the tokenizer's, whose layout may differ between copies, it is that of
            their content as JSON with sorted keys.
    """

    name: str
    public: str
    what: str
    sha256: str


VOCABULARY = Released(
    name="encoder_bpe_40000.json",
    public="vocab.json",
    what="GPT-1's vocabulary",
    sha256="9aa1a5c42a88a95c3c7c12d5d92da36d85abfffe3dce2f1c8af85cf934d2286d",
)
MERGES = Released(
    name="vocab_40000.bpe",
    public="merges.txt",
    what="GPT-1's merges",
    sha256="5478482dc3284382147f2461f2dad17d65ee58d6dc9e34e5b9719e79f37a3834",
)


def tokenizer(_documents: Iterable[str], vocabulary: int) -> Tokenizer:
    """GPT-1's byte-pair encoding, as the public `OpenAIGPTTokenizer` applies it.

    Text is prepared as by BERT: lower case, no accents, punctuation apart. White space separates words and is nothing
    else, so no line end is ever predicted.

    Args:
        _documents: Nothing is trained on them.
        vocabulary: Symbols wanted; it has 40,478 and no other number.

    Raises:
        UserError: Its files are missing or wrong, or another number is wanted.
    """
    symbols = _read(VOCABULARY, json.loads)
    if vocabulary != len(symbols):
        raise UserError(f"GPT-1's tokenizer has {len(symbols):,} symbols: say vocabulary={len(symbols)}")
    merges = _read(MERGES, lambda text: [line.split(" ") for line in text.split("\n")[1:] if line])
    bpe = models.BPE(vocab=symbols, merges=list(map(tuple, merges)), unk_token=UNKNOWN, end_of_word_suffix=END_OF_WORD)
    built = Tokenizer(bpe)
    built.add_special_tokens([UNKNOWN])
    built.normalizer = normalizers.BertNormalizer(lowercase=True)
    built.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    built.decoder = decoders.BPEDecoder(suffix=END_OF_WORD)
    return built


def tokenizer_is_here() -> bool:
    """Whether the tokenizer's files would not have to be fetched."""
    return all(place(file) is not None for file in (VOCABULARY, MERGES))


def place(file: Released) -> Path | None:
    """Where a copy lies; None if it would have to be fetched."""
    given = os.environ.get("BAKEOFF_DATA")
    folders = [*([Path(given)] if given else []), cache_folder()]
    named = [folder / NAME / name for folder in folders for name in (file.name, file.public)]
    kept = try_to_load_from_cache(REPOSITORY, file.public, revision=REVISION)
    places = [*named, Path(kept)] if isinstance(kept, str) and hub.is_whole(Path(kept)) else named
    return next((path for path in places if path.is_file()), None)


def find(file: Released) -> Path:
    """A copy of the file, fetched if there is none.

    Raises:
        UserError: There is none, and it cannot be fetched.
    """
    return place(file) or _fetch(file)


def _fetch(file: Released) -> Path:
    try:
        return hub.fetch(REPOSITORY, file.public, revision=REVISION)
    except ConnectionError as error:
        raise UserError(
            f"no {file.name} in {cache_folder() / NAME} and none to fetch from {REPOSITORY} ({error}): repeat with a "
            f"network, or put {file.what} there: {file.public} of {PAGE}",
            status=1,
        ) from error


def _read(file: Released, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401 (JSON)
    path = find(file)
    if path.stat().st_size > LARGEST:
        raise _wrong(file, path, f"it has more than {LARGEST:,} bytes")
    try:
        content = parse(path.read_bytes().decode())
    except (OSError, ValueError, RecursionError) as error:
        raise _wrong(file, path, "it cannot be read") from error
    found = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    if found != file.sha256:
        raise _wrong(file, path, f"sha256 of its content {found[:12]}…, not {file.sha256[:12]}…")
    return content


def _wrong(file: Released, path: Path, why: str) -> UserError:
    return UserError(
        f"{path} is not {file.what} as released ({why}): replace it, or remove it to fetch it anew", status=1
    )
