"""From columns to HoloViews elements in the house style; the one module of the room that loads HoloViews.

Options stand on the elements, not on the overlay, which loses them at the first ``*``; what HoloViews has no option
for is done by two hooks, one for each element (`_mark`) and one for each plane (`_furnish`). Hooks run again whenever
a figure is composed or updated, so each looks for what it added before, by name. They are partials of functions of
this module, because a closure cannot be pickled.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.garbage import collector_at_rest
from roofcube.interrupts import import_whole
from roofcube.plot.drawing import matplotlib_looks, style, tables
from roofcube.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "HEAD",
    "MARGIN",
    "NOTEBOOK",
    "TURN",
    "Axis",
    "curve",
    "image",
    "in_notebook",
    "layout",
    "load",
    "plane",
    "points",
    "rectangles",
    "rendered",
    "segments",
    "staircase",
    "without_place",
]

TURN = 57  # degrees that long texts of a horizontal axis are turned by
HEAD, NOTE = 8.1, 6.4  # pixels of a letter of a title, and of a line below it
MARGIN, LINE = 40, 19  # pixels beside a figure and its labels, and of one more line above it
NOTEBOOK = 940  # pixels that a cell of a notebook is wide
ENDS = ("x0", "y0", "x1", "y1")
AREAS = ("Patch", "VArea", "HArea", "Image")
LINES = ("Line", "Step", *AREAS)  # glyphs that take no filter (Bokeh's E-1024)
INDEX = "index"
SEEN = (INDEX, "platform", "precision", "topology")
SERIES = ("Curve", "Area")  # one key dim, the others are values
INCHES = 9  # that figures of matplotlib are wide
TOOLS = ("box_zoom", "wheel_zoom", "reset", "save")


@cache
def load() -> Any:
    """Return HoloViews with its Bokeh backend; in a notebook figures then show themselves.

    A backend that the user chose stays the current one.
    """
    import_whole("holoviews")
    import holoviews as hv

    before = hv.Store.current_backend if hv.Store.renderers else None
    if in_notebook():
        hv.extension("bokeh", logo=False)
    elif "bokeh" not in hv.Store.renderers:
        import_whole("holoviews.plotting.bokeh")
        import holoviews.plotting.bokeh
    hv.Store.set_current_backend(before or "bokeh")
    return hv


def in_notebook() -> bool:
    """Check whether a Jupyter kernel runs this."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return bool(shell is not None and getattr(shell, "kernel", None) is not None)


@collector_at_rest()
def rendered(figure: Any) -> Any:
    """Return the Bokeh model of a figure: new models at each call, none of Panel's among them."""
    hv = load()
    from bokeh.models import Div

    plot = hv.renderer("bokeh").get_plot(figure)
    drawn = plot.state
    plot.document = None  # that of the process would keep every figure
    if not isinstance(figure, hv.Div):
        # HoloViews writes the title of a layout in black, in the dark too
        for title in (one for one in getattr(drawn, "children", ()) if isinstance(one, Div)):
            title.text = title.text.replace("color:black", "color:inherit")
        return drawn
    kept = ("name", "stylesheets", "disable_math", "tags", "width")
    return Div(text=figure.data, **{key: getattr(drawn, key) for key in kept})


# marks ----------------------------------------------------------------------------------------------------------------


def points(columns: Mapping[str, Any], x: str, y: str, *, name: str, **more: Any) -> Any:
    """Make marks at (x, y)."""
    return _element("Points", columns, (x, y), name, **more)


def segments(columns: Mapping[str, Any], ends: Sequence[str] = ENDS, *, name: str, **more: Any) -> Any:
    """Make lines between two ends, four columns."""
    return _element("Segments", columns, ends, name, **more)


def rectangles(columns: Mapping[str, Any], sides: Sequence[str] = ENDS, *, name: str, **more: Any) -> Any:
    """Make boxes between two corners, four columns."""
    return _element("Rectangles", columns, sides, name, **more)


