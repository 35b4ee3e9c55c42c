from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.model.hardware import check_convertible, check_units, in_known_units
from roofcube.vocabulary import VARIABLES


def test_arrays_become_dims_and_scalars_stay():
    hardware = rc.hypothetical(
        peak_compute=[1e12, 2e12],
        memory_bandwidth=[1e10],
        memory_capacity=[1e9, 2e9],
        on_chip_memory=[0, 1e6],
        power=[1.0, 2.0],
    )
    dims = {name: array.dims for name, array in hardware.data_vars.items()}
    assert dims == {
        "peak_compute": ("peak",),
        "memory_bandwidth": ("bandwidth",),
        "memory_capacity": ("capacity",),
        "on_chip_memory": ("on_chip",),
        "power": ("watts",),
    }
    assert hardware["platform"].values.tolist() == ["hypothetical"]
    assert rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e9)["peak_compute"].ndim == 0


def test_peak_scales_with_bits():
    hardware = rc.hypothetical(peak_compute=[1e12], memory_bandwidth=1e9, peak_scaling="bits")
    peaks = hardware["peak_compute"].isel(peak=0).to_series()
    assert peaks["INT2"] == 4e12
    assert peaks["INT8"] == 1e12
    assert peaks["FP32"] == 0.25e12


@pytest.mark.parametrize("beside", [[], ["TX2"]])
@pytest.mark.parametrize("asked", [None, ["INT8", "FP16"], ["FP8"]])
def test_peak_scales_with_bits_where_power_is_known_at_one_precision(asked, beside):
    power = xr.DataArray([20.0], dims="precision", coords={"precision": ["INT8"]})
    mine = rc.hypothetical(name="mine", peak_compute=1e12, memory_bandwidth=1e9, peak_scaling="bits", power=power)
    inputs = rc.inputs("cifar10", platforms=[mine, *beside], precision=asked, mode="default" if beside else None)
    cube = rc.predict(inputs.sel(platform="mine"))
    for precision in inputs.precision.values.tolist():
        cells = cube.sel(precision=precision, pruning=100)
        assert cells.peak_compute.item() == {"INT2": 4e12, "INT4": 2e12, "FP16": 5e11, "FP32": 2.5e11}.get(
            precision, 1e12
        )
        assert np.isfinite(cells.predicted_throughput.values).any()
        assert np.isnan(cells.predicted_energy.values).all() == (precision != "INT8")
    alone = mine.sel(precision=["INT16"])
    assert rc.inputs("cifar10", platforms=alone).peak_compute.item() == 5e11


def test_a_dataarray_keeps_its_dims():
    own = xr.DataArray(np.full((2, 3), 1e12), dims=("chip", "clock"))
    assert rc.hypothetical(peak_compute=own, memory_bandwidth=1e9)["peak_compute"].dims == ("chip", "clock")


def test_predicts():
    cube = rc.predict(
        rc.inputs("cifar10", platforms=rc.hypothetical(peak_compute=[1e12], memory_bandwidth=[1e9, 1e10]))
    )
    assert "bandwidth" in cube["predicted_throughput"].dims


@pytest.mark.parametrize("bad", [np.ones((2, 2)), ["fast"]])
def test_unnamed_dims_and_text_are_refused(bad):
    with pytest.raises(InvalidDataError, match="expected a number"):
        rc.hypothetical(peak_compute=bad, memory_bandwidth=1e9)


def test_unknown_scaling_is_refused():
    with pytest.raises(InvalidDataError, match="peak_scaling"):
        rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e9, peak_scaling="byte")


def test_numbers_carry_units_and_sources():
    hardware = rc.hypothetical(
        name="mine", peak_compute=["1 TOP/s", 2e12], memory_bandwidth={"value": "19.2 GB/s", "source": "data sheet"}
    )
    assert hardware.peak_compute.values.tolist() == [1e12, 2e12]
    assert hardware.memory_bandwidth.item() == 19.2e9
    assert hardware.memory_bandwidth.attrs["source"] == "data sheet"
    with pytest.raises(InvalidDataError, match="`power`: expected the keys value and source, got watts"):
        rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e9, power={"watts": 5})
    with pytest.raises(InvalidDataError, match="`name`: expected a label, got ''"):
        rc.hypothetical(name="", peak_compute=1e12, memory_bandwidth=1e9)


