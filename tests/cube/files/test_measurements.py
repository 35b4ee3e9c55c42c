from __future__ import annotations

import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError

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
        *(
            (HEADER.replace("per_s", f"per_{time}") + ROW, rf"unit 'per_{time}'; multiply by {factor} and name it 'thr")
            for time, factor in (("ms", "1000"), ("us", r"1e\+06"), ("ns", r"1e\+09"))
        ),
        (HEADER.replace("platform", "platfrom") + ROW, r"column 'platfrom' is not known; did you mean 'platform'\?"),
        ("task,topology\nx,y\n", r"header \(row 1\): column 'platform' is missing; add it, or say with columns="),
        (
            HEADER + ROW.replace("909", "fast"),
            r"rows\.csv, row 2, column 'throughput_compute_per_s': got 'fast'; expected a number",
        ),
        (HEADER + ROW.replace("909", '"1,234.5"'), r"got '1,234\.5'; expected a number; write 1234\.5"),
        (
            HEADER + ROW.replace("FP16", "FP17"),
            r"column 'precision': got 'FP17'; expected one of INT1, .*; did you mean 'FP16'\?",
        ),
        (HEADER + ROW.replace(",100,1,", ",100,0,"), r"row 2, column 'batch': got '0'; .*greater than or equal to 1"),
        (HEADER + ROW.replace(",87.02", ",870.2"), r"column 'top1_percent': got '870\.2'; .*less than or equal to 100"),
        (HEADER + ROW.replace("0.0011", "-1"), r"column 'latency_compute_s': got '-1'; .*greater than 0"),
        (HEADER + ROW.replace("0.0011", "inf"), r"column 'latency_compute_s'.*finite number"),
        ("", r"rows\.csv: the file is empty"),
        (HEADER.replace("top1_percent", "top1") + ROW, r"column 'top1' is not known: .*did you mean 'top1_percent'\?"),
        (HEADER + ROW.replace("0.0011", "1.1 ms"), r"column 'latency_compute_s': got '1\.1 ms'; .*write 0\.0011"),
        (HEADER + ROW.replace("0.0011", "1.1 Ms"), r"got '1\.1 Ms'; expected a number; write 1\.1e\+06"),
        (HEADER + ROW.replace("0.0011", "1.1 MS"), r"got '1\.1 MS'; expected a number; write a plain one"),
        (HEADER + ROW.replace("909", "9 per_ms"), r"got '9 per_ms'; expected a number; write 9000"),
        (HEADER + ROW.replace("0.0011", '"0,0011"'), r"got '0,0011'; expected a number; write 0\.0011"),
        (HEADER + ROW.replace(",100,1,", ",100,1.5,"), r"column 'batch': got '1\.5'; expected a whole number"),
        (HEADER + ROW.replace(",100,1,", ",100,,"), r"column 'batch': got nothing; the field is empty and must not be"),
        (HEADER + ROW.replace(",100,1,", f",100,{2**64},"), r"column 'batch': got '18446744073709551616'; .*less than"),
        (HEADER.replace("\n", ",batch\n") + ROW, r"header \(row 1\): column 'batch' is there twice; keep one"),
        (HEADER + ROW + ROW.replace("\n", ",5\n"), r"row 3: got 11 fields, expected 10"),
        (HEADER + ROW.replace("CNV", '"CNV'), r"row 2: not readable as CSV \(.*\); close every quotation mark"),
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


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        rc.read_measurements(tmp_path / "none.csv")


def test_all_faults_of_a_file_are_in_one_message(tmp_path):
    header = "# run 3\n" + HEADER.replace("platform", "platfrom").replace("latency_compute_s", "latency_compute_ms")
    bad = ROW.replace("909", "fast").replace("FP16", "FP17")
    with pytest.raises(InvalidDataError) as caught:
        rc.read_measurements(written(tmp_path, header + ROW + "\n" + bad + "cifar10,CNV\n"))
    told = str(caught.value).splitlines()
    assert told[0].endswith("rows.csv: 5 faults")
    assert told[1].startswith("  header (row 2): column 'platfrom' is not known; did you mean 'platform'?")
    assert told[2].startswith("  header (row 2): column 'latency_compute_ms' is not known: wrong unit 'ms'")
    assert told[3].startswith("  row 5, column 'precision': got 'FP17'")
    assert told[4].startswith("  row 5, column 'throughput_compute_per_s': got 'fast'")
    assert told[5].startswith("  row 6: got 2 fields, expected 10")


