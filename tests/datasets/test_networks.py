"""Tables of a user's own networks: layers whose counts agree with their shapes, and totals."""

from __future__ import annotations

import re
from datetime import date

import pandas as pd
import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError


def layers(**changed):
    table = rc.datasets.load_layers().filter(pl.col("topology") == "CNV", pl.col("pruning_percent") == 100)
    return table.with_columns(topology=pl.lit("Mine"), **changed)


ROW = {
    "topology": "Mine", "pruning_percent": 100.0, "layer": 0, "name": "a", "kernel_height": 3, "kernel_width": 3, "stride": 1,
    "groups": 1, "in_channels": 4, "out_channels": 6, "in_height": 8, "in_width": 8, "out_height": 8, "out_width": 8,
    "ops": 2 * 216 * 64, "params": 216, "input_elements": 256, "output_elements": 384, "kind": "conv",
}  # fmt: skip


def one_row(**changed):
    return {name: [value] for name, value in {**ROW, **changed}.items()}


def test_the_embedded_layers_pass_the_check_and_come_back_as_they_are(tmp_path):
    table = rc.datasets.load_layers()
    table.write_csv(tmp_path / "layers.csv")
    again = rc.read_network(tmp_path / "layers.csv")
    assert again.drop("source").equals(table)
    assert again["source"].unique().to_list() == [str(tmp_path / "layers.csv")]
    assert rc.read_network(table).equals(table)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ops": pl.col("ops") // 2}, r"row 0, column 'ops': got 3110400, the shape columns of this conv layer give 6220800; these are MACs: an op is one multiplication or one addition, so give twice that or name it `macs`"),
        ({"ops": pl.col("ops") * 2}, r"column 'ops': got 12441600, .*; correct the count or the shapes"),
        ({"params": pl.col("params") + pl.col("out_channels")}, r"column 'params': got 3584, .*give 3456; count weights only, without biases"),
        ({"params": pl.lit(0)}, r"column 'params': got 0, .* give 3456"),
        ({"input_elements": pl.col("input_elements") * 2}, r"column 'input_elements': got 6144, .* give 3072; give channels × places"),
        ({"input_elements": pl.col("input_elements") // 2}, r"column 'input_elements': got 1536"),
        ({"output_elements": pl.col("output_elements") - 1}, r"column 'output_elements': got 115199, .* give 115200"),
        ({"groups": pl.lit(2)}, r"column 'groups': got 2, .*groups must divide the channels"),
        ({"kind": pl.lit("pooling")}, r"column 'ops': .* give 0; put element-wise operations into `vector_ops`"),
        ({"kind": pl.lit("embedding")}, r"column 'ops': .*embedding layer give 0"),
        ({"kind": pl.lit("convolution")}, r"column 'kind': got 'convolution'; expected one of conv, depthwise, .*; did you mean"),
    ],
)  # fmt: skip
def test_counts_that_contradict_the_shapes_are_refused(changed, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network(layers(**changed))


def test_macs_may_stand_for_ops():
    table = layers(macs=pl.col("ops") // 2).drop("ops")
    assert rc.read_network(table)["ops"].equals(layers()["ops"])
    wrong = layers(macs=pl.col("ops")).drop("ops")
    with pytest.raises(InvalidDataError, match=r"column 'ops'.*correct the count"):
        rc.read_network(wrong)
    with pytest.raises(InvalidDataError, match="column 'macs': got 'many'; expected a number"):
        rc.read_network(layers(macs=pl.lit("many")).drop("ops"))


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "conv_transpose", "out_height": 16, "out_width": 16, "stride": 2, "output_elements": 6 * 256},
        {
            "kind": "recurrent",
            "kernel_height": 1,
            "kernel_width": 1,
            "ops": 2 * 24 * 64,
            "params": 24,
            "input_elements": 7,
            "output_elements": 9,
        },
        {
            "kind": "matmul",
            "kernel_height": 1,
            "kernel_width": 1,
            "ops": 2 * 24 * 64,
            "params": 0,
            "input_elements": 7,
            "output_elements": 9,
        },
        {"kind": "softmax", "ops": 0, "params": 0, "vector_ops": 12},
        {"kind": "embedding", "ops": 0, "params": 1000},
        {"kind": "depthwise", "groups": 2, "ops": 2 * 108 * 64, "params": 108},
        # a layer that runs on four windows of an input: only what comes out shows it
        {"out_height": 32, "input_elements": 1024, "output_elements": 4 * 384, "ops": 8 * 216 * 64},
    ],
)
def test_the_other_kinds_have_their_own_rules(changed):
    table = rc.read_network(one_row(**changed))
    assert table["kind"].item() == changed.get("kind", "conv")


