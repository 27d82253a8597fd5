"""Which GPU a process of this machine gets; the processes are stand-ins here."""

import io
from types import SimpleNamespace

import pytest
import torch

from bakeoff import machine, runner
from bakeoff.executors import Ended, Task, local
from bakeoff.executors.local import Local


def test_sets_have_one_order_in_all_workers(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert local.worker_environment()["PYTHONHASHSEED"] == "0"


@pytest.mark.parametrize(("gpus", "given"), [((), [None] * 3), (("2", "5"), ["2", "5", "2"]), (("0",), ["0"] * 3)])
def test_each_process_sees_the_gpu_that_the_fewest_others_use(tmp_path, monkeypatch, gpus, given):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    seen = []

    def start(environment, log):
        seen.append(environment.get("CUDA_VISIBLE_DEVICES"))
        process = SimpleNamespace(wait=lambda: 0, status=lambda: "running", cpu_times=lambda: (0.0, 0.0))
        return SimpleNamespace(stdin=io.StringIO(), stdout=[], process=process, close=lambda: None)

    workers, tasks = Local(start, gpus=gpus), [Task(tmp_path / str(number), "") for number in range(3)]
    for task in tasks:
        task.folder.mkdir()
        workers.submit(task)
    assert seen == given
    ((ended, last),) = workers.poll()
    assert isinstance(last, Ended)
    workers.submit(ended)
    assert seen[-1] == given[tasks.index(ended)], "the one that has become free, or is used by the fewest"


def test_what_is_no_message_is_passed_over_and_the_end_is_told_none_the_less(tmp_path):
    """A library that prints, and a message that was cut off as its process was killed."""
    said = ["a library says hello\n", '{"event": "start"}\n', '{"event": "st']
    process = SimpleNamespace(wait=lambda: 1, status=lambda: "running", cpu_times=lambda: (0.0, 0.0))
    child = SimpleNamespace(stdin=io.StringIO(), stdout=said, process=process, close=lambda: None)
    workers, task = Local(lambda environment, log: child), Task(tmp_path, "")
    workers.submit(task)
    assert workers.poll() == [(task, {"event": "start"})]
    ((ended, last),) = workers.poll()
    assert (ended, isinstance(last, Ended)) == (task, True)


@pytest.mark.parametrize(
    ("visible", "count", "named"),
    [(None, 0, []), (None, 2, ["0", "1"]), ("", 0, []), ("3,1", 2, ["3", "1"]), ("1,GPU-x,-1", 2, ["1", "GPU-x"])],
)
def test_gpus_are_named_as_they_were_given_to_this_process(monkeypatch, visible, count, named):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert machine.gpus() == named


@pytest.mark.parametrize(("device", "held"), [("cpu", 4), ("cuda", 3), ("mps", 1)])
def test_as_many_runs_are_held_as_there_are_gpus_or_cores(monkeypatch, tiny_study, device, held):
    monkeypatch.setattr(runner, "usable_cores", lambda: 4)
    monkeypatch.setattr(runner, "gpus", lambda: ["0", "1", "2"])
    monkeypatch.setattr(runner, "available_memory", lambda: 10**10)
    session = runner.Session(
        study=tiny_study, declared=tiny_study, folder=None, tokens=None, device=torch.device(device), source=None
    )
    assert session.holds(10**9) == held
    assert session.holds(6 * 10**9) == 1
