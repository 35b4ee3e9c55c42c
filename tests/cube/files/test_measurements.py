from __future__ import annotations

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
        (HEADER + ROW.replace(",100,1,", ",100,0,"), r"row 2, column 'batch': got '0'; .*greater than or equal to 1"),
        (HEADER + ROW.replace(",87.02", ",870.2"), r"column 'top1_percent': got '870\.2'; .*less than or equal to 100"),
        (HEADER + ROW.replace("0.0011", "-1"), r"column 'latency_compute_s': got '-1'; .*greater than 0"),
        (HEADER + ROW.replace("0.0011", "inf"), r"column 'latency_compute_s'.*finite number"),
        ("", r"rows\.csv: the file is empty"),
        (HEADER.replace("top1_percent", "top1") + ROW, r"column 'top1' is not known: .*did you mean 'top1_percent'\?"),
        (HEADER + ROW.replace("0.0011", "1.1 ms"), r"column 'latency_compute_s': got '1\.1 ms'; .*write 0\.0011"),
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
