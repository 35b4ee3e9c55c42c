"""The trade-off: a mark for each row, the front as a staircase, limits as lines to drag; sources are patched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, LassoSelectTool, LinearColorMapper, Span, TapTool

from roofcube.explorer.addresses import MOST_IDS
from roofcube.explorer.categories import spaced
from roofcube.explorer.stored import StoredSource
from roofcube.explorer.views.look import (
    ACCENT,
    INK,
    MUTED,
    RED,
    Axis,
    Looks,
    axis_of,
    looks_of,
    plain_figure,
    set_range,
    value_text,
)
from roofcube.inert import inert_label
from roofcube.plot.drawing.style import hover

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.explorer.answers import Answer, Source
    from roofcube.explorer.rows import Rows
    from roofcube.explorer.state import View

__all__ = ["TradeOff", "marks_of"]

Array = np.ndarray[Any, np.dtype[Any]]
INSIDE, OUTSIDE = 0.85, 0.07  # opacity of what meets the limits, and of what does not
MOST_NAMES = 12  # of the front that are written beside it
MOST_LETTERS = 24  # of each of them
WIDE, HIGH = 0.2, 0.06  # shares of the figure that a name takes
GREYS = [f"rgba(90, 105, 120, {0.08 + 0.6 * step / 63:.3f})" for step in range(64)]
EMPTY: dict[str, Any] = {"x": [], "y": []}


def marks_of(rows: Rows, drawn: Array, looks: Looks) -> dict[str, list[Any]]:
    """Return colour and marker of rows; what extrapolates is red."""
    texts = shown = [""] * len(drawn)
    if looks.name:
        category, codes = rows.categories.get(looks.name), None
        if category is not None:
            codes = rows.codes(looks.name)[drawn].tolist()
            texts = [category.texts[code] if code >= 0 else "" for code in codes]
            shown = [category.shown[code] if code >= 0 else "" for code in codes]
        elif looks.name in rows.cube.coords:
            texts = shown = [str(label) for label in rows.values(looks.name, drawn).tolist()]
    colours = [looks.colours.get(text, looks.plain) for text in texts]
    beyond = rows.extrapolates[drawn]
    return {
        "colour": [RED if red else colour for colour, red in zip(colours, beyond.tolist(), strict=True)],
        "marker": [looks.markers.get(text, "circle") for text in texts],
        "label": texts,
        "text": shown,
    }


class TradeOff:
    """The figure of a session.

    Parameters
    ----------
    source : Source
    receive : callable
        Takes what a reader does here, as a message.
    """

    def __init__(self, source: Source, receive: Callable[[dict[str, Any]], None]) -> None:
        self.source = source
        self.receive = receive
        self.placed = [0.0, 0.0]  # where the lines of the limits were put, and what was marked as selected:
        self.marked: list[int] = []  # what comes back as it was sent is nothing that a reader did
        self.rows: Any = None
        self._kind = ""
        self.drawn = np.zeros(0, dtype=np.int64)
        self.axes: tuple[Axis, Axis] | None = None
        self.points = ColumnDataSource({name: [] for name in COLUMNS}, name="explorer.points")
        self.front = ColumnDataSource(dict(EMPTY), name="explorer.front")
        self.names = ColumnDataSource({**EMPTY, "name": [], "align": [], "shift": []}, name="explorer.front_names")
        self.best = ColumnDataSource(dict(EMPTY), name="explorer.best")
        self.pinned = ColumnDataSource(dict(EMPTY), name="explorer.pinned")
        self.bands = ColumnDataSource({"x0": [], "x1": [], "y": [], "colour": []}, name="explorer.bands")
        self.image = ColumnDataSource(
            {"image": [np.zeros((2, 2))], "x": [0], "y": [0], "w": [1], "h": [1]}, name="explorer.density"
        )
        self.plot = plain_figure("explorer.trade_off", height=430, tools="pan,wheel_zoom,reset,save")
        self._draw()
        self.lines = [self._line("height"), self._line("width")]

    def _draw(self) -> None:
        plot = self.plot
        self.mapper = LinearColorMapper(palette=GREYS, low=1e-6, high=1, low_color="rgba(0,0,0,0)")
        plot.image("image", x="x", y="y", dw="w", dh="h", source=self.image, color_mapper=self.mapper)
        plot.segment(
            "x0",
            "y",
            "x1",
            "y",
            source=self.bands,
            line_color="colour",
            line_width=5,
            line_alpha=0.35,
            line_cap="round",
        )
        plot.line("x", "y", source=self.front, line_color=MUTED, line_width=1.5)
        same = {"fill_alpha": "fill", "line_alpha": "line", "fill_color": "colour", "line_color": "colour"}
        marks = plot.scatter(
            "x",
            "y",
            source=self.points,
            marker="marker",
            size="size",
            line_width=1.6,
            **same,
            **{f"nonselection_{name}": value for name, value in same.items()},
            **{f"selection_{name}": value for name, value in same.items() if name != "line_color"},
            selection_line_color=INK,
            selection_line_width=3,
        )
        plot.scatter(
            "x", "y", source=self.best, marker="circle", size=20, fill_color=None, line_color=INK, line_width=2
        )
        plot.scatter(
            "x", "y", source=self.pinned, marker="square", size=19, fill_color=None, line_color=ACCENT, line_width=2
        )
        plot.text(
            "x",
            "y",
            "name",
            source=self.names,
            text_font_size="12px",
            text_color=INK,
            x_offset="shift",
            y_offset=-6,
            text_align="align",
            text_baseline="bottom",
        )
        self.picked = marks.selection_glyph
        hover(plot, [marks], ["@tell_x", "@tell_y", "@doubt"], heading="@name")
        tap, box = TapTool(renderers=[marks]), BoxSelectTool(renderers=[marks])
        self.lasso = LassoSelectTool(renderers=[marks])
        plot.add_tools(tap, box, self.lasso)
        plot.toolbar.active_drag, plot.toolbar.active_tap = box, tap
        plot.on_event(SelectionGeometry, self._boxed)
        self.points.selected.on_change("indices", self._picked)

    def _line(self, dimension: str) -> Span:
        line = Span(
            dimension=dimension,
            location=0,
            editable=True,
            line_color=ACCENT,
            hover_line_color=RED,
            line_dash="dashed",
            line_width=3,
            name=f"explorer.limit_{'x' if dimension == 'height' else 'y'}",
        )
        self.plot.add_layout(line)
        place = 0 if dimension == "height" else 1
        line.on_change("location", lambda attr, old, new: self._dragged(place, new))  # noqa: ARG005  Bokeh's signature
        return line

    # from the page --------------------------------------------------------------------------------------------------

    def _picked(self, attr: str, old: Any, new: list[int]) -> None:  # noqa: ARG002
        # of many the shape around them follows
        if self.rows is not None and new != self.marked and len(new) <= MOST_IDS:
            self._select(new)

    def _select(self, marks: list[int]) -> None:
        self.receive({"do": "select", "ids": self.rows.ids(self.drawn[np.array(marks, dtype=np.int64)])})

    def _boxed(self, event: Any) -> None:
        """Select by the box itself where not every row is a mark, and of marks too many to name in an address."""
        marks = list(self.points.selected.indices)
        if not event.final or self.axes is None or not (self._is_image or len(marks) > MOST_IDS):
            return
        if event.geometry.get("type") != "rect" or not isinstance(self.source, StoredSource):
            if marks != self.marked:
                self._select(marks)
            return
        box = {}
        for axis, low, high in zip(self.axes, ("x0", "y0"), ("x1", "y1"), strict=True):
            ends = sorted(axis.value(float(event.geometry[end])) for end in (low, high))
            box[axis.name] = (ends[0], ends[1])
        self.receive({"do": "box", "box": box})

    def _dragged(self, place: int, location: float) -> None:
        if self.axes is None or location == self.placed[place]:
            return
        axis = self.axes[place]
        end, value = ("low" if axis.sense == "max" else "high"), axis.value(location)
        free = value <= axis.low if axis.sense == "max" else value >= axis.high
        self.receive({"do": "drag", "name": axis.name, "end": end, "value": None if free else float(f"{value:.4g}")})

    # to the page ----------------------------------------------------------------------------------------------------

    def push(self, view: View, answer: Answer, selected: Array) -> None:
        """Show an answer."""
        self._axes(view)
        self._push_marks(answer)
        self._push_front(answer)
        self._push_image(answer)
        self._push_lines(view)
        self._push_selection(selected)

    def _axes(self, view: View) -> None:
        wanted = (view.kind, view.x, view.y)
        if self.axes is not None and (self._kind, self.axes[0].name, self.axes[1].name) == wanted:
            return
        self._kind, self.looks = view.kind, looks_of(self.source, view.kind)
        self.axes = (axis_of(self.source, view.kind, view.x), axis_of(self.source, view.kind, view.y))
        for axis, drawn, given in zip(
            self.axes, (self.plot.xaxis[0], self.plot.yaxis[0]), (self.plot.x_range, self.plot.y_range), strict=True
        ):
            axis.dress(drawn)
            set_range(given, *axis.ends)
        self.rows = None

    def _at(self, answer: Answer, rows: Array) -> dict[str, Array]:
        assert self.axes is not None
        return {
            key: axis.places(answer.rows.column(axis.name)[rows])
            for key, axis in zip(("x", "y"), self.axes, strict=True)
        }

    def _push_marks(self, answer: Answer) -> None:
        rows, drawn = answer.rows, answer.drawn
        inside, doubtful = answer.inside[drawn], rows.doubtful[drawn]
        line = np.where(inside, INSIDE, OUTSIDE)
        fill = np.where(doubtful, 0.0, line)
        if rows is self.rows and np.array_equal(drawn, self.drawn):
            self.points.patch({"line": [(slice(None), line)], "fill": [(slice(None), fill)]})
            return
        self.rows, self.drawn = rows, drawn
        assert self.axes is not None
        marks = marks_of(rows, drawn, self.looks)
        texts = {
            f"tell_{key}": _tooltip_lines(axis.name, self.source.unit(axis.name), rows.column(axis.name)[drawn])
            for key, axis in zip(("x", "y"), self.axes, strict=True)
        }
        doubts = [f"flags: {text}" if text else "" for text in rows.doubts(drawn)]
        self._mark([])
        self.points.data = {
            **self._at(answer, drawn),
            **texts,
            "name": rows.names(drawn),
            "doubt": doubts,
            "colour": marks["colour"],
            "marker": marks["marker"],
            "size": np.where(np.isin(marks["marker"], ["diamond"]), 12, 8.5),
            "line": line,
            "fill": fill,
        }

    def _push_front(self, answer: Answer) -> None:
        places = self._at(answer, answer.front)
        self.front.data = _steps(places["x"], places["y"], self.axes[0].sense if self.axes else "max")
        self.names.data = self._names(answer, places)
        self.best.data = self._at(answer, np.array([answer.best] if answer.best >= 0 else [], dtype=np.int64))
        self.bands.data = self._bands(answer)

    def _names(self, answer: Answer, places: dict[str, Array]) -> dict[str, Any]:
        """Name each run of equal labels of the front where it begins, and no two names over one another."""
        assert self.axes is not None
        shares = [
            (places[key] - axis.ends[0]) / (axis.ends[1] - axis.ends[0])
            for key, axis in zip(("x", "y"), self.axes, strict=True)
        ]
        texts = marks_of(answer.rows, answer.front, self.looks)["text"]
        named: list[int] = []
        for number in range(len(texts)):
            repeated = number and texts[number] == texts[number - 1]
            near = any(
                abs(shares[0][number] - shares[0][other]) < WIDE and abs(shares[1][number] - shares[1][other]) < HIGH
                for other in named
            )
            if texts[number] and not repeated and not near and len(named) < MOST_NAMES:
                named.append(number)
        late = shares[0][named] > 1 - WIDE if named else np.zeros(0, dtype=bool)
        return {
            "x": places["x"][named],
            "y": places["y"][named],
            "name": [inert_label(texts[number], MOST_LETTERS) for number in named],
            "align": np.where(late, "right", "left").tolist(),
            "shift": np.where(late, -7.0, 7.0),
        }

    def _bands(self, answer: Answer) -> dict[str, Any]:
        """Return the intervals along x of the front and the best."""
        assert self.axes is not None
        axis, rows = self.axes[0], answer.rows
        ends = f"{axis.name}_low", f"{axis.name}_high"
        if not all(end in rows.cube for end in ends):
            return {"x0": [], "x1": [], "y": [], "colour": []}
        shown = np.unique(np.append(answer.front, answer.best if answer.best >= 0 else []).astype(np.int64))
        low, high = (axis.places(rows.column(end)[shown]) for end in ends)
        colours = marks_of(rows, shown, self.looks)["colour"]
        return {"x0": low, "x1": high, "y": self._at(answer, shown)["y"], "colour": colours}

    @property
    def _is_image(self) -> bool:
        return bool(np.size(self.image.data["image"][0]) > 4)

    def _push_image(self, answer: Answer) -> None:
        self.lasso.visible = answer.image is None
        if answer.image is None:
            if self._is_image:
                self.image.data = {"image": [np.zeros((2, 2))], "x": [0], "y": [0], "w": [1], "h": [1]}
            return
        counts, y_edges, x_edges = answer.image
        assert self.axes is not None
        (x, right), (y, top) = (
            axis.places([edges[0], edges[-1]]) for axis, edges in zip(self.axes, (x_edges, y_edges), strict=True)
        )
        shades = np.log1p(counts).astype("f4")
        self.mapper.update(low=1e-6, high=float(shades.max()) or 1.0)
        self.image.data = {"image": [shades], "x": [x], "y": [y], "w": [right - x], "h": [top - y]}

    def _push_lines(self, view: View) -> None:
        assert self.axes is not None
        for number, (axis, line) in enumerate(zip(self.axes, self.lines, strict=True)):
            low, high = view.limits.get(axis.name, (None, None))
            limit = low if axis.sense == "max" else high
            place = axis.parked if limit is None else float(axis.places([limit])[0])
            start, end = axis.ends
            place = min(max(place, start), end) if np.isfinite(place) else axis.parked
            self.placed[number] = place
            if place != line.location:
                line.location = place
            line.line_alpha = 0.35 if limit is None else 1.0

    def _push_selection(self, selected: Array) -> None:
        """Mark what is selected, where it is not marked already."""
        self._mark(np.flatnonzero(np.isin(self.drawn, selected)).tolist() if len(selected) else [])

    def _mark(self, indices: list[int]) -> None:
        self.marked = indices
        self.picked.line_width = 3 if len(indices) <= MOST_IDS else 1
        if indices != list(self.points.selected.indices):
            self.points.selected.indices = indices

    def push_pinned(self, answer: Answer, rows: Array) -> None:
        """Ring what is pinned."""
        self.pinned.data = self._at(answer, rows)


COLUMNS = ("x", "y", "tell_x", "tell_y", "name", "doubt", "colour", "marker", "size", "line", "fill")


def _tooltip_lines(name: str, unit: str, values: Array) -> list[str]:
    return [f"{spaced(name)}: {value_text(value, unit)}" for value in values.tolist()]


def _steps(x: Array, y: Array, sense: str) -> dict[str, Any]:
    """Join a front by steps: with more x better, what is reached at the right of a step holds all along it."""
    if not len(x):
        return dict(EMPTY)
    across, up = np.repeat(x, 2), np.repeat(y, 2)
    return {"x": across[:-1], "y": up[1:]} if sense == "max" else {"x": across[1:], "y": up[:-1]}
