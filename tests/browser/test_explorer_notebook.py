"""The explorer in a fresh notebook: executed, and what it shows looked at in a real browser."""

from __future__ import annotations

import json
import sys

import pytest
from explorers import FIND, PATIENCE_MS

pytestmark = pytest.mark.browser
DRAWN = f"!!(window.Bokeh && Bokeh.documents.length && ({FIND})('explorer.points')?.data.x.length > 0)"
GIVEN_UP = "Unable to run Panel code"
CELLS = (
    'import roofcube as rc\napp = rc.explore("mnist")\napp',
    'app.view.keep = {"platform": ["TX2"]}\nprint(app.answer.left)',
)


def executed(folder):
    """Execute a notebook of some cells, and return what each cell shows."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    kernel = folder / "kernels" / "roofcube"
    kernel.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "r", "language": "python"}))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="roofcube").execute()
    return [cell.outputs for cell in notebook.cells]


def open_until_drawn(page, address):
    """Open a page again where Panel gave up: it waits five seconds for its own scripts, whatever the browser has to do."""
    told = []
    page.on("console", lambda message: told.append(message.text))
    for _ in range(5):
        told.clear()
        page.goto(address)
        for _ in range(PATIENCE_MS // 100):
            if page.evaluate(DRAWN):
                return
            if any(GIVEN_UP in text for text in told):
                break
            page.wait_for_timeout(100)
    raise AssertionError(f"not drawn; the page says: {told}")


def test_it_shows_itself_without_an_extension_loaded_by_hand(visit, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    shown, printed = executed(tmp_path)
    assert printed[-1]["text"] == "183\n"
    parts = []
    for output in shown:
        data = output.get("data", {})
        if "application/javascript" in data:
            script = data["application/javascript"].replace("</script>", r"<\/script>")
            parts.append(f"<script>{script}</script>")
        elif "text/html" in data:
            parts.append(data["text/html"])
    page = tmp_path / "notebook.html"
    page.write_text(f"<!DOCTYPE html><html><body>{''.join(parts)}</body></html>", encoding="utf-8")
    open_until_drawn(visit.page, page.as_uri())
    visit.page.locator(".steps", has_text="406 cells").wait_for()
    visit.page.locator(".why .configuration").wait_for()
    assert visit.requests == []
