"""Transformers as topologies: phases and contexts are dims, decode is bound by weights and cache, experts by the batch."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError
from roofcube.vocabulary import INFEASIBLE

LLAMA = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip
MIXTRAL = LLAMA | {"model_type": "mixtral", "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2}
CHIP = {
    "platform": "Chip", "device_class": "GPU", "precision": "FP16", "peak_compute": "1 POP/s",
    "memory_bandwidth": "3 TB/s", "memory_capacity": "200 GB", "listed_power_w": 700,
}  # fmt: skip
BATCH = [1, 8, 64, 256]


def test_a_configuration_is_read_from_its_file(tmp_path):
    path = tmp_path / "Tiny-1B" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(LLAMA))
    table = rc.read_network(path, context=[512, 2048])
    assert table["topology"].unique().to_list() == ["Tiny-1B"]
    assert table["task"].unique().to_list() == ["generate"]
    assert table.select("phase", "context").rows() == [
        ("prefill", 512), ("prefill", 2048), ("decode", 512), ("decode", 2048)
    ]  # fmt: skip
    inputs = rc.inputs("generate", platforms=[CHIP], topologies=table, batch=1)
    assert inputs.ops.dims == ("topology", "pruning", "phase", "context")
    assert inputs.phase.values.tolist() == ["prefill", "decode"]
    assert inputs.params.item() == 8_030_261_248
    for text in ("{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(InvalidDataError, match=r"config\.json: not readable as JSON"):
            rc.read_network(path, context=1)
    path.write_text("[]")
    with pytest.raises(InvalidDataError, match=r"config\.json: expected an object with model_type, got list"):
        rc.read_network(path, context=1)


def test_the_table_of_a_transformer_comes_back_from_a_file(tmp_path):
    table = rc.read_network(MIXTRAL, name="mixtral", context=[128, 1024])
    path = tmp_path / "mixtral.csv"
    table.write_csv(path)
    again = rc.read_network(path)
    one, other = (rc.inputs("generate", platforms=[CHIP], topologies=net, batch=BATCH) for net in (table, again))
    assert one.drop_attrs().equals(other.drop_attrs())
    plain = table.drop("phase", "context", "tokens", "active_params", "expert_share").head(1)
    assert "phase" not in rc.read_network(pl.concat([plain, table.clear()], how="diagonal")).columns
    with pytest.raises(InvalidDataError, match=r"column 'tokens': got nothing; a table of phases and contexts says it"):
        rc.read_network(table.drop("tokens"))
    with pytest.raises(InvalidDataError, match=r"column 'precision': got 'FP8'; totals by phase and by precision do"):
        rc.read_network(table.with_columns(precision=pl.lit("FP8")))


def test_arguments_go_with_what_they_are_of():
    with pytest.raises(InvalidDataError, match="`batch`: only for ONNX models, `source` is a transformer's conf"):
        rc.read_network(LLAMA, context=1, batch=4)
    with pytest.raises(
        InvalidDataError, match="`context`: only for configurations of transformers, the source is none"
    ):
        rc.read_network({"topology": ["A"], "ops": [1e9], "params": [1e6]}, context=4)


@pytest.mark.parametrize("precision", ["FP16", "FP8", "W4A16"])
def test_decode_reads_the_weights_once_a_batch_and_each_cache(precision):
    net = rc.read_network(LLAMA, name="llama", phase="decode", context=[1024, 8192])
    chip = [CHIP | {"precision": one} for one in ("FP16", "FP8")]
    inputs = rc.inputs("generate", platforms=[chip], topologies=net, precision=precision, batch=BATCH)
    cube = rc.predict(inputs, assumptions=rc.SERVING).squeeze(drop=True)
    weights, cache = {"FP16": (2, 2), "FP8": (1, 1), "W4A16": (0.5, 2)}[precision]
    for context in (1024, 8192):
        batch = np.array(BATCH)
        sequence = 2 * 32 * 8 * 128 * context * cache
        by_hand = batch * 3e12 / (8_030_261_248 * weights + sequence * batch)
        by_hand = np.minimum(by_hand, 1e15 / inputs.ops.sel(context=context).item())
        fits = 8_030_261_248 * weights + sequence * batch <= 200e9
        np.testing.assert_allclose(
            cube.predicted_throughput.sel(context=context).values, np.where(fits, by_hand, np.nan), rtol=1e-9
        )


def test_a_batch_reads_the_experts_that_its_tokens_chose():
    net = rc.read_network(MIXTRAL, name="mixtral", phase="decode", context=128)
    inputs = rc.inputs("generate", platforms=[CHIP], topologies=net, batch=[1, 2, 1000]).squeeze()
    expert = 32 * 3 * 4096 * 14336
    dense = float(inputs.params) - 8 * expert
    np.testing.assert_allclose(
        inputs.params_read.values,
        [dense + 2 * expert, dense + 8 * expert * (1 - 0.75**2), dense + 8 * expert],
        rtol=1e-12,
    )
    assert float(inputs.active_params) == dense + 2 * expert
    cube = rc.predict(inputs, assumptions=rc.SERVING)
    # all experts are kept, whichever are read
    assert float(cube.memory_required[0]) > 2 * float(inputs.params)
    assert float(cube.predicted_throughput[0]) == pytest.approx(
        3e12 / (2 * float(inputs.active_params) + 2 * float(inputs.state))
    )


@pytest.mark.parametrize(
    ("assumptions", "chip"),
    [
        (rc.PUBLISHED, {}),
        (rc.SERVING, {"weights_shared": False}),
        (rc.BOUND, {"weights_shared": False}),
        (rc.BOUND, {"weights_shared": False, "weight_memory_b": 1e6}),
    ],
)
@pytest.mark.parametrize("beside", [[], ["CNV"]])
def test_inputs_that_read_their_own_weights_read_their_own_experts(assumptions, chip, beside):
    net = rc.read_network(MIXTRAL, name="mixtral", context=[16, 128])
    chips = [CHIP | chip, CHIP | chip | {"platform": "Other", "weights_shared": True}]
    inputs = rc.inputs(topologies=[net, *beside], platforms=chips, batch=[1, 16], pruning=100)
    whole = rc.predict(inputs, assumptions=assumptions)
    speed = whole.predicted_throughput.sel(topology="mixtral").broadcast_like(inputs.batch).squeeze()
    each = speed.sel(platform="Chip")
    np.testing.assert_allclose(each.sel(batch=16), each.sel(batch=1), rtol=1e-12)
    shared = speed.sel(platform="Other", phase="decode")
    faster = assumptions is not rc.PUBLISHED
    assert ((shared.sel(batch=16) > 1.01 * shared.sel(batch=1)) == faster).all()
    swept = rc.Sweep(inputs, assumptions=assumptions, dtype="f8").compute()
    np.testing.assert_array_equal(swept.predicted_throughput.values, whole.predicted_throughput.values)


def test_everything_that_a_mixture_needs_says_what_it_is():
    net = rc.read_network(MIXTRAL, name="mixtral", phase="decode", context=128)
    inputs = rc.inputs(topologies=["CNV", net], platforms="TX2", precision="FP16", pruning=100, batch=[1, 2])
    assert "layer_params_read" in inputs
    assert not [name for name, array in inputs.data_vars.items() if not {"units", "long_name"} <= set(array.attrs)]


def test_prefill_of_long_prompts_is_bound_by_compute():
    net = rc.read_network(LLAMA, name="llama", phase="prefill", context=8192)
    cube = rc.predict(rc.inputs("generate", platforms=[CHIP], topologies=net, batch=1), assumptions=rc.SERVING)
    assert cube.predicted_latency.item() == pytest.approx(cube.ops.item() / 1e15)
    assert cube.tokens.item() == 8192


def test_other_networks_stand_beside_transformers():
    net = rc.read_network(LLAMA, name="llama", context=[64, 128])
    plain = rc.inputs(topologies=["CNV"], platforms="TX2", precision="FP16", pruning=100, batch=1)
    both = rc.inputs(topologies=["CNV", net], platforms="TX2", precision="FP16", pruning=100, batch=1)
    assert {"phase", "context"} <= set(both.dims)
    for assumptions in (rc.PUBLISHED, rc.BOUND):
        one = rc.predict(plain, assumptions=assumptions).predicted_throughput.sel(topology="CNV").squeeze()
        other = rc.predict(both, assumptions=assumptions).predicted_throughput.sel(topology="CNV").squeeze()
        np.testing.assert_array_equal(one.broadcast_like(other).transpose(*other.dims).values, other.values)
    mine = {"platforms": rc.hypothetical(peak_compute=1e13, memory_bandwidth=1e11), "precision": "FP16", "batch": 64}
    alone, both = (rc.inputs(topologies=one, pruning=100, **mine) for one in (net, ["CNV", net]))
    one, other = (rc.predict(each, assumptions=rc.BOUND).predicted_latency for each in (alone, both))
    np.testing.assert_allclose(other.sel(topology="llama"), one.sel(topology="llama"), rtol=1e-12)
    twice = [net, rc.read_network(LLAMA, name="llama", context=256)]
    with pytest.raises(InvalidDataError, match="'llama' at 100 % comes twice"):
        rc.inputs(topologies=twice, platforms="TX2")


def test_a_transformer_that_is_not_there_at_a_pruning_is_not_defined_there():
    net = rc.read_network(LLAMA, name="llama", context=[64, 128])
    for pruning in ([50, 25], [100, 50]):
        inputs = rc.inputs(topologies=["CNV", net], platforms="TX2", precision="FP16", pruning=pruning, batch=1)
        reason = rc.predict(inputs, assumptions=rc.SERVING).infeasible.sel(topology="llama")
        assert {"phase", "context"} <= set(inputs.dims)
        assert (reason.sel(pruning=50) == INFEASIBLE["network_not_defined"]).all()


def test_narrow_weights_run_where_sixteen_bits_do():
    inputs = rc.inputs("cifar10", platforms=["TX2", "Ultra96-DPU"], precision=["FP16", "W4A16", "W8A16"], mode=["maxn"])
    peak = inputs.peak_compute.sel(platform="TX2", mode="maxn")
    assert float(peak.sel(precision="W4A16")) == float(peak.sel(precision="FP16")) > 0
    assert inputs.peak_compute.sel(platform="Ultra96-DPU").isnull().all()
    assert "W4A16" not in rc.inputs("cifar10", platforms=["TX2"]).precision.values


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"memory_bandwidth": "3 TB/s", "listed_power_w": 500}, (3e12, 700)),
        ({"memory_bandwidth": "4 TB/s", "listed_power_w": 500}, (4e12, 500)),
        ({"memory_bandwidth": "unknown", "listed_power_w": 500}, (3e12, 700)),
    ],
)
def test_narrow_weights_run_in_the_same_of_two_equal_formats_in_any_order_of_rows(more, expected, order):
    rows = [CHIP, CHIP | {"precision": "BF16"} | more][::order]
    inputs = rc.inputs("cifar10", platforms=rows, precision=["W4A16", "FP16", "BF16"], batch=1)
    told = [inputs[name].broadcast_like(inputs.precision) for name in ("memory_bandwidth", "power")]
    assert tuple(one.sel(precision="W4A16").item() for one in told) == expected


def test_a_cube_says_that_a_seeing_model_is_counted_by_its_text_alone(tmp_path):
    model = {"model_type": "llava", "text_config": LLAMA, "vision_config": {"model_type": "clip_vision_model"}}
    nets = [rc.read_network(one, name=name, context=128) for one, name in ((model, "Seeing"), (LLAMA, "Text"))]
    cubes = [rc.predict(rc.inputs("generate", platforms=[CHIP], topologies=net, batch=1)) for net in nets]
    said = "of Seeing the text decoder alone, without vision_config (clip_vision_model)"
    assert [cube.attrs.get("left_out") for cube in cubes] == [said, None]
    assert float(cubes[0].params.squeeze()) == float(cubes[1].params.squeeze())
    again = rc.load(rc.save(rc.merge(*cubes), tmp_path / "both.nc"))
    assert again.attrs["left_out"] == said


def test_a_cube_cut_to_a_context_without_its_label_asks_where_rows_are_of_several():
    net = rc.read_network(LLAMA, name="llama", phase="decode", context=[128, 512])
    cube = rc.predict(rc.inputs("generate", platforms=[CHIP], topologies=net, batch=1), assumptions=rc.SERVING)
    labels = {"topology": "llama", "platform": "Chip", "precision": "FP16", "pruning_percent": 100.0, "batch": 1}
    rows = pl.DataFrame(labels | {"context": [128, 512], "throughput_compute_per_s": [90.0, 80.0]})
    with pytest.raises(InvalidDataError, match=r"expected it to say its context, .* of several \(128, 512\)"):
        rc.join(cube.isel(context=0, drop=True), rows)
    assert float(rc.join(cube.isel(context=0), rows).measured_throughput.max()) == 90
