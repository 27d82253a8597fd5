"""One report of a fake study, built once; one with three seeds; and one whose names try to be markup."""

from types import SimpleNamespace

import pytest
from filelock import FileLock

import fakes
from bakeoff.analysis.rows import read_rows
from bakeoff.report import build as building
from bakeoff.report.figures import Figures
from bakeoff.report.figures.style import Figure

#: Would stop the typesetter, run in the page, break a table, ring the bell or be a formula, if anything let it.
NASTY = (
    '=1+1</script><script>alert(\'x\')</script>"\n#panic("x") $x$ \\input{y} @z `c` _u_ *b* [l](m) | & % ~ ^ <b>\x07 #1'
)
RUNS = {
    (1, "lstm", 1, "adam"): [4.6, 4.5, 4.55, 4.6],
    (2, "lstm", 1, "sgd"): fakes.falling(5.3),
    (3, "gpt1", 1, "adam"): [5.6],
    (4, "gpt1", 1, "sgd"): [],
    (5, "lstm", 2, "adamw"): None,
    (6, "gpt1", 2, "adamw"): [5.1, 5.0],
    (7, "lstm", 1, "momentum"): fakes.falling(4.65),
    (8, "gpt1", 4, "adamw"): fakes.falling(4.7),
}
ENDINGS = {
    3: {"status": "diverged", "error": "the loss was not finite at step 127, in epoch 2"},
    4: {"status": "failed", "error": "out of memory: no <room>"},
    6: None,
    7: {"alone": False},
}
RUNNING = 6


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Finished, diverged, failed and missing runs, and one that runs and is just writing its next evaluation."""
    path = tmp_path_factory.mktemp("fake") / "fake"
    found = fakes.write_study(path, RUNS, endings=ENDINGS, edit=lambda study: study["corpus"].update(name="tiny & <b>"))
    running = next(run for entry, _, run in found.declared_runs() if entry["number"] == RUNNING)
    with (running.path / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"epoch": 3, "step": 300, "tra')
    with FileLock(running.path / "run.lock"):
        yield found


@pytest.fixture(scope="session")
def study(folder):
    return read_rows(folder)


def build(folder):
    """Build a report and keep what it was made of."""
    seen = SimpleNamespace()

    def kept(name, function):
        def call(*arguments):
            setattr(seen, name, function(*arguments))
            return getattr(seen, name)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building.figures, "draw", kept("figures", building.figures.draw))
        patch.setattr(building.contents, "of", kept("contents", building.contents.of))
        seen.page = building.build(folder)
    seen.folder = seen.page.parent
    seen.html = seen.page.read_text(encoding="utf-8")
    seen.named = {figure.name: figure for figure in seen.figures.numbered}
    return seen


@pytest.fixture(scope="session")
def built(folder):
    return build(folder)


@pytest.fixture(scope="session")
def seeds_built(tmp_path_factory):
    """Two experiments with three seeds each."""
    runs = {(1, "lstm", 1, "adam"): fakes.falling(4.5), (2, "lstm", 1, "sgd"): fakes.falling(4.9)}
    return build(fakes.write_study(tmp_path_factory.mktemp("seeds") / "fake", runs, seeds=(0, 1, 2)))


@pytest.fixture(scope="session")
def nasty():
    return NASTY


def nasty_names(study):
    study |= {"study": NASTY, "source": NASTY, "optimizers": [{"name": "adam", "title": NASTY}]}
    study["corpus"]["name"] = NASTY


@pytest.fixture(scope="session")
def nasty_built(tmp_path_factory):
    """A study whose name, corpus, source and optimizer are all called so, and whose run failed for such a reason."""
    runs, endings = {(1, "lstm", 1, "adam"): fakes.falling(4.5)}, {1: {"status": "failed", "error": NASTY}}
    path = tmp_path_factory.mktemp("nasty") / "nasty"
    return build(fakes.write_study(path, runs, endings=endings, edit=nasty_names))


@pytest.fixture
def plain_figures(monkeypatch):
    """One picture that is drawn at once, for tests of what is around the figures."""

    def draw(study, kept):
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0L9 9" stroke="#222222"/></svg>'
        kept.file("figures/plain.svg", svg.encode)
        figure = Figure(name="plain", title="A", caption="#1", spec={}, plot=9, svg=svg)
        return Figures(overlays=(figure,), study=(), alone=(), panels=())

    monkeypatch.setattr(building.figures, "draw", draw)
