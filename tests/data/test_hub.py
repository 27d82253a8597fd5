"""Public files: fetched at a revision, and one short line where they cannot be."""

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


@pytest.mark.parametrize("error", [LocalEntryNotFoundError("no\n  network"), OSError("no network"), ValueError("")])
def test_a_failure_is_one_short_line(monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    with pytest.raises(ConnectionError, match=r"\A(no network|ValueError)\Z"):
        hub.fetch("some/one", "a.txt", revision="abc")
