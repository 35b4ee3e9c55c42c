"""Refuse tables in a process forked off after polars had started its threads, where they would wait forever.

A fork copies the memory of a process but only one of its threads: what waits for the others waits for good. polars
starts its threads with the first operation that shares work; a process forked before that starts its own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from roofcube.errors import ForkedProcessError

__all__ = ["check_not_forked"]

THREAD = "polars-"  # how polars names its threads, on systems that tell
_state = {"started": False, "lost": False}


def check_not_forked() -> None:
    """Raise where the threads of tables stayed behind in another process.

    Raises
    ------
    ForkedProcessError
        In a process that was forked off after tables had been computed.
    """
    if _state["lost"]:
        msg = (
            "`tables`: expected a process that was started afresh, got one forked off after tables had been computed, "
            "where polars would wait forever for threads that a fork does not copy; start workers with "
            "multiprocessing.get_context('spawn') or 'forkserver' (of ProcessPoolExecutor: mp_context=...), or make "
            "inputs before the fork: cubes, sweeps and predictions work here"
        )
        raise ForkedProcessError(msg)


def _look() -> None:
    _state["started"] = _has_threads()


def _has_threads() -> bool:
    """Check whether polars has started its threads; where the system does not tell, whether it is there."""
    try:
        return any(
            name.read_text("utf-8", errors="replace").startswith(THREAD)
            for name in Path("/proc/self/task").glob("*/comm")
        )
    except OSError:
        return "polars" in sys.modules


def _note_fork() -> None:
    _state["lost"] |= _state["started"]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_look, after_in_child=_note_fork)
