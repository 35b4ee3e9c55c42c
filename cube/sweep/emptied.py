"""Why a question has no answer: which limit, or which figure that is not known, left nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.sweep.questions import context_of, count
from roofcube.wording import listed, noun_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from roofcube.sweep.sweep import Sweep

__all__ = ["Emptied", "why_empty"]


@dataclass(frozen=True)
class Emptied:
    """What left nothing; prints as sentences.

    Attributes
    ----------
    n_points : int
        All points.
    meeting : int
        Points that meet every limit.
    removed : dict of name to int
        Points that each limit alone removes; limits on labels first, those on variables of what these leave.
    without : dict of name to int
        Points with all figures that would be left without each limit.
    unknown : tuple of str
        Variables asked for that are not known at any point that meets the limits.
    """

    n_points: int
    meeting: int
    removed: dict[str, int]
    without: dict[str, int]
    unknown: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers and text, for JSON."""
        parts = {"n_points": self.n_points, "meeting": self.meeting, "removed": dict(self.removed)}
        return {**parts, "without": dict(self.without), "unknown": list(self.unknown)}

    def __repr__(self) -> str:
        if not self.n_points:
            return "nothing: the space has no point"
        lines, points = [], f"{self.n_points:,} {noun_of(self.n_points, 'point')}"
        if self.meeting:
            lines.append(
                f"nothing: {self.meeting:,} of {points} {'meets' if self.meeting == 1 else 'meet'} all limits, but "
                f"{listed(list(self.unknown)) or 'what is asked for'} is not known at any of them"
            )
        else:
            lines.append(f"nothing: none of {points} meets all limits")
        for name, number in self.removed.items():
            left = self.without.get(name, 0)
            helps = (
                f"without it {left:,} {'point is' if left == 1 else 'points are'} left"
                if left
                else "without it nothing is left either"
            )
            lines.append(f"limit {name} alone removes {number:,}; {helps}")
        return "\n".join(lines)


def why_empty(cube: xr.Dataset | Sweep, asked: Sequence[str], *, where: Mapping[str, Any] | None = None) -> Emptied:
    """Say which limits, or which unknown figures, leave a question without an answer.

    Parameters
    ----------
    cube : Dataset or Sweep
    asked : sequence of str
        Variables that an answer needs.
    where : mapping, optional
        As in `roofcube.best`.

    Returns
    -------
    Emptied

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.sweep.emptied import why_empty
    >>> why_empty(rc.benchmark("mnist"), ["measured_throughput"], where={"measured_top1": (100, None)})
    nothing: none of 10,800 points meets all limits
    limit measured_top1 alone removes 10,800; without it 406 points are left
    """
    context, limits = context_of(cube), dict(where or {})
    removed = context.removed((), context.where(limits))
    meeting = _points_meeting(cube, limits, ())
    return Emptied(
        context.size,
        meeting,
        {name: int(removed.get(f"removed_by_{name}", 0)) for name in limits},
        {
            name: _points_meeting(cube, {other: limit for other, limit in limits.items() if other != name}, asked)
            for name in limits
        },
        tuple(name for name in asked if meeting and not _points_meeting(cube, limits, (name,))),
    )


def _points_meeting(cube: xr.Dataset | Sweep, limits: dict[str, Any], known: Sequence[str]) -> int:
    """Count the points that meet limits and know all of some variables."""
    numbers = {name: (-np.inf, None) for name in known if name not in limits}
    return int(count(cube, where={**limits, **numbers})["count"])
