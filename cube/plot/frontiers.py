"""Trade-offs: all points with their Pareto front, the front alone, and the predicted front over the measured one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError
from roofcube.plot.drawing import style, tables
from roofcube.plot.drawing.elements import plane, points, segments, staircase
from roofcube.plot.drawing.findings import BELIEVED, ON_FRONT, Finding
from roofcube.plot.drawing.points import (
    LOOKS,
    MANY,
    MEASURED_KEY,
    NAMED,
    PREDICTED_KEY,
    SIDES,
    axis_of,
    crosses,
    extreme_rows,
    mark_columns,
    marks,
    place_labels,
    platform_key,
)
from roofcube.sweep import Sweep
from roofcube.sweep.questions import pareto as front_of
from roofcube.sweep.questions import senses_of
from roofcube.sweep.trust import impossible_bits
from roofcube.vocabulary import CONFIGURATION, MEASURED_ACCURACIES
from roofcube.wording import NOT_KNOWN, counted, listed, percent, with_thousands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.plot.drawing.elements import Axis
    from roofcube.vocabulary import Sense

__all__ = ["front", "overlap", "pareto"]

HEIGHT, TALLER = 560, 580  # pixels of a front, and of two
MIDDLE = ("median", "share", "")
REACHED = Finding(
    "overlap.measured",
    ("Measurements reach ", MIDDLE, " of the prediction in the median"),
    same=(MIDDLE, NOT_KNOWN),
    single=("No configuration was both predicted and measured as is possible",),
)
ACCURACIES = {"top1", "top5", *MEASURED_ACCURACIES}
WANTING = "not drawn for want of an accuracy"
POSSIBLE = ("predicted_throughput", "top1")  # the objectives of the theoretical front


def pareto(
    cube: xr.Dataset | Sweep,
    *,
    objectives: Mapping[str, Sense | None] | None = None,
    scope: str = "compute",
    measurements: Any = None,
) -> Any:
    """Draw all points of a cube in two objectives and their Pareto front as a staircase.

    Parameters
    ----------
    cube : Dataset or Sweep
        With the objectives as variables; a front (dim `point`) too. Of a Sweep, the front alone.
    objectives : mapping of name to {"max", "min"}, optional
        Two variables, horizontal one first. Default: throughput and top-1 accuracy, measured where they were.
    scope : {"compute", "system"}
        Which throughput to take where `objectives` is not given.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    holoviews.Overlay
        Marks ``pareto.points``: one per cell where both objectives are known; ``pareto.front``: one per
        distinct point of the front that `roofcube.pareto` finds. Above 5,000 cells a shade ``pareto.density`` counts
        them, and marks are the front and the best of each platform.

    Raises
    ------
    MissingInputError
        If the cube lacks an objective.
    InvalidDataError
        If there are not two objectives.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.pareto(rc.benchmark("mnist")).name
    'pareto'
    """
    return _trade_off("pareto", cube, objectives, scope, measurements, alone=isinstance(cube, Sweep))


def front(
    cube: xr.Dataset | Sweep,
    *,
    objectives: Mapping[str, Sense | None] | None = None,
    scope: str = "compute",
    measurements: Any = None,
    others: bool = False,
) -> Any:
    """Draw a Pareto front alone, each point with its configuration; of predictions, the theoretical front.

    Parameters
    ----------
    cube : Dataset or Sweep
        With the objectives as variables; a Sweep answers for its front and is never computed whole.
    objectives : mapping of name to {"max", "min"}, optional
        Two variables, horizontal one first. Default: throughput and top-1 accuracy, measured where they were.
    scope : {"compute", "system"}
        Which throughput to take where `objectives` is not given.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.
    others : bool
        Draw what the front beats too, pale and without words, up to 5,000 points; not of a Sweep.

    Returns
    -------
    holoviews.Overlay
        Marks ``front.points``: one per point of the front, ties too; ``front.front``: one per distinct point;
        ``front.others``: what is beaten.

    Raises
    ------
    MissingInputError
        If the cube lacks an objective.
    InvalidDataError
        If there are not two objectives.

    Examples
    --------
    >>> import roofcube as rc
    >>> cube = rc.predict(rc.inputs("mnist"))
    >>> rc.plot.front(cube, objectives={"predicted_throughput": "max", "top1": "max"}).name
    'front'
    """
    return _trade_off("front", cube, objectives, scope, measurements, alone=True, others=others)


def _trade_off(
    name: str,
    cube: Any,
    objectives: Mapping[str, Sense | None] | None,
    scope: str,
    measurements: Any,
    *,
    alone: bool,
    others: bool = False,
) -> Any:
    """Draw the front alone, or with all points behind it."""
    wanted, how = _objectives(cube, objectives, scope)
    x, y = wanted
    pair, wanting = (x, y), 0
    if isinstance(cube, Sweep):
        senses, size = senses_of(cube, wanted), cube.size
        cube = best = tables.require(cube.pareto(senses, ties="all"), pair, figure=name)
    else:
        cube = tables.require(cube, pair, figure=name, measurements=measurements)
        finite = {one: cube[one].where(abs(cube[one]) < np.inf) for one in pair if one in cube.data_vars}
        known = cube.assign(finite)
        senses, size = senses_of(cube, wanted), int((known[x] * known[y]).notnull().sum())
        best = _front_over_used_dims(known, senses)
        accuracies = [(one, other) for one, other in (pair, pair[::-1]) if other in ACCURACIES]
        wanting = sum(_without_accuracy(known, *both) for both in accuracies)
        if alone and (lost := int((cube[x] * cube[y]).notnull().sum()) - size):
            tables.warn_of_infinite(lost, pair)
    table = tables.records(best if alone else cube, pair)
    table = tables.taken(table, np.argsort(table[x], kind="stable")) if alone else tables.ranked(cube, table)
    beaten = _beaten(cube, table, pair) if others and size <= MANY else tables.taken(table, slice(0))
    axes = _pair_of_axes(cube, pair, [np.concatenate([table[one], beaten[one]]) for one in pair])
    colour = style.MUTED if alone else style.INK
    names = [f"{name}.points", f"{name}.others"][: 2 if beaten[x].size else 1]
    whole = len(table[x]) + beaten[x].size == size <= MANY  # all points are drawn: a page can find the front anew
    stairs = _staircase(cube, best, senses, name=f"{name}.front", colour=colour, marks=names if whole else [])
    finding = _on_front(names[0], named="platform" in best.coords)
    table[BELIEVED] = np.asarray(tables.possible(cube, table["quality"], pair))
    table[ON_FRONT] = table[BELIEVED] & _at_places_of(cube, table, best, senses)
    looks: dict[str, Any] = {
        "name": f"{name}.points",
        "doubtful": tables.doubts(cube, table["quality"], pair),
        "worth": lambda: _worth_a_mark(cube, table, best, senses),
        "marker_size": 10.4 if alone else 8,
        "tooltip": _tooltip(cube, x, y),
    }
    on_front = np.concatenate([table[ON_FRONT], np.zeros(beaten[x].size, dtype=bool)])
    title = finding.over({ON_FRONT: on_front, "platform": np.concatenate([table["platform"], beaten["platform"]])})
    if alone and not (others and whole):
        whose = _ends(best)
        title = f"The front of {counted(size, 'point')} has {_places_text(table, x, y)}{f': {whose}' if whose else ''}"
    if alone:
        note = "pale = beaten by the front of all" if beaten[x].size else "what is not drawn is beaten by the front"
        note = f"{how}{note}; {style.HOLLOW}"
        dims = [dim for dim in (*CONFIGURATION, *tables.own_dims(cube, table)) if tables.several(table, dim)]
        texts, room = tables.labels_of(cube, table, dims).tolist(), (style.WIDTH - 90, HEIGHT - 190)
        placed = place_labels(table[x], table[y], texts, axes, room)
        table |= {side: np.array(shown, dtype=object) for side, shown in placed.items()}
        looks |= {"also": lambda rows: tables.only(rows, *SIDES), "texts": NAMED}
    else:
        note = f"{how}line = Pareto front of what is shown; {style.HOLLOW}"
    drawn, shade, marked = marks(cube, table, pair, axes, **looks)
    pale = _pale_columns(cube, beaten, pair)
    looks_of_pale = {**LOOKS, "line_alpha": 0.3, "fill_alpha": 0.15, "tooltip": looks["tooltip"]}
    others_drawn = [points(pale, "x", "y", name=f"{name}.others", **looks_of_pale)] if pale else []
    parts, key = [*drawn[:-1], *others_drawn, stairs, drawn[-1]], platform_key(marked, pale)
    tags, unseen = [finding.tag()] * whole, f"{WANTING}: {counted(wanting, 'point')}" if wanting else ""
    more: dict[str, Any] = {"title": title, "notes": [note, unseen, shade], "key": key, "tags": tags}
    return plane(parts, name=name, x=axes[0], y=axes[1], height=HEIGHT, **more)


def _on_front(marks: str, *, named: bool) -> Finding:
    """Say how many points are on the front, and whose they are."""
    front, count, whose = ("front", "", ""), ("count", "", ""), ("names", ": ", "platform")
    words = ((front, " of ", count, f" {verb} on the front") for verb in ("are", "is"))
    title, single = ((*one, whose) if named else one for one in words)
    return Finding(marks, title, same=(front, "1"), single=single)


def _without_accuracy(cube: xr.Dataset, rate: str, accuracy: str) -> int:
    """Count the cells of which the accuracy alone is not known."""
    return int((cube[rate].notnull() & cube[accuracy].isnull()).sum())


def _beaten(cube: xr.Dataset, front: tables.Columns, pair: Sequence[str]) -> tables.Columns:
    """Return the rows of a cube that lie where no point of its front does."""
    table = tables.records(cube, pair)
    at, of_front = (one[pair[0]] + 1j * one[pair[1]] for one in (table, front))
    impossible = ~np.asarray(tables.possible(cube, table["quality"], pair))
    return tables.told(cube, tables.taken(table, ~np.isin(at, of_front) | impossible))


def _pale_columns(cube: xr.Dataset, beaten: tables.Columns, pair: tuple[str, str]) -> dict[str, Any]:
    if not beaten[pair[0]].size:
        return {}
    beaten[BELIEVED] = np.asarray(tables.possible(cube, beaten["quality"], pair))
    return mark_columns(cube, beaten, pair, tables.doubts(cube, beaten["quality"], pair), size=6)


def _places_text(table: tables.Columns, x: str, y: str) -> str:
    """Count the places of a front, and its points where several share one."""
    points, places = len(table[x]), len(set(zip(table[x].tolist(), table[y].tolist(), strict=True)))
    return str(points) if points == places else f"{points} at {counted(places, 'place')}"


def _front_over_used_dims(cube: xr.Dataset, senses: Mapping[str, Sense]) -> xr.Dataset:
    """Ask for the front over the dims that an objective or its trust has: along others each point would repeat."""
    judged = ("quality",) if "quality" in cube and impossible_bits(senses) else ()
    depended = {dim for name in (*senses, *judged) for dim in cube[name].dims}
    idle = {dim: 0 for dim, size in cube.sizes.items() if dim not in depended and size}
    return front_of(cube.isel(idle, drop=True), senses, ties="all")


def _objectives(
    cube: Any, given: Mapping[str, Sense | None] | None, scope: str
) -> tuple[Mapping[str, Sense | None], str]:
    """Return the two objectives of a figure, and where their values come from."""
    if given is None:
        names, kind = tables.observed(cube, scope, "throughput", "top1")
        accuracy = tables.accuracy_text(cube) if kind == "measured" else ""
        how = f"{tables.how_text(kind, scope, cube)}{accuracy}; " if isinstance(cube, xr.Dataset) else "predicted; "
        return {names["throughput"]: "max", names["top1"]: "max"}, how
    if len(given) != 2:
        msg = f"`objectives`: expected two variables, got {len(given)}; draw other pairs in figures of their own"
        raise InvalidDataError(msg)
    return given, ""


def _sign(sense: Sense) -> int:
    return 1 if sense == "max" else -1


def _short(name: str) -> str:
    """Name a variable's quantity: throughput, latency, top-1 accuracy."""
    for kind in ("measured_", "predicted_", "system_"):
        name = name.removeprefix(kind)
    return {"top1": "top-1 accuracy", "top5": "top-5 accuracy"}.get(name, name.replace("_", " "))


