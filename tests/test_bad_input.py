"""A user's mistake: one line that names it, the right exit status, no traceback, and nothing left behind."""

import os
import subprocess
import sys

import pytest
import torch

from bakeoff import cli
from bakeoff.data.corpora import CORPORA
from bakeoff.experiments import STUDIES

CORPUS = "corpus.txt"
BUILT_IN = ", ".join(CORPORA)
MINE = f"""
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study
study = Study.of(
    "mine",
    corpus=Corpus(name="text", path="{CORPUS}"),
    budget=Budget(epochs=1, batch_size=8, sequence_length=16, vocabulary=256, threads=1),
    contenders=[(LSTM(embedding=8, hidden=8), Adam(lr=1e-2))],
)
"""
STUDY_FILES = {
    "mine.py": MINE,
    "syntax.py": "study = Study.of(\n",
    "raises.py": "x = 1\ny = x / 0\n",
    "long.py": "raise ValueError('''first\n  second''')\n",
    "none.py": "my_study = 1\n",
    "number.py": "study = 12\n",
    "missing.py": "import no_such_module\n",
    "layers.py": MINE.replace("hidden=8", "layers=0"),
    "rate.py": MINE.replace("1e-2", "-1.0"),
    "empty.py": MINE.partition("contenders")[0] + "contenders=[])\n",
    "slash.py": MINE.replace('"mine"', '"../mine"'),
    "corpus.py": MINE.replace('name="text", path="corpus.txt"', 'name="bible"'),
    "tokenizer.py": MINE.replace("epochs=1", "epochs=1, tokenizer='words'"),
    "schedule.py": MINE.replace("epochs=1", "epochs=1, schedule='cosine'"),
    "exits.py": "import sys\nsys.exit('bye')\n",
}


#: Classes that leave out what their bases would have seen to; LAYERS is a field of one, DECAY the default of one.
CARELESS = MINE.replace(
    "(LSTM(embedding=8, hidden=8), Adam(lr=1e-2))", "(Own(), Adam(lr=1e-2)), (LSTM(), Loose())"
).replace(
    "study =",
    """
from dataclasses import dataclass
from typing import Any, ClassVar

@dataclass(frozen=True, kw_only=True)
class Own(LSTM):
    name: ClassVar[str] = "own"
    title: ClassVar[str] = "Own"
    embedding: int = 8
    hidden: int = 8
    LAYERS

    def __post_init__(self):
        pass

@dataclass(frozen=True, kw_only=True)
class Loose(Adam):
    name: ClassVar[str] = "loose"
    title: ClassVar[str] = "Loose"
    weight_decay: Any = DECAY

    def __post_init__(self):
        pass

study =""",
)
BUILDING = MINE.replace("(LSTM(embedding=8, hidden=8), Adam(lr=1e-2))", "(Own(), Adam(lr=1e-2))").replace(
    "study =",
    """
import torch
from torch import nn
from bakeoff.spec import Architecture

class Stateful(nn.Linear):
    def get_extra_state(self):
        return {"n": 1}

class Own(Architecture):
    name, title = "own", "Own"

    def build(self, vocabulary, sequence_length):
        BUILT

study =""",
)
#: What a model is built as, and what is said of it.
BUILT = {
    "pass": "(TypeError: build gives NoneType, no torch.nn.Module)",
    "return nn.LazyLinear(3)": "(TypeError: weight of its state is UninitializedParameter, no tensor that has a shape)",
    "return Stateful(3, 3)": "(TypeError: _extra_state of its state is dict, no tensor that has a shape)",
    "return nn.Linear(0, -1)": "(RuntimeError: ",
    "raise SystemExit(0)": "(SystemExit: 0)",
}
STUDY_FILES |= {f"built{n}.py": BUILDING.replace("BUILT", built) for n, built in enumerate(BUILT)}
STUDY_FILES |= {
    "layer.py": CARELESS.replace("LAYERS", "layers: float = 1.0").replace("DECAY", "0.0"),
    "decay.py": CARELESS.replace("LAYERS", "").replace("DECAY", "None"),
}


