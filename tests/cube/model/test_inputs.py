from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError, MissingInputError, UnknownLabelError
from roofcube.kernels.graph.expression import maximum
from roofcube.kernels.tuning import Tuning
from roofcube.model.graph import build_model, dim_order
from roofcube.vocabulary import ELEMENT_BYTES, INFEASIBLE


def test_each_variable_has_only_the_dims_it_depends_on():
    inputs = rc.inputs("cifar10")
    assert inputs.peak_compute.dims == ("platform", "mode", "precision")
    assert inputs.memory_bandwidth.dims == ("platform",)
    assert inputs.ops.dims == ("topology", "pruning")
    assert inputs.top1.dims == ("topology", "pruning", "precision")
    assert inputs.platform.size == 9
    assert inputs.batch.values.tolist() == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 10000]


def test_every_variable_has_units_and_a_name():
    cube = rc.benchmark("imagenet")
    for name in cube.data_vars:
        assert cube[name].attrs.get("long_name"), name
        flagged = {"flag_values", "flag_masks"} & set(cube[name].attrs)
        assert cube[name].attrs.get("units") or flagged or cube[name].dtype.kind == "U", name


def test_labels_are_found_by_alias_and_kept_in_the_order_asked():
    inputs = rc.inputs("cifar10", platforms=["NCS", "TX2"], pruning=["12.50%", 100], precision="FP16", batch=[4, 1])
    assert inputs.platform.values.tolist() == ["NCS2", "TX2"]
    assert inputs.pruning.values.tolist() == [12.5, 100]
    assert inputs.batch.values.tolist() == [4, 1]
    assert rc.inputs("CIFAR-10", platforms="NCS").platform.values.tolist() == ["NCS2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "cifar"}, r"`task`: 'cifar' is not known; did you mean 'cifar10'\?"),
        ({"platforms": "TX3"}, r"`platform`: 'TX3' is not known; did you mean 'TX2'\?"),
        ({"task": "cifar10", "topologies": "ResNet-50"}, r"`topology`: 'ResNet-50' is not known"),
        ({"precision": "INT9"}, r"`precision`: 'INT9' is not known"),
        ({"task": "cifar10", "pruning": 33}, r"`pruning`: 33 is not known.*100, 50, 25, 12.5.*channels kept"),
        ({"platforms": "TX2", "mode": "turbo"}, r"`mode`: 'turbo' is not known.*maxn, maxp, maxq"),
    ],
)
def test_unknown_labels_name_the_closest(arguments, message):
    with pytest.raises(UnknownLabelError, match=message):
        rc.inputs(**arguments)


@pytest.mark.parametrize("batch", [[0], [-1, 2], ["many"]])
def test_bad_batches(batch):
    with pytest.raises(InvalidDataError, match="`batch`: expected positive numbers"):
        rc.inputs("mnist", batch=batch)


def test_counts_must_be_exact_or_site():
    with pytest.raises(InvalidDataError, match="`counts`: expected one of 'exact', 'site', got 'guess'"):
        rc.inputs("mnist", counts="guess")


def test_site_params_say_that_they_are_not_the_size():
    params = rc.inputs("cifar10", counts="site").params
    assert float(params.sel(topology="CNV", pruning=12.5)) == pytest.approx(120265, abs=1)
    assert "not the size" in params.long_name


def test_published_formula_at_every_point():
    inputs = rc.inputs("mnist")
    cube = rc.predict(inputs)
    element = xr.DataArray([ELEMENT_BYTES[p] for p in inputs.precision.values], coords={"precision": inputs.precision})
    expected = (
        np.minimum(inputs.peak_compute, inputs.memory_bandwidth * inputs.ops / (inputs.params * element)) / inputs.ops
    )
    xr.testing.assert_allclose(
        cube.predicted_throughput.drop_attrs(),
        expected.transpose(*cube.predicted_throughput.dims).drop_attrs(),
        rtol=1e-14,
    )
    xr.testing.assert_allclose(
        cube.predicted_latency.drop_attrs(),
        (inputs.batch / cube.predicted_throughput).transpose(*cube.predicted_latency.dims).drop_attrs(),
        rtol=1e-14,
    )
    assert cube.predicted_throughput.dims == ("platform", "mode", "topology", "pruning", "precision")


