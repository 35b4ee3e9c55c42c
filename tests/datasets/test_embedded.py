"""Collections beside the benchmark: found by task and label, read when asked for, whole and consistent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from roofcube import datasets
from roofcube.datasets import embedded, networks, schema, tables
from roofcube.datasets.forms import reading
from roofcube.errors import UnknownLabelError

DATA = Path(tables.__file__).parent / "data"


def test_a_task_leads_to_its_collection():
    assert embedded.collection_of("zoo") == "zoo"
    assert embedded.collection_of("cifar10") == embedded.collection_of(None) == embedded.BENCHMARK
    assert embedded.entry_name("layers", "zoo") == "zoo_layers"
    assert embedded.entry_name("power_traces", "zoo") is None
    assert embedded.collections("layers") == ("", "zoo", "accelerators")
    assert "devices" in embedded.collections("platforms")


def test_a_label_leads_to_the_first_collection_that_knows_it():
    holders = tables.collections_of("platform", ["TX2", "RTX3090", "no such board"])
    assert holders == {"TX2": "", "RTX3090": "zoo"}
    assert tables.collections_of("topology", ["CNV", "vgg16@224"], first="zoo") == {"CNV": "", "vgg16@224": "zoo"}


def test_a_network_that_two_collections_hold_is_the_same_in_both():
    measured = tables.load_topologies(collection="accelerators")
    names = measured["topology"]
    whole = tables.load_topologies(collection="zoo").filter(pl.col("topology").is_in(names.implode()))
    assert measured.drop("task").equals(whole.drop("task"))
    layers = tables.load_layers(collection="zoo").filter(pl.col("topology").is_in(names.implode()))
    assert tables.load_layers(collection="accelerators").equals(layers)
    keys = ["topology", "precision"]
    both = tables.load_accuracy(collection="zoo").join(tables.load_accuracy(collection="accelerators"), on=keys)
    assert both.height
    assert both["top1_percent"].equals(both["top1_percent_right"].alias("top1_percent"))


def test_nothing_of_a_collection_is_read_until_it_is_asked_for():
    code = (
        "from roofcube.datasets import tables; import roofcube as rc; rc.inputs('cifar10'); rc.benchmark('mnist'); "
        "print(tables._read_csv.cache_info().currsize); rc.inputs('zoo'); print(tables._read_csv.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    benchmark = sum("collection" not in entry for entry in datasets.manifest().values())
    assert before <= benchmark < after


@pytest.mark.parametrize("name", [name for name, entry in datasets.manifest().items() if "collection" in entry])
def test_tables_of_a_collection_hold_what_their_schema_asks(name):
    entry = datasets.manifest()[name]
    rows = {
        "accuracy": schema.Accuracy,
        "layers": schema.TracedLayer,
        "measurements": schema.Measurement,
        "platform_structure": schema.PlatformStructure,
        "platforms": schema.Platform,
        "topologies": schema.PublishedNetwork,
    }
    rows |= {"figures": schema.PlatformFigure}
    rows |= {} if entry["collection"] == "zoo" else {"platforms": schema.ListedPlatform}
    row = rows[entry["table"]]
    table = reading.read_trusted(DATA / entry["file"], row)
    assert table.columns == reading.columns_of(row)
    sample = table if table.height < 2000 else table.sample(2000, seed=1)
    assert reading.parse_rows(sample, row, source=name).equals(sample)


def test_layers_agree_with_their_shapes_and_networks_with_their_layers():
    layers = datasets.load_layers(collection="zoo")
    shaped = layers.filter(pl.col("kind") != "matmul")
    wrong = [row["name"] for row in shaped.sample(3000, seed=2).iter_rows(named=True) if networks._wrong_count(row)]
    assert wrong == []
    counts = datasets.load_topologies(collection="zoo").filter(pl.col("counts_source") == "layers")
    assert counts.height == layers["topology"].n_unique() == 1372
    # published parameters count normalisation, biases and position encodings too
    assert counts["params_difference_percent"].is_between(-4, 0.1).all()


def test_weights_that_layers_share_are_counted_once():
    layers = datasets.load_layers(collection="zoo").filter(pl.col("weights_of") != "")
    assert layers["params"].to_list() == [0] * layers.height
    every = datasets.load_layers(collection="zoo").filter(pl.col("topology").is_in(layers["topology"].unique()))
    assert networks._check_shared(every, "zoo", reading.Sheet.of(every)) is None


def test_every_measured_network_has_counts():
    counts = datasets.load_topologies(collection="zoo")
    rows = datasets.load_measurements("zoo")
    assert rows.height == 7388
    assert set(rows["topology"]) <= set(counts.filter(pl.col("ops").is_not_null())["topology"])
    fused = counts.filter(pl.col("variant_of") != "")
    both = fused.join(counts, left_on="variant_of", right_on="topology", suffix="_whole")
    assert both.height == fused.height
    assert (both["params"] < both["params_published_whole"]).all()


def test_a_collection_without_a_table_has_an_empty_one():
    assert datasets.load_repeats("zoo").is_empty()
    with pytest.raises(UnknownLabelError, match="`task`: 'zo' is not known"):
        datasets.load_measurements("zo")
