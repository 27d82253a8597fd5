"""The docs as pages: built without a warning, and fetching nothing."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from bakeoff import cli

ROOT = Path(__file__).parent.parent
CONFIGURATION = ROOT / "zensical.toml"


def test_every_page_has_a_place():
    nav = tomllib.loads(CONFIGURATION.read_text(encoding="utf-8"))["project"]["nav"]
    assert sorted(name for entry in nav for name in entry.values()) == sorted(
        path.name for path in (ROOT / "docs").glob("*.md")
    )


def commands(page):
    """Every command in a page, in its blocks and in its sentences, without what a shell does with it."""
    text = page.read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL))
    found = re.findall(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?bakeoff (.*)", lines, re.MULTILINE)
    # In a sentence a verb alone is spoken of.
    found += re.findall(r"`(?:\.venv/bin/)?bakeoff ([^`]* [^`]*)`", text)
    return [re.split(r"\s+#|\s\||&&|;", command)[0].replace("NUMBER", "1") for command in found]


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one_that_the_command_line_takes(page):
    line = typer.main.get_command(cli.app)
    for command in commands(page):
        name, verb, words = line.resolve_command(typer.Context(line), shlex.split(command))
        verb.make_context(name, list(words))  # raises what a user would be told


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    builder = shutil.which("zensical", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if builder is None:
        pytest.skip("zensical is not installed: the pages were not built")
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CONFIGURATION, folder)
    done = subprocess.run([builder, "build", "--strict"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / "docs"


def test_the_pages_fetch_nothing(site):
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"<(?:script|img|iframe)[^>]*src=\"(?:https?:)?//[^\"]*", text) == []
        assert re.findall(r"<link[^>]*(?:stylesheet|preconnect)[^>]*href=\"(?:https?:)?//[^\"]*", text) == []


def test_the_reference_has_what_python_has(site):
    text = (site / "reference.html").read_text(encoding="utf-8")
    for name in (
        "verbs.run",
        "verbs.choose",
        "verbs.tune",
        "verbs.judge",
        "reporting.results.rows",
        "loading.load",
        "callback.BakeoffCallback",
    ):
        assert f'id="bakeoff.{name}"' in text
    assert "Finished and diverged runs stay as they are" in text
