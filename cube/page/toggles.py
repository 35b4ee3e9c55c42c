"""Buttons of a page: over figures that were rendered, without a server; one script for all marks of a figure.

What a button acts on is found by name: marks have a filter of their own and columns such as `platform`, fronts a tag
that names the marks they are the front of, and figures of rows a column `place`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bokeh.models import (
    BooleanFilter,
    CheckboxButtonGroup,
    Column,
    CustomJS,
    Div,
    GlyphRenderer,
    Legend,
    LinearAxis,
    Plot,
    RadioButtonGroup,
    Row,
)

from roofcube.plot.drawing import style
from roofcube.plot.drawing.points import palette_of, shapes_of
from roofcube.plot.drawing.rows import GAP
from roofcube.plot.drawing.style import sheet
from roofcube.plot.drawing.tables import device_classes, labels_in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr

__all__ = ["with_toggles"]

HEAD = 92  # pixels of the word before the buttons
FIELDS = {
    "platform": "Platform",
    "device_class": "Class",
    "precision": "Precision",
    "topology": "Network",
    "match": "Show",
}
MATCHES = ("matched", "predicted only", "measured only")
MOST = 24  # buttons in a row

# Shows the marks whose labels are all switched on, closes up the rows of figures that have rows, and finds the fronts
# anew by the rule of `roofcube.pareto`, a row per distinct point.
SHOWN = """
const on = fields.map((field, place) => new Set(groups[place].active.map((index) => values[place][index])));
const count = (source) => source.get_length() ?? 0;
sources.forEach((source, place) => {
  const used = fields.map((field, index) => [source.data[field], on[index]]).filter(([column]) => column !== undefined);
  const shown = (row) => used.every(([column, wanted]) => column[row] === "" || wanted.has(column[row]));
  filters[place].booleans = Array.from({length: count(source)}, (_, row) => shown(row));
});
for (const [range, axis, heads, members] of planes) {
  const first = members[0], keep = filters[sources.indexOf(first)].booleans;
  for (const member of members) member.home ??= {...member.data};
  const {place, row: labels, group} = first.home;
  const rows = Array.from(place.keys()).filter((row) => keep[row]).sort((a, b) => place[a] - place[b]);
  const moved = new Map(), ticks = new Map(), spans = new Map();
  let at = 0, last = null;
  for (const row of rows) {
    if (moved.has(place[row])) continue;
    if (last !== null && last !== group[row]) at += gap;
    moved.set(place[row], at);
    ticks.set(-at, labels[row]);
    spans.set(group[row], [...(spans.get(group[row]) ?? []), at]);
    last = group[row];
    at += 1;
  }
  for (const member of members) {
    const data = {...member.data};
    const old = member.home.place, shift = Array.from(old, (one) => one - (moved.get(one) ?? 0));
    for (const name of ["y", "y0", "y1"])
      if (name in data) data[name] = member.home[name].map((y, row) => y + shift[row]);
    member.data = data;
  }
  const middle = (places) => -places.reduce((a, b) => a + b, 0) / places.length;
  const middles = new Map([...spans].map(([name, places]) => [middle(places), name]));
  for (const [one, texts] of [[axis, ticks], [heads, middles]]) if (one) {
    one.ticker.ticks = [...texts.keys()];
    one.major_label_overrides = texts;
  }
  range.setv({start: 0.3 - Math.max(at, 1), end: 0.7});
}
for (const [marks, line, sign_x, sign_y] of fronts) {
  const filter = filters[sources.indexOf(marks)];
  const x = marks.data.x, y = marks.data.y, keep = filter.booleans;
  const shown = (row) => (!keep || keep[row]) && isFinite(x[row]) && isFinite(y[row]);
  const rows = Array.from({length: count(marks)}, (_, row) => row).filter(shown);
  rows.sort((a, b) => sign_x * (x[b] - x[a]) || sign_y * (y[b] - y[a]));
  const front = [];
  let best = -Infinity;
  for (const row of rows) {
    const level = sign_y * y[row];
    if (level > best) { front.push(row); best = level; }
  }
  front.sort((a, b) => x[a] - x[b] || y[a] - y[b]);
  line.data = {x: front.map((row) => x[row]), y: front.map((row) => y[row])};
}
"""
# Exchanges the columns that depend on the choice, the title and the end of the axis.
CHOSEN = """
const chosen = choices[group.active];
for (const source of sources) {
  const data = {...source.data};
  for (const name of Object.keys(data)) data[name] = data[`${name} ${chosen}`] ?? data[name];
  source.data = data;
}
if (titles.length) head.text = titles[group.active];
if (label) { axis.axis_label = label.replace("{}", chosen); range.end = ends[group.active]; }
"""

BUTTONS = (
    style.TEXT_CSS
    + """
