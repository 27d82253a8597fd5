import dataclasses
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from bakeoff.cli import app
from bakeoff.experiments import STUDIES
from bakeoff.study_file import find_study, load_study

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
README = PAGES[0].read_text(encoding="utf-8")


def block(page, mark):
    """The one block of Python with that mark in it."""
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if mark in block]
    return found


#: What is in a block, for each block of Python that a test runs.
RUN = {
    "README.md": ("study =", "bakeoff.run("),
    "CONTRIBUTING.md": ("TorchOptimizer",),
    "own.md": ("SignSGD",),
    "along.md": ("BakeoffCallback",),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_python_is_run(page):
    marks = RUN.get(page.name, ())
    assert page.read_text(encoding="utf-8").count("```python") == len(marks)
    assert all(block(page, mark) for mark in marks)


def test_its_python_runs(tiny_study, tmp_path, monkeypatch):
    quick = dataclasses.replace(tiny_study, name="quick", experiments=tiny_study.experiments[:1])
    monkeypatch.setitem(STUDIES, "quick", quick)
    monkeypatch.chdir(tmp_path)
    done = {}
    exec(block(PAGES[0], "bakeoff.run("), done)  # noqa: S102 (ours)
    assert done["results"].failed == ()
    assert done["frame"]["valid_perplexity"].null_count() == 0
    assert done["table"].next_V(done["tokenizer"].encode("The ").ids).sum() == pytest.approx(1)


def test_its_study_is_one(tmp_path):
    study = block(PAGES[0], "study =")
    path = tmp_path / "my_study.py"
    path.write_text(study, encoding="utf-8")
    assert len(load_study(path).experiments) == 4
    assert len(study.splitlines()) <= 10


def test_the_optimizer_that_contributing_adds_trains_and_is_seen_as_what_it_is(tmp_path):
    path = tmp_path / "mine.py"
    optimizer = block(PAGES[1], "TorchOptimizer")
    path.write_text(
        f"from bakeoff.experiments import *\nfrom bakeoff.optimizers.of_torch import *\n{optimizer}\n"
        "study = Study.of('mine', corpus=QUICK.corpus, budget=QUICK.budget, contenders=[(GPT1(), RMSprop(lr=0.1))])\n"
    )
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    described = load_study(path).experiments[0].optimizer
    assert (described.adaptive, described.rule, described.heavy_ball) == (True, "rmsprop", False)
    made = described.build(model)
    model(torch.ones(1, 2)).sum().backward()
    made.step()
    assert not torch.equal(model.weight, before)


def test_the_study_with_an_optimizer_of_ones_own_trains_with_it(tmp_path):
    path = tmp_path / "signs.py"
    path.write_text(block(ROOT / "docs" / "own.md", "SignSGD"), encoding="utf-8")
    study, _ = find_study(path)
    assert len(study.experiments) == 4
    model = nn.Linear(2, 2)
    before = model.weight.detach().clone()
    model(torch.ones(1, 2)).sum().backward()
    study.experiments[1].optimizer.build(model).step()
    assert torch.allclose(model.weight, before - 1e-3)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_that_is_named_exists(page):
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands}
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|bin/)bakeoff ([a-z]+)", text))
    assert named <= verbs
    if page.name == "README.md":
        assert named == verbs


def test_every_study_is_named():
    assert all(f"`{name}`" in README for name in STUDIES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_exists(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"\b(?:tests|tools|docs|examples|results)/[\w./-]+\.(?:py|md|png|json)", text)
    rooms = re.findall(r"^\| `([\w./]+)`", text, re.MULTILINE) if page.name == "CONTRIBUTING.md" else []
    missing = [name for name in named if not (ROOT / name).exists()]
    assert not missing
    assert all((ROOT / "src" / "bakeoff" / room).exists() for room in rooms)


def test_every_target_of_make_that_is_named_exists():
    targets = set(
        re.findall(
            r"(?:^|`)make ([a-z-]+)", "\n".join(page.read_text(encoding="utf-8") for page in PAGES), re.MULTILINE
        )
    )
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_every_test_that_make_names_exists():
    named = re.findall(r"\btests/[\w./]+", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists()] == []
