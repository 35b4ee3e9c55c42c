"""Compute the small values of an ONNX graph that shapes are made from (Shape, Gather, Concat, …); never weights.

The usual operators are a line of NumPy each; the others go to onnx's own reference evaluator, which is some fifty
times slower (2.7 ms a node) but knows them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import onnx

__all__ = ["computed"]

Array = np.ndarray[Any, Any]
Inputs = list[Any]

RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")


def computed(
    node: onnx.NodeProto, attributes: Mapping[str, Any], inputs: Sequence[Array | None], opset: int
) -> list[Array] | None:
    """Compute the outputs of a node of the ONNX domain from its inputs; None where that is not possible."""
    if node.op_type in RANDOM:
        return None
    try:
        with np.errstate(all="ignore"):
            simple = SIMPLE.get(node.op_type)
            if simple is not None:
                return [np.asarray(simple(list(inputs), attributes))]
            return _reference(node, inputs, opset)
    except Exception:  # an operator beyond what NumPy or the evaluator can do leaves the value unknown
        return None


def _reference(node: onnx.NodeProto, inputs: Sequence[Array | None], opset: int) -> list[Array] | None:
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(node, opsets={"": opset})
    feeds = {name: value for name, value in zip(node.input, inputs, strict=True) if name}
    outputs = evaluator.run(None, feeds)
    return [np.asarray(value) for value in outputs] if all(isinstance(one, np.ndarray) for one in outputs) else None


def _axes(inputs: Inputs, attributes: Mapping[str, Any]) -> tuple[int, ...]:
    """Axes were an attribute and became the second input."""
    axes = attributes.get("axes") if len(inputs) < 2 or inputs[1] is None else inputs[1]
    return () if axes is None else tuple(int(axis) for axis in np.atleast_1d(np.asarray(axes)))


def _slice(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    data, *bounds = inputs
    starts, ends = bounds[:2] if bounds else (attributes["starts"], attributes["ends"])
    axes = bounds[2] if len(bounds) > 2 and bounds[2] is not None else attributes.get("axes", range(len(starts)))
    steps = bounds[3] if len(bounds) > 3 and bounds[3] is not None else [1] * len(starts)
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # with a negative step an end before the first element is written as a huge negative number
        stop = None if step < 0 and end < -data.shape[axis] else int(end)
        index[axis] = slice(int(start), stop, int(step))
    result: Array = data[tuple(index)]
    return result


def _reshape(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    data, shape = inputs[0], inputs[1] if len(inputs) > 1 else attributes["shape"]
    keeps = not attributes.get("allowzero", 0)
    target = [data.shape[place] if size == 0 and keeps else int(size) for place, size in enumerate(shape)]
    result: Array = data.reshape(target)
    return result


def _unsqueeze(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    result: Array = np.expand_dims(inputs[0], _axes(inputs, attributes))
    return result


def _squeeze(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    result: Array = np.squeeze(inputs[0], _axes(inputs, attributes) or None)
    return result


def _reduction(operation: Callable[..., Any]) -> Callable[[Inputs, Mapping[str, Any]], Any]:
    def reduced(inputs: Inputs, attributes: Mapping[str, Any]) -> Any:
        axes = _axes(inputs, attributes)
        if not axes and attributes.get("noop_with_empty_axes", 0):
            return inputs[0]
        value = operation(inputs[0], axis=axes or None, keepdims=bool(attributes.get("keepdims", 1)))
        return np.asarray(value, dtype=inputs[0].dtype)

    return reduced


def _quotient(left: Array, right: Array) -> Array:
    """Divide as ONNX does: integers towards zero."""
    if left.dtype.kind in "iu":
        towards_zero: Array = np.sign(left) * np.sign(right) * (np.abs(left) // np.abs(right))
        return towards_zero.astype(left.dtype)
    quotient: Array = np.divide(left, right)
    return quotient


def _binary(operation: Callable[..., Any]) -> Callable[[Inputs, Mapping[str, Any]], Any]:
    return lambda inputs, _attributes: operation(inputs[0], inputs[1])


def _unary(operation: Callable[..., Any]) -> Callable[[Inputs, Mapping[str, Any]], Any]:
    return lambda inputs, _attributes: operation(inputs[0])


def _folded(operation: Callable[..., Any]) -> Callable[[Inputs, Mapping[str, Any]], Any]:
    def over_all(inputs: Inputs, _attributes: Mapping[str, Any]) -> Any:
        result = inputs[0]
        for value in inputs[1:]:
            result = operation(result, value)
        return result

    return over_all


def _constant_of_shape(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    from onnx import numpy_helper

    fill = numpy_helper.to_array(attributes["value"]).ravel()[0] if "value" in attributes else np.float32(0)
    return np.full(tuple(int(size) for size in inputs[0]), fill)


def _cast(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    if attributes["to"] in (TensorProto.STRING, TensorProto.BFLOAT16):
        raise ValueError
    return np.asarray(inputs[0]).astype(helper.tensor_dtype_to_np_dtype(attributes["to"]))


def _expand(inputs: Inputs, _attributes: Mapping[str, Any]) -> Array:
    shape = tuple(int(size) for size in inputs[1])
    return np.broadcast_to(inputs[0], np.broadcast_shapes(np.shape(inputs[0]), shape))


SIMPLE: dict[str, Callable[[Inputs, Mapping[str, Any]], Any]] = {
    "Identity": _unary(np.asarray),
    "Gather": lambda inputs, attributes: np.take(inputs[0], inputs[1], axis=attributes.get("axis", 0)),
    "Concat": lambda inputs, attributes: np.concatenate(inputs, axis=attributes.get("axis", 1)),
    "Slice": _slice,
    "Reshape": _reshape,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Cast": _cast,
    "Transpose": lambda inputs, attributes: np.transpose(inputs[0], attributes.get("perm")),
    "Range": lambda inputs, _: np.arange(*(value.item() for value in inputs), dtype=inputs[0].dtype),
    "Where": lambda inputs, _: np.where(*inputs),
    "Expand": _expand,
    "ConstantOfShape": _constant_of_shape,
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _binary(_quotient),
    "Min": _folded(np.minimum),
    "Max": _folded(np.maximum),
    "Neg": _unary(np.negative),
    "Abs": _unary(np.abs),
    "Floor": _unary(np.floor),
    "Ceil": _unary(np.ceil),
    "Sqrt": _unary(np.sqrt),
    "Equal": _binary(np.equal),
    "Greater": _binary(np.greater),
    "GreaterOrEqual": _binary(np.greater_equal),
    "Less": _binary(np.less),
    "LessOrEqual": _binary(np.less_equal),
    "And": _binary(np.logical_and),
    "Or": _binary(np.logical_or),
    "Not": _unary(np.logical_not),
    "ReduceProd": _reduction(np.prod),
    "ReduceSum": _reduction(np.sum),
    "ReduceMax": _reduction(np.max),
    "ReduceMin": _reduction(np.min),
}
