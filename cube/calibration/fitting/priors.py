"""What is believed of a family's parameters before its rows: weakly, or as other families teach; arrays only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.facts import TILES
from roofcube.calibration.fitting.law import PARAMETERS, PRIOR_COVARIANCE, PRIOR_DEVIATION, PRIOR_MEAN
from roofcube.calibration.fitting.least_squares import Prior

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["joint_prior", "prior_from", "weak_prior"]

Array = np.ndarray[Any, np.dtype[Any]]

# how many families the weak prior counts for, beside the other families, in the spread and in the mean
WEIGHT_OF_SPREAD, WEIGHT_OF_MEAN = 3.0, 1.5
# nine to one before any row is seen: a board that is slow in one kind of work is slow in most, it is like others, and
# an overhead that its rows do not show is none
ODDS = 9.0
# overheads that may be hidden behind the work, and what is left of them then, known to a factor of 2.7
HIDDEN = (("input_overhead",), ("fixed_overhead",), ("input_overhead", "fixed_overhead"))
LEFT, LEFT_DEVIATION = 1e4, 1.0


def weak_prior() -> Prior:
    """Return the prior of a family when no other family is known, every parameter by itself."""
    return Prior(PRIOR_MEAN, np.diag(PRIOR_DEVIATION**2))


def joint_prior() -> Prior:
    """Return the same with most of the doubt in one factor on overheads and one on all the rest."""
    return Prior(PRIOR_MEAN, PRIOR_COVARIANCE, ODDS)


def prior_from(others: Sequence[Array], *, hidden: bool = True) -> tuple[Prior, ...]:
    """Learn the priors of a new family from the parameters of the others: their mean, and how they vary together.

    Parameters
    ----------
    others : sequence of array, shape (tiles, parameters)
        `FamilyModel.modes` of the other families.
    hidden : bool
        Whether overheads may be hidden.

    Returns
    -------
    tuple of Prior
        One for each of `TILES`, once around each of the weak priors, then the weak ones themselves, for a family that
        is like none of the others; then the same with overheads hidden. Evidence weighs them.
    """
    weak = (weak_prior(), joint_prior())
    learnt = [
        replace(_learnt(prior, np.array([one[tile] for one in others])), plausible=ODDS * prior.plausible)
        for prior in weak
        for tile in range(len(TILES))
        if len(others)
    ]
    shown = (*learnt, *(prior for prior in weak for _ in TILES))
    return (*shown, *(_hidden(prior, names) for names in HIDDEN for prior in shown if hidden))


def _hidden(prior: Prior, names: Sequence[str]) -> Prior:
    """Return the prior of a family whose overheads of these names take next to no time."""
    here = np.array([one.name in names for one in PARAMETERS])
    mean, covariance = np.where(here, np.log(LEFT), prior.mean), np.where(here | here[:, None], 0.0, prior.covariance)
    return Prior(mean, covariance + np.diag(here * LEFT_DEVIATION**2), ODDS * prior.plausible)


def _learnt(weak: Prior, theta: Array) -> Prior:
    count = len(theta)
    mean = (WEIGHT_OF_MEAN * weak.mean + theta.sum(0)) / (WEIGHT_OF_MEAN + count)
    off = theta - theta.mean(0)
    covariance = (WEIGHT_OF_SPREAD * weak.covariance + off.T @ off) / (WEIGHT_OF_SPREAD + count)
    # the mean of few families is itself uncertain
    return Prior(mean, covariance * (1.0 + 1.0 / count))
