"""Reports, built once: of the study that all tests share, of three seeds, and of names that try to be markup."""

from types import SimpleNamespace

import pytest

import fakes
from bakeoff.analysis.reading import read_rows
from bakeoff.reporting import build as building
from bakeoff.reporting.figures import Figures
from bakeoff.reporting.figures.style import Figure

#: Would stop the typesetter, run in the page, break a table, ring the bell or be a formula, if anything let it.
NASTY = (
    '=1+1</script><script>alert(\'x\')</script>"\n#panic("x") $x$ \\input{y} @z `c` _u_ *b* [l](m) | & % ~ ^ <b>\x07 #1'
)


@pytest.fixture(scope="session")
def study(fake_study):
    return read_rows(fake_study)


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
        seen.page = building.build(folder).page
    seen.folder = seen.page.parent
    seen.html = seen.page.read_text(encoding="utf-8")
    seen.named = {figure.name: figure for figure in seen.figures.numbered}
    return seen


@pytest.fixture(scope="session")
def built(fake_study):
    return build(fake_study)


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
