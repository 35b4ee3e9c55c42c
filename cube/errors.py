"""The errors of roofcube and the wording they share; standard library only, so that every room may use it.

Every error is a `RoofcubeError` and also the builtin that fits::

    RoofcubeError
    ├── UnknownLabelError   (KeyError)    a task, platform, variable or column that does not exist
    ├── InvalidDataError    (ValueError)  a table or cube whose content breaks its schema
    ├── MissingInputError   (ValueError)  a model lacks a variable that it needs
    ├── MemoryLimitError    (MemoryError) a result larger than the limit set
    ├── MissingFileError    (FileNotFoundError) a name under which there is no file
    ├── CorruptFileError    (OSError)     a file that is torn, foreign or altered
    ├── UnreadableFileError (OSError)     a file that the system refuses to read
    ├── UnwritableFileError (OSError)     a file that the system refuses to write: disk full, read-only, name too long
    ├── BusyFileError       (OSError)     a path that another writer has not done with
    ├── ForkedProcessError  (RuntimeError) a process forked off in a way in which a library would wait forever
    └── MissingExtraError   (ImportError) a package that only an extra installs

Each carries a note, a line of its own below the message: the page of the site that explains it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from roofcube.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BusyFileError",
    "CorruptFileError",
    "ForkedProcessError",
    "InvalidDataError",
    "MemoryLimitError",
    "MissingExtraError",
    "MissingFileError",
    "MissingInputError",
    "RoofcubeError",
    "UnknownLabelError",
    "UnreadableFileError",
    "UnwritableFileError",
    "check_choice",
    "check_installed",
    "check_kind",
    "check_limits",
    "page_of",
    "suggestion",
    "unknown_label",
]


# the site, as pyproject.toml has it
SITE = "https://roofcube.readthedocs.io/en/stable/"
# the page that explains an argument, of messages that begin with its name; others are explained by their class
PAGES = {
    "at": "reference/python.html#roofcube.efficiency",
    "bins": "reference/python.html#roofcube.histogram",
    "by": "reference/python.html#roofcube.count",
    "along": "reference/python.html#roofcube.crossover",
    "calibrated": "how-to/calibrate.html",
    "candidates": "how-to/calibrate.html",
    "columns": "how-to/foreign-csv.html",
    "constants": "how-to/foreign-csv.html",
    "context": "how-to/serving.html",
    "counts": "explain/corrections.html",
    "decimal": "how-to/foreign-csv.html",
    "epsilon": "reference/python.html#roofcube.pareto",
    "formula": "how-to/hypothetical.html#terms-of-your-own",
    "front": "reference/python.html#roofcube.distance_to_front",
    "layout": "reference/python.html#roofcube.as_offered",
    "level": "how-to/intervals.html",
    "limit": "how-to/limits.html",
    "limits": "how-to/limits.html",
    "measurements": "how-to/own-measurements.html",
    "merge": "how-to/merge.html",
    "n": "reference/python.html#roofcube.top",
    "peak_scaling": "how-to/hypothetical.html",
    "per": "reference/python.html#roofcube.best",
    "phase": "how-to/serving.html",
    "platform": "how-to/own-board.html",
    "platforms": "how-to/own-board.html",
    "precision": "reference/variables.html#precisions",
    "probability": "how-to/intervals.html",
    "q": "reference/python.html#roofcube.quantile",
    "sep": "how-to/foreign-csv.html",
    "strategy": "explain/exactness.html",
    "task": "how-to/own-task.html",
    "ties": "reference/python.html#roofcube.pareto",
    "topologies": "how-to/own-task.html",
    "topology": "how-to/own-task.html",
    "traces": "explain/gate.html",
    "trust": "explain/gate.html",
    "units": "how-to/foreign-csv.html",
    "untrusted": "how-to/share.html",
    "where": "how-to/limits.html",
}


def page_of(page: str) -> str:
    """Return the address of a page of the site; `ROOFCUBE_DOCS` may name another copy, or the folder of one."""
    return f"{os.environ.get('ROOFCUBE_DOCS', SITE).rstrip('/')}/{page}"


class RoofcubeError(Exception):
    """Base of all errors that roofcube raises on purpose."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.add_note(f"See docs: {page_of(self.page)}")

    def __reduce__(self) -> tuple[Any, ...]:
        # without it tblib, by which errors come from Dask's workers, makes them without `__init__`: MemoryError refuses
        return type(self), self.args, self.__dict__

    @property
    def page(self) -> str:
        """The page of the site that explains this error: of the argument that it names first, else of its class."""
        subject = re.match(r"`(?:--)?([a-z_]+)\b", str(self.args[0])) if self.args else None
        return PAGES.get(subject[1] if subject else "", f"reference/errors.html#{type(self).__name__.lower()}")


class UnknownLabelError(RoofcubeError, KeyError):
    """A label that is not in the table, dim or list it was looked up in.

    The message names the closest one that is there, then the list. `rc.platforms()`, `rc.networks()`, `rc.variables()`
    and `rc.tasks()` say what there is; a cube says it by its coordinates.
    """

    def __str__(self) -> str:
        # KeyError would print the repr of the message, with its newlines escaped
        return str(self.args[0])


