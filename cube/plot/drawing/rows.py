"""Figures with a row per configuration: rows on numeric places, grouped by platform; no cube arithmetic.

Nested factors of Bokeh would group rows by themselves, but no HoloViews element with bars of several widths takes them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import MARGIN, NOTEBOOK, Axis, in_notebook, plane, rectangles
from roofcube.vocabulary import CONFIGURATION
from roofcube.wording import with_thousands

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import xarray as xr

__all__ = [
    "Rows",
    "bars",
    "by_configuration",
    "few_rows",
    "fields",
    "hollow",
    "linear_axis",
    "log_axis",
    "numbers",
    "row_pairs",
    "row_plane",
    "swatches",
]

FIELDS = (*tables.TOGGLED, "configuration", "row", "group", "place", "y")
ROW = 20  # pixels a row takes
GAP = 0.7  # rows between two groups
LABEL = 11  # pixels that a label of a row takes at least
TALLEST, AROUND = 5200, 150  # pixels of a figure, and of what surrounds its rows
NARROWEST = 100.0  # pixels of bars beside the longest labels
FEWEST = 3  # rows whose room a single one has: lines of notes and a key may take that of one
BEYOND, MOST_BEYOND = 12, 0.7  # pixels between a bar and the end of its text besides the letters; of an axis at most
MOST_ROWS = 360  # lower ones would be thinner than the numbers at their ends


def by_configuration(cube: xr.Dataset, table: tables.Columns, order: tables.Array) -> tuple[tables.Columns, Rows, str]:
    """Sort rows by platform, then by `order`; add their texts and where they lie.

    Returns
    -------
    columns : dict
    Rows
    str
        Which rows were left out; empty where none were.
    """
    kept, few = few_rows(table["platform"], order)
    table, order = tables.taken(table, kept), order[kept]
    own = tables.own_dims(cube, table)
    single = ["platform", *(dim for dim in ("topology", "pruning") if not tables.several(table, dim))]
    table = tables.ranked(cube, table, order)
    labels = tables.labels_of(cube, table, [dim for dim in (*CONFIGURATION, *own) if dim not in single])
    pairs = row_pairs(table, labels)
    rows = Rows(pairs)
    return {**tables.told(cube, table), **rows.columns(pairs)}, rows, few


def few_rows(groups: Sequence[Any] | tables.Array, order: tables.Array) -> tuple[tables.Array, str]:
    """Choose the rows of a figure that cannot hold them all: of each group those that come first, in turn."""
    count = len(order)
    if count <= MOST_ROWS:
        return np.arange(count), ""
    table = pl.DataFrame({"group": list(map(str, groups)), "order": order})
    rank = table.select(pl.col("order").rank("ordinal").over("group")).to_series()
    kept = np.sort(np.lexsort((order, rank.to_numpy()))[:MOST_ROWS])
    whose = "those that head the rows of each platform" if table["group"].n_unique() > 1 else "those that head the rows"
    return kept, f"{MOST_ROWS} of {with_thousands(count)} rows, {whose}"


def row_pairs(table: tables.Columns, labels: Sequence[str] | tables.Array) -> list[tuple[str, str]]:
    """Return the platform and the label of each row."""
    return [(str(platform), label or " ") for platform, label in zip(table["platform"], labels, strict=True)]


def fields(table: tables.Columns, *more: str) -> dict[str, Any]:
    """Take the columns that buttons ask for, where each row lies, and more."""
    return tables.only(table, *FIELDS, *more)


class Rows:
    """Where rows lie: the first at 0, downwards, with a gap between two groups."""

    def __init__(self, rows: Sequence[tuple[str, str]], *, gap: float = GAP) -> None:
        self.places: dict[tuple[str, str], float] = {}
        at, last = 0.0, None
        for group, label in dict.fromkeys(rows):
            at += gap if last not in (None, group) else 0.0
            self.places[group, label] = at
            at, last = at + 1.0, group
        self.length = at

    def columns(self, rows: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """Lay out where each row of a table lies, and what stands before it."""
        places = np.array([self.places[row] for row in rows], dtype="f8")
        labels = [row[1] for row in rows]
        return {"row": labels, "group": [row[0] for row in rows], "place": places, "y": -places}

    @property
    def middles(self) -> dict[str, float]:
        """Where the middle of each group lies that has a name."""
        groups: dict[str, list[float]] = {}
        for (group, _), place in self.places.items():
            groups.setdefault(group, []).append(place)
        return {group: sum(places) / len(places) for group, places in groups.items() if group.strip()}

    def axis(self, *, shown: bool = True) -> Axis:
        """Return the vertical axis: a tick a row, a bold head a group."""
        step = math.ceil(LABEL / min(ROW, (TALLEST - AROUND) / max(self.length, FEWEST)))
        ticks = [(-place, label) for (_, label), place in self.places.items()][::step]
        heads = tuple((-place, group) for group, place in self.middles.items()) if shown else ()
        return Axis(bounds=(0.3 - self.length, 0.7), ticks=tuple(ticks), heads=heads, shown=shown, grid=False)

    def width(self, whole: int = style.WIDTH) -> float:
        """Return the pixels that are left for bars beside the labels."""
        whole = min(whole, NOTEBOOK) if in_notebook() else whole
        letters = sum(max(map(len, texts)) for texts in zip(*self.places, strict=True))
        return max(whole - MARGIN - style.LETTER * letters, NARROWEST)

    def height(self, row: int = ROW, around: int = AROUND) -> int:
        """Return the pixels that a figure of these rows is high."""
        return int(min(around + row * max(self.length, FEWEST), TALLEST))


def row_plane(
    parts: Sequence[Any], rows: Rows, *, row: int = ROW, around: int = AROUND, shown: bool = True, **more: Any
) -> Any:
    """Lay elements of rows over one another, on the axis of these rows."""
    return plane(parts, y=rows.axis(shown=shown), height=rows.height(row, around), **more)


def bars(columns: Mapping[str, Any], left: str | float, right: str, height: float, *, name: str, **more: Any) -> Any:
    """Make a bar a row, from a column or a floor that all stand on."""
    sides = {"y0": columns["y"] - height / 2, "y1": columns["y"] + height / 2}
    if not isinstance(left, str):
        sides["floor"], left = np.full(len(columns["y"]), left), "floor"
    return rectangles({**columns, **sides}, (left, "y0", right, "y1"), name=name, **more)


def hollow(colour: str, x: str, text: str) -> dict[str, Any]:
    """Return the looks of bars that are hollow where in doubt, by their column `filled`, a text right of each."""
    edge = {"line_color": colour, "line_width": 1.2}
    return {"fill_color": colour, "fill_alpha": "filled", **edge, "texts": [numbers(x, text)]}


def numbers(x: str, text: str) -> dict[str, Any]:
    """Write a text right of each bar."""
    return {"x": x, "y": "y", "text": text, "x_offset": 7}


def swatches(colours: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the entries of a key of bars."""
    return {label: {"fill_color": colour, "line_color": None} for label, colour in colours.items()}


def log_axis(label: str, values: tables.Array, floor: float, texts: Iterable[str], pixels: float) -> Axis:
    """Return the axis of bars that start at a floor, on so many pixels, with room for the texts at their ends."""
    lengths = np.log(np.maximum(np.nan_to_num(values, nan=floor), floor * 2) / floor)
    return Axis(label, (floor, floor * float(np.exp(_length_with(lengths, texts, pixels)))), log=True)


def linear_axis(label: str, values: tables.Array, texts: Iterable[str], pixels: float) -> Axis:
    """Return the axis of bars that start at zero, on so many pixels, with room for the texts at their ends."""
    length = float(_length_with(np.nan_to_num(values), texts, pixels))
    return Axis(label, (0.0, length or 1.0))  # of zeros alone it may be any, but for none


def _length_with(lengths: tables.Array, texts: Iterable[str], pixels: float) -> Any:
    """Return the length of an axis at which no text beyond a bar is cut."""
    wide = BEYOND + style.LETTER * np.array([len(text) for text in texts])
    return np.max(lengths / (1 - np.minimum(wide / pixels, MOST_BEYOND)))
