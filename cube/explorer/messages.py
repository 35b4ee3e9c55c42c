"""What a reader does, as changes of the state; a message that makes no sense is refused with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roofcube.errors import InvalidDataError
from roofcube.explorer.addresses import MOST_IDS, defaults
from roofcube.explorer.categories import label_text
from roofcube.explorer.state import TABLES, TABS
from roofcube.explorer.stored import StoredSource
from roofcube.wording import in_percent, read_quantity, shown_unit

if TYPE_CHECKING:
    from roofcube.explorer.answers import Source
    from roofcube.explorer.state import View

__all__ = ["limit_text", "read_limit", "settings_after"]

STEPS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
CHOICES = ("objective", "x", "y", "tab", "table", "columns", "rows", "kind", "hide_doubts")


@dataclass(frozen=True)
class Scene:
    """What a message is about."""

    view: View
    source: Source


def settings_after(message: dict[str, Any], view: View, source: Source) -> dict[str, Any]:
    """Return the settings that a message changes.

    Raises
    ------
    InvalidDataError
        If the message makes no sense: a limit that is no number, a choice that is not offered.
    """
    action = message.get("do")
    if action in ACTIONS:
        return dict(ACTIONS[action](message, Scene(view, source)))
    msg = f"`do`: expected one of {', '.join(ACTIONS)}, got {action!r}; reload the page"
    raise InvalidDataError(msg)


def read_limit(text: str, unit: str) -> float | None:
    """Read a limit in the unit that is shown, or in the one that is written: 10, 10 ms, 2.5k; nothing for no limit.

    Raises
    ------
    InvalidDataError
        If it is no number.

    Examples
    --------
    >>> read_limit("10", "s"), read_limit("0.5 s", "s"), read_limit("85 %", "%"), read_limit("20k", "1/s")
    (0.01, 0.5, 85.0, 20000.0)
    """
    # commas between thousands alone: 10,5 is not 105
    plain = THOUSANDS.sub(lambda digits: digits[0].replace(",", ""), text.strip().replace("\u202f", ""))
    if not plain:
        return None
    factor, shown = shown_unit(unit)
    number = plain if unit in ("s", "J", "%") else plain.removesuffix(shown).rstrip()
    match = re.fullmatch(r"([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)\s*([kMGT]?)", number)
    if match:
        return in_percent(_in_si(match[1], factor / STEPS[match[2]]), unit, what="limit")
    return read_quantity(plain, "" if unit == "1" else unit, what="limit")


def limit_text(value: float, unit: str) -> str:
    """Write a limit so that reading it back gives the same value."""
    factor, shown = shown_unit(unit)
    number = float(f"{value * factor:.{_digits_back(value, factor)}g}")
    text = f"{int(number)}" if number == int(number) and abs(number) < 1e15 else f"{number!r}"
    return f"{text} {shown}" if shown in ("ms", "mJ", "W", "%") else text


def _in_si(number: str, factor: float) -> float:
    """Return a number in SI that is written in the unit shown: 1000 GB/s are 1e12 B/s, which a quotient misses."""
    value = float(number) / factor
    digits = sum(map(str.isdigit, re.split("[eE]", number)[0].lstrip("-+0.")))
    return float(f"{value:.15g}") if digits <= 15 else value


def _digits_back(value: float, factor: float) -> int:
    """Return how many digits of a number in the unit shown give it back."""
    return next((n for n in range(6, 17) if _in_si(f"{value * factor:.{n}g}", factor) == value), 17)


def _set(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    name, value = message.get("name"), message.get("value")
    offered = {"tab": TABS, "table": TABLES, "kind": at.source.kinds, "hide_doubts": (True, False)}
    if name not in CHOICES or (name in offered and value not in offered[name]):
        msg = f"`{name}`: expected a choice that is offered, got {value!r}; reload the page"
        raise InvalidDataError(msg)
    if name == "kind" and value != at.view.kind:
        return _of_kind(str(value), at.view, at.source)
    if name == "objective" and at.view.objective in (at.view.x, at.view.y) and value not in (at.view.x, at.view.y):
        # what is wanted stays an axis
        return {"objective": value, "x" if at.view.objective == at.view.x else "y": value}
    return {str(name): value}


def _of_kind(kind: str, view: View, source: Source) -> dict[str, Any]:
    """Keep what the other kind of figures has too."""
    numbers, categories = source.numbers(kind), source.categories(kind)
    start = defaults(source, kind)
    axes = [*categories, *source.ranges(kind)]
    kept = {what: getattr(view, what) for what in ("columns", "rows") if getattr(view, what) in axes}
    limits = {_counterpart(name, kind, numbers): limit for name, limit in view.limits.items()}
    return {
        **start,
        **kept,
        "limits": {name: limit for name, limit in limits.items() if name in numbers},
        "keep": {name: labels for name, labels in view.keep.items() if name in categories},
        "selected": [],
        "box": {},
        "pinned": [],
    }


def _counterpart(name: str, kind: str, numbers: list[str]) -> str:
    """Name the variable of a kind that says the same: predicted latency for measured latency."""
    bare = name.removeprefix("measured_").removeprefix("predicted_")
    for candidate in (f"{'measured' if kind == 'measured' else 'predicted'}_{bare}", bare):
        if candidate in numbers:
            return candidate
    return name


def _limited(view: View, name: str, low: float | None, high: float | None) -> dict[str, Any]:
    limits = dict(view.limits)
    if low is None and high is None:
        limits.pop(name, None)
    else:
        limits[name] = (low, high)
    return {"limits": limits}


def _written_limit(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    name, end = str(message["name"]), message["end"]
    value = read_limit(str(message["text"]), at.source.unit(name))
    low, high = at.view.limits.get(name, (None, None))
    return _limited(at.view, name, *((value, high) if end == "low" else (low, value)))


def _drag(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    name = str(message["name"])
    low, high = at.view.limits.get(name, (None, None))
    ends = (message["value"], high) if message["end"] == "low" else (low, message["value"])
    if None not in ends and ends[0] > ends[1]:
        ends = (ends[0], ends[0]) if message["end"] == "high" else (ends[1], ends[1])
    return _limited(at.view, name, *ends)


def _span(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    return _limited(at.view, str(message["name"]), message["low"], message["high"])


def _begin_limit(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    """Begin a limit that removes nothing: at the end of the values that allows everything."""
    name = str(message["name"])
    low, high = at.source.extent(at.view.kind, name)
    return _limited(at.view, name, *((low, None) if at.source.sense(name) == "max" else (None, high)))


def _range(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    name = str(message["name"])
    ends = [read_limit(str(message[end]), at.source.unit(name)) for end in ("low", "high")]
    return _limited(at.view, name, ends[0], ends[1])


def _keep(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    name, text = str(message["name"]), str(message["text"])
    category = at.source.categories(at.view.kind)[name]
    chosen = {label_text(label) for label in at.view.keep.get(name, [])}
    chosen = chosen | {text} if message["on"] else chosen - {text}
    labels = [label for label, key in zip(category.labels, category.texts, strict=True) if key in chosen]
    keep = {key: given for key, given in at.view.keep.items() if key != name}
    return {"keep": {**keep, name: labels} if labels else keep}


def _select(message: dict[str, Any], at: Scene) -> dict[str, Any]:  # noqa: ARG001  as the others
    return {"selected": list(message["ids"]), "box": {}}


def _box(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    """Select by a box: by ids where it holds few rows, else by the box itself."""
    box = {name: tuple(ends) for name, ends in message["box"].items()}
    if not isinstance(at.source, StoredSource):
        return {}
    rows = at.source.selected_rows(at.view.copied(box=box))
    if len(rows) <= MOST_IDS:
        return {"selected": at.source.rows(at.view.kind).ids(rows), "box": {}}
    return {"selected": [], "box": box}


def _clear(message: dict[str, Any], at: Scene) -> dict[str, Any]:  # noqa: ARG001  as the others
    return {"selected": [], "box": {}}


def _pin(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    name = str(message["id"])
    pinned = [other for other in at.view.pinned if other != name]
    return {"pinned": pinned if name in at.view.pinned else [name, *pinned][:6]}


def _relax(message: dict[str, Any], at: Scene) -> dict[str, Any]:
    name, to = str(message["name"]), message["to"]
    settings: dict[str, Any] = {}
    if name in at.view.limits:
        low, high = at.view.limits[name]
        value = float(to)
        ends = None if low is None else min(low, value), None if high is None else max(high, value)
        settings |= _limited(at.view, name, *ends)
    if name in at.view.keep:
        settings |= _keep({"name": name, "text": label_text(to), "on": True}, at)
    return settings or {"hide_doubts": False}


ACTIONS: dict[Any, Any] = {
    "set": _set,
    "limit": _written_limit,
    "drag": _drag,
    "span": _span,
    "add": _begin_limit,
    "range": _range,
    "keep": _keep,
    "select": _select,
    "box": _box,
    "clear": _clear,
    "pin": _pin,
    "relax": _relax,
}
