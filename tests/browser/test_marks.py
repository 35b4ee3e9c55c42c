"""Every figure of every page has as many marks as the table behind it has rows, counted without the figures."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.plot.drawing.points import SIDES

pytestmark = pytest.mark.browser
TASKS = ("cifar10", "imagenet", "mnist")
KEY = ("platform", "mode", "topology", "pruning_percent", "precision")
# network that no calibration is scored on: its rows run another network than the one tabled
NOT_SCORED = {"topology": "ResNet-50v15", "mode": "slow"}  # measured twice, with other figures of the system


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return request.param


@pytest.fixture
def marks(visit, pages, task):
    return visit.open(pages[task].as_uri()).marks()


@pytest.fixture(scope="module")
def expected(task):
    """Rows of each source, and what its glyphs draw where that is less: (source, column drawn) → marks."""
    rows = rc.datasets.load_measurements(task)
    cube = rc.join(rc.predict(rc.inputs(task)), rows)
    timed = rows.filter(pl.col("throughput_compute_per_s").is_not_null())
    parts = [
        of_requirements(task),
        of_hardware(),
        of_predictions(task),
        of_measurements(timed),
        of_spread(rows),
        of_front(cube, timed),
        of_overlap(cube, timed),
        of_efficiency(cube),
        of_comparison(cube, timed),
        of_power(rows),
        of_traces(task),
    ]
    return {name: count for part in parts for name, count in part.items()}


# the tables behind the figures ----------------------------------------------------------------------------------------


def networks_of(task):
    return rc.datasets.load_topologies().filter(pl.col("task") == task)


def known(rows, *columns):
    return rows.filter(pl.all_horizontal(pl.col(column).is_not_null() for column in columns))


def configurations(rows):
    """Count configurations, the batches of one together."""
    return rows.unique(KEY).height


def predicted_labels(array):
    """Labels of the known cells of an array, in the order of KEY."""
    cells = array.to_series().dropna().reset_index().rename(columns={"pruning": "pruning_percent"})
    return set(cells[list(KEY)].itertuples(index=False, name=None))


def measured_labels(rows):
    return set(rows.select(KEY).iter_rows())


def distinct(front, x, y):
    """Count the distinct points of a front."""
    return len(set(zip(front[x].values.tolist(), front[y].values.tolist(), strict=True)))


# what each figure must show -------------------------------------------------------------------------------------------


def of_requirements(task):
    return dict.fromkeys(("requirements.bars", "requirements.sizes"), networks_of(task).height)


def of_hardware():
    platforms = rc.datasets.load_platforms()
    return {
        "peaks.compute": platforms.height,
        "peaks.bandwidth": platforms["platform"].n_unique(),
        "rooflines.roofs": platforms.height,
        "rooflines.flats": platforms.height,
        "rooflines.ridges": platforms.height,
        "rooflines.names": platforms.height,
    }


def of_predictions(task):
    platforms, networks = rc.datasets.load_platforms(), networks_of(task)
    precisions = platforms["precision"].n_unique()
    return {
        "rooflines.networks": networks.height * precisions,
        "rooflines.marks": networks.height * precisions,
        "rooflines.heads": networks["topology"].n_unique() * precisions,
        "heatmap.cells": platforms.unique(["platform", "mode"]).height * networks.height * precisions,
        # a number is written where the platform supports the precision
        ("heatmap.cells", "text"): platforms.height * networks.height,
    }


def of_measurements(timed):
    both = known(timed, "latency_compute_s")
    return {
        "latency_throughput.points": both.unique([*KEY, "batch"]).height,
        "latency_throughput.lines": configurations(both),
    }


def of_spread(rows):
    columns = {
        "boxes.latency": "latency_compute_s",
        "boxes.throughput": "throughput_compute_per_s",
        "boxes.power": "power_full_w",
    }
    groups = ["platform", "topology", "pruning_percent"]
    parts = ("", ".whiskers", ".medians")
    return {
        f"{name}{part}": known(rows, column).unique(groups).height for name, column in columns.items() for part in parts
    }


def of_front(cube, timed):
    front = rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})
    return {
        "pareto.points": known(timed, "top1_percent").unique([*KEY, "batch"]).height,
        "pareto.front": distinct(front, "measured_throughput", "measured_top1"),
    }


def of_overlap(cube, timed):
    accurate = known(timed, "top1_percent")
    predicted = predicted_labels(cube.predicted_throughput * cube.top1)
    measured_front = rc.pareto(cube, {"measured_throughput": "max", "measured_top1": "max"})
    plane = cube[["predicted_throughput", "top1"]]  # without dims of what was measured, along which points repeat
    predicted_front = rc.pareto(plane, {"predicted_throughput": "max", "top1": "max"})
    tied = rc.pareto(plane, {"predicted_throughput": "max", "top1": "max"}, ties="all").sizes["point"]
    return {
        "overlap.predicted": len(predicted),
        "overlap.measured": configurations(accurate),
        "overlap.links": len(predicted & measured_labels(accurate)),
        "overlap.measured_front": distinct(measured_front, "measured_throughput", "measured_top1"),
        "overlap.predicted_front": distinct(predicted_front, "predicted_throughput", "top1"),
        "front.points": tied,
        "front.others": len(predicted) - tied,
        "front.front": distinct(predicted_front, "predicted_throughput", "top1"),
    }


def of_efficiency(cube):
    rows = int(np.isfinite(rc.efficiency(cube).efficiency).sum())
    at_batch = rc.efficiency(cube, at="batch").efficiency
    measured = np.isfinite(at_batch).sum([dim for dim in at_batch.dims if dim != "batch"])
    achieved = int(np.isfinite(rc.efficiency(cube, trust="all").efficiency).sum())
    parts = [
        f"{name}.{part}"
        for name in ("efficiency", "efficiency_at_batch")
        for part in ("bars", "white", "predicted", "peak")
    ]
    return {
        **dict.fromkeys(parts, rows),
        ("efficiency_at_batch.bars", "measured"): int(measured.max()),
        ("efficiency_at_batch.white", "measured"): int(measured.max()),
        "rooflines.achieved": achieved,
        "rooflines.losses": achieved,
    }


def of_comparison(cube, timed):
    published = measured_labels(timed) & predicted_labels(cube.predicted_throughput)
    bound = rc.predict(rc.inputs(cube.attrs["task"]), assumptions=rc.BOUND).predicted_throughput
    scored = configurations(timed.filter(~pl.all_horizontal(pl.col(name) == one for name, one in NOT_SCORED.items())))
    return {
        **dict.fromkeys(
            [f"comparison.{part}" for part in ("rows", "band", "bound", "published", "calibrated")],
            configurations(timed),
        ),
        ("comparison.published", "published"): len(published),
        ("comparison.bound", "bound"): len(measured_labels(timed) & predicted_labels(bound.max("batch"))),
        ("comparison.calibrated", "calibrated"): scored,
        ("comparison.band", "high"): scored,
        ("comparison.rows", "note"): scored,
    }


def of_power(rows):
    full = known(rows, "power_full_w")
    energy = configurations(known(full, "throughput_compute_per_s"))
    return {
        **dict.fromkeys(("power.bars", "power.idle", "power.base", "power.whiskers"), configurations(full)),
        ("power.idle", "power_idle"): configurations(known(full, "power_idle_w")),
        ("power.base", "power_base"): configurations(known(full, "power_base_w")),
        **{f"{name}.{part}": energy for name in ("energy", "inputs_per_joule") for part in ("bars", "whiskers")},
    }


def of_traces(task):
    if task != "imagenet":
        return {}
    runs = rc.datasets.load_power_traces().group_by("platform", "mode", "topology").len().height
    return {"power_trace.samples": rc.datasets.load_power_traces().height, "power_trace.mean": runs}


# the tests ------------------------------------------------------------------------------------------------------------


def test_every_source_of_marks_is_expected_and_every_expectation_is_met(marks, expected):
    sources = {name if isinstance(name, str) else name[0] for name in expected}
    assert set(marks) - {"key"} == sources
    drawn_columns = {(name, mark["field"]) for name, held in marks.items() for mark in held}
    assert {name for name in expected if not isinstance(name, str)} <= drawn_columns
    # the marks of a legend are drawn in the legend alone
    assert {mark["drawn"] for mark in marks["key"]} == {0}


def test_every_figure_draws_as_many_marks_as_its_table_has_rows(marks, expected):
    wrong = []
    for name in set(marks) - {"key", "power_trace.samples", "power_trace.mean"}:
        for mark in marks[name]:
            rows, drawn = expected[name], expected.get((name, mark["field"]), expected[name])
            if mark["field"] in SIDES and name in ("front.points", "overlap.predicted", "overlap.measured"):
                # names that would overprint are left out, and stand left where there is no room right of a mark
                assert int(mark["field"] == SIDES[0]) <= mark["drawn"] <= rows
                drawn = mark["drawn"]
            if (mark["rows"], mark["shown"], mark["drawn"]) != (rows, rows, drawn):
                wrong.append(f"{name}: {rows} rows expected, {drawn} drawn; got {mark}")
    assert not wrong, "\n".join(sorted(wrong))


def test_every_sample_of_a_trace_is_drawn_in_its_run(marks, expected, task):
    if task != "imagenet":
        assert "power_trace.samples" not in marks
        return
    held = marks["power_trace.samples"]
    runs = rc.datasets.load_power_traces().group_by("platform", "mode", "topology").len()["len"]
    assert sum(mark["rows"] for mark in held) == expected["power_trace.samples"]
    assert Counter(mark["drawn"] for mark in held) == Counter(mark["rows"] for mark in held) == Counter(runs.to_list())
    assert sum(mark["drawn"] for mark in marks["power_trace.mean"]) == expected["power_trace.mean"]


def test_the_overview_has_a_cell_for_each_platform_and_network(visit, pages, task):
    visit.open(pages[task].as_uri())
    cells = visit.page.locator("#figure-overview td[data-rows]")
    counts = Counter(
        dict(
            rc.datasets.load_measurements(task)
            .group_by("platform", "topology")
            .len()
            .select(pl.concat_str("platform", "topology", separator=" "), "len")
            .iter_rows()
        )
    )
    platforms, topologies = (
        rc.datasets.load_platforms()["platform"].n_unique(),
        networks_of(task)["topology"].n_unique(),
    )
    told = [int(cell.get_attribute("data-rows")) for cell in cells.all()]
    assert len(told) == platforms * topologies
    assert sorted(count for count in told if count) == sorted(counts.values())


def test_buttons_of_batches_exchange_the_bars(visit, pages, task):
    visit.open(pages[task].as_uri())
    at_batch = rc.efficiency(rc.benchmark(task), at="batch").efficiency
    last = float(at_batch.batch[-1])
    visit.page.get_by_role("button", name="all at the same batch").click()
    visit.page.locator("#figure-efficiency-at-batch").get_by_role("button", name=f"{last:g}", exact=True).click()
    visit.page.wait_for_timeout(200)
    drawn = {mark["field"]: mark["drawn"] for mark in visit.marks()["efficiency_at_batch.bars"]}
    assert drawn["measured"] == int(np.isfinite(at_batch.sel(batch=last)).sum())
    title = "[...Bokeh.documents[0]._all_models.values()].filter((one) => one.type === 'Title').map((one) => one.text)"
    assert any(text.startswith(f"At equal batch ({last:g})") for text in visit.page.evaluate(title))
