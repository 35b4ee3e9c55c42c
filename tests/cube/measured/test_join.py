from __future__ import annotations

import subprocess
import sys
import unicodedata
from datetime import date, datetime

import numpy as np
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError, UnknownLabelError
from roofcube.files.measurements import FIGURES
from roofcube.labels import labelled, locate, rows_of
from roofcube.measured.join import MEASURED, holds
from roofcube.vocabulary import QUALITY, attributes

ROWS = rc.datasets.load_measurements()
ROW = {"topology": ["MLP"], "platform": ["NCS2"], "precision": ["FP16"], "batch": [1], "latency_compute_s": [0.01]}


@pytest.mark.parametrize("task", rc.tasks())
def test_every_row_is_in_a_cube_or_unmatched(task):
    rows = rc.datasets.load_measurements(task)
    cube = rc.benchmark(task)
    assert int(cube.n_rows.sum()) == rows.height
    assert rc.unmatched(cube, rows).height == 0
    some = sorted(rows["platform"].unique())[::3]
    partial = rc.predict(rc.inputs(task, platforms=some, batch=sorted(rows["batch"].unique())[:2]))
    lost = rc.unmatched(partial, rows)
    assert int(rc.join(partial, rows).n_rows.sum()) + lost.height == rows.height
    assert lost["reason"].str.len_chars().min() > 0


def test_source_values_are_in_their_cells_to_the_last_bit():
    cube = rc.benchmark("imagenet")
    rows = rc.datasets.load_measurements("imagenet")
    single = rows.filter(
        ~pl.struct("platform", "mode", "topology", "pruning_percent", "precision", "batch").is_duplicated()
    )
    for row in single.sample(40, seed=1).iter_rows(named=True):
        cell = cube.sel(
            platform=row["platform"],
            mode=row["mode"],
            topology=row["topology"],
            pruning=row["pruning_percent"],
            precision=row["precision"],
            batch=row["batch"],
        )
        for name, column in (
            ("measured_throughput", "throughput_compute_per_s"),
            ("measured_latency", "latency_compute_s"),
            ("power_full", "power_full_w"),
            ("measured_top1", "top1_percent"),
        ):
            value = row[column]
            assert float(cell[name]) == value or (value is None and np.isnan(float(cell[name])))


def test_duplicate_keys_hold_the_mean_and_say_so():
    cube = rc.benchmark("imagenet")
    cell = cube.sel(platform="EdgeTPU", mode="fast", topology="ResNet-50v15", pruning=100, precision="INT8", batch=1)
    pair = ROWS.filter(pl.col("topology") == "ResNet-50v15", pl.col("mode") == "fast")[
        "throughput_compute_per_s"
    ].to_list()
    assert int(cell.n_rows) == 2
    assert float(cell.measured_throughput) == pytest.approx(sum(pair) / 2)
    assert int(cell.quality) & QUALITY["duplicate_key"]


def test_join_stays_on_the_cubes_own_axes():
    cube = rc.join(rc.predict(rc.inputs("cifar10", platforms="TX2")).sel(mode="maxn"), ROWS)
    assert cube.measured_throughput.dims == ("platform", "topology", "pruning", "precision", "batch")
    assert int(cube.n_rows.sum()) == 64
    lost = rc.unmatched(cube, ROWS)
    assert lost.height == 974 - 64
    assert "mode 'maxp' is not in the cube, which has maxn" in lost["reason"].to_list()


def test_join_order_of_labels_does_not_matter():
    cube = rc.predict(rc.inputs("mnist"))
    shuffled = cube.isel(platform=slice(None, None, -1), batch=slice(None, None, -1))
    joined = rc.join(shuffled, ROWS).reindex_like(cube)
    xr.testing.assert_equal(
        joined.efficiency.transpose(*rc.join(cube, ROWS).efficiency.dims), rc.join(cube, ROWS).efficiency
    )


def test_a_table_without_a_key_column_is_told():
    cube = rc.predict(rc.inputs("mnist"))
    lost = rc.unmatched(cube, ROWS.drop("mode"))
    assert lost.height == 974
    assert "column 'mode' is missing" in lost["reason"][0]


@pytest.mark.parametrize("layout", ["product", "offered"])
def test_a_row_in_a_mode_that_its_platform_does_not_have_is_in_no_cell(layout):
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2", "NCS2"], precision="FP16", batch=[1, 2], layout=layout))
    rows = rc.read_measurements(runs_of_mlp(platform=["TX2", "NCS2"]))  # which say no mode
    joined, lost = rc.join(cube, rows), rc.unmatched(cube, rows)
    assert (int(joined.n_rows.sum()), lost["platform"].to_list()) == (1, ["TX2"])
    assert rc.best(joined, "measured_throughput").platform.item() == "NCS2"
    if layout == "product":
        assert lost["reason"].to_list() == ["mode 'default' is none of 'TX2', which has maxn, maxp, maxq"]
    assert rc.unmatched(cube, rows.with_columns(mode=pl.Series(["maxq", "default"]))).is_empty()


def runs_of_mlp(**columns):
    labels = {"topology": "MLP", "platform": "NCS2", "precision": "FP16", "pruning_percent": 100.0, "batch": [1, 2]}
    return pl.DataFrame(labels | columns).with_columns(throughput_compute_per_s=96.0 * pl.col("batch"))


def test_a_cube_that_does_not_say_its_platform_asks_where_rows_are_of_several():
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 2]))
    nameless = cube.isel(platform=0, drop=True)
    assert int(rc.join(nameless, runs_of_mlp()).n_rows.sum()) == 2
    several = runs_of_mlp(platform=["NCS2", "TX2"])
    message = r"`cube`: expected it to say its platform, for the rows are of several \('NCS2', 'TX2'\)"
    with pytest.raises(InvalidDataError, match=message):
        rc.join(nameless, several)
    assert int(rc.join(nameless.assign_coords(platform="TX2"), several).n_rows.sum()) == 1
    with pytest.raises(InvalidDataError, match="to say its batch"):
        rc.join(cube.isel(batch=0, drop=True), runs_of_mlp())


def test_measurements_that_a_second_join_replaces_are_not_lost_in_silence():
    predicted = rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 2]))
    first = rc.join(predicted, runs_of_mlp().head(1))
    assert int(rc.join(first, runs_of_mlp()).n_rows.sum()) == 2
    with pytest.warns(
        UserWarning, match="own measurements are replaced, and 1 of its cells have none now; to keep both"
    ):
        rc.join(first, runs_of_mlp().tail(1))
    assert int(rc.merge(first, rc.join(predicted, runs_of_mlp().tail(1))).n_rows.sum()) == 2


def test_measurements_of_several_sources_are_not_replaced_in_silence():
    predicted = rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 2]))
    rows = runs_of_mlp().with_columns(mode=pl.lit("default"))
    faster = rows.with_columns(throughput_compute_per_s=2.0 * pl.col("throughput_compute_per_s"))
    labs = rc.merge(rc.join(predicted, rows), rc.join(predicted, faster))
    with pytest.warns(
        UserWarning, match="own measurements, of 2 sources side by side along lab, are replaced; to keep"
    ):
        again = rc.join(labs, rows)
    assert again.measured_throughput.dims == rc.join(predicted, rows).measured_throughput.dims
    assert "disagreement" not in again.attrs


def test_joining_a_cube_without_labels_is_an_error():
    with pytest.raises(InvalidDataError, match="`cube`: expected some of the dims platform"):
        rc.join(xr.Dataset({"x": ("y", [1.0])}), ROWS)