def test_nothing_vanishes_without_a_reason():
    cube = rc.predict(rc.inputs("imagenet"))
    value, reason = xr.broadcast(cube.predicted_throughput, cube.infeasible)
    meanings = dict(zip(cube.infeasible.flag_values.tolist(), cube.infeasible.flag_meanings.split(), strict=True))
    physical = ~reason.isin([0, 5])
    assert bool((value.isnull() == physical).all())
    assert set(np.unique(reason.values).tolist()) <= set(meanings)
    one = cube.infeasible.sel(topology="ResNet-50", pruning=100, precision="INT8", platform="EdgeTPU")
    assert meanings[int(one.sel(mode="maxn"))] == "mode_not_offered"
    assert (
        meanings[
            int(
                cube.infeasible.sel(
                    topology="MobileNetv1", pruning=50, precision="INT8", platform="EdgeTPU", mode="fast"
                )
            )
        ]
        == "network_not_defined"
    )


def test_bound_reads_weights_once_per_batch():
    inputs = rc.inputs("mnist", platforms="TX2", mode="maxn", precision="FP32", pruning=100)
    bound = rc.predict(inputs, assumptions=rc.BOUND)
    throughput = bound.predicted_throughput.squeeze(drop=True)
    assert throughput.values.tolist() == sorted(throughput.values.tolist())
    assert float(throughput.sel(batch=16) / throughput.sel(batch=1)) > 14
    assert float(throughput.sel(batch=1)) == pytest.approx(rc.predict(inputs).predicted_throughput.item(), rel=0.01)
    assert bound.predicted_latency.squeeze().values == pytest.approx(inputs.batch.values / throughput.values)


def test_only_the_nine_impossible_rows_exceed_the_bound():
    findings = rc.check(rc.datasets.load_measurements())
    above = findings.filter(findings["rule"] == "above_bound")
    rows = rc.datasets.load_measurements()[above["row"].to_list()]
    assert above.height == 9
    assert set(rows["platform"]) == {"TX2"}
    assert set(rows["topology"]) == {"MLP"}
    assert above["row"].to_list() == findings.filter(findings["rule"] == "above_compute_peak")["row"].to_list()


def tiny(**more):
    variables = {
        "ops": 8.0,
        "params": 4.0,
        "peak_compute": ("hardware", [1.0, 4.0]),
        "memory_bandwidth": 2.0,
        "element_bytes": 1.0,
        **more,
    }
    inputs = xr.Dataset(variables, coords={"batch": [1, 2]})
    for variable in inputs.variables.values():
        variable.attrs["units"] = "1"  # relative numbers, of which any are taken
    return inputs


@pytest.mark.parametrize("layers", ["whole network", "per layer"])
@pytest.mark.parametrize(
    ("weights", "seconds"),
    [
        ("memory per input", [2.0, 2.0]),
        ("memory per batch", [2.0, 1.0]),
        ("on chip", [0, 0]),
        ("free", [0, 0]),
        ("on chip if it fits", [2.0, 1.0]),
    ],
)
def test_storage_of_weights(layers, weights, seconds):
    assumptions = rc.Assumptions(weights=weights, activations="free", state="free", layers=layers)
    cube = rc.predict(tiny(), assumptions=assumptions)
    period = 1 / cube.predicted_throughput.broadcast_like(xr.DataArray([0, 0], dims="batch"))
    for place, compute in enumerate([8.0, 2.0]):
        expected = [max(compute, one) for one in seconds]
        assert period.isel(hardware=place).values.tolist() == pytest.approx(expected)


def test_activations_and_state_are_moved_for_every_input():
    cube = rc.predict(
        tiny(activations=6.0, state=2.0),
        assumptions=rc.Assumptions(weights="free", activations="memory per input", state="memory per input"),
    )
    assert (1 / cube.predicted_throughput).values.tolist() == pytest.approx([8.0, 4.0])


def test_capacity_and_on_chip_limits_are_told():
    cube = rc.predict(tiny(memory_capacity=("size", [3.0, 4.0, np.nan])))
    assert cube.infeasible.values.tolist() == [[4, 0, 0]] * 2 if cube.infeasible.ndim == 2 else [4, 0, 0]
    on_chip = rc.predict(tiny(on_chip_memory=3.0), assumptions=rc.Assumptions(weights="on chip"))
    assert set(np.unique(on_chip.infeasible)) == {4}