def image(
    values: tables.Array,
    bounds: tuple[float, float, float, float],
    *,
    name: str,
    tooltip: Mapping[str, str] | None = None,
    **looks: Any,
) -> Any:
    """Make a picture of values, a pixel each, first row on top, within (left, bottom, right, top)."""
    declared = _Declared(name, looks, tooltip=tooltip, heading="")
    element = load().Image(values.astype("f4"), bounds=bounds, vdims=["value"])
    return _dressed(
        element, {**looks, "hooks": [partial(_mark, declared=declared)]}, tables.only(looks, *matplotlib_looks.SCALE)
    )


def curve(x: Any, y: Any, *, name: str, upper: Any = None, step: str = "", **more: Any) -> Any:
    """Make a line through points, or with `upper` the area between two.

    `step` draws steps "before" or "after" the points, which stay the only ones.
    """
    columns = {"x": np.asarray(x, dtype="f8"), "y": np.asarray(y, dtype="f8")}
    if upper is None:
        return _element("Curve", columns, ("x", "y"), name, step=step, **more)
    return _element("Area", {**columns, "upper": np.asarray(upper, dtype="f8")}, ("x", "y", "upper"), name, **more)


def staircase(x: tables.Array, y: tables.Array, *, sense_x: str, **more: Any) -> Any:
    """Make the distinct points of a front, from left to right, joined by steps."""
    distinct = np.unique(np.column_stack([x, y]), axis=0)
    # with more x better, what is reached at the right of a step holds all along it
    return curve(distinct[:, 0], distinct[:, 1], step="before" if sense_x == "max" else "after", line_width=2, **more)


@dataclass(frozen=True)
class _Declared:
    """What HoloViews has no option for: the hooks of both backends read it.

    `tooltip`, `heading` and `policy` are those of `style.hover`, where a column and its unit stand for the text of a
    value; `texts` are written from the columns; `glyph` are
    properties of Bokeh's glyph; `tags` tell the page what to do with the marks; `others` are columns that wait.
    """

    name: str
    looks: Mapping[str, Any]
    tooltip: Mapping[str, str] | None = None
    heading: str = "@configuration"
    policy: str | None = None
    texts: Sequence[Mapping[str, Any]] = ()
    glyph: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[Any] = ()
    step: str = ""
    lines: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, tables.Array] = field(default_factory=dict)


DECLARED = {one.name for one in fields(_Declared)} - {"name", "looks", "others"}


def _element(kind: str, columns: Mapping[str, Any], keys: Sequence[str], name: str, **options: Any) -> Any:
    """Make an element whose other columns are its values; options are those of HoloViews, and those declared."""
    hv = load()
    declared = tables.only(options, *DECLARED)
    looks = {option: value for option, value in options.items() if option not in DECLARED}
    data = {key: _plain(column) for key, column in columns.items()}
    data[INDEX] = np.arange(len(data[keys[0]]))
    if "tooltip" in declared:
        declared["tooltip"] = _write_tooltip(declared["tooltip"], data)
    # HoloViews walks all pairs of columns again and again: of 90 columns it made 40 s. So it sees those that it draws
    # by and labels; the others wait in the hook and join the rows by their index
    seen = [*dict.fromkeys((*keys, *(key for key in data if key in SEEN or key in looks.values())))]
    split = 1 if kind in SERIES else len(keys)
    # the range of each dim of each element is looked for several times: that of the index is known
    dims = [hv.Dimension(key, range=(0, len(data[key]))) if key == INDEX else key for key in seen]
    element = getattr(hv, kind)({key: data[key] for key in seen}, dims[:split], dims[split:])
    others = {key: column for key, column in data.items() if key not in seen}
    told = _Declared(name, looks, others=others, **declared)
    steps = {"interpolation": {"before": "steps-pre", "after": "steps-post"}[told.step]} if told.step else {}
    scale = tables.only(looks, *matplotlib_looks.SCALE) | ({"color": looks["color"]} if "cmap" in looks else {})
    bokeh, mpl = ({"hooks": [partial(hook, declared=told)]} for hook in (_mark, _mark_in_matplotlib))
    return _dressed(element, looks | bokeh, steps | scale | mpl)