def test_energy_and_efficiency_are_ratios_of_what_is_there():
    cube = rc.benchmark("mnist")
    xr.testing.assert_equal(
        cube.energy_per_input.drop_attrs(), (cube.power_full / cube.measured_throughput).drop_attrs()
    )
    xr.testing.assert_allclose(
        (cube.inputs_per_joule * cube.energy_per_input).drop_attrs(),
        xr.ones_like(cube.energy_per_input).where(cube.energy_per_input.notnull()).drop_attrs(),
    )
    assert cube.efficiency.dims == ("platform", "mode", "topology", "pruning", "precision", "batch")


def test_best_gives_the_labelled_winner():
    cube = rc.benchmark("cifar10")
    winner = rc.best(cube, "measured_throughput", where={"measured_top1": (85, None), "measured_latency": (None, 0.01)})
    rows = rc.datasets.load_measurements("cifar10").filter(
        pl.col("top1_percent") >= 85, pl.col("latency_compute_s") <= 0.01
    )
    row = rows.sort("throughput_compute_per_s", descending=True).row(0, named=True)
    assert (winner.platform.item(), winner["mode"].item(), winner.batch.item()) == (
        row["platform"],
        row["mode"],
        row["batch"],
    )
    assert bool(winner.found)


def test_best_without_a_winner_makes_up_no_label():
    cube = rc.benchmark("cifar10")
    nobody = rc.best(cube, "measured_throughput", where={"measured_top1": (99, None)})
    assert not bool(nobody.found)
    assert nobody.platform.item() == ""
    assert np.isnan(float(nobody.measured_throughput))
    per = rc.best(cube, "measured_throughput", per="platform")
    assert per.found.sel(platform=["TX2", "EdgeTPU"]).values.tolist() == [True, False]
    assert per.device_class.sel(platform="EdgeTPU").item() == "TPU"
    assert per.precision.sel(platform="EdgeTPU").item() == ""


def test_best_of_latency_is_the_least_and_sense_can_be_turned():
    cube = rc.benchmark("mnist")
    assert float(rc.best(cube, "measured_latency").measured_latency) == float(cube.measured_latency.min())
    assert float(rc.best(cube, "measured_latency", sense="max").measured_latency) == float(cube.measured_latency.max())


def test_ties_go_to_the_first_in_dim_order():
    cube = rc.predict(rc.inputs("cifar10", counts="site"))
    assert rc.best(cube, "predicted_throughput").platform.item() == "ZCU104-FINN"
    turned = cube.isel(platform=slice(None, None, -1))
    assert rc.best(turned, "predicted_throughput").platform.item() == "ZCU104-BISMO"


@pytest.mark.parametrize("where", [{"platform": ["TX2"]}, {"platform": "TX2"}, {"device_class": ["GPU"]}])
def test_labels_choose(where):
    front = rc.pareto(rc.benchmark("cifar10"), ["measured_throughput", "measured_top1"], where=where)
    assert set(front.platform.values) == {"TX2"}


def test_front_counts_what_each_limit_removed():
    cube = rc.benchmark("cifar10")
    front = rc.pareto(
        cube,
        ["measured_throughput", "measured_top1"],
        where={"measured_top1": (85, None), "measured_latency": (None, 1e-3)},
    )
    assert front.attrs["n_points"] == cube.measured_throughput.size
    assert front.attrs["missing_measured_throughput"] == cube.measured_throughput.size - 378
    assert front.attrs["removed_by_measured_top1"] == int((~(cube.measured_top1 >= 85)).sum())
    assert float(front.measured_latency.max()) <= 1e-3


def test_front_per_platform_is_the_front_of_each():
    cube = rc.benchmark("cifar10")
    per = rc.pareto(cube, ["measured_throughput", "measured_top1"], per="platform")
    for platform in ("TX2", "NCS2", "ZCU104-FINN"):
        alone = rc.pareto(cube, ["measured_throughput", "measured_top1"], where={"platform": [platform]})
        mine = per.isel(point=per.platform.values == platform)
        assert mine.measured_throughput.values.tolist() == alone.measured_throughput.values.tolist()


def test_empty_fronts_are_empty():
    front = rc.pareto(rc.benchmark("cifar10"), ["measured_throughput"], where={"measured_top1": (99.9, None)})
    assert front.sizes["point"] == 0
    assert "platform" in front.coords


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda cube: rc.pareto(cube, ["throughput"]),
            UnknownLabelError,
            "`objectives`: 'throughput' is not known; did you mean",
        ),
        (
            lambda cube: rc.pareto(cube, {"ops": "most"}),
            InvalidDataError,
            r"`objectives\['ops'\]`: expected 'max' or 'min', got 'most'",
        ),
        (lambda cube: rc.pareto(cube, []), InvalidDataError, "expected at least one variable"),
        (
            lambda cube: rc.pareto(cube, ["ops"], where={"top1": (1, 2, 3)}),
            InvalidDataError,
            r"`where\['top1'\]`: expected \(low, high\)",
        ),
        (
            lambda cube: rc.pareto(cube, ["ops"], where={"topp1": (1, 2)}),
            UnknownLabelError,
            "`where`: 'topp1' is not known; did you mean 'top1'",
        ),
        (
            lambda cube: rc.pareto(cube, ["ops"], where={"platform": ["TX3"]}),
            UnknownLabelError,
            "`platform`: 'TX3' is not known; did you mean 'TX2'",
        ),
        (
            lambda cube: rc.pareto(cube, ["ops"], per="platfrom"),
            UnknownLabelError,
            "`per`: 'platfrom' is not known; did you mean 'platform'",
        ),
        (lambda cube: rc.best(cube, "executed_precision"), InvalidDataError, "expected a numeric variable"),
        (lambda cube: rc.efficiency(cube, at="worst"), InvalidDataError, "`at`: expected one of 'best', 'batch'"),
        (
            lambda cube: rc.efficiency(cube[["ops"]]),
            ValueError,
            "`measured_throughput`: the efficiency needs this variable",
        ),
    ],
)
def test_bad_questions_are_answered_clearly(call, error, message):
    with pytest.raises(error, match=message):
        call(rc.benchmark("mnist"))


def test_efficiency_at_equal_batch_and_for_the_system():
    cube = rc.benchmark("mnist")
    at_batch = rc.efficiency(cube, at="batch", trust="all")
    xr.testing.assert_equal(
        at_batch.efficiency.drop_attrs().transpose(*cube.efficiency.dims), cube.efficiency.drop_attrs()
    )
    system = rc.efficiency(cube, scope="system").measured_throughput
    assert float(system.max()) == float(cube.measured_system_throughput.max())


def test_accessor_is_the_functions():
    cube = rc.benchmark("mnist")
    xr.testing.assert_identical(cube.roof.best("measured_throughput"), rc.best(cube, "measured_throughput"))
    xr.testing.assert_identical(cube.roof.efficiency(), rc.efficiency(cube))
    xr.testing.assert_identical(
        cube.roof.pareto(["measured_throughput", "measured_top1"]),
        rc.pareto(cube, ["measured_throughput", "measured_top1"]),
    )


@pytest.mark.parametrize("task", rc.tasks())
def test_a_cold_benchmark_loads_neither_dask_nor_pydantic(task):
    code = f"import sys, roofcube as rc; rc.benchmark({task!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"dask", "numba", "pydantic"} & set(done.stdout.split())


def test_a_labelled_number_is_an_array():
    inputs = xr.Dataset(
        {"ops": 2e9, "params": 1e6, "peak_compute": 1e12, "memory_bandwidth": 1e10, "element_bytes": 1.0}
    )
    throughput = rc.predict(inputs).predicted_throughput
    assert type(throughput.variable._data) is np.ndarray
    assert throughput.item() == 500
    assert type(labelled((), np.float64(1.0))._data) is np.ndarray


