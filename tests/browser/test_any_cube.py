"""Pages and the explorer of cubes from elsewhere in a real browser: labels stay labels, a figure falls alone."""

from __future__ import annotations

import foreign_cubes
import numpy as np
import pytest
import xarray as xr
from bokeh.models import CustomJSTickFormatter
from bokeh.plotting import figure

import roofcube as rc
from roofcube import plot

pytestmark = pytest.mark.browser
HEADS = "[...document.querySelectorAll('figure')].map((one) => [one.id, one.querySelector('.drawing').textContent.trim().slice(0, 60), one.getBoundingClientRect().height])"


def test_labels_of_a_page_run_nothing(visit, tmp_path):
    visit.open(rc.report(foreign_cubes.hostile(), tmp_path / "hostile.html").as_uri())
    told = visit.hover("pareto.points", 0)
    assert visit.page.evaluate("window.pwned") is None
    assert visit.complaints == []
    assert "INT8" in told
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 1280
    # and were markup to get in, the policy would keep it from running
    visit.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.pwned=6\">')")
    visit.page.wait_for_timeout(300)
    assert visit.page.evaluate("window.pwned") is None


def test_a_figure_that_fails_in_the_browser_falls_alone(visit, tmp_path, monkeypatch):
    def broken(cube, **options):
        drawn = figure(name="peaks")
        drawn.scatter([1, 2], [3, 4])
        drawn.xaxis.formatter = CustomJSTickFormatter(code="this is no script")
        return drawn

    monkeypatch.setattr(plot, "peaks", broken)
    visit.page.goto(rc.report(foreign_cubes.own_task(), tmp_path / "page.html").as_uri())
    visit.page.wait_for_function("document.querySelector('#figure-peaks .missing')")
    # each of the others is embedded anew, alone
    visit.page.wait_for_function(f"{HEADS}.every(([name, , height]) => name === 'figure-peaks' || height > 130)")
    drawn = {name: (text, height) for name, text, height in visit.page.evaluate(HEADS)}
    assert drawn["figure-peaks"][0].startswith("This figure cannot be shown")
    others = {name: one for name, one in drawn.items() if name != "figure-peaks"}
    assert len(others) > 8
    assert not any(text.startswith("This figure") or height < 130 for text, height in others.values()), others


def test_the_search_finds_a_network_among_many(visit, tmp_path):
    visit.open(rc.report(foreign_cubes.many_networks(), tmp_path / "many.html").as_uri())
    table = visit.page.locator("#table-networks")
    assert not table.locator("tbody").is_visible()
    table.locator("summary").click()
    table.locator("input").fill("net0037")
    assert table.locator("tbody tr:visible").count() == 1
    assert "1 of 60" in table.locator("output").inner_text()
    table.locator("input").fill("")
    assert table.locator("tbody tr:visible").count() == 60
    assert visit.page.evaluate("document.documentElement.scrollHeight") < 40_000
    assert visit.complaints == []


def title_of(visit, name):
    find = "(name) => Bokeh.documents.flatMap((doc) => [...doc._all_models.values()]).find((one) => one.type === 'Figure' && one.name === name).title.text"
    return " ".join(visit.page.evaluate(find, name).split())


def switch_off(visit, *labels):
    for label in labels:
        visit.page.locator(f'#shown label:has(input[value="{label}"])').click()
    visit.page.wait_for_timeout(300)


def test_of_marks_that_are_thinned_the_front_stays_that_of_all(visit, tmp_path):
    random, dims = np.random.default_rng(0), ("platform", "topology", "precision", "batch")
    shape = (12, 12, 4, 12)
    cube = xr.Dataset(
        {"measured_throughput": (dims, random.lognormal(5, 1, shape)), "measured_top1": (dims, random.uniform(50, 90, shape))},
        {"platform": [f"p{one}" for one in range(12)], "topology": [f"n{one}" for one in range(12)],
         "precision": ["INT2", "INT4", "INT8", "FP16"], "batch": range(1, 13)},
    )  # fmt: skip
    cube["n_rows"] = xr.ones_like(cube.measured_throughput, dtype="i4")
    visit.open(rc.report(cube, tmp_path / "page.html").as_uri())
    before = visit.column("pareto.front", "x")
    switch_off(visit, "p1", "p2")
    assert visit.column("pareto.front", "x") == before
    told = visit.page.locator("#figure-pareto .told").inner_text()
    assert told.endswith("title, front, notes and key speak of all.")


def test_titles_speak_of_the_impossible_where_nothing_else_is_shown(visit, tmp_path):
    rule = {"flag_masks": np.array([1], "i4"), "flag_meanings": "above_compute_peak"}
    cube = xr.Dataset(
        {"measured_throughput": ("platform", [300.0, 72.0, 20.0]), "measured_latency": ("platform", [1 / 300, 1 / 72, 0.05]),
         "predicted_throughput": ("platform", [64.0] * 3), "peak_throughput": ("platform", [200.0] * 3),
         "n_rows": ("platform", [1, 1, 1]), "quality": ("platform", [1, 0, 0], rule)},
        {"platform": ["A", "B", "A, B"]},
    )  # fmt: skip
    visit.open(rc.report(cube, tmp_path / "page.html").as_uri())
    switch_off(visit, "A, B")
    assert title_of(visit, "efficiency").endswith("highest 112 % (B)")  # of two as near the even one, as in Python
    switch_off(visit, "B")
    assert title_of(visit, "latency_throughput") == "Highest throughput 300 inputs/s (A), shortest latency 3.33 ms (A)"
    switch_off(visit, "A, B", "A")  # the first comes back
    assert (
        title_of(visit, "latency_throughput") == "Highest throughput 20 inputs/s (A, B), shortest latency 50 ms (A, B)"
    )
    switch_off(visit, "A, B")
    assert title_of(visit, "latency_throughput") == "Nothing of this figure is shown"


def test_a_part_of_many_platforms_has_the_colours_of_its_buttons(visit, tmp_path):
    random, names = np.random.default_rng(0), [f"board {one}" for one in range(55)]
    rates = {
        name: (("platform", "topology"), random.lognormal(5, 1, (55, 6)))
        for name in ("measured_throughput", "predicted_throughput", "measured_latency")
    }
    cube = xr.Dataset(
        {**rates, "top1": ("topology", np.linspace(60, 90, 6))}, {"platform": names, "topology": list("abcdef")}
    )
    cube["n_rows"] = xr.ones_like(cube.measured_throughput, dtype="i4")
    visit.open(rc.report(cube, tmp_path / "page.html").as_uri())
    buttons = visit.page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#shown label[style]')].map((one) => [one.querySelector('input').value, one.style.getPropertyValue('--colour').trim()]))"
    )
    drawn = zip(*(visit.column("latency_throughput.points", name) for name in ("platform", "colour")), strict=True)
    assert all(buttons[platform] == colour for platform, colour in drawn)
