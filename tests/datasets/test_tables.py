from __future__ import annotations

import hashlib
from pathlib import Path
from typing import get_args

import polars as pl
import pytest

import roofcube as rc
from roofcube import datasets
from roofcube.datasets import schema, tables
from roofcube.datasets.forms import reading
from roofcube.errors import CorruptFileError, UnknownLabelError

DATA = Path(tables.__file__).parent / "data"
LOADERS = [
    datasets.load_accuracy,
    datasets.load_aliases,
    datasets.load_corrections,
    datasets.load_layers,
    datasets.load_measurements,
    datasets.load_platforms,
    datasets.load_power_traces,
    datasets.load_repeats,
    datasets.load_topologies,
]


def test_counts_of_the_benchmark():
    rows = datasets.load_measurements()
    configurations = rows.select("platform", "mode", "topology", "pruning_percent", "precision").n_unique()
    assert (rows["platform"].n_unique(), rows.height, configurations) == (9, 974, 131)
    assert datasets.load_repeats().height == 192
    assert datasets.load_power_traces().height == 2801


@pytest.mark.parametrize("load", LOADERS)
def test_loaders_give_rows_with_units_in_their_names(load):
    table = load()
    assert table.height
    units = ("_s", "_per_s", "_w", "_v", "_a", "_percent", "_b", "_op_per_s", "_b_per_s")
    for name, kind in table.schema.items():
        if kind == pl.Float64:
            counted = name.startswith(("ops", "params"))
            assert counted or name.endswith(units), name


@pytest.mark.parametrize("name", datasets.manifest())
def test_manifest_matches_the_files(name):
    entry = datasets.manifest()[name]
    content = (DATA / entry["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    path = DATA / entry["file"]
    rows = pl.read_parquet(path).height if path.suffix == ".parquet" else len(content.decode().splitlines()) - 1
    assert rows == entry["rows"]
    assert entry["licence"] == "Apache-2.0"
    assert entry["source"]
    assert entry["changed"]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("accuracy", schema.Accuracy),
        ("aliases", schema.Alias),
        ("corrections", schema.Correction),
        ("layers", schema.LayerRow),
        ("measurements", schema.Measurement),
        ("platform_structure", schema.PlatformStructure),
        ("platforms", schema.Platform),
        ("power_traces", schema.PowerSample),
        ("repeats", schema.Repeat),
        ("topologies", schema.Topology),
        ("zoo_platforms", schema.Platform),
        ("zoo_platform_structure", schema.PlatformStructure),
        ("accelerators_platforms", schema.Platform),
        ("accelerators_platform_structure", schema.PlatformStructure),
        ("devices_platforms", schema.ListedPlatform),
        ("devices_platform_structure", schema.PlatformStructure),
    ],
)
def test_every_embedded_table_passes_the_validation_that_its_checksum_spares_it(name, row):
    path = DATA / datasets.manifest()[name]["file"]
    validated, trusted = reading.read_table(path, row), reading.read_trusted(path, row)
    assert trusted.schema == validated.schema
    assert trusted.equals(validated)


def test_every_table_file_is_in_the_manifest():
    files = {str(path.relative_to(DATA)) for kind in ("csv", "parquet") for path in DATA.rglob(f"*.{kind}")}
    assert files == {entry["file"] for entry in datasets.manifest().values()}


def test_an_altered_table_is_refused(tmp_path):
    entry = datasets.manifest()["accuracy"]
    content = (DATA / entry["file"]).read_bytes()
    altered = tmp_path / "accuracy.csv"
    altered.write_bytes(content)
    assert tables._read_unaltered(altered, entry["sha256"], schema.Accuracy).height == datasets.load_accuracy().height
    altered.write_bytes(content.replace(b"7", b"8", 1))
    with pytest.raises(CorruptFileError, match=r"accuracy\.csv: the embedded table was altered"):
        tables._read_unaltered(altered, entry["sha256"], schema.Accuracy)


def test_counts_take_layers_where_they_agree_within_one_percent():
    table = datasets.load_topologies()
    agree = (pl.col("ops_difference_percent").abs() <= 1) & (
        pl.col("params_difference_percent").fill_null(0).abs() <= 1
    )
    assert table.filter(agree)["counts_source"].unique().to_list() == ["layers"]
    assert table.filter(~agree)["counts_source"].unique().to_list() == ["source"]
    cnv = table.filter(pl.col("topology") == "CNV").sort("pruning_percent")
    assert cnv["ops"].to_list() == [8017792, 30510848, 118922752, 469449728]
    assert cnv["params"].to_list() == [97712, 387424, 1542848, 6157696]
    assert set(table.filter(pl.col("shapes") == "assumed")["pruning_percent"]) == {80, 50, 30}


@pytest.mark.parametrize(
    ("column", "alias", "name"),
    [
        ("platform", "NCS", "NCS2"),
        ("platform", "MYRIAD", "NCS2"),
        ("platform", "Bismo", "ZCU104-BISMO"),
        ("platform", "BISMO", "ZCU104-BISMO"),
        ("platform", "U96-Quadcore A53-INT8", "U96-A53"),
        ("platform", "TPU", "EdgeTPU"),
        ("topology", "GNv1", "GoogLeNetv1"),
        ("topology", "MNv1", "MobileNetv1"),
        ("topology", "RN50", "ResNet-50"),
        ("topology", "resnet-50", "ResNet-50"),
        ("platform", "tx2", "TX2"),
        ("pruning_percent", "12.50%", "12.5"),
        ("platform", "unheard of", "unheard of"),
    ],
)
def test_aliases(column, alias, name):
    assert datasets.canonical(column, alias) == name


def test_every_alias_leads_to_a_label_that_exists():
    labels = {
        "platform": set(datasets.load_platforms()["platform"]),
        "topology": set(datasets.load_topologies()["topology"]),
        "task": set(datasets.tasks()),
        "mode": set(datasets.load_platforms()["mode"]),
        "pruning_percent": {f"{value:g}" for value in datasets.load_topologies()["pruning_percent"]},
    }
    labels["precision"] = set(get_args(schema.Precision))
    for column, _, name in datasets.load_aliases().iter_rows():
        assert name in labels[column]


def test_corrections_keep_the_source_value_beside_the_corrected_one():
    corrections = datasets.load_corrections().filter(pl.col("table") == "measurements")
    rows = datasets.load_measurements()
    for row, column, source in corrections.select("row", "column", "source_value").iter_rows():
        assert rows.filter(pl.col("source_row") == row)[column].item() == float(source)
    halved = corrections.filter(pl.col("column") == "latency_compute_s")
    assert halved.height == 11
    for row, corrected in halved.select("row", "corrected_value").iter_rows():
        one = rows.filter(pl.col("source_row") == row).row(0, named=True)
        assert one["throughput_compute_per_s"] * float(corrected) / one["batch"] == pytest.approx(1, rel=0.06)


def test_unknown_task_names_the_closest():
    with pytest.raises(UnknownLabelError, match=r"'cifar11' is not known; did you mean 'cifar10'\?"):
        datasets.load_measurements("cifar11")
    assert rc.tasks() == ("cifar10", "imagenet", "mnist", "zoo", "accelerators")
