import pytest
import torch
from safetensors.torch import load_file

from bakeoff import checkpoints
from bakeoff.files import TEMPORARY, remove_leftovers
from bakeoff.training import State

STATE = State(
    {"model.weight": torch.randn(3, 4), "random.cpu": torch.get_rng_state()}, {"step": 7, "norms": [0.1, 2e-7]}
)


def test_what_was_saved_comes_back_to_the_bit(tmp_path):
    checkpoints.save(tmp_path / "checkpoint.safetensors", STATE)
    tensors, facts = checkpoints.load(tmp_path / "checkpoint.safetensors")
    assert facts == STATE.facts
    assert all(torch.equal(tensors[name], STATE.tensors[name]) for name in STATE.tensors)


def test_there_is_none_before_the_first(tmp_path):
    assert checkpoints.load(tmp_path / "checkpoint.safetensors") is None


@pytest.mark.parametrize("left", [0, 20, -8])
def test_a_damaged_one_is_none(tmp_path, left, capsys):
    path = tmp_path / "checkpoint.safetensors"
    checkpoints.save(path, STATE)
    path.write_bytes(path.read_bytes()[:left])
    assert checkpoints.load(path) is None
    assert "the run begins anew" in capsys.readouterr().out


def test_tied_and_cut_tensors_are_written_each_for_itself(tmp_path):
    whole = torch.arange(6.0).reshape(2, 3)
    tensors = {"a": whole, "tied": whole, "row": whole[1], "column": whole[:, 1]}
    checkpoints.save_tensors(tmp_path / "weights.safetensors", tensors)
    read = load_file(tmp_path / "weights.safetensors")
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_an_interrupted_write_leaves_the_last_one_whole(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    checkpoints.save(path, STATE)
    before = path.read_bytes()

    def half(tensors, file, metadata):
        file.write_bytes(before[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", half)
    with pytest.raises(OSError, match="No space"):
        checkpoints.save(path, STATE)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    (tmp_path / f"{TEMPORARY}abc.safetensors").write_bytes(b"half")
    (tmp_path / "history.jsonl").write_text("{}\n")
    remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["history.jsonl"]
