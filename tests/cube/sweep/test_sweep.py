from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import sweep_oracle as oracle
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError, UnknownLabelError
from roofcube.kernels.tuning import Tuning
from roofcube.sweep.answers import lookup
from roofcube.vocabulary import BOUNDS


@pytest.mark.parametrize("strategy", ["numpy", "bounds", "auto"])
@given(seed=st.integers(0, 2**32))
@settings(max_examples=5, deadline=None)
def test_every_reduction_equals_brute_force(strategy, seed):
    oracle.check(seed, strategy, most=800)


@pytest.mark.parametrize("seed", range(6))
def test_generated_kernels_equal_brute_force(seed):
    tuning = Tuning(row_worth=1, scan_job_points=40, tally_job_points=40, sieve_job_points=40)
    case = oracle.random_case(seed, most=600)
    sweep = rc.Sweep(case.inputs, assumptions=case.assumptions, dtype=case.dtype, strategy="stream", tuning=tuning)
    per = [case.dims[seed % len(case.dims)]]
    objectives = {"predicted_throughput": "max"}
    oracle.check_best(case, sweep, objectives, oracle.random_where(case), per, f"seed={seed}")


@pytest.mark.parametrize("strategy", ["auto", "bounds", "numpy"])
@pytest.mark.parametrize("seed", range(5))
def test_sampled_quantiles_equal_brute_force(strategy, seed):
    changes = {"quantile_large": 10, "quantile_sample": [1, 7, 200][seed % 3]}
    changes |= oracle.FREE_SEARCHES  # searches are probed, and given up
    oracle.check(2000 + seed, strategy, most=600, changes=changes)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("task", ["cifar10", "imagenet"])
def test_layered_questions_equal_brute_force(task, dtype):
    # what is so small would be folded whole, and no kernel add up layers
    tuning = Tuning(row_worth=1, table_bytes=0)
    rng = np.random.default_rng(len(task))
    platforms = rc.hypothetical(
        peak_compute=10 ** rng.uniform(10, 14, 4), memory_bandwidth=10 ** rng.uniform(8, 12, 3), power=10.0
    )
    inputs = rc.inputs(task, platforms=platforms, batch=np.sort(rng.choice(500, 9, replace=False)) + 1)
    cube = rc.Sweep(inputs, assumptions=rc.BOUND, dtype=dtype, strategy="numpy").compute()
    latency = cube["predicted_latency"].values[~np.isnan(cube["predicted_latency"].values)]
    limit = float(np.median(latency))
    for strategy in ("stream", "bounds"):
        sweep = rc.Sweep(inputs, assumptions=rc.BOUND, dtype=dtype, strategy=strategy, tuning=tuning)
        assert int(sweep.count(where={"predicted_latency": (None, limit)})["count"]) == np.count_nonzero(
            latency <= limit
        )
        binding = sweep.count(by="bound")
        codes = [BOUNDS[reason] for reason in binding["reason"].values]
        assert binding["count"].values.tolist() == [np.count_nonzero(cube["bound"].values == code) for code in codes]
        edges = np.unique(np.quantile(latency, np.linspace(0, 1, 80)))
        found = sweep.histogram("predicted_latency", bins=edges)["count"].values
        np.testing.assert_array_equal(found, np.histogram(latency, bins=edges.astype(dtype))[0])
        assert sweep.quantile("predicted_latency", [0.0, 0.5, 1.0])["predicted_latency"].values.tolist() == [
            latency.min(),
            np.quantile(latency.astype("f8"), 0.5),
            latency.max(),
        ]


@pytest.mark.parametrize("strategy", ["numpy", "bounds"])
@pytest.mark.parametrize("seed", range(8))
def test_small_pieces_change_nothing(strategy, seed):
    changes = {"tile_points": 13, "job_tiles": 2, "split_boxes": 5, "open_points": 1}
    oracle.check(1000 + seed, strategy, most=600, changes=changes)


@pytest.fixture
def space() -> xr.Dataset:
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 12), memory_bandwidth=np.geomspace(1e9, 1e12, 9), power=[5.0, 20.0]
    )
    return rc.inputs("cifar10", platforms=hardware, batch=[1, 8, 64])


