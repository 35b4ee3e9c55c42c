"""What is offered along one dim: the same figures, questions, rows and files as over the product of labels."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, MemoryLimitError, UnknownLabelError
from roofcube.model import inputs as inputs_module
from roofcube.model.offered import is_offered, product_bytes

TASKS = ("cifar10", "imagenet")


def same(one, other):
    one, other = xr.broadcast(one, other)
    return np.array_equal(one.values, other.transpose(*one.dims).values, equal_nan=one.dtype.kind == "f")


@pytest.mark.parametrize("assumptions", [rc.PUBLISHED, rc.BOUND])
@pytest.mark.parametrize("task", TASKS)
def test_predictions_are_the_same_in_either_layout(task, assumptions):
    product = rc.predict(rc.inputs(task), assumptions=assumptions)
    offered = rc.predict(rc.inputs(task, layout="offered"), assumptions=assumptions)
    assert is_offered(offered)
    laid = rc.as_offered(product)
    for name in offered.data_vars:
        assert same(offered[name], laid[name]), name


@pytest.mark.parametrize("task", TASKS)
def test_a_joined_cube_goes_there_and_back(task):
    cube = rc.benchmark(task)
    back = rc.as_product(rc.as_offered(cube))
    assert set(rc.diff(cube, back)["kind"]) <= {"values"}  # names, dims, types, units and words are the same
    for name in cube.data_vars:
        known = cube[name].values
        if name in ("top1", "top5"):
            # accuracy of a precision that nothing offers is not of the offers
            continue
        assert same(cube[name], back[name]), name
        assert known.dtype == back[name].dtype, name


def test_offers_are_named_by_what_they_are():
    cube = rc.inputs("cifar10", layout="offered")
    assert cube.sizes["offer"] == rc.datasets.load_platforms().height
    assert {"TX2 maxn FP16", "Ultra96-DPU INT8"} <= set(cube.offer.values)
    tx2 = cube.isel(offer=(cube.platform == "TX2") & (cube.precision == "FP16"))
    ranks = dict(zip(tx2["mode"].values.tolist(), tx2.mode_rank.values.tolist(), strict=True))
    assert ranks == {"maxn": 1, "maxp": 2, "maxq": 3}
    assert rc.as_offered(cube) is cube
    with pytest.raises(InvalidDataError, match="`cube`: expected some of the dims platform, mode, precision"):
        rc.as_offered(xr.Dataset({"ops": ("topology", [1.0])}))
    with pytest.raises(InvalidDataError, match="`layout`"):
        rc.inputs("cifar10", layout="sparse")


def test_rows_are_joined_by_the_labels_of_an_offer():
    rows = rc.datasets.load_measurements("imagenet")
    cube = rc.join(rc.predict(rc.inputs("imagenet", layout="offered")), rows)
    product = rc.benchmark("imagenet")
    assert int(cube.n_rows.sum()) + rc.unmatched(cube, rows).height == rows.height
    assert same(cube.measured_throughput, rc.as_offered(product).measured_throughput)
    assert same(cube.quality, rc.as_offered(product).quality)
    elsewhere = rows[:1].with_columns(platform=pl.lit("TX2"), mode=pl.lit("maxn"), precision=pl.lit("INT8"))
    assert rc.unmatched(cube, elsewhere)["reason"].to_list() == [
        "platform 'TX2', mode 'maxn', precision 'INT8' is not offered in the cube"
    ]


def test_every_question_has_the_same_answer():
    product = rc.benchmark("cifar10")
    offered = rc.as_offered(product)
    where = {"top1": (80, None), "platform": ["TX2", "NCS2", "ZCU104-FINN"]}
    for name in ("measured_throughput", "predicted_throughput"):
        one, other = (rc.best(cube, name, per="platform", where=where) for cube in (product, offered))
        assert one[name].to_series().to_dict() == other[name].to_series().to_dict()
        assert one.device_class_code.sizes == {"platform": 3}
    goals = {"measured_throughput": "max", "top1": "max"}
    fronts = [rc.pareto(cube, goals) for cube in (product, offered)]
    assert fronts[0].measured_throughput.values.tolist() == fronts[1].measured_throughput.values.tolist()
    assert int(rc.count(offered, where={"mode_rank": (2, None)})["count"]) == 220
    one, other = (rc.explain(cube, "measured_throughput", where={"top1": (80, None)}) for cube in (product, offered))
    assert one.runner_up.platform.item() == other.runner_up.platform.item()
    assert same(rc.as_offered(rc.efficiency(product)).efficiency, rc.efficiency(offered).efficiency)


def test_timed_and_never_counted_platforms_are_told_apart_in_either_layout():
    cube = rc.benchmark("cifar10")
    silent = cube.assign(measured_throughput=cube.measured_throughput.where(cube.platform != "TX2"))
    one, other = rc.efficiency(silent, at="batch"), rc.efficiency(rc.as_offered(silent), at="batch")
    assert one.attrs["derived_throughput"] == other.attrs["derived_throughput"] > 0


def test_files_keep_it(tmp_path):
    cube = rc.as_offered(rc.benchmark("cifar10"))
    for suffix in ("nc", "zarr"):
        rc.save(cube, tmp_path / f"cube.{suffix}")
        assert rc.diff(cube, rc.load(tmp_path / f"cube.{suffix}")).is_empty()


def test_calibrated_predictions_are_the_same():
    calibration = rc.calibrate(rc.datasets.load_measurements("cifar10"))
    product = rc.predict(rc.inputs("cifar10"), assumptions=calibration)
    offered = rc.predict(rc.inputs("cifar10", layout="offered"), assumptions=calibration)
    assert same(rc.as_offered(product).predicted_throughput, offered.predicted_throughput)


def test_figures_and_the_page_lay_it_out_again(tmp_path):
    cube = rc.as_offered(rc.benchmark("cifar10"))
    for name in ("heatmap", "efficiency", "overlap", "rooflines"):
        assert getattr(rc.plot, name)(cube) is not None
    page = rc.report(cube, tmp_path / "page.html").read_text()
    assert "could not be written from this cube" not in page
    assert "5</b> platforms measured" in page or "platforms measured" in page


def test_best_under_fifteen_watts_over_hardware_whose_modes_differ():
    names = rc.datasets.load_platforms(collection="devices")["platform"].unique(maintain_order=True).to_list()
    inputs = rc.inputs("imagenet", platforms=names, layout="offered", batch=1)
    assert inputs.sizes["offer"] == rc.datasets.load_platforms(collection="devices").height
    sweep = rc.Sweep(inputs)
    winner = sweep.best("predicted_throughput", where={"power": (None, 15)})
    assert float(winner.power) <= 15
    assert winner["mode"].item() in winner.offer.item() or winner["mode"].item() == "default"
    # the product of labels would be mostly empty
    assert product_bytes(inputs[["peak_compute"]]) > 50 * inputs.peak_compute.nbytes
    with rc.set_options(memory="1 MB"), pytest.raises(MemoryLimitError, match="the product of 77 platforms"):
        rc.as_product(rc.predict(inputs))


def test_tiles_of_many_layers_are_worked_out_by_the_model(monkeypatch):
    given = rc.inputs("imagenet", layout="offered")
    monkeypatch.setattr(inputs_module, "MOST_TILE_CELLS", 0)
    worked = rc.inputs("imagenet", layout="offered")
    assert "layer_tile_use" not in worked
    one, other = (rc.predict(each, assumptions=rc.BOUND) for each in (given, worked))
    np.testing.assert_allclose(one.predicted_throughput.values, other.predicted_throughput.values, rtol=1e-12)


def test_a_duration_is_missing_where_nothing_is_offered():
    offers = rc.inputs("cifar10", layout="offered")
    offers["soak"] = ("offer", np.full(offers.sizes["offer"], np.timedelta64(18_000, "s")))
    winner = rc.best(rc.as_product(offers), "soak", sense="min")
    assert winner["soak"].values == np.timedelta64(18_000, "s")
    assert np.isfinite(winner["peak_compute"])


@pytest.mark.parametrize("name", ["offer", "mode_rank"])
def test_what_the_layout_makes_replaces_nothing_of_the_users_own(name):
    inputs = rc.inputs("mnist").assign_coords({name: ("platform", np.arange(9))})
    with pytest.raises(InvalidDataError, match=f"expected nothing called '{name}', which the layout of offers makes"):
        rc.as_offered(inputs)


def test_what_was_measured_stays_offered_or_not():
    cube = rc.predict(rc.inputs("mnist", batch=[1]))
    platform, mode = cube["platform"].values[0], cube["mode"].values[0]
    peak = cube["peak_compute"].sel(platform=platform)
    precision = next(one for one in cube["precision"].values if bool(peak.sel(precision=one).isnull().all()))
    mine = xr.full_like(cube["predicted_throughput"], np.nan)
    mine.loc[{"platform": platform, "precision": precision, "mode": mode}] = 5.0
    laid = rc.as_offered(cube.assign(measured_throughput=mine))
    assert int(laid["measured_throughput"].notnull().sum()) == int(mine.notnull().sum())
    assert laid.sizes["offer"] == rc.as_offered(cube).sizes["offer"] + 1


def test_no_label_is_lost_of_what_only_some_dims_or_whole_numbers_tell():
    figures = {
        "x": (("platform", "mode"), [[1.0, np.nan], [np.nan, np.nan]]),
        "watts": ("platform", [5.0, 7.0]),
        "runs": (("platform", "mode"), [[1, 0], [0, 3]]),
    }
    cube = xr.Dataset(figures, {"platform": ["A", "B"], "mode": ["m", "n"]})
    assert rc.as_offered(cube)["offer"].values.tolist() == ["A m", "B n"]
    for part in (cube, cube.drop_vars("runs")):
        assert rc.best(rc.as_offered(part), "watts", sense="max")["platform"].item() == "B"
    whole = rc.benchmark("mnist")
    offers = [rc.as_offered(one).sizes["offer"] for one in (whole, whole.drop_vars("peak_compute"))]
    assert offers[0] == offers[1]  # codes say nothing of what there is


def test_two_offers_of_one_cell_have_no_product():
    labels = {"platform": ["A", "A", "B"], "mode": ["m"] * 3, "precision": ["INT8"] * 3}
    coords = {"offer": ["A stock", "A cooled", "B"]} | {name: ("offer", one) for name, one in labels.items()}
    cube = xr.Dataset({"speed": ("offer", [1.0, 2.0, 3.0])}, coords)
    with pytest.raises(InvalidDataError, match="'A stock' and 'A cooled'"):
        rc.as_product(cube)
    assert rc.as_product(cube.isel(offer=[1, 2]))["speed"].values.ravel().tolist() == [2.0, 3.0]


def test_where_nothing_is_offered_the_product_is_empty():
    board = {
        "platform": "Kite",
        "device_class": "NPU",
        "precision": "INT4",
        "peak_compute": "1 TOP/s",
        "memory_bandwidth": "1 GB/s",
    }
    cube = rc.predict(rc.inputs("mnist", platforms=[board], precision="FP32", batch=1, layout="offered"))
    assert (cube.sizes["offer"], rc.as_product(cube)["predicted_latency"].size) == (0, 0)


@pytest.mark.parametrize("per", [None, "pruning"])
def test_platforms_compete_along_offers_as_over_their_product(per):
    cube = rc.benchmark("mnist")
    one, other = (rc.crossover(each, "measured_latency", per=per) for each in (cube, rc.as_offered(cube)))
    assert one["winner"].equals(other["winner"])
    assert one["winner_code"].equals(other["winner_code"])
    assert one["gainer"].values.tolist() == other["gainer"].values.tolist()
    with pytest.raises(InvalidDataError, match="of the groups themselves"):
        rc.crossover(rc.as_offered(cube), "measured_latency", per="offer")
    with pytest.raises(UnknownLabelError, match="between"):
        rc.crossover(cube, "measured_latency", between=["platform"])
