"""The commands that answer: sweep, best and join, in words and as JSON."""

from __future__ import annotations

import json
import re
import textwrap
from datetime import date, timedelta

import polars as pl
import pytest
from click.testing import CliRunner

import roofcube as rc
from roofcube.cli import main

QUESTION = '[inputs]\ntask = "mnist"\nbatch = [1, 8]\n[reduce]\n'


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(main, list(words), catch_exceptions=False)


@pytest.fixture
def sweep(run, tmp_path):
    def ask(text, *words):
        (tmp_path / "spec.toml").write_text(text)
        return run("sweep", "spec.toml", *words)

    return ask


def test_the_example_of_the_help_has_an_answer(run, sweep):
    told = run("sweep", "--help").output
    example = textwrap.dedent(told.split("An example of a spec:")[1].split("Hardware and networks of your own")[0])
    result = sweep(example, "-o", "front.nc")
    assert result.exit_code == 0, result.output
    points = int(re.search(r"pareto with (\d+) points of cost, top1", result.output)[1])
    assert points == rc.load("front.nc").sizes["point"] > 0
    assert "USD" in result.output


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ('kind = "best"\nobjective = "predicted_throughput"', ["platform: ZCU104-FINN", "inputs/s"]),
        (
            'kind = "best"\nobjective = "predicted_throughput"\nper = "platform"\nwhere = { power = { max = 5 } }',
            ["NCS2", "nothing found for"],
        ),
        ('kind = "top"\nobjective = "predicted_latency"\nn = 30', ["… and 10 more", "ms"]),
        ('kind = "count"\nby = "infeasible"', ["mode_not_offered", "feasible"]),
        ('kind = "histogram"\nvariable = "top1"\nbins = 3', ["bin_low", "98."]),
        ('kind = "quantile"\nvariable = "power"\nq = [0.5]', ["quantile", "W"]),
        (
            'kind = "crossover"\nobjective = "predicted_latency"\nalong = "pruning"\nper = "precision"',
            ["winner", "TX2"],
        ),
        ('kind = "crossover"\nobjective = "predicted_latency"', ["the winner never changes: "]),
    ],
)
def test_every_answer_is_printed_in_words_and_as_json(sweep, question, words):
    result = sweep(QUESTION + question)
    assert result.exit_code == 0, result.output
    assert all(word in result.output for word in words), result.output
    answer = json.loads(sweep(QUESTION + question, "--json").output)
    assert answer["answer"]
    assert answer["emptied"] is None
    assert answer["points"] > 0


def test_changes_of_a_crossover_are_listed(sweep):
    two = (
        '[[platform]]\nplatform = "A"\ndevice_class = "GPU"\nprecision = "INT8"\npeak_compute = "1 TOP/s"\n'
        'memory_bandwidth = "100 GB/s"\n[[platform]]\nplatform = "B"\ndevice_class = "GPU"\nprecision = "INT8"\n'
        'peak_compute = "9 TOP/s"\nmemory_bandwidth = "1 GB/s"\n'
    )
    question = (
        'assumptions = "bound"\n'
        + QUESTION.replace("[1, 8]", "[1, 8, 4096]")
        + ('kind = "crossover"\nobjective = "predicted_throughput"\nwhere = { topology = "MLP", pruning = [100] }\n')
    )
    assert json.loads(sweep(question + two, "--json").output)["crossovers"] == [
        {"before": 8, "after": 4096, "loser": "A", "gainer": "B"}
    ]
    assert "gainer" in sweep(question + two).output


PRICED = """
[inputs]
task = "mnist"
platforms = "TX2"
precision = "FP16"
batch = [1, 8]
[variables]
rate = { dim = "vendor", labels = ["acme", "zeta"], values = [1.0, 2.0], units = "USD" }
zero = 0
[terms.cost]
formula = "FORMULA"
units = "USD"
sense = "min"
[reduce]
kind = "top"
n = 2
objective = "cost"
"""


def test_labels_that_winners_share_stand_above_them(sweep):
    words = sweep(PRICED.replace("FORMULA", "rate + predicted_latency")).output.splitlines()
    assert words[1].startswith("platform TX2, ")
    assert words[1].endswith("vendor acme")


