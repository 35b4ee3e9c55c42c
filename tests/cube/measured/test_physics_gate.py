"""The physics gate finds every trap of the data by rule: the counts are facts of the source, the rules know no names."""

from __future__ import annotations

import ast
from pathlib import Path

import polars as pl
import pytest
import xarray as xr

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.measured import physics_gate
from roofcube.measured.rows import THROUGHPUT

ROWS = rc.datasets.load_measurements()
TRACES = rc.datasets.load_power_traces()
FINDINGS = rc.check(ROWS, traces=TRACES)


def of(rule, findings=FINDINGS):
    return findings.filter(pl.col("rule") == rule)


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("above_compute_peak", 9),
        ("above_bound", 9),
        ("above_roofline", 200),
        ("throughput_latency_mismatch", 193),
        ("full_power_below_idle", 1),
        ("system_faster_than_compute", 2),
        ("duplicate_key", 4),
        ("does_not_scale", 7),
        ("foreign_power", 91),
        ("other_precision_executed", 91),
        ("power_set_up_differs", 6),
        ("power_is_maximum", 6),
        ("impossible_sample", 50),
        ("stuck_sample", 37),
    ],
)
def test_every_trap_is_found(rule, rows):
    assert of(rule).height == rows


def test_what_the_traps_are():
    at = {
        rule: ROWS[of(rule)["row"].to_list()]
        for rule in FINDINGS["rule"].unique()
        if of(rule)["table"][0] == "measurements"
    }
    assert set(at["above_compute_peak"]["topology"]) == {"MLP"}
    split = at["above_roofline"].group_by("platform").len().rows()
    assert dict(split) == {"TX2": 130, "ZCU104-FINN": 70}
    assert set(at["foreign_power"]["platform"]) == {"U96-A53"}
    assert set(at["does_not_scale"]["topology"]) == {"MobileNetv1"}
    assert at["full_power_below_idle"]["mode"].to_list() == ["maxq"]
    differing = at["accuracy_differs"].select("platform", "topology", "pruning_percent", "precision").n_unique()
    measured = (
        ROWS.filter(pl.col("top1_percent").is_not_null())
        .select("platform", "topology", "pruning_percent", "precision")
        .n_unique()
    )
    assert (differing, measured) == (20, 84)
    missing = of("missing_value")
    assert missing.filter(pl.col("column") == "throughput_system_per_s").height == 336
    assert missing.filter(pl.col("column") == "throughput_compute_per_s").height == 5
    halved = at["throughput_latency_mismatch"].filter(
        pl.col("platform") == "ZCU104-FINN", pl.col("precision") == "INT2", pl.col("pruning_percent") == 12.5
    )
    assert halved.group_by("topology").len().sort("topology").rows() == [("CNV", 10), ("MLP", 1)]


def test_foreign_power_is_found_in_one_task_alone():
    rows = rc.datasets.load_measurements("cifar10")
    assert of("foreign_power", rc.check(rows)).height == 35


def based(platform, watts, **labels):
    return MLP | {"platform": platform, "power_base_w": watts} | labels


def test_rows_of_one_table_do_not_accuse_each_other_of_foreign_power():
    ncs2, zcu104 = based("NCS2", 1.0), based("ZCU104-DPU", 1.0, precision="INT8")
    assert rc.check([ncs2, zcu104]).filter(pl.col("rule") == "foreign_power").height == 0
    # the only known figure of a board stays its own, whatever a table says of the board
    own, other = (based("ZCU104-DPU", watts, precision="INT8") for watts in (9.2, 20.0))
    assert of("foreign_power", rc.check([own, other])).select("row", "limit").rows() == [(1, 9.2)]


def test_a_set_up_that_differs_is_found_on_boards_that_nothing_is_known_of():
    rows = [based("Kite", 2.0), based("Kite", 9.0, batch=2)]
    for table in (rows, [*rows, based("NCS2", 0.53)]):
        assert of("power_set_up_differs", rc.check(table)).select("row", "limit").rows() == [(1, 2.0)]


def test_the_numbers_are_in_the_finding():
    one = of("above_compute_peak").sort("ratio").row(-1, named=True)
    assert one["ratio"] == pytest.approx(1.4, abs=0.005)
    assert one["value"] / one["limit"] == pytest.approx(one["ratio"])
    assert one["source_row"] == ROWS["source_row"][one["row"]]
    assert one["action"]
    volts = of("impossible_sample")["value"]
    assert (volts.min(), volts.max()) == (0.3, 10.29)


