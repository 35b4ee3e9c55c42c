"""The state of the explorer: what is wanted, shown and selected."""

from __future__ import annotations

from typing import Any

import param

__all__ = ["SHOWN", "TABLES", "TABS", "WRITTEN", "View"]

TABS = ("parallel", "heatmap", "roofline", "latency")
TABLES = ("front", "selected", "all")
SHOWN = ("kind", "objective", "x", "y", "limits", "keep", "hide_doubts", "selected", "box", "pinned")
ASKED = ("kind", "objective", "x", "y", "limits", "keep", "hide_doubts")
WRITTEN = [*SHOWN, "tab", "table", "columns", "rows"]


class View(param.Parameterized):
    """What the explorer shows; set it from Python, and every view follows."""

    kind = param.String(doc="Which figures: measured, predicted, calibrated or values.")
    objective = param.String(doc="The variable to make as good as possible.")
    x = param.String(doc="The variable along the axis of the trade-off.")
    y = param.String(doc="The variable up the axis of the trade-off.")
    limits = param.Dict({}, doc="Variables and their (low, high), both inclusive; None for an open end.")
    keep = param.Dict({}, doc="Dims and coordinates and the labels that are left of each.")
    hide_doubts = param.Boolean(False, doc="Whether to leave out what carries a flag.")
    selected = param.List([], doc="Ids of the rows selected.")
    box = param.Dict({}, doc="Variables and (low, high) of a selection too large for ids.")
    pinned = param.List([], doc="Ids of the rows to compare with.")
    tab: Any = param.Selector(default="parallel", objects=list(TABS))
    table: Any = param.Selector(default="front", objects=list(TABLES))
    columns = param.String(doc="Labels along the heatmap.")
    rows = param.String(doc="Labels down the heatmap.")

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)  # type: ignore[no-untyped-call]

    def values_now(self) -> dict[str, Any]:
        """Return every setting."""
        return {name: getattr(self, name) for name in WRITTEN}

    def copied(self, **changes: Any) -> View:
        """Return the same state with other settings, watched by nobody."""
        return View(**{**self.values_now(), **changes})

    @property
    def question(self) -> tuple[Any, ...]:
        """What is shown, hashable."""
        return tuple(_frozen(getattr(self, name)) for name in SHOWN)

    @property
    def asked(self) -> tuple[Any, ...]:
        """What has to be asked for it, hashable: a selection needs no question."""
        return tuple(_frozen(getattr(self, name)) for name in ASKED)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple((key, _frozen(one)) for key, one in value.items())
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