NEAR = """
[inputs]
topologies = "CNV"
precision = "FP16"
batch = 1
pruning = 100
platforms = "TX2"
mode = "maxn"
[variables]
fee = { dim = "clock", labels = [1200.25, 1200.5], values = [1.0, 2.0] }
tax = { dim = "region_code", labels = ["north", "south"], values = [1.0, 1.5] }
[terms.cost]
formula = "top1 * fee * tax"
sense = "min"
[reduce]
"""


def test_labels_that_differ_stay_apart_however_near_and_whatever_the_dim_is_called(sweep):
    asked = NEAR + 'kind = "top"\nobjective = "cost"\nn = 4'
    rows = [line.split()[:2] for line in sweep(asked).output.splitlines()[-4:]]
    assert [region for _, region in rows] == ["north", "south", "north", "south"]
    assert len({clock for clock, _ in rows}) == 2
    told = json.loads(sweep(asked, "--json").output)["answer"]
    assert [(row["clock"], row["region_code"]) for row in told] == [
        (1200.25, "north"),
        (1200.25, "south"),
        (1200.5, "north"),
        (1200.5, "south"),
    ]


def test_both_sides_of_a_change_are_told_apart(sweep):
    asked = NEAR.replace("top1 * fee * tax", "abs(fee - tax)")
    question = 'kind = "crossover"\nobjective = "cost"\nbetween = "region_code"\nalong = "clock"'
    words = sweep(asked + question).output.splitlines()[-1].split()
    assert words[0] != words[1]
    assert words[2:] == ["north", "south"]


def test_json_tells_infinite_from_unknown_and_has_units(sweep):
    told = json.loads(sweep(PRICED.replace("FORMULA", "-rate / zero"), "--json").output)
    assert [row["cost"] for row in told["answer"]] == ["-inf", "-inf"]
    assert told["units"]["cost"] == "USD"
    assert told["units"]["pruning"] == "%"
    assert set(told["units"]) <= set(told["answer"][0])


def test_an_empty_answer_says_what_emptied_it_and_exits_with_one(sweep):
    question = QUESTION + 'kind = "best"\nobjective = "predicted_throughput"\nwhere = { top1 = { min = 99.9 } }'
    result = sweep(question)
    assert result.exit_code == 1
    assert re.search(r"limit top1 alone removes [\d,]+; without it [\d,]+ points are left", result.output)
    told = json.loads(sweep(question, "--json").output)
    assert told["emptied"]["without"]["top1"] > 0


def test_best_says_what_binds_and_when_nothing_does(run):
    limited = run("best", "cifar10", "--top1", "85", "--latency", "10ms", "--max-power", "15W").output
    assert "binding: measured_top1 and measured_latency" in limited
    assert re.search(r"relax measured_top1 to 84.2 %: 16.5k inputs/s, 2.22 times as good", limited)
    assert "in doubt: accuracy differs" in limited
    free = run("best", "mnist", "--limit", "measured_throughput>=1").output
    assert "binding: no limit, without any one of them nothing better wins" in free


def test_best_of_a_calibrated_cube_is_judged_on_the_low_end(run):
    rows = rc.datasets.load_measurements("mnist")
    cube = rc.predict(rc.inputs("mnist", platforms=["NCS2", "TX2"]), assumptions=rc.calibrate(rows))
    rc.save(cube, "cube.nc")
    told = json.loads(run("best", "cube.nc", "--json").output)["winner"]
    assert told["predicted_throughput"] == pytest.approx(float(cube.predicted_throughput_low.max()))
    assert told["predicted_throughput"] < told["predicted_throughput_expected"] < told["predicted_throughput_high"]
    words = run("best", "cube.nc").output
    assert re.search(r"at least [\d.]+k inputs/s \(expected [\d.]+k inputs/s\)", words)


