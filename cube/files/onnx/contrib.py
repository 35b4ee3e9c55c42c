"""Shapes of the operators of the domain com.microsoft, which onnx itself cannot infer; counts nothing.

Most are an ONNX operator with more inputs: a `Surrogate` names it and the inputs that it takes. Source: onnxruntime,
docs/ContribOperators.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from roofcube.files.onnx.tensors import Shape, Tensor

__all__ = ["LIKE_FIRST", "SHAPES", "SURROGATES", "TYPED_AS", "Surrogate"]


@dataclass(frozen=True)
class Surrogate:
    """The ONNX operator whose shapes an operator shares, and which of its inputs that one takes."""

    operator: str
    inputs: tuple[int, ...] | slice
    attributes: tuple[str, ...] = ()


WINDOW = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
POOL = ("auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
SURROGATES = {
    "FusedConv": Surrogate("Conv", (0, 1), WINDOW),
    "QLinearConv": Surrogate("Conv", (0, 3), WINDOW),
    "FusedGemm": Surrogate("Gemm", (0, 1, 2), ("transA", "transB")),
    "QGemm": Surrogate("Gemm", (0, 3), ("transA", "transB")),
    "MatMulIntegerToFloat": Surrogate("MatMul", (0, 1)),
    "DynamicQuantizeMatMul": Surrogate("MatMul", (0, 1)),
    "QLinearMatMul": Surrogate("MatMul", (0, 3)),
    "QLinearAdd": Surrogate("Add", (0, 3)),
    "QLinearMul": Surrogate("Mul", (0, 3)),
    "QLinearConcat": Surrogate("Concat", slice(2, None, 3), ("axis",)),
    "QLinearWhere": Surrogate("Where", (0, 1, 4)),
    "QLinearReduceMean": Surrogate("ReduceMean", (0,), ("axes", "keepdims")),
    "QLinearAveragePool": Surrogate("AveragePool", (0,), POOL),
    "QLinearGlobalAveragePool": Surrogate("GlobalAveragePool", (0,)),
    "BiasAdd": Surrogate("Add", (0, 2)),
}

# the input that has the type of the results, where that is not the first
TYPED_AS = {
    "DequantizeLinear": 1,
    "DynamicQuantizeMatMul": 2,
    "EmbedLayerNormalization": 2,
    "GatherBlockQuantized": 2,
    "MatMulIntegerToFloat": 2,
    "QAttention": 3,
    "QLinearConcat": 2,
    "QLinearWhere": 1,
    "QuantizeLinear": 2,
}

# operators whose first output is shaped as their first input; the others that are left out have no use downstream
LIKE_FIRST = {
    "BiasGelu", "BiasSoftmax", "BiasDropout", "DequantizeLinear", "FastGelu", "Gelu", "GroupNorm", "Inverse",
    "LayerNormalization", "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QuantizeLinear", "QuickGelu",
    "RotaryEmbedding", "SimplifiedLayerNormalization", "SkipGroupNorm", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization", "Trilu",
}  # fmt: skip


def _matmul_nbits(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> list[Shape | None]:
    data = inputs[0]
    return [None if data is None or data.shape is None else (*data.shape[:-1], int(attributes["N"]))]


def _fused_matmul(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> list[Shape | None]:
    shapes = [tensor.dims for tensor in inputs[:2] if tensor is not None and tensor.known]
    if len(shapes) < 2 or min(map(len, shapes)) < 2:
        return [None]
    one, two = shapes
    if attributes.get("transBatchA", 0):
        one = (*one[1:-1], one[0], one[-1])
    if attributes.get("transBatchB", 0):
        two = (*two[1:-1], two[0], two[-1])
    rows = one[-1] if attributes.get("transA", 0) else one[-2]
    columns = two[-2] if attributes.get("transB", 0) else two[-1]
    longer, shorter = sorted((one[:-2], two[:-2]), key=len, reverse=True)
    padded = (1,) * (len(longer) - len(shorter)) + shorter
    return [(*(max(pair) for pair in zip(longer, padded, strict=True)), rows, columns)]


def _multi_head(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> list[Shape | None]:
    query, key, value, past_key, past_value = (
        inputs[place] if len(inputs) > place else None for place in (0, 1, 2, 6, 7)
    )
    heads = int(attributes["num_heads"])
    if query is None or not query.known:
        return [None]
    images, rows = query.dims[:2]
    if len(query.dims) == 5:
        return [(images, rows, heads * query.dims[4])]
    width = query.dims[2] // heads
    if value is not None and value.known:
        value_width = value.dims[3] if len(value.dims) == 4 else value.dims[2] // heads
        keys = value.dims[2] if len(value.dims) == 4 else value.dims[1]
    elif key is not None and key.known and len(key.dims) == 5:
        value_width, keys = key.dims[4], key.dims[1]
    else:
        return [None]
    before = [past.dims[2] if past is not None and past.known else 0 for past in (past_key, past_value)]
    return [
        (images, rows, heads * value_width),
        (images, heads, before[0] + keys, width),
        (images, heads, before[1] + keys, value_width),
    ]


def _grouped_query(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> list[Shape | None]:
    query, past, total = (inputs[place] if len(inputs) > place else None for place in (0, 3, 6))
    heads, key_heads = int(attributes["num_heads"]), int(attributes["kv_num_heads"])
    if query is None or not query.known:
        return [None]
    images, rows, hidden = query.dims
    width = hidden // (heads if inputs[1] is not None else heads + 2 * key_heads)
    keys = rows + (past.dims[2] if past is not None and past.known else 0)
    if total is not None and total.value is not None:
        # past and present may be one buffer of the longest sequence
        keys = max(int(total.value.reshape(-1)[0]), past.dims[2] if past is not None and past.known else 0)
    present = (images, key_heads, keys, width)
    return [(images, rows, heads * width), present, present]


def _projected(past_at: int) -> Callable[[Sequence[Tensor | None], Mapping[str, Any]], list[Shape | None]]:
    def shapes(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> list[Shape | None]:
        data, weight = inputs[:2]
        past = inputs[past_at] if len(inputs) > past_at else None
        if data is None or weight is None or not data.known or not weight.known:
            return [None]
        images, rows, _ = data.dims
        heads = int(attributes["num_heads"])
        sizes = attributes.get("qkv_hidden_sizes") or [weight.dims[1] // 3] * 3
        before = past.dims[3] if past is not None and past.known else 0
        return [(images, rows, int(sizes[2])), (2, images, heads, before + rows, int(sizes[0]) // heads)]

    return shapes


def _recurrent(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> list[Shape | None]:
    data, weight = inputs[:2]
    if data is None or weight is None or not data.known or not weight.known:
        return [None]
    steps, images = data.dims[:2]
    hidden, directions = int(attributes["hidden_size"]), weight.dims[0]
    state = (directions, images, hidden)
    return [(steps, *state), state, state]


def _embedding(inputs: Sequence[Tensor | None], _attributes: Mapping[str, Any]) -> list[Shape | None]:
    tokens, table = inputs[0], inputs[2]
    if tokens is None or table is None or not tokens.known or not table.known:
        return [None]
    result = (*tokens.dims, table.dims[1])
    return [result, (tokens.dims[0],), result]


def _gathered_blocks(inputs: Sequence[Tensor | None], attributes: Mapping[str, Any]) -> list[Shape | None]:
    data, indices = inputs[:2]
    if data is None or indices is None or not data.known or not indices.known:
        return [None]
    axis = int(attributes.get("gather_axis", 0)) % len(data.dims)
    quantised = int(attributes.get("quantize_axis", 1)) % len(data.dims)
    # two numbers of four bits lie in one byte
    packed = 8 // int(attributes.get("bits", 4)) if data.bits == 8 else 1
    dims = [size * packed if place == quantised else size for place, size in enumerate(data.dims)]
    return [(*dims[:axis], *indices.dims, *dims[axis + 1 :])]


SHAPES: dict[str, Callable[[Sequence[Tensor | None], Mapping[str, Any]], list[Shape | None]]] = {
    "Attention": _projected(4),
    "DynamicQuantizeLSTM": _recurrent,
    "EmbedLayerNormalization": _embedding,
    "FusedMatMul": _fused_matmul,
    "GatherBlockQuantized": _gathered_blocks,
    "GroupQueryAttention": _grouped_query,
    "MatMulNBits": _matmul_nbits,
    "MultiHeadAttention": _multi_head,
    "QAttention": _projected(8),
    "TransposeMatMul": _fused_matmul,
}
