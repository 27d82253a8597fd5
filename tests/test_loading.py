"""A run's model, back from its folder."""

import contextlib
import dataclasses
import json
import os
import shutil
import sys

import numpy as np
import pytest
import torch

import bakeoff
from bakeoff import checkpoints, cli, data
from bakeoff.analysis.reading import read_rows
from bakeoff.errors import UserError
from bakeoff.identity import identity
from bakeoff.job import Job
from bakeoff.loading import best_floor, best_run
from bakeoff.records import read_json, write_record
from bakeoff.run_folder import RunFolder
from bakeoff.runner import open_session
from bakeoff.study_file import find_study
from bakeoff.study_folder import StudyFolder
from bakeoff.training import token_nats
from bakeoff.worker import work


@pytest.fixture(scope="module")
def session(tiny_study, tmp_path_factory):
    study = dataclasses.replace(tiny_study, experiments=tiny_study.experiments[:1])
    with open_session(study, tmp_path_factory.mktemp("out") / study.name, torch.device("cpu")) as session:
        run = session.study.runs[0]
        folder = session.folder.run(run.slug)
        work(Job(run=run, folder=folder.path, device="cpu", alone=True), lambda message: None)
        return session, folder.path


def test_a_loaded_model_is_the_one_that_was_measured(session):
    opened, path = session
    model, tokenizer = bakeoff.load(str(path))
    assert not model.training
    tokens = data.prepare(opened.study.corpus, opened.study.budget)
    nats = token_nats(model, tokens.splits["test"], opened.study.budget, torch.device("cpu"))
    assert nats.sum(dtype=np.float64) == pytest.approx(RunFolder(path).summary["test"]["best"]["nats"], rel=1e-6)
    assert tokenizer.decode(tokenizer.encode("Größe 12\n").ids) == "Größe 12\n"


def test_a_relative_path_does_as_well(session, monkeypatch):
    _, path = session
    monkeypatch.chdir(path.parent)
    model, _ = bakeoff.load(path.name)
    assert model.embedding.weight.abs().sum() > 0


def test_a_notebook_shows_a_loaded_run_as_its_line_of_the_table(session):
    loaded = bakeoff.load(session[1])
    html = loaded._repr_html_()
    floors = StudyFolder(session[1].parents[1]).declared["baselines"]
    assert html.count("<tr>") == 2 + len(floors)
    assert ">LSTM<" in html.replace(" ", "")
    assert len(loaded) == 2


def test_a_folder_without_weights_is_refused_in_words(session, tmp_path):
    for path in (tmp_path, tmp_path / "nowhere", session[1].parent):
        with pytest.raises(UserError, match="no folder of a run with weights"):
            bakeoff.load(path)


def exchanged(text):
    """A tokenizer with two symbols in each other's places."""
    tokenizer = json.loads(text)
    symbols = tokenizer["model"]["vocab"]
    symbols["a"], symbols["b"] = symbols["b"], symbols["a"]
    return json.dumps(tokenizer)


@pytest.mark.parametrize("damage", [exchanged, lambda text: text[:3000], lambda text: "", lambda text: None])
def test_a_damaged_tokenizer_is_refused_in_words_and_an_older_study_says_no_checksum(session, tmp_path, damage):
    folder = StudyFolder(shutil.copytree(session[0].folder.path, tmp_path / "study"))
    run = tmp_path / "study" / session[1].relative_to(session[0].folder.path)
    damaged = damage(folder.tokenizer.read_text())
    folder.tokenizer.write_text(damaged) if damaged is not None else folder.tokenizer.unlink()
    refused = pytest.raises(UserError, match=r"\A[^\n]*tokenizer\.json is damaged [^\n]*repeat the command[^\n]*\Z")
    with refused:
        bakeoff.load(run)
    declared = read_json(tmp_path / "study" / "study.json")
    del declared["tokenizer_sha256"]
    write_record(tmp_path / "study" / "study.json", declared)
    with contextlib.nullcontext() if damage is exchanged else refused:
        bakeoff.load(run)


