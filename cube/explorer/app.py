"""explore: one state for all views; a change is asked of the source, the latest answer wins, the page is patched."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
import xarray as xr

from roofcube.errors import InvalidDataError, RoofcubeError
from roofcube.explorer.addresses import check, defaults, python_of, written
from roofcube.explorer.messages import settings_after
from roofcube.explorer.readers import Reader
from roofcube.explorer.server import serve
from roofcube.explorer.state import WRITTEN, View
from roofcube.explorer.stored import StoredSource
from roofcube.explorer.swept import SweptSource
from roofcube.explorer.views.page import Page
from roofcube.explorer.views.why import explained
from roofcube.labels import bytes_in_file
from roofcube.measured.join import benchmark
from roofcube.model.offered import as_product, is_offered, product_bytes
from roofcube.options import check_fits
from roofcube.sweep.stopping import Cancelled
from roofcube.sweep.sweep import Sweep

if TYPE_CHECKING:
    from roofcube.explorer.answers import Answer, Source

__all__ = ["Explorer", "explore", "source_of"]

Array = np.ndarray[Any, np.dtype[Any]]
MOST_BYTES = 200e6  # of a cube of offers that is laid out by platform, mode and precision
FEW = 200_000  # rows, about which a question is answered before anything else happens
LATE_MS = 200  # words follow the figures: while a line is dragged they wait for a pause
PATIENCE_MS = 2_000  # when a question is said to take long
STILL = "still asking; what is shown answers the question before"
CANCELLED = "cancelled; what is shown answers the question before"
_workers: list[ThreadPoolExecutor] = []


def explore(cube: xr.Dataset | Sweep | str) -> Explorer:
    """Explore a cube: limits, what each removes, the front under them, and why the best is the best.

    Parameters
    ----------
    cube : Dataset, Sweep or str
        Predicted, joined, calibrated, loaded or made by hand; a front; a sweep, which is never stored; or the name of a
        task, of which the benchmark is explored.

    Returns
    -------
    Explorer
        Shows itself in a notebook; ``.show()`` serves it on this machine; ``.servable()`` in a script for
        ``panel serve``. Its `view` is the state, its `selection` what is selected, `python()` the calls that give the
        same answer.

    Raises
    ------
    InvalidDataError
        If it is nothing that can be explored, or holds no figures.
    MemoryLimitError
        If a stored cube has more cells than the memory holds.

    Examples
    --------
    >>> import roofcube as rc
    >>> app = rc.explore("cifar10")
    >>> app.view.limits = {"measured_top1": (85, None)}
    >>> print(app.python().splitlines()[0])
    best = rc.best(cube, 'measured_throughput', where={'measured_top1': (85, None)}, sense='max')
    >>> app.answer.left
    133
    """
    return Explorer(source_of(cube))


def source_of(cube: Any) -> Source:
    """Return what is explored of anything; read only, so that sessions may share it.

    Raises
    ------
    InvalidDataError
        If it is nothing that can be explored.
    MemoryLimitError
        If it does not fit into the memory limit.
    """
    if isinstance(cube, str):
        cube = benchmark(cube)
    if isinstance(cube, Sweep):
        return SweptSource(cube)
    if isinstance(cube, xr.Dataset):
        check_fits("explore", bytes_in_file(cube))
        # of many platforms what is offered stays one axis
        few = is_offered(cube) and product_bytes(cube) < MOST_BYTES
        return StoredSource(as_product(cube) if few else cube, laid_out=few)
    msg = (
        f"`cube`: expected a Dataset, a Sweep or the name of a task, got {type(cube).__name__}; make one with "
        "`roofcube.predict`, `roofcube.benchmark`, `roofcube.load` or `roofcube.Sweep`"
    )
    raise InvalidDataError(msg)


class Explorer(pn.viewable.Viewer):  # type: ignore[misc]
    """The app of `explore`.

    Attributes
    ----------
    view : View
        The state: set any of it, and every view follows.
    answer : Answer
        The latest.
    """

    def __init__(self, source: Source, settings: dict[str, Any] | None = None, **params: Any) -> None:
        super().__init__(**params)
        self.source = source
        self.view = View(**(settings or defaults(source)))
        check(self.view, source)
        self.answer: Answer | None = None
        self.explanation: Any = None
        self.failure: Exception | None = None
        self._settled = self.view.values_now()
        self._past: list[dict[str, Any]] = []
        self._future: list[dict[str, Any]] = []
        self._gesture: tuple[str, ...] = ()
        self._readers: list[Reader] = []
        self._number = 0
        self._stop = Event()
        self._restoring = self._undoing_a_fault = self._same_gesture = False
        self.view.param.watch(self._changed, WRITTEN)
        if self._is_quick:
            self.answer = source.ask(self.view)

    # from Python ----------------------------------------------------------------------------------------------------

    @property
    def selection(self) -> xr.Dataset:
        """What is selected, as points with all their coordinates and variables."""
        return self.source.selection(self.view)

    def python(self) -> str:
        """Write the calls that give the best and the front of this state, of what was given to `explore` as `cube`."""
        return python_of(self.view, self.source)

    @property
    def address(self) -> str:
        """The state as the text of an address."""
        return written(self.view, self.source)

    def undo(self) -> None:
        """Go back to the state before."""
        self._travel(self._past, self._future)

    def redo(self) -> None:
        """Go forward again."""
        self._travel(self._future, self._past)

    def reset(self) -> None:
        """Go back to the state to start with."""
        start = {**View().values_now(), **defaults(self.source, self.view.kind)}
        self.view.param.update(**start)

    def _travel(self, taken: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
        if not taken:
            return
        other.append(self._settled)
        self._restoring = True
        try:
            self.view.param.update(**taken.pop())
        finally:
            self._restoring = False

    # changes --------------------------------------------------------------------------------------------------------

    def receive(self, message: dict[str, Any]) -> None:
        """Take what a reader did."""
        action = str(message.get("do"))
        for reader in self._readers:
            reader.page.complaints = []
        if action in ("undo", "redo", "reset"):
            getattr(self, action)()
        elif action == "cancel":
            self._cancel()
        elif action == "csv":
            self._send_csv()
        else:
            self._settle(action, message)

    def _settle(self, action: str, message: dict[str, Any]) -> None:
        """Change the state as a message asks; what is wrong with it is told on the page."""
        gesture = (action, str(message.get("name"))) if action in ("drag", "span") else ()
        key = (str(message.get("name")), str(message.get("end")))
        wrong: dict[tuple[str, str], str] = {}
        try:
            settings = settings_after(message, self.view, self.source)
            if settings:
                self._gesture, before = gesture, self._gesture
                self._same_gesture = bool(gesture) and gesture == before
                self.view.param.update(**settings)
        except RoofcubeError as error:
            wrong = {key: str(error)}
        finally:
            self._same_gesture = False
        for reader in self._readers:
            if wrong or reader.page.wrong:
                reader.page.wrong = wrong
                reader.soon(partial(_tell, reader, reader.page.status, asking=reader.page.asking))

    def _changed(self, *events: Any) -> None:  # noqa: ARG002  param's signature
        """Check a change, remember what was before, and ask."""
        now = self.view.values_now()
        if now == self._settled or self._undoing_a_fault:
            return
        try:
            check(self.view, self.source)
        except RoofcubeError:
            self._undoing_a_fault = True
            self.view.param.update(**self._settled)
            self._undoing_a_fault = False
            raise
        self._remember(now)
        self._ask()

    def _remember(self, now: dict[str, Any]) -> None:
        if not self._restoring and not self._same_gesture:
            self._past.append(self._settled)
            self._future.clear()
            del self._past[:-200]
        self._settled = now

    # asking ---------------------------------------------------------------------------------------------------------

    @property
    def _is_quick(self) -> bool:
        return isinstance(self.source, StoredSource) and self.source.rows(self.view.kind).size <= FEW

    def _ask(self) -> None:
        """Ask anew; what was asked before is stopped."""
        self._stop.set()
        self._stop, self._number = Event(), self._number + 1
        if self._is_quick or not any(reader.doc for reader in self._readers):
            if self._readers or self._is_quick:
                self._answer_now()
            else:
                self.answer = None
            return
        question = self._number, self.view.copied(), self._stop
        _pool().submit(self._work, *question)
        for reader in self._readers:
            reader.later(partial(self._late, reader, self._number), PATIENCE_MS)

    def _answer_now(self) -> None:
        view, number = self.view.copied(), self._number
        self.answer = self.source.ask(view)
        self.explanation = None
        for reader in list(self._readers):
            reader.soon(partial(self._push, reader, view, number))
            reader.later(partial(self._words, reader, view, number), LATE_MS)

    def _work(self, number: int, view: View, stop: Event) -> None:
        """Answer in a thread, in the order in which a reader wants it: figures, the open tab, reasons."""
        try:
            answer = self.source.ask(view, stop)
            self._deliver(number, partial(self._arrived, view, answer))
            self._deliver(number, partial(self._tabled, view, answer), LATE_MS)
            extra = self._extra_of(view, stop)
            self._deliver(number, partial(self._show_extra, view, extra), LATE_MS)
            explanation = explained(self.source, view, stop)
            self._deliver(number, partial(self._explained, view, explanation), LATE_MS)
        except Cancelled:
            return
        except Exception as error:
            self.failure = error
            self._deliver(number, partial(_failed, error))

    def _deliver(self, number: int, show: Any, milliseconds: int = 0) -> None:
        for reader in list(self._readers):
            if reader.doc is not None:
                act = partial(self._if_latest, number, show, reader)
                if milliseconds:
                    reader.soon(partial(reader.later, act, milliseconds))
                else:
                    reader.soon(act)

    def _if_latest(self, number: int, show: Any, reader: Reader) -> None:
        if number == self._number:
            with reader.told() as page:
                show(page)

    def _arrived(self, view: View, answer: Answer, page: Page) -> None:
        self.answer, self.explanation = answer, None
        page.status, page.asking = "", False
        self._show(page, view, answer)

    def _tabled(self, view: View, answer: Answer, page: Page) -> None:
        page.table.push(view, answer, self._selected(view, answer))

    def _explained(self, view: View, explanation: Any, page: Page) -> None:
        if self.answer is None:
            return
        self.explanation = explanation
        selected = self._selected(view, self.answer)
        page.push_why(view, self.answer, explanation, selected, self._history, len(selected))

    def _late(self, reader: Reader, number: int) -> None:
        if number == self._number and not self._stop.is_set() and self._is_waiting(reader.page):
            _tell(reader, STILL, asking=True)

    def _is_waiting(self, page: Page) -> bool:
        return not hasattr(page, "last") or page.last[0].question != self.view.question

    def _cancel(self) -> None:
        self._stop.set()
        self._number += 1
        for reader in self._readers:
            reader.soon(partial(_tell, reader, CANCELLED, asking=False))

    # pushing --------------------------------------------------------------------------------------------------------

    @property
    def _history(self) -> tuple[bool, bool]:
        return bool(self._past), bool(self._future)

    def _selected(self, view: View, answer: Answer) -> Array:
        if view.box and isinstance(self.source, StoredSource):
            return self.source.selected_rows(view)
        return answer.rows.find(view.selected)[0]

    def _show(self, page: Page, view: View, answer: Answer, *, tab: bool = True) -> None:
        selected = self._selected(view, answer)
        page.push(view, answer, selected, self._history, len(selected))
        if tab:
            _attempt(page, partial(page.push_tab, view, answer, selected))

    def _push(self, reader: Reader, view: View, number: int, *, tab: bool = True) -> None:
        if self.answer is not None and number == self._number:
            with reader.told() as page:
                self._show(page, view, self.answer, tab=tab)

    def _words(self, reader: Reader, view: View, number: int, *, tab: bool = False) -> None:
        """Show what may follow the figures: the table, what the open tab asks for, reasons."""
        if self.answer is None or number != self._number:
            return
        selected = self._selected(view, self.answer)
        with reader.told() as page:
            if tab:
                _attempt(page, partial(page.push_tab, view, self.answer, selected))
            page.table.push(view, self.answer, selected)
            self._show_extra(view, self._extra_of(view, None), page)
            if self.explanation is None:
                self.explanation = explained(self.source, view)
            page.push_why(view, self.answer, self.explanation, selected, self._history, len(selected))

    def _extra_of(self, view: View, stop: Event | None) -> tuple[str, Any]:
        """Ask what the open tab needs; what cannot be is told."""
        try:
            if view.tab == "heatmap" and view.rows and view.columns:
                return "heatmap", self.source.grid(view, stop)
            return ("latency", self.source.at_latency(view, stop)) if view.tab == "latency" else ("", None)
        except Cancelled:
            raise
        except Exception as error:
            return "failed", error

    def _show_extra(self, view: View, extra: tuple[str, Any], page: Page) -> None:
        kind, result = extra
        if kind == "failed":
            _failed(result, page)
        elif kind == "heatmap":
            _attempt(page, partial(page.push_grid, view, result))
        elif kind == "latency":
            _attempt(page, partial(page.push_latency, view, result, self._baseline(view)))

    def _baseline(self, view: View) -> float | None:
        if self.answer is None or not view.pinned:
            return None
        rows = self.answer.rows.find(view.pinned[:1])[0]
        value = float(self.answer.rows.column(view.objective)[rows[0]]) if len(rows) else np.nan
        return value if np.isfinite(value) and value > 0 else None

    def _send_csv(self) -> None:
        if self.answer is None:
            return
        selected = self._selected(self.view, self.answer)
        for reader in self._readers:
            text = reader.page.table.csv(self.view, self.answer, selected)
            reader.page.bar.tell({"csv": text, "name": f"roofcube-{self.view.table}.csv"})

    # showing --------------------------------------------------------------------------------------------------------

    def page(self, complaints: list[str] | None = None) -> Page:
        """Make a page that follows the state, until its session ends."""
        page = Page(self.source, self.receive)
        page.complaints = complaints or []
        reader = Reader(page)
        self._readers.append(reader)
        if reader.doc is not None:
            pn.state.on_session_destroyed(lambda _: self._close(reader))
        if self._is_quick or reader.doc is None:
            # before the page leaves: it is part of what a browser gets first; the figure of the tab may follow
            view = self.view.copied()
            self.answer = self.source.ask(view)
            self._push(reader, view, self._number, tab=False)
            reader.later(partial(self._words, reader, view, self._number, tab=True), LATE_MS)
        else:
            page.push_status("asking …", asking=True)
            reader.doc.add_next_tick_callback(self._ask)
        return page

    def _close(self, reader: Reader) -> None:
        self._stop.set()
        if reader in self._readers:
            self._readers.remove(reader)

    def __panel__(self) -> Any:
        """Lay the parts out for a notebook, or for ``panel serve``."""
        regions = self.page().regions
        wide = {"sizing_mode": "stretch_width"}
        side = pn.Column(regions["facets"], width=240)
        middle = pn.Column(regions["tradeoff"], regions["tabs"], min_width=380, **wide)
        right = pn.Column(regions["why"], width=300)
        return pn.Column(regions["bar"], pn.Row(side, middle, right, **wide), regions["table"], **wide)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """Show itself in a notebook; the extension is loaded where nobody has done so."""
        if not pn.extension._loaded:
            pn.extension("tabulator", inline=True)
        return super()._repr_mimebundle_(include, exclude)

    def show(self, **options: Any) -> Any:
        """Serve it on this machine, from this state on, each session with one of its own.

        Options are those of ``roofcube explore``: `port`, `show`, `host`, `allow_origin`.
        """
        return serve(self.source, partial(Explorer, self.source), start=self.address, **options)


def _pool() -> ThreadPoolExecutor:
    if not _workers:
        _workers.append(ThreadPoolExecutor(max_workers=4, thread_name_prefix="roofcube explorer"))
    return _workers[0]


def _tell(reader: Reader, status: str, *, asking: bool) -> None:
    with reader.told() as page:
        page.push_status(status, asking=asking)


def _attempt(page: Page, draw: Any) -> None:
    """Draw a view; one that fails is told, and takes none of the others with it."""
    try:
        draw()
    except Exception as error:
        _failed(error, page)


def _failed(error: Exception, page: Page) -> None:
    known = isinstance(error, RoofcubeError)
    text = str(error) if known else f"a part of this page failed, {type(error).__name__}: {error}; please report it"
    page.complaints = [*(one for one in page.complaints if one != text), text]
    page.push_status("", asking=False)
