"""A real browser for the tests: Debian's Chromium driven by Playwright, with the network cut."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from embedded_pages import page_of
from explorers import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
IDLE = "window.Bokeh && Bokeh.documents.length > 0 && Bokeh.documents.every((one) => one.is_idle)"

# what the figures hold and what is drawn of it, by the name of the source; a mark is drawn when all its places are
# numbers inside the axes, and a text when it says something
MARKS = """
() => {
  const PLACES = ["sx", "sy", "sx0", "sx1", "sy0", "sy1", "sleft", "sright", "stop", "sbottom"];
  const found = {};
  for (const doc of Bokeh.documents) for (const model of doc._all_models.values()) {
    if (model.type !== "GlyphRenderer") continue;
    const view = Bokeh.index.find_one(model), glyph = view.glyph, look = model.glyph;
    const field = (look.type === "Text" ? look.text : look.right ?? look.x1 ?? look.x ?? look.xs)?.field;
    const frame = view.parent.frame_view?.bbox ?? view.parent.frame.bbox;
    const inside = (name, place) => name.startsWith("sx") || name === "sleft" || name === "sright"
      ? place >= frame.left - 1 && place <= frame.right + 1 : place >= frame.top - 1 && place <= frame.bottom + 1;
    const known = PLACES.filter((name) => glyph[name] !== undefined && typeof glyph[name] !== "number");
    // a glyph keeps the places of the rows of its view alone
    const shown = [...view.all_indices];
    const says = (row) => look.type !== "Text" || model.data_source.data[field][row] !== "";
    const drawn = shown.filter((row, place) => says(row) && known.every((name) => inside(name, glyph[name][place])));
    (found[model.data_source.name ?? "a source without a name"] ??= []).push(
      {glyph: look.type, field, rows: model.data_source.get_length(), shown: shown.length, drawn: drawn.length});
  }
  return found;
}
"""
# where on the screen the mark of a row is
PLACE = """
([name, row]) => {
  for (const doc of Bokeh.documents) for (const model of doc._all_models.values()) {
    if (model.type !== "GlyphRenderer" || model.data_source.name !== name) continue;
    const view = Bokeh.index.find_one(model);
    if (!view.glyph.sx) continue;
    const box = view.parent.canvas_view ? view.parent.canvas_view.el.getBoundingClientRect() : view.parent.el.getBoundingClientRect();
    return [box.left + view.glyph.sx[row], box.top + view.glyph.sy[row]];
  }
}
"""
# all text of tooltips that are on the screen, shadow roots included
TOOLTIPS = """
() => {
  const texts = [];
  const walk = (node) => {
    for (const child of node.querySelectorAll("*")) {
      if (child.matches(".bk-Tooltip") && child.getClientRects().length) texts.push((child.shadowRoot ?? child).textContent);
      if (child.shadowRoot) walk(child.shadowRoot);
    }
  };
  walk(document);
  return texts;
}
"""


@dataclass
class Visit:
    """An open page, what it asked of the network and what it complained of."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, address: str) -> Visit:
        self.page.goto(address)
        self.page.wait_for_function(IDLE)
        return self

    def marks(self) -> dict[str, list[dict[str, Any]]]:
        return self.page.evaluate(MARKS)

    def column(self, source: str, column: str) -> list[Any]:
        find = "([source, column]) => [...Array.from(Bokeh.documents[0]._all_models.values()).find((one) => one.type === 'ColumnDataSource' && one.name === source).data[column]]"
        return self.page.evaluate(find, [source, column])

    def hover(self, source: str, row: int) -> str:
        """Point at a mark and read the tooltip."""
        figure = source.partition(".")[0]
        self.page.evaluate(
            "(name) => (document.querySelector(`#figure-${name}`) ?? document.body).scrollIntoView({block: 'center', behavior: 'instant'})",
            figure.replace("_", "-"),
        )
        x, y = self.page.evaluate(PLACE, [source, row])
        self.page.mouse.move(x - 40, y - 40)
        self.page.mouse.move(x, y, steps=4)
        self.page.wait_for_function(f"({TOOLTIPS})().length > 0")
        return " ".join(self.page.evaluate(TOOLTIPS))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        found = None
    if found is None:
        message = "no Chromium with Playwright here: the browser tests are left out"
        print(message)
        if os.environ.get("ROOFCUBE_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{message}, and ROOFCUBE_REQUIRE_BROWSER=1 asks for them")
        pytest.skip(message)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """A page without a network; what it asks for is written down and refused."""
    yield from _visit(browser, offline=True, allowed="file:")


@pytest.fixture
def local_visit(browser: Any) -> Iterator[Visit]:
    """A page that may reach this machine alone."""
    yield from _visit(browser, offline=False, allowed="http://127.0.0.1:")


def _visit(browser: Any, *, offline: bool, allowed: str) -> Iterator[Visit]:
    context = browser.new_context(offline=offline, viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    found = Visit(page)

    def decide(route: Any) -> None:
        address = route.request.url
        document = address.startswith("file:") and route.request.resource_type == "document"
        if not document and not (
            address.startswith(("data:", "blob:")) or (allowed != "file:" and address.startswith(allowed))
        ):
            found.requests.append(address)
            route.abort()
        else:
            route.continue_()

    page.route("**/*", decide)
    page.on("console", lambda message: found.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    yield found
    context.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three pages, written once."""
    return {task: page_of(task, tmp_path_factory) for task in ("cifar10", "imagenet", "mnist")}