def test_rows_without_a_cell_are_written_whatever_their_columns_hold(run):
    own = {
        "took": [timedelta(seconds=90), None], "passes": [[1, 2], []], "host": [{"os": "L4T", "cores": 6}, None],
        "raw": [b"\x00a", None], "pair": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)), "day": [date(2024, 5, 1), None],
    }  # fmt: skip
    rows = rc.datasets.load_measurements("mnist").head(2).with_columns(platform=pl.lit("Nowhere"))
    pl.concat([rows, rows.with_columns(platform=pl.lit("NCS2"))]).with_columns(
        **{name: pl.concat([pl.Series(one), pl.Series(one)]) for name, one in own.items()}
    ).write_parquet("rows.parquet")
    result = run("join", "mnist", "rows.parquet", "-o", "mine.nc", "--unmatched", "lost.csv")
    assert result.exit_code == 0, result.output
    lost, cube = pl.read_csv("lost.csv", infer_schema=False), rc.load("mine.nc")
    assert lost.select(*own).rows() == [
        ("0:01:30", "[1, 2]", "{'os': 'L4T', 'cores': 6}", "b'\\x00a'", "[1, 2]", "2024-05-01"),
        (None, "[]", None, None, "[3, 4]", None),
    ]
    for name in own:
        assert set(lost[name].drop_nulls()) <= set(cube[name].values.ravel().tolist())


def test_join_writes_the_cube_and_counts_what_found_no_cell(run, tmp_path):
    rows = rc.datasets.load_measurements("mnist")
    mine = rows.filter(pl.col("platform") == "NCS2").head(2).with_columns(platform=pl.lit("MyNPU"))
    lost = mine.head(1).with_columns(platform=pl.lit("Nowhere"))
    pl.concat([rows, mine, lost]).write_csv("rows.csv")
    (tmp_path / "mine.toml").write_text(
        '[[platform]]\nplatform = "MyNPU"\ndevice_class = "NPU"\nprecision = "FP16"\n'
        "peak_compute_op_per_s = 2e12\nmemory_bandwidth_b_per_s = 1e10\n"
    )
    words = ["join", "mnist", "rows.csv", "--platforms", "mine.toml", "-o", "mine.nc"]
    result = run(*words, "--unmatched", "lost.csv")
    assert result.exit_code == 0, result.output
    assert f"mine.nc: {rows.height + 2} of {rows.height + 3} rows found their cell" in result.output
    assert "platform 'Nowhere' is not in the cube" in result.output
    assert pl.read_csv("lost.csv").height == 1
    cube = rc.load("mine.nc")
    assert int(cube.n_rows.sel(platform="MyNPU").sum()) == 2
    told = json.loads(run("join", "mine.nc", "rows.csv", "-o", "again.nc", "--json").output)
    assert (told["file"], told["joined"], told["unmatched"][0]["rows"]) == ("again.nc", rows.height + 2, 1)
    refused = run("join", "mine.nc", "rows.csv", "-o", "x.nc", "--platforms", "mine.toml")
    assert refused.exit_code == 2
    assert "`mine.nc`: a cube has its own platforms and networks" in refused.output


def test_own_platforms_and_networks_of_join_take_the_place_of_embedded_ones(run, tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[[platform]]\nplatform = "NCS2"\ndevice_class = "NPU"\nprecision = "FP16"\n'
        "peak_compute_op_per_s = 2e12\nmemory_bandwidth_b_per_s = 1e10\n"
    )
    (tmp_path / "net.csv").write_text("topology,mmacs,params\nMLP,42,1.1e6\n")
    rows = "topology,platform,precision,batch,throughput_compute_per_s\nMLP,NCS2,FP16,1,900\n"
    (tmp_path / "rows.csv").write_text(rows)
    words = ["join", "mnist", "rows.csv", "-o", "mine.nc", "--platforms", "mine.toml", "--networks", "net.csv"]
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "yours, in place of the embedded: NCS2, MLP\n" in result.output
    assert json.loads(run(*words, "--json").output)["replaced"] == ["NCS2", "MLP"]
    cube = rc.load("mine.nc").sel(platform="NCS2", topology="MLP", precision="FP16")
    assert float(cube.peak_compute.max()) == 2e12
    assert float(cube.ops.max()) == 84e6
    assert int(cube.n_rows.sum()) == 1
    (tmp_path / "rows.csv").write_text(rows.replace("NCS2", "RTX4090"))
    (tmp_path / "mine.toml").write_text((tmp_path / "mine.toml").read_text().replace("NCS2", "RTX4090"))
    assert "embedded: RTX4090, MLP\n" in run(*words).output  # of another collection