def test_a_value_has_one_fault(tmp_path):
    with pytest.raises(InvalidDataError) as caught:
        rc.read_measurements(
            written(tmp_path, HEADER + ROW.replace("909", "-909").replace(",100,1,", f",100,{2**70},"))
        )
    assert str(caught.value).count("row 2") == 2


def test_a_separator_that_is_not_known_is_asked_for(tmp_path):
    with pytest.raises(
        InvalidDataError, match=r"header \(row 1\): got one column, 'task  topology.*; say with sep= what"
    ):
        rc.read_measurements(written(tmp_path, (HEADER + ROW).replace(",", "  ")))
    with pytest.raises(InvalidDataError, match="got one column"):
        rc.read_measurements(written(tmp_path, HEADER + ROW), sep=";")


def test_repeats_are_read(tmp_path):
    rows = rc.read_measurements(written(tmp_path, HEADER + ROW + ROW.replace("909", "911") + ROW))
    assert rows["throughput_compute_per_s"].to_list() == [909.0, 911.0, 909.0]
    assert rows["source_row"].to_list() == ["rows.csv row 2", "rows.csv row 3", "rows.csv row 4"]


def test_other_columns_come_along_as_numbers_where_they_are(tmp_path):
    header = HEADER.replace("\n", ",driver,clock_mhz,run,serial\n")
    text = header + ROW.replace("\n", ",555.42.06,1300.5,1,007\n") + ROW.replace("\n", ",,n/a,2,\n")
    rows = rc.read_measurements(written(tmp_path, text))
    assert rows.columns[-4:] == ["driver", "clock_mhz", "run", "serial"]
    assert rows.select("driver", "clock_mhz", "run", "serial").rows() == [
        ("555.42.06", 1300.5, 1, "007"),
        (None, None, 2, None),
    ]


@pytest.mark.parametrize("empty", ["", "NA", "n/a", "NaN", "null", "-", "#N/A", " "])
def test_figures_that_were_not_measured_are_null(tmp_path, empty):
    rows = rc.read_measurements(written(tmp_path, HEADER + ROW.replace("0.0011", empty)))
    assert rows.select("latency_compute_s", "throughput_compute_per_s").row(0) == (None, 909.0)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_decimal_commas_are_read_where_fields_are_not_parted_by_commas(tmp_path, separator):
    text = (HEADER + ROW).replace(",", separator).replace("0.0011", "0,0011").replace("87.02", "87,02")
    rows = rc.read_measurements(written(tmp_path, text))
    assert rows.select("latency_compute_s", "throughput_compute_per_s", "top1_percent").row(0) == (0.0011, 909.0, 87.02)


def test_a_comma_that_may_be_of_thousands_is_told_or_said(tmp_path):
    path = written(
        tmp_path, (HEADER + ROW).replace(",", ";").replace("909", "1,234").replace("0.0011", "").replace("87.02", "")
    )
    with pytest.raises(InvalidDataError, match=r"got '1,234'; .*write 1234, or 1\.234 .*say which with decimal="):
        rc.read_measurements(path)
    assert rc.read_measurements(path, decimal=",")["throughput_compute_per_s"].item() == 1.234
    with pytest.raises(InvalidDataError, match=r"`decimal`: expected one of '\.', ','"):
        rc.read_measurements(path, decimal="comma")


def test_constants_say_nothing_of_how_a_file_is_read(tmp_path):
    text = (HEADER + ROW).replace(",", ";").replace(".", ",")
    for watts in ("1.5", "1,5", 1.5):
        rows = rc.read_measurements(written(tmp_path, text), constants={"power_full_w": watts})
        assert rows.select("latency_compute_s", "power_full_w").row(0) == (0.0011, 1.5)
    path = written(
        tmp_path, (HEADER + ROW.replace("0.0011", "")).replace(",", ";").replace("87.02", "").replace("909", "1,234")
    )
    with pytest.raises(InvalidDataError, match="say which with decimal="):
        rc.read_measurements(path, constants={"power_full_w": "1,5"})