def test_rows_of_reads_what_xarray_reads_at_the_same_places():
    cube = rc.inputs("cifar10").drop_dims("batch").assign_coords(place=("layer", np.arange(9)))
    dims = ("platform", "mode", "topology", "pruning", "precision")
    rows, where = rows_of(cube, ROWS.filter(pl.col("task") == "cifar10"), dims=dims)
    picks = {dim: xr.DataArray(index, dims="row") for dim, index in where.indices.items()}
    assert where.mask.all()
    xr.testing.assert_identical(rows.transpose("row", "layer"), cube.isel(picks).transpose("row", "layer"))


def test_a_lazy_cube_stays_lazy_when_joined():
    pytest.importorskip("dask")
    rows = rc.datasets.load_measurements("mnist")
    lazy = rc.join(rc.predict(rc.inputs("mnist"), chunks={"batch": 2}), rows)
    assert lazy.efficiency.chunks
    xr.testing.assert_identical(lazy.compute(), rc.join(rc.predict(rc.inputs("mnist")), rows))


def test_efficiency_of_what_was_only_timed():
    rows = rc.datasets.load_measurements("cifar10").filter(pl.col("platform") == "TX2")
    counted = rc.join(rc.predict(rc.inputs("cifar10", platforms="TX2")), rows)
    timed = rc.join(
        rc.predict(rc.inputs("cifar10", platforms="TX2")),
        rows.with_columns(throughput_compute_per_s=pl.lit(None, pl.Float64)),
    )
    assert timed.measured_throughput.isnull().all()
    expected = (timed.batch / timed.measured_latency / timed.predicted_throughput).transpose(*timed.efficiency.dims)
    np.testing.assert_allclose(timed.efficiency, expected, rtol=1e-15)
    assert timed.efficiency.notnull().sum() == timed.measured_latency.notnull().sum() > 0
    assert timed.efficiency.attrs["comment"].startswith("batch / measured latency on platforms")
    ratios = rc.efficiency(timed)
    assert ratios.attrs["derived_throughput"] == int(timed.measured_latency.notnull().sum())
    assert "derived_throughput" not in rc.efficiency(counted).attrs


def test_a_platform_that_was_counted_keeps_its_gaps():
    cube = rc.benchmark("imagenet")
    gaps = cube.measured_throughput.isnull() & cube.measured_latency.notnull()
    assert gaps.sum() == 5
    assert cube.efficiency.where(gaps).isnull().all()


def test_impossible_cells_have_no_efficiency_unless_asked_for():
    cube = rc.benchmark("mnist")
    ratios, everything = rc.efficiency(cube, at="batch"), rc.efficiency(cube, at="batch", trust="all")
    assert ratios.attrs["removed_by_trust"] == 9
    assert everything.efficiency.notnull().sum() - ratios.efficiency.notnull().sum() == 9
    with pytest.raises(InvalidDataError, match="`trust`: expected one of 'possible', 'all'"):
        rc.efficiency(cube, trust="some")


def _runs(values, **columns):
    rows = ROWS.filter(pl.col("task") == "mnist").head(1)
    table = pl.concat([rows] * len(values)).with_columns(throughput_compute_per_s=pl.Series(values, dtype=pl.Float64))
    return table.with_columns(**columns)


def test_the_spread_of_repeats_is_kept_beside_their_mean():
    cube = rc.predict(rc.inputs("mnist"))
    runs = _runs([600.0, 620.0, 640.0, None], latency_compute_s=pl.Series([0.1, None, None, None]))
    joined = rc.join(cube, runs)
    cell = joined.max()
    assert (int(cell.n_rows), float(cell.measured_throughput)) == (4, 620.0)
    assert float(cell.measured_throughput_spread) == pytest.approx(np.std([600, 620, 640], ddof=1))
    assert joined.measured_throughput_spread.dims == joined.measured_throughput.dims
    assert joined.measured_throughput_spread.attrs["units"] == "1/s"
    assert int(joined.measured_throughput_spread.notnull().sum()) == 1
    assert "measured_latency_spread" not in joined


def test_a_meter_that_was_off_takes_no_energy_from_the_good_row():
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 2]))
    runs = runs_of_mlp()[[0, 0, 1, 1]].with_columns(power_full_w=pl.Series([1.9, 0.0, 0.0, None]))
    found = rc.check(runs, inputs=cube)
    assert found.filter(rule="zero_power")["row"].to_list() == [1, 2]
    joined = rc.join(cube, runs)
    off = (joined.quality.squeeze(drop=True) & QUALITY["zero_power"]) > 0
    assert off.sel(pruning=100.0).values.tolist() == [False, True]
    best = rc.best(joined, "energy_per_input")
    assert float(best.energy_per_input) == pytest.approx(1.9 / 96.0)
    both_off = runs.with_columns(power_base_w=pl.Series([0.0, 0.0, None, None]))
    assert bool(rc.join(cube, both_off).quality.sel(batch=1, pruning=100.0) & QUALITY["zero_power"])


def test_a_column_named_as_a_spread_stands_beside_it():
    rows = rc.datasets.load_measurements("mnist")[[0, 0]].with_columns(
        throughput_compute_per_s=pl.Series([600.0, 640.0]), measured_throughput_spread=pl.lit(1e-4)
    )
    cell = rc.join(rc.predict(rc.inputs("mnist")), rows).max()
    assert float(cell.measured_throughput_spread) == pytest.approx(np.std([600, 640], ddof=1))
    assert float(cell.given_measured_throughput_spread) == 1e-4


def test_without_repeats_there_is_no_spread():
    cube = rc.predict(rc.inputs("mnist"))
    single = ROWS.filter(pl.col("task") == "mnist")
    assert not [name for name in rc.join(cube, single) if str(name).endswith("_spread")]
    assert set(rc.benchmark("imagenet")) == {*rc.benchmark("mnist"), "top5"}


def test_spreads_are_merged_like_measurements():
    cube = rc.predict(rc.inputs("mnist"))
    both = rc.merge(rc.join(cube, _runs([600.0, 640.0])), rc.join(cube, _runs([300.0, 302.0])))
    assert both.measured_throughput_spread.dims[0] == "lab"


def test_other_columns_come_along():
    cube = rc.predict(rc.inputs("mnist"))
    other = {
        "driver": pl.Series(["a", "b", "a", "c", "d"]),
        "clock": pl.Series([1, 2, None, 3, 4]),
        "power": pl.lit(7.0),
        "a/b": pl.lit("x"),
        "reason": pl.lit("y"),
    }
    rows = _runs([1.0, 2.0, 3.0, 4.0, 5.0], **other)
    joined = rc.join(cube, rows)
    one = joined.isel(joined.n_rows.argmax(joined.n_rows.dims))
    assert one.driver.item() == "a + b + c + 1 more"
    assert (float(one.clock), float(one.given_power), one.a_b.item()) == (2.5, 7.0, "x")
    assert joined.power.identical(cube.power)
    assert int((joined.driver != "").sum()) == 1
    lost = rc.unmatched(cube.sel(platform=["EdgeTPU"]), rows)
    assert lost.columns[-5:] == ["clock", "power", "a/b", "reason_given", "reason"]
    assert lost["reason_given"].to_list() == ["y"] * 5
    again = rc.unmatched(cube.sel(platform=["EdgeTPU"]), lost)
    assert again.columns[-3:] == ["reason_given", "reason_given_given", "reason"]


