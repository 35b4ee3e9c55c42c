"""What objects say of themselves in a notebook."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.notebook import html_table


def cells(html: str) -> list[list[str]]:
    return [re.findall(r"<td>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", html)[1:]]


def test_a_sweep_tells_its_dims():
    days = xr.DataArray([3.0, 1.0], dims="day", coords={"day": np.array(["2024-01-01", "2025-01-02"], "M8[ns]")})
    assert "2024-01-01 … 2025-01-02" in rc.Sweep(rc.inputs("mnist").assign(price=days))._repr_html_()
    html = rc.Sweep(rc.inputs("mnist", platforms=["TX2", "NCS2"], batch=[1, 8, 64]))._repr_html_()
    told = {row[0]: row[1:] for row in cells(html)}
    assert told["platform"] == ["2", "TX2 … NCS2"]
    assert told["batch"] == ["3", "1 … 64"]
    assert "predicted_throughput" in html


def test_a_plan_tells_each_question():
    plan = rc.Sweep(rc.inputs("mnist")).plan()
    assert [row[0] for row in cells(plan._repr_html_())] == [
        *(one.question for one in plan.questions),
        "every point visited",
    ]


def test_a_calibration_tells_what_not_to_trust():
    calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"))
    (row,) = cells(calibration._repr_html_())
    assert row[:4] == ["NCS2", "default", "FP16", "32"]
    assert row[-1] == calibration.trust["trust"].item()


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "a\u202eb"])
def test_no_label_becomes_a_part_of_the_page(label):
    hardware = rc.hypothetical(name=label, peak_compute=1e12, memory_bandwidth=1e10)
    html = rc.Sweep(rc.inputs("mnist", platforms=hardware))._repr_html_()
    assert "<script" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;" in html_table("<script>", ["a"], [])


def test_reasons_tell_limits_and_what_would_gain():
    where = {"measured_top1": (98, None), "measured_latency": (None, 0.002)}
    reasons = rc.explain(rc.benchmark("mnist"), "measured_throughput", where=where)
    rows = cells(reasons._repr_html_())
    assert [row[:2] for row in rows] == [[name, f"{number:,}"] for name, number in reasons.removed.items()]
    assert [row[0] for row in rows if row[2]] == [one.name for one in reasons.relaxations]
    assert "runner-up" in reasons._repr_html_()
    nothing = rc.explain(rc.benchmark("mnist"), "measured_throughput", where={"measured_top1": (99.9, None)})
    assert nothing._repr_html_().startswith("<b>nothing of 10,800 points meets all limits</b>")
