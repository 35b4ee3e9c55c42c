"""The heatmap: the best objective for each pair of labels; marks where they are few, an image where they are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.events import Tap
from bokeh.models import ColorBar, ColumnDataSource, FixedTicker, HoverTool, LinearColorMapper, TapTool
from bokeh.palettes import Cividis256

from roofcube.explorer.answers import MOST_CELLS
from roofcube.explorer.categories import spaced
from roofcube.explorer.views.look import INK, MUTED, axis_of, plain_figure, set_range, value_text
from roofcube.explorer.views.table import with_unit_shown
from roofcube.inert import inert_labels
from roofcube.plot.drawing.style import TOOLTIP_STYLE, hover
from roofcube.wording import distinct_texts, short, shown_unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.explorer.answers import Grid, Source
    from roofcube.explorer.state import View

__all__ = ["Heatmap"]

Array = np.ndarray[Any, np.dtype[Any]]
MOST_TEXTS = 160  # cells with their value written in
MOST_TICKS = 24
LONGEST = 22  # of a label on an axis
LETTER = 7.0  # pixels of a letter
USUAL_WIDTH = 560  # pixels inside the axes, before a browser has said how many there are
CELLS: dict[str, list[Any]] = {
    "column": [],
    "row": [],
    "colour": [],
    "ink": [],
    "text": [],
    "name": [],
    "tell": [],
    "hatch": [],
}
NO_IMAGE = {"image": [np.zeros((2, 2))], "shown": [np.zeros((2, 2))], "unit": [""], "w": [0.0], "h": [0.0]}


class Heatmap:
    """The figure of a session."""

    def __init__(self, source: Source, receive: Callable[[dict[str, Any]], None]) -> None:
        self.source = source
        self.receive = receive
        self.grid: Grid | None = None
        self.cells = ColumnDataSource({name: list(values) for name, values in CELLS.items()}, name="explorer.cells")
        self.image = ColumnDataSource({**NO_IMAGE, "x": [-0.5], "y": [-0.5]}, name="explorer.image")
        self.mapper = LinearColorMapper(palette=Cividis256, low=0, high=1, nan_color="rgba(0,0,0,0)")
        self.texts: list[str] = []
        self.width = USUAL_WIDTH
        self.plot = plain_figure("explorer.heatmap", height=380, tools="reset,save")
        self._draw()
        self.plot.on_change("inner_width", lambda attr, old, new: self._fit(new))  # noqa: ARG005  Bokeh's signature

    def _draw(self) -> None:
        plot = self.plot
        plot.grid.visible = False
        plot.image(
            "image", x="x", y="y", dw="w", dh="h", source=self.image, color_mapper=self.mapper, name="explorer.map"
        )
        look = {
            "fill_color": "colour",
            "line_color": None,
            "hatch_pattern": "hatch",
            "hatch_color": MUTED,
            "hatch_alpha": 0.6,
            "hatch_scale": 8,
        }
        drawn = plot.rect("column", "row", 0.96, 0.94, source=self.cells, **look)
        plot.text(
            "column",
            "row",
            "text",
            source=self.cells,
            text_align="center",
            text_baseline="middle",
            text_font_size="12px",
            text_color="ink",
        )
        hover(plot, [drawn], ["@tell"], heading="@name")
        heading = f'<div style="{TOOLTIP_STYLE}"><b>@shown{{%.4g}} @unit</b></div>'
        plot.add_tools(
            HoverTool(renderers=[plot.renderers[0]], tooltips=heading, formatters={"@shown": "printf"}, visible=False)
        )
        plot.add_tools(TapTool(renderers=[]))
        plot.on_event(Tap, self._tapped)
        self.bar = ColorBar(
            color_mapper=self.mapper,
            width=10,
            label_standoff=6,
            major_label_text_color=INK,
            major_label_text_font_size="12px",
            background_fill_color=None,
            ticker=FixedTicker(ticks=[0, 1]),
        )
        plot.add_layout(self.bar, "right")

    def _tapped(self, event: Any) -> None:
        """Select the configuration that a cell shows."""
        if self.grid is None or event.x is None:
            return
        row, column = round(event.y), round(event.x)
        if 0 <= row < len(self.grid.rows) and 0 <= column < len(self.grid.columns):
            name = self.grid.id_at(row, column)
            if name:
                self.receive({"do": "select", "ids": [name]})

    def push(self, view: View, grid: Grid) -> None:
        """Show another grid."""
        axis = axis_of(self.source, view.kind, view.objective)
        places = axis.places(grid.values)
        finite = places[np.isfinite(places)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        high = high if high > low else low + (abs(low) or 1.0) * 1e-6
        bright_best = axis.sense == "max"
        palette = list(Cividis256) if bright_best else list(Cividis256)[::-1]
        if self.mapper.palette != palette:
            self.mapper.palette = palette
        self.mapper.update(low=low, high=high)
        ticks = np.linspace(low, high, 5).tolist()
        self.bar.ticker.ticks = ticks
        self.bar.major_label_overrides = {tick: _tick_text(axis, tick) for tick in ticks}
        wide, high_ = len(grid.columns), len(grid.rows)
        if (wide, high_) != self._shape:
            set_range(self.plot.x_range, -0.5, wide - 0.5)
            set_range(self.plot.y_range, high_ - 0.5, -0.5)
        self._label_axis(self.plot.xaxis[0], view.columns, grid.columns)
        self._label_axis(self.plot.yaxis[0], view.rows, grid.rows)
        self.grid = grid
        if grid.values.size > MOST_CELLS:
            self.cells.data, self.texts = {name: list(values) for name, values in CELLS.items()}, []
            factor, unit = shown_unit(self.source.unit(view.objective))
            told = {"shown": [grid.values * factor], "unit": [unit]}
            self.image.data = {"image": [places], **told, "x": [-0.5], "y": [-0.5], "w": [wide], "h": [high_]}
        else:
            self.image.data = {**NO_IMAGE, "x": [-0.5], "y": [-0.5]}
            self.cells.data = self._marks(view, grid, (places - low) / (high - low), palette)
            self.texts = self.cells.data["text"]
        self._fit()

    def _label_axis(self, drawn: Any, name: str, labels: list[str]) -> None:
        """Write the labels at their places, numbers in the unit that the name tells; of many only some."""
        factor, unit = shown_unit(self.source.unit(name))
        step = max(1, -(-len(labels) // MOST_TICKS))
        texts = dict(list(enumerate(_brief(labels, factor)))[::step])
        drawn.axis_label = with_unit_shown(name, unit)
        if drawn.major_label_overrides != texts:
            drawn.ticker = FixedTicker(ticks=list(texts))
            drawn.major_label_overrides = texts
            drawn.major_tick_line_color = None

    def _fit(self, width: int | None = None) -> None:
        """Turn labels, and leave out the values in cells, where the figure is too narrow for them."""
        self.width = width or self.width
        across = self.plot.xaxis[0]
        letters = sum(len(one) + 2 for one in across.major_label_overrides.values())
        across.major_label_orientation = 0.7 if LETTER * letters > self.width else "horizontal"
        room = self.width / max(self._shape[0], 1)
        fits = LETTER * max(map(len, self.texts), default=0) <= room
        texts = self.texts if fits else [""] * len(self.texts)
        if len(texts) == len(self.cells.data["text"]) and texts != list(self.cells.data["text"]):
            self.cells.data = {**self.cells.data, "text": texts}

    @property
    def _shape(self) -> tuple[int, int]:
        return (0, 0) if self.grid is None else (len(self.grid.columns), len(self.grid.rows))

    def _marks(self, view: View, grid: Grid, share: Array, palette: list[str]) -> dict[str, Any]:
        row, column = (index.ravel() for index in np.indices(grid.values.shape))
        unit, values = self.source.unit(view.objective), grid.values.ravel()
        known = np.isfinite(values)
        steps = np.clip(np.rint(np.nan_to_num(share.ravel()) * 255), 0, 255).astype(int)
        colours = [palette[step] if valid else "rgba(0,0,0,0)" for step, valid in zip(steps, known, strict=True)]
        texts = [value_text(value, unit) if valid else "" for value, valid in zip(values, known, strict=True)]
        few = values.size <= MOST_TEXTS and len(grid.columns) <= 12
        factor = shown_unit(unit)[0]  # as on the scale, whatever prefix a value alone would have
        labels = [f"{grid.rows[r]} · {grid.columns[c]}" for r, c in zip(row, column, strict=True)]
        return {
            "column": column,
            "row": row,
            "colour": colours,
            "ink": [_ink(colour) for colour in colours],
            "text": [
                short(value * factor) if few and valid else "" for value, valid in zip(values, known, strict=True)
            ],
            "name": [name or label for name, label in zip(grid.names.ravel().tolist(), labels, strict=True)],
            "tell": [f"{spaced(view.objective)}: {text}" if text else "nothing within the limits" for text in texts],
            "hatch": [" " if valid else "." for valid in known],
        }


def _tick_text(axis: Any, place: float) -> str:
    return short(10.0**place if axis.logarithmic else place)


def _ink(colour: str) -> str:
    """Write black on light cells and white on dark ones."""
    if not colour.startswith("#"):
        return MUTED
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else "#fffffe"


def _brief(labels: list[str], factor: float) -> list[str]:
    """Write labels of an axis: numbers with few digits, texts no longer than there is room."""
    try:
        numbers = [int(label) if label.lstrip("-").isdigit() else float(label) for label in labels]
        return distinct_texts(numbers if factor == 1.0 else [number * factor for number in numbers])
    except ValueError:
        return inert_labels(labels, LONGEST)
