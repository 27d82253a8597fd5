"""The page: everything in one file, what went wrong first, and nothing fetched."""

import base64
from html.parser import HTMLParser

import pytest

from bakeoff.analysis.rows import read_rows
from bakeoff.report import page
from bakeoff.report.style import Figure

SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


class Elements(HTMLParser):
    """All start tags with their attributes, and whether every tag was closed in order."""

    def __init__(self, html):
        super().__init__()
        self.found, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def rendered(folder, figures=()):
    return page.render(read_rows(folder), list(figures))


@pytest.fixture(scope="module")
def html(fake_study):
    return rendered(fake_study, [Figure(name="01-epochs", title="A <title>", caption="A & b", svg=SVG)])


def test_the_page_is_well_formed_and_fetches_nothing(html):
    elements = Elements(html)
    assert elements.open == []
    for tag, attributes in elements.found:
        assert tag not in ("link", "script", "iframe")
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith(("data:", "#"))
    assert "@import" not in html
    assert "url(" not in html


def test_figures_are_inside_the_page_with_title_and_caption(html):
    (image,) = [attributes for tag, attributes in Elements(html).found if tag == "img"]
    assert image["alt"] == "A <title>"
    assert base64.b64decode(image["src"].removeprefix("data:image/svg+xml;base64,")).decode() == SVG
    assert "A &amp; b" in html


def test_names_of_the_users_are_escaped(html, make_fake_study, tmp_path):
    assert "tiny &amp; &lt;b&gt;" in html
    assert "tiny & <b>" not in html
    evil = rendered(make_fake_study(tmp_path / "fake", corpus='</title><script>alert("1")</script>'))
    assert all(tag != "script" for tag, _ in Elements(evil).found)


def test_best_runs_are_named_with_their_architecture(html):
    assert "Best LSTM: #1, 1-layer LSTM, Adam" in html
    assert "Best GPT-1: #8, 4-layer GPT-1, AdamW" in html


@pytest.mark.parametrize(
    "warning",
    [
        "Of 8 runs, 1 missing, 1 diverged, 1 failed, 1 running.",
        "Worse than the unigram, so nothing was learned about context: #2.",
        "Some runs shared the machine",
        "One seed: no claim",
        "Learning rates were chosen by hand.",
    ],
)
def test_what_weakens_the_results_stands_before_them(html, warning):
    assert 0 < html.find(warning) < html.find("<table")


def test_a_study_with_no_run_at_all_says_so(make_fake_study, tmp_path):
    html = rendered(make_fake_study(tmp_path / "fake", runs={(1, "lstm", 1, "adam"): ([], None)}))
    assert "No run has finished yet." in html
    assert "Of 1 runs, 1 missing." in html


def test_how_it_was_measured_is_told(html):
    for fact in (
        "a processor, 1 threads, fp32",
        "bpe, 300 symbols",
        "2 epochs, linear schedule",
        "1,001 tokens",
        "0" * 64,
    ):
        assert fact in html
