"""Figures of a page, drawn at the build by the calls that the page shows; Bokeh's scripts stand beside, once.

A Python cell of the page that is followed by the comment ``<!-- figure -->`` has made `figure`. All cells of the page
down to the last such run in order, in one namespace.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SCRIPT", "drawn", "has_figures", "write_scripts"]

SCRIPT = "bokeh.js"
CELL = re.compile(r"^```python\n(.*?)^```$(\n\n<!-- figure -->)?", re.MULTILINE | re.DOTALL)
# figures are as wide as the pages of roofcube: where the contents would cut them these are a drawer, as the theme has
# it in small windows; windows narrower than a figure scroll it
HEAD = """```{{raw}} html
<style>.main, .content {{ min-width: 0; }}
.content {{ width: auto; flex: 1; max-width: 1160px; }}
@media (min-width: 82em) {{ .toc-drawer {{ display: none; }} }}
@media (max-width: 97em) {{
.content {{ padding: 0 1em; }} .page {{ flex-direction: column; }} .theme-toggle-content {{ display: none; }}
.sidebar-drawer {{ position: fixed; top: 0; left: -15em; width: 15em; height: 100vh; }}
.mobile-header {{ display: flex; position: sticky; top: 0; align-items: center; justify-content: space-between; }}
.mobile-header :is(.header-left, .header-right) {{ display: flex; height: var(--header-height); padding: 0 1rem; }}
.nav-overlay-icon, .theme-toggle-header {{ display: flex; }}
:target {{ scroll-margin-top: calc(var(--header-height) + 2.5rem); }}
}}
.figure-of-a-cell {{ overflow-x: auto; background: #fff; margin-bottom: 2em; }}
html[data-theme="dark"] .figure-of-a-cell {{ background: {dark}; }}</style>
<script src="{root}_static/{script}"></script>
<script>{follow}</script>
```
"""
FIGURE = """```{{raw}} html
<div class="figure-of-a-cell">{element}</div>
<script>{script}</script>
```"""


def has_figures(text: str) -> bool:
    """Check whether a page asks for figures."""
    return any(match[2] for match in CELL.finditer(text))


def drawn(text: str, root: str = "") -> str:
    """Return a page with its figures below the cells that make them."""
    from roofcube.plot.drawing.style import DARK_MODE, ON_DARK, SURFACE

    names: dict[str, Any] = {}
    last = max(match.start() for match in CELL.finditer(text) if match[2])

    def run(match: re.Match[str]) -> str:
        if match.start() <= last:
            exec(compile(match[1], "figures", "exec"), names)
        return match[0].replace("<!-- figure -->", _markup(names["figure"])) if match[2] else match[0]

    title, _, rest = CELL.sub(run, text).partition("\n")
    head = HEAD.format(root=root, script=SCRIPT, dark=ON_DARK[SURFACE], follow=" ".join(DARK_MODE.split()))
    return f"{title}\n\n{head}\n{rest}"


def _markup(figure: Any) -> str:
    from bokeh.embed import components

    from roofcube.plot.drawing.elements import rendered

    script, element = components(rendered(figure), wrap_script=False)
    # inside the data a < stands in texts only; as an escape it cannot end the script
    return FIGURE.format(element=element, script=script.replace("</", "\\u003c/").replace("<!--", "\\u003c!--"))


def write_scripts(folder: Path) -> None:
    """Write the scripts of Bokeh that figures need."""
    from bokeh.resources import Resources

    parts = Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCRIPT).write_text("\n".join(parts), encoding="utf-8")