def test_energy_is_power_times_latency_per_input():
    cube = rc.predict(tiny(power=3.0), assumptions=rc.Assumptions(weights="memory per batch"))
    expected = 3.0 * cube.predicted_latency / cube.batch
    xr.testing.assert_allclose(cube.predicted_energy.drop_attrs(), expected.drop_attrs())
    assert cube.predicted_energy.units == "J"


def test_own_dims_go_before_batch_and_after_the_known_ones():
    inputs = rc.inputs("mnist")
    inputs["memory_bandwidth"] = inputs.memory_bandwidth * xr.DataArray([1.0, 2.0], dims="uplift")
    assert dim_order(inputs) == ("platform", "mode", "topology", "pruning", "precision", "uplift", "batch")
    cube = rc.predict(inputs)
    assert cube.predicted_throughput.dims == ("platform", "mode", "topology", "pruning", "precision", "uplift")


def test_own_term_of_the_model():
    inputs = tiny(price=("shop", [1.0, 2.0]))
    assumptions = rc.PUBLISHED.with_term("cost", lambda m: m.price / m.predicted_throughput, units="EUR", sense="min")
    cube = rc.predict(inputs, assumptions=assumptions)
    assert cube.cost.dims == ("hardware", "shop")
    assert cube.cost.units == "EUR"
    xr.testing.assert_allclose(cube.cost.drop_attrs(), (1 / cube.predicted_throughput * inputs.price).drop_attrs())
    slower = rc.PUBLISHED.with_term("predicted_latency", lambda m: maximum(m.predicted_latency, 100.0))
    assert float(rc.predict(tiny(), assumptions=slower).predicted_latency.min()) == 100
    with pytest.raises(InvalidDataError, match="`cost`: expected the formula to give a node, got float"):
        rc.predict(inputs, assumptions=rc.PUBLISHED.with_term("cost", lambda m: 1.0))
    with pytest.raises(AttributeError, match="no node 'prize'"):
        rc.predict(inputs, assumptions=rc.PUBLISHED.with_term("cost", lambda m: m.prize))
    with pytest.raises(InvalidDataError, match="`name`: expected a str, got 3 of type int"):
        rc.PUBLISHED.with_term(3, lambda m: m.price)
    with pytest.raises(InvalidDataError, match="`cost`: expected a formula that takes the model, got 'price'"):
        rc.PUBLISHED.with_term("cost", "price")


def test_an_input_with_the_name_of_a_result_is_refused_unless_it_was_one():
    inputs = tiny()
    for ask in (rc.predict, rc.Sweep):
        with pytest.raises(InvalidDataError, match="`predicted_latency`: expected no input of that name"):
            ask(inputs.assign(predicted_latency=3.0))
    cube = rc.predict(inputs)
    assert rc.predict(cube).identical(cube)


def test_missing_inputs_are_named():
    with pytest.raises(MissingInputError, match=r"`memory_bandwidth`: weights='memory per input' needs this variable"):
        rc.predict(tiny().drop_vars("memory_bandwidth"))
    with pytest.raises(MissingInputError, match=r"`activations`: .*needs this variable"):
        rc.predict(tiny(), assumptions=rc.BOUND)


def test_a_variable_may_not_hide_a_dim():
    with pytest.raises(
        InvalidDataError, match="`bandwidth`: a variable over bandwidth, topology must not share its name with a dim"
    ):
        build_model(xr.Dataset({"bandwidth": (("bandwidth", "topology"), [[1.0]])}), rc.PUBLISHED)


def test_totals_that_gained_a_dim_do_not_silently_ignore_their_layers():
    inputs = rc.inputs("mnist")
    inputs["ops"] = inputs.ops * xr.DataArray([1.0, 2.0], dims="scale")
    with pytest.raises(InvalidDataError, match="`ops`: has dim scale, which `layer_ops` lacks"):
        rc.predict(inputs, assumptions=rc.BOUND)


def test_wrong_storage_lists_the_choices():
    with pytest.raises(InvalidDataError, match=r"`weights`: expected one of 'memory per input', .* got 'on disk'"):
        rc.Assumptions(weights="on disk")


def test_unknown_precision_of_own_inputs():
    with pytest.raises(UnknownLabelError, match="`precision`: 'INT3' is not known"):
        rc.predict(tiny().drop_vars("element_bytes").assign_coords(precision=["INT3"]))