@pytest.fixture
def folder(tmp_path, tiny_corpus_file, monkeypatch):
    """Good and bad inputs, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / CORPUS).write_bytes(tiny_corpus_file.read_bytes())
    for name, text in STUDY_FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "empty.txt").write_text(" \n\n")
    (tmp_path / "binary.txt").write_bytes(b"some\0bytes")
    (tmp_path / "latin.txt").write_bytes("für alle\n".encode("latin-1") * 100)
    (tmp_path / "wide.txt").write_bytes("text\n".encode("utf-32") * 100)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "small.txt").write_text("One paragraph.\n\nAnd another.\n")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "train.txt").write_text("only train\n")
    (tmp_path / "nothing").mkdir()
    return tmp_path


def call(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bakeoff", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, *capsys.readouterr()


RUN = ["run", "mine.py"]
JUDGE = ["judge", "mine.py", "--baseline", "1"]
MISTAKES = [
    (["run", "unheard-of"], f"unknown study 'unheard-of': use {', '.join(STUDIES)}, or a Python file"),
    (["run", "absent.py"], "no study file absent.py"),
    (["run", "nothing"], "unknown study"),
    ([*RUN, "--only", "99"], "study mine has 1"),
    ([*RUN, "--only", "x"], "--only takes experiment numbers"),
    ([*RUN, "--only", "1,"], "--only takes experiment numbers"),
    ([*RUN, "--only", ""], "--only takes experiment numbers"),
    ([*RUN, "--corpus", "klingon"], f"neither a file nor a folder, and the built-in ones are {BUILT_IN}"),
    ([*RUN, "--corpus", "absent.txt"], "no corpus 'absent.txt'"),
    ([*RUN, "--corpus", "empty.txt"], "empty.txt is empty"),
    ([*RUN, "--corpus", "binary.txt"], "binary.txt is binary"),
    ([*RUN, "--corpus", "latin.txt"], "latin.txt is not UTF-8 at byte 1: convert it"),
    ([*RUN, "--corpus", "small.txt"], "small is too small"),
    ([*RUN, "--corpus", "splits"], "valid.txt is missing"),
    (["choose", "small.txt"], "small is too small"),
    (["choose", "empty.txt"], "empty.txt is empty"),
    (["choose", "klingon"], f"neither a file nor a folder, and the built-in ones are {BUILT_IN}"),
    (["choose", "small.txt", "--memory", "much"], "--memory takes a size such as 2GB or 500MB, not 'much'"),
    ([*RUN, "--device", "toaster"], "unknown device 'toaster': use one of auto, cpu, cuda, mps"),
    ([*RUN, "--device", "cuda"], "device cuda is not available here: use --device auto"),
    ([*RUN, "--precision", "fp8"], "precision must be one of auto, fp32, bf16"),
    ([*RUN, "--epochs", "0"], "epochs must be a whole number from 1 to 1,000,000,000, not 0"),
    ([*RUN, "--threads", "0"], "threads must be"),
    ([*RUN, "--epochs", "-1"], "epochs must be a whole number from 1 to 1,000,000,000, not -1"),
    ([*RUN, "--epochs", "abc"], "--epochs"),
    ([*RUN, "--corpus", "wide.txt"], "wide.txt is UTF-32: convert it"),
    ([*RUN, "--corpus", "/dev/zero"], "/dev/zero is no regular file"),
    ([*RUN, "--corpus", "pipe"], "pipe is no regular file"),
    ([*RUN, "--again", "99"], "--again takes experiment numbers such as 1,5; study mine has 1"),
    ([*RUN, "--seeds", "3000000000"], "a study has from 1 to 1,000 seeds, not 3,000,000,000"),
    ([*RUN, "--seeds", "0"], "a study has from 1 to 1,000 seeds, not 0"),
    ([*RUN, "--seeds", "1.5"], "--seeds"),
    ([*RUN, "--epochs", "inf"], "--epochs"),
    ([*RUN, "--only", "9" * 5000], "--only takes experiment numbers"),
    ([*RUN, "--jobs", "0"], "--jobs takes auto or a number from 1 to 999"),
    ([*RUN, "--jobs", "9" * 5000], "--jobs takes auto or a number from 1 to 999"),
    ([*RUN, "--jobs", "x"], "--jobs takes auto or a number from 1"),
    ([*RUN, "--bogus"], "No such option: --bogus"),
    ([*RUN, "--epochs"], "--epochs"),
    ([*RUN, "too", "many"], "unexpected extra argument"),
    (["bake"], "No such command 'bake'"),
    (["run", "syntax.py"], "syntax.py:1: SyntaxError: '(' was never closed: study = Study.of("),
    (["run", "raises.py"], "raises.py:2: ZeroDivisionError: division by zero: y = x / 0"),
    (["run", "long.py"], "long.py:1: ValueError: first second"),
    (["run", "none.py"], "none.py defines no study"),
    (["run", "number.py"], "number.py defines no study"),
    (["run", "missing.py"], "missing.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
    (["run", "layers.py"], "layers must be a whole number from 1 to 1,000, not 0"),
    (["run", "rate.py"], "learning rate must be a finite number above 0, not -1.0"),
    (["run", "empty.py"], "study mine has no experiments"),
    (["run", "slash.py"], "a study's name becomes a folder"),
    (["run", "corpus.py"], f"unknown corpus 'bible': the built-in ones are {BUILT_IN}"),
    (["run", "tokenizer.py"], "unknown tokenizer 'words': use bpe"),
    (["describe", "unheard-of"], "unknown study"),
    (["describe", "raises.py", "--json"], "raises.py:2"),
    (["data", "bible"], "unknown corpus 'bible'"),
    (["data", " "], "unknown corpus ' '"),
    (["data", "../text"], "unknown corpus '../text'"),
    ([*JUDGE, "--candidate", "1"], "a comparison takes two experiments, not 1 twice"),
    ([*JUDGE, "--candidate", "2"], "--candidate takes a number of an experiment; study mine has 1"),
    ([*JUDGE, "--candidate", "x"], "--candidate"),
    (JUDGE, "Missing option '--candidate'"),
    (
        [*JUDGE, "--candidate", "1", "--looks", "3"],
        "--looks takes two or more numbers of seeds that rise, from 3 to 100",
    ),
    ([*JUDGE, "--candidate", "1", "--margin", "x"], "--margin"),
    (["status", "nothing"], "no study in nothing: `bakeoff run` makes one"),
    (["status", "absent", "--json"], "no study in absent"),
    (["status", CORPUS], f"no study in {CORPUS}"),
    (["report", "nothing"], "no study in nothing"),
    (["import", "nothing", "--into", "absent"], "no study in absent"),
    (["import", "nothing"], "Missing option '--into'"),
]


@pytest.mark.parametrize(
    ("arguments", "says"), MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_a_mistake_is_one_line_and_leaves_nothing(arguments, says, folder, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = sorted(folder.rglob("*"))
    out = ["--out", "out"] if arguments[0] in ("run", "choose") else []
    status, stdout, stderr = call([*arguments, *out], monkeypatch, capsys)
    assert stderr.startswith("bakeoff: ")
    assert stderr.count("\n") == 1
    assert says in stderr
    assert (status, stdout) == (2, "")
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("out", [CORPUS, f"{CORPUS}/below/it"])
def test_an_out_folder_that_cannot_be_one_is_refused(out, folder, monkeypatch, capsys):
    status, stdout, stderr = call([*RUN, "--out", out], monkeypatch, capsys)
    assert (status, stdout) == (2, "")
    assert stderr.startswith(f"bakeoff: cannot write in {out}/mine: choose a folder with --out")
    assert stderr.count("\n") == 1


def test_a_users_folder_with_the_studys_name_is_left_alone(folder, monkeypatch, capsys):
    (folder / "out" / "mine").mkdir(parents=True)
    (folder / "out" / "mine" / "notes.txt").write_text("precious")
    status, _, stderr = call([*RUN, "--out", "out"], monkeypatch, capsys)
    assert status == 2
    assert stderr == "bakeoff: out/mine holds files, and no study.json: choose another --out, or rename that folder\n"
    assert [path.name for path in (folder / "out" / "mine").iterdir()] == ["notes.txt"]


def test_a_text_from_a_pipe_is_refused_in_one_line_and_from_a_shell_all_is_the_same(folder):
    command = f"{sys.executable} -m bakeoff run mine.py --out out --corpus <(cat {CORPUS})"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("bakeoff: ")
    assert "is no regular file, and a text is read more than once: copy it into one first" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ("schedule.py", "cosine"),
        ("exits.py", "bye"),
    ],
)
def test_other_mistakes_in_a_study_file_are_told_before_anything_is_run(study, says, folder, monkeypatch, capsys):
    monkeypatch.setattr("bakeoff.verbs.do", lambda *arguments: [])
    status, _, stderr = call(["run", study, "--out", "out", "--no-report"], monkeypatch, capsys)
    assert status == 2
    assert stderr.startswith("bakeoff: ")
    assert says in stderr


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ("layer.py", "#1 cannot be built (TypeError: "),
        ("decay.py", "mine cannot be kept in records (weight_decay is 'None'): mend that in its classes"),
    ],
)
def test_what_could_not_be_trained_or_read_again_is_told_before_anything_is_trained(
    study, says, folder, monkeypatch, capsys
):
    monkeypatch.setattr("bakeoff.runner.Session.run", lambda *_: pytest.fail("it was trained"))
    status, _, stderr = call(["run", study, "--out", "out"], monkeypatch, capsys)
    assert status == 2
    assert stderr.splitlines()[-1].startswith(f"bakeoff: {says}")
    assert not list((folder / "out").rglob("study.json"))


@pytest.mark.parametrize("verb", ["run", "describe"])
@pytest.mark.parametrize("number", range(len(BUILT)))
def test_a_model_that_is_none_is_told_in_one_line(verb, number, folder, monkeypatch, capsys):
    status, _, stderr = call([verb, f"built{number}.py", "--out", "out"], monkeypatch, capsys)
    assert status == 2
    assert stderr.splitlines()[-1].startswith(f"bakeoff: #1 cannot be built {[*BUILT.values()][number]}")
    assert "Traceback" not in stderr


def test_an_empty_corpus_name_is_refused(folder, monkeypatch, capsys):
    monkeypatch.setattr("bakeoff.verbs.do", lambda *arguments: [])
    status, _, stderr = call([*RUN, "--corpus", "", "--out", "out", "--no-report"], monkeypatch, capsys)
    assert status == 2
    assert "--corpus" in stderr or "no corpus" in stderr


def test_a_damaged_study_folder_is_told_in_one_line(folder, monkeypatch, capsys):
    (folder / "nothing" / "study.json").write_text('{"study": ')
    for verb in ("status", "report"):
        status, _, stderr = call([verb, "nothing"], monkeypatch, capsys)
        assert status == 1
        assert stderr.startswith("bakeoff: nothing/study.json is damaged")
        assert stderr.count("\n") == 1
