"""The layer table: written by its definitions, exact where the source is exact, close where it is rounded."""

import csv
import math
from itertools import pairwise

import pytest

from roofcube import datasets
from roofcube.datasets.architectures import LAYERS_CSV, NETWORKS, Network, Shape, trace, write_layers

with LAYERS_CSV.open(encoding="utf-8", newline="") as file:
    TABLE = list(csv.DictReader(file))


def numbers(row):
    return {key: int(value) for key, value in row.items() if value.isdigit() and key != "pruning_percent"}


def total(topology, kept, column, kinds=("conv", "depthwise", "fully_connected")):
    found = [r for r in TABLE if r["topology"] == topology and float(r["pruning_percent"]) == kept]
    assert found, f"no rows for {topology} {kept}"
    return sum(int(r[column]) for r in found if r["kind"] in kinds)


def test_table_is_what_the_definitions_write(tmp_path):
    assert LAYERS_CSV.read_bytes() == write_layers(tmp_path / "layers.csv").read_bytes()


def test_write_layers_notices_a_changed_definition(tmp_path):
    narrower = {**NETWORKS, ("MLP", 12.5): NETWORKS["MLP", 25]}
    assert LAYERS_CSV.read_bytes() != write_layers(tmp_path / "layers.csv", narrower).read_bytes()


def test_table_names_every_network_and_level():
    labels = {(r["topology"], r["pruning_percent"]) for r in TABLE}
    assert labels == {
        ("GoogLeNetv1", "100"),
        ("MobileNetv1", "100"),
        *(("ResNet-50", kept) for kept in ("100", "80", "50", "30")),
        ("ResNet-50v15", "100"),
        *((f"EfficientNet-{size}", "100") for size in "SML"),
        *((name, kept) for name in ("CNV", "MLP") for kept in ("100", "50", "25", "12.5")),
    }


def test_every_row_counts_two_ops_a_multiply_accumulate_and_weights_only():
    for row in TABLE:
        n = numbers(row)
        weights = n["kernel_height"] * n["kernel_width"] * n["in_channels"] // n["groups"] * n["out_channels"]
        assert n["in_channels"] % n["groups"] == 0
        assert n["params"] == weights
        assert n["ops"] == 2 * weights * n["out_height"] * n["out_width"]
        assert n["input_elements"] == n["in_channels"] * n["in_height"] * n["in_width"]
        assert n["output_elements"] == n["out_channels"] * n["out_height"] * n["out_width"]


def test_padded_layers_shrink_by_their_stride_only_and_cnv_is_unpadded():
    for row in TABLE:
        n = numbers(row)
        border = n["kernel_height"] - 1 if row["topology"] == "CNV" else 0
        assert n["out_height"] == n["out_width"] == math.ceil((n["in_height"] - border) / n["stride"])


def test_kinds_follow_from_groups_and_position():
    for row in TABLE:
        expected = "depthwise" if int(row["groups"]) > 1 else "conv"
        assert row["kind"] == ("fully_connected" if row["name"].startswith("fc") else expected)
    last_convolution = next(r for r in TABLE if r["topology"] == "CNV" and r["name"] == "conv6")
    assert (last_convolution["kind"], last_convolution["out_height"]) == ("conv", "1")


def test_layers_are_numbered_from_zero_with_names_of_their_own():
    for build in NETWORKS.values():
        names = [layer.name for layer in trace(build)]
        assert len(names) == len(set(names))
    for before, row in pairwise(TABLE):
        same = before["topology"] == row["topology"]
        same = same and before["pruning_percent"] == row["pruning_percent"]
        assert int(row["layer"]) == (int(before["layer"]) + 1 if same else 0)


def test_chains_hand_their_channels_on():
    for topology, kept in NETWORKS:
        if topology.startswith(("MLP", "CNV", "MobileNet", "EfficientNet")):
            for before, after in pairwise(trace(NETWORKS[topology, kept])):
                assert after.source.channels == before.result.channels