@pytest.mark.filterwarnings("default:the only row")
def test_join_of_rows_without_a_cell_says_so_in_words(run, tmp_path):
    (tmp_path / "rows.csv").write_text("platform,topology,precision,batch,latency_compute_s\nFOO,CNV,INT8,1,0.1\n")
    told = run("join", "cifar10", "rows.csv", "-o", "joined.nc")
    assert told.stderr.startswith("Note: the only row has no cell of the cube: rows.csv row 2 has none because")
    assert "Warning" not in told.stderr


def test_join_and_best_tell_what_the_physics_gate_finds(run, tmp_path):
    lines = ["MLP,NCS2,FP16,1,96", "MLP,NCS2,FP16,2,9e9", "MLP,NCS9,FP16,4,96"]
    (tmp_path / "rows.csv").write_text(
        "topology,platform,precision,batch,throughput_compute_per_s\n" + "\n".join(lines)
    )
    words = ["join", "mnist", "rows.csv", "-o", "mine.nc"]
    assert "the physics gate finds 1 row impossible and 1 row doubtful; roofcube check" in run(*words).output
    assert json.loads(run(*words, "--json").output)["judged"] == {"impossible": 1, "doubtful": 1}
    assert "left out: 1 point that the physics gate finds impossible" in run("best", "mine.nc").output
    assert json.loads(run("best", "mine.nc", "--json").output)["removed_by_trust"] == 1


def test_join_takes_networks_and_tasks_of_the_users_own(run, tmp_path):
    (tmp_path / "net.csv").write_text("topology,gmacs,params\nWake,0.01,1e5\n")
    (tmp_path / "rows.csv").write_text(
        "task,topology,platform,precision,pruning_percent,batch,throughput_compute_per_s\nkws,Wake,NCS2,FP16,100,1,900\n"
    )
    result = run("join", "kws", "rows.csv", "--networks", "net.csv", "-o", "kws.nc")
    assert result.exit_code == 0, result.output
    cube = rc.load("kws.nc")
    assert (cube.attrs["task"], cube.task.values.tolist(), int(cube.n_rows.sum())) == ("kws", ["kws"], 1)
    assert cube.attrs["assumptions"] == "published"


CONFIG = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
CONFIG |= {"intermediate_size": 128, "vocab_size": 1000, "_name_or_path": "tiny"}


def test_join_and_check_take_what_networks_need_to_be_read(run, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "net.csv").write_text("topology,gmacs,params,activations,task\nWake,0.01,1e5,1e4,generate\n")
    keys = "topology,platform,mode,precision,batch,phase,context,throughput_compute_per_s\n"
    (tmp_path / "rows.csv").write_text(
        f"{keys}tiny,TX2,maxn,FP16,1,decode,128,900\ntiny,TX2,maxn,FP16,1,decode,512,7e9\n"
    )
    own = ("--networks", "config.json")
    options = (*own, "--context", "128", "--context", "512", "--phase", "decode")
    result = run("join", "generate", "rows.csv", *options, "-o", "tiny.nc")
    assert "tiny.nc: 2 of 2 rows found their cell" in result.output
    assert dict(rc.load("tiny.nc").sizes).items() >= {"phase": 1, "context": 2}.items()
    assert ": 900 tokens/s" in run("best", "tiny.nc").output
    told = json.loads(run("check", "rows.csv", *options, "--json").output)
    assert {one["row"] for one in told["findings"]} == {3}
    assert told["kept"] == []
    (tmp_path / "Rows.csv").write_text((tmp_path / "rows.csv").read_text().replace("phase,context", "Phase,CONTEXT"))
    assert json.loads(run("check", "Rows.csv", *options, "--json").output)["kept"] == []
    for ask in (("join", "generate", "rows.csv", "-o", "no.nc"), ("check", "rows.csv")):
        assert "`--context`: expected tokens in context" in run(*ask, *own).output
        assert (
            "`--phase`: expected one of 'prefill', 'decode', got 'both'"
            in run(*ask, *own, "--context", "8", "--phase", "both").output
        )
        assert (
            "`--size`: expected an ONNX file beside it, got config.json; name one"
            in run(*ask, *own, "--context", "8", "--size", "h=8").output
        )
        assert (
            "`--context`: expected a config.json beside it, got net.csv"
            in run(*ask, "--networks", "net.csv", "--context", "8").output
        )
    assert (
        "`--phase`: expected a config.json beside it, got no network"
        in run("join", "tiny.nc", "rows.csv", "-o", "no.nc", "--phase", "decode").output
    )