def test_text_stays_text_where_a_number_would_say_something_else(tmp_path):
    path = written(tmp_path, HEADER.strip() + ",checksum\n" + ROW.strip() + ",12e400\n")
    constants = {"version": "1.10", "commit": "1234e56", "runs": 3}
    rows = rc.read_measurements(path, constants=constants)
    assert rows.row(0, named=True).items() >= {**constants, "checksum": "12e400"}.items()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("1.234,5", r"got '1\.234,5'; expected a number; write 1234\.5 \(no separators of thousands\)"),
        ("1,234,567", r"got '1,234,567'; expected a number; write 1234567 \(no separators of thousands\)"),
        ("1\u202f234,5", r"write 1234\.5"),
        ("1'234.5", r"write 1234\.5"),
        ("909.5", "got '909.5'; .*decimals have a comma in some fields of the file, a point in others"),
    ],
)
def test_thousands_and_mixed_decimals_are_refused_with_the_reason(tmp_path, number, message):
    text = (HEADER + ROW).replace(",", ";").replace("0.0011", "0,0011").replace("87.02", "87,02")
    with pytest.raises(InvalidDataError, match=message):
        rc.read_measurements(written(tmp_path, text.replace("909", number)))


def test_columns_that_programs_add_are_no_fault(tmp_path):
    text = "," + HEADER.replace("\n", ",\n") + "0," + ROW.replace("\n", ",\n") + "1," + ROW
    rows = rc.read_measurements(written(tmp_path, text.rstrip("\n") + ",\n"))
    assert rows["column_1"].to_list() == [0, 1]
    assert rows.width == rc.read_measurements(written(tmp_path, HEADER + ROW)).width + 1


def test_headers_in_other_capitals_and_with_units_are_understood(tmp_path):
    header = "Task,Topology,Platform,Mode,Precision,Pruning percent,Batch,Latency compute [ms],throughput_compute (kfps),top1 [%]\n"
    rows = rc.read_measurements(written(tmp_path, header + ROW.replace("0.0011,909", "1.1,0.909")))
    assert rows.select("latency_compute_s", "throughput_compute_per_s", "top1_percent").row(0) == (0.0011, 909.0, 87.02)


TEMPLATE = (
    "NN_Topology,HWType,Precision,Op mode,batch/thread/stream,lat-comp,fps-system,fps-comp,tp-system,tp-comp,top1 [%],"
    "top5 [%],BasePWR [W],IdlePWR [W],FullPwr [W],GOPS,PruningFactor, level\n"
)