def _dressed(
    element: Any, bokeh: Mapping[str, Any], matplotlib: Mapping[str, Any], *, clone: bool | None = None
) -> Any:
    """Give an element options of Bokeh, and of matplotlib where that is loaded: without it they have no place."""
    dressed = element.opts(**bokeh, backend="bokeh", clone=clone)
    return dressed.opts(**matplotlib, backend="matplotlib") if "matplotlib" in load().Store.renderers else dressed


def _write_tooltip(lines: Mapping[str, Any], data: dict[str, tables.Array]) -> dict[str, str]:
    """Return templates; of a line that is a column and its unit, the values are written into a column of their own."""
    templates = {}
    for words, told in lines.items():
        templates[words] = told
        if not isinstance(told, str):
            column, unit = told
            data.setdefault(f"{column}_text", tables.value_text(data[column], unit))
            templates[words] = f"@{{{column}_text}}" if " " in column else f"@{column}_text"
    return templates


def _plain(column: Any) -> tables.Array:
    """Return a column as an array; what is no number as objects, one a row."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "fiub":
        return column
    values = list(column)
    if values and all(isinstance(value, int | float | np.number) for value in values):
        return np.asarray(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _mark(plot: Any, element: Any, *, declared: _Declared) -> None:
    """Name the marks, give them all columns, a filter for buttons, tooltips and texts."""
    from bokeh.models import BooleanFilter, CDSView, HoverTool, Step, Text

    renderer, name, step = plot.handles["glyph_renderer"], declared.name, declared.step
    source, figure = renderer.data_source, plot.state
    renderer.name = source.name = name
    renderer.tags = list(declared.tags)
    # HoloViews copies only those columns into the source that a tool or a style of its own asks for
    shape = type(renderer.glyph).__name__
    columns = {} if shape in AREAS or not element.get_dimension(INDEX) else _columns_of(element, declared.others)
    missing = {key: values for key, values in columns.items() if key not in source.data}
    if missing:
        source.data = {**source.data, **missing}
    if shape == "Quad":  # its sides are columns of the table, by their own names
        left, bottom, right, top = (str(dim) for dim in element.kdims)
        for look in ("glyph", "selection_glyph", "nonselection_glyph", "hover_glyph", "muted_glyph"):
            if hasattr(getattr(renderer, look), "right"):
                getattr(renderer, look).update(left=left, bottom=bottom, right=right, top=top)
        sides = ("left", "right", "bottom", "top")
        source.data = {key: column for key, column in source.data.items() if key not in sides or key in columns}
    if declared.lines:
        _draw_lines(figure, declared.lines, f"{name.split('.')[0]}.lines")
    if type(renderer.glyph).__name__ not in LINES and not isinstance(renderer.view.filter, BooleanFilter):
        renderer.view = CDSView(filter=BooleanFilter(booleans=None))
    if step:
        looks = renderer.glyph.properties_with_values()
        renderer.glyph = Step(mode=step, **{key: value for key, value in looks.items() if key in Step.properties()})
    if declared.glyph:
        renderer.glyph.update(**declared.glyph)
    tools = [tool for tool in figure.tools if isinstance(tool, HoverTool) and tool.name == name]
    if declared.tooltip and tools and renderer not in tools[0].renderers:
        tools[0].renderers = [*tools[0].renderers, renderer]
    elif declared.tooltip and not tools:
        style.hover(figure, [renderer], declared.tooltip, heading=declared.heading, policy=declared.policy)
        figure.tools[-1].name = name
    for place, text in enumerate(declared.texts):
        if not any(one.name == f"{name}.text{place}" for one in figure.renderers):
            looks = {"text_baseline": "middle", "text_font_size": style.TEXT, "text_color": style.INK, **text}
            figure.add_glyph(source, Text(**looks), view=renderer.view, name=f"{name}.text{place}")


def _mark_in_matplotlib(plot: Any, element: Any, *, declared: _Declared) -> None:
    matplotlib_looks.mark(plot, _columns_of(element, declared.others), declared)


def _draw_lines(figure: Any, lines: Mapping[str, Any], name: str) -> None:
    """Draw lines of many points, a row each: of HoloViews' elements Path does it, 14 ms a line."""
    from bokeh.models import BooleanFilter, CDSView, ColumnDataSource

    if not any(one.name == name for one in figure.renderers):
        view, source = CDSView(filter=BooleanFilter(booleans=None)), ColumnDataSource(lines, name=name)
        looks = {"line_color": "colour", "line_width": 1.2, "line_alpha": 0.6, "level": "underlay"}
        figure.multi_line("x", "y", source=source, view=view, name=name, **looks)