:host { font-size: 13px; }
.bk-btn-group { flex-wrap: wrap; gap: 4px; max-width: min(ROOM, 100vw - 170px); }
.bk-btn-group .bk-btn {
  font-size: 13px; padding: 3px 9px; margin: 0; flex: none;
  border: 1px solid #8b949e; border-radius: 4px; background: transparent; color: inherit;
}
.bk-btn-group .bk-btn.bk-active { box-shadow: none; background: rgba(127, 140, 155, .18); font-weight: 500; }
.bk-btn-group .bk-btn:not(.bk-active) { opacity: .72; text-decoration: line-through; }
""".replace("ROOM", f"{style.WIDTH - HEAD - 40}px")
)


def choice(name: str, field: str, labels: Sequence[str], active: str) -> Any:
    """Make a row of buttons of which one is on; named ``{name}.choice.{field}``."""
    css = BUTTONS.replace("text-decoration: line-through;", "")
    return RadioButtonGroup(
        labels=list(labels), active=list(labels).index(active), name=f"{name}.choice.{field}", stylesheets=[sheet(css)]
    )


def headed(title: str, widget: Any) -> Any:
    """Put a word before a row of buttons."""
    return Row(Div(text=title, width=HEAD, stylesheets=[sheet(BUTTONS + ":host { padding-top: 5px; }")]), widget)


def with_toggles(root: Any, cube: xr.Dataset, *, name: str, models: Iterable[Any]) -> Any:
    """Lay buttons out above a rendered figure of some models, as far as its marks have labels to choose between."""
    models = list(models)
    plots = [one for one in models if isinstance(one, Plot)]
    every = [one for one in models if isinstance(one, GlyphRenderer) and ".text" not in str(one.name)]
    drawn = [one for one in every if isinstance(one.view.filter, BooleanFilter)]
    rows, groups, fields, values = [], [], [], []
    for field, title in FIELDS.items():
        labels = _drawn_labels(cube, drawn, field)
        if not 2 <= len(labels) <= MOST:
            continue
        group = _group(cube, drawn, f"{name}.toggle.{field}", field, labels)
        rows.append(headed(title, group))
        groups.append(group)
        fields.append(field)
        values.append(labels)
    if groups:
        arguments = {
            "groups": groups,
            "fields": fields,
            "values": values,
            "sources": [one.data_source for one in drawn],
            "filters": [one.view.filter for one in drawn],
            "planes": [_plane_members(plot, drawn) for plot in plots if _members(plot, drawn)],
            "fronts": _fronts_and_marks(every),
            "gap": GAP,
        }
        script = CustomJS(args=arguments, code=SHOWN)
        for group in groups:
            group.js_on_change("active", script)
        if "platform" in fields and any("colour" in one.data_source.data for one in drawn):
            for legend in (one for one in models if isinstance(one, Legend)):  # the buttons of platforms are one
                legend.visible = False
    return Column(*_choices(plots, every, name), *rows, root, name=name)


def _drawn_labels(cube: Any, drawn: Sequence[Any], field: str) -> list[str]:
    found = dict.fromkeys(str(label) for one in drawn for label in one.data_source.data.get(field, ()) if str(label))
    if not found or field == "match":
        return [label for label in MATCHES if label in found]
    return (
        [str(label) for label in labels_in_order(cube, field, found)]
        if field in getattr(cube, "coords", ())
        else [*found]
    )


def _group(cube: Any, drawn: Sequence[Any], name: str, field: str, labels: Sequence[str]) -> Any:
    """Make a row of buttons; those of platforms are the key of marks coloured by them."""
    texts, css = list(labels), BUTTONS
    class_of = device_classes(cube)
    if field == "device_class":
        texts = [f"{style.SYMBOLS[style.CLASS_MARKERS.get(label, 'hex')]} {label}" for label in labels]
    if field == "platform" and any("colour" in one.data_source.data for one in drawn):
        colours = palette_of(cube, labels)
        markers = shapes_of(cube, {**dict.fromkeys(labels, ""), **class_of})
        texts = [f"{style.SYMBOLS[markers[label]]} {label}" for label in labels]
        css += "".join(
            f".bk-btn-group .bk-btn:nth-child({place}) {{ border-bottom: 4px solid {colours[label]}; }}\n"
            for place, label in enumerate(labels, start=1)
        )
    return CheckboxButtonGroup(labels=texts, active=list(range(len(labels))), name=name, stylesheets=[sheet(css)])


def _members(plot: Any, drawn: Sequence[Any]) -> list[Any]:
    """Return the sources of a plot that have a row each, those with labels first."""
    own = [one.data_source for one in plot.renderers if one in drawn and "place" in one.data_source.data]
    return sorted(own, key=lambda source: "platform" not in source.data)


def _plane_members(plot: Any, drawn: Sequence[Any]) -> list[Any]:
    axes = {axis.name == "heads.y": axis for axis in plot.left if isinstance(axis, LinearAxis)}
    return [plot.y_range, axes.get(False), axes.get(True), _members(plot, drawn)]


def _fronts_and_marks(every: Sequence[Any]) -> list[list[Any]]:
    """Pair each front with the marks that it is the front of."""
    named = {one.name: one for one in every}
    tagged = [(one, named.get(tag["front_of"]), tag) for one in every for tag in one.tags if isinstance(tag, dict)]
    return [
        [marks.data_source, front.data_source, *tag["signs"]]
        for front, marks, tag in tagged
        if marks is not None and isinstance(marks.view.filter, BooleanFilter)
    ]


def _choices(plots: Sequence[Any], every: Sequence[Any], name: str) -> list[Any]:
    """Make the buttons of which one is on, for a figure that says what there is to choose."""
    tagged = [(plot, tag) for plot in plots for tag in plot.tags if isinstance(tag, dict)]
    if not tagged:
        return []
    plot, tag = tagged[0]
    group = choice(name, tag["field"], tag["choices"], tag["start"])
    arguments = {
        "group": group,
        "choices": tag["choices"],
        "titles": tag.get("titles", []),
        "label": tag.get("label", ""),
        "ends": tag.get("ends", []),
        "sources": [one.data_source for one in every if str(one.name).startswith(f"{name}.")],
        "head": plot.title,
        "axis": plot.xaxis[0],
        "range": plot.x_range,
    }
    group.js_on_change("active", CustomJS(args=arguments, code=CHOSEN))
    return [headed(tag["title"], group)]