def test_the_community_template_is_read(tmp_path):
    rows = rc.read_measurements(
        written(tmp_path, TEMPLATE + "CNV,TX2,FP16,maxn,8,4.1,1500,2000,0.7,0.94,87.02,,4.9,5.1,9.8,0.469,12.50%,l3\n")
    )
    row = rows.row(0, named=True)
    expected = {
        "task": "cifar10", "topology": "CNV", "platform": "TX2", "mode": "maxn", "precision": "FP16", "batch": 8,
        "pruning_percent": 12.5, "latency_compute_s": 0.0041, "throughput_system_per_s": 1500.0,
        "throughput_compute_per_s": 2000.0, "top1_percent": 87.02, "top5_percent": None, "power_base_w": 4.9,
        "power_idle_w": 5.1, "power_full_w": 9.8, "GOPS": 0.469, "tp-comp": 0.94, "level": "l3",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert row["batch_kind"] == "batch"
    other = TEMPLATE.replace("BasePWR [W]", "Base_PWR [mW]").replace("NN_Topology", "NN Topology").replace(",", ";")
    both = rc.read_measurements(written(tmp_path, TEMPLATE + "CNV,TX2 - maxn,FP16,maxn,8,4.1,,,,,,,,,,,100%,l3\n"))
    assert both.select("platform", "mode").row(0) == ("TX2", "maxn")
    text = other + "RN50;ZCU104-DPU;INT8;na;4;4,5;;1500;;;n/a;;4900;;;;100%;l3\n"
    found = rc.read_measurements(written(tmp_path, text)).row(0, named=True)
    assert (found["latency_compute_s"], found["power_base_w"], found["mode"]) == (0.0045, 4.9, "default")
    assert (found["task"], found["topology"], found["batch_kind"]) == ("imagenet", "ResNet-50", "threads")


def test_what_the_template_is_said_to_count_is_kept(tmp_path):
    path = written(tmp_path, SHORT_TEMPLATE.format("fps-comp", "100"))
    assert rc.read_measurements(path)["batch_kind"].item() == "batch"
    assert rc.read_measurements(path, constants={"batch_kind": "threads"})["batch_kind"].item() == "threads"


SHORT_TEMPLATE = "NN_Topology,HWType,Precision,Op mode,batch/thread/stream,{}\nCNV,TX2,FP16,maxn,1,{}\n"


@pytest.mark.parametrize(
    ("heads", "told"),
    [
        ("lat-comp us,fps-comp,FullPwr mW", ""),
        ("lat-comp_us,fps-comp,FullPwr_mW", ""),
        ("lat-comp [us],fps_comp,FullPwr [mW]", ""),
        (
            "latency-comp,fps-comp,FullPwr",
            "'latency-comp' is none of the template's; it seems to be 'latency_compute_s'",
        ),
        ("lat-comp us,kfps-comp,FullPwr mW", "'kfps-comp' is none of the template's; it seems to be 'throughput_comp"),
    ],
)
def test_units_of_the_template_without_brackets(tmp_path, heads, told):
    path = written(tmp_path, SHORT_TEMPLATE.format(heads, "2000,500,7000"))
    if told:
        with pytest.raises(InvalidDataError, match=f"{told}.*; map it with columns=, its unit too, or to None"):
            rc.read_measurements(path)
    else:
        row = rc.read_measurements(path).select("latency_compute_s", "throughput_compute_per_s", "power_full_w").row(0)
        assert row == (0.002, 500.0, 7.0)


@pytest.mark.parametrize("name", ["lat-comp", "latency_compute_s"])
def test_a_unit_that_the_user_says_goes_before_that_of_the_template(tmp_path, name):
    path = written(tmp_path, SHORT_TEMPLATE.format("lat-comp,lat-comp p99", "2000,3000"))
    row = rc.read_measurements(path, units={name: "us"}).row(0, named=True)
    assert (row["latency_compute_s"], row["lat-comp p99"]) == (0.002, 3000)


def test_what_a_table_of_whole_networks_leaves_out_is_filled_in():
    table = {"topology": ["CNV", "Mine"], "platform": "TX2", "precision": "FP16", "batch": 1, "power_full_w": 5}
    rows = rc.read_measurements(table)
    assert rows.select("task", "pruning_percent", "mode").rows() == [
        ("cifar10", 100.0, "default"),
        ("custom", 100.0, "default"),
    ]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"channels_kept": [50]}, "column 'channels_kept' may say 'pruning_percent', which is missing; map it"),
        ({"sparsity": [50]}, "may say 'pruning_percent', .*pruning_percent is what is left: write 100 - x"),
        ({"pruning_rate": [50]}, "may say 'pruning_percent', .*pruning_percent is what is left: write 100 - x"),
        ({"power mode": ["fast"]}, "column 'power mode' may say 'mode'"),
        ({"power_full_w": [3], "pruning": [50]}, "column 'pruning' is not known: a column says its unit; did you mean"),
        ({"note": ["x"]}, "there is no figure, got the columns .*; map one with columns= to one of latency_compute_s"),
    ],
)
def test_columns_that_may_say_what_would_be_filled_in_are_refused(table, message):
    known = {"topology": ["CNV"], "platform": ["TX2"], "precision": ["FP16"], "batch": [1]}
    with pytest.raises(InvalidDataError, match=message):
        rc.read_measurements(known | table)


@pytest.mark.parametrize(
    ("head", "column"),
    [
        *((head, "pruning_percent") for head in ("sparsity", "pruned", "channels_kept", "keep_ratio")),
        ("op mode", "mode"),
    ],
)
def test_columns_that_may_say_what_would_be_filled_in_are_refused_in_memory_too(head, column):
    table = {
        "topology": "CNV",
        "platform": "TX2",
        "precision": "FP16",
        "batch": [1, 1],
        "latency_compute_s": [1.0, 2.0],
    }
    with pytest.raises(InvalidDataError, match=rf"'{head}' may say '{column}', which is missing; .*or add '{column}'"):
        rc.check(table | {head: [50, 100]})
    added = {"pruning_percent": 100.0, "mode": "maxn"}
    assert rc.check(table | {head: [50, 100]} | added).columns == rc.check(table | added).columns


