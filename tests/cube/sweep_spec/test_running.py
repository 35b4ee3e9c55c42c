"""Specs of sweeps: what is the user's own, every question, and why an answer is empty."""

from __future__ import annotations

import numpy as np
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError, UnknownLabelError
from roofcube.sweep_spec import answer_sweep, read_sweep_spec

OWN = """
[inputs]
task = "kws"
platforms = ["TX2", "mine.toml"]
topologies = ["totals.csv", { file = "other.csv", name = "Third", top1 = 50.0 }]
precision = ["INT8", "FP16"]
batch = [1, 8]

[[platform]]
platform = "Inline"
device_class = "DSP"
precision = "INT8"
peak_compute = "1 TOP/s"
memory_bandwidth = "4 GB/s"

[[network]]
topology = "Tiny"
task = "kws"
ops = 2e6
params = 1e5

[variables]
rate = 5e-8
context = { dim = "tariff", values = { start = 1, stop = 3, steps = 3 }, labels = ["day", "eve", "night"] }
price = { dim = "platform", values = [300, 20, 10], units = "USD" }

[terms.cost]
formula = "price + rate * context * predicted_latency if batch > 1 else price"
units = "USD"
sense = "min"
"""


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "mine.toml").write_text(
        '[[platform]]\nplatform = "MyNPU"\ndevice_class = "NPU"\nprecision = "INT8"\n'
        'peak_compute = "2 TOP/s"\nmemory_bandwidth = "10 GB/s"\npower = "5 W"\n'
    )
    (tmp_path / "totals.csv").write_text("topology,gmacs,params,top1,task\nMine,4.1,25.6e6,76.1,kws\n")
    (tmp_path / "other.csv").write_text("topology,gmacs,params,task\nElse,1,25.6e6,kws\n")

    def read(text):
        (tmp_path / "spec.toml").write_text(text)
        return read_sweep_spec(tmp_path / "spec.toml")

    return read


def test_everything_may_be_the_users_own(spec, tmp_path):
    cube = answer_sweep(spec(OWN), tmp_path / "cube.nc").result
    assert cube.platform.values.tolist() == ["TX2", "MyNPU", "Inline"]
    assert cube.topology.values.tolist() == ["Mine", "Third", "Tiny"]
    assert cube.tariff.values.tolist() == ["day", "eve", "night"]
    assert float(cube.top1.sel(topology="Third", precision="INT8").squeeze()) == 50.0
    one = cube.sel(platform="MyNPU", topology="Mine", precision="INT8", mode="default", tariff="night", pruning=100)
    expected = 20 + 5e-8 * 3 * one.predicted_latency.sel(batch=8)
    np.testing.assert_allclose(one.cost.sel(batch=8), expected, rtol=1e-6)
    assert rc.load(tmp_path / "cube.nc").cost.attrs["units"] == "USD"


@pytest.mark.parametrize(
    ("kind", "question", "call"),
    [
        ("best", 'objective = "cost"\nsense = "max"', lambda cube: rc.best(cube, "cost", sense="max")),
        ("best", 'objective = "cost"\nper = "tariff"', lambda cube: rc.best(cube, "cost", per="tariff")),
        ("top", 'objective = "cost"\nn = 2', lambda cube: rc.top(cube, 2, "cost")),
        ("count", 'by = "infeasible"', lambda cube: rc.count(cube, by="infeasible")),
        ("histogram", 'variable = "cost"\nbins = [0, 15, 1000]', lambda cube: rc.histogram(cube, "cost", bins=[0, 15, 1000])),
        ("histogram", 'variable = "bound"', lambda cube: rc.histogram(cube, "bound")),
        ("quantile", 'variable = "cost"\nq = [0.0, 0.7]', lambda cube: rc.quantile(cube, "cost", [0.0, 0.7])),
        ("quantile", 'variable = "cost"\nq = 0.5\nper = ["platform"]', lambda cube: rc.quantile(cube, "cost", 0.5, per="platform")),
        ("crossover", 'objective = "cost"\nalong = "tariff"', lambda cube: rc.crossover(cube, "cost", along="tariff")),
        ("pareto", 'objectives = ["cost", "top1"]', lambda cube: rc.pareto(cube, ["cost", "top1"])),
        ("pareto", 'objectives = { cost = "max" }\nties = "all"', lambda cube: rc.pareto(cube, {"cost": "max"}, ties="all")),
        (
            "count",
            'where = { platform = "TX2", predicted_latency = { max = "10ms" } }',
            lambda cube: rc.count(cube, where={"platform": "TX2", "predicted_latency": (None, 0.01)}),
        ),
    ],
)  # fmt: skip
def test_every_question_is_answered_as_the_function_of_its_name_does(spec, tmp_path, kind, question, call):
    outcome = answer_sweep(spec(OWN + f'\n[reduce]\nkind = "{kind}"\n{question}\n'))
    expected = call(answer_sweep(spec(OWN), tmp_path / "whole.nc").result)
    assert outcome.emptied is None
    assert outcome.points == 432
    shared = [name for name in ("cost", "count", "winner", "found", "n_ties") if name in expected]
    assert shared
    for name in shared:
        np.testing.assert_array_equal(outcome.result[name], expected[name], err_msg=name)


