"""The explorer, served on this machine, in a real browser."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

import roofcube as rc
from roofcube.wording import short

pytestmark = pytest.mark.browser


COMMAND = "from roofcube.cli import main; main()"
# sixty labels along a dim: too many to choose one by one
OF_HARDWARE = """
import sys
import numpy as np
import roofcube as rc
from roofcube.explorer.app import serve
hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e14, 60), memory_bandwidth=[1e9, 1e10, 1e11])
serve(rc.predict(rc.inputs("mnist", platforms=hardware)), port=int(sys.argv[1]), show=False)
"""


@pytest.fixture(scope="module")
def address():
    port = _free_port()
    yield from _served([COMMAND, "explore", "mnist", "--port", str(port), "--no-show"], port)


@pytest.fixture(scope="module")
def address_of_hardware():
    port = _free_port()
    yield from _served([OF_HARDWARE, str(port)], port)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _served(command, port):
    with subprocess.Popen(
        [sys.executable, "-c", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
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

PLACE = """([name, row]) => { const view = Bokeh.index.find_one([...Bokeh.documents[0]._all_models.values()].find((one) => one.type === 'GlyphRenderer' && one.data_source.name === name));
const box = view.parent.canvas_view.el.getBoundingClientRect(); return [box.left + view.glyph.sx[row], box.top + view.glyph.sy[row]]; }"""


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
    x, y = page.evaluate(PLACE, ["explorer.cells", cell])
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


def test_a_click_on_a_point_selects_its_cell(local_visit, address):
    page = local_visit.page
    page.goto(address)
    page.wait_for_function(READY, timeout=30_000)
    cells, points = (page.evaluate(SOURCE, name)["data"] for name in ("explorer.cells", "explorer.points"))
    point = int(np.argmax(points["x"]))  # the rightmost mark has no neighbour on top of it
    page.mouse.click(*page.evaluate(PLACE, ["explorer.points", point]))
    page.wait_for_function(
        "(name) => [...Bokeh.documents[0]._all_models.values()].find((one) => one.name === name).selected.indices.length > 0",
        arg="explorer.cells",
    )
    chosen = page.evaluate(SOURCE, "explorer.cells")["picked"]
    places = {(points["column"][one], points["row"][one]) for one in page.evaluate(SOURCE, "explorer.points")["picked"]}
    assert (points["column"][point], points["row"][point]) in places
    assert {(cells["column"][one], cells["row"][one]) for one in chosen} == places
    assert local_visit.complaints == []


def test_a_range_shows_the_labels_between_which_it_keeps(local_visit, address_of_hardware):
    page = local_visit.page
    page.goto(address_of_hardware)
    page.wait_for_function(READY, timeout=30_000)
    labels = [short(value) for value in np.geomspace(1e11, 1e14, 60).tolist()]
    slider = page.locator(".noUi-target").first
    title = page.locator(".bk-slider-title").first
    assert title.inner_text() == "peak (op/s): 100G .. 100T"
    slider.locator(".noUi-handle-upper").focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    place = round(
        page.evaluate(
            "[...Bokeh.documents[0]._all_models.values()].find((one) => one.title === 'peak (op/s)').value[1]"
        )
    )
    assert 30 < place < 50
    assert title.inner_text() == f"peak (op/s): 100G .. {labels[place]}"
    page.wait_for_function(
        "(count) => [...Bokeh.documents[0]._all_models.values()].some((one) => one.name === 'explorer.cells' && one.data.row.length === count)",
        arg=3 * (place + 1),
        timeout=15_000,
    )
    assert local_visit.complaints == []
