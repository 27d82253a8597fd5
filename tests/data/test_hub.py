"""Public files: fetched at a revision, and one short line where they cannot be."""

import hashlib
import os
import subprocess
import sys

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from bakeoff.data import hub


def test_a_file_is_asked_for_at_its_revision(monkeypatch, tmp_path):
    asked = []

    def download(repository, filename, **options):
        asked.append((repository, filename, options))
        return str(tmp_path / filename)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert hub.fetch("some/one", "a.txt", revision="abc", kind="dataset") == tmp_path / "a.txt"
    assert asked == [("some/one", "a.txt", {"repo_type": "dataset", "revision": "abc"})]


@pytest.mark.parametrize(
    "error",
    [LocalEntryNotFoundError("no\n  network"), OSError("no network"), ValueError(""), RuntimeError("no network")],
)
def test_a_failure_is_one_short_line(monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    with pytest.raises(ConnectionError, match=r"\A(no network|ValueError)\Z"):
        hub.fetch("some/one", "a.txt", revision="abc")


@pytest.mark.parametrize(
    ("setting", "value", "mend"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:9", "SOCKS proxy"),
        ("HF_ENDPOINT", "huggingface.co", "HF_ENDPOINT must begin with https://"),
    ],
)
def test_a_setting_that_cannot_work_is_told_with_what_mends_it(setting, value, mend, tmp_path):
    """In a process of its own, as the hub's library reads its settings when it is imported."""
    program = "from bakeoff.data import hub; hub.fetch('some/one', 'a.txt', revision='0' * 40)"
    settings = {name: text for name, text in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=settings | {setting: value, "HF_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ConnectionError: ")
    assert mend in last


NAMES = [hashlib.sha256(b"text").hexdigest(), hashlib.sha1(b"blob 4\0text").hexdigest()]  # noqa: S324 (git's choice)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_hubs_cache_that_is_damaged_is_fetched_anew(name, tmp_path, monkeypatch):
    blob, link = tmp_path / name, tmp_path / "a.txt"
    blob.write_bytes(b"teXt")
    link.symlink_to(blob)

    def download(*_, force_download=False, **__):
        if force_download:
            blob.write_bytes(b"text")
        return str(link)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    assert not hub.is_whole(link)
    assert hub.fetch("some/one", "a.txt", revision="abc").read_bytes() == b"text"
    assert hub.is_whole(link)
