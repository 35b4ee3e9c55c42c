"""What `roofcube check` does: read rows and what they are to be judged by, and number the findings as the file does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from roofcube import datasets
from roofcube.cli.foreign import numbered_rows
from roofcube.cli.own import own_networks, own_platforms, parted
from roofcube.datasets.tables import collections_of
from roofcube.labels import named_as_dims
from roofcube.measured.physics_gate import check
from roofcube.model.inputs import inputs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import xarray as xr

__all__ = ["Checked", "check_file"]


@dataclass(frozen=True)
class Checked:
    """The findings on a file, `row` as the file counts, and what else is to be said.

    Attributes
    ----------
    n_rows : int
    findings : DataFrame
    kept : list of str
        Columns that were not judged.
    replaced : list of str
        Embedded platforms and networks in whose place the user's own were taken.
    """

    n_rows: int
    findings: pl.DataFrame
    kept: list[str]
    replaced: list[str]


def check_file(
    rows: Path,
    *,
    platforms: Sequence[Path] = (),
    networks: Sequence[Path] = (),
    context: Sequence[int] = (),
    phase: Sequence[str] = (),
    sizes: Sequence[str] = (),
    **reading: Any,
) -> Checked:
    """Put the measurements of a file through the physics gate, with platforms and networks of the user's own.

    Parameters
    ----------
    rows : Path
    platforms, networks : sequence of Path
        For `own_platforms` and `own_networks`; beside the embedded ones, in their place where names are equal.
    context, phase, sizes : sequence
        As for `own_networks`.
    **reading
        As for `numbered_rows`.
    """
    numbered = numbered_rows(rows, **reading)
    nets = own_networks(networks, context=context, phase=phase, sizes=sizes)
    space, replaced = _space_of(platforms, nets, numbered.table)
    findings = check(numbered.said, inputs=space)
    places = pl.Series("row", numbered.rows, dtype=pl.Int64)
    findings = findings.with_columns(row=places.gather(findings["row"]))
    return Checked(numbered.table.height, findings, _not_judged(numbered.kept, numbered.table, space), replaced)


def _not_judged(kept: list[str], rows: pl.DataFrame, space: xr.Dataset | None) -> list[str]:
    """Return the columns kept that are no dim of what was judged by, however the file writes it."""
    if space is None:
        return kept
    named = dict(zip(rows.columns, named_as_dims(space, rows).columns, strict=True))
    return [name for name in kept if named[name] not in space.dims]


def _space_of(
    platforms: Sequence[Path], nets: Sequence[pl.DataFrame], rows: pl.DataFrame
) -> tuple[xr.Dataset | None, list[str]]:
    """Return what to judge by, also what the rows name of other collections; None where nothing is the user's own."""
    if not platforms and not nets:
        return None, []
    hardware = own_platforms(platforms)
    replaced: list[str] = []
    named = []
    for own, column, embedded in (
        (hardware, "platform", datasets.load_platforms()),
        (nets, "topology", datasets.load_topologies()),
    ):
        beside = collections_of(column, rows[column].drop_nulls().unique(maintain_order=True).to_list())
        usual, in_place = parted([*embedded[column].to_list(), *beside], own, column)
        named.append(usual)
        replaced += in_place
    return inputs(platforms=[*named[0], *hardware], topologies=[*named[1], *nets], batch=1), replaced
