"""A board of few rows predicted from a board of many: the other's prediction, one factor, then deviations; arrays only.

What another board tells of this one is its prediction for this one's peak and bandwidth. The board's own rows say how
far off that is: by one factor, by parameters of the law and by networks, as much as boards of a family differ, or a
quarter to four times that; and some networks are odd (`oddness`). Evidence weighs these degrees of kinship and sets of
odd networks, every other board, and the board's rows alone against each other: no key needs to say who is whose sister.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.linalg import cho_solve

from roofcube.calibration.fitting.law import features, log_time
from roofcube.calibration.fitting.least_squares import GROUP_DEVIATION
from roofcube.calibration.fitting.mistakes import MISTAKEN, mistakes
from roofcube.calibration.fitting.oddness import ODD, ODD_CHANCE, odd_sets
from roofcube.calibration.fitting.residual import UNSEEN, covariance, kernel_inputs, without_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.calibration.fitting.residual import Place
    from roofcube.calibration.rows import IndexedRows

__all__ = ["Kinship", "Sister", "kinships", "weighed"]

Array = np.ndarray[Any, np.dtype[Any]]

# how far apart two boards may be, in units of what boards of a family differ by (the one factor as well: of boards that
# are close in one thing it is small), and how plausible that is beforehand
DEGREES = {0.25: 1.0, 0.5: 2.0, 1.0: 4.0, 2.0: 2.0, 4.0: 1.0}
NEGLIGIBLE = 1e-3
BLOCK = 8192


class Board(Protocol):
    """What predicts ln seconds: the model of a family, as far as kinship asks it."""

    @property
    def structures(self) -> Sequence[Any]: ...

    @property
    def wrong(self) -> Array: ...

    def group(self, rows: IndexedRows) -> Array: ...

    def log_time(self, rows: IndexedRows) -> Array: ...

    def deviation(self, rows: IndexedRows, *, unseen: bool = True) -> Array: ...

    def without_each(self, rows: IndexedRows, target: Array, left_out: Array) -> tuple[Array, Array]: ...


@dataclass(frozen=True)
class Kinship:
    """One degree of kinship and one set of odd networks, conditioned on the rows of the board.

    Attributes
    ----------
    degree : float
    weight : float
        Among all that the board is predicted from.
    pull : array
        Weights of the board's rows; 0 for mistakes.
    wrong, odd : array of bool
        Which of them are mistakes, and which are of networks that this board runs unlike the other.
    common : float
        Deviation of the one factor, in ln.
    """

    degree: float
    weight: float
    pull: Array
    wrong: Array
    odd: Array
    common: float


@dataclass(frozen=True)
class Sister:
    """Another board, or the rest of the family, that predicts a board of few rows.

    Attributes
    ----------
    hardware : tuple of int
        Places of the hardware that it predicts.
    model : Board
        Of the other board; or of the board's own rows, which needs no kinship.
    own : float
        Weight of a model of the board's own rows; 0 for a sister.
    kinships : tuple of Kinship
    place, gradient : Place, array
        The board's rows.
    """

    hardware: tuple[int, ...]
    model: Board
    own: float = 0.0
    kinships: tuple[Kinship, ...] = ()
    place: Place | None = None
    gradient: Array = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def weight(self) -> float:
        """Among all that the board is predicted from."""
        return self.own + sum(one.weight for one in self.kinships)

    @property
    def wrong(self) -> Array:
        """Weight with which each of the board's rows is a mistake."""
        if self.own:
            return self.own * self.model.wrong
        result: Array = np.sum([one.weight * one.wrong for one in self.kinships], axis=0)
        return result

    def moments(self, rows: IndexedRows) -> tuple[list[float], list[Array], list[Array]]:
        """Return weights, means and variances of ln seconds."""
        mean = self.model.log_time(rows)
        variance = self.model.deviation(rows, unseen=bool(self.own)) ** 2
        if self.own:
            return [self.own], [mean], [variance]
        moved, spread = self._adapted(rows)
        return [one.weight for one in self.kinships], list(mean + moved), list(variance + spread)

    def mean(self, rows: IndexedRows) -> Array:
        """Return the sum of weight times expected ln seconds."""
        moved, _ = self._adapted(rows, variance=False)
        total: Array = self.weight * self.model.log_time(rows)
        for one, own in zip(self.kinships, moved, strict=True):
            total = total + one.weight * own
        return total

    def _adapted(self, rows: IndexedRows, *, variance: bool = True) -> tuple[Array, Array]:
        """Return what each kinship adds to the other board's prediction, and its variance; one line each.

        That a network which was not measured may be odd is no part of it: it is one in ten that is off by much, not ten
        that are off by some, and intervals are as wide as networks left out were off.
        """
        moved, spread = np.zeros((2, len(self.kinships), len(rows)))
        if self.place is None:
            return moved, spread
        doubt = _apart(self.model) * _kernel(self.model).variance
        for first in range(0, len(rows), BLOCK):
            block = np.arange(first, min(first + BLOCK, len(rows)))
            some = rows.take(block)
            here, gradient = kernel_inputs(some), _tangent(self.model, some)
            apart, same = _differences(self.model, here, gradient, self.place, self.gradient)
            own = ((gradient * GROUP_DEVIATION) ** 2).sum(1) + doubt
            for number, one in enumerate(self.kinships):
                linked = _prior(one, apart, same)
                moved[number, block] = linked @ one.pull
                if variance:
                    odd = (same & one.odd).any(1)
                    linked = linked[:, ~one.wrong]
                    known = ((linked @ self._inverses[number]) * linked).sum(1)
                    total = one.common**2 + one.degree**2 * own + ODD**2 * odd
                    spread[number, block] = np.maximum(total - known, 0.0)
        return moved, spread

    def _covariance(self, one: Kinship) -> Array:
        """Return the covariance of the board's rows in one kinship, noise included."""
        apart, same = _differences(self.model, self.place, self.gradient, self.place, self.gradient)  # type: ignore[arg-type]
        return _prior(one, apart, same) + _noise(self.model) * np.eye(len(same))

    @cached_property
    def _inverses(self) -> list[Array]:
        """Inverse covariance of the rows that are no mistakes, for each kinship."""
        found = []
        for one in self.kinships:
            right = np.flatnonzero(~one.wrong)
            found.append(np.linalg.inv(self._covariance(one)[np.ix_(right, right)]))
        return found

    def without_each(
        self, rows: IndexedRows, target: Array, left_out: Array
    ) -> tuple[list[float], list[Array], list[Array]]:
        """Return weights, means and variances of the board's rows, each without all rows of its number."""
        if self.own:
            mean, deviation = self.model.without_each(rows, target, left_out)
            return [self.own], [mean], [deviation**2]
        base, doubt = self.model.log_time(rows), self.model.deviation(rows, unseen=False) ** 2
        means, variances = [], []
        for one in self.kinships:
            total = self._covariance(one)
            total[np.diag_indices(len(total))] += _noise(self.model) * np.where(one.wrong, MISTAKEN - 1.0, 0.0)
            mean, variance = without_blocks(np.linalg.inv(total), target - base, left_out)
            variance = np.where(one.wrong, variance - _noise(self.model) * (MISTAKEN - 1.0), variance)
            # of a network that was not there nobody knows whether it is odd
            variance = variance - ODD**2 * one.odd
            means.append(base + mean)
            variances.append(doubt + np.maximum(variance, 0.0))
        return [one.weight for one in self.kinships], means, variances


