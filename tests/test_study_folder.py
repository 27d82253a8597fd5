"""Studies are found, and say what they declare or that they are damaged."""

import json

import pytest

from bakeoff.errors import UserError
from bakeoff.records import DamagedError
from bakeoff.study_folder import StudyFolder, find_studies


def write_study(folder, **fields):
    folder.mkdir(exist_ok=True)
    study = {"study": folder.name, "identity": "0", "budget": {}, "seeds": [0]}
    study["experiments"] = [{"number": 1, "slug": "01-x"}]
    (folder / "study.json").write_text(json.dumps(study | fields))


def test_studies_are_found_in_a_folder_or_below_it(tmp_path):
    for name in ("b", "a"):
        write_study(tmp_path / name)
    (tmp_path / "not-a-study").mkdir()
    assert find_studies(tmp_path / "b") == [StudyFolder(tmp_path / "b")]
    assert [folder.study["study"] for folder in find_studies(tmp_path)] == ["a", "b"]
    (tmp_path / "out" / "choose-my").mkdir(parents=True)
    write_study(tmp_path / "out" / "choose-my" / "final")
    assert [folder.path.name for folder in find_studies(tmp_path / "out")] == ["final"]


@pytest.mark.parametrize("name", [".", "none"])
def test_no_study_is_said_in_one_line(tmp_path, name):
    with pytest.raises(UserError, match=r"\Ano study in [^\n]+\Z"):
        find_studies(tmp_path / name)


def test_a_name_that_no_record_can_hold_is_said(tmp_path):
    folder = tmp_path / "b\udcff"
    write_study(folder)
    with pytest.raises(UserError, match="is not UTF-8: rename it"):
        find_studies(folder)


def test_every_experiment_is_declared_with_every_seed(tmp_path):
    experiments = [{"number": 1, "slug": "01-x"}, {"number": 2, "slug": "02-y"}]
    write_study(tmp_path, experiments=experiments, seeds=[0, 4])
    declared = [
        (seed, run.path.relative_to(tmp_path).as_posix()) for _, seed, run in StudyFolder(tmp_path).declared_runs()
    ]
    assert declared == [(0, "01-x/seed-0"), (4, "01-x/seed-4"), (0, "02-y/seed-0"), (4, "02-y/seed-4")]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"study": "a", "identity": "0", "experiments": [1], "seeds": []}']
)
def test_a_damaged_study_is_said_with_the_one_file_to_remove(tmp_path, content):
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(
        DamagedError, match=r"\A[^\n]*study\.json is damaged [^\n]*: remove it and repeat the command\Z"
    ):
        _ = StudyFolder(tmp_path).study


def test_a_study_tells_each_folder_which_run_it_declares_there(tmp_path):
    write_study(tmp_path, runs={"01-x/seed-0": "b"})
    ((_, _, run),) = StudyFolder(tmp_path).declared_runs()
    assert run.declared == "b"
    write_study(tmp_path)
    ((_, _, run),) = StudyFolder(tmp_path).declared_runs()
    assert run.declared is None
