"""Read the user's own platforms and networks, validated against the schema of the embedded tables."""

from __future__ import annotations

import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from roofcube.datasets import schema
from roofcube.datasets.networks import described, network_table
from roofcube.datasets.own_platforms import platform_table
from roofcube.datasets.reading import columns_of, frame_of
from roofcube.datasets.table_forms import TABLE_SUFFIXES, as_sheet, as_table
from roofcube.errors import InvalidDataError, MissingInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_network", "read_platforms"]


def read_platforms(source: Any) -> pl.DataFrame:
    """Read platforms of your own from TOML, or from a table.

    Parameters
    ----------
    source : str, Path or table
        The name of a TOML, CSV, TSV or Parquet file; a polars or pandas DataFrame, a LazyFrame, a dict of columns or a
        list of dicts. In TOML, a table ``[[platform]]`` for each platform, mode and precision, with the columns of
        `roofcube.datasets.load_platforms` as keys: `platform`, `device_class`, `precision`, `peak_compute_op_per_s`,
        `memory_bandwidth_b_per_s`; optional `mode`, `family`, `executed_precision`, `memory_capacity_b`,
        `listed_power_w`, `cores`, `weight_memory_b`, `channel_tile`, `weights_shared`, `dataflow`, `basis`, `source`.
        Quantities may be called as in cubes (`peak_compute`, `memory_bandwidth`, `memory_capacity`, `on_chip_memory`,
        `power`), carry their units (``"19.2 GB/s"``, ``"40 TOP/s"``; SI and binary prefixes with op/s, OPS, FLOP/s,
        MAC/s of two operations, B/s, bit/s, B, W), and say where they are from: ``{value = "40 TOP/s", source = "data
        sheet"}``. `precision` is one of FP32, FP16, BF16, TF32, FP8, INT8, INT4, NVFP4, MXFP4, W4A16, …, in any usual
        spelling; `device_class` is free text (GPU, CPU, FPGA, TPU, NPU, DSP, ASIC, VLIW, MCU, …).

    Returns
    -------
    DataFrame
        For ``roofcube.inputs(platforms=...)``; `source` is the file.

    Raises
    ------
    InvalidDataError
        Naming file, entry, key, value and the fix: an unknown key, a number that no hardware has (a peak of 40, where
        40 TOP/s are meant), a platform given twice in one mode at one precision.

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
    ... peak_compute = "2 TOP/s"
    ... memory_bandwidth = { value = "10 GB/s", source = "data sheet, page 3" }
    ... ''')
    >>> rc.inputs("cifar10", platforms=[rc.read_platforms(path), "TX2"]).platform.values.tolist()
    ['Mine', 'TX2']
    """
    if not isinstance(source, str | Path):
        rows = source if isinstance(source, list) else as_table(source, what="source").to_dicts()
        return platform_table(rows, source="`source`", each="row")
    path = _existing(source)
    if path.suffix.lower() in TABLE_SUFFIXES:
        return platform_table(as_table(path, what="source").to_dicts(), source=str(path), each="row")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # tomllib raises both, of numbers and of brackets without end
        msg = f"{path}: not readable as TOML ({error}); see the example in the documentation of read_platforms"
        raise InvalidDataError(msg) from None
    entries = content.get("platform")
    if not isinstance(entries, list) or not entries:
        msg = (
            f"{path}: expected tables [[platform]], got the keys {', '.join(content) or '(none)'}; write one "
            "[[platform]] for each platform, mode and precision"
        )
        raise InvalidDataError(msg)
    return platform_table(entries, source=str(path), each="[[platform]]")


