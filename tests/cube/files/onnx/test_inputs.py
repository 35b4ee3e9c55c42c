"""Inputs of an ONNX model: sizes of symbolic dims, and the batch that is divided out."""

from __future__ import annotations

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

pytest.importorskip("onnx")

from onnx import TensorProto
from onnx_files import graph, ints, node, value, write, zeros

DENSE = [node("MatMul", ["x", "w"], ["y"])]
W = {"w": zeros(8, 5)}


def macs(path, **more):
    return rc.read_network(path, **more)["ops"].sum() // 2


@pytest.mark.parametrize(
    ("shape", "sizes", "rows"),
    [
        (["batch", "seq", 8], {"seq": 128}, 128),
        (["N", "seq", 8], {"seq": 128}, 128),
        (["batch", "seq", 8], {"seq": 128, "batch": 4}, 128),
        ([None, None, 8], {"x[1]": 7}, 7),
        (["?", "?", 8], {"x[1]": 7}, 7),
        (["-1", "?", 8], {"x": (3, 7, 8)}, 7),
        (["unk__1", 7, 8], {}, 7),
        # a dim that is no batch although it is in front
        (["seq", 8], {"seq": 128}, 128),
        (["num_tokens", 8], {"num_tokens": 128}, 128),
        (["anything", 8], {}, 1),
        (["anything", 8], {"anything": 6}, 6),
        # a name that exporters make up says nothing
        (["s0", 10, 8], {"s0": 4}, 10),
        (["s0", 10, 8], {"x[0]": 4}, 10),
        (["s0", 10, 8], {"x": (4, 10, 8)}, 10),
        # a batch inside a formula
        (["batch*seq", 8], {"batch": 4, "seq": 10}, 10),
        (["batch*seq", 8], {"seq": 10}, 10),
        (["N*seq", 8], {"seq": 10, "N": 2}, 10),
        (["2*batch", "seq", 8], {"batch": 4, "seq": 10}, 20),
        (["seq", "batch", 8], {"seq": 3}, 3),
        ([4, "seq", 8], {"seq": np.int64(3)}, 3),
        (["batch", "past", 8], {"past": 0, "x[1]": 2}, 2),
        (["batch", "past + 2*(seq - 1)", 8], {"past": 7, "seq": 3}, 11),
        (["batch", "s0//2", 8], {"s0": 9}, 4),
        (["batch", "past + seq", 8], {"past + seq": 5}, 5),
        (["batch", "2*batch", 8], {"batch": 3}, 6),
        (["batch", "past.key", 8], {"past.key": 3}, 3),
    ],
)
def test_sizes_are_given_by_name_by_place_or_as_a_whole_shape(tmp_path, shape, sizes, rows):
    assert macs(write(tmp_path, DENSE, W, shape), sizes=sizes) == rows * 40


