"""Learning rates that a search has chosen: one file a study, with every trial."""

from pathlib import Path
from typing import Any

from bakeoff.records import read_json
from bakeoff.shapes import RATES


def chosen(study: str) -> dict[str, Any]:
    """What the search for that study found (`bakeoff tune STUDY` writes such a file)."""
    return read_json(Path(__file__).with_name(f"{study}.json"), RATES)
