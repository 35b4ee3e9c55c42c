"""The page of a session: all parts made once, patched at every answer; what a reader does comes in as messages."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import panel as pn

from roofcube.explorer.answers import LATENCIES
from roofcube.explorer.rows import spaced
from roofcube.explorer.views.heatmap import Heatmap
from roofcube.explorer.views.look import looks_of
from roofcube.explorer.views.parallel import Parallel
from roofcube.explorer.views.roofs import Roofs
from roofcube.explorer.views.trade_off import TradeOff
from roofcube.explorer.views.why import emptied_by, reasons
from roofcube.explorer.views.widgets import STATIC, Bar, Choices, Facets, Why, WithinLatency
from roofcube.inert import inert_label
from roofcube.wording import quantity, short, shown_unit, with_thousands

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.explorer.answers import Answer, AtLatency, Grid, Source
    from roofcube.explorer.state import View
    from roofcube.sweep.explanation import Explanation

__all__ = ["Page"]

Array = np.ndarray[Any, np.dtype[Any]]
VIEWS: dict[str, Any] = {"parallel": Parallel, "heatmap": Heatmap}
MOST_LISTED = 1_000  # rows of the table
# limits that are always there to fill in: of each line, among what was measured and what is predicted
OFFERED = (
    ("measured_latency", "predicted_latency"),
    ("measured_top1", "top1"),
    ("power_full", "predicted_energy"),
)
TAB_WORDS = {"parallel": "Parallel", "heatmap": "Heatmap", "roofline": "Roofline", "latency": "At latency"}
TABLE_WORDS = {"front": "Front", "selected": "Selected", "all": "All within limits"}
TABLE_STYLE = (STATIC / "table.css").read_text("utf-8")


class Page:
    """The parts of a page.

    Parameters
    ----------
    source : Source
    receive : callable
        Takes what a reader does, as a message.
    """

    def __init__(self, source: Source, receive: Callable[[dict[str, Any]], None]) -> None:
        self.source = source
        self.receive = receive
        self.complaints: list[str] = []
        self.wrong: dict[tuple[str, str], str] = {}
        self.offered: dict[str, list[str]] = {}
        self.status = ""
        self.asking = False
        self.bar, self.facets, self.why = Bar(receive), Facets(receive, css_classes=["rc-facets"]), Why(receive)
        self.axes, self.tabs, self.kinds_of_table = Choices(receive), Choices(receive), Choices(receive)
        self.heat_axes, self.within = Choices(receive), WithinLatency(receive)
        self.trade_off, self.roof_note = TradeOff(source, receive), Choices(receive)
        self.views: dict[str, Any] = {}
        self.table = pn.widgets.Tabulator(
            pd.DataFrame({"c0": []}),
            show_index=False,
            disabled=True,
            selectable=False,
            pagination="local",
            page_size=12,
            layout="fit_data_stretch",
            sizing_mode="stretch_width",
            stylesheets=[TABLE_STYLE],
            name="explorer.table",
        )
        self.table.on_click(self._clicked)
        self.listed: list[str] = []
        self.figures = [pn.pane.Bokeh(self.trade_off.plot, sizing_mode="stretch_width")]
        self.panes = {
            "parallel": pn.Column(sizing_mode="stretch_width", visible=False),
            "heatmap": pn.Column(self.heat_axes, sizing_mode="stretch_width", visible=False),
            "roofline": pn.Column(self.roof_note, sizing_mode="stretch_width", visible=False),
            "latency": pn.Column(self.within, sizing_mode="stretch_width", visible=False),
        }

    def figure(self, tab: str) -> Any:
        """Return what draws the figure of a tab, made when it is first opened: half of a page's models are here."""
        if tab not in self.views:
            made = Roofs(self.source) if tab == "roofline" else VIEWS[tab](self.source, self.receive)
            self.views[tab] = made
            self.figures.append(pn.pane.Bokeh(made.plot, sizing_mode="stretch_width"))
            self.panes[tab].append(self.figures[-1])
        return self.views[tab]

    @property
    def regions(self) -> dict[str, Any]:
        """The parts by their place on the page."""
        column = {"sizing_mode": "stretch_width"}
        return {
            "bar": self.bar,
            "facets": self.facets,
            "tradeoff": pn.Column(self.axes, self.figures[0], **column),
            "why": self.why,
            "tabs": pn.Column(self.tabs, *self.panes.values(), **column),
            "table": pn.Column(self.kinds_of_table, self.table, **column),
        }

    def _clicked(self, event: Any) -> None:
        if event.row is not None and 0 <= event.row < len(self.listed):
            self.receive({"do": "select", "ids": [self.listed[event.row]]})

    # pushes ---------------------------------------------------------------------------------------------------------

    def push(self, view: View, answer: Answer, selected: Array, history: tuple[bool, bool], count: int) -> None:
        """Show an answer: figures first, then words."""
        self.trade_off.push(view, answer, selected)
        self.trade_off.push_pinned(answer, answer.rows.find(view.pinned)[0])
        self.push_bar(view, answer, history, count, [])
        self.facets.show(self._facets(view, answer))
        self._push_choices(view)
        for name, pane in self.panes.items():
            if pane.visible != (name == view.tab):
                pane.visible = name == view.tab
        if view.tab == "parallel":
            self.figure("parallel").push(view, answer, selected)
        elif view.tab == "roofline":
            note = self.figure("roofline").push(view, answer)
            self.roof_note.show({"parts": [{"kind": "text", "text": note}]})

    def push_bar(
        self, view: View, answer: Answer, history: tuple[bool, bool], count: int, emptied: list[dict[str, Any]]
    ) -> None:
        """Show what is wanted and what is left."""
        source, measures = self.source, self.source.measures(view.kind)
        numbers = source.numbers(view.kind)
        best = answer.best
        beyond = best >= 0 and bool(answer.rows.extrapolates[best])
        swept = answer.sampled or answer.total > answer.rows.size
        noun = "points" if swept else "cells" if answer.rows.dims != ("point",) else "points"
        self.last = (view, answer, history, count, emptied)
        self.bar.show(
            {
                "title": inert_label(source.title) if len(source.title) <= 40 else source.title[:160],
                "kinds": list(source.kinds),
                "kind": view.kind,
                "objectives": [[name, f"{_way(source, name)} {spaced(name)}"] for name in measures],
                "objective": view.objective,
                "limits": self._limit_fields(view),
                "addable": [[name, spaced(name)] for name in numbers if name not in self._shown_limits(view)],
                "total": answer.total,
                "noun": noun,
                "steps": [
                    {"words": step.words, "removed": step.removed} for step in answer.steps if _counts(view, step)
                ],
                "left": answer.left,
                "front": len(answer.front),
                "sampled": answer.sampled,
                "doubtful": answer.doubtful,
                "hidden": view.hide_doubts,
                "selected": count,
                "undo": history[0],
                "redo": history[1],
                "warning": "The best is an extrapolation: it lies beyond what was measured." if beyond else "",
                "complaints": [*self.complaints, *self.wrong.values()],
                "emptied": emptied if not answer.left or best < 0 else [],
                "status": self.status,
                "asking": self.asking,
            }
        )

    def push_status(self, status: str, *, asking: bool) -> None:
        """Show how the asking goes."""
        self.status, self.asking = status, asking
        if hasattr(self, "last"):
            self.push_bar(*self.last)

    def _shown_limits(self, view: View) -> list[str]:
        offered = self.offered.setdefault(view.kind, [])
        if not offered:
            measures = self.source.measures(view.kind)
            for of_measured, of_predicted in OFFERED:
                name = of_measured if view.kind == "measured" else of_predicted
                offered += [name] if name in measures else []
        return list(dict.fromkeys([*offered, *view.limits]))

    def _limit_fields(self, view: View) -> list[dict[str, Any]]:
        fields = []
        for name in self._shown_limits(view):
            low, high = view.limits.get(name, (None, None))
            usual = "low" if self.source.sense(name) == "max" else "high"
            for end, value in (("low", low), ("high", high)):
                if value is not None or end == usual:
                    fields.append(self._limit_field(name, end, value))
        return fields

    def _limit_field(self, name: str, end: str, value: float | None) -> dict[str, Any]:
        unit = self.source.unit(name)
        wrong = self.wrong.get((name, end))
        shown = shown_unit(unit)[1]
        return {
            "name": name,
            "end": end,
            "shown": spaced(name),
            "sign": "≥" if end == "low" else "≤",
            "text": "" if value is None else limit_text(value, unit),
            "unit": "" if shown == "1" else inert_label(shown),
            "wrong": wrong is not None,
        }

    def _push_choices(self, view: View) -> None:
        measures = [[name, spaced(name)] for name in self.source.measures(view.kind)]
        self.axes.show(
            {
                "parts": [
                    {"kind": "select", "name": "x", "shown": "across", "options": measures, "value": view.x},
                    {"kind": "select", "name": "y", "shown": "up", "options": measures, "value": view.y},
                    {"kind": "text", "text": _legend(self.source, view.kind)},
                ]
            }
        )
        group = {"kind": "group", "name": "tab", "shown": "view", "value": view.tab}
        self.tabs.show({"parts": [{**group, "options": [[name, words] for name, words in TAB_WORDS.items()]}]})
        names = [*self.source.categories(view.kind), *self.source.ranges(view.kind)]
        options = [[name, spaced(name)] for name in names]
        self.heat_axes.show(
            {
                "parts": [
                    {"kind": "select", "name": "columns", "shown": "across", "options": options, "value": view.columns},
                    {"kind": "select", "name": "rows", "shown": "down", "options": options, "value": view.rows},
                    {"kind": "text", "text": f"best {spaced(view.objective)} of each cell; bright is better"},
                ]
            }
        )

    def _facets(self, view: View, answer: Answer) -> list[dict[str, Any]]:
        looks, facets = looks_of(self.source, view.kind), []
        dims = self.source.cube.dims
        for name, category in self.source.categories(view.kind).items():
            chosen = set(map(str, view.keep.get(name, [])))
            counts = answer.counts.get(name)
            labels = [
                {
                    "text": text,
                    "shown": shown,
                    "count": 0 if counts is None else int(counts[number]),
                    "on": text in chosen or str(category.labels[number]) in chosen,
                    **(
                        {"colour": looks.colours[text], "symbol": looks.symbols.get(text, "●")}
                        if name == looks.name
                        else {}
                    ),
                }
                for number, (text, shown) in enumerate(zip(category.texts, category.shown, strict=True))
            ]
            is_open = name in dims or name in view.keep or "point" in dims
            facets.append({"kind": "labels", "name": name, "shown": spaced(name), "open": is_open, "labels": labels})
        for name in self.source.ranges(view.kind):
            bars = answer.bars.get(name, np.zeros(0))
            unit = self.source.unit(name)
            least, most = (limit_text(end, unit) for end in self.source.extent(view.kind, name))
            low, high = ("" if end is None else limit_text(end, unit) for end in view.limits.get(name, (None, None)))
            ends = {"low": low, "high": high, "least": least, "most": most}
            shown = _with_unit(name, shown_unit(unit)[1])
            range_ = {"kind": "range", "name": name, "shown": shown, "open": True, "bars": [int(one) for one in bars]}
            facets.append({**range_, **ends})
        return facets

    def push_why(
        self,
        view: View,
        answer: Answer,
        explanation: Explanation | None,
        selected: Array,
        history: tuple[bool, bool],
        count: int,
    ) -> None:
        """Show the reasons."""
        self.why.show(reasons(self.source, view, answer, explanation, selected))
        emptied = emptied_by(self.source, view, explanation)
        if emptied:
            self.push_bar(view, answer, history, count, emptied)

    def push_grid(self, view: View, grid: Grid) -> None:
        """Show the heatmap."""
        self.figure("heatmap").push(view, grid)

    def push_latency(self, view: View, within: AtLatency | None, baseline: float | None) -> None:
        """Show what is reached within each latency."""
        if within is None:
            self.within.show({"note": "no latency is known, or there are no labels to compare", "rows": []})
            return
        (factor, unit), largest = (
            shown_unit(self.source.unit(view.objective)),
            self.source.sense(view.objective) == "max",
        )
        rows = []
        for label, values in zip(within.labels, within.values, strict=True):
            cells = []
            for number, value in enumerate(values.tolist()):
                column = within.values[:, number]
                known = column[np.isfinite(column)]
                best = known.size and value == (known.max() if largest else known.min())
                more = f"{100 * (value / baseline - 1):+.0f} %" if baseline and np.isfinite(value) else ""
                text = short(value * factor) if np.isfinite(value) else "–"
                cells.append({"text": text, "best": bool(best), "more": more})
            rows.append({"shown": label, "cells": cells})
        pinned = "; per cent over the one that is pinned" if baseline else "; pin one to compare with it"
        unit = f" ({inert_label(unit)})" if unit not in ("", "1") else ""
        note = f"best {spaced(view.objective)}{unit} within each latency and the other limits{pinned}"
        columns = [f"≤ {quantity(limit, 's')}" for limit in LATENCIES]
        self.within.show({"note": note, "dim": spaced(within.dim), "columns": columns, "rows": rows})

    # the table ------------------------------------------------------------------------------------------------------

    def push_table(self, view: View, answer: Answer, selected: Array) -> None:
        """List the front, what is selected or all within the limits, best first."""
        rows = self._table_rows(view, answer, selected)
        shown = rows[:MOST_LISTED]
        frame, titles = self._frame(view, answer, shown)
        self.listed = answer.rows.ids(shown)
        if titles == self.table.titles:
            self.table.value = frame
        else:
            numeric = [key for key in frame if frame[key].dtype.kind in "iuf"]
            # digits as they are: the default formatter would write 0.0 for a small number
            plain, right = {key: {"type": "plaintext"} for key in numeric}, dict.fromkeys(numeric, "right")
            self.table.param.update(value=frame, titles=titles, formatters=plain, text_align=right)
        more = (
            f"the first {with_thousands(len(shown))} of {with_thousands(len(rows))}, best first"
            if len(rows) > len(shown)
            else ""
        )
        group = {"kind": "group", "name": "table", "shown": "rows of the table", "value": view.table}
        options = [[name, words] for name, words in TABLE_WORDS.items()]
        self.kinds_of_table.show(
            {
                "parts": [
                    {**group, "options": options},
                    {"kind": "do", "name": "csv", "shown": "CSV"},
                    {"kind": "text", "text": more or f"{with_thousands(len(rows))} rows"},
                ]
            }
        )

    def _table_rows(self, view: View, answer: Answer, selected: Array) -> Array:
        if view.table == "front":
            return answer.front[::-1] if self.source.sense(view.x) == "max" else answer.front
        rows = selected if view.table == "selected" else np.flatnonzero(answer.inside)
        values = answer.rows.column(view.objective)[rows]
        return rows[np.argsort(-values if self.source.sense(view.objective) == "max" else values, kind="stable")]

    def _columns(self, view: View, answer: Answer) -> list[str]:
        names = [view.objective, view.x, view.y, *view.limits, *answer.rows.variables]
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
                columns[key] = _four_digits(scaled) if numeric else [inert_label(str(text)) for text in values]
                titles[key] = escape(_with_unit(name, unit))
        for name in self._columns(view, answer):
            factor, unit = shown_unit(self.source.unit(name))
            key = f"c{len(columns)}"
            columns[key] = _four_digits(source_rows.column(name)[rows] * factor)
            titles[key] = escape(_with_unit(name, unit))
        columns[f"c{len(columns)}"] = source_rows.doubts(rows)
        titles[f"c{len(columns) - 1}"] = "flags"
        return pd.DataFrame(columns), titles

    def csv(self, view: View, answer: Answer, selected: Array) -> str:
        """Write the whole table with all digits, in SI units."""
        rows, names = self._table_rows(view, answer, selected)[:100_000], answer.rows.id_names
        columns: dict[str, Any] = {
            name: answer.rows.values(name, rows) for name in names if name in answer.rows.cube.coords
        }
        for name in self._columns(view, answer):
            unit = self.source.unit(name)
            columns[f"{name} [{unit}]" if unit not in ("", "1") else name] = answer.rows.column(name)[rows]
        return str(pd.DataFrame({**columns, "flags": answer.rows.doubts(rows)}).to_csv(index=False))


