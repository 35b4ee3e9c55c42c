"""Infer what one ONNX node gives: shape, type, small value and origin of every output; walks no graph, counts nothing.

onnx's own inference of a node is exact once the small inputs have values; it is asked node by node (0.1 ms each).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from roofcube.files.onnx import contrib
from roofcube.files.onnx.early import LIKE_FIRST, as_later
from roofcube.files.onnx.operators import DATA_DEPENDENT, INDEX_TYPES
from roofcube.files.onnx.tensors import SMALL, SMALL_FLOATS, Shape, Tensor, of_type, type_of
from roofcube.files.onnx.values import RANDOM, computed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["are_alternatives", "as_scalar", "domain_of", "inferred"]

CONTRIB = "com.microsoft"
SURROGATE_OPSET = 13
# operators whose output holds the elements of their first input, in another layout or type
SAME_ELEMENTS = {
    "Identity", "Cast", "CastLike", "BitCast", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze",
    "DequantizeLinear", "QuantizeLinear", "com.microsoft.DequantizeLinear", "com.microsoft.QuantizeLinear",
}  # fmt: skip
# of those, the ones behind which the numbers stay as few bits wide as they are stored
KEEPS_BITS = SAME_ELEMENTS - {"Cast", "CastLike", "BitCast", "QuantizeLinear", "com.microsoft.QuantizeLinear"}
MOVES = {"Concat", "Slice", "Split", "Pad", "Expand", "Tile", "Gather", "DepthToSpace", "SpaceToDepth", "MaxPool"}
# operators whose output holds a part of the elements of their first input
PARTS = {"Slice", "Split", "Gather"}
REPEATING = {"Expand", "Tile"}
# operators whose other inputs say how the first one is laid out or typed, which may follow from the inputs' shapes
LAID_OUT = {"Slice", "Split", "Reshape", "Squeeze", "Unsqueeze", "Pad", "Trilu", "CastLike", *REPEATING}


def inferred(
    node: onnx.NodeProto, operator: str, attributes: Mapping[str, Any], inputs: tuple[Tensor | None, ...],
    name: str, origin: tuple[int | str, ...], opset: int,
) -> list[Tensor]:  # fmt: skip
    """Infer shape, type, value and origin of every output of a node.

    Parameters
    ----------
    origin : tuple
        Of the graph that the node is in, which makes the names of its tensors unique.
    """
    present = [one for one in inputs if one is not None]
    chosen = _taken_whole(operator, inputs)
    constant = _is_constant(node, operator, inputs) or chosen is not None
    shapes = _shapes(node, attributes, inputs, opset)
    cause = next((one.data_dependent for one in present if one.data_dependent), "")
    if operator in DATA_DEPENDENT and not constant:
        cause = f"{operator} {name!r}"
        shapes = _largest(operator, attributes, inputs, shapes)
    elif operator == "Reshape" and len(inputs) > 1 and _is_fixed(inputs[1]):
        cause = ""
    values = None if cause else _values(node, attributes, inputs, shapes, opset)
    outputs = []
    for place, (shape, element) in enumerate(shapes):
        lost = shape is None or None in shape
        unread = next((one.unread for one in present if one.unread), "")
        tensor = of_type(
            shape, element, constant=constant,
            data_dependent=cause or ((unread or f"{operator} {name!r}") if lost else ""),
        )  # fmt: skip
        if values is not None and place < len(values):
            tensor = replace(tensor, value=values[place], shape=values[place].shape)
        elif constant or element in INDEX_TYPES:
            tensor = replace(tensor, unread=unread)
        if place < len(node.output) and constant:
            most = max(one.slices for one in present)
            tensor = replace(tensor, stored=_derived_name(node, operator, inputs, origin, place), slices=most)
            tensor = replace(tensor, whole=_whole(operator, present))
        if place == 0 and present and operator in SAME_ELEMENTS:
            first = present[0]
            if constant:
                repeats = _moved_repeats(operator, attributes, first, tensor)
                tensor = replace(tensor, stored=first.stored, whole=first.whole, repeats=repeats)
            if operator in KEEPS_BITS or (constant and operator in ("Cast", "CastLike")):
                tensor = replace(tensor, bits=first.bits)
        elif present and operator in MOVES:
            tensor = replace(tensor, bits=present[0].bits)
            if constant and operator in REPEATING and (repeats := _added_repeats(present[0], tensor)):
                tensor = replace(tensor, stored=present[0].stored, repeats=repeats)
        elif chosen is not None:
            tensor = replace(chosen, value=tensor.value)
        outputs.append(tensor)
    return outputs


# stored tensors -------------------------------------------------------------------------------------------------------


def _is_constant(node: onnx.NodeProto, operator: str, inputs: Sequence[Tensor | None]) -> bool:
    """Check whether a node reads stored numbers alone; how they are laid out may follow from the inputs' shapes."""
    present = [one for one in inputs if one is not None]
    if all(one.constant for one in present):
        return bool(present) and node.op_type not in RANDOM
    # one number that is spread is no weight, nor are positions
    if operator not in LAID_OUT or not _is_stored_array(present[0]) or present[0].elements < 2:
        return False
    return operator == "CastLike" or all(one.constant or one.value is not None for one in present[1:])


