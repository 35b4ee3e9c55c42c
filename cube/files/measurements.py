"""Read measurements of a user's own, a file or a table in memory, whole or with all that is wrong in one message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from roofcube import datasets
from roofcube.datasets import canonical, schema
from roofcube.datasets.forms.faults import Fault, check_no_faults
from roofcube.datasets.forms.fields import inferred
from roofcube.datasets.forms.opposites import opposite_fault
from roofcube.datasets.forms.reading import Sheet, columns_of, decimal_in, header_faults, typed_columns
from roofcube.datasets.forms.table_forms import as_sheet
from roofcube.datasets.networks import UNSAID_TASK
from roofcube.datasets.quantities import factor_of
from roofcube.datasets.tables import collections_of
from roofcube.errors import check_choice
from roofcube.files.foreign_columns import UNITS, ColumnMap, mapped_columns, unit_of
from roofcube.files.head_units import unit_behind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from roofcube.files.foreign_columns import Foreign
    from roofcube.files.head_units import HeadUnit

__all__ = ["FIGURES", "NumberedRows", "read_measurements", "read_numbered", "slips"]

# columns that say what was measured; at least one of them is needed
FIGURES = [name for name in columns_of(schema.Measurement) if name.endswith(("_s", "_per_s", "_percent", "_w"))]
FIGURES.remove("pruning_percent")
# columns that have a default, and what others are called that may stand for them
FILLED = {
    "pruning_percent": re.compile(r"prun|kept|keep|spars", re.IGNORECASE),
    "mode": re.compile(r"(^|[^a-z])mode($|[^a-z])", re.IGNORECASE),
}
WORDS = re.compile(r"[\wµ%]+")
UNITS_OF_ROWS = re.compile(r"(^|[^a-z])units?($|[^a-z])", re.IGNORECASE)


class NumberedRows:
    """Measurements with the row of the file behind each, and the columns that were kept as they are.

    `said` are they without the task where that was filled in: no row said it, and none is judged by it.
    """

    def __init__(self, table: pl.DataFrame, rows: Sequence[int], *, says_task: bool) -> None:
        self.table = table
        self.said = table if says_task else table.drop("task")
        self.rows = list(rows)
        self.kept = [name for name in table.columns if name not in columns_of(schema.Measurement)]


def read_measurements(
    source: Any,
    *,
    columns: Mapping[str, str | tuple[str, str] | None] | None = None,
    units: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
    sep: str | None = None,
    decimal: str | None = None,
) -> pl.DataFrame:
    r"""Read measurements of your own: a file, or a table in memory.

    Parameters
    ----------
    source : str, Path or table
        CSV or other delimited text, Parquet, a polars or pandas DataFrame, a LazyFrame, a dict of columns or a list of
        dicts. Columns as in `roofcube.datasets.load_measurements`: `topology`, `platform`, `precision` and `batch` are
        required, and a figure (time, throughput, power or accuracy). `mode` is ``default`` and `pruning_percent` 100
        where a row says none, `task` the one that the network is known for, else ``custom``. Figures that were not
        measured are empty, or ``NA``, ``n/a``, ``nan``, ``null``, ``-``. `initiation_interval_s` is the interval of a
        dataflow design. Other columns are kept. The 18-column contribution template of QuTiBench is known.
    columns : mapping of str to str, (str, str) or None, optional
        What the columns of a foreign table are here, with their units where those differ; None keeps one as it is, as
        ``given_`` and its name where another is mapped to that:
        ``{"model": "topology", "step_time": ("latency_compute_s", "ms"), "latency_p99": None}``. A name of your own,
        such as that of a dim, is taken where it is not near to a known one: ``{"seq_len": "context"}``.
    units : mapping of str to str, optional
        Units of columns, ``{"latency_compute_s": "ms", "top1_percent": "fraction"}``: s, 1/s (also fps, images/s), W
        with SI prefixes, % or fraction.
    constants : mapping, optional
        What holds for all rows: ``{"platform": "RTX3090", "precision": "FP16"}``. Text of a column of your own stays
        text, and says nothing of the decimals of a file.
    sep : str, optional
        One character between fields; else found out from the header: comma, semicolon, tab or bar, or a line ``sep=;``.
    decimal : {".", ","}, optional
        Found out where fields are not separated by commas, else a point.

    Returns
    -------
    DataFrame
        The columns of `roofcube.datasets.load_measurements`, then those that were kept, in the order of the table.
        Every row is there, repeats too: `join` averages them. `source_row` names file and row where the table does not.

    Raises
    ------
    InvalidDataError
        One message with all that is wrong: file, row (a line of a text file, where the header is 1 and comments
        count; of Parquet and of tables in memory from 0, as it says), column, value and the fix.
        A column that looks like a misspelt one, or a known quantity in another unit, is refused, not kept.
    MissingFileError
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
    >>> foreign = {"model": ["Mine"], "batch": [64], "step_time": [12.5], "driver": ["555.42"]}
    >>> rows = rc.read_measurements(
    ...     foreign,
    ...     columns={"model": "topology", "step_time": ("latency_compute_s", "ms")},
    ...     constants={"platform": "RTX3090", "precision": "FP16"},
    ... )
    >>> rows.select("topology", "latency_compute_s", "driver").row(0)
    ('Mine', 0.0125, '555.42')

    A unit where the name is right already; text that would otherwise have to be guessed:

    >>> german = pathlib.Path(tempfile.mkdtemp()) / "zeiten.csv"
    >>> lines = ["topology;platform;precision;batch;latency_compute_s", "MLP;NCS2;FP16;1;10,5"]
    >>> _ = german.write_text(chr(10).join(lines))
    >>> rows = rc.read_measurements(german, sep=";", decimal=",", units={"latency_compute_s": "ms"})
    >>> rows["latency_compute_s"].item()
    0.0105
    """
    return read_numbered(source, columns=columns, units=units, constants=constants, sep=sep, decimal=decimal).table


def read_numbered(
    source: Any,
    *,
    columns: Mapping[str, str | tuple[str, str] | None] | None = None,
    units: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
    sep: str | None = None,
    decimal: str | None = None,
) -> NumberedRows:
    """Read measurements as `read_measurements` does, with the row of the file behind each."""
    if decimal is not None:
        check_choice("decimal", decimal, (".", ","))
    given = ColumnMap.of(columns, units, constants)
    is_file = isinstance(source, str | Path)
    sheet = as_sheet(source, what="source", row=schema.Measurement, sep=sep)
    foreign = mapped_columns(sheet, given)
    sheet = foreign.sheet
    faults = [*foreign.faults, *_header_faults(foreign, given), *sheet.faults]
    table, wrong = typed_columns(
        sheet, schema.Measurement, decimal=decimal, factors=foreign.factors, constants=given.constants
    )
    faults += _as_the_user_says(wrong, foreign, given)
    check_no_faults(faults, source=str(source) if is_file else "`source`", header=sheet.header)
    others = [name for name in sheet.frame.columns if name not in table.columns]
    written = decimal or decimal_in(sheet, schema.Measurement, constants=given.constants)[0]
    for name in others:
        column, is_text = sheet.frame[name], sheet.separator and name not in given.constants
        table = table.with_columns(inferred(column, written, labels=True) if is_text else column)
    says_task = "task" in sheet.frame.columns
    if not says_task:
        table = table.with_columns(task=_tasks(table["topology"]))
    if foreign.template:
        table = table.with_columns(_named_platforms(table))
        if "batch_kind" not in sheet.frame.columns:
            table = table.with_columns(batch_kind=_batch_kinds(table["platform"]))
    table = _with_rows_named(table, sheet, Path(source).name if is_file else "")
    return NumberedRows(table, sheet.rows, says_task=says_task)


def slips(table: pl.DataFrame) -> list[Fault]:
    """Find heads of a table in memory that are slips of columns it lacks, as `read_measurements` does, or need it."""
    known = columns_of(schema.Measurement)
    foreign = mapped_columns(Sheet.of(table.head(0)), ColumnMap.of(None, None, None))
    others = [name for name in table.columns if name not in foreign.names.values()]
    faults = [*foreign.faults, *header_faults(others, schema.Measurement, extra=True, filled=known)]
    faults += _filled_otherwise(foreign.sheet.frame.columns, {fault.column for fault in faults}, in_memory=True)
    return faults + [
        Fault(None, name, f"column {name!r} may say {column!r}; read the table with `read_measurements`")
        for column, name in foreign.names.items()
    ]


def _tasks(topologies: pl.Series) -> pl.Series:
    holders = collections_of("topology", topologies.drop_nulls().unique().to_list())
    known: dict[str, str] = {}
    for collection in dict.fromkeys(holders.values()):
        known |= dict(datasets.load_topologies(collection=collection).select("topology", "task").iter_rows())
    return topologies.replace_strict(known, default=UNSAID_TASK, return_dtype=pl.String)


def _named_platforms(table: pl.DataFrame) -> pl.Series:
    """Take the mode out of labels such as `board - mode`, which the template has in a column of its own too."""
    labels = []
    for platform, mode in table.select("platform", "mode").iter_rows():
        board = re.sub(rf"\s*-\s*{re.escape(mode)}$", "", platform, flags=re.IGNORECASE)
        labels.append(canonical("platform", board))
    return pl.Series("platform", labels, dtype=pl.String)


def _batch_kinds(platforms: pl.Series) -> pl.Series:
    """Tell threads from batches, which the template has in one column, by what the platform was measured with."""
    known = datasets.load_measurements().filter(pl.col("batch_kind") == "threads")["platform"].unique().to_list()
    return platforms.replace_strict(known, ["threads"] * len(known), default="batch", return_dtype=pl.String)


def _header_faults(foreign: Foreign, given: ColumnMap) -> list[Fault]:
    every = foreign.sheet.frame.columns
    names = [name for name in every if name not in foreign.kept]
    if foreign.sheet.separator and len(every) == 1 and not foreign.faults:
        text = f"got one column, {every[0]!r:.60}; say with sep= what stands between fields, or begin a title with #"
        return [Fault(None, "", text)]
    spoken = {fault.column for fault in foreign.faults}
    faults = header_faults(names, schema.Measurement, extra=True, filled=("task",), constants=given.constants)
    faults = [fault for fault in faults if fault.column not in spoken]
    spoken |= {fault.column for fault in faults}
    told = [*_figures_by_stem(names, given), *_units_by_row(foreign, names, given)]
    faults += [fault for fault in told if fault.column not in spoken]
    spoken |= {fault.column for fault in faults}
    faults += _filled_otherwise(names, spoken, constants=given.constants)
    if not faults and not foreign.faults and not any(name in FIGURES for name in names):
        text = (
            f"there is no figure, got the columns {', '.join(names)}; map one with columns= to one of "
            f"{', '.join(FIGURES)}, with its unit where that is another: "
            "columns={'mean_ms': ('latency_compute_s', 'ms')}"
        )
        faults.append(Fault(None, "", text))
    return faults


def _filled_otherwise(
    names: Sequence[str], spoken: Collection[str], *, constants: Collection[str] = (), in_memory: bool = False
) -> list[Fault]:
    """Find columns that may say one that is missing and would be filled in."""
    faults = []
    for column, alike in FILLED.items():
        for name in names if column not in names else ():
            if not alike.search(name) or name in spoken:
                continue
            do, otherwise = "map it with columns=, or to None", ", or map it to None"
            if name in constants:
                do, otherwise = "name it so in `constants`", " in `constants`"
            elif in_memory:
                do, otherwise = f"name it so, or add {column!r}", f", or add {column!r}"
            if opposite := opposite_fault(name, column):
                do = f"{opposite}, and name it so{otherwise}"
            faults.append(Fault(None, name, f"column {name!r} may say {column!r}, which is missing; {do}"))
    return faults


def _figures_by_stem(names: Sequence[str], given: ColumnMap) -> list[Fault]:
    """Find columns that are named by a quantity and a unit, but not as one of the figures."""
    faults = []
    absent = [column for column in FIGURES if column not in names]
    for name in names:
        units: dict[str, HeadUnit] = {}
        for column in absent if name not in columns_of(schema.Measurement) else ():
            own = unit_of(column)
            ending = next(ending for ending in UNITS if column.endswith(ending))
            words = column.removesuffix(ending).split("_")
            for count in range(1, len(words) + 1):
                unit = unit_behind(name, words[:count], own)
                if unit is not None:
                    units[column] = unit
        if units:
            column = next(iter(units))
            *others, last = map(repr, units)
            meant = f"{', '.join(others)} or {last}" if others else last
            do = f"map it with columns=, its unit {units[column].written!r} too, or to None to keep it as it is"
            if units[column].factor is None:
                do = f"bring it from {units[column].written!r} to {unit_of(column)} and rename it, or map it to None"
            if name in given.constants:
                do = f"name it so in `constants`, and give it in {unit_of(column)}"
            faults.append(Fault(None, name, f"column {name!r} is not known; it seems to be {meant}; {do}"))
    return faults


def _units_by_row(foreign: Foreign, names: Sequence[str], given: ColumnMap) -> list[Fault]:
    """Find a column that gives units row by row, other than those of the figures: they are not kept as mere text."""
    frame, faults = foreign.sheet.frame, []
    figures = [name for name in names if name in FIGURES]
    for name in names:
        if name in columns_of(schema.Measurement) or not UNITS_OF_ROWS.search(name) or frame[name].dtype != pl.String:
            continue
        told = frame[name].str.strip_chars().replace("", None).drop_nulls().unique(maintain_order=True).to_list()
        if not any(map(_has_unit, told)):
            continue  # compute units, units of a company
        factors = {one: [factor_of(unit_of(column), one) for column in figures if unit_of(column)] for one in told}
        plain = all(
            factor is None or any(factor == foreign.factors.get(column, 1.0) for column in figures)
            for several in factors.values()
            for factor in several
        )
        if told and (len(told) > 1 or not plain):
            do = "bring all rows to one, say it with units=, and map the column to None to keep it"
            if name in given.constants:
                do = "say it with units=, and leave it out of `constants`"
            text = f"column {name!r} gives units row by row ({', '.join(told[:4])}{', …' if told[4:] else ''}); {do}"
            faults.append(Fault(None, name, text))
    return faults


def _has_unit(text: str) -> bool:
    """Check whether a word of a text is the unit of a figure: the ms of 'Latency (ms)', the s of 'Samples/s'."""
    return any(factor_of(unit, word) is not None for word in WORDS.findall(text) for unit in set(UNITS.values()))


def _as_the_user_says(faults: list[Fault], foreign: Foreign, given: ColumnMap) -> list[Fault]:
    """Name columns as the table does; what is wrong with a constant is wrong once."""
    told: dict[Fault, None] = {}
    for row, column, text in faults:
        if column in given.constants:
            told[Fault(None, column, f"`constants[{column!r}]`: {text}")] = None
        else:
            told[Fault(row, foreign.names.get(column, column), text)] = None
    return list(told)


def _with_rows_named(table: pl.DataFrame, sheet: Sheet, name: str) -> pl.DataFrame:
    """Name the row behind each where the table itself does not."""
    rows = pl.Series(sheet.rows, dtype=pl.Int64).cast(pl.String)
    named = pl.lit(f"{name} row ".lstrip()) + pl.lit(rows)
    given = pl.col("source_row")
    return table.with_columns(source_row=pl.when(given.fill_null("") == "").then(named).otherwise(given))
