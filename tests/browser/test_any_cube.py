"""Pages and the explorer of cubes from elsewhere in a real browser: labels stay labels, a figure falls alone."""

from __future__ import annotations

import foreign_cubes
import pytest
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
