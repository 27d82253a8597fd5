"""Folders appear whole or not at all."""

import pytest

from bakeoff.errors import UserError
from bakeoff.folders import free_folder, new_folder


def test_a_folder_is_filled_by_one_process_and_another_says_so(tmp_path):
    with new_folder(tmp_path / "mine") as first:
        (first / "one").touch()
        with pytest.raises(UserError, match="another command is writing"), new_folder(tmp_path / "mine"):
            pass
        (first / "two").touch()
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"one", "two"}
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("named", [lambda new: (), lambda new: (str(new / "config.json"),)])
def test_a_folder_that_cannot_be_filled_is_named(tmp_path, named):
    def full():
        with new_folder(tmp_path / "mine") as new:
            raise OSError(28, "No space left on device", *named(new))

    with pytest.raises(OSError, match="No space left") as caught:
        full()
    assert caught.value.filename == str(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_folder_that_exists(tmp_path):
    assert free_folder(tmp_path / "a" / "b") == tmp_path
    assert free_folder(tmp_path) == tmp_path