@pytest.mark.parametrize(
    ("shape", "sizes", "message"),
    [
        (
            ["batch", "seq", "h", 8],
            {},
            r"net\.onnx, input 'x' of shape \(batch, seq, h, 8\): the size of 'seq' is not fixed; give it with sizes=\{'seq': …, 'h': …\}",
        ),
        (["N", "past + seq", 8], {"seq": 3}, r"'past \+ seq' is not fixed; give it with sizes=\{'past': …\}"),
        (["N", "past - seq", 8], {"seq": 3, "past": 1}, r"the size of 'past - seq' is not fixed"),
        (["N", "past//seq", 8], {"seq": 0, "past": 1}, r"the size of 'past//seq' is not fixed"),
        (
            ["N", "past + seq", 8],
            {"seq": 3, "past": 7, "past + seq": 11},
            r"`sizes`: 'past \+ seq' is 10 with 'past': 7, 'seq': 3, got 11; leave it out",
        ),
        (["N", "past + seq", 8], {"post": 3}, r"no symbolic dim 'post'; did you mean 'past'\?"),
        ([None, None, 8], {}, r"the size of 'x\[1\]' is not fixed; give it with sizes=\{'x\[1\]': …\}"),
        (["seq", 8], {}, r"the size of 'seq' is not fixed"),
        (["frames", "batch", 8], {}, r"the size of 'frames' is not fixed"),
        # the third dim may be called N as well, and is no batch
        (["B", 3, "N", 8], {}, r"the size of 'N' is not fixed"),
        (
            ["batch", "seq", 8],
            {"sequence": 4},
            r"`sizes`: the model has no symbolic dim 'sequence'.*; it has: batch, seq",
        ),
        (["batch", "seq", 8], {"x[2]": 4}, r"`sizes`: the model has no symbolic dim 'x\[2\]'"),
        ([1, 8], {"seq": 4}, r"it has: \(none\)"),
        (["batch", "seq", 8], {"seq": 1.5}, r"`sizes\['seq'\]`: got 1\.5; expected a whole number, 0 or more"),
        (["batch", "seq", 8], {"seq": True}, r"`sizes\['seq'\]`: got True"),
        (["batch", "seq", 8], {"seq": -3}, r"`sizes\['seq'\]`: got -3"),
        (
            ["batch", "seq", 8],
            {"x": (1, 4)},
            r"`sizes\['x'\]`: got \(1, 4\), the input is \(batch, seq, 8\); give one size a dim",
        ),
        (["batch", "seq", 8], {"x": (1, 4, 9)}, r"give one size a dim and keep the fixed ones"),
    ],
)
def test_missing_and_foreign_sizes_are_named(tmp_path, shape, sizes, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network(write(tmp_path, DENSE, W, shape), sizes=sizes)


@pytest.mark.parametrize(
    ("shape", "sizes", "batch", "message"),
    [
        (["batch", 10, 8], {"batch": 8}, 4, r"`batch`: got 4, and 8 with sizes=\{'batch': 8\}; give one of them"),
        ([1, 10, 8], {}, 2, r"`batch`: got 2, but the inputs are 'x' of \(1, 10, 8\), and it divides no leading dim"),
    ],
)
def test_batches_that_contradict_each_other_are_refused(tmp_path, shape, sizes, batch, message):
    with pytest.raises(InvalidDataError, match=message):
        macs(write(tmp_path, DENSE, W, shape), sizes=sizes, batch=batch)


# one attention of 4 heads of 16 over the leading dim, as of torch's nn.MultiheadAttention
def attention_over_the_leading_dim(heads, joined):
    nodes = []
    for name in "qkv":
        nodes += [node("MatMul", ["x", f"w{name}"], [f"{name}0"]), node("Reshape", [f"{name}0", "heads"], [f"{name}1"])]
        nodes.append(node("Transpose", [f"{name}1"], [f"{name}2"], perm=[1, 0, 2]))
    nodes += [
        node("Transpose", ["k2"], ["kt"], perm=[0, 2, 1]), node("MatMul", ["q2", "kt"], ["s"]), node("Softmax", ["s"], ["p"]),
        node("MatMul", ["p", "v2"], ["a"]), node("Transpose", ["a"], ["b"], perm=[1, 0, 2]), node("Reshape", ["b", "joined"], ["c"]),
        node("MatMul", ["c", "wo"], ["y"]),
    ]  # fmt: skip
    return nodes, {f"w{name}": zeros(64, 64) for name in "qkvo"} | {"heads": ints(*heads), "joined": ints(*joined)}


@pytest.mark.parametrize(
    ("shape", "heads", "joined", "sizes", "message"),
    [
        ([50, 1, 64], (-1, 4, 16), (-1, 1, 64), {}, "the leading dim 50 of the first input seems to be no batch, as layer 'MatMul_10'"),
        # exported for one size
        ([50, 1, 64], (50, 4, 16), (50, 1, 64), {}, "say batch=1 if one run takes one input, batch=50 if it takes that"),
        ([50, 64], (-1, 4, 16), (-1, 64), {}, "the leading dim 50 of the first input"),
        (["s0", 1, 64], (-1, 4, 16), (-1, 1, 64), {}, r"leading dim 's0' .* multiplies along it; say batch=1 and sizes=\{'s0': …\}"),
        ([None, 1, 64], (-1, 4, 16), (-1, 1, 64), {"x[0]": 50}, r"leading dim 'x\[0\]' of the first input"),
    ],
)  # fmt: skip
def test_a_sequence_in_front_that_products_combine_is_not_divided_in_silence(
    tmp_path, shape, heads, joined, sizes, message
):
    nodes, weights = attention_over_the_leading_dim(heads, joined)
    path = write(tmp_path, nodes, weights, shape)
    with pytest.raises(InvalidDataError, match=message):
        macs(path, sizes=sizes)
    sizes = {"s0": 50} if shape[0] == "s0" else sizes
    assert macs(path, sizes=sizes, batch=1) == 4 * 50 * 64 * 64 + 2 * 50 * 50 * 64


def test_sizes_that_hold_for_one_leading_dim_alone_still_count(tmp_path):
    nodes = [node("MatMul", ["x", "t"], ["s"]), node("MatMul", ["z", "w"], ["y"])]
    path = write(tmp_path, nodes, W, {"x": ["s0", 3, 8], "t": ["s0", 8, 3], "z": ["s0//2", 8]}, outputs=["s", "y"])
    assert macs(path, sizes={"s0": 3, "s0//2": 1}) == 9 * 8 + 40


# images and sequences without a batch: to one of the products the leading dim is a side of the image, steps, or a set
def convolved(turned):
    return [
        node("Transpose", ["x"], ["t"], perm=turned), node("Unsqueeze", ["t", "first"], ["u"]), node("Conv", ["u", "k"], ["c"], auto_pad="SAME_UPPER"),
        node("GlobalAveragePool", ["c"], ["p"]), node("Flatten", ["p"], ["f"]), node("MatMul", ["f", "w"], ["y"]),
    ]  # fmt: skip


IMAGE, SOUND = convolved([2, 0, 1]), convolved([1, 0])
STEPS = [
    node("Unsqueeze", ["x", "second"], ["u"]), node("LSTM", ["u", "p", "r"], ["", "h"], hidden_size=8), node("MatMul", ["h", "w"], ["y"]),
]  # fmt: skip
SET = [
    node("MatMul", ["x", "k"], ["h"]), node("ReduceMax", ["h"], ["m"], axes=[0]), node("Relu", ["m"], ["n"]),
    node("MatMul", ["n", "w"], ["y"]),
]  # fmt: skip
AXES = {"first": ints(0), "second": ints(1)}


@pytest.mark.parametrize(
    ("nodes", "weights", "shape", "sizes", "told", "one"),
    [
        (IMAGE, {"k": zeros(8, 3, 3, 3)}, ["H", "W", 3], {"W": 20}, "'H' .* as layer 'Conv_2' multiplies along it", 216 * 600),
        (IMAGE, {"k": zeros(8, 3, 3, 3)}, [None, None, 3], {"x[1]": 20}, r"'x\[0\]' .* as layer 'Conv_2'", 216 * 600),
        (SOUND, {"k": zeros(8, 5, 3)}, ["T", 5], {}, "'T' .* as layer 'Conv_2' multiplies along it", 120 * 30),
        # no place meets another before they are averaged
        (SOUND, {"k": zeros(8, 5, 1)}, ["T", 5], {}, "'T' .* as layer 'MatMul_5' runs once for all of it", 40 * 30),
        (STEPS, {"p": zeros(1, 32, 4), "r": zeros(1, 32, 8)}, ["T", 4], {}, "'T' .* as layer 'LSTM_1' multiplies", 384 * 30),
        (SET, {"k": zeros(3, 8)}, ["P", 3], {}, "'P' .* as layer 'MatMul_3' runs once for all of it", 24 * 30),
    ],
)  # fmt: skip
def test_a_leading_dim_that_layers_combine_is_no_batch_of_one(tmp_path, nodes, weights, shape, sizes, told, one):
    path = write(tmp_path, nodes, {**W, **AXES, **weights}, shape)
    with pytest.raises(InvalidDataError, match=f"the leading dim {told}"):
        macs(path, sizes=sizes)
    whole = {**sizes, shape[0] or "x[0]": 30}
    assert macs(path, sizes=whole, batch=1) == one + 40


@pytest.mark.parametrize(
    ("shape", "nodes", "one"),
    [
        ([None, 4, 8], [node("Reshape", ["x", "rows"], ["r"]), node("MatMul", ["r", "w"], ["y"])], 4 * 40),
        (["unk__1", 4, 8], [node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=0), node("MatMul", ["m", "w"], ["y"])], 40),
        # a kernel of one over all rows, and a scale that all inputs decide
        (["anything", 8], [node("Transpose", ["x"], ["t"]), node("Unsqueeze", ["t", "first"], ["u"]), node("Conv", ["u", "k"], ["y"])], 40),
        ([None, 8], [node("ReduceMax", ["x"], ["s"], keepdims=0), node("Div", ["x", "s"], ["d"]), node("MatMul", ["d", "w"], ["y"])], 40),
        # written out for a batch of one, whatever the first dim is called
        ([None, 2, 4], [node("Reshape", ["x", "one"], ["r"]), node("MatMul", ["r", "w"], ["y"])], 40),
    ],
)  # fmt: skip
def test_a_leading_dim_of_inputs_is_a_batch_under_any_name(tmp_path, shape, nodes, one):
    weights = {**W, **AXES, "rows": ints(-1, 8), "one": ints(1, 8), "k": zeros(5, 8, 1)}
    assert macs(write(tmp_path, nodes, weights, shape)) == one


