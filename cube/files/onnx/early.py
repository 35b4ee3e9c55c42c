"""Operators whose early definitions infer no shapes, written as a later opset has them; infers nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from roofcube.files.onnx.operators import ELEMENTWISE, NORMALISATION
from roofcube.files.onnx.tensors import Tensor, of_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LIKE_FIRST", "as_later"]

# results of the shape and type of the first operand, over which early definitions spread the others
LIKE_FIRST = {*ELEMENTWISE, *NORMALISATION, "BitCast", "CumProd", "Dropout", "TensorScatter"}
LIKE_FIRST -= {"Cast", "CastLike", "GreaterOrEqual", "LessOrEqual", "SwiGLU"}


def as_later(
    operator: str, attributes: Mapping[str, Any], inputs: Sequence[Tensor | None]
) -> tuple[str, list[Tensor | None], dict[str, Any]]:
    """Write an operator as opset 13 does, or another of the same shape: its name, inputs and attributes.

    Raises
    ------
    KeyError
        If an attribute is missing without which the result has no shape.
    """
    first, *others = inputs
    # the exponent of a norm was no whole number
    more = {name: value for name, value in attributes.items() if name != "p"}
    if operator in ("GreaterOrEqual", "LessOrEqual"):
        operator = "Greater"
    elif operator == "Upsample":
        rank = len(first.shape or ()) if first is not None else 0
        scales = [1.0] * (rank - 2) + [more["height_scale"], more["width_scale"]]
        operator, others, more = "Resize", [None, _stored(scales, "f4")], {}
    elif operator in ("Reshape", "Pad") and not others:
        others = [_stored(more["shape" if operator == "Reshape" else "paddings"], "i8")]
    elif operator == "Split":
        others = [_stored(more["split"], "i8")] if "split" in more else [_whole(one) for one in others]
    elif operator == "Concat":
        more.setdefault("axis", 1)
    elif operator == "Cast" and isinstance(more["to"], bytes):
        more["to"] = TensorProto.DataType.Value(more["to"].decode().upper())
    return operator, [first, *others], more


def _stored(numbers: Any, kind: str) -> Tensor:
    value = np.asarray(numbers, dtype=kind)
    return of_type(value.shape, TensorProto.INT64 if kind == "i8" else TensorProto.FLOAT, value=value)


def _whole(tensor: Tensor | None) -> Tensor | None:
    if tensor is None or tensor.value is None:
        return None if tensor is None else of_type(tensor.shape, TensorProto.INT64)
    return _stored(tensor.value, "i8")
