"""The loop over what is to do, whatever does it."""

import pytest

import fakes
from bakeoff.errors import UserError
from bakeoff.executors import Ended, Task, do
from bakeoff.run_folder import DIVERGED, FAILED, RunFolder


class Stand:
    """An executor whose tasks say one word and end, the last that was begun first."""

    def __init__(self):
        self.active, self.most, self.began, self.cancelled = [], 0, [], 0

    def submit(self, task):
        self.active.append(task)
        self.began.append(task)
        self.most = max(self.most, len(self.active))

    def poll(self):
        task = self.active.pop()
        return [(task, {"event": "note", "text": "a word"}), (task, Ended("it left no record"))]

    def cancel(self):
        self.cancelled += 1


def test_tasks_begin_in_order_so_many_at_once_and_each_is_told_to_have_ended(tmp_path):
    tasks = [Task(tmp_path / str(number), "") for number in range(20)]
    stand, told = Stand(), []
    do(tasks, stand, 3, lambda task, message: told.append((task, message["event"])))
    assert stand.began == tasks
    assert stand.most == 3
    assert sorted(told, key=str) == sorted(((task, event) for task in tasks for event in ("note", "end")), key=str)
    assert {RunFolder(task.folder).status for task in tasks} == {FAILED}
    assert stand.cancelled == 0


def test_an_interrupt_cancels_what_is_at_work(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    stand = Stand()
    with pytest.raises(KeyboardInterrupt):
        do([Task(tmp_path / "run", "")], stand, 1, interrupt)
    assert stand.cancelled == 1


def test_how_an_earlier_try_failed_is_forgotten_before_the_next(tmp_path):
    folder, seen = RunFolder(tmp_path / "run"), []
    fakes.begin(folder, {"identity": "0", "run": {}}, {})
    folder.finish({"status": FAILED, "error": "an old reason"})
    stand = Stand()
    stand.submit = lambda task: seen.append(folder.ended) or stand.active.append(task)
    do([Task(folder.path, "")], stand, 1, lambda *_: None)
    assert (seen, folder.summary["error"]) == ([False], "it left no record")


def test_a_run_whose_folder_is_gone_ends_the_command_and_says_what_to_do(tmp_path):
    stand, study = Stand(), tmp_path / "study"
    stand.submit = lambda task: study.rename(tmp_path / "moved") and stand.active.append(task)
    with pytest.raises(UserError, match="is gone: repeat the command where it was moved to"):
        do([Task(study / "run", "")], stand, 1, lambda *_: None)
    assert stand.cancelled == 1
    assert not study.exists()


def test_a_run_is_not_begun_in_a_study_that_is_gone(tmp_path):
    task = Task(tmp_path / "study" / "01-a" / "seed-0", "")
    with pytest.raises(UserError, match="study is gone"):
        do([task], Stand(), 1, lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_what_another_command_has_finished_meanwhile_is_not_forgotten(tmp_path):
    """As by a second driver on the same study, between the look at what is missing and the run."""
    folder, told = RunFolder(tmp_path / "run"), []
    fakes.begin(folder, {"identity": "0", "run": {}}, {})
    folder.finish({"status": DIVERGED, "error": "a reason"})
    do([Task(folder.path, "")], Stand(), 1, lambda _, message: told.append(message))
    assert told[-1] == {"event": "end", "status": DIVERGED, "error": "a reason"}
