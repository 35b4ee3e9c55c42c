"""Conformal intervals: how far left-out networks of a family were off sets how far to trust the next; arrays only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MINIMUM_NETWORKS", "Intervals", "Scores", "anywhere", "cautious", "pooled"]

Array = np.ndarray[Any, np.dtype[Any]]

# below this many networks a family's own errors say too little, and those of all families are used
MINIMUM_NETWORKS = 4
# a deviation up to this quantile of those of the networks left out is usual
USUAL = 0.9
# where no error of a left-out network says how sure the model is, its own deviation is taken this many times
CAUTION = 2.0
# an efficiency that was never exercised lies between this and one
LEAST_EFFICIENCY = 1e-3
# an error of nothing, so that one may divide by it
SMALLEST = 1e-12


@dataclass(frozen=True)
class Scores:
    """Errors of rows predicted by a model that never saw their network.

    Attributes
    ----------
    error : array
        |ln(predicted ÷ measured)|.
    deviation : array
        What the model itself said, in ln.
    network : array of int
    scaled : bool
        Whether every width is in proportion to the deviation, as of families of many topologies.
    far : Scores, optional
        Errors of the same rows where nothing of their kin was seen.
    units : int, optional
        How many of them are independent of each other, where that is not every row: kin that were left out together.
    """

    error: Array
    deviation: Array
    network: Array
    scaled: bool = False
    far: Scores | None = None
    units: int | None = None

    def take(self, mask: Array) -> Scores:
        """Return the errors of some rows, near and far from their kin."""
        far = None if self.far is None else self.far.take(mask)
        parts = {name: getattr(self, name)[mask] for name in ("error", "deviation", "network")}
        return replace(self, **parts, far=far)

    @property
    def networks(self) -> int:
        """Count the networks."""
        return len(np.unique(self.network))

    def half_width(self, deviation: Array, level: float) -> Array:
        """Return the half-width of the interval in ln, for rows of which the model says this deviation.

        Networks weigh the same. Where the model is as sure as it was of the networks left out, the width is the plain
        quantile of their errors; rows of which it is less sure get a width in proportion.
        """
        if not len(self.error):
            return cautious(deviation, level)
        return conformal_quantile(self.relative, self.weight, level, self.units) * self.stretch(deviation)

    @property
    def weight(self) -> Array:
        """Weigh networks the same, whatever their rows."""
        _, place, count = np.unique(self.network, return_inverse=True, return_counts=True)
        weight: Array = 1.0 / count[place]
        return weight

    @property
    def relative(self) -> Array:
        """Errors, those of which the model was less sure than usual in proportion."""
        relative: Array = self.error / self.stretch(self.deviation)
        return relative

    def stretch(self, deviation: Array) -> Array:
        """Return the factor on the width of rows of which the model is less sure than usual."""
        if self.scaled:
            return deviation
        stretch: Array = np.maximum(deviation / conformal_quantile(self.deviation, self.weight, USUAL), 1.0)
        return stretch

    def tail(self, level: float) -> tuple[Array, Array]:
        """Return errors as multiples of the quantile of the family's other networks, and their weights."""
        relative, weight = self.relative, self.weight
        ratio = np.full(len(relative), np.nan)
        for one in np.unique(self.network):
            out = self.network == one
            ratio[out] = relative[out] / max(conformal_quantile(relative[~out], weight[~out], level), SMALLEST)
        return ratio, weight


@dataclass(frozen=True, eq=False)
class Intervals:
    """Widths for one family: from its own errors as far as they reach, beyond with the tails of all families.

    Attributes
    ----------
    own : Scores
        Errors of this family.
    others : iterable of Scores
        Errors of the other families, gone through only where its own do not reach.

    Notes
    -----
    The errors of K networks bound those of one more at levels up to K / (K + 1) (conformal prediction with networks as
    the exchangeable units). For a higher level the quantile there is multiplied by how far errors exceed it: each
    network against the other networks of its family, over all families. That a quantile of few networks is itself
    uncertain is part of these multiples. A family of fewer than four networks takes the errors of all. Where all
    families together have too few networks for a level, no interval is narrower than the model's own doubt has it
    (`as_doubted`). What is unlike every network left out (`cautious`, `anywhere`) is for the caller to tell.
    """

    own: Scores
    others: Iterable[Scores] = ()
    _factors: dict[float, float] = field(default_factory=dict, repr=False)

    def half_width(self, deviation: Array, level: float, strange: Array | None = None) -> Array:
        """Return the half-width of the interval in ln, for rows of which the model says this deviation.

        `strange` are rows of which no network of their kin was seen.
        """
        near = self._half_width(deviation, level)
        if self.own.far is None or strange is None:
            return near
        return np.where(strange, np.maximum(near, self.own.far.half_width(deviation, level)), near)

    def _half_width(self, deviation: Array, level: float) -> Array:
        own = self.own
        if own.networks >= MINIMUM_NETWORKS and level <= self.reach:
            return own.half_width(deviation, level)
        every = [own, *self.others]
        if own.networks < MINIMUM_NETWORKS:
            wide = pooled(every).half_width(deviation, level)
        else:
            every = [one for one in every if one.networks >= MINIMUM_NETWORKS]
            if level not in self._factors:
                self._factors[level] = self._factor(every, level)
            beyond = own.half_width(deviation, self.reach) * self._factors[level]
            wide = np.maximum(own.half_width(deviation, level), beyond)
        networks = sum(one.networks for one in every)
        return wide if level <= networks / (networks + 1) else np.maximum(wide, as_doubted(deviation, level))

    @property
    def reach(self) -> float:
        """The highest level that the family's own networks support."""
        return self.own.networks / (self.own.networks + 1)

    def _factor(self, known: Iterable[Scores], level: float) -> float:
        ratios, weights = zip(*(one.tail(self.reach) for one in known), strict=True)
        return conformal_quantile(np.concatenate(ratios), np.concatenate(weights), level)


def as_doubted(deviation: Array, level: float) -> Array:
    """Return the half-width that the model's own deviation asks for."""
    result: Array = NormalDist().inv_cdf(0.5 + level / 2) * deviation
    return result


def cautious(deviation: Array, level: float) -> Array:
    """Return the half-width of what is unlike all that was left out, so that no error tells how sure the model is."""
    return CAUTION * as_doubted(deviation, level)


def anywhere(level: float) -> float:
    """Return the half-width of a factor of which only the range is known, each magnitude as likely."""
    return -level * float(np.log(LEAST_EFFICIENCY)) / 2


def conformal_quantile(values: Array, weight: Array, level: float, units: int | None = None) -> float:
    """Return the weighted quantile with the finite-sample correction of conformal prediction, for so many units."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    wanted = min(1.0, level * (1.0 + 1.0 / (units or len(values))))
    return float(values[order][min(int(np.searchsorted(share, wanted - 1e-12)), len(values) - 1)])


def pooled(scores: Iterable[Scores]) -> Scores:
    """Join the scores of several families; their networks stay apart."""
    parts = list(scores)
    if not parts:
        return Scores(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    network = np.concatenate([one.network + 1_000_000 * place for place, one in enumerate(parts)])
    return Scores(
        np.concatenate([one.error for one in parts]), np.concatenate([one.deviation for one in parts]), network
    )