def test_sizes_follow_dim_order(space):
    sweep = rc.Sweep(space)
    assert sweep.dims[0] == "platform"
    assert sweep.dims[-1] == "batch"
    assert sweep.size == np.prod(list(sweep.sizes.values()))
    assert rc.Sweep(space, dims=["batch"]).dims[0] == "batch"


def test_dims_decide_ties(space):
    # the published model does not depend on batch, so all batches tie
    first = rc.Sweep(space).top(3, "predicted_throughput")
    assert first["batch"].values.tolist() == [1, 8, 64]
    assert "batch" in rc.Sweep(space, dims=["batch"]).top(3, "predicted_throughput").attrs["dim_order"].split()[0]


@pytest.mark.parametrize("dims", [None, ["batch"], ["platform", "mode", "topology", "precision", "pruning", "batch"]])
def test_a_dim_that_choosing_makes_stands_before_a_last_batch(dims):
    inputs = rc.inputs("mnist", batch=[1, 8])
    sweep = rc.Sweep(inputs, dims=dims)
    pick = {
        "platform": xr.DataArray(["TX2", "NCS2"], dims="board"),
        "mode": xr.DataArray(["maxn", "default"], dims="board"),
    }
    chosen = sweep.sel(pick)
    assert chosen.dims[-2:] == (("precision", "board") if dims == ["batch"] else ("board", "batch"))
    if dims is None:
        assert chosen.dims == rc.Sweep(inputs.sel(pick)).dims
    ask = {"objective": "predicted_throughput", "n": 8}
    labels = [
        [*zip(*(rc.top(cube, **ask)[name].values.tolist() for name in ("platform", "batch")), strict=True)]
        for cube in (chosen, sweep.compute().sel(pick))
    ]
    assert labels[0] == labels[1]


def test_best_names_its_winner_and_agrees_with_compute(space):
    sweep = rc.Sweep(space, dtype="f8")
    best = sweep.best("predicted_throughput", where={"top1": (85, None)}, per="precision")
    cube = sweep.compute()
    masked = cube["predicted_throughput"].where(cube["top1"] >= 85)
    highest = masked.max([dim for dim in masked.dims if dim != "precision"])
    np.testing.assert_array_equal(best["predicted_throughput"], highest.transpose("precision"))
    assert best["found"].values.tolist() == highest.notnull().values.tolist()


def test_nothing_found_is_never_a_made_up_label(space):
    best = rc.Sweep(space).best("predicted_throughput", where={"top1": (101, None)})
    assert not best["found"]
    assert np.isnan(best["predicted_throughput"])
    assert best["topology"] == ""
    assert np.isnan(best["peak"])


def test_front_tells_what_limits_and_gaps_removed(space):
    space["top1"] = space["top1"].where(space["precision"] != "FP16")
    front = rc.Sweep(space).pareto(["predicted_throughput", "top1"], where={"predicted_latency": (None, 0.01)})
    assert front.attrs["missing_top1"] > 0
    assert front.attrs["removed_by_predicted_latency"] > 0
    assert front.attrs["n_points"] == rc.Sweep(space).size


def test_count_by_reason_sums_to_the_space(space):
    sweep = rc.Sweep(space)
    count = sweep.count(by="infeasible", per="precision")
    assert count["count"].dims == ("precision", "reason")
    assert int(count["count"].sum()) == sweep.size
    assert count["reason"].values[0] == "feasible"


def test_limits_take_flags_by_name(space):
    sweep = rc.Sweep(space)
    parts = [int(sweep.count(where={"bound": [name]})["count"]) for name in ("compute", "memory")]
    assert sum(parts) == sweep.size
    assert min(parts) > 0


def test_own_terms_are_objectives(space):
    space["price"] = ("shop", [1.0, 3.0])
    dear = rc.PUBLISHED.with_term(
        "cost", lambda model: model.price / model.predicted_throughput, units="USD", sense="min"
    )
    sweep = rc.Sweep(space, assumptions=dear)
    best = sweep.best("cost")
    assert float(best["price"]) == 1.0
    assert best["cost"].attrs["units"] == "USD"
    assert "shop" in sweep.sizes


def test_histogram_counts_every_finite_value(space):
    sweep = rc.Sweep(space)
    histogram = sweep.histogram("predicted_latency", bins=7)
    assert int(histogram["count"].sum()) == sweep.size
    assert histogram["bin_low"].attrs["units"] == "s"


