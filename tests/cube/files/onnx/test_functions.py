"""Functions of an ONNX file: their defaults count, and files that would make endless graphs are refused."""

from __future__ import annotations

import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

onnx = pytest.importorskip("onnx")

from onnx import helper  # noqa: E402
from onnx_files import node, write, zeros  # noqa: E402

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]


def function(name, nodes, **more):
    return helper.make_function("local", name, ["a", "b"], ["o"], nodes, OPSETS, **more)


def strided(default):
    layer = node("Conv", ["a", "b"], ["o"])
    layer.attribute.append(onnx.AttributeProto(name="strides", ref_attr_name="steps", type=onnx.AttributeProto.INTS))
    return function("Strided", [layer], attribute_protos=[helper.make_attribute("steps", default)])


@pytest.mark.parametrize(("more", "side"), [({}, 15), ({"steps": [3, 3]}, 10)])
def test_the_default_of_an_attribute_counts_where_a_call_says_nothing(tmp_path, more, side):
    outer = function("Outer", [node("Strided", ["a", "b"], ["o"], domain="local", **more)])
    for name in ("Strided", "Outer"):
        given = more if name == "Strided" else {}
        call = node(name, ["x", "w"], ["y"], domain="local", **given)
        path = write(tmp_path, [call], {"w": zeros(6, 8, 3, 3)}, [1, 8, 32, 32], functions=[strided([2, 2]), outer])
        assert rc.read_network(path)["ops"].sum() // 2 == 6 * 8 * 9 * side * side


def test_functions_that_double_at_every_level_are_refused_before_they_are_written_out(tmp_path):
    levels = [
        function(f"F{place}", [
            node(f"F{place + 1}", ["a", "b"], ["c"], domain="local"),
            node(f"F{place + 1}", ["c", "b"], ["o"], domain="local"),
        ])
        for place in range(40)
    ]  # fmt: skip
    last = function("F40", [node("MatMul", ["a", "b"], ["o"])])
    call = node("F0", ["x", "w"], ["y"], domain="local")
    path = write(tmp_path, [call], {"w": zeros(8, 8)}, [1, 8], functions=[*levels, last])
    with pytest.raises(
        InvalidDataError, match=r"net.onnx: not readable as ONNX \(its functions make 1,099,511,627,776"
    ):
        rc.read_network(path)


def test_a_function_that_calls_itself_is_refused(tmp_path):
    circle = function("F", [node("F", ["a", "b"], ["o"], domain="local")])
    call = node("F", ["x", "w"], ["y"], domain="local")
    path = write(tmp_path, [call], {"w": zeros(8, 8)}, [1, 8], functions=[circle])
    with pytest.raises(InvalidDataError, match="its function 'F' calls itself"):
        rc.read_network(path)


def model_of_functions(path, operators, opset):
    """Write a model of opset 17 whose function, of another opset, is called twice on the same weights."""
    body = [node("MatMul", ["a", "b"], ["m"]), *operators]
    twice = helper.make_function("local", "Twice", ["a", "b"], ["o"], body, [helper.make_opsetid("", opset)])
    calls = [node("Twice", ["x", "w"], ["h"], domain="local"), node("Twice", ["h", "w"], ["y"], domain="local")]
    return write(path, calls, {"w": zeros(8, 8)}, [1, 8], functions=[twice])


@pytest.mark.parametrize("opset", [12, 13, 16, 18, 21])
def test_a_function_of_another_opset_is_read_where_its_operators_are_the_same(tmp_path, opset):
    table = rc.read_network(model_of_functions(tmp_path, [node("Tanh", ["m"], ["o"])], opset))
    assert (table["ops"].sum(), table["params"].sum()) == (2 * 2 * 64, 64)


def test_the_default_of_an_attribute_may_be_another_one(tmp_path):
    with pytest.raises(InvalidDataError, match=r"written for opset 12 .* for 17, in which Softmax is another operator"):
        rc.read_network(model_of_functions(tmp_path, [node("Softmax", ["m"], ["o"])], 12))


def test_a_function_of_another_opset_is_refused_where_an_operator_is_another_one(tmp_path):
    squeeze = [node("Squeeze", ["m"], ["s"], axes=[0]), node("Unsqueeze", ["s"], ["o"], axes=[0])]
    with pytest.raises(
        InvalidDataError, match=r"function 'Twice' is written for opset 11 .* for 17, in which Squeeze, Unsqueeze is"
    ):
        rc.read_network(model_of_functions(tmp_path, squeeze, 11))


def test_weights_that_refused_nodes_share_are_there_once(tmp_path):
    calls = [node("Odd", ["x", "w"], ["h"], domain="local"), node("Odd", ["h", "w"], ["y"], domain="local")]
    path = write(tmp_path, calls, {"w": zeros(8, 8)}, [1, 8], functions=[])
    with pytest.raises(InvalidDataError, match=r"local\.Odd \(2 nodes: .*; 100\.0% of the weights\)"):
        rc.read_network(path)


def test_weights_that_a_function_holds_are_there_once_however_often_it_is_called(tmp_path):
    def held(name, constant, **more):
        body = [constant, node("MatMul", ["a", "k"], ["o"])]
        return helper.make_function("local", name, ["a"], ["o"], body, OPSETS, **more)

    def params(*functions, **more):
        calls = [node("F", ["x"], ["h"], domain="local", **more), node("F", ["h"], ["g"], domain="local", **more)]
        calls.append(node("G", ["g"], ["y"], domain="local"))
        table = rc.read_network(write(tmp_path, calls, {}, [1, 8], functions=functions))
        assert table["ops"].sum() == 2 * 3 * 64
        return table["params"].sum()

    tensor = onnx.numpy_helper.from_array(zeros(8, 8))
    stored = node("Constant", [], ["k"], value=tensor)
    assert params(held("F", stored), held("G", stored)) == 2 * 64
    given = node("Constant", [], ["k"])
    given.attribute.append(onnx.AttributeProto(name="value", ref_attr_name="v", type=onnx.AttributeProto.TENSOR))
    assert params(held("F", given, attributes=["v"]), held("G", stored), v=tensor) == 3 * 64
