"""Checkpoints: what was saved comes back to the bit, or it is said that it does not."""

import contextlib
import dataclasses
import itertools
import json
import os
import stat

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from bakeoff import checkpoints
from bakeoff.files import SAFETENSORS_TEMPORARY, TEMPORARY, remove_leftovers
from bakeoff.models import LSTM
from test_training import training

TENSORS = {
    "model.weight": torch.randn(3, 4),
    "half": torch.randn(5).bfloat16(),
    "flags": torch.tensor([True, False]),
    "step": torch.tensor(3.0),
    "empty": torch.zeros(0, 2),
    "random.cpu": torch.get_rng_state(),
}
FACTS = {"step": 7, "norms": [0.1, 2e-7]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    checkpoints.save(path, TENSORS, FACTS)
    return path


def test_what_was_saved_comes_back_to_the_bit(path):
    tensors, facts = checkpoints.load(path)
    assert facts == FACTS
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert (tensors[name].dtype, tensors[name].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(tensors[name], tensor)


@pytest.mark.parametrize("left", [0, 20, -8])
def test_one_that_was_cut_off_is_not_read(path, left):
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match="is damaged"):
        checkpoints.load(path)


@pytest.mark.parametrize("metadata", [None, {}, {"bakeoff": "{}"}, {"bakeoff": "7"}, {"bakeoff": "{"}])
def test_one_without_a_checksum_is_not_read(path, metadata):
    save_file(TENSORS, path, metadata=metadata)
    with pytest.raises(ValueError, match="another version's"):
        checkpoints.load(path)


def test_no_bit_can_change_unseen(path):
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")  # of the tensors, behind the header
    for place in range(start, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        with pytest.raises(ValueError, match="checksum"):
            checkpoints.load(path)


def rewritten(path, tensors, facts):
    """The file with other contents under the old checksum."""
    with safe_open(path, framework="pt") as file:
        record = json.loads(file.metadata()["bakeoff"])
    save_file(tensors, path, metadata={"bakeoff": json.dumps(record | {"facts": facts})})


@pytest.mark.parametrize(
    ("tensors", "facts"),
    [
        (TENSORS, FACTS | {"step": 8}),
        ({**TENSORS, "step": torch.tensor(4.0)}, FACTS),
        ({**TENSORS, "model.weight": TENSORS["model.weight"].reshape(4, 3)}, FACTS),
        ({name: tensor for name, tensor in TENSORS.items() if name != "half"}, FACTS),
        ({**TENSORS, "one more": torch.zeros(0)}, FACTS),
    ],
)
def test_tensors_and_facts_are_those_that_were_saved(path, tensors, facts):
    rewritten(path, tensors, facts)
    with pytest.raises(ValueError, match="checksum"):
        checkpoints.load(path)


def test_others_may_read_them_as_the_users_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        checkpoints.save(tmp_path / "a.safetensors", TENSORS, FACTS)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.safetensors").stat().st_mode) == 0o640


def test_tied_and_cut_tensors_are_written_each_for_itself(tmp_path):
    whole = torch.arange(6.0).reshape(2, 3)
    tensors = {"a": whole, "tied": whole, "row": whole[1], "column": whole[:, 1]}
    checkpoints.save(tmp_path / "weights.safetensors", tensors, {})
    read = load_file(tmp_path / "weights.safetensors")
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_an_interrupted_write_leaves_the_last_one_whole(path, monkeypatch):
    before = path.read_bytes()

    def half(tensors, file, metadata):
        file.write_bytes(before[:20])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", half)
    with pytest.raises(OSError, match="No space"):
        checkpoints.save(path, TENSORS, FACTS)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


@pytest.mark.parametrize("prefix", [TEMPORARY, SAFETENSORS_TEMPORARY])
def test_what_a_killed_process_left_half_written_is_removed(tmp_path, prefix):
    (tmp_path / f"{prefix}a1B2c3").write_bytes(b"half")
    (tmp_path / "history.jsonl").write_text("{}\n")
    remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["history.jsonl"]


def test_one_is_due_when_enough_time_has_passed_for_what_the_last_one_cost(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: now[0])
    pace = checkpoints.Due()
    now[0] = 101.0
    assert pace.due()
    assert not pace.due(least=120.0)
    now[0] = 104.0
    pace.note(started=101.0)
    now[0] = 104.0 + 3.0 / checkpoints.SHARE - 1
    assert not pace.due(least=120.0)
    now[0] += 2
    assert pace.due(least=120.0)


def test_a_checkpoint_that_cannot_be_written_is_named_and_leaves_the_last_one(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    checkpoints.save(path, {"a": torch.zeros(1)}, {})

    def full(*_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        checkpoints.save(path, {"a": torch.ones(1)}, {})
    assert caught.value.filename == str(path)
    assert checkpoints.load(path).tensors["a"] == 0
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "states",
    [
        {0: {"step": torch.tensor(2.0), "seen": 3}, "all": {"mean": torch.ones(2), "n": 1}, 1: {}},
        {"all": {"average.of": torch.ones(2)}},
        {},
    ],
)
def test_whatever_an_optimizer_keeps_in_its_state_comes_back(path, states):
    tensors, others = checkpoints._flatten(states)
    checkpoints.save(path, tensors, {"others": others})
    loaded, facts = checkpoints.load(path)
    back = checkpoints._unflatten(checkpoints._under("optimizer.", loaded), facts["others"])
    assert repr(back) == repr({place: state for place, state in states.items() if state})


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"all": {"means": [torch.ones(2)]}}, "keeps all.means in its state as list, which no checkpoint gives back"),
        ({0: {"seen": {0: 3}}}, "keeps 0.seen in its state as dict, which no checkpoint gives back"),
        ({0: {"pair": (1, 2)}}, "keeps 0.pair in its state as tuple"),
        ({0: {0: torch.ones(2)}}, "state of 0 has the key 0, which no checkpoint holds"),
        ({"a.b": {"n": 1}}, "a name of its own with a point in it"),
    ],
)
def test_what_would_not_come_back_is_refused_before_anything_rests_on_it(state, told):
    with pytest.raises(ValueError, match=told):
        checkpoints._flatten(state)


