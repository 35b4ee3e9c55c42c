"""Count the fused attention operators of ONNX and com.microsoft: both products, over past and present keys.

Each node is one layer whose scores stay inside, so that they are no traffic. Masked products count in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roofcube.files.onnx.operands import check_heads, fits
from roofcube.files.onnx.work import Node, Work, activation_elements, constant_elements

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofcube.files.onnx.tensors import Tensor

__all__ = ["ATTENTION"]

SOFTMAX_OPS = 5


def _attended_to_stored(
    node: Node, key: Tensor, value: Tensor | None, *, queries: int, keys: int, heads: int, images: int, width: int,
    value_width: int,
) -> list[Work]:  # fmt: skip
    """Count an attention whose keys and values are in the file: weights, as of two products with them."""
    weights = (key,) if value is None else (key, value)
    sizes = tuple(one.distinct_parameters for one in weights)
    matrices = sum(sizes) // max(keys * (width + value_width), 1)
    rows = images * heads * queries
    return [
        Work(
            kind="fully_connected", runs=rows // max(matrices, 1), groups=max(matrices, 1),
            in_channels=max(matrices, 1) * (width + value_width), out_channels=max(matrices, 1) * keys,
            weights=weights, sizes=sizes, params=sum(sizes), weight_bits=max(one.bits for one in weights),
            read=node.known(0).elements, written=rows * value_width, vector_ops=SOFTMAX_OPS * rows * keys,
            activation_bits=node.known(0).bits,
        )
    ]  # fmt: skip


def _is_stored(past: Tensor | None, *tensors: Tensor | None) -> bool:
    """Check whether the keys and values are in the file, and none comes from steps before."""
    return past is None and all(one is not None and one.constant for one in tensors)


def _attended(
    node: Node, *, queries: int, keys: int, heads: int, images: int, width: int, value_width: int, read: int, part: str
) -> Work:
    """Count both products of an attention that keeps its scores inside, so that they are no traffic."""
    return Work(
        kind="matmul", runs=images * heads * queries, in_channels=width + value_width, out_channels=keys,
        read=read, written=images * heads * queries * value_width,
        vector_ops=SOFTMAX_OPS * images * heads * queries * keys, part=part,
        activation_bits=node.known(0).bits,
    )  # fmt: skip


def attention(node: Node) -> list[Work]:
    """Count ONNX's Attention (opset 23): Q·Kᵀ and the product of the scores with V, over past and present keys."""
    query, key, value, past = node.known(0), node.known(1), node.known(2), node.input(4)
    if len(query.dims) == 4:
        images, heads, queries, width = query.dims
        keys, value_width = key.dims[2], value.dims[3]
    else:
        heads, key_heads = (int(node.attributes[f"{name}_num_heads"]) for name in ("q", "kv"))
        images, queries = query.dims[:2]
        width = check_heads(query.dims[2], heads, "a query")
        keys, value_width = key.dims[1], check_heads(value.dims[2], key_heads, "a value")
        fits(key.dims[2] == width * key_heads, f"its keys {key.dims} are not {key_heads} heads of {width}")
    if _is_stored(past, key, value):
        return _attended_to_stored(
            node, key, value, queries=queries, keys=keys, heads=heads, images=images, width=width,
            value_width=value_width,
        )  # fmt: skip
    keys += node.known(4).dims[2] if past is not None else 0
    read = sum(tensor.elements for tensor in (query, key, value, past, node.input(5)) if tensor is not None)
    read += activation_elements(node, 3)  # a mask
    return [
        _attended(node, queries=queries, keys=keys, heads=heads, images=images, width=width, value_width=value_width,
                  read=read, part="")
    ]  # fmt: skip


