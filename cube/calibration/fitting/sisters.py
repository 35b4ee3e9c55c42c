"""A board of few rows predicted from a board of many: the other's prediction, one factor, then deviations; arrays only.

What another board tells of this one is its prediction for this one's peak and bandwidth. The board's own rows say how
far off that is: first by one factor, then by parameters of the law and by networks, as much as boards of a family
differ, or a quarter to four times that. Evidence weighs these degrees of kinship, every other board, and the board's
rows alone against each other: no key needs to say who is whose sister.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.linalg import cho_solve

from roofcube.calibration.fitting.law import features, log_time
from roofcube.calibration.fitting.least_squares import GROUP_DEVIATION
from roofcube.calibration.fitting.mistakes import mistakes
from roofcube.calibration.fitting.residual import covariance, kernel_inputs, without_blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roofcube.calibration.fitting.residual import Place
    from roofcube.calibration.rows import IndexedRows

__all__ = ["Kinship", "Sister", "kinships", "weighed"]

Array = np.ndarray[Any, np.dtype[Any]]

# the one factor: of two, before anything is known
COMMON = float(np.log(2.0))
# how far apart two boards may be, in units of what boards of a family differ by, and how plausible that is beforehand
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
    """One degree of kinship, conditioned on the rows of the board.

    Attributes
    ----------
    degree : float
    weight : float
        Among all that the board is predicted from.
    pull : array
        Weights of the board's rows; 0 for mistakes.
    wrong : array of bool
        Which of them are mistakes.
    """

    degree: float
    weight: float
    pull: Array
    wrong: Array


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
        weights, means, variances = [], [], []
        for one, moved, own in self._adapted(rows):
            weights.append(one.weight)
            means.append(mean + moved)
            variances.append(variance + own)
        return weights, means, variances

    def mean(self, rows: IndexedRows) -> Array:
        """Return the sum of weight times expected ln seconds."""
        total: Array = self.weight * self.model.log_time(rows)
        for one, moved, _ in self._adapted(rows, variance=False):
            total = total + one.weight * moved
        return total

    def _adapted(self, rows: IndexedRows, *, variance: bool = True) -> Any:
        """Return what each degree of kinship adds to the other board's prediction, and its variance."""
        if self.place is None:
            return
        blocks = [np.arange(first, min(first + BLOCK, len(rows))) for first in range(0, len(rows), BLOCK)]
        parts = [(kernel_inputs(rows.take(block)), _tangent(self.model, rows.take(block))) for block in blocks]
        for number, one in enumerate(self.kinships):
            moved, spread = np.zeros(len(rows)), np.zeros(len(rows))
            for block, (here, gradient) in zip(blocks, parts, strict=True):
                linked = _prior(self.model, one.degree, here, gradient, self.place, self.gradient)
                moved[block] = linked @ one.pull
                if variance:
                    own = COMMON**2 + one.degree**2 * (
                        ((gradient * GROUP_DEVIATION) ** 2).sum(1) + _apart(self.model) * _kernel(self.model).variance
                    )
                    linked = linked[:, ~one.wrong]
                    spread[block] = np.maximum(own - ((linked @ self._inverses[number]) * linked).sum(1), 0.0)
            yield one, moved, spread

    @cached_property
    def _inverses(self) -> list[Array]:
        """Inverse covariance of the rows that are no mistakes, for each degree."""
        found = []
        for one in self.kinships:
            total = _prior(self.model, one.degree, self.place, self.gradient, self.place, self.gradient)  # type: ignore[arg-type]
            total[np.diag_indices(len(total))] += _noise(self.model)
            found.append(np.linalg.inv(total[np.ix_(~one.wrong, ~one.wrong)]))
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
            total = _prior(self.model, one.degree, self.place, self.gradient, self.place, self.gradient)  # type: ignore[arg-type]
            total[np.diag_indices(len(total))] += _noise(self.model) * np.where(one.wrong, 1e6, 1.0)
            mean, variance = without_blocks(np.linalg.inv(total), target - base, left_out)
            variance = np.where(one.wrong, variance - _noise(self.model) * (1e6 - 1.0), variance)
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


def _prior(model: Board, degree: float, here: Place, gradient: Array, there: Place, other: Array) -> Array:
    apart = (gradient * GROUP_DEVIATION**2) @ other.T + _apart(model) * covariance(_kernel(model), here, there)
    result: Array = COMMON**2 + degree**2 * apart
    return result


def kinships(model: Board, hardware: tuple[int, ...], rows: IndexedRows, target: Array) -> tuple[Sister, Array]:
    """Condition another board's prediction on the rows of a board; give the ln evidence of each degree too.

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
    found, evidence = [], []
    for degree, plausible in DEGREES.items():
        total = _prior(model, degree, place, gradient, place, gradient)
        total[np.diag_indices(len(total))] += _noise(model)
        wrong, likely = mistakes(total, residual, place.corner)
        right = np.flatnonzero(~wrong)
        pull = np.zeros(len(residual))
        pull[right] = cho_solve((np.linalg.cholesky(total[np.ix_(right, right)]), True), residual[right])
        found.append(Kinship(degree, 0.0, pull, wrong))
        evidence.append(likely + np.log(plausible / sum(DEGREES.values())))
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