@pytest.mark.parametrize("flag", ["bound", "infeasible"])
def test_a_histogram_of_a_flag_has_a_bin_for_each_meaning(space, flag):
    sweep = rc.Sweep(space)
    histogram, count = sweep.histogram(flag), sweep.count(by=flag)
    assert histogram["meaning"].values.tolist() == count["reason"].values.tolist()
    np.testing.assert_array_equal(histogram["count"], count["count"])


def test_crossover_names_every_change():
    inputs = rc.inputs("cifar10", topologies="CNV", pruning=100)
    found = rc.Sweep(inputs, assumptions=rc.BOUND).crossover("predicted_throughput", along="batch")
    winner = found["winner"].values
    changes = np.flatnonzero(winner[1:] != winner[:-1]) + 1
    assert found["gainer"].values.tolist() == winner[changes].tolist()
    assert found["after"].values.tolist() == inputs["batch"].values[changes].tolist()


def test_at_reads_rows_and_refuses_none(space):
    sweep = rc.Sweep(space, dtype="f8")
    cube = sweep.compute()
    rows = pl.DataFrame(
        {
            "precision": ["FP16", "FP16"],
            "pruning_percent": [100.0, 100.0],
            "peak": [float(space.peak[3]), 1.5],
            "bandwidth": [float(space.bandwidth[2])] * 2,
            "watts": [5.0, 5.0],
            "batch": [8, 8],
        }
    )
    found = sweep.at(rows)
    assert found["found"].values.tolist() == [True, False]
    expected = (
        cube["predicted_throughput"].sel(precision="FP16", pruning=100.0, topology="CNV").isel(peak=3, bandwidth=2)
    )
    assert float(found["predicted_throughput"][0]) == float(expected)
    assert np.isnan(found["predicted_throughput"][1])


def test_at_needs_a_column_for_every_dim(space):
    with pytest.raises(InvalidDataError, match="expected a column 'pruning_percent'"):
        rc.Sweep(space).at({"batch": [1]})


def test_compute_beyond_the_limit_names_the_way_out(space):
    with rc.set_options(memory=1000), pytest.raises(MemoryLimitError, match="to_zarr"):
        rc.Sweep(space).compute()
    with rc.set_options(memory=1000), pytest.raises(MemoryLimitError, match=r"`distance_to_front`.*`sel`"):
        rc.distance_to_front(rc.Sweep(space), "predicted_throughput")


def test_a_reduction_beyond_its_limit_names_its_size():
    inputs = rc.inputs("cifar10", batch=np.arange(1, 100_001))
    with rc.set_options(memory="10 MB"), pytest.raises(MemoryLimitError, match=r'MB.*ties="first"'):
        rc.Sweep(inputs).pareto({"predicted_throughput": "max"}, ties="all")


def test_plan_prints_well(space):
    plan = rc.Sweep(space).plan()
    assert plan.points == rc.Sweep(space).size
    assert plan.strategy in ("bounds", "stream", "numpy")
    assert "strategy" in repr(plan)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.best("predicted_thruput"), "did you mean 'predicted_throughput'"),
        (lambda s: s.best("bound"), "say which way is better"),
        (lambda s: s.best("top1", per="platforms"), "did you mean 'platform'"),
        (lambda s: s.count(where={"latency": (None, 1)}), "limit a variable"),
        (lambda s: s.count(where={"precision": ["INT9"]}), "INT9"),
        (lambda s: s.count(by="reason"), "expected one of"),
        (lambda s: s.top(0, "top1"), "at least 1"),
        (lambda s: s.isel(batch=70), "`isel`: expected indices of 3 along 'batch'"),
        (lambda s: s.isel(layer=[0]), "`isel`: 'layer' is not known; expected one of: platform"),
        (lambda s: s.sel(layer=[0]), "`sel`: 'layer' is not known; expected one of: platform"),
        (lambda s: s.sel(batch=slice("x1", "x2")), "`sel`: expected numbers along 'batch', got slice"),
        (lambda s: s.sel(batch=[[1]]), "`sel`: expected labels of batch, got .*give a label, a list or a slice"),
        (lambda s: s.isel(batch="1"), "`isel`: expected indices of 3 along 'batch'"),
        (lambda s: s.histogram("top1", bins=[2, 1]), "ascending edges"),
        (lambda s: s.quantile("top1", 2), "from 0 to 1"),
        (lambda s: s.pareto({}), "expected at least one variable"),
        (lambda s: s.pareto(["top1"], probability=True), "calibration"),
        (lambda s: s.crossover("top1", between="batch", along="batch"), "choose two dims"),
    ],
)
def test_errors_say_what_to_do(space, call, message):
    with pytest.raises((UnknownLabelError, InvalidDataError), match=message):
        call(rc.Sweep(space))


