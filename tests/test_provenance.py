"""Which code computed a run is told by version, commit and checksum."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version

import pytest

from bakeoff import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of some sources, as if it were the package."""
    folder = tmp_path / "checkout" / "bakeoff"
    (folder / "report").mkdir(parents=True)
    shutil.copy(provenance.__file__, folder / "provenance.py")
    (folder / "report" / "page.py").write_text("page = 1\n")
    monkeypatch.setattr(provenance, "PACKAGE", folder)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "of another command"))
    return folder


def git(package, *arguments):
    names = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", f"--git-dir={package.parent}/.git", f"--work-tree={package.parent}", *names, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_code_is_plain_data():
    told = provenance.code()
    assert tuple(told) == provenance.KEYS
    assert told["bakeoff"] == version("bakeoff")
    assert json.loads(json.dumps(told)) == told
    assert told == provenance.code()


def test_what_computes_is_what_a_worker_imports():
    imports = "import sys, bakeoff.worker; print(*(name for name in sys.modules if name.startswith('bakeoff.')))"
    told = subprocess.run([sys.executable, "-c", imports], capture_output=True, text=True, check=True).stdout
    assert {name.split(".")[1] for name in told.split()} | {"__init__"} == set(provenance.COMPUTING)


def test_the_checksum_follows_every_source_that_computes_and_none_that_only_speaks_or_reads(package):
    before = provenance.code()["sources"]
    (package / "report" / "page.py").write_text("page = 2\n")
    (package / "terminal.py").write_text("text = 'more words'\n")
    assert provenance.code()["sources"] == before
    (package / "provenance.py").rename(package / "renamed.py")
    assert provenance.code()["sources"] != before
    (package / "renamed.py").rename(package / "provenance.py")
    assert provenance.code()["sources"] == before
    (package / "training.py").write_text("more = 1\n")
    assert provenance.code()["sources"] != before


def test_the_commit_is_that_of_the_packages_checkout_and_says_what_was_changed_since(package):
    git(package, "init", "--quiet")
    git(package, "add", ".")
    git(package, "commit", "--quiet", "--message", "all")
    commit = git(package, "rev-parse", "HEAD")
    assert provenance.code()["commit"] == commit
    (package / "provenance.py").write_text("changed = True\n")
    assert provenance.code()["commit"] == f"{commit}-dirty"


def test_there_is_no_commit_without_a_checkout_or_without_git(package, monkeypatch):
    assert provenance.code()["commit"] is None
    monkeypatch.setenv("PATH", "")
    assert provenance.code()["commit"] is None


def test_a_wheel_tells_the_commit_that_it_was_built_from(package):
    (package / provenance.BUILT).write_text("c0ffee\n")
    assert provenance.code()["commit"] == "c0ffee"


def test_the_checkout_of_something_else_that_the_package_lies_in_is_not_its_own(package):
    (package.parent / "notes.txt").write_text("mine\n")
    git(package, "init", "--quiet")
    git(package, "add", "notes.txt")
    git(package, "commit", "--quiet", "--message", "mine")
    assert provenance.code()["commit"] is None


def test_what_was_imported_is_told_also_after_it_has_changed(package):
    provenance.imported.cache_clear()
    before = provenance.imported()
    (package / "provenance.py").write_text("changed = True\n")
    assert provenance.imported() == before != provenance.code()
    provenance.imported.cache_clear()