@pytest.mark.parametrize(
    ("topology", "kept", "ops", "params"),
    [
        ("CNV", 100, 469449728, 6157696),
        ("CNV", 50, 118922752, 1542848),
        ("CNV", 25, 30510848, 387424),
        ("CNV", 12.5, 8017792, 97712),
        ("MLP", 100, 20029440, 10014720),
        ("MLP", 50, 5820416, 2910208),
        ("MLP", 25, 1861632, 930816),
        ("MLP", 12.5, 668672, 334336),
    ],
)
def test_mnist_and_cifar10_networks_reproduce_the_exact_counts(topology, kept, ops, params):
    assert (total(topology, kept, "ops"), total(topology, kept, "params")) == (ops, params)


# Pinned from the definitions; the tests below hold them against other people's counts.
@pytest.mark.parametrize(
    ("topology", "layers", "ops", "params"),
    [
        ("GoogLeNetv1", 58, 3165343744, 6990272),
        ("MobileNetv1", 28, 1137480704, 4209088),  # Howard et al. 2017: 569 M multiply-adds, 4.2 M
        ("ResNet-50", 54, 7715946496, 25502912),  # He et al. 2016: 3.8 G multiply-adds
        ("ResNet-50v15", 54, 8178368512, 25502912),  # 4.1 G multiply-adds
        ("EfficientNet-S", 50, 4704618240, 5387232),
        ("EfficientNet-M", 65, 7320571136, 6831968),
        ("EfficientNet-L", 73, 19323791168, 10498040),
    ],
)
def test_imagenet_networks(topology, layers, ops, params):
    assert len(trace(NETWORKS[topology, 100])) == layers
    assert (total(topology, 100, "ops"), total(topology, 100, "params")) == (ops, params)


# The source's giga-ops (behind its predictions) and millions of parameters (printed), and how closely they are met.
@pytest.mark.parametrize(
    ("topology", "giga_ops", "million_params", "tolerance"),
    [
        ("MobileNetv1", 1.14, 4.2, 0.003),
        ("ResNet-50", 7.72, 25.5, 0.001),
        ("ResNet-50v15", 8.2, 25.5, 0.003),
        ("EfficientNet-S", 4.7, 5.4, 0.003),
        ("EfficientNet-M", 7.4, 6.9, 0.011),
        ("EfficientNet-L", 19.38, 10.6, 0.010),
    ],
)
def test_imagenet_networks_meet_the_published_figures(topology, giga_ops, million_params, tolerance):
    assert total(topology, 100, "ops") / 1e9 == pytest.approx(giga_ops, rel=tolerance)
    assert total(topology, 100, "params") / 1e6 == pytest.approx(million_params, rel=tolerance)


# Published totals count what the table leaves out: a scale and a shift a channel (batch normalisation) or one bias.
@pytest.mark.parametrize(
    ("topology", "extra_per_channel", "published"),
    [
        ("ResNet-50", 2, 25557032),  # torchvision resnet50
        ("ResNet-50v15", 2, 25557032),
        ("MobileNetv1", 2, 4231976),  # Keras MobileNet, trainable
        ("GoogLeNetv1", 1, 6998552),  # Caffe bvlc_googlenet, without auxiliary heads
        ("EfficientNet-S", 2, 5.44e6),  # timm efficientnet_es, _em, _el, as listed
        ("EfficientNet-M", 2, 6.90e6),
        ("EfficientNet-L", 2, 10.59e6),
    ],
)
def test_sizes_with_normalisation_and_bias_are_those_of_well_known_implementations(
    topology, extra_per_channel, published
):
    *convolutions, last = trace(NETWORKS[topology, 100])
    channels = sum(layer.result.channels for layer in convolutions)
    whole = total(topology, 100, "params") + extra_per_channel * channels + last.result.channels
    assert (round(whole, -4) if isinstance(published, float) else whole) == published


def test_googlenet_is_one_percent_above_its_published_ops_and_its_published_size_leaves_out_the_last_layer():
    assert total("GoogLeNetv1", 100, "ops") / 3.13e9 == pytest.approx(1.0113, abs=1e-4)
    assert total("GoogLeNetv1", 100, "params", kinds=("conv",)) == 5966272
    assert total("GoogLeNetv1", 100, "params", kinds=("fully_connected",)) == 1024000


