"""Files appear whole or not at all."""

import json
import stat

import pytest

from bakeoff.files import free_folder, write_json, written_atomically


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "file.txt"
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


def test_others_may_read_what_is_written(tmp_path):
    write_json(tmp_path / "a.json", {})
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o644


def test_json_is_strict_or_not_written(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "Zürich", "value": 1.5})
    assert "Zürich" in path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"value": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "Zürich", "value": 1.5}


def test_the_nearest_folder_that_exists(tmp_path):
    assert free_folder(tmp_path / "a" / "b") == tmp_path
    assert free_folder(tmp_path) == tmp_path
