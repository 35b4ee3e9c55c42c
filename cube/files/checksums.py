"""Checksums of Zarr stores that need not fit into memory: one for each variable, over its files; knows no zarr."""

from __future__ import annotations

import hashlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from roofcube.disk import digest, replacing
from roofcube.options import progress_bar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "ALL",
    "CONTENT",
    "DESCRIPTION",
    "FILES",
    "OF_ONE_STORE",
    "SWEEP",
    "WHOLE",
    "altered",
    "is_ours",
    "of_file",
    "recorded",
    "write_checksums",
]

CONTENT = "roofcube_sha256"  # of what `roofcube.save` wrote
DESCRIPTION = "roofcube_sha256_of_attributes"  # checked at every load: chunks carry checksums of their own
FILES = "roofcube_sha256_of_files"
SWEEP = "roofcube_sweep"
WHOLE = "roofcube_chunks"  # `ALL` where every chunk has a file: a missing one was lost, and does not mean a fill value
ALL = "all"
OF_ONE_STORE = (FILES, SWEEP, WHOLE)  # attributes that are not true of what is made from a store
METADATA = "zarr.json"  # of the store and, inside its folder, of each variable
UNCHECKED = ("consolidated_metadata",)  # a copy of what is checked, that Zarr may add


def write_checksums(store: Path, known: Mapping[str, str] | None = None) -> None:
    """Put the checksums of all variables into a store that is complete; `known` are digests of files as written."""
    metadata = _metadata(store)
    metadata["attributes"][FILES] = json.dumps(_found(store, known or {}))
    with replacing(store / METADATA, lock=False) as temporary:
        temporary.write_text(json.dumps(metadata, indent=2), "utf-8")


def is_ours(store: Path) -> bool:
    """Check whether a folder is a store that roofcube wrote, which it may replace."""
    for name, attributes in ((METADATA, ("attributes",)), (".zattrs", ())):
        try:
            content = json.loads((store / name).read_text("utf-8"))
            for key in attributes:
                content = content[key]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        if isinstance(content, dict) and content.keys() & {CONTENT, *OF_ONE_STORE}:
            return True
    return False


def recorded(store: Path) -> str | None:
    """Return the checksums that a store carries, as they are written there; None where it has none."""
    try:
        return str(_metadata(store)["attributes"][FILES])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def altered(store: Path) -> list[str]:
    """Name the variables of a store, or its own ``zarr.json``, whose files are not as they were written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import roofcube as rc
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "cube.zarr"
    >>> cube = rc.Sweep(rc.inputs("mnist")).to_zarr(path)
    >>> (path / "predicted_latency" / "zarr.json").unlink()
    >>> altered(path)
    ['predicted_latency']
    """
    try:
        expected = json.loads(recorded(store) or "")
    except ValueError:
        expected = {}
    found = _found(store)
    return sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))


def _found(store: Path, known: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Hash what is there, but for files whose digests are known."""
    folders = sorted(path for path in store.iterdir() if path.is_dir())
    found = {METADATA: _of_root(_metadata(store))}
    with progress_bar(len(folders), "checksums") as bar:
        for folder in folders:
            found[folder.name] = _of_folder(folder, known)
            bar.update(1)
    return found


def _of_folder(folder: Path, known: Mapping[str, str]) -> str:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    digests = {name: known.get(f"{folder.name}/{name}") or of_file(path) for name, path in files.items()}
    return digest(f"{name} {digests[name]}\n" for name in sorted(files))


def of_file(path: Path) -> str:
    """Hash the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _metadata(store: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((store / METADATA).read_text("utf-8"))
    return content


def _of_root(metadata: Mapping[str, Any]) -> str:
    """Hash what the store's own file says, but for the checksums in it."""
    attributes = {name: value for name, value in metadata["attributes"].items() if name != FILES}
    rest = {name: value for name, value in metadata.items() if name not in UNCHECKED}
    return digest([json.dumps({**rest, "attributes": attributes}, sort_keys=True)])