def test_an_empty_text_is_nothing_beside_others(tmp_path):
    rows = _runs([1.0, 2.0, 3.0], driver=pl.Series(["a", "", " "]))
    rows.write_csv(tmp_path / "rows.csv")
    for given in (rows, tmp_path / "rows.csv"):
        assert set(rc.join(rc.predict(rc.inputs("mnist")), given).driver.values.ravel()) == {"", "a"}


def test_other_columns_survive_questions_files_and_downloads(tmp_path):
    from roofcube.page.downloads import long_table

    rows = ROWS.filter(pl.col("task") == "mnist").with_columns(driver=pl.lit("v 1"), clock=pl.lit(3.5))
    joined = rc.join(rc.predict(rc.inputs("mnist")), rows)
    assert rc.best(joined, "measured_throughput").driver.item() == "v 1"
    assert rc.best(joined, "measured_throughput", where={"driver": ["v 1"]}).found
    assert set(rc.pareto(joined, ["measured_throughput", "measured_top1"]).clock.values) == {3.5}
    assert set(rc.load(rc.save(joined, tmp_path / "a.nc")).driver.values.ravel()) == {"", "v 1"}
    table = long_table(joined).filter(pl.col("n_rows") > 0)
    assert set(table["driver"]) == {"v 1"}
    assert set(table["clock"]) == {3.5}


def test_rows_are_judged_by_what_allows_most_along_dims_that_they_know_nothing_of():
    cube = rc.predict(rc.inputs("mnist", platforms="TX2"))
    power = cube.power * xr.DataArray([1.0, 2.0], dims="site", coords={"site": ["a", "b"]})
    rows = ROWS.filter((pl.col("task") == "mnist") & (pl.col("platform") == "TX2"))
    joined = rc.join(cube.assign(power=power), rows)
    xr.testing.assert_identical(joined.quality, rc.join(cube, rows).quality)


def test_rows_of_which_none_has_a_cell_are_told():
    cube = rc.predict(rc.inputs("mnist", platforms="TX2"))
    rows = ROWS.filter((pl.col("task") == "mnist") & (pl.col("platform") == "NCS2"))
    with pytest.warns(UserWarning, match=rf"none of the {rows.height} rows has a cell .* platform 'NCS2' is not in"):
        joined = rc.join(cube, rows)
    assert int(joined.n_rows.sum()) == 0
    assert rc.unmatched(cube, rows).height == rows.height


def test_a_row_without_any_figure_is_not_measured():
    cube = rc.predict(rc.inputs("mnist", platforms="TX2"))
    rows = ROWS.filter((pl.col("task") == "mnist") & (pl.col("platform") == "TX2"))[:2]
    empty = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in FIGURES)
    half = pl.concat([rows[:1], empty[1:]])
    assert int(rc.join(cube, half).n_rows.sum()) == 1
    assert rc.unmatched(cube, half)["reason"].to_list() == ["there is no figure"]
    with pytest.warns(UserWarning, match="none of the 2 rows has a cell .* because there is no figure"):
        assert int(rc.join(cube, empty.drop(FIGURES)).n_rows.sum()) == 0
    assert (
        rc.check(empty).filter(pl.col("rule") == "missing_value")["finding"].to_list() == ["no figure was measured"] * 2
    )


@pytest.mark.parametrize("column", FIGURES)
def test_every_figure_of_a_row_is_in_its_cell(column):
    cube = rc.predict(rc.inputs("mnist", platforms=["NCS2", "EdgeTPU"], pruning=100))
    alone = {**ROW, "mode": ["default"]}
    del alone["latency_compute_s"]
    rows = pl.DataFrame(alone | {column: [0.25]})
    joined = rc.join(cube, pl.concat([rows, rows.with_columns(pl.col(column) * 3)]))
    name = next(name for name, one in MEASURED.items() if one == column)
    where = {"platform": "NCS2", "topology": "MLP", "precision": "FP16", "batch": 1, "mode": "default"}
    assert joined[name].notnull().sum() == 1
    assert float(joined[name].sel(where)) == 0.5
    assert float(joined[f"{name}_spread"].sel(where)) == pytest.approx(0.125**0.5)
    assert joined[name].attrs == attributes(name)
    assert joined[name].attrs["units"] in ("s", "1/s", "%", "W")
    assert joined[name].dims == joined["n_rows"].dims


def test_intervals_are_in_the_cubes_whose_rows_say_them(tmp_path):
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", pruning=100))
    interval = rc.join(cube, ROW | {"initiation_interval_s": [0.004]})
    assert "measured_initiation_interval" not in rc.join(interval, ROW)
    assert "measured_initiation_interval" not in rc.join(cube, ROW | {"initiation_interval_s": [None]})
    assert rc.load(rc.save(interval, tmp_path / "cube.nc")).identical(interval)
    assert float(rc.best(interval, "measured_initiation_interval").measured_initiation_interval) == 0.004
    offered = rc.join(rc.as_offered(cube), ROW | {"initiation_interval_s": [0.004]})
    assert float(offered.measured_initiation_interval.sum()) == 0.004


@pytest.mark.parametrize(
    ("rows", "told"),
    [({"Model": ["MLP"], "Board": ["NCS2"], "ms": [1.0]}, "Model, Board, ms"), (pl.DataFrame(), "none")],
)
def test_a_table_in_other_words_is_told_with_the_columns_that_it_lacks(rows, told):
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", pruning=100))
    columns = "platform, mode, topology, pruning_percent, precision, batch"
    message = (
        rf"`measurements`: expected the columns {columns}, got {told}; say with `read_measurements\(columns=...\)`"
    )
    for laid_out in (cube, rc.as_offered(cube)):
        with pytest.raises(InvalidDataError, match=message):
            rc.join(laid_out, rows)
    with pytest.raises(InvalidDataError, match="`measurements`: expected the columns batch, got"):
        rc.join(cube.isel(platform=0, mode=0, topology=0, pruning=0, precision=0), rows)


@pytest.mark.parametrize("dim", ["platform", "mode", "topology", "pruning", "precision", "batch", "offer"])
def test_a_cube_without_labels_along_a_dim_has_no_cell(dim):
    cube = rc.predict(rc.inputs("mnist", platforms=["NCS2", "TX2"]))
    rows = ROWS.filter(pl.col("task") == "mnist").head(3)
    for laid_out in (cube, rc.as_offered(cube)):
        if dim not in laid_out.dims:
            continue
        empty = laid_out.isel({dim: []})
        assert rc.unmatched(empty, rows).height == 3
        with pytest.warns(UserWarning, match="none of the 3 rows has a cell of the cube"):
            joined = rc.join(empty, rows)
        assert joined.sizes[dim] == joined.n_rows.size == 0
        assert rc.join(empty, rows.clear()).n_rows.dims == joined.n_rows.dims


def task_rows(topology, *tasks, platform="NCS2"):
    row = {"topology": topology, "platform": platform, "mode": "default", "precision": "FP16", "batch": 1}
    return [
        {**row, "task": task, "throughput_compute_per_s": 100.0 * 9**place, "pruning_percent": 100.0}
        for place, task in enumerate(tasks)
    ]


def task_cube(topology, task):
    net = rc.read_network({"topology": [topology], "gmacs": [1.0], "mparams": [3.0]}, task=task)
    return rc.predict(rc.inputs(task, topologies=net, platforms="NCS2", batch=1))


