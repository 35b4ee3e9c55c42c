"""Meter traces: power over time, with the samples that cannot be trusted marked."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube import datasets
from roofcube.datasets.forms.table_forms import as_table, is_table
from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.measured.physics_gate import check
from roofcube.measured.rows import trace_rows
from roofcube.plot.drawing import style
from roofcube.plot.drawing.elements import Axis, layout, plane, points, segments
from roofcube.wording import counted, with_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["power_trace"]

COLUMNS = ("platform", "mode", "topology", "sample")
METERED = ("power_w", "voltage_v", "current_a")
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
GOOD, GOOD_OF_FEW = ("circle", style.MEASURED, 2), ("circle", style.MEASURED, 5)
FEW = 12  # samples of a run whose marks are large enough to be seen alone
NARROWEST = 270  # pixels of a run, in which its name can be read
AROUND = 2.0  # seconds before and after a run


def power_trace(traces: Any, *, topologies: str | Sequence[str] | None = None) -> Any:
    """Draw power over time from meter samples; impossible and stuck samples are marked and left out of the means.

    Parameters
    ----------
    traces : DataFrame
        In the schema of `roofcube.datasets.load_power_traces`: platform, mode, topology, sample, and `power_w` or
        `voltage_v` and `current_a`. One sample is taken as one second, as the source does.
    topologies : str or list of str, optional
        Which runs to draw; all where not given.

    Returns
    -------
    holoviews.Layout
        A plane a run with marks ``power_trace.samples``: one per sample; column `state` is 'good', 'impossible …' or
        'stuck …'.

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
    runs = table.partition_by("platform", "mode", "topology", as_dict=True)
    across, down = (list(dict.fromkeys(map(part, runs))) for part in (itemgetter(0, 1), itemgetter(2)))
    bounds = style.log_bounds(table["watts"])
    columns = min(len(across), style.WIDTH // NARROWEST)
    keys = [(*hardware, topology) for topology in down for hardware in across]
    # where the hardware of a network takes several rows, a column is of none, and keeps no place for what was not run
    keys = [key for key in keys if key in runs or columns == len(across)]
    panels = []
    for number, key in enumerate(keys):
        longest = max(float(run["sample"].to_numpy().max()) for other, run in runs.items() if other[2] == key[2])
        seconds = -AROUND, longest + max(AROUND, 0.03 * longest)
        looks: dict[str, Any] = {"width": style.WIDTH // columns, "last": number >= len(keys) - columns}
        run, name = runs.get(key, table.clear()), f"{' '.join(key[:2])} · {key[2]}"
        panels.append(_stretch(run, name, seconds, bounds, **looks))
    rules = table["rule"].to_list()
    impossible, stuck = (sum(name in (rule or "") for rule in rules) for name in WORDS)
    head = (
        f"{impossible} impossible (orange) and {stuck} stuck (box) samples of {len(rules)}; "
        "one sample is one second, line = mean of the good ones"
    )
    return layout(panels, name="power_trace", columns=columns, title=head)


def _samples(traces: Any, topologies: str | Sequence[str] | None) -> pl.DataFrame:
    if not is_table(traces):
        msg = f"`traces`: expected a polars DataFrame, got {type(traces).__name__}; pass datasets.load_power_traces()"
        raise InvalidDataError(msg)
    samples = as_table(traces, what="traces")
    missing = [name for name in COLUMNS if name not in samples.columns]
    if not ("power_w" in samples.columns or {"voltage_v", "current_a"} <= set(samples.columns)):
        missing.append("power_w")
    if missing:
        msg = (
            f"`{missing[0]}`: the figure power_trace needs this column and the table lacks it; "
            "see datasets.load_power_traces()"
        )
        raise MissingInputError(msg)
    empty = [pl.lit(None, pl.Float64).alias(name) for name in METERED if name not in samples.columns]
    table = trace_rows(samples.with_columns(empty)).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    findings = check(datasets.load_measurements().clear(), traces=table.drop("row")).filter(table="traces")
    findings = findings.group_by("row").agg(rule=pl.col("rule").sort().str.join("+"))
    table = table.join(findings, on="row", how="left", maintain_order="left").with_columns(
        watts=pl.coalesce("power_w", pl.col("voltage_v") * pl.col("current_a"))
    )
    if topologies is not None:
        wanted = [topologies] if isinstance(topologies, str) else map(str, topologies)
        table = table.filter(pl.col("topology").is_in(list(wanted)))
    if not table.height:
        held = ", ".join(samples["topology"].unique(maintain_order=True))
        msg = f"`topologies`: expected runs of the table, got {topologies!r}; it holds {held}"
        raise InvalidDataError(msg)
    return table


def _stretch(
    run: pl.DataFrame, name: str, seconds: tuple[float, float], bounds: tuple[float, float], *, width: int, last: bool
) -> Any:
    """Draw the samples of one run and the mean of the good ones."""
    rules, bad = run["rule"].to_list(), run["rule"].is_not_null().to_numpy()
    good = GOOD if len(rules) > FEW else GOOD_OF_FEW
    marker, colour, size = zip(*(LOOKS.get(rule, good) for rule in [*rules, None]), strict=True)
    columns: dict[str, Any] = {
        "platform": run["platform"].to_list(), "topology": run["topology"].to_list(),
        "second": run["sample"].to_numpy().astype("f8"), "watts": run["watts"].to_numpy().astype("f4"),
        "configuration": ["{} {} · {}, second {}".format(*row) for row in run.select(COLUMNS).iter_rows()],
        "state": [" and ".join(WORDS[one] for one in rule.split("+")) if rule else "good" for rule in rules],
        "size": np.array(size[:-1]), "marker": marker[:-1], "colour": colour[:-1],
    }  # fmt: skip
    sound, lost = columns["watts"][~bad & np.isfinite(columns["watts"])], int(bad.sum())
    missing = int((~np.isfinite(columns["watts"])).sum())
    level = float(sound.mean()) if sound.size else float("nan")
    mean = f"mean {with_unit(level, 'W')}" if sound.size else "no good sample"
    mean += f", {counted(missing, 'sample')} without watts" if missing else ""
    line = {"x0": [seconds[0]], "y0": [level], "x1": [seconds[1]], "y1": [level]}
    line |= {column: columns[column][:1] or [""] for column in ("platform", "topology")}
    tooltip = {"power": ("watts", "W"), "sample": "@state"}
    parts = [
        segments(line, name="power_trace.mean", color=style.INK, alpha=0.6, line_width=1),
        points(columns, "second", "watts", name="power_trace.samples", tooltip=tooltip,
               marker="marker", size="size", line_color="colour", fill_color=None),
    ]  # fmt: skip
    return plane(
        parts,
        name="power_trace.run",
        x=Axis("time (s)" if last else "", seconds),
        y=Axis("power (W)", bounds, log=True),
        notes=f"{name}: {mean}{f', {lost} bad left out' if lost else ''}" if len(bad) else f"{name}: not logged",
        width=width,
        height=160 if last else 142,
        toolbar=None,
    )