@pytest.mark.parametrize(
    ("changed", "column"),
    [
        (
            {
                "kind": "conv_transpose",
                "out_height": 16,
                "out_width": 16,
                "ops": 2 * 216 * 256,
                "output_elements": 6 * 256,
            },
            "ops",
        ),
        ({"kind": "matmul"}, "params"),
        ({"params": 217, "weights_of": "a"}, "params"),
        ({"input_elements": 1024}, "input_elements"),
    ],
)
def test_and_are_held_to_them(changed, column):
    with pytest.raises(InvalidDataError, match=f"column '{column}'"):
        rc.read_network(one_row(**changed))


LARGE = {"kernel_height": 12, "ops": 4 * ROW["ops"], "params": 4 * ROW["params"]}
TABLE = {"kind": "embedding", "ops": 0, "params": 216}


def two_rows(first, last):
    return [{**ROW, **first}, {**ROW, "layer": 1, "name": "b", **last}]


@pytest.mark.parametrize(
    ("first", "last", "params"),
    [
        ({}, {"params": 0, "weights_of": "a"}, 216),
        ({"params": 0, "weights_of": "b"}, {}, 216),
        (LARGE, {"params": 0, "weights_of": "a"}, 864),
        # weights of two layers of which parts are the same, and a layer whose weights repeat those that it counts
        ({}, {"params": 16, "weights_of": "a"}, 232),
        ({"params": 16, "weights_of": "a"}, {}, 232),
        (TABLE, {"params": 0, "weights_of": "a"}, 216),
        ({**TABLE, "params": 0, "weights_of": "b"}, {}, 216),
    ],
)
def test_layers_may_share_weights_that_one_of_them_counts(first, last, params):
    """As files say it, whichever comes first."""
    table = rc.read_network(two_rows(first, last))
    assert table["params"].sum() == params
    assert rc.inputs(topologies=table, platforms="TX2", batch=1)["params"].item() == params


