"""Pictures, and when they are rendered."""

import re

import pytest

from bakeoff.reporting import figures
from bakeoff.reporting.figures import lines, pictures
from bakeoff.reporting.figures.lines import Series
from bakeoff.reporting.figures.style import Axis
from bakeoff.reporting.reuse import Reuse

AXIS = Axis(low=0, high=1, title="")


def chart(title="One & <two>", end=0.7):
    series = [Series("#0072B2", [[(0, 0), (1 / 3, end)]], [(1 / 3, end, "a point")])]
    return lines.draw(series, AXIS, AXIS, name="one", title=title, caption="A point.")


@pytest.fixture
def rendered(monkeypatch):
    """The formats that were rendered so far, in order."""
    calls = []

    def counted(kind, function):
        def render(*arguments, **options):
            calls.append(kind)
            return function(*arguments, **options)

        return render

    monkeypatch.setattr(pictures, "as_png", counted("png", pictures.as_png))
    return calls


@pytest.fixture
def render(tmp_path):
    """Render a chart as a report of its own, after the one before, and read what is there then."""
    reports = [tmp_path / "none"]

    def rendering(shown, damage=lambda folder: None):
        before, new = reports[-1], tmp_path / str(len(reports))
        damage(before)
        new.mkdir()
        kept = Reuse(new, before)
        svg = pictures.render(shown, kept).svg
        kept.write_index()
        reports.append(new)
        assert (new / "figures" / "one.svg").read_text(encoding="utf-8") == svg
        return {path.name: path.read_bytes() for path in (new / "figures").iterdir()}

    return rendering


def test_pictures_of_one_page_do_not_share_names_and_have_short_coordinates(tmp_path):
    figure = pictures.render(chart(), Reuse(tmp_path, tmp_path))
    assert "One &amp; &lt;two&gt;" in figure.svg
    assert re.findall(r'id="([^"]*)"', figure.svg) == ["one-clip"]
    assert re.findall(r"url\(#([^)]*)\)", figure.svg) == ["one-clip"]
    assert f"translate({round(figure.plot / 3, 2):g},67.2)" in figure.svg
    assert pictures.as_png(figure.svg).startswith(b"\x89PNG\r\n\x1a\n")


def test_a_picture_that_shows_the_same_is_kept_to_the_byte(render, rendered):
    fresh = render(chart())
    assert set(fresh) == {"one.svg", "one.png"}
    assert rendered == ["png"]
    assert render(chart()) == render(chart()) == fresh
    assert rendered == ["png"]


@pytest.mark.parametrize("changed", [chart(title="Another"), chart(end=0.6)])
def test_a_picture_that_shows_something_else_is_rendered(render, rendered, changed):
    fresh = render(chart())
    assert render(changed)["one.svg"] != fresh["one.svg"]
    assert rendered == ["png"] * 2


@pytest.mark.parametrize(("damaged", "again"), [("one.svg", []), ("one.png", ["png"])])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_picture_is_rendered_anew_and_no_other(render, rendered, damaged, again, damage):
    def harm(report):
        path = report / "figures" / damaged
        path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[:-9])

    fresh = render(chart())
    rendered.clear()
    assert render(chart(), harm) == fresh
    assert rendered == again


@pytest.mark.parametrize("index", [None, "", "{", "[]", "7", '{"figures/one.png": 3}', '{"figures/one.png": ["a"]}'])
def test_without_a_readable_index_nothing_is_kept(render, rendered, index):
    def harm(report):
        path = report / ".kept.json"
        path.unlink() if index is None else path.write_text(index)

    fresh = render(chart())
    assert render(chart(), harm) == fresh
    assert rendered == ["png"] * 2


def test_what_looks_the_same_has_the_same_pixels(render, rendered):
    fresh = render(chart())
    assert render(chart(end=0.700001)) == fresh
    assert rendered == ["png"]


def test_another_renderer_renders_anew(render, rendered, monkeypatch):
    render(chart())
    monkeypatch.setattr(pictures, "RENDERER", "a later one")
    render(chart())
    assert rendered == ["png"] * 2


def test_every_picture_of_a_study_is_the_same_from_one_description(drawn, study, tmp_path, rendered):
    """What is kept could have been rendered: a description says everything, and rendering has no memory."""
    figures.draw(study, Reuse(tmp_path, tmp_path))
    assert {p.name: p.read_bytes() for p in drawn.folder.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "figures").iterdir()
    }
    assert rendered.count("png") == len(drawn.named)
