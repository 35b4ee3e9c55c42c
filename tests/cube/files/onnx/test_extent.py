"""How far a walk goes: what no output hangs on is told, loops that never settle and files without an end are refused."""

from __future__ import annotations

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

onnx = pytest.importorskip("onnx")

from onnx import TensorProto  # noqa: E402
from onnx_files import graph, node, value, write, zeros  # noqa: E402


def test_a_layer_that_no_output_hangs_on_counts_and_says_so(tmp_path):
    nodes = [node("MatMul", ["x", "w"], ["y"]), node("MatMul", ["x", "v"], ["unused"])]
    table = rc.read_network(write(tmp_path, nodes, {"w": zeros(8, 8), "v": zeros(8, 5)}, [1, 8]))
    assert table["note"].to_list() == ["", "no output of the graph hangs on it"]


def test_what_only_a_branch_reads_is_used(tmp_path):
    branch = graph([node("MatMul", ["m", "v"], ["t"])], ["t"])
    other = graph([], ["m"])
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("If", ["c"], ["y"], then_branch=branch, else_branch=other)]
    weights = {"w": zeros(8, 8), "v": zeros(8, 8), "c": np.array(True)}
    assert rc.read_network(write(tmp_path, nodes, weights, [1, 8]))["note"].to_list() == ["", ""]


def test_an_output_that_no_node_makes_is_refused(tmp_path):
    path = write(tmp_path, [node("MatMul", ["x", "w"], ["m"])], {"w": zeros(8, 8)}, [1, 8])
    with pytest.raises(InvalidDataError, match=r"net.onnx: its outputs 'y' are made by no node"):
        rc.read_network(path)


def nested(depth):
    inner = [node("Loop", ["n", "", "w"], ["z"], body=nested(depth - 1))] if depth else []
    layers = [node("Identity", ["go"], ["on"]), *inner, node("Concat", ["h", "h"], ["k"], axis=0)]
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("h", None)]
    return graph(layers, ["on", "k"], inputs=inputs)


def test_loops_that_walk_each_other_without_end_are_refused(tmp_path):
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Loop", ["n", "", "m"], ["y"], body=nested(24))]
    path = write(tmp_path, nodes, {"w": zeros(8, 8), "n": np.array(3, "i8")}, [1, 8])
    with pytest.raises(InvalidDataError, match="expected loops whose shapes settle, got loops nested so deeply"):
        rc.read_network(path)


def test_a_file_that_is_larger_than_onnx_can_be_is_refused_unread(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**36)
    with pytest.raises(InvalidDataError, match=r"large.onnx: expected an ONNX file of less than 2 GiB"):
        rc.read_network(path)


def test_weights_that_a_scan_cuts_into_slices_or_a_loop_hands_on_are_parameters(tmp_path):
    body = graph([node("MatMul", ["h", "e"], ["k"])], ["k"], inputs=[value("h", None), value("e", None)])
    scan = node("Scan", ["x", "w"], ["y"], body=body, num_scan_inputs=1)
    table = rc.read_network(write(tmp_path, [scan], {"w": zeros(9, 8, 8)}, [1, 8]))
    assert table.select("kind", "ops", "params").rows() == [("fully_connected", 2 * 9 * 64, 9 * 64)]
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("h", None), value("u", None)]
    layers = [node("Identity", ["go"], ["on"]), node("MatMul", ["h", "u"], ["k"]), node("Identity", ["u"], ["same"])]
    loop = node("Loop", ["n", "", "x", "w"], ["y", "z"], body=graph(layers, ["on", "k", "same"], inputs=inputs))
    table = rc.read_network(write(tmp_path, [loop], {"w": zeros(8, 8), "n": np.array(7, "i8")}, [1, 8]))
    assert table.select("kind", "ops", "params").rows() == [("fully_connected", 2 * 7 * 64, 64)]


def test_what_a_loop_changes_is_no_parameter(tmp_path):
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("h", None), value("u", None)]
    layers = [node("Identity", ["go"], ["on"]), node("MatMul", ["h", "u"], ["k"]), node("Relu", ["u"], ["other"])]
    loop = node("Loop", ["n", "", "x", "w"], ["y", "z"], body=graph(layers, ["on", "k", "other"], inputs=inputs))
    table = rc.read_network(write(tmp_path, [loop], {"w": zeros(8, 8), "n": np.array(7, "i8")}, [1, 8]))
    assert table.filter(table["ops"] > 0).select("kind", "params").rows() == [("matmul", 0)]


def test_shapes_below_zero_are_refused(tmp_path):
    pool = node("MaxPool", ["x"], ["p"], kernel_shape=[9, 9])
    path = write(tmp_path, [pool, node("Conv", ["x", "w"], ["y"])], {"w": zeros(4, 3, 1, 1)}, [1, 3, 5, 5])
    with pytest.raises(InvalidDataError, match=r"MaxPool \(1 node.*its result would have the shape \(1, 3, -3, -3\)"):
        rc.read_network(path)
    weight = onnx.TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-1, 8])
    path = write(tmp_path, [node("MatMul", ["x", "w"], ["y"])], {"w": weight}, [1, 8])
    with pytest.raises(
        InvalidDataError, match=r"not readable as ONNX \(ValueError: the stored tensor 'w' has the shape"
    ):
        rc.read_network(path)
