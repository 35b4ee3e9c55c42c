"""Count the operators that multiply and add: convolutions, matrix products, recurrent layers.

Every function takes a node with its shapes and gives layers. Sources: the operator definitions of ONNX
(onnx.ai/onnx/operators) and of the domain com.microsoft (onnxruntime, ContribOperators.md). Positions where a kernel
meets padding count in full, masked products of an attention too, biases do not: as in the embedded tables.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from roofcube.files.onnx.attention import ATTENTION
from roofcube.files.onnx.operands import (
    check_convolution,
    check_einsum,
    check_packed,
    check_product,
    check_recurrent,
)
from roofcube.files.onnx.work import Node, NotCountableError, Work, activation_elements, constant_elements

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.files.onnx.tensors import Tensor

__all__ = ["PRODUCTS"]

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1, "com.microsoft.DynamicQuantizeLSTM": 4}
# element-wise operations of one hidden unit and step: sums of gates, activation functions, products of gates
GATE_OPS = {"LSTM": 4 * 3 + 5, "GRU": 3 * 3 + 5, "RNN": 3, "com.microsoft.DynamicQuantizeLSTM": 4 * 3 + 5}


def _plane(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Lay any number of spatial dims out as height × width; what is in front of the width goes into the height."""
    return (math.prod(sizes[:-1]), sizes[-1]) if sizes else (1, 1)


def _bits(*weights: Tensor) -> int:
    return max(weight.bits for weight in weights)


# convolutions ---------------------------------------------------------------------------------------------------------


def convolution(data: int, kernel: int, bias: int) -> Callable[[Node], list[Work]]:
    """Count a convolution whose operands are at these places."""

    def count(node: Node) -> list[Work]:
        source, weight, target = node.known(data), node.known(kernel), node.output()
        groups = int(node.attributes.get("group", 1))
        out_channels, per_group, *window = weight.dims
        last = bool(node.attributes.get("channels_last", 0))
        channels = source.dims[-1 if last else 1]
        sizes = target.dims[1:-1] if last else target.dims[2:]
        check_convolution(node, source, weight, channels, per_group * groups, sizes)
        return _convolved(
            node, source, weight, per_group * groups, out_channels, tuple(window),
            _spatial(source, last), _spatial(target, last), target.dims[0], "conv", node.input(bias),
        )  # fmt: skip

    return count


def transposed_convolution(node: Node) -> list[Work]:
    """Count a transposed convolution: every weight at every place of its input."""
    source, weight, target = node.known(0), node.known(1), node.output()
    groups = int(node.attributes.get("group", 1))
    in_channels, per_group, *window = weight.dims
    check_convolution(node, source, weight, source.dims[1], in_channels, target.dims[2:])
    return _convolved(
        node, source, weight, in_channels, per_group * groups, tuple(window),
        _spatial(source), _spatial(target), source.dims[0], "conv_transpose", node.input(2),
    )  # fmt: skip


def deformable_convolution(node: Node) -> list[Work]:
    """Count a deformable convolution; sampling between pixels is vector work, four products and sums a sample."""
    (work,) = convolution(0, 1, 3)(node)
    samples = math.prod(work.kernel) * work.in_channels * math.prod(work.target) * work.runs
    places = activation_elements(node, 2, 4)
    return [work, Work(kind="resampling", read=places, written=0, vector_ops=8 * samples, multiplies=False,
                       activation_bits=work.activation_bits, part="sampling")]  # fmt: skip


def with_sum(count: Callable[[Node], list[Work]], place: int) -> Callable[[Node], list[Work]]:
    """Count beside a product the activations at a place that are added to it, as an addition of its own would be."""

    def counted(node: Node) -> list[Work]:
        layers, read = count(node), activation_elements(node, place)
        if read:
            layers.append(
                Work(
                    kind="elementwise", read=read, written=0, vector_ops=node.output().elements, multiplies=False,
                    activation_bits=layers[0].activation_bits, part="sum",
                )
            )  # fmt: skip
        return layers

    return counted