@pytest.mark.parametrize("assumptions", [rc.PUBLISHED, rc.BOUND])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_chunked_prediction_is_the_same_to_the_last_bit(assumptions, dtype):
    pytest.importorskip("dask")
    inputs = rc.inputs("cifar10")
    lazy = rc.predict(inputs, assumptions=assumptions, chunks={"platform": 2, "batch": 3}, dtype=dtype)
    assert lazy.predicted_latency.chunks is not None
    assert lazy.compute().identical(rc.predict(inputs, assumptions=assumptions, dtype=dtype))
    assert rc.predict(inputs, dtype=dtype).predicted_throughput.dtype == dtype


def test_several_assumptions_side_by_side():
    cube = rc.predict(rc.inputs("mnist"), assumptions=[rc.PUBLISHED, rc.BOUND])
    assert cube.assumptions.values.tolist() == ["published", "bound"]
    for name, one in (("published", rc.PUBLISHED), ("bound", rc.BOUND)):
        alone = rc.predict(rc.inputs("mnist"), assumptions=one).predicted_latency
        xr.testing.assert_equal(cube.predicted_latency.sel(assumptions=name, drop=True), alone)
    assert "assumptions" not in cube.ops.dims


def test_inputs_are_not_changed():
    inputs = rc.inputs("mnist")
    before = inputs.copy(deep=True)
    rc.predict(inputs, assumptions=rc.BOUND)
    assert inputs.identical(before)


@pytest.mark.parametrize("assumptions", [rc.PUBLISHED, rc.BOUND])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_large_cubes_are_filled_with_the_same_bits(assumptions, dtype):
    inputs = rc.inputs("cifar10", platforms=["TX2", "U96-A53", "ZCU102-DPU"], batch=range(1, 400))
    plain = rc.predict(inputs, assumptions=assumptions, dtype=dtype)
    for tuning in (Tuning(fill_values=1000), Tuning(fill_values=1000, compiled_operations=100_000)):
        assert rc.predict(inputs, assumptions=assumptions, dtype=dtype, tuning=tuning).identical(plain)


def test_layers_do_not_multiply_the_memory_of_predict():
    """Before, every intermediate was held with all its layers: 100 times the result."""
    hardware = rc.hypothetical(peak_compute=np.geomspace(1e11, 1e15, 9), memory_bandwidth=np.geomspace(1e9, 1e13, 9))
    inputs = rc.inputs("imagenet", platforms=hardware)
    rc.predict(inputs.isel(peak=[0]), assumptions=rc.BOUND)
    tracemalloc.start()
    cube = rc.predict(inputs, assumptions=rc.BOUND)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    per_layer = 8 * cube.predicted_latency.size * inputs.sizes["layer"]
    assert per_layer > 45e6
    assert peak - cube.nbytes < per_layer


def test_inputs_of_dask_give_a_lazy_cube():
    pytest.importorskip("dask")
    inputs = rc.inputs("mnist")
    cube = rc.predict(inputs.chunk(), assumptions=rc.BOUND)
    assert cube.chunks
    xr.testing.assert_equal(cube.compute(), rc.predict(inputs, assumptions=rc.BOUND))


def test_labels_asked_for_twice_are_there_once():
    inputs = rc.inputs("mnist", platforms="NCS2", precision=["FP16", "half"], pruning=[50, "50%"], batch=[2, 1, 2])
    assert [inputs[dim].values.tolist() for dim in ("precision", "pruning", "batch")] == [["FP16"], [50.0], [2, 1]]
    assert float(inputs.ops.squeeze()) > 0


def test_terms_reach_names_that_are_no_words_of_python():
    inputs = rc.inputs("mnist", platforms="NCS2", precision="FP16").assign({"price of a kg": 3.0})
    cube = rc.predict(inputs, assumptions=rc.BOUND.with_term("my cost", lambda m: m["price of a kg"] * m["batch"]))
    assert cube["my cost"].values.tolist() == (3.0 * cube.batch).values.tolist()


@pytest.mark.parametrize("told", [{"sense": "up"}, {"units": 3}])
def test_what_a_term_cannot_have_is_told_at_once(told):
    (name,) = told
    with pytest.raises(InvalidDataError, match=f"`{name}`: expected"):
        rc.BOUND.with_term("cost", lambda m: m.batch * 2, **told)


