"""The same declarations drawn by HoloViews' matplotlib backend; its hooks alone load matplotlib.

HoloViews has no option there for a marker a row, nor for texts, hatches and heads: a hook for each element (`mark`) and
one for each plane (`furnish`) give artists what Bokeh's glyphs get, from the columns that their looks name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.plot.drawing import style
from roofcube.wording import short

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCALE", "furnish", "mark", "plain_axes", "settle"]

NOTES = "notes of a figure"
POINT = 0.75  # points of a pixel
SCALE = ("cmap", "clim", "cnorm", "colorbar", "clabel", "clipping_colors")  # options that both backends have
MARKERS = {
    "circle": "o", "square": "s", "triangle": "^", "inverted_triangle": "v", "diamond": "D", "hex": "h", "star": "*",
    "plus": "P", "x": "x", "dash": "_",
}  # fmt: skip
BOX_CROSS = [(-0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (0.5, -0.5)]  # of a boxed cross
HATCHES = {"/": "////", "x": "xxxx", ".": "...."}
DASHES = {"dashdot": "-.", "dotdash": "-."}


def mark(plot: Any, rows: Mapping[str, Any], declared: Any) -> None:
    """Give the artist of an element its colours, markers and texts: values, or columns of its rows."""
    from matplotlib.collections import LineCollection, PatchCollection, PathCollection

    artist, axis, looks = plot.handles["artist"], plot.handles["axis"], declared.looks

    def of(*names: str, otherwise: Any = None) -> Any:
        given = next((looks[name] for name in names if name in looks), otherwise)
        return rows[given] if isinstance(given, str) and given in rows else given

    width = of("line_width", otherwise=1.0)
    dashes = of("line_dash", otherwise="solid")
    dashes = DASHES.get(dashes, dashes) if isinstance(dashes, str) else [DASHES.get(one, one) for one in dashes]
    artist.set(linewidth=np.multiply(width, POINT), linestyle=dashes)
    edge = _rgba(of("line_color", "color"), of("line_alpha", "alpha"))
    if isinstance(artist, LineCollection) or not hasattr(artist, "set_facecolor"):
        artist.set_color(edge if isinstance(artist, LineCollection) else edge[0])
    else:
        if "cmap" not in looks:
            artist.set_facecolor(_rgba(of("fill_color", "color"), of("fill_alpha", "alpha")))
        artist.set_edgecolor(edge)
    if isinstance(artist, PathCollection):
        marker = looks.get("marker", "circle")  # `x` is a marker, and a column
        markers = rows[marker] if marker not in {*MARKERS, "square_x"} else ["|" if looks.get("angle") else marker]
        artist.set_sizes(np.atleast_1d(np.asarray(of("size", otherwise=6), dtype="f8") * POINT) ** 2)
        artist.set_paths([_path(one) for one in markers])
    if "marked" in plot.handles:
        return
    plot.handles["marked"] = True
    for text in declared.texts:
        _write_texts(axis, rows, **text)
    if isinstance(artist, PatchCollection) and "hatch_pattern" in declared.glyph:
        _hatch(axis, artist, np.asarray(rows[declared.glyph["hatch_pattern"]]), declared.glyph["hatch_color"])
    if lines := declared.lines:
        paths = [np.column_stack(ends) for ends in zip(lines["x"], lines["y"], strict=True)]
        colours = _rgba(lines["colour"], 0.6)
        axis.add_collection(LineCollection(paths, colors=colours, linewidths=0.9, zorder=0), autolim=False)


def _rgba(colours: Any, alpha: Any) -> Any:
    from matplotlib.colors import to_rgba_array

    if colours is None or len(colours) == 0:
        return to_rgba_array("none")
    return to_rgba_array(colours if isinstance(colours, str) else list(colours), alpha)


def _path(marker: str) -> Any:
    from matplotlib.markers import MarkerStyle
    from matplotlib.path import Path

    if marker == "square_x":
        return Path.make_compound_path(_path("square"), Path(BOX_CROSS, [1, 2, 1, 2]))
    shape = MarkerStyle(MARKERS.get(marker, marker))
    return shape.get_path().transformed(shape.get_transform())


def _write_texts(axis: Any, rows: Mapping[str, Any], *, x: str, y: str, text: str, **looks: Any) -> None:
    """Write a text at each row."""
    colour = looks.get("text_color", style.INK)
    colours = rows[colour] if colour in rows else [colour] * len(rows[x])
    offset = POINT * looks.get("x_offset", 0), -POINT * looks.get("y_offset", 0)
    weight, side = looks.get("text_font_style", "normal"), looks.get("text_align", "left")
    for at, level, words, ink in zip(rows[x], rows[y], rows[text], colours, strict=True):
        if words:
            axis.annotate(
                words, (at, level), offset, textcoords="offset points", color=ink, size=8, weight=weight, ha=side,
                va="center", parse_math=False, zorder=50, annotation_clip=False,
            )  # fmt: skip


def _hatch(axis: Any, boxes: Any, patterns: np.ndarray[Any, Any], colour: str) -> None:
    from matplotlib.collections import PathCollection

    paths = np.empty(len(patterns), dtype=object)
    paths[:] = boxes.get_paths()
    for pattern, hatch in ((one, HATCHES[one]) for one in HATCHES if one in patterns):
        axis.add_collection(
            PathCollection(paths[patterns == pattern], hatch=hatch, fc="none", ec=colour, lw=0, zorder=40),
            autolim=False,
        )


# planes ---------------------------------------------------------------------------------------------------------------


def plain_axes(x: Any, y: Any) -> dict[str, Any]:
    """Return options that label axes 1, 10, 100, 1k, 10k; HoloViews sets a log axis anew, which loses a formatter."""
    options: dict[str, Any] = {"aspect": None, "fontsize": {"title": 11, "labels": 9, "ticks": 8}}
    for letter, axis in (("x", x), ("y", y)):
        options[f"{letter}formatter"] = _plain_tick
        if axis.log and axis.bounds and not any(text for _, text in axis.ticks or ()):
            at = [at for at, _ in axis.ticks or ()] or style.decades(*sorted(axis.bounds))
            options[f"{letter}ticks"] = [(one, _plain_tick(one)) for one in at]
    return options


def settle(plot: Any, _: Any, *, heads: bool) -> None:
    """Leave the small ticks of logarithmic axes without labels, which narrow ones would have; make room for heads."""
    from matplotlib.ticker import NullFormatter

    axis = plot.handles["axis"]
    axis.set_aspect("auto")  # that of a layout's part is its size: frames beside one another are of one height
    for one in (axis.xaxis, axis.yaxis):
        one.set_minor_formatter(NullFormatter())
    if heads:
        axis.set_title(axis.get_title(), pad=22, fontsize=axis.title.get_fontsize())


def _plain_tick(value: float) -> str:
    return short(value, 6)


def furnish(plot: Any, _: Any, *, declared: Any) -> None:
    """Add heads of groups beside the axes, the key and the notes below them: below those of a figure under this one."""
    from matplotlib import transforms

    if "furnished" in plot.handles:
        return
    plot.handles["furnished"] = True
    axes, key = declared.axes, declared.key
    axis, beside = plot.handles["axis"], plot.handles["bbox_extra_artists"]
    before = [one for one in axis.texts if one.get_gid() == NOTES]
    if not before:
        for letter, one in zip("xy", axes, strict=True):
            beside += _write_heads(axis, letter, one)
        if len([one for one in axis.figure.axes if one.get_label() != "<colorbar>"]) == 1:  # no layout
            axis.figure.set_size_inches(declared.inches)  # composed, an overlay loses its own
    # below what an axis at the bottom takes
    below = 12 if axes[0].at_top else 42 if axes[0].label else 26
    for one in before:
        below = 6 - one.get_position()[1] + 14 * (one.get_text().count("\n") + 1)
    if key:
        if axis.get_legend():
            axis.add_artist(axis.get_legend())
        handles = [_entry(label, **looks) for label, looks in key.items()]
        pixels = transforms.offset_copy(axis.transAxes, axis.figure, y=-below, units="points")
        legend = axis.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=pixels, ncols=min(6, len(handles)),
            frameon=False, borderaxespad=0, fontsize=9,
        )  # fmt: skip
        beside.append(legend)
        below += 20 * -(-len(handles) // 6)
    told = "\n".join(note for note in declared.notes if note.strip())
    looks = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top", "size": 9, "color": style.MUTED,
             "gid": NOTES}  # fmt: skip
    beside.append(axis.annotate(told, (0, 0), (0, -below), parse_math=False, **looks))


def _write_heads(axis: Any, letter: str, one: Any) -> list[Any]:
    """Write the heads of groups beyond the labels of an axis."""
    lines = [text.split("\n") for _, text in one.ticks or ()]
    letters = 5.0 * max((len(line) for text in lines for line in text), default=0)
    looks = {"textcoords": "offset points", "weight": "bold", "size": 9, "parse_math": False, "annotation_clip": False}
    if letter == "y":
        looks |= {"xytext": (-letters - 16, 0), "xycoords": ("axes fraction", "data"), "ha": "right", "va": "center"}
        return [axis.annotate(text, (0, at), **looks) for at, text in one.heads]
    room = 0.84 * letters if one.turned else 11 * max(map(len, lines), default=0)
    looks |= {"xytext": (0, room + 16), "xycoords": ("data", "axes fraction"), "ha": "center", "va": "bottom"}
    return [axis.annotate(text, (at, 1), **looks) for at, text in one.heads]


def _entry(label: str, *, marker: str = "square", **looks: Any) -> Any:
    """Make an entry of a key."""
    from matplotlib.lines import Line2D

    colour = looks.get("color", looks.get("fill_color") or looks.get("line_color"))
    if marker == "line":
        return Line2D([], [], color=colour, label=label)
    shape = "|" if "angle" in looks else MARKERS[marker]
    alpha = looks.get("fill_alpha", looks.get("alpha"))
    return Line2D([], [], ls="none", marker=shape, color=colour, alpha=alpha, label=label, ms=8, mew=1.5)
