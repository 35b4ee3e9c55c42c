"""Walk an ONNX graph without running it, into branches and loops: the shape of every tensor, the work of every node.

Why not onnx's own whole-graph inference alone: it neither enters a branch whose condition is known, nor follows the
values that exporters compute shapes from through every operator, nor knows the domain com.microsoft. Its inference of a
single node is exact once the small inputs have values, so each node is inferred alone with the values that
`roofcube.files.onnx.values` computed (0.1 ms a node).

A branch of an If counts where its condition is known; else the branch with more operations counts, its layers say so,
and the weights of the other stand in a row that does nothing, as they are in memory. A Loop counts its body as often as
its trip count says, if that is stored in the file; a Scan as often as its input is long. Everything that is not
understood is collected, so that one error can name it all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto

from roofcube.errors import RoofcubeError
from roofcube.files.onnx.extent import Budget, needed
from roofcube.files.onnx.functions import stored_as
from roofcube.files.onnx.operators import INDEX_TYPES, is_understood, work_of
from roofcube.files.onnx.shapes import are_alternatives, as_scalar, domain_of, inferred
from roofcube.files.onnx.tensors import (
    Shape,
    Tensor,
    attributes_of,
    constant_node,
    declared,
    of_sparse,
    of_stored,
    of_type,
    subgraphs,
)
from roofcube.files.onnx.work import Node, NotCountableError, Work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Entry", "Refusal", "Walk"]

CONTROL = ("If", "Loop", "Scan")
# of a graph inside others: the places of the nodes that hold it and which of their graphs it is, as names may be twice
Origin = tuple[int | str, ...]
# of nodes that run times leave out
UNUSED = "no output of the graph hangs on it"
# of weights that a condition leaves aside
KEPT = "in memory, not read: the condition that chooses it is not known"
PADS = (b"NOTSET", b"VALID", b"SAME_UPPER", b"SAME_LOWER")
# trip counts above are written where only the condition ends a loop
MOST_TRIPS = 2**31


@dataclass(frozen=True)
class Entry:
    """One layer of the walk, with how often a run of the graph does it; 0 for weights that are only in memory."""

    name: str
    operator: str
    work: Work
    trips: int
    note: str


@dataclass(frozen=True)
class Refusal:
    """A node that cannot be counted: not understood, or understood but with a shape that is not known."""

    name: str
    operator: str
    reason: str
    weights: Mapping[str, int]


@dataclass
class Walk:
    """Walks a graph and its subgraphs; collects layers and refusals.

    Attributes
    ----------
    opsets : dict
        Domain to version.
    folder : str
        Where small tensors that are stored beside the file would be.
    sizes : dict
        Of symbolic dims, for the shapes that the file declares.
    budget : Budget
        Of nodes that may be visited, shared with the walks of branches and bodies.
    weights : dict
        Elements of every constant that is used at run time, by name.
    tensors : dict
        Those of the whole graph by name, once it is walked.
    """

    opsets: Mapping[str, int]
    folder: str
    sizes: Mapping[str, int]
    budget: Budget
    entries: list[Entry] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def graph(
        self, graph: onnx.GraphProto, outer: Mapping[str, Tensor], *, path: str = "", origin: Origin = (),
        trips: int = 1, note: str = "",
    ) -> dict[str, Tensor]:  # fmt: skip
        """Walk a graph; gives every tensor by name, those of the graphs around it too."""
        scope = dict(outer)
        for proto in graph.initializer:
            tensor = of_stored(proto, path + proto.name, self.folder)
            scope[proto.name] = replace(tensor, stored=repr((*origin, proto.name)))
        for sparse in graph.sparse_initializer:
            tensor = of_sparse(sparse, path + sparse.values.name)
            scope[sparse.values.name] = replace(tensor, stored=repr((*origin, sparse.values.name)))
        claims = {one.name: declared(one, self.sizes) for one in (*graph.value_info, *graph.output)}
        own = {one.name for one in (*graph.input, *graph.initializer)}
        own |= {one.values.name for one in graph.sparse_initializer}
        made: set[str] = set()
        for (place, node), is_needed in zip(enumerate(graph.node), needed(graph), strict=True):
            self.budget.spend()
            name = path + (node.name or f"{node.op_type}_{place}")
            try:
                told = note if is_needed else "; ".join(one for one in (note, UNUSED) if one)
                outputs = self._node(node, scope, name, origin=origin, place=place, trips=trips, note=told)
            except RoofcubeError:
                raise
            except Exception as error:  # attributes or operands that are missing or of another kind
                reason = f"it is not written as its definition says ({type(error).__name__}: {error})"
                self._refuse(name, node.op_type, reason, ())
                outputs = [Tensor(shape=None, data_dependent=f"{node.op_type} {name!r}") for _ in node.output]
            if again := made.intersection(node.output):
                self._refuse(name, node.op_type, f"its output {min(again)!r} is made by a node before it", ())
            if again := own.intersection(node.output):
                self._refuse(name, node.op_type, f"its output {min(again)!r} is a stored tensor or an input", ())
            made.update(filter(None, node.output))
            for output, tensor in zip(node.output, outputs, strict=False):
                if output:
                    scope[output] = _completed_graph(tensor, claims.get(output))
        return scope

    def _node(
        self, node: onnx.NodeProto, scope: Mapping[str, Tensor], name: str, *, origin: Origin, place: int, trips: int,
        note: str,
    ) -> list[Tensor]:  # fmt: skip
        if node.op_type == "Constant" and domain_of(node) == "":
            stored = stored_as(node) or repr((*origin, node.output[0]))
            return [replace(constant_node(node, name, self.folder), stored=stored)]
        inputs = tuple(scope.get(one) if one else None for one in node.input)
        if node.op_type == "Range":
            # run times take a list of one number too
            inputs = tuple(as_scalar(one) for one in inputs)
        undefined = next((one for one in node.input if one and one not in scope), None)
        if undefined is not None:
            self._refuse(name, node.op_type, f"its input {undefined!r} is made nowhere before it", inputs)
            return [Tensor(shape=None, data_dependent=f"{node.op_type} {name!r}") for _ in node.output]
        if node.op_type in CONTROL and domain_of(node) == "":
            return self._control(node, scope, inputs, name, origin=(*origin, place), trips=trips, note=note)
        operator = node.op_type if domain_of(node) == "" else f"{node.domain}.{node.op_type}"
        if not is_understood(operator):
            self._refuse(name, operator, "", inputs)
            return [Tensor(shape=None, data_dependent=f"{operator} {name!r}") for _ in node.output]
        attributes = attributes_of(node)
        if attributes.get("auto_pad", PADS[0]) not in PADS:
            self._refuse(name, operator, f"its auto_pad is {attributes['auto_pad']!r:.40}", inputs)
            return [Tensor(shape=None, data_dependent=f"{operator} {name!r}") for _ in node.output]
        try:
            outputs = inferred(node, operator, attributes, inputs, name, origin, self.opsets.get("", 1))
        except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            reason = str(error).strip().splitlines()[-1].removeprefix("[ShapeInferenceError] ")
            self._refuse(name, operator, f"its shapes or types do not fit together ({reason})", inputs)
            return [Tensor(shape=None, data_dependent=f"{operator} {name!r}") for _ in node.output]
        impossible = next((one.shape for one in outputs if any((size or 0) < 0 for size in one.shape or ())), None)
        if impossible is not None:
            self._refuse(name, operator, f"its result would have the shape {impossible}", inputs)
            return [Tensor(shape=None, data_dependent=f"{operator} {name!r}") for _ in node.output]
        if operator == "Where" and outputs[0].constant and inputs[0] is not None and inputs[0].value is None:
            others = [one for one in inputs[1:] if one is not None and one.stored != outputs[0].stored]
            self._keep(name, operator, [(one, one.distinct_parameters) for one in others])
        if not _is_settled(outputs):
            self._note_weights(inputs)
            used = tuple(one if label else None for one, label in zip(outputs, node.output, strict=False))
            self._count(Node(name, operator, attributes, inputs, used), trips, note)
        return outputs

    def _count(self, node: Node, trips: int, note: str) -> None:
        try:
            layers = work_of(node)
        except NotCountableError as error:
            self._refuse(node.name, node.operator, str(error), node.inputs)
            return
        for work in layers:
            name = f"{node.name}/{work.part}" if work.part else node.name
            cause = next((one.data_dependent for one in node.inputs if one is not None and one.data_dependent), "")
            told = [note, f"at most: {cause} decides the size from the data" if cause else ""]
            self.entries.append(Entry(name, node.operator, work, trips, "; ".join(one for one in told if one)))

    def _note_weights(self, inputs: Sequence[Tensor | None]) -> dict[str, int]:
        own = {
            one.stored: one.parameters
            for one in inputs
            if one is not None and one.constant and one.known and one.element not in INDEX_TYPES
        }
        self.weights |= own
        return own

    def _refuse(self, name: str, operator: str, reason: str, inputs: Sequence[Tensor | None]) -> None:
        weights = self._note_weights(inputs)
        self.refusals.append(Refusal(name, operator, reason, weights))

    def _keep(self, name: str, operator: str, weights: Sequence[tuple[Tensor, int]]) -> None:
        """Enter weights that are in memory although nothing that counts reads them."""
        if not weights:
            return
        tensors, sizes = zip(*weights, strict=True)
        work = Work(
            kind="embedding", multiplies=False, weights=tensors, sizes=sizes, params=sum(sizes), read=0, written=0,
            weight_bits=max(one.bits for one in tensors),
        )  # fmt: skip
        self.entries.append(Entry(name, operator, work, 0, KEPT))

    # control flow -----------------------------------------------------------------------------------------------------

    def _control(
        self, node: onnx.NodeProto, scope: Mapping[str, Tensor], inputs: tuple[Tensor | None, ...], name: str, *,
        origin: Origin, trips: int, note: str,
    ) -> list[Tensor]:  # fmt: skip
        if node.op_type == "If":
            return self._branched(node, scope, inputs[0], name, origin, trips, note)
        repeated = self._looped if node.op_type == "Loop" else self._scanned
        try:
            return repeated(node, scope, inputs, name, origin, trips, note)
        except NotCountableError as error:
            self._refuse(name, node.op_type, str(error), inputs)
            return [Tensor(shape=None, data_dependent=f"{node.op_type} {name!r}") for _ in node.output]

    def _branched(
        self, node: onnx.NodeProto, scope: Mapping[str, Tensor], condition: Tensor | None, name: str, origin: Origin,
        trips: int, note: str,
    ) -> list[Tensor]:  # fmt: skip
        branches = subgraphs(node)
        if condition is not None and condition.value is not None:
            taken = "then_branch" if bool(condition.value.reshape(-1)[0]) else "else_branch"
            where, within = f"{name}/{taken}/", (*origin, taken)
            inside = self.graph(branches[taken], scope, path=where, origin=within, trips=trips, note=note)
            return _results(branches[taken], inside)
        walks: dict[str, tuple[Walk, list[Tensor]]] = {}
        for branch, graph in branches.items():
            walk = Walk(self.opsets, self.folder, self.sizes, self.budget)
            where, within = f"{name}/{branch}/", (*origin, branch)
            inside = walk.graph(graph, scope, path=where, origin=within, trips=trips, note=note)
            walks[branch] = walk, _results(graph, inside)
            self.refusals += walk.refusals
            self.weights |= walk.weights
        order = sorted(walks, key=lambda branch: (_weight(walks[branch][0]), branch), reverse=True)
        (walk, outputs), (other, others) = walks[order[0]], walks[order[-1]]
        alike = _weight(walk)[0] == _weight(other)[0]
        why = "which has as many operations as the other" if alike else "the one with more operations"
        told = f"{order[0]} of If {name!r}, {why}"
        self.entries += [_noted(entry, told) for entry in walk.entries]
        results, kept = [], [pair for entry in other.entries for pair in entry.work.held]
        for one, two in zip(outputs, others, strict=True):
            same = one.value is not None and two.value is not None and np.array_equal(one.value, two.value)
            if not same and are_alternatives(one, two):
                kept.append((two, two.distinct_parameters))
                results.append(replace(one, value=None))
            else:
                results.append(one if same else replace(one, value=None, constant=False))
        self._keep(f"{name}/{order[-1]}", node.op_type, kept)
        return results

    def _looped(
        self, node: onnx.NodeProto, scope: Mapping[str, Tensor], inputs: tuple[Tensor | None, ...], name: str,
        origin: Origin, trips: int, note: str,
    ) -> list[Tensor]:  # fmt: skip
        (body,) = subgraphs(node).values()
        (count, condition), state = (*inputs, None, None)[:2], inputs[2:]
        if count is None or count.value is None or int(count.value.reshape(-1)[0]) >= MOST_TRIPS:
            if count is not None and count.unread:
                msg = f"its trip count comes from {count.unread}"
                raise NotCountableError(msg)
            raise NotCountableError("its trip count is not stored in the file")
        if condition is not None and condition.value is None:
            raise NotCountableError("whether it starts depends on the data")
        turns = max(0, int(count.value.reshape(-1)[0]))
        if condition is not None and not bool(condition.value.reshape(-1)[0]):  # type: ignore[union-attr]
            turns = 0
        names = [one.name for one in body.input]
        running = of_type((), TensorProto.BOOL, value=np.asarray(True))
        given = {names[0]: of_type((), TensorProto.INT64), names[1]: running}
        carried = [one if one is not None else Tensor(shape=None) for one in state]
        inside = self._repeated(body, scope, given, names[2:], carried, 1, name, origin, trips * turns, note)
        ending, *results = _results(body, inside)
        if ending.value is None or not bool(ending.value.reshape(-1)[0]):
            raise NotCountableError("when it ends depends on the data")
        stacked = [
            _stacked_scopes(one, turns, 0) if place >= len(carried) else replace(one, value=None, constant=False)
            for place, one in enumerate(results)
        ]
        return stacked if turns else [*carried, *stacked[len(carried) :]]

    def _scanned(
        self, node: onnx.NodeProto, scope: Mapping[str, Tensor], inputs: tuple[Tensor | None, ...], name: str,
        origin: Origin, trips: int, note: str,
    ) -> list[Tensor]:  # fmt: skip
        attributes = attributes_of(node)
        (body,) = subgraphs(node).values()
        if self.opsets.get("", 1) < 9:
            raise NotCountableError("the Scan of opset 8 is another operator; convert the model to opset 9 or later")
        scanned = int(attributes["num_scan_inputs"])
        states = [one if one is not None else Tensor(shape=None) for one in inputs[: len(inputs) - scanned]]
        axes = attributes.get("scan_input_axes") or [0] * scanned
        out_axes = attributes.get("scan_output_axes") or [0] * (len(body.output) - len(states))
        names = [one.name for one in body.input]
        given, turns = {}, 0
        for label, tensor, axis in zip(names[len(states) :], inputs[len(states) :], axes, strict=True):
            if tensor is None or not tensor.known:
                raise NotCountableError("the shape of what it runs over is not known")
            place = int(axis) % len(tensor.dims)
            turns = tensor.dims[place]
            element = tensor.dims[:place] + tensor.dims[place + 1 :]
            # of stored weights every turn has a slice of its own
            given[label] = replace(tensor, shape=element, value=None, slices=turns * tensor.slices, repeats=())
        before = len(self.entries)
        inside = self._repeated(body, scope, given, names[: len(states)], states, 0, name, origin, trips * turns, note)
        if states:
            # steps are no inputs: the batch is in what one step does
            self.entries[before:] = [_with_images(entry) for entry in self.entries[before:]]
        results = _results(body, inside)
        return [
            _stacked_scopes(one, turns, int(out_axes[place - len(states)]))
            if place >= len(states)
            else replace(one, value=None, constant=False)
            for place, one in enumerate(results)
        ]

    def _repeated(
        self, body: onnx.GraphProto, scope: Mapping[str, Tensor], given: Mapping[str, Tensor], names: Sequence[str],
        carried: Sequence[Tensor], skipped: int, name: str, origin: Origin, trips: int, note: str,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Walk a body until what it carries from turn to turn settles; what changes is not known, or not stored."""
        state = [replace(one, value=None) for one in carried]
        while True:
            walk = Walk(self.opsets, self.folder, self.sizes, self.budget)
            around = {**scope, **given, **dict(zip(names, state, strict=True))}
            inside = walk.graph(body, around, path=f"{name}/", origin=origin, trips=trips, note=note)
            after = _results(body, inside)[skipped : skipped + len(state)]
            settled = [_carried_on(one, two, name) for one, two in zip(state, after, strict=True)]
            if settled == state:
                break
            state = settled
        self.refusals += walk.refusals
        self.weights |= walk.weights
        self.entries += walk.entries if trips else []
        return inside


