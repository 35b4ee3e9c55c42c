"""Read the user's own measurements, platforms and networks, validated against the schema of the embedded tables."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from roofcube.datasets import schema
from roofcube.datasets.reading import check_keys, columns_of, model_of, parse_rows, read_table
from roofcube.errors import InvalidDataError, suggestion
from roofcube.labels import KEY_COLUMNS

__all__ = ["read_measurements", "read_network", "read_platforms"]


def read_measurements(csv: str | Path) -> pl.DataFrame:
    r"""Read a CSV of measurements.

    Parameters
    ----------
    csv : str or Path
        Columns as in `roofcube.datasets.load_measurements`; `task`, `topology`, `platform`, `precision`,
        `pruning_percent` and `batch` are required, figures that were not measured may be left out or empty. A column
        `initiation_interval_s` gives the interval of a dataflow design.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidDataError
        Naming file, row, column, value and the fix: unknown column, wrong unit, text in a number, duplicate key.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import roofcube as rc
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "mine.csv"
    >>> header = "task,topology,platform,precision,pruning_percent,batch,throughput_compute_per_s"
    >>> _ = path.write_text(header + chr(10) + "cifar10,CNV,NCS,FP16,12.50%,1,500" + chr(10))
    >>> rc.read_measurements(path)["platform"].item()
    'NCS2'
    """
    path = _existing(csv)
    table = read_table(path, schema.Measurement)
    check_keys(table, ("task", *KEY_COLUMNS), source=str(path))
    return table


def read_platforms(toml: str | Path) -> pl.DataFrame:
    """Read platforms of your own from TOML.

    Parameters
    ----------
    toml : str or Path
        A table ``[[platform]]`` for each platform, mode and precision, with the columns of
        `roofcube.datasets.load_platforms` as keys: `platform`, `device_class`, `precision`, `peak_compute_op_per_s`,
        `memory_bandwidth_b_per_s`; optional `mode`, `family`, `executed_precision`, `memory_capacity_b`,
        `listed_power_w`, `cores`, `weight_memory_b`, `channel_tile`, `weights_shared`, `dataflow`, `basis`.

    Returns
    -------
    DataFrame
        For ``roofcube.inputs(platforms=...)``.

    Raises
    ------
    InvalidDataError
        Naming file, entry, key, value and the fix.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import roofcube as rc
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "mine.toml"
    >>> _ = path.write_text('''
    ... [[platform]]
    ... platform = "Mine"
    ... device_class = "GPU"
    ... precision = "INT8"
    ... peak_compute_op_per_s = 2e12
    ... memory_bandwidth_b_per_s = 1e10
    ... ''')
    >>> rc.inputs("cifar10", platforms=[rc.read_platforms(path), "TX2"]).platform.values.tolist()
    ['Mine', 'TX2']
    """
    path = _existing(toml)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not readable as TOML ({error}); see the example in the documentation of read_platforms"
        raise InvalidDataError(msg) from None
    entries = content.get("platform")
    if not isinstance(entries, list) or not entries:
        msg = (
            f"{path}: expected tables [[platform]], got the keys {', '.join(content) or '(none)'}; write one "
            "[[platform]] for each platform, mode and precision"
        )
        raise InvalidDataError(msg)
    rows = [_platform_row(entry, number, path) for number, entry in enumerate(entries, start=1)]
    table = pl.DataFrame(rows, infer_schema_length=None)
    check_keys(table, ("platform", "mode", "precision"), source=str(path))
    return table


def read_network(source: str | Path) -> pl.DataFrame:
    """Read a network of your own: an ONNX model, or a CSV of its layers.

    Parameters
    ----------
    source : str or Path
        `.onnx` (needs the extra ``onnx``), or `.csv` with the columns of `roofcube.datasets.load_layers`.

    Returns
    -------
    DataFrame
        A row per weight layer, for ``roofcube.inputs(topologies=...)``.

    Raises
    ------
    InvalidDataError
        Naming file, row, column, value and the fix.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import polars as pl
    >>> import roofcube as rc
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "mine.csv"
    >>> mine = rc.datasets.load_layers().filter(pl.col("topology") == "CNV", pl.col("pruning_percent") == 50)
    >>> mine.with_columns(topology=pl.lit("Mine")).write_csv(path)
    >>> float(rc.inputs(topologies=rc.read_network(path)).ops.sel(topology="Mine", pruning=50))
    118922752.0
    """
    path = _existing(source)
    if path.suffix == ".onnx":
        from roofcube.files.onnx_layers import layers_of

        rows = layers_of(path)
        return parse_rows(pl.DataFrame(rows, infer_schema_length=None), schema.LayerRow, source=str(path))
    if path.suffix != ".csv":
        msg = f"{path}: expected a name ending in .onnx or .csv, got {path.suffix!r}"
        raise InvalidDataError(msg)
    table = read_table(path, schema.LayerRow)
    check_keys(table, ("topology", "pruning_percent", "layer"), source=str(path))
    return table


def _existing(name: str | Path) -> Path:
    path = Path(name)
    if not path.is_file():
        msg = f"{path}: there is no such file; check the name"
        raise FileNotFoundError(msg)
    return path


def _platform_row(entry: Any, number: int, path: Path) -> dict[str, Any]:
    """Validate one entry against both halves of the platform schema."""
    offered, structure = set(columns_of(schema.Platform)), set(columns_of(schema.PlatformStructure))
    for key in entry:
        if key not in offered | structure:
            msg = (
                f"{path}, [[platform]] {number}, key {key!r}: not "
                f"known{suggestion(key, sorted(offered | structure))}; expected "
                f"{', '.join(sorted(offered | structure))}"
            )
            raise InvalidDataError(msg)
    given = {"family": entry.get("platform"), "executed_precision": entry.get("precision"), **entry}
    try:
        platform = model_of(schema.Platform).model_validate(
            {key: value for key, value in given.items() if key in offered and value is not None}
        )
        inside = model_of(schema.PlatformStructure).model_validate(
            {key: value for key, value in given.items() if key in structure}
        )
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        got = "nothing" if first["type"] == "missing" else repr(first["input"])
        msg = f"{path}, [[platform]] {number}, key {key!r}: got {got}; {first['msg'][0].lower()}{first['msg'][1:]}"
        raise InvalidDataError(msg) from None
    return {**platform.model_dump(), **inside.model_dump()}
