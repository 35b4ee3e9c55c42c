"""Operands that contradict each other are refused with both sizes, not counted."""

from __future__ import annotations

import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

pytest.importorskip("onnx")

from onnx_files import node, write, zeros

MS = {"domain": "com.microsoft"}
NBITS = {"K": 64, "N": 48, "bits": 4, "block_size": 32, **MS}
PACKED = {"w": zeros(48, 2, 16, dtype="u1"), "s": zeros(96)}
GROUPED = {"q": [1, 5, 128], "k": [1, 5, 32], "v": [1, 5, 32]}


def refused(folder, layer, weights, inputs, match):
    path = write(folder, [layer], weights, inputs, opset=23)
    with pytest.raises(InvalidDataError, match=rf"{layer.op_type} \(1 node.*{match}"):
        rc.read_network(path)


@pytest.mark.parametrize(
    ("layer", "w", "x", "match"),
    [
        (node("Conv", ["x", "w"], ["y"]), (5, 3, 3, 3), [1, 16, 7, 7], "16 channels, its weights .* take 3"),
        (node("Conv", ["x", "w"], ["y"], group=2), (6, 3, 3, 3), [1, 16, 7, 7], "16 channels, its weights .* take 6"),
        (node("Conv", ["x", "w"], ["y"]), (5, 3, 8, 8), [1, 3, 7, 7], r"window of \(8, 8\) is larger"),
        (node("Conv", ["x", "w"], ["y"], kernel_shape=[5, 5]), (5, 3, 3, 3), [1, 3, 7, 7], "kernel_shape is"),
        (node("ConvTranspose", ["x", "w"], ["y"]), (5, 3, 3, 3), [1, 16, 7, 7], "16 channels, its weights .* take 5"),
    ],
)
def test_convolutions_whose_channels_or_windows_do_not_fit(tmp_path, layer, w, x, match):
    refused(tmp_path, layer, {"w": zeros(*w)}, x, match)


def test_a_convolution_over_another_number_of_dims(tmp_path):
    layer = node("FusedConv", ["x", "w"], ["y"], **MS)
    refused(tmp_path, layer, {"w": zeros(5, 3, 3)}, [1, 3, 7, 7], "another number of dims|do not fit together")


@pytest.mark.parametrize(
    ("w", "r", "more"),
    [
        ((1, 64, 9), (1, 64, 16), {}),
        ((1, 64, 8), (1, 64, 16), {"direction": "bidirectional"}),
        ((1, 64, 8), (1, 64, 16), {"hidden_size": 8}),
        ((1, 64, 8), (1, 64, 17), {}),
    ],
)
def test_recurrent_layers_whose_weights_do_not_fit(tmp_path, w, r, more):
    layer = node("LSTM", ["x", "w", "r"], ["y"], **{"hidden_size": 16, **more})
    refused(tmp_path, layer, {"w": zeros(*w), "r": zeros(*r)}, [20, 1, 8], "its weights are .* they would be others")


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"K": 128}, "ends in 64, its K is 128"),
        ({"N": 4800}, "its weights .* are 12288 bits, N=4800"),
        ({"block_size": 0}, "block_size is 0"),
    ],
)
def test_packed_weights_of_another_size(tmp_path, more, match):
    layer = node("MatMulNBits", ["x", "w", "s"], ["y"], **{**NBITS, **more})
    refused(tmp_path, layer, PACKED, [1, 3, 64], match)


@pytest.mark.parametrize(
    ("layer", "w", "x", "match"),
    [
        (node("FusedMatMul", ["x", "w"], ["y"], transB=1, **MS), (8, 9), [1, 8], "inner sizes 8 and 9"),
        (node("FusedMatMul", ["x", "w"], ["y"], **MS), (3, 8, 9), [2, 4, 8], "stacks .* do not broadcast"),
        (
            node("Einsum", ["x", "w"], ["y"], equation="btd,dhk->bthk"),
            (31, 4, 8),
            [1, 9, 32],
            "label 'd' has the sizes",
        ),
        (node("Einsum", ["x", "w"], ["y"], equation="bi,ij->bjj"), (10, 8), [1, 10], "its result names 'bjj'"),
    ],
)
def test_matrix_products_whose_sizes_do_not_fit(tmp_path, layer, w, x, match):
    refused(tmp_path, layer, {"w": zeros(*w)}, x, match)


@pytest.mark.parametrize(
    ("layer", "inputs", "weights", "match"),
    [
        (node("MultiHeadAttention", ["q", "q", "q"], ["y"], num_heads=7, **MS), {"q": [1, 5, 128]}, {}, "7 heads do not divide a query of 128"),
        (node("GroupQueryAttention", ["q", "k", "v"], ["y"], num_heads=7, kv_num_heads=2, **MS), GROUPED, {}, "7 heads do not divide"),
        (node("GroupQueryAttention", ["q", "k", "v"], ["y"], num_heads=8, kv_num_heads=3, **MS), GROUPED, {}, "3 heads of keys do not divide 8"),
        (node("GroupQueryAttention", ["q", "k", "v"], ["y"], num_heads=8, kv_num_heads=4, **MS), GROUPED, {}, "keys .* are not 4 heads of 16"),
        (node("Attention", ["q", "k", "v"], ["y"], q_num_heads=8, kv_num_heads=4), GROUPED, {}, "keys .* are not 4 heads of 16"),
        (node("Attention", ["q", "w"], ["y"], num_heads=4, **MS), {"q": [1, 6, 64]}, {"w": zeros(65, 192)}, "have other sizes"),
        (node("Attention", ["q", "w"], ["y"], num_heads=4, **MS), {"q": [1, 6, 64]}, {"w": zeros(64, 193)}, "do not end in"),
    ],
)  # fmt: skip
def test_attention_whose_heads_do_not_fit(tmp_path, layer, inputs, weights, match):
    refused(tmp_path, layer, weights, inputs, match)
