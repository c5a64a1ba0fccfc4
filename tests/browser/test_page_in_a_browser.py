"""The page in a real browser: read, filtered, clicked, printed; and hostile text stays text."""

from __future__ import annotations

import base64
import re

import pytest

from tests.browser.pages import HOSTILE, PAGES
from tests.browser.tab import Tab

pytestmark = pytest.mark.browser

SEARCH = "input[type=search]"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_opens_without_a_complaint_and_loads_nothing(tab: Tab, name: str) -> None:
    """No error in the console and no violation of the policy: the fixture asserts it at the end."""
    tab.open(name)
    assert tab.js("return performance.getEntriesByType('resource').length") == 0
    assert tab.js("return document.scripts.length") == 1
    assert tab.texts("h1") != []


def test_the_verdict_is_the_first_thing_seen(tab: Tab) -> None:
    tab.open("failed")
    word = tab.find(".verdict .word")
    assert word.text == "FAIL" and tab.in_view(word)
    assert tab.js("return parseFloat(getComputedStyle(arguments[0]).fontSize)", word) > 40
    assert "learns from validation tokens" in tab.find(".lead").text


def test_rulings_filter_by_verdict_and_by_text(tab: Tab) -> None:
    tab.open("failed")
    everything = len(tab.all(".ruling"))
    assert everything == 38 and tab.find(".count").text == "38 rulings"
    tab.find("button.toggle.pass").click()
    left = len(tab.all(".ruling"))
    assert 0 < left < everything and tab.all(".ruling.pass") == []
    assert tab.find(".count").text == f"{left} of 38 rulings"
    tab.find(SEARCH).send_keys("bytes 16,000,000")
    assert tab.all(".ruling") == [] and "No ruling matches." in tab.texts(".none")
    tab.find("button.toggle.pass").click()
    assert [e.get_attribute("id") for e in tab.all(".ruling")] == ["A01"]


def test_the_keyboard_reaches_the_filter_and_the_rulings(tab: Tab) -> None:
    from selenium.webdriver.common.keys import Keys

    tab.open("failed")
    tab.keys("/")
    assert tab.js("return document.activeElement.type") == "search"
    tab.keys("normalised", Keys.ESCAPE)
    assert tab.find(".count").text == "38 rulings"
    tab.keys(Keys.TAB, Keys.TAB)  # past the first ruling, which is open: its first link
    assert tab.js("return document.activeElement.closest('.ruling').id") == "T01"
    tab.js("document.querySelector('#B01 > summary').focus()")
    tab.keys(Keys.ENTER)
    assert tab.js("return document.getElementById('B01').open")