def _is_stored_array(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.constant and tensor.known and tensor.element not in INDEX_TYPES


def _taken_whole(operator: str, inputs: Sequence[Tensor | None]) -> Tensor | None:
    """Return the stored tensor that a Where takes whole: the first, where its one condition is not known."""
    if operator != "Where" or len(inputs) < 3:
        return None
    condition, one, other = inputs[:3]
    if condition is None or not condition.known or condition.elements != 1 or not are_alternatives(one, other):
        return None
    return one if condition.value is None or bool(condition.value.reshape(-1)[0]) else other


def are_alternatives(one: Tensor | None, other: Tensor | None) -> bool:
    """Check whether two stored tensors can stand for each other as the weights of a layer."""
    if one is None or other is None or not (_is_stored_array(one) and _is_stored_array(other)):
        return False
    return one.shape == other.shape and len(one.dims) > 1


def _derived_name(
    node: onnx.NodeProto, operator: str, inputs: Sequence[Tensor | None], origin: tuple[int | str, ...], place: int
) -> str:
    """Name what a node makes of stored tensors: the same of the same ones each time that a layer is called."""
    if not _is_stored_array(inputs[0] if inputs else None):
        return repr((*origin, node.output[place]))
    attributes = sorted(one.SerializeToString(deterministic=True) for one in node.attribute)
    made = operator, place, attributes, [_operand_name(one) for one in inputs]
    return hashlib.sha256(repr(made).encode()).hexdigest()


def _operand_name(tensor: Tensor | None) -> object:
    if tensor is None or (not tensor.constant and tensor.value is None):
        return None if tensor is None else tensor.element
    if tensor.value is not None and (tensor.element in INDEX_TYPES or tensor.value.size == 1):
        return tensor.element, tensor.value.shape, tensor.value.tobytes()
    return tensor.stored, tensor.shape


def _whole(operator: str, sources: Sequence[Tensor]) -> tuple[str, int] | None:
    """Return the one stored tensor that an output holds a part of, or repeats, with its elements: it has no others."""
    taken = sources if operator == "Concat" else sources[:1]
    if operator not in {"Concat", *PARTS, *REPEATING} or not all(one.constant and one.known for one in taken):
        return None
    if operator in REPEATING and taken[0].elements < 2:  # one number stands for a weight, as of ConstantOfShape
        return None
    wholes = {one.whole or (one.stored, one.distinct_parameters) for one in taken}
    return wholes.pop() if len(wholes) == 1 else None


def _added_repeats(source: Tensor, result: Tensor) -> tuple[int, ...]:
    """Return how often Expand or Tile repeats whole matrices along the dims of its result; none where it does else."""
    if not (source.known and result.known) or source.elements < 2:
        return ()
    missing = len(result.dims) - len(source.dims)
    sizes = (1,) * missing + source.dims
    before = (1,) * missing + (source.repeats or (1,) * len(source.dims))
    pairs = list(zip(sizes, result.dims, strict=True))
    if any(size not in (1, wanted) for size, wanted in pairs) or any(one != two for one, two in pairs[-2:]):
        return ()
    return tuple(wanted if size == 1 else times for (size, wanted), times in zip(pairs, before, strict=True))


def _moved_repeats(operator: str, attributes: Mapping[str, Any], source: Tensor, result: Tensor) -> tuple[int, ...]:
    """Return how often elements are repeated along the dims of another layout; none where it parts or joins dims."""
    if not source.repeats or not (source.known and result.known):
        return ()
    if operator == "Transpose":
        order = attributes.get("perm") or range(len(source.dims))[::-1]
        return tuple(source.repeats[axis] for axis in order)
    longer = [(size, times) for size, times in zip(source.dims, source.repeats, strict=True) if size != 1]
    if [size for size, _ in longer] != [size for size in result.dims if size != 1]:
        return ()
    rest = iter(longer)
    return tuple(1 if size == 1 else next(rest)[1] for size in result.dims)


# shapes ---------------------------------------------------------------------------------------------------------------


def _shapes(
    node: onnx.NodeProto, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None], opset: int
) -> list[tuple[Shape | None, int]]:
    """Infer the shapes and types of the outputs of one node."""
    first = next((one for one in inputs if one is not None), None)
    element = first.element if first is not None else TensorProto.FLOAT
    if domain_of(node) == CONTRIB:
        place = contrib.TYPED_AS.get(node.op_type, 0)
        typed = inputs[place] if place < len(inputs) else None
        element = typed.element if typed is not None else element
        return [(shape, element) for shape in _contrib_shapes(node, attributes, inputs)]
    schema = _schema(node.op_type, opset)
    if schema is not None and schema.has_type_and_shape_inference_function:
        return _infer(node, inputs, schema, opset)
    if node.op_type in LIKE_FIRST:
        return [(first.shape if first is not None else None, element)]
    return _infer_as_later(node, attributes, inputs, element)


