"""The page of a session: all parts made once, patched at every answer; what a reader does comes in as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn

from roofcube.explorer.addresses import MOST_IDS
from roofcube.explorer.answers import LATENCIES
from roofcube.explorer.categories import spaced
from roofcube.explorer.messages import limit_text
from roofcube.explorer.views.heatmap import Heatmap
from roofcube.explorer.views.look import looks_of
from roofcube.explorer.views.parallel import Parallel
from roofcube.explorer.views.roofs import Roofs
from roofcube.explorer.views.table import Table, with_unit_shown
from roofcube.explorer.views.trade_off import TradeOff
from roofcube.explorer.views.why import emptied_by, reasons
from roofcube.explorer.views.widgets import Bar, Choices, Facets, Why, WithinLatency
from roofcube.inert import inert_label
from roofcube.wording import noun_of, quantity, short, shown_unit, with_thousands

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.explorer.answers import Answer, AtLatency, Grid, Source
    from roofcube.explorer.state import View
    from roofcube.sweep.explanation import Explanation

__all__ = ["Page"]

Array = np.ndarray[Any, np.dtype[Any]]
VIEWS: dict[str, Any] = {"parallel": Parallel, "heatmap": Heatmap}
# limits that are always there to fill in, each the first that the source has
OF_MEASURED = (("measured_latency",), ("measured_top1", "top1"), ("power_full",))
OF_PREDICTED = (("predicted_latency",), ("top1",), ("predicted_energy",))
TAB_WORDS = {"parallel": "Parallel", "heatmap": "Heatmap", "roofline": "Roofline", "latency": "At latency"}


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
        self.axes, self.tabs = Choices(receive), Choices(receive)
        self.heat_axes, self.within = Choices(receive), WithinLatency(receive)
        self.trade_off, self.roof_note = TradeOff(source, receive), Choices(receive)
        self.views: dict[str, Any] = {}
        self.table = Table(source, receive)
        self.figures = [pn.pane.Bokeh(self.trade_off.plot, sizing_mode="stretch_width")]
        self.panes = {
            "parallel": pn.Column(sizing_mode="stretch_width", visible=False),
            "heatmap": pn.Column(self.heat_axes, sizing_mode="stretch_width", visible=False),
            "roofline": pn.Column(self.roof_note, sizing_mode="stretch_width", visible=False),
            "latency": pn.Column(self.within, sizing_mode="stretch_width", visible=False),
        }

    def draw(self, tab: str, *shown: Any) -> Any:
        """Draw the figure of a tab, made when it is first opened: half of a page's models are here."""
        if tab in self.views:
            return self.views[tab].push(*shown)
        made = Roofs(self.source) if tab == "roofline" else VIEWS[tab](self.source, self.receive)
        told = made.push(*shown)
        # what is drawn already is sent as a whole, not change by change
        self.views[tab] = made
        self.figures.append(pn.pane.Bokeh(made.plot, sizing_mode="stretch_width"))
        self.panes[tab].append(self.figures[-1])
        return told

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
            "table": self.table.panel,
        }

    # pushes ---------------------------------------------------------------------------------------------------------

    def push(self, view: View, answer: Answer, selected: Array, history: tuple[bool, bool], count: int) -> None:
        """Show an answer: figures first, then words."""
        self.trade_off.push(view, answer, selected)
        self.trade_off.push_pinned(answer, answer.rows.find(view.pinned)[0])
        self.push_bar(view, answer, history, count, [])
        self.facets.show(self._facets(view, answer))
        self._push_choices(view, answer)
        for name, pane in self.panes.items():
            if pane.visible != (name == view.tab):
                pane.visible = name == view.tab

    def push_tab(self, view: View, answer: Answer, selected: Array) -> None:
        """Show an answer in the open tab, where it needs no question of its own."""
        if view.tab == "parallel":
            self.draw("parallel", view, answer, selected)
        elif view.tab == "roofline":
            note = self.draw("roofline", view, answer)
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
        noun = noun_of(answer.total, "point" if swept or answer.rows.dims == ("point",) else "cell")
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
                    {"words": step.words, "removed": step.removed} for step in answer.steps if _is_told(view, step)
                ],
                "left": answer.left,
                "front": len(answer.front),
                "sampled": answer.sampled,
                "doubtful": answer.doubtful,
                "hidden": view.hide_doubts,
                "selected": count,
                "named": MOST_IDS if len(view.selected) > MOST_IDS else 0,
                "undo": history[0],
                "redo": history[1],
                "warning": "The best is an extrapolation: it lies beyond what was measured." if beyond else "",
                "complaints": [*self.complaints, *self.wrong.values()],
                "last": _last_step(answer),
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
        else:
            title, complaints = self.source.title[:160], self.complaints
            self.bar.show({"title": title, "status": status, "asking": asking, "complaints": complaints})

    def _shown_limits(self, view: View) -> list[str]:
        offered = self.offered.setdefault(view.kind, [])
        if not offered:
            measures = self.source.measures(view.kind)
            for names in OF_MEASURED if view.kind == "measured" else OF_PREDICTED:
                offered += [name for name in names if name in measures][:1]
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

    def _push_choices(self, view: View, answer: Answer) -> None:
        measures = [[name, spaced(name)] for name in self.source.measures(view.kind)]
        self.axes.show(
            {
                "parts": [
                    {"kind": "select", "name": "x", "shown": "across", "options": measures, "value": view.x},
                    {"kind": "select", "name": "y", "shown": "up", "options": measures, "value": view.y},
                    {"kind": "text", "text": _legend(self.source, view.kind, answer)},
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
                    {"kind": "text", "text": f"best {self._in_unit(view.objective)} of each cell; bright is better"},
                ]
            }
        )

    def _in_unit(self, name: str) -> str:
        return with_unit_shown(name, shown_unit(self.source.unit(name))[1])

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
                    **({"colour": looks.colours[text], "symbol": looks.symbols[text]} if name == looks.name else {}),
                }
                for number, (text, shown) in enumerate(zip(category.texts, category.shown, strict=True))
            ]
            is_open = name in dims or name in view.keep or "point" in dims
            facets.append({"kind": "labels", "name": name, "shown": spaced(name), "open": is_open, "labels": labels})
        for name in self.source.ranges(view.kind):
            bars = answer.bars.get(name, np.zeros(0))
            unit = self.source.unit(name)
            # what there is, only shown: short
            least, most = (limit_text(float(f"{end:.6g}"), unit) for end in self.source.extent(view.kind, name))
            low, high = ("" if end is None else limit_text(end, unit) for end in view.limits.get(name, (None, None)))
            ends = {"low": low, "high": high, "least": least, "most": most}
            shown = self._in_unit(name)
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
        self.draw("heatmap", view, grid)

    def push_latency(self, view: View, within: AtLatency | None, baseline: float | None) -> None:
        """Show what is reached within each latency."""
        if within is None:
            self.within.show({"note": "no latency is known, or there are no labels to compare", "rows": []})
            return
        factor, largest = shown_unit(self.source.unit(view.objective))[0], self.source.sense(view.objective) == "max"
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
        note = f"best {self._in_unit(view.objective)} within each latency and the other limits{pinned}"
        columns = [f"≤ {quantity(limit, 's')}" for limit in LATENCIES]
        self.within.show({"note": note, "dim": spaced(within.dim), "columns": columns, "rows": rows})


def _legend(source: Source, kind: str, answer: Answer) -> str:
    looks = looks_of(source, kind)
    colour = f"colour: {spaced(looks.name)}" if looks.name else ""
    marks = f"mark: {spaced(looks.marked_by)}" if looks.markers else ""
    image = "grey: how many there are, marks: the front and a sample" if answer.image is not None else ""
    words = [colour, marks, "hollow: in doubt", "ring: the best", "line: the front", image]
    return " · ".join(filter(None, words))


def _way(source: Source, name: str) -> str:
    return "most" if source.sense(name) == "max" else "least"


def _is_told(view: View, step: Any) -> bool:
    """Check whether a step is told: limits always, what else only where it removed something."""
    return bool(step.removed) or step.name in {**view.limits, **view.keep}


def _last_step(answer: Answer) -> str:
    """Say which condition removed the last points."""
    for step in reversed(answer.steps):
        if step.removed:
            return f"The last {with_thousands(step.removed)} went by: {step.words}. "
    return ""
