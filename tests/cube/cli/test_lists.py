"""The commands that list what there is, with sources."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest
from click.testing import CliRunner

import roofcube as rc
from roofcube.cli import main
from roofcube.vocabulary import VARIABLES


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, list(words), catch_exceptions=False)


def test_platforms_with_their_source(run):
    words = run("platforms").output
    assert "QuTiBench" in words
    assert "0.96 TOP/s" in words
    assert "2 GB" in words
    rows = json.loads(run("platforms", "--json").output)
    own = rc.datasets.load_platforms().height
    assert all(row["source"].startswith("QuTiBench") for row in rows[:own])
    assert {row["platform"] for row in rows[own:]} > {"RTX3090", "TPU v4", "Cerebras WSE-3 (CS-3)"}
    assert all(row["source"] for row in rows)
    assert len({row["platform"] for row in rows}) >= 110


def test_platforms_of_a_file(run, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[[platform]]\nplatform = "Mine"\ndevice_class = "NPU"\nprecision = "INT8"\n'
        'peak_compute = "2 TOP/s"\nmemory_bandwidth = { value = "10 GB/s", source = "data sheet, page 3" }\n'
    )
    words = run("platforms", "mine.toml").output
    assert "source: mine.toml" in words
    assert "memory bandwidth source: data sheet, page 3" in words
    assert json.loads(run("platforms", "mine.toml", "--json").output)[0]["memory_bandwidth_b_per_s"] == 1e10


SHEET = "Board;Kind;Type;TOPS;BW;Price\nA;NPU;INT8;4;17 GB/s;99\nB;GPU;FP16;8;34 GB/s;199\n"
HEADS = ["Board=platform", "Kind=device_class", "Type=precision", "TOPS=peak_compute:TOP/s", "BW=memory_bandwidth"]


def test_platforms_of_a_sheet_in_other_words(run, tmp_path):
    (tmp_path / "boards.csv").write_text(SHEET)
    told = run("platforms", "boards.csv").output
    for head in SHEET.splitlines()[0].split(";"):
        assert re.search(
            f"key '{head}': not known.*; say with --column what it is, or nothing, --column NAME=, to leave", told
        )
    rc.datasets.load_measurements("mnist").head(1).write_csv("rows.csv")
    for words in (["check", "rows.csv"], ["join", "mnist", "rows.csv", "-o", "mine.nc"]):
        other = run(*words, "--platforms", "boards.csv").output
        assert "key 'Kind': not known; name it in the file by what it is, or take it out; expected" in other
    options = [word for head in [*HEADS, "Price="] for word in ("--column", head)]
    boards = json.loads(run("platforms", "boards.csv", *options, "--json").output)
    assert [(one["platform"], one["peak_compute_op_per_s"]) for one in boards] == [("A", 4e12), ("B", 8e12)]
    wrong = run("platforms", "--column", "Board=platform")
    assert wrong.exit_code == 2
    assert "`--column`: expected a file of platforms beside it, got none; name one, or leave it out" in wrong.output


def test_networks_embedded_and_of_a_file(run, tmp_path):
    words = run("networks", "--task", "mnist").output
    assert "MLP" in words
    assert "CNV" not in words
    assert "QuTiBench" in words
    (tmp_path / "net.csv").write_text("topology,task,gmacs,params\nWake,kws,0.01,1e5\n")
    row = json.loads(run("networks", "net.csv", "--json").output)[0]
    assert (row["topology"], row["task"], row["ops"], row["source"]) == ("Wake", "kws", 2e7, "net.csv")
    refused = run("networks", "--task", "mnits")
    assert refused.exit_code == 2
    assert "did you mean 'mnist'" in refused.output
    assert "`--context`: expected a config.json beside it" in run("networks", "--context", "4").output


def test_layers_of_a_file_are_added_up(run):
    layers = rc.datasets.load_layers()
    one = layers.filter(layers["topology"] == "MLP")
    one.with_columns(topology=one["topology"] + "2").write_csv("layers.csv")
    rows = json.loads(run("networks", "layers.csv", "--json").output)
    assert {row["pruning_percent"]: row["ops"] for row in rows} == dict(
        one.group_by("pruning_percent").agg(pl.col("ops").sum()).iter_rows()
    )


def test_variables_of_the_table_and_of_a_cube(run):
    rows = json.loads(run("variables", "--json").output)
    assert {row["variable"] for row in rows} == set(VARIABLES)
    cube = rc.predict(rc.inputs("mnist"))
    cube["ops"].attrs["source"] = "counted by hand"
    rc.save(cube, "cube.nc")
    by_name = {row["variable"]: row for row in json.loads(run("variables", "cube.nc", "--json").output)}
    assert set(by_name) == set(map(str, cube.variables))
    assert by_name["predicted_latency"]["better"] == "min"
    assert by_name["ops"]["source"] == "counted by hand"
    assert "counted by hand" in run("variables", "cube.nc").output


def test_networks_of_a_configuration_are_listed_with_a_context(tmp_path):
    parts = {
        "text_config": {
            "model_type": "llama",
            "vocab_size": 100,
            "hidden_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
        },
        "vision_config": {"model_type": "clip_vision_model"},
    }
    path = tmp_path / "Tiny" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"model_type": "llava", **parts}))
    result = CliRunner().invoke(main, ["networks", str(path), "--context", "10", "--context", "20", "--json"])
    rows = json.loads(result.stdout)
    assert [(row["phase"], row["context"], row["params"], row["state"]) for row in rows[2:]] == [
        ("decode", 10, 2264.0, 160.0),
        ("decode", 20, 2264.0, 320.0),
    ]
    assert rows[0]["left_out"] == "of Tiny the text decoder alone, without vision_config (clip_vision_model)"
    assert "`--context`: expected tokens in context" in CliRunner().invoke(main, ["networks", str(path)]).output


def test_the_sizes_of_symbolic_dims_are_options(tmp_path):
    onnx = pytest.importorskip("onnx")
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, (4, 3, 3, 3), [0.0] * 108)
    picture = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ("N", 3, "h", "w"))
    answer = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"])], "net", [picture], [answer], [weights]
    )
    path = tmp_path / "net.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]), path)

    def run(*sizes):
        return CliRunner().invoke(main, ["networks", str(path), "--json", *sizes])

    assert "give it with --size h=… --size w=…" in run().output
    for sizes in (("h=10", "w=8"), ("x=1,3,10,8",)):
        row = json.loads(run(*(part for one in sizes for part in ("--size", one))).stdout)[0]
        assert row["ops"] == 2 * 108 * 8 * 6
    assert "`--size`: the model has no symbolic dim 'width'" in run("--size", "width=8").output
    assert "write it like --size h=128" in run("--size", "h=large").output
    alone = CliRunner().invoke(main, ["networks", "--size", "h=8"])
    assert "`--size`: expected an ONNX file beside it" in alone.output
    assert alone.exit_code == 2


def test_the_columns_of_a_foreign_table_of_networks_are_options(run, tmp_path):
    (tmp_path / "net.csv").write_text("model,GMACs,weights,year\nWake,1,2e6,2024\n")
    said = ("model=topology", "GMACs=gmacs", "weights=params", "year=")
    words = [word for one in said for word in ("--column", one)]
    row = json.loads(run("networks", "net.csv", *words, "--json").output)[0]
    assert (row["topology"], row["ops"], row["params"]) == ("Wake", 2e9, 2e6)
    assert "say with --column what it is, or nothing, --column NAME=, to leave it" in run("networks", "net.csv").output
    assert "`--column`: expected a table beside it" in run("networks", "--column", "a=b").output
    # of `check` the option is about the rows
    (tmp_path / "rows.csv").write_text("topology,platform,precision,batch,latency_compute_s\nMLP,NCS2,FP16,1,0.1\n")
    told = run("check", "rows.csv", "--networks", "net.csv").output
    assert "name it in the file by what it is, or take it out" in told
    assert "--column" not in told
