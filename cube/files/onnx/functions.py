"""Write the functions of an ONNX file out into its graph: defaults first, and never more nodes than a model has.

onnx's inliner (1.23) leaves out the defaults of a function's attributes, and follows functions that call functions
twice each, thirty levels deep, until the memory is gone: the size of the result is counted before anything is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import onnx.inliner

from roofcube.files.onnx.tensors import subgraphs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["stored_as", "written_out"]

CONSTANT = "roofcube.constant"  # of a node: which constant of which function it was

# nodes of the largest models that were seen: some 50,000
MOST_NODES = 2_000_000

Name = tuple[str, str, str]


def written_out(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model without functions of its own.

    Raises
    ------
    ValueError
        If functions call each other in a circle, make too many nodes, or are written for another opset in which an
        operator of theirs is another one.
    """
    if not model.functions:
        return model
    functions = {_name_of(one): one for one in model.functions}
    nodes = _expanded_size(model.graph.node, functions, {}, ())
    if nodes > MOST_NODES:
        msg = f"its functions make {nodes:,} nodes of {len(model.graph.node)}, at most {MOST_NODES:,} are read"
        raise ValueError(msg)
    for graph in (model.graph, *model.functions):
        _give_defaults(graph.node, functions)
    for function in model.functions:
        _name_constants(function)
    _bring_to_opsets(model)
    return onnx.inliner.inline_local_functions(model)


def stored_as(node: onnx.NodeProto) -> str:
    """Name the constant of a function that a node was before it was written out; empty where it was none."""
    return next((one.value for one in node.metadata_props if one.key == CONSTANT), "")


def _name_constants(function: onnx.FunctionProto) -> None:
    """Let the constants of a function be known in every call, in each of which they are the same weights."""
    for place, node in enumerate(_everywhere(function.node)):
        # what an attribute of the call says is another one in each
        if node.op_type == "Constant" and not any(one.ref_attr_name for one in node.attribute):
            node.metadata_props.add(key=CONSTANT, value=repr((*_name_of(function), place)))


def _bring_to_opsets(model: onnx.ModelProto) -> None:
    """Let functions be of the model's opsets, without which the inliner leaves them be, where that changes nothing."""
    opsets = {_plain_domain(one.domain): one.version for one in model.opset_import}
    for function in model.functions:
        for own in function.opset_import:
            domain = _plain_domain(own.domain)
            version = opsets.get(domain, own.version)
            if version == own.version:
                continue
            nodes = [one for one in _everywhere(function.node) if _plain_domain(one.domain) == domain]
            changed = sorted({one.op_type for one in nodes if not _is_the_same(one, domain, own.version, version)})
            if changed:
                msg = (
                    f"its function {function.name!r} is written for opset {own.version} of {domain or 'ai.onnx'}, the "
                    f"model for {version}, in which {', '.join(changed)} is another operator; convert one to the other"
                )
                raise ValueError(msg)
            own.version = version


def _plain_domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _is_the_same(node: onnx.NodeProto, domain: str, version: int, other: int) -> bool:
    """Check whether a node says the same in two opsets: its inputs, and its attributes with their defaults."""
    if not onnx.defs.has(node.op_type, domain=domain):
        return True
    try:
        older, newer = (onnx.defs.get_schema(node.op_type, one, domain) for one in sorted((version, other)))
    except onnx.defs.SchemaError:
        return False
    inputs, more = [one.name for one in older.inputs], [one.name for one in newer.inputs]
    kept = all(
        name in newer.attributes and one.default_value == newer.attributes[name].default_value
        for name, one in older.attributes.items()
    )
    known = {one.name for one in node.attribute} <= set(older.attributes) and len(node.input) <= older.max_input
    return inputs == more[: len(inputs)] and kept and known


def _name_of(one: onnx.FunctionProto | onnx.NodeProto) -> Name:
    name = one.name if isinstance(one, onnx.FunctionProto) else one.op_type
    return one.domain, name, one.overload


def _everywhere(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield nodes and those of their branches and bodies."""
    for node in nodes:
        yield node
        for graph in subgraphs(node).values():
            yield from _everywhere(graph.node)


def _expanded_size(
    nodes: Iterable[onnx.NodeProto], functions: dict[Name, onnx.FunctionProto], sizes: dict[Name, int],
    callers: tuple[Name, ...],
) -> int:  # fmt: skip
    """Count the nodes that are there once every function is written out; each function is counted once."""
    total = 0
    for node in _everywhere(nodes):
        name = _name_of(node)
        if name not in functions:
            total += 1
        elif name in callers:
            msg = f"its function {node.op_type!r} calls itself"
            raise ValueError(msg)
        else:
            if name not in sizes:
                sizes[name] = _expanded_size(functions[name].node, functions, sizes, (*callers, name))
            total += sizes[name]
    return total


def _give_defaults(nodes: Iterable[onnx.NodeProto], functions: dict[Name, onnx.FunctionProto]) -> None:
    for node in _everywhere(nodes):
        function = functions.get(_name_of(node))
        if function is not None:
            given = {one.name for one in node.attribute}
            node.attribute.extend(one for one in function.attribute_proto if one.name not in given)
