"""The roofline models as expression graphs: formulas on nodes, no labels, no arrays.

Notation: ``tc`` compute time per input, ``tw`` time of one reading of the weights, ``ta`` transfer time of activations
and state per input, ``b`` batch. A transfer is paid once per input, or once per batch where the inputs in flight share
it. Written tightly, because interval bounds are only as tight as the algebra: energy is ``max(P·tc, P·tw/b + P·ta)``,
never ``P·(latency/b)``.

Source: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model for multicore architectures",
CACM 52(4), 2009; the batch-aware form splits the memory ceiling into what is paid per batch and per input.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from roofcube.kernels.graph.expression import Node, constant, maximum, ordered_sum, where

__all__ = ["LAYER_AXIS", "Times", "Transfer", "binding", "energy", "latency", "period", "resident", "total_over_layers"]

LAYER_AXIS = "layer"
COMPUTE, MEMORY, WEIGHTS, ACTIVATIONS = 0.0, 1.0, 2.0, 3.0


@dataclass(frozen=True)
class Transfer:
    """The time of one transfer from memory, and whether the inputs in flight share it (a node: 1 yes, 0 no)."""

    time: Node
    shared: Node | bool

    def per_input(self, batch: Node) -> Node:
        """Time that one input pays, s."""
        if isinstance(self.shared, Node):
            return where(self.shared, self.time / batch, self.time)
        return self.time / batch if self.shared else self.time

    def per_batch(self, batch: Node) -> Node:
        """Time that the whole batch pays, s."""
        if isinstance(self.shared, Node):
            return where(self.shared, self.time, self.time * batch)
        return self.time if self.shared else self.time * batch


@dataclass(frozen=True)
class Times:
    """The times of a network, or of its layers if `layered`; a transfer that the assumptions leave out is not there.

    `compute` is in s per input; `cores` take one input each, so fewer inputs than cores leave some idle.
    """

    compute: Node
    weights: tuple[Transfer, ...]
    activations: tuple[Transfer, ...]
    batch: Node
    cores: Node | None = None
    layered: bool = False


def resident(needed: Node, available: Node, transfer: Node) -> Node:
    """Transfer time of something that stays on chip where it fits: 0 there, else the full transfer."""
    return where(needed <= available, 0.0, transfer)


def total_over_layers(node: Node, times: Times) -> Node:
    """Sum over layers where the times run over layers."""
    return ordered_sum(node, LAYER_AXIS) if times.layered else node


def _sum_of_times(parts: list[Node]) -> Node | None:
    return reduce(add, parts) if parts else None


def _memory_per_input(times: Times) -> Node | None:
    return _sum_of_times([one.per_input(times.batch) for one in (*times.weights, *times.activations)])


def _compute_per_input(times: Times) -> Node:
    return times.compute if times.cores is None else times.compute * maximum(1.0, times.cores / times.batch)


def period(times: Times) -> Node:
    """Time per input at steady state, s: ``max(tc, tw/b + ta)``, summed over layers."""
    memory = _memory_per_input(times)
    compute = _compute_per_input(times)
    return total_over_layers(compute if memory is None else maximum(compute, memory), times)


def latency(times: Times) -> Node:
    """Time for the whole batch, s: ``max(tc·b, tw + ta·b)``, summed over layers."""
    memory = _sum_of_times([one.per_batch(times.batch) for one in (*times.weights, *times.activations)])
    in_flight = times.batch if times.cores is None else maximum(times.batch, times.cores)
    compute = times.compute * in_flight
    return total_over_layers(compute if memory is None else maximum(compute, memory), times)


def energy(times: Times, power: Node) -> Node:
    """Energy per input, J: ``max(P·tc, P·tw/b + P·ta)``, summed over layers."""

    def scaled(transfers: tuple[Transfer, ...]) -> tuple[Transfer, ...]:
        return tuple(Transfer(power * one.time, one.shared) for one in transfers)

    joules = replace(
        times, compute=power * times.compute, weights=scaled(times.weights), activations=scaled(times.activations)
    )
    return period(joules)


def binding(times: Times) -> Node:
    """Return what limits the period: compute, weights or activations; plain memory where only one is counted.

    Over layers, the kind that takes the largest share of the period. Ties go to compute, then to weights.
    """
    memory = _memory_per_input(times)
    if memory is None:
        return constant(COMPUTE)
    compute = _compute_per_input(times)
    by_compute = total_over_layers(where(memory <= compute, compute, 0.0), times)
    by_memory = total_over_layers(where(memory <= compute, 0.0, memory), times)
    weights = _sum_of_times([one.per_input(times.batch) for one in times.weights])
    activations = _sum_of_times([one.per_input(times.batch) for one in times.activations])
    if weights is None or activations is None:
        return where(by_memory <= by_compute, COMPUTE, MEMORY)
    by_weights = total_over_layers(where(memory <= compute, 0.0, weights), times)
    by_activations = total_over_layers(where(memory <= compute, 0.0, activations), times)
    by_transfer = where(by_activations <= by_weights, WEIGHTS, ACTIVATIONS)
    if times.layered:
        return where(maximum(by_weights, by_activations) <= by_compute, COMPUTE, by_transfer)
    return where(by_memory <= by_compute, COMPUTE, by_transfer)
