"""Shapes of operators whose definition at the opset of the file infers none, against those of a later opset."""

from __future__ import annotations

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

pytest.importorskip("onnx")

from onnx import TensorProto
from onnx_files import node, value, write, zeros

CONV = {"w": zeros(8, 8, 1, 1)}
LAST = node("Conv", ["r", "w"], ["y"])


def macs(path, **more):
    return rc.read_network(path, **more)["ops"].sum() // 2


@pytest.mark.parametrize(
    ("opset", "early", "weights", "places"),
    [
        (6, node("Upsample", ["x"], ["r"], height_scale=2.0, width_scale=3.0, mode="bilinear"), {}, 12 * 18),
        (1, node("Pad", ["x"], ["r"], paddings=[0, 0, 1, 2, 0, 0, 3, 4]), {}, 10 * 12),
        (3, node("Concat", ["x", "x"], ["r"], axis=2), {}, 12 * 6),
        (1, node("Split", ["x"], ["r", "s"], axis=3), {}, 6 * 3),
        (1, node("Split", ["x"], ["r", "s"], axis=3, split=[4, 2]), {}, 6 * 4),
        (1, node("Split", ["x", "parts"], ["r", "s"], axis=3), {"parts": np.array([4, 2], "f4")}, 6 * 4),
        (1, node("LpPool", ["x"], ["r"], kernel_shape=[2, 2], strides=[2, 2], p=2.0), {}, 3 * 3),
        (1, node("GlobalLpPool", ["x"], ["r"], p=2.0), {}, 1),
        # of the shape of their first operand
        (1, node("Relu", ["x"], ["r"], consumed_inputs=[0]), {}, 36),
        (1, node("Dropout", ["x"], ["r"], is_test=1), {}, 36),
        (5, node("Add", ["x", "b"], ["r"], broadcast=1, axis=1), {"b": zeros(8)}, 36),
        (5, node("BatchNormalization", ["x", *"bbbb"], ["r"], consumed_inputs=[0, 0, 0, 1, 1]), {"b": zeros(8)}, 36),
    ],
)
def test_early_definitions_without_inference_have_the_shapes_of_later_ones(tmp_path, opset, early, weights, places):
    path = write(tmp_path, [early, LAST], CONV | weights, [1, 8, 6, 6], opset=opset)
    assert macs(path) == 64 * places


def test_an_early_concat_joins_channels_where_it_names_no_axis(tmp_path):
    nodes = [node("Concat", ["x", "x"], ["r"]), LAST]
    assert macs(write(tmp_path, nodes, {"w": zeros(5, 16, 1, 1)}, [1, 8, 6, 6], opset=3)) == 80 * 36


def test_an_early_perceptron_is_counted(tmp_path):
    nodes = [
        node("Reshape", ["x"], ["f"], shape=[1, 784]), node("Gemm", ["f", "w", "b"], ["g"], broadcast=1),
        node("Relu", ["g"], ["r"]), node("Gemm", ["r", "v", "c"], ["y"], broadcast=1, transB=1),
    ]  # fmt: skip
    weights = {"w": zeros(784, 128), "b": zeros(128), "v": zeros(10, 128), "c": zeros(10)}
    assert macs(write(tmp_path, nodes, weights, [1, 1, 28, 28], opset=4)) == 784 * 128 + 1280


def test_early_recurrent_layers_give_their_states(tmp_path):
    nodes = [node("GRU", ["x", "w", "r"], ["", "h"], hidden_size=4), node("MatMul", ["h", "v"], ["y"])]
    weights = {"w": zeros(1, 12, 8), "r": zeros(1, 12, 4), "v": zeros(4, 3)}
    assert macs(write(tmp_path, nodes, weights, [5, 1, 8], opset=1)) == 5 * 12 * 12 + 12


@pytest.mark.parametrize("operator", ["GreaterOrEqual", "LessOrEqual"])
@pytest.mark.parametrize("operands", [["x", "zero"], ["zero", "x"]])
@pytest.mark.parametrize("opset", [13, 16])
def test_comparisons_are_conditions_of_both_their_operands(tmp_path, operator, operands, opset):
    nodes = [
        node(operator, operands, ["m"]),
        node("Where", ["m", "x", "zero"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    weights = {"zero": np.array(0, "f4"), "w": zeros(8, 5)}
    assert macs(write(tmp_path, nodes, weights, ["N", 8], opset=opset)) == 40


@pytest.mark.parametrize("kind", ["FLOAT", TensorProto.FLOAT])
def test_an_early_cast_names_its_type(tmp_path, kind):
    nodes = [node("Cast", ["w"], ["v"], to=kind), node("MatMul", ["x", "v"], ["y"])]
    table = rc.read_network(write(tmp_path, nodes, {"w": zeros(8, 5, dtype="i4")}, [1, 8], opset=5))
    assert (table["ops"].sum() // 2, table["params"].sum()) == (40, 40)


def test_what_no_definition_infers_is_as_the_file_declares_or_refused(tmp_path):
    inputs = {"x": [1, 8, 6, 6], "parts": [2]}
    nodes = [node("Split", ["x", "parts"], ["r", "s"], axis=3), LAST]
    with pytest.raises(InvalidDataError, match=r"input 0 is not known before the model runs: it comes from Split"):
        macs(write(tmp_path, nodes, CONV, inputs, opset=1))
    assert macs(write(tmp_path, nodes, CONV, inputs, opset=1, extra=[value("r", [1, 8, 6, 4])])) == 64 * 24
