"""The page in a real browser: Debian's chromium. Nothing is downloaded."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

import fakes
from bakeoff.reporting import live

#: Set where a missing browser is an error and not a reason to skip.
REQUIRED = "BAKEOFF_BROWSER_REQUIRED"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PATIENCE = 120_000


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"chromium is not installed, and {REQUIRED} is set")
        pytest.skip("chromium is not installed: the page was not opened in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, built):
    """Opens the page; whatever it prints, breaks or asks for is kept."""
    pages = []

    def open_page(path=built.page, **context):
        page = browser.new_page(**{"viewport": {"width": 1440, "height": 900}} | context)
        page.set_default_timeout(PATIENCE)
        page.heard = []
        page.on("console", lambda message: page.heard.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.heard.append(str(error)))
        page.on("request", lambda request: page.heard.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()


@pytest.fixture
def page(opened):
    return opened()


def visible(page, selector):
    return page.locator(selector).evaluate_all("found => found.filter(e => e.getClientRects().length).length")


def column(page, key, table="#results"):
    return page.eval_on_selector_all(
        f"{table} tbody.runs tr",
        """(rows, key) => {
            const place = rows[0].closest("table").querySelector(`[data-column="${key}"]`).cellIndex;
            return rows.map(row => row.cells[place].textContent.trim());
        }""",
        key,
    )


def test_every_figure_is_drawn_on_load_without_a_request_or_an_error(page, built):
    marks = page.eval_on_selector_all(
        "[data-figure], [data-experiment]",
        """found => found.map(figure => [
            figure.dataset.figure ?? `panel ${figure.dataset.experiment}`,
            Math.min(...[...figure.querySelectorAll('svg')].map(svg => svg.querySelectorAll('path[d]').length)),
        ])""",
    )
    assert {name for name, _ in marks if not name.startswith("panel")} == set(built.named)
    assert len([name for name, _ in marks if name.startswith("panel")]) == len(built.figures.alone) / 2
    assert all(least for _, least in marks)
    assert page.heard == []


def test_a_table_sorts_up_down_and_back(page):
    original = column(page, "#")
    head = page.locator("#results [data-column='valid ppl']")
    orders = []
    for sort in ("ascending", "descending", "none"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == sort
        orders.append(column(page, "#"))
    assert orders[0][0] == "1"
    # What was not measured goes last, both ways.
    assert {orders[0][-1], orders[1][-1]} == {"5"}
    assert orders[2] == original
    page.locator("#results [data-column=optimizer] button").click()
    assert column(page, "optimizer") == sorted(column(page, "optimizer"))


def test_the_details_are_folded_and_sort_by_themselves(page):
    assert not page.locator("#details").is_visible()
    page.get_by_text("Details of every run").click()
    assert page.locator("#details").is_visible()
    page.locator("#details [data-column='valid loss'] button").click()
    assert column(page, "#", "#details")[0] == "1"
    assert column(page, "#")[:3] == ["1", "2", "7"]


def test_a_link_into_the_appendix_unfolds_it(page):
    assert not page.locator("#figure-01-time").is_visible()
    page.locator(".panel a").first.click()
    assert page.locator("#figure-01-time").is_visible()


def test_epochs_and_seconds_switch_in_place(page, built):
    epochs, time = "#curves [data-axis=epochs] svg", "#curves [data-axis=time] svg"
    panels = len(built.figures.alone) / 2
    assert (visible(page, epochs), visible(page, time)) == (panels, 0)
    page.get_by_label("seconds", exact=True).check()
    assert (visible(page, epochs), visible(page, time)) == (0, panels)


def test_a_chosen_run_stays_and_the_others_fade_everywhere(page):
    page.get_by_role("button", name="#1, 1-layer LSTM, Adam").click()
    for table in ("#results", "#details"):
        assert "chosen" in page.locator(f"{table} tr[data-run='1']").get_attribute("class")
        assert "dim" in page.locator(f"{table} tr[data-run='2']").get_attribute("class")
    assert "dim" in page.locator(".panel[data-experiment='2']").get_attribute("class")
    assert page.locator("#figure-overlay-lstm-epochs .dim").count() > 0
    page.locator("#all-runs").click()
    assert page.locator(".dim").count() == 0


def test_values_are_told_to_pointer_and_keyboard(page):
    page.evaluate("document.querySelector('#alone details').open = true")
    drawing = page.locator("#figure-01-epochs .drawing")
    drawing.scroll_into_view_if_needed()
    box = drawing.locator("path[aria-label*='epoch 1']").first.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    assert "epoch 1, 2.0 s: valid 99.48, train 90.02" in page.locator("#tip").inner_text()
    page.mouse.move(0, 0)
    drawing.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert ": epoch " in page.locator("#tip").inner_text()


def test_a_figure_can_be_enlarged_with_the_keyboard(page):
    page.get_by_role("button", name="Enlarge figure 1", exact=True).focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#enlarged")
    narrow = dialog.locator("svg").bounding_box()["width"]
    dialog.get_by_role("button", name="Larger").click()
    assert dialog.locator("svg").bounding_box()["width"] > 1.4 * narrow
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


OVERFLOW = "(e => e.scrollWidth - e.clientWidth)(document.querySelector('#table .scroll'))"
#: Marks every time, and gives the widest diagnosis that seeds may come to.
WIDEST = """document.querySelectorAll('#results tbody.runs tr').forEach(row => {
    const cells = [...row.cells];
    cells.at(-2).textContent = '12,345.6†';
    cells.at(-1).textContent = '▲ 1 memorizing, 1 undertrained, 1 worse than a bigram';
})"""


@pytest.mark.parametrize("width", [1440, 1140])
@pytest.mark.parametrize("report", ["built", "seeds_built"])
def test_the_table_fits_without_scrolling_even_where_every_time_is_marked(opened, request, width, report):
    page = opened(request.getfixturevalue(report).page, viewport={"width": width, "height": 800})
    assert page.evaluate(OVERFLOW) == 0
    page.evaluate(WIDEST)
    assert page.evaluate(OVERFLOW) == 0
    assert not page.locator(".hint").first.is_visible()


def test_a_table_that_does_not_fit_says_that_it_scrolls(opened):
    page = opened(viewport={"width": 900, "height": 800})
    assert page.evaluate(OVERFLOW) > 0
    assert page.locator(".hint").first.is_visible()


@pytest.mark.parametrize(("width", "screens"), [(1300, 1.5), (1140, 1.5), (900, 2), (390, 2)])
def test_answers_begin_within_the_second_screen(opened, width, screens):
    page = opened(viewport={"width": width, "height": 900})
    assert page.evaluate("document.querySelector('#answers').getBoundingClientRect().top") < screens * 900
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1300, 900, 390])
def test_tiles_leave_no_dead_space(opened, width):
    page = opened(viewport={"width": width, "height": 900})
    rights = page.eval_on_selector_all(".tile", "found => found.map(e => [e.offsetTop, e.offsetLeft + e.offsetWidth])")
    ends = {}
    for top, right in rights:
        ends[top] = max(ends.get(top, 0), right)
    assert max(ends.values()) - min(ends.values()) <= 2


def test_several_seeds_are_means_until_every_seed_is_wanted(opened, seeds_built):
    page = opened(seeds_built.page)
    assert visible(page, "#results tbody.runs tr") == 2
    assert not page.locator("#results [data-column=seed]").is_visible()
    page.get_by_label("show every seed").check()
    assert visible(page, "#results tbody.runs tr") == 2 + 6
    assert page.locator("#results [data-column=seed]").is_visible()
    assert page.heard == []


def test_on_a_phone_only_the_table_scrolls_and_its_first_columns_stay(opened):
    page = opened(viewport={"width": 390, "height": 844}, device_scale_factor=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    places = "[...document.querySelector('tr[data-run]').cells].slice(0, 4).map(c => c.getBoundingClientRect().left)"
    before = page.evaluate(places)
    page.evaluate("document.querySelector('#table .scroll').scrollLeft = 200")
    after = page.evaluate(places)
    assert after[:3] == pytest.approx(before[:3], abs=9)
    assert after[3] < before[3] - 100


def test_the_dark_page_is_dark_and_so_are_its_figures(opened):
    page = opened(color_scheme="dark")
    colour = "(e, name) => getComputedStyle(e)[name].match(/[0-9]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0)"
    assert page.eval_on_selector("body", colour, "backgroundColor") < 120
    assert page.eval_on_selector("body", colour, "color") > 600
    assert page.eval_on_selector("#figure-overlay-lstm-epochs .numbers text", colour, "fill") > 600


def test_it_prints_on_several_pages_without_its_controls(page):
    page.emulate_media(media="print")
    assert not page.locator(".bar-of-choices").is_visible()
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") + printed.count(b"/Type /Page ") + printed.count(b"/Type /Page/") >= 3


def test_names_of_users_run_nothing(opened, nasty_built):
    page = opened(nasty_built.page)
    assert page.heard == []
    assert page.locator("script").count() == 1


def test_the_page_of_a_study_at_work_follows_it_from_the_disk_in_its_place(browser, tmp_path):
    curve = [4.6, 4.5]
    study = fakes.write_study(tmp_path / "a & b", {(1, "lstm", 1, "adam"): curve}, endings={1: None})
    live.write(study)
    page = browser.new_page(viewport={"width": 390, "height": 200})  # a page that is higher, with any font
    page.set_default_timeout(PATIENCE)
    heard = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto((study.path / live.NAME).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("window.same = true; scrollTo(0, 120); document.querySelector('.scroll').scrollLeft = 40")
    fakes.write_run(study.run("01-lstm-1-adam/seed-0"), [*curve, 4.4], ending=None)
    live.write(study)
    page.wait_for_function("document.querySelector('progress').value === 3")
    assert page.evaluate("window.same") is True
    assert page.evaluate("[scrollY, document.querySelector('.scroll').scrollLeft]") == [120, 40]
    assert page.locator("iframe").count() == 0
    assert heard == []
    page.close()