@pytest.mark.parametrize(
    ("said", "used"),
    [((), "serving"), (("--assumptions", "bound"), "bound"), (("--assumptions", "published"), "published")],
)
def test_join_predicts_transformers_as_they_serve_unless_it_is_told_otherwise(run, tmp_path, said, used):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    keys = "topology,platform,mode,precision,batch,phase,context,throughput_compute_per_s\n"
    (tmp_path / "rows.csv").write_text(f"{keys}tiny,TX2,maxn,FP16,1,decode,128,900\n")
    own = ("--networks", "config.json", "--context", "128", "--phase", "decode")
    result = run("join", "generate", "rows.csv", *own, *said, "-o", "tiny.nc")
    assert f"predicted with the assumptions {used}" in result.output
    assert rc.load("tiny.nc").attrs["assumptions"] == used
    if said:
        refused = run("join", "tiny.nc", "rows.csv", *said, "-o", "no.nc")
        assert "a cube was predicted with its own assumptions; leave out --assumptions" in refused.output


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("measured_throughpt", "`--for`: 'measured_throughpt' is not known; did you mean 'measured_throughput'?"),
        ("platform", "`--for`: expected a numeric variable, got 'platform'"),
        (
            "bound",
            "`--for`: expected a variable of which more or less is better, got 'bound'; choose another, or limit",
        ),
    ],
)
def test_errors_of_what_to_make_best_name_the_option(run, name, message):
    assert message in run("best", "mnist", "--for", name).output


def test_join_and_check_take_foreign_tables_and_platforms_of_other_collections(run, tmp_path):
    (tmp_path / "net.csv").write_text("topology,gmacs,params,activations\nWake,0.01,1e5,1e4\n")
    (tmp_path / "rows.csv").write_text("model;bs;ms\nWake;1;1,500\n")
    options = ["--networks", "net.csv", "--column", "model=topology", "--column", "bs=batch", "--decimal", ","]
    options += ["--column", "ms=latency_compute_s:ms", "--constant", "platform=RTX4090", "--constant", "precision=FP16"]
    result = run("join", "kws", "rows.csv", *options, "-o", "kws.nc")
    assert result.exit_code == 0, result.output
    assert float(rc.load("kws.nc").measured_latency.sel(platform="RTX4090").max()) == 0.0015
    told = json.loads(run("check", "rows.csv", *options, "--json").output)
    assert [one["rule"] for one in told["findings"]] == []


def test_join_takes_columns_in_other_words(run, tmp_path):
    (tmp_path / "rows.csv").write_text("model;prec;n;ms\nMLP;fp16;1;10,4\n")
    said = ("model=topology", "prec=precision", "n=batch", "ms=latency_compute_s:ms")
    words = [word for one in said for word in ("--column", one)]
    result = run("join", "mnist", "rows.csv", *words, "--constant", "platform=NCS2", "--sep", ";", "-o", "mine.nc")
    assert result.exit_code == 0, result.output
    assert float(rc.load("mine.nc").measured_latency.max()) == 0.0104


def test_join_says_that_a_platform_has_no_such_mode(run, tmp_path):
    (tmp_path / "rows.csv").write_text(
        "topology,platform,precision,batch,latency_compute_s\nMLP,TX2,FP16,1,0.1\nMLP,NCS2,FP16,1,0.1\n"
    )
    told = run("join", "mnist", "rows.csv", "-o", "mine.nc").output
    assert "1 of 2 rows found their cell\nthe physics gate finds 1 row doubtful; roofcube check says why" in told
    assert "mode 'default' is none of 'TX2', which has maxn, maxp, maxq" in told
    record = json.loads(run("join", "mnist", "rows.csv", "-o", "mine.nc", "--json").stdout)
    assert (record["joined"], record["unmatched"][0]["rows"], record["judged"]["doubtful"]) == (1, 1, 1)


def test_join_predicts_the_batches_of_the_rows(tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "topology,platform,precision,batch,latency_compute_s\nMLP,NCS2,FP16,7,0.01\nMLP,NCS2,FP16,1,0.01\n",
        encoding="utf-8",
    )
    result = CliRunner().invoke(main, ["join", "mnist", str(rows), "-o", str(tmp_path / "a.nc")])
    assert "2 of 2 rows found their cell" in result.output
    batches = rc.load(tmp_path / "a.nc").batch.values.tolist()
    assert 7 in batches
    assert set(rc.inputs("mnist").batch.values.tolist()) < set(batches)


