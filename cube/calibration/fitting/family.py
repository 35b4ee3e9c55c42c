"""One family of platforms, calibrated: structures weighed by evidence, law and residual conditioned on its rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.facts import TILES
from roofcube.calibration.fitting.borrowed import Borrowed
from roofcube.calibration.fitting.evidence import learned_kernel
from roofcube.calibration.fitting.law import (
    COMPUTE,
    MEMORY,
    PARTS,
    PRIOR_MEAN,
    coefficients,
    features,
    floor,
    log_time,
)
from roofcube.calibration.fitting.least_squares import SCATTER, Prior, Solution, by_group, fit_laws
from roofcube.calibration.fitting.mistakes import MISTAKEN, mistakes
from roofcube.calibration.fitting.priors import prior_from, weak_prior
from roofcube.calibration.fitting.residual import (
    NEAR,
    Posterior,
    covariance,
    kernel_inputs,
    parameter_covariance,
    posterior,
    pulled,
)
from roofcube.calibration.rows import distinct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from roofcube.calibration.fitting.residual import Kernel, Place
    from roofcube.calibration.fitting.sisters import Sister
    from roofcube.calibration.rows import IndexedRows

__all__ = ["FamilyModel", "Structure", "fit_family", "prior_from", "weak_prior"]

Array = np.ndarray[Any, np.dtype[Any]]

# rows at a time: a block times the training rows of the largest embedded family is 30 MB
BLOCK = 8192
SEED = 20210
# rows by which structures are weighed: more take longer (as the cube) and tell nearly the same
WEIGHING_ROWS = 500
# fits, the second without the rows that the first calls mistakes
ROUNDS = 2
# ln of a factor from the law beyond which a row may be so grossly mistaken that scales are learned without it too
GROSS = float(np.log(5.0))
# batches per octave at which deviations are computed
KNOTS = 8
# a structure whose evidence is this much below the best is left out
NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class Structure:
    """One way to count the work (a channel tile), with its posterior and its weight among the others."""

    tile: int
    weight: float
    posterior: Posterior


@dataclass(frozen=True)
class FamilyModel:
    """Predicts ln seconds per batch for the platforms of one family.

    Attributes
    ----------
    groups : tuple of int
        Places of the hardware (platform, mode, precision) that was measured.
    modes : array of float, shape (structures, parameters)
        Family parameters of every structure before weighing: what other families learn from.
    dataflow : bool
        Whether the platforms are pipelines of a network's layers, which the law does not describe.
    above_peak : tuple of float
        How many times the listed peak each group was seen to reach; 1 where it never did.
    evidence : float
        ln of what the rows say for this model, mistakes among them counted as such.
    sisters : tuple of Sister
        Other boards that predict hardware of few rows, with their weights; the structures have the rest.
    falling : tuple of (int, int, float)
        Hardware and network of configurations that were measured to take less time at a larger batch, and that batch.
    above_bandwidth : tuple of float
        As `above_peak`, of the listed bandwidth.
    borrowed : Borrowed, optional
        What the law leaves on another board, beside which it was fitted.
    """

    groups: tuple[int, ...]
    structures: tuple[Structure, ...]
    modes: Array
    dataflow: bool = False
    above_peak: tuple[float, ...] = ()
    evidence: float = 0.0
    sisters: tuple[Sister, ...] = ()
    falling: tuple[tuple[int, int, float], ...] = ()
    above_bandwidth: tuple[float, ...] = ()
    borrowed: Borrowed | None = None

    @property
    def wrong(self) -> Array:
        """True for the rows of the fit, in their order, that are likelier mistaken than measured."""
        likely = self.structures[0].posterior
        share = np.where(likely.noise >= MISTAKEN, 1.0, 0.0)
        hardware = np.array(self.groups)[likely.group]
        for names in dict.fromkeys(one.hardware for one in self.sisters):
            here = np.isin(hardware, names) if names else np.ones(len(share), dtype=bool)
            sisters = [one for one in self.sisters if one.hardware == names]
            share[here] *= 1.0 - sum(one.weight for one in sisters)
            share[here] += sum(one.wrong for one in sisters)
        wrong: Array = share > 0.5
        return wrong

    @property
    def rows(self) -> int:
        """Count the rows of the fit."""
        return len(self.structures[0].posterior.noise)

    def group(self, rows: IndexedRows) -> Array:
        """Return the number of the group of each row; the last is that of hardware without rows."""
        number = np.full(len(rows.machines), len(self.groups))
        number[list(self.groups)] = np.arange(len(self.groups))
        return number[rows.hardware]

    def log_time(self, rows: IndexedRows) -> Array:
        """Return the expected ln seconds of a batch: no less than a smaller one takes, unless the rows say so."""
        mean = self._mean(rows)
        octave = np.floor(np.log2(np.maximum(rows.batch, 1.0))).astype(int)
        asked = np.flatnonzero(rows.batch > 1.0)
        if not len(asked):
            return mean
        # a batch is compared with the powers of two below it
        first, place = distinct(rows.hardware[asked], rows.network[asked])
        some, octaves = rows.take(asked[first]), np.arange(octave.max() + 1)
        configuration, step = (part.ravel() for part in np.indices((len(first), len(octaves))))
        below = self._mean(replace(some.take(configuration), batch=np.exp2(octaves)[step])).reshape(len(first), -1)
        fell = {(hardware, network): batch for hardware, network, batch in self.falling}
        since = [fell.get(pair, 0.0) for pair in zip(some.hardware.tolist(), some.network.tolist(), strict=True)]
        below[np.exp2(octaves) < np.array(since)[:, None]] = -np.inf
        least = np.maximum.accumulate(below, axis=1)
        mean[asked] = np.maximum(mean[asked], least[place, octave[asked]])
        return mean

    def _mean(self, rows: IndexedRows) -> Array:
        group, feature, first = self.group(rows), self._features(rows), self.structures[0].posterior
        # structures differ in how they weigh the rows, not in the kernel
        pull = np.sum([one.weight * one.posterior.pull for one in self.structures], axis=0)
        mean = pulled(first.kernel, kernel_inputs(rows), first.place, pull)
        for one in self.structures:
            mean += one.weight * one.posterior.law(feature[one.tile], group)
        if self.borrowed:
            mean += self.borrowed.log_factor(rows)
        for here, sisters in self._with_sisters(rows):
            mean[here] *= 1.0 - sum(one.weight for one in sisters)
            mean[here] += sum(one.mean(rows.take(here)) for one in sisters)
        # nothing is done faster than peak and bandwidth allow, the listed ones or those that were seen
        for least, above in zip(floor(rows), (self.above_peak, self.above_bandwidth), strict=True):
            seen = np.log([*(above or [1.0] * len(self.groups)), 1.0])[group]
            mean = np.maximum(mean, least - seen)
        return mean

    def _features(self, rows: IndexedRows) -> dict[int, Array]:
        """Return the features in each way to count the work that a structure has."""
        return {tile: features(rows, tile) for tile in {one.tile for one in self.structures}}

    def deviation(self, rows: IndexedRows, *, unseen: bool = True) -> Array:
        """Return the standard deviation of ln seconds, across structures too; `unseen` as of `Posterior.deviation`.

        It is computed at fixed batches, eight an octave, and is linear in ln batch between them.
        """
        octave = np.log2(rows.batch) * KNOTS
        below = np.floor(octave)
        share = octave - below
        first, place = distinct(rows.hardware, rows.network, below)
        low, high = (self._at_knots(rows.take(first), below[first] + step, unseen=unseen) for step in (0, 1))
        result: Array = (1.0 - share) * low[place] + share * high[place]
        return result

    def _at_knots(self, rows: IndexedRows, knot: Array, *, unseen: bool) -> Array:
        rows = replace(rows, batch=np.exp2(knot / KNOTS))
        blocks = [np.arange(first, min(first + BLOCK, len(rows))) for first in range(0, len(rows), BLOCK)]
        return (
            np.concatenate([self._deviation(rows.take(block), unseen=unseen) for block in blocks])
            if blocks
            else np.zeros(0)
        )

    def _deviation(self, rows: IndexedRows, *, unseen: bool = True) -> Array:
        group, feature, first = self.group(rows), self._features(rows), self.structures[0].posterior
        shared = covariance(first.kernel, kernel_inputs(rows), first.place)
        means, spreads = [], []
        for one in self.structures:
            means.append(one.posterior.law(feature[one.tile], group) + shared @ one.posterior.pull)
            spreads.append(one.posterior.deviation(feature[one.tile], group, shared, unseen=unseen))
        variances = np.square(spreads)
        if self.borrowed:
            variances = variances + self.borrowed.variance(rows)
        mean, deviation = _mixed([one.weight for one in self.structures], means, variances)
        for here, sisters in self._with_sisters(rows):
            parts = [one.moments(rows.take(here)) for one in sisters]
            own = 1.0 - sum(one.weight for one in sisters)
            _, deviation[here] = _joined(own, mean[here], deviation[here], parts)
        return deviation

    def _with_sisters(self, rows: IndexedRows) -> list[tuple[Array, list[Sister]]]:
        """Return places of rows that sisters predict, with these."""
        parts = []
        for hardware in dict.fromkeys(one.hardware for one in self.sisters):
            here = np.flatnonzero(np.isin(rows.hardware, hardware)) if hardware else np.arange(len(rows))
            if len(here):
                parts.append((here, [one for one in self.sisters if one.hardware == hardware]))
        return parts

    def far(self, rows: IndexedRows) -> Array | None:
        """Return which rows no measured network is near to by descriptors; None where names alone tell."""
        likely = max(self.structures, key=lambda one: one.weight).posterior
        return likely.nearness(kernel_inputs(rows)) < NEAR if likely.kernel.spread else None

    def lend(self, rows: IndexedRows, share: float) -> Borrowed | None:
        """Return a share of what the law leaves here, for a board of the same table; None where names alone tell."""
        likely = max(self.structures, key=lambda one: one.weight).posterior
        if not likely.kernel.spread:
            return None
        own = ", ".join(dict.fromkeys(rows.machines[one].platform for one in self.groups))
        names = tuple(dict.fromkeys(one.topology for one in rows.nets))
        return Borrowed(own, share, likely.kernel, names, likely.place, likely.pull)

    def without_each(self, rows: IndexedRows, target: Array, left_out: Array) -> tuple[Array, Array]:
        """Return what the rows that were fitted to would be predicted as without all of their kind, and how surely.

        Parameters
        ----------
        rows : IndexedRows
            The rows of the fit, in their order.
        target : array
            Their ln seconds.
        left_out : array of int
            What is left out together.
        """
        group, feature = self.group(rows), self._features(rows)
        beside, doubt = (self.borrowed.log_factor(rows), self.borrowed.variance(rows)) if self.borrowed else (0.0, 0.0)
        found = [
            one.posterior.without_each(feature[one.tile], group, target - beside, left_out) for one in self.structures
        ]
        means, spreads = (np.array(part) for part in zip(*found, strict=True))
        mean, deviation = _mixed([one.weight for one in self.structures], means + beside, spreads**2 + doubt)
        for here, sisters in self._with_sisters(rows):
            parts = [one.without_each(rows.take(here), target[here], left_out[here]) for one in sisters]
            own = 1.0 - sum(one.weight for one in sisters)
            mean[here], deviation[here] = _joined(own, mean[here], deviation[here], parts)
        return mean, deviation

    def shares(self, rows: IndexedRows) -> Array:
        """Return the share of each term of the law in the time, shape (rows, parameters), as its structures weigh it.

        The residual is a factor on the whole time, so it changes no share.
        """
        group, feature = self.group(rows), self._features(rows)
        total = np.zeros((len(rows), len(PRIOR_MEAN)))
        for one in self.structures:
            part = coefficients(one.posterior.theta[group]) * feature[one.tile]
            total += one.weight * part / part.sum(1, keepdims=True)
        return total

    def phases(self, rows: IndexedRows) -> tuple[Array, Array]:
        """Return the shares of the time in compute and in memory traffic."""
        share = self.shares(rows)
        return share[:, COMPUTE].sum(1), share[:, MEMORY].sum(1)

    def binding(self, rows: IndexedRows) -> Array:
        """Return the flag of what takes the largest share of the time; ties go to the first of `PARTS`."""
        share = self.shares(rows)
        largest = np.argmax([share[:, part].sum(1) for part in PARTS.values()], axis=0)
        flag: Array = np.array(list(PARTS), dtype="i1")[largest]
        return flag


def fit_family(
    rows: IndexedRows, target: Array, priors: Sequence[Prior], *, draws: int = 0, borrowed: Borrowed | None = None
) -> FamilyModel:
    """Fit every structure to the rows of a family and weigh them by evidence.

    Parameters
    ----------
    rows : IndexedRows
        All known and of one family.
    target : array
        ln seconds per batch.
    priors : sequence of Prior
        One for each of `TILES`, or several times as many.
    draws : int
        How many more centres of the prior to try, for a family of few rows.
    borrowed : Borrowed, optional
        What another board leaves, beside which the law is fitted.
    """
    seconds = target
    if borrowed:
        target = seconds - borrowed.log_factor(rows)
    hardware, group = np.unique(rows.hardware, return_inverse=True)
    place, count = kernel_inputs(rows), len(hardware)
    tiles = [features(rows, tile) for tile in range(len(TILES))]
    inputs = [tiles[number % len(TILES)] for number in range(len(priors))]
    right, evidence = np.arange(len(target)), 0.0
    flows = rows.machines[int(hardware[0])].dataflow
    # what the law does not describe it cannot judge
    for left in reversed(range(1 if flows else ROUNDS)):
        there = [feature[right] for feature in inputs]
        solutions = fit_laws(there, target[right], group[right], count, priors)
        likely = int(np.argmin([one.evidence for one in solutions]))
        around = inputs[likely], target, group, count, place
        beliefs = [
            (*_mistakes(*around, priors[likely], solutions[likely], kernel), kernel)
            for kernel in _learned(*around, priors[likely], solutions[likely], right)
        ]
        wrong, evidence, kernel = max(beliefs, key=lambda one: one[1])
        if not left or np.array_equal(np.flatnonzero(~wrong), right):
            break
        right = np.flatnonzero(~wrong)
    each = np.array([-0.5 * one.evidence for one in solutions])
    # rows that are alike err together, which the fit does not count; of many networks it changes nothing
    if draws or not (flows or kernel.spread):
        some = np.sort(np.random.default_rng(SEED).permutation(len(target))[:WEIGHING_ROWS])
        beside = target[some], group[some], count, place.take(some)
        shared = covariance(kernel, beside[-1], beside[-1])
        each = np.array(
            [
                _mistakes(feature[some], *beside, prior, found, kernel, shared)[1]
                for feature, prior, found in zip(inputs, priors, solutions, strict=True)
            ]
        )
        evidence = _evidence(each, priors) if draws else evidence
    weight = _weights(each, priors)
    # a likelier structure has more of them
    centres = {number: _centres(priors[number], int(np.ceil(draws * weight[number]))) for number in
               np.flatnonzero(weight).tolist()}  # fmt: skip
    drawn = [(number, prior) for number, several in centres.items() for prior in several[1:]]
    there = [inputs[number][right] for number, _ in drawn]
    moved = fit_laws(there, target[right], group[right], count, [prior for _, prior in drawn]) if drawn else []
    found = [(number, priors[number], solutions[number]) for number in centres]
    found += [(number, prior, one) for (number, prior), one in zip(drawn, moved, strict=True)]
    structures = []
    for number, prior, one in found:
        noise = np.full(len(target), MISTAKEN)
        noise[right] = one.noise
        conditioned = posterior(inputs[number], target, group, count, place, prior, replace(one, noise=noise), kernel)
        share = float(weight[number]) / len(centres[number])
        structures.append(Structure(number % len(TILES), share, conditioned))
    # of each tile the likelier
    best = [min(solutions[tile :: len(TILES)], key=lambda one: one.evidence) for tile in range(len(TILES))]
    modes = np.array([one.theta[: inputs[0].shape[1]] for one in best])
    above, wide = (
        tuple(float(np.exp((least - seconds)[right][group[right] == one].max(initial=0.0))) for one in range(count))
        for least in floor(rows)
    )
    falling = _falling(rows.take(right), seconds[right])
    return FamilyModel(
        tuple(int(one) for one in hardware), tuple(structures), modes, flows, above, evidence, (), falling, wide,
        borrowed,
    )  # fmt: skip


def _falling(rows: IndexedRows, target: Array) -> tuple[tuple[int, int, float], ...]:
    """Find configurations whose time falls from a smaller batch to a larger one, and the largest of these."""
    order = np.lexsort((rows.batch, rows.network, rows.hardware))
    hardware, network, batch, seconds = rows.hardware[order], rows.network[order], rows.batch[order], target[order]
    same = (hardware[1:] == hardware[:-1]) & (network[1:] == network[:-1]) & (batch[1:] > batch[:-1])
    falls = np.flatnonzero(same & (seconds[1:] < seconds[:-1])).tolist()
    largest = {(int(hardware[one]), int(network[one])): float(batch[one + 1]) for one in falls}
    return tuple(sorted((*pair, last) for pair, last in largest.items()))


def _evidence(every: Array, priors: Sequence[Prior]) -> float:
    """Return the ln evidence of a family: of few rows the likeliest structure alone would promise what none can."""
    plausible = np.array([one.plausible for one in priors])
    return float(np.logaddexp.reduce(every + np.log(plausible / plausible.sum())))


def _weights(evidence: Array, priors: Sequence[Prior]) -> Array:
    """Weigh structures by ln evidence."""
    plausible = np.array([one.plausible for one in priors])
    weight = plausible * np.exp(evidence - evidence.max())
    weight = np.where(weight / weight.sum() < NEGLIGIBLE, 0.0, weight)
    result: Array = weight / weight.sum()
    return result


def _mixed(weights: Sequence[float], means: Any, variances: Any) -> tuple[Array, Array]:
    """Return mean and deviation of a mixture."""
    weight = np.array(weights)[:, None]
    mean = (weight * means).sum(0)
    deviation: Array = np.sqrt((weight * (variances + np.square(means - mean))).sum(0))
    return mean, deviation


def _joined(own: float, mean: Array, deviation: Array, parts: Sequence[Any]) -> tuple[Array, Array]:
    """Mix what a family says of some rows with what sisters say: weights, means and variances of each."""
    weights = [own, *(one for part in parts for one in part[0])]
    means = np.array([mean, *(one for part in parts for one in part[1])])
    variances = np.array([deviation**2, *(one for part in parts for one in part[2])])
    return _mixed(weights, means, variances)


def _mistakes(
    feature: Array, target: Array, group: Array, groups: int, place: Place, prior: Prior, solution: Solution,
    kernel: Kernel, shared: Array | None = None,
) -> tuple[Array, float]:  # fmt: skip
    """Find the rows that are mistakes by what the law, linear around its fit, and the residual leave probable.

    `shared` is the covariance of the residual, where it is at hand.
    """
    theta = by_group(solution.theta, groups)[group]
    value, gradient = log_time(feature, theta)
    shared = covariance(kernel, place, place) if shared is None else shared
    total = parameter_covariance(gradient, group, gradient, group, prior, groups) + shared
    # as the fit has it, scatter beyond the usual makes a row vaguer
    total[np.diag_indices(len(target))] += kernel.noise**2 * np.sqrt(1.0 + ((value - target) / SCATTER) ** 2)
    return mistakes(total, target - value - ((prior.mean - theta) * gradient).sum(1), place.corner)


def _learned(
    feature: Array, target: Array, group: Array, groups: int, place: Place, prior: Prior, solution: Solution,
    right: Array,
) -> Iterator[Kernel]:  # fmt: skip
    """Learn kernels of the residual around the likeliest structure: from the rows that are right, and the near of them.

    From gross mistakes scales are learned in which nothing is one; from networks that are odd, scales that hold.
    """
    value, gradient = log_time(feature[right], by_group(solution.theta, groups)[group[right]])
    residual = target[right] - value
    near = np.abs(residual) < GROSS
    for here in (slice(None), near) if len(near) > near.sum() > len(near) / 2 else (slice(None),):
        some, own = gradient[here], group[right][here]
        linked = parameter_covariance(some, own, some, own, prior, groups)
        yield learned_kernel(place.take(right[here]), residual[here], linked, solution.noise[here])


def _centres(prior: Prior, draws: int) -> list[Prior]:
    """Return the prior and, for a family of few rows, the same around plausible centres: one fit alone is too sure."""
    root, generator = np.linalg.cholesky(prior.covariance), np.random.default_rng(SEED)
    moved = [
        Prior(prior.mean + root @ generator.standard_normal(len(prior.mean)), prior.covariance) for _ in range(draws)
    ]
    return [prior, *moved]