def test_a_pipe_in_the_place_of_a_tokenizer_is_not_read(session, tmp_path):
    folder = StudyFolder(shutil.copytree(session[0].folder.path, tmp_path / "study"))
    folder.tokenizer.unlink()
    os.mkfifo(folder.tokenizer)
    with pytest.raises(UserError, match=r"tokenizer\.json is damaged \(it is no regular file\)"):
        bakeoff.load(tmp_path / "study" / session[1].relative_to(session[0].folder.path))


def test_damaged_weights_are_refused_in_words(session):
    weights = RunFolder(session[1]).best_weights
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(UserError, match=r"\A[^\n]*best\.safetensors is damaged[^\n]*\Z"):
        bakeoff.load(session[1])
    weights.write_bytes(before)


def test_weights_of_another_model_are_refused_in_words_where_no_checksum_tells(session, tmp_path):
    """As beside a run that was interrupted."""
    study = shutil.copytree(session[0].folder.path, tmp_path / "study")
    folder = RunFolder(study / session[1].relative_to(session[0].folder.path))
    (folder.path / "summary.json").unlink()
    checkpoints.save(folder.best_weights, {"other": torch.zeros(3)}, {"epoch": 1})
    with pytest.raises(UserError, match=r"\A[^\n]*best\.safetensors is damaged \(Error.* in loading[^\n]*\Z"):
        bakeoff.load(folder.path)


@pytest.mark.parametrize("place", ["01-lstm-1-adam/seed-7", "02-lstm-1-adam/seed-0"])
@pytest.mark.parametrize("put", ["copied", "linked"])
def test_a_run_in_the_place_of_another_is_not_taken_for_it(session, tmp_path, place, put):
    study = shutil.copytree(session[0].folder.path, tmp_path / "study")
    run, other = study / session[1].relative_to(session[0].folder.path), study / place
    other.parent.mkdir(exist_ok=True)
    shutil.copytree(run, other) if put == "copied" else other.symlink_to(run)
    with pytest.raises(UserError, match=r"\A[^\n]* holds seed 0 of experiment 1: put it back to where it was\Z"):
        bakeoff.load(other)
    linked, alone = tmp_path / "linked", tmp_path / "alone"
    linked.symlink_to(study)
    alone.symlink_to(run)
    assert bakeoff.load(alone)._repr_html_(), "a link from elsewhere leads to the run"
    assert bakeoff.load(linked / run.relative_to(study)), "a link to the whole study is as good as the study"


def test_weights_of_another_run_are_refused_in_words(session):
    folder = RunFolder(session[1])
    before = folder.best_weights.read_bytes()
    tensors, facts = checkpoints.load(folder.best_weights)
    checkpoints.save(folder.best_weights, {name: tensor + 1 for name, tensor in tensors.items()}, facts)
    with pytest.raises(
        UserError,
        match=r"best\.safetensors is damaged [^\n]*: put back what .*, or remove the summary\.json beside it and run",
    ):
        bakeoff.load(session[1])
    folder.best_weights.write_bytes(before)


def test_where_weights_were_removed_the_records_stay_whole_and_who_asks_for_a_model_is_told(session, tmp_path):
    folder = StudyFolder(shutil.copytree(session[0].folder.path, tmp_path / "study"))
    run = RunFolder(folder.path / session[1].relative_to(session[0].folder.path))
    assert best_run(folder.path) == run.path
    run.best_weights.unlink()
    assert [row.status for row in read_rows(folder).rows] == ["finished"]
    with pytest.raises(
        UserError, match=r"best\.safetensors is damaged \(it is not there\): put back what the run left"
    ):
        bakeoff.load(run.path)
    with pytest.raises(UserError, match=r"study has no weights, only records: put back a run's best\.safetensors, or"):
        best_run(folder.path)


def test_runs_in_each_others_places_are_shown_as_damaged(session, tmp_path):
    folder = StudyFolder(shutil.copytree(session[0].folder.path, tmp_path / "study"))
    declared = read_json(folder.path / "study.json")
    assert declared["runs"] == {run.slug: identity(run) for run in session[0].study.runs}
    assert [row.status for row in read_rows(folder).rows] == ["finished"]
    write_record(folder.path / "study.json", declared | {"runs": dict.fromkeys(declared["runs"], "0" * 12)})
    (row,) = read_rows(folder).rows
    assert (row.status, row.valid, row.history) == ("damaged", None, ())
    assert "it holds another run than study.json declares" in row.error


