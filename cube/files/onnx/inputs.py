"""The shapes of the inputs of an ONNX model: sizes given for symbolic dims, and which dim is the batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError, suggestion
from roofcube.files.onnx.dim_expressions import parts_of, with_computed
from roofcube.files.onnx.tensors import Tensor, attributes_of, dim_labels, of_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx

__all__ = ["ModelInputs", "read_inputs"]

RECURRENT = ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM")
# where these operators take what was trained: an export without its parameters has inputs there
TRAINED = {
    **dict.fromkeys(("Conv", "ConvTranspose", "LayerNormalization", "InstanceNormalization"), (1, 2)),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (1, 2, 3)),
    "BatchNormalization": (1, 2, 3, 4),
    "PRelu": (1,),
}
# … and where these may, which multiply and add inputs too
PERHAPS_TRAINED = {"Gemm": (1, 2), "MatMul": (1,), "Add": (0, 1), "Mul": (0, 1)}
# short names of a leading dim that is the batch; a longer one has the word in it
BATCH = re.compile(r"[nb]|bsz?", re.IGNORECASE)
# a leading dim with such a name is a place in one input, not a number of inputs
PLACES = re.compile(
    r".*(seq|time|len|tok|frame|height|width|step|dur|patch|point|node|edge|word|char|pos|samples|past|total).*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ModelInputs:
    """The inputs of a model.

    Attributes
    ----------
    batch : int
        Inputs that one run of the graph takes.
    stated : bool
        True where the user says so, or where the dim is symbolic; else it is read off a fixed leading dim.
    second : int
        Size of the second dim of the first input, which is the batch where a sequence is in front of it; else 1.
    sizes : dict of str to int
        Every symbolic dim.
    """

    tensors: dict[str, Tensor]
    batch: int
    stated: bool
    second: int
    sizes: dict[str, int]


def read_inputs(graph: onnx.GraphProto, sizes: Mapping[str, Any], batch: int | None, *, source: str) -> ModelInputs:
    """Settle the shape of every input.

    Raises
    ------
    InvalidDataError
        Naming every symbolic dim whose size is not given, or a size that is given for a dim that is not there.
    """
    stored = {one.name for one in graph.initializer} | {one.values.name for one in graph.sparse_initializer}
    values = [one for one in graph.input if one.name not in stored and one.type.HasField("tensor_type")]
    labels = {one.name: dim_labels(one.name, one) for one in values}
    shapeless = {one.name for one in values if not one.type.tensor_type.HasField("shape")}
    whole = {name: sizes[name] for name in shapeless if isinstance(sizes.get(name), list | tuple)}
    labels |= {name: [_size(name, size, source) for size in shape] for name, shape in whole.items()}
    shapeless -= whole.keys()
    weights = _passed_weights(graph, labels)
    fixed = {name: labels.pop(name) for name in weights}
    scalars = {name for name, dims in labels.items() if not dims} - shapeless
    sizes = {name: size for name, size in sizes.items() if name not in whole}
    given, numbers = _given(sizes, labels, scalars, source)
    axes = _batch_axes(graph, labels)
    # a size given by name says that a leading dim is no batch; a whole shape says nothing of the kind
    symbols = _batch_symbols(labels, axes, {dim for dim in given if dim in sizes})
    resolved = with_computed({**dict.fromkeys(symbols, batch or 1), **given}, _symbols(labels), source)
    shapes = {
        name: [resolved.get(dim, dim) if isinstance(dim, str) else dim for dim in dims] for name, dims in labels.items()
    }
    _check_complete(labels, shapes, resolved, source)
    count, stated = _batch(labels, shapes, axes, symbols, given, batch)
    tensors = {
        value.name: of_type(
            tuple(int(size) for size in shapes[value.name]),
            value.type.tensor_type.elem_type,
            value=np.asarray(numbers[value.name], dtype="i8") if value.name in numbers else None,
        )
        for value in values
        if value.name not in shapeless | weights
    }
    for value in values:
        if value.name in weights:
            shape = tuple(int(size) for size in fixed[value.name])
            tensors[value.name] = of_type(
                shape, value.type.tensor_type.elem_type, constant=True, stored=f"the input {value.name}"
            )
    for name in shapeless:
        unsaid = f"the input {name!r}, whose shape the file does not say: give it with sizes={{{name!r}: (…)}}"
        tensors[name] = Tensor(shape=None, data_dependent=unsaid)
    for value in graph.input:
        if value.name not in stored and value.name not in tensors:
            tensors[value.name] = Tensor(shape=None, data_dependent=f"the input {value.name!r}, which is no tensor")
    second = next((int(dims[1]) for dims in shapes.values() if len(dims) > 2), 1)
    return ModelInputs(tensors, count, stated, second, {name: int(size) for name, size in resolved.items()})


def _given(
    sizes: Mapping[str, Any], labels: dict[str, list[int | str]], scalars: set[str], source: str
) -> tuple[dict[str, int], dict[str, int]]:
    """Sort what the user gives into sizes of dims and values of scalar inputs; a sequence is a whole shape."""
    symbols = _symbols(labels)
    symbols |= {part for dim in symbols for part in parts_of(dim)}
    places = {f"{name}[{place}]": dim for name, dims in labels.items() for place, dim in enumerate(dims)}
    given: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for name, size in sizes.items():
        if name in labels and isinstance(size, Sequence) and not isinstance(size, str):
            for dim, one in _whole_shape(name, labels[name], size, source):
                given[dim] = _size(f"{name}: {dim}", one, source)
        elif name in scalars:
            numbers[name] = _size(name, size, source)
        elif name in symbols:
            given[name] = _size(name, size, source)
        elif isinstance(places.get(name), str):
            given[str(places[name])] = _size(name, size, source)
        else:
            choices = sorted(symbols | scalars)
            msg = (
                f"{source}, `sizes`: the model has no symbolic dim {name!r}{suggestion(name, choices)}; it has: "
                f"{', '.join(choices) or '(none)'}"
            )
            raise InvalidDataError(msg)
    return given, numbers


def _symbols(labels: dict[str, list[int | str]]) -> set[str]:
    return {dim for dims in labels.values() for dim in dims if isinstance(dim, str)}


def _whole_shape(name: str, labels: list[int | str], shape: Sequence[Any], source: str) -> list[tuple[str, Any]]:
    fixed = [dim for dim in labels if isinstance(dim, int)]
    fits = len(shape) == len(labels) and all(
        one == dim for one, dim in zip(shape, labels, strict=True) if isinstance(dim, int)
    )
    if not fits:
        wanted = ", ".join(map(str, labels))
        msg = f"{source}, `sizes[{name!r}]`: got {tuple(shape)}, the input is ({wanted}); give one size a dim"
        raise InvalidDataError(msg + (" and keep the fixed ones" if fixed else ""))
    return [(dim, one) for one, dim in zip(shape, labels, strict=True) if isinstance(dim, str)]


def _size(name: str, size: Any, source: str) -> int:
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if not whole or size < 0:
        msg = f"{source}, `sizes[{name!r}]`: got {size!r}; expected a whole number, 0 or more"
        raise InvalidDataError(msg)
    return int(size)


def _passed_weights(graph: onnx.GraphProto, labels: dict[str, list[int | str]]) -> set[str]:
    """Name the inputs that are weights: of fixed sizes, and read where an operator takes what was trained.

    A file that takes vectors so, or the weights of recurrent layers, was exported without its parameters. Elsewhere the
    second of two matrices, and the kernel of a convolution, is as likely an input of the network.
    """
    fixed = {name for name, dims in labels.items() if dims and all(isinstance(size, int) for size in dims)}
    read = [(node.op_type, place, name) for node in graph.node for place, name in enumerate(node.input)]
    trained = [(operator, name) for operator, place, name in read if place in TRAINED.get(operator, ())]
    if not any(name in fixed and (len(labels[name]) == 1 or operator in RECURRENT) for operator, name in trained):
        return set()
    perhaps = [name for operator, place, name in read if place in PERHAPS_TRAINED.get(operator, ())]
    weights = {name for _, name in trained} | {name for name in perhaps if len(labels.get(name, ())) <= 2}
    # what is read as data as well is no weight
    return (weights & fixed) - {name for operator, place, name in read if place == 0 and operator not in ("Add", "Mul")}


def _batch_axes(graph: onnx.GraphProto, labels: dict[str, list[int | str]]) -> dict[str, int]:
    """Return where the batch of each input stands: first, but second where a recurrent layer reads it as it comes."""
    axes = dict.fromkeys(labels, 0)
    for node in graph.node:
        steps: list[str] = []
        if node.op_type in RECURRENT and not attributes_of(node).get("layout", 0):
            steps = list(node.input[:1])
        elif node.op_type == "Scan":
            steps = [name for name, axis in scanned_inputs(node) if axis == 0]
        axes |= {name: 1 for name in steps if name in axes}
    return axes


def scanned_inputs(node: onnx.NodeProto) -> list[tuple[str, int]]:
    """Pair the inputs that a Scan takes step by step with their axes; none where no step needs the one before it."""
    attributes = attributes_of(node)
    count = int(attributes.get("num_scan_inputs", 0))
    if not 0 < count < len(node.input):
        return []
    return list(zip(node.input[-count:], attributes.get("scan_input_axes") or [0] * count, strict=False))


def _leading(labels: dict[str, list[int | str]], axes: dict[str, int]) -> dict[str, int | str]:
    return {name: dims[axes[name]] for name, dims in labels.items() if len(dims) > axes[name]}


def _batch_symbols(labels: dict[str, list[int | str]], axes: dict[str, int], chosen: set[str]) -> set[str]:
    """Name the symbolic dims that are the batch: by what they are called, else the leading one of the first input."""
    symbols = {dim for dim in _symbols(labels) if not _unnamed(dim, labels) and not parts_of(dim)}
    leading = _leading(labels, axes)
    named = {dim for dim in symbols if "batch" in dim.lower()}
    named |= {dim for dim in leading.values() if isinstance(dim, str) and BATCH.fullmatch(dim)}
    first = next((dim for name, dim in leading.items() if len(labels[name]) > 1), None)
    if not named and first in symbols - chosen and not PLACES.fullmatch(str(first)):
        named = {str(first)}
    return named | {dim for dim in leading.values() if isinstance(dim, str) and _unnamed(dim, labels)}


def _unnamed(dim: str, labels: dict[str, list[int | str]]) -> bool:
    return any(dim == f"{name}[{place}]" for name, dims in labels.items() for place in range(len(dims)))


def _check_complete(
    labels: dict[str, list[int | str]], shapes: dict[str, list[Any]], sizes: Mapping[str, int], source: str
) -> None:
    missing = list(dict.fromkeys(dim for dims in shapes.values() for dim in dims if isinstance(dim, str)))
    if missing:
        name = next(name for name, dims in shapes.items() if missing[0] in dims)
        wanted = dict.fromkeys(part for dim in missing for part in (parts_of(dim) or (dim,)) if part not in sizes)
        example = ", ".join(f"{dim!r}: …" for dim in wanted)
        msg = (
            f"{source}, input {name!r} of shape ({', '.join(map(str, labels[name]))}): the size of {missing[0]!r} is "
            f"not fixed; give it with sizes={{{example}}}"
        )
        raise InvalidDataError(msg)


def _batch(
    labels: dict[str, list[int | str]], shapes: dict[str, list[Any]], axes: dict[str, int], symbols: set[str],
    given: dict[str, int], batch: int | None,
) -> tuple[int, bool]:  # fmt: skip
    """Return how many inputs one run takes, and whether that was said rather than read off a fixed size."""
    if batch is not None:
        return batch, True
    named = [given[dim] for dim in symbols if dim in given]
    if symbols:
        return max(named, default=1), True
    for name, dims in labels.items():
        if len(dims) > max(axes[name], 1):
            dim = dims[axes[name]]
            # a symbolic leading dim that the user gave a size, under a name that is no batch, is a place in one input
            return (int(shapes[name][axes[name]]), False) if isinstance(dim, int) else (1, True)
    return 1, True
