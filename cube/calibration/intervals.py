"""Conformal intervals: how far left-out networks of a family were off sets how far to trust the next; arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MINIMUM_NETWORKS", "Scores", "pooled"]

Array = np.ndarray[Any, np.dtype[Any]]

# below this many networks a family's own errors say too little, and those of all families are used
MINIMUM_NETWORKS = 4
# a deviation up to this quantile of those of the networks left out is usual
USUAL = 0.9
# with errors of no family at hand, the model's own deviation is taken this many times
CAUTION = 2.0


@dataclass(frozen=True)
class Scores:
    """Errors of rows predicted by a model that never saw their network.

    Attributes
    ----------
    error : array
        |ln(predicted ÷ measured)|.
    deviation : array
        What the model itself said, in ln.
    network : array of int
    """

    error: Array
    deviation: Array
    network: Array

    @property
    def networks(self) -> int:
        """Count the networks."""
        return len(np.unique(self.network))

    def half_width(self, deviation: Array, level: float) -> Array:
        """Give the half-width of the interval in ln, for rows of which the model says this deviation.

        Networks weigh the same. Where the model is as sure as it was of the networks left out, the width is the plain
        quantile of their errors; rows of which it is less sure get a width in proportion.
        """
        if not len(self.error):
            result: Array = CAUTION * NormalDist().inv_cdf(0.5 + level / 2) * deviation
            return result
        _, place, count = np.unique(self.network, return_inverse=True, return_counts=True)
        weight = 1.0 / count[place]
        usual = quantile(self.deviation, weight, USUAL)
        stretch = np.maximum(self.deviation / usual, 1.0)
        widened: Array = np.maximum(deviation / usual, 1.0)
        return quantile(self.error / stretch, weight, level) * widened


def quantile(values: Array, weight: Array, level: float) -> float:
    """Give the weighted quantile with the finite-sample correction of conformal prediction."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    wanted = min(1.0, level * (1.0 + 1.0 / len(values)))
    return float(values[order][min(int(np.searchsorted(share, wanted - 1e-12)), len(values) - 1)])


def pooled(scores: Iterable[Scores]) -> Scores:
    """Join the scores of several families; their networks stay apart."""
    parts = list(scores)
    if not parts:
        return Scores(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    network = np.concatenate([one.network + 1_000_000 * place for place, one in enumerate(parts)])
    return Scores(
        np.concatenate([one.error for one in parts]), np.concatenate([one.deviation for one in parts]), network
    )