def test_terms_know_numeric_labels_and_more_operations():
    inputs = rc.inputs("mnist")
    term = rc.PUBLISHED.with_term(
        "score", lambda m: rc.log2(m.batch) + m.pruning**2 // 7 + rc.exp(-m.predicted_latency)
    )
    cube = rc.predict(inputs, assumptions=term)
    expected = np.log2(cube.batch) + cube.pruning**2 // 7 + np.exp(-cube.predicted_latency)
    xr.testing.assert_allclose(cube.score.drop_attrs(), expected.transpose(*cube.score.dims).drop_attrs())
    with pytest.raises(AttributeError, match=r"no node 'prunning'; did you mean 'pruning'\?"):
        rc.predict(inputs, assumptions=rc.PUBLISHED.with_term("score", lambda m: m.prunning))


def test_a_term_in_place_of_a_result_has_its_unit():
    inputs = rc.inputs("mnist", platforms="TX2")
    slow = rc.BOUND.with_term("predicted_latency", lambda m: m.predicted_latency * 1e3, units="ms")
    with pytest.raises(
        InvalidDataError, match=r"`predicted_latency`: a term in place of a result.* its unit s, got 'ms'"
    ):
        rc.predict(inputs, assumptions=slow)
    half = rc.BOUND.with_term("predicted_latency", lambda m: m.predicted_latency / 2)
    assert rc.predict(inputs, assumptions=half).predicted_latency.attrs["units"] == "s"