def test_a_run_of_an_earlier_version_or_that_was_declared_with_no_other_is_loaded(session, tmp_path):
    folder = StudyFolder(shutil.copytree(session[0].folder.path, tmp_path / "moved"))
    declared = read_json(folder.path / "study.json")
    run = folder.path / session[1].relative_to(session[0].folder.path)
    bakeoff.load(run)
    for runs in ({}, None):  # its seed was declared by a comparison alone; nothing was said of runs
        write_record(
            folder.path / "study.json",
            {name: declared[name] for name in declared if name != "runs"} | ({} if runs is None else {"runs": runs}),
        )
        bakeoff.load(run)


@pytest.mark.parametrize("name", ["kn2", "kn5+cache"])
def test_a_loaded_floor_is_the_one_that_was_measured(session, name):
    opened, path = session
    table, tokenizer = bakeoff.load_floor(path.parents[1], name)
    valid, length = opened.tokens.splits["valid"].tokens_N.tolist(), opened.study.budget.sequence_length
    places = range(len(valid) - 1)
    said = [table.next_V(valid[place - place % length : place + 1])[valid[place + 1]] for place in places]
    floors = {floor["name"]: floor for floor in StudyFolder(path.parents[1]).declared["baselines"]}
    assert -np.log(said).sum() == pytest.approx(floors[name]["valid"]["nats"])
    assert tokenizer.to_str() == opened.tokens.tokenizer.to_str()


def test_the_floor_that_pays_least_on_valid_is_loaded_where_none_is_named(session):
    _, path = session
    nats = {floor["name"]: floor["valid"]["nats"] for floor in StudyFolder(path.parents[1]).declared["baselines"]}
    del nats["uniform"], nats["unigram"]
    best = min(nats, key=nats.get)
    assert best_floor(path.parents[1]) == best
    after = [1, 2, 3]
    named, unnamed = (bakeoff.load_floor(path.parents[1], name).model.next_V(after) for name in (best, None))
    assert named.tolist() == unnamed.tolist()


def test_a_floor_that_is_none_or_whose_text_is_not_there_is_refused_in_words(session, tmp_path):
    study = shutil.copytree(session[1].parents[1], tmp_path / "study")
    with pytest.raises(UserError, match=r"no floor 'unigram' that is a model: use kn2, kn3, kn3\+cache, kn4, kn5, kn5"):
        bakeoff.load_floor(study, "unigram")
    (run,) = study.glob("*/seed-*")
    said = read_json(run / "spec.json")
    said["run"]["corpus"]["path"] = str(tmp_path / "gone.txt")
    write_record(run / "spec.json", said)
    with pytest.raises(UserError, match=r"gone\.txt is missing: put it there"):
        bakeoff.load_floor(study)
    (run / "spec.json").unlink()
    with pytest.raises(UserError, match=r"no run of .* was started"):
        bakeoff.load_floor(study)


OWN = """\
from dataclasses import dataclass
from typing import ClassVar

from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study
from helpers import WIDTH

print("executed")


@dataclass(frozen=True, kw_only=True)
class Wide(LSTM):
    name: ClassVar[str] = "wide"
    title: ClassVar[str] = "Wide LSTM"
    embedding: int = WIDTH


@dataclass(frozen=True, kw_only=True)
class Slow(Adam):
    name: ClassVar[str] = "slow"
    title: ClassVar[str] = "Slow Adam"


study = Study.of(
    "own",
    corpus=Corpus(name="tiny", path=CORPUS),
    budget=Budget(epochs=1, batch_size=16, sequence_length=16, vocabulary=300, precision="fp32", threads=1),
    contenders=[(Wide(hidden=8), Adam()), (LSTM(embedding=8, hidden=8), Slow())],
)
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory, tiny_corpus_file):
    """A study of an own model and one of Bakeoff's, trained in a folder that has moved since; its two runs."""
    project = tmp_path_factory.mktemp("project")
    (project / "helpers.py").write_text("WIDTH = 8\n")
    (project / "mine.py").write_text(OWN.replace("CORPUS", repr(str(tiny_corpus_file))))
    study, source = find_study(str(project / "mine.py"))
    with open_session(study, project / "runs" / study.name, torch.device("cpu"), source) as session:
        for run in session.study.runs:
            job = Job(run=run, folder=session.folder.run(run.slug).path, device="cpu", alone=True)
            work(job, lambda message: None)
    moved = project.rename(project.with_name("moved"))
    return [moved / "runs" / study.name / run.slug for run in session.study.runs]


