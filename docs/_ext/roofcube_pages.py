"""What the site adds to Sphinx: lists made from the package, and figures drawn from the calls that a page shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import figures
from listings import filled

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("env-get-outdated", _made_anew)
    app.connect("source-read", _fill)
    app.connect("build-finished", _write_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _made_anew(app: Sphinx, env: Any, added: set[str], changed: set[str], removed: set[str]) -> list[str]:  # noqa: ARG001
    """Name the pages that hold what the package says: it may have changed though they have not."""
    return [page for page in env.found_docs if "\n<!-- " in Path(env.doc2path(page)).read_text(encoding="utf-8")]


def _fill(app: Sphinx, page: str, source: list[str]) -> None:  # noqa: ARG001  Sphinx gives all three
    text = filled(source[0])
    source[0] = figures.drawn(text, "../" * page.count("/")) if figures.has_figures(text) else text


def _write_scripts(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        figures.write_scripts(Path(app.outdir) / "_static")
