"""The command line: every command, and what a wrong word gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import roofcube as rc
from roofcube.cli import main
from roofcube.errors import SITE, InvalidDataError, MemoryLimitError
from roofcube.sweep_spec import SweepSpec, read_sweep_spec, run_sweep
from roofcube.wording import percent

SPEC = """
[inputs]
topologies = ["CNV"]
precision = ["INT8", "INT4"]
batch = { start = 1, stop = 16, steps = 3, spacing = "log" }

[hypothetical]
peak_compute = { start = 1e11, stop = 1e14, steps = 7, spacing = "log" }
memory_bandwidth = [1e9, 1e10, 1e11]
power = 10
peak_scaling = "bits"
"""
ROW = {"platform": "NCS2", "topology": "MLP", "precision": "FP16", "batch": "1", "latency_compute_s": "1"}
PARETO = """
[reduce]
kind = "pareto"
objectives = { predicted_latency = "min", top1 = "max" }
where = { predicted_latency = { max = 0.001 }, precision = ["INT4"] }
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False)

    return call


def _written(tmp_path, text):
    path = tmp_path / "spec.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_explains_itself(run, command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 4


def test_report_writes_the_page_and_prints_its_path(run, tmp_path):
    result = run("report", "mnist")
    assert (result.exit_code, result.output) == (0, "roofcube-mnist.html\n")
    assert (tmp_path / "roofcube-mnist.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_report_takes_a_title_and_tells_its_file_as_json(run, tmp_path):
    rc.save(rc.predict(rc.inputs("mnist", platforms="NCS2")), "cube.nc")
    told = json.loads(run("report", "cube.nc", "-o", "page.html", "--title", "Boards <b>for</b> us", "--json").output)
    assert told == {"file": "page.html", "bytes": (tmp_path / "page.html").stat().st_size}
    assert "<h1>Boards &lt;b&gt;for&lt;/b&gt; us</h1>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_store_is_named_with_the_slash_that_a_shell_adds(run):
    rc.save(rc.predict(rc.inputs("mnist", platforms="NCS2", batch=1)), "cube.zarr")
    answers = [run("best", name, "--for", "predicted_throughput") for name in ("cube.zarr", "cube.zarr/")]
    assert [one.exit_code for one in answers] == [0, 0], answers[1].output
    assert len({one.output for one in answers}) == 1


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_answers_as_json_too(command):
    assert any("--json" in option.opts for option in main.commands[command].params)


@pytest.mark.parametrize("command", ["report", "explore"])
def test_unknown_task_gives_the_closest_without_a_traceback(run, command):
    result = run(command, "cifar1")
    assert result.exit_code == 2
    assert "did you mean 'cifar10'" in result.output
    assert "Traceback" not in result.output
    assert [line.partition(":")[0] for line in result.output.splitlines()] == ["Error", "See docs"]


@pytest.mark.parametrize("command", ["report", "explore", "best"])
def test_a_file_that_is_no_cube_is_told_as_one(run, tmp_path, command):
    (tmp_path / "rows.csv").write_text("platform\n")
    told = run(command, "rows.csv").output
    assert "`task`: expected a task, or a cube in a file that ends in .nc or .zarr, got 'rows.csv'" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("check rows.csv --sep ,,", "`--sep`: expected one character"),
        ("check rows.csv --decimal x", "`--decimal`: expected one of '.', ','"),
        ("info rows.csv --seconds 0", "`--seconds`: expected a positive number"),
        ("best mnist --predicted --for measured_latency", "`--predicted`: expected a prediction to choose by, got 'measured_latency'"),
    ],
)  # fmt: skip
def test_options_are_named_with_their_dashes(run, tmp_path, words, message):
    (tmp_path / "rows.csv").write_text(f"{','.join(ROW)}\n{','.join(ROW.values())}\n")
    result = run(*words.split())
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("best mnist --top1 90 --top1 80", "`--top1`: expected one value, got '90' and '80'; give it once"),
        ("best mnist --max-power=5W --max-power 9W", "`--max-power`: expected one value, got '5W' and '9W'"),
        ("check rows.csv -o a.csv --output b.csv", "`--output`: expected one value, got 'a.csv' and 'b.csv'"),
    ],
)
def test_an_option_of_one_value_is_not_given_two(run, tmp_path, words, message):
    (tmp_path / "rows.csv").write_text("nothing to read")
    result = run(*words.split())
    assert result.exit_code == 2
    assert message in result.output


