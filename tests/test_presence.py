"""Whether other runs train on this machine meanwhile."""

import os
import time

import pytest

from bakeoff import presence
from bakeoff.presence import Presence


def test_a_run_by_itself_is_not_disturbed_and_neither_is_the_next(tmp_path):
    for _ in range(2):
        with Presence(tmp_path) as here:
            assert not here.is_shared()
            assert not here.is_shared()


def test_both_see_that_another_is_there_whoever_was_the_first_and_whoever_stays(tmp_path):
    with Presence(tmp_path) as first:
        with Presence(tmp_path) as second:
            assert second.is_shared()
            assert first.is_shared()
        assert first.is_shared()
        with Presence(tmp_path) as third:
            assert third.is_shared()
    second, third = Presence(tmp_path), Presence(tmp_path)
    with second:
        third.__enter__()
    assert third.is_shared()
    third.__exit__(None, None, None)


def test_one_that_was_killed_is_no_longer_there(tmp_path):
    if not (child := os.fork()):
        Presence(tmp_path).__enter__()
        os._exit(0)
    os.waitpid(child, 0)
    time.sleep(0.05)
    with Presence(tmp_path) as here:
        assert not here.is_shared()


def test_who_was_here_is_forgotten_once_nobody_is(tmp_path, monkeypatch):
    monkeypatch.setattr(presence, "BEGINNING", -1.0)
    with Presence(tmp_path):
        with Presence(tmp_path) as before:
            pass
        with Presence(tmp_path):
            assert before.path.exists()
    with Presence(tmp_path) as here:
        assert list(here.folder.iterdir()) == [here.path]


@pytest.mark.parametrize("refused", [OSError("full"), PermissionError("read-only")])
def test_where_nothing_can_be_written_the_run_goes_on(tmp_path, monkeypatch, refused):
    monkeypatch.setattr(presence.tempfile, "mkstemp", lambda **_: (_ for _ in ()).throw(refused))
    with Presence(tmp_path) as here:
        assert not here.is_shared()