class InvalidDataError(RoofcubeError, ValueError):
    """A table, cube or argument whose content is not what it must be.

    Of files the message names each row and column that is wrong, all in one go, and what to write there. Of arguments
    it says what was expected, what came, and what to do.
    """


class MissingInputError(RoofcubeError, ValueError):
    """A model, a figure or a question lacks a variable that it needs.

    The message names the variable and what asks for it. Add it by `inputs.assign(...)`, measure it, or choose
    assumptions that do without.
    """


class MemoryLimitError(RoofcubeError, MemoryError):
    """A result would be larger than the memory limit.

    Ask for less at a time (`where=`, `per=`), keep the space a `Sweep`, which stores nothing, write it by `to_zarr`, or
    raise the limit: `rc.set_options(memory="8 GB")`.
    """


class MissingFileError(RoofcubeError, FileNotFoundError):
    """There is no file of a name, or what is there is no file."""


class UnreadableFileError(RoofcubeError, OSError):
    """The system refuses to read a file."""


class CorruptFileError(RoofcubeError, OSError):
    """A file is torn, foreign or altered.

    It was cut short, another program wrote it, or its content no longer matches its checksum. Get it again from where
    it came; what `rc.save` wrote is never half there under its own name.
    """


class UnwritableFileError(RoofcubeError, OSError):
    """A file cannot be written; `errno` and `strerror` are the system's.

    The disk is full, the folder read-only, or the name too long. What stood there before is unharmed.
    """

    def __init__(self, message: str, number: int | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.errno, self.strerror = number, reason

    def __reduce__(self) -> tuple[Any, ...]:
        # `args` holds the message alone
        return type(self), (str(self), self.errno, self.strerror), self.__dict__

    def __str__(self) -> str:
        # OSError would print the number and the system's words, without the message
        return str(self.args[0])


class BusyFileError(RoofcubeError, OSError):
    """Another writer has not done with a path.

    A path has one writer at a time. Wait until the other has ended, or write elsewhere.
    """


class ForkedProcessError(RoofcubeError, RuntimeError):
    """A process was forked off in a way in which a library would wait forever.

    Threads do not come along in a fork. Start worker processes by "spawn" or "forkserver":
    `multiprocessing.get_context("spawn")`.
    """


class MissingExtraError(RoofcubeError, ImportError):
    """A package is missing that only an extra of roofcube installs.

    The message has the command that installs it.
    """


def suggestion(value: object, known: Iterable[object]) -> str:
    """Name what of `known` is meant, for the end of a message; empty where nothing is near."""
    names = [repr(name) for name in nearest(value, known)]
    several = f"{', '.join(names[:-1])} or " if names[1:] else ""
    return f"; did you mean {several}{names[-1]}?" if names else ""


def unknown_label(what: str, value: object, known: Iterable[object], *, do: str = "") -> UnknownLabelError:
    """Build the error for a label that is not among `known`: closest match first, then the list."""
    labels = list(known)
    names = [str(label) for label in labels]
    listed = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    ending = f"; {do}" if do else ""
    if isinstance(value, float) and value != value:
        near = ", as nothing equals NaN"
    else:
        near = _why_not(value, labels[names.index(str(value))]) if str(value) in names else suggestion(value, names)
    msg = f"`{what}`: {value!r} is not known{near}; expected one of: {listed or '(none)'}{ending}"
    return UnknownLabelError(msg)


def _why_not(value: object, label: object) -> str:
    """Say why a value is not the label that is written as it; empty where they are of one kind."""
    if isinstance(value, str) == isinstance(label, str):
        return ""
    return f", as labels are text; write {str(label)!r}" if isinstance(label, str) else f", as text; write {label}"


def check_choice(what: str, value: object, choices: Iterable[object]) -> None:
    """Raise unless `value` is one of a closed list of choices."""
    known = list(choices)
    if not _is_among(value, known):
        listed = ", ".join(repr(choice) for choice in known)
        msg = f"`{what}`: expected one of {listed}, got {value!r}{suggestion(value, known)}"
        raise InvalidDataError(msg)


def _is_among(value: object, known: list[object]) -> bool:
    """Check whether a value is one of several; an array is compared cell by cell, and pandas' NA has no truth."""
    try:
        return isinstance(value, Hashable) and value in known
    except TypeError:
        return False


def check_kind(what: str, value: object, kind: type, *, do: str) -> None:
    """Raise unless `value` is of a kind; `do` says where to get one."""
    if not isinstance(value, kind):
        msg = f"`{what}`: expected a {kind.__name__}, got {value!r:.60} of type {type(value).__name__}; {do}"
        raise InvalidDataError(msg)


def check_limits(name: str, low: float | None, high: float | None) -> None:
    """Raise if nothing can lie between two ends."""
    if low is not None and high is not None and not low <= high:
        msg = f"`where[{name!r}]`: expected low ≤ high, got ({low:g}, {high:g}); swap them, or use None for an open end"
        raise InvalidDataError(msg)


def check_installed(what: str, package: str, extra: str) -> None:
    """Raise, with the command to run, if a package of an extra is not installed."""
    if find_spec(package) is None:
        msg = f"`{what}`: needs the package {package!r}, which is not installed; run pip install 'roofcube[{extra}]'"
        raise MissingExtraError(msg)
