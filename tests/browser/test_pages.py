"""The three pages in a real browser with the network cut."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from explorers import PATIENCE_MS

import roofcube as rc

pytestmark = pytest.mark.browser
TASKS = ("cifar10", "imagenet", "mnist")


@pytest.mark.parametrize("task", TASKS)
def test_page_needs_no_network_and_has_its_sections(visit, pages, task):
    visit.open(pages[task].as_uri())
    assert visit.requests == []
    assert visit.complaints == []
    headings = visit.page.eval_on_selector_all("main > section > h2", "all => all.map((one) => one.textContent)")
    assert headings[1:7] == [
        "Theoretical analysis",
        "Experimental data",
        "Theoretical and measured Pareto, overlapped",
        "Efficiency",
        "Calibrated predictions",
        "Power",
    ]


def test_toggle_takes_the_marks_of_a_platform_away_and_moves_the_front(visit, pages):
    visit.open(pages["cifar10"].as_uri())
    platforms = visit.column("pareto.points", "platform")
    button = visit.page.locator("#figure-pareto .bk-btn", has_text="TX2")
    button.click()
    visit.page.wait_for_timeout(200)
    marks = visit.marks()
    assert {one["shown"] for one in marks["pareto.points"]} == {sum(platform != "TX2" for platform in platforms)}
    cube = rc.benchmark("cifar10")
    without = rc.pareto(
        cube,
        {"measured_throughput": "max", "measured_top1": "max"},
        where={"platform": [one for one in cube.platform.values.tolist() if one != "TX2"]},
    )
    assert sorted(visit.column("pareto.front", "x")) == pytest.approx(
        sorted(set(without.measured_throughput.values.tolist()))
    )
    button.click()
    visit.page.wait_for_timeout(200)
    assert {one["shown"] for one in visit.marks()["pareto.points"]} == {len(platforms)}


def test_tooltip_tells_the_whole_configuration(visit, pages):
    visit.open(pages["cifar10"].as_uri())
    throughput = visit.column("pareto.points", "x")
    row = int(np.argmax(throughput))  # the rightmost mark has no neighbour on top of it
    told = visit.hover("pareto.points", row)
    for part in ("ZCU104-FINN", "INT2", "CNV", "12.5 %", "batch 512", "60.8k", "73.6"):
        assert part in told, told


def test_data_inside_the_page_is_the_cube(visit, pages, tmp_path):
    visit.open(pages["mnist"].as_uri())
    with visit.page.expect_download() as caught:
        visit.page.click("a[download$='.nc']")
    caught.value.save_as(tmp_path / "cube.nc")
    assert rc.diff(rc.load(tmp_path / "cube.nc"), rc.benchmark("mnist")).height == 0
    with visit.page.expect_download() as caught:
        visit.page.click("#data a[download$='.csv']")
    caught.value.save_as(tmp_path / "cube.csv")
    assert pl.read_csv(tmp_path / "cube.csv", infer_schema_length=None)["n_rows"].sum() == 406


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(browser, pages, scheme):
    context = browser.new_context(color_scheme=scheme, offline=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(pages["mnist"].as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents[0] && Bokeh.documents[0].is_idle")
    page.wait_for_timeout(300)
    surface = page.evaluate("getComputedStyle(document.body).backgroundColor")
    plots = page.evaluate(
        "[...Bokeh.documents[0]._all_models.values()].filter((one) => one.type === 'Figure').map((one) => [one.background_fill_color, one.xaxis?.[0]?.major_label_text_color ?? one.below[0]?.major_label_text_color])"
    )
    context.close()
    assert surface == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 24, 29)"}[scheme]
    dark = scheme == "dark"
    for background, ink in plots:
        assert _bright(background) != dark or background is None
        assert ink is None or _bright(ink) == dark


def _bright(colour):
    return colour is not None and sum(int(colour[start : start + 2], 16) for start in (1, 3, 5)) > 384


def test_narrow_page_does_not_scroll_sideways(browser, pages):
    context = browser.new_context(viewport={"width": 390, "height": 800}, offline=True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(pages["cifar10"].as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents[0] && Bokeh.documents[0].is_idle")
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert width <= 390
