"""Read the user's own platforms and networks, validated against the schema of the embedded tables."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roofcube.datasets import schema
from roofcube.datasets.forms.faults import check_no_faults
from roofcube.datasets.forms.fields import decimal_of, inferred, kind_of
from roofcube.datasets.forms.reading import Sheet, columns_of, frame_of, hints_of
from roofcube.datasets.forms.table_forms import TABLE_SUFFIXES, as_sheet, as_table
from roofcube.datasets.networks import checked_label, described, network_table
from roofcube.datasets.own_platforms import platform_table
from roofcube.datasets.quantities import QUANTITIES
from roofcube.datasets.transformers import is_transformer, transformer_table
from roofcube.disk import existing, text_of
from roofcube.errors import InvalidDataError, check_installed
from roofcube.files.foreign_columns import ColumnMap, renamed_columns
from roofcube.files.toml import parsed_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roofcube.files.foreign_columns import Target

__all__ = ["read_network", "read_platforms"]

MOST_KEYS = 10  # that are told of a file that has others
WITH_UNITS = {name: one.unit for key, one in QUANTITIES.items() for name in (key, one.column)}
TEXTS = {
    "source",
    *(
        name
        for row in (schema.Platform, schema.PlatformStructure)
        for name, hint in hints_of(row).items()
        if kind_of(hint).type is str
    ),
}
NUMBER = r"^\s*([-+]?[0-9.,]+)"  # before its unit


def read_platforms(source: Any, *, columns: Mapping[str, Target] | None = None) -> pl.DataFrame:
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

    columns : mapping, optional
        What the columns of a foreign table, or the keys of a TOML file, are here, with the unit of plain numbers where
        it is another; None leaves one out: ``{"TOPS (dense)": ("peak_compute", "TOP/s"), "price": None}``.

    Returns
    -------
    DataFrame
        For ``roofcube.inputs(platforms=...)``; `source` is the file.

    Raises
    ------
    InvalidDataError
        Naming file, entry, key, value and the fix, for every entry: an unknown key, a number that no hardware has (a
        peak of 40, where 40 TOP/s are meant), a platform given twice in one mode at one precision.

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
    >>> sheet = [{"Board": "A", "Class": "NPU", "Type": "INT8", "TOPS": 4, "Bandwidth": "17 GB/s", "Price": 99}]
    >>> names = {"Board": "platform", "Class": "device_class", "Type": "precision", "Price": None}
    >>> names |= {"TOPS": ("peak_compute", "TOP/s"), "Bandwidth": "memory_bandwidth"}
    >>> rc.read_platforms(sheet, columns=names).select("platform", "peak_compute_op_per_s").row(0)
    ('A', 4000000000000.0)
    """
    told, each, numbers = "`source`", "row", None
    if isinstance(source, list):
        entries = source
    elif isinstance(source, str | Path) and Path(source).suffix.lower() in TABLE_SUFFIXES:
        told, sheet = str(source), as_sheet(source, what="source", row=schema.Platform)
        check_no_faults(sheet.faults, source=told, header=sheet.header)
        numbers = sheet.rows if sheet.header else None
        entries = _platform_cells(sheet, columns).to_dicts()
    elif not isinstance(source, str | Path):
        entries = as_table(source, what="source").to_dicts()
    else:
        entries, told, each = _toml_entries(existing(source)), str(source), "[[platform]]"
    return platform_table(_renamed_keys(entries, columns, told), source=told, each=each, numbers=numbers)


def _platform_cells(sheet: Sheet, columns: Any) -> pl.DataFrame:
    """Read the numbers of a sheet of platforms, with units or without; what is none stays text, to be told."""
    if not sheet.separator:
        return sheet.frame
    names = ColumnMap.of(columns, None, None).columns
    numbers = [one for one in sheet.frame.columns if _name_and_unit(names.get(one, one))[0] in WITH_UNITS]
    plain = sheet.frame.select(pl.col(numbers).str.extract(NUMBER))
    decimal, doubt = (".", "") if sheet.separator == "," else decimal_of(plain.get_columns())
    frame = sheet.frame
    if decimal == "," and not doubt:
        frame = frame.with_columns(pl.col(numbers).str.replace(",", ".", literal=True))
    # a label stays text, whatever number it looks like: mode 1.10
    labels = [one for one in frame.columns if _name_and_unit(names.get(one, one))[0] in TEXTS]
    return frame.with_columns(pl.col(labels).str.strip_chars().replace("", None), *map(inferred, frame.drop(labels)))


