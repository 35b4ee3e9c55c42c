"""The section on calibration: predictions with intervals beside measurements, and how far to trust them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import xarray as xr

from roofcube import datasets
from roofcube.datasets.embedded import BENCHMARK, collection_of
from roofcube.inert import inert_cells
from roofcube.model.assumptions import BOUND, PUBLISHED
from roofcube.model.made import RESULTS
from roofcube.model.predict import predict
from roofcube.page import calibration_tables
from roofcube.page.content import Drawing, Link, Section, link_to
from roofcube.page.figures import draw
from roofcube.plot.drawing.tables import has_value
from roofcube.vocabulary import LEVEL
from roofcube.wording import counted, listed, percent, with_thousands

if TYPE_CHECKING:
    from roofcube.calibration import Calibration
    from roofcube.calibration.kept.held_out import HeldOut, State
    from roofcube.page.subject import Subject

__all__ = ["calibrated"]

KEY, HEADING = "calibration", "Calibrated predictions"
FIGURE = "Rows of throughput on a logarithmic axis for each configuration: "
BESIDE = {BOUND.label: "bound", PUBLISHED.label: "published roofline"}  # models, and what the figure calls them
# of a label for the figure: held out or not
SAW_NOT, SAW = "held-out calibrated", "calibrated (in sample)"
STALE = {
    "other code": "The held-out figures are those of another version of the calibration",
    "other rows": "The held-out figures are those of other rows or facts",
}


def calibrated(subject: Subject) -> Section:
    """Show calibrated predictions beside what was measured, how wrong they are, and what they rest on."""
    if not subject.has("measured_throughput"):
        return Section(KEY, HEADING, missing=("This cube holds no measurements: there is nothing to calibrate on.",))
    # the shipped calibration is of the benchmark alone
    if not subject.whole or collection_of(subject.task) != BENCHMARK:
        return _of_own_cube(subject.drawn_models)
    # scipy takes 0.5 s to import, so only where it is needed
    from roofcube.calibration import calibrate
    from roofcube.calibration.kept import held_out

    calibration = calibrate(datasets.load_measurements())
    found = held_out.read(calibration.data)
    if found is None:
        return _section_of_calibration(subject, calibration, None, "other rows")
    return _section_of_calibration(subject, calibration, found, found.state(calibration.data))


def _of_own_cube(cube: xr.Dataset) -> Section:
    """Draw the calibrated predictions that a cube of the user's own holds."""
    if not has_value(cube, "predicted_throughput_low"):
        reason = (
            "This cube holds no calibrated predictions: calibrate on its rows with roofcube.calibrate, predict with "
            "the calibration as assumptions, and join the rows."
        )
        return Section(KEY, HEADING, missing=(reason,))
    drawn = draw(cube, "comparison", _figure_text(cube))
    see = ("The green band is the 90 % interval of each calibrated prediction.",)
    beware = (
        "The calibration may have seen the rows that it is compared with here; Calibration.errors tells its error on "
        "networks left out."
    )
    if isinstance(drawn, str):
        return Section(KEY, HEADING, missing=(drawn,))
    return Section(KEY, HEADING, see, beware, drawings=(drawn,))


def _section_of_calibration(subject: Subject, calibration: Calibration, found: HeldOut | None, state: State) -> Section:
    rows = subject.rows
    platforms = list(dict.fromkeys([] if rows is None else rows["platform"].to_list()))
    usable = found is not None and state != "other rows"
    drawn = _drawing(subject, calibration, found if usable else None)
    tables = [] if found is None else [calibration_tables.by_scheme(found), calibration_tables.by_family(found, LEVEL)]
    tables += [
        calibration_tables.trusted(calibration, platforms),
        calibration_tables.parameters(calibration, platforms),
    ]
    missing = [drawn] if isinstance(drawn, str) else []
    if state != "current":
        what = STALE[state] if found is not None else "The held-out figures are not at hand"
        missing.append(f"{what}; “roofcube errors --write” computes them anew, in a minute or two.")
    if not usable:
        missing.append("The calibrated predictions drawn here saw the rows that they are compared with.")
    return Section(
        KEY,
        HEADING,
        () if found is None else _see(found, subject.task),
        _beware(found),
        drawings=(drawn,) if isinstance(drawn, Drawing) else (),
        tables=tuple(tables),
        links=(_link(subject, found),) if found is not None and usable else (),
        missing=tuple(missing),
    )


def _drawing(subject: Subject, calibration: Calibration, found: HeldOut | None) -> Drawing | str:
    """Draw held-out predictions where there are any, else predictions of the very rows, and say so."""
    if subject.rows is None:
        return "The figure needs the rows of the cube."
    table = calibration.predict(subject.rows, level=LEVEL) if found is None else found.rows
    label = SAW if found is None else SAW_NOT
    cube = _with_bound(subject.cube)
    return draw(cube, "comparison", _figure_text(cube), calibrated=table, label=label, measurements=subject.rows)


