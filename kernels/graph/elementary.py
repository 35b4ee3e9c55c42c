"""exp, log, log2, power and floored division in IEEE operations alone, so that every reader gives the same bits.

NumPy's, libm's and vector libraries' results differ in the last places, and with the processor. Here both the NumPy
reader and the generated kernels (`roofcube.kernels.codegen.elementary`) do the same additions and multiplications in
the same order in float64, within 4 ulp of the exact value (power 16); float32 is computed in float64 and rounded.

Trap: not monotone in the last place, so bounds add a margin. Reductions as in fdlibm (Sun Microsystems, 1993).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["exp", "exp_reduced", "floor_divide", "log", "log2", "log_pair", "log_reduced", "power", "product_error",
           "remainder"]  # fmt: skip

Array = np.ndarray[Any, np.dtype[Any]]

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
LOG2_E, SQRT_HALF = 1.4426950408889634, 0.7071067811865476
EXP_HIGH, EXP_LOW = 709.79, -745.14  # beyond them infinity, and 0
SPLIT = 134217729.0  # 2**27 + 1


# shared by arrays and scalars: nothing but + - * / --------------------------------------------------------------------


def exp_reduced(x: Any, k: Any) -> Any:
    """exp(x) / 2**k, for k the nearest whole number to x / ln 2."""
    r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10
    p = 1.0 / 87178291200.0
    p = p * r + 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    return 1.0 + (r + r * r * p)


def _power_series(z: Any) -> Any:
    """1/3 + z/5 + z²/7 + …, for z below 0.03."""
    p = 1.0 / 25.0
    p = p * z + 1.0 / 23.0
    p = p * z + 1.0 / 21.0
    p = p * z + 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 0.2
    return p * z + 1.0 / 3.0


def log_reduced(f: Any) -> Any:
    """log(1 + f), for 1 + f from the root of 1/2 to the root of 2."""
    s = f / (2.0 + f)
    z = s * s
    return f - s * (f - 2.0 * z * _power_series(z))


def product_error(a: Any, b: Any, product: Any) -> Any:
    """Return what rounding took from a product (Dekker, 1971)."""
    c = 134217729.0 * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = 134217729.0 * b
    b_high = c - (c - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def log_pair(f: Any, e: Any) -> Any:
    """log((1 + f) · 2**e) as a number and what rounding took from it."""
    d = 2.0 + f
    d_low = f - (d - 2.0)
    s = f / d
    product = s * d
    s_low = (((f - product) - product_error(s, d, product)) - s * d_low) / d
    z = s * s
    rest = 2.0 * s * z * _power_series(z)
    a = e * 6.93147180369123816490e-01
    b = 2.0 * s
    high = a + b
    moved = high - a
    low = ((a - (high - moved)) + (b - moved)) + (2.0 * s_low + rest + e * 1.90821492927058770002e-10)
    total = high + low
    return total, low - (total - high)


# arrays ---------------------------------------------------------------------------------------------------------------


def _in_float64(function: Callable[..., Array]) -> Callable[..., Any]:
    """Compute in float64 and round to the dtype of the operands; arrays of dask block by block."""

    def wrapped(*operands: Any) -> Any:
        lazy = next((place for place, one in enumerate(operands) if hasattr(one, "map_blocks")), None)
        if lazy is not None:
            others = [one for place, one in enumerate(operands) if place != lazy]

            def block(own: Any, *rest: Any) -> Any:
                return wrapped(*rest[:lazy], own, *rest[lazy:])

            return operands[lazy].map_blocks(block, *others, dtype=operands[lazy].dtype)
        arrays = [np.asarray(one) for one in operands]
        result = function(*(one.astype("f8", copy=False) for one in arrays))
        return result.astype(arrays[0].dtype, copy=False)

    wrapped.__name__ = function.__name__
    wrapped.__doc__ = (function.__doc__ or "").split("\n\n")[0]  # of NumPy without its examples
    return wrapped


def _scaled_by(value: Array, k: Array) -> Array:
    half = np.floor(k * 0.5)
    scaled: Array = value * np.ldexp(1.0, half.astype("i4")) * np.ldexp(1.0, (k - half).astype("i4"))
    return scaled


def _float_parts(x: Array) -> tuple[Array, Array]:
    """Split positive numbers into 1 + f near 1 and an exponent."""
    m, e = np.frexp(x)
    small = m < SQRT_HALF
    return np.where(small, m * 2.0, m) - 1.0, np.where(small, e - 1, e).astype("f8")


@_in_float64
def exp(x: Array) -> Array:
    """Exponential."""
    plain = np.where((x >= EXP_LOW) & (x <= EXP_HIGH), x, 0.0)
    k = np.floor(plain * LOG2_E + 0.5)
    return np.where(
        x > EXP_HIGH,
        np.inf,
        np.where(x < EXP_LOW, 0.0, np.where(x != x, x, _scaled_by(exp_reduced(plain, k), k))),
    )


def _with_limits(x: Array, values: Array) -> Array:
    return np.where(x > 0, np.where(x == np.inf, np.inf, values), np.where(x == 0, -np.inf, np.nan))


@_in_float64
def log(x: Array) -> Array:
    """Natural logarithm; NaN of negative numbers."""
    f, e = _float_parts(np.where((x > 0) & (x < np.inf), x, 1.0))
    return _with_limits(x, e * LN2_HIGH + (log_reduced(f) + e * LN2_LOW))


@_in_float64
def log2(x: Array) -> Array:
    """Logarithm to base 2; NaN of negative numbers."""
    f, e = _float_parts(np.where((x > 0) & (x < np.inf), x, 1.0))
    return _with_limits(x, e + log_reduced(f) * LOG2_E)


@_in_float64
def power(x: Array, y: Array) -> Array:
    """Power with the special values of IEEE 754."""
    size = np.abs(x)
    ordinary = (size > 0) & (size != 1) & (size < np.inf) & (np.abs(y) < np.inf)
    high, low = log_pair(*_float_parts(np.where(ordinary, size, 1.0)))
    finite = np.where(ordinary, y, 0.0)
    t = finite * high
    plain = np.where((t >= EXP_LOW) & (t <= EXP_HIGH), t, 0.0)
    scale = np.where(plain == t, finite, 0.0)
    t_low = product_error(scale, high, plain) + scale * low
    k = np.floor(plain * LOG2_E + 0.5)
    p = exp_reduced(plain, k)
    result = np.where(t > EXP_HIGH, np.inf, np.where(t < EXP_LOW, 0.0, _scaled_by(p + p * t_low, k)))
    grows = np.where((size == 0) | (size == np.inf), (size == np.inf) == (y > 0), (size > 1) == (y > 0))
    result = np.where(ordinary, result, np.where(grows, np.inf, 0.0))
    result = np.where(size == 1, 1.0, result)
    whole = np.floor(y) == y
    odd = whole & (np.abs(y) < 2.0**53) & (np.floor(y * 0.5) * 2.0 != y)
    result = np.where(odd & np.signbit(x), -result, result)
    result = np.where((x < 0) & (ordinary | (size == 1)) & ~whole, np.nan, result)
    result = np.where((x != x) | (y != y), np.nan, result)
    return np.where((y == 0) | (x == 1), 1.0, result)


floor_divide = _in_float64(np.floor_divide)
remainder = _in_float64(np.remainder)
