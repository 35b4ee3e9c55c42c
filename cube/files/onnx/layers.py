"""From an ONNX file to rows of the layer table, per input: whole, or refused with everything that is in the way."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import onnx

from roofcube.errors import InvalidDataError, RoofcubeError
from roofcube.files.onnx.extent import Budget, missing_outputs, named_twice
from roofcube.files.onnx.functions import written_out
from roofcube.files.onnx.graph import Entry, Refusal, Walk
from roofcube.files.onnx.inputs import ModelInputs, read_inputs
from roofcube.files.onnx.operators import REDUCTION
from roofcube.files.onnx.products import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from roofcube.files.onnx.tensors import Tensor

__all__ = ["layers_of"]

LISTED = 6
MOST = 2**63 - 1
# protobuf reads no more; a larger file would only fill the memory before it is refused
LARGEST_FILE = 2**31
POINTER = b"version https://git-lfs"


def layers_of(path: Path, *, sizes: Mapping[str, Any] | None = None, batch: int | None = None) -> list[dict[str, Any]]:
    """List what a model does for one input, in graph order, in the columns of `roofcube.datasets.schema.NetworkLayer`.

    Parameters
    ----------
    path : Path
        The model; weights stored beside it need not be there.
    sizes : mapping, optional
        Sizes of symbolic dims by name, or by place (``{"x[2]": 224}``), whole shapes by input, values of scalar inputs.
    batch : int, optional
        Inputs that one run of the model takes; else the leading dim of the first input.

    Raises
    ------
    InvalidDataError
        If the file is no ONNX, the size of a symbolic dim is not given, or not every node can be counted; the message
        names the operators, their nodes and their share of the weights.
    """
    model = _loaded(path)
    source = str(path)
    opsets = {"" if one.domain == "ai.onnx" else one.domain: int(one.version) for one in model.opset_import}
    if missing := missing_outputs(model.graph):
        msg = f"{source}: its outputs {', '.join(map(repr, missing))} are made by no node; export the whole network"
        raise InvalidDataError(msg)
    if twice := named_twice(model.graph):
        msg = (
            f"{source}: its stored tensors or inputs {', '.join(map(repr, twice))} are there twice, of which only one "
            "could be read; export the model again"
        )
        raise InvalidDataError(msg)
    try:
        inputs = read_inputs(model.graph, sizes or {}, batch, source=source)
        walk = _walked(model.graph, inputs, opsets, path.parent)
    except RoofcubeError:
        raise
    except Exception as error:  # a torn file may be valid protobuf that is no model
        msg = f"{path}: not readable as ONNX ({type(error).__name__}: {error}); export the model again"
        raise InvalidDataError(msg) from error
    if walk.refusals:
        raise InvalidDataError(_refused_operators(walk.refusals, sum(walk.weights.values()), source))
    if not any(one.work.ops for one in walk.entries):
        if empty := [name for name, size in inputs.sizes.items() if not size]:
            msg = f"{source}, `sizes[{empty[0]!r}]`: got 0, with which there is nothing to count; give 1 or more"
            raise InvalidDataError(msg)
        msg = (
            f"{source}: has no convolution, matrix product or recurrent layer on its inputs, so there is nothing to "
            "model; export the whole network"
        )
        raise InvalidDataError(msg)
    size = _batch_of(walk.entries, inputs, source)
    symbolic = isinstance(inputs.leading, tuple)
    if size == inputs.batch and (symbolic or (inputs.leading and any(map(_is_of_activations, walk.entries)))):
        try:
            if isinstance(inputs.leading, tuple):
                more = {**(sizes or {}), **dict.fromkeys(inputs.leading, inputs.batch + 1)}
                longer = read_inputs(model.graph, more, batch, source=source)
            else:
                longer = inputs.with_another_leading_dim()
            again = _walked(model.graph, longer, opsets, path.parent)
        except Exception:  # a graph that holds for this size alone, in whatever way
            again = None
        _check_leading(model.graph, walk, again, inputs, source)
    rows = _layer_rows(walk.entries, size)
    for row in rows:
        if max(value for value in row.values() if isinstance(value, int)) > MOST:
            msg = f"{source}, layer {row['name']!r}: its counts are above 2**63; give smaller sizes"
            raise InvalidDataError(msg)
    return rows


def _walked(graph: onnx.GraphProto, inputs: ModelInputs, opsets: Mapping[str, int], folder: Path) -> Walk:
    walk = Walk(opsets, str(folder), inputs.sizes, Budget.of(graph))
    walk.tensors = walk.graph(graph, inputs.tensors)
    return walk


def _loaded(path: Path) -> onnx.ModelProto:
    """Read a model without the weights beside it, its functions written out."""
    size = path.stat().st_size
    if size >= LARGEST_FILE:
        msg = (
            f"{path}: expected an ONNX file of less than 2 GiB, the most that the format can hold, got {size:,} bytes; "
            "export it with its weights in a file beside it"
        )
        raise InvalidDataError(msg)
    try:
        model = onnx.load(str(path), load_external_data=False)
        if not model.graph.node:
            raise ValueError("it has no nodes")
        return written_out(model)
    except Exception as error:  # onnx raises protobuf's and its own errors, which share no base
        with path.open("rb") as file:
            pointer = file.read(len(POINTER)) == POINTER
        if pointer:
            msg = f"{path}: expected an ONNX model, got a pointer of Git LFS to it; fetch it with git lfs pull"
            raise InvalidDataError(msg) from None
        msg = f"{path}: not readable as ONNX ({error}); export the model again"
        raise InvalidDataError(msg) from error


def _refused_operators(refusals: Sequence[Refusal], stored: int, source: str) -> str:
    """Word why a file is refused: what is not understood, else what cannot be counted."""
    foreign = [one for one in refusals if not one.reason]
    groups: dict[tuple[str, str], list[Refusal]] = defaultdict(list)
    for one in foreign or refusals:
        groups[one.operator, one.reason].append(one)
    lines = []
    for (operator, reason), nodes in list(groups.items())[:LISTED]:
        names = ", ".join(repr(one.name) for one in nodes[:3]) + (", …" if len(nodes) > 3 else "")
        # weights that several nodes share are there once
        share = sum({name: size for one in nodes for name, size in one.weights.items()}.values()) / max(stored, 1)
        count = f"{len(nodes)} node{'s' if len(nodes) > 1 else ''}"
        lines.append(f"{operator} ({count}: {names}; {share:.1%} of the weights){': ' if reason else ''}{reason}")
    more = f"; and {len(groups) - LISTED} more" if len(groups) > LISTED else ""
    what = "operators that are not understood" if foreign else "nodes that cannot be counted"
    return (
        f"{source}: the network cannot be counted whole, so it is refused: it has {what}: {'; '.join(lines)}{more}; "
        "replace them or fix their sizes, or give the network by its totals (a table with topology, ops and params)"
    )


# the batch ------------------------------------------------------------------------------------------------------------


def _batch_of(entries: Sequence[Entry], inputs: ModelInputs, source: str) -> int:
    """Settle how many inputs one run takes: a fixed leading size is the batch only where the layers agree."""
    size = inputs.batch
    layers = [one for one in entries if one.work.multiplies]
    if inputs.stated and size > 1 and all(one.work.runs * one.trips % size for one in layers):
        msg = f"{source}, `batch`: got {size}, but no layer runs a multiple of {size} times; give the inputs of one run"
        raise InvalidDataError(msg)
    if inputs.unfit:
        msg = f"{source}, `batch`: {inputs.unfit}"
        raise InvalidDataError(msg)
    if inputs.stated or size == 1:
        return size
    counted = [one.work.images for one in layers if one.work.images is not None]
    if any(images % size for images in counted):
        # a sequence in front of the batch, or an image without one
        size = inputs.second if all(images % inputs.second == 0 for images in counted) else 1
    odd = [one for one in layers if one.work.runs * one.trips % size]
    if odd and len(odd) == len(layers):
        return 1
    if odd:
        msg = (
            f"{source}: the first input seems to hold {size} inputs, but layer {odd[0].name!r} runs "
            f"{odd[0].work.runs * odd[0].trips} times, which is no multiple; say batch={size} if one run takes {size} "
            "inputs, batch=1 if it takes one"
        )
        raise InvalidDataError(msg)
    return size


def _is_of_activations(entry: Entry) -> bool:
    return entry.work.multiplies and not entry.work.weights


def _check_leading(graph: onnx.GraphProto, walk: Walk, again: Walk | None, inputs: ModelInputs, source: str) -> None:
    """Check that no layer combines what belongs to different places of the leading dim: these are no inputs then.

    With a longer sequence in front the matrices of scores of an attention grow, with more inputs their number does: the
    graph is walked again with one more. Where it holds for one size alone, scores of that size between products tell.
    """
    crossing, why = _crossing(graph, walk, again, inputs)
    if crossing:
        told, fix = str(inputs.batch), f"batch=1 if one run takes one input, batch={inputs.batch} if it takes that many"
        if isinstance(inputs.leading, tuple):
            told = repr(inputs.leading[0])
            fix = f"batch=1 and sizes={{{told}: …}} if one run takes one input, batch=… if that is a number of inputs"
        owner = repr(inputs.rows) if inputs.rows else "the first input"
        msg = (
            f"{source}: the leading dim {told} of {owner} seems to be no batch, as layer {crossing!r} {why}; say {fix}"
        )
        raise InvalidDataError(msg)


def _crossing(graph: onnx.GraphProto, walk: Walk, again: Walk | None, inputs: ModelInputs) -> tuple[str, str]:
    """Name a layer that tells that the leading dim is no batch, and how."""
    symbolic = isinstance(inputs.leading, tuple)
    layers = _judged(walk.entries, symbolic)
    larger = _judged(again.entries, symbolic) if again and not again.refusals else []
    pairs = list(zip(layers, larger, strict=False))
    if [one.name for one in layers] != [two.name for two in larger]:
        pairs = []
    if crossing := next((one.name for one, two in pairs if _extent(one) != _extent(two)), ""):
        return crossing, "multiplies along it"
    grown = [one for one, two in pairs if one.work.runs != two.work.runs]
    if symbolic and again and pairs:
        if crossing := _reduced(graph, walk.tensors, again.tensors):
            return crossing, "runs once for all of it"
        if inputs.rows and grown and len(grown) < len(pairs):
            still = next(one.name for one, two in pairs if one.work.runs == two.work.runs)
            return still, "runs as often whatever it is"
    if any(map(_is_of_activations, grown)):
        return "", ""
    return _scored(walk.entries, inputs.batch), "multiplies along it"


def _judged(entries: Sequence[Entry], symbolic: bool) -> list[Entry]:
    """Pick the layers that tell a batch from a sequence; of a fixed dim `_batch_of` has judged those with weights."""
    return [one for one in entries if (symbolic and one.work.multiplies) or _is_of_activations(one)]


def _extent(entry: Entry) -> tuple[int, ...]:
    """Return the sizes of one run, which more inputs leave as they are: the matrix, the image, the steps."""
    work = entry.work
    image = (*work.source, *work.target) if work.kernel != (1, 1) else ()
    steps = work.runs // work.images if work.images else 1
    return work.in_channels // work.groups, work.out_channels // work.groups, steps, *image


def _reduced(graph: onnx.GraphProto, before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> str:
    """Name the product on what a reduction leaves of the leading dim, which is as large however long that is."""
    longer = {name for name, one in before.items() if name in after and one.shape != after[name].shape}
    left: set[str] = set()
    for place, node in enumerate(graph.node):
        reduces = node.op_type in REDUCTION and longer.intersection(node.input)
        if longer.intersection(node.output) or not (reduces or left.intersection(node.input)):
            continue
        if node.op_type in PRODUCTS:
            return node.name or f"{node.op_type}_{place}"
        if node.op_type not in ("Shape", "Size"):
            left.update(filter(None, node.output))
    return ""


def _scored(entries: Sequence[Entry], size: int) -> str:
    """Name the product whose results, so many in a row, are weighed by a softmax and multiplied again."""
    before: Entry | None = None
    weighed = False
    for entry in entries:
        if entry.work.kind == "softmax":
            weighed = True
        elif entry.work.multiplies:
            scores = before if weighed and _is_of_activations(entry) else None
            if scores and _is_of_activations(scores) and scores.work.out_channels == entry.work.in_channels == size > 1:
                return scores.name
            before, weighed = entry, False
    return ""


def _per_input(total: int, batch: int) -> int:
    # what does not grow with the batch is paid in full by the first input
    return -(-total // batch)


# rows -----------------------------------------------------------------------------------------------------------------


def _layer_rows(entries: Sequence[Entry], batch: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for entry, (params, owner) in zip(entries, _shared_out(entries), strict=True):
        if not entry.trips and not params:
            continue
        row = _layer_row(entry, batch)
        if params != entry.work.params:
            row |= {"params": params, "weights_of": entries[owner].name}
        rows.append({"layer": len(rows), "name": entry.name, **row})
    return rows


def _shared_out(entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Count for each layer the weights that no layer before it has, and name the layer that has the others.

    Those that multiply come first, then look-ups, then what is only in memory. Parts of one stored tensor are together
    at most as large as that one.
    """
    shares = [(entry.work.params, place) for place, entry in enumerate(entries)]
    owners: dict[str, int] = {}
    holders: dict[str, int] = {}
    left: dict[str, int] = {}
    ranks = [(not entry.trips, not entry.work.multiplies, place) for place, entry in enumerate(entries)]
    for _, _, place in sorted(ranks):
        own, owner = 0, place
        for weight, size in entries[place].work.held:
            if weight.stored in owners:
                owner = owners[weight.stored] if owner == place else owner
                continue
            elements = weight.distinct_parameters
            name, whole = weight.whole or (weight.stored, elements)
            holder = holders.setdefault(name, place)
            counted = min(elements, left.get(name, whole))
            owners[weight.stored] = place if counted else holder
            left[name] = left.get(name, whole) - counted
            if counted == elements:
                own += size
            else:
                own += size * counted // elements
                owner = holder if owner == place else owner
        shares[place] = own, owner
    return shares


