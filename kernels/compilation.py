"""Compile kernels with numba and keep the machine code in the user's cache folder; knows nothing of what is compiled.

Import this module only from modules that need a compiler: importing it imports numba.

numba's own ``cache=True`` is not used, for reasons that were each seen here or read in its source: it writes into
site-packages, where ``pip uninstall`` leaves a folder that later wins over the package; two option sets on one function
share an entry; an edited callee in another file leaves a stale caller; two processes that race on its index can give
one signature the other's binary; and closures loaded from it can run in place of others. Here every entry is one file,
and every symbol, named after everything that shaped the code. An entry is run where it is authenticated by the user's
key, which is kept elsewhere: who can write into the folder cannot make us run what is put there.
"""

from __future__ import annotations

import functools
import hmac
import inspect
import pickle
import sys
import tempfile
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np

from roofcube import disk
from roofcube.interrupts import aside, import_whole

import_whole("numba")
import llvmlite  # noqa: E402
import numba  # noqa: E402
from numba.core import compiler, config  # noqa: E402
from numba.core.dispatcher import Dispatcher  # noqa: E402
from numba.core.serialize import dumps  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["jit", "readiness"]

Function = TypeVar("Function", bound="Callable[..., Any]")

ROOM = "numba"  # of the user's cache folder
# a wrapper for C, which nothing calls, took a fifth of the time to compile a kernel of 29 arrays
OPTIONS = {"nopython": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
PLAIN = (int, float, complex, bool, str, bytes, type(None), np.dtype, np.generic)


@overload
def jit(function: Function) -> Function: ...


@overload
def jit(function: None = None, *, source: str | None = None) -> Callable[[Function], Function]: ...


def jit(function: Function | None = None, *, source: str | None = None) -> Function | Callable[[Function], Function]:
    """Compile a function on its first call, without the interpreter lock, with NumPy's rules for division by zero.

    Machine code is kept in the user's cache folder (``roofcube.disk.cache_folder``) and reused by later processes as
    long as the sources of the kernels, the function, numba, NumPy and the processor are the same. Where the folder
    cannot be written, every process compiles anew and is told so by one ``RuntimeWarning``.

    Parameters
    ----------
    function
        The function to compile; its closure may hold numbers, strings, NumPy's scalar types and other compiled
        functions, or it is compiled in each process.
    source
        The text the function was generated from, for functions that are in no file.

    Returns
    -------
    callable
        numba's dispatcher, or a decorator if ``function`` is not given.

    Examples
    --------
    >>> @jit
    ... def double(value):
    ...     return 2.0 * value
    >>> double(1.5)
    3.0
    """
    if function is None:
        return functools.partial(_compiled, source=source)
    return _compiled(function, source=source)


def _compiled(function: Function, *, source: str | None) -> Function:
    cache = MachineCodeCache(function, source)
    # numba numbers symbols by process, so code from the folder and fresh code of two closures can share a name, and
    # one then silently runs in place of the other (seen). Named after their content, they cannot.
    function.__qualname__ += f"_{(cache.identity or uuid.uuid4().hex)[:24]}"
    dispatcher = numba.jit(**OPTIONS)(function)
    if isinstance(dispatcher, Dispatcher):  # NUMBA_DISABLE_JIT=1 gives the plain function
        vars(dispatcher)["_cache"] = cache
        vars(dispatcher)["compile"] = functools.partial(aside, dispatcher.compile)
    return dispatcher  # type: ignore[no-any-return]


def readiness(function: Any) -> Literal["loaded", "cached", "absent"]:
    """Return how far a function that `jit` gave is compiled: in this process, in the cache folder, or not at all."""
    if not isinstance(function, Dispatcher) or function.overloads:
        return "loaded"
    cache = getattr(function, "_cache", None)
    return "cached" if isinstance(cache, MachineCodeCache) and cache.has_entry() else "absent"


class MachineCodeCache:
    """One compiled function's machine code on disk, in the form that numba's dispatcher asks for."""

    def __init__(self, function: Callable[..., Any], source: str | None) -> None:
        self.function = function
        self.source = source
        self.enabled = True

    @property
    def cache_path(self) -> str:
        return str(disk.cache_folder(ROOM))

    def enable(self) -> None:
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def flush(self) -> None:
        """Forget nothing: entries of other sources are never looked up, so there is nothing stale to clear."""

    @functools.cached_property
    def identity(self) -> str | None:
        """Everything that shapes the code except signature and processor; None where that cannot be told."""
        captured = _captured(self.function)
        text = _own_text(self.function) if self.source is None else self.source
        if captured is None or text is None:
            return None
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        return _digest([_surroundings_of_kernels(), text, name, self.function.__code__.co_code.hex(), captured])

    def entry(self, signature: Any, codegen: Any) -> Path | None:
        folder = _usable_folder(disk.cache_folder(ROOM))
        if not self.enabled or folder is None or self.identity is None:
            return None
        of = _digest([self.identity, repr(signature), repr(codegen.magic_tuple())])
        return folder / f"{self._stem}-{of[:24]}.bin"

    @property
    def _stem(self) -> str:
        """What the names of all entries of this function and this user begin with."""
        return f"{self.function.__name__.strip('<>')}-{_authentication((self.identity or '').encode()).hex()[:24]}"

    def has_entry(self) -> bool:
        """Check whether there is machine code of the function, for whatever arguments."""
        folder = _usable_folder(disk.cache_folder(ROOM))
        if not self.enabled or folder is None or self.identity is None:
            return False
        try:
            return self._stem in _stems(folder, folder.stat().st_mtime_ns)
        except OSError:  # taken away meanwhile
            return False

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        target_context.refresh()
        path = self.entry(signature, target_context.codegen())
        data = None if path is None else _sound_entry(path)
        if data is None:
            return None
        return compiler.CompileResult._rebuild(target_context, *pickle.loads(data))

    def save_overload(self, signature: Any, result: Any) -> None:
        if result.lifted or result.library.has_dynamic_globals:
            return
        path = self.entry(signature, result.codegen)
        if path is None:
            return
        try:
            _write_entry(path, dumps(result._reduce()))
        except OSError as error:
            _warn_uncached(path.parent, error)


@functools.lru_cache(maxsize=1)
def _stems(folder: Path, _changed: int) -> frozenset[str]:
    """Return what the entries of a folder begin with, as it was when it changed last: every question may ask."""
    return frozenset(entry.name.rpartition("-")[0] for entry in folder.iterdir())


def _sound_entry(path: Path) -> bytes | None:
    """Return the entry, or None if there is none, or one that is damaged, of another name or not of this user."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    said, data = content[:32], content[32:]
    return data if hmac.compare_digest(said, _authentication(path.name.encode(), data)) else None


def _write_entry(path: Path, data: bytes) -> None:
    with disk.replacing(path) as temporary:
        temporary.write_bytes(_authentication(path.name.encode(), data) + data)


def _authentication(*parts: bytes) -> bytes:
    return hmac.digest(_user_key(), b"\0".join(parts), "sha256")


@functools.cache
def _user_key() -> bytes:
    return disk.user_key()


@functools.cache
def _usable_folder(folder: Path) -> Path | None:
    try:
        _user_key()
    except OSError as error:
        _warn_uncached(disk.state_folder(), error, "XDG_STATE_HOME")
        return None
    try:
        disk.make_private(folder)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        _warn_uncached(folder, error)
        return None


_told: set[str] = set()


def _warn_uncached(folder: Path, error: OSError, variable: str = "ROOFCUBE_CACHE_DIR") -> None:
    if _told:
        return
    _told.add(str(folder))
    msg = (
        f"`compiled kernels`: expected a folder that can be written, got {str(folder)!r} ({error.strerror}); "
        f"set {variable} to one, or every process compiles anew"
    )
    warnings.warn(msg, RuntimeWarning, stacklevel=2)


def _surroundings(folder: Path) -> str:
    """Digest of all sources in a folder (a caller's code holds its callees' code) and of what compiles them."""
    sources = sorted(folder.rglob("*.py"))
    parts = [f"{path.relative_to(folder).as_posix()}\n{path.read_text('utf-8')}" for path in sources]
    versions = [sys.version, numba.__version__, llvmlite.__version__, np.__version__]
    switches = [config.OPT, config.LOOP_VECTORIZE, config.SLP_VECTORIZE, config.BOUNDSCHECK, config.DEBUGINFO_DEFAULT]
    return _digest([*parts, *versions, repr(switches), repr(sorted(OPTIONS.items()))])


@functools.cache
def _surroundings_of_kernels() -> str:
    return _surroundings(Path(__file__).parent)


@functools.cache
def _file_text(path: str) -> str:
    return Path(path).read_text("utf-8")


def _own_text(function: Callable[..., Any]) -> str | None:
    try:
        return _file_text(inspect.getfile(function))
    except (OSError, TypeError):  # typed at a prompt, or generated without `source=`
        return None


def _captured(function: Callable[..., Any]) -> str | None:
    """Describe the closure; None if it holds something whose content cannot be told from its text."""
    parts = []
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # a function that calls itself is not bound yet
            return None
        identity = value._cache.identity if _has_identity(value) else None
        if identity is None and not isinstance(value, PLAIN) and not _is_scalar_type(value):
            return None
        parts.append(identity or f"{type(value).__name__} {value!r}")
    return _digest(parts)


def _is_scalar_type(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, np.generic)


def _has_identity(value: Any) -> bool:
    return isinstance(value, Dispatcher) and isinstance(getattr(value, "_cache", None), MachineCodeCache)


def _digest(parts: list[str]) -> str:
    return disk.digest(["\0".join(parts)])