def test_layers_that_do_not_read_the_first_input_need_not_follow_its_batch(tmp_path):
    """As the embedding of one time step that all images of a diffusion share."""
    nodes = [
        node("ReduceMean", ["t"], ["m"], axes=[1]), node("MatMul", ["m", "v"], ["g"]), node("MatMul", ["x", "w"], ["a"]), node("Mul", ["a", "g"], ["y"]),
    ]  # fmt: skip
    path = write(tmp_path, nodes, {**W, "v": zeros(1, 5)}, {"x": [None, 6, 8], "t": [1, 3]})
    assert macs(path) == 6 * 40 + 5


@pytest.mark.parametrize("rows", ["N", "b", None])
def test_boxes_beside_one_image_are_no_inputs(tmp_path, rows):
    """Two convolved channels, of which each box takes 2 × 2 places to a layer of 8 inputs."""
    nodes = [
        node("Conv", ["image", "k"], ["c"]), node("RoiAlign", ["c", "boxes", "of"], ["r"], output_height=2, output_width=2),
        node("Flatten", ["r"], ["f"]), node("MatMul", ["f", "w"], ["y"]),
    ]  # fmt: skip
    inputs = {"image": [1, 3, 6, 6], "boxes": [rows, 4], "of": value("of", [rows], TensorProto.INT64)}
    path = write(tmp_path, nodes, {**W, "k": zeros(2, 3, 1, 1)}, inputs)
    sizes = {"boxes[0]": 100, "of[0]": 100} if rows is None else {rows: 100}
    for given in ({}, sizes):
        with pytest.raises(
            InvalidDataError,
            match=r"of 'boxes' seems to be no batch, as layer 'Conv_0' runs as often .*; say batch=1 and sizes=",
        ):
            macs(path, sizes=given)
    assert macs(path, sizes=sizes, batch=1) == 6 * 36 + 100 * 40
    if rows:
        with pytest.raises(InvalidDataError, match=r"`batch`: got 2, and 100 with sizes"):
            macs(path, sizes=sizes, batch=2)