def test_what_derives_from_a_replaced_output_moves():
    inputs = tiny(power=3.0, price=2.0)
    terms = rc.PUBLISHED.with_term("cost", lambda m: m.price / m.predicted_throughput)
    slower = rc.predict(
        inputs, assumptions=terms.with_term("predicted_throughput", lambda m: m.predicted_throughput / 2)
    )
    plain = rc.predict(inputs, assumptions=terms)
    for name in ("predicted_latency", "predicted_energy", "cost"):
        np.testing.assert_array_equal(*xr.broadcast(slower[name], 2 * plain[name]))
    late = rc.predict(inputs, assumptions=terms.with_term("predicted_latency", lambda m: m.predicted_latency * 4))
    for name, times in {"predicted_throughput": 0.25, "predicted_energy": 4, "cost": 4}.items():
        np.testing.assert_array_equal(*xr.broadcast(late[name], times * plain[name]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("batch", "`batch`: a term must not be called like a dim of the inputs"),
        ("family", "`family`: a term must not be called like a coordinate of the inputs"),
        ("ops", "`ops`: an input, which results are built from; change it with inputs.assign"),
        ("activations", "`activations`: an input, which results are built from"),
        ("memory_required", "`memory_required`: what is feasible derives from it"),
        ("infeasible", "`infeasible`: what is feasible derives from it"),
    ],
)
def test_names_that_a_term_cannot_have(name, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.predict(rc.inputs("mnist"), assumptions=rc.PUBLISHED.with_term(name, lambda m: m.ops * 2.0))


def test_a_mode_selects_what_each_platform_offers():
    cube = rc.predict(rc.inputs("cifar10", mode="maxn"))
    assert cube.mode.values.tolist() == ["maxn"]
    assert cube.mode_offered.sel(mode="maxn").to_series().loc[lambda one: one == 1].index.tolist() == ["TX2"]
    xr.testing.assert_equal(
        cube.predicted_throughput, rc.predict(rc.inputs("cifar10")).predicted_throughput.sel(mode=["maxn"])
    )


def test_a_platform_twice_is_refused_with_both_sources(tmp_path):
    text = (
        '[[platform]]\nplatform = "TX2"\nmode = "maxn"\ndevice_class = "gpu"\nprecision = "half"\n'
        'peak_compute = "9 TOP/s"\nmemory_bandwidth = {value = "90 GB/s", source = "page 3"}\n'
    )
    path = tmp_path / "tx2.toml"
    path.write_text(text, encoding="utf-8")
    table = rc.read_platforms(path)
    for order in ([table, "TX2"], ["TX2", table]):
        with pytest.raises(InvalidDataError, match=r"platform='TX2', mode='maxn', precision='FP16'.*tx2\.toml") as told:
            rc.inputs("cifar10", platforms=order)
        assert "the embedded table" in str(told.value)
    alone = rc.inputs("cifar10", platforms=table)
    assert alone.memory_bandwidth.attrs["source"] == "TX2: page 3"
    assert float(alone.peak_compute.squeeze()) == 9e12
    assert alone.device_class.values.tolist() == ["GPU"]
    assert rc.inputs("cifar10", platforms=["TX2", "Jetson TX2"]).platform.values.tolist() == ["TX2"]
    with pytest.raises(InvalidDataError, match="expected names, tables of read_platforms or Datasets of hypothetical"):
        rc.inputs("cifar10", platforms=[7])


def test_a_platform_in_two_tables_is_one_whichever_comes_first():
    board = {"platform": "Kite", "device_class": "NPU", "peak_compute": "1 TOP/s", "memory_bandwidth": "10 GB/s"}
    told = {"cores": 8, "channel_tile": 64, "weights_shared": False, "family": "Birds", "dataflow": True}
    one, other = rc.read_platforms([board | {"precision": "INT8"}]), [board | told | {"precision": "FP16"}]
    first, second = (rc.inputs("cifar10", platforms=both) for both in ([one, other], [other, one]))
    xr.testing.assert_identical(first, second)
    assert [first[name].item() for name in told if name != "channel_tile"] == [8, 0, "Birds", 1]
    assert float(first["layer_tile_use"].min()) == 10 / 64
    for name, value in {"cores": 4, "channel_tile": 32, "family": "Toys"}.items():
        third = rc.read_platforms([board | {"precision": "FP32", name: value}])
        message = rf"'Kite' has the {name} .* in `platforms\[0\]` and .* in `platforms\[1\]`; correct one"
        with pytest.raises(InvalidDataError, match=message):
            rc.inputs("cifar10", platforms=[other, third])


@pytest.mark.parametrize("layout", ["product", "offered"])
def test_modes_that_compute_in_other_precisions_are_each_what_they_are_alone(layout):
    board = {"platform": "Kite", "device_class": "NPU", "peak_compute": "1 TOP/s", "memory_bandwidth": "10 GB/s"}
    runs = {"slow": "INT4", "fast": "INT16"}
    rows = [board | {"precision": "INT4", "mode": mode, "executed_precision": one} for mode, one in runs.items()]
    given = rc.inputs("mnist", platforms=[rows, "TX2"], layout=layout)
    cube = rc.as_product(rc.predict(given, assumptions=rc.BOUND)).sel(platform="Kite", precision="INT4")
    for row, (mode, precision) in zip(rows, runs.items(), strict=True):
        found = cube.sel(mode=mode)
        assert found.executed_precision.item() == precision
        alone = rc.predict(rc.inputs("mnist", platforms=[row]), assumptions=rc.BOUND)
        for name in ("predicted_throughput", "memory_required"):
            np.testing.assert_array_equal(found[name].squeeze(), alone[name].squeeze())
    mine = rc.hypothetical(name="mine", peak_compute=1e12, memory_bandwidth=1e10)
    beside = rc.inputs("mnist", platforms=[rows, mine], precision="INT4").executed_precision
    assert beside.sel(platform="Kite", mode=list(runs)).values.ravel().tolist() == list(runs.values())
    assert set(beside.sel(platform="mine").values.ravel().tolist()) == {"INT4"}
    assert rc.inputs("mnist", platforms="TX2").executed_precision.dims == ("platform", "precision")


def test_weights_and_activations_have_bytes_of_their_own():
    hardware = rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e10)
    asked = {"topologies": "CNV", "pruning": 100, "batch": 1, "platforms": hardware}
    inputs = rc.inputs("cifar10", precision=["w4a16", "nvfp4", "MXFP4", "half", "int4"], **asked)
    assert inputs.precision.values.tolist() == ["W4A16", "NVFP4", "MXFP4", "FP16", "INT4"]
    required = rc.predict(inputs, assumptions=rc.BOUND).memory_required.squeeze().values
    params, alive = float(inputs.params.squeeze()), float(inputs.activation_memory.squeeze())
    assert required.tolist() == [
        params * weights + alive * activations
        for weights, activations in [(0.5, 2), (0.5625, 0.5625), (0.53125, 0.53125), (2, 2), (0.5, 0.5)]
    ]


