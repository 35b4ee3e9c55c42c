"""Fit the law to rows of one family: MAP in log space, pooled over modes and precisions; arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.fitting.law import OVERHEAD, PARAMETERS, log_time

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["GROUP_DEVIATION", "SCATTER", "Prior", "Solution", "by_group", "fit_laws"]

Array = np.ndarray[Any, np.dtype[Any]]

COUNT = len(PARAMETERS)
# how far a mode or precision may depart from its family, in ln
GROUP_DEVIATION = np.where(OVERHEAD, 0.4, 0.25)
# scatter of ln time around the law beyond which a row counts less (soft L1)
SCATTER = 0.1
ITERATIONS = 60
# values of matrices and gradients that are held at once, 32 MB
MOST = 4_000_000
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Prior:
    """Normal prior of the family's parameters in log space, and how likely it is beforehand beside others."""

    mean: Array
    covariance: Array
    plausible: float = 1.0


@dataclass(frozen=True)
class Solution:
    """Where the fit ended.

    Attributes
    ----------
    theta : array
        Family parameters, then what each group adds to them.
    noise : array
        Factor ≥ 1 on the variance of each row: outliers count less.
    evidence : float
        −2 ln of the Laplace evidence: lower is better; chooses between structures.
    """

    theta: Array
    noise: Array
    evidence: float


def by_group(theta: Array, groups: int) -> Array:
    """Return the parameters of every group; one more row, the last, for a group that was not seen."""
    family = theta[:COUNT]
    own = theta[COUNT:].reshape(-1, COUNT) if len(theta) > COUNT else np.zeros((groups, COUNT))
    return np.vstack([family + own, family])


def fit_laws(
    features: Sequence[Array], target: Array, group: Array, groups: int, priors: Sequence[Prior]
) -> list[Solution]:
    """Find the most probable parameters of a family and its groups for each prior, by damped Gauss–Newton.

    All are found at once: of few rows one fit is but a few numbers, and what it costs is going from step to step.

    Parameters
    ----------
    features : sequence of array, shape (rows, parameters)
        For each prior.
    target : array
        ln of the seconds measured.
    group : array of int
        Mode and precision of each row; a family with one group has no group parameters.
    """
    groups = groups if groups > 1 else 0
    most = max(1, MOST // ((COUNT * (1 + groups)) ** 2 + COUNT * len(target)))
    if len(priors) > most:
        parts = [slice(first, first + most) for first in range(0, len(priors), most)]
        return [one for part in parts for one in fit_laws(features[part], target, group, groups, priors[part])]
    problem = _Problems(np.array(features), target, group, groups, priors)
    every = np.arange(len(priors))
    theta = problem.mean.copy()
    value, gradient = problem.model(every, theta)
    loss = problem.loss(every, theta, value)
    damping = np.full(len(priors), 1e-3)
    left = every
    for _ in range(ITERATIONS):
        hessian, slope = problem.normal(left, theta[left], value[left], gradient[left])
        gain = np.zeros(len(left))
        tried = np.arange(len(left))
        for _ in range(10):
            one = left[tried]
            steep = hessian[tried] + damping[one, None, None] * hessian[tried] * np.eye(hessian.shape[1])
            step = np.linalg.solve(steep, -slope[tried][..., None])[..., 0]
            step *= np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(1), 1e-12))[:, None]
            trial = problem.model(one, theta[one] + step)
            trial_loss = problem.loss(one, theta[one] + step, trial[0])
            better = trial_loss <= loss[one]
            there = one[better]
            gain[tried[better]] = loss[there] - trial_loss[better]
            theta[there] += step[better]
            loss[there], value[there], gradient[there] = trial_loss[better], trial[0][better], trial[1][better]
            damping[there] = np.maximum(damping[there] / 10.0, 1e-9)
            damping[one[~better]] *= 10.0
            tried = tried[~better]
            if not len(tried):
                break
        # what no step makes better is at its best, as is what gained next to nothing
        left = left[gain >= TOLERANCE]
        if not len(left):
            break
    hessian, _ = problem.normal(every, theta, value, gradient)
    evidence = loss + np.linalg.slogdet(hessian)[1] - np.linalg.slogdet(problem.precision)[1]
    noise = np.sqrt(1.0 + ((value - target) / SCATTER) ** 2)
    return [Solution(*found) for found in zip(theta, noise, evidence.tolist(), strict=True)]


class _Problems:
    """The losses of several priors and their derivatives; groups add to the family's parameters."""

    def __init__(self, feature: Array, target: Array, group: Array, groups: int, priors: Sequence[Prior]) -> None:
        self.feature, self.target, self.group, self.groups = feature, target, group, groups
        self.members = [np.flatnonzero(group == one) for one in range(groups)]
        size = COUNT * (1 + groups)
        self.mean, self.precision = np.zeros((len(priors), size)), np.zeros((len(priors), size, size))
        self.mean[:, :COUNT] = [prior.mean for prior in priors]
        self.precision[:, :COUNT, :COUNT] = [np.linalg.inv(prior.covariance) for prior in priors]
        tail = np.arange(COUNT, size)
        self.precision[:, tail, tail] = np.tile(GROUP_DEVIATION**-2, groups)

    def model(self, some: Array, theta: Array) -> tuple[Array, Array]:
        by_row = theta[:, None, :COUNT]
        if self.groups:
            by_row = (by_row + theta[:, COUNT:].reshape(len(some), self.groups, COUNT))[:, self.group]
        return log_time(self.feature[some], by_row)

    def loss(self, some: Array, theta: Array, value: Array) -> Array:
        scaled, off = (value - self.target) / SCATTER, theta - self.mean[some]
        prior = (off[:, None, :] @ self.precision[some] @ off[:, :, None])[:, 0, 0]
        result: Array = (2.0 * (np.sqrt(1.0 + scaled**2) - 1.0)).sum(1) + prior
        return result

    def normal(self, some: Array, theta: Array, value: Array, gradient: Array) -> tuple[Array, Array]:
        residual = value - self.target
        weight = 1.0 / np.sqrt(1.0 + (residual / SCATTER) ** 2) / SCATTER**2
        weighted = np.swapaxes(gradient * weight[..., None], 1, 2)
        hessian = self.precision[some]
        slope = (hessian @ (theta - self.mean[some])[..., None])[..., 0]
        first = slice(0, COUNT)
        if not self.members:
            return hessian + weighted @ gradient, slope + (weighted @ residual[..., None])[..., 0]
        for place, member in enumerate(self.members):
            own = slice(COUNT * (place + 1), COUNT * (place + 2))
            block = weighted[:, :, member] @ gradient[:, member]
            pull = (weighted[:, :, member] @ residual[:, member, None])[..., 0]
            hessian[:, first, first] += block
            hessian[:, first, own] += block
            hessian[:, own, first] += np.swapaxes(block, 1, 2)
            hessian[:, own, own] += block
            slope[:, first] += pull
            slope[:, own] += pull
        return hessian, slope
