"""The site is built without a warning; a browser with the network cut shows every page whole, its links lead somewhere, all can read it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from roofcube import errors

FULL = bool(os.environ.get("ROOFCUBE_SOAK"))
DOCS = Path(__file__).parents[2] / "docs"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
pytestmark = [pytest.mark.soak, pytest.mark.skipif(not FULL, reason="ROOFCUBE_SOAK is not set")]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(name)
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html", "-d", str(target / "trees")]
    done = subprocess.run([*command, str(DOCS), str(target / "html")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target / "html"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


def pages_of(site: Path) -> list[Path]:
    pages = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    assert len(pages) > 30
    return pages


@pytest.fixture(scope="module")
def links(site, browser):
    """Links and anchors of every page."""
    page = browser.new_page()
    given = {}
    for path in pages_of(site):
        page.goto(path.as_uri())
        attributes = "all => all.map((one) => one.getAttribute('href') ?? one.getAttribute('src'))"
        targets = page.eval_on_selector_all("a[href], img[src], script[src], link[href]", attributes)
        given[path] = (targets, set(page.eval_on_selector_all("[id]", "all => all.map((one) => one.id)")))
    return given


def test_no_link_is_dead(links):
    dead = []
    for path, (targets, _) in links.items():
        for target in targets:
            parts = urlsplit(target)
            if parts.scheme:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = links.get(file, ((), {parts.fragment}))[1]
            if not file.exists() or (parts.fragment and unquote(parts.fragment) not in anchors):
                dead.append((path.name, target))
    assert dead == []


def test_every_page_that_errors_name_is_there_with_its_anchor(site, links):
    classes = [thing for thing in map(errors.__dict__.get, errors.__all__) if isinstance(thing, type)]
    for page in {*errors.PAGES.values(), *(kind("").page for kind in classes)}:
        path, _, anchor = page.partition("#")
        assert not anchor or anchor in links[site / path][1], page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_every_page(site, browser, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browser.new_context(color_scheme=scheme).new_page()
    for path in pages_of(site):
        page.goto(path.as_uri())
        if page.locator(".figure-of-a-cell").count():
            page.wait_for_function("document.documentElement.dataset.theme")
        found = axe.run(page).response["violations"]
        serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], path


def test_every_page_is_whole_without_a_network(site, browser):
    page = browser.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for path in pages_of(site):
        page.goto(path.as_uri())
        assert page.locator("h1").count() == 1 or path.name in ("genindex.html", "search.html"), path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert wrong == []


def test_search_finds_a_name(site, browser):
    page = browser.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q=distance_to_front")
    page.wait_for_selector("#search-results li a")
    assert "distance_to_front" in page.locator("#search-results li a").first.inner_text()


def test_every_figure_of_the_gallery_is_drawn(site, browser):
    page = browser.new_page()
    page.goto((site / "gallery.html").as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents.every((one) => one.is_idle)")
    figures = page.locator(".figure-of-a-cell > div").count()
    assert figures == (DOCS / "gallery.md").read_text(encoding="utf-8").count("<!-- figure -->")
    assert page.evaluate("Bokeh.documents.length") == figures


@pytest.mark.parametrize("width", [1280, 1440])
def test_no_figure_of_the_gallery_is_cut(site, browser, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((site / "gallery.html").as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents.every((one) => one.is_idle)")
    wide = "all => all.filter((one) => one.scrollWidth > one.clientWidth).length"
    assert page.eval_on_selector_all(".figure-of-a-cell", wide) == 0
    assert page.locator("label.nav-overlay-icon").is_visible()
