"""`roofcube check` judges a user's own rows by a user's own hardware and networks."""

from __future__ import annotations

import polars as pl
import pytest
from click.testing import CliRunner

import roofcube as rc
from roofcube.cli import main
from roofcube.cli.checking import check_file
from roofcube.cli.foreign import column_map, numbered_rows
from roofcube.errors import InvalidDataError

HARDWARE = """
[[platform]]
platform = "Mine"
device_class = "NPU"
precision = "INT8"
peak_compute = "4 TOP/s"
memory_bandwidth = "20 GB/s"
"""
HEADER = "# board of May\ntopology,platform,precision,batch,latency_compute_s,throughput_compute_per_s,driver\n"
GOOD = "net,Mine,INT8,1,0.002,500,5.1\n\n# warm\nnet,Mine,INT8,8,0.01,800,5.1\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(HARDWARE)
    (tmp_path / "nets.csv").write_text("topology,gmacs,params\nnet,1.0,1e6\n")
    (tmp_path / "rows.csv").write_text(HEADER + GOOD)

    def call(*arguments):
        return CliRunner().invoke(main, ["check", *arguments], catch_exceptions=False)

    return call


OWN = ("--platforms", "mine.toml", "--networks", "nets.csv", "--strict")


def test_good_rows_of_own_hardware_have_no_finding(run):
    result = run("rows.csv", *OWN)
    assert result.exit_code == 0, result.output
    assert result.output == "rows.csv: 2 rows, 0 findings\nnot judged, kept as they are: driver\n"
    assert run("rows.csv", "--strict").exit_code == 1


def test_impossible_rows_are_found_by_their_row_in_the_file(run, tmp_path):
    (tmp_path / "rows.csv").write_text(HEADER + GOOD + "net,Mine,INT8,8,0.001,8000,5.1\n")
    result = run("rows.csv", *OWN, "--all", "-o", "found.csv")
    assert result.exit_code == 1
    found = pl.read_csv(tmp_path / "found.csv")
    impossible = found.filter(pl.col("grade") == "impossible")
    assert set(impossible["rule"]) == {"above_compute_peak"}
    assert impossible["row"].unique().to_list() == [7]
    assert impossible["source_row"].unique().to_list() == ["rows.csv row 7"]
    assert found.filter(pl.col("rule") == "repeats_disagree")["row"].unique().sort().to_list() == [6, 7]


def test_a_network_may_be_an_onnx_model(run, tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    weights = [helper.make_tensor("w", TensorProto.FLOAT, (10, 1000), [0.0] * 10_000)]
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1000))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 10))],
        weights,
    )
    onnx.save(helper.make_model(graph), str(tmp_path / "net.onnx"))
    result = run("rows.csv", "--platforms", "mine.toml", "--networks", "net.onnx", "--strict")
    assert result.exit_code == 0, result.output


def test_foreign_columns_are_mapped(run, tmp_path):
    (tmp_path / "board.csv").write_text("model;bs;step;power_full_w\nnet;1;2,5;3\nnet;8;10,5;4\n")
    result = run(
        "board.csv", *OWN, "--column", "model=topology", "--column", "bs=batch", "--column", "step=latency_compute_s:ms",
        "--constant", "platform=Mine", "--constant", "precision=INT8", "--unit", "power_full_w=W", "--sep", ";",
    )  # fmt: skip
    assert (result.exit_code, result.output) == (0, "board.csv: 2 rows, 0 findings\n")


def test_own_hardware_takes_the_place_of_embedded_of_that_name(run, tmp_path):
    (tmp_path / "mine.toml").write_text(HARDWARE.replace("Mine", "TX2"))
    (tmp_path / "rows.csv").write_text((HEADER + GOOD).replace("Mine", "TX2"))
    result = run("rows.csv", *OWN)
    assert result.exit_code == 0, result.output
    assert "yours, in place of the embedded: TX2" in result.output


def test_a_task_that_no_row_says_is_not_judged(run, tmp_path):
    for name in ("nets.csv", "rows.csv"):
        text = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text.replace("net,", "MLP,"))  # also the name of an embedded one, of mnist
    assert "2 rows, 0 findings" in run("rows.csv", *OWN).output
    words = ["join", "kws", "rows.csv", "--platforms", "mine.toml", "--networks", "nets.csv", "-o", "mine.nc"]
    joined = CliRunner().invoke(main, words, catch_exceptions=False)
    assert (joined.exit_code, "physics gate" in joined.output) == (0, False), joined.output


