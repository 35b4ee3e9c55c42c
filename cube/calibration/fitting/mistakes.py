"""Rows that are likelier mistaken than measured, found against a Gaussian belief; arrays only.

A row is a mistake with a small chance, and then its time is off by any factor up to a wrong unit both ways: a uniform
density in ln. It is called one where that is likelier than its value given all other rows. The worst goes first, as a
gross mistake makes its neighbours look wrong. What most rows of a configuration say, three at least, is no mistake,
however odd: it was measured again at every batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotri

__all__ = ["MISTAKEN", "mistakes"]

Array = np.ndarray[Any, np.dtype[Any]]

# one row in fifty, and a thousandfold either way
CHANCE, RANGE = 0.02, 2.0 * np.log(1e3)
# factor on the variance of a row that is not to count
MISTAKEN = 1e6
# of fewer rows nobody knows which one is wrong; so many of a configuration bear each other out
LEAST = 3


def mistakes(
    covariance: Array, residual: Array, configuration: Array, odd: tuple[float, float] = (0.0, 0.0)
) -> tuple[Array, float]:
    """Return which rows are mistakes, at most half of them, and the ln evidence of all rows.

    Parameters
    ----------
    covariance : array
        Of the rows, noise included.
    residual : array
        Measured - expected, in ln.
    configuration : array of int
        What differs by the batch alone has the same number.
    odd : tuple of float
        Chance of a row that is odd and right, and the variance that this adds.
    """
    count = len(residual)
    factor = np.linalg.cholesky(covariance)
    # from its factor in a third of the work that solving for each column takes
    lower = np.tril(dpotri(factor, lower=1)[0])
    inverse = lower + np.tril(lower, -1).T
    pull = inverse @ residual
    wrong = np.zeros(count, dtype=bool)
    cost = np.log(CHANCE / RANGE)
    while count >= LEAST and wrong.sum() < count // 2:
        variance = 1.0 / np.where(wrong, 1.0, np.diag(inverse))
        likely = _likely(pull * variance, variance, odd) + np.log1p(-CHANCE)
        worst = int(np.argmin(np.where(wrong, np.inf, likely)))
        if likely[worst] >= cost:
            break
        wrong[worst] = True
        column = inverse[:, worst] / inverse[worst, worst]
        pull = pull - column * pull[worst]
        inverse -= np.outer(column, inverse[worst])
    wrong &= ~_borne_out(wrong, configuration)
    right = np.flatnonzero(~wrong)
    factor = np.linalg.cholesky(covariance[np.ix_(right, right)]) if len(right) < count else factor
    scaled = solve_triangular(factor, residual[right], lower=True, check_finite=False)
    usual = -0.5 * scaled @ scaled - np.log(np.diag(factor)).sum() - 0.5 * len(right) * np.log(2.0 * np.pi)
    return wrong, float(usual + len(right) * np.log1p(-CHANCE) + wrong.sum() * cost)


def _likely(off: Array, variance: Array, odd: tuple[float, float]) -> Array:
    """Return the ln density of rows that are no mistakes, of which some are odd."""
    chance, more = odd
    usual: Array = np.log1p(-chance) - 0.5 * (off**2 / variance + np.log(2.0 * np.pi * variance))
    if not chance:
        return usual
    vaguer = variance + more
    likely: Array = np.logaddexp(usual, np.log(chance) - 0.5 * (off**2 / vaguer + np.log(2.0 * np.pi * vaguer)))
    return likely


def _borne_out(wrong: Array, configuration: Array) -> Array:
    """Return the rows of configurations of which most rows, and three at least, look wrong together."""
    _, number, rows = np.unique(configuration, return_inverse=True, return_counts=True)
    odd = np.bincount(number, wrong, len(rows))
    together: Array = ((odd >= LEAST) & (2 * odd > rows))[number]
    return together