@pytest.mark.parametrize(
    ("kept", "giga_ops", "million_params"), [(80, 6.54, 24.075), (50, 3.75, 15.79), (30, 2.45, 10.10)]
)
def test_assumed_pruned_resnet_50_meets_published_ops_and_size(kept, giga_ops, million_params):
    assert total("ResNet-50", kept, "ops") / 1e9 == pytest.approx(giga_ops, rel=0.003)
    assert total("ResNet-50", kept, "params") / 1e6 == pytest.approx(million_params, rel=0.003)


def test_pruned_resnet_50_keeps_its_outer_widths():
    whole = {layer.name: layer for layer in trace(NETWORKS["ResNet-50", 100])}
    for kept in (80, 50, 30):
        for layer in trace(NETWORKS["ResNet-50", kept]):
            inner = layer.name.endswith(("_reduce", "_3x3"))
            assert (layer.result < whole[layer.name].result) == inner
            assert layer.result[1:] == whole[layer.name].result[1:]


@pytest.mark.parametrize(("topology", "strided"), [("ResNet-50", "_reduce"), ("ResNet-50v15", "_3x3")])
def test_resnet_50_versions_differ_in_where_they_stride(topology, strided):
    found = {layer.name for layer in trace(NETWORKS[topology, 100]) if layer.stride == 2}
    blocks = [f"stage{stage}_block1" for stage in (2, 3, 4)]
    assert found == {"conv1", *(block + strided for block in blocks), *(f"{block}_shortcut" for block in blocks)}


def test_fused_efficientnet_blocks_stride_in_the_projection():
    layers = {layer.name: layer for layer in trace(NETWORKS["EfficientNet-S", 100])}
    assert layers["stage1_block1_expand"].result == Shape(96, 112, 112)
    assert layers["stage2_block1_expand"].result == Shape(192, 112, 112)
    assert layers["stage2_block1_project"].result == Shape(32, 56, 56)
    assert layers["stage4_block1_depthwise"].result == Shape(384, 14, 14)
    assert layers["head"].result == Shape(1280, 7, 7)


@pytest.mark.parametrize(
    ("size", "stem", "head", "last"), [("S", 32, 1280, 7), ("M", 32, 1280, 8), ("L", 40, 1536, 10)]
)
def test_efficientnet_scaling(size, stem, head, last):
    layers = {layer.name: layer for layer in trace(NETWORKS[f"EfficientNet-{size}", 100])}
    assert layers["stem"].result.channels == stem
    assert layers["head"].result == Shape(head, last, last)


def test_a_network_notes_what_it_computes_and_follows_the_shape():
    net = Network()
    x = net.conv("a", Shape(3, 9, 7), 8, kernel=3, stride=2)
    x = net.depthwise("b", x, kernel=5, stride=1)
    x = net.fully_connected("c", x, 10)
    assert [layer.result for layer in net.noted] == [Shape(8, 5, 4), Shape(8, 5, 4), Shape(10, 1, 1)]
    assert [layer.params for layer in net.noted] == [3 * 3 * 3 * 8, 5 * 5 * 8, 8 * 5 * 4 * 10]
    assert [layer.ops for layer in net.noted] == [2 * 216 * 20, 2 * 200 * 20, 2 * 1600]


def test_demands_follow_from_the_shapes():
    layers = datasets.load_layers()
    demands = datasets.layer_demands(layers)
    for shape, demand in zip(layers.iter_rows(named=True), demands.iter_rows(named=True), strict=True):
        window = shape["kernel_height"] * shape["kernel_width"] * shape["in_channels"]
        pixels = shape["out_height"] * shape["out_width"]
        dense = shape["kind"] == "fully_connected"
        assert demand["patches"] == (0 if dense else window * pixels)
        assert demand["fully_connected"] == dense
        skips = shape["kernel_height"] * shape["kernel_width"] == 1 and shape["stride"] > 1
        read = shape["in_channels"] * pixels if skips else shape["input_elements"]
        assert demand["activations"] == read + shape["output_elements"]
    assert (demands["activations"] < layers["input_elements"] + layers["output_elements"]).any()