@pytest.mark.parametrize(
    ("nodes", "inputs", "one"),
    [
        # noise that all images share
        ([node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "z"], ["y"])], {"x": ["N", 8], "z": [1, 1, 5]}, 40),
        # one context, of which the keys are made once for all inputs
        ([node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["z", "w"], ["b"])], {"x": ["N", 6, 8], "z": [1, 3, 8]}, 360),
        ([node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["z", "w"], ["b"])], {"x": [None, 6, 8], "z": [1, 3, 8]}, 360),
        ([node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["z", "w"], ["b"])], {"x": ["N", 8], "z": [1, 8]}, 80),
        ([node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["z", "w"], ["b"])], {"x": ["batch", 8], "z": [1, 3, 8]}, 160),
    ],
)  # fmt: skip
def test_what_inputs_share_is_no_image_of_their_own(tmp_path, nodes, inputs, one):
    assert macs(write(tmp_path, nodes, W, inputs, outputs=[node.output[0] for node in nodes])) == one


def test_heads_as_wide_as_the_batch_are_no_sequence_in_front(tmp_path):
    """Two attentions of one head over 5 tokens, exported for a batch of 8 whose heads are 8 wide."""
    nodes, last = [], "x"
    for layer in "ab":
        nodes += [
            node("MatMul", [last, "w"], [f"q{layer}"]), node("Transpose", [last], [f"t{layer}"], perm=[0, 2, 1]), node("MatMul", [f"q{layer}", f"t{layer}"], [f"s{layer}"]),
            node("Softmax", [f"s{layer}"], [f"p{layer}"]), node("MatMul", [f"p{layer}", last], [f"o{layer}"]), node("Reshape", [f"o{layer}", "shape"], [f"y{layer}"]),
        ]  # fmt: skip
        last = f"y{layer}"
    path = write(tmp_path, nodes, {"w": zeros(8, 8), "shape": ints(8, 5, 8)}, [8, 5, 8], outputs=[last])
    assert macs(path) == 2 * (5 * 64 + 2 * 5 * 5 * 8)