def test_rows_of_a_table_in_memory_are_numbered_from_0():
    table = {"topology": "CNV", "platform": "TX2", "precision": "FP16", "batch": [1, 0], "power_full_w": [3.0, None]}
    with pytest.raises(InvalidDataError, match=r"^`source` \(rows from 0\), row 1, column 'batch': got 0; "):
        rc.read_measurements(table)
    assert rc.read_measurements(table | {"batch": [1, 2]})["source_row"].to_list() == ["row 0", "row 1"]


def test_parquet_is_read_with_its_types(tmp_path):
    rows = rc.datasets.load_measurements("mnist").with_columns(pl.col("batch").cast(pl.Int16), driver=pl.lit("1"))
    rows.write_parquet(tmp_path / "rows.parquet")
    found = rc.read_measurements(tmp_path / "rows.parquet")
    assert found.equals(rc.datasets.load_measurements("mnist").with_columns(driver=pl.lit("1")))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("throughput_compute_ps", "throughput_compute_per_s"),
        ("latencycompute_s", "latency_compute_s"),
        ("latency_comp_s", "latency_compute_s"),
        ("power_ful_w", "power_full_w"),
        ("top1_percentage", "top1_percent"),
        ("power_idel_w", "power_idle_w"),
    ],
)
def test_slips_are_refused_and_not_kept(name, meant):
    known = {"topology": ["CNV"], "platform": ["TX2"], "precision": ["FP16"], "batch": [1], "power_base_w": [3.0]}
    with pytest.raises(InvalidDataError, match=f"column {name!r} is not known; did you mean {meant!r}"):
        rc.read_measurements(known | {name: [1.0]})
    assert rc.read_measurements(known | {name: [1.0]}, columns={name: None})[name].item() == 1.0


@pytest.mark.parametrize(
    "name",
    ["throughput_std_per_s", "top1_std_percent", "latency_p99_ms", "power_mean_w", "model", "driver", "source", "run"],
)
def test_other_figures_are_no_slips(name):
    known = {"topology": ["CNV"], "platform": ["TX2"], "precision": ["FP16"], "batch": [1], "power_base_w": [3.0]}
    assert rc.read_measurements(known | {name: [1.0]})[name].item() == 1.0


@pytest.mark.parametrize("column", ["batch", "latency_compute_s", "top1_percent", "pruning_percent"])
@pytest.mark.parametrize("text", ["１", "٣", "１.５"])
def test_digits_of_other_scripts_are_told(tmp_path, column, text):
    row = {"topology": "MLP", "platform": "NCS2", "precision": "FP16", "pruning_percent": "100", "batch": "1"}
    row |= {"latency_compute_s": "0.01", "top1_percent": "98", column: text}
    path = tmp_path / "rows.csv"
    path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n", encoding="utf-8")
    with pytest.raises(InvalidDataError, match=rf"row 2, column '{column}': got '{text}'; expected"):
        rc.read_measurements(path)


def test_a_column_of_figures_with_a_negative_zero_is_of_numbers(tmp_path):
    head = "topology,platform,precision,batch,latency_compute_s,drift\n"
    path = written(tmp_path, head + "".join(f"MLP,NCS2,FP16,{n},0.1,{text}\n" for n, text in ((1, "0.0"), (2, "-0.0"))))
    assert rc.read_measurements(path)["drift"].to_list() == [0.0, 0.0]


@pytest.mark.parametrize("share", ["92%", "0.92 %"])
def test_percent_in_a_column_of_fractions_is_told(tmp_path, share):
    text = "topology,platform,precision,batch,Top-1\nMLP,NCS2,FP16,1,0.91\n"
    path = written(tmp_path, text + f"MLP,NCS2,FP16,2,{share}\n")
    with pytest.raises(
        InvalidDataError, match=rf"row 3, column 'Top-1': got '{share}', which is in percent, in a column"
    ):
        rc.read_measurements(path, columns={"Top-1": ("top1_percent", "fraction")})