def _infer_as_later(
    node: onnx.NodeProto, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None], element: int
) -> list[tuple[Shape | None, int]]:
    """Infer what has no inference at the opset of the file as a later one does; no shape where none does."""
    operator, taken, more = as_later(node.op_type, attributes, inputs)
    schema = _schema(operator, SURROGATE_OPSET)
    if schema is None or not schema.has_type_and_shape_inference_function:
        return [(None, element) for _ in node.output]
    names = [f"i{place}" if one is not None else "" for place, one in enumerate(taken)]
    known = {name: value for name, value in more.items() if name in schema.attributes and value != []}
    return _infer(helper.make_node(operator, names, node.output, **known), taken, schema, SURROGATE_OPSET)


def _infer(
    node: onnx.NodeProto, inputs: Sequence[Tensor | None], schema: Any, opset: int
) -> list[tuple[Shape | None, int]]:
    named = {name: one for name, one in zip(node.input, inputs, strict=True) if name and one is not None}
    data = {
        name: numpy_helper.from_array(np.asarray(one.value, order="C"), name)
        for name, one in named.items()
        if one.value is not None
    }
    opsets = [helper.make_opsetid("", max(opset, schema.since_version))]
    typed = {name: type_of(one) for name, one in named.items()}
    try:
        types = onnx.shape_inference.infer_node_outputs(schema, node, typed, data, opset_imports=opsets)
    except onnx.checker.ValidationError:
        # run times allow types that the operator's definition does not; the shapes are the same
        typed |= {name: type_of(replace(one, element=1)) for name, one in named.items() if one.value is None}
        types = onnx.shape_inference.infer_node_outputs(schema, node, typed, data, opset_imports=opsets)
    return [_read_type(types.get(name)) for name in node.output]


def _contrib_shapes(
    node: onnx.NodeProto, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]
) -> list[Shape | None]:
    more: list[Shape | None] = [None] * (len(node.output) - 1)
    if node.op_type in contrib.SHAPES:
        shapes = contrib.SHAPES[node.op_type](inputs, attributes)
        return [*shapes, *more][: len(node.output)]
    if node.op_type in contrib.LIKE_FIRST:
        first = inputs[0].shape if inputs[0] is not None else None
        # a skip connection gives its sum as the last output
        return [first, *([first] * (len(node.output) - 1))]
    if attributes.get("channels_last", 0):
        return [_channels_last(node.op_type, attributes, inputs), *more]
    surrogate = contrib.SURROGATES[node.op_type]
    taken = (
        list(inputs[surrogate.inputs])
        if isinstance(surrogate.inputs, slice)
        else [inputs[place] if place < len(inputs) else None for place in surrogate.inputs]
    )
    names = [f"i{place}" if one is not None else "" for place, one in enumerate(taken)]
    stand_in = helper.make_node(
        surrogate.operator,
        names,
        ["o"],
        **{name: attributes[name] for name in surrogate.attributes if name in attributes},
    )
    schema = _schema(surrogate.operator, SURROGATE_OPSET)
    typed = [
        None if one is None else replace(one, element=TensorProto.BOOL if _is_condition(surrogate, place) else 1)
        for place, one in enumerate(taken)
    ]
    taken = [None if one is None else replace(one, value=None) for one in typed]
    (shape, _), *_ = _infer(stand_in, taken, schema, SURROGATE_OPSET)
    return [shape, *more]


def _values(
    node: onnx.NodeProto, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None],
    shapes: Sequence[tuple[Shape | None, int]], opset: int,
) -> list[Any] | None:  # fmt: skip
    """Compute the outputs where they are small and all that they need is known."""
    if domain_of(node) != "" or not shapes:
        return None
    if node.op_type in ("Shape", "Size"):
        return _sized(node.op_type, attributes, inputs[0])
    for shape, element in shapes:
        whole = element not in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
        if (
            shape is None
            or None in shape
            or math.prod(size or 0 for size in shape) > (SMALL if whole else SMALL_FLOATS)
        ):
            return None
    arrays = [None if one is None else one.value for one in inputs]
    if any(one is not None and array is None for one, array in zip(inputs, arrays, strict=True)):
        return None
    return computed(node, attributes, arrays, opset)


