"""The user's own networks in `inputs`: labels that never merge, own tasks, accuracy, networks known by totals."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError, UnknownLabelError
from roofcube.vocabulary import INFEASIBLE

TOTALS = {"topology": ["SwinLike"], "ops": [9e9], "params": [28.3e6], "activations": [17e6]}
PLATFORM = pl.DataFrame(
    {
        "platform": ["G"], "device_class": ["GPU"], "family": ["G"], "mode": ["default"], "precision": ["FP16"], "executed_precision": ["FP16"],
        "peak_compute_op_per_s": [1.42e14], "memory_bandwidth_b_per_s": [9.36e11], "memory_capacity_b": [2.4e10], "listed_power_w": [None],
        "cores": [1], "weight_memory_b": [0.0], "channel_tile": [1], "weights_shared": [True], "dataflow": [False],
    },
    schema_overrides={"listed_power_w": pl.Float64},
)  # fmt: skip


def layers(name="Mine", kept=100):
    table = rc.datasets.load_layers().filter(pl.col("topology") == "CNV", pl.col("pruning_percent") == kept)
    return table.with_columns(topology=pl.lit(name))


def inputs(*tables, task=None, **more):
    return rc.inputs(task, **{"platforms": PLATFORM, "topologies": list(tables), "batch": [1, 1024], **more})


# labels ---------------------------------------------------------------------------------------------------------------


def test_two_sources_of_one_network_are_told_with_both_names(tmp_path):
    for folder, kept in (("a", 100), ("b", 50)):
        (tmp_path / folder).mkdir()
        layers("model", kept).with_columns(pruning_percent=pl.lit(100.0)).write_csv(tmp_path / folder / "model.csv")
    a, b = (rc.read_network(tmp_path / folder / "model.csv") for folder in "ab")
    told = r"`topologies`: 'model' at 100 % comes twice, from .*a/model\.csv and from .*b/model\.csv; give one another label"
    with pytest.raises(InvalidDataError, match=told):
        inputs(a, b)
    with pytest.raises(InvalidDataError, match=r"comes twice, from .*b/model.csv and from .*a/model.csv"):
        inputs(b, a)
    with pytest.raises(InvalidDataError, match="comes twice"):
        inputs(pl.concat([a, b]))
    renamed = rc.read_network(tmp_path / "b" / "model.csv", name="other")
    cube = inputs(a, renamed)
    assert cube.topology.values.tolist() == ["model", "other"]
    assert np.array_equal(cube.layer_ops.sum("layer"), cube.ops)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([layers("CNV"), "CNV"], r"'CNV' at 100 % comes twice, from the embedded tables and from table 1 of `topologies`"),
        ([layers(), layers()], r"'Mine' at 100 % comes twice, from table 1 of `topologies` and from table 2 of"),
        ([layers(), pl.DataFrame({"topology": ["Mine"], "ops": [1e9], "params": [1e6]})], r"'Mine' at 100 % comes twice"),
        ([pl.concat([layers(), layers()])], r"layer 0 of 'Mine' at 100 % is there twice in table 1 of `topologies`; keep one row"),
        ([pl.DataFrame({"topology": ["A"] * 2, "ops": [1e9] * 2, "params": [1e6] * 2})], r"'A' at 100 % is there twice"),
        ([layers("CNV").with_columns(pruning_percent=pl.lit(33.0)), "CNV"], r"'CNV' is of the task 'cifar10' in the embedded tables and of 'custom' in table 1"),
        ([pl.DataFrame({"topology": ["A"], "gops": [1]})], r"table 1 of `topologies` has no column 'ops', so it is neither a table of layers nor of totals; read it"),
        ([layers().drop("ops")], r"has no column 'ops'"),
    ],
)  # fmt: skip
def test_labels_never_merge_in_silence(tables, message):
    with pytest.raises(InvalidDataError, match=message):
        inputs(*tables)


def test_one_network_at_two_widths_may_come_from_two_tables():
    cube = inputs(layers(), layers(kept=50))
    assert cube.ops.sel(topology="Mine").values.tolist() == [469449728.0, 118922752.0]


def test_an_own_table_alone_may_have_an_embedded_name():
    assert float(inputs(layers("CNV", 50)).ops.squeeze()) == 118922752.0


# tasks ----------------------------------------------------------------------------------------------------------------


def test_an_own_task_is_a_task_like_the_embedded_ones():
    mine = rc.read_network(layers(), task="kws")
    other = rc.read_network(layers("Other"), task="vad")
    cube = rc.inputs("kws", platforms="TX2", topologies=mine)
    assert cube.attrs["task"] == "kws"
    assert cube.task.values.tolist() == ["kws"]
    assert cube.batch.size > 3
    with pytest.warns(UserWarning, match="left out 'Other' of another task than 'kws'") as told:
        both = rc.inputs("kws", platforms="TX2", topologies=pl.concat([mine, other]))
    assert both.topology.values.tolist() == ["Mine"]
    assert told[0].filename == __file__
    with pytest.raises(
        InvalidDataError, match="table 2 of `topologies` holds no network of the task 'kws', only of 'vad'"
    ):
        rc.inputs("kws", platforms="TX2", topologies=[mine, other])
    known = "cifar10, imagenet, mnist, zoo, accelerators, kws"
    with pytest.raises(UnknownLabelError, match=rf"`task`: 'kwz' is not known; did you mean 'kws'.*{known}"):
        rc.inputs("kwz", platforms="TX2", topologies=mine)
    # a table that names no task goes with any
    assert rc.inputs("cifar10", topologies=[layers(), "CNV"]).topology.values.tolist() == ["CNV", "Mine"]


# accuracy -------------------------------------------------------------------------------------------------------------


BY_PRECISION = pl.DataFrame(
    {"topology": ["A", "A"], "gmacs": [1, 2], "params": [1e6] * 2, "precision": ["INT8", "FP32"], "top1": [70.0, 71.0]}
)


@pytest.mark.parametrize("table", [layers(), BY_PRECISION])
@pytest.mark.parametrize("unsaid", ["", "custom", None])
def test_rows_without_a_task_are_of_the_task_of_their_network(table, unsaid):
    rest = [unsaid] * (table.height - 1)
    first, last = (rc.read_network(table.with_columns(task=pl.Series(one))) for one in (["kws", *rest], [*rest, "kws"]))
    whole = rc.read_network(table, task="kws")
    for network in (first, last):
        assert network["task"].unique().to_list() == ["kws"]
        xr.testing.assert_identical(inputs(network, task="kws"), inputs(whole, task="kws"))


@pytest.mark.parametrize("table", [layers(), BY_PRECISION, pl.concat([layers(), layers(kept=50)])])
def test_two_tasks_of_one_network_are_told_with_both(table):
    several = table.with_columns(task=pl.Series(["kws", *["KWS"] * (table.height - 1)]))
    message = "network '(Mine|A)': expected one task, got 'kws', 'KWS'; write one into all its rows, or say it with"
    with pytest.raises(InvalidDataError, match=f"`source`, {message}"):
        rc.read_network(several)
    assert rc.read_network(several, task="kws")["task"].unique().to_list() == ["kws"]
    read = rc.read_network(table).with_columns(task=several["task"])
    for task in ("kws", None):
        with pytest.raises(InvalidDataError, match=f"`topologies`: table 1 of `topologies`, {message}"):
            inputs(read, task=task)


def test_accuracy_of_an_own_network_ends_its_being_untrained():
    def told(**accuracy):
        table = rc.read_network(layers(), **accuracy)
        cube = rc.predict(rc.inputs(platforms="TX2", topologies=table, batch=1, mode="maxn"))
        return dict(zip(cube.precision.values.tolist(), cube.infeasible.squeeze().values.tolist(), strict=True)), cube

    untrained = INFEASIBLE["untrained"]
    assert told()[0] == {"FP16": untrained, "FP32": untrained}
    assert told(top1=87.0)[0] == {"FP16": 0, "FP32": 0}
    flags, cube = told(top1={"FP16": 86.5}, top5=99)
    assert flags == {"FP16": 0, "FP32": untrained}
    assert cube.top1.squeeze().values.tolist() == pytest.approx([86.5, np.nan], nan_ok=True)
    assert cube.top5.squeeze().values.tolist() == [99.0, 99.0]
    assert told(top1={"FP16": 86.5, "FP32": 88})[0] == {"FP16": 0, "FP32": 0}


def test_accuracy_at_one_precision_goes_before_that_at_all():
    table = rc.read_network(layers(), top1=87.0).with_columns(top1_int8_percent=pl.lit(86.0))
    cube = rc.inputs(platforms="TX2", topologies=table, precision=["INT8", "FP16"])
    assert cube.top1.squeeze().values.tolist() == [86.0, 87.0]


@pytest.mark.parametrize("figures", [(60.0, 70.0), (70.0, 60.0)])
@pytest.mark.parametrize("figure", ["top1", "top5"])
def test_two_accuracies_of_one_network_are_told_with_both(figure, figures):
    rows = {"topology": ["T", "T"], "ops": [1e9] * 2, "params": [1e6] * 2, "precision": ["INT8", "FP16"]}
    message = f"one {figure} of 'T' at 100 % at INT8, got {figures[0]:g} and {figures[1]:g}"
    with pytest.raises(InvalidDataError, match=message):
        inputs(pl.DataFrame(rows | {f"{figure}_int8_percent": figures}))
    with pytest.raises(InvalidDataError, match=message):
        inputs(pl.DataFrame(rows | {f"{figure}_percent": [figures[0], 50.0], f"{figure}_int8_percent": figures[1]}))
    same = inputs(pl.DataFrame(rows | {f"{figure}_int8_percent": [60.0, None], f"{figure}_percent": [60.0, 50.0]}))
    assert same[figure].sel(precision="FP16").item() == 50.0


# totals ---------------------------------------------------------------------------------------------------------------


def test_a_network_known_by_totals_has_no_made_up_activation_memory():
    cube = rc.predict(inputs(rc.read_network(TOTALS, top1=81.3)), assumptions=rc.BOUND).squeeze()
    assert cube.infeasible.values.tolist() == [0, 0]
    assert cube.memory_required.isnull().all()
    seconds = max(9e9 / 1.42e14, (28.3e6 + 17e6) * 2 / 9.36e11)
    assert float(cube.predicted_throughput.sel(batch=1)) == pytest.approx(1 / seconds)
    assert cube.counts_source.item() == "totals"
    known = rc.read_network({**TOTALS, "activation_memory": [1e6]}, top1=81.3)
    cube = rc.predict(inputs(known), assumptions=rc.BOUND).squeeze()
    assert float(cube.memory_required.sel(batch=1024)) == 28.3e6 * 2 + 1024 * 2e6


@pytest.mark.parametrize("assumptions", [rc.PUBLISHED, rc.BOUND, rc.SERVING])
def test_weights_that_do_not_fit_by_themselves_do_not_fit(assumptions):
    small = rc.hypothetical(name="small", peak_compute="1 TOP/s", memory_bandwidth="1 GB/s", memory_capacity="320 kB")
    network = rc.read_network(
        {"topology": ["Big"], "macs": [1e8], "params": [5e6], "activations": [1e6]}, task="kws", top1=90
    )
    space = rc.inputs("kws", platforms=small, topologies=network, batch=[1])
    assert int(rc.predict(space, assumptions=assumptions).infeasible.squeeze()) == INFEASIBLE["does_not_fit_memory"]


def test_what_the_totals_lack_is_told_where_it_is_needed():
    table = rc.read_network(
        {"topology": ["A", "B"], "ops": [9e9, 9e9], "params": [1e6, 1e6], "activations": [1e6, None], "top1": [80, 80]}
    )
    space = inputs(table)
    published = rc.predict(space)
    assert (published.infeasible == 0).all()
    bound = rc.predict(space, assumptions=rc.BOUND)
    assert set(bound.infeasible.sel(topology="A").values.ravel()) == {0}
    assert set(bound.infeasible.sel(topology="B").values.ravel()) == {INFEASIBLE["counts_not_known"]}
    assert bound.predicted_throughput.sel(topology="B").isnull().all()
    assert bound.predicted_throughput.sel(topology="A").notnull().all()
    sweep = rc.Sweep(space, assumptions=rc.BOUND, dtype="f8").best("predicted_throughput")
    assert str(sweep.topology.values) == "A"


def test_totals_stand_beside_layers_and_embedded_networks():
    cube = inputs(rc.read_network(TOTALS), layers(), "CNV").sel(pruning=100)
    assert cube.topology.values.tolist() == ["CNV", "Mine", "SwinLike"]
    assert np.array_equal(cube.layer_ops.sum("layer"), cube.ops)
    assert np.isnan(cube.activation_memory.sel(topology="SwinLike"))
    alone = rc.inputs("cifar10", platforms=PLATFORM, batch=[1, 1024]).sel(pruning=100, topology="CNV")
    for name in ("ops", "params", "activations", "activation_memory", "state"):
        assert float(alone[name]) == float(cube[name].sel(topology="CNV")) == float(cube[name].sel(topology="Mine"))


@pytest.mark.parametrize("beside", ["MLP", "CNV", "ResNet-50"])
def test_state_is_moved_in_the_layers_of_its_own_network(beside):
    rnn = {"ops": 1e9, "params": 1e5, "activations": 0.0, "activation_memory": 0.0, "state": 1e6}
    networks = [rc.read_network([{"topology": "rnn", **rnn}]), layers()]
    mine = rc.hypothetical(peak_compute="1 TOP/s", memory_bandwidth="1 GB/s")

    def of(*topologies):
        alone = inputs(*topologies, platforms=mine, precision="INT8", pruning=100, batch=1)
        return alone.assign(state=alone["state"].where(alone["topology"] != "Mine", 2e6))

    together = of(*networks, beside)
    cube = rc.predict(together, assumptions=rc.BOUND)
    swept = rc.Sweep(together, assumptions=rc.BOUND).best("predicted_latency", per="topology")
    np.testing.assert_allclose(swept["predicted_latency"], cube["predicted_latency"].squeeze(), rtol=1e-5)
    np.testing.assert_allclose(cube["predicted_latency"].sel(topology="rnn"), 1.1e-3)
    for network, name in zip(networks, ["rnn", "Mine"], strict=True):
        alone, found = rc.predict(of(network), assumptions=rc.BOUND).squeeze("topology"), cube.sel(topology=name)
        for one in ("predicted_latency", "predicted_throughput", "bound"):
            np.testing.assert_allclose(found[one], alone[one], rtol=1e-12)


def test_networks_of_which_nothing_is_printed_keep_their_own_counts_beside_those_of_a_site():
    totals = rc.read_network(TOTALS)
    given = inputs("CNV", "ResNet-50v15", layers(), totals, counts="site", pruning=100)
    told = given["counts_source"].squeeze("pruning")
    assert {one: told.sel(topology=one).item() for one in told["topology"].values} == {
        "CNV": "site", "ResNet-50v15": "layers", "Mine": "layers", "SwinLike": "totals",
    }  # fmt: skip
    assert "not the size" in given["params"].long_name
    cube = rc.predict(given)
    for network, name in (("CNV", "CNV"), ("ResNet-50v15", "ResNet-50v15"), (layers(), "Mine"), (totals, "SwinLike")):
        alone = inputs(network, counts="site", pruning=100)
        for one in ("ops", "params", "counts_source"):
            assert alone[one].item() == given[one].sel(topology=name).item()
        assert ("not the size" in alone["params"].long_name) == (name == "CNV")
        throughput = cube["predicted_throughput"].sel(topology=name)
        np.testing.assert_array_equal(throughput, rc.predict(alone)["predicted_throughput"].sel(topology=name))
        assert name == "CNV" or bool(throughput.notnull().all())
    exact = inputs("ResNet-50v15", layers(), totals, pruning=100)
    for one in ("ops", "params"):
        np.testing.assert_array_equal(exact[one], given[one].sel(topology=exact["topology"]))


def test_totals_that_differ_by_precision_carry_it():
    table = rc.read_network(
        {
            "topology": ["A", "A", "C"],
            "gmacs": [1, 2, 3],
            "params": [1e6] * 3,
            "precision": ["INT8", "FP32", None],
            "top1": [70, 71, 72],
        }
    )
    cube = rc.inputs(platforms=["TX2", "EdgeTPU"], topologies=table, batch=1)
    assert cube.ops.dims == ("topology", "pruning", "precision")
    assert cube.params.sel(topology="C").dims == ("pruning", "precision")
    ops = dict(zip(cube.precision.values.tolist(), cube.ops.sel(topology="A").squeeze().values.tolist(), strict=True))
    assert ops == pytest.approx({"INT8": 2e9, "FP16": np.nan, "FP32": 4e9}, nan_ok=True)
    assert cube.ops.sel(topology="C").squeeze().values.tolist() == [6e9] * 3
    for assumptions in (rc.PUBLISHED, rc.BOUND):
        done = rc.predict(cube.assign(activations=cube.ops, layer_activations=cube.layer_ops), assumptions=assumptions)
        reasons = done.infeasible.sel(platform="TX2", mode="maxn", topology="A").squeeze()
        assert int(reasons.sel(precision="FP16")) == INFEASIBLE["network_not_defined"]
        assert int(reasons.sel(precision="FP32")) == 0
    same = rc.read_network(
        {"topology": ["A", "A"], "ops": [1e9] * 2, "params": [1e6] * 2, "precision": ["INT8", "FP16"], "top1": [70, 71]}
    )
    cube = rc.inputs(platforms="TX2", topologies=same, precision=["INT8", "FP16"], batch=1)
    assert cube.ops.dims == ("topology", "pruning")
    assert cube.top1.squeeze().values.tolist() == [70, 71]


def test_a_calibration_takes_networks_known_by_totals_that_have_activations():
    calibration = rc.calibrate(rc.datasets.load_measurements("imagenet").filter(pl.col("platform") == "TX2"))
    table = rc.read_network(
        {
            "topology": ["A", "B"],
            "ops": [8e9, 8e9],
            "params": [25e6, 25e6],
            "activations": [22e6, None],
            "top1": [76, 76],
        }
    )
    cube = rc.predict(rc.inputs(platforms="TX2", topologies=table, batch=[1, 8], mode="maxn"), assumptions=calibration)
    known = cube.predicted_throughput.sel(topology="A").squeeze()
    assert (known > 1).all()
    assert (known < 1000).all()
    assert cube.predicted_throughput.sel(topology="B").isnull().all()


def test_a_task_that_no_network_says_is_told_with_what_to_say():
    net = rc.read_network({"topology": ["A"], "gmacs": [4.1], "mparams": [25.6]})
    with pytest.raises(
        UnknownLabelError, match=r"`task`: 'kws' is not known; .*say it: read_network\(..., task='kws'\)"
    ):
        rc.inputs("kws", topologies=net)


def test_what_must_be_said_of_the_counts_of_layers_stands_in_the_cube(tmp_path):
    row = {"kind": "fully_connected", "kernel_height": 1, "kernel_width": 1, "stride": 1, "in_height": 1, "in_width": 1}
    row |= {"out_height": 1, "out_width": 1, "in_channels": 8, "out_channels": 8, "ops": 128, "params": 64}
    row |= {"layer": 0, "name": "fc", "pruning_percent": 100.0, "input_elements": 8, "output_elements": 8, "groups": 1}
    kept = row | {"layer": 1, "kind": "embedding", "ops": 0, "input_elements": 0, "output_elements": 0, "note": "kept"}
    told = [row | {"topology": "A", "note": "one; two"}, kept | {"topology": "A"}, row | {"topology": "B", "note": ""}]
    nets = [rc.read_network([one for one in told if one["topology"] == name]) for name in "AB"]
    cubes = [rc.predict(rc.inputs(topologies=net, platforms="TX2", batch=1)) for net in nets]
    assert [cube.attrs.get("count_notes") for cube in cubes] == ["A: one, two; A: kept", None]
    assert rc.load(rc.save(rc.merge(*cubes), tmp_path / "both.nc")).attrs["count_notes"] == "A: one, two; A: kept"
    # weights that are in memory alone are never read
    assert cubes[0].params.max() == 128
