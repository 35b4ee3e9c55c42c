"""What the law leaves of networks on another board, lent to one of few rows; arrays only.

Boards of one kind run the same networks worse than the law has it: what a compiler fuses, what a library is slow at. A
few rows tell the law of a board, not that. So the law is fitted to them beside what another board, of many networks,
was seen to leave: all of it, or half. Evidence tells which board's, or none's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube.calibration.fitting.residual import NEAR, kernel_inputs, nearest, pulled

if TYPE_CHECKING:
    from roofcube.calibration.fitting.residual import Kernel, Place
    from roofcube.calibration.rows import IndexedRows

__all__ = ["SHARES", "Borrowed", "Lender"]

Array = np.ndarray[Any, np.dtype[Any]]

# how much of what is left on another board is taken to be left on this one
SHARES = (0.5, 1.0)
# a lender is one that ran networks like at least so many of those of a board
ALIKE = 0.5
# ln seconds that agree so well are of the same measurement, rounded to three digits perhaps
SAME = 1e-3


@dataclass(frozen=True)
class Borrowed:
    """A share of what the law leaves on another board.

    Attributes
    ----------
    of : str
        The other board.
    share : float
    kernel : Kernel
    topologies : tuple of str
        Names that `place.topology` numbers.
    place, pull : Place, array
        Rows of the other board, and their weights in what is left. No number of a mode there is below 0.
    """

    of: str
    share: float
    kernel: Kernel
    topologies: tuple[str, ...]
    place: Place
    pull: Array

    def log_factor(self, rows: IndexedRows) -> Array:
        """Return what to add to the ln seconds of the law."""
        result: Array = self.share * pulled(self.kernel, self._place(rows), self.place, self.pull)
        return result

    def nearness(self, rows: IndexedRows) -> Array:
        """Return the correlation with the nearest row of the other board."""
        return nearest(self.kernel, self._place(rows), self.place)

    def variance(self, rows: IndexedRows) -> Array:
        """Return the variance of that: nothing at a network of the other board, all of it far from them."""
        result: Array = (self.share * self.kernel.spread) ** 2 * (1.0 - self.nearness(rows) ** 2)
        return result

    def _place(self, rows: IndexedRows) -> Place:
        """Locate rows of a table whose networks and boards are numbered in another way."""
        networks, network = np.unique(rows.network, return_inverse=True)
        known = {name: number for number, name in enumerate(self.topologies)}
        number = np.array([known.get(rows.nets[one].topology, -1) for one in networks.tolist()], dtype="i8")[network]
        return replace(kernel_inputs(rows), topology=number, mode=np.full(len(rows), -1))


@dataclass(frozen=True)
class Lender:
    """A board of another table, as far as it teaches.

    Attributes
    ----------
    modes : array, shape (tiles, parameters)
        As of a `FamilyModel`.
    left : Borrowed
        All that the law leaves.
    seconds : array
        ln of the seconds of its rows.
    """

    modes: Array
    left: Borrowed
    seconds: Array

    @property
    def name(self) -> str:
        """The board."""
        return self.left.of

    def lend(self, rows: IndexedRows, share: float) -> Borrowed | None:
        """Return a share of what the law leaves here; None for a board that runs other networks."""
        return replace(self.left, share=share) if self.knows(rows) else None

    def knows(self, rows: IndexedRows) -> bool:
        """Check whether this board ran networks like most of these, at like batches and bytes."""
        return bool(len(rows)) and bool(np.mean(self.left.nearness(rows) >= NEAR) >= ALIKE)

    def ran(self, rows: IndexedRows, seconds: Array) -> bool:
        """Check whether most of these rows are its own, which tell nothing of whether two boards are alike."""
        names = np.array(self.left.topologies)[self.left.place.topology].tolist()
        own = {(name, octave): time for name, octave, time in
               zip(names, self.left.place.octave.tolist(), self.seconds.tolist(), strict=True)}  # fmt: skip
        asked = zip(rows.net("topology").tolist(), np.log2(rows.batch).astype("f4").tolist(), strict=True)
        there = np.array([own.get(key, np.nan) for key in asked])
        return bool(np.mean(np.abs(there - seconds) < SAME) >= ALIKE)