def domain_of(node: onnx.NodeProto) -> str:
    """Name the domain of a node, empty for ONNX's own."""
    return "" if node.domain == "ai.onnx" else str(node.domain)


@cache
def _schema(operator: str, opset: int) -> Any:
    """Find the definition of an operator; the newest where run times offer it before ONNX did (LayerNormalization)."""
    for version in (opset, onnx.defs.onnx_opset_version()):
        try:
            return onnx.defs.get_schema(operator, version, "")
        except onnx.defs.SchemaError:
            continue
    return None


def _read_type(proto: onnx.TypeProto | None) -> tuple[Shape | None, int]:
    if proto is None or not proto.HasField("tensor_type"):
        return None, TensorProto.UNDEFINED
    tensor = proto.tensor_type
    if not tensor.HasField("shape"):
        return None, tensor.elem_type
    dims = tensor.shape.dim
    return tuple(int(one.dim_value) if one.HasField("dim_value") else None for one in dims), tensor.elem_type


def _sized(operator: str, attributes: Mapping[str, Any], tensor: Tensor | None) -> list[Any] | None:
    if tensor is None or not tensor.known or tensor.data_dependent:
        return None
    if operator == "Size":
        return [np.asarray(tensor.elements, dtype="i8")]
    return [np.asarray(tensor.dims, dtype="i8")[attributes.get("start", 0) : attributes.get("end", len(tensor.dims))]]


def _largest(
    operator: str, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None],
    shapes: Sequence[tuple[Shape | None, int]],
) -> list[tuple[Shape | None, int]]:  # fmt: skip
    """Return the largest shapes that an output can have whose size the data decide."""
    first = inputs[0]
    if first is None or not first.known:
        return list(shapes)
    if operator == "NonZero":
        return [((len(first.dims), first.elements), TensorProto.INT64)]
    if operator == "NonMaxSuppression":
        scores, most = inputs[1], inputs[2] if len(inputs) > 2 else None
        if scores is None or not scores.known:
            return list(shapes)
        boxes = first.dims[1]
        if most is not None and most.value is not None:
            boxes = min(boxes, int(most.value.reshape(-1)[0]))
        return [((scores.dims[0] * scores.dims[1] * boxes, 3), TensorProto.INT64)]
    axis = attributes.get("axis")
    flat = (first.elements,) if axis is None else first.dims
    index = (first.elements if axis is None else first.dims[int(axis)],)
    return [((flat if place == 0 else index), element) for place, (_, element) in enumerate(shapes)]


def _is_condition(surrogate: contrib.Surrogate, place: int) -> bool:
    return surrogate.operator == "Where" and place == 0


def _channels_last(operator: str, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]) -> Shape | None:
    """Return the shape of a quantised pooling or convolution over (image, height, width, channel)."""
    first = inputs[0]
    if first is None or not first.known:
        return None
    if operator == "QLinearGlobalAveragePool":
        return (first.dims[0], *(1 for _ in first.dims[1:-1]), first.dims[-1])
    weight = inputs[3] if operator == "QLinearConv" and len(inputs) > 3 else None
    window = attributes.get("kernel_shape") or (weight.dims[2:] if weight is not None else ())
    spatial = first.dims[1:-1]
    strides = attributes.get("strides") or [1] * len(spatial)
    pads = attributes.get("pads") or [0] * (2 * len(spatial))
    dilations = attributes.get("dilations") or [1] * len(spatial)
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        sizes = [-(-size // stride) for size, stride in zip(spatial, strides, strict=True)]
    else:
        sizes = [
            (size + pads[place] + pads[place + len(spatial)] - dilations[place] * (window[place] - 1) - 1)
            // strides[place]
            + 1
            for place, size in enumerate(spatial)
        ]
    return (first.dims[0], *sizes, weight.dims[0] if weight is not None else first.dims[-1])


def as_scalar(tensor: Tensor | None) -> Tensor | None:
    """Take a list of one number as that number."""
    if tensor is None or tensor.shape != (1,):
        return tensor
    return replace(tensor, shape=(), value=None if tensor.value is None else tensor.value.reshape(()))


def _is_fixed(target: Tensor | None) -> bool:
    """Check whether the target of a Reshape leaves no size to the data."""
    return target is not None and target.value is not None and bool((target.value > 0).all())
