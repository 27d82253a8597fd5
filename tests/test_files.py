"""Files appear whole or not at all."""

import json
import os
import stat

import pytest

from bakeoff.files import is_regular, remove_leftovers, write_json, written_atomically


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with pytest.raises(FileNotFoundError), written_atomically(path):
        pytest.fail("its folder may have been moved away")
    path.parent.mkdir()
    with written_atomically(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, path.suffix)
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def interrupted():
        with written_atomically(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_others_may_read_what_the_users_umask_lets_them(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o666 & ~umask


def test_a_share_that_synchronizes_no_folder_and_changes_no_mode_is_good_enough(tmp_path, monkeypatch):
    real = os.fsync

    def fsync(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        real(handle)

    def refuse(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "chmod", refuse)
    write_json(tmp_path / "a.json", {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_write_that_fails_names_the_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "file.txt"

    def full():
        with written_atomically(path) as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device") as caught:
        full()
    assert caught.value.filename == str(path)
    assert str(caught.value) == f"[Errno 28] No space left on device: {str(path)!r}"
    assert list(tmp_path.iterdir()) == []


def test_only_files_that_a_killed_process_left_are_removed(tmp_path):
    left, kept = [".unfinished-0a.json", ".tmpx1Y2z3"], [".tmpnotes", "unfinished-0a", "a.tmpx1Y2z3"]
    for name in (*left, *kept):
        (tmp_path / name).touch()
    for name in (".tmp", ".tmpfolder", ".tmp123456"):
        (tmp_path / name).mkdir()
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, ".tmp", ".tmpfolder", ".tmp123456"}


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError) as caught:
        write_json(tmp_path / "file" / "a.json", {})
    assert str(caught.value.filename).startswith(str(tmp_path / "file"))


def test_only_a_file_that_ends_is_regular(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "device").symlink_to("/dev/zero")
    assert [is_regular(tmp_path / name) for name in ("file", "link", "pipe", "device", ".")] == [
        *(True, True, False, False, False)
    ]


def test_json_is_strict_or_not_written(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "Zürich", "value": 1.5})
    assert "Zürich" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Zürich", "value": 1.5}
