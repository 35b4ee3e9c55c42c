"""What a page is told and when: after it is ready, all at once, in order."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import panel as pn
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource
from panel.io.state import set_curdoc

from roofcube.explorer.readers import Reader


@pytest.fixture
def session():
    """A document in which a page is being made, and what is said of its changes."""
    doc = Document()
    doc.source = ColumnDataSource({"x": []})
    doc.add_root(doc.source)
    context = SimpleNamespace(session=None)
    doc._session_context = lambda: context
    doc.seen = []
    doc.on_change(lambda event: doc.seen.append(event.kind) if hasattr(event, "kind") else None)
    doc.turns = []
    doc.add_next_tick_callback = doc.turns.append
    with set_curdoc(doc):
        yield doc


def turn(doc):
    while doc.turns:
        doc.turns.pop(0)()


def test_what_is_told_before_a_page_is_ready_waits(session):
    """Panel drops changes from when a browser has a document until it says that it is ready."""
    told = []
    reader = Reader(SimpleNamespace())
    reader.soon(partial(told.append, 1))
    reader.soon(partial(told.append, 2))
    assert told == []
    assert session.turns == []
    pn.state._on_load(session)
    turn(session)
    assert told == [1, 2]
    reader.soon(partial(told.append, 3))
    assert told == [1, 2]
    turn(session)
    assert told == [1, 2, 3]


def test_all_that_is_told_is_sent_at_once(session):
    reader = Reader(SimpleNamespace())
    with reader.told(), reader.told():
        session.source.data = {"x": [1]}
        assert session.seen == []
    assert session.seen == ["ColumnDataChanged"]


def test_in_a_notebook_nothing_waits():
    told = []
    reader = Reader(SimpleNamespace(figures=[]))
    reader.soon(partial(told.append, 1))
    reader.later(partial(told.append, 2), 1000)
    assert told == [1, 2]