def test_rules_do_not_know_the_labels():
    text = {
        node.value
        for module in Path(physics_gate.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    labels = set(ROWS["platform"]) | set(ROWS["topology"]) | {"A53", "INT2", "INT4", "maxq"}
    assert not {label for label in labels for one in text if label in one.split()}


def test_rows_are_never_changed():
    before = ROWS.clone()
    rc.check(ROWS, traces=TRACES)
    assert ROWS.equals(before)


@pytest.mark.parametrize("factor", [1e3, 1e-3])
@pytest.mark.parametrize("column", ["latency_compute_s", "throughput_compute_per_s"])
def test_a_unit_off_by_a_thousand(column, factor):
    good = ROWS.filter(pl.col("platform") == "TX2", pl.col("topology") == "ResNet-50")
    assert of("unit_off", rc.check(good)).height == 0
    bad = good.with_columns(
        pl.when(pl.int_range(pl.len()) == 3).then(pl.col(column) * factor).otherwise(pl.col(column)).alias(column)
    )
    assert of("unit_off", rc.check(bad))["row"].to_list() == [3]


def test_a_unit_off_without_the_other_column():
    good = ROWS.filter(pl.col("platform") == "TX2", pl.col("topology") == "ResNet-50").with_columns(
        latency_compute_s=None
    )
    bad = good.with_columns(throughput_compute_per_s=pl.col("throughput_compute_per_s") * 1e3)
    assert of("unit_off", rc.check(good.cast({"latency_compute_s": pl.Float64}))).height == 0
    assert of("unit_off", rc.check(bad.cast({"latency_compute_s": pl.Float64}))).height == bad.height


def test_a_mode_or_precision_that_the_platform_does_not_have_is_a_finding():
    rows = rc.datasets.load_measurements("cifar10").filter(pl.col("platform") == "TX2").head(2)
    strange = rows.with_columns(mode=pl.Series(["default", "maxn"]), precision=pl.Series(["FP16", "INT2"]))
    found = of("unknown_label", rc.check(strange))
    assert found["finding"].to_list() == [
        "platform 'TX2' has no mode 'default'",
        "platform 'TX2' has no precision 'INT2'",
    ]
    assert "'maxn'" in found["action"][0]
    assert "'FP16'" in found["action"][1]
    assert of("unknown_label", rc.check(rc.datasets.load_measurements())).height == 0


def test_a_task_that_is_not_the_networks_is_a_finding():
    strange = ROWS.filter(pl.col("topology") == "CNV").head(2).with_columns(task=pl.Series(["cifar10", "cifar-10"]))
    found = of("unknown_label", rc.check(strange))
    assert found["row"].to_list() == [1]
    assert found["finding"].item() == "topology 'CNV' is known for task 'cifar10', not 'cifar-10'"
    assert "'cifar10'" in found["action"].item()


def test_unknown_labels_are_findings():
    strange = ROWS.head(2).with_columns(platform=pl.Series(["NCS2", "Abacus"]))
    found = of("unknown_label", rc.check(strange))
    assert found["row"].to_list() == [1]
    assert found["finding"].item() == "platform 'Abacus' is not known"
    assert found["column"].item() == "platform"


@pytest.mark.parametrize(
    ("column", "label", "closest"),
    [("platform", "TX3", "TX2"), ("topology", "CNVV", "CNV"), ("mode", "max-n", "maxn"), ("platform", "Abacus", None)],
)
def test_an_unknown_label_comes_with_the_closest_known_one(column, label, closest):
    strange = ROWS.head(1).with_columns(pl.lit(label).alias(column))
    action = of("unknown_label", rc.check(strange))["action"].item()
    assert action.endswith(f"; did you mean {closest!r}?") if closest else "did you mean" not in action


def test_every_unknown_label_of_a_row_is_told_with_all_that_it_may_mean():
    row = {"platform": "RTX 4090", "topology": "efficientnet_b0", "precision": "FP16", "batch": 1}
    found = of("unknown_label", rc.check([row | {"throughput_compute_per_s": 100.0}]))
    assert found["row"].to_list() == [0, 0]
    assert found["column"].to_list() == ["platform", "topology"]
    assert found["finding"].to_list() == [
        "platform 'RTX 4090' is not known",
        "topology 'efficientnet_b0' is not known",
    ]
    assert found["action"][0].endswith("; did you mean 'RTX4090' or 'GeForce RTX 4090'?")
    assert set(found["action"][1].partition("did you mean ")[2].rstrip("?").split(" or ")) == {
        "'efficientnet_b0@224'",
        "'efficientnet_b0@256'",
    }


def test_a_label_that_the_given_inputs_lack_is_not_called_unknown():
    found = of(
        "unknown_label",
        rc.check(ROWS.filter(pl.col("platform") == "NCS2").head(1), inputs=rc.inputs("mnist", platforms="TX2")),
    )
    assert found["finding"].to_list()[0] == "platform 'NCS2' is not among the inputs"
    assert "did you mean" not in found["action"][0]


def test_own_platforms_are_judged_by_their_own_peak():
    inputs = rc.inputs(platforms="TX2")
    slower = inputs.assign(peak_compute=inputs.peak_compute / 100)
    rows = ROWS.filter(pl.col("platform") == "TX2")
    assert of("above_compute_peak", rc.check(rows, inputs=slower)).height > 300


def test_empty_tables_have_no_findings():
    assert rc.check(ROWS.head(0)).height == 0
    assert rc.check(ROWS.head(0), traces=TRACES.head(0)).columns == FINDINGS.columns


def test_columns_that_may_be_left_out_are_left_out():
    key = ["task", "topology", "platform", "mode", "precision", "pruning_percent", "batch"]
    bare = ROWS.select(*key, "throughput_compute_per_s")
    findings = rc.check(bare)
    assert of("above_compute_peak", findings).height == 9
    assert set(of("missing_value", findings)["column"]) == {"throughput_compute_per_s"}
    cube = rc.join(rc.predict(rc.inputs("mnist")), bare)
    assert int(cube.measured_throughput.notnull().sum()) == 406
    assert not bool(cube.power_full.notnull().any())


RUNS = ROWS.filter(pl.col("platform") == "TX2").head(2)


def test_repeats_are_a_note_and_doubtful_where_one_is_far_off():
    near = pl.concat([RUNS, RUNS.with_columns(throughput_compute_per_s=pl.col("throughput_compute_per_s") * 1.9)])
    findings = rc.check(near)
    assert of("duplicate_key", findings)["row"].to_list() == [0, 1, 2, 3]
    assert of("repeats_disagree", findings).height == 0
    far = pl.concat([RUNS, RUNS.head(1).with_columns(latency_compute_s=pl.col("latency_compute_s") * 2.1)])
    found = of("repeats_disagree", rc.check(far))
    assert found["row"].to_list() == [0, 2]
    assert found["grade"].unique().to_list() == ["doubtful"]
    assert found["column"].unique().to_list() == ["latency_compute_s"]


def test_a_row_that_is_there_twice_is_a_finding():
    twice = pl.concat([RUNS, RUNS.head(1).with_columns(source_row=pl.lit("elsewhere"))])
    assert of("duplicate_row", rc.check(twice))["row"].to_list() == [0, 2]
    assert of("duplicate_row", rc.check(twice.with_columns(run=pl.Series([1, 2, 3])))).height == 0
    assert of("duplicate_row").height == 0


MLP = {"topology": "MLP", "platform": "NCS2", "precision": "FP16", "pruning_percent": 100.0, "batch": 1}


def test_labels_in_other_spellings_are_one_configuration_as_in_a_file():
    rows = [MLP | {"throughput_compute_per_s": 90.0}]
    rows.append(MLP | {"platform": "NCS", "precision": "fp16", "throughput_compute_per_s": 300.0})
    found = rc.check(rows)
    assert found.select("row", "rule").rows() == [
        (row, r) for row in (0, 1) for r in ("duplicate_key", "repeats_disagree")
    ]
    assert found.drop("source_row").equals(rc.check(rc.read_measurements(rows)).drop("source_row"))
    assert (
        of("power_is_maximum", rc.check([POWERED | {"platform": "NCS"}], traces=trace(power_w=[1.0, 2.0]))).height == 1
    )


def test_labels_of_ones_own_stay_apart_from_those_that_they_are_spellings_of():
    own = rc.read_network({"topology": ["x"], "gmacs": [4.1], "mparams": [25.6]}, task="imagenet", name="resnet50")
    space = rc.inputs("imagenet", platforms="NCS2", topologies=["ResNet-50", own], precision="FP16")
    names = ("resnet50", "ResNet-50", "RN50")
    rows = [MLP | {"topology": name, "throughput_compute_per_s": 1.0} for name in names]
    assert of("duplicate_key", rc.check(rows, inputs=space))["row"].to_list() == [1, 2]


def test_own_platforms_are_judged_by_what_they_offer():
    mine = {
        "platform": "Mine",
        "device_class": "NPU",
        "precision": ["INT8", "FP16"],
        "executed_precision": ["INT8", "INT8"],
        "peak_compute": "4 TOP/s",
        "memory_bandwidth": "20 GB/s",
    }
    network = {"topology": "Net", "gmacs": 1.0, "params": 1e6, "task": "kws"}
    space = rc.inputs(platforms=[mine], topologies=[network], precision=["INT8", "FP16", "FP32"])
    row = {"task": "kws", "topology": "Net", "platform": "Mine", "pruning_percent": 100.0, "batch": 1}
    rows = pl.DataFrame(
        [{**row, "precision": one, "throughput_compute_per_s": 100.0} for one in ("INT8", "FP16", "FP32")]
    )
    found = rc.check(rows, inputs=space)
    assert of("other_precision_executed", found)["row"].to_list() == [1]
    assert of("unknown_label", found)["action"].to_list() == ["give 'INT8' or 'FP16'"]
    assert found.height == 2
    misspelt = rc.check(rows.head(1).with_columns(platform=pl.lit("Mime"), task=pl.lit("kws")), inputs=space)
    assert misspelt["action"].item().endswith("did you mean 'Mine'?")
    strange = rc.check(rows.head(1).with_columns(task=pl.lit("imagenet")), inputs=space)
    assert strange["finding"].item() == "topology 'Net' is known for task 'kws', not 'imagenet'"


def test_other_columns_do_not_disturb_the_rules():
    disturbing = {
        name: pl.lit(1) for name in ("row", "unknown", "board", "cores", "value", "limit", "infeasible", "identical")
    }
    assert rc.check(ROWS.with_columns(**disturbing)).equals(rc.check(ROWS))


def test_no_finding_for_a_column_that_is_not_there_or_empty():
    findings = rc.check(RUNS.with_columns(top1_percent=None, power_full_w=None).drop("latency_system_s"))
    assert not set(of("missing_value", findings)["column"]) & {"top1_percent", "power_full_w", "latency_system_s"}


def test_rows_measured_where_memory_does_not_suffice_tell_how_much_it_takes():
    tiny = {
        "platform": "Tiny",
        "device_class": "MCU",
        "precision": "INT8",
        "peak_compute": "1 GOP/s",
        "memory_bandwidth": "1 GB/s",
        "memory_capacity": "64 KiB",
    }
    space = rc.inputs("cifar10", platforms=[tiny])
    labels = {"topology": "CNV", "platform": "Tiny", "precision": "INT8", "pruning_percent": 100.0, "batch": 1}
    rows = rc.read_measurements(labels | {"throughput_compute_per_s": 1.0})
    (found,) = of("measured_but_infeasible", rc.check(rows, inputs=space)).to_dicts()
    assert found["limit"] == 65536
    assert found["value"] >= float(space.params.sel(topology="CNV", pruning=100))


def test_what_does_not_fit_by_the_model_is_still_held_against_the_ceilings():
    board = {"platform": "Tiny", "device_class": "MCU", "precision": "INT8", "memory_capacity": "64 kB"}
    board |= {"peak_compute": "2 TOP/s", "memory_bandwidth": "10 GB/s", "power": "2 W"}
    network = rc.read_network({"topology": ["N"], "ops": [2e9], "params": [1e6], "activation_memory": [1e5]}, task="k")
    space = rc.inputs("k", platforms=[board], topologies=network)
    row = {"topology": "N", "platform": "Tiny", "precision": "INT8", "batch": 1}
    too_fast = rc.check([row | {"throughput_compute_per_s": 2000.0}], inputs=space)
    assert of("above_compute_peak", too_fast).select("value", "limit").row(0) == (2000.0, 1000.0)
    assert of("measured_but_infeasible", too_fast).height == 1
    assert rc.check([row | {"throughput_compute_per_s": 500.0}], inputs=space)["grade"].to_list() == ["doubtful"]


@pytest.mark.parametrize("column", ["throughput_system_per_s", "latency_system_s"])
def test_figures_of_the_whole_system_are_held_against_the_ceilings_too(column):
    row = {"topology": "MLP", "platform": "NCS2", "precision": "FP16", "batch": 1}
    value = 5e6 if column.startswith("throughput") else 2e-7
    findings = rc.check([row | {column: value}]).select("rule", "column", "grade").rows()
    expected = {(name, column, "impossible") for name in ("above_compute_peak", "above_bound", "unit_off")}
    assert set(findings) == expected
    pair = {"throughput_system_per_s": 100.0, "latency_system_s": 10.0}
    assert rc.check([row | pair])["rule"].to_list() == ["unit_off"]


@pytest.mark.parametrize(("watts", "is_off"), [(190.0, True), (19.0, False), (0.1, False), (0.019, True)])
def test_power_nearer_to_a_hundredfold_than_to_tenfold_off_the_listed_one(watts, is_off):
    row = {"topology": "MLP", "platform": "NCS2", "precision": "FP16", "batch": 1, "throughput_compute_per_s": 95.0}
    assert ("power_unit_off" in rc.check([row | {"power_full_w": watts}])["rule"].to_list()) is is_off


def test_power_of_a_platform_without_a_listed_one_is_held_against_its_other_rows():
    watts = own_rows().with_columns(power_full_w=pl.Series([4.0, 4.2, 3.9, 410.0, 4.1, 4.0, 0.04, 40.0]))
    off = of("power_unit_off", rc.check(watts, inputs=own_space()))
    assert off["row"].to_list() == [3, 6]
    assert rc.check(watts.head(3), inputs=own_space()).height == 0
    row = {"topology": "MLP", "platform": "ZCU104-FINN", "precision": "INT2", "batch": 1, "power_full_w": 1400.0}
    (found,) = of("power_unit_off", rc.check([row | {"throughput_compute_per_s": 1000.0}])).to_dicts()
    assert 10 < found["limit"] < 20


def test_rows_without_pruning_are_of_whole_networks():
    row = {"topology": ["MLP"], "platform": ["NCS2"], "precision": ["FP16"], "batch": [1]}
    findings = rc.check({**row, "throughput_compute_per_s": [1000.0]})
    assert "unknown_label" not in findings["rule"].to_list()
    assert rc.check({**row, "throughput_compute_per_s": [1e9]})["rule"][0] == "above_compute_peak"


def own_space():
    board = {"platform": "Kite", "device_class": "NPU", "precision": "INT8"}
    board |= {"peak_compute": "4 TOP/s", "memory_bandwidth": "10 GB/s"}
    table = {"topology": ["A", "B"], "gmacs": [0.5, 1.0], "params": [2e6, 4e6], "activations": [1e6, 2e6]}
    return rc.inputs("kws", platforms=[board], topologies=rc.read_network(table, task="kws"), batch=[1])


def own_rows(**columns):
    """Return eight rows of two networks, given by latency alone: 1 and 2 ms an input, and 0.1 ms to start."""
    cases = [(topology, batch) for topology in "AB" for batch in (1, 2, 4, 8)]
    table = {
        "topology": [topology for topology, _ in cases],
        "batch": [batch for _, batch in cases],
        "latency_compute_s": [batch * (1e-3 if topology == "A" else 2e-3) + 1e-4 for topology, batch in cases],
        "top1_percent": [92.0] * 8,
    }
    rows = pl.DataFrame(table).with_columns(platform=pl.lit("Kite"), precision=pl.lit("INT8"))
    return rows.with_columns(pl.Series(name, values) for name, values in columns.items())


def test_a_slow_unit_shows_among_sisters_though_latency_stands_alone():
    space = own_space()
    assert rc.check(own_rows(), inputs=space).height == 0
    slow = own_rows()["latency_compute_s"].to_list()
    slow[2] *= 1000.0
    findings = rc.check(own_rows(latency_compute_s=slow), inputs=space)
    lines = findings.select("row", "rule", "grade", "column").rows()
    assert (2, "far_below_sisters", "doubtful", "latency_compute_s") in lines
    assert (2, "slower_with_batch", "note", "latency_compute_s") in lines
    assert {row for row, *_ in lines} == {2}
    # fewer rows tell nothing of what is usual, and a small network that takes as long as others is honest
    assert rc.check(own_rows(latency_compute_s=slow)[[1, 2, 3]], inputs=space)["rule"].to_list() == [
        "slower_with_batch"
    ]
    assert of("far_below_sisters").height == 0


@pytest.mark.parametrize(("times", "slower"), [([1e-3, 4e-3, 2e-3, 1e-3], []), ([1e-3, 4e-3, 9e-3, 1e-3], [2])])
def test_repeats_are_no_smaller_batch_of_each_other(times, slower):
    rows = own_rows()[[0, 0, 1, 1]].with_columns(latency_compute_s=pl.Series(times))
    assert of("slower_with_batch", rc.check(rows, inputs=own_space()))["row"].to_list() == slower


def test_a_fraction_among_percentages_is_found():
    values = [92.0, 91.5, 0.92, 92.0, 90.0, 90.0, 0.1, 90.0]  # the last low one is chance, not a fraction
    findings = rc.check(own_rows(top1_percent=values), inputs=own_space())
    assert of("accuracy_is_a_fraction", findings)["row"].to_list() == [2]
    whole = rc.check(own_rows(top1_percent=[0.92] * 8), inputs=own_space())
    assert of("accuracy_is_a_fraction", whole).height == 8


def test_top5_below_top1_is_impossible_for_accuracy_alone():
    cube = rc.predict(own_space())
    values = [99.0, 90.0, None, 0.99, 92.0, 99.0, 99.0, 99.0]
    findings = of("top5_below_top1", rc.check(own_rows(top5_percent=values), inputs=own_space()))
    assert findings.select("row", "grade", "value", "limit").rows() == [(1, "impossible", 90.0, 92.0)]
    rows = own_rows(top5_percent=[90.0] * 4 + [99.0] * 4).filter(pl.col("batch") == 1)
    joined = rc.join(cube, rows)
    assert rc.best(joined, "measured_latency").topology.item() == "A"
    limited = rc.best(joined, "measured_latency", where={"measured_top1": (90, None)})
    assert (limited.topology.item(), limited.attrs["removed_by_trust"]) == ("B", 1)
    assert bool(joined.top5.sel(topology="A").isnull().all())


def test_rows_that_say_no_task_are_of_no_other_one():
    said = own_rows(task=["custom"] * 7 + ["mnist"])
    assert of("unknown_label", rc.check(said, inputs=own_space()))["row"].to_list() == [7]


def test_a_task_that_no_row_says_is_not_judged_of_a_file_either(tmp_path):
    board = rc.hypothetical(name="Kite", peak_compute="1 TOP/s", memory_bandwidth="8 GB/s")
    table = {"topology": ["MLP"], "gmacs": [0.5], "params": [2e6]}  # also the name of an embedded one
    row = {"topology": ["MLP"], "platform": ["Kite"], "precision": ["INT8"], "batch": [1], "latency_compute_s": [0.1]}
    pl.DataFrame(row).write_csv(tmp_path / "rows.csv")
    inputs = rc.inputs("kws", platforms=board, topologies=rc.read_network(table, task="kws"), batch=[1])
    for given in (row, tmp_path / "rows.csv"):
        assert rc.check(given, inputs=inputs).height == 0
        assert rc.join(rc.predict(inputs), given)["quality"].item() == 0
    said = {**row, "task": ["mnist"]}
    assert of("unknown_label", rc.check(said, inputs=inputs)).height == 1
    assert of("unknown_label", rc.check(said)).height == 1  # the platform alone
    untold = rc.inputs(platforms=board, topologies=rc.read_network(table), batch=[1])
    assert rc.check({**row, "task": ["kws"]}, inputs=untold).height == 0


def test_threads_given_by_latency_alone_must_gain_too():
    threads = pl.DataFrame(
        {"batch": [1, 2], "latency_compute_s": [0.004399, 0.008761]}  # 227 and 228 inputs a second, on two cores
    ).with_columns(
        topology=pl.lit("MobileNetv1"),
        platform=pl.lit("ZCU104-DPU"),
        precision=pl.lit("INT8"),
        batch_kind=pl.lit("threads"),
    )
    found = of("does_not_scale", rc.check(threads))
    assert found.select("row", "column").rows() == [(1, "latency_compute_s")]


def of_kinds(*runs, **labels):
    return [MLP | labels | dict(zip(("batch", "batch_kind", THROUGHPUT), run, strict=True)) for run in runs]


def test_batches_and_threads_are_different_configurations():
    rows = of_kinds((1, "batch", 90.0), (2, "batch", 180.0), (4, "threads", 70.0), (4, "batch", 300.0))
    assert rc.check(rows).height == 0
    two_cores = {"topology": "MobileNetv1", "platform": "ZCU104-DPU", "precision": "INT8"}
    rows = of_kinds((1, "batch", 120.0), (1, "threads", 227.0), (2, "threads", 228.0), **two_cores)
    assert rc.check(rows).select("row", "rule", "limit").rows() == [(2, "does_not_scale", 454.0)]


def test_a_row_that_does_not_say_its_kind_of_batch_is_of_that_beside_it():
    rows = of_kinds((1, "batch", 90.0), (1, None, 91.0), (2, "threads", 180.0))
    assert of("duplicate_key", rc.check(rows))["row"].to_list() == [0, 1]
    rows = of_kinds(
        (1, None, 227.0), (2, "threads", 228.0), topology="MobileNetv1", platform="ZCU104-DPU", precision="INT8"
    )
    assert of("does_not_scale", rc.check(rows))["row"].to_list() == [1]


def test_dims_of_ones_own_tell_configurations_apart():
    rows = own_rows()[[0, 0]].with_columns(site=pl.Series(["a", "b"]), latency_compute_s=pl.Series([0.001, 0.004]))
    space = own_space()
    assert {"duplicate_key", "repeats_disagree"} <= set(rc.check(rows, inputs=space)["rule"])
    sites = space.assign(price=xr.DataArray([1.0, 2.0], dims="site", coords={"site": ["a", "b"]}))
    assert rc.check(rows, inputs=sites).height == 0


def test_a_sweep_is_no_space_to_judge_by():
    with pytest.raises(InvalidDataError, match=r"`inputs`: expected a Dataset, got .*Sweep; .*of a sweep its `inputs`"):
        rc.check(own_rows(), inputs=rc.Sweep(own_space()))


SAMPLE = {"platform": ["NCS2"], "mode": ["default"], "topology": ["MLP"], "sample": [0]}


@pytest.mark.parametrize(
    ("traces", "told"),
    [
        ({"sample_w": [1.0]}, "got none of the name mode, platform, power_w, sample, topology; add them"),
        (SAMPLE | {"voltage_v": [5.0]}, "got none of the name current_a; add it"),
        (SAMPLE | {"power_w": ["much"]}, "row 0.*column 'power_w': got 'much'"),
    ],
)
def test_traces_that_are_none_are_told(traces, told):
    with pytest.raises(InvalidDataError, match=f"^`traces`.*{told}"):
        rc.check(ROWS.head(1), traces=traces)


POWERED = {"topology": "MLP", "platform": "NCS2", "precision": "FP16", "batch": 1, "power_full_w": 2.0}


def trace(**figures):
    length = len(next(iter(figures.values())))
    return {name: value * length for name, value in SAMPLE.items()} | {"sample": list(range(length))} | figures


@pytest.mark.parametrize("figures", [{"power_w": [1.0, 2.0]}, {"voltage_v": [5.0, 5.0], "current_a": [0.2, 0.4]}])
def test_traces_are_of_watts_or_of_volts_and_amperes(figures):
    assert "power_is_maximum" in rc.check([POWERED], traces=trace(**figures))["rule"].to_list()


@pytest.mark.parametrize("watts", [[2.0] * 40, [2.0], [2.0 + 1e-4 * place for place in range(9)]])
def test_the_highest_sample_of_a_steady_load_is_its_mean(watts):
    assert "power_is_maximum" not in rc.check([POWERED], traces=trace(power_w=watts))["rule"].to_list()


def stuck(traces):
    return of("stuck_sample", rc.check([POWERED], traces=traces))["row"].to_list()


def test_samples_are_in_a_row_by_their_number_wherever_they_stand_in_the_table():
    shuffled = TRACES.with_row_index("place").sample(fraction=1.0, shuffle=True, seed=3)
    assert len(stuck(TRACES)) == 37
    assert sorted(shuffled["place"][stuck(shuffled.drop("place"))]) == stuck(TRACES)
    steady = pl.DataFrame(trace(power_w=[1.5] * 30))
    varied = steady.with_columns(topology=pl.lit("CNV"), power_w=1.0 + 0.1 * pl.col("sample"))
    assert stuck(pl.concat([steady, varied]).sort("sample", maintain_order=True)) == list(range(0, 60, 2))
    again = steady.with_columns(power_w=1.0 + 0.1 * pl.col("sample"))
    assert stuck(pl.concat([steady, again])) == list(range(30))


def test_samples_without_a_reading_are_not_the_same_one():
    assert stuck(trace(power_w=[None] * 30)) == []
    assert len(stuck(trace(power_w=[1.5, None] * 25))) == 25


@pytest.mark.parametrize(
    ("volts", "judged"),
    [
        ([5.0, 5.1, 4.7], [4.7]),
        ([5.5, 5.5, 5.0], [5.5, 5.5]),
        ([12.0, 12.1, 5.3], []),
        ([19.0, 18.9, 0.3], []),
        ([3.3, 3.3, 3.4], []),
        ([None, None, None], []),
    ],
)
def test_samples_are_judged_by_the_limits_of_their_own_supply(volts, judged):
    other = {"topology": ["CNV"] * 3, "voltage_v": [5.0] * 3, "current_a": [0.2, 0.3, 0.4]}
    own = pl.DataFrame(trace(voltage_v=volts, current_a=[0.2, 0.3, 0.4]))
    traces = pl.concat([own, pl.DataFrame(trace(**other))], how="vertical_relaxed")
    assert of("impossible_sample", rc.check([POWERED], traces=traces))["value"].to_list() == judged


MIXTURE = {
    "model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 14336, "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2,
}  # fmt: skip


def test_a_batch_of_a_mixture_reads_the_experts_that_its_tokens_chose():
    chip = rc.hypothetical(name="Chip", peak_compute="1 POP/s", memory_bandwidth="3 TB/s")
    net = rc.read_network(MIXTURE, name="moe", phase="decode", context=1000)
    inputs = rc.inputs("generate", platforms=chip, topologies=net, precision="INT8", batch=[1, 2])
    bound = rc.predict(inputs, assumptions=rc.BOUND)["predicted_throughput"].values.ravel()
    same = {"topology": "moe", "platform": "Chip", "precision": "INT8", "phase": "decode", "context": 1000}
    for share, broken in ((0.99, []), (1.2, ["above_bound", "above_bound"])):
        rows = [same | {"batch": b, "throughput_compute_per_s": share * bound[b - 1]} for b in (1, 2)]
        for given in (inputs, inputs.isel(batch=1)):  # rows are judged at their own batch
            found = rc.check(rows, inputs=given)
            found = found.filter(pl.col("rule") == "above_bound")
            assert found["rule"].to_list() == broken
            assert found["limit"].to_list() == pytest.approx(bound.tolist()[: len(broken)])


@pytest.mark.parametrize("name", ["power", "peak_compute", "memory_bandwidth"])
def test_inputs_that_depend_on_the_batch_are_read_at_that_of_the_row(name):
    net = rc.read_network({"topology": ["M"], "ops": [1e9], "params": [1e6], "task": ["t"]})
    board = rc.hypothetical(name="Kite", peak_compute="1 TOP/s", memory_bandwidth="8 GB/s", power="5 W")
    base = rc.inputs("t", platforms=board, topologies=net, precision="INT8", batch=[1, 8])
    factor = xr.DataArray([1.0, 0.5], {"batch": [1, 8]})
    inputs = base.assign({name: (base[name] * factor).assign_attrs(base[name].attrs)})
    row = {"topology": "M", "platform": "Kite", "precision": "INT8", "power_full_w": 500.0}
    rows = [row | {"batch": b, "throughput_compute_per_s": 3e3} for b in (1, 8, 3)]
    found = rc.check(rows, inputs=inputs)
    alone = [rc.check(rows[k : k + 1], inputs=inputs.isel(batch=place)) for k, place in ((0, 0), (1, 1))]
    for rule in ("above_compute_peak", "power_unit_off"):
        limits = of(rule, found)["limit"].to_list()
        assert limits[:2] == [of(rule, one)["limit"].item() for one in alone]
        assert limits[2] == max(limits[:2])  # of a batch that the inputs lack, what allows most
    assert int(rc.join(rc.predict(inputs), rows[:2])["n_rows"].sum()) == 2


def test_a_row_without_a_batch_is_no_smaller_batch_and_is_of_no_batch_s_bound():
    rows = own_rows()[[0, 1]].with_columns(throughput_compute_per_s=pl.Series([1e3, 2e3]), latency_compute_s=None)
    fast = rows[:1].with_columns(throughput_compute_per_s=pl.lit(1e12))
    unsaid = fast.with_columns(batch=pl.lit(None, rows.schema["batch"]))
    alone = rc.check(pl.concat([rows, fast]), inputs=own_space())
    for several in ([unsaid, rows, fast], [rows, fast, unsaid]):
        found = rc.check(pl.concat(several), inputs=own_space())
        place = 0 if several[0] is unsaid else 3
        others = found.filter(pl.col("row") != place).with_columns(pl.col("row") - (place == 0))
        assert others.equals(alone)
        assert set(found.filter(pl.col("row") == place)["rule"]) == {"above_compute_peak", "above_roofline"}


@pytest.mark.parametrize(
    "name", ["row", "source_row", "task", "batch_kind", "identical", "unknown", "listed_power", "limit"]
)
def test_dims_of_ones_own_may_have_any_name(name):
    first, second, other = ("batch", "threads", None) if name == "batch_kind" else ("a", "b", "c")
    board = rc.hypothetical(name="Kite", peak_compute="1 TOP/s", memory_bandwidth="8 GB/s", power="5 W")
    base = rc.inputs("mnist", platforms=board, precision="INT8", batch=[1])
    labelled = xr.DataArray([1.0, 0.5], {name: [first, second]})
    inputs = base.assign(peak_compute=(base["peak_compute"] * labelled).assign_attrs(base["peak_compute"].attrs))
    row = {"topology": "MLP", "platform": "Kite", "precision": "INT8", "pruning_percent": 100.0, "batch": 1}
    rows = [row | {"throughput_compute_per_s": 100.0, name: label} for label in (first, second, other) if label]
    found = rc.check(rows, inputs=inputs)
    unknown = [(2, "unknown_label", name, f"{name} {other!r} is not known")] if other else []
    assert found.select("row", "rule", "column", "finding").rows() == unknown
    assert int(rc.join(rc.predict(inputs), rows)["n_rows"].sum()) == 2
