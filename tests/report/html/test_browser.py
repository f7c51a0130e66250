"""The page in a browser: it draws, fits narrow and wide, dark and light, and obeys nobody else."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace

import pytest

from harness.matrix.planned import Source
from harness.matrix.records import Failure
from harness.matrix.shapes import Uncombined
from harness.report.html import page as page_module
from harness.report.html.page import to_html
from harness.report.summary import summarise
from harness.seal import sealed, unsealed

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and its driver are not installed", allow_module_level=True)
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

from selenium.webdriver.chrome.service import Service  # noqa: E402 - after the look for it

HOSTILE = "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned=2'>"
CHARTS = 2 + 2 * 4  # two forests, and four of each of two cells
SIZES = [
    ("plain", 360, "light"),
    ("plain", 360, "dark"),
    ("plain", 1440, "light"),
    ("plain", 1440, "dark"),
    ("hostile", 360, "light"),
]
FIRST = "return document.querySelector('.plot').dataset.drawn === 'yes'"
OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true; })"


@pytest.fixture(scope="module")
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def written(make_stored, tmp_path_factory):
    """Pages by kind."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for kind, hostile in (("plain", False), ("hostile", True)):
        judge = make_stored(models="gcn", hostile=hostile, hardware=["t4"])
        path = folder / f"{kind}.html"
        path.write_text(to_html(judge, summarise(judge)))
        found[kind] = path
    judge = make_stored(models="gcn", hostile=True, hardware=["t4"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_module, "cards_of", lambda names: dict.fromkeys(names, HOSTILE))
        judge = _with_markup_everywhere(judge)
        found["everywhere"] = folder / "everywhere.html"
        found["everywhere"].write_text(to_html(judge, summarise(judge)))
    return found


def _with_markup_everywhere(judge):
    """Markup in all that a store, a plugin's card or a failed run can bring into a page."""
    for path in judge.store.root.glob("trials/*/result.json"):
        result = unsealed(json.loads(path.read_text()))
        machine = result["hardware"]
        machine |= {"name": HOSTILE, "cpu": HOSTILE, "system": HOSTILE, "driver": HOSTILE}
        machine["versions"]["python"] = HOSTILE
        result |= {"git_commit": HOSTILE, "notes": [HOSTILE]}
        path.write_text(json.dumps(sealed(result)))
    cells = judge.plan.features[0].cells
    lost = cells[0].candidate[5]
    judge.store.fail(lost, Failure(kind="error", detail=HOSTILE, log=HOSTILE))
    source = Source(folder=HOSTILE, hardware=(HOSTILE,), versions={"torch": HOSTILE})
    why = Uncombined(name=HOSTILE, why=HOSTILE)
    changed = {"sources": (source,), "uncombined": (why,)}
    return replace(judge, plan=judge.plan.model_copy(update=changed), failed={lost})


def _look(browser, width, scheme):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )


def _open(browser, page, width=1440, scheme="light"):
    _look(browser, width, scheme)
    browser.get_log("browser")
    browser.get(page.as_uri())


def _draw_all(browser):
    browser.execute_script(OPEN_ALL)
    plots = browser.execute_script("return document.querySelectorAll('.plot').length")
    for place in range(plots):
        browser.execute_script(
            "document.querySelectorAll('.plot')[arguments[0]].scrollIntoView({behavior:'instant'})",
            place,
        )
        _wait(
            browser,
            f"return document.querySelectorAll('.plot')[{place}].dataset.drawn === 'yes'",
        )
    return plots


def _wait(browser, script, seconds=20):
    end = time.monotonic() + seconds
    while not browser.execute_script(script):
        assert time.monotonic() < end, script
        time.sleep(0.05)


@pytest.mark.parametrize(("kind", "width", "scheme"), SIZES)
def test_all_charts_are_drawn_without_an_error_and_nothing_scrolls_sideways(
    browser, written, kind, width, scheme
):
    _open(browser, written[kind], width, scheme)
    assert _draw_all(browser) == CHARTS
    drawn = "return [...document.querySelectorAll('.plot')].every(one => one.querySelector('svg'))"
    assert browser.execute_script(drawn)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("kind", ["hostile", "everywhere"])