def multi_head_attention(node: Node) -> list[Work]:
    """Count com.microsoft.MultiHeadAttention: separate or packed query, key and value, after their projections."""
    query, key, value, past = node.known(0), node.input(1), node.input(2), node.input(6)
    heads = int(node.attributes["num_heads"])
    images, queries = query.dims[:2]
    if len(query.dims) == 5:
        width = value_width = query.dims[4]
        keys = queries
    else:
        width = check_heads(query.dims[2], heads, "a query")
        key = node.known(1)
        if len(key.dims) == 5:
            keys, value_width = key.dims[1], key.dims[4]
        else:
            value = node.known(2)
            keys = key.dims[2] if len(key.dims) == 4 else key.dims[1]
            value_width = value.dims[3] if len(value.dims) == 4 else check_heads(value.dims[2], heads, "a value")
    if _is_stored(past, key, *([value] if value is not None else [])):
        return _attended_to_stored(
            node, node.known(1), value, queries=queries, keys=keys, heads=heads, images=images, width=width,
            value_width=value_width,
        )  # fmt: skip
    keys += node.known(6).dims[2] if past is not None else 0
    read = sum(tensor.elements for tensor in (query, key, value, past, node.input(7)) if tensor is not None)
    read += activation_elements(node, 4, 5)  # a mask, what is added to the scores
    return [
        _attended(node, queries=queries, keys=keys, heads=heads, images=images, width=width, value_width=value_width,
                  read=read, part="")
    ]  # fmt: skip


def grouped_query_attention(node: Node) -> list[Work]:
    """Count com.microsoft.GroupQueryAttention: keys of its window, of `total_sequence_length`, or past and present."""
    query, past, total = node.known(0), node.input(3), node.input(6)
    heads, key_heads = int(node.attributes["num_heads"]), int(node.attributes["kv_num_heads"])
    images, queries, hidden = query.dims
    packed = node.input(1) is None
    width = check_heads(hidden, heads + 2 * key_heads if packed else heads, "a query")
    fits(heads % key_heads == 0, f"its {key_heads} heads of keys do not divide {heads} heads of queries")
    if not packed:
        keys_of = node.known(1).dims
        fits(keys_of[2] == width * key_heads, f"its keys {keys_of} are not {key_heads} heads of {width}")
    if total is not None and total.value is not None:
        keys = int(total.value.reshape(-1)[0])
    else:
        keys = queries + (node.known(3).dims[2] if past is not None else 0)
    window = int(node.attributes.get("local_window_size", -1))
    keys = min(keys, window) if window > 0 else keys
    # of the keys and values, those before this step are read as well
    cached = 2 * images * key_heads * width * (keys - queries)
    read = images * queries * width * (heads + 2 * key_heads) + max(cached, 0)
    read += activation_elements(node, 10)  # what is added to the scores
    return [
        _attended(node, queries=queries, keys=keys, heads=heads, images=images, width=width, value_width=width,
                  read=read, part="")
    ]  # fmt: skip


def projected_attention(past_at: int, *masks_at: int) -> Callable[[Node], list[Work]]:
    """Count com.microsoft.Attention and QAttention: one projection to query, key and value, then the attention."""

    def count(node: Node) -> list[Work]:
        data, weight, past = node.known(0), node.known(1), node.input(past_at)
        heads = int(node.attributes["num_heads"])
        images, queries, hidden = data.dims
        columns = weight.dims[1]
        sizes = node.attributes.get("qkv_hidden_sizes") or [columns // 3] * 3
        fits(weight.dims[0] == hidden, f"its input {data.dims} and its weights {weight.dims} have other sizes")
        fits(sum(map(int, sizes)) == columns, f"its weights {weight.dims} do not end in {sizes} columns")
        width, value_width = (check_heads(int(sizes[place]), heads, "a projection") for place in (0, 2))
        keys = queries + (node.known(past_at).dims[3] if past is not None else 0)
        projection = Work(
            kind="fully_connected" if weight.constant else "matmul", runs=images * queries, in_channels=hidden,
            out_channels=columns, weights=(weight,) if weight.constant else (),
            params=weight.parameters if weight.constant else 0, weight_bits=weight.bits if weight.constant else None,
            activation_bits=data.bits, constants=constant_elements(node.input(2)), part="projection",
        )  # fmt: skip
        read = images * queries * columns + (past.elements if past is not None else 0)
        read += activation_elements(node, *masks_at)
        products = _attended(
            node, queries=queries, keys=keys, heads=heads, images=images, width=width, value_width=value_width,
            read=read, part="products",
        )  # fmt: skip
        return [projection, products]

    return count


ATTENTION: dict[str, Callable[[Node], list[Work]]] = {
    "Attention": attention,
    "com.microsoft.Attention": projected_attention(4, 3, 5),
    "com.microsoft.QAttention": projected_attention(8, 5),
    "com.microsoft.MultiHeadAttention": multi_head_attention,
    "com.microsoft.GroupQueryAttention": grouped_query_attention,
}
