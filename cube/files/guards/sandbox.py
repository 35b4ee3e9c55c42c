"""Read a file that nobody vouches for in a process of its own: with an end to its time and memory, and no trust in it.

The libraries that read HDF5 are written in C: a damaged or hostile file can make them loop, take all memory or crash.
So a child reads it, limited by the system, and sends back numbers, text and attributes, never objects; whatever comes
is checked before it becomes a cube.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from math import ceil, prod
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from roofcube import errors
from roofcube.disk import existing, path_of
from roofcube.errors import CorruptFileError, InvalidDataError, RoofcubeError
from roofcube.files.attributes import safe_dtype, typed, untyped
from roofcube.files.encoding import of_another_calendar
from roofcube.files.guards.declared import is_read_whole
from roofcube.files.guards.hdf_chunks import has_limit_of_its_own
from roofcube.interrupts import import_whole
from roofcube.options import memory_limit, set_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["SECONDS", "describe_untrusted", "load_untrusted"]

Array = np.ndarray[Any, np.dtype[Any]]
# seconds of a processor that a file may take, and one more for so many of its bytes; a cube of 10⁸ cells takes 2
SECONDS, RATE = 5.0, 1e7
BUSY = 10  # times as long by the clock: the processors may be others' too
A_FILE = 1 << 16  # bytes that each file counts for beside its own: zarr takes some milliseconds for it
START = 60.0  # seconds more, to start a process and import what reads files
READY = b"ready"  # what the child says first: from now on the file takes its time
HEADER_BYTES = 1 << 26
OVERHEAD = 3 << 30  # bytes of address space that Python and the libraries take beside the cube
CODE = (
    "import sys; from roofcube.files import store; from roofcube.files.guards import sandbox; "
    "sandbox.serve(store, *sys.argv[1:])"
)
ERRORS = ("CorruptFileError", "InvalidDataError", "MemoryLimitError", "MissingExtraError")


def load_untrusted(path: str | Path, *, seconds: float | None = None) -> xr.Dataset:
    """Load a cube as `roofcube.load` does, in a process that is ended when it takes too long or too much memory.

    Raises
    ------
    CorruptFileError
        If the file is no cube, or reading it did not end in time or crashed.
    InvalidDataError
        If `seconds` is no time.
    MemoryLimitError
        If it is larger than the limit of `roofcube.set_options`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import roofcube as rc
    >>> path = rc.save(rc.inputs("mnist"), pathlib.Path(tempfile.mkdtemp()) / "inputs.nc")
    >>> load_untrusted(path).identical(rc.load(path))
    True
    """
    cube, _ = _asked_of_child("load", path_of(path), seconds)
    return cube


def describe_untrusted(path: str | Path, *, seconds: float | None = None) -> tuple[xr.Dataset, str | None]:
    """Return names, sizes, types and attributes of a cube without its values, and why it is not as it was saved.

    Returns
    -------
    Dataset
        Values are zeros that take no memory.
    str or None
        What `roofcube.verify` finds wrong; None where nothing is.
    """
    return _asked_of_child("describe", path_of(path), seconds)


def _asked_of_child(
    what: str, path: Path, seconds: float | None, *, code: str = CODE, start: float = START
) -> tuple[xr.Dataset, str | None]:
    existing(path, folder=path.suffix == ".zarr")
    allowed = _seconds_for(path) if seconds is None else _checked_seconds(seconds)
    work, wait = (ceil(allowed), BUSY * allowed) if seconds is None else (0, allowed)
    room = memory_limit()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    # -P: what lies in the folder of the caller is not imported
    command = [sys.executable, "-P", "-c", code, what, str(path.absolute()), str(room), str(work)]
    late = threading.Event()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as child:
        try:
            assert child.stdout is not None
            with _ended(child, start, late):
                _exactly(child.stdout, len(READY))
            with _ended(child, wait, late):
                return _received(child.stdout, room)
        except RoofcubeError:
            raise
        except Exception as error:
            is_late = late.is_set() or _spent(child)
            why = f"did not end in {allowed:.3g} s" if is_late else f"failed ({type(error).__name__})"
            msg = (
                f"{path}: reading it in a process of its own {why}; the file is damaged or hostile, do not open it"
                f"{', or give a large one more `seconds`' if is_late else ''}"
            )
            raise CorruptFileError(msg) from error
        finally:
            child.kill()


def _seconds_for(path: Path) -> float:
    """Return how long a file may take, or a folder by all that is in it."""
    files = (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)  # noqa: PTH118
    sizes = [os.lstat(file).st_size for file in (files if path.is_dir() else [path])]
    return SECONDS + (sum(sizes) + len(sizes) * A_FILE) / RATE


def _checked_seconds(seconds: float) -> float:
    is_number = isinstance(seconds, int | float | np.number) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= threading.TIMEOUT_MAX:
        msg = f"`seconds`: expected a positive number, got {seconds!r}; leave it out for a time by the file's size"
        raise InvalidDataError(msg)
    return float(seconds)


@contextlib.contextmanager
def _ended(child: subprocess.Popen[bytes], seconds: float, late: threading.Event) -> Iterator[None]:
    """End a child where a block takes longer."""

    def end() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _spent(child: subprocess.Popen[bytes]) -> bool:
    """Check whether a child was ended because it used up its time of a processor."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(1.0) == -getattr(signal, "SIGXCPU", 0) != 0
    return False


# the child ------------------------------------------------------------------------------------------------------------


