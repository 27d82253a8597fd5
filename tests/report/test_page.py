"""The page: everything in one file, the answer first, and nothing fetched."""

import itertools
from html.parser import HTMLParser

import pytest

from bakeoff.report import page, style

VOID = ("meta", "img", "br", "link", "input")


class Elements(HTMLParser):
    """All start tags with their attributes, whether every tag was closed in order, and the text outside scripts."""

    def __init__(self, html):
        super().__init__()
        self.found, self.open, self.text = [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def elements(built):
    return Elements(built.html)


def test_the_page_is_well_formed_and_fetches_nothing(elements, built):
    assert elements.open == []
    for tag, attributes in elements.found:
        assert tag not in ("link", "iframe", "img", "image")
        assert "src" not in attributes
        for name in ("href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert "@import" not in built.html
    assert built.html.count("url(") == built.html.count("url(#")
    assert len(elements.all("script")) == 1


def test_names_inside_the_page_are_unique_and_links_lead_somewhere(elements):
    names = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(names) == len(set(names))
    links = {attributes["href"][1:] for attributes in elements.all("a")}
    assert links <= set(names)
    assert {"run-1", "rule-diverged", "figure-01-epochs", "measured"} <= links


def test_every_figure_is_inside_the_page_with_a_number_and_a_caption(built, elements):
    shown = [attributes["data-figure"] for attributes in elements.all("figure")]
    assert sorted(shown) == sorted(built.named)
    for number, figure in enumerate(built.figures.numbered, start=1):
        assert f"Figure {number}." in elements.text
        assert figure.title in elements.text
    experiments = {
        attributes["data-experiment"] for attributes in elements.all("figure") if "data-experiment" in attributes
    }
    assert experiments == {"1", "2", "3", "6", "7", "8"}


def test_every_picture_has_a_name_for_those_who_do_not_see_it(elements):
    pictures = elements.all("svg")
    assert pictures
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in pictures)


def test_parts_stand_in_the_order_of_the_report(built):
    places = [built.html.index(f'id="{part}"') for part in ("main", "table", "curves", "questions", "diagnosis")]
    places += [built.html.index(f'id="{part}"') for part in ("published", "measured")]
    assert places == sorted(places)


def test_headings_go_down_one_level_at_a_time(elements):
    levels = [int(tag[1]) for tag, _ in elements.found if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_the_table_says_what_its_heads_are(elements, study):
    heads = [attributes for attributes in elements.all("th") if attributes.get("scope") == "col"]
    assert {"valid-perplexity", "diagnosis"} <= {attributes.get("data-column") for attributes in heads}
    rows = [attributes["data-run"] for attributes in elements.all("tr") if "data-run" in attributes]
    assert rows == [str(row.number) for row in study.rows]


def test_names_of_users_stay_text(nasty_built, nasty):
    elements = Elements(nasty_built.html)
    assert elements.open == []
    assert len(elements.all("script")) == 1
    assert nasty in elements.text
    assert not elements.all("b") or "alert" not in str(elements.all("b"))


def test_the_answer_stands_before_the_table(built):
    text = Elements(built.html[: built.html.index("<table")]).text
    assert "#1" in text
    for caveat in built.contents["caveats"]:
        assert "".join(piece["text"] for piece in caveat) in text


def test_colours_of_pictures_are_those_of_the_page(built):
    for place, colour in enumerate(style.COLOURS):
        assert f"--o{place}:{colour};" in built.html
        assert f'svg [stroke="{colour}"]{{stroke:var(--o{place})}}' in built.html


def test_a_picture_in_the_page_has_no_type_of_its_own():
    svg = '<svg width="1"><text font-family="Arial, x" opacity="1">a</text></svg>'
    assert page.inline(svg, 'A "b"') == '<svg role="img" aria-label="A &#34;b&#34;" width="1"><text>a</text></svg>'
