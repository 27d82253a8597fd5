"""Locks and claims are nobody's once whoever held them is gone, and looking at one changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from bakeoff import locks
from bakeoff.errors import UserError
from bakeoff.locks import is_locked, lease_at, lock_at


def test_a_lock_that_is_a_link_is_replaced_and_what_it_names_is_left_alone(tmp_path):
    precious, path = tmp_path / "precious", tmp_path / ".lock"
    precious.write_text("precious")
    path.symlink_to(precious)
    with lock_at(path):
        assert path.is_file()
    assert precious.read_text() == "precious"


def test_a_claim_without_content_is_nobodys_after_a_while(tmp_path, monkeypatch):
    """As of a machine that went off after it had made the file."""
    path = tmp_path / "run.claim"
    path.touch()
    with pytest.raises(Timeout):
        lease_at(path).acquire(timeout=0)
    os.utime(path, (path.stat().st_mtime - locks.MAKING - 1,) * 2)
    with lease_at(path):
        assert path.stat().st_size
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("made", [lock_at, lease_at])
def test_a_folder_in_the_place_of_a_lock_is_named(tmp_path, made):
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(UserError, match=r"run\.lock is a folder, in the place of a lock: remove it"):
        made(tmp_path / "run.lock")


def test_a_killed_process_holds_no_lock(tmp_path):
    path = tmp_path / "run.lock"
    code = f"from filelock import FileLock as F; f = F({str(path)!r}); f.acquire(); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert is_locked(path)
        process.kill()
        process.wait()
        assert not is_locked(path)


def test_looking_for_a_lock_creates_none(tmp_path):
    assert not is_locked(tmp_path / "run.lock")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="other systems need to write to look")
def test_looking_for_a_lock_needs_no_right_to_write(tmp_path, monkeypatch):
    path = tmp_path / "run.lock"
    path.touch()
    opened, original = [], Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: opened.append(mode) or original(self, mode))
    assert not is_locked(path)
    with FileLock(path):
        assert is_locked(path)
    assert opened == ["rb", "rb"]
