"""set_options: memory limit, threads and progress bars; standard library only, tqdm when a bar shows.

A block's options are in a context variable: no other thread or task sees them, but the threads that a computation
starts, which run in the context of who asked. What a plain call sets holds for the process. While it is not known
whether a block follows the call, only the calling thread sees it.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roofcube.errors import InvalidDataError, MemoryLimitError, check_kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = [
    "check_fits",
    "fits_memory",
    "limit_said",
    "megabytes",
    "memory_limit",
    "progress_bar",
    "set_options",
    "thread_count",
]

VARIABLE = "ROOFCUBE_MEMORY"  # of the environment, for commands
SHARE = 0.5  # of the memory that is free, where no limit is set
UNASKED = 1 << 26  # bytes; asking the system what is free takes longer than a question about a small cube
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}

_options: dict[str, Any] = {"memory": None, "threads": None, "progress": None}  # of the process
_of_block: ContextVar[Mapping[str, Any]] = ContextVar("roofcube options of a block", default={})  # noqa: B039
_calling = threading.local()  # `latest`: the call of this thread of which a block may follow


class set_options:  # noqa: N801  a function to its users, as xarray's
    """Set options for good, or for a block when used with ``with``.

    Parameters
    ----------
    memory : int, float or str, optional
        Largest memory that a result may take, in bytes or as text like ``"2 GB"``. Default: what the variable
        ``ROOFCUBE_MEMORY`` of the environment says, else half of what is free.
    threads : int, optional
        Threads of one computation. Default: the cores that the process may use.
    progress : bool, optional
        Progress bars on long work. Default: only where the error stream is a terminal.

    Raises
    ------
    InvalidDataError
        If a value makes no sense.

    Examples
    --------
    >>> import roofcube as rc
    >>> from roofcube.options import memory_limit
    >>> with rc.set_options(memory="200 MB", threads=1):
    ...     memory_limit()
    200000000
    """

    def __init__(
        self, *, memory: float | str | None = None, threads: int | None = None, progress: bool | None = None
    ) -> None:
        changed: dict[str, Any] = {}
        if memory is not None:
            changed["memory"] = _parsed_bytes(memory)
        if threads is not None:
            changed["threads"] = _checked_threads(threads)
        if progress is not None:
            check_kind("progress", progress, bool, do="say True or False")
            changed["progress"] = progress
        _settle()
        self._changed, self._before = changed, _of_block.get()
        _of_block.set({**self._before, **changed})
        _calling.latest = self._call = (changed, self._before)

    def __enter__(self) -> set_options:
        _calling.latest = None
        _of_block.set({**_of_block.get(), **self._changed})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _of_block.set(self._before)

    def __del__(self) -> None:
        if getattr(_calling, "latest", None) is getattr(self, "_call", ()):
            _settle()


def _settle() -> None:
    """Make the last call of this thread hold for the process, where no block has followed it.

    Also for the block around, where that has set the same option.
    """
    latest = getattr(_calling, "latest", None)
    if latest is None:
        return
    changed, around = latest
    _calling.latest = None
    _options.update(changed)
    _of_block.set({**around, **{name: value for name, value in changed.items() if name in around}})


def _option(name: str) -> Any:
    _settle()
    return _of_block.get().get(name, _options[name])


def _parsed_bytes(memory: float | str, name: str = "memory") -> int:
    if isinstance(memory, bool):
        number = 0.0
    elif isinstance(memory, str):
        match = re.fullmatch(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*([A-Za-z]*)\s*", memory)
        unit = UNITS.get(match[2].upper()) if match else None
        number = float(match[1]) * unit if match and unit else -1.0
    else:
        try:
            number = float(memory)
        except (TypeError, ValueError):
            number = -1.0
    if not 0 < number < float("inf"):
        msg = (
            f"`{name}`: expected a positive number of bytes or text like '2 GB', got {memory!r}; give what a "
            "result may take"
        )
        raise InvalidDataError(msg)
    return int(number)


def _checked_threads(threads: int) -> int:
    if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
        msg = f"`threads`: expected a whole number of at least 1, got {threads!r}; leave it out for one a core"
        raise InvalidDataError(msg)
    return threads


def limit_said() -> int | None:
    """Return the limit that a call has set, else that of the environment; None where neither has."""
    limit: int | None = _option("memory")
    said = os.environ.get(VARIABLE)
    return _parsed_bytes(said, VARIABLE) if limit is None and said else limit


def megabytes(size: float) -> str:
    """Write a number of bytes for a message.

    Examples
    --------
    >>> megabytes(27_000_000), megabytes(20_000)
    ('27 MB', '0.02 MB')
    """
    return f"{size / 1e6:,.0f} MB" if size >= 1e7 else f"{size / 1e6:.2g} MB"


def memory_limit() -> int:
    """Return the largest memory that a result may take, in bytes."""
    limit = limit_said()
    return int(_free_memory() * SHARE) if limit is None else limit


def fits_memory(size: int) -> bool:
    """Check whether so many bytes are within the limit; small ones are, where none was set, unasked."""
    limit = limit_said()
    return (limit is None and size <= UNASKED) or size <= memory_limit()


def check_fits(what: str, size: int) -> None:
    """Raise where a cube takes so many bytes, or what is made of it, that the limit does not hold them.

    Raises
    ------
    MemoryLimitError
    """
    if not fits_memory(size):
        msg = (
            f"`{what}`: expected a cube that takes at most {megabytes(memory_limit())}, got {megabytes(size)}; "
            "select a part of it, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)


def _free_memory() -> int:
    """Return the memory that is free, within the limits of a container too."""
    free = 4 * 2**30
    try:
        text = Path("/proc/meminfo").read_text("ascii")
        free = int(re.search(r"MemAvailable:\s+(\d+)", text)[1]) * 1024  # type: ignore[index]
    except (OSError, TypeError):
        pass
    try:
        allowed = Path("/sys/fs/cgroup/memory.max").read_text("ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text("ascii"))
        if allowed != "max":
            free = min(free, max(0, int(allowed) - used))
    except (OSError, ValueError):
        pass
    return free


def thread_count() -> int:
    """Return the number of threads of one computation."""
    from roofcube.kernels.engine.pool import available_threads

    return _option("threads") or available_threads()


def progress_bar(total: int, what: str) -> Any:
    """Show a progress bar where one is wanted; it is quiet otherwise."""
    from tqdm import tqdm

    shown = _option("progress")
    if shown is None:
        shown = sys.stderr.isatty()
    return tqdm(total=total, desc=what, disable=not shown, leave=False)