@pytest.mark.parametrize("shape", [["N", "seq", 8], ["batch", 3, 8], [1, "seq", 8]])
def test_a_size_of_0_is_named_where_it_leaves_nothing_to_count(tmp_path, shape):
    dim = next(one for one in reversed(shape) if isinstance(one, str))
    with pytest.raises(InvalidDataError, match=rf"`sizes\['{dim}'\]`: got 0, with which there is nothing to count"):
        macs(write(tmp_path, DENSE, W, shape), sizes={dim: 0})


def test_the_value_of_a_scalar_input_settles_a_branch(tmp_path):
    def branch(name, layers):
        nodes = [node("MatMul", ["x", "w"], [f"{name}0"]), *[node("Relu", [f"{name}0"], [f"{name}1"])] * layers]
        return graph(nodes, [f"{name}{layers}"])

    nodes = [
        node("Equal", ["rate", "k"], ["c"]),
        node("If", ["c"], ["y"], then_branch=branch("t", 0), else_branch=branch("e", 1)),
    ]
    inputs = {"x": [1, 8], "rate": value("rate", [], TensorProto.INT64)}
    path = write(tmp_path, nodes, {**W, "k": np.array(16000, "i8")}, inputs)
    assert rc.read_network(path, sizes={"rate": 16000})["operator"].to_list() == ["MatMul"]
    assert rc.read_network(path, sizes={"rate": 8000})["operator"].to_list() == ["MatMul", "Relu"]


def test_inputs_beside_the_first_share_its_batch(tmp_path):
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "s"], ["y"])]
    path = write(tmp_path, nodes, W, {"x": [None, 7, 8], "s": [None, 5, 3]})
    assert macs(path) == 7 * 40 + 7 * 15
    path = write(tmp_path, nodes, W, {"x": ["batch", 7, 8], "s": [2, "batch", 5, 3]})
    assert macs(path) == 7 * 40 + 2 * 7 * 15


def test_stored_tensors_among_the_inputs_are_no_inputs(tmp_path):
    """Files of the first years list their weights as inputs too."""
    assert macs(write(tmp_path, DENSE, W, {"w": [8, 5], "x": [2, 8]})) == 40


