"""The page in Chromium: filter and sort, keyboard, narrow and dark, print, and axe-core.

Needs Playwright and a Chromium (CHROMIUM, or on the path); axe-core is npm's, AXE names its file.
Skipped where they are not.
"""

import os
import pathlib
import shutil

import pytest
from report.document import stored

from experiments.report.document import gathering, page

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
AXE = pathlib.Path(os.environ.get("AXE", "node_modules/axe-core/axe.min.js"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    place = tmp_path_factory.mktemp("results")
    directories = [stored.hostile(place / "verified"), stored.searched(place / "searched")]
    file = place / "report.html"
    file.write_text(page.html(gathering.gather([str(one) for one in directories], stored.HOSTILE)))
    return file.as_uri()


@pytest.fixture
def opened(browser, address):
    """A function that opens the page, which must ask for nothing and complain of nothing."""
    contexts, said = [], []

    def open_page(width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        found = context.new_page()
        found.on("console", lambda message: said.append(message.text))
        found.on("pageerror", lambda error: said.append(str(error)))
        found.on("dialog", lambda dialog: said.append(dialog.message))
        found.on(
            "request", lambda request: said.append(request.url) if request.url != address else 0
        )
        found.goto(address)
        return found

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def shown(found):
    return found.locator("#overview tbody tr:visible").count()


def test_filter_and_sort(opened):
    found = opened()
    assert shown(found) == 7
    found.get_by_label("Verdict").select_option("refuted")
    assert shown(found) == found.locator("article:visible").count() == 1
    assert found.get_by_role("status").inner_text() == "1 of 7 shown"
    found.get_by_label("Verdict").select_option("")
    found.get_by_label("Words").fill("TOY.first")
    assert shown(found) == 2
    found.get_by_label("Words").fill("")
    head = found.locator("#overview th", has_text="Draws")
    head.get_by_role("button").press("Enter")
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    first = "document.querySelector('#overview tbody tr td.number').dataset.key"
    assert found.evaluate(first) == "40"
    assert found.evaluate("document.querySelector('article').id") == found.evaluate(
        "document.querySelector('#overview tbody tr').dataset.of"
    )


def test_without_scripts_all_is_there(opened):
    found = opened(java_script_enabled=False)
    assert shown(found) == 7
    assert not found.locator(".controls").is_visible()
    found.locator("article summary").first.click()
    assert found.locator("article details[open]").count() == 1


def test_the_keyboard_reaches_everything(opened):
    found = opened()
    found.keyboard.press("Tab")
    assert found.evaluate("document.activeElement.className") == "skip"
    found.keyboard.press("Enter")
    assert found.url.endswith("#summary")
    found.locator("article summary").first.focus()
    found.keyboard.press("Enter")
    assert found.locator("article details[open]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(opened, scheme, width):
    found = opened(width, color_scheme=scheme)
    found.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert found.evaluate("document.documentElement.scrollWidth") <= width
    paper = found.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 20, 25)"}[scheme]


def test_in_print_details_are_open(opened):
    found = opened()
    assert not found.get_by_text("numerical errors are estimated of").first.is_visible()
    found.evaluate("dispatchEvent(new Event('beforeprint'))")
    found.emulate_media(media="print")
    assert found.get_by_text("numerical errors are estimated of").first.is_visible()
    assert not found.locator("nav").is_visible()


@pytest.mark.parametrize("width", [680, 900])
def test_on_paper_no_table_is_cut(opened, width):
    """Whatever is scrolled to on a screen: paper, that of a browser's A4 and a wider one."""
    found = opened(width, color_scheme="dark")
    found.emulate_media(media="print", color_scheme="dark")
    found.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert found.evaluate("document.documentElement.scrollWidth") <= width
    assert found.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    right = "one => one.getBoundingClientRect().right"
    tables = found.locator("table").evaluate_all(f"all => Math.max(...all.map({right}))")
    assert tables <= width


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not there")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_fault(opened, scheme, width):
    found = opened(width, color_scheme=scheme, bypass_csp=True)
    found.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    found.evaluate(AXE.read_text())
    faults = found.evaluate("axe.run()")["violations"]
    assert [(one["impact"], one["id"]) for one in faults] == []
