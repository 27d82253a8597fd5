"""The command line from outside: what it prints where, its exit status, and what it leaves on disk."""

import dataclasses
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file

from bakeoff import cli, loading
from bakeoff.experiments import STUDIES
from bakeoff.files import write_json
from bakeoff.identity import purpose
from bakeoff.run_folder import STATUSES, RunFolder
from bakeoff.study_file import find_study

#: A model and an optimizer that only this file knows, and one experiment with each kind of ours.
STUDY_FILE = """
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Architecture, Budget, Corpus, Optimizer, Study


class Table(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.logits = nn.Embedding(vocabulary, vocabulary)
        nn.init.zeros_(self.logits.weight)

    def loss(self, inputs, targets):
        return F.cross_entropy(self.logits(inputs).flatten(0, 1), targets.flatten())

    def token_nats(self, inputs, targets):
        return F.cross_entropy(self.logits(inputs).flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)


@dataclass(frozen=True, kw_only=True)
class Bigram(Architecture):
    name: ClassVar[str] = "bigram"
    title: ClassVar[str] = "Bigram table"

    def build(self, vocabulary, sequence_length):
        return Table(vocabulary)


class Signs(torch.optim.Optimizer):
    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter -= group["lr"] * parameter.grad.sign()


@dataclass(frozen=True, kw_only=True)
class SignSGD(Optimizer):
    name: ClassVar[str] = "signsgd"
    title: ClassVar[str] = "Sign SGD"

    def build(self, model):
        return Signs(model.parameters(), self.lr)


study = Study.of(
    "mine",
    corpus=Corpus(name="text", path=CORPUS),
    budget=Budget(epochs=2, batch_size=8, sequence_length=16, vocabulary=256, threads=1),
    contenders=[(Bigram(), SignSGD(lr=0.1)), (LSTM(embedding=16, hidden=16), Adam(lr=1e-2))],
)
"""
SLUGS = ["01-bigram-1-signsgd/seed-0", "02-lstm-1-adam/seed-0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_corpus_file):
    """A folder with the study file, where everything happens."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "study.py").write_text(STUDY_FILE.replace("CORPUS", repr(str(tiny_corpus_file))))
    return folder


@pytest.fixture(scope="module")
def interrupted(folder):
    """Ctrl-C as soon as the first run is over, while the second begins; and how the second run was left."""
    command = [sys.executable, "-m", "bakeoff", "run", "study.py", "--out", "out"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, **pipes) as process:
        for line in process.stderr:
            if f"{SLUGS[0]}  finished" in line:
                break
        process.send_signal(signal.SIGINT)
        stderr, stdout = process.stderr.read(), process.stdout.read()
    return process.returncode, stdout, stderr, (folder / "out/mine" / SLUGS[1] / "summary.json").exists()


@pytest.fixture(scope="module")
def finished(folder, interrupted):
    """The same command again, in this process, which has imported everything and started a server of workers."""
    told, said = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told), redirect_stderr(said):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["bakeoff", "run", "study.py", "--out", "out"])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    stdout, stderr = (stream.buffer.getvalue().decode() for stream in (told, said))
    return SimpleNamespace(returncode=ended.value.code, stdout=stdout, stderr=stderr)


@pytest.fixture(scope="module")
def study_folder(folder, finished):
    return folder / "out" / "mine"


def call(arguments, monkeypatch, capsys):
    """The command line in this process: its exit status, standard output and standard error."""
    monkeypatch.setattr(sys, "argv", ["bakeoff", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, *capsys.readouterr()


# --- run --------------------------------------------------------------------------------------------------------------


def test_an_interrupt_exits_with_130_and_leaves_the_run_at_work_unfinished(interrupted, folder):
    status, stdout, stderr, has_summary = interrupted
    assert status == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert not has_summary


def test_an_interrupt_says_how_to_go_on(interrupted):
    assert interrupted[2].splitlines()[-1:] == ["bakeoff: stopped; repeat the command to go on with what is missing"]


def test_repeating_the_command_does_only_what_is_missing(finished):
    assert finished.returncode == 0
    assert "1 of 2 runs to do" in finished.stderr
    assert SLUGS[0] not in finished.stderr


def test_standard_output_is_the_reports_path_and_progress_is_elsewhere(finished, study_folder):
    assert finished.stdout == "report: out/mine/report/index.html\n"
    assert (study_folder / "report/index.html").is_file()
    assert re.search(r"epoch 2/2  train [\d.]+  valid [\d.]+", finished.stderr)
    assert "\x1b" not in finished.stderr


def test_the_page_beside_the_study_ends_with_what_became_of_it_and_leads_to_the_report(finished, study_folder):
    page = " ".join((study_folder / "live.html").read_text().split())
    assert "2 finished; left to run: nothing. As of " in page
    assert 'href="report/index.html"' in page
    assert "as it goes on: out/mine/live.html" in finished.stderr


def test_a_users_model_and_optimizer_are_trained_and_reported_like_ours(study_folder):
    results = json.loads((study_folder / "report/results.json").read_text())
    rows = {row["model"]: row for row in results["rows"]}
    assert {row["status"] for row in rows.values()} == {"finished"}
    assert rows["bigram"]["optimizer"] == "signsgd"
    assert rows["bigram"]["valid"]["perplexity"] < 200  # a uniform guess has 256
    page = (study_folder / "report/index.html").read_text()
    assert "Bigram table" in page
    assert "Sign SGD" in page


def test_a_third_time_nothing_is_run_and_nothing_changes(folder, study_folder, monkeypatch, capsys):
    before = {path: path.stat().st_mtime_ns for slug in SLUGS for path in (study_folder / slug).iterdir()}
    monkeypatch.chdir(folder)
    assert call(["run", "study.py", "--out", "out", "--no-report"], monkeypatch, capsys) == (0, "", "")
    assert {path: path.stat().st_mtime_ns for slug in SLUGS for path in (study_folder / slug).iterdir()} == before


def test_a_model_that_fails_is_a_result_with_exit_status_1_and_the_others_are_trained(
    folder, tmp_path, monkeypatch, capsys
):
    """And a study file may print, here and in the runs' own processes."""
    small = (folder / "study.py").read_text().replace("Table(vocabulary)", "Table(vocabulary - 250)")
    path = folder / "fails.py"
    path.write_text(f"{small}print('hello')\n")
    status, _, err = call(["run", path, "--out", tmp_path, "--no-report", "--epochs", "1"], monkeypatch, capsys)
    assert status == 1
    assert f"{SLUGS[0]} failed: " in err
    assert "Traceback" not in err
    statuses = [json.loads(path.read_text())["status"] for path in sorted(tmp_path.glob("*/*/*/summary.json"))]
    assert statuses == ["failed", "finished"]
    assert [path.parts[-3] for path in tmp_path.glob("*/*/*/best.safetensors")] == ["02-lstm-1-adam"]


# --- plan -------------------------------------------------------------------------------------------------------------


def test_a_plan_is_one_json_document_with_the_contracts_keys(folder, tmp_path, monkeypatch, capsys):
    arguments = ["plan", folder / "study.py", "--seeds", "4", "--out", tmp_path / "out"]
    status, out, _ = call([*arguments, "--json"], monkeypatch, capsys)
    told = json.loads(out)
    assert status == 0
    assert told.keys() == {"seconds", "memory_bytes", "disk_bytes", "seeds", "judge", "deviation", "deviation_from"}
    assert [entry["seeds"] for entry in told["seeds"]] == [3, 4, 5, 8, 10, 20]
    assert all(entry.keys() == {"seeds", "smallest_effect", "seconds"} for entry in told["seeds"])
    assert told["seeds"][1]["seconds"] == told["seconds"]
    assert "kept noise of quick" in told["deviation_from"]
    assert list(tmp_path.iterdir()) == []


def test_a_plan_in_words_is_for_the_experiments_that_are_named(folder, tmp_path, monkeypatch, capsys):
    status, out, _ = call(["plan", folder / "study.py", "--only", "2", "--out", tmp_path], monkeypatch, capsys)
    assert status == 0
    assert out.startswith("mine: 1 experiment with 1 seed each on cpu, 1 thread a run, ")
    assert re.search(r"^seeds +time +smallest difference +in perplexity$", out, re.MULTILINE)
    assert len(re.findall(r"^ *(?:3|5|8|10|20) .* %$", out, re.MULTILINE)) == 5
    assert re.search(
        r"`bakeoff judge`, which may stop after 3, 5 or 8 seeds, finds 0\.\d+ \(.* %\)\.$", out, re.MULTILINE
    )


def test_a_plan_for_an_experiment_that_there_is_not_is_refused(folder, tmp_path, monkeypatch, capsys):
    status, out, err = call(["plan", folder / "study.py", "--only", "3", "--out", tmp_path], monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert err.startswith("bakeoff: --only takes experiment numbers such as 1,5; study mine has 1, 2")


# --- status, report, describe -----------------------------------------------------------------------------------------


def test_one_damaged_study_or_run_hides_no_other(fake_study, tmp_path, monkeypatch, capsys):
    for name in ("a", "b", "c"):
        shutil.copytree(fake_study.path, tmp_path / name)
    (tmp_path / "a" / "study.json").write_text("[]")
    (tmp_path / "b" / "01-lstm-1-adam" / "seed-0" / "summary.json").write_text("[]")
    status, out, err = call(["status", tmp_path, "--json"], monkeypatch, capsys)
    assert status == 1
    assert err == f"bakeoff: {tmp_path}/a/study.json is damaged (it is no object): remove it and repeat the command\n"
    b, c = json.loads(out)["studies"]
    assert (b["counts"]["damaged"], c["counts"]["damaged"]) == (1, 0)
    assert b["counts"]["finished"] == c["counts"]["finished"] - 1
    assert b["runs"][0]["error"].startswith(f"{tmp_path}/b/01-lstm-1-adam/seed-0/summary.json is damaged")


def test_status_is_one_json_document(study_folder, monkeypatch, capsys):
    status, out, err = call(["status", study_folder.parent, "--json"], monkeypatch, capsys)
    assert (status, err) == (0, "")
    (study,) = json.loads(out)["studies"]
    assert set(study) == {"study", "folder", "counts", "seconds_left", "runs", "other_seeds", "reported"}
    assert study["counts"] == dict.fromkeys(STATUSES, 0) | {"finished": 2}
    assert study["seconds_left"] == 0
    keys = {"number", "model", "layers", "optimizer", "seed", "status", "epochs", "best_epoch", "error", "folder"}
    assert [set(run) for run in study["runs"]] == [keys] * 2
    assert sorted(run["folder"] for run in study["runs"]) == SLUGS


def test_status_in_words_has_a_line_for_every_run_and_what_is_left(study_folder, monkeypatch, capsys):
    status, out, _ = call(["status", study_folder], monkeypatch, capsys)
    assert status == 0
    assert sum("finished" in line for line in out.splitlines()) == 3
    counts, plan = out.splitlines()[-2:]
    assert counts.endswith("2 finished; left to run: nothing")
    assert plan == "the next `bakeoff run` will only write the report"


def test_report_rebuilds_the_page_from_the_folders_alone(study_folder, monkeypatch, capsys):
    page = study_folder / "report/index.html"
    page.unlink()
    status, out, _ = call(["report", study_folder], monkeypatch, capsys)
    assert (status, out) == (0, f"report: {page}\n")
    assert page.is_file()


def test_a_report_that_lacks_a_part_exits_with_1_and_says_what_failed(fake_study, tmp_path, monkeypatch, capsys):
    def broken(*arguments):
        raise ZeroDivisionError("no room")

    monkeypatch.setattr("bakeoff.reporting.pdf.write", broken)
    status, out, err = call(["report", fake_study.path, "--out", tmp_path], monkeypatch, capsys)
    page = tmp_path / "fake" / "index.html"
    assert (status, out) == (1, f"report: {page}\n")
    assert err == f"bakeoff: {page}: report.pdf failed: ZeroDivisionError: no room\n"
    assert page.is_file()


def test_a_report_of_a_study_that_cannot_be_written_goes_elsewhere(study_folder, tmp_path, monkeypatch, capsys):
    before = {path: path.stat().st_mtime_ns for path in study_folder.parent.rglob("*")}
    (tmp_path / "mine" / "mine").mkdir(parents=True)
    (tmp_path / "mine" / "mine" / "index.html").touch()  # of an earlier report, whose place this one takes
    (tmp_path / "mine" / "mine" / ".files").write_text("index.html\n")
    status, out, _ = call(["report", study_folder, "--out", tmp_path / "mine"], monkeypatch, capsys)
    assert (status, out) == (0, f"report: {tmp_path / 'mine' / 'mine' / 'index.html'}\n")
    assert (tmp_path / "mine" / "mine" / "results.json").is_file()
    assert {path: path.stat().st_mtime_ns for path in study_folder.parent.rglob("*")} == before


def test_a_report_replaces_no_files_of_the_users(study_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("precious")
    status, _, err = call(["report", study_folder, "--out", tmp_path], monkeypatch, capsys)
    assert status == 2
    assert (
        err
        == f"bakeoff: {tmp_path / 'mine'} holds files, and no index.html: choose another --out, or rename that folder\n"
    )
    assert (tmp_path / "mine" / "notes.txt").read_text() == "precious"


EXPERIMENT_KEYS = {
    *("number", "model", "layers", "optimizer", "learning_rate", "parameters", "learnable_parameters", "vocabulary"),
    *("sequence_length", "batch_size", "epochs"),
}


def test_describe_is_one_json_document_with_the_contracts_keys(folder, monkeypatch, capsys):
    status, out, err = call(["describe", folder / "study.py", "--json"], monkeypatch, capsys)
    description = json.loads(out)
    assert (status, err, description["study"]) == (0, "", "mine")
    assert all(
        description["corpus"][split][c] > 0
        for split in ("train", "valid", "test")
        for c in ("tokens", "words", "bytes")
    )
    assert all(set(entry) >= EXPERIMENT_KEYS for entry in description["experiments"])
    assert description["experiments"][0]["parameters"] == 256 * 256


def test_describe_counts_what_is_known_where_the_corpus_is_not_here(monkeypatch, capsys):
    status, out, _ = call(["describe", "seed", "--json"], monkeypatch, capsys)
    description = json.loads(out)
    assert status == 0
    assert description["corpus"]["train"]["tokens"] is None
    assert len(description["experiments"]) == 12
    assert all(entry["parameters"] > entry["learnable_parameters"] > 0 for entry in description["experiments"])


def test_describe_answers_where_nothing_can_be_kept(folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("BAKEOFF_CACHE", str(tmp_path / "file"))
    status, out, _ = call(["describe", folder / "study.py", "--json"], monkeypatch, capsys)
    description = json.loads(out)
    assert (status, description["corpus"]["train"]["tokens"]) == (0, None)
    assert description["experiments"][0]["parameters"] == 256 * 256


def test_describe_tells_the_rates_that_run_would_use(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    study, _ = find_study("study.py")
    searched = dataclasses.replace(study, experiments=study.experiments[1:])
    found = {"for": purpose(searched), "rates": {"02-lstm-1-adam": {"lr": 0.125, "trials": []}}}
    (tmp_path / "mine-tune").mkdir()
    write_json(tmp_path / "mine-tune" / "rates.json", found)
    _, out, _ = call(["describe", "study.py", "--out", tmp_path, "--json"], monkeypatch, capsys)
    assert [entry["learning_rate"] for entry in json.loads(out)["experiments"]] == [0.1, 0.125]
    _, out, _ = call(["describe", "study.py", "--json"], monkeypatch, capsys)
    assert [entry["learning_rate"] for entry in json.loads(out)["experiments"]] == [0.1, 0.01]


@pytest.mark.parametrize("study", ["quick", "seed"])
def test_describe_in_words_has_a_line_for_every_experiment(study, monkeypatch, capsys):
    monkeypatch.setattr("bakeoff.data.is_here", lambda corpus, budget: False)
    status, out, _ = call(["describe", study], monkeypatch, capsys)
    assert status == 0
    assert [int(line.split()[0]) for line in out.splitlines()[1:13]] == list(range(1, 13))
    assert "None" not in out


# --- sample -----------------------------------------------------------------------------------------------------------


def test_sample_continues_the_prompt_and_says_with_which_run(study_folder, monkeypatch, capsys):
    command = ["sample", study_folder / SLUGS[1], "The ", "--tokens", "20", "--seed", "3"]
    status, out, err = call(command, monkeypatch, capsys)
    assert (status, err) == (0, f"bakeoff: text from {study_folder / SLUGS[1]}\n")
    assert out.startswith("The ")
    assert len(out) > len("The \n") + 20 // 2
    assert call(command, monkeypatch, capsys) == (status, out, err)
    assert call([*command[:-1], "4"], monkeypatch, capsys)[1] != out


def test_sample_takes_a_floor_in_a_runs_place(study_folder, monkeypatch, capsys):
    command = ["sample", study_folder, "The ", "--tokens", "20", "--floor"]
    status, out, err = call([*command, "best"], monkeypatch, capsys)
    best = loading.best_floor(study_folder)
    assert (status, err) == (0, f"bakeoff: text from {best} of {study_folder}\n")
    assert out.startswith("The ")
    assert call([*command, best], monkeypatch, capsys) == (status, out, err)
    assert call([*command, "kn2"], monkeypatch, capsys)[1] != out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([SLUGS[0], "--trust"], "only models with a tied output layer generate text"),
        ([SLUGS[1], "--temperature", "-1"], "temperature must be a finite number from 0"),
        ([SLUGS[1], "\udcff\udcfe"], "the prompt is not text in UTF-8"),
        (["report"], "no study in"),
        (["report", "--floor", "best"], "no study in"),
        ([".", "--floor", "kn9"], "no floor 'kn9' that is a model: use kn2, "),
    ],
)
def test_sample_refuses_in_one_line(arguments, said, study_folder, monkeypatch, capsys):
    status, out, err = call(["sample", study_folder / arguments[0], *arguments[1:]], monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert err.startswith("bakeoff: ")
    assert err.count("\n") == 1
    assert said in err


def test_a_studys_folder_stands_for_its_best_run(study_folder):
    losses = {
        slug: min(
            json.loads(line)["valid"]["nats"]
            for line in (study_folder / slug / "history.jsonl").read_text().splitlines()
        )
        for slug in SLUGS
    }
    assert loading.best_run(study_folder) == study_folder / min(losses, key=losses.get)


# --- export -----------------------------------------------------------------------------------------------------------


def test_export_takes_the_best_run_and_says_what_loads_it(study_folder, tmp_path, monkeypatch, capsys):
    best = loading.best_run(study_folder)
    command = ["export", study_folder, tmp_path / "new", "--to", "transformers", "--trust"]
    status, out, err = call(command, monkeypatch, capsys)
    assert (status, err) == (0, f"bakeoff: the best run is {best}\n")
    assert out == f"exported: {tmp_path / 'new'}, which bakeoff.load loads\n"
    assert (tmp_path / "new" / "README.md").is_file()


def test_the_card_of_a_study_files_model_names_its_class(study_folder, tmp_path, monkeypatch, capsys):
    command = ["export", study_folder / SLUGS[0], tmp_path / "new", "--to", "transformers"]
    assert "read it, then" in call(command, monkeypatch, capsys)[2]
    assert call([*command, "--trust"], monkeypatch, capsys)[0] == 0
    card = (tmp_path / "new" / "README.md").read_text()
    assert "`bakeoff_study.Bigram`, which the study file of the run defines" in card
    (load,) = re.findall(r"weights = (.*)\n", card)
    monkeypatch.chdir(tmp_path)
    assert set(eval(load, {"load_file": load_file})) == {"logits.weight"}  # noqa: S307 (ours)


def test_export_writes_a_studys_curves_with_the_times_of_its_evaluations(study_folder, tmp_path, monkeypatch, capsys):
    before = time.time()
    command = ["export", study_folder, tmp_path / "events", "--to", "tensorboard"]
    status, out, err = call(command, monkeypatch, capsys)
    assert (status, err) == (0, "")
    assert out == f"exported: {tmp_path / 'events'}, which tensorboard --logdir reads\n"
    assert sorted(path.relative_to(tmp_path / "events").as_posix() for path in tmp_path.glob("events/*/*")) == SLUGS
    times = [line["unix_seconds"] for line in RunFolder(study_folder / SLUGS[1]).history()]
    assert times == sorted(times)
    assert before - 3600 < times[0] < times[-1] < before


# --- help -------------------------------------------------------------------------------------------------------------

#: Ends with the command's own status, or with 99 if anything has imported what the verb does not need.
WITHOUT = """
import sys
from bakeoff.cli import main
try:
    main()
finally:
    if {modules!r} & set(sys.modules):
        sys.exit(99)
"""
HEAVY = {"torch", "numpy", "scipy", "polars", "vl_convert", "typst", "tokenizers", "huggingface_hub"}


@pytest.mark.parametrize(
    ("arguments", "modules"),
    [
        (["--version"], HEAVY),
        (["--help"], HEAVY),
        (["run", "--help"], HEAVY),
        (["status", "DIR"], HEAVY),
        (["report", "DIR"], {"torch", "tokenizers", "huggingface_hub", "vl_convert"}),
    ],
)
def test_a_verb_imports_only_what_it_needs(arguments, modules, study_folder):
    arguments = [str(study_folder) if argument == "DIR" else argument for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(modules=modules), *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_run_begins_without_scipy():
    code = "import sys; from bakeoff import verbs; sys.exit('scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("commit", "told"), [(None, ""), ("0123abc-dirty", " (commit 0123abc-dirty)")])
def test_the_version_is_the_distributions_with_the_commit_of_a_checkout(commit, told, monkeypatch, capsys):
    monkeypatch.setattr("bakeoff.provenance.commit", lambda: commit)
    assert call(["--version"], monkeypatch, capsys) == (0, f"bakeoff {version('bakeoff')}{told}\n", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'? See `bakeoff --help`"),
        (["bake"], "No such command 'bake'; see `bakeoff --help`"),
        (["run", "--epoch", "3"], "No such option: --epoch. Did you mean --epochs? See `bakeoff --help`"),
        (["export", "a", "b", "--to", "tensorbord"], "'tensorbord' is not one of 'transformers', 'tensorboard'"),
    ],
)
def test_what_is_unknown_is_answered_with_what_is_nearest(arguments, said, monkeypatch, capsys):
    status, out, err = call(arguments, monkeypatch, capsys)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.parametrize(
    ("typed", "found"), [("bakeoff re", "report"), ("bakeoff report --be", "--beside-published"), ("bakeoff x", "")]
)
def test_a_shell_completes_verbs_and_options(typed, found):
    """In a process of its own, whose program is called `bakeoff`."""
    code = "import sys; sys.argv = ['bakeoff']; from bakeoff.cli import main; main()"
    asked = {"_BAKEOFF_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, found, "")


def test_help_lists_exactly_the_registered_studies(monkeypatch, capsys):
    _, out, _ = call(["run", "--help"], monkeypatch, capsys)
    assert f"{', '.join(STUDIES)}, or a Python file" in " ".join(out.split())


#: What scripts rely on. A new option is added here; one that is taken away breaks somebody's script.
OPTIONS = {
    "run": {
        *("--only", "--again", "--seeds", "--corpus", "--epochs", "--out", "--device", "--precision", "--threads"),
        *("--jobs", "--executor", "--address", "--shared-folder", "--no-shared-folder", "--tensorboard"),
        *("--report", "--no-report", "--help"),
    },
    "choose": {"--minutes", "--memory", "--out", "--device", "--seed", "--report", "--no-report", "--json", "--help"},
    "report": {"--out", "--beside-published", "--help"},
    "data": {"--help"},
    "status": {"--json", "--help"},
    "watch": {"--port", "--browser", "--no-browser", "--help"},
    "describe": {"--out", "--json", "--help"},
    "bench": {"--fast", "--busy", "--json", "--help"},
    "tune": {
        *("--again", "--corpus", "--epochs", "--out", "--device", "--precision", "--threads", "--jobs", "--executor"),
        *("--address", "--shared-folder", "--no-shared-folder", "--help"),
    },
    "plan": {
        *("--only", "--seeds", "--corpus", "--epochs", "--out", "--device", "--precision", "--threads", "--json"),
        "--help",
    },
    "judge": {
        *("--baseline", "--candidate", "--looks", "--margin", "--again", "--corpus", "--epochs", "--out", "--device"),
        *("--precision", "--threads", "--jobs", "--executor", "--address", "--shared-folder", "--no-shared-folder"),
        *("--trust", "--json", "--help"),
    },
    "probe": {
        *("--device", "--executor", "--address", "--shared-folder", "--no-shared-folder", "--trust", "--json"),
        "--help",
    },
    "verify": {"--run", "--seed", "--training", "--no-training", "--first-epoch", "--trust", "--json", "--help"},
    "sample": {"--tokens", "--temperature", "--top-k", "--seed", "--floor", "--trust", "--help"},
    "export": {"--to", "--trust", "--help"},
    "import": {"--into", "--corpus", "--tokens", "--valid", "--train", "--name", "--help"},
    "measure": {"--corpus", "--split", "--window", "--into", "--name", "--device", "--precision", "--json", "--help"},
}


@pytest.mark.parametrize("verb", OPTIONS)
def test_the_options_are_frozen(verb, monkeypatch, capsys):
    _, out, _ = call([verb, "--help"], monkeypatch, capsys)
    options = out[out.index("Options:") :]
    assert set(re.findall(r"(?:^  | / )(--[a-z-]+)", options, re.MULTILINE)) == OPTIONS[verb]
    assert f"`bakeoff {verb} " in " ".join(out.split()) or f"`bakeoff {verb}`" in out, "an example"


def test_the_verbs_are_frozen_and_stand_under_headings(monkeypatch, capsys):
    _, out, _ = call(["--help"], monkeypatch, capsys)
    shown = out[out.index("Start here:") :]
    assert re.findall(r"^  (\w+)  ", shown, re.MULTILINE) == list(OPTIONS)
    assert re.findall(r"^(\w[\w ]+):$", shown, re.MULTILINE) == ["Start here", "Look", "Be sure", "Take along"]


def test_without_arguments_help_is_shown_as_help(monkeypatch, capsys):
    _, out, err = call([], monkeypatch, capsys)
    shown = (out + err).splitlines()
    assert len(shown) > 10
    assert not shown[0].startswith("bakeoff: ")


def test_data_lists_every_corpus_with_its_licence(monkeypatch, capsys):
    status, out, _ = call(["data"], monkeypatch, capsys)
    assert status == 0
    assert "vital-articles\n" in out
    assert "CC BY-SA 4.0" in out
