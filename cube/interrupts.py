"""Ctrl-C reaches who waits, and leaves nothing half done behind; standard library only, for every room.

Python sees a signal between two steps of its main thread. Three things keep it from there:

- polars installs a handler by which the system restarts a wait for a lock or a pipe: nothing ends it but its end.
- An import that is interrupted leaves modules that later imports neither finish nor begin anew (``module 'numba' has
  no attribute 'core'``; numba, holoviews and yaml were seen so): the process has lost them.
- Libraries in C neither return before they are done nor pass an interruption on: netCDF4 has ``except:`` around much,
  and what LLVM calls back loses it (``no compiled object yet`` is then said of a kernel).
"""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import suppress
from contextvars import copy_context
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Abandoned", "aside", "end_waits", "import_whole", "is_abandoned"]

Result = TypeVar("Result")
PAUSE = 0.1  # seconds, after which a wait that the system does not end looks for a signal, as on Windows
_of_thread = threading.local()  # `abandoned`: the flag of the work that a thread does aside


class Abandoned(BaseException):
    """Nobody waits for the work of this thread any longer."""


def end_waits() -> None:
    """Let Ctrl-C end the waits of this process, whichever library has made the system restart them.

    Examples
    --------
    >>> end_waits()
    """
    if hasattr(signal, "siginterrupt"):
        with suppress(OSError, ValueError):
            signal.siginterrupt(signal.SIGINT, True)


def import_whole(*names: str) -> None:
    """Import libraries in a thread of their own, so that Ctrl-C never leaves one half imported.

    Of other libraries only: what imports this package again would wait for who waits here. One that is not there is
    told by the import that follows.

    Examples
    --------
    >>> import_whole("json")
    """
    missing = [name for name in names if name not in sys.modules]
    if missing and threading.current_thread() is threading.main_thread():
        aside(_import, missing)


def _import(names: list[str]) -> None:
    for name in names:
        with suppress(Exception):
            import_module(name)


def aside(work: Callable[..., Result], *given: Any) -> Result:
    """Do what cannot be interrupted in another thread, while this one waits; Ctrl-C ends the wait at once.

    The work goes on then until it looks at `is_abandoned`. It runs in the context of who waits.

    Examples
    --------
    >>> aside(sum, [1, 2])
    3
    """
    if threading.current_thread() is not threading.main_thread():
        return work(*given)
    outcome: list[Any] = []
    abandoned = threading.Event()

    def run() -> None:
        _of_thread.abandoned = abandoned
        try:
            outcome.append((True, work(*given)))
        except BaseException as error:  # raised again where it is waited for
            outcome.append((False, error))

    end_waits()
    thread = threading.Thread(target=copy_context().run, args=(run,), name="roofcube aside")
    try:
        thread.start()
        while thread.is_alive():
            thread.join(PAUSE)
    except BaseException:
        abandoned.set()
        raise
    done, result = outcome.pop()
    if done:
        return result  # type: ignore[no-any-return]
    try:
        raise result
    finally:
        del result  # it holds this frame, and this frame it


def is_abandoned() -> bool:
    """Check whether nobody waits for what this thread does aside."""
    flag = getattr(_of_thread, "abandoned", None)
    return flag is not None and flag.is_set()