@pytest.mark.parametrize("topology", ["A", "CNV"])
@pytest.mark.parametrize("where", [{}, {"topology": 0}, {"topology": [0]}])
def test_rows_of_another_task_have_no_cell(topology, where):
    cube = task_cube(topology, "seg").isel(where)
    for tasks in (
        ["seg", "detect"],
        ["Seg", "detect"],
        [None, "detect"],
        ["", "detect"],
        ["custom", "detect"],
        ["seg", "cifar10"],
    ):
        rows = task_rows(topology, *tasks)
        joined, left = rc.join(cube, rows), rc.unmatched(cube, rows)
        assert (int(joined.n_rows.sum()), float(joined.measured_throughput.max())) == (1, 100.0)
        assert left["task"].to_list() == tasks[1:]
        assert left["reason"].item() == f"task {tasks[1]!r} is not that of {topology!r} in the cube, 'seg'"
    with pytest.warns(
        UserWarning, match="the only row has no cell of the cube: row 0 has none because task 'detect' is not"
    ):
        rc.join(cube, task_rows(topology, "detect"))
    told = cube.drop_vars("task")
    assert rc.unmatched(told, task_rows(topology, "detect", "seg"))["task"].to_list() == ["detect"]
    assert rc.unmatched(told.drop_attrs(), task_rows(topology, "detect", "seg")).is_empty()


def test_a_cube_that_was_cut_to_one_network_names_none():
    cube = task_cube("A", "seg").isel(topology=0, drop=True)
    rows = [{name: one for name, one in row.items() if name != "topology"} for row in task_rows("A", "detect")]
    reason = rc.unmatched(cube, rows)["reason"].item()
    assert reason == "task 'detect' is not that of the network in the cube, 'seg'"


def test_rows_of_each_network_are_of_its_own_task():
    cube = rc.merge(task_cube("A", "seg"), task_cube("B", "detect"))
    rows = [*task_rows("A", "seg", "detect"), *task_rows("B", "seg", "detect")]
    joined = rc.join(cube, rows)
    assert joined.measured_throughput.max(
        [one for one in joined.measured_throughput.dims if one != "topology"]
    ).values.tolist() == [100.0, 900.0]
    assert rc.unmatched(cube, rows).select("topology", "task").rows() == [("A", "detect"), ("B", "seg")]
    several = task_cube("A", "seg").drop_vars("task").expand_dims(task=["seg", "detect"])
    joined = rc.join(several, rows[:2])
    assert joined.measured_throughput.max(
        [one for one in joined.measured_throughput.dims if one != "task"]
    ).values.tolist() == [100.0, 900.0]


@pytest.mark.parametrize(
    ("task", "said"),
    [("mnist", "MNIST"), ("imagenet", "ILSVRC2012"), ("imagenet", "Image-Net"), ("zoo", "zoo"), ("zoo", None)],
)
def test_rows_whose_task_is_spelt_otherwise_or_not_at_all_are_of_it(task, said):
    cube = rc.predict(rc.inputs(task, platforms=rc.datasets.load_measurements(task)["platform"][0]))
    rows = rc.datasets.load_measurements(task).head(50)
    spelt = rows.with_columns(task=pl.lit(said, pl.String))
    assert rc.unmatched(cube, spelt).height == rc.unmatched(cube, rows).height < 50


def test_a_task_that_was_filled_in_sets_no_row_apart(tmp_path):
    rows = pl.DataFrame(task_rows("CNV", "", platform="NCS2")).drop("task")
    rows.write_csv(tmp_path / "rows.csv")
    cube = task_cube("CNV", "seg")
    filled = rc.read_measurements(tmp_path / "rows.csv")
    assert filled["task"].item() == "cifar10"
    for given in (rows, filled, tmp_path / "rows.csv"):
        assert int(rc.join(cube, given).n_rows.sum()) == 1
        assert rc.unmatched(cube, given).is_empty()


def test_a_network_that_two_collections_hold_is_of_both_their_tasks():
    rows = rc.datasets.load_measurements("accelerators")
    names = rows["topology"].unique().to_list()
    cube = rc.predict(rc.inputs("zoo", topologies=names, platforms=rows["platform"][0], batch=1))
    both = pl.concat([rows, rc.datasets.load_measurements("zoo").filter(pl.col("topology").is_in(names))])
    assert not any("task" in reason for reason in rc.unmatched(cube, both)["reason"].to_list())


def serving_rows(**more):
    row = {"topology": "L", "platform": "Kite", "precision": "INT8", "batch": 1, "phase": "decode", "context": 128}
    return [
        {**row, "latency_compute_s": 0.25, **more},
        {**row, "context": 1024, "latency_compute_s": 1.0, **more},
    ]


def serving_cube():
    config = {
        "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 128, "vocab_size": 1000,
    }  # fmt: skip
    board = {"platform": "Kite", "device_class": "NPU", "precision": "INT8"}
    board |= {"peak_compute": "1 TOP/s", "memory_bandwidth": "8 GB/s"}
    network = rc.read_network(config, name="L", context=[128, 1024])
    return rc.predict(rc.inputs("generate", platforms=[board], topologies=network, batch=[1]), assumptions=rc.SERVING)


def test_columns_named_as_own_dims_tell_rows_apart():
    cube = serving_cube()
    joined = rc.join(cube, serving_rows())
    decode = joined.measured_latency.sel(phase="decode", platform="Kite").squeeze(drop=True)
    assert decode.sel(context=[128, 1024]).values.tolist() == [0.25, 1.0]
    assert joined.measured_latency.sel(phase="prefill").isnull().all()
    assert "given_context" not in joined
    text = rc.join(cube, pl.DataFrame(serving_rows()).with_columns(pl.col("context").cast(pl.String)))
    xr.testing.assert_identical(text, joined)
    absent = rc.unmatched(cube, pl.DataFrame(serving_rows()).with_columns(context=pl.Series([128, 64])))
    assert absent["reason"].to_list() == ["context 64 is not in the cube, which has 128, 1024"]


def test_rows_of_a_label_that_a_dim_has_twice_have_no_cell():
    inputs = rc.inputs("mnist", platforms="TX2")
    cube = rc.predict(inputs.assign(price=("lot", [1.0, 2.0, 3.0])).assign_coords(lot=["a", "b", "a"]))
    rows = ROWS.filter((pl.col("task") == "mnist") & (pl.col("platform") == "TX2"))[[0, 0]]
    rows = rows.with_columns(lot=pl.Series(["a", "b"]))
    assert rc.unmatched(cube, rows)["reason"].to_list() == ["lot has 'a' twice; rename one"]
    assert rc.join(cube, rows).n_rows.sum(
        ["platform", "mode", "topology", "pruning", "precision", "batch"]
    ).values.tolist() == [0, 1, 0]
    assert rc.unmatched(cube, rows[1:]).is_empty()


@pytest.mark.parametrize("left_out", ["phase", "context"])
def test_rows_that_do_not_say_an_own_dim_of_the_predictions_have_no_cell(left_out):
    cube, rows = serving_cube(), pl.DataFrame(serving_rows()).drop(left_out)
    reason = rc.unmatched(cube, rows)["reason"][0]
    assert reason.startswith(f"column {left_out!r} is missing and the cube has 2 labels along {left_out}")
    with pytest.warns(UserWarning, match=f"none of the 2 rows has a cell .* column {left_out!r} is missing"):
        assert int(rc.join(cube, rows).n_rows.sum()) == 0
    assert rc.unmatched(cube.isel({left_out: [0]}), rows).is_empty()


def test_measurements_hold_for_all_assumptions():
    cube = rc.predict(rc.inputs("mnist", platforms="TX2"), assumptions=[rc.PUBLISHED, rc.BOUND])
    rows = ROWS.filter((pl.col("task") == "mnist") & (pl.col("platform") == "TX2"))
    assert int(rc.join(cube, rows).n_rows.sum()) == rows.height


