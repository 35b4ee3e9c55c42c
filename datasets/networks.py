"""Read tables of a user's own networks: layers, whose counts must agree with their shapes, or totals; knows no ONNX."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import polars as pl

from roofcube.datasets import schema
from roofcube.datasets.aliases import canonical, plain_label
from roofcube.datasets.forms.faults import Fault, check_no_faults
from roofcube.datasets.forms.fields import MISSING, decimal_of, kind_of, plain_number
from roofcube.datasets.forms.reading import (
    Sheet,
    check_keys,
    choices_of,
    columns_of,
    header_faults,
    hints_of,
    is_required,
    parse_rows,
    typed_columns,
    without_blanks,
)
from roofcube.errors import InvalidDataError, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "LAYER_COLUMNS",
    "UNSAID_TASK",
    "VECTOR_KINDS",
    "check_network_entries",
    "checked_label",
    "described",
    "is_layer_table",
    "layer_table",
    "network_table",
    "totals_table",
    "with_one_task",
]

LAYER_COLUMNS = ("layer", "kind", "kernel_height", "in_channels", "out_channels")
VECTOR_KINDS = choices_of(schema.NetworkLayer, "kind")[-8:]
# kinds whose every element is a channel at a place; the others say how much they move themselves
SHAPED_KINDS = ("conv", "depthwise", "fully_connected", "conv_transpose")
# kinds whose weights the shape columns give
WINDOWED_KINDS = (*SHAPED_KINDS, "recurrent")
PREFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
QUANTITIES = (
    "activation_memory", "activations", "input_elements", "macs", "ops", "output_elements", "params", "state",
    "vector_elements", "vector_ops",
)  # fmt: skip
QUANTITY = re.compile(rf"([kmg]?)({'|'.join(QUANTITIES)})")
UNSAID_TASK = schema.NetworkTotalsRow.task  # where nothing says it
NUMBERS = [name for name, hint in hints_of(schema.NetworkTotalsRow).items() if kind_of(hint).type is float]
AMBIGUOUS = re.compile(r"[kmgt]?flops?")
# counts of a network, with the column that is meant where they are in millions or billions: from a layer of ten outputs
# to a prompt of a million tokens through the largest language models
PLAUSIBLE = {"ops": (1e3, 1e18, "gops or gmacs"), "params": (100.0, 1e14, "mparams")}
RENAMED = {"top1": "top1_percent", "top5": "top5_percent", "pruning": "pruning_percent"}
# what a network whose needs differ by phase says in every row
OF_PHASES = (
    "phase", "context", "tokens", "active_params", "expert_share", "activations", "activation_memory", "state"
)  # fmt: skip
PHASE_ONLY = OF_PHASES[:5]
# figures in public tables are rounded
AGREEMENT = 0.02


def network_table(table: pl.DataFrame | Sheet, *, source: str, name: str | None = None) -> pl.DataFrame:
    """Validate a table of layers or of totals; `name` is the network's where the table does not say it."""
    sheet = Sheet.of(table)
    if not sheet.frame.height:
        msg = f"{source}: expected at least one network, got a table without rows; see read_network"
        raise InvalidDataError(msg)
    if name is not None and "topology" not in sheet.frame.columns:
        sheet = sheet.with_frame(sheet.frame.with_columns(topology=pl.lit(name)))
    return (layer_table if is_layer_table(sheet.frame.columns) else totals_table)(sheet, source=source)


def check_network_entries(entries: Sequence[Mapping[str, Any]], *, source: str, each: str) -> None:
    """Raise unless each entry of a file says by itself what a network known by its totals needs, in numbers and text.

    Raises
    ------
    InvalidDataError
        Naming source, entry, key, value and the fix, for all that is wrong.
    """
    faults = [
        Fault(number, key, text)
        for number, entry in enumerate(entries, start=1)
        for key, text in [*_entry_values(entry), *([] if is_layer_table(list(entry)) else _entry_keys(entry))]
    ]
    check_no_faults(faults, source=source, header=0, each=each)


