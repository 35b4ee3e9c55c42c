"""Why this one: what the panel of reasons says of the best point, or of the one that is selected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.explorer.addresses import python_of
from roofcube.explorer.answers import where_of
from roofcube.explorer.categories import label_text, spaced
from roofcube.explorer.views.look import value_text
from roofcube.inert import inert_label, inert_text
from roofcube.sweep.explanation import explain
from roofcube.wording import counted, flag_words, listed, percent, plain_values, short

if TYPE_CHECKING:
    from roofcube.explorer.answers import Answer, Source
    from roofcube.explorer.rows import Rows
    from roofcube.explorer.state import View
    from roofcube.kernels.budget import Stop
    from roofcube.sweep.explanation import Explanation

__all__ = ["emptied_by", "explained", "reasons"]

MOST_FIGURES = 9
RED = "extrapolates beyond what was measured: rely on it only after measuring there"


def explained(source: Source, view: View, stop: Stop | None = None) -> Explanation:
    """Ask why the best is the best."""
    where = where_of(view, source, [view.objective])
    return explain(source.asked_of(stop), view.objective, where=where, sense=source.sense(view.objective))


def reasons(
    source: Source, view: View, answer: Answer, explanation: Explanation | None, selected: np.ndarray[Any, Any]
) -> dict[str, Any]:
    """Return what the panel shows."""
    rows, chosen = answer.rows, len(selected) == 1
    row = int(selected[0]) if chosen else answer.best
    python = python_of(view, source)
    empty: dict[str, Any] = {
        name: [] for name in ("red", "figures", "doubts", "margin", "binds", "relaxations", "compared", "origin")
    }
    if row < 0:
        return {**empty, "title": "Nothing fits", "heading": "no point meets all limits", "python": python, "id": ""}
    this = np.array([row])
    name = rows.ids(this)[0]
    doubts = rows.doubts(this)[0]
    of_best = row == answer.best
    title = f"Why this one: {_best_words(source, view)}" if of_best else "The one selected"
    red = [RED] if bool(rows.extrapolates[row]) else []
    unknown = [spaced(axis) for axis in (view.x, view.y) if not np.isfinite(rows.column(axis)[row])]
    unseen = [f"not drawn, not on the front: its {listed(unknown)} is not known"] if unknown else []
    return {
        "title": title,
        "red": red,
        "heading": rows.names(this)[0],
        "figures": _figures_of_row(source, view, rows, row),
        "doubts": [*unseen, *([doubts] if doubts and not red else [])],
        "margin": _margin(source, view, rows, explanation) if of_best else _against_best(view, answer, row),
        "binds": _binding(view, rows, row, explanation if of_best else None),
        "relaxations": relaxations(source, view, explanation) if of_best else [],
        "compared": _against_pinned(source, view, answer, row),
        "origin": [*_origin(source, rows, row), *(f"noted: {one}" for one in rows.notes(this) if one)],
        "python": python,
        "id": name,
        "pinned": name in view.pinned,
    }


def _best_words(source: Source, view: View) -> str:
    return f"{'most' if source.sense(view.objective) == 'max' else 'least'} {spaced(view.objective)}"


def _figures_of_row(source: Source, view: View, rows: Rows, row: int) -> list[list[str]]:
    """Return the figures asked for, then the others of the same kind; each with its interval."""
    wanted = [view.objective, view.x, view.y, *view.limits, *rows.own, *rows.variables]
    names = [name for name in dict.fromkeys(wanted) if name in rows.cube and name in source.measures(view.kind)]
    lines: list[list[str]] = []
    for name in names:
        value = float(rows.column(name)[row])
        if np.isfinite(value) and len(lines) < MOST_FIGURES:
            lines.append([spaced(name), value_text(value, source.unit(name)), _interval(source, rows, row, name)])
    return lines


def _interval(source: Source, rows: Rows, row: int, name: str) -> str:
    ends = [f"{name}_low", f"{name}_high"]
    if not all(end in rows.cube for end in ends):
        return ""
    low, high = (value_text(float(rows.column(end)[row]), source.unit(name)) for end in ends)
    expected = f"{name}_expected"
    middle = value_text(float(rows.column(expected)[row]), source.unit(name)) if expected in rows.cube else ""
    return f"interval {low} … {high}{f', expected {middle}' if middle else ''}"


def _margin(source: Source, view: View, rows: Rows, explanation: Explanation | None) -> list[str]:
    if explanation is None:
        return []
    if explanation.runner_up is None:
        return [inert_text(explanation.without_runner_up)]
    runner = explanation.runner_up
    value = value_text(float(runner[view.objective]), source.unit(view.objective))
    names = [name for name in rows.named_by if name in runner.variables]
    where = " · ".join(rows.worded(name, plain_values(runner[name].values))[0] for name in names)
    ahead = explanation.margin
    words = f"{short(1.0 + ahead)} times as good as" if ahead >= 0.005 else "level with" if ahead >= 0 else "ahead of"
    return [f"{words} the runner-up {where}: {value}"]


def _against_best(view: View, answer: Answer, row: int) -> list[str]:
    """Compare the selected row with the best."""
    if answer.best < 0:
        return []
    values = answer.rows.column(view.objective)
    this, best = float(values[row]), float(values[answer.best])
    if not np.isfinite(this) or not best:
        return []
    inside = "" if bool(answer.inside[row]) else "; it is outside the limits"
    return [f"{percent(this / best)} of the best, {answer.rows.names(np.array([answer.best]))[0]}{inside}"]


def _binding(view: View, rows: Rows, row: int, explanation: Explanation | None) -> list[str]:
    lines = []
    if "bound" in rows.cube and set(rows.cube["bound"].dims) <= set(rows.dims):
        word = flag_words(rows.values("bound", np.array([row])), rows.cube["bound"].attrs)[0]
        lines += [f"the model is bound by {word}"] if word not in ("none", "") else []
    if view.kind == "measured" and "efficiency" in rows.cube and set(rows.cube["efficiency"].dims) <= set(rows.dims):
        share = float(rows.column("efficiency")[row])
        lines += [f"{percent(share)} of what the roof allows"] if np.isfinite(share) else []
    if explanation is not None and view.limits | view.keep:
        names = [spaced(one.name) for one in explanation.relaxations if one.name in {**view.limits, **view.keep}]
        lines.append(
            f"limits that bind: {listed(names)}"
            if names
            else "no limit binds: without any one of them nothing better wins"
        )
    return lines


def relaxations(source: Source, view: View, explanation: Explanation | None) -> list[dict[str, Any]]:
    """Return what relaxing each limit would gain, with what to set."""
    if explanation is None:
        return []
    found = bool(explanation.winner["found"])
    now = float(explanation.winner[view.objective]) if found else np.nan
    lines = []
    hidden = source.hidden(view.kind) if view.hide_doubts else {}
    for one in explanation.relaxations:
        if one.name not in {**view.limits, **view.keep, **hidden}:
            continue
        gain = value_text(one.gains, source.unit(view.objective))
        more, less = (one.gains, now) if source.sense(view.objective) == "max" else (now, one.gains)
        times = f", {short(more / less)} times as good" if found and less > 0 else ""
        numeric = one.name in view.limits
        if one.name not in {**view.limits, **view.keep}:
            text, to = f"show what is in doubt: {gain}{times}", None
        elif numeric:
            text, to = (
                f"{spaced(one.name)} to {value_text(float(one.rounded), source.unit(one.name))}: {gain}{times}",
                one.to,
            )
        else:
            text, to = f"allow {spaced(one.name)} {inert_label(label_text(one.to))}: {gain}{times}", label_text(one.to)
        lines.append({"text": text, "name": one.name, "to": to})
    return lines


def emptied_by(source: Source, view: View, explanation: Explanation | None) -> list[dict[str, Any]]:
    """Say which limit leaves nothing, and the least relaxation that helps."""
    if explanation is None or bool(explanation.winner["found"]):
        return []
    lines = [{**one, "text": f"relax {one['text']}"} for one in relaxations(source, view, explanation)]
    if lines:
        return lines
    removed = {name: number for name, number in explanation.removed.items() if name in {**view.limits, **view.keep}}
    parts = [f"{spaced(name)} alone removes {counted(number, 'point')}" for name, number in removed.items()]
    if not parts:
        return [{"text": "no point has the figures of both axes", "name": "", "to": None}]
    return [{"text": f"no single limit does it: {listed(parts)}; remove one of them", "name": "", "to": None}]


def _against_pinned(source: Source, view: View, answer: Answer, row: int) -> list[str]:
    rows, _ = answer.rows.find(view.pinned)
    values, unit = answer.rows.column(view.objective), source.unit(view.objective)
    lines = []
    for other in rows.tolist():
        if other == row:
            continue
        ratio = float(values[row]) / float(values[other]) if float(values[other]) else np.nan
        of_it = f": this one has {percent(ratio)} of it" if np.isfinite(ratio) else ""
        lines.append(f"{answer.rows.names(np.array([other]))[0]}: {value_text(float(values[other]), unit)}{of_it}")
    return lines


def _origin(source: Source, rows: Rows, row: int) -> list[str]:
    attributes = getattr(source.cube, "attrs", None) or getattr(source.cube, "inputs", rows.cube).attrs
    lines = []
    if "n_rows" in rows.cube and set(rows.cube["n_rows"].dims) <= set(rows.dims) and rows.cube["n_rows"].ndim:
        lines.append(f"measured in {counted(int(rows.column('n_rows')[row]), 'row')} of the source")
    for name, words in (
        ("task", "task"),
        ("assumptions", "assumptions of the model"),
        ("counts", "counts of operations"),
    ):
        if attributes.get(name):
            lines.append(f"{words}: {inert_label(str(attributes[name]))}")
    if source.careful:
        lines.append("chosen by the end of each interval that promises less")
    return lines
