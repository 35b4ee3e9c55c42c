"""Impossible measurements never win: what the physics gate flagged becomes a mask of every question on measurements."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.errors import InvalidDataError, check_choice
from roofcube.labels import full_rank, holds_findings, whole_flags
from roofcube.vocabulary import (
    IMPOSSIBLE,
    IMPOSSIBLE_ACCURACY,
    IMPOSSIBLE_POWER,
    MEASURED_ACCURACIES,
    MEASURED_POWER,
    MEASURED_SPEED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roofcube.sweep.contexts.context import Context

__all__ = ["impossible_bits", "trusted"]


def impossible_bits(names: Iterable[str]) -> int:
    """Return the bits of `quality` that make a point of no use to a question on these variables."""
    asked = {name for name in names if isinstance(name, str)}  # what is no name is told where it is read
    power = IMPOSSIBLE_POWER if asked & MEASURED_POWER else 0
    accuracy = IMPOSSIBLE_ACCURACY if asked & MEASURED_ACCURACIES else 0
    return (IMPOSSIBLE | power | accuracy) if asked & (MEASURED_SPEED | MEASURED_POWER) else 0


def trusted(context: Context, objectives: Iterable[str], where: Any, trust: str) -> tuple[Any, dict[str, int]]:
    """Add to the limits of a question that its measurements are possible, and count what that removes.

    Returns
    -------
    Where or what was given, dict
        The attr `removed_by_trust`, empty where the question is on nothing measured.
    """
    check_choice("trust", trust, ("possible", "all"))
    quality = context.native("quality") if trust == "possible" and "quality" in context.outputs else None
    if quality is None or not holds_findings(quality):
        return where, {}
    read = context.where(where)
    bits = impossible_bits([*objectives, *read.by_limit])
    if not bits:
        return read, {}
    if "trust" in (*read.by_limit, *read.by_label):
        msg = (
            "`where['trust']`: expected another name, for the answer says in `removed_by_trust` what the physics gate "
            "removes; rename the variable, or use trust='all'"
        )
        raise InvalidDataError(msg)
    impossible = (np.asarray(full_rank(whole_flags(quality), context.dims)) & bits) != 0
    if not impossible.any():
        return read, {"removed_by_trust": 0}
    read = read.narrowed(())  # limits that have been read are the caller's own
    read.mask("trust", ~impossible)
    points = prod(context.sizes[dim] for dim, size in zip(context.dims, impossible.shape, strict=True) if size == 1)
    return read, {"removed_by_trust": int(impossible.sum()) * points}