def _spatial(tensor: Tensor, channels_last: bool = False) -> tuple[int, int]:
    return _plane(tensor.dims[1:-1] if channels_last else tensor.dims[2:])


def _convolved(
    node: Node, source: Tensor, weight: Tensor, in_channels: int, out_channels: int, window: tuple[int, ...],
    from_size: tuple[int, int], to_size: tuple[int, int], images: int, kind: str, bias: Tensor | None,
) -> list[Work]:  # fmt: skip
    groups = int(node.attributes.get("group", 1))
    if groups < 1 or in_channels % groups or out_channels % groups:
        msg = f"its {groups} groups do not divide {in_channels} and {out_channels} channels"
        raise NotCountableError(msg)
    stride = node.largest_stride()
    if not weight.constant:
        # the kernel is an activation as well: a product without weights, at the places where it is laid
        places = from_size if kind == "conv_transpose" else to_size
        return [
            Work(
                kind="matmul", runs=images, images=images, kernel=_plane(window), stride=stride, groups=groups,
                in_channels=in_channels, out_channels=out_channels, source=from_size, target=places,
                read=source.elements + weight.elements, written=node.output().elements, activation_bits=source.bits,
                constants=constant_elements(bias),
            )
        ]  # fmt: skip
    depthwise = kind == "conv" and groups > 1 and in_channels == groups
    return [
        Work(
            kind="depthwise" if depthwise else kind, runs=images, images=images, kernel=_plane(window),
            stride=stride, groups=groups, in_channels=in_channels, out_channels=out_channels,
            source=from_size, target=to_size,
            weights=(weight,), params=weight.parameters, weight_bits=weight.bits, activation_bits=source.bits,
            constants=constant_elements(bias),
        )
    ]  # fmt: skip


# matrix products ------------------------------------------------------------------------------------------------------


def matrix_product(left: int, right: int, bias: int | None = None) -> Callable[[Node], list[Work]]:
    """Count a product of stacks of matrices, as in numpy.matmul, whose operands are at these places."""

    def count(node: Node) -> list[Work]:
        first, second = node.known(left), node.known(right)
        one, two = _matrices(node, first.dims, second.dims)
        check_product(one, two)
        extra = 0 if bias is None else constant_elements(node.input(bias))
        return [_product(node, first, second, one, two, extra)]

    return count


