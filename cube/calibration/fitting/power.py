"""Watts under load from what the law says the time goes into; arrays only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import nnls

from roofcube.calibration.fitting.mistakes import MISTAKEN, mistakes
from roofcube.calibration.fitting.residual import KERNEL, Kernel, Place, covariance, kernel_inputs, pulled

if TYPE_CHECKING:
    from roofcube.calibration.facts import Machine
    from roofcube.calibration.fitting.family import FamilyModel
    from roofcube.calibration.rows import IndexedRows, Records

__all__ = ["POWER_TERMS", "PowerModel", "fit_power"]

Array = np.ndarray[Any, np.dtype[Any]]

POWER_TERMS = (
    "power_at_rest",
    "power_of_compute_time",
    "power_of_memory_time",
    "power_of_operations",
    "power_of_traffic",
    "power_of_operations_root",
    "power_of_traffic_root",
)
# as of times, but watts repeat better and go with the size of a network and hardly with the precision; what a network
# draws beyond that tells nothing of another one
POWER_KERNEL: Kernel = replace(KERNEL, noise=KERNEL.noise / 2, size_length=3.0, other_topology=0.0, other_precision=0.8)
# how often weights follow the fit, and ln of a factor beyond which a row counts less
ROUNDS, SCATTER = 10, 0.2
# pull of every coefficient to that of the family, as a share of the mean power
PULL = 1.0


@dataclass(frozen=True)
class PowerModel:
    """Non-negative watts per share of time and of utilisation, per hardware, and a residual process.

    Attributes
    ----------
    watts : array, shape (groups, terms)
    pull, place
        Weights of the rows in what the watts leave, and where they lie.
    kernel : Kernel
        Covariance of that.
    """

    hardware: tuple[int, ...]
    watts: Array
    pull: Array
    place: Place
    kernel: Kernel = POWER_KERNEL

    def predict(self, model: FamilyModel, rows: IndexedRows, seconds: Array) -> Array:
        """Return ln watts; NaN of boards without any watts: how large others are says nothing of what they draw."""
        law = (terms(model, rows, seconds) * self.watts_of(rows.machines)[rows.hardware]).sum(1)
        result: Array = np.log(law) + pulled(self.kernel, kernel_inputs(rows), self.place, self.pull)
        return result

    def watts_of(self, machines: Records[Machine]) -> Array:
        """Return watts of all hardware: its own, else the mean of other modes and precisions of the board, or NaN."""
        watts = np.full((len(machines), self.watts.shape[1]), np.nan)
        own, board = np.array(self.hardware), machines.numbers("platform")
        for one in np.flatnonzero(np.isin(board, board[own])).tolist():
            alike = own == one if one in self.hardware else board[own] == board[one]
            watts[one] = self.watts[alike].mean(0)
        return watts


def terms(model: FamilyModel, rows: IndexedRows, seconds: Array) -> Array:
    """Return shares of the time, utilisations and their roots; `seconds` is ln seconds per batch."""
    compute, memory = model.phases(rows)
    pace = np.exp(-seconds) * rows.batch
    size = rows.machine("element_bytes")
    moved = (rows.net("activations") + rows.net("weights") / rows.batch) * size
    operations, traffic = pace * rows.net("ops") / rows.machine("peak"), pace * moved / rows.machine("bandwidth")
    # units that are switched on draw before they are busy: at little use power grows faster than the use
    return np.stack(
        [np.ones(len(rows)), compute, memory, operations, traffic, np.sqrt(operations), np.sqrt(traffic)], axis=1
    )


def fit_power(model: FamilyModel, rows: IndexedRows, seconds: Array, power: Array) -> PowerModel | None:
    """Fit watts to the rows that have them, or give None.

    Parameters
    ----------
    seconds : array
        ln seconds as predicted, so that errors of the law are seen as they will be.
    power : array
        ln watts.
    """
    there = np.flatnonzero(np.isfinite(power))
    if len(there) == 0:
        return None
    rows, seconds, power = rows.take(there), seconds[there], power[there]
    share = terms(model, rows, seconds)
    hardware, group = np.unique(rows.hardware, return_inverse=True)
    # boards of one family may draw ten times as much as others: what they share is how watts grow from their own level
    level = np.array([np.median(power[group == one]) for one in range(len(hardware))])
    relative = power - level[group]
    family = _relative_fit(share, relative, np.zeros(share.shape[1]))
    watts = np.array(
        [
            np.exp(level[one]) * _relative_fit(share[group == one], relative[group == one], family)
            for one in range(len(hardware))
        ]
    )
    residual = power - np.log((share * watts[group]).sum(1))
    place = kernel_inputs(rows)
    total = covariance(POWER_KERNEL, place, place)
    noise = np.full(len(residual), POWER_KERNEL.noise**2)
    wrong, _ = mistakes(total + np.diag(noise), residual, place.corner)
    pull = np.linalg.solve(total + np.diag(np.where(wrong, MISTAKEN, 1.0) * noise), residual)
    return PowerModel(tuple(int(one) for one in hardware), watts, pull, place)


def _relative_fit(share: Array, power: Array, centre: Array) -> Array:
    """Fit non-negative shares of a typical power to relative errors, drawn to a centre where the rows say little.

    A row counts the less the farther it is off (soft L1 on ln watts, by weights that follow the fit), so that one wrong
    figure moves the others little.
    """
    ridge = np.eye(share.shape[1]) / PULL
    # at rest there is always some power: the first term is not drawn to 0
    anchor = np.where(np.arange(len(centre)) == 0, np.where(centre[0] > 0, centre[0], 1.0), centre)
    expected, watts = np.ones(len(power)), anchor
    for _ in range(ROUNDS):
        weight = (1.0 + (np.log(expected) - power) ** 2 / SCATTER**2) ** -0.25 / expected
        matrix, target = np.vstack([share * weight[:, None], ridge]), np.exp(power) * weight
        watts = np.maximum(nnls(matrix, np.concatenate([target, ridge @ anchor]))[0], 1e-12)
        expected = share @ watts
    return watts
