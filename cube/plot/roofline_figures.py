"""Rooflines: what each platform attains at an operational intensity, where the networks lie, what was achieved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import Axis, curve, layout, plane, points, segments
from roofcube.plot.drawing.findings import Finding
from roofcube.plot.drawing.points import colours_of, extreme_rows, markers_of, marks
from roofcube.wording import counted, percent, with_thousands

if TYPE_CHECKING:
    import xarray as xr


__all__ = ["rooflines"]

HEIGHT, AROUND = 560, 130  # pixels, and those of them that are outside the frame
LABEL_STEP = 15.0  # pixels between the labels at the right
NAMES, MOST_NAMES = 0.27, 0.5  # shares of the width that the names of the roofs take at the right, at least and at most
MOST = 36  # roofs with a line and a name each; of more, an envelope and the chosen
PLACES = 240  # of an envelope along the axis
CROSS: dict[str, Any] = {"marker": "x", "size": 7, "fill_color": None, "line_width": 1.6}
LOWEST, HIGHEST = (("min", "ridge", "ridge_text"), ("max", "ridge", "ridge_text"))
MEANING = ": a network left of its ridge is bound by memory"
RIDGES = Finding(
    "rooflines.ridges",
    ("Ridge points lie between ", LOWEST, " and ", HIGHEST, MEANING),
    {"ridge": "op/B"},
    same=(LOWEST, HIGHEST),
    single=("All ridge points lie at ", LOWEST, MEANING),
)
NOTE = "slope = memory bandwidth, flat = peak compute, marks = ridge points; vertical lines = networks, named below"


def rooflines(cube: xr.Dataset) -> Any:
    """Draw the rooflines of all platforms, the operational intensities of the networks, and what was achieved.

    Parameters
    ----------
    cube : Dataset or Sweep
        With `peak_compute`, `memory_bandwidth` and `operational_intensity` (a cube of `predict`); with `ops` and
        measured throughput, what was achieved is drawn below the roofs, the loss as a line.

    Returns
    -------
    holoviews.Layout
        Marks ``rooflines.roofs`` (slopes), ``rooflines.flats`` and ``rooflines.ridges``: one per platform, mode and
        precision with a known peak; the ridge point is at exactly (peak ÷ bandwidth, peak). ``rooflines.networks``: one
        per network, pruning and precision. ``rooflines.achieved``: one per configuration measured. Above 36 roofs an
        envelope (all, the middle half, the median) and the highest, the middle and the lowest by name.

    Raises
    ------
    MissingInputError
        If the cube lacks `peak_compute`, `memory_bandwidth` or `operational_intensity`.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.rooflines(rc.predict(rc.inputs("mnist"))).name
    'rooflines'
    """
    is_measured = tables.observed(cube, "compute", "throughput")[1] == "measured"
    cube = tables.require(cube, ("peak_compute", "memory_bandwidth", "operational_intensity"), figure="rooflines")
    roofs = _roofs(cube)
    networks = tables.told(cube, tables.records(cube, ["operational_intensity"]))
    networks["label"] = tables.labels_of(cube, networks, ["topology"])
    achieved = _achieved(cube) if is_measured else None
    left, right = style.log_bounds([*roofs["ridge"], *networks["operational_intensity"]], low=0.5, high=2.0)
    x_range = left, left * (right / left) ** (1 / (1 - _names_share(roofs["label"])))
    attained = np.minimum(roofs["peak_compute"], x_range[0] * roofs["memory_bandwidth"] * 1e-3)
    levels = [*attained, *roofs["peak_compute"], *(achieved["y"] if achieved else [])]
    y_range = style.log_bounds(levels, low=0.8, high=1.6)
    ticks = tuple((tick, "") for tick in style.decades(left, right))
    x = Axis(bounds=x_range, log=True, ticks=ticks, shown=False)
    y = Axis("attainable compute (TOP/s)", y_range, log=True)
    lines = _network_columns(networks)
    lines |= {"y0": np.full(len(lines["x"]), y_range[0]), "y1": np.full(len(lines["x"]), y_range[1])}
    parts = [segments(lines, ("x", "y0", "intensity", "y1"), name="rooflines.networks", color=style.MUTED, alpha=0.28,
                      line_width=1)]  # fmt: skip
    notes, title, tags = [NOTE], RIDGES.over(roofs), [RIDGES.tag()] * (len(roofs["ridge"]) <= MOST)
    if len(roofs["ridge"]) > MOST:
        parts += _envelope(roofs, x_range, right)
        notes.append(f"pale = all {with_thousands(len(roofs['ridge']))} roofs, darker = the middle half, line = median")
        roofs = _named_roofs(roofs, x_range)
    parts += _roof_lines(cube, roofs, (left, right), y_range)
    if achieved:
        crosses, shade = _achieved_marks(cube, achieved, (x, y))
        parts += crosses
        believed = tables.believed(cube, achieved, ("measured_throughput",))
        middle = percent(float(np.median(believed["share"])))
        many = counted(len(achieved["y"]), "configuration")
        notes += [f"crosses = {many} as measured, {middle} of the roof in the median; the line up is the loss", shade]
    looks: dict[str, Any] = {"notes": notes, "title": title, "tags": tags, "height": _height(len(roofs["ridge"]))}
    top = plane(parts, name="rooflines.plane", x=x, y=y, **looks)
    return layout([top, _strip(networks, x_range, ticks)], name="rooflines", columns=1)


def _roofs(cube: xr.Dataset) -> tables.Columns:
    table = tables.told(cube, tables.records(cube, ["peak_compute", "memory_bandwidth"]))
    table["ridge"] = table["peak_compute"] / table["memory_bandwidth"] * 1e3
    own = tables.own_dims(cube, table)
    named = ["platform"] if not own or tables.several(table, "platform") else []
    table["label"] = tables.labels_of(cube, table, [*named, "mode", "precision", *own])
    return tables.ranked(cube, table)


def _network_columns(networks: tables.Columns) -> dict[str, Any]:
    names = [name for name in ("precision", "topology", "label", "configuration") if name in networks]
    intensity = networks["operational_intensity"]
    texts = tables.value_text(intensity, "op/B")
    return {"x": intensity, "intensity": intensity, "text": texts, **{name: networks[name] for name in names}}


def _height(count: int) -> int:
    """Return the pixels in which that many names find their places."""
    return max(HEIGHT, AROUND + int(LABEL_STEP * (count + 1)))


def _names_share(labels: tables.Array) -> float:
    """Return the share of the width that the names of the roofs take at the right."""
    return min(max(NAMES, (80 + style.LETTER * max(map(len, labels))) / style.WIDTH), MOST_NAMES)


def _roof_lines(
    cube: xr.Dataset, roofs: tables.Columns, x_range: tuple[float, float], y_range: tuple[float, float]
) -> list[Any]:
    """Make the slope, the flat, the ridge and the name of each roof."""
    left, right = x_range
    slope, peak, ridge = roofs["memory_bandwidth"] * 1e-3, roofs["peak_compute"], roofs["ridge"]
    count = len(peak)
    shared = tables.only(roofs, "platform", "device_class", "precision", "label")
    shared["colour"] = colours_of(cube, roofs["platform"])
    shared["dash"] = _dashes(cube, roofs) if len(set(roofs["platform"])) > 1 else ["solid"] * count
    shared |= {"peak": peak, "bandwidth": roofs["memory_bandwidth"], "ridge": ridge}
    start = np.minimum(left, ridge)
    slopes = {**shared, "x0": start, "y0": start * slope, "x1": ridge, "y1": peak}
    flats = {**shared, "x0": ridge, "y0": peak, "x1": np.maximum(right, ridge), "y1": peak}
    markers = markers_of(cube, roofs)
    marked = {**shared, "marker": markers, "size": [style.marker_size(one, 10) for one in markers]}
    leader = right * (right / left) ** 0.02
    level = np.exp(spread_labels(np.log(peak), y_range, _height(count) - AROUND))
    leaders = {**shared, "x": np.full(count, right), "end": np.full(count, leader), "y": level}
    details = {"peak": ("peak", "TOP/s"), "bandwidth": ("bandwidth", "GB/s"), "ridge point": ("ridge", "op/B")}
    looks: dict[str, Any] = {"line_color": "colour", "line_dash": "dash", "line_width": 2}
    text = {"x": "end", "y": "y", "text": "label", "text_color": "colour", "x_offset": 5, "text_font_style": "bold"}
    return [
        segments(slopes, name="rooflines.roofs", tooltip=details, heading="@label", policy="interp", **looks),
        segments(flats, name="rooflines.flats", tooltip=details, heading="@label", policy="interp", **looks),
        points(marked, "ridge", "peak", name="rooflines.ridges", tooltip=details, heading="@label", marker="marker",
               size="size", fill_color="colour", line_color=style.SURFACE),
        segments(leaders, ("x", "peak", "end", "y"), name="rooflines.names", line_color="colour", line_width=1,
                 texts=[text]),
    ]  # fmt: skip


def _dashes(cube: xr.Dataset, roofs: tables.Columns) -> list[str]:
    """Return the dash of each platform; of equal roofs, the second has another one, so that both colours show."""
    seen: dict[tuple[float, float], int] = {}
    names = tables.given_names(cube, roofs["platform"].tolist())
    dash_of = style.platform_dashes(names.values())
    dashes = []
    limits = zip(roofs["peak_compute"].tolist(), roofs["memory_bandwidth"].tolist(), strict=True)
    for platform, roof in zip(roofs["platform"], limits, strict=True):
        place = style.DASHES.index(dash_of[names[platform]])
        seen[roof] = (place + 1) % len(style.DASHES) if seen.get(roof) == place else place
        dashes.append(style.DASHES[seen[roof]])
    return dashes


# very many roofs ------------------------------------------------------------------------------------------------------


def _attained(roofs: tables.Columns, at: tables.Array) -> tables.Array:
    """Return what each roof attains at each intensity."""
    return np.asarray(np.minimum(roofs["peak_compute"][:, None], roofs["memory_bandwidth"][:, None] * 1e-3 * at))


def _envelope(roofs: tables.Columns, x_range: tuple[float, float], right: float) -> list[Any]:
    """Make an area of all roofs, one of the middle half, and the median."""
    at = np.geomspace(x_range[0], right, PLACES)
    low, first, middle, third, high = np.quantile(_attained(roofs, at), [0, 0.25, 0.5, 0.75, 1], axis=0)
    return [
        curve(at, low, upper=high, name="rooflines.all", color=style.PEAK, alpha=0.3, line_width=0),
        curve(at, first, upper=third, name="rooflines.half", color=style.PEAK, alpha=0.55, line_width=0),
        curve(at, middle, name="rooflines.median", color=style.INK, line_width=2),
    ]


def _named_roofs(roofs: tables.Columns, x_range: tuple[float, float]) -> tables.Columns:
    """Choose the roofs that are named: the highest, the middle and the lowest."""
    mean = np.log(_attained(roofs, np.geomspace(*x_range, PLACES))).mean(axis=1)
    order = np.argsort(mean, kind="stable")
    rows = [*dict.fromkeys((int(order[-1]), int(order[len(order) // 2]), int(order[0])))]
    return tables.taken(roofs, rows)


# achieved -------------------------------------------------------------------------------------------------------------


def _achieved(cube: xr.Dataset) -> tables.Columns | None:
    """Lay out what was achieved: operations a second at the best measured batch, and what the roof allows there."""
    needed = ("measured_throughput", "ops", "operational_intensity", "peak_compute", "memory_bandwidth")
    if not set(needed) <= set(cube.variables):
        return None
    small = tables.at_best_batch(cube[[*needed, *({"quality"} & set(cube.variables))]], "measured_throughput")
    table = tables.records(small, needed)
    x, y = table["operational_intensity"], table["measured_throughput"] * table["ops"] * 1e-12
    roof = np.minimum(table["peak_compute"], table["memory_bandwidth"] * 1e-3 * x)
    return {**table, "x": x, "y": y, "roof": roof, "share": y / roof}


def _achieved_marks(cube: xr.Dataset, achieved: tables.Columns, axes: tuple[Axis, Axis]) -> tuple[list[Any], str]:
    """Make a cross and the loss up to the roof for each configuration; of very many, a shade and the best."""
    drawn, shade, marked = marks(
        cube,
        achieved,
        ("x", "y"),
        axes,
        name="rooflines.achieved",
        doubtful=np.zeros(len(achieved["y"]), dtype=bool),
        also=lambda rows: tables.only(rows, "roof", "share") | {"share_text": [percent(one) for one in rows["share"]]},
        worth=lambda: extreme_rows(achieved, achieved["y"], achieved["share"]),
        worth_are="the best of each platform",
        tooltip={"achieved": ("y", "TOP/s"), "of the roof": "@share_text"},
        **CROSS,
    )
    loss = tables.only(marked, "x", "y", "roof", "colour", *tables.TOGGLED) | {"x1": marked["x"]}
    lines = segments(loss, ("x", "y", "x1", "roof"), name="rooflines.losses", line_color="colour", alpha=0.35)
    return [*drawn[:-1], lines, drawn[-1]], shade


# labels and the strip of networks -------------------------------------------------------------------------------------


def spread_labels(levels: tables.Array, bounds: tuple[float, float], pixels: float) -> tables.Array:
    """Move labels apart so that none overprints another: nearest places in the same order."""
    from scipy.optimize import isotonic_regression

    low, high = np.log(bounds[0]), np.log(bounds[1])
    step = (high - low) * LABEL_STEP / pixels
    order, even = np.argsort(levels, kind="stable"), step * np.arange(len(levels))
    # the nearest places that are a step apart, less those steps, are the nearest that do not fall
    placed = isotonic_regression(levels[order].astype("f8") - even).x + even
    placed += max(0.0, low + step / 2 - placed[0])
    placed -= max(0.0, placed[-1] - high + step / 2)
    return np.asarray(placed[np.argsort(order)])


def _strip(networks: tables.Columns, x_range: tuple[float, float], ticks: tuple[tuple[float, str], ...]) -> Any:
    """Draw the networks' intensities by name under the roofs, on the same axis."""
    names = list(dict.fromkeys(networks["label"])) or [""]
    place = {name: -float(row) for row, name in enumerate(names)}
    columns = _network_columns(networks)
    columns |= {"y": np.array([place[name] for name in networks["label"]])}
    parts = [points(columns, "intensity", "y", name="rooflines.marks", tooltip={"operational intensity": "@text"},
                    marker="dash", angle=90, size=16, line_width=2, color=style.INK)]  # fmt: skip
    few = len(names) <= MOST
    if "precision" in networks and few:
        heads = _heads(networks)
        heads["precision"] = _without_collisions(heads, x_range)
        heads["y"] = np.array([place[name] for name in heads["label"]])
        text = {"x": "intensity", "y": "y", "text": "precision", "x_offset": 5, "text_color": style.MUTED}
        parts.append(points(heads, "intensity", "y", name="rooflines.heads", alpha=0.0, texts=[text]))
    rows = tuple((place[name], str(name)) for name in names[:: -(-len(names) // MOST)])
    x = Axis("operational intensity (op per byte of weights)", x_range, log=True, ticks=ticks)
    y = Axis(bounds=(0.6 - len(names), 0.6), ticks=rows, grid=False)
    return plane(parts, name="rooflines.strip", x=x, y=y, height=100 + min(34 * len(names), 700), toolbar=None)


def _without_collisions(heads: dict[str, Any], x_range: tuple[float, float]) -> list[str]:
    """Shorten names that would run into the next mark of their row to the first, or leave them out."""
    at = style.share(heads["intensity"], x_range, log=True) * (style.WIDTH - 80)
    labels = np.array([str(label) for label in heads["label"]])
    shown = []
    for place, label, name in zip(at, labels, heads["precision"], strict=True):
        after = at[(labels == label) & (at > place)]
        room = after.min() - place if after.size else np.inf
        shown.append(next((one for one in (str(name), str(name).split(",")[0]) if room > 12 + 8 * len(one)), ""))
    return shown


def _heads(networks: tables.Columns) -> dict[str, Any]:
    """Place a precision's name right of the network's last mark at that precision; those of one width share a place."""
    names = {"label": "label", "precision": "precision", "intensity": "operational_intensity"}
    names |= {"topology": "topology"} if "topology" in networks else {}
    table = pl.DataFrame({name: list(networks[column]) for name, column in names.items()})
    last = table.group_by("label", "precision", maintain_order=True).max()
    joined = pl.col("precision").str.join(", "), pl.col("^topology$").first()
    together = last.group_by("label", "intensity", maintain_order=True).agg(joined)
    return together.to_dict(as_series=False)
