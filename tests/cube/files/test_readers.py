from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.datasets.forms.table_forms import as_table
from roofcube.errors import InvalidDataError, MissingInputError


def written(folder, text, name="rows.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


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
        (
            PLATFORM.replace("2e12", '"nan"'),
            r"key 'peak_compute_op_per_s': got 'nan', which stands for nothing; field re",
        ),
        (PLATFORM.replace("1e10", '"1 kB/s"'), r"expected at least 100000 B/s, got '1 kB/s'; check number and unit"),
        (
            PLATFORM + '"power (mW)" = 4000\n',
            r"key 'power \(mW\)': not known; a unit stands .* call it 'power' and write \"4000 mW\", or a number in W",
        ),
        (
            PLATFORM + '"memory_capacity [Gb]" = 4\n',
            r"call it 'memory_capacity' and write its unit, or a number in B\n",
        ),
        (PLATFORM + "power_mw = 4000\n", r"call it 'power' and write \"4000 mW\""),
        (
            PLATFORM + "power_peak = 4000\n",
            r"key 'power_peak': not known; .*say with columns= what it is, or None to leave it out; expected ",
        ),
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
        (
            PLATFORM + PLATFORM.replace("platform]]", "platforms]]"),
            r"nothing else, got the keys 'platform', 'platforms'",
        ),
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


FOREIGN_NETWORKS = "network,params (M),GMACs,family,acc\nA,25.6,4.1,x,76.1\nB,5.4,0.3,y,74\n"


def test_columns_of_a_foreign_table_of_networks_are_mapped_or_left_out(tmp_path):
    path = written(tmp_path, FOREIGN_NETWORKS)
    with pytest.raises(
        InvalidDataError, match=r"(?s)column 'network' is not known; say with columns= what it is, .*'params \(M\)'"
    ):
        rc.read_network(path)
    columns = {"network": "topology", "params (M)": "mparams", "family": None, "acc": "top1"}
    mine = rc.read_network(path, columns=columns)
    assert mine.select("topology", "ops", "params", "top1_percent").rows() == [
        ("A", 8.2e9, 25.6e6, 76.1),
        ("B", 6e8, 5.4e6, 74.0),
    ]


def test_keys_of_foreign_platforms_are_mapped_or_left_out(tmp_path):
    given = {"peak_compute_op_per_s": "peak", "memory_bandwidth_b_per_s": "bandwidth"}
    text = PLATFORM + "price = 300\n"
    for column, name in given.items():
        text = text.replace(column, name)
    columns = {**{name: column for column, name in given.items()}, "price": None}
    mine = rc.read_platforms(written(tmp_path, text, "mine.toml"), columns=columns)
    own = rc.read_platforms(written(tmp_path, PLATFORM, "mine.toml"))
    assert mine.equals(own)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"famly": None},
            r"rows\.csv, header \(row 1\): `columns`: there is no column 'famly'; did you mean 'family'\?",
        ),
        ({"family": ("params", "M")}, r"`columns\['family'\]`: expected a name, got \('params', 'M'\)"),
        ({"family": "GMACs"}, r"`columns`: 'family' is mapped to 'GMACs', which is in the table too"),
        (
            {"family": "task", "acc": "task"},
            r"`columns`: 'family' and 'acc' are both mapped to 'task'|'acc' and 'family'",
        ),
        ("family", r"`columns`: expected a mapping, got 'family'"),
    ],
)
def test_a_mapping_that_does_not_fit_the_table_says_so(tmp_path, columns, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network(written(tmp_path, FOREIGN_NETWORKS), columns=columns)


def test_columns_are_for_tables(tmp_path):
    path = written(tmp_path, "", "net.onnx")
    with pytest.raises(InvalidDataError, match=r"`columns`: only for tables, .*net\.onnx is an ONNX model"):
        rc.read_network(path, columns={"a": "b"})


def test_every_platform_that_is_wrong_is_told_at_once():
    good = {"platform": "A", "device_class": "GPU", "precision": "INT8", "peak_compute": 1e12, "memory_bandwidth": 1e9}
    entries = [good | {"price": 3}, good | {"platform": "B"}, good | {"platform": "C", "peak_compute": 40}]
    with pytest.raises(InvalidDataError) as error:
        rc.read_platforms(entries)
    first, *others = str(error.value).splitlines()
    assert first == "`source`: 2 faults"
    assert "row 0, key 'price'" in others[0]
    assert "row 2, key 'peak_compute_op_per_s'" in others[1]


def test_all_that_is_wrong_with_a_platform_is_told_at_once():
    entry = {"platform": "A", "device_class": "GPUU", "precision": "INT9", "price": 3, "peak_compute": 40}
    with pytest.raises(InvalidDataError) as error:
        rc.read_platforms([entry | {"memory_bandwidth": "10 GHz", "cores": True}, {"platform": "B", "price": 4}])
    first, *others = str(error.value).splitlines()
    keys = re.findall(r"row (\d), key '(\w+)'", "".join(others))
    assert first == "`source`: 10 faults"
    assert keys == [
        ("0", "price"), ("0", "peak_compute_op_per_s"), ("0", "memory_bandwidth_b_per_s"), ("0", "cores"),
        ("0", "device_class"), ("0", "precision"), ("1", "device_class"), ("1", "precision"),
        ("1", "peak_compute_op_per_s"), ("1", "memory_bandwidth_b_per_s"),
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["peak_compute", "memory_bandwidth", "power"])
def test_true_is_no_number(key):
    good = {"platform": "A", "device_class": "GPU", "precision": "INT8", "peak_compute": 1e12, "memory_bandwidth": 1e9}
    with pytest.raises(InvalidDataError, match=f"row 0, key '.*{key}.*': expected no true or false, got True"):
        rc.read_platforms([good | {key: True}])


def test_rows_of_a_file_of_platforms_are_its_lines(tmp_path):
    head = "platform,device_class,precision,peak_compute,memory_bandwidth\n"
    path = tmp_path / "mine.csv"
    path.write_text(f"# ours\n{head}A,NPU,INT8,4 TOP/s,10 GB/s\n# a note\nB,NPU,INT8,4,10 GB/s\n", encoding="utf-8")
    with pytest.raises(InvalidDataError, match=r"mine\.csv, row 5, key 'peak_compute_op_per_s': .* got 4; if TOP/s"):
        rc.read_platforms(path)


def test_a_platform_is_one_whatever_its_modes_and_precisions():
    one = {"platform": "A", "device_class": "GPU", "precision": "INT8", "peak_compute": 1e12, "memory_bandwidth": 1e9}
    table = rc.read_platforms([one, one | {"precision": "FP16", "cores": 4, "family": "F"}])
    assert table.select("cores", "family").rows() == [(4, "F")] * 2
    message = r"row 1, key 'device_class': got 'CPU', but `source` \(rows from 0\), row 0 says 'GPU'"
    with pytest.raises(InvalidDataError, match=message):
        rc.read_platforms([one, one | {"precision": "FP16", "device_class": "CPU"}])
    with pytest.raises(InvalidDataError, match=r"`platforms`: 'TX2' has the device_class 'NPU' in .* and 'GPU' in the"):
        rc.inputs("mnist", platforms=[[one | {"platform": "TX2", "device_class": "NPU"}], "TX2"])


# bandwidth that nobody publishes --------------------------------------------------------------------------------------


def test_a_bandwidth_may_be_unknown_but_not_forgotten(tmp_path):
    path = tmp_path / "mine.toml"
    head = '[[platform]]\nplatform = "A"\ndevice_class = "NPU"\nprecision = "INT8"\npeak_compute = "40 TOP/s"\n'
    path.write_text(head, encoding="utf-8")
    with pytest.raises(
        InvalidDataError, match=r"memory_bandwidth_b_per_s.*write 'not known' where nobody publishes it"
    ):
        rc.read_platforms(path)
    path.write_text(head + 'memory_bandwidth = "not known"\n', encoding="utf-8")
    cube = rc.predict(rc.inputs("mnist", platforms=rc.read_platforms(path)))
    reasons = dict(zip(cube.infeasible.flag_meanings.split(), cube.infeasible.flag_values, strict=True))
    assert np.isnan(cube.predicted_throughput).all()
    assert (cube.infeasible == reasons["bandwidth_not_known"]).any()


def test_all_platforms_that_are_listed_with_a_peak_can_be_given_back():
    listed = rc.platforms().drop_nulls("peak_compute_op_per_s")
    cube = rc.inputs("mnist", platforms=listed, layout="offered")
    assert set(cube.platform.values) == set(listed["platform"])
    with pytest.raises(InvalidDataError, match=r"no peak is sure \(rows from 0\), row 0, key 'precision': got nothing"):
        rc.inputs("mnist", platforms=rc.platforms().filter(pl.col("peak_compute_op_per_s").is_null()))


def test_a_file_that_is_neither_toml_nor_table_is_told_what_tables_are(tmp_path):
    (tmp_path / "cube.nc").write_bytes(b"\x89HDF")
    with pytest.raises(InvalidDataError, match=r"cube\.nc: not readable as TOML .* tables end in \.csv, \.tsv or"):
        rc.read_platforms(tmp_path / "cube.nc")


def test_a_table_without_platforms_is_refused(tmp_path):
    (tmp_path / "none.csv").write_text("platform,precision\n")
    with pytest.raises(InvalidDataError, match=r"none\.csv: expected at least one row, got none; see read_platforms"):
        rc.read_platforms(tmp_path / "none.csv")
    with pytest.raises(InvalidDataError, match="`source`: expected at least one row, got none"):
        rc.read_platforms([])


def test_a_key_that_is_there_twice_in_json_is_refused(tmp_path):
    path = written(tmp_path, '{"model_type": "llama", "hidden_size": 64, "hidden_size": 128}', "config.json")
    with pytest.raises(
        InvalidDataError, match=r"config\.json: not readable as JSON \(the key 'hidden_size' is there tw"
    ):
        rc.read_network(path, context=128)


# rows in messages ------------------------------------------------------------------------------------------------------

BOARD = "platform,device_class,precision,peak_compute,memory_bandwidth\nA,NPU,INT8,4 TOP/s,10 GB/s\n"
COUNTS = "topology,gmacs,params\nA,4.1,2e7\n"
TIMES = "topology,platform,precision,batch,latency_compute_s\nA,NCS2,FP16,1,0.1\n"
WRONG_ROWS = [
    (rc.read_platforms, BOARD, "B,NPU,INT8,4,10 GB/s", "row {}, key 'peak"),
    (rc.read_platforms, BOARD, "A,NPU,INT8,4 TOP/s,10 GB/s", r"from .*row {} and from .*row {}; give"),
    (rc.read_network, COUNTS, "B,4.1x,2e7", "row {}, column 'gmacs'"),
    (rc.read_network, COUNTS, "A,4.1,2e7", r"rows {} and {}, column"),
    (rc.read_network, COUNTS, "B,4.1,2", "row {}, column 'params'"),
    (rc.read_measurements, TIMES, "B,NCS2,FP16,x,0.1", "row {}, column 'batch'"),
]


@pytest.mark.parametrize(("reader", "table", "line", "message"), WRONG_ROWS)
def test_rows_are_lines_of_a_text_and_else_count_from_0_which_is_said(reader, table, line, message, tmp_path):
    path = written(tmp_path, table + line + "\n", "mine.csv")
    several = message.count("{}") == 2
    with pytest.raises(InvalidDataError, match=message.format(*((2, 3) if several else (3,)))) as told:
        reader(path)
    assert "rows from 0" not in str(told.value)
    frame = pl.read_csv(path, infer_schema=False)
    frame.write_parquet(tmp_path / "mine.parquet")
    for table_form in (frame, frame.to_dicts(), frame.to_dict(as_series=False), tmp_path / "mine.parquet"):
        with pytest.raises(InvalidDataError, match=message.format(*((0, 1) if several else (1,)))) as told:
            reader(table_form)
        assert "(rows from 0)" in str(told.value)


# decimal commas --------------------------------------------------------------------------------------------------------


def test_decimal_commas_of_platforms_are_read_as_those_of_rows(tmp_path):
    lines = ["Board;device_class;precision;peak_compute;memory_bandwidth;power", "A;NPU;INT8;4,5 TOP/s;19,2 GB/s;7,5"]
    path = written(tmp_path, "\n".join([*lines, "B;NPU;INT8;4,0e12;1,5e10;10"]) + "\n", "mine.csv")
    table = rc.read_platforms(path, columns={"Board": "platform"})
    assert table["peak_compute_op_per_s"].to_list() == [4.5e12, 4e12]
    assert table["memory_bandwidth_b_per_s"].to_list() == [19.2e9, 1.5e10]
    assert table["listed_power_w"].to_list() == [7.5, 10.0]
    for doubted, said in (("19,200 GB/s;7", "19,200"), ("19,2 GB/s;7.5", "19,2")):
        path = written(tmp_path, f"{lines[0]}\nA;NPU;INT8;4 TOP/s;{doubted}\n", "mine.csv")
        with pytest.raises(
            InvalidDataError, match=f"row 2, key 'memory.*expected a number without commas, got '{said}"
        ):
            rc.read_platforms(path, columns={"Board": "platform"})


def test_plain_numbers_of_platforms_are_in_the_unit_that_is_said(tmp_path):
    columns = {"TOPS": ("peak_compute", "TOP/s"), "GB/s": ["memory_bandwidth_b_per_s", "GB/s"], "TDP": ("power", "mW")}
    head = "platform;device_class;precision;TOPS;GB/s;TDP\n"
    sheet = written(tmp_path, head + "A;NPU;INT8;4,5;17;2500\nB;NPU;INT8;800 GOP/s;0,5;\n", "mine.csv")
    row = {"platform": "A", "device_class": "NPU", "precision": "INT8", "TOPS": np.float64(4.5), "GB/s": "17"}
    toml = """[[platform]]\nplatform = "A"\ndevice_class = "NPU"\nprecision = "INT8"
TOPS = { value = 4.5, source = "sheet" }\n"GB/s" = 17\nTDP = 2500\n"""
    for source in (
        sheet,
        [row | {"TDP": 2500}],
        pl.DataFrame([row | {"TDP": 2500}]),
        written(tmp_path, toml, "a.toml"),
    ):
        table = rc.read_platforms(source, columns=columns)
        quantities = table.select("peak_compute_op_per_s", "memory_bandwidth_b_per_s", "listed_power_w")
        assert quantities.row(0) == (4.5e12, 17e9, 2.5)
    assert rc.read_platforms(sheet, columns=columns)["peak_compute_op_per_s"].to_list() == [4.5e12, 8e11]
    for wrong, text in ((("peak_compute", "W"), "'W' is no unit of 'peak_compute'"), (("family", "W"), "has no unit")):
        with pytest.raises(InvalidDataError, match=rf"`columns\['TOPS'\]`: .*{text}"):
            rc.read_platforms(sheet, columns=columns | {"TOPS": wrong})


def test_labels_of_platforms_have_no_blanks_around_them():
    board = {"platform": " A ", "device_class": "NPU ", "precision": " int8", "peak_compute": "4 TOPS "}
    table = rc.read_platforms([board | {"memory_bandwidth": " 10 GB/s"}])
    assert table.select("platform", "family", "device_class", "precision").row(0) == ("A", "A", "NPU", "INT8")
    with pytest.raises(InvalidDataError, match="row 0, key 'platform': got ''; string should have at least 1"):
        rc.read_platforms([board | {"memory_bandwidth": 1e10, "platform": "  "}])


@pytest.mark.parametrize(
    ("reader", "table"), [(rc.read_platforms, BOARD), (rc.read_network, COUNTS), (rc.read_measurements, TIMES)]
)
@pytest.mark.parametrize("title", ["Results of 2026\n\n", "Results of 2026,,,,\nby us,,,,\n"])
def test_a_title_above_the_header_is_told(reader, table, title, tmp_path):
    line = title.count("\n") + 1
    with pytest.raises(
        InvalidDataError, match=rf"mine\.csv, row {line}: looks like the header, and row 1 does not; begin"
    ):
        reader(written(tmp_path, title + table, "mine.csv"))
    assert reader(written(tmp_path, "# Results of 2026\n\n" + table, "mine.csv")).height == 1


def test_numbers_are_labels_of_platforms_and_missing_figures_are_none(tmp_path):
    head = "platform,device_class,precision,peak_compute,memory_bandwidth,memory_capacity,power\n"
    path = written(tmp_path, head + "3090,GPU,FP16,71e12,936e9,n/a,350\n2080,GPU,FP16,50e12,-,8 GiB,\n", "mine.csv")
    table = rc.read_platforms(path)
    assert table.select("platform", "family").rows() == [("3090", "3090"), ("2080", "2080")]
    assert table["memory_bandwidth_b_per_s"].to_list() == [936e9, None]
    assert table["memory_capacity_b"].to_list() == [None, 8 * 2**30]
    assert table["listed_power_w"].to_list() == [350.0, None]
    with pytest.raises(
        InvalidDataError, match="row 2, key 'peak_compute_op_per_s': got 'n/a', which stands for nothing; fi"
    ):
        rc.read_platforms(written(tmp_path, head + "3090,GPU,FP16,n/a,936e9,n/a,350\n", "mine.csv"))


@pytest.mark.parametrize("columns", [["Board"], "Board", {"Board": ["platform"]}, {"Board": ("platform", "s")}])
def test_columns_of_a_file_of_platforms_that_are_no_names_are_told(tmp_path, columns):
    path = written(tmp_path, BOARD.replace("platform", "Board", 1), "mine.csv")
    with pytest.raises(InvalidDataError, match="`columns"):
        rc.read_platforms(path, columns=columns)


MEASURED = "topology,platform,precision,batch,latency_compute_s,power_full_w"
OFFERED = "platform,device_class,precision,peak_compute,memory_bandwidth"
ROWS_OF_UNITS = [
    (rc.read_measurements, MEASURED, ",,,,ms,mW", "MLP,NCS2,FP16,1,10,3", "ms, mW"),
    (rc.read_measurements, MEASURED, "-,-,-,[1],[ms],", "MLP,NCS2,FP16,1,10,3", "ms"),
    (rc.check, MEASURED, ",,,,(µs),W", "MLP,NCS2,FP16,1,10,3", "µs, W"),
    (rc.read_platforms, OFFERED, ",,,TOP/s,GB/s", "Kite,NPU,INT8,1.5,8.5", "TOP/s, GB/s"),
    (rc.read_network, "topology,gmacs,mparams,top1", ",,,%", "Mine,1,2,70", "%"),
]


@pytest.mark.parametrize(("reader", "header", "units", "row", "shown"), ROWS_OF_UNITS)
def test_a_row_of_units_under_the_header_is_told_once(reader, header, units, row, shown, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(f"{header}\n{units}\n{row}\n", encoding="utf-8")
    fix = f"looks like units ({shown}), not like values; take it away, and say them in the header or with columns="
    with pytest.raises(InvalidDataError, match=rf"rows.csv, row 2: {re.escape(fix)}"):
        reader(path)


def test_labels_that_are_letters_of_units_are_no_row_of_units(tmp_path):
    path = tmp_path / "rows.csv"
    for text in ("name,batch\nB,1\nW,2\n", "name,note\nB,\nW,\n"):
        path.write_text(text)
        assert as_table(path, what="rows").columns[0] == "name"


def test_labels_of_platforms_stay_as_they_are_written(tmp_path):
    head = "platform,device_class,mode,precision,peak_compute,memory_bandwidth\n"
    lines = [f"A,GPU,{mode},INT8,2 TOP/s,10 GB/s\n" for mode in ("1.5", "2.0", "007")]
    assert rc.read_platforms(written(tmp_path, head + "".join(lines), "mine.csv"))["mode"].to_list() == [
        "1.5",
        "2.0",
        "007",
    ]


def test_what_is_no_column_or_source_of_a_platform_is_told():
    with pytest.raises(InvalidDataError, match="`columns`: there is no column 1"):
        rc.read_platforms([{1: "A", "Class": "NPU"}], columns={1: "platform"})
    entry = {
        "platform": "A",
        "device_class": "NPU",
        "precision": "INT8",
        "peak_compute": "1 TOP/s",
        "memory_bandwidth": "1 GB/s",
    }
    with pytest.raises(InvalidDataError, match="expected the keys value and source, got value, 1"):
        rc.read_platforms([{**entry, "power": {"value": 5, 1: 2}}])