def test_unknown_dims_are_refused(space):
    with pytest.raises(UnknownLabelError, match="batches"):
        rc.Sweep(space, dims=["batches"])


def small_sweep(**options) -> rc.Sweep:
    hardware = rc.hypothetical(peak_compute=[1e11, 1e12], memory_bandwidth=[1e9, 1e10], power=10.0)
    return rc.Sweep(rc.inputs("mnist", platforms=hardware), **options)


@pytest.mark.parametrize("n", [1, 20, 10_000])
def test_a_top_of_a_small_space_has_all_its_points(n):
    tuning = Tuning(row_worth=1)
    streamed, visited = (
        small_sweep(strategy=one, tuning=tuning).top(n, "predicted_latency") for one in ("stream", "numpy")
    )
    assert streamed.identical(visited)


@pytest.mark.parametrize("strategy", ["auto", "stream", "bounds"])
def test_writing_into_a_result_changes_no_later_one(strategy):
    sweep = small_sweep(strategy=strategy)
    questions = {
        "best": lambda: sweep.best("predicted_throughput"),
        "best per": lambda: sweep.best("predicted_throughput", per="platform"),
        "top": lambda: sweep.top(1, "predicted_latency"),
        "front": lambda: sweep.pareto(["predicted_latency", "top1"], ties="first"),
        "count": lambda: sweep.count(per="platform"),
        "quantile": lambda: sweep.quantile("predicted_latency", 0.5, per="platform"),
    }
    for name, ask in questions.items():
        first = ask()
        kept = first.copy(deep=True)
        for variable in first.variables.values():
            if variable.dims and not isinstance(variable, xr.IndexVariable):
                variable.values[...] = variable.values[::-1].copy() if variable.dtype.kind in "US" else 99
            elif variable.dtype.kind == "f":
                variable.values[...] = 99
            for value in variable.attrs.values():
                if isinstance(value, np.ndarray):
                    value[...] = 77
        assert ask().identical(kept), name


def test_what_is_prepared_goes_with_the_sweep():
    import gc
    import weakref

    sweep = small_sweep(strategy="stream")
    sweep.best("predicted_throughput")
    sweep.quantile("predicted_latency", 0.5)
    spaces = [weakref.ref(sweep.context.space), weakref.ref(sweep)]
    del sweep
    gc.collect()
    assert [one() for one in spaces] == [None, None]


def test_a_long_table_is_looked_up_in_parts_with_the_same_answer():
    sweep = rc.Sweep(rc.inputs("mnist"))
    count = lookup.ROWS + 500
    rows = pl.DataFrame({dim: np.resize(sweep.inputs[dim].values, count) for dim in sweep.dims if dim in sweep.inputs})
    rows = rows.with_columns(batch=pl.when(pl.int_range(count) == 123).then(7).otherwise(pl.col("batch")))
    parts = sweep.at(rows)
    whole = xr.concat([sweep.at(rows[:400]), sweep.at(rows[400 : lookup.ROWS]), sweep.at(rows[lookup.ROWS :])], "point")
    assert not bool(parts["found"].all())
    assert parts.identical(whole)
    with rc.set_options(memory="10 kB"), pytest.raises(MemoryLimitError, match=r"`at`.*give a table of fewer rows"):
        sweep.at(rows)