def _layer_row(entry: Entry, batch: int) -> dict[str, Any]:
    work = entry.work
    runs = _per_input(work.runs * entry.trips, batch)
    if work.multiplies:
        # what runs several times on one input is written as one tall image
        heights = work.source[0] * runs, work.target[0] * runs
        widths = work.source[1], work.target[1]
        read = work.in_channels * heights[0] * widths[0]
        written = work.out_channels * heights[1] * widths[1]
    else:
        heights, widths, read, written = (1, 1), (1, 1), 0, 0
    if work.read is not None:
        read = _per_input(work.read * entry.trips, batch)
    if work.written is not None:
        written = _per_input(work.written * entry.trips, batch)
    if not work.multiplies:
        heights = max(read, 1), max(written, 1)
    places = heights[0] * widths[0] if work.kind == "conv_transpose" else heights[1] * widths[1]
    window = math.prod(work.kernel) * (work.in_channels // work.groups) * work.out_channels
    return {
        "kind": work.kind,
        "kernel_height": work.kernel[0],
        "kernel_width": work.kernel[1],
        "stride": work.stride,
        "groups": work.groups,
        "in_channels": work.in_channels,
        "out_channels": work.out_channels,
        "in_height": heights[0],
        "in_width": widths[0],
        "out_height": heights[1],
        "out_width": widths[1],
        "ops": 2 * window * places if work.multiplies else 0,
        "params": work.params,
        "input_elements": read,
        "output_elements": written,
        "vector_ops": _per_input(work.vector_ops * entry.trips, batch),
        "constants": work.constants,
        "weight_bits": work.weight_bits,
        "activation_bits": work.activation_bits,
        "operator": entry.operator,
        "weights_of": "",
        "note": entry.note,
    }