@pytest.mark.parametrize(
    ("peak", "message"),
    [
        (40, 'got 40; if TOP/s is meant, write 4e\\+13, or "40 TOP/s"'),
        (4e4, "if GOP/s is meant"),
        ([1e12, -1.0], "got -1.0; give what the data sheet says"),
        (0, "got 0.0; give what"),
        (np.nan, "got nan; give a number"),
        (1e30, "no hardware has as much"),
        (
            "2,5 TOP/s",
            r"expected a number without commas, got '2,5 TOP/s'; write '2\.5 TOP/s', or leave out what parts",
        ),
        ("1 kOP/s", r"expected at least 1e\+06 op/s, got '1 kOP/s'; check number and unit: no hardware has as little"),
        ("40 furlongs", "expected a number in op/s or one with its unit, got '40 furlongs'"),
        ("1.5 tops", "got '1.5 tops'; write it like .40 TOP/s.; did you mean 1.5 TOPS"),
    ],
)
def test_what_no_hardware_has_is_refused(peak, message):
    with pytest.raises(InvalidDataError, match=f"`peak_compute`: .*{message}"):
        rc.hypothetical(peak_compute=peak, memory_bandwidth=1e9)


@pytest.mark.parametrize("peak", ["2 TOPS", "2 TOPs", "2 TOPs/s", "2 TFLOPs", "2 Tflops", "1 TMACs/s"])
@pytest.mark.parametrize("bandwidth", ["10 GB/s", "10 GBps", "80 Gbit/s"])
def test_spellings_of_data_sheets_are_read(peak, bandwidth):
    mine = rc.hypothetical(peak_compute=peak, memory_bandwidth=bandwidth)
    assert (float(mine.peak_compute), float(mine.memory_bandwidth)) == (2e12, 1e10)


def test_device_classes_are_spelt_and_judged_as_in_files():
    given = {"peak_compute": 1e12, "memory_bandwidth": 1e9}
    for said, kind in {" npu": "NPU", "analog in-memory": "analog in-memory"}.items():
        assert rc.hypothetical(**given, device_class=said).device_class.item() == kind
    with pytest.raises(InvalidDataError, match="`device_class`: got 'GPPU', which looks like 'GPU'"):
        rc.hypothetical(**given, device_class="GPPU")


def test_a_small_b_is_a_bit_or_a_byte():
    for bandwidth in ("80 Gb/s", "80 Gbps"):
        with pytest.raises(InvalidDataError, match="b may be a bit or a byte, say bit or B"):
            rc.hypothetical(peak_compute="2 TOP/s", memory_bandwidth=bandwidth)


@pytest.mark.parametrize(
    ("name", "factor", "unit"), [("power", 1e3, "mW"), ("params", 1e-6, "1e6"), ("ops", 1e-9, "Gop")]
)
def test_inputs_in_another_unit_are_refused(name, factor, unit):
    inputs = rc.inputs("mnist", platforms="TX2")
    changed = inputs.assign({name: (inputs[name] * factor).assign_attrs(units=unit)})
    for call in (rc.predict, rc.Sweep):
        with pytest.raises(InvalidDataError, match=rf"`{name}`: expected .*, got '{unit}'; convert it"):
            call(changed)


SPELT_OUT = [
    *(("measured_latency", one) for one in ("seconds", "sec", "second")),
    *(("memory_bandwidth", one) for one in ("bytes/s", "Bps")),
    *(("peak_compute", one) for one in ("ops/s", "OP/s", "FLOP/s")),
    *(("measured_throughput", one) for one in ("fps", "images/s")),
]


