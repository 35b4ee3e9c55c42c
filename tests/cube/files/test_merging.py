from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError


@pytest.fixture(scope="module", autouse=True)
def _attributes_kept():
    """Arithmetic keeps attributes in any version of xarray, as it does of itself since 2025.11."""
    with xr.set_options(keep_attrs=True):
        yield


@pytest.fixture(scope="module")
def cube():
    return rc.benchmark("mnist")


def parts_of(cube):
    return [cube.sel(platform=[name]) for name in cube.platform.values]


def test_parts_merge_to_the_whole_with_types_flags_and_order(cube):
    turned = parts_of(cube)[::-1]
    both = rc.merge(*turned)
    assert both.platform.values.tolist() == cube.platform.values.tolist()[::-1]
    assert rc.diff(cube, both).height == 0
    assert {name: both[name].dtype for name in both.data_vars} == {name: cube[name].dtype for name in cube.data_vars}
    assert both.bound.attrs["flag_meanings"] == cube.bound.attrs["flag_meanings"]


def test_where_no_cube_has_a_value_it_is_told_so(cube):
    one = cube.sel(platform=["TX2"]).isel(batch=[0])
    other = cube.sel(platform=["NCS2"]).isel(batch=[1])
    both = rc.merge(one, other)
    corner = both.sel(platform="TX2").isel(batch=1)
    assert (corner.n_rows == 0).all()
    assert both.n_rows.dtype == cube.n_rows.dtype
    assert corner.measured_throughput.isnull().all()
    found = rc.merge(xr.Dataset({"at": ("p", [3])}, {"p": ["a"]}), xr.Dataset({"b": ("p", ["x"])}, {"p": ["b"]}))
    assert (found["at"].fillna(-9).values.tolist(), found["b"].values.tolist()) == ([3.0, -9.0], ["", "x"])


def test_labels_of_which_one_cube_says_no_unit_are_merged():
    said = PART.assign_coords(p=("p", [700.0], {"units": "MHz"}))
    assert rc.merge(said, PART.assign_coords(p=[800.0])).p.attrs == {"units": "MHz"}


def test_predictions_of_different_assumptions_are_not_mixed():
    one, other = (rc.inputs("mnist", platforms=name, batch=1) for name in ("TX2", "NCS2"))
    bound, published = rc.predict(one, assumptions=rc.BOUND), rc.predict(other)
    message = "`merge`: the cubes were predicted with the assumptions 'bound' and 'published'; predict them alike"
    with pytest.raises(InvalidDataError, match=message):
        rc.merge(bound, published)
    assert rc.merge(bound, other).attrs["assumptions"] == "bound"
    both = rc.merge(*(rc.predict(part, assumptions=[rc.BOUND, rc.PUBLISHED]) for part in (one, other)))
    assert both.sizes["assumptions"] == 2


def test_own_terms_of_one_name_but_two_formulas_are_not_mixed():
    def predicted(platform, factor):
        with_cost = rc.BOUND.with_term("cost", lambda model: factor / model.predicted_throughput)
        return rc.predict(rc.inputs("mnist", platforms=platform, batch=1), assumptions=with_cost)

    message = "cost is 2 / predicted_throughput in one cube and 2.0000001 / predicted_throughput in another"
    with pytest.raises(InvalidDataError, match=message):
        rc.merge(predicted("TX2", 2), predicted("NCS2", 2.0000001))
    both = rc.merge(predicted("TX2", 2), predicted("NCS2", 2))
    assert both.cost.attrs["formula"] == "2 / predicted_throughput"
    halved = rc.BOUND.with_term("predicted_throughput", lambda model: model.predicted_throughput / 2)
    slower = rc.predict(rc.inputs("mnist", platforms="EdgeTPU", batch=1), assumptions=halved)
    with pytest.raises(InvalidDataError, match="predicts in one cube and predicted_throughput / 2"):
        rc.merge(both, slower)


@pytest.mark.parametrize("others", [[], [rc.BOUND]])
def test_calibrations_of_one_name_are_not_mixed(others):
    rows = rc.datasets.load_measurements("mnist")
    first, second = rc.calibrate(rows), rc.calibrate(rows.head(200))
    one, other = (rc.inputs("mnist", platforms=name, batch=1) for name in ("TX2", "NCS2"))
    with pytest.raises(InvalidDataError, match=r"'calibrated', which are calibration on 406 rows, .* drop what"):
        rc.merge(*(rc.predict(part, assumptions=[*others, made]) for part, made in ((one, first), (other, second))))
    both = rc.merge(*(rc.predict(part, assumptions=[*others, first]) for part in (one, other)))
    assert first.description in both.attrs["model"]