@pytest.fixture
def copied(own, tmp_path):
    """The same in a copy that may be damaged."""
    folder = shutil.copytree(own[0].parents[1], tmp_path / "own")
    return [folder / path.relative_to(own[0].parents[1]) for path in own]


def call(arguments, monkeypatch, capsys):
    """A command's exit status, standard output and standard error, its last line alone."""
    monkeypatch.setattr(sys, "argv", ["bakeoff", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    return ended.value.code, out, err.splitlines()[-1]


def test_a_whole_folder_of_another_run_is_refused_wherever_a_model_is_asked_for(copied, tmp_path, monkeypatch, capsys):
    ours, theirs = copied
    ours.rename(tmp_path / "aside")
    theirs.rename(ours)
    (tmp_path / "aside").rename(theirs)
    says = "is damaged (it holds another run than study.json declares, by its settings or its code): move it to where"
    with pytest.raises(UserError) as refused:
        bakeoff.load(ours)
    assert str(refused.value).startswith(f"{ours} {says}")
    for arguments in (["sample", ours, "a"], ["export", ours, tmp_path / "exported", "--to", "transformers"]):
        status, out, err = call(arguments, monkeypatch, capsys)
        assert (status, out) == (1, "")
        assert err.startswith(f"bakeoff: {ours} {says}")
    assert not (tmp_path / "exported").exists()


def test_an_own_model_is_loaded_where_it_is_trusted_wherever_it_was_moved(own, capfd):
    model, _ = bakeoff.load(own[0], trust=True)
    assert type(model).__name__ == "LSTMModel"
    assert model.embedding.weight.shape[1] == 8
    assert "executed" in capfd.readouterr().err


def test_nothing_is_executed_for_a_model_of_bakeoffs_whatever_trained_it(own, capfd):
    model, _ = bakeoff.load(own[1])
    assert model.embedding.weight.shape[1] == 8
    assert capfd.readouterr() == ("", "")


def test_an_own_model_is_not_loaded_without_trust(own, capfd):
    with pytest.raises(UserError, match=r"mine\.py defines bakeoff_study\.Wide: read it, then say --trust, or"):
        bakeoff.load(own[0])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["mine.py", "helpers.py"])
@pytest.mark.parametrize("damage", ["edited", "gone"])
def test_code_that_is_not_what_was_kept_is_not_executed(copied, name, damage, capfd):
    file = copied[0].parents[1] / "code" / name
    if damage == "gone":
        file.unlink()
    else:
        file.write_text(file.read_text() + "print('evil')\n")
    with pytest.raises(UserError, match=r"cannot be read|not what was kept"):
        bakeoff.load(copied[0], trust=True)
    assert capfd.readouterr() == ("", "")


def test_what_a_study_names_as_its_source_is_never_executed(copied, tmp_path, capfd):
    evil, study = tmp_path / "evil.py", copied[0].parents[1] / "study.json"
    evil.write_text("print('evil')\n")
    write_record(study, read_json(study) | {"source": str(evil)})
    for path in copied:
        bakeoff.load(path, trust=True)
    assert "evil" not in str(capfd.readouterr())


def test_a_run_by_other_code_than_is_kept_is_not_loaded(copied):
    spec = copied[0] / "spec.json"
    said = read_json(spec)
    said["run"]["code"] = "0" * 12
    write_record(spec, said)
    with pytest.raises(UserError, match="has other code"):
        bakeoff.load(copied[0], trust=True)