def _ends(best: xr.Dataset) -> str:
    platforms = np.atleast_1d(best["platform"].values) if "platform" in best.coords else ()
    names = list(dict.fromkeys(map(str, platforms)))
    return ", ".join(names[:6]) + (f" and {counted(len(names) - 6, 'other')}" if len(names) > 6 else "")


def _pair_of_axes(cube: xr.Dataset, pair: Sequence[str], values: Sequence[Any]) -> tuple[Axis, Axis]:
    x, y = (axis_of(cube, name, _short(name), known) for name, known in zip(pair, values, strict=True))
    return x, y


def _worth_a_mark(
    cube: xr.Dataset, table: tables.Columns, best: xr.Dataset, senses: Mapping[str, Sense]
) -> tables.Array:
    """Return the rows that keep a mark of their own among very many: the front, and the best of each platform."""
    ends = extreme_rows(table, *(_sign(sense) * table[one] for one, sense in senses.items()))
    return _at_places_of(cube, table, best, senses) | ends


def _at_places_of(
    cube: xr.Dataset, table: tables.Columns, best: xr.Dataset, senses: Mapping[str, Sense]
) -> tables.Array:
    """Return the rows that lie where a point of the front does."""
    x, y = _objectives_shown(cube, best, senses)
    across, up = (table[one] for one in senses)
    return np.isin(across + 1j * up, x + 1j * y)