@pytest.mark.parametrize(
    "labels", [np.array(["TX2", "bad"]), xr.DataArray(["TX2", "bad"], dims="platform"), ["bad"], "bad"]
)
def test_labels_to_choose_that_are_not_there_are_told(labels):
    sweep = rc.Sweep(rc.inputs("mnist", platforms=["TX2", "NCS2"]))
    with pytest.raises(UnknownLabelError, match="`platform`: 'bad' is not known"):
        sweep.sel(platform=labels)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda inputs: rc.Sweep(inputs, client=3), r"`client`: expected a dask\.distributed\.Client, got 3"),
        (lambda inputs: rc.Sweep(inputs).sel(["TX2"]), "`indexers`: expected a Mapping"),
        (lambda inputs: rc.Sweep(inputs).isel([0]), "`indexers`: expected a Mapping"),
        (lambda inputs: rc.Sweep(inputs).to_zarr("plain"), r"`path`: expected a name ending in \.zarr, got 'plain'"),
    ],
)
def test_what_a_sweep_cannot_take_is_told(ask, message):
    with pytest.raises(InvalidDataError, match=message):
        ask(rc.inputs("mnist", platforms="TX2"))


def test_at_takes_the_labels_of_an_answer():
    sweep = rc.Sweep(rc.inputs("mnist", platforms="TX2", batch=[1, 8]))
    winner = sweep.best("predicted_throughput")
    assert sweep.at(winner)["found"].values.tolist() == [True]
    front = sweep.pareto(["predicted_throughput", "top1"])
    assert sweep.at(front)["found"].all()
    assert not sweep.at(front.drop_vars("platform").assign_coords(platform="nowhere"))["found"].any()
    with pytest.raises(InvalidDataError, match=r"`table`: expected labels along one dim, got .*; stack them"):
        sweep.at(sweep.inputs)
    row = {"platform": "TX2", "precision": "FP16", "topology": "MLP", "pruning": 100, "batch": 1}
    with pytest.raises(InvalidDataError, match="expected one label a row in 'mode', got lists"):
        sweep.at([{**row, "mode": ["maxn"]}])


@pytest.mark.parametrize("lots", [["a", "b", "a"], [1, 2, 1], np.array(["2026-01", "2026-02", "2026-01"], "M8[ns]")])
def test_at_finds_no_label_that_a_dim_has_twice(lots):
    inputs = rc.inputs("mnist", platforms="TX2", precision="FP16", pruning=100, batch=1)
    sweep = rc.Sweep(inputs.assign(price=("lot", [1.0, 2.0, 3.0])).assign_coords(lot=lots))
    labels = sweep.inputs.lot.values[:2]
    found = sweep.at({"mode": ["maxn"] * 2, "lot": labels.astype(str) if labels.dtype.kind == "M" else labels})
    assert found["found"].values.tolist() == [False, True]
    assert found["price"].values[1] == 2


@pytest.mark.parametrize("strategy", ["auto", "bounds", "numpy"])
def test_two_meanings_of_one_code_are_counted_alike(strategy):
    inputs = rc.inputs("mnist", platforms="TX2", batch=[1, 2, 4])
    flag = {"flag_values": np.array([1, 1, 2], "i1"), "flag_meanings": "a b c"}
    sweep = rc.Sweep(inputs.assign(k=("batch", np.array([1, 1, 2], "i1"), flag)), strategy=strategy)
    counts = sweep.count(by="k", where={"top1": (0, None)})["count"].values
    assert counts[0] == counts[1] == 2 * counts[2] > 0


def test_a_place_that_a_dim_without_labels_lacks_is_told():
    sweep = rc.Sweep(rc.inputs("mnist", platforms="TX2").assign(price=("shop", [1.0, 2.0])))
    with pytest.raises(InvalidDataError, match="`sel`: expected labels of shop"):
        sweep.sel(shop=99)


def test_winners_of_a_calibration_come_with_their_interval():
    calibration = rc.calibrate(rc.datasets.load_measurements("mnist"))
    inputs = rc.inputs("mnist")
    sweep, cube = rc.Sweep(inputs, assumptions=calibration, dtype="f8"), rc.predict(inputs, assumptions=calibration)
    for answer, stored in (
        (sweep.best("predicted_throughput"), rc.best(cube, "predicted_throughput")),
        (sweep.top(3, "predicted_throughput"), rc.top(cube, 3, "predicted_throughput")),
    ):
        for name in ("predicted_throughput_low", "predicted_throughput_high", "extrapolates"):
            np.testing.assert_array_equal(answer[name].values, stored[name].values)
    sure = {"predicted_throughput_low": (100, None)}
    assert sweep.count(where=sure)["count"] == rc.count(cube, where=sure)["count"]
    assert (
        sweep.count(where={"extrapolates": True})["count"]
        == rc.count(cube, where={"extrapolates": (1, None)})["count"]
        > 0
    )