def test_best_says_how_many_cells_were_timed_and_are_left_out(tmp_path):
    rows = {"topology": "MLP", "platform": "NCS2", "mode": "default", "precision": "FP16", "pruning_percent": 100.0}
    predicted = rc.predict(rc.inputs("mnist", platforms=["NCS2", "TX2"]))
    timed = [{**rows, "batch": batch, "latency_compute_s": 0.01} for batch in (1, 4)]
    counted = {**rows, "batch": 1, "throughput_compute_per_s": 96.0}
    path = rc.save(rc.join(predicted, [*timed, counted]), tmp_path / "both.nc")
    output = CliRunner().invoke(main, ["best", str(path)]).output
    assert output.startswith("left out: 1 cell timed and not counted\nNCS2 FP16")
    assert "batch 1: 96 inputs/s" in output
    assert "left out" not in CliRunner().invoke(main, ["best", str(path), "--for", "latency"]).output


def test_best_of_a_cube_says_where_its_throughput_is_from(tmp_path):
    rows = {"topology": ["MLP"], "platform": ["NCS2"], "precision": ["FP16"], "batch": [1], "latency_compute_s": [0.01]}
    predicted = rc.predict(rc.inputs("mnist", platforms=["NCS2", "TX2"]))
    timed = rc.save(rc.join(predicted, rc.read_measurements(rows)), tmp_path / "timed.nc")
    result = CliRunner().invoke(main, ["best", str(timed)])
    assert result.output.startswith(
        "throughput of 1 cell is batch / latency: it was timed, and never counted\nNCS2 FP16"
    )
    assert "100 inputs/s" in result.output
    answer = json.loads(CliRunner().invoke(main, ["best", str(timed), "--json"]).output)
    assert (answer["objective"], answer["winner"]["measured_throughput"]) == ("measured_throughput", 100.0)
    alone = rc.save(predicted, tmp_path / "alone.nc")
    result = CliRunner().invoke(main, ["best", str(alone)])
    assert result.output.startswith("by prediction, as the cube has no measured throughput:\n")
    assert "by prediction" not in CliRunner().invoke(main, ["best", "mnist"]).output
    whole = {"throughput_system_per_s" if name == "latency_compute_s" else name: one for name, one in rows.items()}
    system = rc.save(rc.join(predicted, rc.read_measurements(whole)), tmp_path / "system.nc")
    result = CliRunner().invoke(main, ["best", str(system)])
    assert "of accelerators alone (of whole systems ask with --for measured_system_throughput):\n" in result.output


@pytest.mark.parametrize(
    ("kind", "asked", "columns"),
    [("histogram", 'variable = "predicted_throughput"\nbins = 2', {"bin_low", "bin_high"}),
     ("quantile", 'variable = "predicted_throughput"\nq = 0.5', {"predicted_throughput"})],
)  # fmt: skip
def test_every_answer_of_a_sweep_is_in_tokens(run, tmp_path, kind, asked, columns):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "spec.toml").write_text(
        'inputs = { platforms = ["TX2"], topologies = [{ file = "config.json", phase = "decode", context = [4, 8] }] }\n'
        f'[reduce]\nkind = "{kind}"\n{asked}\n'
    )
    text = run("sweep", "spec.toml").output
    assert "tokens/s" in text
    assert "inputs/s" not in text
    units = json.loads(run("sweep", "spec.toml", "--json").output)["units"]
    assert {units[column] for column in columns} == {"token/s"}


@pytest.mark.parametrize(
    ("said", "used"),
    [("", "serving"), *((f'assumptions = "{one}"\n', one) for one in ("published", "bound", "serving"))],
)
def test_a_sweep_predicts_transformers_as_join_does(run, tmp_path, said, used):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "spec.toml").write_text(
        said + 'inputs = { platforms = ["TX2"], topologies = [{ file = "config.json", context = 8 }] }\n'
        '[reduce]\nkind = "best"\nobjective = "predicted_throughput"\n'
    )
    assert run("sweep", "spec.toml", "-o", "best.nc").exit_code == 0
    assert rc.load("best.nc").attrs["assumptions"] == used
