"""The roofline models as expression graphs: formulas on nodes, no labels, no arrays.

Notation, per input unless said: ``tc`` compute time, ``tb`` transfer time paid once per batch, ``ti`` transfer time paid
per input, ``b`` batch. Written tightly, because interval bounds are only as tight as the algebra:
energy is ``max(P·tc, P·tb/b + P·ti)``, never ``P·(latency/b)``.

Source: Williams, Waterman, Patterson, "Roofline: an insightful visual performance model for multicore architectures",
CACM 52(4), 2009; the batch-aware form splits the memory ceiling into what is paid per batch and per input.
"""

from __future__ import annotations

from dataclasses import dataclass

from roofcube.kernels.expression import Node, constant, maximum, ordered_sum, where

__all__ = ["LAYER_AXIS", "Times", "binding", "energy", "latency", "period", "resident", "total_over_layers"]

LAYER_AXIS = "layer"
COMPUTE, MEMORY, WEIGHTS, ACTIVATIONS = 0.0, 1.0, 2.0, 3.0


@dataclass(frozen=True)
class Times:
    """The times of a network or of its layers; a term that the assumptions leave out is None.

    `compute`, `per_input` in s per input; `per_batch` in s per batch; `batch` inputs in flight; `cores` take one input each;
    `layered` says whether the nodes run over the layer axis.
    """

    compute: Node
    per_batch: Node | None
    per_input: Node | None
    batch: Node
    cores: Node | None = None
    layered: bool = False


def resident(needed: Node, available: Node, transfer: Node) -> Node:
    """Transfer time of something that stays on chip where it fits: 0 there, else the full transfer."""
    return where(needed <= available, 0.0, transfer)


def total_over_layers(node: Node, times: Times) -> Node:
    """Sum over layers where the times run over layers."""
    return ordered_sum(node, LAYER_AXIS) if times.layered else node


def _memory_per_input(times: Times) -> Node | None:
    shared = None if times.per_batch is None else times.per_batch / times.batch
    if shared is None or times.per_input is None:
        return shared if times.per_input is None else times.per_input
    return shared + times.per_input


def _memory_per_batch(times: Times) -> Node | None:
    own = None if times.per_input is None else times.per_input * times.batch
    if own is None or times.per_batch is None:
        return own if times.per_batch is None else times.per_batch
    return times.per_batch + own


def _compute_per_input(times: Times) -> Node:
    # fewer inputs in flight than cores leave cores idle
    return times.compute if times.cores is None else times.compute * maximum(1.0, times.cores / times.batch)


def period(times: Times) -> Node:
    """Time per input at steady state, s: ``max(tc, tb/b + ti)``, summed over layers."""
    memory = _memory_per_input(times)
    compute = _compute_per_input(times)
    return total_over_layers(compute if memory is None else maximum(compute, memory), times)


def latency(times: Times) -> Node:
    """Time for the whole batch, s: ``max(tc·b, tb + ti·b)``, summed over layers."""
    memory = _memory_per_batch(times)
    in_flight = times.batch if times.cores is None else maximum(times.batch, times.cores)
    compute = times.compute * in_flight
    return total_over_layers(compute if memory is None else maximum(compute, memory), times)


def energy(times: Times, power: Node) -> Node:
    """Energy per input, J: ``max(P·tc, P·tb/b + P·ti)``, summed over layers."""
    scaled = Times(
        compute=power * times.compute,
        per_batch=None if times.per_batch is None else power * times.per_batch,
        per_input=None if times.per_input is None else power * times.per_input,
        batch=times.batch,
        cores=times.cores,
        layered=times.layered,
    )
    return period(scaled)


def binding(times: Times) -> Node:
    """What limits the period: compute, weights (paid per batch), activations (paid per input), or plain memory.

    Over layers, the kind that takes the largest share of the period. Ties go to compute, then weights.
    """
    memory = _memory_per_input(times)
    if memory is None:
        return constant(COMPUTE)
    compute = _compute_per_input(times)
    if not times.layered:
        return where(memory <= compute, COMPUTE, _memory_kind(times.per_batch, times.per_input, times.batch))
    by_compute = total_over_layers(where(memory <= compute, compute, 0.0), times)
    if times.per_batch is None or times.per_input is None:
        by_memory = total_over_layers(where(memory <= compute, 0.0, memory), times)
        return where(by_memory <= by_compute, COMPUTE, MEMORY)
    weights = total_over_layers(where(memory <= compute, 0.0, times.per_batch / times.batch), times)
    activations = total_over_layers(where(memory <= compute, 0.0, times.per_input), times)
    by_transfer = where(activations <= weights, WEIGHTS, ACTIVATIONS)
    return where(maximum(weights, activations) <= by_compute, COMPUTE, by_transfer)


def _memory_kind(per_batch: Node | None, per_input: Node | None, batch: Node) -> Node:
    if per_batch is None or per_input is None:
        return constant(MEMORY)
    return where(per_input <= per_batch / batch, WEIGHTS, ACTIVATIONS)
