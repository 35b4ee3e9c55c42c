"""What an answer may cost: a flag that ends it, and how long a search may go on where visiting every point would do.

Both are signals, not errors: who raises them does not know what follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import thread_time
from typing import TYPE_CHECKING, NoReturn, Protocol

from roofcube.kernels.tuning import Tuning

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Budget", "BudgetExceeded", "Cancelled", "Stop", "check"]

ENOUGH = 1 << 14  # boxes that tell what a box takes


class BudgetExceeded(Exception):  # noqa: N818  a signal to go another way
    """Bounds decide too little for this query."""


class Cancelled(Exception):  # noqa: N818  a signal, as KeyboardInterrupt is one
    """Nobody waits for the answer any longer."""


class Stop(Protocol):
    """A flag that another thread may set, such as `threading.Event`."""

    def is_set(self) -> bool:
        """Check whether to stop."""


def check(stop: Stop | None) -> None:
    """Raise `Cancelled` once a flag is set."""
    if stop is not None and stop.is_set():
        raise Cancelled


@dataclass
class Budget:
    """Time to search in before visiting every point is the better way.

    A search in vain comes on top of the visit, so it ends when a share of the visit's time has passed, unless the rest
    promises to take less than a visit; a promise is believed until twice the visit's time has passed. One that promises
    to take many times the visit's time ends sooner.

    Parameters
    ----------
    visit_seconds : float
        What visiting every point should take.
    box_seconds : float
        What a box should take.
    share : float
        Part of the visit's time in which a search need not promise anything.
    probed : bool
        Whether a count is first told from a few random boxes.
    refine : callable, optional
        Measures what visiting would take; asked once, before the search is given up.
    hopeless : (float, float)
        Part of the visit's time after which a search is given up that promises to take so many times that time.
    look : float, optional
        Seconds after which the search ends in any case, to say what it would take.

    Attributes
    ----------
    boxes : int
        Looked at so far.
    projected : float
        Seconds that the whole search should have taken, when it was given up.

    Notes
    -----
    Time is that of the calling thread alone: what else runs on the machine slows search and visit alike.
    """

    visit_seconds: float
    box_seconds: float = 2e-6
    share: float = 0.5
    probed: bool = False
    refine: Callable[[], float] | None = None
    hopeless: tuple[float, float] = Tuning.hopeless_search
    look: float | None = None
    boxes: int = 0
    projected: float = 0.0
    _start: float = field(default_factory=thread_time)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return thread_time() - self._start

    @property
    def pace(self) -> float:
        """Seconds that a box takes: as it was so far, once there are enough of them."""
        return self.spent / self.boxes if self.boxes > ENOUGH else self.box_seconds

    def spend(self, remaining: Callable[[], float]) -> None:
        """Raise `BudgetExceeded` if a search that should take so much longer had better give up."""
        if self.look is not None and self.spent > self.look:
            self.give_up(self.spent + remaining())
        if self.spent <= self.share * self.visit_seconds and not self._is_hopeless(remaining):
            return
        if self.refine is not None:
            start = thread_time()
            self.visit_seconds, self.refine = self.refine(), None
            self._start += thread_time() - start
            self.spend(remaining)
            return
        rest = remaining()
        if rest > self.visit_seconds or self.spent + rest > 2 * self.visit_seconds:
            self.give_up(self.spent + rest)

    def _is_hopeless(self, remaining: Callable[[], float]) -> bool:
        part, times = self.hopeless
        return self.spent > part * self.visit_seconds and remaining() > times * self.visit_seconds

    def give_up(self, projected: float) -> NoReturn:
        """Raise `BudgetExceeded`, and say what the whole search should have taken."""
        self.projected = projected
        raise BudgetExceeded