def _toml_entries(path: Path) -> list[Any]:
    try:
        content = parsed_toml(text_of(path))
    except (ValueError, RecursionError) as error:  # tomllib raises both, of numbers and of brackets without end
        usual = "" if path.suffix.lower() == ".toml" else ", tables end in .csv, .tsv or .parquet"
        msg = f"{path}: not readable as TOML ({error}){usual}; see the example in the documentation of read_platforms"
        raise InvalidDataError(msg) from None
    entries = content.get("platform")
    if not isinstance(entries, list) or not entries or len(content) > 1:
        keys = ", ".join(repr(key) for key in islice(content, MOST_KEYS)) or "(none)"
        msg = (
            f"{path}: expected tables [[platform]] and nothing else, got the keys {keys}; write one [[platform]] for "
            "each platform, mode and precision"
        )
        raise InvalidDataError(msg)
    return entries


def _renamed_keys(entries: list[Any], columns: Mapping[str, Target] | None, told: str) -> list[Any]:
    if columns is None:
        return entries
    # a unit in a head is of plain numbers; text may say its own
    keys: dict[Any, Any] = {}
    for entry in entries:
        for key, value in entry.items() if hasattr(entry, "items") else ():
            key = str(key)
            keys[key] = pl.Float64 if _in_unit(value, "1") != value else keys.get(key, pl.Null)
    none = Sheet(pl.DataFrame(schema=keys), (), 0)
    renamed_columns(none, columns, source=told, units=WITH_UNITS)
    names = {key: _name_and_unit(columns.get(key, key)) for key in keys}
    return [
        {names[str(key)][0]: _in_unit(value, names[str(key)][1]) for key, value in entry.items() if names[str(key)][0]}
        if hasattr(entry, "items")
        else entry
        for entry in entries
    ]


def _name_and_unit(target: Target) -> tuple[str, str]:
    """Return the name that a column gets, empty for none, and the unit that was said of it."""
    return (target or "", "") if target is None or isinstance(target, str) else (target[0], target[1])


