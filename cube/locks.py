"""One writer a path: who writes holds a lock beside it, and others wait or are told; standard library only, as disk.py.

The system gives a lock back when its process ends, however it ends, so that a dead one blocks nobody. The file that is
locked has no content and goes when the writer is done; what a killed one left is taken over by the next.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from roofcube.errors import BusyFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LOCK", "SECONDS", "lock_file", "locked", "remove_abandoned"]

LOCK = ".roofcube-lock"
LONGEST_NAME = 255  # bytes, on nearly every file system
SECONDS = 60.0  # to wait for another writer; a cube of 10⁸ cells takes 10
PAUSE = 0.02
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
CANNOT = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)  # some network file systems


@contextmanager
def locked(target: Path, *, seconds: float = SECONDS) -> Iterator[None]:
    """Hold the lock of a path in a block; other threads and processes that want it wait.

    Parameters
    ----------
    target : Path
        What is written; it need not exist.
    seconds : float
        How long to wait for another writer.

    Raises
    ------
    BusyFileError
        If another writer is still at it.
    OSError
        If the folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from roofcube.errors import BusyFileError
    >>> from roofcube.locks import locked
    >>> target = Path(tempfile.mkdtemp()) / "numbers.txt"
    >>> with locked(target):
    ...     try:
    ...         with locked(target, seconds=0):
    ...             pass
    ...     except BusyFileError as error:
    ...         print(str(error).partition("numbers.txt`: ")[2])
    expected no other writer, got one that is not done after 0 s; wait for it, or choose another name
    >>> list(target.parent.iterdir())
    []
    """
    path = lock_file(target)
    end = time.monotonic() + seconds
    while (descriptor := _taken_at_once(path)) is None:
        if time.monotonic() >= end:
            msg = (
                f"`{target}`: expected no other writer, got one that is not done after {seconds:g} s; wait for it, or "
                "choose another name"
            )
            raise BusyFileError(msg)
        time.sleep(PAUSE)
    try:
        yield
    finally:
        _give_back(path, descriptor)


def remove_abandoned(folder: Path, names: list[str]) -> None:
    """Remove the locks in a folder that nobody holds."""
    for name in names:
        if name.startswith(".") and name.endswith(LOCK):
            with suppress(OSError):
                descriptor = _taken_at_once(folder / name, make=False)
                if descriptor is not None:
                    _give_back(folder / name, descriptor)


def lock_file(target: Path) -> Path:
    """Name the file beside a path that its writer holds."""
    room = LONGEST_NAME - len(LOCK) - 1
    shortened = os.fsencode(target.name)[:room].decode("utf-8", "ignore")
    return target.with_name(f".{shortened}{LOCK}")


def _taken_at_once(path: Path, *, make: bool = True) -> int | None:
    """Take a lock at once and return its descriptor; None where somebody else has it, or has just removed it."""
    descriptor = _descriptor(path, make=make)
    try:
        if _lock(descriptor) and _is_still(path, descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _descriptor(path: Path, *, make: bool) -> int:
    flags = (os.O_CREAT if make else 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.open(path, flags | os.O_RDWR, 0o666)
    except PermissionError:
        return os.open(path, flags | os.O_RDONLY, 0o666)  # another user's, which can be locked all the same


def _lock(descriptor: int) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in TAKEN:
            return False
        if error.errno not in CANNOT:
            raise
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Check whether a descriptor is of the file that has the name now, and this a file."""
    opened = os.fstat(descriptor)
    if not stat.S_ISREG(opened.st_mode):
        msg = "a lock that is no file"
        raise OSError(errno.EEXIST, msg)
    try:
        return os.path.samestat(opened, path.lstat())
    except FileNotFoundError:
        return False


def _give_back(path: Path, descriptor: int) -> None:
    """Remove the file while it is held, so that nobody locks a name that is gone, and let go of it."""
    if os.name == "nt":  # what is open cannot be removed
        os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        return
    with suppress(OSError):
        path.unlink()
    os.close(descriptor)
