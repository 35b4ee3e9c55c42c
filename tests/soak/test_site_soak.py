"""The site is built without a warning, and a browser with the network cut shows every page whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_every_page_is_whole_without_a_network(site, browser):
    page = browser.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    pages = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    assert len(pages) > 30
    for path in pages:
        page.goto(path.as_uri())
        assert page.locator("h1").count() == 1 or path.name in ("genindex.html", "search.html"), path
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