def test_weights_may_be_those_of_a_layer_that_has_them_of_another():
    third = {**ROW, "layer": 2, "name": "c", "params": 0, "weights_of": "b"}
    table = rc.read_network([*two_rows({}, {"params": 0, "weights_of": "a"}), third])
    assert table["params"].sum() == 216


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ({}, {"params": 0, "weights_of": "aa"}, r"row 1, column 'weights_of': got 'aa', which is no layer of 'Mine' at 100 %; did you mean 'a'\?; name the layer that counts these weights"),
        ({}, {"params": 0, "weights_of": "b"}, "row 1, column 'weights_of': got 'b', which counts no weights itself; name the layer"),
        ({"params": 0, "weights_of": "b"}, {"params": 0, "weights_of": "a"}, r"2 faults\n  row 0, .*: got 'b', which counts no weights itself; .*\n  row 1, .*: got 'a', which counts no"),
        ({}, {**LARGE, "params": 0, "weights_of": "a"}, "row 1, column 'weights_of': got 'a', which has 216 weights, where this layer leaves out 864; name the layer"),
        (TABLE, {**LARGE, "params": 0, "weights_of": "a"}, "got 'a', which has 216 weights, where this layer leaves out 864"),
        ({"topology": "Other"}, {"params": 0, "weights_of": "a"}, "got 'a', which is no layer of 'Mine' at 100 %"),
        ({"pruning_percent": 50.0}, {"params": 0, "weights_of": "a"}, "got 'a', which is no layer of 'Mine' at 100 %"),
        ({"kind": "softmax", "ops": 0, "params": 0}, {"params": 0, "weights_of": "a"}, "got 'a', which counts no weights"),
        ({}, {**TABLE, "params": 0, "weights_of": "c"}, "got 'c', which is no layer of 'Mine' at 100 %"),
    ],
)  # fmt: skip
def test_weights_that_no_layer_counts_are_told(first, last, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network(two_rows(first, last))


def test_layers_keep_unique_numbers():
    table = pl.concat([layers(), layers()])
    with pytest.raises(InvalidDataError, match="rows 0 and 9, column 'layer': got the same key twice"):
        rc.read_network(table)


# totals ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "ops"),
    [
        ({"ops": [8.2e9]}, 8.2e9), ({"macs": ["4.1e9"]}, 8.2e9), ({"GMACs": [4.1]}, 8.2e9), ({"gops": [8.2]}, 8.2e9), ({" mmacs ": [4100]}, 8.2e9),
        ({"ops": [8.2e9], "gmacs": [4.1]}, 8.2e9), ({"gmacs": [4.089], "gops": [8.18]}, 8.178e9),
    ],
)  # fmt: skip
def test_operations_come_under_their_name_and_unit(columns, ops):
    table = rc.read_network({"topology": ["Mine"], "mparams": [25.6], **columns})
    assert table["ops"].item() == pytest.approx(ops)
    assert table["params"].item() == 25.6e6
    assert table.columns == ["topology", "task", "pruning_percent", "ops", "params"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"gflops": [4.1], "params": [1]}, r"column 'gflops' may mean operations or multiply-accumulates; name it `ops`"),
        ({"FLOPs": [4.1], "params": [1]}, r"column 'flops' may mean"),
        ({"ops": [4.1e9], "macs": [4.1e9], "params": [1]}, r"row 0: columns 'ops' and 'macs' disagree, 4\.1e\+09 against 8\.2e\+09 ops"),
        ({"ops": [8.2], "params": [1e6]}, r"row 0, column 'ops': got 8\.2, expected 1000 to 1e\+18; name the column by its unit, such as gops"),
        ({"gmacs": [4.1e9], "params": [1e6]}, r"row 0, column 'gmacs': as 'ops': got 8\.2e\+18, expected"),
        ({"gmacs": [4.1], "params": [25.6]}, r"row 0, column 'params': got 25\.6, expected 100 to 1e\+14; .* mparams"),
        ({"ops": [4.1e9]}, r"column 'params' is missing"),
        ({"params": [4.1e9]}, r"column 'ops' is missing"),
        ({"ops": [4.1e9], "params": [1e6], "top1": [70], "top1_percent": [70]}, r"columns 'top1' and 'top1_percent' are one"),
        ({"ops": [4.1e9], "params": [1e6], "Params": [1e6]}, r"columns 'params' and 'Params' are one, 'params'; keep one"),
        ({"gmacs": ["4,1"], "params": [1]}, r"row 0, column 'gmacs': got '4,1'; expected a number"),
        ({"ops": [0], "params": [1]}, r"row 0, column 'ops': got 0(\.0)?; .*greater than 0"),
        ({"ops": [1e9], "params": [1], "paramz": [1]}, r"column 'paramz' is not known; did you mean 'params'\?"),
        ({"ops": [1e9], "params": [1], "top1": [0.87]}, r"network 'Mine': got 0\.87 as its best top1; expected percent; multiply fractions by 100"),
        ({"ops": [1e9], "params": [1], "top1": [870]}, r"column 'top1_percent': got 870"),
        ({"ops": [1e9], "params": [1], "precision": ["INT9"]}, r"column 'precision': got 'INT9'; expected one of INT1, .*did you mean"),
    ],
)  # fmt: skip
def test_bad_totals_say_where_what_and_how_to_mend(columns, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network({"topology": ["Mine"], **columns})


def test_totals_may_differ_by_precision_and_keep_unique_keys():
    columns = {
        "topology": ["A", "A", "B"],
        "ops": [1e9, 2e9, 3e9],
        "params": [1e6] * 3,
        "precision": ["INT8", "FP32", None],
    }
    assert rc.read_network(columns)["precision"].to_list() == ["INT8", "FP32", None]
    columns["precision"] = ["INT8", "INT8", None]
    with pytest.raises(InvalidDataError, match="rows 0 and 1, column 'precision': got the same key twice"):
        rc.read_network(columns)


def test_the_same_table_comes_from_csv_polars_pandas_and_dict(tmp_path):
    columns = {
        "topology": ["A", "B"],
        "gmacs": [1.0, 2.0],
        "params": [1e6, 2e6],
        "activations": [5.0, None],
        "top1": [70.0, None],
    }
    frames = [pl.DataFrame(columns), pd.DataFrame(columns), columns]
    frames[0].write_csv(tmp_path / "totals.CSV")
    tables = [rc.read_network(one) for one in (*frames, tmp_path / "totals.CSV")]
    assert all(one.drop("source", strict=False).equals(tables[0]) for one in tables)
    assert tables[0]["activations"].to_list() == [5.0, None]


@pytest.mark.parametrize(
    ("source", "more", "message"),
    [
        (3, {}, "`source`: expected the name of a file, a DataFrame or a dict of columns, got int"),
        ({"topology": ["A"], "ops": [1, 2]}, {}, r"`source`: expected columns of one length, got \[1, 2\]"),
        ({}, {}, r"`source`: expected columns of one length, got none"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"sizes": {"seq": 1}}, "`sizes`: only for ONNX models, the source is a table"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"batch": 1}, "`batch`: only for ONNX models"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"pruning": 50}, "`pruning`: only for ONNX models"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"name": " "}, "`name`: expected a label, got ' '"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"task": 3}, "`task`: expected a label, got 3"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"name": "\ud800"}, "`name`: expected a label, got"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"top1": 101}, "`top1`: expected percent from 0 to 100, got 101"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"top5": "90"}, "`top5`: expected percent from 0 to 100, got '90'"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"top1": {"INT9": 1}}, "`top1`: 'INT9' is no precision; did you mean 'INT"),
        ({"topology": ["A"], "ops": [1e9], "params": [1e6]}, {"top1": 0.8}, "network 'A': got 0.8 as its best top1"),
        ({"topology": ["A", "B"], "ops": [1e9] * 2, "params": [1e6] * 2}, {"name": "C"}, "`name`: the table holds 2 networks; write names"),
        ({"topology": ["A", "B"], "ops": [1e9] * 2, "params": [1e6] * 2}, {"top1": 80}, "`top1`: the table holds 2 networks"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_network_is_checked(source, more, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network(source, **more)


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "net.xlsx").write_text("")
    with pytest.raises(InvalidDataError, match=r"net\.xlsx: expected a name ending in \.onnx or \.csv, got '\.xlsx'"):
        rc.read_network(tmp_path / "net.xlsx")


def test_a_name_serves_a_table_without_one():
    table = rc.read_network({"ops": [1e9], "params": [1e6]}, name="Mine", task="kws")
    assert table.select("topology", "task").row(0) == ("Mine", "kws")


def test_all_that_is_wrong_with_totals_is_told_at_once(tmp_path):
    path = tmp_path / "nets.csv"
    path.write_text(
        "topology,gmacs,params,price\n# ours\nA,4.1,1e6,1\nB,x,y,1\nC,-1,1e6,1\n,1,1e6,1\n", encoding="utf-8"
    )
    with pytest.raises(InvalidDataError) as error:
        rc.read_network(path)
    text = str(error.value)
    assert "header (row 1): column 'price' is not known" in text
    for place in ("row 4, column 'gmacs': got 'x'", "row 5, column 'gmacs': as 'ops'", "row 6, column 'topology'"):
        assert place in text


@pytest.mark.parametrize("row", ["A;4,1;25,6;76,1", "A;4,1;25,6;76"])
def test_totals_with_decimal_commas_are_read(tmp_path, row):
    (tmp_path / "nets.csv").write_text(f"topology;gmacs;mparams;top1\n{row}\n")
    table = rc.read_network(tmp_path / "nets.csv")
    assert table.select("ops", "params").row(0) == (8.2e9, 25.6e6)
    assert int(table["top1_percent"].item()) == 76


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("A;4,1;25.6", r"row 2, column 'gmacs': got '4,1'; expected a number; write 4\.1$"),
        ("A;4,125;25", r"column 'gmacs': got '4,125'; expected a number; write 4125, or 4\.125 where the comma is"),
    ],
)
def test_commas_in_doubt_are_told_with_what_to_write(tmp_path, row, message):
    (tmp_path / "nets.csv").write_text(f"topology;gmacs;mparams\n{row}\n")
    with pytest.raises(InvalidDataError) as error:
        rc.read_network(tmp_path / "nets.csv")
    assert re.search(message, error.value.args[0].partition("\n")[0])