def test_every_control_and_link_can_be_focused_and_shows_it(tab: Tab) -> None:
    from selenium.webdriver.common.keys import Keys

    tab.open("failed")
    seen = set()
    for _ in range(160):
        tab.keys(Keys.TAB)
        outline = tab.js("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", tab.js("return document.activeElement.outerHTML.slice(0, 120)")
        seen.add(tab.js("return document.activeElement.tagName.toLowerCase()"))
    assert {"a", "div", "summary"} <= seen


def test_a_click_on_a_finding_lands_on_its_code(tab: Tab) -> None:
    tab.open("failed")
    tab.find("#T01 .trail a.to").click()
    line = tab.find("tr:target")
    assert line.find_element("css selector", ".n").text == "147"
    assert "optimizer.step()" in line.text and "T01" in line.text
    tab.until(lambda: tab.in_view(line))


def test_a_click_in_the_picture_lands_on_code_and_on_the_ruling(tab: Tab) -> None:
    tab.open("failed")
    mark = tab.find("#predicted a.mark.adapt")
    assert "GPT learns: validation tokens" in mark.get_attribute("aria-label")
    mark.click()
    line = tab.find("tr:target")
    assert line.find_element("css selector", ".n").text == "147"
    tab.until(lambda: tab.in_view(line))
    tab.find("#predicted a.tag.fail").click()
    ruling = tab.find(".ruling:target")
    assert ruling.get_attribute("id") == "T01" and ruling.get_attribute("open") is not None
    tab.until(lambda: tab.in_view(ruling.find_element("css selector", "summary")))


def test_a_link_to_a_ruling_that_is_filtered_away_shows_it(tab: Tab) -> None:
    tab.open("failed")
    tab.find("button.toggle.pass").click()
    tab.find(".chips a.chip.pass").click()
    ruling = tab.find(".ruling:target")
    assert ruling.is_displayed() and ruling.get_attribute("open") is not None
    assert tab.find(".count").text == "38 rulings"


def test_several_reports_keep_their_anchors_and_filters_apart(tab: Tab) -> None:
    tab.open("several")
    first, second = tab.all("[data-filter]")[:2]
    second.find_element("css selector", "button.toggle.pass").click()
    counts = [e.text for e in tab.all(".count")]
    assert counts[0] == "1 rulings" and " of 38 rulings" in counts[1]
    tab.find("#s2-T01 .trail a.to").click()
    assert tab.find("tr:target").get_attribute("id").startswith("s2-")
    assert first.is_displayed()


@pytest.mark.parametrize("name", ["hostile", "table"])
def test_hostile_text_stays_text(tab: Tab, name: str) -> None:
    tab.open(name)
    tab.js("window.pwned = () => { window.was = true }")
    told = tab.js("return document.body.innerText")
    assert "</script><script>pwned()</script>]]>--><img src=x onerror=pwned()>" in told
    assert "\\u202e" in told and "\u202e" not in told
    live = "script, img, iframe, object, form, [onclick], [onerror]"
    assert tab.js("return document.querySelectorAll(arguments[0]).length", live) == 1
    for link in tab.js("return [...document.querySelectorAll('a')].map(a => a.getAttribute('href'))"):
        assert link.startswith(("#", "https://github.com/openai/parameter-golf/"))
    for link in tab.all("a[href^='#']")[:40]:
        tab.js("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", link)
    assert not tab.js("return Boolean(window.was)")


def test_markup_that_got_in_all_the_same_could_neither_run_nor_load(tab: Tab, files: dict) -> None:
    """The second line of defence: the policy holds even where the first were broken."""
    broken = files["failed"].with_name("broken.html")
    inserted = "<script>was = 1</script><img src='https://example.invalid/x' onerror='was = 1'>"
    text = files["failed"].read_text(encoding="utf-8")
    broken.write_text(text.replace("<main>", f"<main>{inserted}", 1), encoding="utf-8")
    tab.driver.get(broken.as_uri())
    assert tab.js("return window.was") is None
    said = "\n".join(tab.complaints)
    assert "script-src" in said and "img-src" in said
    tab.complaints.clear()


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        *((name, "light", 1200) for name in sorted(PAGES)),
        *(("failed", "dark", 1200), ("table", "dark", 1200), ("failed", "light", 380)),
    ],
)
def test_axe_finds_no_serious_problem(tab: Tab, axe: str, name: str, scheme: str, width: int) -> None:
    tab.look(width=width, scheme=scheme)
    tab.open(name)
    tab.js("for (const details of document.querySelectorAll('details')) details.open = true")
    tab.driver.execute_script(axe)
    ask = (
        "const done = arguments[0];"
        "axe.run({resultTypes: ['violations']}).then(found => done(found.violations))"
    )
    found = tab.driver.execute_async_script(ask)
    told = [
        (v["id"], v["impact"], [node["html"][:160] for node in v["nodes"][:3]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert told == []


@pytest.mark.parametrize("name", ["failed", "hostile", "table"])
def test_a_narrow_window_scrolls_only_downwards(tab: Tab, name: str) -> None:
    tab.look(width=360)
    tab.open(name)
    assert tab.js("return document.documentElement.scrollWidth") <= 360
    if tab.all(".file .l"):
        assert tab.js("return document.querySelector('.file .l').offsetWidth") > 200


def test_dark_and_light_follow_the_reader(tab: Tab) -> None:
    colours = []
    for scheme in ("light", "dark"):
        tab.look(scheme=scheme)
        tab.open("failed")
        colours.append(tab.js("return getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert light > 700 and dark < 120


def test_it_prints_whole_and_on_white(tab: Tab) -> None:
    """What is folded on the screen is on paper; nothing is cut off at its side."""
    tab.look(scheme="dark")
    tab.open("failed")
    closed = tab.js("return document.querySelectorAll('details:not([open])').length")
    made = tab.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "paperWidth": 8.27})
    pdf = base64.b64decode(made["data"])
    pages = len(re.findall(rb"/Type /Page\b(?!s)", pdf))
    assert 4 <= pages <= 30, "as long as the text needs"
    assert closed > 20 and tab.js("return document.querySelectorAll('details:not([open])').length") == closed
    tab.look(scheme="dark", media="print", width=794)
    assert tab.js("return document.documentElement.scrollWidth") <= 794
    assert tab.js("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    ink = tab.js("return getComputedStyle(document.body).color")
    assert sum(map(int, re.findall(r"\d+", ink)[:3])) < 200


def test_without_scripts_everything_is_there(tab: Tab) -> None:
    tab.scripts(False)
    tab.open("failed")
    assert len(tab.all(".ruling")) == 38 and tab.all(".controls") == []
    assert "optimizer.step()" in tab.find("#code").text
    tab.scripts(True)


def test_the_table_sorts_and_filters(tab: Tab) -> None:
    tab.open("table")
    column = "tbody tr td:first-child"
    assert tab.texts(column) == ["#9", "#10", "#10", "#100", "#2", "#3"]
    tab.find("thead th:first-child button").click()
    assert tab.texts(column) == ["#2", "#3", "#9", "#10", "#10", "#100"]
    assert tab.find("thead th:first-child").get_attribute("aria-sort") == "ascending"
    tab.find("thead th:first-child button").click()
    assert tab.texts(column)[0] == "#100"
    tab.find("button.toggle.fail").click()  # of the status fail
    tab.find(SEARCH).send_keys("no log")
    assert tab.texts(column) == ["#10"] and tab.find(".count").text == "1 of 6 rows"


def test_the_text_shown_is_the_one_that_was_written(tab: Tab) -> None:
    """Escaping hides nothing: the visible part of a hostile text is whole."""
    tab.open("hostile")
    whole = HOSTILE.replace("\u202e", "\\u202e").replace("\x1b", "\\x1b").replace("\x00", "\\x00")
    assert whole in tab.js("return document.querySelector('#T01 .why').textContent")
