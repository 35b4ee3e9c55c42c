"""calibrate, and the Calibration that it gives: predictions, parameters, honest errors, what to measure next."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr

from roofcube.calibration.facts import facts_of
from roofcube.calibration.fitted import Fitted
from roofcube.calibration.fitting.families import fit, one_thread
from roofcube.calibration.kept.lenders import lenders_of
from roofcube.calibration.measured import INTERVAL, measured, with_throughput
from roofcube.calibration.parameters import parameter_table
from roofcube.calibration.residuals import residual_table
from roofcube.calibration.rows import LABELS, canonical_keys, canonical_label, empty_cells, indexed_rows, typed_columns
from roofcube.calibration.runs import averaged_runs, without_wrong_watts
from roofcube.calibration.saved.storage import read_fitted, write_fitted
from roofcube.calibration.suggestion import suggest
from roofcube.calibration.tabulation import tabulate
from roofcube.calibration.trust import statuses, trust_table
from roofcube.datasets import canonical
from roofcube.datasets.forks import check_not_forked
from roofcube.datasets.forms.table_forms import as_table
from roofcube.errors import InvalidDataError, check_kind
from roofcube.labels import locate, named_as_dims, own_dims, own_labels
from roofcube.measured.named import inputs_beside
from roofcube.measured.rows import measurement_rows, set_aside
from roofcube.model.made import without_results
from roofcube.notebook import html_table
from roofcube.vocabulary import BOUNDS
from roofcube.wording import counted, noun_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from os import PathLike


__all__ = ["Calibration", "calibrate", "load_calibration"]

Array = np.ndarray[Any, np.dtype[Any]]
MISTAKES = "taken for mistakes: {}, far from what the others say (`rows` tells how far)"
# half of what is left outside is no number beyond the last digits of 1
HIGHEST_LEVEL = 1 - 1e-9
# columns that predict adds to the rows
ANSWER = (
    "predicted_throughput", "low", "high", "predicted_latency", "power", "predicted_energy", "bound", "status",
    "reason",
)  # fmt: skip


def calibrate(
    measurements: Any, *, inputs: xr.Dataset | None = None, alone: bool = False, name: str = "calibrated"
) -> Calibration:
    """Learn from measurements what each platform really does; of few rows, beside what boards of a collection taught.

    Parameters
    ----------
    measurements : table
        A DataFrame of polars or pandas, a LazyFrame, a dict of columns, a list of dicts, or the name of a file. Columns
        of `roofcube.datasets.load_measurements`: platform, mode, precision, topology, pruning_percent, batch
        and `throughput_compute_per_s` (or `latency_compute_s`); `power_full_w` for power; `initiation_interval_s` for
        dataflow designs, where known.
        A configuration measured three times or more, or twice within 10 %, counts once, with its mean; two rows of one
        that differ by more are left out, as is what cannot be (`unused`); a row likelier mistaken than measured does
        not count (`rows` says why). A family is fitted to at most 3,000 of its rows, drawn evenly over its hardware.
    inputs : Dataset, optional
        Facts of platforms and networks that no collection knows by name, as `roofcube.inputs` gives them. A platform
        without facts is taken as fast as it was seen to be, with headroom, and its status says so. Of dims of their own
        that the measurements have a column of, such as a context, one label: its rows are calibrated on. A platform or
        network of theirs is the one that the rows name, whatever else is spelt alike.
    alone : bool
        Learn from these rows alone. Otherwise boards of up to 200 rows, of networks like those of the collection `zoo`
        and at as many bytes, lean on how its boards run such networks, as far as their rows bear that out (`trust` says
        how far). A board of the collection leans on the others.
    name : str
        Its label along the dim `assumptions`, where several models are predicted at once.

    Returns
    -------
    Calibration

    Raises
    ------
    InvalidDataError
        If no row can be used, `alone` is no flag, or `name` is no text.

    Examples
    --------
    >>> import polars as pl
    >>> import roofcube as rc
    >>> rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "NCS2")
    >>> calibration = rc.calibrate(rows)
    >>> wanted = pl.DataFrame(
    ...     {"platform": "NCS2", "precision": "FP16", "topology": "MLP", "pruning_percent": 50.0, "batch": [3]}
    ... )
    >>> calibration.predict(wanted).select("platform", "batch", "status").row(0)
    ('NCS2', 3, 'interpolates')

    On a board of your own:

    >>> board = rc.hypothetical(name="Kite", peak_compute="1.2 TOP/s", memory_bandwidth="8.5 GB/s")
    >>> same = {"topology": "MLP", "platform": "Kite", "precision": "INT8"}
    >>> speeds = {1: 900, 2: 1500, 4: 2200, 8: 2800}
    >>> rows = [same | {"batch": batch, "throughput_compute_per_s": speed} for batch, speed in speeds.items()]
    >>> inputs = rc.inputs("mnist", platforms=board, precision="INT8")
    >>> rc.calibrate(rows, inputs=inputs, alone=True).trust["rows"].item()
    4

    Two calibrations side by side:

    >>> two = [rc.calibrate(rows[:count], inputs=inputs, name=f"{count} rows") for count in (2, 4)]
    >>> rc.predict(inputs, assumptions=two).assumptions.values.tolist()
    ['2 rows', '4 rows']

    Notes
    -----
    The time of a batch is a sum of overheads, compute and traffic with twelve non-negative parameters per platform,
    mode and precision, fitted in log space and pooled over a family; kinds of work that the tables do not tell of
    (grouped convolutions, attention, element-wise traffic, kernels) take none. A Gaussian process takes what is left:
    by name and size, and from fifteen topologies on by descriptors, whose scales are learned (Rasmussen & Williams,
    Gaussian Processes for Machine Learning, 2006). What has few rows is predicted from larger boards among the
    measurements too, by one factor and then deviations, or by a law of its own beside what these leave, as far as the
    rows bear that out; a key is not needed, and a wrong one is overruled. Intervals are conformal: they come from
    errors on networks left out (Vovk et al., Algorithmic Learning in a Random World, 2005), wider where no network of
    the kin was measured.
    """
    _check_inputs(inputs)
    check_kind("alone", alone, bool, do="True learns from these rows alone")
    _check_name(name)
    inputs = None if inputs is None else without_results(inputs)
    given = measurement_rows(measurements)
    given = given if inputs is None else named_as_dims(inputs, given)
    keys = canonical_keys(given, _labels_of(inputs), what="measurements")
    table = set_aside(given, "row").with_row_index("row").with_columns(keys).filter(_is_of_inputs(given, inputs))
    known = inputs_beside(table, {}) if inputs is None else inputs
    # of the rows as given: a mean of runs of which one has a throughput and one a latency would seem to give both
    table, wrong = averaged_runs(with_throughput(without_wrong_watts(table, known)))
    data = measured(table, facts_of(known), wrong=wrong)
    if not data.usable.any():
        reasons = ", ".join(sorted(set(data.reason.tolist()))) or "the table is empty"
        msg = f"`measurements`: expected rows to calibrate on, got none that can be used; fix the rows ({reasons})"
        raise InvalidDataError(msg)
    with one_thread():
        data = data if alone else replace(data, lenders=lenders_of(data))
        own = {} if inputs is None else own_labels(inputs)
        return Calibration(data.facts, data, fit(data), name, own_labels=own)


def _check_inputs(inputs: object) -> None:
    if inputs is not None:
        check_kind("inputs", inputs, xr.Dataset, do="make them with `roofcube.inputs`")


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        msg = f"`name`: expected text, got {name!r:.60}; give the label along the dim `assumptions`, or leave it out"
        raise InvalidDataError(msg)


def _labels_of(inputs: xr.Dataset | None) -> dict[str, list[str]]:
    """Return the labels of inputs, by the column that names them."""
    if inputs is None:
        return {}
    return {name: np.atleast_1d(inputs[name].to_numpy()).tolist() for name in LABELS if name in inputs.coords}


def _is_of_inputs(table: pl.DataFrame, inputs: xr.Dataset | None) -> pl.Series:
    """Tell rows at the label to which inputs were cut along dims of their own that the rows tell apart."""
    own = () if inputs is None else own_dims(inputs, table)
    if inputs is None or not own:
        return pl.repeat(value=True, n=table.height, eager=True)
    several = [dim for dim in own if inputs[dim].ndim]
    if several:
        msg = (
            f"`inputs`: expected one label along {', '.join(several)}, which the measurements tell apart, got several; "
            f"pick one, inputs.sel({several[0]}=...), and calibrate on its rows"
        )
        raise InvalidDataError(msg)
    here = locate(inputs, table, dims=own).mask
    if not here.all():
        told = _told({dim: inputs[dim].item() for dim in own})
        out = int((~here).sum())
        msg = f"{out} of {_rows(table.height)} {'is' if out == 1 else 'are'} left out: `inputs` are those of {told}"
        warnings.warn(msg, UserWarning, stacklevel=3)
    return pl.Series(here)


def _told(labels: dict[str, Any]) -> str:
    return ", ".join(f"{dim} {label!r}" for dim, label in labels.items())


def _rows(count: int) -> str:
    return f"{count} {noun_of(count, 'row')}"


def load_calibration(path: str | PathLike[str]) -> Calibration:
    """Read a calibration that `Calibration.save` wrote; it gives the same predictions, under the same name.

    Parameters
    ----------
    path : path
        A JSON file.

    Raises
    ------
    CorruptFileError
        If the file is torn, of another kind, or of a later version.

    Examples
    --------
    >>> import roofcube as rc
    >>> rc.load_calibration("board.json")  # doctest: +SKIP
    <roofcube.Calibration> 72 of 72 rows, 1 family
    """
    kept = read_fitted(path)
    return Calibration(kept.facts, kept.data, kept.engine, kept.name, kept.stored_scores, kept.own_labels)


class Calibration(Fitted):
    """What was learnt; made by `roofcube.calibrate`, also an `assumptions=` for `predict` and `Sweep`.

    Attributes
    ----------
    facts : Facts
        Hardware and networks that it knows.
    data : Measured
        The rows it was made from.
    engine : FittedFamilies
        What was fitted.
    name : str
        Label along the dim `assumptions`, as given to `calibrate`.
    stored_scores : dict, optional
        Errors on rows left out, where they came with a file.
    own_labels : dict
        The label along each dim of your own, such as a context, that its rows are of.

    Examples
    --------
    >>> import roofcube as rc
    >>> calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"))
    >>> cube = rc.predict(rc.inputs("mnist", platforms="NCS2", batch=8), assumptions=calibration)
    >>> one = cube.sel(precision="FP16", pruning=50).squeeze()
    >>> bool(one.predicted_throughput_low < one.predicted_throughput < one.predicted_throughput_high)
    True
    """

    @property
    def label(self) -> str:
        """The label along the dim `assumptions`."""
        return self.name

    @cached_property
    def description(self) -> str:
        """What tells it from calibrations of the same label: its rows, and what it knows of hardware and networks."""
        from roofcube.calibration.kept.held_out import rows_key

        return f"calibration on {counted(int(self.data.usable.sum()), 'row')}, sha256 {rows_key(self.data)}"

    # predictions --------------------------------------------------------------------------------------------------

    def predict(self, table: Any, *, level: float | None = 0.9, inputs: xr.Dataset | None = None) -> Any:
        """Predict throughput with an interval, latency, power and energy.

        Parameters
        ----------
        table : table or Dataset
            Rows (polars, pandas, dict of columns, file) with platform, mode, precision, topology, pruning_percent and
            batch, measured or not; or labelled inputs. Rows of another label than those calibrated on, along a dim of
            your own to which the inputs were cut, are refused.
        level : float, optional
            Share of measurements that the interval is to hold; None leaves the interval out, which is faster.
        inputs : Dataset, optional
            Facts of networks (or platforms of a calibrated family) that neither the calibration nor a collection knows.

        Returns
        -------
        DataFrame or Dataset
            The same rows in the same order plus `predicted_throughput` [1/s], `low`, `high` [1/s], `predicted_latency`
            [s], `power` [W], `predicted_energy` [J per input], `bound` (what takes the largest part of the time:
            ``compute``, ``weights``, ``activations``, ``overhead``), `status` (``interpolates``, ``extrapolates``,
            ``refused``) and `reason`; refused rows are null. For inputs: the same over their dims, see `tables`.

        Raises
        ------
        InvalidDataError
            If the level is not between 0 and 1, or nearer to 1 than 10⁻⁹, a number of the rows is none, or one of their
            columns has a name that the result needs.
        UnknownLabelError
            If a key column is missing.

        Notes
        -----
        `bound` compares the terms of the law: compute of all layers, weights read, activations (with the patches of
        convolutions) moved, overheads per batch, layer and input. The residual process scales their sum and so changes
        no share. For a dataflow design with its interval, the pace of the slowest stage is compute and filling the
        pipeline is overhead.

        Examples
        --------
        >>> import roofcube as rc
        >>> calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"))
        >>> wanted = {"platform": "NCS2", "topology": "MLP", "precision": "FP16", "pruning_percent": 50}
        >>> wanted = wanted | {"batch": [4, 800]}
        >>> calibration.predict(wanted, level=None).select("batch", "status").rows()
        [(4, 'interpolates'), (800, 'extrapolates')]
        """
        _check_level(level)
        _check_inputs(inputs)
        if isinstance(table, xr.Dataset):
            if inputs is not None:
                msg = "`inputs`: expected none beside a Dataset, which has facts of its own; give rows, or it alone"
                raise InvalidDataError(msg)
            return without_results(table).assign(self.tables(table, level=level).data_vars)
        table = as_table(table, what="table")
        _check_free(table.columns)
        keys = canonical_keys(table, self._labels(inputs))
        elsewhere, moved = _elsewhere(table, self._own_labels(inputs)), self.is_of_others(inputs)
        inputs = self._beside(keys) if inputs is None else inputs
        rows = indexed_rows(keys, self.facts if inputs is None else self.facts_with(inputs))
        rows = replace(rows, network=np.where(elsewhere.is_null(), rows.network, -1))
        interval = np.full(len(rows), np.nan)
        if INTERVAL in table.columns:
            interval = typed_columns(table, [INTERVAL], what="table")[INTERVAL].fill_null(float("nan")).to_numpy()
            _check_periods(interval)
        columns = self.columns(rows, interval, level)
        status, reason = statuses(self.engine, self.reach, rows, self.engine.flows(rows, interval))
        reason = pl.select(pl.coalesce(elsewhere, empty_cells(keys), reason)).to_series().alias("reason")
        if moved:
            doubt = pl.lit(f"calibrated on rows of {_told(self.own_labels)}")
            doubts = pl.concat_str(doubt, reason, separator="; ", ignore_nulls=True)
            reason = pl.select(reason=pl.when(status == "refused").then(reason).otherwise(doubts)).to_series()
            status = status.replace("interpolates", "extrapolates")
        flags = columns.pop("bound")
        values = [pl.Series(name, values).fill_nan(None) for name, values in columns.items()]
        return table.with_columns(*values, _named(flags), status, reason)

    def _labels(self, inputs: xr.Dataset | None) -> dict[str, list[str]]:
        """Return the labels that win before what they are other spellings of: measured, of inputs, known beside."""
        machines, networks, given = self.facts.hardware.values(), self.facts.networks.values(), _labels_of(inputs)
        labels = {}
        for name in LABELS:
            known = dict.fromkeys(getattr(one, name) for one in (networks if name == "topology" else machines))
            beside = [label for label in known if canonical(name, label) != label]
            seen = self.data.table[name].drop_nulls().unique(maintain_order=True).to_list()
            labels[name] = [*seen, *given.get(name, ()), *beside]
        return labels

    def _own_labels(self, inputs: xr.Dataset | None) -> dict[str, Any]:
        """Return the labels that rows are of along dims of the user's own: those of the inputs, else as calibrated."""
        return self.own_labels | ({} if inputs is None else own_labels(inputs))

    # what can be trusted ------------------------------------------------------------------------------------------

    @cached_property
    def trust(self) -> pl.DataFrame:
        """What can and cannot be trusted, a row per platform, mode and precision."""
        return trust_table(self.used, self.reach, self.engine)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """Every row that was given: how far it is from what the calibration says, and why.

        Returns
        -------
        DataFrame
            `row` (place in the given table; of averaged repeats the first), the keys, `family`, `measured_throughput`
            and `predicted_throughput` [1/s], `measured_over_predicted`, `used` (false for what is left out by rule or
            taken for a mistake) and `why`: the rule, or by how much the row is off and which slip is of that size; null
            of rows as expected.
        """
        return residual_table(self)

    @property
    def unused(self) -> pl.DataFrame:
        """The rows that were not fitted to, by rule, as given, plus `row` and `reason`; `rows` names mistakes too.

        Own columns of these names become `row_given` and `reason_given`.
        """
        left = np.flatnonzero(~self.data.usable)
        reason = pl.Series(self.data.reason[left].tolist(), dtype=pl.String)
        return set_aside(self.data.table[left], "reason").with_columns(reason=reason)

    @property
    def parameters(self) -> pl.DataFrame:
        """The parameters, a row per platform, mode, precision and parameter, with unit and meaning."""
        return parameter_table(self.engine, self.facts)

    # honest error -------------------------------------------------------------------------------------------------

    @cached_property
    def errors(self) -> pl.DataFrame:
        """Cross-validated errors by scheme and family; see `roofcube.calibration.crossvalidation.error_table`."""
        from roofcube.calibration.crossvalidation import cached_error_table

        return cached_error_table(self.data)

    @property
    def expectations(self) -> pl.DataFrame:
        """What error to expect of a new network, topology, architecture or board, by the schemes of `errors`."""
        from roofcube.calibration.crossvalidation import expectations

        return expectations(self.errors)

    @cached_property
    def coverage(self) -> pl.DataFrame:
        """Empirical coverage of the intervals on networks left out, nested; over rows and over configurations."""
        from roofcube.calibration.crossvalidation import cached_coverage_table

        return cached_coverage_table(self.data)

    def suggest(
        self,
        n: int = 5,
        *,
        platform: str | None = None,
        candidates: Any = None,
        inputs: xr.Dataset | None = None,
    ) -> pl.DataFrame:
        """Name the configurations whose measurement would cut the error most.

        Parameters
        ----------
        n : int
            How many.
        platform : str, optional
            A platform, calibrated or brand-new; all calibrated ones where not given.
        candidates : table, optional
            What can be measured and matters: platform, mode, precision, topology, pruning_percent, batch. Those of
            which no facts are known, and those without a whole batch, are left out with a warning. Default: the
            networks and batches that were calibrated, on every mode and precision of the platform. Of more than 400
            that are left to measure, 400 drawn evenly are compared.
        inputs : Dataset, optional
            Facts of a platform or of networks that no collection knows by name.

        Returns
        -------
        DataFrame
            platform, mode, precision, topology, pruning_percent, batch, in the order to measure, and
            `expected_error_percent`, the typical error of all candidates (of more than 400, of those compared) once
            this row and those before it are measured. Fewer than `n` rows where fewer are left to measure; none, with a
            warning, where all were.

        Raises
        ------
        UnknownLabelError
            If the platform has no facts.
        InvalidDataError
            If `n` is no whole number of at least 1, or if no candidate is known.

        Examples
        --------
        >>> import roofcube as rc
        >>> calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"))
        >>> calibration.suggest(2, platform="NCS2").select("topology", "pruning_percent", "batch").height
        2
        """
        _check_inputs(inputs)
        labels = self._labels(inputs)
        if platform is not None:
            check_kind("platform", platform, str, do="name one, or leave it out for all that were calibrated")
            platform = canonical_label("platform", platform, labels["platform"])
        if candidates is not None:
            table = as_table(candidates, what="candidates")
            keys = canonical_keys(table, labels, what="candidates")
            candidates = keys.with_columns(_elsewhere(table, self._own_labels(inputs)))
        if inputs is None:
            named = pl.DataFrame({"platform": [platform]}, schema={"platform": pl.String})
            inputs = self._beside(named if candidates is None else candidates)
        return suggest(self, n, platform=platform, candidates=candidates, inputs=inputs)

    def _beside(self, rows: pl.DataFrame) -> xr.Dataset | None:
        """Return the inputs of what rows name and only a collection knows; None where the facts suffice."""
        platforms = {platform for platform, _, _ in self.facts.hardware}
        return inputs_beside(rows, {"platform": platforms, "topology": {name for name, _ in self.facts.networks}})

    # as a model ---------------------------------------------------------------------------------------------------

    def tables(self, inputs: xr.Dataset, *, level: float | None = None) -> xr.Dataset:
        """Tabulate the calibrated results over the dims of labelled inputs.

        Parameters
        ----------
        inputs : Dataset
            With coords platform, mode, precision, topology, pruning and batch; without a mode, a pruning or a batch
            they are the default, 100 % and 1.
        level : float, optional
            Adds `low` and `high` at this level, and `extrapolates`.

        Returns
        -------
        Dataset
            `predicted_throughput`, `predicted_latency`, `power`, `predicted_energy` and the flag `bound` over
            (platform, mode, precision, topology, pruning, batch), as many of them as the inputs have; NaN and ``none``
            where refused; over `offer` where the inputs are laid out so.

        Examples
        --------
        >>> import roofcube as rc
        >>> calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"))
        >>> tables = calibration.tables(rc.inputs("mnist", platforms="NCS2", batch=8), level=0.9)
        >>> "low" in tables, "extrapolates" in tables
        (True, True)
        """
        check_not_forked()
        _check_level(level)
        check_kind("inputs", inputs, xr.Dataset, do="make them with `roofcube.inputs`")
        return tabulate(self, without_results(inputs), level)

    # keeping ------------------------------------------------------------------------------------------------------

    def save(self, path: str | PathLike[str]) -> None:
        """Write the calibration as JSON text; `roofcube.load_calibration` gives the same predictions.

        Parameters
        ----------
        path : path
            A name ending in ``.json``, say; whatever stood there is replaced, whole or not at all.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import roofcube as rc
        >>> calibration = rc.calibrate(rc.datasets.load_measurements("mnist").filter(platform="NCS2"))
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "stick.json"
        >>> calibration.save(path)
        >>> rc.load_calibration(path).label
        'calibrated'
        """
        write_fitted(self, path)

    @property
    def _families(self) -> str:
        return counted(len(self.engine.families), "family")

    def __repr__(self) -> str:
        used, given = len(self.used), len(self.data)
        lines = [f"<roofcube.Calibration> {used} of {_rows(given)}, {self._families}"]
        for one in self.trust.iter_rows(named=True):
            where = f"{one['platform']} {one['mode']} {one['precision']}"
            lines.append(f"  {where:<28} {one['rows']:>4} rows {one['networks']:>3} networks  {one['trust']}")
        left = self.unused["reason"].value_counts(sort=True)
        lines += [f"  left out: {_rows(count)}, {reason}" for reason, count in left.iter_rows()]
        lines += [f"  {MISTAKES.format(_rows(int(self.mistaken.sum())))}"] if self.mistaken.any() else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Tell what it rests on and what not to trust, for notebooks."""
        used, given = len(self.used), len(self.data)
        names = ("platform", "mode", "precision", "rows", "networks", "trust")
        left = self.unused["reason"].value_counts(sort=True)
        return html_table(
            f"Calibration on {used} of {_rows(given)}, {self._families}",
            names,
            self.trust.select(names).iter_rows(),
            [
                *(f"left out: {_rows(count)}, {reason}" for reason, count in left.iter_rows()),
                *([MISTAKES.format(_rows(int(self.mistaken.sum())))] if self.mistaken.any() else []),
            ],
        )


def _elsewhere(table: pl.DataFrame, own: dict[str, Any]) -> pl.Series:
    """Say of rows why they are not of some labels along dims of the user's own; null where they are."""
    why = f"not of {_told(own)}: calibrate such rows by themselves"
    here = locate(xr.Dataset(coords=own), table, dims=[*own]).mask.tolist()
    return pl.Series("reason", [None if one else why for one in here], dtype=pl.String)