def test_an_option_may_be_given_twice_alike(run):
    once, twice = (run("best", "mnist", *["--top1", "90"] * times) for times in (1, 2))
    assert once.output == twice.output


def test_the_explorer_is_open_to_others_only_under_a_name(run):
    result = run("explore", "mnist", "--host", "0.0.0.0", "--no-show")
    assert result.exit_code == 2
    assert "expected `allow_origin` with '0.0.0.0', got none" in result.output


def test_sweep_stores_the_whole_cube(run, tmp_path):
    _written(tmp_path, SPEC)
    result = run("sweep", "spec.toml", "-o", "cube.nc")
    assert result.exit_code == 0, result.output
    cube = rc.load("cube.nc")
    assert dict(cube.sizes) | {"layer": 0} == {
        "peak": 7,
        "bandwidth": 3,
        "platform": 1,
        "topology": 1,
        "pruning": 4,
        "precision": 2,
        "batch": 3,
        "layer": 0,
    }
    assert cube.batch.values.tolist() == [1, 4, 16]
    assert "7 peak" in result.output


def test_sweep_keeps_the_front_alone(tmp_path):
    path, front = run_sweep(read_sweep_spec(_written(tmp_path, SPEC + PARETO)), tmp_path / "front.nc")
    assert path == tmp_path / "front.nc"
    whole = rc.predict(
        rc.inputs(topologies="CNV", precision=["INT8", "INT4"], batch=[1, 4, 16], platforms=_hardware()), dtype="f4"
    )
    expected = rc.pareto(
        whole,
        {"predicted_latency": "min", "top1": "max"},
        where={"predicted_latency": (None, 0.001), "precision": ["INT4"]},
    )
    np.testing.assert_array_equal(np.sort(front.predicted_latency.values), np.sort(expected.predicted_latency.values))
    assert front.sizes["point"] == expected.sizes["point"]


def _hardware():
    return rc.hypothetical(
        peak_compute=np.geomspace(1e11, 1e14, 7), memory_bandwidth=[1e9, 1e10, 1e11], power=10.0, peak_scaling="bits"
    )


@pytest.mark.parametrize(
    "reduce",
    [
        "kind = 'best'\nobjective = 'predicted_throughput'\nper = ['precision']",
        "kind = 'top'\nobjective = 'predicted_throughput'\nn = 5",
        "kind = 'count'\nby = 'infeasible'",
    ],
)
def test_other_reductions_run(tmp_path, reduce):
    _, result = run_sweep(read_sweep_spec(_written(tmp_path, f"{SPEC}\n[reduce]\n{reduce}\n")), tmp_path / "out.nc")
    assert rc.load(tmp_path / "out.nc").sizes == result.sizes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("precision", "precisoin"),
            r"spec\.toml, `inputs\.precisoin`: not a key of a sweep; did you mean 'precision'",
        ),
        (("[inputs]", '[inputs]\nplatform = ["TX2"]'), r"`inputs\.platform`: .*; did you mean 'platforms'\?"),
        (
            ("steps = 7", "steps = 0"),
            r"`hypothetical\.peak_compute\.steps`: input should be greater than or equal to 1, got 0",
        ),
        (("[inputs]", 'task = "mnist"\n[inputs]'), r"`task`: not a key of a sweep; it belongs in \[inputs\]"),
        (
            ("start = 1e11", "from = 1e11"),
            r"`hypothetical\.peak_compute\.from`: .*; expected spacing, start, steps, stop, ",
        ),
        (
            ("[reduce]", "[variables]\nprice = { along = 'precision' }\n[reduce]"),
            r"expected dim, labels, units, values, as",
        ),
        (
            ("[reduce]", "[variables]\nprice = { precision = [1, 2] }\n[reduce]"),
            r"as in \{ dim = \"precision\", values =",
        ),
        (
            ("[reduce]", "[variables]\nprice = [1, 2]\n[reduce]"),
            'valid number, or a table, as { dim = "precision", val',
        ),
        (("[reduce]", "[variables]\nprice = { dim = 'x' }\n[reduce]"), r"`variables\.price\.values`: field required"),
        (("[reduce]", "[terms]\ncost = 'top1'\n[reduce]"), r"`terms\.cost`: expected a table, as \{ formula = "),
        (
            ("[reduce]", "[terms.cost]\nobjective = 'top1'\n[reduce]"),
            "expected formula, long_name, sense, units, as in",
        ),
        (("[inputs]", "[inputs]\nper = 'batch'"), r"`inputs\.per`: not a key of a sweep; it belongs in \[reduce\]"),
        (
            ('["CNV"]', "[{ file = 'a.onnx', precision = 'INT8' }]"),
            r"`inputs\.topologies\.0\.precision`: not a key of a sweep; expected batch, context, file",
        ),
        (("start = 1e11", 'start = "1 GB/s"'), r"`hypothetical\.peak_compute`: start: expected a number in op/s"),
        (("start = 1e11", "start = 0"), "start and stop must be above 0"),
        (('kind = "pareto"', 'kind = "best"'), "kind = 'best' needs objective"),
        (('kind = "pareto"', 'kind = "pareto"\nn = 3'), "kind = 'pareto' takes no n"),
        (("[inputs]", "[inputs"), "not TOML"),
        (("[inputs]", '[inputs]\nplatforms = "TX2"'), "not both"),
    ],
)
def test_wrong_spec_names_file_key_and_value(tmp_path, change, message):
    with pytest.raises(InvalidDataError, match=message):
        read_sweep_spec(_written(tmp_path, (SPEC + PARETO).replace(*change)))


