"""The explorer of cubes from elsewhere and of sweeps, in a real browser."""

from __future__ import annotations

import foreign_cubes
import numpy as np
import pytest
from explorers import FIND, Served, opened, pick_first_row, says

import roofcube as rc

pytestmark = pytest.mark.browser


@pytest.fixture
def served():
    made = []

    def serve(cube):
        made.append(Served(cube))
        return made[-1].address

    yield serve
    for one in made:
        one.close()


def hardware(count):
    return rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, count), memory_bandwidth=np.geomspace(1e9, 1e12, count), power=10.0
    )


def test_labels_are_text_wherever_they_are_shown(local_visit, served):
    cube = foreign_cubes.hostile()
    names = [str(name) for name in cube.dims]
    page = opened(local_visit, f"{served(cube)}/?table=all&tab=heatmap&foo<img src=x onerror=window.pwned=9>=1")
    label = page.locator(".facets label").first
    label.locator("input").check()
    page.locator(".steps", has_text="−").wait_for()
    pick_first_row(page)
    for tab in ("Parallel", "Roofline", "At latency", "Heatmap"):
        page.get_by_role("button", name=tab, exact=True).click()
    page.wait_for_function(f"() => ({FIND})('explorer.cells')?.data.row.length > 0")
    assert page.locator(".facets .t", has_text="<img src=x onerror=window.pwned=1>").count() > 0
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert names
    assert local_visit.requests == []
    assert local_visit.complaints == []
    # and were markup to get in, its handlers would not run
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=\"rc/none\" onerror=\"window.pwned=6\">')")
    page.wait_for_function("[...document.images].at(-1).complete")
    assert page.evaluate("window.pwned") is None


def test_ninety_thousand_cells_are_an_image(local_visit, served):
    inputs = rc.inputs("cifar10", platforms=hardware(300), precision=["FP16"], pruning=[100.0], batch=[1])
    page = opened(local_visit, f"{served(rc.predict(inputs))}/?tab=heatmap&columns=peak&rows=bandwidth")
    page.wait_for_function(f"() => ({FIND})('explorer.image')?.data.w[0] === 300")
    drawn = page.evaluate(f"({FIND})('explorer.points')?.data.x.length")
    assert 0 < drawn < 5_000
    low = page.get_by_label("peak (TOP/s) from")
    low.fill("10")
    low.press("Enter")
    says(page, "peak −")
    assert local_visit.complaints == []


@pytest.mark.parametrize("count", [2_400, 240_000])
def test_a_sweep_is_asked_not_stored(local_visit, served, count):
    sweep = rc.Sweep(rc.inputs("cifar10", platforms=hardware(count), precision=["INT8", "FP16"], batch=[1]))
    assert sweep.size > (1e7 if count < 10_000 else 1e11)
    page = opened(local_visit, served(sweep))
    says(page, f"{sweep.size:,} points".replace(",", "\u202f"))
    field = page.get_by_label("predicted latency ≤", exact=False).first
    field.fill("10 ms")
    field.press("Enter")
    says(page, "predicted latency −")
    front = sweep.pareto({"predicted_throughput": "max", "top1": "max"}, where={"predicted_latency": (None, 0.01)})
    says(page, f"{front.sizes['point']} on the front")
    page.locator(".why .configuration").wait_for()
    assert local_visit.complaints == []