def _likely(model: Board) -> Any:
    return max(model.structures, key=lambda one: one.weight)


def _kernel(model: Board) -> Any:
    return _likely(model).posterior.kernel


def _noise(model: Board) -> float:
    """Return the variance of one board's row against another's: both were measured."""
    return 2.0 * float(_kernel(model).noise) ** 2


def _apart(model: Board) -> float:
    """Return the variance of the difference of two boards as a share of that of one: twice what they do not share."""
    return 2.0 * (1.0 - float(_kernel(model).other_mode))


def _tangent(model: Board, rows: IndexedRows) -> Array:
    likely = _likely(model)
    return log_time(features(rows, likely.tile), likely.posterior.theta[model.group(rows)])[1]


def _differences(model: Board, here: Place, gradient: Array, there: Place, other: Array) -> tuple[Array, Array]:
    """Return the covariance of what two boards have apart at degree one, and which places are of the same network."""
    apart = (gradient * GROUP_DEVIATION**2) @ other.T + _apart(model) * covariance(_kernel(model), here, there)
    same: Array = (here.topology[:, None] == there.topology) & (here.size[:, None] == there.size)
    return apart, same


def _prior(one: Kinship, apart: Array, same: Array) -> Array:
    result: Array = one.common**2 + one.degree**2 * apart + ODD**2 * (same & one.odd)
    return result