def test_a_script_in_a_name_does_nothing(browser, written, kind):
    _open(browser, written[kind])
    _draw_all(browser)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return window.pwned === undefined")
    assert browser.execute_script("return document.querySelectorAll('img').length") == 0
    assert "window.pwned" in browser.execute_script("return document.body.innerText")


def test_markup_is_shown_as_it_was_written_wherever_it_stands(browser, written):
    _open(browser, written["everywhere"])
    browser.execute_script(OPEN_ALL)
    script = "return document.querySelector(arguments[0]).textContent"
    assert browser.execute_script(script, ".card pre") == HOSTILE
    shown = browser.execute_script(script, "main")
    for words in ("cannot be combined: {}", ", CUDA {}", "GiB, CUDA {0}; {0}, "):
        assert words.format(HOSTILE) in shown, words
    assert shown.count(HOSTILE) > 10


def test_a_script_that_got_in_would_not_run(browser, written, tmp_path):
    text = written["plain"].read_text()
    path = tmp_path / "broken.html"
    path.write_text(text.replace("<main>", "<main><script>window.pwned = 1</script>", 1))
    _open(browser, path)
    assert browser.execute_script("return window.pwned === undefined")
    assert any("Content Security Policy" in one["message"] for one in browser.get_log("browser"))


def test_dark_and_light_have_their_own_readable_colours(browser, written):
    seen = {}
    for scheme in ("light", "dark"):
        _open(browser, written["plain"], scheme=scheme)
        _wait(browser, FIRST)
        seen[scheme] = [_luminances(pair) for pair in _pairs(browser)]
    for pairs in seen.values():
        assert all((max(pair) + 0.05) / (min(pair) + 0.05) >= 4.5 for pair in pairs)
    assert seen["light"][0][1] > 0.8
    assert seen["dark"][0][1] < 0.1


def _pairs(browser):
    """Text and ground of the body, of each badge, and of a chart's title on its card."""
    return browser.execute_script("""
        const of = (node) => getComputedStyle(node);
        const body = of(document.body), card = of(document.querySelector("figure"));
        const found = [[body.color, body.backgroundColor]];
        for (const badge of document.querySelectorAll(".badge"))
          found.push([of(badge).color, of(badge).backgroundColor]);
        for (const text of document.querySelectorAll(".xtitle, .annotation-text"))
          found.push([of(text).fill, card.backgroundColor]);
        for (const link of document.querySelectorAll("nav a"))
          found.push([of(link).color, body.backgroundColor]);
        for (const soft of document.querySelectorAll("main > .soft"))
          found.push([of(soft).color, body.backgroundColor]);
        return found;
    """)


def _luminances(colours):
    """Relative luminance of each colour, by WCAG 2.2."""
    found = []
    for colour in colours:
        channels = [int(part) / 255 for part in colour.split("(")[1].rstrip(")").split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        found.append(sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))
    return found


def test_charts_follow_when_the_scheme_changes(browser, written):
    _open(browser, written["plain"])
    _wait(browser, FIRST)
    ink = "return getComputedStyle(document.querySelector('.annotation-text')).fill"
    light = browser.execute_script(ink)
    _look(browser, 1440, "dark")
    _wait(browser, f"{ink} !== '{light}'")


def test_the_keyboard_reaches_tables_and_opens_candidates(browser, written):
    _open(browser, written["plain"])
    browser.execute_script("document.querySelector('a[href=\"#candidate-2\"]').click()")
    _wait(browser, "return document.getElementById('candidate-2').open")
    focusable = "return [...document.querySelectorAll('.scroll')].every(one => one.tabIndex === 0)"
    assert browser.execute_script(focusable)


def test_the_page_is_there_within_two_seconds(browser, written):
    _open(browser, written["plain"])
    taken = "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    assert browser.execute_script(taken) < 2000
