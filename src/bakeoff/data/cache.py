"""Where fetched and derived data is kept between studies, and how what was derived is believed again."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs

from bakeoff.files import TEMPORARY, sha256_of
from bakeoff.folders import filled
from bakeoff.locks import lock_at

#: The file of an entry that names the entry and has the checksum of each of its files.
CHECKSUMS = "checksums.json"
#: Seconds after which nobody is at work any more on what is not whole.
ABANDONED = 86_400.0


def cache_folder() -> Path:
    """The folder of fetched corpora and of what was made of them; `BAKEOFF_CACHE` overrides the platform's place."""
    return Path(os.environ.get("BAKEOFF_CACHE") or platformdirs.user_cache_dir("bakeoff", appauthor=False))


def entry(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, filled by `make` unless it is there, whole and unchanged.

    Args:
        name: Of the entry, as a path below the cache; whatever the content depends on must be in it.
        make: Fills a new folder with files.
    """
    folder = cache_folder() / name
    if not _is_whole(folder, name):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with lock_at(folder.with_name(f"{folder.name}.lock")):
            if not _is_whole(folder, name):  # another process may have made it meanwhile
                _fill(folder, name, make)
    return folder


def _is_whole(folder: Path, name: str) -> bool:
    try:
        return bool(json.loads((folder / CHECKSUMS).read_bytes()) == _facts(folder, name))
    except (OSError, ValueError, RecursionError):
        return False


def _facts(folder: Path, name: str) -> dict[str, object]:
    checksums = {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.name != CHECKSUMS}
    return {"entry": name, "sha256": checksums}


def _fill(folder: Path, name: str, make: Callable[[Path], None]) -> None:
    remove_old_leftovers()
    shutil.rmtree(folder, ignore_errors=True)  # what is there is not whole
    with filled(folder) as new:
        make(new)
        (new / CHECKSUMS).write_text(json.dumps(_facts(new, name), indent=1), encoding="utf-8")


def remove_old_leftovers() -> None:
    """Remove what killed processes left half-made anywhere in the cache: what no process has written to for a day."""
    found: list[Path] = []
    with contextlib.suppress(OSError):  # another process may be removing one just now
        found.extend(cache_folder().rglob(f"{TEMPORARY}*"))
    for leftover in found:
        with contextlib.suppress(OSError):
            newest = max(path.stat().st_mtime for path in [leftover, *leftover.rglob("*")])
            if time.time() - newest > ABANDONED:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
