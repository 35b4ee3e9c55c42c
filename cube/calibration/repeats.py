"""Facts of networks whose layers of one shape are laid down as one: how many layers there are all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from roofcube.calibration.facts import Facts, facts_of, with_facts

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["counted_facts", "more_facts"]


def counted_facts(inputs: xr.Dataset | None) -> Facts:
    """Collect facts as `facts_of`, with layers counted as often as they repeat."""
    return _counted(facts_of(inputs), inputs)


def more_facts(facts: Facts, inputs: xr.Dataset | None) -> Facts:
    """Add facts as `with_facts`, with layers counted as often as they repeat."""
    return _counted(with_facts(facts, inputs), inputs)


def _counted(facts: Facts, inputs: xr.Dataset | None) -> Facts:
    if inputs is None or "layer_repeats" not in inputs:
        return facts
    repeats = inputs["layer_repeats"].transpose("topology", "pruning", "layer").values
    real = np.asarray(inputs["layer_ops"].transpose("topology", "pruning", "layer").values) > 0
    layers = np.where(real, repeats, 0.0).sum(axis=-1)
    changed = {}
    for row, topology in enumerate(inputs["topology"].values.tolist()):
        for column, pruning in enumerate(inputs["pruning"].values.tolist()):
            network = facts.networks.get((topology, float(pruning)))
            if network is not None:
                changed[network.key] = replace(network, layers=max(float(layers[row, column]), 1.0))
    return Facts(facts.hardware, {**facts.networks, **changed})