@pytest.mark.parametrize(("name", "unit"), SPELT_OUT)
def test_a_unit_that_is_spelt_out_is_its_own(name, unit):
    values = np.array([1.0, 2.0])
    cube = xr.Dataset({name: ("platform", values, {"units": unit, "source": "lab"})})
    check_units(cube)
    known = in_known_units(cube)[name]
    assert known.attrs == {"units": VARIABLES[name].units, "source": "lab"}
    assert np.shares_memory(known.values, values)


CONVERTED = [
    ("measured_throughput", 120.0, "images/min", 2.0, "1/s"),
    ("measured_throughput", 120.0, "tokens/min", 2.0, "token/s"),
    ("measured_throughput", 2.0, "token/s", 2.0, "token/s"),
    ("measured_top1", 0.94, "1", 94.0, "%"),
    ("top5", 0.94, "fraction", 94.0, "%"),
    ("efficiency", 50.0, "%", 0.5, "1"),
    ("efficiency", 50.0, "percent", 0.5, "1"),
    # what stands beside a figure is in its unit
    ("predicted_throughput_low", 120.0, "images/min", 2.0, "1/s"),
    ("measured_throughput_spread", 120.0, "images/min", 2.0, "1/s"),
    ("operational_intensity", 3.0, "FLOP/byte", 3.0, "op/B"),
    ("inputs_per_joule", 3.0, "FPS/W", 3.0, "1/J"),
    ("predicted_energy", 3.0, "mJ/input", 0.003, "J"),
    ("power_full", 3.0, "W (wall)", 3.0, "W (wall)"),
    ("power_full", 3.0, None, 3.0, None),
    ("params", 50.0, "parameters", 50.0, "parameters"),
]


@pytest.mark.parametrize(("name", "given", "unit", "value", "own"), CONVERTED)
def test_units_that_lead_to_the_own_are_converted(name, given, unit, value, own):
    known = in_known_units(xr.Dataset({name: ((), given, {"units": unit})}))[name]
    assert (known.item(), known.attrs["units"]) == (value, own)


@pytest.mark.parametrize(("name", "unit"), [("measured_latency", "cycles"), ("power_full", "dBm"), ("top1", 5)])
def test_a_unit_that_nothing_converts_is_refused(name, unit):
    cube = xr.Dataset({name: ((), 3.0, {"units": unit})})
    with pytest.raises(InvalidDataError, match=rf"`{name}`: expected a number in .*, got one in '?{unit}'?, which"):
        check_convertible(cube, [name])
    # what is not drawn may be in whatever it is
    check_convertible(cube, ["measured_throughput"])
    check_units(cube)


def test_models_take_units_in_their_own_words():
    inputs = rc.inputs("mnist", platforms="NCS2", batch=[1])
    inputs["power"].attrs["units"], inputs["ops"].attrs["units"] = "W (board)", "operations"
    assert rc.predict(inputs)["predicted_throughput"].notnull().any()


def test_datasets_made_by_hand_are_judged():
    inputs = rc.inputs("cifar10")
    for model in (rc.predict, rc.Sweep):
        with pytest.raises(InvalidDataError, match=r"`peak_compute`: .*if TOP/s is meant"):
            model(inputs.assign(peak_compute=inputs.peak_compute * 0 + 40))
    with pytest.raises(InvalidDataError, match=r"`power`: .*got -1\.0"):
        rc.inputs("cifar10", platforms=rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e9).assign(power=-1.0))
    relative = inputs.peak_compute.copy(data=inputs.peak_compute * 0 + 40).assign_attrs(units="1")
    assert rc.predict(inputs.assign(peak_compute=relative)).predicted_throughput.notnull().any()