def test_scalar_labels_are_dims_of_one_label(cube):
    first, *others = cube.platform.values
    both = rc.merge(cube.sel(platform=[first]), *(cube.sel(platform=name) for name in others))
    assert both.platform.values.tolist() == cube.platform.values.tolist()
    assert rc.diff(cube, both).height == 0


def test_scalar_labels_alone_are_refused(cube):
    with pytest.raises(InvalidDataError, match=r"platform is .* and other single labels; .* sel\(platform="):
        rc.merge(*(cube.sel(platform=name) for name in cube.platform.values))


@pytest.fixture(scope="module")
def labs(cube):
    other = cube.copy(deep=True)
    other["measured_throughput"] = other.measured_throughput * 2
    return rc.merge(cube.assign_attrs(title="Oslo"), other.assign_attrs(title="Bern"))


def test_measurements_that_disagree_stand_side_by_side(cube, labs):
    assert labs["lab"].values.tolist() == ["Oslo", "Bern"]
    assert labs.attrs["disagreement"].startswith("measured_throughput differ")
    assert labs.ops.dims == cube.ops.dims
    assert labs.n_rows.dtype == cube.n_rows.dtype
    known = cube.measured_throughput.notnull()
    ratio = labs.measured_throughput.sel(lab="Bern") / labs.measured_throughput.sel(lab="Oslo")
    assert (ratio.where(known, 2) == 2).all()


def test_labs_are_numbered_where_titles_do_not_tell_them_apart(cube):
    both = rc.merge(cube, cube.assign(measured_latency=cube.measured_latency * 2))
    assert both["lab"].values.tolist() == ["1", "2"]


@pytest.mark.parametrize("suffix", [".nc", pytest.param(".zarr", marks=pytest.mark.filterwarnings("ignore"))])
def test_a_merged_cube_is_saved_and_answered(tmp_path, labs, suffix):
    path = rc.save(labs, tmp_path / f"labs{suffix}")
    assert rc.diff(rc.load(path), labs).height == 0
    assert rc.verify(path)
    winner = rc.best(labs, "measured_throughput")
    assert str(winner["lab"].values) == "Bern"
    front = rc.pareto(labs, {"measured_throughput": "max", "measured_top1": "max"})
    assert set(np.unique(front["lab"].values)) == {"Bern"}


PART = xr.Dataset({"x": ("p", [1.0], {"units": "s"})}, coords={"p": ["a"]})


@pytest.mark.parametrize(
    ("cubes", "message"),
    [
        ([], "`merge`: expected cubes, got none"),
        ([PART, 3], "expected cubes, got a int as number 2; give them one by one"),
        (["a.nc", PART], "expected cubes, got a str as number 1; load it by roofcube.load"),
        (
            [PART, PART.map(lambda x: 2 * x, keep_attrs=True)],
            r"x hold different values for the same cell \(x at p a: 1.0 and 2.0\), and are no measurements",
        ),
        ([PART.assign(y=1.0), PART.assign(y=2.0)], r"same cell \(y 1.0 and 2.0\)"),
        ([PART.assign(y=("p", ["b"])), PART.assign(y=("p", ["c"]))], r"same cell \(y at p a: 'b' and 'c'\)"),
        ([PART, PART.expand_dims(q=2)], r"x has the dims \(p\) and \(q, p\)"),
        ([PART.assign(ops=("p", [1.0])), PART.assign(ops=("p", [1]))], "ops is float64 and int64; convert"),
        ([PART, PART.assign(x=("p", [1.0], {"units": "ms"}))], "x has the units s and ms; convert"),
        (
            [PART.assign_coords(p=("p", [clock], {"units": unit})) for clock, unit in ((700.0, "MHz"), (0.9, "GHz"))],
            "p has the units MHz and GHz; convert",
        ),
        ([PART, PART.assign_coords(p=[1])], "the labels of p are numbers and text"),
        (
            [PART.assign_coords(p=np.array([0.1], kind)) for kind in ("f4", "f8")],
            r"0.1 of p is float64 in one cube and rounded to float32 in another.*astype\('float32'\)",
        ),
        ([PART.drop_vars("p"), xr.concat([PART, PART], "p").drop_vars("p")], "the dim p has no labels in every cube"),
        ([PART.assign_coords(p=np.array([None])), PART], "cube 1 has a label missing in p"),
        ([xr.concat([PART, PART], "p")], "cube 1 has equal labels in p"),
    ],
)
def test_what_cannot_be_merged_is_refused_with_the_reason(cubes, message):
    with xr.set_options(keep_attrs=True), pytest.raises(InvalidDataError, match=message):
        rc.merge(*cubes)


