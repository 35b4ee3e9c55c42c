"""The shapes of the inputs of an ONNX model: sizes given for symbolic dims, and which dim is the batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
# names that exporters make up: to give such a dim a size says nothing of what it is
MADE_UP = re.compile(r"[su]\d+|unk_+\d+|dim_?\d+|.*_dynamic_axes_\d+", re.IGNORECASE)


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
    leading : tuple of str, or int, optional
        Where the batch is read off the place of a dim alone, not off a name or the user: its symbols, or its size; also
        off a short name of rows beside one image.
    rows : str
        The input that has those rows.
    unfit : str
        Why the batch that the user gives is none of these shapes.
    sizes : dict of str to int
        Every symbolic dim.
    """

    tensors: dict[str, Tensor]
    batch: int
    stated: bool
    second: int
    sizes: dict[str, int]
    leading: tuple[str, ...] | int | None = None
    rows: str = ""
    unfit: str = ""

    def with_another_leading_dim(self) -> ModelInputs:
        """Return the inputs with one more in the fixed leading dim."""
        tensors = {
            name: replace(tensor, shape=(self.batch + 1, *tensor.dims[1:]))
            if not tensor.constant and tensor.known and tensor.dims[:1] == (self.batch,)
            else tensor
            for name, tensor in self.tensors.items()
        }
        return replace(self, tensors=tensors)


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
    chosen = {dim for dim in given if dim in sizes and not MADE_UP.fullmatch(dim)}
    symbols, named = _batch_symbols(labels, axes, chosen)
    if not any(len(dims) > 2 and dims[axes[name]] == batch for name, dims in labels.items()):
        _check_said_once(symbols & named, given, batch, source)
    resolved = with_computed({**dict.fromkeys(symbols, batch or 1), **given}, _symbols(labels), source)
    shapes = {
        name: [resolved.get(dim, dim) if isinstance(dim, str) else dim for dim in dims] for name, dims in labels.items()
    }
    _check_complete(labels, shapes, resolved, source)
    count, stated, fixed_batch = _batch(labels, axes, symbols, given, batch)
    if not count:
        empty = next(dim for dim in symbols if dim in given)
        msg = f"{source}, `sizes[{empty!r}]`: got 0, with which there is nothing to count; give 1 or more"
        raise InvalidDataError(msg)
    rows = _rows_beside_one(labels, axes, symbols)
    doubted = not named or (rows and all(BATCH.fullmatch(dim) for dim in named))
    by_place = tuple(sorted(symbols)) if symbols and doubted and batch is None else fixed_batch
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
    every = {name: int(size) for name, size in resolved.items()}
    return ModelInputs(tensors, count, stated, second, every, by_place, rows, _unfit_batch(shapes, axes, batch))


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


def _batch_symbols(
    labels: dict[str, list[int | str]], axes: dict[str, int], chosen: set[str]
) -> tuple[set[str], set[str]]:
    """Name the symbolic dims that are the batch, and those of them that are called so; else it is the leading one."""
    symbols = {dim for dim in _symbols(labels) if not _unnamed(dim, labels) and not parts_of(dim)}
    parts = {part for dim in _symbols(labels) for part in parts_of(dim)}
    leading = _leading(labels, axes)
    named = {dim for dim in symbols | parts if "batch" in dim.lower()}
    first_ones = [part for dim in leading.values() if isinstance(dim, str) for part in (parts_of(dim) or (dim,))]
    named |= {dim for dim in first_ones if BATCH.fullmatch(dim)}
    first = next((dim for name, dim in leading.items() if len(labels[name]) > 1), None)
    others = {dim for dim in leading.values() if isinstance(dim, str) and _unnamed(dim, labels)}
    if not named and first in symbols - chosen and not PLACES.fullmatch(str(first)):
        others.add(str(first))
    return named | others, named


def _rows_beside_one(labels: dict[str, list[int | str]], axes: dict[str, int], symbols: set[str]) -> str:
    """Name the input that has as many rows as the symbols say, as boxes, where another is one image or sequence."""
    leading = _leading(labels, axes)
    images = [size for name, size in leading.items() if len(labels[name]) > 2]
    if 1 not in images or symbols.intersection(map(str, images)):
        return ""
    return next((name for name, dim in leading.items() if dim in symbols), "")


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
    labels: dict[str, list[int | str]], axes: dict[str, int], symbols: set[str], given: dict[str, int],
    batch: int | None,
) -> tuple[int, bool, int | None]:  # fmt: skip
    """Return how many inputs one run takes, whether that was said, else the fixed dim that it is read off."""
    if batch is not None:
        return batch, True, None
    said = [given[dim] for dim in symbols if dim in given]
    if symbols:
        return max(said, default=1), True, None
    for name, dims in labels.items():
        if len(dims) > max(axes[name], 1):
            dim = dims[axes[name]]
            # a symbolic leading dim that the user gave a size, under a name that is no batch, is a place in one input
            leading = dim if isinstance(dim, int) and dim > 1 and not axes[name] else None
            return (dim, False, leading) if isinstance(dim, int) else (1, True, None)
    return 1, True, None


def _check_said_once(symbols: set[str], given: dict[str, int], batch: int | None, source: str) -> None:
    """Check that a dim that is called a batch is as large as the batch that is said."""
    said = {dim: given[dim] for dim in sorted(symbols) if dim in given}
    if said and batch is not None and batch not in said.values():
        dim, size = next(iter(said.items()))
        msg = (
            f"{source}, `batch`: got {batch}, and {size} with sizes={{{dim!r}: {size}}}; give one of them, or the same"
        )
        raise InvalidDataError(msg)


def _unfit_batch(shapes: dict[str, list[Any]], axes: dict[str, int], batch: int | None) -> str:
    """Word why a batch is none of these inputs: it divides no leading dim, and no dim is as large."""
    leading = {name: dims[axes[name]] for name, dims in shapes.items() if len(dims) > axes[name]}
    if batch is None or not leading or any(size % batch == 0 for size in leading.values()):
        return ""
    if any(batch in dims for dims in shapes.values()):
        return ""
    told = ", ".join(f"{name!r} of ({', '.join(map(str, shapes[name]))})" for name in leading)
    return f"got {batch}, but the inputs are {told}, and it divides no leading dim; give the inputs of one run"
