"""Explorers served in a thread of the tests, and what their pages say of themselves."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_MS = 90_000  # no page depends on how fast the machine is
READY = "window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle && [...Bokeh.documents[0]._all_models.values()].find((one) => one.name === 'explorer.points')?.data.x.length > 0"
# in a notebook documents come in no order: the one of Panel's extension may be the first
FIND = "(name) => Bokeh.documents.flatMap((one) => [...one._all_models.values()]).find((one) => one.name === name)"
# where on the screen each mark of the trade-off is
PLACES = """() => { const renderer = [...Bokeh.documents[0]._all_models.values()].find((one) => one.type === 'GlyphRenderer' && one.data_source.name === 'explorer.points');
const view = Bokeh.index.find_one(renderer), box = view.parent.canvas_view.el.getBoundingClientRect();
return [...view.glyph.sx].map((x, row) => [box.left + x, box.top + view.glyph.sy[row]]); }"""
PICKED = "() => [...[...Bokeh.documents[0]._all_models.values()].find((one) => one.name === 'explorer.points').selected.indices].sort((a, b) => a - b)"


class Served:
    """An explorer that is served until it is closed."""

    def __init__(self, cube: Any, **options: Any) -> None:
        started = threading.Event()
        self.address = ""
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(cube, options, started), daemon=True)
        self.thread.start()
        assert started.wait(120)
        assert self.failure is None, self.failure

    def _run(self, cube: Any, options: dict[str, Any], started: threading.Event) -> None:
        import roofcube as rc
        from roofcube.explorer.app import Explorer
        from roofcube.explorer.server import make_server

        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            source = rc.explore(cube).source
            self.server, self.address = make_server(source, partial(Explorer, source), **options)
            self.server.start()
        except BaseException as error:
            self.failure = error
            raise
        finally:
            started.set()
        self.server.io_loop.start()

    def close(self) -> None:
        self.server.io_loop.add_callback(self._stop)
        self.thread.join(20)

    def _stop(self) -> None:
        self.server.stop()
        self.server.io_loop.stop()


def opened(visit: Any, address: str) -> Any:
    """Open an explorer and wait until it is drawn."""
    visit.page.goto(address)
    visit.page.wait_for_function(READY)
    visit.page.wait_for_function("document.querySelector('main')")
    visit.page.locator(".steps").wait_for()
    return visit.page


def says(page: Any, text: str) -> None:
    """Wait until the line of what is left says something."""
    page.locator(".steps", has_text=text).wait_for()


def pick_first_row(page: Any) -> None:
    """Click the first row of the table until it is selected: a table that is being exchanged loses a click."""
    selected = page.locator(".steps", has_text="1 selected")
    for _ in range(10):
        page.locator(".tabulator-row").first.click()
        for _ in range(30):
            if selected.count():
                return
            page.wait_for_timeout(100)
    raise AssertionError("no click selected the first row")


def dragged(page: Any, ends: Callable[[], tuple[float, float, float, float]], done: Callable[[], bool]) -> None:
    """Drag the mouse from one end to the other until it did something: a browser that has no time takes a drag for a press."""
    for _ in range(10):
        left, top, right, bottom = ends()
        page.mouse.move(left, top)
        page.mouse.down()
        page.mouse.move(right, bottom, steps=12)
        page.mouse.up()
        for _ in range(50):
            if done():
                return
            page.wait_for_timeout(100)
    raise AssertionError("no drag did anything")


def box_around(page: Any, row: int) -> list[int]:
    """Draw a box around a mark until something else is selected; return the rows of the marks that lie in it."""

    def ends() -> tuple[float, float, float, float]:
        x, y = page.evaluate(PLACES)[row]
        return x - 14, y - 11, x + 6, y + 5

    before = page.evaluate(PICKED)
    dragged(page, ends, lambda: page.evaluate(PICKED) != before)
    left, top, right, bottom = ends()
    return [number for number, (x, y) in enumerate(page.evaluate(PLACES)) if left <= x <= right and top <= y <= bottom]