def _figure_text(cube: xr.Dataset) -> str:
    """Say what the figure shows: what was measured, what was calibrated, and which models the cube holds beside it."""
    models = cube["assumptions"].values.tolist() if "assumptions" in cube.dims else []
    beside = [words for label, words in BESIDE.items() if label in models]
    return FIGURE + listed(["measured", "calibrated with its interval", *beside])


def _with_bound(cube: xr.Dataset) -> xr.Dataset:
    """Put the bound beside the published predictions."""
    bound = predict(cube.drop_vars(RESULTS, errors="ignore"), assumptions=BOUND)
    predictions = [one["predicted_throughput"].drop_attrs() for one in (cube, bound)]
    labels = xr.DataArray([PUBLISHED.label, BOUND.label], dims="assumptions", name="assumptions")
    both = xr.concat(xr.broadcast(*predictions), dim=labels)
    return cube.assign(predicted_throughput=both)


# words ----------------------------------------------------------------------------------------------------------------


def _see(found: HeldOut, task: str | None) -> tuple[str, ...]:
    before, after = (
        calibration_tables.error_of(found, scheme)
        for scheme in (calibration_tables.PUBLISHED, calibration_tables.STRICT)
    )
    bound = float((found.rows["bound"] / found.rows["measured"] - 1.0).abs().median())  # type: ignore[arg-type]
    here = found.rows.filter(pl.col("task") == task)
    covered = found.coverage.filter(family="all", level_percent=100.0 * LEVEL).row(0, named=True)
    held, mostly = (_percent(covered[f"{name}_percent"]) for name in ("rows_covered", "configurations_half_covered"))
    learnt = (
        "A calibration learns overheads and efficiencies of each platform from measurements. For networks that it had "
        f"not seen it is off by {_percent(after['median_ape_percent'])} in the median over "
        f"{counted(after['rows'], 'row')} of all tasks, where the published roofline is off by "
        f"{_percent(before['median_ape_percent'])} and the bound by {_tight(percent(bound))}. {_errors_on_page(here)}"
    )
    intervals = (
        f"The green dots and bands below are such held-out predictions. The {100.0 * LEVEL:g}\u00a0% "
        f"interval holds {held} of the rows, and at least half of the rows for {mostly} of the configurations; half of "
        f"the intervals are narrower than ×/÷\u00a0{covered['half_width']:.2f}."
    )
    return calibration_tables.expected(found).replace(" %", "\u00a0%"), learnt, intervals


def _errors_on_page(rows: pl.DataFrame) -> str:
    """Return the errors on the rows of this page."""
    if not rows.height:
        return ""
    known = rows.filter(pl.col("predicted_throughput").is_not_null())
    medians = {
        name: float((known[name] / known["measured"] - 1.0).abs().median())  # type: ignore[arg-type]
        for name in ("predicted_throughput", "published")
    }
    above = int((rows["measured"] > rows["bound"] * (1 + 1e-6)).sum())
    told = (
        "none exceeds"
        if not above
        else "1 of them exceeds"
        if above == 1
        else f"{with_thousands(above)} of them exceed"
    )
    ours, theirs = (_tight(percent(medians[name])) for name in ("predicted_throughput", "published"))
    return f"On the {counted(known.height, 'row')} of this page: {ours} against {theirs}; {told} the bound."


def _beware(found: HeldOut | None) -> str:
    if found is None:
        return "A prediction of rows that the calibration saw says little about other rows."
    worst = _worst(found)
    return (
        "A held-out network has sisters that were measured: other prunings, other batches. Measure a few rows of a new "
        f"kind of network or board first. An interval can be too narrow for one family ({worst}), and is wide for "
        "dataflow designs, whose folding is not in the data. The bound is a limit: its distance from a measurement is "
        "no error."
    )


def _worst(found: HeldOut) -> str:
    level = 100.0 * LEVEL
    lines = found.coverage.filter((pl.col("level_percent") == level) & (pl.col("family") != "all"))
    low = lines.sort("rows_covered_percent").row(0, named=True)
    return f"on {low['family']} the {level:g} % interval holds {_percent(low['rows_covered_percent'])} of the rows"


def _percent(value: Any) -> str:
    return _tight(percent(float(value) / 100.0))


def _tight(text: str) -> str:
    """Keep a number and its unit on one line."""
    return text.replace(" ", "\u00a0")


def _link(subject: Subject, found: HeldOut) -> Link:
    rows = found.rows.filter(pl.col("task") == subject.task)
    text = inert_cells(rows).write_csv().encode()
    what = f"{counted(rows.height, 'row')}: throughput measured, published, bound, calibrated with its network held out"
    return link_to(f"{subject.file_stem}-held-out.csv", "text/csv", text, what)
