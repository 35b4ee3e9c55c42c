"""Operators that multiply and add, against counts by hand: multiply-accumulates per input and parameters."""

from __future__ import annotations

import numpy as np
import pytest

import roofcube as rc
from roofcube.datasets import layer_demands
from roofcube.errors import InvalidDataError

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_files import ints, node, value, write, zeros  # noqa: E402

MS = {"domain": "com.microsoft"}
ONE, ZERO = np.array(1, "f4"), np.array(0, "u1")


def counted(path, **more):
    table = rc.read_network(path, **more)
    return table["ops"].sum() // 2, table["params"].sum()


@pytest.mark.parametrize(
    ("x", "w", "attributes", "places"),
    [
        ([1, 8, 32], (16, 8, 3), {"pads": [1, 1]}, 32),
        ([1, 8, 32, 32], (16, 8, 3, 3), {"pads": [1] * 4, "strides": [2, 2]}, 16 * 16),
        ([1, 8, 32, 32], (16, 2, 3, 3), {"group": 4}, 30 * 30),
        ([1, 8, 9, 9, 9], (4, 8, 3, 3, 3), {"dilations": [2, 2, 2]}, 5**3),
        ([1, 8, 32, 32], (8, 1, 5, 5), {"group": 8, "auto_pad": "SAME_UPPER"}, 32 * 32),
        ([4, 8, 32, 32], (16, 8, 3, 3), {}, 30 * 30),
    ],
)
def test_convolutions_of_any_rank(tmp_path, x, w, attributes, places):
    path = write(tmp_path, [node("Conv", ["x", "w"], ["y"], **attributes)], {"w": zeros(*w)}, x)
    table = rc.read_network(path)
    assert (table["ops"].item() // 2, table["params"].item()) == (np.prod(w) * places, np.prod(w))
    assert table["output_elements"].item() == w[0] * places
    assert table["input_elements"].item() == np.prod(x[1:])
    assert table["kind"].item() == ("depthwise" if attributes.get("group") == 8 else "conv")


@pytest.mark.parametrize(
    ("x", "w", "attributes"),
    [
        ([1, 8, 10], (8, 6, 4), {"strides": [2]}),
        ([1, 8, 7, 9], (8, 6, 3, 3), {"strides": [2, 2], "output_padding": [1, 1]}),
        ([1, 8, 7, 9], (8, 3, 2, 2), {"group": 2, "pads": [1] * 4}),
        ([1, 8, 3, 4, 5], (8, 2, 2, 2, 2), {"strides": [2, 2, 2]}),
        ([3, 8, 7, 9], (8, 6, 3, 3), {}),
    ],
)
def test_transposed_convolutions_count_every_weight_at_every_place_of_their_input(tmp_path, x, w, attributes):
    path = write(tmp_path, [node("ConvTranspose", ["x", "w"], ["y"], **attributes)], {"w": zeros(*w)}, x)
    assert counted(path) == (np.prod(w) * np.prod(x[2:]), np.prod(w))
    assert rc.read_network(path)["kind"].item() == "conv_transpose"


@pytest.mark.parametrize(
    ("x", "strides", "picked"),
    [([8, 16, 16], [1, 2], 16 * 8), ([8, 16, 16], [2, 1], 16 * 8), ([8, 4, 16, 16], [1, 2, 2], 4 * 8 * 8)],
)
def test_a_stride_along_one_axis_skips_what_a_kernel_of_one_never_reads(tmp_path, x, strides, picked):
    kernel = zeros(16, 8, *[1] * len(strides))
    table = rc.read_network(write(tmp_path, [node("Conv", ["x", "w"], ["y"], strides=strides)], {"w": kernel}, [1, *x]))
    assert table["stride"].item() == 2
    assert layer_demands(table)["activations"].item() == (8 + 16) * picked
    pool = node("MaxPool", ["x"], ["p"], kernel_shape=[1] * len(strides), strides=strides)
    nodes = [pool, node("Conv", ["p", "w"], ["y"])]
    table = rc.read_network(write(tmp_path, nodes, {"w": kernel}, [1, *x]))
    assert layer_demands(table)["activations"].to_list() == [2 * 8 * picked, (8 + 16) * picked]


def test_a_convolution_with_a_kernel_from_activations_has_no_parameters(tmp_path):
    nodes = [node("Conv", ["x", "k"], ["y"])]
    path = write(tmp_path, nodes, {}, {"x": [1, 8, 32, 32], "k": [1, 8, 5, 5]})
    table = rc.read_network(path)
    assert (table["ops"].item() // 2, table["params"].item(), table["kind"].item()) == (200 * 28 * 28, 0, "matmul")


@pytest.mark.parametrize(
    ("nodes", "weights", "x", "macs", "params"),
    [
        # the constant on the right, on the left, turned, of one dim, in a stack
        ([node("Gemm", ["x", "w"], ["y"])], {"w": zeros(8, 5)}, [1, 8], 40, 40),
        ([node("Gemm", ["x", "w"], ["y"], transB=1)], {"w": zeros(5, 8)}, [4, 8], 40, 40),
        ([node("Gemm", ["w", "x"], ["y"], transB=1)], {"w": zeros(5, 8)}, [1, 8], 40, 40),
        ([node("Gemm", ["x", "w"], ["y"], transA=1)], {"w": zeros(8, 5)}, [8, 1], 40, 40),
        ([node("MatMul", ["x", "w"], ["y"])], {"w": zeros(8)}, [1, 7, 8], 56, 8),
        ([node("MatMul", ["w", "x"], ["y"])], {"w": zeros(6, 8)}, [2, 8, 7], 6 * 8 * 7, 48),
        ([node("MatMul", ["x", "w"], ["y"])], {"w": zeros(3, 8, 5)}, [1, 3, 7, 8], 3 * 7 * 40, 120),
        ([node("MatMul", ["x", "w"], ["y"])], {"w": zeros(3, 8, 5)}, [1, 1, 7, 8], 3 * 7 * 40, 120),
        ([node("MatMul", ["x", "w"], ["y"])], {"w": zeros(8, 5)}, [2, 3, 7, 8], 3 * 7 * 40, 40),
        # tokens in rows, the batch in front of them
        (
            [node("Reshape", ["x", "s"], ["r"]), node("Gemm", ["r", "w"], ["y"])],
            {"s": ints(-1, 8), "w": zeros(8, 5)}, [2, 6, 8], 6 * 40, 40,
        ),
        ([node("Einsum", ["x", "w"], ["y"], equation="bnd,de->bne")], {"w": zeros(8, 5)}, [2, 6, 8], 6 * 40, 40),
        ([node("Einsum", ["x", "w"], ["y"], equation="...d,ed->...e")], {"w": zeros(5, 8)}, [2, 6, 8], 6 * 40, 40),
        ([node("Einsum", ["x", "w"], ["y"], equation="bhtd,hde->bte")], {"w": zeros(3, 8, 5)}, [1, 3, 6, 8], 720, 120),
        ([node("Einsum", ["x", "w"], ["y"], equation="bij,jk")], {"w": zeros(8, 5)}, [2, 6, 8], 6 * 40, 40),
        ([node("Einsum", ["x", "w"], ["y"], equation="b...d, ...de -> b...e")], {"w": zeros(1, 8, 5)}, [1, 6, 8], 240, 40),
        # products of two activations
        ([node("MatMul", ["x", "x"], ["y"])], {}, [1, 3, 7, 7], 3 * 7**3, 0),
        ([node("Einsum", ["x", "x"], ["y"], equation="bhqd,bhkd->bhqk")], {}, [2, 3, 7, 5], 3 * 7 * 7 * 5, 0),
        ([node("Transpose", ["x"], ["t"], perm=[0, 2, 1]), node("MatMul", ["x", "t"], ["y"])], {}, [4, 7, 5], 245, 0),
    ],
)  # fmt: skip
def test_matrix_products(tmp_path, nodes, weights, x, macs, params):
    assert counted(write(tmp_path, nodes, weights, x)) == (macs, params)


@pytest.mark.parametrize(
    ("x", "w", "read", "written"),
    [
        ([1, 6, 8], (3, 8, 5), 6 * 8, 3 * 6 * 5),
        ([6, 8], (3, 8, 5), 6 * 8, 3 * 6 * 5),
        ([1, 2, 1, 6, 8], (4, 8, 5), 2 * 6 * 8, 2 * 4 * 6 * 5),
        ([1, 2, 1, 6, 8], (2, 3, 8, 5), 2 * 6 * 8, 2 * 3 * 6 * 5),
        ([1, 3, 6, 8], (3, 8, 5), 3 * 6 * 8, 3 * 6 * 5),
    ],
)
def test_a_stack_of_weights_reads_the_rows_that_all_of_it_sees_once(tmp_path, x, w, read, written):
    path = write(tmp_path, [node("MatMul", ["x", "w"], ["y"])], {"w": zeros(*w)}, x)
    table = rc.read_network(path, batch=1)
    assert (table["input_elements"].item(), table["output_elements"].item()) == (read, written)
    assert table["ops"].item() == 2 * written * 8
    table.write_csv(tmp_path / "layers.csv")
    assert rc.read_network(tmp_path / "layers.csv")["input_elements"].item() == read


@pytest.mark.parametrize(
    ("equation", "x"), [("bij->bji", [1, 3, 4]), ("bij,bij->bij", [1, 3, 4]), ("bij->bi", [1, 3, 4])]
)
def test_an_einsum_that_sums_no_products_is_vector_work(tmp_path, equation, x):
    operands = ["x"] * (equation.count(",") + 1)
    nodes = [node("Einsum", operands, ["e"], equation=equation), node("Conv", ["x", "w"], ["y"])]
    table = rc.read_network(write(tmp_path, nodes, {"w": zeros(2, 3, 1)}, x))
    assert table.filter(table["operator"] == "Einsum")["ops"].sum() == 0
    assert table["ops"].sum() // 2 == 2 * 3 * 4


def test_an_einsum_of_three_operands_has_no_one_count(tmp_path):
    path = write(tmp_path, [node("Einsum", ["x", "x", "x"], ["y"], equation="ab,cb,db->acd")], {}, [1, 4])
    with pytest.raises(InvalidDataError, match=r"Einsum \(1 node: 'Einsum_0'.*its 3 operands can be multiplied in sev"):
        rc.read_network(path)


@pytest.mark.parametrize("equation", ["ab->a", "ab,bc,cd->ad"])
def test_an_einsum_whose_equation_does_not_fit_is_refused(tmp_path, equation):
    path = write(tmp_path, [node("Einsum", ["x", "x"], ["y"], equation=equation)], {}, [4, 4])
    with pytest.raises(InvalidDataError, match=r"Einsum.*(names \d operands of 2|or types do not fit together)"):
        rc.read_network(path)


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_layers_count_steps_and_directions(tmp_path, operator, gates, directions):
    weights = {"w": zeros(directions, gates * 32, 16), "r": zeros(directions, gates * 32, 32)}
    more = {"direction": "bidirectional"} if directions == 2 else {}
    layer = node(operator, ["t", "w", "r"], ["y"], hidden_size=32, **more)
    path = write(tmp_path, [node("Transpose", ["x"], ["t"], perm=[2, 0, 1]), layer], weights, [2, 16, 50])
    size = directions * gates * 32 * (16 + 32)
    assert counted(path) == (50 * size, size)
    table = rc.read_network(path)
    assert table["kind"].to_list() == ["recurrent"]
    assert (table["input_elements"].item(), table["output_elements"].item()) == (50 * 16, 50 * directions * 32)


def test_a_recurrent_layer_may_have_the_batch_first_or_give_its_last_state_only(tmp_path):
    weights = {"w": zeros(1, 128, 16), "r": zeros(1, 128, 32), "b": zeros(1, 256)}
    layer = node("LSTM", ["x", "w", "r", "b"], ["", "y"], hidden_size=32, layout=1)
    assert counted(write(tmp_path, [layer], weights, [4, 50, 16])) == (50 * 128 * 48, 128 * 48)


def test_a_quantised_lstm_keeps_its_weights_the_other_way_round(tmp_path):
    weights = {
        "w": zeros(2, 16, 128, dtype="i1"),
        "r": zeros(2, 32, 128, dtype="i1"),
        "s": zeros(2),
        "z": zeros(2, dtype="i1"),
    }
    names = ["x", "w", "r", "", "", "", "", "", "s", "z", "s", "z"]
    layer = node("DynamicQuantizeLSTM", names, ["a"], hidden_size=32, direction="bidirectional", **MS)
    nodes = [layer, node("Reshape", ["a", "t"], ["b"]), node("MatMul", ["b", "v"], ["y"])]
    table = rc.read_network(write(tmp_path, nodes, {**weights, "t": ints(50, 1, 64), "v": zeros(64, 3)}, [50, 1, 16]))
    size = 2 * 128 * (16 + 32)
    assert (table["ops"] // 2).to_list() == [50 * size, 50 * 64 * 3]
    assert table["weight_bits"].to_list() == [8, 32]


def test_every_operator_of_com_microsoft_that_is_counted_has_its_shapes():
    from roofcube.files.onnx import contrib, operators, products

    counted = {*products.PRODUCTS, *operators.VECTOR, *operators.FREE, *operators.LOOK_UPS}
    named = {one.removeprefix("com.microsoft.") for one in counted if one.startswith("com.microsoft.")}
    assert named <= {*contrib.SHAPES, *contrib.SURROGATES, *contrib.LIKE_FIRST}
    # and every other one is known to onnx, or offered by run times before ONNX had it
    if onnx.defs.onnx_opset_version() < 28:
        pytest.skip("operators of opset 28 are counted, which this version of onnx does not know")
    own = {one for one in counted if "." not in one} - {"SimplifiedLayerNormalization"}
    assert own <= {one.name for one in onnx.defs.get_all_schemas_with_history() if one.domain == ""}


QUANTISED = {"s": ONE, "z": ZERO}
SCALES = ["s", "z"]


@pytest.mark.parametrize(
    ("nodes", "weights", "macs", "params", "bits"),
    [
        (
            [node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]), node("ConvInteger", ["q", "w", "qz"], ["y"])],
            {"w": zeros(16, 8, 3, 3, dtype="u1")}, 16 * 8 * 9 * 900, 16 * 72, 8,
        ),
        (
            [node("QuantizeLinear", ["x", *SCALES], ["q"]), node("QLinearConv", ["q", *SCALES, "w", *SCALES, *SCALES], ["y"])],
            {"w": zeros(16, 8, 3, 3, dtype="u1"), **QUANTISED}, 16 * 8 * 9 * 900, 16 * 72, 8,
        ),
        (
            [
                node("QuantizeLinear", ["x", *SCALES], ["q"]), node("DequantizeLinear", ["q", *SCALES], ["d"]),
                node("DequantizeLinear", ["w", *SCALES], ["v"]), node("Conv", ["d", "v"], ["y"]),
            ],
            {"w": zeros(16, 8, 3, 3, dtype="u1"), **QUANTISED}, 16 * 8 * 9 * 900, 16 * 72, 8,
        ),
        (
            [node("QuantizeLinear", ["x", *SCALES], ["q"]), node("QLinearMatMul", ["q", *SCALES, "w", *SCALES, *SCALES], ["y"])],
            {"w": zeros(32, 5, dtype="u1"), **QUANTISED}, 8 * 32 * 32 * 5, 160, 8,
        ),
        (
            [node("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]), node("MatMulInteger", ["q", "w", "qz"], ["y"])],
            {"w": zeros(32, 5, dtype="u1")}, 8 * 32 * 32 * 5, 160, 8,
        ),
        (
            [node("DynamicQuantizeMatMul", ["x", "w", "s"], ["y"], **MS)],
            {"w": zeros(32, 5, dtype="i1"), **QUANTISED}, 8 * 32 * 32 * 5, 160, 8,
        ),
        (
            [node("QuantizeLinear", ["x", *SCALES], ["q"]), node("MatMulIntegerToFloat", ["q", "w", "s", "s"], ["y"], **MS)],
            {"w": zeros(32, 5, dtype="u1"), **QUANTISED}, 8 * 32 * 32 * 5, 160, 8,
        ),
        (
            [node("MatMulNBits", ["x", "w", "s"], ["y"], K=32, N=5, bits=4, block_size=32, **MS)],
            {"w": zeros(5, 1, 16, dtype="u1"), **QUANTISED}, 8 * 32 * 32 * 5, 160, 4,
        ),
        (
            [
                node("Flatten", ["x"], ["f"]), node("QuantizeLinear", ["f", *SCALES], ["q"]),
                node("QGemm", ["q", *SCALES, "w", *SCALES, "", *SCALES], ["y"], transB=1, **MS),
            ],
            {"w": zeros(5, 8192, dtype="u1"), **QUANTISED}, 8192 * 5, 8192 * 5, 8,
        ),
        (
            [node("FusedConv", ["x", "w"], ["y"], activation="Relu", pads=[1] * 4, **MS)],
            {"w": zeros(16, 8, 3, 3)}, 16 * 72 * 1024, 16 * 72, 32,
        ),
        ([node("FusedMatMul", ["x", "w"], ["y"], transB=1, **MS)], {"w": zeros(5, 32)}, 8 * 32 * 32 * 5, 160, 32),
        (
            [node("Flatten", ["x"], ["f"]), node("FusedGemm", ["f", "w"], ["y"], **MS)],
            {"w": zeros(8192, 5)}, 8192 * 5, 8192 * 5, 32,
        ),
    ],
)  # fmt: skip
def test_quantised_and_fused_operators(tmp_path, nodes, weights, macs, params, bits):
    path = write(tmp_path, nodes, weights, [1, 8, 32, 32])
    table = rc.read_network(path)
    assert (table["ops"].sum() // 2, table["params"].sum()) == (macs, params)
    layer = table.filter(table["ops"] > 0)
    assert layer["weight_bits"].item() == bits
    quantised = any(one.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") for one in nodes)
    assert layer["activation_bits"].item() == (8 if quantised else 32)


def test_a_quantised_convolution_may_have_its_channels_last(tmp_path):
    nodes = [
        node("QuantizeLinear", ["x", *SCALES], ["q"]),
        node("QLinearConv", ["q", *SCALES, "w", *SCALES, *SCALES], ["c"], channels_last=1, pads=[1] * 4, **MS),
        node("QLinearGlobalAveragePool", ["c", *SCALES, *SCALES], ["p"], channels_last=1, **MS),
        node("Flatten", ["p"], ["f"]),
        node("QGemm", ["f", *SCALES, "v", *SCALES, "", *SCALES], ["y"], **MS),
    ]
    weights = {"w": zeros(16, 8, 3, 3, dtype="u1"), "v": zeros(16, 4, dtype="u1"), **QUANTISED}
    assert counted(write(tmp_path, nodes, weights, [1, 32, 32, 8])) == (16 * 72 * 1024 + 64, 16 * 72 + 64)


def test_packed_weights_must_be_in_the_file(tmp_path):
    layer = node("MatMulNBits", ["x", "w", "s"], ["y"], K=32, N=5, bits=4, block_size=32, **MS)
    path = write(tmp_path, [layer], {"s": zeros(5)}, {"x": [1, 32], "w": [5, 1, 16]})
    with pytest.raises(InvalidDataError, match=r"MatMulNBits.*its packed weights are not stored in the file"):
        rc.read_network(path)


# attention ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "inputs", "weights", "macs", "params"),
    [
        # 4 heads of 16, 10 queries; products are 2 · heads · queries · keys · width
        (node("Attention", ["x", "k", "v"], ["y"], q_num_heads=4, kv_num_heads=2), {"x": [1, 10, 64], "k": [1, 12, 32], "v": [1, 12, 32]}, {}, 2 * 4 * 10 * 12 * 16, 0),
        (node("Attention", ["x", "k", "v"], ["y"]), {"x": [1, 4, 10, 16], "k": [1, 4, 12, 16], "v": [1, 4, 12, 8]}, {}, 4 * 10 * 12 * (16 + 8), 0),
        (node("Attention", ["x", "k", "v", "", "p", "o"], ["y", "pk", "pv"]), {"x": [1, 4, 1, 16], "k": [1, 4, 1, 16], "v": [1, 4, 1, 16], "p": [1, 4, 9, 16], "o": [1, 4, 9, 16]}, {}, 2 * 4 * 10 * 16, 0),
        (node("MultiHeadAttention", ["x", "k", "v"], ["y"], num_heads=4, **MS), {"x": [1, 10, 64], "k": [1, 12, 64], "v": [1, 12, 64]}, {}, 2 * 4 * 10 * 12 * 16, 0),
        (node("MultiHeadAttention", ["x"], ["y"], num_heads=4, **MS), {"x": [1, 10, 4, 3, 16]}, {}, 2 * 4 * 10 * 10 * 16, 0),
        (node("MultiHeadAttention", ["x", "k"], ["y"], num_heads=4, **MS), {"x": [1, 10, 64], "k": [1, 12, 4, 2, 16]}, {}, 2 * 4 * 10 * 12 * 16, 0),
        (node("GroupQueryAttention", ["x", "k", "v", "p", "o", "n", "t"], ["y", "a", "b"], num_heads=4, kv_num_heads=2, **MS), {"x": [1, 1, 64], "k": [1, 1, 32], "v": [1, 1, 32], "p": [1, 2, 100, 16], "o": [1, 2, 100, 16]}, {"n": zeros(1, dtype="i4"), "t": np.array(41, "i4")}, 2 * 4 * 41 * 16, 0),
        (node("GroupQueryAttention", ["x", "k", "v", "p", "o", "n", "t"], ["y", "a", "b"], num_heads=4, kv_num_heads=2, local_window_size=8, **MS), {"x": [1, 1, 64], "k": [1, 1, 32], "v": [1, 1, 32], "p": [1, 2, 100, 16], "o": [1, 2, 100, 16]}, {"n": zeros(1, dtype="i4"), "t": np.array(41, "i4")}, 2 * 4 * 8 * 16, 0),
        (node("GroupQueryAttention", ["x", "", "", "p", "o"], ["y", "a", "b"], num_heads=4, kv_num_heads=2, **MS), {"x": [1, 10, 128], "p": [1, 2, 5, 16], "o": [1, 2, 5, 16]}, {}, 2 * 4 * 10 * 15 * 16, 0),
        # keys and values that are in the file are weights
        (node("Attention", ["x", "k", "v"], ["y"], q_num_heads=4, kv_num_heads=2), {"x": [1, 10, 64]}, {"k": zeros(1, 12, 32), "v": zeros(1, 12, 32)}, 2 * 4 * 10 * 12 * 16, 2 * 12 * 32),
        (node("Attention", ["x", "k", "v"], ["y"]), {"x": [1, 4, 10, 16]}, {"k": zeros(1, 4, 12, 16), "v": zeros(1, 4, 12, 8)}, 4 * 10 * 12 * (16 + 8), 4 * 12 * (16 + 8)),
        (node("MultiHeadAttention", ["x", "k", "v"], ["y"], num_heads=4, **MS), {"x": [1, 10, 64]}, {"k": zeros(1, 12, 64), "v": zeros(1, 12, 64)}, 2 * 4 * 10 * 12 * 16, 2 * 12 * 64),
        (node("MultiHeadAttention", ["x", "k"], ["y"], num_heads=4, **MS), {"x": [1, 10, 64]}, {"k": zeros(1, 12, 4, 2, 16)}, 2 * 4 * 10 * 12 * 16, 2 * 12 * 64),
        (node("Attention", ["x", "w", "b"], ["y"], num_heads=4, **MS), {"x": [1, 10, 64]}, {"w": zeros(64, 192), "b": zeros(192)}, 10 * 64 * 192 + 2 * 4 * 100 * 16, 64 * 192),
        (node("Attention", ["x", "w", "b", "", "p"], ["y", "z"], num_heads=4, **MS), {"x": [1, 1, 64], "p": [2, 1, 4, 9, 16]}, {"w": zeros(64, 192), "b": zeros(192)}, 64 * 192 + 2 * 4 * 10 * 16, 64 * 192),
        (node("QAttention", ["x", "w", "b", "s", "s"], ["y"], num_heads=4, **MS), {"x": value("x", [1, 10, 64], TensorProto.UINT8)}, {"w": zeros(64, 192, dtype="i1"), "b": zeros(192), "s": ONE}, 10 * 64 * 192 + 2 * 4 * 100 * 16, 64 * 192),
    ],
)  # fmt: skip
def test_attention_nodes_count_both_products_over_past_and_present_keys(tmp_path, layer, inputs, weights, macs, params):
    path = write(tmp_path, [layer], weights, inputs, opset=23)
    assert counted(path) == (macs, params)
    assert rc.read_network(path)["vector_ops"].sum() > 0


def test_attention_written_out_counts_like_the_fused_node(tmp_path):
    nodes = [node("MatMul", ["x", name], [name.upper()]) for name in "qkv"]
    nodes += [
        node("Transpose", ["K"], ["KT"], perm=[0, 2, 1]),
        node("MatMul", ["Q", "KT"], ["S"]),
        node("Softmax", ["S"], ["P"]),
        node("MatMul", ["P", "V"], ["A"]),
    ]
    weights = {name: zeros(64, 64) for name in "qkv"}
    fused = [*nodes[:3], node("Attention", ["Q", "K", "V"], ["A"], q_num_heads=1, kv_num_heads=1)]
    both = [
        rc.read_network(write(tmp_path, part, weights, [1, 12, 64], outputs=["A"], opset=23)) for part in (nodes, fused)
    ]
    assert both[0]["ops"].sum() == both[1]["ops"].sum() == 2 * (3 * 12 * 64 * 64 + 2 * 12 * 12 * 64)
    assert both[0]["params"].sum() == both[1]["params"].sum()
    # inside a fused node the scores are no traffic
    assert both[1].filter(both[1]["kind"] == "matmul")["output_elements"].sum() == 12 * 64


def test_a_transformer_as_onnxruntime_fuses_it(tmp_path):
    """Embeddings, attention, skip connections and activation functions of com.microsoft."""
    nodes = [
        node("EmbedLayerNormalization", ["ids", "seg", "we", "pe", "se", "g", "g"], ["e", "m"], **MS),
        node("Attention", ["e", "wq", "bq"], ["a"], num_heads=2, **MS),
        node("MatMul", ["a", "wo"], ["o"]),
        node("SkipLayerNormalization", ["o", "e", "g", "g"], ["n"], **MS),
        node("MatMul", ["n", "w1"], ["f"]),
        node("BiasGelu", ["f", "b1"], ["h"], **MS),
        node("MatMul", ["h", "w2"], ["i"]),
        node("SkipLayerNormalization", ["i", "n", "g", "g"], ["y"], **MS),
    ]
    weights = {
        "we": zeros(100, 16), "pe": zeros(32, 16), "se": zeros(2, 16), "g": zeros(16), "wq": zeros(16, 48),
        "bq": zeros(48), "wo": zeros(16, 16), "w1": zeros(16, 64), "b1": zeros(64), "w2": zeros(64, 16),
    }  # fmt: skip
    inputs = {name: value(name, ["batch", "seq"], TensorProto.INT32) for name in ("ids", "seg")}
    table = rc.read_network(write(tmp_path, nodes, weights, inputs), sizes={"seq": 10})
    dense = 16 * 48 + 16 * 16 + 2 * 16 * 64
    assert table["ops"].sum() // 2 == 10 * dense + 2 * 10 * 10 * 16
    assert table["params"].sum() == dense + 134 * 16
    assert table["kind"].to_list() == [
        "embedding", "embedding", "embedding", "fully_connected", "matmul", "fully_connected", "normalisation",
        "fully_connected", "elementwise", "fully_connected", "normalisation",
    ]  # fmt: skip


def test_a_table_of_stored_rows_counts_its_parameters_once_and_no_operations(tmp_path):
    nodes = [
        node("Gather", ["table", "ids"], ["e"]),
        node("Transpose", ["table"], ["t"], perm=[1, 0]),
        node("MatMul", ["e", "t"], ["y"]),
    ]
    ids = {"ids": value("ids", [1, 7], TensorProto.INT64)}
    table = rc.read_network(write(tmp_path, nodes, {"table": zeros(1000, 16)}, ids))
    assert table["ops"].to_list() == [0, 2 * 7 * 16000]
    assert table["params"].to_list() == [0, 16000]
    assert table["weights_of"].to_list() == ["MatMul_2", ""]
    packed = node("GatherBlockQuantized", ["q", "ids", "s"], ["e"], bits=4, quantize_axis=1, **MS)
    path = write(
        tmp_path,
        [packed, node("MatMul", ["e", "w"], ["y"])],
        {"q": zeros(100, 8, dtype="u1"), "s": zeros(100, 1), "w": zeros(16, 3)},
        ids,
    )
    table = rc.read_network(path)
    assert table["params"].to_list() == [1600, 48]
    assert table["weight_bits"].to_list() == [4, 32]


def test_a_deformable_convolution_counts_its_weights_and_samples(tmp_path):
    layer = node("DeformConv", ["x", "w", "o"], ["y"], pads=[1] * 4)
    path = write(tmp_path, [layer], {"w": zeros(4, 2, 3, 3)}, {"x": [1, 2, 8, 8], "o": [1, 18, 8, 8]}, opset=19)
    table = rc.read_network(path)
    convolution, sampling = table.iter_rows(named=True)
    assert (convolution["ops"] // 2, convolution["params"], convolution["input_elements"]) == (72 * 64, 72, 128)
    assert (sampling["kind"], sampling["vector_ops"], sampling["input_elements"]) == (
        "resampling",
        8 * 9 * 2 * 64,
        18 * 64,
    )


@pytest.mark.parametrize(
    ("layer", "inputs", "weights", "fused"),
    [
        (node("FusedConv", ["x", "w", "", "z"], ["y"], pads=[1] * 4, **MS), {"x": [1, 8, 4, 4], "z": [1, 16, 4, 4]}, {"w": zeros(16, 8, 3, 3)}, 256),
        (node("Gemm", ["x", "w", "z"], ["y"]), {"x": [1, 8], "z": [1, 5]}, {"w": zeros(8, 5)}, 5),
    ],
)  # fmt: skip
def test_what_is_added_within_a_product_is_read_as_by_an_addition(tmp_path, layer, inputs, weights, fused):
    product, added = rc.read_network(write(tmp_path, [layer], weights, inputs)).iter_rows(named=True)
    assert product["ops"] > 0
    assert (added["kind"], added["ops"]) == ("elementwise", 0)
    assert (added["vector_ops"], added["input_elements"], added["output_elements"]) == (fused, fused, 0)


def test_masks_of_an_attention_are_read(tmp_path):
    shapes = {"x": [1, 4, 10, 16], "k": [1, 4, 12, 16], "v": [1, 4, 12, 16]}
    bare, masked = (
        rc.read_network(write(tmp_path, [node("Attention", names, ["y"])], {}, inputs, opset=23))[
            "input_elements"
        ].item()
        for names, inputs in ((["x", "k", "v"], shapes), (["x", "k", "v", "m"], {**shapes, "m": [1, 4, 10, 12]}))
    )
    assert masked == bare + 4 * 10 * 12


def test_shared_weights_are_held_once_and_multiplied_every_time(tmp_path):
    nodes = [node("Conv", ["x", "w"], ["a"], pads=[1] * 4), node("Identity", ["w"], ["v"])]
    nodes += [node("Conv", ["a", "v"], ["y"], pads=[1] * 4, name="again")]
    table = rc.read_network(write(tmp_path, nodes, {"w": zeros(8, 8, 3, 3)}, [1, 8, 16, 16]))
    assert table["ops"].to_list() == [2 * 576 * 256] * 2
    assert table["params"].to_list() == [576, 0]
    assert table["weights_of"].to_list() == ["", "Conv_0"]


def test_the_table_of_a_model_is_a_table_of_layers(tmp_path):
    """What was read from ONNX passes the checks of a table that is read from CSV, and comes back the same."""
    nodes = [
        node("Conv", ["x", "w"], ["a"], pads=[1] * 4, group=2), node("Relu", ["a"], ["b"]),
        node("ConvTranspose", ["b", "w"], ["c"], strides=[2, 2], group=2), node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2]),
        node("MatMul", ["d", "m"], ["e"]), node("MatMul", ["e", "e"], ["f"]), node("Reshape", ["f", "s"], ["g"]),
        node("LSTM", ["g", "p", "r"], ["y"], hidden_size=4),
    ]  # fmt: skip
    weights = {
        "w": zeros(8, 4, 3, 3), "m": zeros(16, 16), "s": ints(-1, 1, 16), "p": zeros(1, 16, 16), "r": zeros(1, 16, 4)
    }  # fmt: skip
    table = rc.read_network(write(tmp_path, nodes, weights, [1, 8, 8, 8]))
    table.write_csv(tmp_path / "net.csv")
    again = rc.read_network(tmp_path / "net.csv")
    assert again.drop("source").equals(table.drop("source").select(again.drop("source").columns))


def test_groups_must_divide_the_channels(tmp_path):
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("ConvInteger", ["q", "w", "z"], ["y"], group=3),
    ]
    path = write(tmp_path, nodes, {"w": zeros(4, 3, 3, 3, dtype="u1")}, [1, 9, 9, 9])
    with pytest.raises(InvalidDataError, match=r"ConvInteger.*its 3 groups do not divide 9 and 4 channels"):
        rc.read_network(path)


def test_sizes_beyond_any_count_are_refused(tmp_path):
    path = write(tmp_path, [node("MatMul", ["x", "x"], ["y"])], {}, [1, "n", "n"])
    with pytest.raises(InvalidDataError, match=r"its counts are above 2\*\*63; give smaller sizes"):
        rc.read_network(path, sizes={"n": 2**40})


def test_weights_of_few_bits_keep_their_width(tmp_path):
    packed = helper.make_tensor("w", TensorProto.INT4, [32, 6], [0] * 192)
    nodes = [
        node("DequantizeLinear", ["w", "s"], ["v"]),
        node("Transpose", ["v"], ["t"]),
        node("MatMul", ["x", "t"], ["y"]),
    ]
    path = write(tmp_path, nodes, {"w": packed, "s": ONE}, [1, 3, 6], opset=21)
    assert rc.read_network(path)["weight_bits"].to_list() == [4]
    half = [node("Cast", ["w"], ["v"], to=TensorProto.FLOAT), node("MatMul", ["x", "v"], ["y"])]
    path = write(tmp_path, half, {"w": numpy_helper.from_array(zeros(6, 2, dtype="f2"), "w")}, [1, 3, 6])
    assert rc.read_network(path)["weight_bits"].to_list() == [16]
