"""Files of public repositories on the Hugging Face hub."""

import hashlib
import re
from functools import partial
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.utils import logging

from bakeoff.errors import one_line
from bakeoff.files import sha256_of

#: What the reason begins with where it is the user's settings, and what mends it.
MENDS = {
    "Using SOCKS proxy": "a SOCKS proxy is set, which needs `pip install httpx[socks]`; or name an HTTP proxy",
    "Request URL is missing": "HF_ENDPOINT must begin with https://",
}


def fetch(repository: str, filename: str, *, revision: str, kind: str = "model") -> Path:
    """Download a file, or take it from the hub's own cache, where it is fetched anew if it is damaged.

    Raises:
        ConnectionError: It cannot be had; the text is the reason, in a short line.
    """
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # of every retry there would be a line; what comes of them is told once
    download = partial(hf_hub_download, repository, filename, repo_type=kind, revision=revision)
    try:
        path = Path(download())
        return path if is_whole(path) else Path(download(force_download=True))
    except Exception as error:  # whatever the hub's libraries raise, the file cannot be had
        reason = one_line(error)
        mend = next((mend for begins, mend in MENDS.items() if reason.startswith(begins)), reason)
        raise ConnectionError(mend) from error


def is_whole(path: Path) -> bool:
    """Whether a file of the hub's cache is as it was fetched: the cache names each by its SHA-256, or as git does."""
    name = path.resolve().name
    if re.fullmatch("[0-9a-f]{64}", name):
        return sha256_of(path) == name
    if re.fullmatch("[0-9a-f]{40}", name):
        content = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == name  # noqa: S324 (git's choice)
    return True