def _check_level(level: object) -> None:
    number = isinstance(level, int | float | np.number) and not isinstance(level, bool)
    if level is not None and not (number and 0.0 < level < 1.0):  # type: ignore[operator]
        msg = f"`level`: expected a share between 0 and 1, got {level!r}; use 0.9 for 90 %"
        raise InvalidDataError(msg)
    if level is not None and level > HIGHEST_LEVEL:  # type: ignore[operator]
        msg = f"`level`: expected a share of at most {HIGHEST_LEVEL}, got {level!r}; no rows tell of more: use 0.99"
        raise InvalidDataError(msg)


def _check_periods(seconds: Array) -> None:
    """Raise where an initiation interval is none; one that is not given is NaN."""
    wrong = np.flatnonzero(~np.isnan(seconds) & ~((seconds > 0) & np.isfinite(seconds)))
    if wrong.size:
        row = int(wrong[0])
        msg = (
            f"`table`, row {row}, column {INTERVAL!r}: expected seconds above 0, got {seconds[row]:g}; leave it empty "
            "where it is not known"
        )
        raise InvalidDataError(msg)


def _check_free(columns: Collection[str]) -> None:
    """Raise where the user's own columns have names that predictions need."""
    taken = [name for name in ANSWER if name in columns]
    if taken:
        listed = ", ".join(map(repr, taken))
        msg = f"`table`: expected no column of a name that predict needs, got {listed}; rename it, or drop it"
        raise InvalidDataError(msg)


def _named(flags: Array) -> pl.Series:
    """Write the flags of `bound` as words; none is null."""
    words = {value: None if name == "none" else name for name, value in BOUNDS.items()}
    return pl.Series("bound", [words[flag] for flag in flags.tolist()], dtype=pl.String)
