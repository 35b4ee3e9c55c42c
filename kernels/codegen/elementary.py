"""exp, log, log2, power and floored division of one number, for generated kernels: the bits of their NumPy twins."""

from __future__ import annotations

import math

import numpy as np

from roofcube.kernels.compilation import jit
from roofcube.kernels.graph import elementary

__all__ = ["FUNCTIONS"]

LN2_HIGH, LN2_LOW = elementary.LN2_HIGH, elementary.LN2_LOW
LOG2_E, SQRT_HALF = elementary.LOG2_E, elementary.SQRT_HALF
EXP_HIGH, EXP_LOW = elementary.EXP_HIGH, elementary.EXP_LOW

_series = jit(elementary._power_series)
exp_reduced = jit(elementary.exp_reduced)
product_error = jit(elementary.product_error)


@jit
def log_reduced(f: float) -> float:
    s = f / (2.0 + f)
    z = s * s
    return float(f - s * (f - 2.0 * z * _series(z)))


@jit
def log_pair(f: float, e: float) -> tuple[float, float]:
    d = 2.0 + f
    d_low = f - (d - 2.0)
    s = f / d
    product = s * d
    s_low = (((f - product) - product_error(s, d, product)) - s * d_low) / d
    z = s * s
    rest = 2.0 * s * z * _series(z)
    a = e * LN2_HIGH
    b = 2.0 * s
    high = a + b
    moved = high - a
    low = ((a - (high - moved)) + (b - moved)) + (2.0 * s_low + rest + e * LN2_LOW)
    total = high + low
    return total, low - (total - high)


@jit
def scaled(value: float, k: float) -> float:
    half = np.floor(k * 0.5)
    return value * math.ldexp(1.0, int(half)) * math.ldexp(1.0, int(k - half))


@jit
def parts(x: float) -> tuple[float, float]:
    m, e = math.frexp(x)
    if m < SQRT_HALF:
        return m * 2.0 - 1.0, float(e - 1)
    return m - 1.0, float(e)


@jit
def exp(x: float) -> float:
    if x != x:
        return x
    if x > EXP_HIGH:
        return np.inf
    if x < EXP_LOW:
        return 0.0
    k = np.floor(x * LOG2_E + 0.5)
    return scaled(exp_reduced(x, k), k)


@jit
def log(x: float) -> float:
    if not x > 0.0:
        return -np.inf if x == 0.0 else np.nan
    if x == np.inf:
        return np.inf
    f, e = parts(x)
    return e * LN2_HIGH + (log_reduced(f) + e * LN2_LOW)


@jit
def log2(x: float) -> float:
    if not x > 0.0:
        return -np.inf if x == 0.0 else np.nan
    if x == np.inf:
        return np.inf
    f, e = parts(x)
    return e + log_reduced(f) * LOG2_E


@jit
def positive_power(x: float, y: float) -> float:
    f, e = parts(x)
    high, low = log_pair(f, e)
    t = y * high
    if t > EXP_HIGH:
        return np.inf
    if t < EXP_LOW:
        return 0.0
    t_low = product_error(y, high, t) + y * low
    k = np.floor(t * LOG2_E + 0.5)
    p = exp_reduced(t, k)
    return scaled(p + p * t_low, k)


@jit
def power(x: float, y: float) -> float:
    if y == 0.0 or x == 1.0:
        return 1.0
    if x != x or y != y:
        return np.nan
    size = abs(x)
    whole = np.floor(y) == y
    if size == 0.0 or size == np.inf:
        result = np.inf if (size == np.inf) == (y > 0.0) else 0.0
    elif size == 1.0:
        if not whole:
            return np.nan
        result = 1.0
    elif abs(y) == np.inf:
        result = np.inf if (size > 1.0) == (y > 0.0) else 0.0
    elif x < 0.0 and not whole:
        return np.nan
    else:
        result = positive_power(size, y)
    odd = whole and abs(y) < 2.0**53 and np.floor(y * 0.5) * 2.0 != y
    return -result if odd and math.copysign(1.0, x) < 0.0 else result


@jit
def floor_divide(a: float, b: float) -> float:
    if b == 0.0:
        return a / b
    rest: float = np.fmod(a, b)
    div = (a - rest) / b
    if rest != 0.0 and (b < 0.0) != (rest < 0.0):
        div -= 1.0
    if div == 0.0:
        return math.copysign(0.0, a / b)
    floored: float = np.floor(div)
    return floored + 1.0 if div - floored > 0.5 else floored


@jit
def remainder(a: float, b: float) -> float:
    rest: float = np.fmod(a, b)
    if b == 0.0:
        return rest
    if rest == 0.0:
        return math.copysign(0.0, b)
    return rest + b if (b < 0.0) != (rest < 0.0) else rest


# operation → compiled function, as generated kernels call it
FUNCTIONS = {
    "elementary_exp": exp,
    "elementary_log": log,
    "elementary_log2": log2,
    "elementary_power": power,
    "elementary_floor_divide": floor_divide,
    "elementary_remainder": remainder,
}
