"""Many labels of the leading dim asked for at once: the same answers as one by one."""

from __future__ import annotations

import pytest

import roofcube as rc
from roofcube.sweep.answers import leading


@pytest.mark.parametrize(
    ("objective", "where"),
    [
        ("measured_throughput", {"top1": (70, None)}),
        ("predicted_latency", {"precision": ["INT8", "FP16"]}),
        ("measured_throughput", {"platform": ["TX2", "NCS2", "EdgeTPU"]}),
        ("predicted_throughput", {"top1": (99, None)}),
        ("predicted_throughput", None),
    ],
)
def test_winners_are_those_of_single_questions(monkeypatch, objective, where):
    cube = rc.as_offered(rc.benchmark("imagenet"))
    for source in (cube, rc.Sweep(rc.inputs("imagenet", layout="offered"))) if where is None else (cube,):
        monkeypatch.setattr(leading, "MANY", 2)
        together = rc.best(source, objective, per="platform", where=where)
        monkeypatch.setattr(leading, "MANY", 1000)
        assert together.identical(rc.best(source, objective, per="platform", where=where))
