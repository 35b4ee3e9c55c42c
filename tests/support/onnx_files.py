"""Write small ONNX files for tests: a graph from nodes, weights and the shape of its input."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node


def zeros(*shape, dtype="f4"):
    return np.zeros(shape, dtype)


def ints(*values):
    return np.array(values, "i8")


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def graph(nodes, outputs, weights=None, inputs=()):
    """Make a subgraph."""
    return helper.make_graph(
        nodes,
        "inner",
        list(inputs),
        [value(name, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )


def model(nodes, weights, inputs, *, opset=17, outputs=("y",), functions=(), extra=()):
    inputs = inputs if isinstance(inputs, dict) else {"x": inputs}
    made = helper.make_graph(
        nodes,
        "g",
        [value(name, shape) if isinstance(shape, list | tuple) else shape for name, shape in inputs.items()],
        [value(name, None) for name in outputs],
        [
            numpy_helper.from_array(array, name) if isinstance(array, np.ndarray) else array
            for name, array in weights.items()
        ],
        value_info=list(extra),
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("local", 1)]
    return helper.make_model(made, opset_imports=opsets, functions=list(functions), ir_version=10)


def write(folder, nodes, weights, inputs, *, name="net.onnx", **more):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model(nodes, weights, inputs, **more), path)
    return path