def test_spec_of_embedded_platforms(tmp_path):
    spec = SweepSpec.model_validate(
        {"inputs": {"task": "mnist", "platforms": ["TX2"]}, "dtype": "f8", "assumptions": "bound"}
    )
    _, cube = run_sweep(spec, tmp_path / "cube.nc")
    assert cube.platform.values.tolist() == ["TX2"]
    assert cube.attrs["assumptions"] == "bound"


def test_check_prints_findings_by_rule_and_writes_them_all(run, tmp_path):
    rows = rc.datasets.load_measurements("cifar10")
    rows.write_csv(tmp_path / "rows.csv")
    told = json.loads(run("check", "rows.csv", "--json").output)
    assert told["rows"] > 0
    assert {"row", "rule", "grade", "finding"} <= told["findings"][0].keys()
    result = run("check", "rows.csv", "-o", "findings.csv")
    assert result.exit_code == 0, result.output
    assert f"{rows.height} rows, {rc.check(rows).height} findings" in result.output
    assert "full_power_below_idle" in result.output
    assert pl.read_csv(tmp_path / "findings.csv", infer_schema_length=None).height == rc.check(rows).height
    assert run("check", "rows.csv", "--strict").exit_code == 1


def test_check_knows_platforms_of_the_users_beside_the_embedded_ones(run, tmp_path):
    rows = rc.datasets.load_measurements("cifar10").filter(pl.col("platform") == "NCS2")
    mine = rows.head(1).with_columns(platform=pl.lit("MyNPU"))
    pl.concat([rows, mine]).write_csv(tmp_path / "rows.csv")
    (tmp_path / "mine.toml").write_text(
        '[[platform]]\nplatform = "MyNPU"\ndevice_class = "NPU"\nprecision = "FP16"\n'
        "peak_compute_op_per_s = 2e12\nmemory_bandwidth_b_per_s = 1e10\n"
    )
    assert "unknown_label" in run("check", "rows.csv", "--all").output
    result = run("check", "rows.csv", "--all", "--platforms", "mine.toml")
    assert result.exit_code == 0, result.output
    assert "unknown_label" not in result.output


def test_check_sums_up_each_unknown_label_until_they_are_many(run, tmp_path):
    header, rest = "platform,topology,precision,batch,throughput_compute_per_s\n", ",FP16,1,100\n"
    rows = f"RTX 4090,efficientnet_b0{rest}RTX 4090,resnet18@224{rest}"
    (tmp_path / "rows.csv").write_text(header + rows)
    output = " ".join(run("check", "rows.csv").output.split())
    assert "2 rows, 3 findings" in output
    assert (
        "unknown_label 2 2 2 platform 'RTX 4090' is not known; did you mean 'RTX4090' or 'GeForce RTX 4090'?" in output
    )
    assert "unknown_label 1 1 2 topology 'efficientnet_b0' is not known; did you mean" in output
    (tmp_path / "many.csv").write_text(header + "".join(f"Board{number},resnet18@224{rest}" for number in range(40)))
    assert "platform 'Board0' is not known, and 39 more (--all)" in run("check", "many.csv").output
    assert run("check", "many.csv", "--all").output.count("is not known") == 40