def kinships(model: Board, hardware: tuple[int, ...], rows: IndexedRows, target: Array) -> tuple[Sister, Array]:
    """Condition another board's prediction on the rows of a board; give the ln evidence of each kinship too.

    Parameters
    ----------
    model : Board
        Of the other board.
    hardware : tuple of int
        What the rows are of.
    rows, target : IndexedRows, array
        The board's rows and their ln seconds.
    """
    place, gradient, residual = kernel_inputs(rows), _tangent(model, rows), target - model.log_time(rows)
    apart, same = _differences(model, place, gradient, place, gradient)
    network = np.argmax(same, axis=1)
    nothing = np.zeros(len(residual), dtype=bool)
    found, evidence = [], []
    for degree, plausible in DEGREES.items():
        none = Kinship(degree, 0.0, np.zeros(len(residual)), nothing, nothing, degree * UNSEEN)
        total = _prior(none, apart, same) + _noise(model) * np.eye(len(residual))
        wrong, likely = mistakes(total, residual, place.corner, (ODD_CHANCE, ODD**2))
        right = np.flatnonzero(~wrong)
        part, rest = total[np.ix_(right, right)], residual[right]
        odd, gain = odd_sets(np.linalg.inv(part), rest, network[right])
        likely += np.log(plausible / sum(DEGREES.values())) + len(np.unique(network[right])) * np.log1p(-ODD_CHANCE)
        for some in odd:
            factor = np.linalg.cholesky(part + ODD**2 * (same[np.ix_(right, right)] & some))
            pull, strange = none.pull.copy(), nothing.copy()
            pull[right], strange[right] = cho_solve((factor, True), rest), some
            found.append(replace(none, pull=pull, wrong=wrong, odd=strange))
        evidence += (likely + gain).tolist()
    return Sister(hardware, model, kinships=tuple(found), place=place, gradient=gradient), np.array(evidence)


def weighed(alone: float, sisters: list[tuple[Sister, Array]]) -> tuple[float, tuple[Sister, ...]]:
    """Weigh a board's own rows and its sisters by their ln evidence; leave out what is negligible.

    Returns
    -------
    float, tuple of Sister
        Weight of the rows alone, and the sisters with theirs.
    """
    top = max([alone, *(float(evidence.max()) for _, evidence in sisters)])
    weight = [np.exp(evidence - top) for _, evidence in sisters]
    total = np.exp(alone - top) + sum(part.sum() for part in weight)
    own = float(np.exp(alone - top) / total)
    own = own if own >= NEGLIGIBLE else 0.0
    shares = [np.where(part / total >= NEGLIGIBLE, part / total, 0.0) for part in weight]
    total = own + sum(float(part.sum()) for part in shares)
    kept = []
    for (sister, _), part in zip(sisters, shares, strict=True):
        if sister.own:
            kept += [replace(sister, own=float(part[0] / total))] if part[0] else []
            continue
        kin = tuple(
            replace(one, weight=float(share / total)) for one, share in zip(sister.kinships, part, strict=True) if share
        )
        if kin:
            kept.append(replace(sister, kinships=kin))
    return own / total, tuple(kept)
