"""The roofline: the roofs of what is left, and a dot for what each configuration reaches under them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource

from roofcube.explorer.views.look import ACCENT, MUTED, Axis, looks_of, plain_figure, set_range, value_text
from roofcube.explorer.views.trade_off import HIGH, INSIDE, marks_of
from roofcube.plot.drawing.style import hover

if TYPE_CHECKING:
    from roofcube.explorer.answers import Answer, Source
    from roofcube.explorer.rows import Rows
    from roofcube.explorer.state import View

__all__ = ["Roofs"]

Array = np.ndarray[Any, np.dtype[Any]]
NEEDED = ("peak_compute", "memory_bandwidth", "operational_intensity", "ops")
MOST_ROOFS = 24  # of more the highest and the best one's are drawn
MOST_DOTS = 2_000


class Roofs:
    """The figure of a session."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines = ColumnDataSource({"xs": [], "ys": [], "name": [], "colour": [], "dash": []}, name="explorer.roofs")
        self.names = ColumnDataSource({"x": [], "y": [], "text": [], "colour": []}, name="explorer.roof_names")
        self.dots = ColumnDataSource(
            {name: [] for name in ("x", "y", "name", "tell", "colour", "marker", "fill")}, name="explorer.achieved"
        )
        self.plot = plain_figure("explorer.roofline", height=380, tools="pan,wheel_zoom,reset,save")
        roofs = self.plot.multi_line("xs", "ys", source=self.lines, line_color="colour", line_dash="dash", line_width=2)
        self.plot.text(
            "x", "y", "text", source=self.names, text_color="colour", text_align="right", text_font_size="12px",
            y_offset=-2,
        )  # fmt: skip
        dots = self.plot.scatter(
            "x",
            "y",
            source=self.dots,
            marker="marker",
            size=8,
            fill_color="colour",
            line_color="colour",
            fill_alpha="fill",
            line_alpha=INSIDE,
        )
        hover(self.plot, [roofs], [], heading="@name")
        hover(self.plot, [dots], ["@tell"], heading="@name")

    def push(self, view: View, answer: Answer) -> str:
        """Show an answer; return what to say above the figure."""
        rows = answer.rows
        rate = "measured_throughput" if view.kind == "measured" else "predicted_throughput"
        missing = [name for name in (*NEEDED, rate) if not _has_rows(rows, name)]
        if missing:
            self.plot.visible = False
            return f"no roofline: the cube does not hold {', '.join(missing)}"
        self.plot.visible = True
        intensity, reached = rows.column("operational_intensity"), rows.column(rate) * rows.column("ops")
        shown = answer.drawn[answer.inside[answer.drawn]]
        known = [np.isfinite(rows.column(name)[shown]) for name in NEEDED[:3]]
        with_roof = shown[np.logical_and.reduce(known)]
        shown = shown[np.isfinite(intensity[shown]) & np.isfinite(reached[shown])][:MOST_DOTS]
        if not with_roof.size:
            self.lines.data = {name: [] for name in self.lines.data}
            self.dots.data = {name: [] for name in self.dots.data}
            self.names.data = {name: [] for name in self.names.data}
            return "nothing within the limits has a roof"
        across = intensity[with_roof]
        ends = float(across.min()) / 4.0, float(across.max()) * 4.0
        x = np.geomspace(*ends, 61)
        peaks, widths = rows.column("peak_compute"), rows.column("memory_bandwidth")
        pairs, first = np.unique(np.column_stack([peaks[with_roof], widths[with_roof]]), axis=0, return_index=True)
        roofs = np.minimum(pairs[:, :1], pairs[:, 1:] * x)
        factor = 1e-12
        top, bottom = float(roofs.max()), float(min(roofs.min(), reached[shown].min() if shown.size else np.inf))
        axis_x = Axis("operational_intensity", "op/B", 1.0, *ends, True, "max")
        axis_y = Axis("performance", "TOP/s", factor, max(bottom, top * 1e-6), top, True, "max")
        for axis, drawn, given in (
            (axis_x, self.plot.xaxis[0], self.plot.x_range),
            (axis_y, self.plot.yaxis[0], self.plot.y_range),
        ):
            axis.dress(drawn)
            drawn.axis_label = axis.label
            set_range(given, *axis.ends)
        self._push_lines(view, answer, axis_x.places(x), axis_y.places(roofs), with_roof[first])
        marks = marks_of(rows, shown, looks_of(self.source, view.kind))
        self.dots.data = {
            "x": axis_x.places(intensity[shown]),
            "y": axis_y.places(reached[shown]),
            "name": rows.names(shown),
            "tell": [value_text(value, "op/s") for value in reached[shown].tolist()],
            "colour": marks["colour"],
            "marker": marks["marker"],
            "fill": np.where(rows.doubtful[shown], 0.0, INSIDE),
        }
        many = f", the highest of {len(pairs)} roofs and that of the best" if len(pairs) > MOST_ROOFS else ""
        return f"{'measured' if view.kind == 'measured' else 'predicted'} work under the roof of each platform{many}"

    def _push_lines(self, view: View, answer: Answer, x: Array, roofs: Array, first: Array) -> None:
        rows = answer.rows
        if len(roofs) > MOST_ROOFS:
            two = [rows.column(name) for name in ("peak_compute", "memory_bandwidth")]
            best = np.flatnonzero(np.logical_and.reduce([one[first] == one[answer.best] for one in two]))
            envelope = roofs.max(axis=0)[None, :]
            roofs = np.concatenate([envelope, roofs[best[:1]]]) if answer.best >= 0 and best.size else envelope
            names, colours = ["the highest roof", "the roof of the best"], [MUTED, ACCENT]
            texts, dashes = names, ["solid", "dashed"]
        else:
            looks = looks_of(self.source, view.kind)
            marks = marks_of(rows, first, looks)
            names, colours, texts = rows.names(first), marks["colour"], marks["text"]
            dashes = [looks.dashes.get(label, "solid") for label in marks["label"]]
        count = len(roofs)
        lines = {"xs": [x] * count, "ys": list(roofs), "name": names, "colour": colours, "dash": dashes}
        self.lines.data = {key: column[:count] for key, column in lines.items()}
        self._name(x, roofs, texts[:count], colours[:count])

    def _name(self, x: Array, roofs: Array, texts: list[str], colours: list[str]) -> None:
        """Name the highest roof of each label at its end, and no two names over one another."""
        apart = HIGH * (self.plot.y_range.end - self.plot.y_range.start)
        named: dict[str, int] = {}
        for number in np.argsort(-roofs[:, -1], kind="stable").tolist():
            near = any(abs(roofs[number, -1] - roofs[other, -1]) < apart for other in named.values())
            if texts[number] and texts[number] not in named and not near:
                named[texts[number]] = number
        self.names.data = {
            "x": [float(x[-1])] * len(named),
            "y": [float(roofs[number, -1]) for number in named.values()],
            "text": list(named),
            "colour": [colours[number] for number in named.values()],
        }


def _has_rows(rows: Rows, name: str) -> bool:
    return name in rows.cube and set(rows.cube[name].dims) <= set(rows.dims) and rows.cube[name].ndim > 0
