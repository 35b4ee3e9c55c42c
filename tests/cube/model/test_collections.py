"""Inputs of collections beside the benchmark: by task and by name, layers of one shape laid down together."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube import datasets
from roofcube.errors import UnknownLabelError


@pytest.fixture(scope="module")
def zoo():
    return rc.inputs("zoo")


def test_a_task_brings_its_platforms_networks_and_batches(zoo):
    assert set(zoo.platform.values) == set(datasets.load_platforms(collection="zoo")["platform"])
    assert zoo.sizes["topology"] == datasets.load_topologies(collection="zoo").height
    assert zoo.batch.values.tolist() == sorted(datasets.load_measurements("zoo")["batch"].unique())
    assert {"vector_elements", "kernels"} <= set(zoo.data_vars)
    assert set(np.unique(zoo.counts_source)) == {"layers", "totals"}


def test_platforms_and_networks_of_any_collection_go_together_by_name():
    both = rc.inputs(platforms=["TX2", "RTX4090"], topologies=["CNV", "vgg16@224"], pruning=100)
    assert both.platform.values.tolist() == ["TX2", "RTX4090"]
    assert both.task.values.tolist() == ["cifar10", "zoo"]
    assert float(rc.inputs("imagenet", platforms="RTX4090").peak_compute.max()) == 330e12
    with pytest.raises(UnknownLabelError, match="`topology`: 'vgg16@225' is not known; did you mean 'vgg16@224'"):
        rc.inputs(topologies=["vgg16@225"])
    with pytest.raises(UnknownLabelError, match="`topology`: 'CNV' is not known"):
        rc.inputs("zoo", topologies=["CNV"])
    with pytest.raises(UnknownLabelError, match="`platform`: 'RTX4091' is not known; did you mean"):
        rc.inputs("zoo", platforms=["RTX4091"])


def test_layers_of_one_shape_together_give_the_same_predictions(zoo):
    names = ["resnet50@224", "vit_base_patch16_224@224", "sequencer2d_s@224", "mobilenetv3_large_100@224"]
    apart = rc.inputs("zoo", topologies=names)
    together = zoo.sel(topology=apart.topology)
    assert together.sizes["layer"] < apart.sizes["layer"]
    assert "layer_repeats" not in apart
    assert together.layer_repeats.sum("layer").values.ravel().tolist() == [
        datasets.load_layers(collection="zoo").filter(pl.col("topology") == name).height
        for name in together.topology.values.tolist()
    ]
    for assumptions in (rc.PUBLISHED, rc.BOUND):
        one, other = rc.predict(apart, assumptions=assumptions), rc.predict(together, assumptions=assumptions)
        for figure in ("predicted_throughput", "predicted_latency", "memory_required"):
            np.testing.assert_allclose(one[figure].values, other[figure].values, rtol=1e-12)


def test_products_of_attention_count_as_operations_and_not_as_one_activation(zoo):
    name = "vit_base_patch32_224@224"
    rows = datasets.load_layers(collection="zoo").filter(pl.col("topology") == name)
    attention = rows.filter(pl.col("kind") == "matmul")
    network = zoo.sel(topology=name, pruning=100)
    assert float(network.ops) == rows["ops"].sum() > attention["ops"].sum() > 0
    assert float(network.activation_memory) < float(network.activations) / 10


def test_which_network_on_which_board():
    cube = rc.benchmark("zoo")
    assert int(cube.n_rows.sum()) == 7388
    assert rc.unmatched(cube, datasets.load_measurements("zoo")).is_empty()
    winner = rc.best(cube, "predicted_throughput", where={"top1": (84, None), "predicted_latency": (None, 5e-3)})
    assert bool(winner.found)
    assert float(winner.top1) >= 84
    assert float(winner.predicted_latency) <= 5e-3
    each = rc.best(cube, "measured_throughput", per="platform", where={"top1": (84, None)})
    assert each.found.all()


def test_the_gate_finds_nothing_impossible_in_rows_of_a_collection():
    rows = datasets.load_measurements("zoo")
    findings = rc.check(rows)
    # weights are read once a batch, where the published roofline reads them for each input
    assert set(findings["rule"]) == {"above_roofline"}
    assert findings["grade"].unique().to_list() == ["note"]
    # known networks are judged by their bound, and one fused for inference by its own counts
    unfused = rows.filter(pl.col("topology") == "mobileone_s0@224 fused").with_columns(
        topology=pl.lit("vgg16@224"), throughput_compute_per_s=pl.lit(1e6), latency_compute_s=pl.lit(1024e-6)
    )
    assert "above_compute_peak" in rc.check(unfused)["rule"].to_list()


def test_layers_of_one_shape_together_count_as_often_as_they_are(zoo):
    from roofcube.calibration.facts import facts_of

    names = ["resnet50@224", "sequencer2d_s@224"]
    apart = facts_of(rc.inputs("zoo", topologies=names)).networks
    together = facts_of(zoo.sel(topology=names)).networks
    for name in names:
        one, other = apart[name, 100.0], together[name, 100.0]
        assert one.layers == other.layers
        assert one.ops == pytest.approx(other.ops)
        assert one.convolution_ops == pytest.approx(other.convolution_ops)


def test_a_board_measured_here_with_its_watts():
    rows = datasets.load_measurements("accelerators")
    cube = rc.benchmark("accelerators")
    assert int(cube.n_rows.sum()) == rows.height == 478
    assert int(cube.power_full.notnull().sum()) == 281
    assert rc.unmatched(cube, rows).is_empty()
    assert (rows["throughput_compute_per_s"] * rows["latency_compute_s"] / rows["batch"] - 1).abs().max() < 1e-12
    # launches cost time that a graph saves; no row is faster than the chip, and the gate finds none so
    graph, eager = cube.measured_latency.sel(mode="graph"), cube.measured_latency.sel(mode="eager")
    assert not (graph > eager).any()
    assert rc.check(rows)["rule"].unique().to_list() == ["missing_value"]


def test_a_network_is_known_for_each_task_that_has_it():
    rows = datasets.load_measurements("accelerators").head(3)
    told = rc.check(rows.with_columns(task=pl.Series(["zoo", "accelerators", "mnist"])))
    told = told.filter(pl.col("rule") == "unknown_label")
    assert told["finding"].to_list() == ["topology 'resnet50@224' is known for task 'zoo', not 'mnist'"]
    # one of the user's own in its place is known for its own task alone
    layers = datasets.load_layers(collection="zoo").filter(topology="resnet18@224").drop("topology")
    mine = rc.read_network(layers, name="resnet18@224", task="mine")
    told = rc.check(rows.head(1), inputs=rc.inputs("mine", platforms="H100-SXM", topologies=mine, batch=1))
    told = told.filter(pl.col("rule") == "unknown_label")
    assert told["finding"].to_list() == ["topology 'resnet18@224' is known for task 'mine', not 'accelerators'"]
