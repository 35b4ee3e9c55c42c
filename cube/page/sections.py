"""The sections of a page, in order: what to see, what not to conclude, with numbers taken from the cube."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from roofcube import datasets
from roofcube.labels import KEY_COLUMNS, is_judged, whole_flags
from roofcube.measured.efficiency import efficiency
from roofcube.model.made import EXTRAPOLATES
from roofcube.model.offered import is_offered
from roofcube.page import tables, words
from roofcube.page.calibration_section import calibrated
from roofcube.page.content import Drawing, Fact, Section, Table
from roofcube.page.downloads import downloads
from roofcube.page.figures import draw
from roofcube.page.subject import own_figures
from roofcube.plot.drawing.tables import accuracy_of, possible, threaded
from roofcube.sweep.low_ends import EXPECTED, at_low_ends
from roofcube.sweep.questions import best, pareto
from roofcube.vocabulary import BOUNDS, CONFIGURATION, FINDINGS, INFEASIBLE, QUALITY
from roofcube.wording import (
    configuration_of,
    counted,
    digits_along,
    distinct_texts,
    in_shown_unit,
    labelled_text,
    listed,
    percent,
    plain_values,
    quantity,
    said_order,
    short,
    unit_of,
    with_thousands,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import xarray as xr

    from roofcube.page.subject import Subject

__all__ = ["HEADINGS", "SECTIONS", "facts", "lead"]

REASONS = {
    "precision_not_supported": "the platform does not support the precision",
    "does_not_fit_memory": "the network does not fit in memory",
    "not_calibrated": "the calibration knows no such hardware",
    "counts_not_known": "the activations of the network are not known",
    "bandwidth_not_known": "the bandwidth of its memory is not known",
}
NO_COMBINATION = ("feasible", "mode_not_offered", "network_not_defined", "untrained")


def _section(
    key: str, heading: str, see: list[str], beware: str, parts: Sequence[Drawing | Table | str | None], **more: Any
) -> Section:
    """Sort what a section shows into figures, tables and reasons why something is missing."""
    return Section(
        key,
        heading,
        tuple(see),
        beware,
        drawings=tuple(part for part in parts if isinstance(part, Drawing)),
        tables=tuple(part for part in parts if isinstance(part, Table)),
        missing=tuple(dict.fromkeys(part for part in parts if isinstance(part, str))),
        **more,
    )


def _empty_section(key: str, heading: str, reason: str) -> Section:
    return Section(key, heading, missing=(reason,))


# the numbers above all sections ---------------------------------------------------------------------------------------


def lead(subject: Subject) -> str:
    """Say in a sentence what the page shows."""
    own = own_figures(subject.cube)
    if own:
        return f"What the cube holds: {listed(own)}."
    accurate = subject.has("top1") or subject.has("measured_top1")
    powered = subject.has("power_full") or subject.has("predicted_energy")
    asked = [f"How fast {_what_runs(subject.cube)}"]
    asked += [words for words, known in (("how accurately", accurate), ("at what power", powered)) if known]
    return f"{listed(asked)}: {_how_known(subject.cube)}."


def _what_runs(cube: xr.Dataset) -> str:
    """Name what is compared: platforms, networks, or whatever the cube tells apart."""
    if "platform" not in cube.coords:
        return "each network runs" if "topology" in cube.coords else "each configuration runs"
    return f"each hardware platform {'runs each network' if 'topology' in cube.coords else 'is'}"


def _how_known(cube: xr.Dataset) -> str:
    predicted, measured = (
        any(str(name).startswith(kind) for name in cube.data_vars) for kind in ("predicted_", "measured_")
    )
    if predicted and measured:
        return "predicted, measured, and one laid over the other"
    return "as predicted" if predicted else "as measured"


def facts(subject: Subject) -> list[Fact]:
    """Count what the page holds."""
    cube, found = subject.cube, []
    if "platform" in cube.dims or is_offered(cube):
        found.append(_fact(_platforms(subject), "platform", "measured" if subject.has("n_rows") else ""))
    if "n_rows" in cube:
        found.append(_fact(int(cube["n_rows"].sum()), "experiment"))
        found.append(_fact(_count_configurations(cube["n_rows"] > 0), "configuration", "measured"))
    if subject.has("predicted_throughput"):
        found.append(_fact(_count_configurations(cube["predicted_throughput"].notnull()), "configuration", "predicted"))
    if "measured_throughput" in cube and subject.has("predicted_throughput"):
        both = cube["measured_throughput"].notnull() & cube["predicted_throughput"].notnull()
        found.append(Fact(with_thousands(_count_configurations(both)), "predicted and measured"))
    if "n_rows" in cube and is_judged(cube):
        found.append(_fact(int(((cube["quality"] != 0) & (cube["n_rows"] > 0)).sum()), "cell", "with a finding"))
    return found


def _fact(number: int, noun: str, how: str = "") -> Fact:
    count, words_of_noun = counted(number, noun).split(" ", 1)
    return Fact(count, f"{words_of_noun} {how}".strip())


def _platforms(subject: Subject) -> int:
    cube = subject.cube
    if "n_rows" in cube:
        return _platforms_of(cube["n_rows"] > 0)
    return len(np.unique(cube["platform"].values)) if is_offered(cube) else int(cube.sizes.get("platform", 1))


def _platforms_of(mask: xr.DataArray) -> int:
    """Count the platforms of some cells; of cells that tell none apart one."""
    if "platform" not in mask.coords or not mask["platform"].dims:
        return 1
    dim = mask["platform"].dims[0]
    return len(np.unique(mask["platform"].values[mask.any([other for other in mask.dims if other != dim]).values]))


def _count_configurations(mask: xr.DataArray) -> int:
    """Count cells, the batches of one configuration as one."""
    return int(_of_any_batch(mask).sum())


def _of_any_batch(mask: xr.DataArray) -> xr.DataArray:
    return mask.any("batch") if "batch" in mask.dims else mask


# theoretical analysis -------------------------------------------------------------------------------------------------


def theoretical(subject: Subject) -> Section:
    """Show what the model says before anything runs."""
    cube, (key, heading) = subject.cube, HEADINGS[theoretical]
    if not subject.has("predicted_throughput"):
        return _empty_section(key, heading, "This cube holds no predictions: the section needs predicted_throughput.")
    see = [
        (
            f"{words.MODELS[subject.model]} {_possible(cube['predicted_throughput'])} can run"
            f"{_limits(cube)}{_impossible(cube)}.{words.READING[subject.model]}"
        ),
        _fastest_prediction(cube),
    ]
    beware = words.BEWARE[subject.model].format(model=cube.attrs.get("assumptions", "own"))
    parts = [
        draw(subject.drawn, "requirements", "Bars of operations per input and of model size for each network"),
        draw(subject.drawn, "peaks", "Bars of peak compute and of memory bandwidth for each platform"),
        draw(
            subject.drawn,
            "rooflines",
            "Rooflines of all platforms on logarithmic axes, with the operational intensity of each network",
        ),
        draw(subject.drawn, "heatmap", "Heatmap of predicted inputs per second over configurations and platforms"),
        _theoretical_front(subject),
        tables.count_differences(subject),
    ]
    return _section(key, heading, [text for text in see if text], beware, parts)


def _theoretical_front(subject: Subject) -> Drawing | str | None:
    """Draw the front of predictions alone, of all networks, where their accuracy is known."""
    cube = subject.cube
    if "top1" not in cube or not bool((cube["predicted_throughput"] * cube["top1"]).notnull().any()):
        return None
    what = "The predicted Pareto front of accuracy and throughput, each point with its configuration, others pale"
    objectives = {"predicted_throughput": "max", "top1": "max"}
    return draw(cube, "front", what, key="theoretical-front", objectives=objectives, others=True)


def _possible(predicted: xr.DataArray) -> str:
    """Count what can run: combinations of the dims along which predictions differ, a batch aside."""
    number = _count_configurations(predicted.notnull())
    dims = [str(dim) for dim in predicted.dims if dim != "batch" and predicted.sizes[dim] > 1]
    if len(dims) == 1 and dims[0] in CONFIGURATION and dims[0] != "pruning":
        return counted(number, words.DIMS.get(dims[0], dims[0]))
    told = listed([words.DIMS.get(dim, dim) for dim in dims], most=12)
    return f"{counted(number, 'combination')} of {told or 'the one platform and network'}"


def _fastest_prediction(cube: xr.Dataset) -> str:
    """Name the fastest prediction, judged on the low end of its interval where it has one."""
    careful = at_low_ends(cube)
    top = best(careful, "predicted_throughput")
    if not bool(top["found"]):
        return ""
    told = in_shown_unit(float(top["predicted_throughput"]), unit_of(top, "predicted_throughput"))
    name = f"predicted_throughput{EXPECTED}"
    if name in top and np.isfinite(top["predicted_throughput_low"].values):
        expected = in_shown_unit(float(top[name]), unit_of(top, name))
        told = f"at least {told}, the low end of the interval around {expected}"
    idle = [dim for dim in cube.dims if dim not in cube["predicted_throughput"].dims]
    where = top.drop_vars([dim for dim in idle if dim == "batch" or cube.sizes[dim] > 1], errors="ignore")
    beyond = float(top[EXTRAPOLATES]) == 1.0 if EXTRAPOLATES in top else False
    doubt = " It extrapolates beyond what was calibrated on." if beyond else ""
    level = _count_configurations(careful["predicted_throughput"] == top["predicted_throughput"].values) - 1
    others = f" and {counted(level, 'other')} as fast" if level else ""
    return f"The fastest prediction is {told}: {configuration_of(where, digits_along(cube))}{others}.{doubt}"


def _limits(cube: xr.Dataset) -> str:
    if "bound" not in cube:
        return ""
    can_run = cube["predicted_throughput"].notnull()
    can_run = can_run if "batch" in cube["bound"].dims or "batch" not in can_run.dims else can_run.any("batch")
    counts = {name: int(((cube["bound"] == code) & can_run).sum()) for name, code in BOUNDS.items() if name != "none"}
    told = [f"{with_thousands(count)} limited by {name}" for name, count in counts.items() if count]
    over = " over all batches" if "batch" in cube["bound"].dims and cube.sizes["batch"] > 1 else ""
    return f",{over} {listed(told)}" if told else ""


def _impossible(cube: xr.Dataset) -> str:
    """Count what cannot run, by reason; modes and networks that do not exist are no combinations."""
    if "infeasible" not in cube:
        return ""
    counts = {
        name: _count_configurations(cube["infeasible"] == code)
        for name, code in INFEASIBLE.items()
        if name not in NO_COMBINATION
    }
    told = [f"{with_thousands(count)} because {REASONS[name]}" for name, count in counts.items() if count]
    return f"; others cannot, {listed(told)}" if told else ""


# experimental data ----------------------------------------------------------------------------------------------------


def experimental(subject: Subject) -> Section:
    """Show what was measured, and what is wrong with it."""
    cube, (key, heading) = subject.cube, HEADINGS[experimental]
    if not subject.has("measured_throughput"):
        return _empty_section(key, heading, "This cube holds no measurements: join some with roofcube.join.")
    cells = cube["n_rows"] > 0
    measured = (
        f"{counted(int(cube['n_rows'].sum()), 'experiment')} on {counted(_platforms(subject), 'platform')} make "
        f"{counted(_count_configurations(cells), 'configuration')}{_batches_told(cube, cells)}"
    )
    see = [measured, _front_text(subject), _rows_told(subject, cells)]
    parts = [
        draw(
            subject.drawn,
            "overview",
            "Table of experiments: precisions and channels kept for each platform and network, na where not measured",
        ),
        draw(
            subject.drawn,
            "latency_throughput",
            "Lines of throughput over latency for each configuration, batch by batch",
            measurements=subject.rows,
        ),
        draw(subject.drawn, "boxes", f"Boxes of measured {_boxed(subject)} by platform"),
        draw(
            subject.drawn,
            "pareto",
            "Scatter of accuracy over throughput with the Pareto front as a staircase",
            measurements=subject.rows,
        ),
        tables.findings_by_rule(subject),
        tables.corrections(subject),
        tables.unmatched_rows(subject),
    ]
    return _section(key, heading, [text for text in see if text], _beware_of_runs(subject), parts)


def _rows_told(subject: Subject, cells: xr.DataArray) -> str:
    """Say which rows found no cell, else how many cells carry a finding; nothing where the rows are not at hand."""
    if subject.unmatched is None:
        return ""
    if subject.unmatched.height:
        return f"{counted(subject.unmatched.height, 'row')} found no cell; the reasons are below."
    flagged = int((subject.flagged() & cells).sum())
    return (
        f"Every row found its cell; {counted(flagged, 'cell')} of {with_thousands(int(cells.sum()))} "
        f"{'carries' if flagged == 1 else 'carry'} at least one finding of the physics gate, listed below by rule."
    )


def _boxed(subject: Subject) -> str:
    """Name what was measured of that which boxes show."""
    shown = {"latency": "measured_latency", "throughput": "measured_throughput", "power": "power_full"}
    return listed([word for word, name in shown.items() if subject.has(name)])


def _beware_of_runs(subject: Subject) -> str:
    threads = _threaded_hardware(subject.cube)
    flight = f"‘Batch’ is the number of threads on {threads}, so equal batch is not equal work in flight. "
    runs = (
        "Single runs stand without error bars: differences of a few per cent mean nothing."
        if int(subject.cube["n_rows"].max()) < 2
        else "Cells with several rows show their mean; single runs stand without error bars."
    )
    return (
        f"{flight if threads else ''}Figures show the accelerator alone, without host and transfers. "
        f"{runs}{_spread_of_runs(subject)}"
    )


def _batches_told(cube: xr.Dataset, cells: xr.DataArray) -> str:
    """Say what several batches show, where there are any."""
    if "batch" not in cells.dims or int(cells.sum("batch").max()) < 2:
        return "."
    threads = " or numbers of threads" if _threaded_hardware(cube) else ""
    several = int((cells.sum("batch") > 1).sum())
    which = "each" if several == _count_configurations(cells) else f"{with_thousands(several)} of them"
    return (
        f", {which} at several batch sizes{threads}. More in flight buys throughput up to a knee and only costs "
        "latency after it; where the knee sits is what tells platforms apart."
    )


def _front_text(subject: Subject) -> str:
    """Say what the measured front spans, and on which platforms its points are."""
    accuracy = accuracy_of(subject.cube)
    if not subject.has("measured_throughput", accuracy):
        return ""
    front = pareto(subject.cube, {"measured_throughput": "max", accuracy: "max"}, ties="all")
    if not front.sizes["point"]:
        return ""
    fast, exact = front["measured_throughput"].values, front[accuracy].values
    unit = unit_of(front, "measured_throughput")
    ends = [f"{in_shown_unit(float(fast[end]), unit)} at {float(exact[end]):.2f} %" for end in (0, -1)]
    span = f"from {ends[0]} to {ends[1]}" if ends[0] != ends[1] else ends[0]
    said = f"The measured front of accuracy and throughput reaches {span}."
    if "platform" in front.coords:
        names = distinct_texts(list(dict.fromkeys(np.atleast_1d(front["platform"].values).tolist())))
        said = (
            f"The measured front of accuracy and throughput has {counted(front.sizes['point'], 'point')} on "
            f"{counted(len(names), 'platform')} ({listed(names)}), {span}."
        )
    return said + (" Accuracies are those of the networks: none was measured." if accuracy == "top1" else "")


def _spread_of_runs(subject: Subject) -> str:
    """State the spread between two runs, where a second run of these rows exists."""
    if subject.rows is None:
        return ""
    repeats = datasets.load_repeats()
    keys = [name for name in KEY_COLUMNS if name in repeats.columns]
    both = subject.rows.join(repeats, on=keys, how="inner", suffix="_again")
    if "throughput_compute_per_s_again" not in both.columns or not both.height:
        return ""
    away = (
        (both["throughput_compute_per_s_again"] / both["throughput_compute_per_s"] - 1.0).abs().drop_nulls().to_numpy()
    )
    platforms = listed(sorted(set(both["platform"])))
    return (
        f" A second run of {counted(away.size, 'row')} ({platforms}) differs by {percent(float(np.median(away)))} in "
        f"the median and {percent(float(away.max()))} at most."
    )


# theoretical and measured fronts --------------------------------------------------------------------------------------


def overlapped(subject: Subject) -> Section:
    """Lay predictions and measurements over one another."""
    cube, (key, heading) = subject.cube, HEADINGS[overlapped]
    if not subject.has("measured_throughput", "predicted_throughput", "top1"):
        return _empty_section(
            key,
            heading,
            "This cube lacks measured throughput, predicted throughput or accuracy; the two fronts need all three.",
        )
    accuracy = accuracy_of(cube)
    # what the figure draws: watts alone are no mark
    measured = _of_any_batch((cube["measured_throughput"] * cube[accuracy]).notnull())
    predicted = _of_any_batch((cube["predicted_throughput"] * cube["top1"]).notnull())
    matched = int((measured & predicted).sum())
    only_predicted = int((predicted & ~measured).sum())
    only_measured = int((measured & ~predicted).sum())
    measured_front = (
        pareto(cube, {"measured_throughput": "max", accuracy: "max"}, ties="all") if subject.has(accuracy) else None
    )
    predicted_front = pareto(cube, {"predicted_throughput": "max", "top1": "max"}, ties="all")
    see = [
        (
            f"Each orange circle is a prediction, each blue cross the best measured batch of a configuration, and a "
            f"line joins the two: the longer it is, the further the prediction was off. "
            f"{counted(matched, 'configuration')} {'has' if matched == 1 else 'have'} both; "
            f"{with_thousands(only_predicted)} were only predicted and {with_thousands(only_measured)} only measured."
        ),
    ]
    if measured_front is not None:
        figures = cube["measured_throughput"], cube["predicted_throughput"]
        shared = _configurations_on(measured_front, *figures) & _configurations_on(predicted_front, *figures)
        see.append(
            f"The measured front has {counted(measured_front.sizes['point'], 'point')}, the predicted one "
            f"{counted(len(_configurations_on(predicted_front, cube['predicted_throughput'])), 'configuration')}; "
            + (
                f"{counted(len(shared), 'configuration')} {'is' if len(shared) == 1 else 'are'} on both."
                if shared
                else "no configuration is on both."
            )
        )
    beware = words.GAP[subject.model]
    parts = [
        draw(
            subject.drawn,
            "overlap",
            "Predicted and measured accuracy over throughput, matched pairs joined by lines, both fronts as staircases",
            measurements=subject.rows,
        )
    ]
    return _section(key, heading, see, beware, parts)


def _configurations_on(front: xr.Dataset, *figures: xr.DataArray) -> set[tuple[Any, ...]]:
    """Return the configurations of a front, told apart by the own dims too that these figures all have."""
    own = [dim for dim in said_order(front.attrs, front.coords) if all(dim in figure.dims for figure in figures)]
    dims = [dim for dim in dict.fromkeys([*CONFIGURATION, *own]) if dim in front.coords and dim != "batch"]
    return (
        set(
            zip(
                *(np.atleast_1d(np.broadcast_to(front[dim].values, front.sizes["point"])).tolist() for dim in dims),
                strict=True,
            )
        )
        if dims
        else set()
    )


# efficiency -----------------------------------------------------------------------------------------------------------


def efficient(subject: Subject) -> Section:
    """Compare measured with predicted throughput."""
    cube, (key, heading) = subject.cube, HEADINGS[efficient]
    if not subject.has("measured_throughput", "predicted_throughput"):
        return _empty_section(
            key, heading, "Efficiency is measured over predicted throughput; this cube lacks one of them."
        )
    compared = efficiency(cube)
    impossible = int(compared.attrs.get("removed_by_trust", 0))
    ratios = compared["efficiency"].values
    ratios = ratios[np.isfinite(ratios)]
    above = int((ratios > 1).sum())
    if not ratios.size:
        return _empty_section(key, heading, "No configuration of this cube was both predicted and measured.")
    see = [
        f"Efficiency is measured over predicted throughput. At the best batch of each of "
        f"{counted(ratios.size, 'configuration')} its median is {percent(float(np.median(ratios)))}; "
        f"half of them lie between {percent(float(np.quantile(ratios, 0.25)))} and "
        f"{percent(float(np.quantile(ratios, 0.75)))}. "
        + (f"{_words_of_left_out(impossible)} " if impossible else "")
        + (
            f"{counted(above, 'configuration')} {'exceeds' if above == 1 else 'exceed'} 100 %: "
            f"{words.ABOVE[subject.model]}"
            if above
            else "None exceeds 100 %."
        ),
        _at_equal_batch(cube),
    ]
    beware = (
        "A low value can mean a weak implementation or a model that leaves out what binds. "
        f"{words.FIXED[subject.model]}Efficiency ranks implementations on one platform, not platforms."
    )
    bars = "Bars of peak, predicted and measured throughput for each configuration, measured over predicted in per cent"
    parts = [
        draw(subject.drawn, "efficiency", f"{bars}: each at its best batch", view="each at its best batch"),
        draw(
            subject.drawn,
            "efficiency",
            f"{bars}: all at the same batch",
            key="efficiency-at-batch",
            view="all at the same batch",
            at="batch",
        ),
    ]
    return _section(key, heading, [text for text in see if text], beware, parts)


def _at_equal_batch(cube: xr.Dataset) -> str:
    """Compare at the smallest of the batches at which most configurations were measured."""
    if "batch" not in cube["measured_throughput"].dims or cube.sizes["batch"] < 2:
        return ""
    ratios = efficiency(cube, at="batch")["efficiency"]
    counts = ratios.notnull().sum([dim for dim in ratios.dims if dim != "batch"])
    place = int(counts.argmax("batch"))
    shared, label = ratios.isel(batch=place), labelled_text(plain_values(ratios["batch"].values)[place])
    threads = _threaded_hardware(cube)
    told = f" (on {threads}: number of threads)" if threads else ""
    return (
        f"The second view of the figure compares all at the same batch{told}, which its buttons choose. At "
        f"batch {label} the median is {percent(float(shared.median()))} over "
        f"{counted(int(counts.max()), 'configuration')}: what looks like a better chip at its best "
        "batch is often only a bigger batch."
    )


def _threaded_hardware(cube: xr.Dataset) -> str:
    """Return of which measured hardware a batch is a number of threads."""
    if "platform" not in cube["n_rows"].dims:
        return ""
    measured = (cube["n_rows"] > 0).any([dim for dim in cube["n_rows"].dims if dim != "platform"])
    return listed(threaded(cube.sel(platform=measured)))


# power ----------------------------------------------------------------------------------------------------------------


def powered(subject: Subject) -> Section:
    """Show power, energy per input and, where meters were logged, power over time."""
    cube, (key, heading) = subject.cube, HEADINGS[powered]
    if not subject.has("power_full", "measured_throughput"):
        return _empty_section(key, heading, "This cube holds no measured power.")
    known = (cube["power_full"].notnull()) & (cube["n_rows"] > 0)
    energy = cube["energy_per_input"].where(np.isfinite(cube["energy_per_input"]) & (cube["energy_per_input"] > 0))
    if not bool(energy.notnull().any()):
        return _empty_section(key, heading, "Power and throughput were never measured together in this cube.")
    believed = _possible_energy(cube, energy)
    spanned = (
        f"Power under load is known for {counted(int(cube['n_rows'].where(known, 0).sum()), 'experiment')}. Energy "
        f"per input is that power divided by the throughput measured{_span_of(believed)}."
    )
    impossible = int(energy.notnull().sum() - believed.notnull().sum())
    see = [" ".join(filter(None, (spanned, _words_of_left_out(impossible), _energy_over_batch(believed))))]
    see.append(_doubtful_power(subject))
    metered = "Boards were metered at different points and with different meters, so absolute watts compare poorly "
    beware = f"{metered}between platforms. " if _platforms_of(known) > 1 else ""
    beware += "The base of a development board is not that of a product."
    parts: list[Drawing | Table | str | None] = [
        draw(subject.drawn, "power", "Bars of base, idle and full power for each configuration"),
        draw(subject.drawn, "energy", "Energy per input in millijoule for each configuration", view="energy per input"),
        draw(subject.drawn, "inputs_per_joule", "Inputs per joule for each configuration", view="inputs per joule"),
    ]
    if subject.traces is not None:
        platforms = listed(sorted(set(subject.traces["platform"])))
        what = f"Power of {platforms} over time, samples that cannot be true marked"
        parts.append(draw(subject.traces, "power_trace", what))
    return _section(key, heading, [text for text in see if text], beware, parts)


def _possible_energy(cube: xr.Dataset, energy: xr.DataArray) -> xr.DataArray:
    """Take the energies of which the physics gate finds power and throughput possible."""
    if "quality" not in cube:
        return energy
    return energy.where(possible(cube, whole_flags(cube["quality"]), ("power_full", "measured_throughput")))


def _span_of(energy: xr.DataArray) -> str:
    if not bool(energy.notnull().any()):
        return ""
    low, high = float(energy.min()), float(energy.max())
    ends = quantity(low, "J"), quantity(high, "J")
    if ends[0] == ends[1]:
        return f": it is {ends[0]}"
    return f": it spans {ends[0]} to {ends[1]}, a factor of {short(high / low)}"


def _words_of_left_out(impossible: int) -> str:
    cells = counted(impossible, "impossible cell")
    return f"{cells} {'is' if impossible == 1 else 'are'} left out." if impossible else ""


def _energy_over_batch(energy: xr.DataArray) -> str:
    """Say in how many configurations the largest batch takes less energy an input than the smallest."""
    if "batch" not in energy.dims:
        return ""
    values = energy.sortby("batch").transpose("batch", ...).values.reshape(energy.sizes["batch"], -1)
    known = ~np.isnan(values)
    values, known = (part[:, known.sum(0) > 1] for part in (values, known))
    number = values.shape[1]
    if not number:
        return ""
    each = np.arange(number)
    smallest, largest = known.argmax(0), len(known) - 1 - known[::-1].argmax(0)
    lower = int((values[largest, each] < values[smallest, each]).sum())
    if not lower:
        return "The largest batch takes no less than the smallest."
    if lower == number:
        return "A large batch lowers it, because base and idle power are paid for more inputs a second."
    why = ", because base and idle power are paid for more inputs a second" if 2 * lower > number else ""
    return f"The largest batch takes less than the smallest in {lower} of {counted(number, 'configuration')}{why}."


def _doubtful_power(subject: Subject) -> str:
    measured = subject.cube["n_rows"] > 0
    of_power = [rule for rule in QUALITY if "power" in FINDINGS[rule].doubts]
    number = int((subject.flagged(*of_power) & measured).sum())
    if not number:
        return ""
    cells = {tables.spoken(rule): int((subject.flagged(rule) & measured).sum()) for rule in of_power}
    why = listed([f"{rule} ({count})" for rule, count in cells.items() if count])
    return (
        f"{counted(number, 'cell')} {'carries' if number == 1 else 'carry'} power that the physics gate doubts: {why}. "
        "They are hollow."
    )


# data -----------------------------------------------------------------------------------------------------------------


def data(subject: Subject) -> Section:
    """Return the data of the page and its sources."""
    links, notes = downloads(subject)
    see = ["The data behind every figure, in this file: nothing is fetched."] if links else []
    if subject.origin is not None:
        source, licence = subject.origin
        see.append(
            f"Measurements: {source}, {licence}. The values are those of the source; corrections and doubts stand "
            f"beside them."
        )
    return Section(*HEADINGS[data], tuple(see), links=links, missing=notes)


SECTIONS: tuple[Callable[[Subject], Section], ...] = (
    theoretical,
    experimental,
    overlapped,
    efficient,
    calibrated,
    powered,
    data,
)

HEADINGS: dict[Callable[[Subject], Section], tuple[str, str]] = {
    theoretical: ("theory", "Theoretical analysis"),
    experimental: ("experiments", "Experimental data"),
    overlapped: ("overlap", "Theoretical and measured Pareto, overlapped"),
    efficient: ("efficiency", "Efficiency"),
    calibrated: ("calibration", "Calibrated predictions"),
    powered: ("power", "Power"),
    data: ("data", "Data"),
}
