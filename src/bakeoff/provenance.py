"""Which code computed a run: version, commit and checksum of the sources."""

import functools
import hashlib
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parent
#: The file in a wheel that says which commit it was built from.
BUILT = "commit.txt"
#: What a run's worker imports of the package: all that a run depends on. What the others do, how they say it and what
#: they read of it changes no result.
COMPUTING = (
    *("__init__", "checkpoints", "data", "effects", "errors", "experiments", "files", "folders", "generation"),
    *("identity", "job", "locks", "machine", "memory", "metrics", "models", "moving_average", "optimizers"),
    *("presence", "provenance", "rates", "recorded_run", "recording", "records", "run_folder", "sampling", "shapes"),
    *("sources", "spec", "study_file", "texts", "training", "windows", "worker"),
)
#: What `code` tells.
KEYS = ("bakeoff", "commit", "sources")


def code() -> dict[str, str | None]:
    """The package's version; the commit of its checkout or its wheel; the checksum of its sources."""
    return {"bakeoff": version("bakeoff"), "commit": commit(), "sources": _sources()}


@functools.cache
def imported() -> dict[str, str | None]:
    """What `code` told first in this process, or in the one that it was forked from: files may have changed since."""
    return code()


def commit() -> str | None:
    """The commit of the checkout that this file belongs to; "-dirty" behind it where something was changed since.

    Elsewhere that from which the wheel was built; None where it was built without a checkout.
    """
    # An installed package may lie in the checkout of something else, which does not keep this file.
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        built = PACKAGE / BUILT
        return built.read_text(encoding="utf-8").strip() if built.is_file() else None
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(*arguments: str) -> str | None:
    """What git says about the package's folder; None where it fails or is not there."""
    command = ["git", "-C", str(PACKAGE), *arguments]
    # Looking changes nothing, and what a surrounding git command has set is about another checkout.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()


def _sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE)
        if name.parts[0].removesuffix(".py") in COMPUTING:
            digest.update(f"{name.as_posix()}\0{path.read_text(encoding='utf-8')}\0".encode())
    return digest.hexdigest()[:12]
