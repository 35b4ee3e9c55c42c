"""Tell which nodes of an ONNX graph a run has to do, and end a walk over them that would not; knows protos alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roofcube.errors import InvalidDataError
from roofcube.files.onnx.tensors import subgraphs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import onnx

__all__ = ["Budget", "missing_outputs", "named_twice", "needed"]

# a body is walked again until the shapes that it carries settle: two or three times, times those of the loops around it
WALKS, FREE_VISITS = 100, 20_000


@dataclass
class Budget:
    """How many nodes a walk may still visit, those of bodies once for each time that they are walked."""

    left: int

    @classmethod
    def of(cls, graph: onnx.GraphProto) -> Budget:
        """Return what is enough for a graph."""
        return cls(FREE_VISITS + WALKS * sum(1 for _ in _all_nodes(graph)))

    def spend(self) -> None:
        """Count a node.

        Raises
        ------
        InvalidDataError
            If none is left, as of loops in loops, each of which walks those inside it several times.
        """
        self.left -= 1
        if self.left < 0:
            msg = "expected loops whose shapes settle, got loops nested so deeply that they do not; unroll or fold them"
            raise InvalidDataError(msg)


def needed(graph: onnx.GraphProto) -> list[bool]:
    """Tell for every node whether an output of the graph hangs on it."""
    wanted = {one.name for one in graph.output}
    flags = []
    for node in reversed(graph.node):
        is_needed = any(output in wanted for output in node.output)
        if is_needed:
            wanted.update(_read_by(node))
        flags.append(is_needed)
    return flags[::-1]


def missing_outputs(graph: onnx.GraphProto) -> list[str]:
    """Name the outputs of a graph that nothing in it makes."""
    made = {one.name for one in (*graph.input, *graph.initializer)} | {
        one.values.name for one in graph.sparse_initializer
    }
    made |= {output for node in graph.node for output in node.output}
    return [one.name for one in graph.output if one.name not in made]


def named_twice(graph: onnx.GraphProto) -> list[str]:
    """Name the stored tensors and the inputs of a graph, and of those inside it, that are there more than once."""
    stored = [one.name for one in graph.initializer] + [one.values.name for one in graph.sparse_initializer]
    twice = []
    for names in (stored, [one.name for one in graph.input]):
        seen: set[str] = set()
        for name in names:
            if name in seen:
                twice.append(name)
            seen.add(name)
    inner = [one for node in graph.node for one in subgraphs(node).values()]
    return list(dict.fromkeys([*twice, *(name for one in inner for name in named_twice(one))]))


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for graph in subgraphs(node).values():
        yield from (one.name for one in graph.output)
        for inner in graph.node:
            yield from _read_by(inner)


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for inner in subgraphs(node).values():
            yield from _all_nodes(inner)