def test_check_of_a_broken_table_is_one_message(run, tmp_path):
    rows = rc.datasets.load_measurements("cifar10").with_columns(pl.col("batch").cast(pl.String).replace("1", "one"))
    rows.write_csv(tmp_path / "rows.csv")
    result = run("check", "rows.csv")
    assert result.exit_code == 2
    assert "rows.csv" in result.output
    assert "'one'" in result.output


def test_info_and_diff_of_saved_cubes(run):
    cube = rc.predict(rc.inputs("mnist"))
    rc.save(cube, "a.nc")
    rc.save(cube.assign(ops=cube.ops * 2), "b.nc")
    told = run("info", "a.nc")
    assert told.exit_code == 0
    assert "predicted_throughput (platform, mode, topology, pruning, precision) [1/s]" in told.output
    assert "content matches its checksum" in told.output
    assert (run("diff", "a.nc", "a.nc").exit_code, run("diff", "a.nc", "a.nc").output) == (0, "no difference\n")
    assert json.loads(run("diff", "a.nc", "a.nc", "--json").output) == []
    record = json.loads(run("info", "a.nc", "--json").output)
    assert (record["sizes"]["platform"], record["verified"]) == (cube.sizes["platform"], True)
    assert record["variables"]["ops"]["units"] == "op"
    assert json.loads(run("diff", "a.nc", "b.nc", "--json").output)[0]["ratio"] == 2.0
    differing = run("diff", "a.nc", "b.nc")
    assert differing.exit_code == 1
    assert "ops" in differing.output


def test_info_shows_what_a_file_says_without_obeying_it(run):
    rc.save(rc.inputs("mnist").assign_attrs(title="\x1b[31mred\x07"), "a.nc")
    told = run("info", "a.nc")
    assert told.exit_code == 0, told.output
    assert "\x1b" not in told.output
    assert "\\u001b[31mred" in told.output


@pytest.mark.parametrize("command", ["check", "variables", "best", "diff"])
def test_no_command_obeys_what_a_file_says(command, run):
    hostile = "\x1b]0;red\x07"
    Path("a.csv").write_text(f"platform,topology,precision,batch,{hostile}\nTX2,MLP,FP16,1,2\n", "utf-8")
    cube = rc.predict(rc.inputs("mnist", platforms=["TX2"])).assign_coords(platform=[hostile])
    rc.save(cube.assign_attrs(title=hostile), "a.nc")
    rc.save(cube.assign(ops=cube.ops * 2), "b.nc")
    rows = {"check": ["a.csv"], "diff": ["a.nc", "b.nc"], "best": ["a.nc"]}
    told = run(command, *rows.get(command, ["a.nc"]))
    assert "Traceback" not in told.output
    assert "\x1b" not in told.output
    assert "\x07" not in told.output


def test_json_is_json_whatever_a_file_says(run):
    title = "a\x85b\x9bc\u200ed\x1be\n\tf"
    rc.save(rc.inputs("mnist").assign_attrs(title=title), "a.nc")
    assert json.loads(run("info", "a.nc", "--json").stdout)["attributes"]["title"] == title


def test_info_of_a_streamed_store_reads_no_values(run):
    pytest.importorskip("zarr")
    rc.Sweep(rc.inputs("mnist")).to_zarr("a.zarr")
    with rc.set_options(memory=60_000):
        with pytest.raises(MemoryLimitError):
            rc.load("a.zarr")
        told = run("info", "a.zarr")
    assert told.exit_code == 0, told.output
    assert "predicted_throughput (platform, mode, topology, pruning, precision) [1/s]" in told.output
    assert "content matches its checksum" in told.output
    next(Path("a.zarr/predicted_latency").glob("c.*")).write_bytes(b"torn")
    told = run("info", "a.zarr")
    assert told.exit_code == 2
    assert "a.zarr: the content was altered (predicted_latency: not as Sweep.to_zarr wrote it)" in told.output


def test_torn_file_is_one_message(run, tmp_path):
    (tmp_path / "torn.nc").write_bytes(b"CDF")
    result = run("info", "torn.nc")
    assert result.exit_code == 2
    assert "torn.nc" in result.output


def test_installed_command_runs():
    command = shutil.which("roofcube", path=str(Path(sys.executable).parent))
    assert command, "the console script is missing"
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    assert rc.__version__ in told


def test_best_says_what_predictions_know_where_nothing_measured_meets_the_limits(run):
    done = run("best", "zoo", "--top1", "84", "--latency", "5ms")
    assert done.exit_code == 0
    measured, predicted = done.output.split("by prediction, nothing of which was measured so:\n")
    assert "nothing of" in measured
    assert "inputs/s" in predicted.splitlines()[0]
    record = json.loads(run("best", "zoo", "--top1", "84", "--latency", "5ms", "--json").output)
    assert record["found"] is False
    assert record["by_prediction"]["winner"]["predicted_throughput"] > 0


