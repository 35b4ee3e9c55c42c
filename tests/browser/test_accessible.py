"""Pages and explorer under axe-core: nothing serious for whoever reads with a screen reader, keys or little contrast."""

from __future__ import annotations

import pytest
from explorers import Served, opened

import roofcube as rc

pytestmark = pytest.mark.browser
GRAVE = ("critical", "serious")


def grave_findings(page):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return {one["id"]: [node["target"] for node in one["nodes"]] for one in found if one["impact"] in GRAVE}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("task", ["cifar10", "imagenet", "mnist"])
def test_nothing_serious_stands_in_a_page(visit, pages, task, scheme):
    visit.page.emulate_media(color_scheme=scheme)
    visit.open(pages[task].as_uri())
    assert grave_findings(visit.page) == {}


@pytest.mark.parametrize("width", [390, 800])
def test_what_is_wider_than_the_screen_is_scrolled_by_keys(visit, pages, width):
    visit.page.set_viewport_size({"width": width, "height": 900})
    visit.open(pages["cifar10"].as_uri())
    wide = visit.page.locator(".table").evaluate_all(
        "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).length"
    )
    assert wide or width > 390
    assert grave_findings(visit.page) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_stands_in_an_explorer_beside_the_grid_of_its_table(local_visit, scheme):
    served = Served(rc.benchmark("cifar10"))
    try:
        local_visit.page.emulate_media(color_scheme=scheme)
        opened(local_visit, served.address)
        seen = [grave_findings(local_visit.page)]
        local_visit.page.set_viewport_size({"width": 390, "height": 900})
        page = opened(local_visit, f"{served.address}/?tab=latency")
        page.locator(".within table").wait_for()
        seen.append(grave_findings(page))
    finally:
        served.close()
    for found in seen:
        beside = {rule: [one for one in at if "tabulator" not in str(one)] for rule, at in found.items()}
        assert beside in ({}, {"aria-required-children": []})


def test_a_title_over_several_planes_is_read_on_a_dark_page_too(visit, pages):
    visit.page.emulate_media(color_scheme="dark")
    visit.open(pages["imagenet"].as_uri())
    colours = visit.page.evaluate(
        """() => {
          const below = (root) => [...root.querySelectorAll("*")].flatMap((one) => [one, ...(one.shadowRoot ? below(one.shadowRoot) : [])]);
          return below(document).filter((one) => one.tagName === "SPAN" && one.style.fontWeight === "bold").map((one) => getComputedStyle(one).color);
        }"""
    )
    assert colours
    assert set(colours) == {"rgb(232, 236, 241)"}
