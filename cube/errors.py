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
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING

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
    "suggestion",
    "unknown_label",
]


class RoofcubeError(Exception):
    """Base of all errors that roofcube raises on purpose."""


class UnknownLabelError(RoofcubeError, KeyError):
    """A label that is not in the table, dim or list it was looked up in."""

    def __str__(self) -> str:
        # KeyError would print the repr of the message, with its newlines escaped
        return str(self.args[0])


class InvalidDataError(RoofcubeError, ValueError):
    """A table or cube whose content breaks its schema."""


class MissingInputError(RoofcubeError, ValueError):
    """A model lacks a variable that it needs."""


class MemoryLimitError(RoofcubeError, MemoryError):
    """A result would be larger than the memory limit."""


class MissingFileError(RoofcubeError, FileNotFoundError):
    """There is no file of a name, or what is there is no file."""


class UnreadableFileError(RoofcubeError, OSError):
    """The system refuses to read a file."""


class CorruptFileError(RoofcubeError, OSError):
    """A file is torn, foreign or altered."""


class UnwritableFileError(RoofcubeError, OSError):
    """A file cannot be written; `errno` and `strerror` are the system's."""

    def __init__(self, message: str, number: int | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.errno, self.strerror = number, reason

    def __str__(self) -> str:
        # OSError would print the number and the system's words, without the message
        return str(self.args[0])


class BusyFileError(RoofcubeError, OSError):
    """Another writer has not done with a path."""


class ForkedProcessError(RoofcubeError, RuntimeError):
    """A process was forked off in a way in which a library would wait forever."""


class MissingExtraError(RoofcubeError, ImportError):
    """A package is missing that only an extra of roofcube installs."""


def suggestion(value: object, known: Iterable[object]) -> str:
    """Name the closest of `known`, for the end of a message; empty where nothing is near."""
    names = [str(name) for name in known]
    folded = {name.casefold(): name for name in names}
    close = get_close_matches(str(value).casefold(), folded, n=1, cutoff=0.5)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def unknown_label(what: str, value: object, known: Iterable[object], *, do: str = "") -> UnknownLabelError:
    """Build the error for a label that is not among `known`: closest match first, then the list."""
    names = [str(name) for name in known]
    listed = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    ending = f"; {do}" if do else ""
    msg = f"`{what}`: {value!r} is not known{suggestion(value, names)}; expected one of: {listed or '(none)'}{ending}"
    return UnknownLabelError(msg)


def check_choice(what: str, value: object, choices: Iterable[object]) -> None:
    """Raise unless `value` is one of a closed list of choices."""
    known = list(choices)
    if value not in known:
        listed = ", ".join(repr(choice) for choice in known)
        msg = f"`{what}`: expected one of {listed}, got {value!r}{suggestion(value, known)}"
        raise InvalidDataError(msg)


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