def test_a_wrong_word_names_the_page_to_read(run):
    result = run("best", "mnist", "--limit", "nowhere<=3")
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == "See docs: https://roofcube.readthedocs.io/en/stable/how-to/limits.html"


def test_help_names_the_site(run):
    assert run("--help").output.splitlines()[-1].strip() == f"Documentation: {SITE}"


def test_findings_end_with_the_page_of_their_rules(run, tmp_path):
    rc.datasets.load_measurements("mnist").head(40).write_csv(tmp_path / "rows.csv")
    last = run("check", "rows.csv").output.splitlines()[-1]
    assert last == "rules and what to do: https://roofcube.readthedocs.io/en/stable/explain/gate.html"


def test_small_numbers_of_a_difference_are_told(run, tmp_path):
    before = rc.predict(rc.inputs("mnist", platforms="TX2", precision="FP16", batch=1))
    after = before.assign(predicted_energy=before.predicted_energy * 1.5)
    for name, cube in (("a.nc", before), ("b.nc", after)):
        rc.save(cube, tmp_path / name)
    head, line = run("diff", "a.nc", "b.nc").output.splitlines()[:2]
    assert head.split() == ["variable", "kind", "detail", "cells", "largest", "old", "new", "ratio"]
    old, new, ratio = map(float, line.split()[-3:])
    assert 0 < old < new
    assert new / old == pytest.approx(ratio, rel=1e-3)


def test_errors_lead_with_what_to_expect_of_what_is_new(run):
    calibration = rc.calibrate(rc.datasets.load_measurements())
    lines = run("errors").output.splitlines()
    assert lines[0] == "Expect, of throughput, for a new"
    expected = calibration.expectations
    assert expected.height > 2
    for text, one in zip(lines[1:], expected.iter_rows(named=True), strict=False):
        assert one["new"] in text
        median, high = (percent(one[f"{name}_ape_percent"] / 100) for name in ("median", "p90"))
        assert f"{median} in the median, one in ten more than {high}" in text
    assert lines[1 + expected.height] == ""
    assert json.loads(run("errors", "--json").output) == calibration.errors.to_dicts()


# outputs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("check rows.csv -o rows.csv", "`--output`: expected another file than the one that is read, got rows.csv"),
        ("check rows.csv -o ./link.csv", "`--output`: expected another file than the one that is read, got link.csv"),
        ("check rows.csv --platforms own.toml -o own.toml", "`--output`: expected another file"),
        ("join mnist rows.csv -o x.nc --unmatched rows.csv", "`--unmatched`: expected another file"),
        ("join mnist rows.csv -o x.nc --unmatched x.nc", "`--unmatched`: expected another file than the one that is written"),
        ("join cube.nc rows.csv -o cube.nc", "`--output`: expected another file"),
        ("sweep spec.toml -o spec.toml", "`--output`: expected another file"),
        ("check rows.csv -o no/x.csv", "`--output`: the folder no does not exist; make it first"),
        ("join mnist rows.csv -o x.nc --unmatched no/x.csv", "`--unmatched`: the folder no does not exist"),
        ("errors -o no/x.csv", "`--output`: the folder no does not exist"),
    ],
)  # fmt: skip
def test_an_output_that_cannot_be_is_refused_before_any_work(run, tmp_path, words, message):
    for name in ("rows.csv", "own.toml", "cube.nc", "spec.toml"):
        (tmp_path / name).write_text("nothing to read")
    (tmp_path / "link.csv").symlink_to("rows.csv")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    result = run(*words.split())
    assert result.exit_code == 2
    assert message in result.output
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="a process has no limit on the size of its files there")
def test_a_table_is_written_whole_or_not_at_all(tmp_path):
    import resource

    (tmp_path / "rows.csv").write_text(f"{','.join(ROW)}\n{','.join(ROW.values())}\n")
    (tmp_path / "findings.csv").write_text("before")
    done = subprocess.run(
        [sys.executable, "-m", "roofcube", "check", "rows.csv", "-o", "findings.csv"],
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, (tmp_path / "findings.csv").read_text()) == (2, "before")
    assert "`findings.csv`: expected a file that can be written, got File too large" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "findings.csv"}