def _in_unit(value: Any, unit: str) -> Any:
    """Write a plain number with its unit; what has one keeps it."""
    if unit and hasattr(value, "items"):
        return {key: _in_unit(one, unit) if key == "value" else one for key, one in value.items()}
    try:
        plain = float(value)
    except (TypeError, ValueError):
        return value
    return value if not unit or isinstance(value, bool) or plain != plain else f"{plain!r} {unit}"


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
    columns: Mapping[str, str | None] | None = None,
    phase: str | Sequence[str] | None = None,
    context: int | Sequence[int] | None = None,
) -> pl.DataFrame:
    """Read a network of your own, whole or not at all: ONNX, a table of layers or of totals, a transformer's config.

    Parameters
    ----------
    source : str, Path or table
        `.onnx` (needs the extra ``onnx``; weights stored beside it need not be there), `.csv`, `.tsv`, `.parquet`, or
        the same table as a polars or pandas DataFrame, a LazyFrame, a dict of columns or a list of dicts. A table of
        layers has the columns of
        `roofcube.datasets.load_layers`; one of totals a row a network: `topology`, `ops` or `macs` (also `gops`,
        `gmacs`), `params`, optional `activations`, `activation_memory`, `input_elements`, `output_elements`, `state`,
        `vector_ops`, `vector_elements`, `task`, `pruning_percent`, `precision` (where it differs), `top1`, `top5`.
        `.json`, or a dict with `model_type`: the configuration of a decoder transformer in the style of Hugging Face
        (grouped and latent attention, gated MLPs, mixtures of experts, sliding windows, tied embeddings), which needs
        `context`; of a model for pictures or sound too the decoder of its text is counted, and the column `left_out`
        (an attribute of the same name in `inputs`) names the parts that are not.
    name : str, optional
        Label of the network; else the table's, or the name of the ONNX file, taken as it is.
    task : str, optional
        Label of its task, for ``roofcube.inputs(task, topologies=...)``; ``custom`` where nothing says so.
    sizes : mapping, optional
        Sizes of the symbolic dims of an ONNX model by name, ``{"seq": 128}``, or by place, ``{"x[2]": 224}``; also a
        whole shape by input, ``{"x": (1, 3, 224, 224)}``, and the value of a scalar input.
    batch : int, optional
        Inputs that one run of an ONNX model takes, by which its counts are divided; else the leading dim of its first
        input, unless that is called after places (``seq``, ``tokens``, …), or has a size in `sizes` by a name that is
        neither a batch's nor an exporter's own (``s0``). Say it where that is not so; it is asked for where a layer of
        the model shows that a leading dim whose name says nothing is no batch.
    pruning : float, optional
        Channels kept, percent, of an ONNX model; 100 where not given.
    top1, top5 : number or mapping of precision to number, optional
        Accuracy in percent; with it the network is no longer `untrained` at those precisions.
    columns : mapping of str to str or None, optional
        What the columns of a foreign table are here; None leaves one out: ``{"param_count": "mparams", "family":
        None}``.
    phase : str or sequence of str, optional
        Of a transformer: ``"prefill"`` (an input is a prompt of `context` tokens), ``"decode"`` (an input is one token
        of a sequence of `context` tokens), or both, where not given.
    context : int or sequence of int, optional
        Of a transformer: tokens of a sequence.

    Returns
    -------
    DataFrame
        For ``roofcube.inputs(topologies=...)``. Of ONNX a row per layer and input: `ops` are the multiplications and
        additions of convolutions, matrix products, recurrent layers and attention; vector work (element-wise, pooling,
        normalisation, …) has rows of its own kinds with `vector_ops` and the elements that it moves; what must be said
        of a count is its `note`, in `inputs` the attribute `count_notes`. Of a transformer a row for each phase and
        context, dims of their own in `inputs`: operations (2 a multiply-accumulate) with the products of attention, the
        key-value cache as `state`, `active_params` of a token, `tokens` an input.

    Raises
    ------
    InvalidDataError
        Naming file, row, column, value and the fix; of ONNX the operators that are not understood, their nodes and
        their share of the weights, or the symbolic dim whose size is missing; of tables counts that contradict the
        shapes.
    MissingFileError
        If there is no such file.
    MissingExtraError
        If onnx is not installed.

    Examples
    --------
    >>> import roofcube as rc
    >>> mine = rc.read_network({"topology": ["Mine"], "gmacs": [4.1], "params": [25.6e6]}, task="kws", top1=76.1)
    >>> float(rc.inputs("kws", topologies=mine).ops.sel(topology="Mine", pruning=100))
    8200000000.0

    Foreign names of columns; a decoder transformer, of which one phase at two lengths of context is wanted:

    >>> table = {"model": ["Mine"], "GMACs": [4.1], "weights": [25.6e6], "year": [2024]}
    >>> names = {"model": "topology", "GMACs": "gmacs", "weights": "params", "year": None}
    >>> rc.read_network(table, task="kws", columns=names, top5={"INT8": 92.0})["params"].item()
    25600000.0
    >>> config = {
    ...     "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    ...     "intermediate_size": 128, "vocab_size": 1000,
    ... }
    >>> rc.read_network(config, name="tiny", phase="decode", context=[128, 512])["context"].to_list()
    [128, 512]

    An ONNX file whose symbolic dims get their sizes, which runs eight inputs at a time and keeps half the channels:

    >>> rc.read_network("net.onnx", sizes={"length": 128}, batch=8, pruning=50)  # doctest: +SKIP
    """
    if is_transformer(source) or (isinstance(source, str | Path) and str(source).lower().endswith(".json")):
        table, told = _transformer(source, name, phase, context)
        why = f"{told} is a transformer's configuration; leave it out"
        _check_misplaced({"sizes": sizes, "batch": batch, "pruning": pruning}, "only for ONNX models", why)
        _check_misplaced({"columns": columns}, "only for tables", why)
        return described(table, source=told, task=task, top1=top1, top5=top5)
    here = str(source) if isinstance(source, str | Path) else "the source"
    why = f"{here} is none; give a config.json, or leave it out"
    _check_misplaced({"phase": phase, "context": context}, "only for configurations of transformers", why)
    if isinstance(source, str | Path):
        path = existing(source)
        told = str(path)
        suffix = path.suffix.lower()
        if suffix == ".onnx":
            if columns is not None:
                msg = f"`columns`: only for tables, {path} is an ONNX model; leave it out"
                raise InvalidDataError(msg)
            table = _onnx_layers(path, sizes, batch, pruning)
            name = path.stem if name is None else name
        elif suffix in TABLE_SUFFIXES:
            sheet = as_sheet(path, what="source", row=schema.NetworkTotalsRow)
            table = network_table(renamed_columns(sheet, columns, source=told), source=told, name=name)
        else:
            msg = (
                f"{path}: expected a name ending in .onnx or .csv, got {path.suffix!r}; export a model as ONNX, save a "
                "table as CSV, TSV or Parquet, give a transformer's config.json"
            )
            raise InvalidDataError(msg)
    else:
        told, suffix = "", ""
        sheet = renamed_columns(as_sheet(source, what="source"), columns, source="`source`")
        table = network_table(sheet, source="`source`", name=name)
    if suffix != ".onnx":
        given = {"sizes": sizes, "batch": batch, "pruning": pruning}
        _check_misplaced(
            given, "only for ONNX models", f"{told or 'the source'} is a table; say it in the table itself"
        )
    return described(table, source=told, name=name, task=task, top1=top1, top5=top5)