def _columns_of(element: Any, others: Mapping[str, tables.Array]) -> dict[str, Any]:
    """Return all columns of an element, also of one that holds a selection of the rows."""
    rows = element.dimension_values(INDEX).astype(np.intp)
    columns = {str(dim): element.dimension_values(dim) for dim in element.dimensions() if str(dim) != INDEX}
    return {**columns, **{key: column[rows] for key, column in others.items()}}


# planes ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """What stands along an axis: words, bounds, whether it is logarithmic, ticks with texts, heads of groups."""

    label: str = ""
    bounds: tuple[float, float] | None = None
    log: bool = False
    ticks: tuple[tuple[float, str], ...] | None = None
    heads: tuple[tuple[float, str], ...] = ()
    at_top: bool = False
    turned: bool = False  # texts too long to stand beside one another
    beyond: float = 0.0  # pixels right of the frame that they take
    shown: bool = True
    grid: bool = True


def plane(
    parts: Sequence[Any],
    *,
    name: str,
    x: Axis,
    y: Axis,
    title: str = "",
    notes: str | Sequence[str] = (),
    key: Mapping[str, Mapping[str, Any]] | None = None,
    width: int = style.WIDTH,
    height: int = 560,
    tags: Sequence[Any] = (),
    **more: Any,
) -> Any:
    """Lay elements over one another on two axes; the overlay's group is the name of the figure."""
    hv = load()
    width = min(width, NOTEBOOK) if in_notebook() else width
    told = [note for note in ([notes] if isinstance(notes, str) else notes) if note]
    if lost := without_place(_hidden_by_logarithms(parts, x, y)):
        told = [*told[:-1], "; ".join(filter(None, (*told[-1:], lost)))]
    title, lines = _fitting([title], y, width, HEAD)[0], _fitting(told, y, width)
    # HoloViews looks for the ranges of all dims, of each element alone and again of all of them together, which took
    # 40 % of drawing; where both axes have bounds nothing comes of it
    bounded = {} if x.bounds is None or y.bounds is None else {"normalize": False, "apply_ranges": False}
    both = {**_axis_options("x", x), **_axis_options("y", y), "show_legend": False, "title": _plain_title(title)}
    options: dict[str, Any] = {
        **both,
        **bounded,
        "width": width,
        "height": height,
        "default_tools": list(TOOLS),
        "active_tools": [],
        "toolbar": "below",
        **more,
    }
    inches = INCHES, INCHES * height / width
    declared = _Plane(name, (x, y), lines, dict(key or {}), width, inches, list(tags))
    in_matplotlib = {**both, **matplotlib_looks.plain_axes(x, y)}
    first, *others = parts
    furnished = (("bokeh", _furnish), ("matplotlib", matplotlib_looks.furnish))
    bokeh, mpl = ([*_hooks_of(first, backend), partial(furnish, declared=declared)] for backend, furnish in furnished)
    dressed = [_dressed(first, options | {"hooks": bokeh}, in_matplotlib | {"hooks": mpl}, clone=True)]
    # HoloViews makes the tools of every element anew, and keeps those of the first
    dressed += [_dressed(one, {**options, "default_tools": []}, in_matplotlib, clone=True) for one in others]
    overlay = hv.Overlay(dressed, group=name, name=name)
    settle = partial(matplotlib_looks.settle, heads=bool(x.heads))
    of_overlay = {"legend_position": "top_left", **bounded}, {"fig_inches": inches, "hooks": [settle]}
    return _dressed(overlay, *of_overlay)