def test_a_batch_of_its_own_for_each_label_of_another_dim():
    inputs = rc.inputs("mnist", platforms="TX2", pruning=100).isel(batch=0, drop=True)
    sites = inputs.assign_coords(batch=("site", [1.0, 8.0, 64.0]))
    cube = rc.predict(sites.assign(share=("site", [1.0, 1.0, 1.0])))
    whole = rc.predict(rc.inputs("mnist", platforms="TX2", pruning=100, batch=[1, 8, 64]))
    assert cube.sizes["site"] == 3
    np.testing.assert_array_equal(
        cube.predicted_latency.transpose(..., "site"), whole.predicted_latency.transpose(..., "batch")
    )
    bare = rc.Sweep(sites)
    assert float(rc.best(bare, "predicted_latency").predicted_latency) == float(
        np.float32(cube.predicted_latency.min())
    )


def test_an_input_with_the_name_of_a_calibration_s_table_is_refused():
    rows = rc.datasets.load_measurements("mnist").filter(pl.col("platform") == "TX2")
    inputs = rc.inputs("mnist", platforms="TX2").assign(calibrated_power=3.0)
    with pytest.raises(InvalidDataError, match="`calibrated_power`: expected no input of this name"):
        rc.predict(inputs, assumptions=rc.calibrate(rows))


def test_results_larger_than_the_limit_are_refused_before_the_work():
    hardware = rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 300), memory_bandwidth=np.geomspace(1e9, 1e12, 300)
    )
    inputs = rc.inputs("mnist", platforms=hardware, pruning=100)
    with rc.set_options(memory="20 MB"):
        with pytest.raises(MemoryLimitError, match=r"`predict`: expected results within 20 MB, got \d+ MB; ask a"):
            rc.predict(inputs)
        assert rc.predict(inputs.isel(peak=[0], bandwidth=[0])).sizes["peak"] == 1


def test_labels_that_are_no_text_are_told_as_labels():
    for given, what in (({"precision": 5}, "precision"), ({"mode": 5}, "mode"), ({"task": 5}, "task")):
        with pytest.raises(UnknownLabelError, match=f"`{what}`: 5 is not known; expected one of"):
            rc.inputs(**({"task": "mnist"} | given))
    with pytest.raises(UnknownLabelError, match="`task`: 5 is not known"):
        rc.benchmark(5)
    with pytest.raises(InvalidDataError, match="`precision`: expected at least one label, got none; leave it out"):
        rc.inputs("mnist", precision=[])


def test_what_is_offered_and_not_known_stays_so_whatever_other_rows_say():
    common = {"platform": "A", "device_class": "NPU", "precision": "INT8", "peak_compute": "4 TOP/s"}
    known = {"memory_bandwidth": "17 GB/s", "power": "5 W", "memory_capacity": "1 GB"}
    rows = [
        {**common, "mode": "high", **known},
        {**common, "mode": "low", "memory_bandwidth": "not known"},
        {**common, "mode": "mid", **known, "memory_bandwidth": "10 GB/s", "power": "3 W"},
        {**common, "platform": "B", "mode": "low", **known, "memory_capacity": "2 GB"},
        {**common, "precision": "FP16", "mode": "high", "memory_bandwidth": "17 GB/s"},
    ]
    for given in (rows[:2], rows[:3], [*rows[:2], rows[3]]):
        inputs = rc.inputs("mnist", platforms=rc.read_platforms(given), batch=1)
        low = inputs.sel(platform="A", mode="low")
        assert np.isnan([low.memory_bandwidth, low.power]).all()
        assert inputs.memory_capacity.sel(platform="A").values.ravel().tolist() == [1e9]
        cube = rc.predict(inputs, assumptions=rc.BOUND)
        assert cube.predicted_throughput.sel(platform="A", mode="low").isnull().all()
    half = rc.inputs("mnist", platforms=rc.read_platforms([rows[0], rows[4]]), batch=1)
    assert half.memory_bandwidth.dims == ("platform",)
    assert np.isnan(half.power.sel(precision="FP16")).all()


def test_a_term_replaces_neither_flags_nor_an_input_of_ones_own():
    inputs = tiny(activations=1.0, price=3.0)
    flags = rc.BOUND.with_term("bound", lambda model: model.predicted_latency * 1e6)
    priced = rc.BOUND.with_term("cost", lambda model: model.price * 1)
    for model, message in (
        (flags, "`bound`: flags of what takes the time"),
        (priced.with_term("price", lambda model: model.batch * 100), "`price`: an input"),
    ):
        with pytest.raises(InvalidDataError, match=message):
            rc.predict(inputs, assumptions=model)
    cube = rc.predict(inputs, assumptions=priced)
    assert rc.predict(cube, assumptions=priced).identical(cube)


