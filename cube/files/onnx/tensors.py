"""What is known of an ONNX tensor without running the graph: shape, type, small values; knows protos, no counts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "SMALL",
    "Shape",
    "Tensor",
    "attributes_of",
    "constant_node",
    "declared",
    "dim_labels",
    "of_sparse",
    "of_stored",
    "of_type",
    "subgraphs",
    "type_of",
]

Shape = tuple[int | None, ...]
Array = np.ndarray[Any, Any]

# values of at most this many elements are followed: shapes, axes, indices, scales; never weights
SMALL = 4096
SMALL_FLOATS = 64
# names that exporters give to a dim of which they know nothing
ANONYMOUS = re.compile(r"\?+|-?\d+|None|none|")


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """What is known of one tensor.

    Attributes
    ----------
    shape : tuple or None
        None where not even the rank is known, or for a dim.
    element : int
        ONNX element type.
    constant : bool
        Depends on nothing but what the file stores.
    value : array or None
        Small tensors only.
    bits : int
        Of the numbers as they are stored: 8 for what a DequantizeLinear makes of INT8.
    stored : str
        Name of the stored tensor whose elements these are, in whatever layout; two layers with the same one share
        their weights.
    whole : tuple of str and int, optional
        Of a part (Slice, Split, Gather), or of parts that are repeated (Expand, Tile, Concat), the stored tensor that
        they are of, and its elements.
    slices : int
        How many of these the stored tensor holds, of which a Scan takes one after the other.
    repeats : tuple of int
        How often Expand or Tile repeats the stored elements along each dim; empty where they do not.
    unread : str
        Of small numbers that are not beside the file, what is missing: shapes may be computed from them.
    data_dependent : str
        The node whose output's size depends on the data, where this tensor's does too; its shape is then the largest.
    """

    shape: Shape | None
    element: int = TensorProto.FLOAT
    constant: bool = False
    value: Array | None = None
    bits: int = 32
    stored: str = ""
    whole: tuple[str, int] | None = None
    slices: int = 1
    repeats: tuple[int, ...] = ()
    unread: str = ""
    data_dependent: str = ""

    @property
    def known(self) -> bool:
        """True where every dim is known."""
        return self.shape is not None and None not in self.shape

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape, all known."""
        assert self.shape is not None
        return tuple(size for size in self.shape if size is not None)

    @property
    def elements(self) -> int:
        """Number of elements, of a known shape."""
        return math.prod(self.dims)

    @property
    def parameters(self) -> int:
        """Number of elements of all slices."""
        return self.elements * self.slices

    @property
    def distinct(self) -> tuple[int, ...]:
        """The shape of a stack of matrices without those that only repeat others."""
        return tuple(size // times for size, times in zip(self.dims, self._stacked_repeats(), strict=True))

    @property
    def distinct_parameters(self) -> int:
        """Number of elements of the matrices that repeat no other."""
        return self.parameters // math.prod(self._stacked_repeats())

    def _stacked_repeats(self) -> tuple[int, ...]:
        rank = len(self.dims)
        return (*self.repeats[: max(rank - 2, 0)], *(1,) * min(rank, 2)) if self.repeats else (1,) * rank


BITS = {
    TensorProto.FLOAT: 32, TensorProto.DOUBLE: 64, TensorProto.FLOAT16: 16, TensorProto.BFLOAT16: 16,
    TensorProto.INT8: 8, TensorProto.UINT8: 8, TensorProto.INT16: 16, TensorProto.UINT16: 16,
    TensorProto.INT32: 32, TensorProto.UINT32: 32, TensorProto.INT64: 64, TensorProto.UINT64: 64,
    TensorProto.BOOL: 8,
}  # fmt: skip
# younger types, by the digits in their names (INT4, FLOAT8E4M3FN, FLOAT4E2M1, FLOAT6E2M3, …)
BITS |= {
    number: int(match[1])
    for name, number in TensorProto.DataType.items()
    if number not in BITS and (match := re.match(r"U?(?:INT|FLOAT)(\d+)", name))
}


def of_type(shape: Shape | None, element: int, **more: Any) -> Tensor:
    """Make a tensor of an element type."""
    return Tensor(shape=shape, element=element, bits=BITS.get(element, 32), **more)


def of_stored(proto: TensorProto, name: str, folder: str) -> Tensor:
    """Read what the proto of a stored tensor says; of large ones and of weights only shape and type."""
    shape = _sizes(proto, name)
    value = _small_value(proto, math.prod(shape), folder)
    unread = ""
    if value is None and _is_small(proto, math.prod(shape)) and proto.data_location == TensorProto.EXTERNAL:
        file = next((one.value for one in proto.external_data if one.key == "location"), "a file that it does not name")
        unread = f"the stored tensor {name!r}, which is not readable in {file!r} beside the model: fetch that file too"
    return of_type(shape, proto.data_type, constant=True, value=value, stored=name, unread=unread)


def _sizes(proto: TensorProto | onnx.SparseTensorProto, name: str) -> tuple[int, ...]:
    shape = tuple(int(size) for size in proto.dims)
    if min(shape, default=0) < 0:
        msg = f"the stored tensor {name!r} has the shape {shape}"
        raise ValueError(msg)
    return shape


def of_sparse(proto: onnx.SparseTensorProto, name: str) -> Tensor:
    """Read a sparse stored tensor as the dense one that it stands for."""
    return of_type(_sizes(proto, name), proto.values.data_type, constant=True, stored=name)


def _is_small(proto: TensorProto, elements: int) -> bool:
    floats = proto.data_type in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
    return elements <= (SMALL_FLOATS if floats else SMALL) and proto.data_type != TensorProto.STRING


def _small_value(proto: TensorProto, elements: int, folder: str) -> Array | None:
    if not _is_small(proto, elements):
        return None
    try:
        value: Array = numpy_helper.to_array(proto, base_dir=folder)
    except Exception:  # external data that is not there; onnx raises errors of several kinds
        return None
    return value


def constant_node(node: onnx.NodeProto, name: str, folder: str) -> Tensor:
    """Read the value of a Constant node, in any of its forms."""
    attribute = next(iter(node.attribute))
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return of_stored(value, name, folder)
    if attribute.name == "sparse_value":
        return of_sparse(value, name)
    kinds = {"value_int": "i8", "value_ints": "i8", "value_float": "f4", "value_floats": "f4"}
    if attribute.name not in kinds:
        return of_type((len(value),) if attribute.name == "value_strings" else (), TensorProto.STRING, constant=True)
    array = np.asarray(value, dtype=kinds[attribute.name])
    element = TensorProto.INT64 if array.dtype.kind == "i" else TensorProto.FLOAT
    small = array if array.size <= (SMALL if array.dtype.kind == "i" else SMALL_FLOATS) else None
    return of_type(array.shape, element, constant=True, value=small, stored=name)


def dim_labels(name: str, value: onnx.ValueInfoProto) -> list[int | str]:
    """List the dims of an input: sizes where fixed, else the exporter's name, or the place (``x[2]``) without one."""
    labels: list[int | str] = []
    for place, dim in enumerate(value.type.tensor_type.shape.dim):
        if dim.dim_value > 0:
            labels.append(int(dim.dim_value))
        elif dim.dim_param and not ANONYMOUS.fullmatch(dim.dim_param.strip()):
            labels.append(dim.dim_param)
        else:
            labels.append(f"{name}[{place}]")
    return labels


def declared(value: onnx.ValueInfoProto, sizes: Mapping[str, int]) -> Shape | None:
    """Read the shape that the file declares for a tensor."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(size if isinstance(size, int) else sizes.get(size) for size in dim_labels(value.name, value))


def type_of(tensor: Tensor) -> onnx.TypeProto:
    """Write a tensor as onnx's own shape inference takes it."""
    return helper.make_tensor_type_proto(tensor.element, tensor.shape)


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Read the attributes of a node by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def subgraphs(node: onnx.NodeProto) -> dict[str, onnx.GraphProto]:
    """Return the graphs that a node holds by the name of the attribute."""
    return {attribute.name: attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH}
