"""The three pages in a real browser with the network cut."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import roofcube as rc

pytestmark = pytest.mark.browser
TASKS = ("cifar10", "imagenet", "mnist")
KEY = ("platform", "mode", "topology", "pruning_percent", "precision")


def _expected(task):
    """Count what each figure must show, from the tables and not from the figures."""
    cube = rc.benchmark(task)
    rows = rc.datasets.load_measurements(task).filter(pl.col("throughput_compute_per_s").is_not_null())
    platforms = rc.datasets.load_platforms()
    cells = rows.unique([*KEY, "batch"])
    latency = cells.filter(pl.col("latency_compute_s").is_not_null())
    accurate = cells.filter(pl.col("top1_percent").is_not_null())
    measured_front = rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})
    predicted = int((cube.predicted_throughput * cube.top1).notnull().sum())
    networks = rc.datasets.load_topologies().filter(pl.col("task") == task)
    return {
        "requirements.bars": networks.height,
        "peaks.compute": platforms.height,
        "peaks.bandwidth": platforms["platform"].n_unique(),
        "rooflines.roofs": platforms.height,
        "rooflines.ridges": platforms.height,
        "latency_throughput.points": latency.height,
        "latency_throughput.lines": latency.unique(KEY).height,
        "boxes.throughput": rows.unique(["platform", "topology", "pruning_percent"]).height,
        "pareto.points": accurate.height,
        "pareto.front": len(
            {
                (float(x), float(y))
                for x, y in zip(measured_front.measured_throughput, measured_front.measured_top1, strict=True)
            }
        ),
        "overlap.predicted": predicted,
        "overlap.measured": accurate.unique(KEY).height,
        "comparison.rows": cells.unique(KEY).height,
        "efficiency.bars": int(np.isfinite(rc.efficiency(cube).efficiency).sum()),
    }


@pytest.mark.parametrize("task", TASKS)
def test_page_needs_no_network_and_shows_every_row(visit, pages, task):
    visit.open(pages[task].as_uri())
    assert visit.requests == []
    assert visit.complaints == []
    marks = visit.marks()
    for name, expected in _expected(task).items():
        held = marks[name]
        assert {one["rows"] for one in held} == {expected}, name
        assert max(one["drawn"] for one in held) == expected, name
    if task == "imagenet":
        assert sum(one["drawn"] for one in marks.pop("power_trace.samples")) == rc.datasets.load_power_traces().height
    for name, held in marks.items():
        assert max(one["shown"] for one in held) == max(one["rows"] for one in held), (
            f"{name} hides rows before anyone asked"
        )
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
    page.goto(pages["cifar10"].as_uri())
    page.wait_for_function("window.Bokeh && Bokeh.documents[0] && Bokeh.documents[0].is_idle")
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert width <= 390
