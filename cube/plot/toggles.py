"""Buttons that show and hide marks without a server: one row of buttons a field, one script for all sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bokeh.models import BooleanFilter, CDSView, CheckboxButtonGroup, Column, CustomJS, Div, RadioButtonGroup, Row

from roofcube.plot.style import sheet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Toggles", "choice", "headed"]

HEAD = 92  # pixels of the word before the buttons

SHOWN = """
const on = fields.map((field, place) => new Set(groups[place].active.map((index) => values[place][index])));
sources.forEach((source, place) => {
  const used = fields.map((field, index) => [source.data[field], on[index]]).filter(([column]) => column !== undefined);
  const shown = (row) => used.every(([column, wanted]) => column[row] === "" || wanted.has(column[row]));
  filters[place].booleans = Array.from({length: source.get_length() ?? 0}, (_, row) => shown(row));
});
for (const [source, range] of followers) {
  const keep = filters[sources.indexOf(source)].booleans;
  range.factors = source.data.row.filter((_, row) => keep[row]).reverse();
}
"""

BUTTONS = """
:host { font-size: 13px; }
.bk-btn-group { flex-wrap: wrap; gap: 4px; }
.bk-btn-group .bk-btn {
  font-size: 13px; padding: 3px 9px; margin: 0;
  border: 1px solid #8b949e; border-radius: 4px; background: transparent; color: inherit;
}
.bk-btn-group .bk-btn.bk-active { box-shadow: none; background: rgba(127, 140, 155, .18); font-weight: 500; }
.bk-btn-group .bk-btn:not(.bk-active) { opacity: .55; text-decoration: line-through; }
:host { color: #1f2329; }
@media (prefers-color-scheme: dark) { :host { color: #e8ecf1; } }
:host-context([data-theme="dark"]) { color: #e8ecf1; }
:host-context([data-theme="light"]) { color: #1f2329; }
"""


def choice(name: str, field: str, labels: Sequence[str], active: str) -> Any:
    """Make a row of buttons of which one is on; named ``{name}.choice.{field}``."""
    css = BUTTONS.replace("text-decoration: line-through;", "")
    return RadioButtonGroup(
        labels=list(labels), active=list(labels).index(active), name=f"{name}.choice.{field}", stylesheets=[sheet(css)]
    )


def headed(title: str, widget: Any) -> Any:
    """Put a word before a row of buttons."""
    return Row(Div(text=title, width=HEAD, stylesheets=[sheet(BUTTONS + ":host { padding-top: 5px; }")]), widget)


class Toggles:
    """Rows of buttons over the fields of a figure; a mark shows where every field's label is on.

    Parameters
    ----------
    name : str
        Name of the figure; the buttons of a field are called ``{name}.toggle.{field}``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._fields: list[str] = []
        self._values: list[list[str]] = []
        self._rows: list[Any] = []
        self._groups: list[Any] = []
        self._sources: list[Any] = []
        self._filters: list[Any] = []
        self._followers: list[list[Any]] = []

    def field(
        self,
        field: str,
        title: str,
        values: Sequence[str],
        *,
        colours: Mapping[str, str] | None = None,
        symbols: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Add a row of buttons for the labels of a field; one label needs none."""
        if len(values) < 2:
            return
        css = BUTTONS + "".join(
            f".bk-btn-group .bk-btn:nth-child({place}) {{ border-bottom: 4px solid {colours[value]}; }}\n"
            for place, value in enumerate(values, start=1)
            if colours
        )
        texts = [f"{(symbols or {}).get(value, '')} {(labels or {}).get(value, value)}".strip() for value in values]
        group = CheckboxButtonGroup(
            labels=texts, active=list(range(len(values))), name=f"{self._name}.toggle.{field}", stylesheets=[sheet(css)]
        )
        self._fields.append(field)
        self._values.append(list(values))
        self._groups.append(group)
        self._rows.append(headed(title, group))

    def view(self, source: Any) -> Any:
        """Return the view through which a renderer sees the rows that are switched on."""
        if source in self._sources:
            return CDSView(filter=self._filters[self._sources.index(source)])
        shown = BooleanFilter(booleans=None)
        self._sources.append(source)
        self._filters.append(shown)
        return CDSView(filter=shown)

    def follow(self, source: Any, rows: Any) -> None:
        """Let a categorical range hold just the rows (column `row`) of a source that are switched on."""
        self._followers.append([source, rows])

    def over(self, *figures: Any, after: str = "", **also: Any) -> Any:
        """Lay the buttons out above figures; `after` is script that runs with `also` when a button was pressed."""
        if not self._groups:
            return Column(*figures, name=self._name)
        arguments = {
            "groups": self._groups,
            "fields": self._fields,
            "values": self._values,
            "sources": self._sources,
            "filters": self._filters,
            "followers": self._followers,
            **also,
        }
        script = CustomJS(args=arguments, code=SHOWN + after)
        for group in self._groups:
            group.js_on_change("active", script)
        return Column(*self._rows, *figures, name=self._name)