@pytest.mark.parametrize("assumptions", [rc.PUBLISHED, rc.BOUND])
def test_mine_beside_a_real_chip_is_what_each_is_alone(assumptions):
    mine = rc.hypothetical(name="my chip", peak_compute=[1e11, 1e12], memory_bandwidth="19.2 GB/s", power=5)
    both = rc.predict(rc.inputs("cifar10", platforms=[mine, "TX2"]), assumptions=assumptions)
    assert both.platform.values.tolist() == ["my chip", "TX2"]
    real = rc.predict(rc.inputs("cifar10", platforms="TX2"), assumptions=assumptions)
    own = rc.predict(rc.inputs("cifar10", platforms=mine, precision=["FP16", "FP32"]), assumptions=assumptions)
    for name in ("predicted_throughput", "predicted_energy", "memory_required"):
        one = both[name].sel(platform="TX2", mode=real.mode)
        np.testing.assert_array_equal(*xr.broadcast(one, real[name].squeeze("platform", drop=True)))
        np.testing.assert_array_equal(*xr.broadcast(both[name].sel(platform="my chip", mode="default"), own[name]))
    winners = rc.crossover(both, "predicted_latency", along="peak")
    assert set(winners.winner.values.tolist()) <= {"TX2", "my chip"}


@pytest.mark.parametrize("weights", ["on chip", "on chip if it fits", "memory per batch"])
@pytest.mark.parametrize(
    "other", ["TX2", rc.hypothetical(name="g", peak_compute=1e12, memory_bandwidth=1e10, on_chip_memory=1e9)]
)
def test_a_design_that_tells_no_memory_on_the_chip_is_beside_others_what_it_is_alone(weights, other):
    mine = rc.hypothetical(name="mine", peak_compute=1e12, memory_bandwidth=1e10)
    asked = {"task": "mnist", "precision": ["INT8", "FP16"], "pruning": 100, "batch": [1, 16]}
    assumptions = rc.Assumptions(weights=weights, layers="per layer")
    alone = rc.predict(rc.inputs(platforms=mine, **asked), assumptions=assumptions)
    both = rc.inputs(platforms=[mine, other], **asked)
    found = rc.predict(both, assumptions=assumptions).sel(platform="mine", mode="default")
    for name in ("predicted_throughput", "predicted_latency", "infeasible"):
        np.testing.assert_array_equal(*xr.broadcast(found[name].squeeze(drop=True), alone[name].squeeze(drop=True)))
    for strategy in ("numpy", "bounds", "stream"):
        swept = rc.Sweep(both, assumptions=assumptions, strategy=strategy).sel(platform="mine", mode="default")
        best = swept.best("predicted_latency", per=["precision", "batch"])["predicted_latency"]
        np.testing.assert_allclose(best, found["predicted_latency"].squeeze().transpose(*best.dims), rtol=1e-5)


def test_two_platforms_of_one_name_are_refused():
    mine = rc.hypothetical(name="TX2", peak_compute=1e12, memory_bandwidth=1e9)
    with pytest.raises(InvalidDataError, match=r"'TX2' comes twice, from a table or name and from Dataset 1"):
        rc.inputs("cifar10", platforms=[mine, "TX2"])
    other = rc.hypothetical(name="b", peak_compute=[1e12, 3e12], memory_bandwidth=1e9)
    with pytest.raises(InvalidDataError, match=r"`peak_compute`: two of the Datasets .* different labels"):
        rc.inputs("cifar10", platforms=[rc.hypothetical(peak_compute=[1e12], memory_bandwidth=1e9), other])
    with pytest.raises(MissingInputError, match="Dataset 1 lacks `platform` or `peak_compute`"):
        rc.inputs("cifar10", platforms=[xr.Dataset({"power": 1.0}), "TX2"])


@pytest.mark.parametrize("precision", ["FP8", "bf16", "NVFP4", "w4a16"])
def test_every_precision_of_today_is_known(precision):
    hardware = rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e9, peak_scaling="bits")
    peak = rc.inputs("cifar10", platforms=hardware, precision=precision).peak_compute
    assert peak.item() == {"FP8": 1e12, "bf16": 5e11, "NVFP4": 2e12, "w4a16": 5e11}[precision]


def test_hardware_of_no_numbers_is_refused():
    for nothing in ([], np.array([]), xr.DataArray(np.zeros(0), dims="peak")):
        with pytest.raises(InvalidDataError, match="`peak_compute`: expected numbers, got none of them; give one"):
            rc.hypothetical(peak_compute=nothing, memory_bandwidth=1e9)