def _check_misplaced(given: Mapping[str, Any], only: str, why: str) -> None:
    misplaced = next((key for key, value in given.items() if value is not None), None)
    if misplaced is not None:
        msg = f"`{misplaced}`: {only}, {why}"
        raise InvalidDataError(msg)


def _transformer(
    source: Any, name: str | None, phase: str | Sequence[str] | None, context: int | Sequence[int] | None
) -> tuple[pl.DataFrame, str]:
    told, config, label = "`source`", source, "transformer"
    if not is_transformer(source):
        path = existing(source)
        told = str(path)
        # models are kept as <name>/config.json
        label = path.resolve().parent.name if path.stem == "config" else path.stem
        try:
            config = json.loads(text_of(path), object_pairs_hook=_by_key)
        except (ValueError, RecursionError) as error:
            msg = f"{path}: not readable as JSON ({error}); expected the config.json of a transformer"
            raise InvalidDataError(msg) from None
        if not hasattr(config, "keys"):
            msg = f"{path}: expected an object with model_type, got {type(config).__name__}; give a config.json"
            raise InvalidDataError(msg)
    said = str(config.get("_name_or_path") or "").rstrip("/").rpartition("/")[2]
    label = checked_label("name", said or label if name is None else name)
    table = transformer_table(config, phase=phase, context=context, name=label, source=told)
    return table, told


def _by_key(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of what JSON says, where it says it once."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        msg = f"the key {next(key for key in keys if keys.count(key) > 1)!r:.60} is there twice"
        raise ValueError(msg)
    return content


def _onnx_layers(path: Path, sizes: Mapping[str, Any] | None, batch: int | None, pruning: float | None) -> pl.DataFrame:
    check_installed(str(path), "onnx", "onnx")
    batch = batch.item() if isinstance(batch, np.integer) else batch
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        msg = f"`batch`: expected the inputs that one run takes, 1 or more, got {batch!r}; give a whole number"
        raise InvalidDataError(msg)
    if sizes is not None and not hasattr(sizes, "items"):
        msg = f"`sizes`: expected a mapping, got {sizes!r:.60}; write it like {{'seq': 128}}"
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
