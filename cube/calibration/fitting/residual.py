"""A Gaussian process on what the law leaves, joint with the uncertainty of its parameters; arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from roofcube.calibration.fitting.law import log_time
from roofcube.calibration.fitting.least_squares import GROUP_DEVIATION, Prior, Solution, by_group

if TYPE_CHECKING:
    from roofcube.calibration.rows import IndexedRows

__all__ = [
    "KERNEL",
    "NEAR",
    "Kernel",
    "Place",
    "Posterior",
    "covariance",
    "described_covariance",
    "descriptors",
    "kernel_inputs",
    "named_covariance",
    "nearest",
    "nearness",
    "parameter_covariance",
    "posterior",
    "pulled",
    "without_blocks",
]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Kernel:
    """Covariance of ln residuals inside a family: round numbers, the same for every platform.

    Attributes
    ----------
    amplitude, common : float
        Deviation of what depends on the size of the network, and of what all sizes share.
    size_length : float
        Correlation length in ln operations; `batch_length` in octaves of the batch.
    other_topology, other_mode, other_precision : float
        Correlation with the same point of another topology, mode (or board), precision as executed.
    noise : float
        Deviation of a repeated measurement.
    spread : float
        Deviation of what depends on the descriptors of a network, whatever its name; 0 without such a part.
    reach : tuple of float
        Correlation length along each descriptor.
    """

    amplitude: float = 0.15
    common: float = 0.07
    size_length: float = 2.0
    batch_length: float = 1.0
    other_topology: float = 0.3
    other_mode: float = 0.95
    other_precision: float = 0.6
    noise: float = 0.04
    spread: float = 0.0
    reach: tuple[float, ...] = ()

    @property
    def variance(self) -> float:
        """Prior variance of one residual."""
        return self.amplitude**2 + self.common**2 + self.spread**2


KERNEL = Kernel()
# a board that was not measured may be off by one factor beside: as much as one parameter of a board is
UNSEEN = 0.25
# a network is near one that was measured where their residuals agree as at one correlation length
NEAR = float(np.exp(-0.5))
# rows at a time: a block times the rows of a thousand networks is 60 MB
BLOCK = 8192


@dataclass(frozen=True)
class Place:
    """Where rows lie in the space of the kernel; `corner` numbers configurations, `descriptors` has a column each."""

    corner: Array
    topology: Array
    mode: Array
    precision: Array
    size: Array
    octave: Array
    descriptors: Array

    def take(self, index: Array) -> Place:
        """Return the places of some rows."""
        return Place(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def kernel_inputs(rows: IndexedRows) -> Place:
    """Locate rows."""
    return Place(
        rows.configuration(),
        rows.nets.numbers("topology")[rows.network],
        rows.machines.numbers("platform", "mode")[rows.hardware],
        rows.machine("element_bytes"),
        np.log(rows.net("ops")),
        np.log2(rows.batch),
        descriptors(rows),
    )


def descriptors(rows: IndexedRows) -> Array:
    """Return what tells networks apart but their names: sizes in ln, the batch in octaves, shares of kinds of work."""
    ops, elementwise, activations = rows.net("ops"), rows.net("elementwise"), rows.net("activations")
    layers, kernels, weights = rows.net("layers"), rows.net("kernels"), rows.net("weights")
    return np.stack(
        [
            np.log(ops),
            np.log2(rows.batch),
            np.log(ops / (activations + elementwise)),
            np.log(kernels),
            np.log(layers),
            kernels / layers,
            np.log(weights + 1.0),
            np.log(weights / layers + 1.0),
            np.log(elementwise + 1.0),
            np.log(rows.net("patches") + 1.0),
            rows.net("grouped_ops") / ops,
            rows.net("grouped_activations") / activations,
            rows.net("dense_ops") / ops,
            rows.net("attention_ops") / ops,
        ],
        axis=1,
    )


def covariance(kernel: Kernel, here: Place, there: Place) -> Array:
    """Return the covariance matrix of two sets of places."""
    named = named_covariance(kernel, here, there) * nearness(kernel, here.octave, there.octave)
    return named + described_covariance(kernel, here, there) if kernel.spread else named


def named_covariance(kernel: Kernel, here: Place, there: Place) -> Array:
    """Return the part that knows the names of networks and their sizes, without its batch factor."""
    size = (
        kernel.amplitude**2 * np.exp(-0.5 * ((here.size[:, None] - there.size) / kernel.size_length) ** 2)
        + kernel.common**2
    )
    for name, other in (
        ("topology", kernel.other_topology),
        ("mode", kernel.other_mode),
        ("precision", kernel.other_precision),
    ):
        size = size * np.where(getattr(here, name)[:, None] == getattr(there, name), 1.0, other)
    return size


def described_covariance(kernel: Kernel, here: Place, there: Place) -> Array:
    """Return the part that knows the descriptors of networks."""
    ours, theirs = here.descriptors / kernel.reach, there.descriptors / kernel.reach
    apart = (ours**2).sum(1)[:, None] + (theirs**2).sum(1) - 2.0 * ours @ theirs.T
    size: Array = kernel.spread**2 * np.exp(-0.5 * np.maximum(apart, 0.0))
    for name, other in (("mode", kernel.other_mode), ("precision", kernel.other_precision)):
        same = getattr(here, name)[:, None] == getattr(there, name)
        if not same.all():
            size *= np.where(same, 1.0, other)
    return size


def nearness(kernel: Kernel, here: Array, there: Array) -> Array:
    """Return the batch factor of the covariance."""
    near: Array = np.exp(-0.5 * ((here[:, None] - there) / kernel.batch_length) ** 2)
    return near


def pulled(kernel: Kernel, here: Place, there: Place, pull: Array) -> Array:
    """Return ``covariance(kernel, here, there) @ pull``; rows there have few distinct batches, summed first."""
    knots, knot = np.unique(there.octave, return_inverse=True)
    # rows of one configuration differ by batch alone
    _, first, inverse = np.unique(here.corner, return_index=True, return_inverse=True)
    linked = named_covariance(kernel, here.take(first), there) * pull
    table = np.zeros((len(first), len(knots)))
    np.add.at(table.T, knot, linked.T)
    octaves, octave = np.unique(here.octave, return_inverse=True)
    near = nearness(kernel, octaves, knots)
    result: Array = np.einsum("ij,ij->i", table[inverse], near[octave])
    for start in range(0, len(result) if kernel.spread else 0, BLOCK):
        block = np.arange(start, min(start + BLOCK, len(result)))
        result[block] += described_covariance(kernel, here.take(block), there) @ pull
    return result


def nearest(kernel: Kernel, here: Place, there: Place) -> Array:
    """Return the correlation of each place with the nearest one there by descriptors."""
    found = np.empty(len(here.octave))
    for start in range(0, len(found), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(found)))
        found[block] = described_covariance(kernel, here.take(block), there).max(1)
    result: Array = found / kernel.spread**2
    return result


@dataclass(frozen=True)
class Posterior:
    """Law and residual of one family in one structure, conditioned on its rows.

    Attributes
    ----------
    theta : array
        Most probable parameters of each group and, last, of an unseen group.
    tilt : array
        What to add to them along the tangent once the residual is known.
    pull : array
        Weights of the training rows in the residual.
    """

    theta: Array
    tilt: Array
    pull: Array
    place: Place
    gradient: Array
    group: Array
    groups: int
    prior: Prior
    noise: Array
    kernel: Kernel = KERNEL

    @cached_property
    def factor(self) -> Array:
        """Cholesky factor of the covariance of the training rows; computed alike when made and when loaded."""
        linked = parameter_covariance(self.gradient, self.group, self.gradient, self.group, self.prior, self.groups)
        return _factor(self.kernel, linked, self.place, self.noise)

    def law(self, feature: Array, group: Array) -> Array:
        """Return the expected ln seconds but for the residual: the law and its tilt along its tangent."""
        value, gradient = log_time(feature, self.theta[group])
        result: Array = value + (gradient * self.tilt[group]).sum(1)
        return result

    def nearness(self, here: Place) -> Array:
        """Return the correlation with the nearest training row by descriptors, 1 at it and 0 far from all of them."""
        return nearest(self.kernel, here, self.place)

    def deviation(self, feature: Array, group: Array, shared: Array, *, unseen: bool = True) -> Array:
        """Return the standard deviation of ln seconds: parameters, residual and noise.

        `shared` is the covariance of the residual with that of the training rows. `unseen` is false where somebody else
        tells how far a group that was not seen may depart from the others.
        """
        _, gradient = log_time(feature, self.theta[group])
        linked = parameter_covariance(gradient, group, self.gradient, self.group, self.prior, self.groups)
        own = ((gradient @ self.prior.covariance) * gradient).sum(1)
        own += ((gradient * GROUP_DEVIATION) ** 2).sum(1) * np.where(group == self.groups, unseen, self.groups > 1)
        own += UNSEEN**2 * ((group == self.groups) & unseen)
        linked += shared
        solved = solve_triangular(self.factor, linked.T, lower=True, check_finite=False)
        variance = own + self.kernel.variance + self.kernel.noise**2 - (solved**2).sum(0)
        result: Array = np.sqrt(np.maximum(variance, self.kernel.noise**2))
        return result

    def without_each(self, feature: Array, group: Array, target: Array, left_out: Array) -> tuple[Array, Array]:
        """Return mean and deviation of each training row as if all rows of its number had not been there."""
        value, _ = log_time(feature, self.theta[group])
        inverse = cho_solve((self.factor, True), np.eye(len(target)), check_finite=False)
        mean, variance = without_blocks(inverse, target - value, left_out)
        mean += value
        # of a row that was not there nobody knows that it is an outlier
        variance += self.kernel.noise**2 * (1.0 - self.noise)
        return mean, np.sqrt(np.maximum(variance, self.kernel.noise**2))


def without_blocks(inverse: Array, residual: Array, left_out: Array) -> tuple[Array, Array]:
    """Return mean and variance of each residual as if all of its number had not been there.

    Notes
    -----
    Block-wise leave-one-out from the inverse covariance (Sundararajan and Keerthi, Neural Computation 13, 2001):
    mean = r - B (K⁻¹ r), variance = B with B the inverse of the block of K⁻¹.
    """
    pull = inverse @ residual
    mean, variance = np.empty(len(residual)), np.empty(len(residual))
    for one in np.unique(left_out):
        here = np.flatnonzero(left_out == one)
        block = np.linalg.inv(inverse[np.ix_(here, here)])
        mean[here] = residual[here] - block @ pull[here]
        variance[here] = np.diag(block)
    return mean, variance


def _factor(kernel: Kernel, linked: Array, place: Place, noise: Array) -> Array:
    total = linked + covariance(kernel, place, place)
    total[np.diag_indices(len(noise))] += kernel.noise**2 * noise
    return np.linalg.cholesky(total)


def parameter_covariance(here: Array, group: Array, there: Array, other: Array, prior: Prior, groups: int) -> Array:
    """Return the covariance that uncertain parameters cause, to first order in their gradient."""
    result = here @ prior.covariance @ there.T
    if groups > 1:
        result += (here * GROUP_DEVIATION**2) @ there.T * (group[:, None] == other)
    return result


def posterior(
    feature: Array,
    target: Array,
    group: Array,
    groups: int,
    place: Place,
    prior: Prior,
    solution: Solution,
    kernel: Kernel = KERNEL,
) -> Posterior:
    """Condition law and residual jointly on the rows, to first order around the fit."""
    theta = by_group(solution.theta, groups)
    value, gradient = log_time(feature, theta[group])
    linked = parameter_covariance(gradient, group, gradient, group, prior, groups)
    # what the fit left is shared between residual and a tilt of the law along its tangent; the tilt is never added to
    # the parameters: one without effect at the fit (an efficiency near 1) would jump
    factor = _factor(kernel, linked, place, solution.noise)
    pull = cho_solve((factor, True), target - value, check_finite=False)
    weighted = gradient * pull[:, None]
    common = prior.covariance @ weighted.sum(0)
    own = np.array([GROUP_DEVIATION**2 * weighted[group == one].sum(0) for one in range(groups)]) * (groups > 1)
    tilt = common + np.vstack([own, np.zeros_like(common)])
    found = Posterior(theta, tilt, pull, place, gradient, group, groups, prior, solution.noise, kernel)
    # the property would compute the same again
    found.__dict__["factor"] = factor
    return found
