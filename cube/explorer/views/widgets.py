"""The parts of the explorer that are plain elements: bar, facets, reasons, choices; every label is text there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

__all__ = ["STATIC", "Bar", "Choices", "Facets", "Part", "Why", "WithinLatency"]

STATIC = Path(__file__).parent.parent / "static"


def _script(name: str) -> str:
    return "\n".join((STATIC / part).read_text("utf-8") for part in ("dom.js", name))


class Part(JSComponent):  # type: ignore[misc]
    """A part of the page: what it shows is `data`, what a reader does comes as messages, both as JSON.

    Bokeh would send a nested dict as a `Map`, an array as a buffer; text arrives as what it is.
    """

    data = param.String(default="{}")
    _stylesheets = ((STATIC / "parts.css").read_text("utf-8"),)
    __abstract = True

    def __init__(self, receive: Any, **params: Any) -> None:
        super().__init__(sizing_mode="stretch_width", **params)
        self.on_msg(lambda event: receive(json.loads(event.data)))

    def show(self, data: Any) -> None:
        """Show something else, where it is something else."""
        self.data = json.dumps(data, ensure_ascii=False, allow_nan=False)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to the page."""
        self._send_msg(json.dumps(message))


class Bar(Part):
    """What is wanted, the limits, and what each removed."""

    _esm = _script("bar.js")


class Facets(Part):
    """Labels to choose from, with counts."""

    data = param.String(default="[]")
    _esm = _script("facets.js")


class Why(Part):
    """Why this one."""

    _esm = _script("why.js")


class WithinLatency(Part):
    """What is reached within each latency."""

    _esm = _script("latency.js")


class Choices(Part):
    """A row of choices above a view."""

    _esm = _script("choices.js")
