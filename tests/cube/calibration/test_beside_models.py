"""A calibration among other models and own labels: what one of them made stands beside none of the others."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingInputError
from roofcube.model.made import without_results
from roofcube.sweep.low_ends import at_low_ends

SEEN = [(100, 1, 900.0), (100, 4, 2100.0), (100, 8, 2700.0), (50, 1, 1800.0), (50, 4, 5200.0), (50, 8, 7000.0)]
ENDS = ["predicted_throughput_low", "predicted_throughput_high", "extrapolates"]
GOALS = {"predicted_throughput": "max", "memory_required": "min"}


def rows_of(platform, factor=1.0, **own):
    return [
        {
            "platform": platform, "topology": "CNV", "precision": "INT8", "pruning_percent": pruning, "batch": batch,
            "throughput_compute_per_s": factor * rate, **own,
        }
        for pruning, batch, rate in SEEN
    ]  # fmt: skip


def board(name, **more):
    return rc.hypothetical(name=name, peak_compute="2 TOP/s", memory_bandwidth="9 GB/s", **more)


@pytest.fixture(scope="module")
def inputs():
    boards = [board("Kite", power="4 W"), board("Heron", power="6 W")]
    return rc.inputs("cifar10", platforms=boards, precision="INT8", batch=[1, 4, 8], pruning=[100, 50])


@pytest.fixture(scope="module")
def calibration(inputs):
    return rc.calibrate([*rows_of("Kite"), *rows_of("Heron", 1.5)], inputs=inputs)


# calibrations side by side -------------------------------------------------------------------------------------------


def test_calibrations_have_names_of_their_own_that_files_keep(tmp_path, inputs, calibration):
    few = rc.calibrate(rows_of("Kite")[:3], inputs=inputs, name="few rows")
    assert (calibration.label, few.label) == ("calibrated", "few rows")
    few.save(tmp_path / "few.json")
    loaded = rc.load_calibration(tmp_path / "few.json")
    both = rc.predict(inputs, assumptions=[calibration, loaded])
    assert both.assumptions.values.tolist() == ["calibrated", "few rows"]
    xr.testing.assert_equal(
        both.predicted_latency.sel(assumptions="few rows", drop=True),
        rc.predict(inputs, assumptions=few).predicted_latency,
    )
    with pytest.raises(InvalidDataError, match=r"'few rows' twice; give one .*calibrate\(rows, name=\.\.\.\)"):
        rc.predict(inputs, assumptions=[few, loaded])
    for wrong in ("", "  ", None, 3):
        with pytest.raises(InvalidDataError, match="`name`: expected text, got"):
            rc.calibrate(rows_of("Kite"), inputs=inputs, name=wrong)


# what models made ----------------------------------------------------------------------------------------------------


def test_a_model_takes_the_inputs_of_a_calibrated_cube_and_nothing_that_was_predicted(inputs, calibration):
    cube = rc.predict(inputs, assumptions=calibration)
    assert rc.predict(cube).equals(rc.predict(inputs))
    assert rc.predict(cube, assumptions=[rc.BOUND, calibration]).equals(
        rc.predict(inputs, assumptions=[rc.BOUND, calibration])
    )
    both = rc.predict(inputs, assumptions=[calibration, rc.BOUND])
    assert rc.predict(both).equals(rc.predict(inputs))
    best = [rc.Sweep(one).best("predicted_energy") for one in (cube, inputs)]
    assert best[0].equals(best[1])
    assert without_results(both).identical(inputs.assign_attrs(both.attrs))


def test_own_terms_of_an_earlier_model_do_not_stand_beside_a_new_one(inputs):
    dear = rc.BOUND.with_term("cost", lambda model: model.power / model.predicted_throughput)
    dear = dear.with_term("twice", lambda model: 2 * model.cost)
    long = dear.with_term("long", lambda model: sum((model.cost**k for k in range(60)), model.cost))
    cube = rc.predict(inputs, assumptions=long)
    assert {"cost", "twice", "long"} <= set(cube.data_vars)
    assert rc.predict(cube).equals(rc.predict(inputs))
    assert rc.predict(cube, assumptions=[rc.BOUND, long]).equals(rc.predict(inputs, assumptions=[rc.BOUND, long]))
    # one that names no result is as true of another model
    own = cube.assign(price=("platform", [1.0, 2.0], {"formula": "list price * 0.9"}))
    assert rc.predict(own).price.values.tolist() == [1.0, 2.0]


def test_variables_of_the_users_own_stay_whatever_their_names(inputs):
    own = inputs.assign(extrapolates=("platform", [1.0, 2.0], {"long_name": "how far my model extrapolates"}))
    assert rc.predict(own).extrapolates.values.tolist() == [1.0, 2.0]


def test_the_listed_power_stays_beside_the_one_that_is_predicted(inputs, calibration):
    for models in (calibration, [rc.BOUND, calibration], [calibration, rc.BOUND], [calibration]):
        cube = rc.predict(inputs, assumptions=models)
        assert cube.listed_power.dims == ("platform",)
        assert cube.listed_power.values.tolist() == [4.0, 6.0]
    assert rc.predict(inputs.drop_vars("power"), assumptions=calibration).get("listed_power") is None


@pytest.mark.parametrize("alone", [True, False])
def test_watts_of_another_unit_are_found_beside_a_calibrated_cube(inputs, alone):
    wrong = [{**row, "power_full_w": 4000.0 if place == 0 else None} for place, row in enumerate(rows_of("Kite"))]
    with pytest.warns(UserWarning, match="the watts of 1 row are left out"):
        calibration = rc.calibrate(wrong, inputs=inputs)
    cube = rc.predict(inputs, assumptions=calibration if alone else [rc.PUBLISHED, calibration])
    assert rc.check(wrong, inputs=cube).filter(rule="power_unit_off").height == 1
    with pytest.warns(UserWarning, match="the watts of 1 row are left out"):
        rc.calibrate(wrong, inputs=cube)


def test_a_list_of_one_calibration_has_intervals_along_assumptions(inputs, calibration):
    cube = rc.predict(inputs, assumptions=[calibration])
    assert all("assumptions" in cube[name].dims for name in ENDS)


# where nothing can run -----------------------------------------------------------------------------------------------


def test_where_nothing_can_run_there_is_no_interval_and_no_choice_on_its_low_end():
    boards = [board("Fast", memory_capacity="4 MB"), board("Slow", memory_capacity="1 GB")]
    inputs = rc.inputs("cifar10", platforms=boards, precision="INT8", batch=[1, 8], pruning=[100, 50])
    rows = [*rows_of("Fast", 2.0), *rows_of("Slow")]
    cube = rc.predict(inputs, assumptions=rc.calibrate(rows, inputs=inputs)).sel(pruning=[100])
    assert (cube.infeasible.sel(platform="Fast") != 0).all()
    assert all(cube[name].sel(platform="Fast").isnull().all() for name in [*ENDS, "power"])
    assert int(rc.count(cube, where={ENDS[0]: (1, None)})["count"]) == 2
    assert rc.pareto(cube, {ENDS[0]: "max", "memory_required": "min"}).platform.values.tolist() == ["Slow"]
    # a cube that was saved before has ends there
    before = cube.assign({name: cube[name].fillna(1e9) for name in ENDS[:2]})
    assert str(rc.best(at_low_ends(before), "predicted_throughput").platform.values) == "Slow"


# labels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["product", "offered"])
def test_a_batch_of_its_own_for_each_label_is_predicted_at_that_batch(inputs, calibration, layout):
    if layout == "offered":
        inputs = rc.as_offered(inputs)
    dim = "offer" if layout == "offered" else "platform"
    each = xr.DataArray([1, 8], dims=dim)
    before = rc.predict(inputs.sel(batch=each), assumptions=calibration)
    after = rc.predict(inputs, assumptions=calibration).sel(batch=each)
    for name in ["predicted_throughput", "predicted_latency", "power", *ENDS]:
        np.testing.assert_array_equal(before[name].values, after[name].transpose(*before[name].dims).values)
    swept = rc.Sweep(inputs.sel(batch=each), assumptions=calibration, dtype="f8").best("predicted_throughput")
    assert float(swept.predicted_throughput) == float(after.predicted_throughput.max())


def test_rows_of_one_site_say_nothing_sure_of_another(inputs):
    along = inputs.assign(price=xr.DataArray([1.0, 2.0], dims="site", coords={"site": ["north", "south"]}))
    calibration = rc.calibrate(rows_of("Kite"), inputs=along.sel(site="north"))
    here = {"platform": "Kite", "mode": "default", "precision": "INT8", "topology": "CNV", "pruning": 100, "batch": 1}
    for cut, expected in (("north", 0), ("south", 1), (["south"], [1]), (["north", "south"], [0, 1])):
        cube = rc.predict(along.sel(site=cut), assumptions=calibration)
        assert cube.extrapolates.sel(here).values.tolist() == expected


def test_a_coordinate_of_the_inputs_replaces_no_table(inputs, calibration):
    plain = rc.predict(inputs, assumptions=calibration)
    named = inputs.assign_coords(low=("platform", [7.0, 8.0]))
    for name in ENDS:
        np.testing.assert_array_equal(rc.predict(named, assumptions=calibration)[name], plain[name])


def test_assumptions_are_no_label_of_the_users_own(inputs):
    cut = rc.predict(inputs, assumptions=[rc.PUBLISHED, rc.BOUND]).isel(assumptions=0)
    assert rc.calibrate(rows_of("Kite"), inputs=cut).own_labels == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one: one.drop_vars("pruning"), "expected a coordinate 'pruning'"),
        (lambda one: one.drop_vars("peak_compute"), "`peak_compute`: every model needs this variable"),
        (
            lambda one: one.isel(precision=0).assign_coords(precision=("platform", ["INT8", "INT4"])),
            "expected one precision or a dim of them, got one for each platform",
        ),
    ],
)
def test_what_a_calibration_cannot_tell_is_refused_by_name(inputs, calibration, change, told):
    with pytest.raises((InvalidDataError, MissingInputError), match=told):
        rc.predict(change(inputs), assumptions=calibration)


def test_a_batch_without_end_is_not_predicted(inputs, calibration):
    cube = rc.predict(inputs.assign_coords(batch=[1.0, 4.0, np.inf]), assumptions=calibration)
    assert cube.predicted_throughput.isel(batch=2).isnull().all()
    assert cube.predicted_throughput.isel(batch=1).notnull().all()


def test_tables_and_predict_say_what_they_cannot_take(inputs, calibration):
    with pytest.raises(InvalidDataError, match="`inputs`: expected a Dataset, got"):
        calibration.tables({"platform": ["Kite"]})
    with pytest.raises(InvalidDataError, match="`inputs`: expected none beside a Dataset"):
        calibration.predict(inputs, inputs=inputs)
    with pytest.raises(InvalidDataError, match="`measurements`: "):
        rc.calibrate(inputs.peak_compute)


@pytest.mark.parametrize("seconds", [0.0, -1.0, np.inf])
def test_an_initiation_interval_that_is_none_is_refused(inputs, calibration, seconds):
    row = {**rows_of("Kite")[0], "initiation_interval_s": seconds}
    with pytest.raises(InvalidDataError, match="row 0, column 'initiation_interval_s': expected seconds above 0"):
        calibration.predict([row], inputs=inputs)


# sweeps and fronts ---------------------------------------------------------------------------------------------------


def test_a_store_of_a_calibrated_sweep_holds_its_intervals(inputs, calibration, tmp_path):
    pytest.importorskip("zarr")
    cube = rc.predict(inputs, assumptions=calibration)
    stored = rc.Sweep(inputs, assumptions=calibration, dtype="f8").to_zarr(tmp_path / "sweep.zarr")
    assert set(stored.data_vars) == set(cube.data_vars)
    for name in ENDS:
        np.testing.assert_array_equal(stored[name].transpose(*cube[name].dims).values, cube[name].values)


def test_a_swept_winner_is_explained_with_the_interval_of_its_own_prediction():
    inputs = rc.inputs("cifar10", platforms=board("Kite", peak_scaling="bits"), precision=["INT4", "INT8", "FP32"])
    calibration = rc.calibrate(rows_of("Kite"), inputs=inputs.sel(precision=["INT8"]))
    where = {"precision": ["FP32"], "batch": [1]}
    swept, stored = (
        rc.explain(one, "predicted_throughput", where=where).winner
        for one in (
            rc.Sweep(inputs, assumptions=calibration, dtype="f8"),
            rc.predict(inputs, assumptions=calibration),
        )
    )
    for name in ("predicted_throughput", *ENDS[:2]):
        assert float(swept[name]) == float(stored[name])


@pytest.mark.parametrize("change", ["front", "stacked", "where", "offered"])
def test_a_configuration_errs_alike_however_its_labels_are_laid_out(inputs, calibration, change):
    shops = xr.DataArray([1.0, 1.0], dims="shop", coords={"shop": ["north", "south"]})
    cube = rc.predict(inputs, assumptions=calibration).drop_dims("layer").assign(price=shops)
    goals = {"predicted_throughput": "max", "predicted_latency": "min", "price": "min"}
    plain = rc.pareto(cube, goals, probability=True, ties="all")
    assert ((plain.probability_on_front > 0.02) & (plain.probability_on_front < 0.98)).any()
    other = {
        "front": lambda: rc.pareto(cube, goals, epsilon=10.0, ties="all"),
        "stacked": lambda: cube.stack(point=["platform", "pruning", "batch"]),
        "where": lambda: cube.where(cube.price < 5),
        "offered": lambda: rc.as_offered(cube),
    }[change]()
    found = rc.pareto(other, goals, probability=True, ties="all")
    labels = ["platform", "pruning", "batch", "shop"]
    key = [sorted(zip(*(one[name].values.tolist() for name in labels), strict=True)) for one in (plain, found)]
    assert key[0] == key[1]
    # other draws, the same chances
    order = [np.lexsort([one[name].values.astype(str) for name in labels]) for one in (plain, found)]
    chances = [one.probability_on_front.values[at] for one, at in zip((plain, found), order, strict=True)]
    np.testing.assert_allclose(chances[0], chances[1], atol=0.12)


def test_inputs_cut_to_one_platform_have_a_layout_of_offers():
    offered = rc.as_offered(rc.inputs("cifar10").sel(platform="TX2"))
    assert offered.mode_rank.dims == ("offer",)


# cubes that were predicted before, side by side ----------------------------------------------------------------------


def test_a_joined_cube_of_several_models_is_predicted_anew(inputs):
    joined = rc.join(rc.predict(inputs, assumptions=[rc.PUBLISHED, rc.BOUND]), rows_of("Kite"))
    assert "assumptions" in joined.efficiency.dims
    for models in ([rc.BOUND, rc.PUBLISHED], [rc.BOUND, rc.SERVING], [rc.BOUND], [rc.PUBLISHED, rc.BOUND, rc.SERVING]):
        again, fresh = (rc.predict(one, assumptions=models) for one in (joined, inputs))
        np.testing.assert_array_equal(again.predicted_throughput, fresh.predicted_throughput)
        assert again.assumptions.values.tolist() == fresh.assumptions.values.tolist()
    alone = rc.predict(joined)
    assert "assumptions" not in alone.dims
    assert "efficiency" not in alone
    assert "measured_throughput" in alone


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.assign(quality_of_life=("assumptions", [1.0, 2.0])),
        lambda one: one.expand_dims(assumptions=2),
        lambda one: one.assign_coords(assumptions=("platform", ["a", "b"])),
    ],
)
def test_what_lies_along_assumptions_already_is_refused_beside_other_models(inputs, change):
    with pytest.raises(InvalidDataError, match="`assumptions`: expected no variable of the inputs of that name"):
        rc.predict(change(inputs), assumptions=[rc.PUBLISHED, rc.BOUND])


def test_a_term_of_an_earlier_model_is_none_of_the_models_beside_a_new_one(inputs):
    priced = inputs.assign(price=2.0)
    before = rc.predict(priced, assumptions=rc.PUBLISHED.with_term("x", lambda model: model.price * 2))
    anew = rc.PUBLISHED.with_term("x", lambda model: model.price * 100)
    cube = rc.predict(before.assign(price=10.0), assumptions=[anew, rc.BOUND])
    np.testing.assert_array_equal(cube.x.values.ravel(), [1000.0, np.nan])
    assert cube.x.attrs["formula"] == "published: price * 100"


def test_terms_of_one_name_in_two_units_are_refused_side_by_side(inputs):
    slow = rc.PUBLISHED.with_term("t", lambda model: model.predicted_latency, units="s", sense="min")
    fast = rc.BOUND.with_term("t", lambda model: model.predicted_throughput, units="1/s", sense="max")
    with pytest.raises(InvalidDataError, match=r"`t`: expected the same units in all models, got 's' .* give one"):
        rc.predict(inputs, assumptions=[slow, fast])


def test_a_result_that_a_term_replaces_with_its_sense_stands_beside_other_models(inputs):
    half = rc.PUBLISHED.with_term(
        "predicted_throughput", lambda model: model.predicted_throughput / 2, units="1/s", sense="max"
    )
    for models in ([half, rc.BOUND], [rc.BOUND, half]):
        cube = rc.predict(inputs, assumptions=models)
        assert cube.predicted_throughput.attrs["formula"].startswith("published: ")
        assert rc.predict(cube).equals(rc.predict(inputs))


def test_a_term_is_known_by_its_formula_where_its_cube_was_cut_to_one_model(inputs):
    models = [
        rc.PUBLISHED.with_term("twice", lambda model: 2 * model.predicted_latency),
        rc.BOUND.with_term("twice", lambda model: model.predicted_latency * 2.0 + 0.0),
    ]
    cube = rc.predict(inputs, assumptions=models).isel(assumptions=0)
    assert "; bound: " in cube.twice.attrs["formula"]
    assert "twice" not in rc.predict(cube)


@pytest.mark.parametrize("name", ["", "USD/h of it", "lambda"])
def test_names_that_are_no_python_are_found_in_formulas(inputs, name):
    model = rc.PUBLISHED.with_term(name, lambda model: model.predicted_latency * 2).with_term(
        "twice", lambda model: 2 * model[name]
    )
    again = rc.predict(rc.predict(inputs, assumptions=model))
    assert name not in again
    assert name == "" or "twice" not in again


def test_merged_models_of_which_one_predicts_watts_are_inputs_again(inputs, calibration):
    merged = rc.merge(*(rc.predict(inputs, assumptions=[one]) for one in (rc.PUBLISHED, calibration)))
    assert rc.predict(merged).equals(rc.predict(inputs))


def test_watts_that_are_given_after_a_prediction_win(inputs, calibration):
    cube = rc.predict(inputs, assumptions=calibration).assign(power=("platform", [5.0, 5.0]))
    again = rc.predict(cube, assumptions=calibration)
    assert again.listed_power.values.tolist() == [5.0, 5.0]
    assert rc.predict(again).power.values.tolist() == [5.0, 5.0]


@pytest.mark.parametrize("name", ["listed_power", "extrapolates", "predicted_throughput_low"])
def test_inputs_may_not_be_called_as_what_a_calibration_makes(inputs, calibration, name):
    with pytest.raises(InvalidDataError, match=f"`{name}`: expected no input of that name, which a calibration makes"):
        rc.predict(inputs.assign({name: 3.0}), assumptions=calibration)


def test_a_coordinate_may_not_be_called_like_a_result(inputs):
    named = inputs.assign_coords(predicted_energy=("platform", [1.0, 2.0]))
    for ask in (rc.predict, rc.Sweep):
        with pytest.raises(InvalidDataError, match="`predicted_energy`: expected no input of that name"):
            ask(named)


def test_prose_in_an_attribute_called_formula_drops_nothing(inputs, calibration):
    for text in ("lower bound of the vendor", "3 USD per W of power", "a formula of the vendor", "see: power"):
        priced = inputs.assign(price=("platform", [1.0, 2.0], {"formula": text}))
        assert "price" in rc.predict(rc.predict(priced, assumptions=calibration))


def test_a_cube_cut_to_one_point_has_a_front_with_chances(inputs, calibration):
    one = rc.predict(inputs, assumptions=calibration).isel(platform=0, batch=0, pruning=0).squeeze(drop=True)
    front = rc.pareto(one.drop_dims("layer", errors="ignore"), GOALS, probability=True)
    assert front.probability_on_front.values.tolist() == [1.0]
    none = rc.pareto(
        one.drop_dims("layer", errors="ignore"), GOALS, probability=True, where={"predicted_latency": (1e9, None)}
    )
    assert none.sizes["point"] == 0


@pytest.mark.parametrize("name", ["USD/h", "a\\b", "", " x"])
def test_a_term_whose_name_no_store_keeps_is_refused_before_anything_is_written(inputs, name, tmp_path):
    pytest.importorskip("zarr")
    model = rc.PUBLISHED.with_term(name, lambda model: model.params * 2)
    with pytest.raises(InvalidDataError, match="expected a name "):
        rc.Sweep(inputs, assumptions=model).to_zarr(tmp_path / "sweep.zarr")
    assert list(tmp_path.iterdir()) == []


# offers --------------------------------------------------------------------------------------------------------------


def test_the_product_of_offers_gives_no_platform_the_power_of_another():
    rows = rc.datasets.load_measurements("mnist")
    inputs = rc.inputs("mnist", batch=[1, 8], platforms=["NCS2", "TX2", "EdgeTPU"])
    offered = rc.predict(rc.as_offered(inputs), assumptions=rc.calibrate(rows))
    product = rc.as_product(offered)
    assert "platform" in product.power.dims
    least = rc.best(product, "power", per="platform", sense="min")
    direct = rc.best(rc.predict(inputs, assumptions=rc.calibrate(rows)), "power", per="platform", sense="min")
    np.testing.assert_array_equal(least.power, direct.power)


def test_whole_numbers_of_the_users_own_are_missing_where_nothing_is_offered():
    inputs = rc.inputs("mnist", platforms=["NCS2", "TX2"]).assign(price=("platform", [100, 200]))
    product = rc.as_product(rc.as_offered(rc.predict(inputs)))
    assert float(rc.best(product, "price", sense="min").price) == 100
    assert int(rc.count(product, where={"price": (None, 50)})["count"]) == 0


def test_a_mode_that_is_not_offered_is_no_offer():
    inputs = rc.inputs("mnist", platforms=["NCS2", "TX2"]).copy(deep=True)
    inputs["mode_offered"].loc[{"platform": "TX2", "mode": "maxn"}] = 0
    best = [
        rc.best(rc.predict(one), "predicted_throughput", where={"platform": "TX2"}).mode.item()
        for one in (inputs, rc.as_offered(inputs))
    ]
    assert best[0] == best[1] != "maxn"


def test_what_is_predicted_is_an_offer_whether_it_was_measured_or_not():
    cube = rc.benchmark("mnist")[["predicted_throughput", "n_rows"]]
    assert int(rc.as_offered(cube).predicted_throughput.notnull().sum()) == int(
        cube.predicted_throughput.notnull().sum()
    )
