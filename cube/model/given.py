"""Take platforms and networks in whatever form a caller has them: names, tables of any kind, files, Datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.datasets.forms.table_forms import TABLE_SUFFIXES, as_sheet, as_table, is_table
from roofcube.datasets.networks import described, network_table
from roofcube.datasets.own_platforms import platform_table
from roofcube.errors import InvalidDataError

__all__ = ["as_list", "platforms_given", "topologies_given"]


def as_list(value: Any) -> list[Any] | None:
    """Return a list of one or several; a table, or rows of one, is one."""
    if value is None:
        return None
    if isinstance(value, xr.DataArray | np.ndarray):  # labels of a cube or an answer
        return list(np.atleast_1d(np.asarray(value)).ravel().tolist())
    if isinstance(value, str | xr.Dataset) or is_table(value) or not hasattr(value, "__iter__"):
        return [value]
    items = list(value)
    return [items] if items and all(_is_row(one) for one in items) else items


def platforms_given(chosen: list[Any] | None) -> list[Any] | None:
    """Return names, polars tables and Datasets; files are read, other tables and rows validated."""
    return None if chosen is None else [_platform(one) for one in chosen]


def topologies_given(chosen: list[Any] | None) -> list[Any] | None:
    """Return names and polars tables of networks; files are read, other tables validated as `read_network` does."""
    return None if chosen is None else [_topology(one) for one in chosen]


def _platform(one: Any) -> Any:
    if isinstance(one, xr.Dataset):
        return one
    if isinstance(one, str | Path) and str(one).lower().endswith((".toml", *TABLE_SUFFIXES)):
        from roofcube.files.readers import read_platforms

        return read_platforms(one)
    if isinstance(one, Mapping) and _is_row(one):
        one = [one]
    if isinstance(one, list):
        return platform_table(one, source="`platforms`", each="row")
    if isinstance(one, str | pl.DataFrame) or not is_table(one):
        return one
    return platform_table(as_table(one, what="platforms").to_dicts(), source="`platforms`", each="row")


def _topology(one: Any) -> Any:
    if isinstance(one, str | Path) and str(one).lower().endswith((".onnx", *TABLE_SUFFIXES)):
        from roofcube.files.readers import read_network

        return read_network(one)
    if isinstance(one, str):
        return one
    if isinstance(one, pl.DataFrame | pl.LazyFrame):
        return as_table(one, what="topologies")
    if not (isinstance(one, list) or is_table(one)):
        msg = (
            f"`topologies`: expected names or tables of read_network, got {type(one).__name__}; give one of them, or a "
            "list"
        )
        raise InvalidDataError(msg)
    return described(network_table(as_sheet(one, what="topologies"), source="`topologies`"))


def _is_row(value: Any) -> bool:
    """Tell a row from columns by its values: texts, numbers, or numbers with their source."""
    if not isinstance(value, Mapping) or isinstance(value, xr.Dataset):
        return False
    single = (str, int, float, Mapping, type(None))
    return all(isinstance(one, single) or getattr(one, "ndim", 1) == 0 for one in value.values())
