"""Platforms and networks are taken in any form, with the same outcome."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError

PLATFORM = {
    "platform": "Mine",
    "device_class": "GPU",
    "precision": "INT8",
    "peak_compute": "2 TOP/s",
    "memory_bandwidth": 1e10,
}
NETWORK = {"topology": "Net", "gmacs": 1.5, "params": 1e6, "task": "cifar10"}
TOML = "[[platform]]\n" + "\n".join(f"{name} = {value!r}" for name, value in PLATFORM.items())


def forms_of(row):
    columns = {name: [value] for name, value in row.items()}
    return {
        "row": row,
        "rows": [row],
        "columns": columns,
        "polars": pl.DataFrame(columns),
        "LazyFrame": pl.DataFrame(columns).lazy(),
        "Categorical": pl.DataFrame(columns).with_columns(pl.col(pl.String).cast(pl.Categorical)),
        "pandas": pd.DataFrame(columns),
    }


def written(folder, row, suffix):
    path = folder / f"mine.{suffix}"
    if suffix == "toml":
        path.write_text(TOML)
    else:
        getattr(pl.DataFrame({name: [value] for name, value in row.items()}), f"write_{suffix}")(path)
    return path


@pytest.mark.parametrize("form", forms_of(PLATFORM))
def test_platforms_in_any_form(form):
    table = forms_of(PLATFORM)[form]
    alone, beside = rc.inputs("cifar10", platforms=table), rc.inputs("cifar10", platforms=["TX2", table])
    assert alone.platform.values.tolist() == ["Mine"]
    assert beside.platform.values.tolist() == ["TX2", "Mine"]
    assert float(alone.peak_compute.max()) == 2e12
    assert rc.read_platforms(table)["peak_compute_op_per_s"].to_list() == [2e12]


@pytest.mark.parametrize("suffix", ["toml", "csv", "parquet"])
def test_platforms_in_files(tmp_path, suffix):
    path = written(tmp_path, PLATFORM, suffix)
    for name in (path, str(path)):
        assert float(rc.inputs("cifar10", platforms=["TX2", name]).peak_compute.sel(platform="Mine").max()) == 2e12
    assert rc.read_platforms(path)["source"].to_list() == [str(path)]


def test_numbers_may_say_their_source_in_rows():
    row = PLATFORM | {"peak_compute": {"value": "2 TOP/s", "source": "data sheet"}}
    assert rc.inputs("cifar10", platforms=[row]).peak_compute.attrs["source"] == "Mine: data sheet"


@pytest.mark.parametrize("form", sorted(set(forms_of(NETWORK)) - {"polars", "Categorical"}))
def test_networks_in_any_form(form):
    table = forms_of(NETWORK)[form]
    if form == "LazyFrame":
        table = rc.read_network(table).lazy()
    inputs = rc.inputs("cifar10", platforms="TX2", topologies=["CNV", table] if form != "rows" else table)
    assert float(inputs.ops.sel(topology="Net", pruning=100)) == 3e9
    assert rc.read_network(table)["ops"].to_list() == [3e9]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_networks_in_files(tmp_path, suffix):
    path = written(tmp_path, NETWORK, suffix)
    for name in (path, str(path)):
        inputs = rc.inputs("cifar10", platforms="TX2", topologies=["CNV", name])
        assert float(inputs.ops.sel(topology="Net", pruning=100)) == 3e9


def test_layers_in_any_form():
    layers = rc.datasets.load_layers().filter(pl.col("topology") == "CNV", pl.col("pruning_percent") == 100)
    layers = layers.with_columns(topology=pl.lit("Mine"))
    for table in (layers.lazy(), pd.DataFrame(layers.to_dict(as_series=False)), layers.to_dicts()):
        assert float(rc.inputs(platforms="TX2", topologies=table).ops.max()) == 469449728
    demands = rc.datasets.layer_demands(layers)
    assert rc.datasets.layer_demands(layers.to_dict(as_series=False)).equals(demands)


def test_rows_of_a_sweep_in_any_form():
    sweep = rc.Sweep(rc.inputs("mnist", platforms="TX2"))
    labels = {"mode": ["maxn"], "topology": ["MLP"], "pruning": [100.0], "precision": ["FP16"], "batch": [1]}
    expected = sweep.at(pl.DataFrame(labels))
    assert sweep.at(pd.DataFrame(labels)).identical(expected)
    assert sweep.at([{name: values[0] for name, values in labels.items()}]).identical(expected)


def test_what_is_neither_name_nor_table_is_told():
    with pytest.raises(InvalidDataError, match="`topologies`: expected names or tables of read_network, got Dataset"):
        rc.inputs("cifar10", topologies=rc.inputs("cifar10"))
    with pytest.raises(InvalidDataError, match="`platforms`: expected names, tables of read_platforms or Datasets"):
        rc.inputs("cifar10", platforms=[3])


def test_a_platform_file_of_other_bytes_is_told(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\x80\x81 = 1")
    with pytest.raises(InvalidDataError, match=r"mine\.toml: not readable as TOML"):
        rc.read_platforms(tmp_path / "mine.toml")


def test_labels_of_a_cube_or_an_answer_are_labels():
    inputs = rc.inputs("mnist", platforms=["TX2", "NCS2"], batch=[1, 8])
    winner = rc.Sweep(inputs).best("predicted_throughput")
    again = rc.inputs("mnist", platforms=inputs["platform"], batch=inputs["batch"])
    assert again.identical(inputs)
    one = rc.inputs(
        "mnist", platforms=winner["platform"], topologies=winner["topology"], precision=winner["precision"],
        pruning=winner["pruning"], mode=winner["mode"], batch=np.array(8),
    )  # fmt: skip
    assert set(dict(one.sizes).values()) - {one.sizes.get("layer")} == {1}
    for empty in (np.array([]), xr.DataArray(np.zeros(0))):
        with pytest.raises(InvalidDataError, match="`batch`: expected at least one label"):
            rc.inputs("mnist", batch=empty)


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (["ACME"], ""), ([3.0], np.nan), (np.array(["x"], object), None),
        (np.array(["2026-01-01"], "M8[ns]"), np.datetime64("NaT", "ns")), (np.array([5], "m8[s]"), np.timedelta64("NaT", "s")),
    ],
)  # fmt: skip
def test_what_a_real_platform_lacks_of_a_design_is_missing_in_its_kind(values, missing):
    design = rc.hypothetical(name="h", peak_compute=1e12, memory_bandwidth=1e10).assign(own=("platform", values))
    own = rc.inputs("mnist", platforms=["TX2", design])["own"].values
    assert own[1] == np.asarray(values)[0]
    assert (own[0] == missing) or (own[0] != own[0] and missing != missing)
