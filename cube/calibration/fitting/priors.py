"""What is believed of a family's parameters before its rows: weakly, or as other families teach; arrays only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.facts import TILES
from roofcube.calibration.fitting.law import PRIOR_COVARIANCE, PRIOR_DEVIATION, PRIOR_MEAN
from roofcube.calibration.fitting.least_squares import Prior

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["joint_prior", "prior_from", "weak_prior"]

Array = np.ndarray[Any, np.dtype[Any]]

# how many families the weak prior counts for, beside the other families, in the spread and in the mean
WEIGHT_OF_SPREAD, WEIGHT_OF_MEAN = 3.0, 1.5


def weak_prior() -> Prior:
    """Return the prior of a family when no other family is known, every parameter by itself."""
    return Prior(PRIOR_MEAN, np.diag(PRIOR_DEVIATION**2))


def joint_prior() -> Prior:
    """Return the same with most of the doubt in one factor on overheads and one on all the rest."""
    return Prior(PRIOR_MEAN, PRIOR_COVARIANCE)


def prior_from(others: Sequence[Array]) -> tuple[Prior, ...]:
    """Learn the priors of a new family from the parameters of the others: their mean, and how they vary together.

    Parameters
    ----------
    others : sequence of array, shape (tiles, parameters)
        `FamilyModel.modes` of the other families.

    Returns
    -------
    tuple of Prior
        One for each of `TILES`, once around each of the weak priors, then the weak ones themselves, for a family that
        is like none of the others: evidence weighs them.
    """
    weak = (weak_prior(), joint_prior())
    unlike = tuple(prior for prior in weak for _ in TILES)
    if not others:
        return unlike
    learnt = (_learnt(prior, np.array([one[tile] for one in others])) for prior in weak for tile in range(len(TILES)))
    return (*learnt, *unlike)


def _learnt(weak: Prior, theta: Array) -> Prior:
    count = len(theta)
    mean = (WEIGHT_OF_MEAN * weak.mean + theta.sum(0)) / (WEIGHT_OF_MEAN + count)
    off = theta - theta.mean(0)
    covariance = (WEIGHT_OF_SPREAD * weak.covariance + off.T @ off) / (WEIGHT_OF_SPREAD + count)
    # the mean of few families is itself uncertain
    return Prior(mean, covariance * (1.0 + 1.0 / count))
