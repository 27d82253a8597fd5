"""The commands of the docs are run, with small stand-ins for what they name."""

import dataclasses
import json
import re
import shlex
import shutil
import sys
import webbrowser
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from bakeoff import cli, experiments, study_file, tuning, watching
from bakeoff.bench import table
from bakeoff.executors import slurm
from bakeoff.models import GPT
from bakeoff.optimizers import Adam
from test_docs import ROOT, commands

#: Pages whose commands are run, in their order; those of `python -m` have tests of their own.
QUICK_PAGES = ("index.md", "own.md", "along.md", "reading.md")
SLOW_PAGES = (
    "faq.md",
    "quick.md",
    "modern.md",
    "recipes.md",
    "../README.md",
    "assignment.md",
    "wikitext-2.md",
    "seed.md",
    "choose.md",
    "faults.md",
    "how-sure.md",
    "textbook.md",
    "fair.md",
    "cluster.md",
    "performance.md",
)
#: Run from its own page alone, as it takes minutes.
CHOOSE = "choose "
#: What stands for what the pages name.
STANDS_FOR = {
    "results/": "runs/",
    "--device cuda --precision bf16": "",
    "--only 2,6": "--only 1,2",
    "--out /shared/runs": "--only 1",
    "--address HEAD:6379": "",
    "--minutes 10": "--minutes 4",
    "gpt-2-muon": "gpt-1-adam",
    "41000": "400",
    "[STUDY]": "quick",
    "STUDY": "quick",
    "[DIR]": "runs/quick",
    "DIR": "runs/quick",
    "RUN": "runs/quick/01-lstm-1-adam/seed-0",
    "[PROMPT]": "The",
    "[NAME]": "",
}
#: What a folder is to each verb.
FOLDERS = {"export": "exported", "import": "my-trainer", "measure": "my-model"}


@pytest.fixture(scope="module")
def world(tiny_corpus_file, tmp_path_factory):
    """A folder with all that the pages name: a text, study files, a trainer's run."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copy(tiny_corpus_file, folder / "my.txt")
    shutil.copytree(ROOT / "examples", folder / "examples")
    small = re.sub(r"epochs=\d+, batch_size=\d+, sequence_length=\d+, vocabulary=\d+", SMALL, ASSIGNMENT)
    (folder / "examples" / "assignment.py").write_text(small)
    (folder / "long.txt").write_bytes(4 * tiny_corpus_file.read_bytes())
    for name in ("my-folder", "leaked"):
        (folder / name).mkdir()
        for split in ("train", "valid", "test"):
            shutil.copy(tiny_corpus_file, folder / name / f"{split}.txt")
    (folder / "assignment.py").write_text(small)
    text = 'Corpus(name="mine", path="my.txt")'
    faults = re.sub(
        r'epochs=\d+, .*precision="fp32"', SMALL, (ROOT / "examples" / "faults.py").read_text(encoding="utf-8")
    )
    faults = faults.replace('Corpus(name="vital-articles", documents=(300, 60, 60))', text)
    (folder / "examples" / "faults.py").write_text(faults)
    for name in ("around", "textbook", "warmup"):
        small = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
        small = small.replace("QUICK.corpus", text).replace("QUICK.budget", f"Budget({SMALL})")
        small = re.sub(r"steps=416, epoch_steps=208, warmup_steps=84", "steps=6, epoch_steps=3, warmup_steps=2", small)
        small = small.replace(
            "import Architecture, Optimizer, Study", "import Architecture, Budget, Corpus, Optimizer, Study"
        )
        (folder / "examples" / f"{name}.py").write_text(
            small.replace("import Budget, Study", "import Budget, Corpus, Study")
        )
    for name in ("mine", "proposal", "signs", "my_study"):
        (folder / f"{name}.py").write_text(STUDY.format(name=name, corpus=str(folder / "my.txt")))
    (folder / "my-trainer").mkdir()
    log = [{"step": step, "epoch": step / 10, "eval_loss": 4.0 - step / 100} for step in (10, 20, 30)]
    (folder / "my-trainer" / "trainer_state.json").write_text(json.dumps({"log_history": log}))
    return folder


SMALL = "epochs=1, epoch_steps=3, batch_size=4, sequence_length=16, vocabulary=300, precision='fp32', threads=1"
ASSIGNMENT = (ROOT / "examples" / "assignment.py").read_text(encoding="utf-8")
STUDY = f"""
from bakeoff.data.corpora import choose
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Study

