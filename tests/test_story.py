"""A new user's first hour: a board and a network of their own, twenty measured rows with three mistakes, a page, a file."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

SHEET = """
[[platform]]
platform = "Kite"
device_class = "NPU"
precision = "{precision}"
peak_compute = {{ value = "{peak} TOP/s", source = "data sheet, table 1" }}
memory_bandwidth = {{ value = "8.5 GB/s", source = "data sheet, table 3" }}
memory_capacity = {{ value = "512 MB", source = "data sheet, table 3" }}
power = "4 W"
"""
BOARD = SHEET.format(precision="INT8", peak=1.2) + SHEET.format(precision="FP16", peak=0.3)


def write_network(path) -> None:
    """Two convolutions and a classifier for key words: 40 spectra of 49 frames."""
    rng = np.random.default_rng(0)

    def weights(name, *shape):
        return helper.make_tensor(name, TensorProto.FLOAT, shape, rng.random(int(np.prod(shape))).tolist())

    nodes = [
        helper.make_node("Conv", ["x", "a"], ["h"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["h"], ["hr"]),
        helper.make_node("Conv", ["hr", "b"], ["g"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["g"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "c"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "kws",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 40, 49))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 12))],
        [weights("a", 64, 1, 3, 3), weights("b", 64, 64, 3, 3), weights("c", 12, 64)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))


def write_rows(path, bound) -> None:
    """Twenty rows at a third of what the model allows; a rate in 1/ms, a precision and a network misspelt, a dead meter."""
    lines = ["task,platform,topology,precision,batch,throughput_compute_per_s,top1_percent,power_full_w"]
    for precision in ("INT8", "FP16"):
        for batch in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
            speed = float(bound.sel(platform="Kite", precision=precision, batch=batch).max()) / 3
            lines.append(f"kws,Kite,KeyNet,{precision},{batch},{speed:.6g},91.5,3.2")
    cells = [line.split(",") for line in lines]
    cells[4][5] = f"{float(cells[4][5]) * 1000:.6g}"
    cells[9][3] = "INT9"
    cells[12][2] = "KeyNett"
    cells[15][7] = "0"
    path.write_text("\n".join(",".join(row) for row in cells) + "\n")


def test_from_a_data_sheet_and_a_network_to_a_page(tmp_path):
    (tmp_path / "kite.toml").write_text(BOARD)
    write_network(tmp_path / "keynet.onnx")
    board = rc.read_platforms(tmp_path / "kite.toml")
    network = rc.read_network(tmp_path / "keynet.onnx", name="KeyNet", task="kws", top1=91.5)
    batches = [2**k for k in range(10)]
    inputs = rc.inputs("kws", platforms=board, topologies=network, batch=batches)
    cube = rc.predict(inputs, assumptions=rc.BOUND)
    assert cube.attrs["task"] == "kws"
    macs = 64 * 9 * 20 * 25 + 64 * 64 * 9 * 10 * 13 + 64 * 12
    assert float(cube.ops.max()) == 2 * macs

    write_rows(tmp_path / "rows.csv", cube.predicted_throughput)
    with pytest.raises(
        InvalidDataError, match=r"rows\.csv, row 10, column 'precision': got 'INT9'.*did you mean 'INT8'"
    ):
        rc.read_measurements(tmp_path / "rows.csv")
    (tmp_path / "rows.csv").write_text((tmp_path / "rows.csv").read_text().replace("INT9", "INT8"))
    rows = rc.read_measurements(tmp_path / "rows.csv")
    assert rows.height == 20
    found = rc.check(rows, inputs=inputs)
    found = found.filter(pl.col("grade") != "note")
    assert {"above_compute_peak", "unknown_label", "zero_power"} <= set(found["rule"])
    assert set(found["source_row"]) == {"rows.csv row 5", "rows.csv row 13", "rows.csv row 16"}
    misspelt = found.filter(rule="unknown_label").row(0, named=True)
    assert "did you mean 'KeyNet'" in misspelt["finding"] + misspelt["action"]

    joined = rc.join(cube, rows)
    assert int(joined.n_rows.sum()) == 19
    assert rc.unmatched(joined, rows)["topology"].to_list() == ["KeyNett"]
    fastest = rc.best(joined, "measured_throughput")
    assert fastest.attrs["removed_by_trust"] == 1
    assert float(fastest.measured_throughput) < float(joined.measured_throughput.max())
    assert np.isfinite(float(rc.best(joined, "inputs_per_joule").inputs_per_joule))
    assert float(rc.efficiency(joined).efficiency.median()) == pytest.approx(1 / 3, rel=1e-3)

    page = rc.report(joined, tmp_path / "page.html", title="Kite speaks")
    text = page.read_text(encoding="utf-8")
    assert "<h1>Kite speaks</h1>" in text
    assert "could not be" not in re.sub(r"<(script|style)>.*?</\1>", "", text, flags=re.DOTALL)
    assert "cifar" not in text.lower()

    rc.save(joined, tmp_path / "kite.nc")
    code = (
        f"import xarray as xr; print(float(xr.open_dataset({str(tmp_path / 'kite.nc')!r}).measured_throughput.max()))"
    )
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(plain) == float(joined.measured_throughput.max())
    assert rc.load(tmp_path / "kite.nc").identical(joined)
