"""Learning rates that a search has chosen, one file a study, with every trial that led to them."""

import json
from importlib import resources
from typing import Any


def chosen(study: str) -> dict[str, Any]:
    """What the search for that study found (`bakeoff tune STUDY` writes such a file)."""
    found: dict[str, Any] = json.loads((resources.files(__name__) / f"{study}.json").read_text(encoding="utf-8"))
    return found


def carried() -> dict[str, Any]:
    """What became of each built-in study's ranking on a larger corpus, where the kept results have both."""
    found: dict[str, Any] = json.loads((resources.files(__name__) / "carried.json").read_text(encoding="utf-8"))
    return found
