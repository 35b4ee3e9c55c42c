"""How the explorer looks: axes in human units, ticks as plain words, figures without a line of script in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import BasicTicker, BasicTickFormatter, FixedTicker, Range1d
from bokeh.plotting import figure

from roofcube.explorer.categories import spaced
from roofcube.inert import inert_label
from roofcube.plot.drawing.style import (
    CALIBRATED,
    CLASS_MARKERS,
    INK,
    MEASURED,
    MUTED,
    PREDICTED,
    SYMBOLS,
    dress,
    platform_colours,
    platform_dashes,
    platform_markers,
)
from roofcube.wording import in_shown_unit, quantity, short, shown_unit

if TYPE_CHECKING:
    from roofcube.explorer.answers import Source

__all__ = [
    "ACCENT",
    "INK",
    "MUTED",
    "RED",
    "Axis",
    "Looks",
    "axis_of",
    "looks_of",
    "plain_figure",
    "set_range",
    "value_text",
]

Array = np.ndarray[Any, np.dtype[Any]]
RED, ACCENT = "#c7361b", "#d55e00"
OF_KIND = {"measured": MEASURED, "predicted": PREDICTED, "calibrated": CALIBRATED, "values": MEASURED}
DECADES = 30  # of the largest to the smallest value, from which a scale is logarithmic
ROOM = 0.06
MOST_COLOURS = 40


@lru_cache(maxsize=20_000)
def value_text(value: float | None, unit: str) -> str:
    """Write a value in the unit that a reader wants: 4.2 ms, 60.8k inputs/s, 8 GB; most are drawn again and again."""
    return quantity(value, unit) if unit in ("s", "J", "W") else in_shown_unit(value, unit)


@dataclass(frozen=True)
class Axis:
    """A variable on an axis: places are logarithms where the values span decades, in the unit that is shown.

    The axes of figures are always linear: a scale then changes with the variable, without another figure.
    """

    name: str
    unit: str
    factor: float
    low: float
    high: float
    logarithmic: bool
    sense: str

    def places(self, values: Any) -> Array:
        """Turn SI values into places on the axis."""
        scaled = np.asarray(values, dtype="f8") * self.factor
        if not self.logarithmic:
            return scaled
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(scaled > 0, np.log10(scaled), np.nan)

    def value(self, place: float) -> float:
        """Turn a place back into an SI value."""
        return float((10.0**place if self.logarithmic else place) / self.factor)

    @property
    def ends(self) -> tuple[float, float]:
        """Where the axis begins and ends, with room around the values."""
        low, high = (float(end) for end in self.places([self.low, self.high]))
        room = ROOM * (high - low) or abs(high) * 0.1 or 1.0
        return low - room, high + room

    @property
    def parked(self) -> float:
        """Where a limit that is not set waits: at the end that allows everything."""
        start, end = self.ends
        return start + 0.2 * (end - start) * ROOM if self.sense == "max" else end - 0.2 * (end - start) * ROOM

    @property
    def label(self) -> str:
        """The name with its unit."""
        return f"{spaced(self.name)}{f' ({inert_label(self.unit)})' if self.unit else ''}"

    @property
    def better(self) -> str:
        """Which way is better, in a word."""
        return "more is better" if self.sense == "max" else "less is better"

    def dress(self, drawn: Any) -> None:
        """Label an axis of a figure and choose its ticks."""
        drawn.axis_label = f"{self.label}, {self.better}"
        if not self.logarithmic:
            drawn.ticker = BasicTicker(desired_num_ticks=6)
            drawn.formatter = BasicTickFormatter(use_scientific=False)
            drawn.major_label_overrides = {}
            return
        start, end = self.ends
        powers = range(int(np.floor(start)), int(np.ceil(end)) + 1)
        steps = (1,) if end - start > 2.2 else (1, 2, 5)
        values = [step * 10.0**power for power in powers for step in steps]
        minor = [step * 10.0**power for power in powers for step in range(1, 10)]
        ticks = [float(np.log10(value)) for value in values]
        drawn.ticker = FixedTicker(ticks=ticks, minor_ticks=[float(np.log10(value)) for value in minor])
        drawn.major_label_overrides = dict(zip(ticks, map(short, values), strict=True))


def axis_of(source: Source, kind: str, name: str) -> Axis:
    """Return a variable as an axis."""
    low, high = source.extent(kind, name)
    factor, unit = shown_unit(source.unit(name))
    logarithmic = low > 0 and high > DECADES * low
    return Axis(name, "" if unit == "1" else unit, factor, low, high, bool(logarithmic), source.sense(name))


@dataclass(frozen=True)
class Looks:
    """Colours, markers and dashes of rows: by the labels of one category, markers by device class where it is known."""

    name: str
    colours: dict[str, str]
    markers: dict[str, str]
    symbols: dict[str, str]
    dashes: dict[str, str]
    plain: str
    marked_by: str


def looks_of(source: Source, kind: str) -> Looks:
    """Choose what colour and marker stand for: platforms and their classes, else the first category with few labels."""
    categories = source.categories(kind)
    few = [name for name, category in categories.items() if len(category.labels) <= MOST_COLOURS]
    name = "platform" if "platform" in few else few[0] if few else ""
    texts = categories[name].texts if name else []
    classes = _classes(categories, name)
    markers = platform_markers({text: classes.get(text, "") for text in texts})
    return Looks(
        name,
        platform_colours(texts),
        markers,
        {text: SYMBOLS[marker] for text, marker in markers.items()},
        platform_dashes(texts),
        OF_KIND[kind],
        "device class" if set(classes.values()) & set(CLASS_MARKERS) else name,
    )


def _classes(categories: dict[str, Any], name: str) -> dict[str, str]:
    """Return the device class of each platform."""
    if name != "platform" or "device_class" not in categories:
        return {}
    platforms, classes = categories["platform"], categories["device_class"]
    if platforms.dim != classes.dim:
        return {}
    return {
        platforms.texts[place]: classes.texts[number]
        for place, number in zip(platforms.places.tolist(), classes.places.tolist(), strict=True)
    }


def plain_figure(name: str, *, height: int, tools: str = "") -> Any:
    """Start a figure in the house style; it holds no script, so that the page needs to evaluate none."""
    plot = figure(
        name=name,
        height=height,
        min_width=240,
        sizing_mode="stretch_width",
        x_range=Range1d(0, 1),
        y_range=Range1d(0, 1),
        tools=tools,
        toolbar_location="above" if tools else None,
        min_border_right=16,
    )
    dress(plot)
    plot.toolbar.autohide = False
    return plot


def set_range(given: Any, start: float, end: float) -> None:
    """Move a range, also to where a reset leads."""
    given.update(start=start, end=end, reset_start=start, reset_end=end)
