"""Flags as CF attributes describe them: the code, or the bits, of each meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

__all__ = ["Bits", "bits_of", "codes_of", "is_code", "is_flag", "meanings_of", "whole_codes"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Bits:
    """The bits of a meaning: any of the mask, or, where the mask holds a field of several bits, a value of it."""

    mask: int
    value: int | None = None

    def met(self, codes: Array) -> Array:
        """Return which whole numbers have the bits."""
        field = codes & codes.dtype.type(self.mask)
        return np.asarray(field != 0 if self.value is None else field == self.value)


def whole_codes(values: Array) -> Array:
    """Return the codes of a flag as whole numbers of 64 bits; those without a sign keep the highest bit."""
    return values.astype(np.uint64 if values.dtype.kind == "u" else np.int64)


def is_flag(attributes: Mapping[str, Any]) -> bool:
    """Check whether attributes name meanings."""
    return bool(codes_of(attributes) or bits_of(attributes))


def is_code(cube: xr.Dataset, name: str) -> bool:
    """Check whether a variable is the number of a text label, as answers have it beside the label."""
    label = name.removesuffix("_code")
    return label != name and label in cube.variables and "flag_meanings" in cube[name].attrs


def codes_of(attributes: Mapping[str, Any]) -> dict[str, int]:
    """Return the code of each meaning; nothing for what is no flag, or one of bits."""
    if not attributes.keys() >= {"flag_values", "flag_meanings"} or "flag_masks" in attributes:
        return {}
    return dict(zip(_meanings(attributes), _codes(attributes, "flag_values"), strict=False))


def bits_of(attributes: Mapping[str, Any]) -> dict[str, Bits]:
    """Return the bits of each meaning; nothing for what has no masks."""
    if not attributes.keys() >= {"flag_masks", "flag_meanings"}:
        return {}
    masks = _codes(attributes, "flag_masks")
    values = _codes(attributes, "flag_values") if "flag_values" in attributes else [None] * len(masks)
    return {name: Bits(*bits) for name, *bits in zip(_meanings(attributes), masks, values, strict=False)}


def meanings_of(scalar: Any) -> list[str]:
    """Return the meanings that a single value of a flag has."""
    value = np.asarray(scalar.values)
    if value != value:
        return []
    codes = [name for name, code in codes_of(scalar.attrs).items() if value == code]
    return codes + [name for name, bits in bits_of(scalar.attrs).items() if bits.met(whole_codes(value))]


def _meanings(attributes: Mapping[str, Any]) -> list[str]:
    given = attributes["flag_meanings"]
    return given.split() if isinstance(given, str) else [str(one) for one in np.ravel(given)]


def _codes(attributes: Mapping[str, Any], key: str) -> list[Any]:
    """Return numbers; files give the only one of a list as a scalar. What is no number is no code."""
    given = np.ravel(attributes[key])
    if given.dtype.kind not in "iuf":
        return []
    return [int(one) if one == int(one) else one for one in given.tolist() if np.isfinite(one)]