def test_rows_of_a_file_find_labels_that_are_true_or_false(tmp_path):
    inputs = rc.inputs("mnist", platforms="TX2")
    cube = rc.predict(inputs.assign(ops=inputs.ops.expand_dims(warm=[False, True])))
    rows = ROWS.filter((pl.col("task") == "mnist") & (pl.col("platform") == "TX2"))[[0, 0, 0]]
    for texts in ("true", "false", "true"), ("TRUE", "False", "True"), ("1", "0", "1"):
        rows.with_columns(warm=pl.Series(texts)).write_csv(tmp_path / "rows.csv")
        found = rc.join(cube, tmp_path / "rows.csv").n_rows
        assert [int(found.sel(warm=label).sum()) for label in (False, True)] == [1, 2]


@pytest.mark.parametrize("read", [date.fromisoformat, datetime.fromisoformat, str])
def test_rows_find_the_dates_of_a_cube(read):
    cube = rc.predict(rc.inputs("mnist", platforms="TX2"))
    cube = cube.expand_dims(day=np.array(["2024-01-01", "2024-02-01"], "M8[ns]"))
    rows = ROWS.filter((pl.col("task") == "mnist") & (pl.col("platform") == "TX2"))[[0, 0, 0]]
    days = pl.DataFrame({"day": [read(day) for day in ("2024-02-01", "2024-01-01", "2024-03-01")]})
    rows = pl.concat([rows, days], how="horizontal")
    assert rc.join(cube, rows).n_rows.sum(["mode", "pruning", "precision", "batch"]).values.tolist() == [[[1, 1]]]
    reason = rc.unmatched(cube, rows)["reason"].item()
    assert reason.startswith("day '2024-03-01")
    assert reason.endswith("' is not in the cube, which has 2024-01-01, 2024-02-01")


@pytest.mark.parametrize("head", ["clock (MHz)", "Clock [MHz]", "clock, MHz"])
def test_a_head_of_an_own_dim_with_a_unit_is_refused_by_name(head):
    cube = rc.predict(rc.inputs("mnist", platforms="TX2")).expand_dims(clock=[700.0, 800.0])
    cube.clock.attrs["units"] = "MHz"
    rows = ROWS.filter((pl.col("task") == "mnist") & (pl.col("platform") == "TX2")).with_columns(
        pl.lit(700).alias(head)
    )
    with pytest.raises(InvalidDataError, match=r"may say the cube's dim 'clock'; name it 'clock', .* \(in MHz\)"):
        rc.join(cube, rows)


@pytest.mark.parametrize("layout", ["product", "offered"])
def test_a_label_of_the_users_that_is_another_spelling_of_an_embedded_one_has_its_own_rows(layout):
    own = rc.read_network({"topology": ["x"], "gmacs": [4.1], "mparams": [25.6]}, task="imagenet", name="resnet50")
    nets = ["ResNet-50", own]
    cube = rc.predict(
        rc.inputs("imagenet", platforms="TX2", topologies=nets, precision="FP16", batch=[1], layout=layout)
    )
    rows = pl.DataFrame({"topology": ["resnet50"], "platform": "TX2", "mode": "maxn", "precision": "FP16"})
    rows = rows.with_columns(pruning_percent=100.0, batch=1, latency_compute_s=0.02)

    def network_of(table):
        latency = rc.join(cube, table).measured_latency
        return latency.topology.values[
            latency.notnull().any([dim for dim in latency.dims if dim != "topology"])
        ].tolist()

    assert network_of(rows) == ["resnet50"]
    message = "1 row of topology 'ResNet-50' goes to 'ResNet-50', not to 'resnet50', which a file of measurements reads as the same"
    for table in (rows.with_columns(topology=pl.lit("ResNet-50")), rc.read_measurements(rows)):
        with pytest.warns(UserWarning, match=message):
            assert network_of(table) == ["ResNet-50"]
    alone = rc.predict(rc.inputs("imagenet", platforms="TX2", topologies=own, precision="FP16", batch=[1]))
    assert int(rc.join(alone, rc.read_measurements(rows)).n_rows.sum()) == 1


def test_two_platforms_of_one_name_in_a_file_are_told_with_what_to_do():
    small = rc.hypothetical(name="ncs2", peak_compute="1 TOP/s", memory_bandwidth="1 GB/s")
    cube = rc.predict(rc.inputs("mnist", platforms=[small, "NCS2"], precision="FP16"))
    rows = rc.read_measurements({**ROW, "platform": ["ncs2"]})
    with pytest.warns(UserWarning, match="goes to 'NCS2', not to 'ncs2', which .* name one otherwise, in its table"):
        rc.join(cube, rows)


UNLABELLED = [
    (lambda cube: cube.drop_vars("batch"), {"batch": [1, 8]}, "batch"),
    (lambda cube: cube.isel(batch=[0]).drop_vars("platform"), {"platform": ["NCS2", "Other"]}, "platform"),
    (lambda cube: cube.drop_vars("topology"), {"topology": ["MLP", "CNV"]}, "topology"),
    (lambda cube: cube.expand_dims(clock=2), {"Clock": [100, 200]}, "clock"),
]


@pytest.mark.parametrize(("change", "more", "dim"), UNLABELLED)
def test_rows_are_not_placed_along_a_dim_without_labels(change, more, dim):
    cube = change(rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 8], pruning=[100])))
    rows = pl.DataFrame({**{name: values * 2 for name, values in ROW.items()}, **more})
    for call in (rc.join, lambda space, table: rc.check(table, inputs=space)):
        if dim != "batch" or call is rc.join:  # what a row may reach is asked at its own batch
            with pytest.raises(InvalidDataError, match=rf"`cube`: expected labels along '{dim}', by which rows find"):
                call(cube, rows)


def test_a_column_of_ones_own_that_is_called_as_the_dim_of_layers_is_named():
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1], pruning=[100]))
    with pytest.raises(InvalidDataError, match=r"^column 'Layer' may say the cube's dim 'layer', .* rename it"):
        rc.join(cube, pl.DataFrame({**ROW, "Layer": [4]}))
    renamed = rc.read_measurements({**ROW, "Layer": [4]}, columns={"Layer": "my_layer"})
    assert rc.unmatched(rc.join(cube, renamed), renamed).height == 0


def test_accents_are_one_however_a_system_writes_them():
    composed, apart = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    boards = {
        name: rc.hypothetical(name=name, peak_compute="1 TOP/s", memory_bandwidth="1 GB/s")
        for name in (composed, apart)
    }
    with pytest.raises(InvalidDataError, match=r"`platforms`: .*twice"):
        rc.inputs("mnist", platforms=list(boards.values()))
    for board in boards.values():
        cube = rc.predict(rc.inputs("mnist", platforms=board))
        for name in boards:
            assert int(rc.join(cube, rc.read_measurements({**ROW, "platform": [name]})).n_rows.sum()) == 1


@pytest.mark.parametrize(
    ("labels", "given"),
    [
        (["2", "555.42"], [2.0, 555.42]),
        (["2.0", "555.42"], [2.0, 555.42]),
        (["2", "3"], [2.0, 3.0]),
        ([2.0, 3.5], ["2", "3.5"]),
    ],
)
def test_numbers_of_a_table_are_the_labels_that_they_spell(labels, given):
    inputs = rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1])
    cube = rc.predict(inputs.assign(clock=("driver", [1.0, 2.0])).assign_coords(driver=labels))
    rows = runs_of_mlp(mode="default", driver=pl.Series(given)).with_columns(batch=1)
    joined = rc.join(cube, rows).sel(topology="MLP", pruning=100, driver=labels[1]).squeeze()
    assert joined.measured_throughput.item() == rows["throughput_compute_per_s"][1]
    assert rc.unmatched(cube, rows.with_columns(driver=pl.Series([float("nan"), 7.0]))).height == 2