def _tooltip(cube: xr.Dataset, x: str, y: str) -> dict[str, Any]:
    source = tables.source_text(cube) if "measured" in f"{x}{y}" else tables.model_text(cube)
    values = {_short(name): (letter, tables.scale_of(cube, name)[1]) for letter, name in (("x", x), ("y", y))}
    return {**values, "flags": "@flags", "source": source}


def _objectives_shown(cube: xr.Dataset, best: xr.Dataset, senses: Mapping[str, Sense]) -> list[tables.Array]:
    """Return the objectives of the points of a front."""
    return [np.asarray(best[one].values, dtype="f8") * tables.scale_of(cube, one)[0] for one in senses]


def _staircase(
    cube: xr.Dataset, best: xr.Dataset, senses: Mapping[str, Sense], *, name: str, colour: str, marks: Sequence[str]
) -> Any:
    """Make the staircase of the front of `marks` in the units shown, horizontal objective first."""
    x, y = _objectives_shown(cube, best, senses)
    tags = [{"front_of": list(marks), "signs": [_sign(sense) for sense in senses.values()]}] if marks else []
    return staircase(x, y, sense_x=next(iter(senses.values())), name=name, tags=tags, color=colour)


# predicted over measured ----------------------------------------------------------------------------------------------


def overlap(cube: xr.Dataset, *, scope: str = "compute", measurements: Any = None) -> Any:
    """Draw predicted over measured: accuracy against throughput, matched pairs linked, both fronts as staircases.

    Parameters
    ----------
    cube : Dataset
        With `predicted_throughput` and `top1`; measured throughput as far as it was measured, with `measured_top1`
        or, where no accuracy was measured at all, with that of the networks.
    scope : {"compute", "system"}
        Measured throughput of the accelerator alone, or with host and transfers.
    measurements : table, optional
        The rows that were joined; tooltips then name the source row of each point.

    Returns
    -------
    holoviews.Overlay
        Marks ``overlap.predicted`` and ``overlap.measured``: one per configuration (best batch) with a known
        accuracy; ``overlap.links``: one per configuration in both; ``overlap.predicted_front`` and
        ``overlap.measured_front``: one per distinct point. Column `match` is 'matched', 'predicted only' or
        'measured only'.

    Raises
    ------
    MissingInputError
        If the cube lacks predictions or their accuracy.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.plot.overlap(rc.benchmark("mnist")).name
    'overlap'
    """
    throughput, accuracy = tables.measured_names(scope)["throughput"], tables.accuracy_of(cube)
    both = tables.observed(cube, scope, "throughput", "top1")[1] == "measured"
    needed = (*POSSIBLE, throughput, accuracy) if both else POSSIBLE
    cube = tables.require(cube, needed, figure="overlap", measurements=measurements)
    if not both:
        blank = xr.full_like(cube["predicted_throughput"], np.nan)
        cube = cube.assign({throughput: blank, "measured_top1": blank})
    best = _best_batch(cube, throughput, accuracy)
    predicted = tables.records(best["predicted"], POSSIBLE)
    pair = (throughput, accuracy)
    senses: dict[str, dict[str, Sense]] = {"predicted": dict.fromkeys(POSSIBLE, "max")}
    senses |= {"measured": dict.fromkeys(pair, "max")} if both else {}
    fronts = {kind: front_of(best[kind], more, ties="all") for kind, more in senses.items()}
    none = {**tables.taken(predicted, slice(0)), **dict.fromkeys(pair, np.zeros(0))}
    measured = tables.told(best["measured"], tables.records(best["measured"], pair)) if both else none
    left, right = _match(predicted, measured, tables.own_dims(cube, predicted))
    total, crowd = len(predicted["top1"]), ""
    if total > MANY:
        mask = _worth_a_mark(cube, predicted, fronts["predicted"], senses["predicted"])
        mask[left] = True
        predicted, left = tables.taken(predicted, mask), np.cumsum(mask)[left] - 1
        crowd = f"{with_thousands(int(mask.sum()))} of {with_thousands(total)} predictions are drawn: those measured, "
        crowd += "the front and the best of each platform"
    predicted = tables.told(cube, predicted)
    both_values = [np.concatenate([predicted[one], measured[other]]) for one, other in zip(POSSIBLE, pair, strict=True)]
    x, y = _pair_of_axes(cube, POSSIBLE, both_values)
    circles = _overlap_columns(predicted, POSSIBLE, left, "predicted")
    circles["filled"] = np.where((circles["match"] == "matched") | (not left.size), 0.85, 0.15)
    found = _overlap_columns(measured, pair, right, "measured")
    doubtful = tables.doubts(cube, measured["quality"], pair)
    ratio = np.full(len(doubtful), np.nan)
    ratio[right] = found["x"][right] / circles["x"][left]
    found |= tables.only(measured, "flags", "source") | {"ratio": [percent(one) for one in ratio]}
    ratio[~tables.possible(cube, measured["quality"], pair)] = np.nan
    found |= {"share": ratio, BELIEVED: np.asarray(tables.possible(cube, measured["quality"], pair))}
    links = tables.taken(tables.only(found, *tables.TOGGLED, "match"), right)
    links |= {"x0": circles["x"][left], "y0": circles["y"][left], "x1": found["x"][right], "y1": found["y"][right]}
    parts = [segments(links, name="overlap.links", color=style.MUTED, alpha=0.45, line_width=1)]
    for kind, stairs in fronts.items():
        colour = style.PREDICTED if kind == "predicted" else style.MEASURED
        looks: dict[str, Any] = {
            "name": f"overlap.{kind}_front",
            "colour": colour,
            "marks": [f"overlap.{kind}"] * (not crowd),
        }
        parts.append(_staircase(cube, stairs, senses[kind], **looks))
    rows, possible = {"predicted": predicted, "measured": measured}, {"predicted": True, "measured": found[BELIEVED]}
    on_fronts = {
        kind: possible[kind] & _at_places_of(cube, rows[kind], stairs, senses[kind]) for kind, stairs in fronts.items()
    }
    _name_platforms({"predicted": circles, "measured": found}, on_fronts, (x, y))
    values = {"x": ("x", tables.rate_unit(cube)), "y": ("y", "%")}
    of_circles = {"predicted": values["x"], "top-1 accuracy": values["y"], "state": "@match"}
    of_crosses = {"measured": values["x"], "top-1 accuracy": values["y"], "efficiency": "@ratio", "state": "@match"}
    parts += [
        points(circles, "x", "y", name="overlap.predicted", marker="circle", size=10, line_width=1.5,
               fill_color=style.PREDICTED, line_color=style.PREDICTED, fill_alpha="filled",
               tooltip={**of_circles, "source": tables.model_text(cube)}, texts=NAMED),
        crosses(found, "x", "y", doubtful, name="overlap.measured", texts=NAMED,
                tooltip={**of_crosses, "flags": "@flags", "source": tables.source_text(cube)}),
    ]  # fmt: skip
    entries: dict[str, dict[str, Any]] = {
        f"predicted ({total})": PREDICTED_KEY,
        f"measured ({len(ratio)})": MEASURED_KEY,
        f"same configuration ({left.size})": {"marker": "line", "line_color": style.MUTED},
    }
    notes, tags = [*_overlap_words(best, pair, (total, len(ratio)), left.size, scope), crowd], [REACHED.tag()]
    title = REACHED.over({"share": ratio})
    return plane(parts, name="overlap", x=x, y=y, title=title, notes=notes, key=entries, height=TALLER, tags=tags)


