"""Parallel coordinates: an axis for each figure, better is up; a brush on an axis is a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import BoxAnnotation, ColumnDataSource, FixedTicker, TapTool

from roofcube.explorer.addresses import MOST_IDS
from roofcube.explorer.categories import spaced
from roofcube.explorer.rows import ENDS
from roofcube.explorer.views.look import (
    ACCENT,
    INK,
    MUTED,
    axis_of,
    looks_of,
    plain_figure,
    set_range,
    value_text,
)
from roofcube.explorer.views.trade_off import marks_of
from roofcube.plot.drawing.style import hover

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.explorer.answers import Answer, Source
    from roofcube.explorer.state import View

__all__ = ["Parallel"]

Array = np.ndarray[Any, np.dtype[Any]]
AXES = 7
WIDTH = 92  # pixels that an axis needs
USUAL = ("throughput", "latency", "energy", "top1", "power_full", "energy_per_input", "efficiency")
MOST_LINES = 1_500
FULL = 0.004  # of an axis, within which a brush allows everything


class Parallel:
    """The figure of a session."""

    def __init__(self, source: Source, receive: Callable[[dict[str, Any]], None]) -> None:
        self.source = source
        self.receive = receive
        self.placed = [
            {"bottom": 0.0, "top": 1.0}
        ] * AXES  # where the brushes were put, and what was marked as selected: what comes
        self.marked: list[int] = []  # back as it was sent is nothing that a reader did
        self.kind = ""
        self.axes: list[Any] = []
        self.rows: Any = None
        self.drawn = np.zeros(0, dtype=np.int64)
        self.lines = ColumnDataSource(
            {"xs": [], "ys": [], "colour": [], "alpha": [], "name": []}, name="explorer.parallel"
        )
        self.front = ColumnDataSource({"xs": [], "ys": []}, name="explorer.parallel_front")
        self.ends = ColumnDataSource({"x": [], "y": [], "text": []}, name="explorer.parallel_ends")
        self.plot = plain_figure("explorer.parallel_plot", height=340)
        self._draw()
        self.brushes = [self._brush(number) for number in range(AXES)]

    def _draw(self) -> None:
        plot = self.plot
        plot.grid.visible = False
        plot.yaxis.visible = False
        same = {"line_color": "colour", "line_alpha": "alpha"}
        drawn = plot.multi_line(
            "xs",
            "ys",
            source=self.lines,
            **same,
            nonselection_line_color="colour",
            nonselection_line_alpha="alpha",
            selection_line_color=INK,
            selection_line_alpha=1.0,
            selection_line_width=3,
        )
        plot.multi_line("xs", "ys", source=self.front, line_color=MUTED, line_width=2, line_alpha=0.9)
        plot.text(
            "x",
            "y",
            "text",
            source=self.ends,
            text_font_size="12px",
            text_color=MUTED,
            text_align="center",
            text_baseline="middle",
        )
        self.picked = drawn.selection_glyph
        hover(plot, [drawn], [], heading="@name")
        tap = TapTool(renderers=[drawn])
        plot.add_tools(tap)
        plot.toolbar.active_tap = tap
        self.lines.selected.on_change("indices", self._picked)
        set_range(plot.y_range, -0.16, 1.16)

    def _brush(self, number: int) -> BoxAnnotation:
        brush = BoxAnnotation(
            left=number - 0.07,
            right=number + 0.07,
            bottom=0.0,
            top=1.0,
            editable=True,
            resizable="y",
            movable="y",
            fill_color=ACCENT,
            fill_alpha=0.12,
            line_color=ACCENT,
            visible=False,
            name=f"explorer.brush_{number}",
        )
        self.plot.add_layout(brush)
        for end in ("bottom", "top"):
            brush.on_change(end, lambda attr, old, new: self._brushed(number, attr, new))  # noqa: ARG005
        return brush

    # from the page --------------------------------------------------------------------------------------------------

    def _picked(self, attr: str, old: Any, new: list[int]) -> None:  # noqa: ARG002
        if self.rows is not None and new != self.marked:
            rows = self.drawn[np.array(new, dtype=np.int64)]
            self.receive({"do": "select", "ids": self.rows.ids(rows)})

    def _brushed(self, number: int, end: str, place: float) -> None:
        if number >= len(self.axes) or place == self.placed[number][end]:
            return
        brush, axis = self.brushes[number], self.axes[number]
        ends = float(brush.bottom), float(brush.top)
        values = [self._value(axis, end) if FULL < end < 1 - FULL else None for end in ends]
        low, high = values if axis.sense == "max" else values[::-1]
        self.receive({"do": "span", "name": axis.name, "low": low, "high": high})

    # to the page ----------------------------------------------------------------------------------------------------

    def _share(self, axis: Any, values: Array) -> Array:
        """Return where values are on an axis, 0 the worst and 1 the best."""
        low, high = (float(end) for end in axis.places([axis.low, axis.high]))
        share = (axis.places(values) - low) / ((high - low) or 1.0)
        return np.asarray(share if axis.sense == "max" else 1.0 - share)

    def _value(self, axis: Any, share: float) -> float:
        low, high = (float(end) for end in axis.places([axis.low, axis.high]))
        up = share if axis.sense == "max" else 1.0 - share
        return float(f"{axis.value(low + up * (high - low)):.4g}")

    def push(self, view: View, answer: Answer, selected: Array) -> None:
        """Show an answer."""
        self._axes(view)
        self._push_lines(answer, selected)
        for number, (brush, axis) in enumerate(zip(self.brushes, self.axes, strict=False)):
            low, high = view.limits.get(axis.name, (None, None))
            worst, best = (low, high) if axis.sense == "max" else (high, low)
            bottom = 0.0 if worst is None else float(np.clip(self._share(axis, np.array([worst]))[0], 0, 1))
            top = 1.0 if best is None else float(np.clip(self._share(axis, np.array([best]))[0], 0, 1))
            self.placed[number] = {"bottom": bottom, "top": top}
            if (bottom, top) != (brush.bottom, brush.top):
                brush.update(bottom=bottom, top=top)

    def _axes(self, view: View) -> None:
        if self.kind == view.kind:
            return
        self.kind, self.rows = view.kind, None
        names = _axes_of(view, self.source.measures(view.kind))
        self.axes = [axis_of(self.source, view.kind, name) for name in names]
        self.looks = looks_of(self.source, view.kind)
        places = list(range(len(names)))
        self.plot.xaxis.ticker = FixedTicker(ticks=places)
        self.plot.xaxis.major_label_overrides = {
            place: _two_lines(spaced(name)) for place, name in zip(places, names, strict=True)
        }
        set_range(self.plot.x_range, -0.5, len(names) - 0.5)
        self.plot.min_width = WIDTH * len(names)  # less would write names and ends over one another: a phone scrolls
        for number, brush in enumerate(self.brushes):
            half = 0.01 * len(names)
            brush.update(visible=number < len(names), left=number - half, right=number + half)
        texts, heights = [], []
        for axis in self.axes:
            worst, best = (axis.low, axis.high) if axis.sense == "max" else (axis.high, axis.low)
            texts += [value_text(end, self.source.unit(axis.name)) for end in (worst, best)]
            heights += [-0.09, 1.09]
        self.ends.data = {
            "x": np.repeat(places, 2),
            "y": heights,
            "text": texts,
        }

    def _push_lines(self, answer: Answer, selected: Array) -> None:
        rows, drawn = answer.rows, answer.drawn
        if drawn.size > MOST_LINES:
            step = -(-drawn.size // MOST_LINES)
            drawn = np.unique(np.concatenate([drawn[::step], answer.front, selected]).astype(np.int64))
        alpha = np.where(answer.inside[drawn], 0.5, 0.025)
        if rows is self.rows and np.array_equal(drawn, self.drawn):
            self.lines.patch({"alpha": [(slice(None), alpha)]})
        else:
            self.rows, self.drawn = rows, drawn
            self._mark([])
            self.lines.data = {
                **self._curves(rows, drawn),
                "colour": marks_of(rows, drawn, self.looks)["colour"],
                "alpha": alpha,
                "name": rows.names(drawn),
            }
        self.front.data = self._curves(rows, answer.front[:200])
        self._mark(np.flatnonzero(np.isin(drawn, selected)).tolist() if len(selected) else [])

    def _mark(self, indices: list[int]) -> None:
        self.marked = indices
        many = len(indices) > MOST_IDS  # which would be a black slab
        self.picked.update(
            line_width=1 if many else 3, line_alpha=max(0.05, 2 * MOST_IDS / len(indices)) if many else 1.0
        )
        if indices != list(self.lines.selected.indices):
            self.lines.selected.indices = indices

    def _curves(self, rows: Any, drawn: Array) -> dict[str, Any]:
        heights = np.array([self._share(axis, rows.column(axis.name)[drawn]) for axis in self.axes]).T
        places = list(range(len(self.axes)))
        return {"xs": [places] * len(drawn), "ys": [line.astype("f4") for line in heights]}


def _axes_of(view: View, measures: list[str]) -> list[str]:
    """Choose what has an axis: what is wanted and shown, what decisions are about, then the others."""
    about = view.kind if view.kind == "measured" else "predicted"
    usual = [next((name for name in (f"{about}_{word}", word) if name in measures), "") for word in USUAL]
    names = dict.fromkeys([view.objective, view.x, view.y, *filter(None, usual), *measures])
    return [name for name in names if not name.endswith(ENDS)][:AXES]


def _two_lines(text: str) -> str:
    """Break a long name in the middle."""
    words = text.split()
    if len(text) < 14 or len(words) < 2:
        return text
    cuts = range(1, len(words))
    cut = min(cuts, key=lambda place: abs(len(" ".join(words[:place])) - len(text) / 2))
    return f"{' '.join(words[:cut])}\n{' '.join(words[cut:])}"
