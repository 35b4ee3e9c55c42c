"""The one visual language of all figures: colours, markers, fonts, tick labels, tooltips; knows no cube."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from bokeh.models import (
    CDSView,
    ColumnDataSource,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    InlineStyleSheet,
    Legend,
    LegendItem,
    LogColorMapper,
    LogTicker,
    Scatter,
    Segment,
    Title,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = [
    "CALIBRATED",
    "CATEGORIES",
    "DARK_MODE",
    "GRID",
    "INK",
    "MEASURED",
    "MUTED",
    "PEAK",
    "PREDICTED",
    "SURFACE",
    "SYMBOLS",
    "WIDTH",
    "decades",
    "dress",
    "floor_of",
    "hover",
    "log_bounds",
    "marker_size",
    "noted",
    "plain_bar",
    "plain_ticks",
    "platform_colours",
    "platform_dashes",
    "platform_markers",
]

WIDTH = 1080
TEXT = "12px"

# what a mark stands for; the same in every figure
PREDICTED = "#e69f00"
MEASURED = "#0072b2"
CALIBRATED = "#009e73"
PEAK = "#a9b8c9"

INK = "#1f2329"
MUTED = "#5c6570"
GRID = "#dde2e8"
SURFACE = "#ffffff"
ON_DARK = {INK: "#e8ecf1", MUTED: "#a3adb8", GRID: "#333a42", SURFACE: "#14181d"}
# the colours of text in a widget, which lives in a shadow of its own: by the reader's scheme, else by the page's button
LIGHT_TEXT = f"color: {INK}; --muted: {MUTED}; --line: {GRID};"
DARK_TEXT = f"color: {ON_DARK[INK]}; --muted: {ON_DARK[MUTED]}; --line: {ON_DARK[GRID]};"
TEXT_CSS = f"""
:host {{ {LIGHT_TEXT} }}
@media (prefers-color-scheme: dark) {{ :host {{ {DARK_TEXT} }} }}
:host-context([data-theme="dark"]) {{ {DARK_TEXT} }}
:host-context([data-theme="light"]) {{ {LIGHT_TEXT} }}
"""

# Okabe–Ito with the tints of Tol's muted set; yellow and black are left out: unreadable on one of the two backgrounds
PLATFORM_COLOURS = {
    "Ultra96-DPU": "#56b4e9",
    "ZCU104-DPU": "#3f7fbf",
    "ZCU102-DPU": "#8478cc",
    "ZCU104-FINN": "#d55e00",
    "ZCU104-BISMO": "#cc79a7",
    "TX2": "#009e73",
    "EdgeTPU": "#bf9000",
    "NCS2": "#aa3377",
    "U96-A53": "#7d7d7d",
}
# for platforms of the user's own; names choose the first place, and what is taken moves on
OTHER_COLOURS = (
    "#0099a8", "#b5651d", "#6a8f1f", "#9b5de5", "#d1495b", "#5f7a99", "#4ca64c", "#c77800", "#7b6f5b", "#e377c2",
    "#1f78b4", "#a6761d", "#66a182", "#7570b3", "#e7298a", "#8c6bb1", "#3d9970", "#cf5c36", "#8f8f3f", "#b07aa1",
)  # fmt: skip

# flags: words with a colour each that black text reads on
CATEGORIES = ("#c9d1da", "#56b4e9", "#e69f00", "#4ac29a", "#e8a6cf", "#f0e442", "#d98c5f", "#a5b2e6")

CLASS_MARKERS = {"FPGA": "circle", "GPU": "square", "TPU": "triangle", "VLIW": "diamond", "CPU": "inverted_triangle"}
OTHER_MARKERS = ("hex", "star", "circle", "square", "triangle", "diamond", "plus")
SYMBOLS = {
    "circle": "●", "square": "■", "triangle": "▲", "diamond": "◆", "inverted_triangle": "▼", "hex": "⬢", "star": "★",
    "plus": "✚",
}  # fmt: skip
NO_COLOUR = {"NaN": (0, 0, 0, 0)}
BAR = {
    "width": 14, "padding": 6, "bar_line_color": None, "background_fill_color": SURFACE, "major_label_text_color": INK,
    "title_text_color": INK, "title_text_font_style": "normal", "title_standoff": 10,
}  # fmt: skip
DASHES = ("solid", "dashed", "dotdash", "dashdot")

PLAIN = """
const size = Math.abs(tick) * (1 + 1e-9);
if (size >= 1e18) return (+tick.toPrecision(6)).toExponential().replace("+", "");
for (const [step, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
  if (size >= step) return +(tick / step).toPrecision(6) + letter;
return String(+tick.toPrecision(6));
"""

# Canvas text cannot follow the page's style sheet: this exchanges the four neutral colours with the reader's scheme.
DARK_MODE = """
(() => {
  const light = LIGHT, dark = DARK;
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const forced = () => document.documentElement.dataset.theme;
  const paint = () => {
    const to_dark = forced() ? forced() === "dark" : scheme.matches;
    const [from, to] = to_dark ? [light, dark] : [dark, light];
    const swap = (value) => { const place = from.indexOf(value); return place < 0 ? null : to[place]; };
    const models = Bokeh.documents.flatMap((doc) => [...doc._all_models.values()]);
    for (const model of models) for (const [name, value] of Object.entries(model.attributes)) {
      if (!name.includes("color")) continue;
      const wrapped = value !== null && typeof value === "object" && typeof value.value === "string";
      const other = typeof value === "string" ? swap(value) : wrapped ? swap(value.value) : null;
      if (other) model[name] = wrapped ? {...value, value: other} : other;
    }
  };
  const ready = () => window.Bokeh && Bokeh.documents.length && Bokeh.documents[0]._all_models.size;
  const start = () => (ready() ? paint() : setTimeout(start, 50));
  scheme.addEventListener("change", paint);
  new MutationObserver(paint).observe(document.documentElement, {attributeFilter: ["data-theme"]});
  start();
})();
""".replace("LIGHT", str(list(ON_DARK))).replace("DARK;", f"{list(ON_DARK.values())};")

HOLLOW = "hollow = in doubt, reason in the tooltip"
BOXED = "boxed cross = in doubt, reason in the tooltip"
TOOLTIP_STYLE = "font-size:13px;max-width:420px;line-height:1.35;color:#1f2329"


# axes -----------------------------------------------------------------------------------------------------------------


LETTER = 7.0  # pixels of a letter of a key
BESIDE = 60  # pixels beside the frame, in which a key stands
MARGIN = 0.02  # share of a log axis that is free at each end, half a mark wide
NARROWEST = 5.5  # ends of a log axis, between which always lie two of 1, 2, 5, 10


def log_bounds(values: Iterable[float], *, low: float = 0.7, high: float = 1.4) -> tuple[float, float]:
    """Bounds of a log axis around positive values, with room at both ends."""
    known = np.asarray(list(values), dtype="f8")
    known = known[np.isfinite(known) & (known > 0)]
    if not known.size:
        return 0.1, 10.0
    margin = known.max() ** MARGIN / known.min() ** MARGIN
    ends = float(known.min() * min(low, 1.0 / margin)), float(known.max() * max(high, margin))
    wider = max(1.0, (NARROWEST / (ends[1] / ends[0])) ** 0.5)
    return ends[0] / wider, ends[1] * wider


def floor_of(*columns: np.ndarray[Any, Any]) -> float:
    """Power of ten below all positive values: where bars on a log axis start."""
    values = np.concatenate([np.asarray(column, dtype="f8") for column in columns])
    known = values[np.isfinite(values) & (values > 0)]
    return float(10.0 ** np.floor(np.log10(known.min() / 1.02))) if known.size else 1.0  # 10 has a bar too


def share(values: Any, bounds: tuple[float, float], *, log: bool) -> Any:
    """Return where values lie between two bounds, 0 at the first and 1 at the second, in decades on a log axis."""
    scale = np.log10 if log else np.asarray
    low, high = (scale(end) for end in bounds)
    return (scale(np.asarray(values, dtype="f8")) - low) / (high - low)


def decades(low: float, high: float) -> list[float]:
    """Powers of ten between two bounds, with 2 and 5 between where there are few."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    many = np.log10(high / low) > 2.2
    ticks = [10.0**power * step for power in powers for step in ((1,) if many else (1, 2, 5))]
    return [tick for tick in ticks if low <= tick <= high]


# colours and markers --------------------------------------------------------------------------------------------------


def platform_colours(platforms: Iterable[str]) -> dict[str, str]:
    """Return each platform its colour, the same in every figure; a platform of the user's own gets one by its name."""
    names = list(dict.fromkeys(platforms))
    return {name: PLATFORM_COLOURS[name] for name in names if name in PLATFORM_COLOURS} | _looks_apart(
        set(names) - set(PLATFORM_COLOURS), OTHER_COLOURS
    )


def _looks_apart(names: Iterable[str], looks: Sequence[str]) -> dict[str, str]:
    """Return each name a look of its own, of more names than looks each as often: names choose the first place."""
    chosen: dict[str, str] = {}
    first = {name: crc32(str(name).encode()) % len(looks) for name in sorted(names)}
    # who is alone at its place keeps it whoever else is there; of two, the second by name moves on
    alike, free = Counter(first.values()), set(looks)
    for name in sorted(first, key=lambda name: alike[first[name]] > 1):
        chosen[name] = next(one for one in _from(looks, first[name]) if one in free)
        free = (free - {chosen[name]}) or set(looks)
    return chosen


def _from(looks: Sequence[str], place: int) -> list[str]:
    return [*looks[place:], *looks[:place]]


def colour_scale(low: float, high: float, unit: str, *, sense: str | None, log: bool = True) -> dict[str, Any]:
    """Return the HoloViews options of a colour scale with its bar; bright is better, and the bar says so."""
    from bokeh.palettes import Cividis256

    known = f"bright = {'more' if sense == 'max' else 'less'}, better" if sense else ""
    return {
        "cmap": list(Cividis256[::-1] if sense == "min" else Cividis256),
        "clim": (low, high),
        "cnorm": "log" if log else "linear",
        "clipping_colors": NO_COLOUR,
        "colorbar": True,
        "clabel": "\n".join(filter(None, (unit, known))),
        "colorbar_opts": dict(BAR),
        "fontsize": {"cticks": TEXT, "clabel": TEXT},
    }


def category_scale(colours: Sequence[str], first: int = 0) -> dict[str, Any]:
    """Return the HoloViews options of a colour for each whole number from `first` on."""
    ends = first - 0.5, first + len(colours) - 0.5
    return {"cmap": list(colours), "clim": ends, "colorbar": False, "clipping_colors": NO_COLOUR}


def plain_bar(bar: Any) -> None:
    """Label a colour bar as axes are; a model in the options would be in the documents of all drawings of a figure."""
    bar.formatter = CustomJSTickFormatter(code=PLAIN)
    if isinstance(bar.color_mapper, LogColorMapper):
        bar.ticker = FixedTicker(ticks=decades(bar.color_mapper.low, bar.color_mapper.high))


def platform_markers(classes: Mapping[str, str]) -> dict[str, str]:
    """Return each platform the marker of its device class; where that is not known, one that its colour has not yet."""
    of_class = {name: CLASS_MARKERS[kind] for name, kind in classes.items() if kind in CLASS_MARKERS}
    first = _looks_apart(set(classes) - set(of_class), OTHER_MARKERS)
    colours = platform_colours(classes)
    taken = {(colours[name], marker) for name, marker in of_class.items()}
    for name, marker in first.items():
        wheel = _from(OTHER_MARKERS, OTHER_MARKERS.index(marker))
        first[name] = next((one for one in wheel if (colours[name], one) not in taken), marker)
        taken.add((colours[name], first[name]))
    return {**of_class, **first}


def marker_size(marker: str, size: float) -> float:
    """Size at which all markers look equally large; diamonds and stars are drawn narrow."""
    return size * {"diamond": 1.5, "star": 1.5, "square": 0.92, "plus": 1.3}.get(marker, 1.0)


def platform_dashes(platforms: Iterable[str]) -> dict[str, str]:
    """Return each platform the dash of its lines, the same in every figure: a second channel beside its colour."""
    places = {name: DASHES[place % len(DASHES)] for place, name in enumerate(PLATFORM_COLOURS)}
    return {**_looks_apart(set(platforms) - set(places), DASHES), **places}


# figures --------------------------------------------------------------------------------------------------------------


def dress(plot: Any) -> None:
    """Give a Bokeh plot the fonts, colours and the small toolbar of all figures."""
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.update(background_fill_color=SURFACE, border_fill_color=SURFACE, outline_line_color=None)
    for axis in (*plot.xaxis, *plot.yaxis):
        axis.update(
            axis_label_text_font_style="normal",
            axis_label_text_font_size="13px",
            axis_label_text_color=INK,
            major_label_text_font_size=TEXT,
            major_label_text_color=INK,
            axis_line_color=GRID,
            major_tick_line_color=MUTED,
            minor_tick_line_color=None,
        )
    plot.grid.grid_line_color = GRID
    if plot.title is not None:
        plot.title.update(text_font_size="16px", text_color=INK, standoff=4)


def plain_ticks(axis: Any, bounds: tuple[float, float] | None = None) -> None:
    """Label an axis 1, 10, 100, 1k, 10k; on narrow log axes 1, 2, 5, 10."""
    axis.formatter = CustomJSTickFormatter(code=PLAIN)
    if bounds is None:
        return
    ticks = decades(*sorted(bounds))
    if np.log10(max(bounds) / min(bounds)) <= 2.2:
        axis.ticker = FixedTicker(ticks=ticks)
    else:
        axis.ticker = LogTicker(desired_num_ticks=max(3, len(ticks)), num_minor_ticks=0)


def noted(plot: Any, notes: Sequence[str]) -> None:
    """Put lines that say how to read a figure above it, below its title."""
    looks = {"text_font_size": "13px", "text_font_style": "normal", "text_color": MUTED}
    for place, note in enumerate(reversed(notes)):
        plot.add_layout(Title(text=note, standoff=4 if place else 9, **looks), "above")


def hover(
    plot: Any,
    renderers: Sequence[Any],
    lines: Mapping[str, str] | Sequence[str],
    *,
    heading: str = "@configuration",
    policy: str | None = None,
) -> None:
    """Add a tooltip: the configuration in bold, then a line per value; @names are columns of the renderer's source."""
    pairs = list(lines.items()) if hasattr(lines, "items") else [("", line) for line in lines]
    body = "".join(f"<div>{escape(label)}{': ' if label else ''}{text}</div>" for label, text in pairs)
    options = {"line_policy": policy} if policy else {}
    plot.add_tools(
        HoverTool(
            renderers=list(renderers),
            tooltips=f'<div style="{TOOLTIP_STYLE}"><b>{heading}</b>{body}</div>',
            attachment="horizontal",
            visible=False,
            tags=[{"heading": heading, "lines": pairs}],
            **options,
        )
    )


def key(plot: Any, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Put a legend in a line above the marks, where it can never cover data; call before `noted`.

    An entry gives the looks of a marker (a square where none is named), or of a line (``marker="line"``). It has a mark
    of its own, drawn nowhere else: a legend tied to the data goes when its row is switched off.
    """
    nowhere, view, items = ColumnDataSource({"x": [np.nan], "y": [np.nan]}, name="key"), CDSView(), []
    for label, looks in entries.items():
        drawn = plot.add_glyph(nowhere, _key_glyph(**looks), view=view)
        items.append(LegendItem(label=label, renderers=[drawn], index=0))
    legend = Legend(
        items=items,
        orientation="horizontal",
        location="top_left",
        label_text_font_size="13px",
        label_text_color=INK,
        border_line_color=None,
        background_fill_color=None,
        background_fill_alpha=0,
        padding=0,
        margin=0,
        spacing=12,
        glyph_height=28,
        glyph_width=28,
        label_height=28,
    )
    room = (plot.width or WIDTH) - BESIDE
    columns = max(1, int(room // (48 + LETTER * max(map(len, entries), default=0))))
    if sum(48 + LETTER * len(label) for label in entries) > room and len(items) > columns:
        legend.ncols = columns
        plot.height += 28 * (-(-len(items) // columns) - 1)
    plot.add_layout(legend, "above")


def _key_glyph(marker: str = "square", **looks: Any) -> Any:
    """Make the glyph of an entry; `color` and `alpha` are those of line and fill, as in the functions of figures."""
    parts = ("line",) if marker == "line" else ("line", "fill")
    both = {f"{part}_{look}": looks[look] for look in ("color", "alpha") if look in looks for part in parts}
    options = {**both, **{look: value for look, value in looks.items() if look not in ("color", "alpha")}}
    if marker == "line":
        return Segment(x0="x", y0="y", x1="x", y1="y", **options)
    return Scatter(x="x", y="y", marker=marker, size=12, **options)


def sheet(css: str) -> Any:
    """Wrap a style sheet for a widget."""
    return InlineStyleSheet(css=css)
