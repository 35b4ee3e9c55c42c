"""The table: the front, what is selected or all within the limits, best first; numbers sort as numbers."""

from __future__ import annotations

from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import panel as pn
from bokeh.models.widgets.tables import StringFormatter

from roofcube.explorer.categories import label_text, spaced
from roofcube.explorer.rows import ENDS
from roofcube.explorer.views.widgets import STATIC, Choices
from roofcube.inert import inert_cell, inert_label
from roofcube.wording import counted, plain_values, shown_unit, with_thousands

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.explorer.answers import Answer, Source
    from roofcube.explorer.state import View

__all__ = ["Table", "with_unit_shown"]

Array = np.ndarray[Any, np.dtype[Any]]
MOST_LISTED = 1_000  # rows
MOST_WRITTEN = 100_000  # rows of a CSV
WORDS = {"front": "Front", "selected": "Selected", "all": "All within limits"}


class Table:
    """The table of a session."""

    def __init__(self, source: Source, receive: Callable[[dict[str, Any]], None]) -> None:
        self.source = source
        self.receive = receive
        self.choices = Choices(self._received)
        self.listings: list[list[str]] = [[]]  # ids: those that the browser shows, and what was sent since
        self.number = 0  # of the last of them
        # the widget comes with its first rows: a browser that is still building it draws no rows sent meanwhile
        self.panel = pn.Column(self.choices, sizing_mode="stretch_width")

    @cached_property
    def widget(self) -> Any:
        """The table itself: made with its first rows, for the first of a process takes a sixth of a second."""
        widget = pn.widgets.Tabulator(
            pd.DataFrame({"c0": []}),
            show_index=False,
            disabled=True,
            selectable=False,
            pagination="local",
            page_size=12,
            layout="fit_data_stretch",
            sizing_mode="stretch_width",
            stylesheets=[(STATIC / "table.css").read_text("utf-8")],
            name="explorer.table",
        )
        widget.on_click(self._clicked)
        return widget

    def _received(self, message: dict[str, Any]) -> None:
        """Note that the browser shows a listing; what else a reader does goes on."""
        if message.get("do") != "listed":
            self.receive(message)
        elif 0 <= self.number - int(message["number"]) < len(self.listings):
            del self.listings[: len(self.listings) - 1 - (self.number - int(message["number"]))]

    def _clicked(self, event: Any) -> None:
        """Select the row of a click, which comes as its place: nothing while the browser may show other rows there."""
        ids = {listing[event.row] if event.row < len(listing) else "" for listing in self.listings}
        if len(ids) == 1 and ids != {""}:
            self.receive({"do": "select", "ids": [*ids]})

    def push(self, view: View, answer: Answer, selected: Array) -> None:
        """List the front, what is selected or all within the limits, best first."""
        rows = self._table_rows(view, answer, selected)
        shown = rows[:MOST_LISTED]
        frame, titles = self._frame(view, answer, shown)
        ids = answer.rows.ids(shown)
        if ids != self.listings[-1]:
            self.listings.append(ids)
            self.number += 1
        if titles == self.widget.titles:
            self.widget.value = frame
        else:
            numeric = [key for key in frame if frame[key].dtype.kind in "iuf"]
            # digits as they are: the default formatter would write 0.0 for a small number
            plain, right = {key: StringFormatter(nan_format="–") for key in numeric}, dict.fromkeys(numeric, "right")
            self.widget.param.update(value=frame, titles=titles, formatters=plain, text_align=right)
        if self.widget not in self.panel.objects:
            self.panel.append(self.widget)
        more = (
            f"the first {with_thousands(len(shown))} of {with_thousands(len(rows))}, best first"
            if len(rows) > len(shown)
            else ""
        )
        group = {"kind": "group", "name": "table", "shown": "rows of the table", "value": view.table}
        options = [[name, words] for name, words in WORDS.items()]
        self.choices.show(
            {
                "listing": self.number,  # after the rows, so that it comes back when they are there
                "parts": [
                    {**group, "options": options},
                    {"kind": "do", "name": "csv", "shown": "CSV"},
                    {"kind": "text", "text": more or counted(len(rows), "row")},
                ],
            }
        )

    def _table_rows(self, view: View, answer: Answer, selected: Array) -> Array:
        if view.table == "front":
            return answer.front[::-1] if self.source.sense(view.x) == "max" else answer.front
        rows = selected if view.table == "selected" else np.flatnonzero(answer.inside)
        values = answer.rows.column(view.objective)[rows]
        return rows[np.argsort(-values if self.source.sense(view.objective) == "max" else values, kind="stable")]

    def _columns(self, view: View, answer: Answer) -> list[str]:
        names = [view.objective, view.x, view.y, *view.limits, *answer.rows.own, *answer.rows.variables]
        return [name for name in dict.fromkeys(names) if name in answer.rows.cube and not name.endswith(ENDS)][:12]

    def _frame(self, view: View, answer: Answer, rows: Array) -> tuple[pd.DataFrame, dict[str, str]]:
        """Return the table as it is shown: in human units, to four digits, under names that mean nothing to a page."""
        columns: dict[str, Any] = {}
        titles: dict[str, str] = {}
        source_rows = answer.rows
        for name in source_rows.id_names:
            if name in source_rows.cube.coords:
                values = source_rows.values(name, rows)
                key = f"c{len(columns)}"
                numeric = values.dtype.kind in "iuf"
                factor, unit = shown_unit(self.source.unit(name))
                scaled = values if factor == 1.0 or not numeric else values * factor
                columns[key] = (
                    _four_digits(scaled)
                    if numeric
                    else [inert_label(label_text(label)) for label in plain_values(values)]
                )
                titles[key] = escape(with_unit_shown(name, unit))
        for name in self._columns(view, answer):
            factor, unit = shown_unit(self.source.unit(name))
            key = f"c{len(columns)}"
            columns[key] = _four_digits(source_rows.column(name)[rows] * factor)
            titles[key] = escape(with_unit_shown(name, unit))
        columns[f"c{len(columns)}"] = source_rows.doubts(rows)
        titles[f"c{len(columns) - 1}"] = "flags"
        return pd.DataFrame(columns), titles

    def csv(self, view: View, answer: Answer, selected: Array) -> str:
        """Write the whole table with all digits, in SI units."""
        rows, names = self._table_rows(view, answer, selected)[:MOST_WRITTEN], answer.rows.id_names
        columns: dict[str, Any] = {
            name: answer.rows.values(name, rows) for name in names if name in answer.rows.cube.coords
        }
        for name in self._columns(view, answer):
            unit = self.source.unit(name)
            columns[f"{name} [{unit}]" if unit not in ("", "1") else name] = answer.rows.column(name)[rows]
        frame = pd.DataFrame({**columns, "flags": answer.rows.doubts(rows)})
        texts = frame.columns[[kind.kind not in "biufmM" for kind in frame.dtypes]]
        frame[texts] = frame[texts].map(inert_cell)
        return str(frame.rename(columns=inert_cell).to_csv(index=False))


def with_unit_shown(name: str, unit: str) -> str:
    """Write the name of a variable and its unit."""
    return f"{spaced(name)} ({inert_label(unit)})" if unit not in ("", "1") else spaced(name)


def _four_digits(values: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.floor(np.log10(np.abs(values)))
    power = np.where(np.isfinite(power), power, 0.0)
    digits = np.maximum(3 - power, 0 if values.dtype.kind in "iu" else -15).astype(int)
    rounded = [round(value, digit) for value, digit in zip(values.tolist(), digits.tolist(), strict=True)]
    return np.array(rounded, dtype=values.dtype)