def _entry_values(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Find the keys of an entry whose value is no number and no text, and say what it is."""
    return [
        (key, f"expected a number or text, got {value!r:.60}; correct it")
        for key, value in entry.items()
        if isinstance(value, bool) or not isinstance(value, int | float | str)
    ]


def _entry_keys(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Find the keys of an entry that are not known, and those that it lacks."""
    known = columns_of(schema.NetworkTotalsRow)
    names = {_plain_name(key): key for key in entry}
    quantities = {name: QUANTITY.sub(r"\2", name).replace("macs", "ops") for name in names}
    given = {"ops" if AMBIGUOUS.fullmatch(name) else quantity for name, quantity in quantities.items()}
    wrong = []
    for name, key in names.items():
        if not (name in known or QUANTITY.fullmatch(name) or AMBIGUOUS.fullmatch(name)):
            near = suggestion(key, [*known, "macs", "gops", "gmacs"])
            wrong.append((key, f"not known{near or '; expected ' + ', '.join(known)}"))
    required = [name for name in known if is_required(schema.NetworkTotalsRow, name)]
    return wrong + [(name, "got nothing; add it") for name in required if name not in given]


def is_layer_table(columns: Sequence[str]) -> bool:
    """Tell a table of layers from one of totals."""
    return any(name.strip() in LAYER_COLUMNS for name in columns)


# layers ---------------------------------------------------------------------------------------------------------------


def layer_table(table: pl.DataFrame | Sheet, *, source: str) -> pl.DataFrame:
    """Validate a table of layers, text or typed; `macs` may stand for `ops`.

    Raises
    ------
    InvalidDataError
        Naming row, column, value and the fix: as in `roofcube.datasets.forms.reading`, and where `ops`, `params`,
        `input_elements` or `output_elements` are not what the shape columns give; where `weights_of` names a layer that
        does not count these weights.
    """
    sheet = Sheet.of(table)
    frame = without_blanks(sheet.frame)
    if "macs" in frame.columns and "ops" not in frame.columns:
        macs, wrong = _number_column(sheet.with_frame(frame), "macs")
        wrong += [
            Fault(row, "macs", f"got {value!r}; expected a whole number from 0 to 2**62; correct it")
            for row, value in zip(sheet.rows, macs.to_list(), strict=True)
            if value is not None and not (value.is_integer() and 0 <= value <= 2**62)
        ]
        check_no_faults(wrong, source=source, header=sheet.header, each=sheet.each)
        ops = (2 * macs).cast(pl.Int64)
        frame = frame.with_columns(ops=ops).drop("macs")
    layers = parse_rows(sheet.with_frame(frame), schema.NetworkLayer, source=source)
    check_keys(layers, ("topology", "pruning_percent", "layer"), source=source, sheet=sheet)
    _check_counts(layers, source, sheet)
    _check_shared(layers, source, sheet)
    optional = [name for name in columns_of(schema.NetworkLayer) if name not in columns_of(schema.LayerRow)]
    return layers.drop([name for name in optional if name not in frame.columns])


def _check_counts(layers: pl.DataFrame, source: str, sheet: Sheet) -> None:
    for place, row in zip(sheet.rows, layers.iter_rows(named=True), strict=True):
        wrong = _wrong_count(row)
        if wrong is not None:
            column, expected, why = wrong
            text = f"got {row[column]}, the shape columns of this {row['kind']} layer give {expected}; {why}"
            check_no_faults([Fault(place, column, text)], source=source, header=sheet.header, each=sheet.each)


def _wrong_count(row: Mapping[str, Any]) -> tuple[str, int, str] | None:
    """Name the first count of a layer that its shapes contradict, with what they give and what to do."""
    if row["kind"] in VECTOR_KINDS or row["kind"] == "embedding":
        return None if row["ops"] == 0 else ("ops", 0, "put element-wise operations into `vector_ops`")
    if row["in_channels"] % row["groups"] or row["out_channels"] % row["groups"]:
        return "groups", row["groups"], "groups must divide the channels"
    from_places, to_places = row["in_height"] * row["in_width"], row["out_height"] * row["out_width"]
    weights = _weights_by_shape(row)
    ops = 2 * weights * (from_places if row["kind"] == "conv_transpose" else to_places)
    if row["ops"] != ops:
        macs = 2 * row["ops"] == ops
        halved = "these are MACs: an op is one multiplication or one addition, so give twice that or name it `macs`"
        return "ops", ops, halved if macs else "correct the count or the shapes"
    params = 0 if row["kind"] == "matmul" else weights
    shared = bool(row["weights_of"]) and row["params"] <= params
    if row["params"] != params and not shared:
        return "params", params, "count weights only, without biases, or correct the shapes"
    if row["kind"] not in SHAPED_KINDS:
        return None
    if row["input_elements"] != row["in_channels"] * from_places and not _runs_often(row, from_places, to_places):
        return "input_elements", row["in_channels"] * from_places, "give channels × places of one input"
    if row["output_elements"] != row["out_channels"] * to_places:
        return "output_elements", row["out_channels"] * to_places, "give channels × places of one input"
    return None


def _weights_by_shape(row: Mapping[str, Any]) -> int:
    """Return the weights that the shape columns of a layer give."""
    window: int = row["kernel_height"] * row["kernel_width"] * (row["in_channels"] // row["groups"])
    return window * int(row["out_channels"])


def _check_shared(layers: pl.DataFrame, source: str, sheet: Sheet) -> None:
    """Raise where a layer leaves weights out as those of another one, and that one does not count them."""
    networks: dict[tuple[Any, ...], dict[str, Mapping[str, Any]]] = {}
    for row in layers.sort("params").iter_rows(named=True):
        networks.setdefault((row["topology"], row["pruning_percent"]), {})[row["name"]] = row
    faults = [
        Fault(place, "weights_of", f"got {row['weights_of']!r}, {wrong}; name the layer that counts these weights")
        for place, row in zip(sheet.rows, layers.iter_rows(named=True), strict=True)
        if row["weights_of"] and (wrong := _wrong_holder(row, networks[row["topology"], row["pruning_percent"]]))
    ]
    check_no_faults(faults, source=source, header=sheet.header, each=sheet.each)


def _wrong_holder(row: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> str:
    """Say what is wrong with the layer that another one names as that of its weights; nothing where it counts them."""
    holder, seen = others.get(row["weights_of"]), {row["name"]}
    while holder is not None and not holder["params"] and holder["weights_of"] and holder["name"] not in seen:
        seen.add(holder["name"])  # it has them of another one itself
        holder = others.get(holder["weights_of"])
    if holder is None:
        near = suggestion(row["weights_of"], others)
        return f"which is no layer of {row['topology']!r} at {row['pruning_percent']:g} %{near}"
    if not holder["params"]:
        return "which counts no weights itself"
    if row["kind"] not in WINDOWED_KINDS:
        return ""  # no shape says how many are left out
    most = max(holder["params"], _weights_by_shape(holder) if holder["kind"] in WINDOWED_KINDS else 0)
    left_out = _weights_by_shape(row) - row["params"]
    return f"which has {most} weights, where this layer leaves out {left_out}" if left_out > most else ""


def _runs_often(row: Mapping[str, Any], from_places: int, to_places: int) -> bool:
    """Check whether a layer runs on several windows of one input, so that only what comes out shows how many."""
    times, rest = divmod(row["input_elements"], row["in_channels"] * from_places)
    if rest or times < 2 or to_places % times:
        return False
    # padding adds at most a kernel less one at either side
    most = 1
    for side, kernel in (("height", "kernel_height"), ("width", "kernel_width")):
        most *= (row[f"in_{side}"] + row[kernel] - 2) // row["stride"] + 1
    return bool(to_places > most >= to_places // times)


# totals ---------------------------------------------------------------------------------------------------------------


def totals_table(table: pl.DataFrame | Sheet, *, source: str) -> pl.DataFrame:
    """Validate a table of networks known by their totals.

    Columns: `topology`; `ops` or `macs`, `params`; optional `activations`, `activation_memory`, `input_elements`,
    `output_elements`, `state`, `vector_ops`, `vector_elements`, each also in thousands (``k``), millions (``m``) or
    billions (``g``) as in `gmacs`; `task`, `pruning_percent`, `precision`, `top1`, `top5`. A table that was written of
    a transformer has a row for each `phase` and `context`, with `tokens`, `active_params`, `expert_share` and
    `left_out`.

    Raises
    ------
    InvalidDataError
        Naming row, column, value and the fix; a column of FLOPs, which some count as MACs, is refused.
    """
    sheet = Sheet.of(table)
    _check_spelt_once(sheet, source)
    frame = sheet.frame.rename(_plain_name)
    flops = next((name for name in frame.columns if AMBIGUOUS.fullmatch(name)), None)
    if flops is not None:
        text = (
            f"column {flops!r} may mean operations or multiply-accumulates; name it `ops` (two for each "
            "multiply-accumulate) or `macs`, with g for 1e9: `gops`, `gmacs`"
        )
        check_no_faults([Fault(None, flops, text)], source=source, header=sheet.header, each=sheet.each)
    sheet, faults, written = _in_plain_units(_with_points(sheet.with_frame(frame)), source)
    totals, wrong = typed_columns(sheet, schema.NetworkTotalsRow)
    # what is no number is told with all else that is wrong, and its row is not judged twice
    rows = {fault.row for fault in faults}
    others = [*header_faults(sheet.frame.columns, schema.NetworkTotalsRow), *sheet.faults]
    others += [_as_written(fault, written) for fault in wrong if fault.row not in rows]
    every = sorted([*faults, *others], key=lambda fault: -1 if fault.row is None else fault.row)
    check_no_faults(every, source=source, header=sheet.header, each=sheet.each)
    phased = _check_phases(totals, sheet, source)
    last = ("phase", "context") if phased else ("precision",)
    check_keys(totals, ("topology", "pruning_percent", *last), source=source, sheet=sheet)
    _check_percent(totals, source)
    implausible = [_as_written(fault, written) for fault in _implausible(totals, sheet.rows)]
    check_no_faults(implausible, source=source, header=sheet.header, each=sheet.each)
    required = ("topology", "task", "pruning_percent", "ops", "params")
    optional = [name for name in totals.columns if name not in required]
    empty = () if phased else PHASE_ONLY
    kept = [name for name in optional if name in sheet.frame.columns and name not in ("source", *empty)]
    return totals.select(*required, *kept)


def _check_spelt_once(sheet: Sheet, source: str) -> None:
    """Check that no two columns are one in two spellings, such as `top1` and `top1_percent`."""
    spelt: dict[str, list[str]] = {}
    for name in sheet.frame.columns:
        spelt.setdefault(_plain_name(name), []).append(name)
    faults = [
        Fault(None, names[0], f"columns {' and '.join(map(repr, names))} are one, {plain!r}; keep one of them")
        for plain, names in spelt.items()
        if len(names) > 1
    ]
    check_no_faults(faults, source=source, header=sheet.header, each=sheet.each)


def _check_phases(totals: pl.DataFrame, sheet: Sheet, source: str) -> bool:
    """Check that a table of phases says in every row what a phase needs; return whether it is one."""
    if not any(name in sheet.frame.columns and totals[name].is_not_null().any() for name in PHASE_ONLY):
        return False
    faults = [
        Fault(row, name, "got nothing; a table of phases and contexts says it in every row; keep other networks apart")
        for name in OF_PHASES
        for row, value in zip(sheet.rows, totals[name].to_list(), strict=True)
        if value is None
    ]
    faults += [
        Fault(row, "precision", f"got {value!r}; totals by phase and by precision do not go together; leave it out")
        for row, value in zip(sheet.rows, totals["precision"].to_list(), strict=True)
        if value is not None
    ]
    check_no_faults(faults, source=source, header=sheet.header, each=sheet.each)
    return True


def _implausible(totals: pl.DataFrame, rows: Sequence[int]) -> list[Fault]:
    """Find counts that no network has, as a slip of a thousandfold makes them."""
    faults = []
    for name, (low, high, unit) in PLAUSIBLE.items():
        for row, value in zip(rows, totals[name].to_list(), strict=True):
            if not low <= value <= high:
                faults.append(
                    Fault(
                        row,
                        name,
                        f"got {value:g}, expected {low:g} to {high:g}; name the column by its unit, such as "
                        f"{unit}, or correct the count",
                    )
                )
    return faults


def _plain_name(name: str) -> str:
    """Return the name of a column in small letters where that is one of ours, else as it stands in the table."""
    plain = name.strip().lower()
    plain = RENAMED.get(plain, plain)
    ours = plain in columns_of(schema.NetworkTotalsRow) or QUANTITY.fullmatch(plain) or AMBIGUOUS.fullmatch(plain)
    return plain if ours else name.strip()


def _with_points(sheet: Sheet) -> Sheet:
    """Write the decimals of a text with a point, where it is sure that they have a comma."""
    names = [name for name in sheet.frame.columns if QUANTITY.fullmatch(name) or name in NUMBERS]
    decimal, doubt = ("", "") if sheet.separator in ("", ",") else decimal_of([sheet.frame[name] for name in names])
    if decimal != "," or doubt:
        return sheet
    return sheet.with_frame(sheet.frame.with_columns(pl.col(names).str.replace(",", ".", literal=True)))


def _as_written(fault: Fault, written: Mapping[str, str]) -> Fault:
    """Name the column that the table has, in whose place there is one in the plain unit."""
    name = written.get(fault.column, fault.column)
    return fault if name == fault.column else fault._replace(column=name, text=f"as {fault.column!r}: {fault.text}")


def _in_plain_units(sheet: Sheet, source: str) -> tuple[Sheet, list[Fault], dict[str, str]]:
    """Bring every quantity to its plain unit, MACs to operations; also tell what is no number, and names of columns."""
    frame = sheet.frame
    faults: list[Fault] = []
    given: dict[str, list[tuple[str, pl.Series]]] = {}
    for name in frame.columns:
        match = QUANTITY.fullmatch(name)
        if match is None:
            continue
        quantity = "ops" if match[2] == "macs" else match[2]
        if name != quantity:
            # a count is whole, which 4.1 · 2e9 in floating point is not
            factor = PREFIXES[match[1]] * (2 if match[2] == "macs" else 1)
            values, wrong = _number_column(sheet, name)
            faults += wrong
            values = (values * factor).round(0)
            given.setdefault(quantity, []).append((name, values))
        else:
            given.setdefault(quantity, []).insert(0, (name, frame[name]))
    for quantity, columns in given.items():
        (first, values), *others = columns
        for name, other in others:
            _check_agree(sheet, quantity, first, name, values, other, source)
            values = _filled(values, other)
        frame = frame.drop([name for name, _ in columns if name != quantity]).with_columns(values.alias(quantity))
    return sheet.with_frame(frame), faults, {quantity: columns[0][0] for quantity, columns in given.items()}


def _check_agree(
    sheet: Sheet, quantity: str, first: str, name: str, values: pl.Series, other: pl.Series, source: str
) -> None:
    one = _number_column(sheet, first)[0] if first == quantity else values
    for place, a, b in zip(sheet.rows, one.to_list(), other.to_list(), strict=True):
        if a is not None and b is not None and abs(a - b) > AGREEMENT * max(abs(a), abs(b)):
            text = (
                f"columns {first!r} and {name!r} disagree, {a:g} against {b:g} {quantity}; keep the right one "
                "(an op is one multiplication or one addition, two a MAC)"
            )
            check_no_faults([Fault(place, "", text)], source=source, header=sheet.header, each=sheet.each)


def _filled(values: pl.Series, other: pl.Series) -> pl.Series:
    """Take from another column what one does not say: a network gives its operations in one of several."""
    given = _without_missing(values)
    other = other.cast(pl.String) if given.dtype == pl.String else other
    return pl.select(pl.coalesce(given, other)).to_series()


def _without_missing(column: pl.Series) -> pl.Series:
    """Make null what a text says in words, such as `n/a`, that it does not give."""
    if column.dtype != pl.String:
        return column
    return column.set(column.str.strip_chars().str.to_lowercase().is_in(MISSING), None)


def _number_column(sheet: Sheet, name: str) -> tuple[pl.Series, list[Fault]]:
    """Read a column of numbers; what is none is null, and told unless it says that there is no value."""
    column = _without_missing(sheet.frame[name])
    if column.dtype == pl.String:
        values = column.str.strip_chars().cast(pl.Float64, strict=False)
    elif column.dtype.is_numeric():
        values = column.cast(pl.Float64, strict=False)
    else:
        # true would be read as 1, a day as one of 1970
        values = pl.Series(name, [None] * len(column), dtype=pl.Float64)
    faults = [
        Fault(row, name, f"got {text!r}; expected a number; write {plain_number(str(text), name) or 'a plain one'}")
        for row, value, text in zip(sheet.rows, values.to_list(), column.to_list(), strict=True)
        if value is None and text is not None
    ]
    return values, faults


# names, tasks, accuracy -----------------------------------------------------------------------------------------------


def described(
    table: pl.DataFrame,
    *,
    source: str = "",
    name: str | None = None,
    task: str | None = None,
    top1: float | Mapping[str, float] | None = None,
    top5: float | Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """Add to a table of layers or totals what the user says of the network, and the file that it came from."""
    said = {key: value for key, value in (("name", name), ("top1", top1), ("top5", top5)) if value is not None}
    if said and table["topology"].n_unique() > 1:
        msg = (
            f"`{next(iter(said))}`: {source or 'the table'} holds {table['topology'].n_unique()} networks; write names "
            "and accuracies into its columns `topology`, `top1_percent`, `top5_percent`"
        )
        raise InvalidDataError(msg)
    columns: dict[str, Any] = {"source": pl.lit(source)} if source else {}
    for key, value, column in (("name", name, "topology"), ("task", task, "task")):
        if value is not None:
            columns[column] = pl.lit(checked_label(key, value))
    for key, accuracy in (("top1", top1), ("top5", top5)):
        columns |= {column: pl.lit(value) for column, value in _accuracy(key, accuracy).items()}
    table = table.with_columns(**columns)
    _check_percent(table, source or "`source`")
    return with_one_task(table, source=source or "`source`") if "task" in table.columns else table


def with_one_task(table: pl.DataFrame, *, source: str) -> pl.DataFrame:
    """Give the rows of a network that say no task the one that its other rows say.

    Raises
    ------
    InvalidDataError
        If rows of one network say several: only some of them would be of the task that is asked for.
    """
    said = pl.when(pl.col("task") != UNSAID_TASK).then("task")
    tasks = table.group_by("topology", maintain_order=True).agg(said.drop_nulls().unique(maintain_order=True))
    several = tasks.filter(pl.col("task").list.len() > 1)
    if several.height:
        topology, told = several.row(0)
        msg = (
            f"{source}, network {topology!r}: expected one task, got {', '.join(map(repr, told))}; write one into all "
            "its rows, or say it with `read_network(..., task=...)`"
        )
        raise InvalidDataError(msg)
    return table.with_columns(task=pl.coalesce(said, said.drop_nulls().first().over("topology"), pl.lit(UNSAID_TASK)))


def checked_label(what: str, value: object) -> str:
    """Return a label as it is looked up.

    Raises
    ------
    InvalidDataError
        If it is no text, empty, or has a lone surrogate, which no file can hold.
    """
    if not isinstance(value, str) or not value.strip() or any("\ud800" <= one <= "\udfff" for one in value):
        msg = f"`{what}`: expected a label, got {value!r:.60}; give a name of at least one letter"
        raise InvalidDataError(msg)
    return plain_label(value)


def _accuracy(what: str, given: float | Mapping[str, float] | None) -> dict[str, float]:
    """Turn an accuracy, or one for each precision, into columns."""
    if given is None:
        return {}
    values = given.items() if hasattr(given, "items") else [("", given)]
    columns: dict[str, float] = {}
    for precision, value in values:
        column = f"{what}_{canonical('precision', precision).lower()}_percent" if precision else f"{what}_percent"
        if column not in columns_of(schema.OwnAccuracy):
            known = choices_of(schema.NetworkTotalsRow, "precision")
            msg = (
                f"`{what}`: {precision!r} is no precision{suggestion(precision, known)}; expected one of "
                f"{', '.join(known)}"
            )
            raise InvalidDataError(msg)
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            msg = f"`{what}`: expected percent from 0 to 100, got {value!r}; give a number, or one for each precision"
            raise InvalidDataError(msg)
        columns[column] = float(value)
    return columns


def _check_percent(table: pl.DataFrame, source: str) -> None:
    """Refuse accuracies and channels kept that are fractions, all of a network at most 1 %, and top-5 below top-1."""
    kept_of = pl.col("pruning_percent").max().over("topology")
    few = table.filter(kept_of <= 1.0) if "pruning_percent" in table.columns else table.clear()
    if few.height:
        topology, kept = few.row(0, named=True)["topology"], few["pruning_percent"][0]
        msg = (
            f"{source}, network {topology!r}: got {kept:g} as the channels kept; expected percent, of which unpruned "
            f"has 100; write {100.0 * kept:g}"
        )
        raise InvalidDataError(msg)
    for figure in ("top1", "top5"):
        columns = [name for name in table.columns if name in columns_of(schema.OwnAccuracy) and name[:4] == figure]
        for (topology,), rows in table.group_by("topology", maintain_order=True) if columns else ():
            best = max((value for name in columns for value in rows[name].to_list() if value is not None), default=None)
            if best is not None and best <= 1.0:
                msg = (
                    f"{source}, network {topology!r}: got {best:g} as its best {figure}; expected percent; multiply "
                    "fractions by 100"
                )
                raise InvalidDataError(msg)
    for first in columns_of(schema.OwnAccuracy):
        five = first.replace("top1", "top5", 1)
        if first == five or not {first, five} <= set(table.columns):
            continue
        wrong = table.filter(pl.col(five) < pl.col(first))
        if wrong.height:
            row = wrong.row(0, named=True)
            msg = (
                f"{source}, network {row['topology']!r}: got {row[five]:g} as {five!r}, below {row[first]:g} as "
                f"{first!r}; what is first is among the first five: check which column is which"
            )
            raise InvalidDataError(msg)