def test_a_table_without_networks_is_refused(tmp_path):
    (tmp_path / "nets.csv").write_text("topology,ops,params\n")
    for source in (tmp_path / "nets.csv", layers().head(0)):
        with pytest.raises(InvalidDataError, match="expected at least one network, got a table without rows"):
            rc.read_network(source)


def test_fewer_right_among_five_than_at_first_is_told():
    table = {"topology": ["A"], "gmacs": [4.1], "mparams": [25.6], "top1": [76.0], "top5": [67.0]}
    with pytest.raises(
        InvalidDataError, match="network 'A': got 67 as 'top5_percent', below 76 as 'top1_percent'; what"
    ):
        rc.read_network(table)
    with pytest.raises(InvalidDataError, match="got 70 as 'top5_int8_percent', below 76"):
        rc.read_network(
            {name: table[name] for name in ("topology", "gmacs", "mparams")}, top1={"INT8": 76.0}, top5={"INT8": 70.0}
        )


def test_what_is_wrong_is_named_by_the_column_of_the_file(tmp_path):
    path = tmp_path / "nets.csv"
    path.write_text("topology,gmacs,mparams\nA,-4.1,25.6\nB,,25.6\n", encoding="utf-8")
    with pytest.raises(InvalidDataError) as caught:
        rc.read_network(path)
    assert "row 2, column 'gmacs': as 'ops': got -8200000000.0; input should be greater than 0" in str(caught.value)
    assert "row 3, column 'gmacs': as 'ops': got nothing" in str(caught.value)


