"""Find files, write them whole or not at all, hash, find the user's cache and key; standard library only, as errors.py.

What is written goes beside its final name, to the disk, and then takes the name in one step: a crash leaves the old
content or the new one, never a part. Temporary names carry the machine and the process, so that the next writer in the
folder can tell what a dead process left behind, and remove it.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import os
import platform
import re
import shutil
import stat
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from roofcube.errors import (
    InvalidDataError,
    MemoryLimitError,
    MissingFileError,
    RoofcubeError,
    UnreadableFileError,
    UnwritableFileError,
)
from roofcube.locks import LONGEST_NAME, locked, remove_abandoned
from roofcube.options import fits_memory, megabytes, memory_limit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

__all__ = [
    "cache_folder",
    "contents_of",
    "digest",
    "existing",
    "make_private",
    "naming_the_file",
    "path_of",
    "replacing",
    "state_folder",
    "sync",
    "text_of",
    "user_key",
]

UNPACKED = 16  # times its size that text takes while it is read: letters, lists of words, columns
PART = 1 << 26  # bytes that are hashed at a time
KEY_BYTES = 32  # of `user_key`
FLUSHED = 8  # files of a folder that are flushed at a time: a disk does several in one step
FORGOTTEN = 7 * 24 * 3600.0  # seconds after which what nobody writes to is a stray, whoever began it
TEMPORARY = re.compile(r"\..*\.(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[0-9a-f]{8}\.partial")
REMEDIES = {
    errno.ENOSPC: "free some space or choose another disk",
    errno.EDQUOT: "free some space or choose another disk",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "make its folder first",
}
# byte order marks, as editors and shells of Windows write them
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


# reading --------------------------------------------------------------------------------------------------------------


def existing(path: Any, *, folder: bool = False) -> Path:
    """Return a path under which there is a file; a pipe or a device, of which reading would have no end, is none.

    Parameters
    ----------
    path : str or path
    folder : bool
        Whether a folder will do.

    Raises
    ------
    InvalidDataError
        If it is no path.
    MissingFileError
        If there is no file.
    UnreadableFileError
        If the system refuses to look.

    Examples
    --------
    >>> existing("no such file")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    roofcube.errors.MissingFileError: no such file: there is no such file; check the name...
    """
    source = path_of(path)
    try:
        mode = source.stat().st_mode
    except OSError as error:
        number, reason = error.errno, error.strerror or str(error)
        if number in (errno.EACCES, errno.EPERM):
            raise _unreadable(source, reason) from None
        told = "" if number == errno.ENOENT else f" ({reason})"
        msg = f"{source!s:.300}: there is no such file{told}; check the name"
        raise MissingFileError(msg) from None
    if not stat.S_ISREG(mode) and not (folder and stat.S_ISDIR(mode)):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        msg = f"{source}: there is no such file, it is {kind}; check the name"
        raise MissingFileError(msg)
    return source


def path_of(name: Any) -> Path:
    """Return the path of a name, of which a leading ``~`` is the folder of the user.

    Raises
    ------
    InvalidDataError
        If it is neither a text nor a path, or has a zero byte in it.
    """
    text = os.fspath(name) if isinstance(name, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:
        msg = f"`path`: expected the name of a file, got {name!r:.60}; give a text or a path"
        raise InvalidDataError(msg)
    with suppress(RuntimeError):  # a name that begins so, and no user's folder
        return Path(name).expanduser()
    return Path(name)


def contents_of(path: Any) -> bytes:
    """Return what is in a file.

    Raises
    ------
    InvalidDataError, MissingFileError, UnreadableFileError
        As `existing`.
    MemoryLimitError
        If what is made of it would not fit.
    """
    source = existing(path)
    size = source.stat().st_size
    if not fits_memory(size * UNPACKED):
        msg = (
            f"{source}: expected a file within {megabytes(memory_limit() / UNPACKED)}, a {UNPACKED}th of the memory "
            f"limit, got {megabytes(size)}; split it, or raise the limit with `roofcube.set_options(memory=...)`"
        )
        raise MemoryLimitError(msg)
    try:
        return source.read_bytes()
    except OSError as error:
        raise _unreadable(source, error.strerror or str(error)) from None


def text_of(path: Any) -> str:
    """Return the text in a file: UTF-8, or what its byte order mark says.

    Raises
    ------
    InvalidDataError, MissingFileError, UnreadableFileError
        As `existing`.
    UnicodeDecodeError
        If it is no text.
    """
    data = contents_of(path)
    return data.decode(next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), "utf-8"))


def _unreadable(source: Path, reason: str) -> UnreadableFileError:
    return UnreadableFileError(f"{source}: expected a file that can be read, got {reason}; check its permissions")


# writing --------------------------------------------------------------------------------------------------------------


@contextmanager
def replacing(path: str | os.PathLike[str], *, folder: bool = False, lock: bool = True) -> Iterator[Path]:
    """Return a temporary name in the same folder; when the block ends without an error, it takes the place of `path`.

    The block makes a file, or a folder, under that name. Permissions of what is replaced are kept, and a symbolic link
    goes on pointing to what is now there.

    Parameters
    ----------
    path : path
    folder : bool
        Whether a folder that is there may be replaced; the caller has made sure that it is one of ours.
    lock : bool
        Whether to wait until no other thread or process writes there; False where the caller holds a lock.

    Yields
    ------
    Path
        The temporary name.

    Raises
    ------
    InvalidDataError
        If there is a folder of that name, unless `folder` allows it, or a pipe or a device.
    UnwritableFileError
        If the disk is full or read-only, or the name is too long; what was there is unchanged.
    BusyFileError
        If another writer is not done after a minute.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "numbers.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("1 2 3")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('1 2 3', 1)
    """
    named = path_of(path)
    with naming_the_file(named):
        target = Path(os.path.realpath(named))
        if target.exists() and not target.is_file() and not target.is_dir():
            msg = f"`path`: expected the name of a file, got the pipe or device {str(path)!r}; choose another name"
            raise InvalidDataError(msg)
        if target.is_dir() and not folder:
            msg = f"`path`: expected the name of a file, got the folder {str(path)!r}; choose another name or remove it"
            raise InvalidDataError(msg)
        with locked(target) if lock else nullcontext():
            _remove_strays(target.parent)
            temporary = _temporary(target)
            try:
                yield temporary
                _put_in_place(temporary, target, folder=folder)
            finally:
                _remove(temporary)


@contextmanager
def naming_the_file(path: str | os.PathLike[str]) -> Iterator[None]:
    """Return which file could not be written, and what to do, where the system refuses to write in a block.

    Raises
    ------
    UnwritableFileError
        For every error of the system in the block.
    """
    try:
        yield
    except RoofcubeError:
        raise
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "check that the disk has room and that you may write there")
        msg = f"`{os.fspath(path)}`: expected a file that can be written, got {error.strerror or error}; {remedy}"
        raise UnwritableFileError(msg, error.errno, error.strerror) from error


def _temporary(target: Path) -> Path:
    ending = f".{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.partial"
    room = LONGEST_NAME - len(ending) - 1
    shortened = os.fsencode(target.name)[:room].decode("utf-8", "ignore")
    return target.with_name(f".{shortened}{ending}")


@cache
def _machine() -> str:
    """Tell machines and containers apart that share a folder: a process number means nothing outside its own."""
    try:
        processes = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        processes = ""
    return digest([platform.node(), processes])[:8]


def _put_in_place(temporary: Path, target: Path, *, folder: bool) -> None:
    if target.exists():
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    _to_disk(temporary)
    if folder and target.is_dir() and temporary.is_dir():
        if not _exchanged(temporary, target):
            aside = temporary.with_suffix(".old")
            target.rename(aside)
            temporary.rename(target)
            shutil.rmtree(aside, ignore_errors=True)
    else:
        temporary.replace(target)
    sync(target.parent)


def _exchanged(first: Path, second: Path) -> bool:
    """Swap two folders in one step where the system can (Linux); a rename cannot replace a folder that holds files."""
    if not sys.platform.startswith("linux"):
        return False
    import ctypes

    swap = getattr(ctypes.CDLL(None), "renameat2", None)  # glibc 2.28
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return swap is not None and swap(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0


def _to_disk(path: Path) -> None:
    if path.is_dir():
        with ThreadPoolExecutor(FLUSHED) as pool:
            for _ in pool.map(sync, path.rglob("*")):  # the first that fails, or Ctrl-C, ends it
                pass
    sync(path)


def sync(path: Path) -> None:
    """Make what was written, or a rename in a folder, last through a power cut, where the system can."""
    if path.is_dir() and os.name != "posix":
        return
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # a folder may be closed to reading, and some network file systems have no such call for folders
        if not path.is_dir() or error.errno not in (errno.EACCES, errno.EINVAL, errno.ENOTSUP):
            raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_strays(folder: Path) -> None:
    """Remove what processes that are no more left half written in a folder."""
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    remove_abandoned(folder, names)
    for name in names:
        match = TEMPORARY.fullmatch(name)
        if match and (_is_dead(match) or _is_forgotten(folder / name)):
            _remove(folder / name)


def _is_dead(temporary: re.Match[str]) -> bool:
    return temporary["machine"] == _machine() and not _runs(int(temporary["process"]))


def _is_forgotten(temporary: Path) -> bool:
    try:
        return time.time() - temporary.stat().st_mtime > FORGOTTEN
    except OSError:
        return False


def _runs(process: int) -> bool:
    if os.name != "posix":  # asking would end the process on Windows
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


# hashing --------------------------------------------------------------------------------------------------------------


def digest(parts: Iterable[str | bytes | memoryview[Any]]) -> str:
    """Hash parts one after the other with SHA-256; text as UTF-8.

    Examples
    --------
    >>> digest(["ab", b"c"]) == digest(["abc"])
    True
    >>> digest(["abc"])[:16]
    'ba7816bf8f01cfea'
    """
    total = hashlib.sha256()
    for part in parts:
        content = memoryview(part.encode() if isinstance(part, str) else part)
        if content.nbytes <= PART:
            total.update(content)
            continue
        flat = content.cast("B")
        for start in range(0, len(flat), PART):  # Ctrl-C is seen between two calls
            total.update(flat[start : start + PART])
    return total.hexdigest()


# the user's cache -----------------------------------------------------------------------------------------------------


def cache_folder(room: str) -> Path:
    """Where a room keeps what can be computed again; nothing is created.

    ``ROOFCUBE_CACHE_DIR`` if it is set, else the platform's place for a user's caches (``XDG_CACHE_HOME`` or
    ``~/.cache`` on Linux, ``~/Library/Caches`` on macOS, ``%LOCALAPPDATA%`` on Windows).

    Examples
    --------
    >>> cache_folder("numba").name
    'numba'
    """
    own = os.environ.get("ROOFCUBE_CACHE_DIR")
    return (Path(own).expanduser() if own else _folder_of_the_user("Caches", "XDG_CACHE_HOME", ".cache")) / room


def state_folder() -> Path:
    """Where what cannot be computed again is kept, `user_key` alone; nothing is created.

    The platform's place for what programs keep (``XDG_STATE_HOME`` or ``~/.local/state`` on Linux,
    ``~/Library/Application Support`` on macOS, ``%LOCALAPPDATA%`` on Windows), never ``ROOFCUBE_CACHE_DIR``, in which
    others may write.

    Examples
    --------
    >>> state_folder().name
    'roofcube'
    """
    return _folder_of_the_user("Application Support", "XDG_STATE_HOME", ".local/state")


def user_key() -> bytes:
    """Return random bytes that only this user can read, by which what this user kept is known again.

    The first call makes them.

    Raises
    ------
    OSError
        If `state_folder` cannot be written.
    """
    path = make_private(state_folder()) / "key"
    key = _key_at(path)
    if key is None:
        with replacing(path) as temporary:
            key = _key_at(path) or os.urandom(KEY_BYTES)  # another process may have been first
            path.unlink(missing_ok=True)  # or its permissions would be kept
            temporary.touch(mode=0o600)
            temporary.write_bytes(key)
    return key


def _key_at(path: Path) -> bytes | None:
    """Read a key; None where there is none, only a part of one, or one that others can read."""
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            return None
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    return key if len(key) == KEY_BYTES else None


def _folder_of_the_user(mac: str, variable: str, usual: str, *, system: str = sys.platform) -> Path:
    """Return where a system has a user's files of a kind, each program in a folder of its own."""
    try:
        home = Path.home()
    except RuntimeError:  # an account without a home, as in some containers
        home = Path(os.devnull)
    if system == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif system == "darwin":
        base = home / "Library" / mac
    else:
        base = Path(os.environ.get(variable) or home / usual)
    return base / "roofcube"


def make_private(folder: Path) -> Path:
    """Make a folder, and those above that are missing, for this user only: machine code is loaded from there."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder
