"""A real choice that is killed again and again ends in time, and what it trained are ordinary studies."""

import json
import random
import subprocess
import sys
import time

import pytest

from bakeoff.choosing.kept import INTERVAL
from bakeoff.study_folder import StudyFolder, find_studies

MINUTES, KILLS = 2, 3


def bakeoff(*arguments, cwd):
    command = [sys.executable, "-m", "bakeoff", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(*arguments, cwd):
    """What a command said that ended well."""
    process = bakeoff(*arguments, cwd=cwd)
    told, said = process.communicate()
    assert process.returncode == 0, said
    return told


@pytest.mark.slow
def test_a_choice_that_is_killed_ends_in_time_and_leaves_ordinary_studies(tiny_corpus_file, tmp_path):
    chance, took = random.Random(1), 0.0  # noqa: S311 (no secret)
    asked = "choose", tiny_corpus_file, "--minutes", MINUTES, "--json"
    folder = tmp_path / "runs" / f"choose-{tiny_corpus_file.stem}"
    for _ in range(KILLS):
        began = time.monotonic()
        killed = bakeoff(*asked, cwd=tmp_path)
        time.sleep(chance.uniform(6.0, 12.0))
        assert killed.poll() is None, "it was over before it was killed"
        killed.kill()
        killed.communicate()
        took += time.monotonic() - began
    began = time.monotonic()
    found = json.loads(ended(*asked, cwd=tmp_path))
    took += time.monotonic() - began
    assert took < 1.03 * 60 * MINUTES + KILLS * INTERVAL  # at most so much of the time that was spent was not kept
    assert found["use"] in ({"floor": found["floor"]["name"]}, found["network"])
    runs = [run for study in find_studies(folder) for *_, run in study.declared_runs()]
    assert {run.status for run in runs} == {"finished"}

    final = folder / "final"
    assert "nothing that was checked differs" in ended("verify", final, cwd=tmp_path)
    assert json.loads(ended("status", final, "--json", cwd=tmp_path))
    before = {run.path: run.summary for *_, run in StudyFolder(final).declared_runs()}
    ended("report", final, cwd=tmp_path)
    assert {run.path: run.summary for *_, run in StudyFolder(final).declared_runs()} == before
    assert ended("sample", final, "--tokens", 20, cwd=tmp_path).strip()