@pytest.mark.parametrize("heads", [("phase", "Context"), ("Phase", "CONTEXT"), (" phase ", "context ")])
def test_columns_of_own_dims_are_known_in_any_case(heads):
    table = pl.DataFrame(serving_rows()).rename({"phase": heads[0], "context": heads[1]})
    cube = serving_cube()
    for rows in (table, table.rename(str.strip)):
        joined = rc.join(cube, rows)
        assert joined.measured_latency.equals(rc.join(cube, serving_rows()).measured_latency)
        assert rc.unmatched(cube, rows).columns[:-1] == rows.columns
        assert "another row has the same configuration" not in rc.check(rows, inputs=cube)["finding"].to_list()
    two = table.with_columns(context_=1).rename({"context_": "ConText"})
    with pytest.raises(InvalidDataError, match="may both say the cube's dim 'context'; name one 'context'"):
        rc.join(cube, two.rename({heads[1]: "Context"}, strict=False))


@pytest.mark.parametrize("texts", [("1.1", "1.10"), ("1.10", "1.1"), ("1e3", "1000"), ("2.0", "2.00")])
def test_labels_that_are_one_number_stay_apart(tmp_path, texts):
    path = tmp_path / "rows.csv"
    head = "topology,platform,mode,precision,batch,throughput_compute_per_s,driver\n"
    path.write_text(head + "".join(f"MLP,NCS2,default,FP16,1,{10 + at},{text}\n" for at, text in enumerate(texts)))
    rows = rc.read_measurements(path)
    assert rows["driver"].to_list() == list(texts)
    inputs = rc.inputs("mnist", platforms="NCS2", topologies="MLP", precision="FP16", batch=[1])
    cube = rc.predict(inputs.assign(clock=("driver", [1.0, 2.0])).assign_coords(driver=sorted(texts)))
    joined = rc.join(cube, rows).sel(pruning=100).squeeze()
    assert [joined.measured_throughput.sel(driver=text).item() for text in texts] == [10.0, 11.0]
    # alone each is itself, or is told that it may be two
    for at, text in enumerate(texts):
        path.write_text(head + f"MLP,NCS2,default,FP16,1,{10 + at},{text}\n")
        alone = rc.read_measurements(path)
        if alone["driver"].dtype == pl.String:
            joined = rc.join(cube, alone).sel(pruning=100).squeeze()
            assert joined.measured_throughput.sel(driver=text).item() == 10 + at
            assert int(joined.n_rows.sum()) == 1
            continue
        value, (one, other) = alone["driver"].item(), sorted(texts)
        message = f"driver {value!r} may be {one!r} or {other!r}: take labels that are no numbers, 'v{value}'"
        with pytest.warns(UserWarning, match="the only row has no cell"):
            rc.join(cube, alone)
        assert rc.unmatched(cube, alone)["reason"].item() == message


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (["45.50", "46.25"], pl.Float64),
        (["45.50"], pl.String),
        (["1.10", "1.9"], pl.String),
        (["1.50", "1.50"], pl.String),
    ],
)
def test_numbers_printed_with_as_many_decimals_each_are_numbers(tmp_path, texts, kept):
    path = tmp_path / "rows.csv"
    head = "topology,platform,mode,precision,batch,throughput_compute_per_s,clock\n"
    path.write_text(head + "".join(f"MLP,NCS2,default,FP16,{at + 1},10,{text}\n" for at, text in enumerate(texts)))
    assert rc.read_measurements(path)["clock"].dtype == kept


@pytest.mark.parametrize(
    ("labels", "value", "reason"),
    [
        (["1.1", "1.2"], "1.10", "driver '1.10' is not in the cube, which has 1.1, 1.2"),
        (["1.10", "1.2"], "1.1", "driver 1.1 may be '1.10': take labels that are no numbers, 'v1.1'"),
        (["2", "2.0"], 2.0, "driver 2.0 may be '2' or '2.0': take labels that are no numbers, 'v2.0'"),
        (["1.10", "1.2"], 1.1, "driver 1.1 may be '1.10': take labels that are no numbers, 'v1.1'"),
    ],
)
def test_a_label_is_not_another_one_of_the_same_number(tmp_path, labels, value, reason):
    inputs = rc.inputs("mnist", platforms="NCS2", topologies="MLP", precision="FP16", batch=[1])
    cube = rc.predict(inputs.assign(clock=("driver", [1.0, 2.0])).assign_coords(driver=labels))
    rows = runs_of_mlp(mode="default", driver=value, batch=[1])
    if isinstance(value, str):
        rows.write_csv(tmp_path / "rows.csv")
        rows = rc.read_measurements(tmp_path / "rows.csv")
    assert rc.unmatched(cube, rows)["reason"].to_list() == [reason]


def test_what_is_told_of_a_cell_does_not_depend_on_the_order_of_rows():
    rows = runs_of_mlp(batch=1, platform=["NCS2", "TX2"], mode=["default", "maxn"], batch_kind="threads")
    rows = pl.concat([rows.with_columns(driver=pl.lit(text)) for text in ("2.0", "1.0", "4.0", "3.0")])
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2", "NCS2"], precision="FP16", batch=[1]))
    joined = rc.join(cube, rows)
    assert set(joined.driver.values.ravel()) == {"", "1.0 + 2.0 + 3.0 + 1 more"}
    assert joined.identical(rc.join(cube, rows.reverse()))


def test_batches_and_threads_are_not_averaged():
    rows = runs_of_mlp(batch_kind=pl.Series(["batch", "threads"]))
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 4]))
    with pytest.raises(InvalidDataError, match="row 0 of kind 'batch' and row 1 of kind 'threads' are in one cell"):
        rc.join(cube, rows.with_columns(batch=4))
    assert int(rc.join(cube, rows.with_columns(batch=pl.Series([1, 4]))).n_rows.sum()) == 2


def test_a_platform_in_another_spelling_is_that_of_the_cube():
    rows = runs_of_mlp(platform=["NCS2", "NCS"], batch_kind="threads")
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 2]))
    assert rc.join(cube, rows).platform.attrs["batch_is_threads"] == ["NCS2"]
    assert int(rc.join(cube.isel(platform=0, drop=True), rows).n_rows.sum()) == 2


def test_a_dim_cut_to_one_label_takes_its_rows_alone():
    cube = serving_cube().sel(context=128, phase="decode")
    joined = rc.join(cube, serving_rows(task="generate", device_class="as they say"))
    assert int(joined.n_rows.sum()) == 1
    assert joined.measured_latency.max().item() == 0.25
    assert set(joined.device_class.values) == {"NPU"}
    # cut before it was predicted, so that nothing but the coordinate tells of the dim
    bare = cube.drop_attrs()
    assert int(rc.join(bare, serving_rows()).n_rows.sum()) == 1


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"power_full_w": 1.25}, False),
        ({"throughput_compute_per_s": 5.0}, False),
        ({"latency_compute_s": 5.0}, True),
    ],
)
def test_holds_compares_the_named_variables_and_the_number_of_rows(change, same):
    rows = rc.datasets.load_measurements("mnist")
    cube = rc.benchmark("mnist")
    changed = rows.with_columns(**{name: pl.col(name) * factor for name, factor in change.items()})
    names = ("measured_throughput", "power_full")
    assert holds(cube, changed, locate(cube, changed), names) is same
    assert not holds(cube, rows[1:], locate(cube, rows[1:]), names)


