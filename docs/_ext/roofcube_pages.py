"""What the site adds to Sphinx: lists made from the package, and figures drawn from the calls that a page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listings import filled

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}


def _fill(app: Sphinx, page: str, source: list[str]) -> None:  # noqa: ARG001  Sphinx gives all three
    source[0] = filled(source[0])