contenders = [(LSTM(embedding=8, hidden=8), Adam(lr=lr)) for lr in (1e-2, 3e-2)]
study = Study.of({{name!r}}, corpus=choose({{corpus!r}}), budget=Budget({SMALL}), contenders=contenders)
"""


@pytest.fixture(scope="module")
def model(world, tiny_study):
    """A model of the library's with a tokenizer that loses nothing."""
    from bakeoff import data  # noqa: PLC0415 (with the session's cache)

    tokenizer = data.prepare(tiny_study.corpus, tiny_study.budget).tokenizer
    torch.manual_seed(0)
    sizes = {"bos_token_id": None, "eos_token_id": None, "n_embd": 16, "n_head": 2, "n_layer": 1, "n_positions": 40}
    GPT2LMHeadModel(GPT2Config(vocab_size=tokenizer.get_vocab_size(), **sizes)).save_pretrained(world / "my-model")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(world / "my-model")


def _interrupted(_):
    raise KeyboardInterrupt


@pytest.fixture
def run(world, model, tiny_study, monkeypatch, capfd):
    """Does a command of a page; its exit status and what it said."""
    quick = tiny_study.with_shared(epochs=1, epoch_steps=3)
    contenders = [(GPT(width=16, heads=2), Adam())] * 6
    modern = dataclasses.replace(
        quick,
        name="modern",
        experiments=tuple(
            dataclasses.replace(quick.experiments[0], number=number, architecture=model, optimizer=optimizer)
            for number, (model, optimizer) in enumerate(contenders, start=1)
        ),
    )
    for name in ("quick", "wikitext-2", "seed", "seed-learned"):
        monkeypatch.setitem(experiments.STUDIES, name, dataclasses.replace(quick, name=name))
    for name in ("modern", "wikitext-2-modern"):
        monkeypatch.setitem(experiments.STUDIES, name, dataclasses.replace(modern, name=name))
    monkeypatch.setattr(slurm, "ENGINE", "local")  # submitit's stand-in
    monkeypatch.setattr(watching.Server, "serve_forever", _interrupted)
    monkeypatch.setattr(webbrowser, "open", lambda url: None)
    monkeypatch.setattr(tuning, "REACH", 1)
    monkeypatch.setattr(tuning, "ROUNDS", 1)
    monkeypatch.setattr(table, "THOROUGH", (1, 0.1, 1, 1))
    monkeypatch.setattr(table, "CASES", table.CASES[:2])
    monkeypatch.setattr(study_file, "STUDIES", experiments.STUDIES)
    monkeypatch.chdir(world)

    def run(command):
        text, verb = tiny_study.corpus.path, command.split()[0]
        if "runs/FOLDER" in command:
            made = next(path.parent for path in Path("runs").glob("mine*/study.json")).as_posix()
            command = command.replace("runs/FOLDER", made)
        command = command.replace("vital-articles", text)
        for named, here in STANDS_FOR.items():
            command = command.replace(named, here)
        command = re.sub(
            r"\bNAME\b",
            text if "--into" in command else "long.txt",
            re.sub(r"\bFOLDER\b", FOLDERS.get(verb, "runs/quick"), command),
        )
        shutil.rmtree("exported", ignore_errors=True)
        words = shlex.split(command)
        monkeypatch.setattr(sys, "argv", ["bakeoff", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfd.readouterr()
        return ended.value.code, said.out + said.err

    return run


def test_the_commands_of_every_page_are_run():
    pages = [path for path in (ROOT / "docs").glob("*.md") if commands(path)]
    assert {path.name for path in pages} <= {*QUICK_PAGES, *SLOW_PAGES}


@pytest.mark.parametrize("page", [*QUICK_PAGES, *(pytest.param(page, marks=pytest.mark.slow) for page in SLOW_PAGES)])
def test_the_commands_of_a_page_do_what_it_says_one_after_the_other(page, run):
    assert run("run modern --no-report --only 6")[0] == 0
    assert run("run quick --no-report")[0] == 0
    told = [each for each in commands(ROOT / "docs" / page) if page == "choose.md" or not each.startswith(CHOOSE)]
    assert told
    for command in told:
        if command.startswith("verify "):
            assert run("report runs/quick")[0] == 0, "what was probed or brought since the last one"
        status, said = run(command)
        if enough := re.search("give at least ([0-9.]+)", said):  # beside other programs
            status, said = run(re.sub("--minutes [0-9]+", f"--minutes {enough[1]}", command))
        assert status == 0, (command, said)
        assert "Traceback" not in said
