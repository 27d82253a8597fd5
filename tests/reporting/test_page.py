"""The page: everything in one file, the answer first, and nothing fetched."""

import itertools
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fakes
from bakeoff.errors import plain
from bakeoff.reporting import build as building
from bakeoff.reporting import page
from bakeoff.reporting.figures import style

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


def test_names_inside_the_page_are_unique_and_links_lead_somewhere(elements, seeds_built):
    for found in (elements, Elements(seeds_built.html)):
        names = [attributes["id"] for _, attributes in found.found if "id" in attributes]
        assert len(names) == len(set(names))
        links = {attributes["href"][1:] for attributes in found.all("a")}
        assert links <= set(names)
        assert {"run-1", "figure-01-epochs", "measured", "answers"} <= links


def test_every_figure_is_inside_the_page_with_its_number_and_those_in_sight_have_the_first_numbers(built, elements):
    shown = [attributes["data-figure"] for attributes in elements.all("figure")]
    assert shown == [figure.name for figure in built.figures.numbered]
    for number, figure in enumerate(built.figures.numbered, start=1):
        assert f"Figure {number}." in elements.text
        assert figure.title in elements.text
    # What is folded comes last, so that it leaves no hole.
    unfolded = built.html[: built.html.index('id="alone"')]
    assert unfolded.count("<figure ") == len(built.figures.overlays + built.figures.study)


def test_every_picture_has_a_name_for_those_who_do_not_see_it(elements):
    pictures = elements.all("svg")
    assert pictures
    named = [picture for picture in pictures if "aria-hidden" not in picture]  # the others repeat one of these
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in named)


def test_parts_stand_in_the_order_of_the_report(built):
    parts = ("main", "answers", "table", "together", "curves", "alone", "diagnosis", "measured")
    places = [built.html.index(f'id="{part}"') for part in parts]
    assert places == sorted(places)


def test_headings_go_down_one_level_at_a_time(elements):
    levels = [int(tag[1]) for tag, _ in elements.found if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_tables_say_what_their_heads_are(elements, study):
    heads = {attributes.get("data-column") for attributes in elements.all("th") if attributes.get("scope") == "col"}
    assert {"valid ppl", "diagnosis", "clipped"} <= heads
    rows = [attributes["data-run"] for attributes in elements.all("tr") if "data-run" in attributes]
    assert rows == [str(row.number) for row in study.rows] * 2


def test_verdicts_stand_in_bold_before_the_answer_and_answered_is_none(built, elements):
    for finding in built.contents["findings"]:
        verdict = f'<b class="verdict">{finding["verdict"].capitalize()}.</b>'
        assert (verdict in built.html) == (finding["verdict"] != "answered")
    assert "Answered." not in elements.text


def test_names_of_users_stay_text(nasty_built):
    elements = Elements(nasty_built.html)
    assert elements.open == []
    assert len(elements.all("script")) == 1
    assert '=1+1</script><script>alert(\'x\')</script>"\\n#panic("x")' in elements.text
    assert "\x07" not in nasty_built.html


@pytest.mark.usefixtures("plain_figures")
def test_samples_stay_text(nasty, tmp_path):
    def name(study):
        study["texts"] = fakes.texts((nasty, nasty)) | {"floor": "kn3", "counted": 9}

    folder = fakes.write_study(tmp_path / "fake", {(1, "lstm", 1, "adam"): fakes.falling(4.5)}, edit=name)
    for *_, run in folder.declared_runs():
        run.write_texts(fakes.texts((nasty, f"{nasty} {'x' * 400}")))
    html = building.build(folder).page.read_text(encoding="utf-8")
    elements, shown = Elements(html), plain(nasty.replace("\n", "¶"))
    assert elements.open == []
    assert len(elements.all("script")) == 1
    assert elements.text.count(shown) == 3
    assert "\x07" not in html
    assert '<a href="#texts">Samples of text</a>' in html
    assert 'class="failed"' not in html  # the PDF has them as well


@given(st.text(alphabet=st.sampled_from("#`<&'\"0123 ab\n")))
def test_sentences_lose_nothing_and_only_numbers_that_exist_become_links(text):
    made = str(page.said({1, 12})(text))
    elements = Elements(made)
    assert elements.open == []
    assert {tag for tag, _ in elements.found} <= {"a", "code"}
    assert {attributes["href"] for attributes in elements.all("a")} <= {"#run-1", "#run-12"}
    assert elements.text.replace("`", "") == text.replace("`", "")


def test_numbers_become_links_and_backticks_code():
    made = page.said({1})("Use #1, not #99 or #1x: `bakeoff run <a> #1`.")
    assert made == 'Use <a href="#run-1">#1</a>, not #99 or #1x: <code>bakeoff run &lt;a&gt; #1</code>.'


def test_colours_of_pictures_are_those_of_the_page(built):
    for place, colour in enumerate(style.COLOURS):
        assert f"--o{place}:{colour};" in built.html
        assert f'svg [stroke="{colour}"]{{stroke:var(--o{place})}}' in built.html


def test_a_picture_in_the_page_has_no_type_of_its_own():
    svg = '<svg width="1"><text font-family="Arial, x">a</text></svg>'
    assert page.inline(svg, 'A "b"') == '<svg role="img" aria-label="A &#34;b&#34;" width="1"><text>a</text></svg>'