def serve(store: Any, what: str, path: str, room: str, work: str) -> None:
    """Read a file by `roofcube.files.store` and write what it holds to the standard output: the work of the child."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    _limit_resources(int(room))
    set_options(memory=int(room))
    is_read_whole.set(True)
    with contextlib.suppress(ImportError):  # that it is missing is told below
        import_whole("netCDF4" if path.endswith(".nc") else "zarr")
    if int(work):  # none where the caller says how long by the clock
        _limit_work(int(work))
    answer.write(READY)
    answer.flush()
    try:
        if what == "load":
            cube = store.load(path)
            _check_calendars(path, cube)
            _send(answer, cube, values=True)
        else:
            wrong = None
            try:
                store.verify(path)
            except CorruptFileError as error:
                wrong = str(error)
            with store.opened(path) as cube:
                _send(answer, cube, values=False, wrong=wrong)
    except Exception as error:  # what the parent is told, whatever it is
        name = type(error).__name__ if type(error).__name__ in ERRORS else "CorruptFileError"
        words = str(error)[:2000]
        if name != type(error).__name__:  # an error of a library, which names no file
            words = (
                f"{path}: holds what is sent as numbers, text or attributes only ({type(error).__name__}: {words}); "
                "write it again with roofcube.save"
            )
        _write_header(answer, {"error": name, "message": words})
    answer.close()


def _check_calendars(path: str, cube: xr.Dataset) -> None:
    for name, variable in cube.variables.items():
        told = (
            of_another_calendar(str(name), variable.values.flat[0]) if variable.dtype == "O" and variable.size else None
        )
        if told:
            msg = f"{path}: {told}"
            raise CorruptFileError(msg)


def _limit_resources(room: int) -> None:
    """Limit memory and files of this process where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (room + OVERHEAD, room + OVERHEAD))
        has_limit_of_its_own.set(True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it reads, and writes nothing
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_work(seconds: int) -> None:
    """Limit what this process may use of a processor from now on, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        end = ceil(time.process_time()) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (end, end + 2))


def _send(answer: IO[bytes], cube: xr.Dataset, *, values: bool, wrong: str | None = None) -> None:
    parts, content = [], []
    for name, variable in cube.variables.items():
        array = variable.values if values else None
        text = variable.dtype.kind in "OT"
        part = {
            "name": str(name),
            "dims": list(map(str, variable.dims)),
            "shape": list(variable.shape),
            "dtype": "text" if text else variable.dtype.str,
            "attrs": _typed_attributes(variable.attrs),
            "coordinate": name in cube.coords,
        }
        if array is not None:
            raw = json.dumps(array.ravel().tolist()).encode() if text else np.ascontiguousarray(array).tobytes()
            part["bytes"] = len(raw)
            content.append(raw)
        parts.append(part)
    _write_header(answer, {"attrs": _typed_attributes(cube.attrs), "variables": parts, "wrong": wrong})
    for raw in content:
        answer.write(raw)


def _typed_attributes(attributes: Mapping[Any, Any]) -> list[list[Any]]:
    return [[str(name), typed(str(name), value)] for name, value in attributes.items()]


def _write_header(answer: IO[bytes], header: dict[str, Any]) -> None:
    line = json.dumps(header).encode()
    answer.write(len(line).to_bytes(8, "big"))
    answer.write(line)


# the parent -----------------------------------------------------------------------------------------------------------


def _received(answer: IO[bytes], room: int) -> tuple[xr.Dataset, str | None]:
    """Make a cube of what a child says; it is believed no more than a file."""
    length = int.from_bytes(_exactly(answer, 8), "big")
    if length > HEADER_BYTES:
        msg = "a header of its own size"
        raise ValueError(msg)
    header = json.loads(_exactly(answer, length))
    if "error" in header:
        name = header["error"]
        raise getattr(errors, name if name in ERRORS else "CorruptFileError")(str(header["message"]))
    variables, coords, left = {}, [], room
    for part in header["variables"]:
        left -= int(part.get("bytes", 0))
        if left < 0:
            msg = "the file holds more than the memory limit allows; raise it with `roofcube.set_options(memory=...)`"
            raise errors.MemoryLimitError(msg)
        variables[str(part["name"])] = _variable_of(answer, part)
        if part["coordinate"] is True:
            coords.append(str(part["name"]))
    attributes = {str(name): untyped(value) for name, value in header["attrs"]}
    data = {name: one for name, one in variables.items() if name not in coords}
    given: Any = {name: variables[name] for name in coords}
    if variables and "bytes" not in header["variables"][0]:
        given = xr.Coordinates(given, indexes={})  # values that are not there make no index
    return xr.Dataset(data, coords=given, attrs=attributes), header["wrong"]


def _variable_of(answer: IO[bytes], part: Mapping[str, Any]) -> xr.Variable:
    shape = tuple(int(size) for size in part["shape"])
    dtype = np.dtype("O") if part["dtype"] == "text" else safe_dtype(part["dtype"])
    attributes = {str(name): untyped(value) for name, value in part["attrs"]}
    if "bytes" not in part:
        values: Array = np.broadcast_to(np.zeros((), dtype), shape)
    elif dtype.kind == "O":
        texts = json.loads(_exactly(answer, int(part["bytes"])))
        if len(texts) != prod(shape) or not all(isinstance(one, str) for one in texts):
            msg = "text that is none"
            raise ValueError(msg)
        values = np.array([*texts, None], dtype="O")[:-1].reshape(shape)
    else:
        values = np.frombuffer(_exactly(answer, int(part["bytes"])), dtype).reshape(shape).copy()
    return xr.Variable(tuple(map(str, part["dims"])), values, attributes)


def _exactly(answer: IO[bytes], length: int) -> bytes:
    content = answer.read(length)
    if len(content) != length:
        msg = "it ended early"
        raise EOFError(msg)
    return content
