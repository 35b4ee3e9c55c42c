"""Questions that another thread may end: a sweep with a stop flag, and the signal that it was set."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from roofcube.kernels.budget import Cancelled

if TYPE_CHECKING:
    from roofcube.kernels.budget import Stop
    from roofcube.kernels.engine.engine import Engine
    from roofcube.sweep.sweep import Sweep

__all__ = ["Cancelled", "stoppable"]


def stoppable(sweep: Sweep, stop: Stop) -> Sweep:
    """Return the same sweep, with what it has prepared; once a flag is set, its questions raise `Cancelled`.

    Parameters
    ----------
    sweep : Sweep
    stop : Stop
        Such as `threading.Event`.

    Examples
    --------
    >>> from threading import Event
    >>> import roofcube as rc
    >>> from roofcube.sweep.stopping import stoppable
    >>> int(stoppable(rc.Sweep(rc.inputs("mnist")), Event()).count()["count"])
    10800
    """
    same = copy(sweep)
    same.context = copy(sweep.context)

    def engine() -> Engine:
        made = sweep.context.make_engine()
        made.stop = stop
        return made

    same.context.make_engine = engine
    return same