def test_a_lab_more_is_merged_with_those_there_are(cube, labs):
    third = cube.assign(measured_throughput=cube.measured_throughput * 4)
    more = rc.merge(labs, third.assign_attrs(title="Wien"))
    assert more["lab"].values.tolist() == ["Oslo", "Bern", "Wien"]
    assert more.measured_throughput.dims == labs.measured_throughput.dims
    xr.testing.assert_equal(more.sel(lab=["Oslo", "Bern"]).measured_latency, labs.measured_latency)
    ratio = more.measured_throughput.sel(lab="Wien") / more.measured_throughput.sel(lab="Oslo")
    assert set(ratio.values[np.isfinite(ratio.values)]) == {4.0}
    assert rc.merge(more, third.assign_attrs(title="Wien"))["lab"].values.tolist() == ["Oslo", "Bern", "Wien"]
    again = rc.merge(third.assign_attrs(title="Oslo"), labs, rc.predict(rc.inputs("mnist")))
    assert again["lab"].values.tolist() == ["1", "Oslo", "Bern"]


def test_columns_of_the_rows_stand_side_by_side_too(cube):
    rows = {"topology": ["MLP"], "platform": ["NCS2"], "precision": ["FP16"], "batch": [1], "latency_compute_s": [0.01]}
    base = rc.predict(rc.inputs("mnist", platforms=["NCS2"]))
    joined = [
        rc.join(base, rc.read_measurements({**rows, "driver": [driver], "lab": [lab]})).assign_attrs(title=lab)
        for lab, driver in (("Oslo", "1.0"), ("Bern", "2.0"))
    ]
    both = rc.merge(*joined)
    assert both["lab"].values.tolist() == ["Oslo", "Bern"]
    cell = both.sel(platform="NCS2", topology="MLP", precision="FP16", batch=1, pruning=100).squeeze()
    assert cell.driver.values.tolist() == ["1.0", "2.0"]
    assert cell.given_lab.values.tolist() == ["Oslo", "Bern"]
    assert cell.measured_latency.values.tolist() == [0.01, 0.01]


def test_a_second_disagreement_is_refused(labs):
    with pytest.raises(InvalidDataError, match="for the same cell of one 'lab'; give it another label"):
        rc.merge(labs, labs.assign(measured_latency=labs.measured_latency * 2))


def test_a_result_above_the_limit_is_refused(cube):
    with rc.set_options(memory="1 kB"), pytest.raises(MemoryLimitError, match="`merge`: expected a result within"):
        rc.merge(cube, cube)


def test_networks_of_other_depths_are_merged_as_inputs_would_lay_them_out():
    parts = [rc.inputs(task, platforms="TX2", batch=[1, 8]) for task in ("mnist", "cifar10")]
    assert len({part.sizes["layer"] for part in parts}) == 2
    merged = rc.merge(*parts)
    whole = rc.inputs(platforms="TX2", topologies=merged.topology.values.tolist(), batch=[1, 8])
    title = [("", "attrs", "title: Model inputs and None")]  # the parts' titles tell their tasks
    assert rc.diff(whole, merged).select("variable", "kind", "detail").rows() == title
    predictions = [rc.predict(part, assumptions=rc.BOUND) for part in parts]
    found = rc.diff(rc.predict(whole, assumptions=rc.BOUND), rc.merge(*predictions))
    assert found.select("variable", "kind", "detail").rows() == title


def test_layers_of_which_a_cube_knows_less_are_not_made_up(cube):
    other = cube.isel(layer=slice(2)).drop_vars("layer_params")
    with pytest.raises(InvalidDataError, match="the dim layer has no labels in every cube, and not the same size"):
        rc.merge(cube, other)


