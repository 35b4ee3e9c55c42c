"""Fit the law to rows of one family: MAP in log space, pooled over modes and precisions; arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from roofcube.calibration.fitting.law import OVERHEAD, PARAMETERS, log_time

__all__ = ["GROUP_DEVIATION", "SCATTER", "Prior", "Solution", "by_group", "fit_law"]

Array = np.ndarray[Any, np.dtype[Any]]

COUNT = len(PARAMETERS)
# how far a mode or precision may depart from its family, in ln
GROUP_DEVIATION = np.where(OVERHEAD, 0.4, 0.25)
# scatter of ln time around the law beyond which a row counts less (soft L1)
SCATTER = 0.1
ITERATIONS = 60
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Prior:
    """Normal prior of the family's parameters in log space."""

    mean: Array
    covariance: Array


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


def fit_law(feature: Array, target: Array, group: Array, groups: int, prior: Prior) -> Solution:
    """Find the most probable parameters of a family and its groups by damped Gauss–Newton.

    Parameters
    ----------
    feature : array, shape (rows, parameters)
    target : array
        ln of the seconds measured.
    group : array of int
        Mode and precision of each row; a family with one group has no group parameters.
    """
    problem = _Problem(feature, target, group, groups if groups > 1 else 0, prior)
    theta = problem.start()
    value, gradient = problem.model(theta)
    loss = problem.loss(theta, value)
    damping = 1e-3
    for _ in range(ITERATIONS):
        hessian, slope = problem.normal(theta, value, gradient)
        for _ in range(10):
            step = np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), -slope)
            step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
            trial = problem.model(theta + step)
            trial_loss = problem.loss(theta + step, trial[0])
            if trial_loss <= loss:
                break
            damping *= 10.0
        else:
            break
        gain, loss = loss - trial_loss, trial_loss
        theta, (value, gradient) = theta + step, trial
        damping = max(damping / 10.0, 1e-9)
        if gain < TOLERANCE:
            break
    hessian, _ = problem.normal(theta, value, gradient)
    evidence = loss + np.linalg.slogdet(hessian)[1] - np.linalg.slogdet(problem.precision)[1]
    return Solution(theta, np.sqrt(1.0 + ((value - target) / SCATTER) ** 2), float(evidence))


class _Problem:
    """The loss and its derivatives; groups add to the family's parameters."""

    def __init__(self, feature: Array, target: Array, group: Array, groups: int, prior: Prior) -> None:
        self.feature, self.target, self.group = feature, target, group
        self.members = [np.flatnonzero(group == one) for one in range(groups)]
        self.mean = np.concatenate([prior.mean, np.zeros(COUNT * groups)])
        self.precision = np.zeros((len(self.mean), len(self.mean)))
        self.precision[:COUNT, :COUNT] = np.linalg.inv(prior.covariance)
        tail = np.arange(COUNT, len(self.mean))
        self.precision[tail, tail] = np.tile(GROUP_DEVIATION**-2, groups)

    def start(self) -> Array:
        return self.mean.copy()

    def model(self, theta: Array) -> tuple[Array, Array]:
        return log_time(self.feature, by_group(theta, len(self.members) or 1)[self.group])

    def loss(self, theta: Array, value: Array) -> float:
        scaled = (value - self.target) / SCATTER
        off = theta - self.mean
        return float((2.0 * (np.sqrt(1.0 + scaled**2) - 1.0)).sum() + off @ self.precision @ off)

    def normal(self, theta: Array, value: Array, gradient: Array) -> tuple[Array, Array]:
        residual = value - self.target
        weight = 1.0 / np.sqrt(1.0 + (residual / SCATTER) ** 2) / SCATTER**2
        weighted = gradient * weight[:, None]
        hessian = self.precision.copy()
        slope = self.precision @ (theta - self.mean)
        first = slice(0, COUNT)
        if not self.members:
            return hessian + weighted.T @ gradient, slope + weighted.T @ residual
        for place, member in enumerate(self.members):
            own = slice(COUNT * (place + 1), COUNT * (place + 2))
            block = weighted[member].T @ gradient[member]
            pull = weighted[member].T @ residual[member]
            hessian[first, first] += block
            hessian[first, own] += block
            hessian[own, first] += block.T
            hessian[own, own] += block
            slope[first] += pull
            slope[own] += pull
        return hessian, slope
