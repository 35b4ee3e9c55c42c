from __future__ import annotations

import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingInputError

HEADER = "task,topology,platform,mode,precision,pruning_percent,batch,latency_compute_s,throughput_compute_per_s,top1_percent\n"
ROW = "cifar10,CNV,TX2,maxn,FP16,100,1,0.0011,909,87.02\n"


def written(folder, text, name="rows.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_embedded_rows_survive_a_round_trip(tmp_path):
    rows = rc.datasets.load_measurements("mnist")
    rows.write_csv(tmp_path / "mine.csv")
    assert rc.read_measurements(tmp_path / "mine.csv").equals(rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            HEADER.replace("latency_compute_s", "latency_compute_ms") + ROW,
            r"rows\.csv, header \(row 1\): column 'latency_compute_ms' is not known: wrong unit 'ms'; multiply by 0\.001 and name it 'latency_compute_s'",
        ),
        (
            HEADER.replace("throughput_compute_per_s", "throughput_compute_fps") + ROW,
            r"multiply by 1 and name it 'throughput_compute_per_s'",
        ),
        (HEADER.replace("platform", "platfrom") + ROW, r"column 'platfrom' is not known; did you mean 'platform'\?"),
        ("task,topology\nx,y\n", r"header \(row 1\): column 'platform' is missing"),
        (
            HEADER + ROW.replace("909", "fast"),
            r"rows\.csv, row 2, column 'throughput_compute_per_s': got 'fast'; expected a number",
        ),
        (HEADER + ROW.replace("909", '"1,234.5"'), r"got '1,234\.5'; expected a number; write 1234\.5"),
        (
            HEADER + ROW.replace("FP16", "FP17"),
            r"column 'precision': got 'FP17'; expected one of INT1, .*; did you mean 'FP16'\?",
        ),
        (
            HEADER + ROW + ROW,
            r"rows 2 and 3, column 'batch': got the same key twice \(.*platform='TX2'.*\); keep one row",
        ),
        (HEADER + ROW.replace(",100,1,", ",100,0,"), r"row 2, column 'batch': got '0'; .*greater than or equal to 1"),
        (HEADER + ROW.replace(",87.02", ",870.2"), r"column 'top1_percent': got '870\.2'; .*less than or equal to 100"),
        (HEADER + ROW.replace("0.0011", "-1"), r"column 'latency_compute_s': got '-1'; .*greater than 0"),
        (HEADER + ROW.replace("0.0011", "nan"), r"column 'latency_compute_s'.*finite number"),
        ("", r"rows\.csv: the file is empty"),
        (HEADER.replace("top1_percent", "top1") + ROW, r"column 'top1' is not known: .*did you mean 'top1_percent'\?"),
        (HEADER + ROW.replace("0.0011", "1.1 ms"), r"column 'latency_compute_s': got '1\.1 ms'; .*write 0\.0011"),
        (HEADER + ROW.replace("0.0011", '"0,0011"'), r"got '0,0011'; expected a number; write 0\.0011"),
        (HEADER + ROW.replace(",100,1,", ",100,1.5,"), r"column 'batch': got '1\.5'; expected a whole number"),
        (HEADER + ROW.replace(",100,1,", ",100,,"), r"column 'batch': got nothing; the field is empty and must not be"),
        (HEADER + ROW.replace(",100,1,", f",100,{2**64},"), r"column 'batch': got '18446744073709551616'; .*less than"),
        (HEADER.replace("\n", ",batch\n") + ROW, r"header \(row 1\): column 'batch' is there twice; keep one"),
        (HEADER + ROW + "\n" + ROW, r"row 3: got 0 fields, expected 10 as in the header"),
        (HEADER + ROW + ROW.replace("\n", ",5\n"), r"row 3: got 11 fields, expected 10"),
        (HEADER + ROW.replace("CNV", '"CNV'), r"row 2: not readable as CSV \(.*\); close every quotation mark"),
        (
            (HEADER + ROW).replace(",", ";"),
            r"header \(row 1\): fields are separated by semicolons; separate them by commas",
        ),
        (HEADER + ROW.replace("CNV", "C\0V"), r"holds zero bytes"),
    ],
)
def test_bad_measurements_say_where_what_and_how_to_mend(tmp_path, text, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_measurements(written(tmp_path, text))


def test_a_byte_that_is_not_utf8_is_found(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes((HEADER + ROW + ROW.replace("CNV", "CNVé")).encode("latin-1"))
    with pytest.raises(InvalidDataError, match=r"rows\.csv, row 3: byte 0xe9 is not UTF-8; save the file as UTF-8"):
        rc.read_measurements(path)


def test_byte_order_mark_spaces_and_empty_lines_at_the_end_are_no_fault(tmp_path):
    text = "\ufeff" + HEADER.replace(",", ", ") + ROW.replace(",", " , ") + "\n,,,,,,,,,\n"
    assert rc.read_measurements(written(tmp_path, text)).equals(rc.read_measurements(written(tmp_path, HEADER + ROW)))


def test_several_bad_values_are_counted(tmp_path):
    bad = ROW.replace("909", "fast")
    with pytest.raises(InvalidDataError, match=r"\(1 more like this in the file\)"):
        rc.read_measurements(written(tmp_path, HEADER + bad + bad.replace(",100,1,", ",100,2,")))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        rc.read_measurements(tmp_path / "none.csv")


PLATFORM = """
[[platform]]
platform = "Mine"
device_class = "GPU"
precision = "INT8"
peak_compute_op_per_s = 2e12
memory_bandwidth_b_per_s = 1e10
"""


def test_own_platform_joins_the_space(tmp_path):
    table = rc.read_platforms(written(tmp_path, PLATFORM, "mine.toml"))
    cube = rc.predict(rc.inputs("cifar10", platforms=[table, "TX2"]))
    assert cube.platform.values.tolist() == ["Mine", "TX2"]
    one = cube.sel(platform="Mine", mode="default", precision="INT8", topology="CNV", pruning=100)
    assert float(one.predicted_throughput) == pytest.approx(min(2e12 / 469449728, 1e10 / 6157696))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            PLATFORM.replace("GPU", "GPUU"),
            r"mine\.toml, \[\[platform\]\] 1, key 'device_class': got 'GPUU', which looks like 'GPU'",
        ),
        (
            PLATFORM.replace("2e12", '"much"'),
            r"key 'peak_compute_op_per_s': expected a number in op/s or one with its unit, got 'much'",
        ),
        (
            PLATFORM.replace("2e12", "40"),
            r"key 'peak_compute_op_per_s': expected op/s from .* got 40; if TOP/s is meant",
        ),
        (PLATFORM.replace("1e10", "19.2"), r"got 19.2; if GB/s is meant, write 1.92e\+10, or \"19.2 GB/s\""),
        (PLATFORM.replace("1e10", "nan"), r"got nan; give a number"),
        (PLATFORM.replace("1e10", "0"), r"got 0.0; give what the data sheet says"),
        (PLATFORM.replace("1e10", "-3e9"), r"got -3000000000.0; give what the data sheet says"),
        (PLATFORM.replace("2e12", "2e25"), r"got 2e\+25; check the unit: no hardware has as much"),
        (PLATFORM.replace("2e12", "{ val = 1 }"), r"expected the keys value and source, got val"),
        (PLATFORM.replace("INT8", "INT9"), r"key 'precision': got 'INT9'.*did you mean 'INT8'\?"),
        (PLATFORM + "peak_compute = 1e12\n", r"key 'peak_compute': got 'peak_compute_op_per_s' twice"),
        ("platform = [1]\n", r"expected keys and values, got 1"),
        (PLATFORM.replace("precision =", "precison ="), r"key 'precison': not known; did you mean 'precision'\?"),
        (PLATFORM.replace('precision = "INT8"\n', ""), r"key '(executed_)?precision': got nothing|key 'precision'"),
        (PLATFORM + PLATFORM, "the same key twice"),
        ("a = 1\n", r"expected tables \[\[platform\]\]"),
        ("a = = 1\n", "not readable as TOML"),
    ],
)
def test_bad_platforms_say_where_and_what(tmp_path, text, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_platforms(written(tmp_path, text, "mine.toml"))


def test_own_network_from_csv(tmp_path):
    layers = rc.datasets.load_layers().filter(pl.col("topology") == "CNV", pl.col("pruning_percent") == 100)
    layers.with_columns(topology=pl.lit("Mine")).write_csv(tmp_path / "mine.csv")
    inputs = rc.inputs(topologies=rc.read_network(tmp_path / "mine.csv"), platforms="TX2", batch=[1, 2])
    assert float(inputs.ops.sel(topology="Mine", pruning=100)) == 469449728
    assert bool(rc.predict(inputs).predicted_throughput.notnull().any())


def test_own_network_from_onnx(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    weights = [
        helper.make_tensor("w1", TensorProto.FLOAT, (8, 3, 3, 3), [0.0] * 216),
        helper.make_tensor("w2", TensorProto.FLOAT, (10, 8 * 30 * 30), [0.0] * 72000),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], name="conv", strides=[1, 1]),
        helper.make_node("Flatten", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "w2"], ["y"], name="fc", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 32, 32))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 10))],
        weights,
    )
    onnx.save(helper.make_model(graph), str(tmp_path / "net.onnx"))
    layers = rc.read_network(tmp_path / "net.onnx")
    assert layers["ops"].to_list() == [2 * 216 * 900, 2 * 72000]
    assert layers["kind"].to_list() == ["conv", "fully_connected"]
    (tmp_path / "bad.onnx").write_bytes(b"not onnx")
    with pytest.raises((InvalidDataError, MissingInputError), match=r"bad\.onnx"):
        rc.read_network(tmp_path / "bad.onnx")
