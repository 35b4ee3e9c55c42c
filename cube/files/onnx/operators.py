"""Every ONNX operator that is understood, in one table: products, vector work, look-ups, and those that are free.

Free are the operators that only rename, cut or copy (Reshape, Slice, Concat, …) and those without a run-time cost in
inference (Dropout). Vector work is counted in elements that come in and go out and in operations on them, which stay
apart from `ops`. An operator that is in no table is not understood.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from onnx import TensorProto

from roofcube.files.onnx.products import PRODUCTS
from roofcube.files.onnx.work import Node, NotCountableError, Work

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DATA_DEPENDENT", "INDEX_TYPES", "is_understood", "work_of"]

CONTRIB = "com.microsoft."

FREE = {
    "BitCast", "BlackmanWindow", "CenterCropPad", "Concat", "Constant", "ConstantOfShape", "DepthToSpace",
    "Dropout", "Expand", "EyeLike", "Flatten", "HammingWindow", "HannWindow", "Identity", "ImageDecoder",
    "MelWeightMatrix", "Optional", "OptionalGetElement", "OptionalHasElement", "Pad", "RandomNormal",
    "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Range", "Reshape", "Shape", "Size", "Slice",
    "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Trilu", "Unsqueeze",
}  # fmt: skip
FREE |= {f"{CONTRIB}QLinearConcat", f"{CONTRIB}Trilu"}

# one operation for each element of the result
ELEMENTWISE = {
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "Bernoulli", "BitShift",
    "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Cos",
    "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid",
    "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish",
    "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Shrink",
    "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "SwiGLU", "Swish", "Tan", "Tanh",
    "ThresholdedRelu", "Where", "Xor",
}  # fmt: skip
ELEMENTWISE |= {
    f"{CONTRIB}{name}"
    for name in (
        "BiasAdd", "BiasDropout", "BiasGelu", "FastGelu", "Gelu", "QLinearAdd", "QLinearLeakyRelu",
        "QLinearMul", "QLinearSigmoid", "QLinearWhere", "QuickGelu",
    )
}  # fmt: skip

# operations for each element of the first input: statistics, shift and scale
NORMALISATION = {
    "BatchNormalization": 2, "InstanceNormalization": 7, "LayerNormalization": 7, "GroupNormalization": 7,
    "RMSNormalization": 4, "LpNormalization": 3, "MeanVarianceNormalization": 6, "SimplifiedLayerNormalization": 4,
    f"{CONTRIB}GroupNorm": 7, f"{CONTRIB}LayerNormalization": 7, f"{CONTRIB}SkipGroupNorm": 8,
    f"{CONTRIB}SimplifiedLayerNormalization": 4, f"{CONTRIB}SkipLayerNormalization": 8,
    f"{CONTRIB}SkipSimplifiedLayerNormalization": 5,
}  # fmt: skip
SOFTMAX = {
    "Softmax": 5, "LogSoftmax": 5, "Hardmax": 1, f"{CONTRIB}QLinearSoftmax": 5, f"{CONTRIB}BiasSoftmax": 6
}  # fmt: skip
QUANTISATION = {
    "QuantizeLinear": 2, "DequantizeLinear": 2, "DynamicQuantizeLinear": 4, f"{CONTRIB}QuantizeLinear": 2,
    f"{CONTRIB}DequantizeLinear": 2,
}  # fmt: skip

# one operation for each element that comes in
REDUCTION = {
    "ArgMax", "ArgMin", "CumProd", "CumSum", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "ReduceL1",
    "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
}  # fmt: skip
REDUCTION |= {
    f"{CONTRIB}{name}"
    for name in (
        "QLinearGlobalAveragePool", "QLinearReduceMean",
    )
}  # fmt: skip

WINDOWED = {"AveragePool", "LpPool", "MaxPool", f"{CONTRIB}QLinearAveragePool"}
# operations for each element of the result: interpolation between neighbours, rotation of pairs
SAMPLED = {"AffineGrid": 12, "GridSample": 8, "MaxRoiPool": 1, "MaxUnpool": 1, "RoiAlign": 8}
ROTATION = {"RotaryEmbedding": 3, f"{CONTRIB}RotaryEmbedding": 3}

# elements picked by index: what is read is what is picked, not the whole
INDEXED = {"Compress", "Gather", "GatherElements", "GatherND", "NonZero", "OneHot", "ReverseSequence", "Unique"}
SCATTERED = {"Scatter", "ScatterElements", "ScatterND", "TensorScatter", "Col2Im"}
SORTED = {"TopK", "NonMaxSuppression"}
FOURIER = {"DFT", "STFT"}
INVERSE = {f"{CONTRIB}Inverse", "Det"}

LOOK_UPS = {"Gather", f"{CONTRIB}GatherBlockQuantized", f"{CONTRIB}EmbedLayerNormalization"}
# the size of what comes out depends on the data; it is counted at its largest
DATA_DEPENDENT = {"Compress", "NonMaxSuppression", "NonZero", "Unique"}
INDEX_TYPES = {TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL, TensorProto.STRING}


def is_understood(operator: str) -> bool:
    """Check whether an operator is in the tables."""
    return operator in PRODUCTS or operator in FREE or operator in VECTOR or operator in LOOK_UPS


def work_of(node: Node) -> list[Work]:
    """Return the layers of a node of an operator that is understood; none where it is free.

    Raises
    ------
    NotCountableError
        If it needs a shape that is not known, or is written in a way that has no one count.
    """
    if node.operator in FREE:
        return []
    if node.operator in PRODUCTS:
        layers = PRODUCTS[node.operator](node)
        for work in layers:
            unsure = next((one.data_dependent for one in node.inputs if one is not None and one.data_dependent), "")
            if work.multiplies and unsure:
                msg = f"its size is not known before the model runs: it comes from {unsure}"
                raise NotCountableError(msg)
        return layers
    if node.operator in LOOK_UPS and _has_table(node):
        return _embedding_work(node)
    kind, operations = VECTOR[node.operator]
    return [_vector(node, kind, operations(node))]


def _has_table(node: Node) -> bool:
    table = node.input(2 if node.operator.endswith("EmbedLayerNormalization") else 0)
    return table is not None and table.constant and table.element not in INDEX_TYPES and len(table.shape or ()) > 1


def _embedding_work(node: Node) -> list[Work]:
    """Count a table of stored rows that are picked by index: parameters, no operations."""
    layered = node.operator.endswith("EmbedLayerNormalization")
    tables = [
        table
        for place in ((2, 3, 4) if layered else (0,))
        if (table := node.input(place)) is not None and table.constant
    ]
    indices, result = node.known(0 if layered else 1), node.output()
    packed = node.operator.endswith("GatherBlockQuantized")
    bits = int(node.attributes.get("bits", 4)) if packed else max(table.bits for table in tables)
    return [
        Work(
            kind="embedding", multiplies=False, weights=(table,),
            params=table.parameters * (table.bits // bits if packed else 1), weight_bits=bits,
            read=indices.elements, written=result.elements,
            vector_ops=(NORMALISATION["LayerNormalization"] + 2) * result.elements if layered and not place else 0,
            part=("words", "positions", "segments")[place] if layered else "",
        )
        for place, table in enumerate(tables)
    ]  # fmt: skip


def _vector(node: Node, kind: str, operations: int) -> Work:
    present = [tensor for tensor in node.inputs if tensor is not None]
    unknown = next((place for place, tensor in enumerate(node.inputs) if tensor is not None and not tensor.known), None)
    if unknown is not None:
        node.known(unknown)
    written = sum(tensor.elements for tensor in node.outputs if tensor is not None and tensor.known)
    node.output()
    read = sum(tensor.elements for tensor in present if not tensor.constant)
    if node.operator in INDEXED:
        read = written + sum(tensor.elements for tensor in present[1:] if not tensor.constant)
    return Work(
        kind=kind, multiplies=False, read=read, written=written, vector_ops=operations,
        constants=sum(tensor.parameters for tensor in present if tensor.constant and tensor.element not in INDEX_TYPES),
        kernel=_kernel_window(node) if node.operator in WINDOWED else (1, 1),
        stride=node.largest_stride() if node.operator in WINDOWED else 1,
        activation_bits=next((tensor.bits for tensor in present if not tensor.constant), None),
    )  # fmt: skip


def _kernel_window(node: Node) -> tuple[int, int]:
    sizes = [int(size) for size in node.attributes["kernel_shape"]]
    return math.prod(sizes[:-1]), sizes[-1]


# operations of a node -------------------------------------------------------------------------------------------------


def _each_result(factor: int) -> Callable[[Node], int]:
    return lambda node: factor * node.output().elements


def _each_input(factor: int) -> Callable[[Node], int]:
    return lambda node: factor * node.known(0).elements


def _each_operand(node: Node) -> int:
    """Count Sum, Max, Min and Mean of several tensors: an operation for every operand but the first."""
    return max(len(node.inputs) - 1, 1) * node.output().elements


def _pooled(node: Node) -> int:
    return math.prod(_kernel_window(node)) * node.output().elements


def _resized(node: Node) -> int:
    mode = node.attributes.get("mode", b"nearest")
    mode = mode if isinstance(mode, bytes) else mode.encode()
    neighbours = {b"nearest": 1, b"linear": 2, b"bilinear": 2, b"cubic": 4}[mode]
    source, target = node.known(0).dims, node.output().dims
    stretched = sum(one != two for one, two in zip(source, target, strict=True))
    return node.output().elements * (1 if neighbours == 1 else 2 * neighbours**stretched)


def _locally_normalised(node: Node) -> int:
    return (2 * int(node.attributes["size"]) + 3) * node.output().elements


def _fourier(node: Node) -> int:
    """Count a fast transform: 5 n log2 n operations for n complex points."""
    last = [size for size in node.output().dims if size != 2]
    points = last[-1] if last else 1
    return math.ceil(5 * math.log2(max(points, 2)) * node.output().elements / 2)


def _sorted(node: Node) -> int:
    elements = node.known(0).elements
    return elements * max(math.ceil(math.log2(max(elements, 2))), 1)


def _inverted(node: Node) -> int:
    *stack, rows, columns = node.known(0).dims
    return 2 * math.prod(stack) * rows * columns * rows


VECTOR: dict[str, tuple[str, Callable[[Node], int]]] = {
    **{name: ("elementwise", _each_result(1)) for name in ELEMENTWISE},
    **dict.fromkeys(("Sum", "Max", "Min", "Mean"), ("elementwise", _each_operand)),
    **{name: ("elementwise", _each_result(factor)) for name, factor in ROTATION.items()},
    **dict.fromkeys(INVERSE, ("elementwise", _inverted)),
    **dict.fromkeys(FOURIER, ("elementwise", _fourier)),
    **{name: ("normalisation", _each_input(factor)) for name, factor in NORMALISATION.items()},
    "LRN": ("normalisation", _locally_normalised),
    **{name: ("softmax", _each_input(factor)) for name, factor in SOFTMAX.items()},
    **{name: ("quantisation", _each_input(factor)) for name, factor in QUANTISATION.items()},
    **{name: ("reduction", _each_input(1)) for name in REDUCTION},
    **dict.fromkeys(WINDOWED, ("pooling", _pooled)),
    **{name: ("resampling", _each_result(factor)) for name, factor in SAMPLED.items()},
    **dict.fromkeys(("Resize", "Upsample"), ("resampling", _resized)),
    **{name: ("indexing", _each_result(0)) for name in INDEXED},
    **{name: ("indexing", _each_result(1)) for name in SCATTERED},
    **dict.fromkeys(SORTED, ("indexing", _sorted)),
}