def test_channels_kept_are_no_fraction():
    with pytest.raises(
        InvalidDataError, match=r"network 'A': got 0\.5 as the channels kept; expected percent, .*write 50"
    ):
        rc.read_network({"topology": ["A"], "gmacs": [4.1], "mparams": [25.6], "pruning": [0.5]})
    few = {"topology": ["A", "A"], "gmacs": [4.1, 0.1], "mparams": [25.6, 0.1], "pruning": [100, 1]}
    assert rc.read_network(few)["pruning_percent"].to_list() == [100.0, 1.0]


@pytest.mark.parametrize("kind", [str, float])
def test_a_network_may_say_its_operations_in_either_of_two_columns(kind):
    columns = {"ops": [None, 2e9], "gmacs": [0.5, None]}
    written = {name: [value if value is None else kind(value) for value in column] for name, column in columns.items()}
    table = pl.DataFrame({"topology": ["N", "M"], "params": [1e6, 2e6], **written})
    assert rc.read_network(table)["ops"].to_list() == [1e9, 2e9]


@pytest.mark.parametrize("missing", ["-", "NA", " n/a ", "Null", "nan", "—"])
@pytest.mark.parametrize("column", ["activations", "mactivations"])
def test_a_count_that_is_not_given_is_no_fault_in_whatever_thousands(missing, column, tmp_path):
    (tmp_path / "nets.csv").write_text(
        f"topology,gmacs,gops,mparams,{column}\nA,4.11,{missing},25.56,{missing}\nB,{missing},8.22,25.56,11\n",
        encoding="utf-8",
    )
    table = rc.read_network(tmp_path / "nets.csv")
    assert table["ops"].to_list() == [8.22e9, 8.22e9]
    assert table["activations"].to_list() == [None, 11e6 if column == "mactivations" else 11.0]
    ops = pl.DataFrame({"topology": ["A"], "ops": [missing], "gmacs": ["4.11"], "params": ["1e6"]})
    assert rc.read_network(ops)["ops"].item() == 8.22e9


def test_a_count_that_must_be_given_is_told_where_it_is_not():
    with pytest.raises(InvalidDataError, match="row 0, column 'gmacs': as 'ops': got nothing"):
        rc.read_network({"topology": ["A"], "gmacs": ["-"], "mparams": ["25.6"]})


@pytest.mark.parametrize("value", [True, date(1979, 5, 27)])
def test_what_is_no_number_is_not_read_as_one(value):
    table = pl.DataFrame({"topology": ["N"], "params": [1e6], "gmacs": [value]})
    with pytest.raises(InvalidDataError, match=r"column 'gmacs': got '?(True|1979-05-27|datetime)"):
        rc.read_network(table)


@pytest.mark.parametrize("macs", [100.4, float("inf"), 1e30, "1e19"])
def test_multiply_accumulates_of_a_layer_are_whole(macs):
    layer = {
        "topology": "N", "pruning_percent": 100, "layer": 0, "name": "a", "kind": "fully_connected", "kernel_height": 1,
        "kernel_width": 1, "stride": 1, "groups": 1, "in_channels": 10, "out_channels": 10, "in_height": 1, "in_width": 1,
        "out_height": 1, "out_width": 1, "params": 100, "input_elements": 10, "output_elements": 10, "macs": macs,
    }  # fmt: skip
    assert rc.read_network([{**layer, "macs": 100}])["ops"].item() == 200
    with pytest.raises(InvalidDataError, match=r"row 0, column 'macs': got .*; expected a whole number"):
        rc.read_network([layer])


def test_a_column_of_kinds_makes_no_configuration_of_a_table():
    table = {"topology": ["A"], "gmacs": [1.0], "params": [1e6], "model_type": ["cnn"]}
    for given in (table, pl.DataFrame(table)):
        assert rc.read_network(given, columns={"model_type": None})["ops"].item() == 2e9
    config = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    with pytest.raises(InvalidDataError, match="`columns`: only for tables, `source` is a transformer's configuration"):
        rc.read_network({**config, "intermediate_size": 128, "vocab_size": 100}, context=8, columns={"a": "ops"})
