"""What an answer may cost: a flag that ends it, and how long a search may go on where visiting every point would do.

Both are signals, not errors: who raises them does not know what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import thread_time
from typing import Protocol

__all__ = ["Budget", "BudgetExceeded", "Cancelled", "Stop", "check"]


class BudgetExceeded(Exception):  # noqa: N818  a signal to go another way
    """Bounds decide too little for this query."""


class Cancelled(Exception):  # noqa: N818  a signal, as KeyboardInterrupt is one
    """Nobody waits for the answer any longer."""


class Stop(Protocol):
    """A flag that another thread may set, such as `threading.Event`."""

    def is_set(self) -> bool:
        """Tell whether to stop."""


def check(stop: Stop | None) -> None:
    """Raise `Cancelled` once a flag is set."""
    if stop is not None and stop.is_set():
        raise Cancelled


@dataclass
class Budget:
    """Time to search in before visiting every point is the better way.

    A search in vain comes on top of the visit, so the search ends when a share of the visit's time has passed, unless
    what it has settled so far says that the rest will take less than the visit would.

    Parameters
    ----------
    visit_seconds : float
        What visiting every point would take.
    box_seconds : float
        What a box should take.
    share : float
        Part of the visit's time in which a search need not show anything.

    Attributes
    ----------
    boxes : int
        Looked at so far.

    Notes
    -----
    Time is that of the calling thread alone: what else runs on the machine slows search and visit alike.
    """

    visit_seconds: float
    box_seconds: float = 2e-6
    share: float = 0.5
    boxes: int = 0
    _start: float = field(default_factory=thread_time)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return thread_time() - self._start

    @property
    def affordable(self) -> float:
        """Boxes that should take as long as visiting every point."""
        return self.visit_seconds / self.box_seconds

    def spend(self, settled: float) -> None:
        """Raise `BudgetExceeded` if a search that has settled this part of all points had better give up."""
        spent = self.spent
        if spent > self.share * self.visit_seconds and spent * (1 - settled) > self.visit_seconds * settled:
            raise BudgetExceeded
