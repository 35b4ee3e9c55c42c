"""The explorer, served on this machine, in a real browser."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

import roofcube as rc

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-c",
        "from roofcube.cli import main; main()",
        "explore",
        "mnist",
        "--port",
        str(port),
        "--no-show",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            found = server.stdout.readline().strip()
            assert found == f"http://127.0.0.1:{port}"
            _wait(found)
            yield found
        finally:
            server.terminate()


def _wait(address):
    for _ in range(100):
        try:
            with urllib.request.urlopen(address, timeout=20) as answer:
                assert answer.status == 200
                return
        except OSError:
            import time

            time.sleep(0.1)
    pytest.fail(f"nothing answers at {address}")


READY = "window.Bokeh && Bokeh.documents[0] && Bokeh.documents[0].get_model_by_name('explorer.heatmap') && Bokeh.documents[0].is_idle"
SOURCE = "(name) => { const one = [...Bokeh.documents[0]._all_models.values()].find((one) => one.name === name); return {data: Object.fromEntries(Object.entries(one.data).map(([key, values]) => [key, [...values]])), picked: [...(one.selected?.indices ?? [])]}; }"


def test_selecting_in_one_selects_in_the_other(local_visit, address):
    page = local_visit.page
    page.goto(address)
    page.wait_for_function(READY, timeout=30_000)
    cube = rc.benchmark("mnist")
    cells, points = (page.evaluate(SOURCE, name)["data"] for name in ("explorer.cells", "explorer.points"))
    assert len(cells["row"]) == cube.sizes["platform"] * cube.sizes["pruning"]
    assert len(points["x"]) == int((cube.measured_throughput * cube.measured_top1).notnull().sum())
    assert (
        sum(points["front"]) == rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"}).sizes["point"]
    )

    cell = int(np.nanargmax(np.array(cells["value"], dtype="f8")))
    x, y = page.evaluate(
        """(row) => { const view = Bokeh.index.find_one([...Bokeh.documents[0]._all_models.values()].find((one) => one.type === 'GlyphRenderer' && one.data_source.name === 'explorer.cells'));
        const box = view.parent.canvas_view.el.getBoundingClientRect(); return [box.left + view.glyph.sx[row], box.top + view.glyph.sy[row]]; }""",
        cell,
    )
    page.mouse.click(x, y)
    page.wait_for_function(
        "(name) => [...Bokeh.documents[0]._all_models.values()].find((one) => one.name === name).selected.indices.length > 0",
        arg="explorer.points",
    )
    picked = page.evaluate(SOURCE, "explorer.points")["picked"]
    here = [
        place
        for place in range(len(points["x"]))
        if points["column"][place] == cells["column"][cell] and points["row"][place] == cells["row"][cell]
    ]
    assert picked == here
    listed = page.evaluate(SOURCE, "explorer.listed")["data"]
    assert len(listed["tell_x"]) == min(len(here), 500)
    assert set(listed["dim_platform"]) == {"ZCU104-FINN"}

    page.evaluate(
        "(row) => { [...Bokeh.documents[0]._all_models.values()].find((one) => one.name === 'explorer.points').selected.indices = [row]; }",
        0,
    )
    chosen = page.evaluate(SOURCE, "explorer.cells")["picked"]
    assert [(cells["column"][one], cells["row"][one]) for one in chosen] == [(points["column"][0], points["row"][0])]
    assert local_visit.requests == []
    assert local_visit.complaints == []


def test_controls_change_what_is_shown(local_visit, address):
    page = local_visit.page
    page.goto(address)
    page.wait_for_function(READY, timeout=30_000)
    page.locator("select").nth(2).select_option("precision")
    page.wait_for_function(
        "() => [...Bokeh.documents[0]._all_models.values()].some((one) => one.name === 'explorer.cells' && one.data.row.length === 45)",
        timeout=15_000,
    )
    names = page.evaluate(
        "[...Bokeh.documents[0]._all_models.values()].filter((one) => one.name === 'explorer.heatmap').map((one) => one.left[0].axis_label)"
    )
    assert "precision" in names
    assert local_visit.complaints == []
