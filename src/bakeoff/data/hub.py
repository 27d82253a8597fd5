"""Files of public repositories on the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import logging


def fetch(repository: str, filename: str, *, revision: str, kind: str = "model") -> Path:
    """Download a file, or take it from the hub's own cache.

    Raises:
        ConnectionError: It cannot be had; the text is the reason, in a short line.
    """
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # of every retry there would be a line; what comes of them is told once
    try:
        return Path(hf_hub_download(repository, filename, repo_type=kind, revision=revision))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ConnectionError(" ".join(str(error).split())[:120] or type(error).__name__) from error
