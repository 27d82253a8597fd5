"""What a user installs: the wheel, in an environment of its own, without the source tree."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from bakeoff import provenance

ROOT = Path(__file__).parents[1]
STUDY_FILE = """
from bakeoff.models import LSTM
from bakeoff.optimizers import Adam
from bakeoff.spec import Budget, Corpus, Study

study = Study.of(
    "installed",
    corpus=Corpus(name="text", path="corpus.txt"),
    budget=Budget(epochs=1, batch_size=8, sequence_length=16, vocabulary=256, threads=1),
    contenders=[(LSTM(embedding=8, hidden=8), Adam(lr=1e-2))],
)
"""


#: Where a wheel says of which commit it is.
COMMIT = "bakeoff/commit.txt"


def check_call(*command, cwd):
    """Run outside of this process's environment: nothing of the source tree is on any path."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """As `python -m build` makes it: from the sdist, so that has what it takes too."""
    folder = tmp_path_factory.mktemp("wheel")
    check_call(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, sdist)
    check_call(sys.executable, "-m", "pip", *build, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_every_file_of_the_package_and_nothing_else(wheel):
    source = ROOT / "src"
    files = {path.relative_to(source).as_posix() for path in (source / "bakeoff").rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        told = archive.read(COMMIT).decode().strip() if COMMIT in packed else None
    assert packed - {COMMIT} == {name for name in files if "__pycache__" not in name}
    assert told == provenance.commit(), "nothing else in it says of which commit it is"
    assert {"bakeoff/reporting/templates/index.html", "bakeoff/py.typed"} <= packed


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: What is imported only where somebody asks for it.
OPTIONAL = {"accelerate", "schedulefree", "tensorboard", "tensorboardX", "transformers", "vl_convert"}


def distributions(modules):
    """Which distributions bring those modules."""
    found = metadata.packages_distributions()
    return {re.sub("[_.]", "-", found[name][0]).lower() for name in modules}


def required(lines):
    return {re.match(r"[\w.-]+", line)[0].lower() for line in lines}


def test_a_user_gets_what_the_package_imports_and_nothing_else():
    imported = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
    needed = imported - sys.stdlib_module_names - OPTIONAL - {"bakeoff"}
    assert distributions(needed) | {"pip"} == required(PROJECT["dependencies"])
    extras = (PROJECT["optional-dependencies"][name] for name in ("bench", "optimizers", "tensorboard", "transformers"))
    assert distributions(OPTIONAL) == required(line for extra in extras for line in extra)


def test_the_citation_names_the_version():
    assert f"\nversion: {PROJECT['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {PROJECT['version']}, " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def environment(tmp_path_factory, wheel):
    """The `bin` folder of a fresh virtual environment with the wheel and what it declares to need."""
    folder = tmp_path_factory.mktemp("environment")
    check_call(sys.executable, "-m", "venv", folder, cwd=folder)
    install = ("install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel)
    check_call(folder / "bin" / "python", "-m", "pip", *install, cwd=folder)
    return folder / "bin"


@pytest.mark.slow
def test_a_study_runs_and_is_reported_from_the_installed_wheel(environment, tmp_path, tiny_corpus_file):
    said, commit = check_call(environment / "bakeoff", "--version", cwd=tmp_path), provenance.commit()
    assert said == f"bakeoff {PROJECT['version']}{f' (commit {commit})' if commit else ''}\n"
    (tmp_path / "study.py").write_text(STUDY_FILE)
    (tmp_path / "corpus.txt").write_bytes(tiny_corpus_file.read_bytes())
    where = check_call(environment / "python", "-c", "import bakeoff; print(bakeoff.__file__)", cwd=tmp_path)
    assert where.startswith(str(environment.parent))
    assert check_call(environment / "bakeoff", "run", "study.py", cwd=tmp_path) == (
        "report: runs/installed/report/index.html\n"
    )
    assert (tmp_path / "runs/installed/report/index.html").is_file()
