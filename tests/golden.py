"""Texts that a change must not change by accident: compared whole with what is kept in `tests/golden/`.

If the change was meant, write them anew with `BAKEOFF_GOLDEN=write` in the environment, and read the difference.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def golden(name, text):
    """Compare a text with the kept one of that name."""
    path = FOLDER / name
    if os.environ.get("BAKEOFF_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs: BAKEOFF_GOLDEN=write if that was meant"
