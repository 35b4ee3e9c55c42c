"""The three pages in a real browser with the network cut."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from bokeh.models import Plot
from conftest import IDLE
from explorers import PATIENCE_MS

import roofcube as rc
from roofcube.plot.drawing.elements import rendered

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


TITLES = "(names) => names.map((name) => Bokeh.documents.flatMap((doc) => [...doc._all_models.values()]).find((one) => one.type === 'Figure' && one.name === name).title.text)"
TITLED = ("peaks.compute.panel", "peaks.bandwidth.panel", "rooflines.plane", "heatmap", "front", "latency_throughput",
          "pareto", "overlap", "efficiency", "efficiency_at_batch", "power", "energy", "inputs_per_joule")  # fmt: skip


def titles(visit):
    """The titles as they stand on the page, however they are broken into lines."""
    found = visit.page.evaluate(TITLES, list(TITLED))
    return {name: " ".join(text.split()) for name, text in zip(TITLED, found, strict=True)}


def titles_of(cube):
    """The titles of the same figures drawn of a cube."""
    predicted = {"objectives": {"predicted_throughput": "max", "top1": "max"}, "others": True}
    options = {"front": predicted, "efficiency_at_batch": {"at": "batch"}}
    found = {}
    for name in dict.fromkeys(one.partition(".")[0] for one in TITLED):
        model = rendered(getattr(rc.plot, name.removesuffix("_at_batch"))(cube, **options.get(name, {})))
        plots = model.select({"type": Plot})
        found |= {plot.name: " ".join(plot.title.text.split()) for plot in plots if plot.title and plot.name in TITLED}
    return found


def switch(visit, *labels):
    for label in labels:
        visit.page.locator("#shown label", has_text=label).click()
    visit.page.wait_for_timeout(300)


def test_one_bar_takes_a_platform_out_of_every_figure(visit, pages):
    visit.open(pages["cifar10"].as_uri())
    cube = rc.benchmark("cifar10")
    platforms = visit.column("pareto.points", "platform")
    before = titles(visit)
    assert before == titles_of(cube)
    switch(visit, "TX2")
    marks = visit.marks()
    assert {one["shown"] for one in marks["pareto.points"]} == {sum(platform != "TX2" for platform in platforms)}
    for name in ("heatmap.cells", "boxes.power", "comparison.rows", "power.bars", "peaks.compute", "rooflines.roofs"):
        held = visit.column(name, "platform")
        assert {one["shown"] for one in marks[name]} == {len(held) - held.count("TX2")}, name
        assert held.count("TX2"), name
    without = cube.sel(platform=[one for one in cube.platform.values.tolist() if one != "TX2"])
    front = rc.pareto(without, {"measured_throughput": "max", "measured_top1": "max"})
    assert sorted(visit.column("pareto.front", "x")) == pytest.approx(sorted(set(front.measured_throughput.values)))
    fewer = titles(visit)
    said = visit.page.locator("#figure-pareto .drawing").get_attribute("aria-label")
    assert said == f"Scatter of accuracy over throughput with the Pareto front as a staircase: {fewer['pareto']}"
    at_batch = {"efficiency_at_batch": fewer.pop("efficiency_at_batch")}  # stays at the batch that is chosen
    assert fewer == {name: text for name, text in titles_of(without).items() if name not in at_batch}
    assert "(2)" in at_batch["efficiency_at_batch"] != before["efficiency_at_batch"]
    assert "1 of 19 switched off" in visit.page.locator("#shown output").inner_text()
    visit.page.get_by_role("button", name="Show all").click()
    visit.page.wait_for_timeout(300)
    assert titles(visit) == before
    assert {one["shown"] for one in visit.marks()["pareto.points"]} == {len(platforms)}
    assert visit.complaints == []


def test_a_class_takes_its_platforms_and_a_double_click_leaves_one(visit, pages):
    visit.open(pages["imagenet"].as_uri())
    held = visit.column("pareto.points", "platform")
    switch(visit, "FPGA")
    shown = visit.marks()["pareto.points"][0]["shown"]
    assert shown == sum("DPU" not in platform and "ZCU104" not in platform for platform in held)
    visit.page.get_by_role("button", name="Show all").click()
    visit.page.locator("#shown label", has_text="EdgeTPU").dblclick()
    visit.page.wait_for_timeout(300)
    assert visit.marks()["pareto.points"][0]["shown"] == held.count("EdgeTPU")
    told = visit.page.locator("#figure-overview .told, #figure-requirements .told").all_inner_texts()
    assert told == ["All is shown here, whatever the platform."] * 2


def test_what_belongs_to_a_label_goes_with_it(visit, pages):
    visit.open(pages["imagenet"].as_uri())
    cube = rc.benchmark("imagenet")
    switch(visit, "ZCU102-DPU")  # which has the whole theoretical front
    without = cube.sel(platform=[one for one in cube.platform.values.tolist() if one != "ZCU102-DPU"])
    assert titles(visit)["front"] == titles_of(without)["front"]
    visit.page.get_by_role("button", name="Show all").click()
    networks = ("GoogLeNetv1", "MobileNetv1", "ResNet-50v15")
    switch(visit, *networks)
    marks = visit.marks()
    held = visit.column("rooflines.losses", "topology")
    shown = sum(one not in networks for one in held)
    assert marks["rooflines.losses"][0]["shown"] == marks["rooflines.achieved"][0]["shown"] == shown < len(held)
    assert {one["shown"] for one in marks["rooflines.heads"]} == {
        sum(one not in networks for one in visit.column("rooflines.heads", "topology"))
    }
    visit.page.get_by_role("button", name="Show all").click()
    switch(visit, "EdgeTPU")
    assert {one["shown"] for one in visit.marks()["power_trace.mean"]} == {0}
    figure = visit.page.locator("#figure-overlap")
    figure.get_by_role("button", name="matched", exact=True).click()
    visit.page.wait_for_timeout(200)
    assert titles(visit)["overlap"] == "No configuration was both predicted and measured as is possible"


def test_what_was_switched_before_the_figures_came_holds(visit, pages):
    early = "document.querySelector('#shown input[value=TX2]').click()"
    visit.page.add_init_script(f"document.addEventListener('DOMContentLoaded', () => {early}, {{once: true}})")
    visit.open(pages["mnist"].as_uri())
    visit.page.wait_for_timeout(300)
    held = visit.column("pareto.points", "platform")
    assert visit.marks()["pareto.points"][0]["shown"] == len(held) - held.count("TX2")
    visit.page.goto("about:blank")
    visit.page.go_back()
    visit.page.wait_for_function(IDLE)
    visit.page.wait_for_timeout(300)
    off = not visit.page.locator("#shown input[value=TX2]").is_checked()
    assert visit.marks()["pareto.points"][0]["shown"] == len(held) - off * held.count("TX2")


def unfolded(visit, place):
    """Unfold the rows of a figure, which a browser tells a moment later."""
    rows = visit.page.locator(place)
    rows.locator("summary").click()
    rows.locator("tbody tr").first.wait_for()
    return rows


def test_a_figure_shows_its_rows_as_a_table_that_follows_the_bar(visit, pages):
    visit.open(pages["cifar10"].as_uri())
    held = visit.column("pareto.points", "platform")
    rows = unfolded(visit, "#figure-pareto details.rows")
    assert rows.locator("tbody tr").count() == len(held) == 378
    assert rows.locator("th").all_inner_texts() == ["Configuration", "throughput", "top-1 accuracy", "flags", "source"]
    switch(visit, "TX2")
    assert rows.locator("tbody tr").count() == 378 - held.count("TX2")
    assert "TX2" not in rows.locator("tbody").inner_text()
    bars = unfolded(visit, "#figure-efficiency .view:not(.away) details.rows")
    assert bars.locator("table").count() == 1  # of the bars behind those measured their tooltip tells all
    boxes = unfolded(visit, "#figure-boxes details.rows")
    assert [text.split(",")[0] for text in boxes.locator("caption").all_inner_texts()] == [
        "latency",
        "throughput",
        "power",
    ]


def test_two_views_are_one_figure(visit, pages):
    visit.open(pages["mnist"].as_uri())
    figure = visit.page.locator("#figure-energy")
    assert figure.get_by_text("Energy per input in millijoule").is_visible()
    assert not figure.get_by_text("Inputs per joule for each").is_visible()
    figure.get_by_role("button", name="inputs per joule").click()
    assert figure.get_by_text("Inputs per joule for each").is_visible()
    assert figure.locator("canvas").last.bounding_box()["height"] > 300
    numbers = visit.page.locator("figure .view:not(.away) .caption b").all_inner_texts()
    assert numbers == [f"Figure {place}." for place in range(1, len(numbers) + 1)]
    visit.page.locator("#figure-efficiency").get_by_role("button", name="all at the same batch").click()
    batch = visit.page.locator("#figure-efficiency-at-batch")
    batch.get_by_role("button", name="16", exact=True).click()
    visit.page.wait_for_timeout(200)
    assert titles(visit)["efficiency_at_batch"].startswith("At equal batch (16): ")
    assert visit.complaints == []


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