def _matrices(node: Node, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return both operands at least two dims, turned as the attributes say."""
    one = first if len(first) > 1 else (1, *first)
    two = second if len(second) > 1 else (*second, 1)
    if node.attributes.get("transBatchA", 0):
        one = (*one[1:-1], one[0], one[-1])
    if node.attributes.get("transBatchB", 0):
        two = (*two[1:-1], two[0], two[-1])
    if node.attributes.get("transA", 0):
        one = (*one[:-2], one[-1], one[-2])
    if node.attributes.get("transB", 0):
        two = (*two[:-2], two[-1], two[-2])
    return one, two


def _product(
    node: Node, first: Tensor, second: Tensor, one: tuple[int, ...], two: tuple[int, ...], constants: int
) -> Work:
    rows, inner, columns = one[-2], one[-1], two[-1]
    stack = math.prod(_broadcast(one[:-2], two[:-2]))
    if not first.constant and not second.constant:
        return Work(
            kind="matmul", runs=stack * rows, in_channels=inner, out_channels=columns, constants=constants,
            read=first.elements + second.elements, written=node.output().elements, activation_bits=first.bits,
        )  # fmt: skip
    # a stack of constant matrices is a grouped layer: each of its matrices sees its own share of the rows, save those
    # that all see the same rows, which are more outputs of one matrix; repeated matrices are one that sees all rows
    left, right = _matrices(node, first.distinct, second.distinct)
    if second.constant:
        places, outer, weight, data, stacked, seen = rows, columns, second, first, right[:-2], one[:-2]
    else:
        places, outer, weight, data, stacked, seen = columns, rows, first, second, left[:-2], two[:-2]
    matrices = math.prod(stacked)
    groups = math.prod(a for a, b in _aligned(stacked, seen) if b != 1)
    return Work(
        kind="fully_connected", runs=stack * places // max(matrices, 1), groups=groups, in_channels=groups * inner,
        out_channels=matrices * outer, weights=(weight,), params=weight.distinct_parameters, weight_bits=weight.bits,
        activation_bits=data.bits, constants=constants,
    )  # fmt: skip


def _aligned(one: tuple[int, ...], two: tuple[int, ...]) -> list[tuple[int, int]]:
    length = max(len(one), len(two))
    return list(zip((1,) * (length - len(one)) + one, (1,) * (length - len(two)) + two, strict=True))


def _broadcast(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(b if a == 1 else a for a, b in _aligned(one, two))


def packed_product(node: Node) -> list[Work]:
    """Count com.microsoft.MatMulNBits: weights of few bits packed in blocks, K inputs and N outputs."""
    data, weight = node.known(0), node.input(1)
    inner, outer, bits = (int(node.attributes.get(name, 4)) for name in ("K", "N", "bits"))
    if weight is None or not weight.constant:
        raise NotCountableError("its packed weights are not stored in the file")
    check_packed(node, data, weight, inner, outer, bits)
    return [
        Work(
            kind="fully_connected", runs=data.elements // inner, in_channels=inner, out_channels=outer,
            weights=(weight,), params=inner * outer, weight_bits=bits, activation_bits=data.bits,
            constants=constant_elements(node.input(5)),
        )
    ]  # fmt: skip


def einsum(node: Node) -> list[Work]:
    """Count an Einsum of two operands: a multiplication and an addition for every combination of all labels."""
    operands = [node.known(place) for place in range(len(node.inputs))]
    labels, output = _einsum_labels(node, operands)
    check_einsum(labels, output, operands)
    sizes: dict[str, int] = {}
    for tensor, names in zip(operands, labels, strict=True):
        for name, size in zip(names, tensor.dims, strict=True):
            sizes[name] = max(sizes.get(name, 1), size)

    def volume(names: set[str]) -> int:
        return math.prod(sizes[name] for name in names)

    everything, kept = set(sizes), set(output)
    if len(operands) == 1:
        summed = operands[0].elements if everything - kept else 0
        return [_vector_work("reduction", node, summed)] if summed else []
    if len(operands) > 2:
        msg = f"its {len(operands)} operands can be multiplied in several orders; write it as products of two"
        raise NotCountableError(msg)
    if everything == kept:
        return [_vector_work("elementwise", node, volume(everything))]
    first, second = operands
    if first.constant == second.constant:
        own = set(labels[1]) - set(labels[0]) - (everything - kept)
        return [
            Work(
                kind="matmul", runs=volume(kept - own), in_channels=volume(everything - kept), out_channels=volume(own),
                read=first.elements + second.elements, written=node.output().elements, activation_bits=first.bits,
            )
        ]  # fmt: skip
    place = 0 if first.constant else 1
    weight, data = operands[place], operands[1 - place]
    # a dim of 1 that is stretched holds no weights of its own
    held = {name for name, size in zip(labels[place], weight.distinct, strict=True) if size == sizes[name]}
    others = everything - held | (set(labels[1 - place]) & held)
    groups, outer = max(volume(held & others & kept), 1), volume((held - others) & kept)
    inner, runs = volume(held - kept), volume(others - held)
    return [
        Work(
            kind="fully_connected", runs=runs, groups=groups, in_channels=groups * inner, out_channels=groups * outer,
            weights=(weight,), params=weight.distinct_parameters, weight_bits=weight.bits, activation_bits=data.bits,
        )
    ]  # fmt: skip


def _einsum_labels(node: Node, operands: list[Tensor]) -> tuple[list[list[str]], list[str]]:
    """Split an equation into the labels of every operand and of the result; the dims of an ellipsis get labels too."""
    equation = node.attributes["equation"]
    text = (equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        msg = f"its equation {text!r} names {len(terms)} operands of {len(operands)}"
        raise NotCountableError(msg)
    hidden = [
        len(tensor.dims) - len(term.replace("...", "")) if "..." in term else 0
        for term, tensor in zip(terms, operands, strict=True)
    ]
    labels = [_term_dims(term, count) for term, count in zip(terms, hidden, strict=True)]
    if arrow:
        return labels, _term_dims(right, max(hidden, default=0))
    names = "".join(terms).replace(".", "")
    once = sorted(name for name in set(names) if names.count(name) == 1)
    return labels, [*_term_dims("..." if max(hidden, default=0) else "", max(hidden, default=0)), *once]


def _term_dims(term: str, hidden: int) -> list[str]:
    before, dots, after = term.partition("...")
    # dims of an ellipsis are aligned at their last
    return [*before, *(f".{place}" for place in reversed(range(hidden)) if dots), *after]


def _vector_work(kind: str, node: Node, operations: int) -> Work:
    read = sum(tensor.elements for tensor in node.inputs if tensor is not None and tensor.known and not tensor.constant)
    return Work(
        kind=kind, read=read, written=node.output().elements, vector_ops=operations, multiplies=False,
        constants=constant_elements(*node.inputs),
    )  # fmt: skip


# recurrent layers -----------------------------------------------------------------------------------------------------


def recurrent(node: Node) -> list[Work]:
    """Count an LSTM, GRU or RNN: for every step, direction and gate a product with input and one with state."""
    data, weight, state = node.known(0), node.known(1), node.known(2)
    gates = GATES[node.operator]
    packed = node.operator.startswith("com.microsoft.")
    directions = weight.dims[0]
    hidden = (weight.dims[2] if packed else weight.dims[1]) // gates
    check_recurrent(node, data, weight, state, gates, hidden)
    steps, inner = data.dims[0] * data.dims[1], data.dims[2]
    sequences = data.dims[0 if node.attributes.get("layout", 0) else 1]
    written = max(tensor.elements for tensor in node.outputs if tensor is not None and tensor.known)
    stored = weight.constant and state.constant
    params = weight.parameters + state.parameters
    return [
        Work(
            kind="recurrent" if stored else "matmul", runs=steps, images=sequences, in_channels=inner + hidden,
            out_channels=directions * gates * hidden, weights=(weight, state) if stored else (),
            params=params if stored else 0, weight_bits=_bits(weight, state) if stored else None,
            read=data.elements + (0 if stored else weight.elements + state.elements), written=written,
            activation_bits=data.bits, vector_ops=steps * directions * hidden * GATE_OPS[node.operator],
            constants=constant_elements(node.input(3), node.input(7)),
        )
    ]  # fmt: skip


PRODUCTS: dict[str, Callable[[Node], list[Work]]] = {
    "Conv": convolution(0, 1, 2),
    "ConvInteger": convolution(0, 1, 99),
    "QLinearConv": convolution(0, 3, 8),
    "com.microsoft.QLinearConv": convolution(0, 3, 8),
    "com.microsoft.FusedConv": with_sum(convolution(0, 1, 2), 3),
    "DeformConv": deformable_convolution,
    "ConvTranspose": transposed_convolution,
    "MatMul": matrix_product(0, 1),
    "MatMulInteger": matrix_product(0, 1),
    "QLinearMatMul": matrix_product(0, 3),
    "com.microsoft.QLinearMatMul": matrix_product(0, 3),
    "com.microsoft.MatMulIntegerToFloat": matrix_product(0, 1, 6),
    "com.microsoft.DynamicQuantizeMatMul": matrix_product(0, 1, 4),
    "com.microsoft.FusedMatMul": matrix_product(0, 1),
    "com.microsoft.TransposeMatMul": matrix_product(0, 1),
    "com.microsoft.MatMulNBits": packed_product,
    "Gemm": with_sum(matrix_product(0, 1, 2), 2),
    "com.microsoft.FusedGemm": with_sum(matrix_product(0, 1, 2), 2),
    "com.microsoft.QGemm": matrix_product(0, 3, 6),
    "Einsum": einsum,
    "LSTM": recurrent,
    "GRU": recurrent,
    "RNN": recurrent,
    "com.microsoft.DynamicQuantizeLSTM": recurrent,
    **ATTENTION,
}