def _axis_options(letter: str, axis: Axis) -> dict[str, Any]:
    options: dict[str, Any] = {f"{letter}label": axis.label, f"log{letter}": axis.log}
    if axis.bounds is not None:
        options[f"{letter}lim"] = axis.bounds
    if axis.ticks:
        words = any(text for _, text in axis.ticks) or not axis.log
        options[f"{letter}ticks"] = list(axis.ticks) if words else [at for at, _ in axis.ticks]
    if axis.turned:
        options[f"{letter}rotation"] = TURN
    if axis.at_top or not axis.shown:
        options[f"{letter}axis"] = "top" if axis.shown else None
    return options


def without_place(count: int) -> str:
    """Say how many marks a log axis cannot show."""
    has = "has" if count == 1 else "have"
    return f"{counted(count, 'mark')} of 0 or less {has} no place on a log axis" if count else ""


def _hidden_by_logarithms(parts: Sequence[Any], x: Axis, y: Axis) -> int:
    """Count rows of marks that have no logarithm; elements of as many rows, such as bars and whiskers, share them."""
    rows: dict[int, tables.Array] = {}
    for part in (one for one in parts if type(one).__name__ not in (*SERIES, "Image")):
        for name in (str(dim) for place, axis in enumerate((x, y)) if axis.log for dim in part.kdims[place::2]):
            lost = part.dimension_values(name) <= 0
            rows[len(lost)] = rows.get(len(lost), False) | lost
    return sum(int(mask.sum()) for mask in rows.values())


def _fitting(texts: Sequence[str], y: Axis, width: int, letter: float = NOTE) -> tuple[str, ...]:
    """Break lines that would go beyond the figure: they begin where the frame does, beside the labels of y."""
    beside = sum(
        max((len(line) for _, text in group for line in text.split("\n")), default=0)
        for group in (y.ticks or (), y.heads)
        if y.shown
    )
    letters = max(30, int((width - MARGIN - style.LETTER * beside) / letter))
    return tuple("\n".join(wrap(text, letters)) if len(text) > letters else text for text in texts)


def _hooks_of(element: Any, backend: str = "bokeh") -> list[Any]:
    store = load().Store
    if backend not in store.renderers:
        return []
    return list(store.lookup_options(backend, element, "plot").kwargs.get("hooks", ()))


@dataclass(frozen=True)
class _Plane:
    """What HoloViews has no option for on a plane: the hooks of both backends read it."""

    name: str
    axes: tuple[Axis, Axis]
    notes: tuple[str, ...]
    key: Mapping[str, Mapping[str, Any]]
    width: int
    inches: tuple[float, float]
    tags: Sequence[Any]


