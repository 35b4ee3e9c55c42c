"""What picking by prediction costs a designer who has a floor on accuracy and a limit on latency; arrays only."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_ndtr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roofcube.calibration.measured import Measured

__all__ = ["FLOORS", "LIMITS", "choices", "regret"]

Array = np.ndarray[Any, np.dtype[Any]]

# quantiles of the accuracies and of the measured latencies of a pool's rows; no limit at all is one more
FLOORS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9)
LIMITS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)

# difference of ln throughput below which two predictions are the same
TIE = 1e-9


def choices(data: Measured, predicted: Array, *, within: bool, deviation: Array | None = None) -> dict[str, Any] | None:
    """Pick the configuration and batch of highest predicted throughput in every scenario; compare with the best.

    Parameters
    ----------
    data : Measured
        With `top1_percent` and `task` in its table.
    predicted : array
        ln seconds per batch.
    within : bool
        Choose inside each platform (and task), or across all platforms of a task.
    deviation : array, optional
        Of ln seconds as the model says: picks the highest throughput times chance to hold the limit.

    Returns
    -------
    dict, optional
        `scenarios`; `regret_percent`, mean loss of throughput of the picks that hold the limit;
        `latency_missed_percent`; `all_in_percent`, mean loss if a pick that misses the limit, or no pick, counts as
        losing everything.
    """
    if not {"top1_percent", "task"} <= set(data.table.columns):
        return None
    accuracy = data.table["top1_percent"].cast(float).fill_null(float("nan")).to_numpy()
    there = np.flatnonzero(data.scored & np.isfinite(accuracy) & np.isfinite(predicted))
    columns = ["task", "platform"] if within else ["task"]
    pool = data.table[there].select(columns).rows()
    outcomes: list[tuple[float, bool]] = []
    for one in dict.fromkeys(pool):
        here = there[[key == one for key in pool]]
        doubt = None if deviation is None else deviation[here]
        outcomes += regret(data.rows.batch[here], data.seconds[here], predicted[here], accuracy[here], doubt)
    if not outcomes:
        return None
    loss = np.array([value for value, _ in outcomes])
    missed = np.array([miss for _, miss in outcomes])
    return {
        "rows": len(there),
        "scenarios": len(outcomes),
        "regret_percent": 100.0 * float(loss[~missed].mean()) if (~missed).any() else None,
        "latency_missed_percent": 100.0 * float(missed.mean()),
        "all_in_percent": 100.0 * float(np.where(missed, 1.0, loss).mean()),
    }


def regret(
    batch: Array, seconds: Array, predicted: Array, accuracy: Array, deviation: Array | None = None
) -> list[tuple[float, bool]]:
    """Return for each scenario the share of throughput lost, and whether the pick missed the limit or none met it."""
    rate, guess = np.log(batch) - seconds, np.log(batch) - predicted
    outcomes = []
    for floor, limit in _scenarios(seconds, accuracy):
        accurate = accuracy >= floor
        feasible = accurate & (seconds <= limit)
        if not feasible.any():
            continue
        worth = guess + _log_chance(predicted, limit, deviation)
        allowed = np.flatnonzero(accurate & np.isfinite(worth))
        if not len(allowed):
            outcomes.append((1.0, True))
            continue
        # a model that knows no batch ties; the largest batch is what its user would take
        top = allowed[worth[allowed] >= worth[allowed].max() - TIE]
        pick = top[np.argmax(batch[top])]
        loss = 1.0 - float(np.exp(rate[pick] - rate[feasible].max()))
        outcomes.append((max(loss, 0.0), bool(seconds[pick] > limit)))
    return outcomes


def _log_chance(predicted: Array, limit: float, deviation: Array | None) -> Array:
    """Return ln of the chance that the limit is held: 0 or −∞ where the prediction is taken as certain."""
    if deviation is None:
        return np.where(predicted <= limit, 0.0, -np.inf)
    chance: Array = log_ndtr((limit - predicted) / deviation)
    return chance


def _scenarios(seconds: Array, accuracy: Array) -> Iterator[tuple[float, float]]:
    floors = np.unique(np.quantile(accuracy, FLOORS, method="nearest")).tolist()
    limits = np.unique(np.quantile(seconds, LIMITS, method="nearest")).tolist()
    yield from product(floors, [*limits, np.inf])