def board(name, peak="1 TOP/s", batch=1, **others):
    """Predict one network on a board of its own; its figures have no dim platform."""
    network = rc.read_network(
        {"topology": ["W"], "mmacs": [42.0], "params": [1.1e6], "activations": [0.9e6]}, task="kws"
    )
    hardware = rc.hypothetical(name=name, peak_compute=peak, memory_bandwidth="8.5 GB/s", **others)
    return rc.predict(rc.inputs("kws", platforms=hardware, topologies=network, precision="INT8", batch=batch))


def test_what_one_board_has_is_not_given_to_the_other():
    cubes = board("Kite", power="4 W"), board("Hawk")
    for both in (rc.merge(*cubes), rc.merge(*cubes[::-1]).sel(platform=["Kite", "Hawk"])):
        assert both.power.dims == ("platform",)
        np.testing.assert_array_equal(both.power, [4.0, np.nan])
        assert both.predicted_energy.dims == ("platform", "topology", "pruning", "precision")
        assert both.predicted_energy.isnull().values.ravel().tolist() == [False, True]
        assert not rc.best(both, "predicted_energy", where={"platform": "Hawk"}).found
        assert both.predicted_throughput.dims == ("topology", "pruning", "precision")  # the same on both
    assert rc.merge(cubes[0], cubes[0].drop_vars("power")).power.dims == ()


def test_boards_that_differ_get_the_dim_and_do_not_contradict_each_other():
    kite = board("Kite", power="4 W", memory_capacity="500 kB").assign(price=100)
    hawk = board("Hawk", "2 TOP/s", power="4 W").assign(price=200)
    both = rc.merge(kite, hawk)
    assert (both.price.dims, both.price.values.tolist()) == (("platform",), [100, 200])
    assert both.peak_compute.values.tolist() == [1e12, 2e12]
    np.testing.assert_array_equal(both.memory_capacity, [5e5, np.nan])
    assert both.power.dims == ()
    assert both.ops.dims == ("topology", "pruning")
    alone = rc.merge(kite.drop_vars("price"), hawk)
    np.testing.assert_array_equal(alone.price, [np.nan, 200])
    with pytest.raises(InvalidDataError, match=r"price hold different values .* \(price 100\.0 and 300\.0\)"):
        rc.merge(hawk, kite, kite.assign(price=300))
    assert rc.merge(hawk, kite, kite.drop_vars("price")).price.values.tolist() == [200, 100]


def test_a_variable_gets_the_dims_that_it_may_depend_on_and_no_more(cube):
    one, other = cube.sel(platform=["TX2"]).isel(batch=[0]), cube.sel(platform=["NCS2"]).isel(batch=[1])
    both = rc.merge(one.assign(price=100.0), other.assign(price=200.0))
    assert {name: both[name].dims for name in cube.variables} == {name: cube[name].dims for name in cube.variables}
    assert both.price.dims == ("platform", "batch")
    np.testing.assert_array_equal(both.price, [[100.0, np.nan], [np.nan, 200.0]])
    cubes = [
        xr.Dataset({"measured_latency": ("platform", [1.0])}, {"platform": [name], "batch": [batch]})
        for name, batch in (("Kite", 1), ("Hawk", 8))
    ]
    assert rc.merge(*cubes).measured_latency.isnull().values.tolist() == [[False, True], [True, False]]
    # of several batches each price is shown to be the same
    one, other = cube.sel(platform=["TX2"]).isel(batch=[0, 1]), cube.sel(platform=["NCS2"]).isel(batch=[1, 2])
    assert rc.merge(one.assign(price=100.0), other.assign(price=200.0)).price.values.tolist() == [100.0, 200.0]


def test_a_variable_that_lacks_a_dim_of_its_cube_is_the_same_along_it():
    labels = {"p": ["a"], "q": [1, 2]}
    both = rc.merge(
        xr.Dataset({"x": ("p", [1.0])}, labels), xr.Dataset({"x": (("p", "q"), [[2.0, 3.0]])}, {**labels, "p": ["b"]})
    )
    assert both.x.transpose("p", "q").values.tolist() == [[1.0, 1.0], [2.0, 3.0]]


FLAG = {"flag_values": [-1, 0, 1], "flag_meanings": "none slow fast"}