ENDS = ("_low", "_high", "_expected")


def limit_text(value: float, unit: str) -> str:
    """Write a limit so that reading it back gives the same value."""
    factor, shown = shown_unit(unit)
    number = float(f"{value * factor:.6g}")
    text = f"{int(number)}" if number == int(number) and abs(number) < 1e15 else f"{number:g}"
    return f"{text} {shown}" if shown in ("ms", "mJ", "W", "%") else text


def _legend(source: Source, kind: str) -> str:
    looks = looks_of(source, kind)
    colour = f"colour: {spaced(looks.name)}" if looks.name else ""
    marks = "mark: device class" if looks.markers else ""
    return " · ".join(filter(None, [colour, marks, "hollow: in doubt", "ring: the best", "line: the front"]))


def _with_unit(name: str, unit: str) -> str:
    return f"{spaced(name)} ({inert_label(unit)})" if unit not in ("", "1") else spaced(name)


def _way(source: Source, name: str) -> str:
    return "most" if source.sense(name) == "max" else "least"


def _counts(view: View, step: Any) -> bool:
    """Check whether a step is told: limits always, what else only where it removed something."""
    return bool(step.removed) or step.name in {**view.limits, **view.keep}


def _four_digits(values: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.floor(np.log10(np.abs(values)))
    power = np.where(np.isfinite(power), power, 0.0)
    digits = np.maximum(3 - power, 0 if values.dtype.kind in "iu" else -15).astype(int)
    rounded = [round(value, digit) for value, digit in zip(values.tolist(), digits.tolist(), strict=True)]
    return np.array(rounded, dtype=values.dtype)
