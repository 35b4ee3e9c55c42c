"""Errors on networks none of whose kin was seen: how wide the interval of a new architecture must be; arrays only.

A network left out by itself has sisters of its architecture that stay in: its error says nothing of an architecture
that is new. So whole kin are left out. One kin among many hardly moves the parameters of the law, but it moves the
scales of the Gaussian process: with scales learned from all rows the errors of a kin left out were up to a fifth too
small, with the parameters learned anew as well no larger (three boards of 300 networks each). So it is the scales that
are learned anew. All other rows stay: with fewer the model would doubt more, and be less wrong in proportion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_solve

from roofcube.calibration.fitting.evidence import learned_kernel
from roofcube.calibration.fitting.intervals import Scores
from roofcube.calibration.fitting.law import features, log_time
from roofcube.calibration.fitting.residual import covariance, parameter_covariance

if TYPE_CHECKING:
    from roofcube.calibration.fitting.family import FamilyModel
    from roofcube.calibration.fitting.residual import Kernel, Posterior
    from roofcube.calibration.rows import IndexedRows

__all__ = ["scores_without_kin", "unseen_kin"]

Array = np.ndarray[Any, np.dtype[Any]]

# how many parts of the kin are left out in turn, each a fit of the scales
PARTS, SEED = 5, 20210


def unseen_kin(seen: IndexedRows, rows: IndexedRows) -> Array:
    """Return which rows are of networks none of whose kin was seen."""
    unseen: Array = ~np.isin(rows.net("kin"), np.unique(seen.net("kin")))
    return unseen


def scores_without_kin(model: FamilyModel, rows: IndexedRows, target: Array) -> Scores | None:
    """Predict the networks of each kin from the others; None where all are of one kin.

    Parameters
    ----------
    model : FamilyModel
        Fitted to these rows, in their order.
    rows : IndexedRows
    target : array
        Their ln seconds.
    """
    kin, number = np.unique(rows.net("kin"), return_inverse=True)
    if len(kin) < 2:
        return None
    likely = max(model.structures, key=lambda one: one.weight)
    feature = features(rows, likely.tile)
    error, deviation = np.empty(len(rows)), np.empty(len(rows))
    for part in np.array_split(np.random.default_rng(SEED).permutation(len(kin)), min(PARTS, len(kin))):
        left_out = np.isin(number, part)
        out, kept = np.flatnonzero(left_out), np.flatnonzero(~left_out)
        mean, deviation[out] = _predicted(likely.posterior, feature, target, out, kept)
        error[out] = np.abs(mean - target[out])
    return Scores(error, deviation, rows.network, scaled=True, units=len(kin))


def _rows_of(known: Posterior, index: Array, kernel: Kernel) -> Posterior:
    """Return what some of the rows tell by a kernel, of how sure it is; what it expects needs another pull."""
    return replace(
        known,
        place=known.place.take(index),
        gradient=known.gradient[index],
        group=known.group[index],
        noise=known.noise[index],
        pull=known.pull[index],
        kernel=kernel,
    )


def _predicted(known: Posterior, feature: Array, target: Array, out: Array, kept: Array) -> tuple[Array, Array]:
    """Return mean and deviation of ln seconds of rows left out, with a kernel learned from the rest."""
    value, gradient = log_time(feature, known.theta[known.group])
    left = (target - value)[kept]

    def linked(here: Array) -> Array:
        return parameter_covariance(
            gradient[here], known.group[here], gradient[kept], known.group[kept], known.prior, known.groups
        )

    kernel = learned_kernel(known.place.take(kept), left, linked(kept), known.noise[kept])
    rest, there = _rows_of(known, kept, kernel), known.place.take(out)
    shared = covariance(kernel, there, rest.place)
    mean = value[out] + (linked(out) + shared) @ cho_solve((rest.factor, True), left, check_finite=False)
    return mean, rest.deviation(feature[out], known.group[out], shared)