def _furnish(plot: Any, _: Any, *, declared: _Plane) -> None:
    """Dress a plane: fonts, ticks, heads of groups, the key and the notes above it."""
    from bokeh.models import ColorBar

    figure, name, axes, notes = plot.state, declared.name, declared.axes, declared.notes
    style.dress(figure)
    # the default, webgl, would put 194 kB of script into a page and stall in browsers without a graphics card
    figure.output_backend = "canvas"
    figure.name = name
    for letter, axis in zip("xy", axes, strict=True):
        _set_axis(figure, letter, axis)
    for bar in (one for one in figure.right if isinstance(one, ColorBar)):
        style.plain_bar(bar)
    if f"{name} furnished" in figure.tags:
        return
    figure.tags = [*figure.tags, f"{name} furnished", *declared.tags]
    for letter, axis in zip("xy", axes, strict=True):
        _add_heads(figure, letter, axis)
    if declared.key:
        style.key(figure, declared.key)
    if figure.width and figure.width != declared.width:  # the user's own
        title, *plain = (text.replace("\n", " ") for text in (figure.title.text, *notes))
        figure.title.text = _fitting([title], axes[1], figure.width, HEAD)[0]
        notes = _fitting(plain, axes[1], figure.width)
    figure.height += round(LINE * "".join([figure.title.text, *notes]).count("\n"))
    style.noted(figure, notes)


def _set_axis(figure: Any, letter: str, axis: Axis) -> None:
    drawn = getattr(figure, f"{letter}axis")[0]
    style.plain_ticks(drawn, axis.bounds if axis.log and axis.ticks is None else None)
    if axis.ticks is not None and not axis.log:
        drawn.major_tick_line_color = drawn.axis_line_color = None
    if not axis.grid:
        getattr(figure, f"{letter}grid").grid_line_color = None
    if axis.beyond:
        figure.min_border_right = math.ceil(axis.beyond)


def _add_heads(figure: Any, letter: str, axis: Axis) -> None:
    from bokeh.models import FixedTicker, LinearAxis

    if not axis.heads:
        return
    heads = LinearAxis(
        name=f"heads.{letter}",
        ticker=FixedTicker(ticks=[at for at, _ in axis.heads]),
        major_label_overrides=dict(axis.heads),
        axis_line_color=None,
        major_tick_line_color=None,
        minor_tick_line_color=None,
        major_label_text_font_size="13px",
        major_label_text_font_style="bold",
        major_label_text_color=style.INK,
    )
    figure.add_layout(heads, "above" if letter == "x" else "left")


def _level(planes: Sequence[Any]) -> None:
    """Give planes beside one another as many lines of notes as the one with most: their rows lie at one height."""
    hooks = [_hooks_of(next(iter(one)))[-1].keywords for one in planes]
    told = [hook["declared"].notes for hook in hooks]
    most = max(1, *map(len, told))
    told = [(*notes, *[" "] * (most - len(notes))) for notes in told]
    breaks = [sum(text.count("\n") for text in notes) for notes in told]
    for hook, notes, count in zip(hooks, told, breaks, strict=True):
        level = "\n" * (max(breaks) - count) + notes[0], *notes[1:]
        hook["declared"] = replace(hook["declared"], notes=level)


def _plain_title(title: str) -> str:
    """Write a title for HoloViews, which formats it: braces of a label would name fields."""
    return title.replace("{", "{{").replace("}", "}}")


def layout(parts: Sequence[Any], *, name: str, columns: int, title: str = "") -> Any:
    """Put planes side by side; the layout's group is the name of the figure."""
    hv = load()
    options: dict[str, Any] = {"shared_axes": False, "toolbar": None, "title": _plain_title(title)}
    options |= {"fontsize": {"title": "16px"}} if title else {}
    for start in range(0, len(parts), columns) if columns > 1 else ():
        _level(parts[start : start + columns])
    if "matplotlib" in hv.Store.renderers:
        for part in parts:  # of a layout the aspects are the sizes
            across, down = part.opts.get("plot", backend="matplotlib").kwargs["fig_inches"]
            part.opts(aspect=across / down, backend="matplotlib")
    in_matplotlib = {"sublabel_format": "", "title": title or " ", "tight": True, "fig_inches": INCHES}
    return _dressed(hv.Layout(list(parts), group=name, name=name).cols(columns), options, in_matplotlib)
