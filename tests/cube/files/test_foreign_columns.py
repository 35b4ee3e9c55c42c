"""Foreign tables come into the columns of the schema by what the user says of them."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.files.foreign_columns import unit_of
from roofcube.measured.rows import measurement_rows

FOREIGN = {
    "model": ["Mine", "Yours"],
    "bs": [64, 1],
    "step_time": [12.3, 4.0],
    "watts": [3000, 2500],
    "acc": [0.761, 0.802],
    "latency_p99": [15.0, 6.0],
}
COLUMNS = {
    "model": "topology",
    "bs": "batch",
    "step_time": ("latency_compute_s", "ms"),
    "watts": ("power_full_w", "mW"),
    "acc": "top1_percent",
    "latency_p99": None,
}
CONSTANTS = {"platform": "Board", "precision": "half"}
SAID = {"constants": CONSTANTS}


def test_names_units_and_constants_are_mapped():
    rows = rc.read_measurements(FOREIGN, columns=COLUMNS, units={"acc": "fraction"}, constants=CONSTANTS)
    chosen = rows.select(
        "topology", "batch", "latency_compute_s", "power_full_w", "top1_percent", "platform", "precision", "latency_p99"
    )
    assert chosen.row(0)[:4] == ("Mine", 64, 0.0123, 3.0)
    assert chosen.row(0)[4] == pytest.approx(76.1)
    assert chosen.row(0)[5:] == ("Board", "FP16", 15.0)


def test_a_file_is_mapped_to_the_last_bit(tmp_path):
    path = tmp_path / "board.csv"
    path.write_text("model;bs;step_time\nMine;1;2,3\nMine;2;4,7e0\n")
    given = {"columns": {name: COLUMNS[name] for name in ("model", "bs", "step_time")}, "constants": CONSTANTS}
    assert rc.read_measurements(path, **given)["latency_compute_s"].to_list() == [0.0023, 0.0047]
    path.write_text("model;bs;step_time\nMine;1;2,3\nMine;2;4,7\n")
    assert rc.read_measurements(path, **given)["latency_compute_s"].to_list() == [0.0023, 0.0047]


@pytest.mark.parametrize(
    ("unit", "value"),
    [("us", 1e-6), ("µs", 1e-6), ("s", 1.0), ("min", 60.0), ("milliseconds", 1e-3)],
)
def test_units_of_columns_that_keep_their_name(unit, value):
    table = {"topology": ["Mine"], "batch": [1], "latency_compute_s": [1.0]}
    rows = rc.read_measurements(table, units={"latency_compute_s": unit}, constants=CONSTANTS)
    assert rows["latency_compute_s"].item() == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"columns": COLUMNS | {"modell": "task"}}, "`columns`: there is no column 'modell'; did you mean 'model'"),
        ({"columns": {"topology": "model"}}, r"write it the other way round, \{'model': 'topology'\}"),
        (
            {"columns": COLUMNS | {"acc": "top1"}},
            r"`columns\['acc'\]`: 'top1' is not known; did you mean 'top1_percent'",
        ),
        ({"columns": COLUMNS | {"acc": "batch"}}, "'acc' and 'bs' are both mapped to 'batch'; map one"),
        (
            {"columns": COLUMNS | {"step_time": ("latency_compute_s", "mW")}},
            "`units`: 'mW' is no unit of 'latency_compute_s'; expected one of s, sec",
        ),
        ({"columns": COLUMNS, "units": {"model": "ms"}}, "`units`: 'topology' has no unit, got 'ms'"),
        (
            {"columns": COLUMNS, "units": {"step_time": "us"}},
            "`units`: 'step_time' has the units 'ms' and 'us'; say one",
        ),
        ({"columns": COLUMNS, "units": {"step": "us"}}, "`units`: there is no column 'step'; did you mean 'step_time'"),
        ({"columns": COLUMNS, "units": {"latency_p99": "us"}}, "`units`: 'latency_p99' is kept as it is"),
        (
            {"columns": COLUMNS, "constants": CONSTANTS | {"batch": 1}},
            "column 'batch' is in the table and in `constants`",
        ),
        (
            {"columns": COLUMNS, "constants": CONSTANTS | {"mode": [1]}},
            r"`constants\['mode'\]`: expected one text or number",
        ),
        (
            {"columns": COLUMNS, "constants": CONSTANTS | {"precision": "FP17"}},
            r"^`source`, `constants\['precision'\]`: got 'FP17'; .*did you mean 'FP16'",
        ),
        (
            {"columns": COLUMNS, "constants": {"platfrom": "x", "precision": "FP16"}},
            "'platfrom' is not known; did you mean",
        ),
        ({"columns": ["model"]}, "`columns`: expected a mapping, got "),
        ({"units": 3}, "`units`: expected a mapping, got 3"),
        ({"constants": "x"}, "`constants`: expected a mapping, got 'x'"),
        (
            {"columns": {"model": 3}},
            r"`columns\['model'\]`: expected the name of a column, a name with a unit, or None",
        ),
    ],
)
def test_what_does_not_fit_is_told(given, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_measurements(FOREIGN, **given)


@pytest.mark.parametrize("name", ["lat_ms", "latency (ms)", "lat [us]"])
def test_a_unit_in_a_foreign_name_must_be_said(name):
    table = {"topology": ["Mine"], "batch": [1], name: [12.0]}
    with pytest.raises(InvalidDataError, match=r"seems to be in [mu]s, 'latency_compute_s' is in s; say its unit"):
        rc.read_measurements(table, columns={name: "latency_compute_s"}, constants=CONSTANTS)
    rows = rc.read_measurements(table, columns={name: ("latency_compute_s", "s")}, constants=CONSTANTS)
    assert rows["latency_compute_s"].item() == 12.0


@pytest.mark.parametrize(("unit", "value"), [("ms", 0.012), ("Ms", 0.012), ("us", 12e-6), ("minutes", 720.0)])
def test_a_unit_in_brackets_behind_a_column_of_the_schema_is_taken(unit, value):
    rows = rc.read_measurements({"topology": ["Mine"], "batch": [1], f"Latency_compute ({unit})": [12.0]}, **SAID)
    assert rows["latency_compute_s"].item() == pytest.approx(value, rel=1e-15)


def test_a_minimum_is_no_minute():
    table = {"topology": ["Mine"], "batch": [1], "Latency_compute (min)": [0.01], "Latency_compute (mean)": [0.012]}
    with pytest.raises(InvalidDataError, match=r"'Latency_compute \(min\)' is not known.* mean 'latency_compute_s'"):
        rc.read_measurements(table, **SAID)
    template = {"NN_Topology": ["CNV"], "HWType": ["TX2"], "Precision": ["FP16"], "batch/thread/stream": [1]}
    with pytest.raises(
        InvalidDataError, match=r"'LAT-comp \(min\)' is none of the template's; it seems to be 'latency"
    ):
        rc.read_measurements({**template, "LAT-comp (min)": [40.0]})
    said = rc.read_measurements(
        {**template, "LAT-comp (min)": [40.0]}, columns={"LAT-comp (min)": ("latency_compute_s", "ms")}
    )
    assert said["latency_compute_s"].item() == 0.04


def test_a_constant_may_be_in_another_unit():
    table, given = (
        {"topology": ["Mine"], "batch": [1], "latency_compute_s": [0.1]},
        {**CONSTANTS, "power_full_w": "250"},
    )
    assert rc.read_measurements(table, units={"power_full_w": "mW"}, constants=given)["power_full_w"].item() == 0.25
    with pytest.raises(InvalidDataError, match="`units`: 'ms' is no unit of 'power_full_w'"):
        rc.read_measurements(table, units={"power_full_w": "ms"}, constants=given)


@pytest.mark.parametrize("value", [["a", "b"], np.array(["a", "b"]), pl.Series(["a"])])
def test_a_constant_is_one_value(value):
    with pytest.raises(InvalidDataError, match=r"`constants\['mode'\]`: expected one text or number"):
        rc.read_measurements(FOREIGN, columns=COLUMNS, constants={**CONSTANTS, "mode": value})


def test_a_column_that_is_there_twice_over_is_told():
    table = {"topology": ["Mine"], "batch": [1], "t": [12.0], "latency_compute_s": [1.0]}
    with pytest.raises(InvalidDataError, match="'t' is mapped to 'latency_compute_s', which is in the table too"):
        rc.read_measurements(table, columns={"t": "latency_compute_s"}, constants=CONSTANTS)
    table |= {"given_latency_compute_s": [2.0]}
    columns = {"t": "latency_compute_s", "latency_compute_s": None}
    rows = rc.read_measurements(table, columns=columns, constants=CONSTANTS)
    assert rows.row(0, named=True).items() >= {"latency_compute_s": 12.0, "given_given_latency_compute_s": 1.0}.items()
    kept = rc.read_measurements(table, columns={"t": None, "given_latency_compute_s": "note"}, constants=CONSTANTS)
    assert kept.row(0, named=True).items() >= {"latency_compute_s": 1.0, "t": 12.0, "note": 2.0}.items()


MINE = {"topology": ["Mine"], "batch": [1]}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("modes", "did you mean 'mode'"),
        ("Tasks", "did you mean 'task'"),
        ("Latency", "did you mean 'latency_system_s'"),
        ("latency_ms", "seems to be 'latency_system_s'; map it with columns=, its unit 'ms' too, or to None"),
        ("Latency (ms)", "seems to be 'latency_system_s'"),
        ("power_mw", "seems to be 'power_base_w', 'power_idle_w' or 'power_full_w'"),
        ("throughput_kfps", "seems to be 'throughput_compute_per_s' or 'throughput_system_per_s'"),
        ("throughput_samples_per_sec", "its unit 'samples/sec' too"),
        (
            "throughput_compute_per_min",
            "seems to be 'throughput_compute_per_s'; map it with columns=, its unit '1/min'",
        ),
        ("throughput (images/min)", "its unit 'images/min' too"),
        ("throughput per day", "its unit '1/day' too"),
        ("throughput (img/ms)", "its unit '1/ms' too"),
        ("throughput (kimages/min)", "bring it from 'kimages/min' to 1/s and rename it"),
        ("throughput per watt", ""),
        ("throughput (images/J)", ""),
        ("throughput/core", ""),
        ("latency_note", ""),
        ("latency_min", ""),
        ("latency_std_ms", ""),
        ("power_supply", ""),
        ("throughput_rank", ""),
        ("throughput_std_per_s", ""),
        ("model", ""),
    ],
)
def test_plurals_and_quantities_with_their_units_are_not_kept_in_silence(name, told):
    table = MINE | {"latency_compute_s": [1.0], name: [3.0]}
    if told:
        with pytest.raises(InvalidDataError, match=rf"column '{re.escape(name)}' is not known.*{re.escape(told)}"):
            rc.read_measurements(table, constants=CONSTANTS)
    assert rc.read_measurements(table, columns={name: None}, constants=CONSTANTS)[name].item() == 3.0
    assert told or name in rc.read_measurements(table, constants=CONSTANTS).columns


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("latency compute (msec/batch)", "latency_compute_s"),
        ("Latency_compute (ms per image)", "latency_compute_s"),
        ("latency compute (min)", "latency_compute_s"),
        ("Throughput compute (per s)", "throughput_compute_per_s"),
        ("Throughput compute (per min)", "throughput_compute_per_s"),
        ("Power full <mA>", "power_full_w"),
        ("Top 1 (%)", "top1_percent"),
        ("Top-1", "top1_percent"),
    ],
)
def test_an_absent_figure_is_not_kept_whatever_stands_behind_it_in_brackets(name, meant):
    table = MINE | {"platform": ["Board"], "precision": ["FP16"], "power_base_w": [1.0], name: [3.0]}
    for read in (rc.read_measurements, measurement_rows):
        with pytest.raises(InvalidDataError, match=rf"column '{re.escape(name)}' is not known.*'{meant}'"):
            read(table)
    assert rc.read_measurements(table, columns={name: None})[name].item() == 3.0
    assert name in measurement_rows(table | {meant: [2.0]}).columns


@pytest.mark.parametrize(
    ("constant", "told", "right"),
    [
        (
            {"latency_compute_ms": 5},
            "multiply by 0.001 and name it 'latency_compute_s'; name it so in `constants`",
            {"latency_compute_s": 0.005},
        ),
        (
            {"latency_ms": 5},
            "seems to be 'latency_compute_s' or 'latency_system_s'; name it so in `constants`, and give it in s",
            {"latency_compute_s": 0.005},
        ),
        ({"modes": "maxn"}, "did you mean 'mode'?; name it so in `constants`", {"mode": "maxn"}),
        ({"pruned": 50}, "write 100 - x (in %), and name it so in `constants`", {"pruning_percent": 50.0}),
    ],
)
def test_advice_on_a_constant_can_be_followed(constant, told, right):
    table = MINE | {"throughput_compute_per_s": [200.0]}
    with pytest.raises(InvalidDataError, match=rf"{re.escape(told)}[^;]*$"):
        rc.read_measurements(table, constants=CONSTANTS | constant)
    assert rc.read_measurements(table, constants=CONSTANTS | right).row(0, named=True).items() >= right.items()


def test_faults_name_the_column_as_the_file_does(tmp_path):
    path = tmp_path / "board.csv"
    path.write_text("model,bs,step_time\nMine,1,2.3\nMine,2,slow\n")
    with pytest.raises(InvalidDataError, match=r"board\.csv, row 3, column 'step_time': got 'slow'"):
        rc.read_measurements(
            path, columns={name: COLUMNS[name] for name in ("model", "bs", "step_time")}, constants=CONSTANTS
        )


def test_mapped_rows_join_like_any():
    rows = rc.read_measurements(
        pl.DataFrame(FOREIGN).lazy(), columns=COLUMNS, units={"acc": "fraction"}, constants=CONSTANTS
    )
    board = {
        "platform": "Board",
        "device_class": "GPU",
        "precision": "FP16",
        "peak_compute": "40 TOP/s",
        "memory_bandwidth": "900 GB/s",
    }
    networks = [{"topology": name, "gmacs": 4.1, "params": 25e6} for name in ("Mine", "Yours")]
    cube = rc.join(rc.predict(rc.inputs(platforms=[board], topologies=networks, batch=[1, 64])), rows)
    assert int(cube.n_rows.sum()) == 2
    assert float(cube.latency_p99.max()) == 15.0


def test_whole_numbers_in_another_unit_are_what_was_meant_to_the_last_bit():
    rows = {"topology": ["MLP"] * 3, "platform": ["NCS2"] * 3, "precision": ["FP16"] * 3, "batch": [1, 2, 3]}
    table = rc.read_measurements(rows | {"latency_compute_s": [10500, 2300, None]}, units={"latency_compute_s": "us"})
    assert table["latency_compute_s"].to_list() == [0.0105, 0.0023, None]


@pytest.mark.parametrize(
    ("units", "told"),
    [
        (["ms", "ms"], "ms"),
        (["s", "ms"], "s, ms"),
        (["Tokens/s", "Samples/s"], "Tokens/s, Samples/s"),
        (["s", "s"], ""),
        (["CPU_AND_NE", "ALL"], ""),
    ],
)
def test_units_row_by_row_are_not_kept_as_text(units, told):
    """As the results of MLPerf have them."""
    table = {
        "topology": ["A", "B"],
        "platform": "X",
        "precision": "FP8",
        "batch": 1,
        "Result": [1.0, 2.0],
        "Units": units,
    }
    columns = {"Result": "latency_compute_s"}
    if not told:
        assert rc.read_measurements(table, columns=columns)["Units"].to_list() == units
        return
    with pytest.raises(InvalidDataError, match=re.escape(f"column 'Units' gives units row by row ({told}); bring all")):
        rc.read_measurements(table, columns=columns)
    kept = rc.read_measurements(table, columns=columns | {"Units": None})
    assert kept["Units"].to_list() == units
    if units == ["ms", "ms"]:
        said = rc.read_measurements(table, columns={"Result": ("latency_compute_s", "ms")})
        assert said["latency_compute_s"].to_list() == [0.001, 0.002]


def test_a_column_of_ones_own_may_be_named():
    table = {"topology": ["Mine"], "batch": [1], "t": [1.0], "seq_len": [128], "Stage": ["decode"]}
    columns = {"t": "latency_compute_s", "seq_len": "context", "Stage": "phase"}
    rows = rc.read_measurements(table, columns=columns, constants=CONSTANTS)
    assert rows.select("context", "phase").row(0) == (128, "decode")
    for target, told in (
        ("presision", "did you mean 'precision'"),
        ("latency", "did you mean 'latency_"),
        (("context", "ms"), "'context' is not known"),
        ("a b", "'a b' is not known"),
    ):
        with pytest.raises(InvalidDataError, match=told):
            rc.read_measurements(table, columns={"t": None, "seq_len": target}, constants=CONSTANTS)
    with pytest.raises(InvalidDataError, match="'context' is not known"):
        rc.read_measurements(table, columns=columns, units={"context": "ms"}, constants=CONSTANTS)
    with pytest.raises(InvalidDataError, match="'seq_len' is mapped to 'Stage', which is in the table too"):
        rc.read_measurements(table, columns={"t": "latency_compute_s", "seq_len": "Stage"}, constants=CONSTANTS)


KITE = {"platform": ["Kite"], "device_class": ["NPU"], "precision": ["INT8"]}


@pytest.mark.parametrize(
    ("head", "column", "unit"),
    [
        *(
            (head, "latency_compute_s", "ms")
            for head in ("Latency, ms", "latencyMs", "Latency ms avg", "latency_ms_p50")
        ),
        *((head, "latency_compute_s", "ms") for head in ("latency (ms) p50", "time (ms, p50)", "t/ms", "ms", "t <ms>")),
        ("Latency MS", "latency_compute_s", "ms"),
        ("latency (cycles)", "latency_compute_s", "cycles"),
        ("Power / mW", "power_full_w", "mW"),
        ("tput (images/min)", "throughput_compute_per_s", "images/min"),
        ("tput (k images per s)", "throughput_compute_per_s", "kimages/s"),
        ("Throughput (GOP/s)", "throughput_compute_per_s", "GOP/s"),
        ("acc (0-1)", "top1_percent", "0-1"),
        *(
            (head, "latency_compute_s", head[5:])
            for head in ("time_msecs", "time millisec", "time_nanos", "time_micros")
        ),
        ("power_milli_watt", "power_full_w", "milliwatt"),
        ("ktok/second", "throughput_compute_per_s", "ktok/s"),
        *((head, "throughput_compute_per_s", "TPM") for head in ("TPM", "tpm_p50", "throughputTPM", "rate (TPM)")),
        *((head, "throughput_compute_per_s", head) for head in ("RPM", "QPM", "IPM", "FPM", "kTPM")),
    ],
)
def test_a_unit_anywhere_in_a_head_is_told(head, column, unit):
    table = {"topology": ["Mine"], "batch": [1], head: [12.0]}
    with pytest.raises(InvalidDataError, match=rf"{re.escape(repr(head))} seems to be in '?{re.escape(unit)}'?, "):
        rc.read_measurements(table, columns={head: column}, constants=CONSTANTS)


@pytest.mark.parametrize(
    ("head", "column", "told"),
    [
        *((head, "power_full_w", head.split("_")[-1]) for head in ("energy_mJ", "kWh", "time_s", "MHz")),
        *((head, "throughput_compute_per_s", head) for head in ("ms", "GOPS", "fps/W", "batches/s", "it/s")),
        ("samples/day", "throughput_compute_per_s", "samples/day"),
        ("kimages/min", "throughput_compute_per_s", "kimages/min"),
        ("latency_w", "latency_compute_s", "w"),
        *((head, "power_full_w", head.split("_")[-1]) for head in ("current_mA", "supply_mV", "kV", "µA", "volts")),
        *((head, "power_full_w", head.split("_")[-1]) for head in ("current_ma", "current_A", "voltage_V", "amps")),
        *((head, "throughput_compute_per_s", head) for head in ("mA", "mA/inference")),
        ("time x10^3", "latency_compute_s", "x10^3"),
        *((f"t ({one})", "latency_compute_s", one) for one in ("1e-6 s", "10^-3 s", "10⁻³ s", "s x 1000")),
        *((f"t ({one})", "throughput_compute_per_s", one) for one in ("thousand img/s", "10^3 img/s", "1,000 img/s")),
        ("t (millions of inferences/s)", "throughput_compute_per_s", "millions of inferences/s"),
        ("latency 1e-6 s", "latency_compute_s", "1e-6 s"),
        ("latency (s) x1000", "latency_compute_s", "s x1000"),
        ("8 Batches/s", "throughput_compute_per_s", "Batches/s"),
        ("thousand fps", "throughput_compute_per_s", "thousand fps"),
        *((f"t ({one})", "latency_compute_s", one) for one in ("1/10 s", "0.1 ms")),
        ("latency 1/1000 s", "latency_compute_s", "1/1000 s"),
        ("time per 100 runs [s]", "latency_compute_s", "s per 100"),
        *((f"power_{one}", "power_full_w", one) for one in ("cW", "dW", "deciwatt")),
    ],
)
def test_units_of_other_quantities_and_powers_of_ten_are_not_taken_in_silence(head, column, told):
    table = {"topology": ["Mine"], "batch": [1], head: [12.0]}
    with pytest.raises(InvalidDataError, match=rf"{re.escape(repr(head))} seems to be in '?{re.escape(told)}'?, "):
        rc.read_measurements(table, columns={head: column}, constants=CONSTANTS)
    said = rc.read_measurements(table, columns={head: (column, unit_of(column))}, constants=CONSTANTS)
    assert said[column].item() == 12.0


@pytest.mark.parametrize(
    ("head", "column"),
    [
        *((head, "latency_compute_s") for head in ("8 bit latency", "latency 15 W", "time at 200 MHz", "mac latency")),
        *((head, "latency_compute_s") for head in ("second run", "pw_latency", "latency of all ops", "99 percent")),
        *((head, "latency_compute_s") for head in ("Jetson Nano sec", "Latency (s, 224x224)", "latency (s, x86)")),
        *((head, "power_full_w") for head in ("power at 30 fps", "power at 8 img/s", "power 8 bit", "power (15 W)")),
        *((head, "top1_percent") for head in ("pruned_flops", "acc_s", "acc MS COCO", "Top 1")),
        ("Throughput (images/s, 1000 runs)", "throughput_compute_per_s"),
        *((head, "latency_compute_s") for head in ("latency_mean", "params", "items", "latency (p50)", "Time (s)")),
        *((head, "latency_compute_s") for head in ("latency (lower is better)", "Latency (s, lower is better ↓)")),
        *((head, "latency_compute_s") for head in ("min latency", "mean(latency)", "latency per batch", "t_s_p50")),
        *(
            (head, "throughput_compute_per_s")
            for head in ("fps", "superfast", "samplesPerSec", "img/s", "tput (tok/s)")
        ),
        *((head, "top1_percent") for head in ("Top-1", "Top 1 (%)", "acc@1 (val)")),
        # no initials of a rate, no amperes, no volts
        *((head, "throughput_compute_per_s") for head in ("IPM throughput", "TPM module fps", "(IPM, img/s)", "B")),
        *((head, "latency_compute_s") for head in ("RPM", "model_A", "A", "V", "V100", "platform_V", "latency AMP")),
        *((head, "latency_compute_s") for head in ("kv_cache", "latency_MA", "mv2", "time at 500 mA", "current A")),
        *(
            (head, "power_full_w")
            for head in ("current power", "power at 12 V", "power at 500 mA", "power_MA", "model_A")
        ),
    ],
)
def test_base_units_and_letters_within_words_pass(head, column):
    table = {"topology": ["Mine"], "batch": [1], head: [12.0]}
    assert rc.read_measurements(table, columns={head: column}, constants=CONSTANTS)[column].item() == 12.0


REMOVED = "says what was removed, pruning_percent is what is left: write 100 - x (in %), and rename it"
ERROR = "says an error: write 100 - error, and rename it"
PER_INPUT = (
    "says a time per input, 'latency_compute_s' is that of a whole batch: multiply it by the batch, and rename it"
)


@pytest.mark.parametrize(
    ("head", "column", "told"),
    [
        *((head, "pruning_percent", REMOVED) for head in ("sparsity (%)", "pruned", "pruning_rate", "channelsRemoved")),
        *((head, "pruning_percent", REMOVED) for head in ("sparsity (1 - density)", "zeros [%]", "pruning amount")),
        *((head, "top1_percent", ERROR) for head in ("top1_err", "Top-1-error", "error rate", "Top1Error", "WER")),
        *((head, "top5_percent", ERROR) for head in ("misclassified (%)", "loss", "accuracy loss", "top1-error")),
        *(
            (head, "latency_compute_s", PER_INPUT)
            for head in ("time per image (s)", "per-image latency", "t / img (s)")
        ),
        *(
            (head, "latency_compute_s", PER_INPUT)
            for head in ("latency_per_token_s", "latencyPerSample", "t (ms/image)")
        ),
    ],
)
def test_a_head_that_says_the_opposite_of_its_column_is_refused(head, column, told, tmp_path):
    table = {"topology": ["Mine"], "batch": [1], "power_full_w": [3.0], head: [12.0]}
    for target in (column, (column, unit_of(column))):
        with pytest.raises(InvalidDataError, match=re.escape(f"`columns`: {head!r} {told}")):
            rc.read_measurements(table, columns={head: target}, constants=CONSTANTS)
    if column in ("pruning_percent", "top1_percent"):
        totals = {"topology": ["Mine"], "gmacs": [4.1], "mparams": [25.5], head: [12.0]}
        with pytest.raises(InvalidDataError, match=re.escape(f"`columns`: {head!r} {told}")):
            rc.read_network(totals, task="t", columns={head: column.removesuffix("_percent")})


@pytest.mark.parametrize(
    ("head", "column"),
    [
        *(
            (head, "pruning_percent")
            for head in ("channels kept after pruning", "density", "100 - sparsity", "unpruned")
        ),
        *(
            (head, "top1_percent")
            for head in ("100-top1_err", "accuracy at lowest loss", "accuracy without loss", "terror")
        ),
        *((head, "latency_compute_s") for head in ("time per batch (s)", "image latency", "latency 224x224 images")),
    ],
)
def test_a_head_that_denies_the_opposite_passes(head, column):
    table = {"topology": ["Mine"], "batch": [1], "power_full_w": [3.0], head: [12.0]}
    assert rc.read_measurements(table, columns={head: column}, constants=CONSTANTS)[column].item() == 12.0


@pytest.mark.parametrize("head", ["top1_error", "top5_error_percent", "pruning_ratio", "pruning_fraction"])
def test_advice_on_a_head_that_says_the_opposite_says_so(head):
    table = {"topology": ["Mine"], "gmacs": [4.1], "mparams": [25.5], head: [12.0]}
    with pytest.raises(InvalidDataError, match=rf"column '{head}' is not known: '{head}' says .*: write 100 - "):
        rc.read_network(table, task="t")


def test_a_clock_is_no_peak():
    with pytest.raises(InvalidDataError, match="'clock_mhz' seems to be in 'mhz', no known unit of 'peak_compute'"):
        rc.read_platforms(KITE | {"clock_mhz": [800], "memory_bandwidth": 1e9}, columns={"clock_mhz": "peak_compute"})


KITE_ROW = {"platform": "Kite", "device_class": "NPU", "precision": "INT8", "memory_bandwidth": "8 GB/s"}
SPARSE = "a peak of sparse operations is no peak: write the dense one, half of it at 2:4"


@pytest.mark.parametrize(
    ("head", "sparse"),
    [
        *((head, True) for head in ("INT8 TOPS (sparse)", "Sparse TOPS", "TOPS with sparsity")),
        *((head, True) for head in ("Sparse TOPS (2x dense)", "TOPS sparse, no boost", "sparse TOPS (not boosted)")),
        *((head, True) for head in ("TOPS (2:4)", "TOPS with 2:4 structured", "TOPS with sparsity, not dense")),
        *((head, False) for head in ("TOPS (dense)", "TOPS without sparsity", "Non-sparse TOPS", "TOPS (no 2:4)")),
        *((head, False) for head in ("TOPS_no_sparsity", "Dense TOPS (2x with sparsity)", "TOPS (sparsity: off)")),
    ],
)
def test_a_peak_of_sparse_operations_is_refused(head, sparse):
    table = KITE | {"memory_bandwidth": "8 GB/s", head: [40]}
    if sparse:
        with pytest.raises(InvalidDataError, match=f"{re.escape(repr(head))} says sparse; {SPARSE}, and rename it"):
            rc.read_platforms(table, columns={head: ("peak_compute", "TOP/s")})
        with pytest.raises(InvalidDataError, match=f'write it like "40 TOP/s"; {SPARSE}'):
            rc.read_platforms(KITE | {"memory_bandwidth": "8 GB/s", "peak_compute": [f"40 {head}"]})
    else:
        rows = rc.read_platforms(table, columns={head: ("peak_compute", "TOP/s")})
        assert rows["peak_compute_op_per_s"].item() == 4e13


def test_a_source_that_says_sparse_is_refused_unless_it_says_how_the_peak_comes_from_it():
    table = KITE | {"memory_bandwidth": "8 GB/s"}
    for peak in ({"value": "4 TOP/s", "source": "sheet, with sparsity"}, "4 TOP/s"):
        with pytest.raises(
            InvalidDataError, match=f"'peak_compute_source': 'sheet, with sparsity' says sparse; {SPARSE}"
        ):
            rc.read_platforms([KITE_ROW | {"peak_compute": peak, "peak_compute_source": "sheet, with sparsity"}])
    rows = rc.read_platforms(table | {"peak_compute": ["4 TOP/s"], "peak_compute_source": ["half of the sparse peak"]})
    assert rows["peak_compute_source"].item() == "half of the sparse peak"


def test_units_in_heads_of_platforms_are_told():
    columns = {"Peak (TOPS)": ("peak_compute", "TOPS"), "BW": ("memory_bandwidth", "GB/s"), "TDP (mW)": "power"}
    table = KITE | {"Peak (TOPS)": [4], "BW": [17], "TDP (mW)": [5000]}
    fix = r"'TDP \(mW\)' seems to be in mW, 'power' is in W; say its unit: \(\"power\", \"mW\"\)"
    with pytest.raises(InvalidDataError, match=fix):
        rc.read_platforms(table, columns=columns)
    said = rc.read_platforms(table, columns=columns | {"TDP (mW)": ("power", "mW")})
    assert said["listed_power_w"].item() == 5.0
    # text says its own
    assert rc.read_platforms(table | {"TDP (mW)": ["5 W"]}, columns=columns)["listed_power_w"].item() == 5.0
    with pytest.raises(InvalidDataError, match=r"'Memory \(Mb\)' seems to be in MB"):
        rc.read_platforms(table | {"Memory (Mb)": [1]}, columns=columns | {"Memory (Mb)": "memory_capacity"})


@pytest.mark.parametrize(
    ("macs", "params", "told"),
    [
        (("MACs (M)", "macs"), ("Params", "params"), r"'MACs \(M\)' seems to be in M, .* map it to 'mmacs'"),
        (("GMACs", "gops"), ("Params", "params"), "seems to count MACs, .* map it to 'gmacs'"),
        (("MACs (M)", "mmacs"), ("Params (k)", "params"), r"'Params \(k\)' .* map it to 'kparams'"),
        (("MACs (M)", "mmacs"), ("params_m", "params"), "map it to 'mparams'"),
        (("MACs (M)", "mmacs"), ("Params (Mi)", "mparams"), "in 'Mi', which is not known"),
        (("MACs (M)", "mmacs"), ("weight_bytes", "params"), "in 'bytes', which is not known"),
        (("MACs (M)", "mmacs"), ("size_mb", "mparams"), "in 'mb', which is not known"),
        (("MACs (M)", "mmacs"), ("Size MB", "mparams"), "in 'MB', which is not known"),
        (("MACs (M)", "mmacs"), ("flash_kbit", "kparams"), "in 'kbit', which is not known"),
        (("MAdds", "ops"), ("Params (k)", "kparams"), "seems to count MACs, .* map it to 'macs'"),
        *((("operations", one), ("Params", "params"), "count operations, .* map it to") for one in ("macs", "mmacs")),
        (("Operations (M)", "mmacs"), ("Params", "params"), "count operations, .* map it to 'mops'"),
        *(
            ((one, "ops"), ("Params", "params"), "count MACs, .* map it")
            for one in ("MultAdds", "multiply-accumulates")
        ),
        *(
            ((one, "gops"), ("Params", "params"), "seems to be a rate")
            for one in ("GFLOP/s", "Gop_per_s", "GMACs / sec")
        ),
        *(
            (("MACs (M)", "mmacs"), (head, "kparams"), f"in '{head.split('_')[-1]}', which is not known")
            for head in ("weights_MiB", "weights_KiB", "model_GiB", "size_kB")
        ),
        *(
            (
                (f"macs {power}", "macs"),
                ("Params", "params"),
                re.escape(f"in {power}, 'macs' is not; map it to 'mmacs'"),
            )
            for power in ("x1e6", "x 10^6", "* 10**6", "10⁶", "1e-6")
        ),
        (("GMACs x1000", "gmacs"), ("Params", "params"), "in 'x1000', which is not known; bring its values to 'gmacs'"),
        (("MACs x1e100", "macs"), ("Params", "params"), "in 'x1e100', which is not known"),
        *(
            ((head, "mmacs"), ("Params (k)", "kparams"), "seems to be of a batch, 'mmacs' is a count of one input")
            for head in ("MMACs per batch", "MMACs/batch", "MMACs (per batch)", "MMACs (batch 32)", "MMACs_bs32")
        ),
        *(((head, "ops"), ("Params", "params"), "count MACs, .* map it to 'macs'") for head in ("FMAs", "FMA")),
        (("GFMAs", "macs"), ("Params", "params"), "map it to 'gmacs'"),
        *(
            ((head, "mmacs"), ("Params (k)", "kparams"), "")
            for head in (
                *("MACs x1e6", "MACs x10^6", "MACs *10**6", "MACs · 10⁶", "MACs/1e6", "MACs 1e-6", "MACs 1000 x 1000"),
                *("MMACs (batch 1)", "MMACs per batch of 1", "MMACs per batch element", "MMACs/image (batch 32)"),
                *("FMAs (M)", "MFMAs"),
            )
        ),
        (("mops, FMA=2", "mops"), ("params_k (batch 32)", "kparams"), ""),
        (("MAC operations (M)", "mmacs"), ("Params (k)", "kparams"), ""),
        (("mult-adds (M)", "mmacs"), ("Params (k)", "kparams"), ""),
        (("MACs per sample", "mmacs"), ("Params (k)", "kparams"), ""),
        (("MACs (M)", "mmacs"), ("Params (k)", "kparams"), ""),
        (("MACs", "mmacs"), ("param_count", "kparams"), ""),
    ],
)
def test_thousands_in_heads_of_networks_are_told(macs, params, told):
    table = {"Model": ["Mine"], macs[0]: [4100], params[0]: [25500]}
    columns = {"Model": "topology", **dict([macs, params])}
    if told:
        with pytest.raises(InvalidDataError, match=told):
            rc.read_network(table, task="t", columns=columns)
    else:
        totals = rc.read_network(table, task="t", columns=columns)
        ops = 4.1e9 if macs[1] == "mops" else 8.2e9
        assert totals.select("ops", "params").rows() == [(ops, 25.5e6)]


def test_a_fraction_in_a_head_of_networks_is_told():
    table = {"topology": ["Mine"], "gmacs": [4.1], "mparams": [25.5], "acc (fraction)": [0.76]}
    with pytest.raises(InvalidDataError, match="seems to be in fraction, 'top1' is in %; bring its values to %"):
        rc.read_network(table, task="t", columns={"acc (fraction)": "top1"})