def read_network(
    source: Any,
    *,
    name: str | None = None,
    task: str | None = None,
    sizes: Mapping[str, Any] | None = None,
    batch: int | None = None,
    pruning: float | None = None,
    top1: float | Mapping[str, float] | None = None,
    top5: float | Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Read a network of your own, whole or not at all: an ONNX model, a table of layers, or a table of totals.

    Parameters
    ----------
    source : str, Path or table
        `.onnx` (needs the extra ``onnx``; weights stored beside it need not be there), `.csv`, `.tsv`, `.parquet`, or
        the same table as a polars or pandas DataFrame, a LazyFrame, a dict of columns or a list of dicts. A table of
        layers has the columns of
        `roofcube.datasets.load_layers`; one of totals a row a network: `topology`, `ops` or `macs` (also `gops`,
        `gmacs`), `params`, optional `activations`, `activation_memory`, `input_elements`, `output_elements`, `state`,
        `vector_ops`, `vector_elements`, `task`, `pruning_percent`, `precision` (where it differs), `top1`, `top5`.
    name : str, optional
        Label of the network; else the table's, or the name of the ONNX file, taken as it is.
    task : str, optional
        Label of its task, for ``roofcube.inputs(task, topologies=...)``; ``custom`` where nothing says so.
    sizes : mapping, optional
        Sizes of the symbolic dims of an ONNX model by name, ``{"seq": 128}``, or by place, ``{"x[2]": 224}``; also a
        whole shape by input, ``{"x": (1, 3, 224, 224)}``, and the value of a scalar input.
    batch : int, optional
        Inputs that one run of an ONNX model takes, by which its counts are divided; else the leading dim of its first
        input.
    pruning : float, optional
        Channels kept, percent, of an ONNX model; 100 where not given.
    top1, top5 : number or mapping of precision to number, optional
        Accuracy in percent; with it the network is no longer `untrained` at those precisions.

    Returns
    -------
    DataFrame
        For ``roofcube.inputs(topologies=...)``. Of ONNX a row per layer and input: `ops` are the multiplications and
        additions of convolutions, matrix products, recurrent layers and attention; vector work (element-wise, pooling,
        normalisation, …) has rows of its own kinds with `vector_ops` and the elements that it moves.

    Raises
    ------
    InvalidDataError
        Naming file, row, column, value and the fix; of ONNX the operators that are not understood, their nodes and
        their share of the weights, or the symbolic dim whose size is missing; of tables counts that contradict the
        shapes.
    FileNotFoundError
        If there is no such file.
    MissingInputError
        If onnx is not installed.

    Examples
    --------
    >>> import roofcube as rc
    >>> mine = rc.read_network({"topology": ["Mine"], "gmacs": [4.1], "params": [25.6e6]}, task="kws", top1=76.1)
    >>> float(rc.inputs("kws", topologies=mine).ops.sel(topology="Mine", pruning=100))
    8200000000.0
    """
    if isinstance(source, str | Path):
        path = _existing(source)
        told = str(path)
        suffix = path.suffix.lower()
        if suffix == ".onnx":
            table = _onnx_layers(path, sizes, batch, pruning)
            name = path.stem if name is None else name
        elif suffix in TABLE_SUFFIXES:
            sheet = as_sheet(path, what="source", row=schema.NetworkTotalsRow)
            table = network_table(sheet, source=told, name=name)
        else:
            msg = (
                f"{path}: expected a name ending in .onnx or .csv, got {path.suffix!r}; save it as CSV, TSV or Parquet"
            )
            raise InvalidDataError(msg)
    else:
        told, suffix = "", ""
        table = network_table(as_sheet(source, what="source"), source="`source`", name=name)
    if suffix != ".onnx":
        given = {"sizes": sizes, "batch": batch, "pruning": pruning}
        misplaced = next((key for key, value in given.items() if value is not None), None)
        if misplaced is not None:
            msg = f"`{misplaced}`: only for ONNX models, {told or 'the source'} is a table; say it in the table itself"
            raise InvalidDataError(msg)
    return described(table, source=told, name=name, task=task, top1=top1, top5=top5)


def _onnx_layers(path: Path, sizes: Mapping[str, Any] | None, batch: int | None, pruning: float | None) -> pl.DataFrame:
    if find_spec("onnx") is None:
        msg = f"{path}: reading ONNX needs the package onnx; pip install 'roofcube[onnx]'"
        raise MissingInputError(msg)
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        msg = f"`batch`: expected the inputs that one run takes, 1 or more, got {batch!r}; give a whole number"
        raise InvalidDataError(msg)
    kept = 100.0 if pruning is None else pruning
    if isinstance(kept, bool) or not isinstance(kept, int | float) or not 0 < kept <= 100:
        msg = f"`pruning`: expected channels kept in percent, above 0 and at most 100, got {pruning!r}"
        raise InvalidDataError(msg)
    from roofcube.files.onnx.layers import layers_of

    rows = [
        {"topology": path.stem, "pruning_percent": float(kept), **row}
        for row in layers_of(path, sizes=sizes, batch=batch)
    ]
    return frame_of(rows, schema.NetworkLayer).select(pl.exclude(columns_of(schema.OwnAccuracy)))


def _existing(name: str | Path) -> Path:
    path = Path(name)
    if not path.is_file():
        msg = f"{path}: there is no such file; check the name"
        raise FileNotFoundError(msg)
    return path