def _in_one_cell(**types):
    """Return a row whose labels have these types."""
    row = {"topology": ["A"], "platform": ["NCS2"], "precision": ["FP16"], "batch": [1], "pruning_percent": [33.3]}
    return pl.DataFrame({**row, "volt": [1.1], "latency_compute_s": [0.1]}, schema_overrides=types)


@pytest.mark.parametrize("labels", ["f4", "f8"])
@pytest.mark.parametrize("values", [pl.Float32, pl.Float64])
def test_labels_are_compared_in_the_shorter_of_two_types(tmp_path, labels, values):
    net = {"topology": ["A", "A"], "ops": [1e9, 2e9], "params": [1e6, 2e6], "pruning_percent": [100.0, 33.3]}
    cube = rc.predict(rc.inputs(platforms=["NCS2"], topologies=rc.read_network(net), precision="FP16", batch=1))
    cube = cube.expand_dims(volt=[0.9, 1.1])
    cube = cube.assign_coords(pruning=cube.pruning.astype(labels), volt=cube.volt.astype(labels))
    rows = _in_one_cell(pruning_percent=values, volt=values)
    rows.write_parquet(tmp_path / "rows.parquet")
    for given in (rows, tmp_path / "rows.parquet"):
        joined = rc.join(cube, given)
        assert joined.n_rows.sel(volt=joined.volt[1], pruning=joined.pruning[1]).sum() == joined.n_rows.sum() == 1
    points = cube[["predicted_throughput"]].stack(point=["volt", "pruning"]).reset_index("point")
    assert locate(points, rows, dims=("volt", "pruning")).indices["point"].tolist() == [3]


def test_a_short_float_that_may_be_two_labels_is_none_of_them():
    cube = rc.predict(rc.inputs("mnist", platforms="TX2", batch=1)).expand_dims(volt=[1.1, float(np.float32(1.1))])
    row = {"topology": ["MLP"], "platform": ["TX2"], "mode": ["maxn"], "precision": ["FP16"], "batch": [1]}
    row |= {"pruning_percent": [100.0], "volt": [1.1], "latency_compute_s": [0.1]}
    rows = pl.DataFrame(row, schema_overrides={"volt": pl.Float32})
    assert rc.unmatched(cube, rows)["reason"].str.starts_with("volt 1.10").all()
    assert rc.unmatched(cube, rows).height == 1
    assert rc.unmatched(cube, rows.with_columns(volt=pl.lit(1.1))).is_empty()
    assert rc.unmatched(cube, rows.with_columns(volt=pl.lit(1.1000001))).height == 1


@pytest.mark.parametrize(
    ("batches", "serials", "expected"),
    [
        ([1, 2], [2**53 + 1, -5], [2**53 + 1, -5]),
        ([1], [2**53 + 1], ["9007199254740993", ""]),
        ([1, 1, 2], [2**53 + 1, 2**53 + 3, 7], ["9007199254740993 + 9007199254740995", "7"]),
        ([1, 2], [2**64 - 1, 1], ["18446744073709551615", "1"]),
        ([1, 1], [2**53, 0], [2.0**52, np.nan]),
    ],
)
def test_whole_numbers_too_long_for_a_float_stay_as_they_are(batches, serials, expected):
    space = rc.inputs("mnist", platforms="TX2", topologies=["MLP"], mode="maxn", precision="FP16", batch=[1, 2])
    fixed = {"topology": "MLP", "platform": "TX2", "mode": "maxn", "precision": "FP16", "pruning_percent": 100.0}
    kind = pl.UInt64 if max(serials) >= 2**63 else pl.Int64
    rows = pl.DataFrame({"batch": batches, "serial": serials}, schema_overrides={"serial": kind})
    rows = rows.with_columns(latency_compute_s=0.1, **{name: pl.lit(one) for name, one in fixed.items()})
    joined = rc.join(rc.predict(space).sel(pruning=[100.0]), rows)
    np.testing.assert_array_equal(joined.serial.values.ravel(), np.array(expected))


def test_what_does_not_fit_is_refused_before_it_is_laid_out():
    cube = rc.predict(rc.inputs("mnist", batch=range(1, 101)))
    with rc.set_options(memory="1 MB"), pytest.raises(MemoryLimitError, match="`join`: expected a cube that takes at"):
        rc.join(cube, rc.datasets.load_measurements("mnist"))


def test_more_rows_than_the_memory_holds_are_refused():
    cube = rc.predict(rc.inputs("mnist"))
    with (
        rc.set_options(memory="200 kB"),
        pytest.raises(MemoryLimitError, match="`join`: expected a cube that takes at"),
    ):
        rc.join(cube, rc.datasets.load_measurements("mnist"))


KITE = rc.hypothetical(name="Kite", peak_compute="1 TOP/s", memory_bandwidth="8 GB/s")
OF_KITE = {"topology": "M", "platform": "Kite", "precision": "INT8", "batch": 1}


def of_kite(batch=(1,)):
    net = rc.read_network({"topology": ["M"], "ops": [1e9], "params": [1e6], "task": ["t"]})
    return rc.predict(rc.inputs("t", platforms=KITE, topologies=net, precision="INT8", batch=list(batch)))


def test_a_second_join_leaves_nothing_of_the_first():
    told = {"top1_percent": 80.0, "temp": 50.0, "driver": "a", "batch_kind": "threads"}
    first = [OF_KITE | told | {"throughput_compute_per_s": figure} for figure in (10.0, 12.0)]
    second = [OF_KITE | {"throughput_compute_per_s": 20.0, "top1_percent": 60.0, "temp": 10.0, "batch_kind": "batch"}]
    before = rc.join(of_kite(), first)
    kept = before.copy(deep=True)
    assert "Kite" in before["platform"].attrs["batch_is_threads"]
    assert rc.diff(rc.join(before, second), rc.join(of_kite(), second)).is_empty()
    assert rc.diff(before, kept).is_empty()  # which is as it was
    # without an accuracy the network is as untrained as before
    bare = [OF_KITE | {"throughput_compute_per_s": 20.0}]
    assert rc.diff(rc.join(before, bare), rc.join(of_kite(), bare)).is_empty()


def test_quality_does_not_depend_on_the_other_labels_of_the_cube():
    rows = [OF_KITE | {"batch": b, "throughput_compute_per_s": 400.0, "power_full_w": 5.0} for b in (1, 2, 4, 16)]
    rows.append(OF_KITE | {"batch": 8, "throughput_compute_per_s": 400.0, "power_full_w": 5000.0})
    alone, among = (rc.join(of_kite(batch), rows).sel(batch=8) for batch in ([8], [1, 2, 4, 8, 16]))
    assert int(alone["quality"].max()) == int(among["quality"].max()) == QUALITY["power_unit_off"]


@pytest.mark.parametrize("cut", ["whole", "label beside", "no label", "points"])
def test_accuracies_of_rows_come_and_go_however_the_cube_names_its_network(cut):
    cube = of_kite()
    cubes = {"whole": cube, "label beside": cube.isel(topology=0), "no label": cube.isel(topology=0, drop=True),
             "points": cube.stack(p=("topology", "batch")).reset_index("p")}  # fmt: skip
    one = rc.join(cubes[cut], [OF_KITE | {"top1_percent": 80.0, "throughput_compute_per_s": 10.0}])
    bare = [OF_KITE | {"throughput_compute_per_s": 20.0}]
    assert float(one["top1"].max()) == 80.0
    assert rc.diff(rc.join(one, bare), rc.join(cubes[cut], bare)).is_empty()
