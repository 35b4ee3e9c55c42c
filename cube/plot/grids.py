"""The heatmap of a variable over hardware and networks."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import TURN, Axis, image, plane, rectangles
from roofcube.plot.drawing.findings import BELIEVED, Finding
from roofcube.plot.drawing.rows import Rows, swatches
from roofcube.vocabulary import DIMS, INFEASIBLE, sense_of
from roofcube.wording import counted, listed, sentence, short, with_units_for

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["heatmap"]

LETTER, CAPITAL = 6.5, 9.0  # pixels that a letter of a head is wide
BORDER = 110  # pixels right of the frame that the bar of colours takes
CELL = 22  # pixels a row takes
LONGEST = 9  # letters of a meaning in a cell
LEGIBLE = 12  # pixels that a row with numbers takes at least
MOST = 2500  # cells above which the heatmap is an image without numbers
COLUMN_DIMS = ("platform", "mode")
ROW_DIMS = ("topology", "pruning", "precision")
# state of a cell → (hatch, words of the note)
LOOKS = {
    "known": (" ", ""),
    "not supported": ("/", "hatched = not supported"),
    "does not fit": ("x", "crossed = does not fit in memory"),
    "not known": (".", "dotted = not known"),
    "not measured": (" ", "blank = not measured"),
    "not given": (" ", "blank = not among these points"),
}
HATCH = {"hatch_pattern": "hatch", "hatch_color": style.MUTED, "hatch_alpha": 0.75, "hatch_scale": 7, "hatch_weight": 1}


def heatmap(cube: xr.Dataset, *, variable: str = "predicted_throughput") -> Any:
    """Draw a variable over hardware (by device class) and networks, in colour on a log scale and as numbers.

    Bright is better where the variable has a sense; a flag (`bound`, `infeasible`) has a colour and a word a meaning.

    Parameters
    ----------
    cube : Dataset or Sweep
        With the variable over some of platform, mode, topology, pruning, precision; other dims are reduced to their
        best. Winners and fronts (dim `point`) are laid out over the labels that they stand at.
    variable : str
        Any variable of the cube.

    Returns
    -------
    holoviews.Overlay
        Marks ``heatmap.cells``: one per hardware × network cell; column `state` is 'known', 'not supported'
        (hatched), 'does not fit' (crossed), 'not known' (dotted), 'not measured' or, of winners and fronts, 'not given'
        (both blank). Above 2,500 cells an image.

    Raises
    ------
    MissingInputError
        If the cube lacks the variable.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.heatmap(rc.predict(rc.inputs("mnist"))).name
    'heatmap'
    """
    given = tables.require(cube, (variable,), figure="heatmap")
    if given[variable].dtype.kind not in "fiub":
        kind = given[variable].dtype
        msg = f"`variable`: expected numbers or a flag, got {variable!r} of type {kind}; choose another"
        raise InvalidDataError(msg)
    given = given.unstack()
    cube = _over_labels(given, variable)
    grid = _Grid(cube, variable, chosen=cube is not given)
    measured = not variable.startswith(("predicted", "peak"))
    source = tables.source_text(cube.drop_vars("source_row", errors="ignore")) if measured else tables.model_text(cube)
    tooltip = {grid.long_name: "@value_text", "state": "@reason", "source": source}
    rows, columns = Rows(grid.row_factors, gap=0.25), Rows(grid.column_factors, gap=0.12)
    ticks = tuple((place, label) for (_, label), place in columns.places.items())
    heads = tuple((place, group) for group, place in columns.middles.items())
    step = -(-len(ticks) // 40)
    widest = max((_pixels(line) for _, label in ticks for line in label.split("\n")), default=0.0)
    beside = [max(map(len, texts), default=0) for texts in zip(*grid.row_factors, strict=True)]
    inside = style.WIDTH - max(300, 150 + LETTER * sum(beside))  # pixels of all cells
    above, beyond, turned = 0, 0.0, widest > inside / columns.length
    if turned:
        ticks = tuple((place, label.replace("-\n", "-").replace("\n", " ")) for place, label in ticks)
        above = int(np.sin(np.radians(TURN)) * max(_pixels(label) for _, label in ticks))
        beyond = _beyond(ticks[::step], inside / columns.length, columns.length)
        inside -= max(0.0, beyond - BORDER)
    height = rows.height(CELL, around=180 + above)
    room = inside / columns.length, (height - 180 - above) / rows.length  # pixels of a cell
    legible = grid.letters * LETTER <= room[0] and room[1] >= LEGIBLE
    bounds_x = (-0.5, columns.length - 0.5)
    x = Axis(bounds=bounds_x, ticks=ticks[::step], heads=heads, at_top=True, turned=turned, beyond=beyond, grid=False)
    scale = grid.colour_options()
    if grid.values.size > MOST:
        bounds = (-0.5, 0.5 - rows.length, columns.length - 0.5, 0.5)
        cells = image(grid.values, bounds, name="heatmap.cells", tooltip={grid.long_name: "@image"}, **scale)
    else:
        data = grid.columns(rows, columns)
        if not legible:
            data["text"] = [""] * len(data["text"])
        text = {"x": "x", "y": "y", "text": "text", "text_color": "ink", "text_align": "center"}
        cells = rectangles(data, name="heatmap.cells", tooltip=tooltip, texts=[text], color="value",
                           line_color=style.GRID, line_width=0.5, glyph=HATCH, **scale)  # fmt: skip
    y = replace(rows.axis(), bounds=(0.5 - rows.length, 0.5))
    notes = grid.notes(legible=legible)
    finding = grid.finding
    tags = [finding.tag()] if finding is not None and grid.values.size <= MOST else []
    more: dict[str, Any] = {"title": grid.title(), "notes": notes, "key": grid.key(), "tags": tags}
    return plane([cells], name="heatmap", x=x, y=y, height=height, **more)


def _pixels(head: str) -> float:
    return sum(CAPITAL if letter.isupper() or not letter.isascii() else LETTER for letter in head)


def _beyond(ticks: Sequence[tuple[float, str]], cell: float, length: float) -> float:
    """Return the pixels that turned heads reach beyond the frame: Bokeh moves what has none over its neighbours."""
    across = float(np.cos(np.radians(TURN)))
    reached = (across * _pixels(head) - cell * (length - 0.5 - place) for place, head in ticks)
    return max(0.0, *reached)


def _over_labels(cube: xr.Dataset, variable: str) -> xr.Dataset:
    """Lay a front, or winners along some dims, out over the labels that stand beside each."""
    dims = set(map(str, cube[variable].dims))
    along = {dim: set(map(str, cube[dim].dims)) for dim in DIMS if dim in cube.coords and dim not in dims}
    beside = [dim for dim, others in along.items() if others and others <= dims]
    if not beside:
        return cube
    array = cube[variable].reset_coords(drop=True).assign_coords({dim: cube[dim] for dim in beside})
    labels = [*(dim for dim in DIMS if dim in (*beside, *dims)), *sorted(dims - {*DIMS, tables.POINT})]
    groups = array.to_dataframe().reset_index().groupby(labels)[variable]
    attrs = with_units_for(cube[[variable]], cube)[variable].attrs  # without tokens its unit is said
    sense = sense_of(variable, attrs)
    frame = groups.first() if "flag_values" in attrs else groups.min() if sense == "min" else groups.max()
    own = set(tables.own_dims(cube, map(str, [*dims, *cube[variable].coords]))) - dims  # that points share a cell over
    own = own if tables.POINT in dims else set()
    over = frame.to_xarray().assign_attrs(attrs).expand_dims(sorted(own))
    classes = tables.device_classes(cube)
    names = over["platform"].values if "platform" in over.dims else ()
    given = {"device_class": ("platform", [classes.get(name, "") for name in names])} if classes and len(names) else {}
    return xr.Dataset({variable: over}, attrs=cube.attrs).assign_coords(given)


class _Grid:
    """The cells of a heatmap: values, states and labels."""

    def __init__(self, cube: xr.Dataset, variable: str, *, chosen: bool) -> None:
        self._chosen = chosen  # winners or a front: nothing is known of other cells
        self._measured = variable.startswith(("measured", "power_", "efficiency", "energy_per", "inputs_per"))
        attrs = cube[variable].attrs
        self.long_name, self.unit = tables.long_name(cube, variable), tables.scale_of(cube, variable)[1]
        self._sense = sense_of(variable, attrs)
        words = str(attrs.get("flag_meanings", "")).split()
        codes = np.atleast_1d(attrs.get("flag_values", []))
        self._meanings = {int(code): word.replace("_", " ") for code, word in zip(codes, words, strict=False)}
        self._colours = dict(zip(sorted(self._meanings), cycle(style.CATEGORIES), strict=False))
        cells = self._offered(cube, _two_dims(self._cells(cube, variable)))
        self.values, self._believed = cells["value"].values.astype("f8"), cells["believed"].values
        self._why = cells["why"].values.astype("i8")
        self._known = self.values[np.isfinite(self.values)]
        self._low, high = (float(self._known.min()), float(self._known.max())) if self._known.size else (1.0, 10.0)
        self._log = not self._meanings and bool((self._known > 0).all())
        self._high = max(high, self._low * 1.01 if self._log else self._low + 1e-9)
        rows = [dict(zip(ROW_DIMS, labels, strict=True)) for labels in cells["row"].values]
        columns = [dict(zip(COLUMN_DIMS, labels, strict=True)) for labels in cells["column"].values]
        class_of = tables.device_classes(cube)
        names = [
            (_heading(column, COLUMN_DIMS), _heading(row, ROW_DIMS) or variable) for row in rows for column in columns
        ]
        self._labels = {
            "configuration": np.array([" · ".join(filter(None, pair)) for pair in names], dtype=object),
            **{dim: np.repeat([str(row[dim]) for row in rows], len(columns)) for dim in ("topology", "precision")},
            "platform": np.tile([str(column["platform"]) for column in columns], len(rows)),
        }
        self.row_factors = [(_heading(row, ROW_DIMS[:2]) or " ", _heading(row, ROW_DIMS[2:]) or " ") for row in rows]
        heads = [_head_of(str(column["platform"]), str(column["mode"])) or " " for column in columns]
        classes = [class_of.get(column["platform"], " ") for column in columns]
        self.column_factors = list(zip(classes, heads, strict=True))

    def _cells(self, cube: xr.Dataset, variable: str) -> xr.Dataset:
        """Reduce the variable to the dims of the heatmap: its best value, whether that is possible, why there is none.

        Along dims that the variable lacks, nothing forbids what one label allows; of reasons the mildest counts.
        """
        array, names = tables.array_of(cube, variable).astype("f8"), (variable,)
        if self._meanings:
            array = array.where(array.isin([code for code, word in self._meanings.items() if word != "none"]))
        over = self._reduced = [str(dim) for dim in array.dims if dim not in (*COLUMN_DIMS, *ROW_DIMS)]
        array = tables.sound(cube, array, names, over)
        believed = array.where(tables.possible_cells(cube, array, names)).notnull().any(over)
        array = _best_of(array, self._sense, over)
        why = cube.get("infeasible", xr.DataArray(INFEASIBLE["feasible"]))
        dropped = [dim for dim in why.dims if dim not in array.dims]
        why = why.max(dropped).where((why != INFEASIBLE["feasible"]).all(dropped), INFEASIBLE["feasible"])
        return xr.Dataset({"value": array, "believed": believed, "why": why.broadcast_like(array)})

    def _offered(self, cube: xr.Dataset, cells: xr.Dataset) -> xr.Dataset:
        """Leave out networks that are not defined and modes that are not offered; order the columns by device class."""
        blank, why = cells["value"].isnull(), cells["why"]
        undefined = (why == INFEASIBLE["network_not_defined"]).any("column")
        lost = (why == INFEASIBLE["mode_not_offered"]).all("row") | ("infeasible" not in cube)
        rows = ~(blank.all("column") & (undefined | self._measured))
        columns = ~(blank.all("row") & lost & ~blank.all())
        cells = cells.isel(row=rows.values, column=columns.values)
        platforms = [labels[0] for labels in cells["column"].values]
        order = tables.labels_in_order(cube, "platform", platforms)
        return cells.isel(column=sorted(range(len(platforms)), key=lambda place: order.index(platforms[place])))

    @property
    def _titled(self) -> tables.Array:
        """The cells that the title speaks of: the possible ones, all of them where none is."""
        return (self._believed if self._believed.any() else np.ones_like(self._believed)).ravel()

    @cached_property
    def states(self) -> tables.Array:
        """The look of each cell."""
        unsupported = np.isin(self._why, [INFEASIBLE["precision_not_supported"], INFEASIBLE["mode_not_offered"]])
        cases = {"known": ~np.isnan(self.values), "not supported": unsupported,
                 "does not fit": self._why == INFEASIBLE["does_not_fit_memory"]}  # fmt: skip
        otherwise = "not given" if self._chosen else "not measured" if self._measured else "not known"
        return np.select(list(cases.values()), list(cases), otherwise)

    @cached_property
    def untrained(self) -> tables.Array:
        """Which cells are known of networks that were never trained so."""
        return np.asarray((self._why == INFEASIBLE["untrained"]) & (self.states == "known"))

    def columns(self, rows: Rows, columns: Rows) -> dict[str, Any]:
        """Lay the cells out as columns of a source."""
        x = np.tile([columns.places[factor] for factor in self.column_factors], len(self.row_factors))
        y = -np.repeat([rows.places[factor] for factor in self.row_factors], len(self.column_factors))
        values, states, untrained = self.values.ravel(), self.states.ravel(), self.untrained.ravel()
        names = {code: name.replace("_", " ") for name, code in INFEASIBLE.items()}
        plain = np.isin(states, ["known", "not measured", "not known", "not given"])
        reasons = [state if is_plain else names[why]
                   for state, is_plain, why in zip(states, plain, self._why.ravel(), strict=True)]  # fmt: skip
        return {
            "x0": x - 0.49, "y0": y - 0.48, "x1": x + 0.49, "y1": y + 0.48, "x": x, "y": y, "value": values,
            "text": [self._text(value) + "°" * bool(mark and not self._meanings) if state == "known" else ""
                     for value, state, mark in zip(values, states, untrained, strict=True)],
            "ink": [self._ink(value) for value in values], "hatch": [LOOKS[state][0] for state in states],
            "state": states.astype(object),
            "reason": np.where(untrained, "no accuracy given at this precision", reasons).astype(object),
            **self._labels, BELIEVED: self._titled,
            "value_text": [self._meanings.get(value) or text
                           for value, text in zip(values, tables.value_text(values, self.unit), strict=True)],
        }  # fmt: skip

    def _ink(self, value: float) -> str:
        """Return the colour of a number that reads on its cell."""
        if self._meanings or not np.isfinite(value):
            return "#000000"
        scale = np.log if self._log else np.asarray
        share = (scale(value) - scale(self._low)) / (scale(self._high) - scale(self._low))
        return "#000000" if (1 - share if self._sense == "min" else share) > 0.5 else "#ffffff"

    def colour_options(self) -> dict[str, Any]:
        """Return the options of the colours; bright is better."""
        if not self._meanings:
            return style.colour_scale(self._low, self._high, self.unit, sense=self._sense, log=self._log)
        codes = range(min(self._colours), max(self._colours) + 1)
        colours = [self._colours.get(code, style.GRID) for code in codes]
        return style.category_scale(colours, codes[0])

    def key(self) -> dict[str, dict[str, Any]]:
        """Return the entries of a key: the meanings of a flag that occur."""
        found = sorted({int(value) for value in self._known}) if self._meanings else []
        return swatches({self._meanings[code]: self._colours[code] for code in found})

    def title(self) -> str:
        """Return where the best value is; of a flag, which meaning is most frequent."""
        if self.finding is None:
            codes, counts = np.unique(self._known, return_counts=True)
            most = [self._meanings[int(code)] for code in codes[counts == counts.max()]]
            return f"{sentence(self.long_name)}: most often {listed(most, most=2)}"
        return self.finding.over({"value": self.values.ravel(), **self._labels, BELIEVED: self._titled})

    @property
    def finding(self) -> Finding | None:
        """Where the best value is; of a flag none."""
        if self._meanings:
            return None
        how, end = ("min", "Lowest") if self._sense == "min" else ("max", "Highest")
        title = f"{end} {self.long_name}: ", (how, "value", "value_text"), " (", (how, "value", "configuration"), ")"
        return Finding("heatmap.cells", title, {"value": self.unit})

    @property
    def letters(self) -> int:
        """The most letters that a cell has to hold."""
        return max((len(self._text(value)) for value in self._known), default=0) if self._known.size <= MOST else 0

    def _text(self, value: float) -> str:
        if not self._meanings:
            return short(value)
        word = self._meanings.get(int(value), "")
        return word if len(word) <= LONGEST else f"{word[: LONGEST - 1]}…"

    def notes(self, *, legible: bool) -> list[str]:
        """Explain the looks that occur."""
        parts = [] if legible else ["too many cells for numbers, which the tooltips have"]
        parts += [text for state, (_, text) in LOOKS.items() if text and state in self.states]
        parts += ["° = no accuracy given at that precision"] * bool(self.untrained.any())
        if self.values.size > MOST:
            parts = ["too many cells for numbers: an image"]
        if doubted := int((~self._believed & np.isfinite(self.values)).sum()):
            parts.append(f"{counted(doubted, 'cell')} that cannot be true, which the title leaves out")
        if self._reduced:
            parts.append(f"{'first known' if self._meanings else 'best'} over {', '.join(self._reduced)}")
        return ["; ".join(parts)]


def _two_dims(cells: xr.Dataset) -> xr.Dataset:
    """Lay arrays out in rows and columns, each with the labels of all their dims."""
    missing = {dim: [""] for dim in (*COLUMN_DIMS, *ROW_DIMS) if dim not in cells.dims}
    return cells.expand_dims(missing).stack(row=ROW_DIMS, column=COLUMN_DIMS).transpose("row", "column")


def _heading(labels: dict[str, Any], dims: Sequence[str]) -> str:
    return " ".join(filter(None, (tables.short_label(dim, labels[dim]) for dim in dims if labels[dim] != "")))


def _best_of(array: xr.DataArray, sense: str | None, over: Sequence[str]) -> xr.DataArray:
    if not over:
        return array
    if "flag_values" in array.attrs:
        for dim in over:  # of each cell the first that is known
            array = array.isel({dim: array.notnull().argmax(dim).compute()}).drop_vars(dim, errors="ignore")
        return array
    return array.min(over) if sense == "min" else array.max(over)


def _head_of(platform: str, mode: str) -> str:
    """Break a column's head into short lines."""
    return "\n".join(filter(None, (platform.replace("-", "-\n", 1), tables.short_label("mode", mode))))