@pytest.mark.parametrize(
    ("one", "other", "attrs"),
    [
        (True, False, {}),
        (np.uint8(0), np.uint8(7), {}),
        (-1, 4, {}),
        (-1, 1, {**FLAG, "flag_meanings": "low middle high"}),
        (0, 1, FLAG),
    ],
)
def test_a_value_that_is_one_does_not_give_way(one, other, attrs):
    cubes = [xr.Dataset({"x": ("p", [value], attrs)}, {"p": ["a"]}) for value in (one, other)]
    for pair in (cubes, cubes[::-1]):
        with pytest.raises(InvalidDataError, match="x hold different values for the same cell"):
            rc.merge(*pair)


@pytest.mark.parametrize(
    ("name", "nothing", "value", "attrs"),
    [("x", np.int8(-1), np.int8(1), FLAG), ("n_rows", 0, 3, {}), ("mode_offered", 0, 1, {}), ("x", "", "b", {})],
)
def test_what_stands_for_no_value_gives_way(name, nothing, value, attrs):
    cubes = [xr.Dataset({name: ("p", [one], attrs)}, {"p": ["a"]}) for one in (nothing, value)]
    assert rc.merge(*cubes)[name].item() == rc.merge(*cubes[::-1])[name].item() == value


def test_scalar_labels_that_are_not_known_are_equal_and_others_become_a_dim_as_it_says():
    one, other = PART.assign_coords(run=np.nan), PART.assign_coords(run=2.0)
    assert np.isnan(rc.merge(one, one).run)
    with pytest.raises(InvalidDataError, match=r"run is nan and other single labels; .* expand_dims\('run'\)"):
        rc.merge(one, other)
    assert rc.merge(*(cube.expand_dims("run") for cube in (one, other))).x.sizes == {"run": 2, "p": 1}


def test_own_whole_numbers_and_truths_are_not_known_where_no_cube_tells_them():
    mine = rc.predict(rc.inputs("mnist", platforms="TX2"))
    mine = mine.assign(
        price=("platform", np.array([400])), nice=("platform", [True]), ports=("platform", np.array([3], "u1"))
    )
    merged = rc.merge(mine, rc.predict(rc.inputs("mnist", platforms="NCS2")))
    for name, value in {"price": 400.0, "nice": 1.0, "ports": 3.0}.items():
        np.testing.assert_array_equal(merged[name].values, [value, np.nan])
    assert rc.best(merged, "price", sense="min").platform.item() == "TX2"
    assert merged["infeasible"].dtype.kind == "i"
    third = rc.predict(rc.inputs("mnist", platforms="EdgeTPU")).assign(
        price=("platform", np.array([75])), nice=("platform", [False])
    )
    for both in (rc.merge(merged, third), rc.merge(third, merged)):
        prices = both.price.max([dim for dim in both.price.dims if dim != "platform"])
        np.testing.assert_array_equal(prices.sel(platform=["TX2", "NCS2", "EdgeTPU"]), [400.0, np.nan, 75.0])


def two_batches():
    rows = {"topology": "MLP", "platform": "NCS2", "precision": "FP16", "pruning_percent": 100.0}
    table = [rows | {"batch": batch, "throughput_compute_per_s": speed} for batch, speed in ((1, 90.0), (8, 190.0))]
    space = rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 8], pruning=[100])
    return rc.join(rc.predict(space), table)[["measured_throughput"]]


def test_what_one_cube_labels_is_not_matched_by_place_in_another():
    cube = two_batches()
    with pytest.raises(InvalidDataError, match="`merge`: the dim batch has no labels in every cube; give it labels"):
        rc.merge(cube.drop_vars("batch"), cube.isel(batch=[1, 0]))


def test_efficiencies_under_other_assumptions_are_not_merged():
    rows = rc.datasets.load_measurements("cifar10")
    one, other = (
        rc.join(rc.predict(rc.inputs("cifar10", platforms=platform), assumptions=assumptions), rows)[["efficiency"]]
        for platform, assumptions in (("NCS2", rc.PUBLISHED), ("TX2", rc.BOUND))
    )
    with pytest.raises(InvalidDataError, match="predicted with the assumptions 'published' and 'bound'"):
        rc.merge(one, other)


