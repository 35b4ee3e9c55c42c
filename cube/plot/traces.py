"""Meter traces: power over time, with the samples that cannot be trusted marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from bokeh.layouts import gridplot
from bokeh.models import CDSView, Column, ColumnDataSource, IndexFilter, Range1d, Span

from roofcube import datasets
from roofcube.datasets.table_forms import as_table, is_table
from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.measured.physics_gate import check
from roofcube.plot import style
from roofcube.plot.tables import value_text
from roofcube.wording import with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["power_trace"]

COLUMNS = ("platform", "mode", "topology", "sample")
WORDS = {
    "impossible_sample": "impossible: outside the supply's 4.75 … 5.25 V",
    "stuck_sample": "stuck: the meter repeats one reading",
}
# marker, colour, size; a sample that is both stuck and impossible is drawn as a box
LOOKS = {
    "impossible_sample": ("circle", "#d55e00", 7),
    "stuck_sample": ("square", "#aa3377", 7),
    "impossible_sample+stuck_sample": ("square", "#d55e00", 7),
}
GOOD = ("circle", style.MEASURED, 2)


def power_trace(traces: Any, *, topologies: Sequence[str] | None = None) -> Any:
    """Draw power over time from meter samples; impossible and stuck samples are marked and left out of the means.

    Parameters
    ----------
    traces : DataFrame
        In the schema of `roofcube.datasets.load_power_traces`: platform, mode, topology, sample, and `power_w` or
        `voltage_v` and `current_a`. One sample is taken as one second, as the source does.
    topologies : list of str, optional
        Which runs to draw; all where not given.

    Returns
    -------
    Bokeh layout
        Source ``power_trace.samples``: a row per sample; column `state` is 'good', 'impossible …' or 'stuck …'.

    Raises
    ------
    MissingInputError
        If a column is missing.
    InvalidDataError
        If `traces` is not a table of samples, or no run is left.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.power_trace(rc.datasets.load_power_traces()).name
    'power_trace'
    """
    table = _samples(traces, topologies)
    watts = table["watts"].to_numpy()
    rules = table["rule"].to_list()
    looks = [LOOKS.get(rule, GOOD) for rule in rules]
    bad = np.array([rule is not None for rule in rules])
    source = ColumnDataSource(
        {
            "second": table["sample"].to_numpy(),
            "watts": watts.astype("f4"),
            "configuration": [
                f"{platform} {mode} · {topology}, second {sample}"
                for platform, mode, topology, sample in table.select(COLUMNS).iter_rows()
            ],
            "text": value_text(watts, "W"),
            "state": [" and ".join(WORDS[one] for one in rule.split("+")) if rule else "good" for rule in rules],
            "size": [one[2] for one in looks],
            "marker": [one[0] for one in looks],
            "colour": [one[1] for one in looks],
        },
        name="power_trace.samples",
    )
    runs = table.with_row_index("place").group_by("platform", "mode", "topology", maintain_order=True).agg("place")
    columns = list(dict.fromkeys(runs.select("platform", "mode").iter_rows()))
    rows = list(dict.fromkeys(runs["topology"].to_list()))
    bounds = style.log_bounds(watts[watts > 0])
    grid: list[list[Any]] = [[None] * len(columns) for _ in rows]
    spans = {
        topology: Range1d(-2, 1.03 * last)
        for topology, last in table.group_by("topology").agg(pl.col("sample").max()).iter_rows()
    }
    for platform, mode, topology, place in runs.iter_rows():
        row, column = rows.index(topology), columns.index((platform, mode))
        places = np.asarray(place, dtype=int)
        lost = int(bad[places].sum())
        plot = _run(
            source, places, spans[topology], bounds, width=style.WIDTH // len(columns), last=row == len(rows) - 1
        )
        mean = _draw_mean(plot, watts[places][~bad[places]])
        style.titled(
            plot,
            notes=f"{platform} {mode} · {topology}: {mean}{f', {lost} bad left out' if lost else ''}",
        )
        grid[row][column] = plot
    impossible, stuck = (sum(name in (rule or "") for rule in rules) for name in WORDS)
    head = style.heading(
        f"{impossible} impossible and {stuck} stuck samples of {len(rules)}",
        (
            "power over time, one sample taken as one second; orange = "
            + WORDS["impossible_sample"]
            + "; box = "
            + WORDS["stuck_sample"],
            "line = mean of the good samples",
        ),
    )
    return Column(head, gridplot(grid, toolbar_location=None), name="power_trace")


def _samples(traces: Any, topologies: Sequence[str] | None) -> pl.DataFrame:
    if not is_table(traces):
        msg = f"`traces`: expected a polars DataFrame, got {type(traces).__name__}; pass datasets.load_power_traces()"
        raise InvalidDataError(msg)
    samples = as_table(traces, what="traces")
    missing = [name for name in COLUMNS if name not in samples.columns]
    if not missing and not ("power_w" in samples.columns or {"voltage_v", "current_a"} <= set(samples.columns)):
        missing = ["power_w"]
    if missing:
        msg = (
            f"`{missing[0]}`: the figure power_trace needs this column and the table lacks it; "
            "see datasets.load_power_traces()"
        )
        raise MissingInputError(msg)
    empty = [
        pl.lit(None, pl.Float64).alias(name)
        for name in ("voltage_v", "current_a", "power_w")
        if name not in samples.columns
    ]
    table = samples.with_columns(empty).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    findings = check(datasets.load_measurements().clear(), traces=table.drop("row"))
    findings = (
        findings.filter(pl.col("table") == "traces").group_by("row").agg(rule=pl.col("rule").sort().str.join("+"))
    )
    table = table.join(findings, on="row", how="left", maintain_order="left").with_columns(
        watts=pl.coalesce("power_w", pl.col("voltage_v") * pl.col("current_a"))
    )
    if topologies is not None:
        table = table.filter(pl.col("topology").is_in(list(topologies)))
    if not table.height:
        held = ", ".join(samples["topology"].unique(maintain_order=True))
        msg = f"`topologies`: expected runs of the table, got {topologies!r}; it holds {held}"
        raise InvalidDataError(msg)
    return table


def _run(source: Any, places: Any, seconds: Any, bounds: tuple[float, float], *, width: int, last: bool) -> Any:
    plot = style.frame(
        name="power_trace.run",
        x_label="time (s)" if last else "",
        y_label="power (W)",
        x_range=seconds,
        y_range=bounds,
        y_log=True,
        width=width,
        height=160 if last else 142,
    )
    plot.toolbar_location = None
    plot.min_border_right = 14  # the last tick's label reaches past the axis
    view = CDSView(filter=IndexFilter(places.tolist()))
    marks = plot.scatter(
        "second", "watts", source=source, view=view, marker="marker", size="size", line_color="colour", fill_color=None
    )
    style.hover(plot, [marks], {"power": "@text", "sample": "@state"})
    return plot


def _draw_mean(plot: Any, good: np.ndarray[Any, Any]) -> str:
    """Draw the mean of the good samples and say it."""
    if not good.size:
        return "no good sample"
    mean = float(good.mean())
    plot.add_layout(Span(location=mean, dimension="width", line_color=style.INK, line_width=1, line_alpha=0.6))
    return f"mean {with_unit(mean, 'W')}"
