"""WikiText-2, the word-level release (Merity et al. 2016): the field's small corpus.

Its documents are articles. A line's end counts as a word, as it does in every published word perplexity.
"""

import functools
import hashlib
import itertools
import os
import re
import zipfile
import zlib
from pathlib import Path

from bakeoff.data import hub
from bakeoff.data.cache import cache_folder
from bakeoff.data.splits import Splits
from bakeoff.errors import UserError, one_line
from bakeoff.files import sha256_of, written_atomically

NAME = "wikitext-2"
REPOSITORY, CONFIG = "Salesforce/wikitext", "wikitext-2-v1"
REVISION = "b08601e04326c79dfdd32d625aee71d232d685c3"
#: SHA-256 of the official split files.
SHA256 = {
    "train": "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
    "valid": "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
    "test": "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
}
#: Bytes of a split, at most.
LARGEST = 11_000_000
_PARQUET_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
_TITLE = re.compile(r" = [^=].*[^=] = \n")


def place() -> Path | None:
    """The folder of a local copy; None if it would have to be fetched."""
    complete = [of for of in (_given, _cached) if all(of(split).is_file() for split in SHA256)]
    return complete[0]("train").parent if complete else None


def read() -> Splits:
    """The articles of each split, from a local copy or the cache, or fetched.

    Raises:
        UserError: A file is damaged or is not the official one, or cannot be fetched.
    """
    return {split: articles(_read_split(split)) for split in SHA256}


def articles(text: str) -> tuple[str, ...]:
    """Cut a split before each title: a line ` = Title = ` between blank lines. Joined they are the text again."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    padded = ["\n", *lines, "\n"]
    starts = [
        i for i, line in enumerate(lines) if _TITLE.fullmatch(line) and not (padded[i] + padded[i + 2]).strip()
    ] or [0]
    # What stands before the first title, a blank line, belongs to the first article.
    bounds = [0, *starts[1:], len(lines)]
    return tuple("".join(lines[start:end]) for start, end in itertools.pairwise(bounds))


def joined_rows(parquet: Path) -> str:
    """The official split file from the public dataset, one line a row; an empty row stands for a line of one space.

    Raises:
        UserError: The file is damaged.
    """
    import polars as pl  # noqa: PLC0415 (its threads do not survive the fork of a worker)

    try:
        rows = pl.read_parquet(parquet)["text"]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UserError(
            f"{parquet} is damaged ({one_line(error)}): remove it, and it is fetched anew", status=1
        ) from error
    return "".join(row or " \n" for row in rows)


@functools.cache
def _read_split(split: str) -> str:
    if (given := _given(split)).is_file():
        return _verified(_unzip(given, f"wiki.{split}.tokens"), split, given)
    cached = _cached(split)
    if not cached.is_file() or sha256_of(cached) != SHA256[split]:
        text = _verified(joined_rows(_fetch(split)).encode(), split, Path(REPOSITORY))
        cached.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(cached) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    return _verified(cached.read_bytes(), split, cached)


def _given(split: str) -> Path:
    folder = os.environ.get("BAKEOFF_DATA")
    return Path(folder or os.devnull) / NAME / f"wiki.{split}.tokens.zip"


def _cached(split: str) -> Path:
    return cache_folder() / "corpora" / NAME / f"wiki.{split}.tokens"


def _unzip(path: Path, member: str) -> bytes:
    """What a zip holds, up to one byte more than any official split has: a small zip may hold a disk full of zeros."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith(member))
            with archive.open(name) as file:
                return file.read(LARGEST + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, StopIteration, OSError) as error:
        raise UserError(
            f"{path} is no zip with {member} in it ({one_line(error)}): put the official file there, or remove it",
            status=1,
        ) from error


def _verified(text: bytes, split: str, origin: Path) -> str:
    found = hashlib.sha256(text).hexdigest()
    if found != SHA256[split]:
        raise UserError(
            f"{origin} is not WikiText-2's official {split} split (sha256 {found[:12]}…, not {SHA256[split][:12]}…): "
            "replace it, or remove it to fetch it anew",
            status=1,
        )
    return text.decode()


def _fetch(split: str) -> Path:
    filename = f"{CONFIG}/{_PARQUET_SPLITS[split]}-00000-of-00001.parquet"
    try:
        return hub.fetch(REPOSITORY, filename, revision=REVISION, kind="dataset")
    except ConnectionError as error:
        raise UserError(
            f"no WikiText-2 in {_cached(split).parent} and none to fetch from dataset {REPOSITORY} ({error}): "
            f"repeat with a network, or name with BAKEOFF_DATA a folder that has {NAME}/{_given(split).name}",
            status=1,
        ) from error
