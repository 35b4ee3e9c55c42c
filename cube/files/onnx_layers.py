"""Read the weight layers of an ONNX model; the only module that knows onnx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roofcube.errors import InvalidDataError, MissingInputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["layers_of"]

CONVOLUTION, PRODUCTS = "Conv", ("Gemm", "MatMul")


def layers_of(path: Path) -> list[dict[str, Any]]:
    """List the convolutions and fully connected layers of a model, in graph order, as rows of the layer table.

    Raises
    ------
    MissingInputError
        If onnx is not installed.
    InvalidDataError
        If the model has no weight layer or a shape that cannot be inferred.
    """
    try:
        import onnx
    except ImportError:
        msg = f"{path}: reading ONNX needs the package onnx; pip install 'roofcube[onnx]'"
        raise MissingInputError(msg) from None
    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(str(path)), strict_mode=False)
    except Exception as error:  # onnx raises protobuf's and its own errors, which share no base
        msg = f"{path}: not readable as ONNX ({error}); export the model again"
        raise InvalidDataError(msg) from error
    graph = model.graph
    weights = {one.name: tuple(one.dims) for one in graph.initializer}
    shapes = {one.name: _shape(one) for one in [*graph.input, *graph.value_info, *graph.output]}
    rows: list[dict[str, Any]] = []
    for node in graph.node:
        weight = next((weights[name] for name in node.input[1:2] if name in weights), None)
        if weight is None or node.op_type not in (CONVOLUTION, *PRODUCTS):
            continue
        name = node.name or f"{node.op_type}_{len(rows)}"
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        source, target = _known(shapes, node.input[0], name, path), _known(shapes, node.output[0], name, path)
        sizes = (
            _convolution(weight, attributes, source, target)
            if node.op_type == CONVOLUTION
            else _product(node.op_type, weight, attributes, target)
        )
        rows.append({"topology": path.stem, "pruning_percent": 100.0, "layer": len(rows), "name": name, **sizes})
    if not rows:
        msg = f"{path}: has no convolution or fully connected layer with constant weights; export it with its weights"
        raise InvalidDataError(msg)
    return rows


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def _known(shapes: dict[str, tuple[int, ...]], tensor: str, layer: str, path: Path) -> tuple[int, ...]:
    shape = shapes.get(tensor, ())
    if len(shape) < 2 or any(size <= 0 for size in shape[1:]):
        msg = (
            f"{path}, layer {layer!r}: the shape of {tensor!r} is not fixed ({shape or 'unknown'}); export with a "
            "fixed input size"
        )
        raise InvalidDataError(msg)
    return shape


def _convolution(
    weight: tuple[int, ...], attributes: dict[str, Any], source: tuple[int, ...], target: tuple[int, ...]
) -> dict[str, Any]:
    out_channels, per_group = weight[:2]
    height, width = (weight[2], weight[3]) if len(weight) == 4 else (1, weight[2])
    groups = int(attributes.get("group", 1))
    in_size = source[2:] if len(source) == 4 else (1, source[2])
    out_size = target[2:] if len(target) == 4 else (1, target[2])
    params = out_channels * per_group * height * width
    return {
        "kind": "depthwise" if groups > 1 and per_group == 1 else "conv",
        "kernel_height": height,
        "kernel_width": width,
        "stride": int(attributes.get("strides", [1])[0]),
        "groups": groups,
        "in_channels": per_group * groups,
        "out_channels": out_channels,
        "in_height": in_size[0],
        "in_width": in_size[1],
        "out_height": out_size[0],
        "out_width": out_size[1],
        "ops": 2 * params * out_size[0] * out_size[1],
        "params": params,
        "input_elements": per_group * groups * in_size[0] * in_size[1],
        "output_elements": out_channels * out_size[0] * out_size[1],
    }


def _product(kind: str, weight: tuple[int, ...], attributes: dict[str, Any], target: tuple[int, ...]) -> dict[str, Any]:
    turned = kind == "Gemm" and attributes.get("transB", 0)
    rows, columns = (weight[1], weight[0]) if turned else (weight[-2], weight[-1])
    # a MatMul over a sequence applies the same weights at each of its places
    places = 1
    for size in target[1:-1]:
        places *= size
    return {
        "kind": "fully_connected",
        "kernel_height": 1,
        "kernel_width": 1,
        "stride": 1,
        "groups": 1,
        "in_channels": rows,
        "out_channels": columns,
        "in_height": places,
        "in_width": 1,
        "out_height": places,
        "out_width": 1,
        "ops": 2 * rows * columns * places,
        "params": rows * columns,
        "input_elements": rows * places,
        "output_elements": columns * places,
    }
