"""The page in a real browser: Debian's chromium. Nothing is downloaded."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

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


def column(page, key):
    return page.eval_on_selector_all(
        "#results tbody.runs tr",
        """(rows, key) => {
            const place = document.querySelector(`[data-column="${key}"]`).cellIndex;
            return rows.map(row => row.cells[place].textContent.trim());
        }""",
        key,
    )


def test_every_figure_is_drawn_on_load_without_a_request_or_an_error(page, built):
    marks = page.eval_on_selector_all(
        "[data-figure], [data-experiment]",
        """found => found.map(figure => [
            figure.dataset.figure ?? `panel ${figure.dataset.experiment}`,
            figure.querySelectorAll('svg .role-mark path, svg .role-mark line').length,
            Math.min(...[...figure.querySelectorAll('svg')].map(
                svg => svg.querySelectorAll('.role-mark path[d]').length)),
        ])""",
    )
    assert {name for name, *_ in marks if not name.startswith("panel")} == set(built.named)
    assert len([name for name, *_ in marks if name.startswith("panel")]) == 6
    assert all(count and least for _, count, least in marks)
    assert page.heard == []


def test_the_table_sorts_up_down_and_back(page):
    original = column(page, "number")
    head = page.locator("[data-column=valid-perplexity]")
    orders = []
    for sort in ("ascending", "descending", "none"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == sort
        orders.append(column(page, "number"))
    assert orders == [
        ["1", "7", "8", "6", "2", "3", "5", "4"],
        ["3", "2", "6", "8", "7", "1", "5", "4"],
        original,
    ]
    page.locator("[data-column=optimizer] button").click()
    assert column(page, "optimizer") == sorted(column(page, "optimizer"))


def test_columns_can_be_hidden_with_the_head_above_them(page):
    page.locator(".columns summary").click()
    for key in ("train-loss", "valid-loss", "test-loss"):
        page.locator(f".columns input[value={key}]").uncheck()
        assert not page.locator(f"[data-column={key}]").is_visible()
    assert not page.locator("thead th.group", has_text="loss, nats").is_visible()
    page.locator(".columns input[value=valid-loss]").check()
    assert page.locator("[data-column=valid-loss]").is_visible()


def test_epochs_and_seconds_and_both_scales_switch_in_place(page):
    epochs, time = "#figure-overlay-lstm-epochs", "#figure-overlay-lstm-time"
    assert (visible(page, epochs), visible(page, time)) == (1, 0)
    page.get_by_label("seconds", exact=True).check()
    assert (visible(page, epochs), visible(page, time)) == (0, 1)
    # The figures of a single run stand side by side and stay.
    assert visible(page, "#figure-01-epochs, #figure-01-time") == 2
    before = visible(page, "div[data-scale=log] svg")
    page.get_by_label("linear").check()
    assert (visible(page, "div[data-scale=log] svg"), visible(page, "div[data-scale=linear] svg")) == (0, before)


def test_a_chosen_run_stays_and_the_others_fade_everywhere(page):
    page.get_by_role("button", name="#1, 1-layer LSTM, Adam").click()
    assert page.locator("tr[data-run='1']").get_attribute("class").split()[-1] == "chosen"
    assert "dim" in page.locator("tr[data-run='2']").get_attribute("class")
    assert "dim" in page.locator(".panel[data-experiment='2']").get_attribute("class")
    assert page.locator("#figure-overlay-lstm-epochs .dim").count() > 0
    page.locator("#all-runs").click()
    assert page.locator(".dim").count() == 0


def test_values_are_told_to_pointer_and_keyboard(page):
    drawing = page.locator("#figure-01-epochs .drawing")
    drawing.scroll_into_view_if_needed()
    box = drawing.locator("path[aria-label^='epoch 1']").first.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    assert page.locator("#tip").inner_text() == "epoch 1, 1.5 s: valid 90.02, train 81.45"
    page.mouse.move(0, 0)
    drawing.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#tip").inner_text().startswith("epoch 2")


def test_a_figure_can_be_enlarged_with_the_keyboard(page):
    page.get_by_role("button", name="Enlarge figure 1", exact=True).focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#enlarged")
    narrow = dialog.locator("svg").bounding_box()["width"]
    dialog.get_by_role("button", name="Larger").click()
    assert dialog.locator("svg").bounding_box()["width"] > 1.4 * narrow
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


@pytest.mark.parametrize("width", [1440, 1140])
def test_the_table_fits_without_scrolling(opened, width):
    page = opened(viewport={"width": width, "height": 800})
    assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('#table .scroll'))") == 0


def test_several_seeds_are_means_until_every_seed_is_wanted(opened, seeds_built):
    page = opened(seeds_built.page)
    assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('#table .scroll'))") == 0
    assert visible(page, "#results tbody.runs tr") == 2
    assert not page.locator("[data-column=seed]").is_visible()
    page.get_by_label("show every seed").check()
    assert visible(page, "#results tbody.runs tr") == 2 + 6
    assert page.locator("[data-column=seed]").is_visible()
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
    assert page.eval_on_selector("#figure-01-epochs .role-axis-label text", colour, "fill") > 600


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