def test_a_precision_that_is_asked_for_twice_is_one():
    hardware = rc.hypothetical(peak_compute=1e12, memory_bandwidth=1e9, peak_scaling="bits")
    space = rc.inputs("mnist", platforms=hardware, precision=["INT8", "int8", "FP16"])
    assert space.precision.values.tolist() == ["INT8", "FP16"]


def test_equal_labels_of_an_axis_are_one():
    board = rc.hypothetical(peak_compute=["2 TOP/s", "1 TOP/s", "2000 GOP/s"], memory_bandwidth=[8e9, 8e9])
    assert board["peak_compute"].values.tolist() == board["peak"].values.tolist() == [2e12, 1e12]
    assert board.sizes["bandwidth"] == 1


def varying(what, dim, labels):
    values = xr.DataArray([1e12, 2e12], dims=dim, coords={} if labels is None else {dim: labels})
    return rc.hypothetical(**{"peak_compute": 1e13, "memory_bandwidth": 1e9, what: values})


@pytest.mark.parametrize("beside", [[], ["TX2"]])
@pytest.mark.parametrize(
    ("what", "dim", "labels", "asked"),
    [
        ("memory_bandwidth", "batch", [8, 1], {"batch": [1, 8]}),
        ("memory_bandwidth", "batch", [8, 1], {"batch": 1.0}),
        ("peak_compute", "topology", ["CNV", "MLP"], {"topologies": "MLP"}),
        ("peak_compute", "pruning", [50, 100], {"topologies": "CNV", "pruning": [100, 50]}),
        ("peak_compute", "precision", ["int8", "half"], {}),
    ],
)
def test_an_array_along_a_dim_of_the_model_is_read_by_its_labels(what, dim, labels, asked, beside):
    platforms = [varying(what, dim, labels), *beside]
    inputs = rc.inputs(platforms=platforms, **{"topologies": "CNV", "batch": 1, "precision": ["FP16", "INT8"]} | asked)
    values = inputs[what].sel(platform="hypothetical") if beside else inputs[what]
    given = dict(zip(["INT8", "FP16"] if dim == "precision" else labels, [1e12, 2e12], strict=True))
    for label in inputs[dim].values.tolist():
        assert np.nanmax(values.sel({dim: label}).values) == given[label]


@pytest.mark.parametrize(
    ("dim", "labels", "asked", "message"),
    [
        ("batch", [8, 1], {"batch": [4, 16]}, "a value at batch 4 and 16, got values at 8 and 1"),
        ("batch", [8, 1], {"batch": [1, 4, 8]}, "a value at batch 4, got"),
        ("topology", ["CNV", "MLP"], {"topologies": ["ResNet-50"]}, "a value at topology ResNet-50"),
        ("pruning", [50, 100], {"pruning": [100, 25]}, "a value at pruning 25"),
        ("batch", [1, 1], {}, "each label along 'batch' once, got 1 twice"),
        ("precision", ["fp16", "half"], {}, "got 'FP16' twice"),
        ("precision", None, {}, "expected labels along 'precision'"),
        ("batch", None, {}, "expected labels along 'batch'"),
        ("platform", ["a", "b"], {}, "expected no dim 'platform'"),
        ("layer", None, {}, "expected no dim 'layer'"),
    ],
)
def test_labels_that_an_array_lacks_are_told(dim, labels, asked, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.inputs(platforms=varying("peak_compute", dim, labels), **{"topologies": "CNV", "precision": "INT8"} | asked)


def test_a_peak_at_one_precision_is_not_that_at_any():
    peak = xr.DataArray(1e12, coords={"precision": "FP16"})
    with pytest.raises(InvalidDataError, match="expand_dims"):
        rc.hypothetical(peak_compute=peak, memory_bandwidth=1e9)
    hardware = rc.hypothetical(peak_compute=peak.expand_dims("precision"), memory_bandwidth=1e9)
    assert np.isnan(rc.inputs("mnist", platforms=hardware, precision="INT8").peak_compute.values).all()
