"""Whoever looks at an explorer: a page in a document of a server or in a notebook, and when it may be told."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import panel as pn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roofcube.explorer.views.page import Page

__all__ = ["Reader"]


class Reader:
    """A page and the document that it is in.

    From when a browser has the document until it says that it is ready, Panel drops what is changed: it waits.

    Parameters
    ----------
    page : Page
        Made in the session that is the current one, if any is.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        current = pn.state.curdoc
        self.doc: Any = current if current is not None and current.session_context else None
        self._lock = Lock()
        self._waiting: list[Callable[[], None]] | None = None if self.doc is None else []
        if self.doc is not None:
            pn.state.onload(self._ready)

    def _ready(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting or [], None
        for act in waiting:  # each for itself: one that fails takes no other with it
            self.doc.add_next_tick_callback(act)

    def soon(self, act: Callable[[], None]) -> None:
        """Act at the next turn of the document, from any thread; at once in a notebook.

        What a reader does arrives outside a document's turns, where it may not be changed.
        """
        if self.doc is None:
            act()
            return
        with self._lock:
            if self._waiting is not None:
                self._waiting.append(act)
                return
        self.doc.add_next_tick_callback(act)

    def later(self, act: Callable[[], None], milliseconds: int) -> None:
        """Act a little later; at once where there is no document to wait in."""
        if self.doc is None:
            act()
        else:
            self.doc.add_timeout_callback(partial(self.soon, act), milliseconds)

    @contextmanager
    def told(self) -> Iterator[Page]:
        """Send all that is changed on the page at once; by Bokeh's hold, since Panel's may send it in another order."""
        if self.doc is None:
            yield self.page
            pn.io.push_notebook(*self.page.figures)
        elif self.doc.callbacks.hold_value:
            yield self.page
        else:
            self.doc.hold("combine")
            try:
                yield self.page
            finally:
                self.doc.unhold()