def _name_platforms(
    marks: Mapping[str, dict[str, Any]], on_front: Mapping[str, tables.Array], axes: tuple[Axis, Axis]
) -> None:
    """Write whose each stretch of a front is beside its first point, where that overprints no other name."""
    places: list[tuple[str, int]] = []
    texts: list[str] = []
    for kind, mask in on_front.items():
        one, before = marks[kind], ""
        whose: dict[tuple[float, float], list[int]] = {}
        for row in np.flatnonzero(mask).tolist():
            whose.setdefault((one["x"][row], one["y"][row]), []).append(row)
        for _, rows in sorted(whose.items()):
            names = listed(list(dict.fromkeys(str(one["platform"][row]) for row in rows)), most=2)
            places.append((kind, rows[0]))
            texts.append(names if names != before else "")
            before = names
    x, y = (np.array([marks[kind][letter][row] for kind, row in places]) for letter in "xy")
    for one in marks.values():
        one |= {side: np.full(len(one["x"]), "", dtype=object) for side in SIDES}
    for side, shown in place_labels(x, y, texts, axes, (style.WIDTH - 90, TALLER - 190)).items():
        for (kind, row), text in zip(places, shown, strict=True):
            marks[kind][side][row] = text


def _best_batch(cube: xr.Dataset, throughput: str, accuracy: str) -> dict[str, xr.Dataset]:
    """Take predictions and measured throughput at the best batch of each configuration, and of each own label."""
    wide, names = {}, [name for name in (throughput, accuracy, "quality", "source_row") if name in cube]
    predicted = tables.at_best_batch(cube[[*POSSIBLE]], *POSSIBLE)
    best = {
        "predicted": (predicted.drop_vars("batch", errors="ignore"), POSSIBLE),
        "measured": (tables.at_best_batch(cube[names], throughput, accuracy), (throughput, accuracy)),
    }
    # what one of them does not differ along holds at each of the other's labels
    dims = [str(dim) for one, pair in best.values() for name in pair for dim in one[name].dims]
    own = {dim: cube[dim] for dim in dims if dim not in (*CONFIGURATION, "batch", tables.POINT)}
    for kind, (one, (rate, _)) in best.items():
        missing = {dim: labels for dim, labels in own.items() if dim not in one[rate].dims}
        wide[kind] = one.assign({rate: one[rate].expand_dims(missing)})
    return wide


