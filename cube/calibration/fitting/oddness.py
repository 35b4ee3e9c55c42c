"""Networks that one board runs unlike another, found by evidence: which sets of them are likely; arrays only.

Of two boards of a kin most networks differ by little more than noise, and one in ten by a factor: another kernel is
chosen for it, or its layers no longer fit a cache. Were that noise of the usual width, one such network among two rows
would speak against the kin, or move all others. So each network is odd with a small chance, and what follows is
weighed over the sets of odd ones. Only likely sets are looked at: none, each one alone, and what a search for the
likeliest set finds on its way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ODD", "ODD_CHANCE", "odd_sets"]

Array = np.ndarray[Any, np.dtype[Any]]

# one network in ten, by a factor of two: round numbers, neither learned from nor chosen on any board. Half and twice
# either changes the errors of new boards after 1 to 10 rows by 0.3 points at most (ten pairs of boards, 16 draws each)
ODD_CHANCE, ODD = 0.1, float(np.log(2.0))
# a set that is so much less likely than the likeliest is left out
NEGLIGIBLE = 1e-3


def odd_sets(inverse: Array, residual: Array, network: Array) -> tuple[Array, Array]:
    """Return likely sets of odd networks, as one mask of rows each, and their ln evidence relative to none.

    Parameters
    ----------
    inverse : array
        Inverse covariance of the rows if none is odd, noise included.
    residual : array
        Measured - expected, in ln.
    network : array of int
        Rows of one network are odd together, by the same factor.
    """
    _, number = np.unique(network, return_inverse=True)
    member = (number[:, None] == np.arange(number.max(initial=-1) + 1)).astype(float)
    precision, pull = member.T @ inverse @ member, member.T @ (inverse @ residual)
    count = member.shape[1]
    singles = _gain(precision, pull)
    sets = [np.zeros(count, dtype=bool), *np.eye(count, dtype=bool)]
    gains = [0.0, *singles.tolist()]
    chosen, total = np.zeros(count, dtype=bool), 0.0
    while not chosen.all():
        gain = np.where(chosen, -np.inf, _gain(precision, pull))
        best = int(np.argmax(gain))
        if gain[best] <= 0.0:
            break
        # an own factor of this network in the covariance: one step of rank one
        column = ODD**2 * precision[:, best] / (1.0 + ODD**2 * precision[best, best])
        pull, precision = pull - column * pull[best], precision - np.outer(column, precision[best])
        chosen, total = chosen.copy(), total + float(gain[best])
        chosen[best] = True
        if chosen.sum() > 1:
            sets.append(chosen)
            gains.append(total)
    evidence = np.array(gains)
    likely = np.flatnonzero(evidence >= evidence.max() + np.log(NEGLIGIBLE))
    return np.array(sets)[likely][:, number], evidence[likely]


def _gain(precision: Array, pull: Array) -> Array:
    """Return what ln evidence gains where one more network is odd."""
    spread = 1.0 + ODD**2 * np.diag(precision)
    gain: Array = -0.5 * np.log(spread) + 0.5 * ODD**2 * pull**2 / spread + np.log(ODD_CHANCE / (1.0 - ODD_CHANCE))
    return gain
