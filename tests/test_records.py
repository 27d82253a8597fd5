"""Run folders: history is appended, the summary comes last, and what is on disk decides what a run's status is."""

import json
import subprocess
import sys

import pytest
from filelock import FileLock

from bakeoff.errors import UserError
from bakeoff.records import (
    DIVERGED,
    FAILED,
    FINISHED,
    MISSING,
    RUNNING,
    RunFolder,
    StudyFolder,
    find_studies,
    is_locked,
)


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.start({"identity": "a"}, {"device": "cpu"})
    return folder


@pytest.mark.parametrize("status", [FINISHED, DIVERGED, FAILED])
def test_a_summary_means_that_the_run_is_over(folder, status):
    assert (folder.summary, folder.status) == (None, MISSING)
    folder.finish({"status": status})
    assert folder.status == status


def test_a_run_is_running_while_somebody_holds_its_lock(folder):
    lock = FileLock(folder.path / "run.lock")
    with lock:
        assert folder.status == RUNNING
    assert folder.status == MISSING


def test_a_killed_process_holds_no_lock(folder):
    path = folder.path / "run.lock"
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


def test_a_folder_that_is_not_there_is_a_missing_run(tmp_path):
    folder = RunFolder(tmp_path / "none")
    assert (folder.status, folder.spec, folder.summary, folder.environment, folder.history()) == (
        MISSING,
        None,
        None,
        {},
        [],
    )


def test_history_is_what_was_appended(folder):
    lines = [{"epoch": epoch, "note": "line\u2028break\x85 \n ü"} for epoch in range(3)]
    for line in lines:
        folder.append(line)
    assert folder.history() == lines


@pytest.mark.parametrize("kept", range(1, len('{"epoch": 1}')))
def test_history_skips_a_last_line_that_was_cut_off(folder, kept):
    folder.append({"epoch": 0})
    with (folder.path / "history.jsonl").open("a") as file:
        file.write('{"epoch": 1}'[:kept])
    assert folder.history() == [{"epoch": 0}]


def test_starting_again_removes_what_an_earlier_try_left(folder):
    folder.append({"epoch": 0})
    folder.best_weights.write_bytes(b"old")
    folder.write_documents({})
    folder.finish({"status": FAILED})
    folder.start({"identity": "b"}, {})
    assert folder.spec == {"identity": "b"}
    assert (folder.summary, folder.history(), folder.best_weights.exists()) == (None, [], False)


def test_a_summary_that_cannot_be_written_leaves_the_run_not_over(folder):
    with pytest.raises(ValueError, match="JSON"):
        folder.finish({"status": FINISHED, "seconds": float("nan")})
    assert folder.summary is None
    assert {path.name for path in folder.path.iterdir()} == {"spec.json", "environment.json"}


def test_a_damaged_summary_is_the_users_to_mend(folder):
    (folder.path / "summary.json").write_text('{"status": ')
    with pytest.raises(UserError, match=r"\A[^\n]*summary\.json[^\n]*\Z"):
        _ = folder.status


def test_studies_are_found_in_a_folder_or_below_it(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text(json.dumps({"study": name}))
    (tmp_path / "not-a-study").mkdir()
    assert find_studies(tmp_path / "b") == [StudyFolder(tmp_path / "b")]
    assert [folder.study["study"] for folder in find_studies(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize("name", [".", "none"])
def test_no_study_is_said_in_one_line(tmp_path, name):
    with pytest.raises(UserError, match=r"\Ano study in [^\n]+\Z"):
        find_studies(tmp_path / name)


def test_every_experiment_is_declared_with_every_seed(tmp_path):
    (tmp_path / "study.json").write_text(
        json.dumps({"experiments": [{"slug": "01-x"}, {"slug": "02-y"}], "seeds": [0, 4]})
    )
    declared = [
        (seed, run.path.relative_to(tmp_path).as_posix()) for _, seed, run in StudyFolder(tmp_path).declared_runs()
    ]
    assert declared == [(0, "01-x/seed-0"), (4, "01-x/seed-4"), (0, "02-y/seed-0"), (4, "02-y/seed-4")]
