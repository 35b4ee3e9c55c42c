"""Dataflow designs whose initiation interval is given: time = interval · (batch + fill); arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.vocabulary import BOUNDS

if TYPE_CHECKING:
    from roofcube.calibration.measured import Measured

__all__ = ["PipelineFill", "fit_fill", "interval_seen"]

Array = np.ndarray[Any, np.dtype[Any]]

# the largest batch must be this many times the smallest before its pace counts as the interval
REACH = 8.0
# before anything is measured: two to three stages' worth of an interval, known to a factor of 3
TYPICAL, DOUBT = 2.5, np.log(3.0)


@dataclass(frozen=True)
class PipelineFill:
    """Inputs' worth of time that filling the pipeline costs, and how well that holds.

    Attributes
    ----------
    inputs : float
        Median over the configurations seen.
    errors : array
        |ln| errors of rows predicted with the fill of the other configurations.
    """

    inputs: float
    errors: Array

    def log_time(self, interval: Array, batch: Array) -> Array:
        """Return ln seconds per batch."""
        result: Array = np.log(interval) + np.log(batch + self.inputs)
        return result

    def binding(self, batch: Array) -> Array:
        """Return the flag of what takes the larger part: the slowest stage at its pace, or filling the pipeline."""
        flag: Array = np.where(batch >= self.inputs, BOUNDS["compute"], BOUNDS["overhead"]).astype("i1")
        return flag

    def half_width(self, level: float) -> float:
        """Return the half-width of the interval in ln."""
        if len(self.errors) < 5:
            return float(DOUBT)
        return float(np.quantile(self.errors, min(1.0, level * (1 + 1 / len(self.errors))), method="higher"))


def interval_seen(batch: Array, seconds: Array) -> float:
    """Return the pace at the largest batch as the interval of a configuration; NaN if its batches are too alike."""
    if batch.max() < REACH * batch.min():
        return float("nan")
    return float(np.exp(seconds[np.argmax(batch)]) / batch.max())


def fit_fill(data: Measured) -> PipelineFill:
    """Learn the fill from configurations with several batches, or with the interval given.

    The row that an interval was taken from says nothing of the fill and is left out.
    """
    flows = np.flatnonzero(data.rows.known & data.usable)
    flows = flows[data.rows.take(flows).machine("dataflow")] if len(flows) else flows
    configuration = data.rows.configuration()[flows]
    found: list[tuple[float, Array, Array]] = []
    for one in np.unique(configuration):
        here = flows[configuration == one]
        batch, seconds, given = data.rows.batch[here], data.seconds[here], data.interval[here]
        interval = float(np.nanmedian(given)) if np.isfinite(given).any() else interval_seen(batch, seconds)
        rest = np.isfinite(given) | (batch < batch.max())
        if not np.isfinite(interval) or not rest.any():
            continue
        excess = np.exp(seconds[rest]) / interval - batch[rest]
        found.append((float(np.median(np.maximum(excess, 0.0))), batch[rest], seconds[rest] - np.log(interval)))
    if not found:
        return PipelineFill(TYPICAL, np.zeros(0))
    fills = np.array([fill for fill, _, _ in found])
    errors = []
    for place, (_, batch, target) in enumerate(found):
        others = np.delete(fills, place)
        middle = float(np.median(others)) if len(others) else TYPICAL
        errors.append(np.abs(np.log(batch + middle) - target))
    return PipelineFill(float(np.median(fills)), np.concatenate(errors))
