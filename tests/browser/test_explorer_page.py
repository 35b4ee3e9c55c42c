"""The explorer of an embedded task, served on this machine by the command, in a real browser."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from explorers import FIND, PATIENCE_MS, PICKED, PLACES, box_around, dragged, opened, says

import roofcube as rc

pytestmark = pytest.mark.browser
COMMAND = "from roofcube.cli import main; main()"
CELLS = "() => { const found = []; const walk = (node) => { for (const one of node.querySelectorAll('*')) { if (one.matches('.tabulator-row .tabulator-cell[tabulator-field=c5]')) found.push(one.textContent); if (one.shadowRoot) walk(one.shadowRoot); } }; walk(document); return found; }"


@pytest.fixture(scope="module")
def address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", COMMAND, "explore", "cifar10", "--port", str(port), "--no-show"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            found = server.stdout.readline().strip()
            assert found == f"http://127.0.0.1:{port}"
            yield found
        finally:
            server.terminate()


def is_picked(page, rows):
    page.wait_for_function(f"(rows) => JSON.stringify(({PICKED})()) === JSON.stringify(rows)", arg=rows)


def test_a_box_and_a_click_select_exactly_what_they_hold(local_visit, address):
    page = opened(local_visit, address)
    places = page.evaluate(PLACES)
    far = max(range(len(places)), key=lambda row: places[row][0])
    for row in (far, 40, 200):
        before = page.evaluate("location.search")
        held = box_around(page, row)
        assert row in held
        is_picked(page, held)
        says(page, f"{len(held)} selected")
        page.wait_for_function("(before) => location.search !== before", arg=before)  # the address comes last
    held = page.evaluate(PICKED)
    page.reload()
    page.wait_for_function("window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
    says(page, f"{len(held)} selected")
    is_picked(page, held)

    # by hand, as a script of a reader would
    page.evaluate(f"({FIND})('explorer.points').selected.indices = [5]")
    says(page, "1 selected")
    page.locator("button", has_text="clear").click()
    is_picked(page, [])
    alone = max(
        range(len(places)),
        key=lambda row: min(
            abs(places[row][0] - other[0]) + abs(places[row][1] - other[1])
            for number, other in enumerate(places)
            if number != row
        ),
    )
    page.mouse.click(*page.evaluate(PLACES)[alone])
    is_picked(page, [alone])
    assert local_visit.requests == []
    assert local_visit.complaints == []


def test_the_table_sorts_numbers_as_numbers(local_visit, address):
    page = opened(local_visit, f"{address}/?table=all")
    page.wait_for_function(f"({CELLS})().length === 12")
    page.locator(".tabulator-col[tabulator-field=c5]").click()
    page.wait_for_function(f"({CELLS})().every((text) => text === '1')")
    page.locator(".tabulator-col[tabulator-field=c5]").click()
    page.wait_for_function(f"({CELLS})()[0] === '10000' && ({CELLS})()[4] === '512'")
    assert local_visit.complaints == []


def test_limits_until_nothing_is_left_and_what_helps(local_visit, address):
    page = opened(local_visit, address)
    cube = rc.benchmark("cifar10")
    field = page.get_by_label("measured latency ≤", exact=False).first
    field.fill("1 ms")
    field.press("Enter")
    left = int(rc.count(cube, where={"measured_latency": (None, 0.001)})["count"])
    says(page, f"→ {left} left")
    page.locator(".tabulator-row").first.wait_for()
    models = page.evaluate("Bokeh.documents[0]._all_models.size")

    # the line of the accuracy is dragged to the top, beyond all that is fast enough
    measure = """() => { const named = (name) => [...Bokeh.documents[0]._all_models.values()].find((one) => one.name === name);
const view = Bokeh.index.find_one(named('explorer.trade_off')), canvas = view.canvas_view.el.getBoundingClientRect();
const inner = view.frame_view?.bbox ?? view.frame.bbox, scale = view.frame.y_scale ?? view.frame_view.y_scale;
return [canvas.left + inner.left + inner.width / 2, canvas.top + inner.top, canvas.top + scale.compute(named('explorer.limit_y').location)]; }"""

    def ends():
        middle, top, line = page.evaluate(measure)
        return middle, line, middle, top + 6

    dragged(page, ends, lambda: "→ 0 left" in page.locator(".steps").inner_text())
    says(page, "→ 0 left · 0 on the front")
    page.locator("text=Nothing is left.").wait_for()
    page.locator("button", has_text="relax it so").first.click()
    page.locator("text=Nothing is left.").wait_for(state="detached")
    page.locator(".steps", has_text="→ 0 left").wait_for(state="detached")
    assert page.evaluate("Bokeh.documents[0]._all_models.size") == models
    page.locator("button", has_text="reset").click()
    says(page, "→ 378 left")
    assert local_visit.complaints == []


def test_keys_undo_and_redo_outside_of_what_is_typed(local_visit, address):
    page = opened(local_visit, address)
    page.locator(".facets label", has_text="TX2").locator("input").first.check()
    says(page, "platform −186")
    field = page.get_by_label("measured latency ≤", exact=False).first
    field.fill("1")
    field.press("Control+z")  # of the field: the choice before stays
    assert field.input_value() == ""
    says(page, "platform −186")
    page.locator("h1").click()
    page.keyboard.press("Control+z")
    page.locator(".steps", has_text="platform").wait_for(state="detached")
    page.keyboard.press("Control+Shift+z")
    says(page, "platform −186")
    assert local_visit.complaints == []


def test_the_state_is_the_address(local_visit, address):
    page = opened(local_visit, address)
    page.locator(".facets label", has_text="TX2").locator("input").first.check()
    says(page, "platform −186")
    page.wait_for_function("() => location.search === '?keep=platform:TX2'")
    first = page.evaluate("location.search")
    page.wait_for_timeout(700)  # a change within 600 ms of another is one entry of the history with it
    page.locator(".facets label", has_text="FP16").locator("input").first.check()
    page.wait_for_function("() => location.search.includes('FP16')")
    says(page, "precision −")
    whole = page.locator(".steps").inner_text()
    page.reload()
    page.wait_for_function("window.Bokeh && Bokeh.documents.length && Bokeh.documents[0].is_idle")
    says(page, "precision")
    assert page.locator(".steps").inner_text() == whole
    page.evaluate("history.back()")
    page.wait_for_function("(text) => location.search === text", arg=first)
    says(page, "platform −186 →")
    page.goto(f"{address}/?keep=platform:TX2,Nope<b>&nonsense=1")
    page.locator("text=platform has no “Nope<b>”").wait_for()
    page.locator("text=“nonsense” is not understood").wait_for()
    says(page, "platform −186")


def test_users_do_not_see_each_other(local_visit, address, browser):
    page = opened(local_visit, address)
    context = browser.new_context()
    other = context.new_page()
    other.set_default_timeout(PATIENCE_MS)
    other.goto(f"{address}/?keep=platform:NCS2")
    says(other, "platform")
    other.locator(".facets label", has_text="INT8").locator("input").first.check()
    says(other, "→ 0 left")
    page.locator(".facets label", has_text="TX2").locator("input").first.check()
    says(page, "platform −186")
    assert "precision" not in page.locator(".steps").inner_text()
    assert "platform −186" not in other.locator(".steps").inner_text()
    context.close()


def test_it_fits_a_phone_and_every_tab_shows_something(local_visit, address):
    page = local_visit.page
    page.set_viewport_size({"width": 390, "height": 800})
    opened(local_visit, address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for tab, source in (
        ("Heatmap", "explorer.cells"),
        ("Roofline", "explorer.achieved"),
        ("Parallel", "explorer.parallel"),
    ):
        page.get_by_role("button", name=tab, exact=True).click()
        page.wait_for_function(f"() => Object.values(({FIND})('{source}')?.data ?? {{a: []}})[0].length > 0")
    page.get_by_role("button", name="At latency", exact=True).click()
    page.locator(".within td.best").first.wait_for()
    assert local_visit.complaints == []


BACKGROUND = f"() => ({FIND})('explorer.heatmap')?.background_fill_color === '#14181d'"


def test_a_figure_that_is_opened_later_is_dark_too(local_visit, address):
    local_visit.page.emulate_media(color_scheme="dark")
    page = opened(local_visit, address)
    page.get_by_role("button", name="Heatmap").click()
    page.wait_for_function(BACKGROUND)
    assert local_visit.complaints == []


# the canvas of the trade-off: whether anything light is left at its upper edge, and whether its middle is drawn
EDGE = f"""(light) => {{ const view = Bokeh.index.find_one(({FIND})('explorer.trade_off')), canvas = view.canvas_view.primary.canvas;
const pixels = [...canvas.getContext('2d').getImageData(0, 0, canvas.width, 1).data];
const shades = pixels.filter((_, place) => place % 4 === 0 && pixels[place + 3] > 0);
return shades.length > 0 && shades.every((one) => (one > 128) === light); }}"""


def test_no_edge_stays_light_when_the_theme_changes(local_visit, address):
    page = opened(local_visit, address)
    page.wait_for_function(EDGE, arg=True)
    page.get_by_text("◐").click()
    page.wait_for_function(EDGE, arg=False)
    page.get_by_text("◐").click()
    page.wait_for_function(EDGE, arg=True)
    assert local_visit.complaints == []


FOCUS = "() => { let one = document.activeElement; while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement; return one.getAttribute('aria-label') ?? one.textContent }"


def test_limits_are_set_by_the_keyboard(local_visit, address):
    page = opened(local_visit, address)
    latency = page.get_by_label("measured latency ≤", exact=False).first
    latency.focus()
    latency.press_sequentially("1 ms")
    latency.press("Escape")
    assert latency.input_value() == ""
    latency.press_sequentially("10 ms")
    latency.press("Enter")
    page.get_by_label("remove the limit measured latency ≤").wait_for()
    page.wait_for_function(f"() => ({FOCUS})().startsWith('measured latency ≤')")
    # what is typed while an answer arrives is neither lost nor sent
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("8")
    page.evaluate(f"({FIND})('explorer.points').selected.indices = [5]")
    says(page, "1 selected")
    page.keyboard.type("5")
    accuracy = page.get_by_label("measured top-1 accuracy ≥", exact=False).first
    assert accuracy.input_value() == "85"
    accuracy.press("Enter")
    page.get_by_label("remove the limit measured top-1 accuracy ≥").wait_for()
    # the button that takes a limit away goes with it: its field has the focus
    page.get_by_label("remove the limit measured latency ≤").press("Enter")
    page.get_by_label("remove the limit measured latency ≤").wait_for(state="detached")
    page.wait_for_function(f"() => ({FOCUS})().startsWith('measured latency ≤')")
    assert local_visit.complaints == []
