"""Check that the operands of a product fit together: onnx's own inference lets most contradictions pass in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roofcube.files.onnx.work import NotCountableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.files.onnx.tensors import Tensor
    from roofcube.files.onnx.work import Node

__all__ = [
    "check_convolution",
    "check_einsum",
    "check_heads",
    "check_packed",
    "check_product",
    "check_recurrent",
    "fits",
]


def fits(condition: bool, reason: str) -> None:
    """Raise with a reason unless a condition holds.

    Raises
    ------
    NotCountableError
    """
    if not condition:
        raise NotCountableError(reason)


def check_convolution(
    node: Node, source: Tensor, weight: Tensor, channels: int, wanted: int, target: Sequence[int]
) -> None:
    """Check channels, groups, the window and the places that it is laid on.

    Parameters
    ----------
    channels, wanted : int
        Of the source, and those that the weights take.
    target : sequence of int
        Spatial dims of the result.
    """
    window = weight.dims[2:]
    fits(
        len(source.dims) == len(weight.dims),
        f"its input {source.dims} and its weights {weight.dims} have another number of dims",
    )
    fits(channels == wanted, f"its input has {channels} channels, its weights {weight.dims} take {wanted}")
    said = node.attributes.get("kernel_shape")
    fits(
        said is None or tuple(map(int, said)) == window,
        f"its kernel_shape is {tuple(said or ())}, its weights {weight.dims} have a window of {window}",
    )
    fits(
        min(target, default=1) > 0 or min(source.dims) == 0,
        f"its window of {window} is larger than its padded input {source.dims}",
    )


def check_product(one: Sequence[int], two: Sequence[int]) -> None:
    """Check that two stacks of matrices have the same inner size, and stacks that broadcast."""
    fits(one[-1] == two[-2], f"its operands {tuple(one)} and {tuple(two)} have inner sizes {one[-1]} and {two[-2]}")
    pairs = zip(reversed(one[:-2]), reversed(two[:-2]), strict=False)
    fits(all(a == b or 1 in (a, b) for a, b in pairs), f"its stacks {tuple(one)} and {tuple(two)} do not broadcast")


def check_packed(node: Node, data: Tensor, weight: Tensor, inner: int, outer: int, bits: int) -> None:
    """Check K, N and the blocks of packed weights against what is stored."""
    fits(inner > 0 and data.dims[-1] == inner, f"its input {data.dims} ends in {data.dims[-1]}, its K is {inner}")
    block = int(node.attributes.get("block_size", inner))
    fits(block > 0, f"its block_size is {block}")
    stored, wanted = weight.elements * weight.bits, outer * -(-inner // block) * block * bits
    fits(
        stored == wanted,
        f"its weights {weight.dims} are {stored} bits, N={outer} times K={inner} of {bits} bits are {wanted}",
    )


def check_recurrent(node: Node, data: Tensor, weight: Tensor, state: Tensor, gates: int, hidden: int) -> None:
    """Check directions, input and hidden sizes of the weights of a recurrent layer, gates in the last but one dim.

    Parameters
    ----------
    weight, state : Tensor
        Weights of the input and of the state: (direction, gates × hidden, size).
    """
    said = node.attributes.get("direction", b"forward")
    directions = 2 if said in (b"bidirectional", "bidirectional") else 1
    packed = node.operator.startswith("com.microsoft.")
    sizes = [(one.dims[0], *(reversed(one.dims[1:]) if packed else one.dims[1:])) for one in (weight, state)]
    wanted = [(directions, gates * hidden, data.dims[2]), (directions, gates * hidden, hidden)]
    fits(
        sizes == wanted and int(node.attributes.get("hidden_size", hidden)) == hidden,
        f"its weights are {weight.dims} and {state.dims}; of an input {data.dims} in {directions} "
        f"direction{'s' if directions > 1 else ''} and a hidden size of {node.attributes.get('hidden_size', hidden)} "
        "they would be others",
    )


def check_heads(width: int, heads: int, what: str) -> int:
    """Return the width of one head, which must be whole."""
    fits(heads > 0 and width % heads == 0, f"its {heads} heads do not divide {what} of {width}")
    return width // heads


def check_einsum(labels: Sequence[Sequence[str]], output: Sequence[str], operands: Sequence[Tensor]) -> None:
    """Check that every label has one size, or 1, and that the result names each label once."""
    sizes: dict[str, set[int]] = {}
    for tensor, names in zip(operands, labels, strict=True):
        fits(len(names) == len(tensor.dims), f"its equation names {len(names)} dims of an operand {tensor.dims}")
        for name, size in zip(names, tensor.dims, strict=True):
            sizes.setdefault(name, set()).add(size)
    for name, found in sizes.items():
        fits(len(found - {1}) < 2, f"its label {name!r} has the sizes {', '.join(map(str, sorted(found)))}")
    fits(
        len(set(output)) == len(output) and set(output) <= set(sizes),
        f"its result names {''.join(output)!r}, each label once and of the operands is allowed",
    )