# the batch ------------------------------------------------------------------------------------------------------------

CONV = {"w": zeros(16, 3, 3, 3)}


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_a_fixed_batch_is_divided_out_of_everything(tmp_path, batch):
    nodes = [
        node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["b"]), node("MatMul", ["b", "v"], ["c"]), node("MatMul", ["c", "c"], ["d"]),
        node("Reshape", ["d", "s"], ["e"]), node("LSTM", ["e", "p", "r"], ["f"], hidden_size=4, layout=1), node("Flatten", ["f"], ["g"]), node("Gemm", ["g", "u"], ["y"]),
    ]  # fmt: skip
    weights = {
        **CONV, "v": zeros(30, 30), "s": ints(batch, 16, 900), "p": zeros(1, 16, 900), "r": zeros(1, 16, 4), "u": zeros(64, 2)
    }  # fmt: skip
    table = rc.read_network(write(tmp_path, nodes, weights, [batch, 3, 32, 32]))
    by_hand = 16 * 27 * 900, 16 * 900 * 30, 16 * 30 * 900, 16 * 16 * 904, 64 * 2
    assert (table.filter(table["ops"] > 0)["ops"] // 2).to_list() == list(by_hand)
    assert table.filter(table["operator"] == "Relu")["output_elements"].item() == 16 * 900
    assert table["params"].sum() == 16 * 27 + 900 + 16 * 904 + 128


def test_images_without_a_batch_are_one_input(tmp_path):
    """The leading 3 are channels: a convolution runs once, which 3 does not divide."""
    nodes = [node("Unsqueeze", ["x", "a"], ["u"]), node("Conv", ["u", "w"], ["y"])]
    assert macs(write(tmp_path, nodes, {**CONV, "a": ints(0)}, [3, 32, 32])) == 16 * 27 * 900


def test_a_sequence_in_front_of_the_batch_is_no_batch(tmp_path):
    weights = {"p": zeros(1, 16, 8), "r": zeros(1, 16, 4)}
    nodes = [node("LSTM", ["x", "p", "r"], ["y"], hidden_size=4)]
    assert macs(write(tmp_path, nodes, weights, [50, 1, 8])) == 50 * 16 * 12
    assert macs(write(tmp_path, nodes, weights, [50, 4, 8])) == 50 * 16 * 12
    assert macs(write(tmp_path, nodes, weights, ["seq", "n", 8]), sizes={"seq": 50}) == 50 * 16 * 12
    # also behind layers that keep it there
    before = [node("MatMul", ["x", "m"], ["a"]), node("LSTM", ["a", "p", "r"], ["y"], hidden_size=4)]
    more = {**weights, "m": zeros(8, 8)}
    assert macs(write(tmp_path, before, more, [50, 1, 8])) == 50 * (64 + 16 * 12)
    assert macs(write(tmp_path, before, more, [50, 4, 8])) == 50 * (64 + 16 * 12)
    cells = [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node("LSTM", ["t", "p", "r"], ["y"], hidden_size=4)]
    assert macs(write(tmp_path, cells, weights, [4, 50, 8])) == 50 * 16 * 12


def test_layers_that_disagree_about_the_batch_ask_for_it(tmp_path):
    """One product on the rows of the batch, one on positions that do not depend on it."""
    nodes = [
        node("MatMul", ["x", "w"], ["a"]), node("Shape", ["x"], ["s"]), node("ConstantOfShape", ["s"], ["o"]),
        node("Slice", ["o", "i0", "i1", "i0"], ["p"]), node("MatMul", ["p", "w"], ["b"]), node("Add", ["a", "b"], ["y"]),
    ]  # fmt: skip
    path = write(tmp_path, nodes, {**W, "i0": ints(0), "i1": ints(1)}, [4, 6, 8])
    with pytest.raises(
        InvalidDataError,
        match=r"seems to hold 4 inputs, but layer 'MatMul_4' runs 6 times.*say batch=4 if one run takes 4 inputs, batch=1",
    ):
        rc.read_network(path)
    assert rc.read_network(path, batch=1)["ops"].sum() // 2 == 30 * 40
    # what does not grow with the batch is shared by its inputs, rounded up
    assert (rc.read_network(path, batch=4).filter(pl_ops())["ops"] // 2).to_list() == [6 * 40, 2 * 40]


def pl_ops():
    import polars as pl

    return pl.col("ops") > 0


def test_the_batch_may_be_said(tmp_path):
    assert macs(write(tmp_path, DENSE, W, [12, 8])) == 40
    assert macs(write(tmp_path, DENSE, W, [12, 8]), batch=1) == 12 * 40
    assert macs(write(tmp_path, DENSE, W, [12, 8]), batch=3) == 4 * 40
    assert macs(write(tmp_path, DENSE, W, ["batch", 8]), batch=3) == 40
    for wrong in (0, -1, 1.5, True, "4"):
        with pytest.raises(InvalidDataError, match="`batch`: expected the inputs that one run takes, 1 or more, got"):
            rc.read_network(write(tmp_path, DENSE, W, [12, 8]), batch=wrong)


def test_a_batch_that_no_layer_knows_is_refused(tmp_path):
    path = write(tmp_path, [node("Conv", ["x", "w"], ["y"])], {"w": zeros(8, 8, 1, 1)}, [4, 8, 5, 5])
    assert rc.read_network(path, batch=2)["ops"].sum() == 2 * 2 * 64 * 25
    with pytest.raises(InvalidDataError, match=r"net\.onnx, `batch`: got 3, but no layer runs a multiple of 3 times"):
        rc.read_network(path, batch=3)


def test_an_input_without_a_shape_takes_a_whole_one(tmp_path):
    path = write(tmp_path, DENSE, W, {"x": value("x", None)})
    assert macs(path, sizes={"x": (1, 10, 8)}) == 10 * 40
    assert macs(path, sizes={"x": [4, 10, 8]}) == 10 * 40
    with pytest.raises(InvalidDataError, match=r"the input 'x', whose shape the file does not say: give it with sizes"):
        macs(path)
    with pytest.raises(InvalidDataError, match=r"`sizes\['x'\]`: got 'ten'; expected a whole number"):
        macs(path, sizes={"x": (1, "ten", 8)})


PASSED = [
    node("Conv", ["x", "conv.weight", "conv.bias"], ["c"]),
    node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"]),
    node("Flatten", ["n"], ["f"]),
    node("MatMul", ["f", "fc.weight"], ["m"]),
    node("Add", ["m", "fc.bias"], ["y"]),
]
STORED = {
    "conv.weight": zeros(4, 3, 3, 3),
    "conv.bias": zeros(4),
    **{name: zeros(4) for name in ("scale", "shift", "mean", "var")},
    "fc.weight": zeros(16, 10),
    "fc.bias": zeros(10),
}


@pytest.mark.parametrize("batch", ["batch", 2])
def test_weights_that_an_export_left_out_are_counted_as_those_that_are_stored(tmp_path, batch):
    inputs = {"x": [batch, 3, 4, 4]}
    passed = inputs | {name: list(array.shape) for name, array in STORED.items()}
    stored = rc.read_network(write(tmp_path, PASSED, STORED, inputs, name="stored.onnx"), name="one")
    left_out = rc.read_network(write(tmp_path, PASSED, {}, passed, name="left_out.onnx"), name="one")
    assert left_out["params"].sum() == 4 * 27 + 160
    counts = [name for name in stored.columns if stored[name].dtype.is_numeric()]
    assert stored.select(counts).equals(left_out.select(counts))


def test_the_second_of_two_inputs_that_are_multiplied_is_an_input(tmp_path):
    table = rc.read_network(write(tmp_path, DENSE, {}, {"x": [1, 8], "w": [8, 5]}))
    assert (table["params"].sum(), table["ops"].sum()) == (0, 80)