def test_hypothetical_hardware_with_a_name_stands_beside_real_platforms(spec):
    hardware = '[hypothetical]\nname = "dream"\npeak_compute = "40 TOP/s"\nmemory_bandwidth = "100 GB/s"\n'
    question = (
        '[inputs]\ntask = "mnist"\nplatforms = "TX2"\n[reduce]\nkind = "best"\nobjective = "predicted_throughput"\n'
    )
    assert answer_sweep(spec(hardware + question)).result.platform.item() == "dream"


def test_ranges_of_hardware_take_units(spec):
    ends = {"plain": "start = 4e13, stop = 8e13", "said": 'start = "40 TOP/s", stop = "80 TOPS"'}
    question = '[reduce]\nkind = "best"\nobjective = "predicted_throughput"\n'
    plain, said = (
        answer_sweep(
            spec(
                f'[inputs]\ntask = "mnist"\n[hypothetical]\npeak_compute = {{ {one}, steps = 3 }}\n'
                f'memory_bandwidth = "100 GB/s"\n{question}'
            )
        ).result
        for one in ends.values()
    )
    assert said.identical(plain)


def test_an_empty_answer_says_which_limit_or_figure_emptied_it(spec):
    front = '[inputs]\ntopologies = "CNV"\n[reduce]\nkind = "pareto"\nobjectives = ["predicted_latency", "top1"]\n'
    unknown = answer_sweep(spec(front + 'where = { precision = "INT8", predicted_latency = { max = 1 } }')).emptied
    assert unknown.unknown == ("top1",)
    assert unknown.without["precision"] > 0
    assert unknown.without["predicted_latency"] == 0
    assert "but top1 is not known at any of them" in repr(unknown)
    limited = answer_sweep(spec(front + "where = { predicted_latency = { max = 1e-12 } }")).emptied
    assert (limited.meeting, limited.unknown) == (0, ())
    assert "none of " in repr(limited)
    assert f"without it {limited.without['predicted_latency']:,} points are left" in repr(limited)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("values = [300, 20, 10]", "values = [300]"), r"`variables\.price\.values`: expected 3 values along 'platform', got 1"),
        (("rate = 5e-8", "batch = 5e-8"), r"`variables\.batch`: expected a name of its own, got that of a dim"),
        (('dim = "tariff"', 'dim = "context"'), r"`variables\.context\.dim`: expected a name other than"),
        (('["day", "eve", "night"]', '["day"]'), r"expected 1 values along 'tariff', got 3"),
        (('"mine.toml"', '"none.toml"'), "there is no such file"),
        (("price + rate", "import os"), r"spec\.toml, `terms\.cost\.formula`: `formula`: expected arithmetic"),
        (("rate = 5e-8", 'rate = "dear"'), r"spec\.toml, `variables\.rate"),
        (("steps = 3", "steps = 1000000000000"), r"steps`: input should be less than or equal to 100000000"),
        (('max = "10ms"', 'max = "10 apples"'), r"`where\.predicted_latency\.max`: expected a number with a unit"),
        (('max = "10ms"', 'max = "10 W"'), r"expected a number with a unit, such as 10ms, got '10 W'"),
        (('max = "10ms"', 'max = "10"'), r"expected a number with its unit, got '10'; write 10ms, or 10s"),
        (('{ max = "10ms" }', '{ max = 1 }, top1 = { min = 0.92 }'), r"`where\.top1\.min`: expected percent, got 0\.92"),
        (('{ max = "10ms" }', '{ max = 1 }, top2 = { min = 0.92 }'), r"'top2' is not known"),
        (("stop = 3,", "stop = inf,"), r"values\.stop`: input should be a finite number, got inf"),
        (("start = 1, stop = 3", 'start = 0, stop = 3, spacing = "log"'), r"above 0 where spacing is 'log'; see"),
        (("[variables]", "[hypothetical]\npeak_compute = 1e12\nmemory_bandwidth = 1e9\n[variables]"), r"`the whole file`: give \[hypothetical\] or inputs\.platforms, not both; .* to stand beside them; see"),
        (('dim = "platform"', 'dim = "Platform"'), r"`variables\.price\.dim`: expected a dim, .* got 'Platform'; did you mean 'platform'\?"),
        (('{ dim = "platform", values = [300, 20, 10]', '{ dim = "batch", labels = ["8", "1"], values = [3, 2]'), r"`variables\.price\.labels`: '8' is not known, as text; write 8;"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(spec, change, message):
    question = '\n[reduce]\nkind = "count"\nwhere = { predicted_latency = { max = "10ms" } }\n'
    with pytest.raises((InvalidDataError, FileNotFoundError, UnknownLabelError), match=message):
        answer_sweep(spec((OWN + question).replace(*change)))


def test_a_whole_cube_needs_a_file(spec):
    with pytest.raises(
        InvalidDataError, match=r"`output`: a sweep without \[reduce\] stores the whole cube and needs a file"
    ):
        answer_sweep(spec('[inputs]\ntask = "mnist"\n'))


def test_values_along_labels_of_a_dim_are_those_of_what_has_them(spec):
    text = """
[inputs]
task = "mnist"
platforms = ["TX2", "NCS2", "EdgeTPU"]
[variables.price]
dim = "device_class"
values = [70, 400, 90]
labels = ["TPU", "GPU", "VLIW"]
[reduce]
kind = "best"
objective = "predicted_throughput"
per = "device_class"
where = { price = { max = 100 } }
"""
    answer = answer_sweep(spec(text)).result
    assert dict(zip(answer.device_class.values.tolist(), answer.found.values.tolist(), strict=True)) == {
        "GPU": False,
        "TPU": True,
        "VLIW": True,
    }
    for dim, message in (
        ('"power"', r"`variables\.price\.dim`: expected a dim, or a name of its own, got 'power'"),
        ('"predicted_latency"', r"got 'predicted_latency', which another variable has"),
    ):
        with pytest.raises(InvalidDataError, match=message):
            answer_sweep(spec(text.replace('dim = "device_class"', f"dim = {dim}")))


def test_values_along_a_dim_of_the_model_go_by_their_labels(spec):
    text = """
[inputs]
task = "mnist"
platforms = ["TX2", "NCS2"]
[variables.price]
dim = "platform"
values = [70, 400]
labels = ["NCS", "TX2"]
[reduce]
kind = "best"
objective = "predicted_throughput"
where = { price = { max = 100 } }
"""
    assert answer_sweep(spec(text)).result.platform.item() == "NCS2"
    for labels, message in (
        ('["NCS2", "TX3"]', "`variables.price.labels`: 'TX3' is not known; did you mean 'TX2'"),
        ('["NCS2", "NCS2"]', "expected each label of 'platform' once, 'TX2' is missing"),
    ):
        with pytest.raises((InvalidDataError, UnknownLabelError), match=message):
            answer_sweep(spec(text.replace('["NCS", "TX2"]', labels)))


@pytest.mark.parametrize(
    ("question", "key"),
    [
        ("where = { batch = true }", "reduce.where"),
        ("where = { batch = [1, true] }", "reduce.where"),
        ("where = { predicted_latency = { max = true } }", "reduce.where.predicted_latency.max"),
        ("[variables]\nrate = true", "variables"),
        ("[inputs]\nbatch = [true]", "inputs.batch"),
    ],
)
def test_true_is_no_number(spec, question, key):
    with pytest.raises(InvalidDataError, match=f"`{key}`: expected no true or false"):
        spec(f'[reduce]\nkind = "best"\nobjective = "predicted_latency"\n{question}\n')


def test_a_table_of_platforms_and_a_transformer_are_files_beside_the_spec(spec, tmp_path):
    (tmp_path / "chips.csv").write_text(
        "platform;device_class;precision;peak_compute;memory_bandwidth\nKite;NPU;FP16;4 TOPS;19,2 GB/s\n"
    )
    (tmp_path / "tiny.json").write_text(
        '{"model_type": "llama", "vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 2, '
        '"num_attention_heads": 4, "intermediate_size": 128}'
    )
    text = """
[inputs]
task = "generate"
platforms = "chips.csv"
topologies = [{ file = "tiny.json", phase = "decode", context = [128, 512] }]
batch = 1
[reduce]
kind = "best"
objective = "predicted_throughput"
per = "context"
"""
    result = answer_sweep(spec(text)).result
    assert result.context.values.tolist() == [128, 512]
    assert result.platform.values.tolist() == ["Kite", "Kite"]
    assert (result.memory_bandwidth == 19.2e9).all()
    with pytest.raises(InvalidDataError, match="`context`: expected tokens in context"):
        answer_sweep(
            spec(text.replace('{ file = "tiny.json", phase = "decode", context = [128, 512] }', '"tiny.json"'))
        )


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ('predicted_latency = "10ms"', r'expected a range, got "10ms"; write \{ max = "10ms" \}'),
        ("predicted_latency = 0.01", r"expected a range, got 0\.01; write \{ max = 0\.01 \}"),
        (
            "predicted_latency = [0, 0.01]",
            r"expected a range, got \[0\.0, 0\.01\]; write \{ min = 0\.0, max = 0\.01 \}",
        ),
        ('predicted_latency = ["2ms", "10us"]', r'write \{ min = "10us", max = "2ms" \}'),
        ("predicted_latency = [3, 1, 2]", r"write \{ max = 3\.0 \}, or \{ min = 1\.0 \}"),
        ("predicted_latency = []", r'expected a range, got \[\]; write \{ max = "10ms" \}'),
        ('power = ["10 W"]', r'expected a range, got "10 W"; write \{ max = "10 W" \}'),
        ('predicted_latency = { min = "2ms", max = "1ms" }', r'got \{ min = "2ms", max = "1ms" \}; swap them'),
        ("batch = { min = 8, max = 1 }", r"expected min at most max, got \{ min = 8\.0, max = 1\.0 \}"),
        ("platform = { max = 5 }", "expected labels, got a range; write one label, or a list"),
    ],
)
def test_a_limit_is_corrected_in_words_of_the_file(spec, limit, message):
    name = limit.partition(" ")[0]
    text = f'[inputs]\ntask = "mnist"\nbatch = [1, 8]\n[reduce]\nkind = "count"\nwhere = {{ {limit} }}\n'
    with pytest.raises(InvalidDataError, match=rf"`where\.{name}`: .*{message}"):
        answer_sweep(spec(text))
    assert not answer_sweep(spec(text.replace(limit, "batch = 8"))).emptied


