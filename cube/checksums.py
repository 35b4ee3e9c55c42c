"""Checksums of Zarr stores that need not fit into memory: one for each variable, over its files; knows no zarr.

A digest of a file is the same whether it is taken from what is about to be written or from what is on disk, so that a
writer who goes on after an interruption reads nothing again, and `verify` needs no decompression.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from roofcube.options import progress_bar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FILES", "OF_ONE_STORE", "SWEEP", "altered", "digest", "recorded", "write"]

FILES = "roofcube_sha256_of_files"
SWEEP = "roofcube_sweep"
OF_ONE_STORE = (FILES, SWEEP)  # attributes that are not true of what is made from a store
METADATA = "zarr.json"  # of the store and, inside its folder, of each variable
UNCHECKED = ("consolidated_metadata",)  # a copy of what is checked, that Zarr may add


def digest(content: bytes) -> str:
    """Give the checksum of what a file holds."""
    return hashlib.sha256(content).hexdigest()


def write(store: Path, known: Mapping[str, Mapping[str, str]]) -> None:
    """Put the checksums of all variables into a store that is complete.

    Parameters
    ----------
    store : Path
    known : mapping of variable to mapping of file name to digest
        Chunks whose digests are there already; only the other files are read.
    """
    variables = {folder.name: _combined(_chunks(folder, known.get(folder.name))) for folder in _folders(store)}
    metadata = _metadata(store)
    metadata["attributes"][FILES] = json.dumps({METADATA: _of_root(metadata), **variables})
    beside = store / f"{METADATA}.partial"
    beside.write_text(json.dumps(metadata, indent=2), "utf-8")
    beside.replace(store / METADATA)


def recorded(store: Path) -> str | None:
    """Give the checksums that a store carries, as they are written there; None where it has none."""
    try:
        return str(_metadata(store)["attributes"][FILES])
    except (OSError, ValueError, KeyError, TypeError):
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
    folders = _folders(store)
    found = {METADATA: _of_root(_metadata(store))}
    with progress_bar(len(folders), "checking") as bar:
        for folder in folders:
            found[folder.name] = _combined(_chunks(folder, None))
            bar.update(1)
    return sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))


def _folders(store: Path) -> list[Path]:
    return sorted(path for path in store.iterdir() if path.is_dir())


def _chunks(folder: Path, known: Mapping[str, str] | None) -> dict[str, str]:
    """Give the digest of every file of a variable."""
    if known is not None:
        return {**known, METADATA: _of_file(folder / METADATA)}
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _of_file(path) for path in files}


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _combined(digests: Mapping[str, str]) -> str:
    return digest("".join(f"{name} {one}\n" for name, one in sorted(digests.items())).encode())


def _metadata(store: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((store / METADATA).read_text("utf-8"))
    return content


def _of_root(metadata: Mapping[str, Any]) -> str:
    """Hash what the store's own file says, but for the checksums in it."""
    attributes = {name: value for name, value in metadata["attributes"].items() if name != FILES}
    rest = {name: value for name, value in metadata.items() if name not in UNCHECKED}
    return digest(json.dumps({**rest, "attributes": attributes}, sort_keys=True).encode())