def _match(
    predicted: tables.Columns, measured: tables.Columns, own: Sequence[str]
) -> tuple[tables.Array, tables.Array]:
    """Return the rows of each configuration that is in both tables."""
    keys = [name for name in (*CONFIGURATION, *own) if name in predicted and name in measured]
    place, found = (tables.rows_by_labels(columns, keys) for columns in (predicted, measured))
    pairs = [(place[labels][-1], row) for labels, rows in found.items() if labels in place for row in rows]
    left, right = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
    return left, right


def _overlap_columns(table: tables.Columns, pair: Sequence[str], rows: tables.Array, other: str) -> dict[str, Any]:
    match = np.full(len(table[pair[0]]), f"{other} only", dtype=object)
    match[rows] = "matched"
    labels = tables.only(table, *tables.TOGGLED, "configuration")
    return {**labels, "x": table[pair[0]], "y": table[pair[1]], "match": match}


def _overlap_words(
    best: Mapping[str, xr.Dataset], pair: Sequence[str], counts: Sequence[int], both: int, scope: str
) -> list[str]:
    drawn_of = zip(best.values(), (POSSIBLE, pair), strict=True)
    not_drawn = [_without_accuracy(one, *both) for one, both in drawn_of]
    lost = "; {}: {} predicted, {} measured".format(WANTING, *not_drawn) if any(not_drawn) else ""
    alone = [count - both for count in counts]
    matched = counted(both, "configuration")
    told = f"{matched} matched, {alone[0]} predicted only (pale), {alone[1]} measured only{lost}"
    told += tables.accuracy_text(best["measured"]) if counts[1] else ""
    how = f"measured at the best batch, {tables.scope_text(scope)}; {style.BOXED}"
    return [told, f"{how}; staircases = Pareto fronts of what is shown, with whose they are"]