def test_an_end_that_is_not_a_number_is_refused(spec):
    text = '[inputs]\ntask = "mnist"\n[reduce]\nkind = "count"\nwhere = { predicted_latency = { max = nan } }\n'
    with pytest.raises(InvalidDataError, match=r"`where\.predicted_latency\.max`: expected a number, got nan"):
        answer_sweep(spec(text))


@pytest.mark.parametrize("name", ["topologies", "platforms"])
def test_an_empty_list_is_not_all(spec, name):
    text = f'[inputs]\ntask = "mnist"\n{name} = []\n[reduce]\nkind = "count"\n'
    with pytest.raises(InvalidDataError, match=f"`{name}`: expected at least one label, got none"):
        answer_sweep(spec(text))


NETWORKS = """
[inputs]
task = "mine"
platforms = "TX2"
batch = 1
[reduce]
kind = "best"
objective = "predicted_latency"
per = "topology"
[[network]]
topology = "N"
task = "mine"
gmacs = 0.5
params = 1e6
[[network]]
topology = "M"
task = "mine"
ops = 2e9
params = 2e6
"""


def test_each_network_says_its_operations_in_its_own_way(spec):
    mixed = answer_sweep(spec(NETWORKS)).result
    assert mixed.identical(answer_sweep(spec(NETWORKS.replace("gmacs = 0.5", "ops = 1e9"))).result)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("params = 2e6", 'params = "2M"'), r"2, key 'params': got '2M'; expected a number"),
        (("params = 2e6", "parms = 2e6"), r"2, key 'parms': not known; did you mean 'params'"),
        (("params = 2e6", ""), r"2, key 'params': got nothing; add it"),
        (("ops = 2e9", ""), r"2, key 'ops': got nothing; add it"),
        (('"M"', '"N"'), r"1 and 2: got the same key twice"),
        (("gmacs = 0.5", "gmacs = true"), r"1, key 'gmacs': expected a number or text, got True"),
        (("params = 2e6", "params = [2e6]"), r"2, key 'params': expected a number or text, got \[2000000\.0\]"),
        (("ops = 2e9", "ops = 2e30"), r"2, key 'ops': got 2e\+30, expected"),
    ],
)
def test_what_is_wrong_with_a_network_is_told_by_its_table(spec, change, message):
    with pytest.raises(InvalidDataError, match=rf"the spec(: 2 faults\n )?,? \[\[network\]\] {message}"):
        answer_sweep(spec(NETWORKS.replace(*change)))


@pytest.mark.parametrize(("name", "reason"), [("share", "runs along 'layer'"), ("precision", "is text")])
def test_a_formula_is_told_why_what_it_names_is_no_number(spec, name, reason):
    text = (
        '[inputs]\ntask = "mnist"\n[reduce]\nkind = "count"\n[variables]\n'
        f'share = {{ dim = "layer", values = [1, 2, 3, 4] }}\n[terms.cost]\nformula = "2 * {name}"\n'
    )
    with pytest.raises(InvalidDataError, match=f"`cost`: the input '{name}' {reason}"):
        answer_sweep(spec(text))