class Odd(torch.optim.SGD):
    """An optimizer whose state is of other types than the weights, in the order in which it was given these."""

    def step(self, closure=None):
        for weight in self.param_groups[0]["params"]:
            state = self.state[weight]
            state["sum"] = state.get("sum", torch.zeros_like(weight, dtype=torch.float64)) + weight.grad.double() / 3
            state["positive"], state["signs"] = weight.grad > 0, weight.grad.sign().long()
        super().step(closure)


def trained_oddly(steps, *, turned=False, **group):
    run = training(LSTM(embedding=8, hidden=8))
    weights = list(run.model.parameters())[:: -1 if turned else 1]
    run = dataclasses.replace(run, optimizer=Odd([{"params": weights, **group}], lr=0.1))
    for _ in itertools.islice(run.evaluations(), steps):
        pass
    return run


def test_state_of_other_types_than_the_weights_comes_back_as_it_was(path):
    run = trained_oddly(2, pair=(0.9, 0.99))
    checkpoints.save(path, *checkpoints.take(run))
    again = trained_oddly(0, pair=(0.0, 0.0))
    checkpoints.restore(again, checkpoints.load(path))
    assert again.optimizer.param_groups[0]["pair"] == (0.9, 0.99)
    for before, after in zip(run.parameters, again.parameters, strict=True):
        assert run.optimizer.state[before].keys() == again.optimizer.state[after].keys()
        for key, value in run.optimizer.state[before].items():
            assert again.optimizer.state[after][key].dtype == value.dtype
            assert torch.equal(again.optimizer.state[after][key], value)


def test_weights_in_another_order_than_the_optimizer_had_them_are_refused(path):
    """As where they are sorted into groups by a set of names."""
    checkpoints.save(path, *checkpoints.take(trained_oddly(2)))
    with pytest.raises(ValueError, match="has its weights in another order now"):
        checkpoints.restore(trained_oddly(0, turned=True), checkpoints.load(path))


class Counting(torch.optim.SGD):
    """An optimizer with a counter that all weights share, or views of one buffer that do not meet."""

    def __init__(self, weights, *, shared):
        super().__init__(weights, lr=0.1)
        flat = torch.zeros(sum(weight.numel() for weight in self.param_groups[0]["params"]))
        for weight, view in zip(
            self.param_groups[0]["params"],
            flat.split([weight.numel() for weight in self.param_groups[0]["params"]]),
            strict=True,
        ):
            self.state[weight]["kept"] = flat[:1] if shared else view


@pytest.mark.parametrize("shared", [True, False])
def test_state_that_several_weights_share_is_refused(shared):
    run = training(LSTM(embedding=8, hidden=8))
    run = dataclasses.replace(run, optimizer=Counting(run.model.parameters(), shared=shared))
    told = pytest.raises(ValueError, match=r"keeps 0\.kept and 1\.kept in the same memory")
    with told if shared else contextlib.nullcontext():
        checkpoints.take(run)


def test_state_that_is_the_weight_itself_is_refused():
    """As `weight.detach().float()` is, where it was to be a copy."""
    run = trained_oddly(1)
    run.optimizer.state[run.parameters[0]]["slow"] = run.parameters[0].detach().float()
    with pytest.raises(ValueError, match=r"keeps 0\.slow and the weight .* in the same memory"):
        checkpoints.take(run)


def test_a_list_among_the_settings_of_several_groups_is_no_trouble():
    run, betas = training(LSTM(embedding=8, hidden=8)), [0.9, 0.95]
    groups = [{"params": [weight], "betas": betas} for weight in run.model.parameters()]
    checkpoints.take(dataclasses.replace(run, optimizer=torch.optim.AdamW(groups, lr=0.1)))


@pytest.mark.parametrize("held", ["state", "groups", "inside"])
def test_a_list_or_mapping_that_several_weights_share_is_refused(held):
    run, counts = training(LSTM(embedding=8, hidden=8)), {"n": 1}
    groups = [{"params": [weight], "counts": counts if held == "groups" else {}} for weight in run.model.parameters()]
    run = dataclasses.replace(run, optimizer=torch.optim.SGD(groups, lr=0.1))
    for weight in run.parameters[:2] if held != "groups" else ():
        run.optimizer.state[weight]["counts"] = counts if held == "state" else [{"of": counts}]
    with pytest.raises(ValueError, match=r"the optimizer keeps .*counts.* for several weights: give each its own"):
        checkpoints.take(run)


@pytest.mark.parametrize("value", [torch.ones(()), {1: 2}, len, [(1, 2)]])
def test_what_no_checkpoint_gives_back_of_an_optimizers_groups_is_refused(value):
    with pytest.raises(ValueError, match=r"keeps scale in its groups as .*, which no checkpoint gives back as it was"):
        checkpoints.take(trained_oddly(1, scale=value))