def test_wrong_options_and_files_are_one_message(run, tmp_path):
    result = run("rows.csv", "--column", "model")
    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert "`--column`: expected NAME=VALUE, got 'model'" in result.output
    with pytest.raises(InvalidDataError, match="`--constant`: expected NAME=VALUE, got '=x'"):
        column_map("--constant", ["=x"])
    with pytest.raises(
        InvalidDataError, match="`--constant`: expected one value of 'mode', got 'a' and 'b'; give it once"
    ):
        column_map("--constant", ["mode=a", "mode = b"])
    assert column_map("--constant", ["mode=a", "mode=a"]) == {"mode": "a"}
    with pytest.raises(InvalidDataError, match="`--column`: expected NAME=VALUE, got 'ms'"):
        column_map("--column", ["ms"])
    (tmp_path / "rows.csv").write_text(HEADER + GOOD.replace("500", "fast").replace(",8,", ",eight,"))
    told = run("rows.csv").output
    assert "rows.csv: 2 faults\n  row 3, column 'throughput_compute_per_s': got 'fast'" in told
    assert "  row 6, column 'batch': got 'eight'" in told


@pytest.mark.parametrize(
    ("text", "option", "message"),
    [
        ("model,platform,precision,batch,ms\nA,TX2,FP16,1,1\n", [], "or say with --column which one it is (required"),
        ("topology,platform,precision,batch,mean\nA,TX2,FP16,1,1\n", [], ": --column mean_ms=latency_compute_s:ms"),
        (
            "topology,platform,precision,batch,t [ms]\nA,TX2,FP16,1,1\n",
            ["--column", "t [ms]=latency_compute_s"],
            "`--column`: 't [ms]' seems to be in ms, 'latency_compute_s' is in s; say its unit: latency_compute_s:ms",
        ),
        (
            "topology,platform,precision,batch,latency_compute_s,channels_kept\nA,TX2,FP16,1,1,2\n",
            [],
            "map it with --column, or to nothing (--column NAME=)",
        ),
        (
            "topology;platform;precision;batch;throughput_compute_per_s\nA;TX2;FP16;1;1,234\n",
            [],
            "say which with --decimal ',' or --decimal '.'",
        ),
        ("a;b\n1;2\n", ["--sep", ","], "say with --sep what stands between fields"),
        (
            "topology,board,precision,batch,latency_compute_s\nA,TX2,FP16,1,1\n",
            ["--column", "platform=board"],
            "write it the other way round, --column board=platform",
        ),
        (
            "topology,platform,precision,batch,latency_compute_s\nA,TX2,FP17,1,1\n",
            ["--unit", "batch=s"],
            "`--unit`: 'b",
        ),
    ],
)
def test_what_to_do_is_said_of_options(run, tmp_path, text, option, message):
    (tmp_path / "rows.csv").write_text(text)
    assert message in run("rows.csv", *option).output


def test_tabs_and_parquet(run, tmp_path):
    (tmp_path / "rows.tsv").write_text((HEADER + GOOD).replace(",", "\t"))
    assert run("rows.tsv", *OWN, "--sep", "tab").exit_code == 0
    rc.read_measurements(tmp_path / "rows.csv").write_parquet(tmp_path / "rows.parquet")
    checked = check_file(tmp_path / "rows.parquet")
    assert checked.findings["row"].to_list() == [0, 0, 1, 1]  # platform and network of each
    assert checked.kept == ["driver"]


def test_a_constant_is_a_number_where_it_is_plainly_one(tmp_path):
    (tmp_path / "rows.csv").write_text(HEADER + GOOD)
    said = {"context": "128", "clock": "-1.5", "version": "1.10", "serial": "007", "commit": "1234e56", "mode": "2"}
    table = numbered_rows(tmp_path / "rows.csv", constants=[f"{name}={value}" for name, value in said.items()]).table
    assert table.row(0, named=True).items() >= {**said, "context": 128, "clock": -1.5}.items()
