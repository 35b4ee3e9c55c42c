"""Whether the covariance of the rows of a calibration has a Cholesky factor, told without making one where it can be.

What the law and the kernel say has no negative eigenvalue: sums and products, value by value, of covariances. Noise
adds its least variance to every eigenvalue. Where that is more than all roundings can take away, the factor exists
(Demmel; Higham, Accuracy and Stability of Numerical Algorithms, 2002, theorem 10.7), and nothing in it exceeds the root
of the largest variance. Of the zoo's five boards the factors took 3 s of a load, this takes some milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.fitting.least_squares import GROUP_DEVIATION

if TYPE_CHECKING:
    from roofcube.calibration.fitting.residual import Posterior

__all__ = ["has_root"]

Array = np.ndarray[Any, np.dtype[Any]]
STEPS = 200  # roundings on the way to a value, each of them at most `EPSILON` of what was added; some 60 are counted
EPSILON = float(np.finfo(float).eps)


def has_root(posterior: Posterior) -> bool:
    """Check whether a covariance has a factor of finite numbers, given that its prior's has positive eigenvalues.

    Examples
    --------
    >>> import roofcube as rc
    >>> rows = rc.datasets.load_measurements("mnist")
    >>> model = rc.calibrate(rows).engine.families["NCS2"]
    >>> has_root(model.structures[0].posterior)
    True
    """
    with np.errstate(all="ignore"):
        return _is_definite(posterior) or _factor_is_finite(posterior)


def _is_definite(posterior: Posterior) -> bool:
    """Compare the least variance of noise with a bound on all roundings; false where either is not finite."""
    kernel, count = posterior.kernel, len(posterior.noise)
    if not count:
        return False
    noise, covariance = kernel.noise**2 * posterior.noise, posterior.prior.covariance
    shares = float(np.abs(posterior.gradient).sum(1).max()) ** 2
    largest = shares * (float(np.abs(covariance).max()) + float(GROUP_DEVIATION.max()) ** 2)
    largest += kernel.variance + float(noise.max())
    # the distance of descriptors is a difference of squares, which may be much larger than it
    squares = float(((posterior.place.descriptors / kernel.reach) ** 2).sum(1).max()) if kernel.spread else 0.0
    lost = STEPS * EPSILON * count * (largest + 4.0 * kernel.spread**2 * squares)
    lost += count * shares * float(np.abs(covariance - covariance.T).max())
    lost += 4.0 * count * (count + 1) * EPSILON * largest
    return bool(np.isfinite(lost) and lost < 0.5 * noise.min())


def _factor_is_finite(posterior: Posterior) -> bool:
    try:
        return bool(np.isfinite(posterior.factor).all())
    except np.linalg.LinAlgError:
        return False
