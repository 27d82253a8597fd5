"""Where fetched and derived data is kept between studies."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The folder of fetched corpora, tokenizers and token streams; `BAKEOFF_CACHE` overrides the platform's place."""
    return Path(os.environ.get("BAKEOFF_CACHE") or platformdirs.user_cache_dir("bakeoff", appauthor=False))
