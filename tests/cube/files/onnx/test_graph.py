"""The walk through an ONNX graph: where weights come from, computed shapes, branches, loops, functions, refusals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_files import graph, ints, node, value, write, zeros  # noqa: E402

CONV = 16 * 8 * 9 * 900
X = [1, 8, 32, 32]


def macs(path, **more):
    return rc.read_network(path, **more)["ops"].sum() // 2


def stored(array, name="c"):
    return numpy_helper.from_array(array, name)


W = zeros(16, 8, 3, 3)


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([], {"w": W}),
        ([node("Constant", [], ["w"], value=stored(W))], {}),
        ([node("Identity", ["v"], ["w"])], {"v": W}),
        ([node("Cast", ["v"], ["w"], to=1)], {"v": W.astype("f2")}),
        ([node("Transpose", ["v"], ["w"], perm=[3, 2, 1, 0])], {"v": zeros(3, 3, 8, 16)}),
        ([node("Reshape", ["v", "s"], ["w"])], {"v": zeros(16 * 72), "s": ints(16, 8, 3, 3)}),
        ([node("Squeeze", ["v", "a"], ["w"])], {"v": zeros(1, 16, 8, 3, 3), "a": ints(0)}),
        ([node("ConstantOfShape", ["s"], ["w"])], {"s": ints(16, 8, 3, 3)}),
        (
            [node("Constant", [], ["s"], value_ints=[16, 8, 3, 3]), node("ConstantOfShape", ["s"], ["w"])],
            {},
        ),
        ([node("DequantizeLinear", ["v", "s", "z"], ["w"])], {"v": zeros(16, 8, 3, 3, dtype="i1"), "s": np.array(0.1, "f4"), "z": np.array(0, "i1")}),
        (
            [node("QuantizeLinear", ["v", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["w"])],
            {"v": W, "s": np.array(0.1, "f4"), "z": np.array(0, "i1")},
        ),
        (
            [node("Constant", [], ["v"], value=stored(zeros(8, 16, 3, 3))), node("Transpose", ["v"], ["t"], perm=[1, 0, 2, 3]), node("Identity", ["t"], ["w"])],
            {},
        ),
        ([node("Mul", ["v", "g"], ["w"])], {"v": W, "g": zeros(16, 1, 1, 1)}),
        ([node("Split", ["v"], ["w", "rest"], axis=0, num_outputs=2)], {"v": zeros(32, 8, 3, 3)}),
        ([node("Slice", ["v", "a", "b"], ["w"])], {"v": zeros(32, 8, 3, 3), "a": ints(0), "b": ints(16)}),
        ([node("Concat", ["v", "u"], ["w"], axis=0)], {"v": zeros(8, 8, 3, 3), "u": zeros(8, 8, 3, 3)}),
        ([node("Expand", ["v", "s"], ["w"])], {"v": zeros(1), "s": ints(16, 8, 3, 3)}),
    ],
)  # fmt: skip
def test_a_weight_is_constant_however_it_is_stored(tmp_path, nodes, weights):
    path = write(tmp_path, [*nodes, node("Conv", ["x", "w"], ["y"])], weights, X, opset=18)
    table = rc.read_network(path)
    assert table["ops"].to_list() == [2 * CONV]
    assert table["params"].to_list() == [16 * 72]


def test_a_sparse_weight_counts_as_the_dense_one_that_it_stands_for(tmp_path):
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0])
    places = helper.make_tensor("i", TensorProto.INT64, [2], [3, 9])
    sparse = helper.make_sparse_tensor(values, places, [6, 4])
    path = write(tmp_path, [node("MatMul", ["x", "w"], ["y"])], {}, [1, 6])
    model = onnx.load(path)
    model.graph.sparse_initializer.append(sparse)
    onnx.save(model, path)
    assert macs(path) == 24
    nodes = [node("Constant", [], ["w"], sparse_value=sparse), node("MatMul", ["x", "w"], ["y"])]
    assert macs(write(tmp_path, nodes, {}, [1, 6])) == 24


SIZED = [node("Shape", ["x"], ["s"], end=1), node("Concat", ["s", "k"], ["t"], axis=0)]


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([*SIZED, node("Expand", ["v", "t"], ["w"])], {"k": ints(16, 8)}),
        ([*SIZED, node("Tile", ["v", "t"], ["w"])], {"k": ints(1, 1)}),
        ([*SIZED, node("Expand", ["u", "t"], ["e"]), node("Transpose", ["e"], ["w"], perm=[0, 2, 1])], {"u": zeros(1, 8, 16), "k": ints(8, 16)}),
        ([*SIZED, node("Expand", ["v", "t"], ["e"]), node("Unsqueeze", ["e", "a"], ["f"]), node("Squeeze", ["f", "a"], ["w"])], {"k": ints(16, 8), "a": ints(0)}),
        ([node("Shape", ["x"], ["s"], start=2), node("Concat", ["s", "k"], ["t"], axis=0), node("Reshape", ["u", "t"], ["w"])], {"u": zeros(128), "k": ints(8)}),
        ([node("Shape", ["x"], ["s"], start=2), node("Slice", ["u", "a", "s", "a"], ["w"])], {"u": zeros(20, 8), "a": ints(0)}),
        ([node("CastLike", ["u", "x"], ["w"])], {"u": zeros(16, 8, dtype="f2")}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("batch", [1, 3, "N"])
def test_a_weight_laid_out_by_the_shape_of_the_input_is_a_weight(tmp_path, nodes, weights, batch):
    layers = [*nodes, node("MatMul", ["x", "w"], ["y"])]
    table = rc.read_network(write(tmp_path, layers, {"v": zeros(1, 16, 8), **weights}, [batch, 5, 16]))
    plain = rc.read_network(write(tmp_path, [node("MatMul", ["x", "w"], ["y"])], {"w": zeros(16, 8)}, [batch, 5, 16]))
    columns = ["kind", "in_channels", "out_channels", "groups", "ops", "params", "input_elements", "output_elements"]
    assert table.select(columns).equals(plain.select(columns))


@pytest.mark.parametrize(
    ("nodes", "weights", "inner"),
    [
        ([node("Tile", ["v", "r"], ["w"])], {"v": zeros(2, 16, 8), "r": ints(2, 1, 1)}, 16),
        ([node("Tile", ["v", "r"], ["w"])], {"v": zeros(16, 16), "r": ints(1, 10**9)}, 16),
        ([node("Tile", ["u", "r"], ["t"]), node("Tile", ["t", "q"], ["w"])], {"u": zeros(1, 16, 16), "r": ints(3, 1, 1), "q": ints(2, 1, 5)}, 16),
        ([node("Expand", ["v", "r"], ["e"]), node("Reshape", ["e", "q"], ["w"])], {"v": zeros(1, 32, 8), "r": ints(4, 32, 8), "q": ints(128, 8)}, 128),
        ([node("Expand", ["v", "r"], ["w"])], {"v": zeros(256, 1), "r": ints(256, 8)}, 256),
        ([node("Gather", ["v", "r"], ["w"], axis=0)], {"v": zeros(8, 32), "r": ints(*range(8), *range(8))}, 16),
        ([node("Concat", ["v", "v", "v"], ["w"], axis=0)], {"v": zeros(16, 16)}, 48),
        ([node("Split", ["v"], ["a", "b"], axis=0), node("Concat", ["b", "a", "b"], ["w"], axis=0)], {"v": zeros(16, 16)}, 24),
    ],
)  # fmt: skip
def test_what_repeats_stored_weights_has_no_parameters_of_its_own(tmp_path, nodes, weights, inner):
    layers = [*nodes, node("MatMul", ["x", "w"], ["y"]), node("MatMul", ["z", "v"], ["o"])]
    weights = {"v": zeros(1, 16, 16), **weights}
    inputs = {"x": [1, 5, inner], "z": [1, 5, weights["v"].shape[-2]]}
    table = rc.read_network(write(tmp_path, layers, weights, inputs))
    *_, product, plain = table["params"].to_list()
    assert product == 256
    assert plain == (256 if "u" in weights else 0)
    assert rc.read_network(table).equals(table)


def test_of_parts_that_overlap_the_layer_that_counts_them_is_named(tmp_path):
    nodes, weights, inputs = [], {"v": zeros(8, 16), "axis": ints(0)}, {}
    for name, (first, last) in {"a": (0, 6), "b": (2, 8), "c": (1, 5), "d": (1, 5)}.items():
        weights |= {f"from_{name}": ints(first), f"to_{name}": ints(last)}
        inputs[f"x_{name}"] = [1, last - first]
        nodes.append(node("Slice", ["v", f"from_{name}", f"to_{name}", "axis"], [f"w_{name}"]))
        nodes.append(node("MatMul", [f"x_{name}", f"w_{name}"], ["y" if name == "d" else f"y_{name}"], name=name))
    table = rc.read_network(write(tmp_path, nodes, weights, inputs))
    assert table.select("params", "weights_of").rows() == [(96, ""), (32, "a"), (0, "a"), (0, "a")]
    assert rc.read_network(table).equals(table)


@pytest.mark.parametrize("operator", ["Where", "If"])
def test_of_two_stored_weights_between_which_the_data_choose_one_is_read_and_both_are_in_memory(tmp_path, operator):
    branches = {f"{one}_branch": graph([node("Identity", [f"w_{one}"], [one])], [one]) for one in ("then", "else")}
    choice = {
        "Where": node("Where", ["c", "w_then", "w_else"], ["w"]),
        "If": node("If", ["c"], ["w"], **branches),
    }[operator]
    inputs = {"x": [1, 16], "c": value("c", [], TensorProto.BOOL)}
    weights = {"w_then": zeros(16, 8), "w_else": zeros(16, 8)}
    table = rc.read_network(write(tmp_path, [choice, node("MatMul", ["x", "w"], ["y"])], weights, inputs))
    assert sorted(table.select("kind", "params").rows()) == [("embedding", 128), ("fully_connected", 128)]
    assert table["input_elements"].sum() == 16


# which tensor a weight is ---------------------------------------------------------------------------------------------


def gate(name, source, target):
    then = graph([node("MatMul", [source, "w"], [f"t{target}"])], [f"t{target}"], {"w": zeros(8, 8)})
    other = graph([node("Identity", [source], [f"e{target}"])], [f"e{target}"])
    return node("If", ["c"], [target], name=name, then_branch=then, else_branch=other)


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([gate("A", "x", "m"), gate("A", "m", "y")], {}),
        ([gate("If_1", "x", "m"), gate("", "m", "y")], {}),
        ([node("MatMul", ["x", "A/then_branch/w"], ["m"]), gate("A", "m", "y")], {"A/then_branch/w": zeros(8, 8)}),
    ],
)
def test_weights_of_one_name_in_different_graphs_are_different(tmp_path, nodes, weights):
    table = rc.read_network(write(tmp_path, nodes, {"c": np.array(True), **weights}, [1, 8]))
    assert table["params"].to_list() == [64, 64]


@pytest.mark.parametrize(
    "steps",
    [
        [node("ReduceL2", ["v"], ["n"], axes=[1]), node("Div", ["v", "n"], ["d"]), node("Mul", ["g", "d"], ["w"])],
        [node("Cast", ["v"], ["d"], to=1), node("Mul", ["d", "one"], ["w"])],
        [node("Split", ["long"], ["w", "rest"], axis=0)],
        [node("Slice", ["long", "a", "b"], ["w"])],
    ],
)
def test_a_weight_that_is_derived_again_for_every_call_of_a_layer_is_one_weight(tmp_path, steps):
    nodes, last = [], "x"
    for call in range(4):
        for step in steps:
            copy = onnx.NodeProto.FromString(step.SerializeToString())
            made = {"n", "d", "w", "rest"}
            copy.input[:] = [f"{name}{call}" if name in made else name for name in step.input]
            copy.output[:] = [f"{name}{call}" for name in step.output]
            nodes.append(copy)
        nodes.append(node("Gemm", [last, f"w{call}"], [f"h{call}"], transB=1))
        last = f"h{call}"
    weights = {
        "v": zeros(8, 8),
        "g": zeros(8, 1),
        "one": np.array(1, "f4"),
        "long": zeros(16, 8),
        "a": ints(0),
        "b": ints(8),
    }
    table = rc.read_network(write(tmp_path, [*nodes, node("Relu", [last], ["y"])], weights, [1, 8]))
    assert table["params"].to_list() == [64, 0, 0, 0, 0]


def test_parts_of_a_stored_tensor_are_at_most_that_tensor(tmp_path):
    """A head tied to the embedding but for its padding rows; two slices that overlap; the same operator on another one."""
    head = [node("Slice", ["W", "a", "b"], ["s"]), node("Transpose", ["s"], ["t"])]
    nodes = [node("Gather", ["W", "x"], ["e"]), *head, node("MatMul", ["e", "t"], ["y"])]
    weights = {"W": zeros(104, 16), "a": ints(0), "b": ints(100)}
    ids = {"x": value("x", [1, 10], TensorProto.INT64)}
    table = rc.read_network(write(tmp_path, nodes, weights, ids))
    assert dict(table.select("kind", "params").iter_rows()) == {"embedding": 4 * 16, "fully_connected": 100 * 16}
    assert table["weights_of"].to_list() == ["MatMul_3", ""]
    nodes = [node("Slice", ["W", "a", "b"], ["u"]), node("Slice", ["W", "d", "f"], ["v"])]
    nodes += [node("Gemm", ["x", one], [f"y{one}"], transB=1) for one in "uv"]
    more = {"d": ints(50), "f": ints(104)}
    table = rc.read_network(write(tmp_path, nodes, weights | more, [1, 16], outputs=["yu", "yv"]))
    assert table["params"].sum() == 104 * 16
    nodes = [node("Mul", [one, "g"], [f"m{one}"]) for one in "uv"]
    nodes += [node("Gemm", ["x", f"m{one}"], [f"y{one}"], transB=1) for one in "uv"]
    others = {"u": zeros(4, 16), "v": zeros(4, 16), "g": np.array(2, "f4")}
    table = rc.read_network(write(tmp_path, nodes, others, [1, 16], outputs=["yu", "yv"]))
    assert table["params"].to_list() == [64, 64]


def test_what_depends_on_nothing_but_the_file_is_done_before_the_first_input(tmp_path):
    nodes = [node("MatMul", ["a", "b"], ["w"]), node("Relu", ["w"], ["v"]), node("MatMul", ["x", "v"], ["y"])]
    table = rc.read_network(write(tmp_path, nodes, {"a": zeros(8, 4), "b": zeros(4, 6)}, [1, 8]))
    assert table["operator"].to_list() == ["MatMul"]
    assert (table["ops"].item(), table["params"].item()) == (96, 48)


# computed shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        [node("Gather", ["sh", "i0"], ["b"]), node("Unsqueeze", ["b", "i00"], ["b1"]), node("Concat", ["b1", "f"], ["t"], axis=0)],
        [node("Slice", ["sh", "i00", "i11"], ["b1"]), node("Concat", ["b1", "f"], ["t"], axis=0)],
        # 4 · 4 · 4 = 64, computed
        [
            node("Slice", ["sh", "i11", "i44"], ["rest"]), node("ReduceProd", ["rest"], ["p"], keepdims=0), node("Gather", ["sh", "i0"], ["b"]),
            node("Unsqueeze", ["b", "i00"], ["b1"]), node("Unsqueeze", ["p", "i00"], ["p1"]), node("Concat", ["b1", "p1"], ["t"], axis=0),
        ],
        [node("Split", ["sh", "i13"], ["b1", "rest"], axis=0), node("Concat", ["b1", "minus"], ["t"], axis=0)],
        [
            node("Cast", ["sh"], ["c"], to=1), node("Size", ["x"], ["n"]), node("Cast", ["n"], ["nf"], to=1), node("Gather", ["c", "i0"], ["bf"]),
            node("Div", ["nf", "bf"], ["q"]), node("Floor", ["q"], ["fl"]), node("Cast", ["fl"], ["k"], to=7), node("Cast", ["bf"], ["bi"], to=7),
            node("Unsqueeze", ["k", "i00"], ["k1"]), node("Unsqueeze", ["bi", "i00"], ["b1"]), node("Concat", ["b1", "k1"], ["t"], axis=0),
        ],
        # a choice between two targets, as torch writes for expand
        [node("Concat", ["i11", "f"], ["one"], axis=0), node("Equal", ["one", "neg"], ["e"]), node("Where", ["e", "ones", "one"], ["t"])],
    ],
)  # fmt: skip
def test_shapes_are_followed_through_the_values_that_compute_them(tmp_path, target):
    weights = {
        "i0": np.array(0, "i8"), "i00": ints(0), "i11": ints(1), "i44": ints(4), "i13": ints(1, 3), "f": ints(64), "minus": ints(-1),
        "neg": ints(-1, -1), "ones": ints(1, 1), "w": zeros(64, 32),
    }  # fmt: skip
    nodes = [
        node("Shape", ["x"], ["sh"]),
        *target,
        node("Reshape", ["x", "t"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    assert macs(write(tmp_path, nodes, weights, [1, 4, 4, 4])) == 64 * 32


def test_values_that_only_the_reference_evaluator_knows_are_followed_too(tmp_path):
    nodes = [node("Shape", ["x"], ["sh"]), node("Gather", ["sh", "i"], ["four"]), node("Pow", ["four", "two"], ["p"])]
    nodes += [
        node("Concat", ["one", "p"], ["t"], axis=0),
        node("Reshape", ["x", "t"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    weights = {"i": ints(1), "two": ints(2), "one": ints(1), "w": zeros(16, 3)}
    assert macs(write(tmp_path, nodes, weights, [1, 4, 2, 2])) == 48


def test_positions_are_followed_through_ranges(tmp_path):
    nodes = [
        node("Shape", ["x"], ["sh"]),
        node("Gather", ["sh", "one"], ["n"]),
        node("Range", ["zero", "n", "one"], ["r"]),
    ]
    nodes += [node("Gather", ["table", "r"], ["p"]), node("Add", ["x", "p"], ["a"]), node("MatMul", ["a", "w"], ["y"])]
    weights = {"zero": np.array(0, "i8"), "one": np.array(1, "i8"), "table": zeros(512, 8), "w": zeros(8, 3)}
    table = rc.read_network(write(tmp_path, nodes, weights, ["batch", "seq", 8]), sizes={"seq": 20})
    assert table.select("operator", "output_elements").rows() == [("Gather", 160), ("Add", 160), ("MatMul", 60)]
    assert table["params"].to_list() == [4096, 0, 24]


def test_a_target_that_is_fixed_ends_what_the_data_decide(tmp_path):
    nodes = [node("NonZero", ["x"], ["n"]), node("Cast", ["n"], ["f"], to=1), node("Reshape", ["f", "t"], ["r"])]
    path = write(tmp_path, [*nodes, node("MatMul", ["r", "w"], ["y"])], {"t": ints(2, 3), "w": zeros(3, 5)}, [1, 3])
    assert macs(path) == 30


def test_resized_images_are_followed(tmp_path):
    nodes = [node("Resize", ["x", "", "scales"], ["r"], mode="nearest"), node("Conv", ["r", "w"], ["y"])]
    path = write(tmp_path, nodes, {"scales": np.array([1, 1, 2, 2], "f4"), "w": zeros(4, 8, 1, 1)}, X)
    assert macs(path) == 4 * 8 * 64 * 64


# control flow ---------------------------------------------------------------------------------------------------------


def two_branches(condition, then=2, other=1):
    def branch(count, tag):
        names = ["m", *(f"{tag}{place}" for place in range(count))]
        layers = [node("Conv", [a, f"u{tag}"], [b], pads=[1] * 4) for a, b in pairwise(names)]
        layers += [node("Identity", [names[-1]], [f"{tag}out"])]
        return graph(layers, [f"{tag}out"], {f"u{tag}": zeros(16, 16, 3, 3)})

    layers = [node("Conv", ["x", "w"], ["m"], pads=[1] * 4)]
    return [
        *layers,
        node("If", [condition], ["y"], then_branch=branch(then, "t"), else_branch=branch(other, "e"), name="if1"),
    ]


OUTSIDE, INSIDE = 16 * 8 * 9 * 1024, 16 * 16 * 9 * 1024


@pytest.mark.parametrize(("taken", "times"), [(True, 2), (False, 1)])
def test_the_branch_that_is_taken_counts_where_the_condition_is_known(tmp_path, taken, times):
    path = write(tmp_path, two_branches("c"), {"w": W, "c": np.array(taken)}, X)
    assert macs(path) == OUTSIDE + times * INSIDE
    assert set(rc.read_network(path)["note"]) == {""}


@pytest.mark.parametrize(("then", "other", "told"), [(2, 1, "then_branch"), (0, 3, "else_branch")])
def test_else_the_branch_with_more_operations_counts_and_says_so(tmp_path, then, other, told):
    inputs = {"x": X, "c": value("c", [], TensorProto.BOOL)}
    table = rc.read_network(write(tmp_path, two_branches("c", then, other), {"w": W}, inputs))
    assert table["ops"].sum() // 2 == OUTSIDE + max(then, other) * INSIDE
    counted = table.filter(table["ops"] > 0)
    assert counted["note"].to_list()[1:] == [f"{told} of If 'if1', the one with more operations"] * max(then, other)
    assert counted["name"].to_list()[1].startswith(f"if1/{told}/")
    # the weights of both are in memory, and read of one
    assert table["params"].sum() == 16 * 72 + 16 * 144 * (2 if then and other else 1)
    assert table["params"].sum() - counted["params"].sum() == (16 * 144 if then and other else 0)


def test_of_two_branches_with_as_many_operations_none_is_said_to_have_more(tmp_path):
    inputs = {"x": X, "c": value("c", [], TensorProto.BOOL)}
    table = rc.read_network(write(tmp_path, two_branches("c", 1, 1), {"w": W}, inputs))
    assert table["note"].to_list()[1] == "then_branch of If 'if1', which has as many operations as the other"


def test_a_condition_that_follows_from_the_shapes_is_known(tmp_path):
    nodes = [node("Shape", ["x"], ["s"]), node("Gather", ["s", "one"], ["n"]), node("Equal", ["n", "eight"], ["c"])]
    weights = {"w": W, "one": np.array(1, "i8"), "eight": np.array(8, "i8")}
    assert macs(write(tmp_path, [*nodes, *two_branches("c", 0, 3)], weights, X)) == OUTSIDE


def test_a_whole_network_inside_branches_inside_branches(tmp_path):
    inner = graph([node("Conv", ["x", "w"], ["a"])], ["a"], {"w": W})
    other = graph([node("Identity", ["x"], ["b"])], ["b"])
    middle = graph([node("If", ["d"], ["m"], then_branch=other, else_branch=inner)], ["m"])
    nodes = [node("If", ["c"], ["y"], then_branch=middle, else_branch=other)]
    inputs = {"x": X, "c": value("c", [], TensorProto.BOOL)}
    assert macs(write(tmp_path, nodes, {"d": np.array(False)}, inputs)) == CONV


def loop(trips, *, ending="keep", start="", body_shape=None):
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("h", body_shape)]
    ends = {"keep": node("Identity", ["go"], ["on"]), "data": node("ReduceMax", ["b"], ["on"], keepdims=0)}
    layers = [
        node("MatMul", ["h", "w"], ["k"]),
        node("Greater", ["k", "zero"], ["g"]),
        node("Cast", ["g"], ["b"], to=6),
    ]
    layers += (
        [ends[ending]]
        if ending == "keep"
        else [node("ReduceMax", ["b"], ["r"], keepdims=0), node("Cast", ["r"], ["on"], to=9)]
    )
    body = graph(layers, ["on", "k", "k"], inputs=inputs)
    return [
        node("Loop", [trips, start, "x"], ["last", "all"], body=body, name="loop1"),
        node("MatMul", ["all", "v"], ["y"]),
    ]


def test_a_loop_counts_its_body_as_often_as_it_turns(tmp_path):
    weights = {"w": zeros(8, 8), "v": zeros(8, 2), "n": np.array(7, "i8"), "zero": np.array(0, "f4")}
    table = rc.read_network(write(tmp_path, loop("n"), weights, [1, 3, 8]))
    assert table.filter(table["ops"] > 0)["ops"].to_list() == [2 * 7 * 3 * 64, 2 * 7 * 3 * 16]
    assert table["params"].sum() == 64 + 16
    assert table.filter(table["operator"] == "Greater")["output_elements"].item() == 7 * 3 * 8


@pytest.mark.parametrize(
    ("nodes", "weights", "message"),
    [
        (loop("x"), {}, "loop1.*its trip count is not stored in the file"),
        (loop(""), {}, "loop1.*its trip count is not stored in the file"),
        (loop("n"), {"n": np.array(2**62, "i8")}, "loop1.*its trip count is not stored in the file"),
        (loop("n", ending="data"), {"n": np.array(7, "i8")}, "loop1.*when it ends depends on the data"),
        (loop("n", start="c"), {"n": np.array(7, "i8")}, "loop1.*whether it starts depends on the data"),
    ],
)
def test_a_loop_whose_turns_depend_on_the_data_is_refused_by_name(tmp_path, nodes, weights, message):
    weights = {"w": zeros(8, 8), "v": zeros(8, 2), "zero": np.array(0, "f4"), **weights}
    inputs = {"x": [1, 3, 8], "c": value("c", [], TensorProto.BOOL)}
    with pytest.raises(InvalidDataError, match=rf"nodes that cannot be counted: Loop \(1 node: '{message}"):
        rc.read_network(write(tmp_path, nodes, weights, inputs))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Conv", ["x", "w"], ["y"]), node("Conv", ["x", "w"], ["y"])], "its output 'y' is made by a node before"),
        ([node("Conv", ["x", "w"], ["y"], auto_pad="WHAT")], "its auto_pad is b'WHAT'"),
        (
            [node("Identity", ["x"], ["w"]), node("Relu", ["w"], ["y"])],
            "its output 'w' is a stored tensor or an input",
        ),
        ([node("Relu", ["x"], ["x"]), node("Relu", ["x"], ["y"])], "its output 'x' is a stored tensor or an input"),
    ],
)
def test_nodes_that_no_run_time_takes_are_refused(nodes, message, tmp_path):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network(write(tmp_path, nodes, {"w": W}, {"x": X}))


@pytest.mark.parametrize("turns", [0, -5])
def test_a_loop_that_does_not_start_does_nothing(turns, tmp_path):
    weights = {"w": zeros(8, 8), "v": zeros(8, 2), "zero": np.array(0, "f4"), "n": np.array(turns, "i8")}
    nodes = [loop("n")[0], node("MatMul", ["last", "v"], ["y"])]
    assert macs(write(tmp_path, nodes, weights, [1, 3, 8])) == 3 * 16


def test_a_loop_that_grows_its_tensors_is_refused(tmp_path):
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("h", None)]
    layers = [
        node("Identity", ["go"], ["on"]),
        node("Concat", ["h", "x"], ["k"], axis=1),
        node("MatMul", ["k", "w"], ["l"]),
    ]
    body = graph(layers, ["on", "l"], inputs=inputs)
    path = write(
        tmp_path,
        [node("Loop", ["n", "", "x"], ["y"], body=body, name="loop1")],
        {"w": zeros(8, 8), "n": np.array(7, "i8")},
        [1, 3, 8],
    )
    with pytest.raises(
        InvalidDataError, match=r"MatMul .*not known before the model runs: it comes from every turn of 'loop1'"
    ):
        rc.read_network(path)


def scan(**more):
    layers = [node("MatMul", ["e", "w"], ["a"]), node("Add", ["a", "h"], ["k"]), node("Identity", ["k"], ["o"])]
    body = graph(layers, ["k", "o"], inputs=[value("h", None), value("e", None)])
    return node("Scan", ["h0", "x"], ["hn", "y"], body=body, num_scan_inputs=1, **more)


def test_a_scan_counts_its_body_for_every_element(tmp_path):
    weights = {"w": zeros(8, 4), "h0": zeros(1, 4)}
    table = rc.read_network(write(tmp_path, [scan()], weights, [50, 1, 8]), batch=1)
    assert table["ops"].to_list() == [2 * 50 * 32, 0]
    table = rc.read_network(write(tmp_path, [scan(scan_input_axes=[1], scan_output_axes=[1])], weights, [1, 50, 8]))
    assert table["ops"].to_list() == [2 * 50 * 32, 0]


@pytest.mark.parametrize("length", [4, 6, 8])
@pytest.mark.parametrize("batch", [1, 4, 8])
def test_steps_of_a_scan_with_a_state_are_no_inputs_of_a_batch(tmp_path, length, batch):
    state, step = (value(name, [batch, 8]) for name in ("h", "e"))
    nodes = [node("MatMul", ["e", "w"], ["m"]), node("Add", ["m", "h"], ["next"]), node("Identity", ["next"], ["out"])]
    body = graph(nodes, ["next", "out"], inputs=[state, step])
    scan = node("Scan", ["h0", "x"], ["hn", "y"], body=body, num_scan_inputs=1)
    table = rc.read_network(write(tmp_path, [scan], {"w": zeros(8, 8), "h0": zeros(batch, 8)}, [length, batch, 8]))
    assert table["ops"].sum() == 2 * length * 8 * 8
    assert table["params"].sum() == 8 * 8


def test_a_scan_of_the_first_definition_or_over_an_unknown_length_is_refused(tmp_path):
    weights = {"w": zeros(8, 4), "h0": zeros(1, 4)}
    with pytest.raises(InvalidDataError, match=r"Scan.*the Scan of opset 8 is another operator; convert the model"):
        rc.read_network(write(tmp_path, [scan()], weights, [50, 1, 8], opset=8))
    nodes = [
        node("NonZero", ["z"], ["i"]),
        node("Cast", ["i"], ["f"], to=1),
        node("Reshape", ["f", "s"], ["x"]),
        scan(),
    ]
    path = write(tmp_path, nodes, {**weights, "s": ints(-1, 1, 8)}, {"z": [1, 8]})
    with pytest.raises(InvalidDataError, match=r"Scan|MatMul"):
        rc.read_network(path)


def test_functions_of_the_file_are_written_out(tmp_path):
    layers = [node("MatMul", ["a", "b"], ["c"]), node("Relu", ["c"], ["d"])]
    inner = helper.make_function("local", "Dense", ["a", "b"], ["d"], layers, [helper.make_opsetid("", 17)])
    twice = [node("Dense", ["p", "q"], ["r"], domain="local"), node("Dense", ["r", "q"], ["s"], domain="local")]
    outer = helper.make_function(
        "local", "Twice", ["p", "q"], ["s"], twice, [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    )
    path = write(
        tmp_path,
        [node("Twice", ["x", "w"], ["y"], domain="local")],
        {"w": zeros(8, 8)},
        [1, 3, 8],
        functions=[inner, outer],
    )
    table = rc.read_network(path)
    assert table["ops"].sum() // 2 == 2 * 3 * 64
    assert table["params"].sum() == 64


# refusals -------------------------------------------------------------------------------------------------------------


def test_what_is_not_understood_is_named_with_its_share_of_the_weights(tmp_path):
    nodes = [
        node("Conv", ["x", "w"], ["a"]), node("Magic", ["a", "m"], ["b"], domain="acme", name="m1"),
        node("Magic", ["b", "m"], ["c"], domain="acme", name="m2"), node("SequenceConstruct", ["c"], ["d"], name="s1"), node("SequenceAt", ["d", "i"], ["y"]),
    ]  # fmt: skip
    weights = {"w": W, "m": zeros(16, 24), "i": np.array(0, "i8")}
    path = write(tmp_path, nodes, weights, X)
    with pytest.raises(InvalidDataError) as caught:
        rc.read_network(path)
    message = str(caught.value)
    assert "net.onnx: the network cannot be counted whole, so it is refused" in message
    assert "operators that are not understood: acme.Magic (2 nodes: 'm1', 'm2'; 25.0% of the weights)" in message
    assert "SequenceConstruct (1 node: 's1'; 0.0% of the weights)" in message
    assert "SequenceAt" in message
    assert "give the network by its totals" in message


def test_an_operator_in_a_branch_that_is_never_taken_is_no_reason_to_refuse(tmp_path):
    foreign = graph([node("Magic", ["x"], ["a"], domain="acme")], ["a"])
    known = graph([node("Conv", ["x", "w"], ["b"])], ["b"], {"w": W})
    layers = [node("If", ["c"], ["y"], then_branch=known, else_branch=foreign)]
    assert macs(write(tmp_path, layers, {"c": np.array(True)}, X)) == CONV
    with pytest.raises(InvalidDataError, match=r"acme\.Magic"):
        rc.read_network(write(tmp_path, layers, {}, {"x": X, "c": value("c", [], TensorProto.BOOL)}))


def test_long_lists_of_refusals_are_cut(tmp_path):
    nodes = [node(f"Magic{place}", ["x"], [f"y{place}"], domain="acme") for place in range(9)]
    with pytest.raises(InvalidDataError, match=r"acme\.Magic5 .*; and 3 more; replace them"):
        rc.read_network(write(tmp_path, nodes, {}, X, outputs=["y0"]))


def test_shapes_that_contradict_each_other_are_refused(tmp_path):
    nodes = [node("MatMul", ["x", "w"], ["y"], name="fc")]
    with pytest.raises(
        InvalidDataError, match=r"MatMul \(1 node: 'fc'; 100.0% of the weights\): its shapes or types do not"
    ):
        rc.read_network(write(tmp_path, nodes, {"w": zeros(9, 3)}, [1, 8]))


def test_a_size_that_the_data_decide_is_counted_at_its_largest_or_refused(tmp_path):
    boxes = [
        node("Conv", ["x", "w"], ["c"]), node("NonMaxSuppression", ["b", "s", "most"], ["n"], name="nms"), node("Cast", ["n"], ["y"], to=1),
    ]  # fmt: skip
    inputs = {"x": X, "b": [1, 50, 4], "s": [1, 3, 50]}
    weights = {"w": W, "most": np.array([10], "i8")}
    table = rc.read_network(write(tmp_path, boxes, weights, inputs))
    assert table["ops"].sum() // 2 == CONV
    cast = table.filter(table["operator"] == "Cast")
    assert cast["output_elements"].item() == 3 * 10 * 3
    assert cast["note"].item() == "at most: NonMaxSuppression 'nms' decides the size from the data"
    path = write(tmp_path, [*boxes, node("MatMul", ["y", "v"], ["z"])], {**weights, "v": zeros(3, 5)}, inputs)
    with pytest.raises(
        InvalidDataError, match=r"MatMul.*its size is not known before the model runs: it comes from NonMax"
    ):
        rc.read_network(path)


@pytest.mark.parametrize(
    ("layer", "elements"),
    [
        (node("NonZero", ["x"], ["n"]), 2 * 6), (node("Unique", ["x"], ["n"]), 6), (node("Compress", ["x", "c"], ["n"], axis=1), 6),
        (node("Unique", ["x"], ["n"], axis=1), 6),
    ],
)  # fmt: skip
def test_data_dependent_operators_have_a_largest_size(tmp_path, layer, elements):
    inputs = {"x": [1, 6], "c": value("c", [6], TensorProto.BOOL)}
    path = write(tmp_path, [layer, node("MatMul", ["x", "w"], ["y"])], {"w": zeros(6, 2)}, inputs)
    table = rc.read_network(path)
    assert table.filter(table["kind"] == "indexing")["output_elements"].item() == elements


def test_a_shape_that_only_the_file_declares_is_taken(tmp_path):
    nodes = [
        node("NonZero", ["x"], ["n"]),
        node("Cast", ["n"], ["f"], to=1),
        node("Reshape", ["f", "t"], ["r"]),
        node("MatMul", ["r", "w"], ["y"]),
    ]
    inputs = {"x": [1, 6], "t": value("t", [2], TensorProto.INT64)}
    extra = [value("r", [4, 3])]
    assert macs(write(tmp_path, nodes[2:], {"w": zeros(3, 5)}, {"f": [1, 12], "t": inputs["t"]}, extra=extra)) == 60


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("MatMul", ["nowhere", "w"], ["y"])], "its input 'nowhere' is made nowhere before it"),
        ([node("Reshape", ["x", "t"], ["r"]), node("MatMul", ["r", "w"], ["y"])], "input 0 is not known before the model runs: it comes from Reshape 'Reshape_0'"),
        ([node("MatMul", ["x"], ["y"])], "input 1 is missing|do not fit together"),
    ],
)  # fmt: skip
def test_broken_graphs_are_refused_by_node(tmp_path, nodes, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network(
            write(tmp_path, nodes, {"w": zeros(3, 5)}, {"x": [1, 3], "t": value("t", [2], TensorProto.INT64)})
        )


def test_an_input_that_is_no_tensor_is_refused_where_it_is_used(tmp_path):
    sequence = helper.make_tensor_sequence_value_info("q", TensorProto.FLOAT, None)
    path = write(
        tmp_path,
        [node("Identity", ["q"], ["p"]), node("MatMul", ["x", "w"], ["y"])],
        {"w": zeros(3, 5)},
        {"x": [1, 3], "q": sequence},
    )
    assert macs(path) == 15
    path = write(
        tmp_path,
        [node("Relu", ["q"], ["p"]), node("MatMul", ["x", "w"], ["y"])],
        {"w": zeros(3, 5)},
        {"x": [1, 3], "q": sequence},
    )
    with pytest.raises(InvalidDataError, match=r"Relu.*the input 'q', which is no tensor|Relu.*do not fit"):
        macs(path)