def test_the_same_model_with_and_without_a_term_has_two_labels():
    slower = rc.BOUND.with_term("predicted_latency", lambda model: model.predicted_latency * 3, units="s")
    both = rc.predict(tiny(activations=1.0), assumptions=[rc.BOUND, slower])
    assert both["assumptions"].values.tolist() == ["bound", "bound with predicted_latency"]
    with pytest.raises(InvalidDataError, match="`assumptions`: expected labels that differ, got 'bound' twice"):
        rc.predict(tiny(activations=1.0), assumptions=[rc.BOUND, rc.BOUND])


@pytest.mark.parametrize(
    ("chunks", "error", "message"),
    [
        ({"batsch": 1}, UnknownLabelError, "`chunks`: 'batsch' is not known; did you mean 'batch'"),
        ({"batch": 0}, InvalidDataError, "`chunks`: expected sizes for dims"),
        ("x", InvalidDataError, "`chunks`: expected sizes for dims"),
    ],
)
def test_chunks_that_are_none_are_told(chunks, error, message):
    pytest.importorskip("dask")
    with pytest.raises(error, match=message):
        rc.predict(tiny(), chunks=chunks)


@pytest.mark.parametrize("what", ["platforms", "topologies", "precision", "mode", "pruning", "batch"])
@pytest.mark.parametrize("nothing", [[], (), np.array([]), range(0), iter(()), pd.Series([], dtype=object)])
def test_no_label_at_all_is_refused(what, nothing):
    with pytest.raises(InvalidDataError, match=f"`{what}`: expected at least one label, got none"):
        rc.inputs("mnist", **{what: nothing})


def test_labels_that_can_be_read_once_are_labels():
    asked = {"platforms": ["TX2"], "precision": ["half", "FP32"], "mode": ["maxn"], "pruning": [100], "batch": [1, 8]}
    once = {what: iter(labels) for what, labels in asked.items()}
    assert rc.inputs("cifar10", topologies=iter(["CNV"]), **once).identical(
        rc.inputs("cifar10", topologies="CNV", **asked)
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("acme", "is text, with which no term computes; give a number in its place"),
        (np.datetime64("2026-01-01", "ns"), "is a date"),
        (np.timedelta64(1, "ns"), "is a time span"),
        (1j, "is a complex number"),
        (("batch", ["acme"]), "is text, with which no term computes; give numbers along batch"),
        (("layer", [1.0] * 4), "runs along 'layer', which no result has; give a number"),
    ],
)
def test_a_term_is_told_why_an_input_is_no_number(value, reason):
    inputs = rc.inputs("mnist", batch=[1]).assign(odd=value)
    with pytest.raises(AttributeError, match=f"`double`: the input 'odd' {reason}"):
        rc.Sweep(inputs, assumptions=rc.BOUND.with_term("double", lambda m: m["odd"] * 2))
    with pytest.raises(AttributeError, match="`double`: the model has no node 'other'"):
        rc.Sweep(inputs, assumptions=rc.BOUND.with_term("double", lambda m: m.other * 2))
    assert rc.Sweep(inputs, assumptions=rc.BOUND.with_term("double", lambda m: m.ops * (1 + hasattr(m, "odd"))))


def test_memory_on_the_chip_is_the_same_in_every_mode_and_unknown_where_no_row_says_it():
    row = {"platform": "P", "device_class": "GPU", "precision": "INT8", "peak_compute": 1e12, "memory_bandwidth": 1e9}
    modes = [row | {"mode": "fast", "on_chip_memory": "3 MB"}, row | {"mode": "eco"}, row | {"platform": "Q"}]
    for rows in (modes, modes[::-1]):
        inputs = rc.inputs("mnist", platforms=rows, batch=1)
        assert inputs.on_chip_memory.sel(platform="P").item() == 3e6
        assert np.isnan(inputs.on_chip_memory.sel(platform="Q").item())
    held = rc.Assumptions(weights="on chip")
    reason = rc.predict(inputs.assign(params=inputs.params * 1e3), assumptions=held).infeasible.sel(pruning=100)
    assert reason.sel(platform="P", mode="eco").item() == INFEASIBLE["does_not_fit_memory"]
    assert reason.sel(platform="Q", mode="default").item() != INFEASIBLE["does_not_fit_memory"]
