"""States of the explorer in words: to start with, checked, as the text of an address, as calls in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

import numpy as np
import xarray as xr

from roofcube.errors import InvalidDataError, check_limits, unknown_label
from roofcube.explorer.answers import EXPLORED, where_of
from roofcube.explorer.categories import label_text
from roofcube.explorer.state import TABLES, TABS, View
from roofcube.inert import inert_label

if TYPE_CHECKING:
    from roofcube.explorer.answers import Source

__all__ = ["MOST_IDS", "check", "defaults", "python_of", "read_address", "written"]

MOST_IDS = 20  # that an address names; a larger selection is written as its box
FAVOURITES = (
    ("measured_throughput", "measured_top1"),
    ("measured_throughput", "top1"),
    ("predicted_throughput", "top1"),
    ("predicted_throughput", "predicted_energy"),
    ("predicted_throughput", "predicted_latency"),
)
AXES = (("platform", "pruning"), ("platform", "precision"), ("platform", "topology"), ("peak", "bandwidth"))
PLAIN = {"want": "objective", "x": "x", "y": "y", "columns": "columns", "rows": "rows", "tab": "tab", "table": "table"}
SAFE = " :,.~+-()"


def defaults(source: Source, kind: str = "") -> dict[str, Any]:
    """Choose the state to start with."""
    kind = kind or source.kinds[0]
    measures = source.measures(kind)
    about = "measured" if kind == "measured" else "predicted"
    pairs = (pair for pair in FAVOURITES if pair[0].startswith(about) and all(name in measures for name in pair))
    x, y = next(pairs, (measures[0], measures[min(1, len(measures) - 1)]))
    names = [*source.categories(kind), *source.ranges(kind)]
    axes = next((pair for pair in AXES if all(name in names for name in pair)), tuple((names * 2)[:2]) or ("", ""))
    return {"kind": kind, "objective": x, "x": x, "y": y, "columns": axes[0], "rows": axes[1]}


def check(view: View, source: Source) -> None:
    """Raise where a state names what the source does not have.

    Raises
    ------
    UnknownLabelError
        If a variable, dim, label or id is not known.
    InvalidDataError
        If a limit is no pair of ends, or its low end is above its high one.
    """
    if view.kind not in source.kinds:
        raise unknown_label("kind", view.kind, source.kinds)
    measures, numbers = source.measures(view.kind), source.numbers(view.kind)
    for what in ("objective", "x", "y"):
        if getattr(view, what) not in measures:
            raise unknown_label(what, getattr(view, what), measures)
    for part in (view.limits, view.box):
        for name, limit in part.items():
            if name not in numbers:
                raise unknown_label("limits", name, numbers)
            _check_limit(name, limit)
    categories = source.categories(view.kind)
    for name, labels in view.keep.items():
        if name not in categories:
            raise unknown_label("keep", name, categories)
        for label in labels:
            if label_text(label) not in categories[name].number_of:
                raise unknown_label(name, label, categories[name].texts)
    axes = [*categories, *source.ranges(view.kind)]
    for what in ("columns", "rows"):
        if getattr(view, what) and getattr(view, what) not in axes:
            raise unknown_label(what, getattr(view, what), axes)
    for missing in source.find(view.kind, [*view.selected, *view.pinned]):
        msg = f"`selected`: no row has the id {missing!r}; take ids from `explorer.view.selected` of the same cube"
        raise InvalidDataError(msg)


def _check_limit(name: str, limit: Any) -> None:
    ends = limit if isinstance(limit, tuple | list) and len(limit) == 2 else None
    if ends is None or any(not isinstance(end, int | float | np.number | None) or end != end for end in ends):
        msg = f"`limits[{name!r}]`: expected (low, high), got {limit!r}; give two numbers, None for an open end"
        raise InvalidDataError(msg)
    check_limits(name, *ends)


# the address ----------------------------------------------------------------------------------------------------------


def written(view: View, source: Source) -> str:
    """Write a state as the text of an address: what differs from the state to start with, by label."""
    start = defaults(source, view.kind)
    parts: list[tuple[str, str]] = []
    if view.kind != source.kinds[0]:
        parts.append(("of", view.kind))
    initial = {**start, "tab": TABS[0], "table": TABLES[0]}
    parts += [(key, getattr(view, name)) for key, name in PLAIN.items() if getattr(view, name) != initial[name]]
    parts += [("where", f"{_without_marks(name)}:{_limit_text(limit)}") for name, limit in view.limits.items()]
    for name, labels in view.keep.items():
        listed = ",".join(_without_marks(label_text(label)) for label in labels)
        parts.append(("keep", f"{_without_marks(name)}:{listed}"))
    if view.hide_doubts:
        parts.append(("doubts", "hidden"))
    parts += [("box", f"{_without_marks(name)}:{_limit_text(limit)}") for name, limit in view.box.items()]
    parts += [("sel", name) for name in view.selected[:MOST_IDS]]
    parts += [("pin", name) for name in view.pinned[:MOST_IDS]]
    text = "&".join(f"{key}={quote(value, safe=SAFE).replace('+', '%2B').replace(' ', '+')}" for key, value in parts)
    return f"?{text}" if text else ""


def read_address(text: str, source: Source) -> tuple[dict[str, Any], list[str]]:
    """Read a state from an address.

    Returns
    -------
    settings : dict
        Of a `View`; what is not said is as to start with.
    complaints : list of str
        What of the address is not known.
    """
    complaints: list[str] = []
    pairs = parse_qsl(text.lstrip("?"), keep_blank_values=True, max_num_fields=500)
    kind = next((value for key, value in pairs if key == "of"), source.kinds[0])
    if kind not in source.kinds:
        complaints.append(f"no figures are {_cited(kind)}; there are {', '.join(source.kinds)}")
        kind = source.kinds[0]
    settings: dict[str, Any] = {**View().values_now(), **defaults(source, kind)}
    settings |= {name: {} for name in ("limits", "keep", "box")} | {"selected": [], "pinned": []}
    for key, value in pairs:
        complaint = "" if key == "of" else _read_pair(key, value, settings, source)
        if complaint:
            complaints.append(complaint)
    for name in ("selected", "pinned"):
        missing = source.find(kind, settings[name])
        complaints += [f"no row is {_cited(row)}" for row in missing]
        settings[name] = [row for row in settings[name] if row not in missing]
    return settings, complaints


def _read_pair(key: str, value: str, settings: dict[str, Any], source: Source) -> str:
    """Read one part of an address into the settings; return what is wrong with it."""
    kind = settings["kind"]
    if key in PLAIN:
        choices = {"tab": TABS, "table": TABLES, "columns": None, "rows": None}.get(key, source.measures(kind))
        if choices is None:
            choices = [*source.categories(kind), *source.ranges(kind)]
        if value not in choices:
            return f"{key} has no {_cited(value)}"
        settings[PLAIN[key]] = value
    elif key in ("where", "box"):
        name, _, ends = value.partition(":")
        limit = _read_range(ends)
        if unquote(name) not in source.numbers(kind) or limit is None:
            return f"limit {_cited(value)} is not understood"
        settings["limits" if key == "where" else "box"][unquote(name)] = limit
    elif key == "keep":
        return _read_labels(value, settings["keep"], source, kind)
    elif key in ("sel", "pin"):
        settings["selected" if key == "sel" else "pinned"].append(value)
    elif key == "doubts" and value == "hidden":
        settings["hide_doubts"] = True
    else:
        return f"{_cited(key)} is not understood"
    return ""


def _read_labels(value: str, keep: dict[str, Any], source: Source, kind: str) -> str:
    dim, _, listed = value.partition(":")
    category = source.categories(kind).get(unquote(dim))
    if category is None:
        return f"there is no {_cited(unquote(dim))} to choose from"
    texts = [unquote(text) for text in listed.split(",")]
    labels = [category.labels[category.number_of[text]] for text in texts if text in category.number_of]
    if labels:
        keep[unquote(dim)] = labels
    missing = [text for text in texts if text not in category.number_of]
    return f"{category.name} has no {', '.join(map(_cited, missing))}" if missing else ""


def _without_marks(text: str) -> str:
    """Write a name or label so that it holds none of the marks that part an address."""
    return quote(text, safe=" ~+-()[]<>=*/@!'\"")


def _cited(text: str) -> str:
    return f"“{inert_label(text)}”"


def _limit_text(limit: Any) -> str:
    return "..".join("" if end is None else _literal_number(end) for end in limit)


def _literal_number(number: float) -> str:
    return label_text(float(f"{number:.12g}")) if number == float(f"{number:.12g}") else repr(float(number))


def _read_range(text: str) -> tuple[float | None, float | None] | None:
    low, dots, high = text.partition("..")
    try:
        ends = tuple(float(end) if end else None for end in (low, high))
    except ValueError:
        return None
    if not dots or any(end is not None and end != end for end in ends):
        return None
    return None if None not in ends and ends[0] > ends[1] else ends  # type: ignore[operator, return-value]


# Python ---------------------------------------------------------------------------------------------------------------


def python_of(view: View, source: Source) -> str:
    """Write the calls that give the same answer: the best point, and the front."""
    senses = {name: source.sense(name) for name in dict.fromkeys([view.x, view.y])}
    of_best, of_front = (where_of(view, source, names) for names in ([view.objective], senses))
    script = source.script(view.kind, anchored=EXPLORED in {**of_best, **of_front})
    best = f"rc.best(cube, {view.objective!r}{_where_argument(of_best)}, sense={source.sense(view.objective)!r})"
    return f"{script}best = {best}\nfront = rc.pareto(cube, {senses!r}{_where_argument(of_front)})"


def _where_argument(where: dict[str, Any]) -> str:
    return f", where={_literal(where)}" if where else ""


def _literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, xr.DataArray):
        return EXPLORED
    if isinstance(value, tuple):
        return f"({', '.join(_literal(one) for one in value)})"
    if isinstance(value, list):
        return f"[{', '.join(_literal(one) for one in value)}]"
    if isinstance(value, float | np.datetime64 | np.timedelta64) and value != value:
        return "float('nan')"
    if isinstance(value, np.datetime64):
        return repr(label_text(value))
    if isinstance(value, np.timedelta64):
        return f"np.timedelta64({value.astype('i8')}, {np.datetime_data(value.dtype)[0]!r})"
    return (
        f"float({str(value)!r})" if isinstance(value, float) and value in (float("inf"), -float("inf")) else repr(value)
    )