def test_a_cube_of_labs_has_no_lab_s_title_and_keeps_its_order():
    labs = [(two_batches() * factor).assign_attrs(title=title) for title, factor in (("x", 1), ("y", 2), ("z", 3))]
    order = "platform mode topology pruning precision batch"
    labs = [one.assign_attrs(dim_order=order) for one in labs]
    for merged in (rc.merge(*labs), rc.merge(rc.merge(*labs[:2]), labs[2])):
        assert merged.lab.values.tolist() == ["x", "y", "z"]
        assert merged.attrs["dim_order"] == "platform mode topology pruning precision lab batch"
        assert "title" not in merged.attrs


def test_labels_that_cubes_spell_in_two_ways_are_told():
    cube = two_batches()
    with pytest.warns(UserWarning, match="the labels 'NCS2' and 'ncs2' of platform, of different cubes, are one name"):
        both = rc.merge(cube, cube.assign_coords(platform=["ncs2"]))
    assert both.platform.values.tolist() == ["NCS2", "ncs2"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of a cube that tells them apart nothing is asked
        rc.merge(both, cube)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.array([1, None], "Int64"), "f8"),
        (pd.array([1, 2], "Int8"), "i1"),
        (pd.array([True, None], "boolean"), "f8"),
        (pd.array([True, False], "boolean"), "?"),
        (pd.array(["u", None], "string"), "O"),
        (pd.Categorical(["u", None]), "O"),
        (pd.Categorical([3, 4]), "i8"),
    ],
)
def test_arrays_of_pandas_are_merged_as_numbers_truths_and_text(values, kind):
    cube = xr.Dataset({"x": ("p", values)}, {"p": pd.CategoricalIndex(["a", "b"])})
    known = pd.notna(values)
    for merged in (rc.merge(cube, cube), rc.merge(cube.isel(p=[0]), cube.isel(p=[1]))):
        assert merged["x"].dtype == kind
        assert merged["p"].values.tolist() == ["a", "b"]
        assert merged["x"].notnull().values.tolist() == known.tolist()
        assert merged["x"].values[known].tolist() == list(values[known])


@pytest.mark.parametrize("other", ["TX2", "Lark"])
def test_a_hypothetical_platform_alone_is_in_the_mode_that_it_has_beside_others(other):
    kite, lark = (
        rc.hypothetical(name=name, peak_compute="1 TOP/s", memory_bandwidth="8 GB/s") for name in ("Kite", "Lark")
    )
    kind = {"precision": ["INT8", "FP16"], "batch": [1, 2]}
    several = [kite, lark] if other == "Lark" else [kite, other]
    alone, both = (rc.predict(rc.inputs("mnist", platforms=each, **kind)) for each in (kite, several))
    beside = both.sel(platform=[other]) if other == "TX2" else both
    for cubes in ((alone, beside), (beside, alone), (alone.isel(platform=0), beside)):
        merged = rc.merge(*cubes)
        for name in ("peak_compute", "mode_offered", "predicted_throughput", "predicted_latency"):
            wanted = both[name].transpose(*merged[name].dims).reindex_like(merged[name])
            assert merged[name].variable.equals(wanted.variable), name
    row = {
        "pruning_percent": 100.0,
        "topology": "MLP",
        "platform": "Kite",
        "precision": "INT8",
        "mode": "default",
        "batch": 1,
    }
    assert int(rc.join(rc.merge(alone, beside), [row | {"throughput_compute_per_s": 100.0}])["n_rows"].sum()) == 1


def test_numbers_as_given_are_texts_beside_those_of_another_cube(tmp_path):
    cube = rc.predict(rc.inputs("mnist", platforms="NCS2", precision="FP16", batch=[1, 2]))
    head = "topology,platform,mode,precision,batch,throughput_compute_per_s,firmware\n"
    for batch, label in ((1, "1.1"), (2, "1.10")):
        (tmp_path / f"{batch}.csv").write_text(f"{head}MLP,NCS2,default,FP16,{batch},10,{label}\n")
    first, second = (rc.join(cube, tmp_path / f"{batch}.csv") for batch in (1, 2))
    for pair in ((first, second), (second, first)):
        merged = rc.merge(*pair).sel(topology="MLP", pruning=100).squeeze()
        assert merged.firmware.sel(batch=1).item() == "1.1"
        assert merged.firmware.sel(batch=2).item() == "1.10"