def _noted(entry: Entry, told: str) -> Entry:
    return replace(entry, note="; ".join(one for one in (entry.note, told) if one)) if entry.trips else entry


def _with_images(entry: Entry) -> Entry:
    unsaid = entry.work.multiplies and entry.work.images is None
    return replace(entry, work=replace(entry.work, images=entry.work.runs)) if unsaid else entry


def _results(graph: onnx.GraphProto, inside: Mapping[str, Tensor]) -> list[Tensor]:
    return [
        inside.get(one.name, Tensor(shape=None, data_dependent=f"{one.name!r}, which no node makes"))
        for one in graph.output
    ]


def _weight(walk: Walk) -> tuple[int, int]:
    return sum(one.work.ops * one.trips for one in walk.entries), len(walk.entries)


def _carried_on(before: Tensor, after: Tensor, name: str) -> Tensor:
    """Return what is true of a carried tensor before and after a turn; weights that are handed on stay the same."""
    unchanged = before.constant and after.constant and before.stored and before.stored == after.stored
    both = before if unchanged else replace(before, constant=False, stored="", slices=1)
    shape = _common(before.shape, after.shape)
    if shape == before.shape:
        return both
    return replace(both, shape=shape, data_dependent=both.data_dependent or f"every turn of {name!r}")


def _common(one: Shape | None, two: Shape | None) -> Shape | None:
    if one is None or two is None or len(one) != len(two):
        return None
    return tuple(a if a == b else None for a, b in zip(one, two, strict=True))


def _stacked_scopes(tensor: Tensor, turns: int, axis: int) -> Tensor:
    if tensor.shape is None:
        return tensor
    place = axis % (len(tensor.shape) + 1)
    shape = (*tensor.shape[:place], turns, *tensor.shape[place:])
    return replace(tensor, shape=shape, value=None, constant=False, stored="", slices=1)


def _completed_graph(tensor: Tensor, claim: Shape | None) -> Tensor:
    """Take from the shape that the file declares what could not be inferred."""
    if tensor.known or claim is None or None in claim:
        return tensor
    return replace(tensor, shape=claim, data_dependent="")


def _is_settled(outputs: Sequence[Tensor]) -> bool:
    """Check whether a node is done before the first input comes: all is stored, or follows from the shapes alone."""
    return bool(outputs) and all(one.constant or one.value is not None for one in outputs)
