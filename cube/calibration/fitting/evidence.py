"""Learn from many networks how what the law leaves depends on descriptors, by marginal likelihood; arrays only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_solve
from scipy.optimize import minimize

from roofcube.calibration.fitting.residual import (
    KERNEL,
    Kernel,
    described_covariance,
    named_covariance,
    nearness,
)

if TYPE_CHECKING:
    from roofcube.calibration.fitting.residual import Place

__all__ = ["LEAST_TOPOLOGIES", "learned_kernel"]

Array = np.ndarray[Any, np.dtype[Any]]

# of fewer topologies the names say more than what a scale could be learned from
LEAST_TOPOLOGIES = 15
# rows that scales are learned from: more take longer (as the cube) and tell nearly the same
LEAST_ROWS = 350
ITERATIONS = 60
# priors in ln: two standard deviations of a descriptor, a factor of 2.7; round numbers else, a factor of 2
REACH, REACH_DEVIATION = 2.0, 1.0
SPREAD, OTHERS_DEVIATION = 0.15, 0.7
FARTHEST = 7.0


def learned_kernel(place: Place, residual: Array, linked: Array, noise: Array) -> Kernel:
    """Return the most probable kernel for what the law leaves; that of names alone where there are few topologies.

    Parameters
    ----------
    place : Place
    residual : array
        ln measured - ln law.
    linked : array
        Covariance that uncertain parameters of the law cause.
    noise : array
        Factor on the variance of each row.

    Notes
    -----
    Automatic relevance determination (Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, section 5):
    a descriptor that tells nothing gets a length so large that it does not count.
    """
    if len(np.unique(place.topology)) < LEAST_TOPOLOGIES:
        return KERNEL
    width = place.descriptors.std(0)
    width = np.where(width > 1e-9, width, 1.0)
    rows = np.sort(np.random.default_rng(0).permutation(len(residual))[:LEAST_ROWS])
    problem = _Evidence(place.take(rows), residual[rows], linked[np.ix_(rows, rows)], noise[rows], width)
    found = minimize(problem.value, problem.typical, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}).x
    return problem.kernel(found)


class _Evidence:
    """Minus ln of the marginal likelihood and its gradient in ln of reaches, spread, names and noise."""

    def __init__(self, place: Place, residual: Array, linked: Array, noise: Array, width: Array) -> None:
        self.place, self.residual, self.linked, self.noise, self.width = place, residual, linked, noise, width
        self.named = named_covariance(KERNEL, place, place) * nearness(KERNEL, place.octave, place.octave)
        apart = place.descriptors[:, None, :] - place.descriptors
        self.squares = np.moveaxis((apart / width) ** 2, 2, 0)
        count = len(width)
        self.typical = np.concatenate([np.full(count, np.log(REACH)), np.log([SPREAD, 1.0, KERNEL.noise])])
        self.deviation = np.concatenate([np.full(count, REACH_DEVIATION), np.full(3, OTHERS_DEVIATION)])

    def kernel(self, point: Array) -> Kernel:
        reach = np.exp(point[:-3]) * self.width
        spread, names, noise = np.exp(point[-3:])
        return replace(
            KERNEL,
            amplitude=float(names) * KERNEL.amplitude,
            common=float(names) * KERNEL.common,
            noise=float(noise),
            spread=float(spread),
            reach=tuple(reach.tolist()),
        )

    def value(self, point: Array) -> tuple[float, Array]:
        nothing = 1e10, np.zeros_like(point)
        if not np.isfinite(point).all() or np.abs(point - self.typical).max() > FARTHEST:
            return nothing
        kernel = self.kernel(point)
        described = described_covariance(kernel, self.place, self.place)
        names, noise = np.exp(2.0 * point[-2:])
        total = self.linked + names * self.named + described
        total[np.diag_indices(len(total))] += noise * self.noise
        try:
            factor = np.linalg.cholesky(total)
        except np.linalg.LinAlgError:
            return nothing
        inverse = cho_solve((factor, True), np.eye(len(total)), check_finite=False)
        pull = inverse @ self.residual
        off = (point - self.typical) / self.deviation
        value = 0.5 * self.residual @ pull + np.log(np.diag(factor)).sum() + 0.5 * off @ off
        # of each part of the covariance: half the trace of (inverse - pull pull') times its derivative
        weight = 0.5 * (inverse - np.outer(pull, pull))
        moved = weight * described
        gradient = np.concatenate(
            [
                np.tensordot(self.squares, moved, axes=((1, 2), (0, 1))) * np.exp(-2.0 * point[:-3]),
                [2.0 * moved.sum(), 2.0 * names * (weight * self.named).sum()],
                [2.0 * noise * (np.diag(weight) * self.noise).sum()],
            ]
        )
        return float(value), gradient + off / self.deviation
