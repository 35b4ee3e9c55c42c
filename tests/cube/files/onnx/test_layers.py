"""ONNX files as tables: vector work, real networks against another counter and by hand, random graphs against an oracle."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import roofcube as rc
from roofcube.errors import InvalidDataError, MissingExtraError

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402
from onnx_files import graph, ints, node, value, write, zeros  # noqa: E402
from onnx_oracle import check  # noqa: E402

SHIPPED = Path(onnx.__file__).parent / "backend" / "test" / "data"
LIGHT = sorted((SHIPPED / "light").glob("*.onnx"))
MS = {"domain": "com.microsoft"}


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_agree_with_one_multiplication_at_a_time(tmp_path, seed):
    check(tmp_path / "random.onnx", seed)


# real networks --------------------------------------------------------------------------------------------------------


def by_another_counter(path):
    """Multiply-accumulates of onnx-tool in weight layers; it counts an addition for every biased result."""
    onnx_tool = pytest.importorskip("onnx_tool")
    with contextlib.redirect_stdout(io.StringIO()):
        model = onnx_tool.Model(str(path))
        model.graph.shape_infer()
        model.graph.profile()
    products = ("Conv", "ConvTranspose", "Gemm", "MatMul")
    return sum(int(one.macs[0]) for one in model.graph.nodemap.values() if one.op_type in products)


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_the_networks_that_onnx_ships_agree_with_another_counter(path):
    table = rc.read_network(path)
    biased = table.filter(pl.col("ops") > 0, pl.col("constants") > 0)["output_elements"].sum()
    assert table["ops"].sum() // 2 + biased == by_another_counter(path)


@pytest.mark.parametrize(
    ("network", "billions"), [("vgg19", 19.632), ("resnet50", 4.089), ("densenet121", 2.834), ("squeezenet", 0.349)]
)
def test_multiplications_are_those_that_torchvision_publishes(network, billions):
    """The counts of fvcore's kind beside the weights of torchvision: VGG19, ResNet50, DenseNet121, SqueezeNet1_1."""
    table = rc.read_network(SHIPPED / "light" / f"light_{network}.onnx")
    assert round(table["ops"].sum() / 2e9, 3) == billions


# rows of (channels in, channels out, kernel, places, groups): the layers of AlexNet and SqueezeNet as published
ALEXNET = [
    (3, 96, 11, 54, 1), (96, 256, 5, 26, 2), (256, 384, 3, 12, 1), (384, 384, 3, 12, 2), (384, 256, 3, 12, 2),
    (9216, 4096, 1, 1, 1), (4096, 4096, 1, 1, 1), (4096, 1000, 1, 1, 1),
]  # fmt: skip


def test_alexnet_and_vgg19_by_hand():
    alexnet = rc.read_network(SHIPPED / "light" / "light_bvlc_alexnet.onnx").filter(pl.col("ops") > 0)
    macs = [a // g * b * k * k * p * p for a, b, k, p, g in ALEXNET]
    assert (alexnet["ops"] // 2).to_list() == macs
    assert alexnet["params"].to_list() == [a // g * b * k * k for a, b, k, _, g in ALEXNET]
    widths = [(64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4]
    before, total = 3, 0
    for stage, channels in enumerate(widths):
        for width in channels:
            total += before * width * 9 * (224 >> stage) ** 2
            before = width
    total += 25088 * 4096 + 4096 * 4096 + 4096 * 1000
    assert rc.read_network(SHIPPED / "light" / "light_vgg19.onnx")["ops"].sum() // 2 == total == 19_632_062_464


def test_resnet_50_is_the_network_of_our_own_tables():
    """The file has the stride in the 3×3 kernels (v1.5), as ours of that name."""
    table = rc.read_network(SHIPPED / "light" / "light_resnet50.onnx")
    own = rc.datasets.load_layers().filter(pl.col("topology") == "ResNet-50v15", pl.col("pruning_percent") == 100)
    assert table["ops"].sum() == own["ops"].sum()
    assert table["params"].sum() == own["params"].sum()
    columns = [
        "in_channels",
        "out_channels",
        "kernel_height",
        "stride",
        "out_height",
        "ops",
        "params",
        "input_elements",
    ]
    layers = table.filter(pl.col("kind").is_in(["conv", "fully_connected"]))
    assert layers.select(columns).sort(columns).equals(own.select(columns).sort(columns))


@pytest.mark.parametrize(
    ("folder", "macs", "params"),
    [
        ("pytorch-converted/test_Conv3d", 4 * 3 * 24 * 2 * 2 * 2, 288),
        ("pytorch-converted/test_Conv3d_groups", 6 * 2 * 27 * 2 * 3 * 2, 324),
        ("pytorch-converted/test_Conv1d", 5 * 4 * 3 * 8, 60),
        ("pytorch-converted/test_Conv2d_depthwise_strided", 4 * 9 * 2 * 2, 36),
        ("pytorch-converted/test_ConvTranspose2d", 3 * 4 * 9 * 7 * 6, 108),
        ("pytorch-converted/test_Linear", 8 * 10, 80),
        ("pytorch-operator/test_operator_conv", 13 * 16 * 9 * 48 * 38, 13 * 144),
        # of two inputs of the graph, a batch of 2
        ("pytorch-operator/test_operator_mm", 3 * 4, 0),
        ("pytorch-operator/test_operator_addmm", 2 * 3 * 4, 0),
    ],
)
def test_single_layers_that_onnx_ships_follow_their_definition(folder, macs, params):
    table = rc.read_network(SHIPPED / folder / "model.onnx")
    assert (table["ops"].sum() // 2, table["params"].sum()) == (macs, params)


# vector work ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "x", "weights", "row"),
    [
        # kind, elements in, elements out, operations, constants
        (node("Relu", ["x"], ["y"]), [2, 3, 4, 4], {}, ("elementwise", 48, 48, 48, 0)),
        (node("Add", ["x", "x"], ["y"]), [1, 3, 4, 4], {}, ("elementwise", 96, 48, 48, 0)),
        (node("Add", ["x", "b"], ["y"]), [1, 3, 4, 4], {"b": zeros(3, 1, 1)}, ("elementwise", 48, 48, 48, 3)),
        (node("Sum", ["x", "x", "x"], ["y"]), [1, 3, 4, 4], {}, ("elementwise", 144, 48, 96, 0)),
        (node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2]), [1, 3, 4, 4], {}, ("pooling", 48, 12, 48, 0)),
        (node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1] * 4), [1, 3, 4, 4], {}, ("pooling", 48, 48, 432, 0)),
        (node("GlobalAveragePool", ["x"], ["y"]), [1, 3, 4, 4], {}, ("reduction", 48, 3, 48, 0)),
        (node("ReduceMean", ["x"], ["y"], axes=[1]), [2, 3, 4, 4], {}, ("reduction", 48, 16, 48, 0)),
        (node("Softmax", ["x"], ["y"]), [1, 3, 4, 4], {}, ("softmax", 48, 48, 240, 0)),
        (node("LayerNormalization", ["x", "g", "b"], ["y"]), [1, 3, 4, 4], {"g": zeros(4), "b": zeros(4)}, ("normalisation", 48, 48, 336, 8)),
        (node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"]), [1, 3, 4, 4], {name: zeros(3) for name in "gbmv"}, ("normalisation", 48, 48, 96, 12)),
        (node("LRN", ["x"], ["y"], size=5), [1, 3, 4, 4], {}, ("normalisation", 48, 48, 13 * 48, 0)),
        (node("GroupNorm", ["x", "g", "b"], ["y"], groups=1, **MS), [1, 4, 4, 3], {"g": zeros(3), "b": zeros(3)}, ("normalisation", 48, 48, 336, 6)),
        (node("SimplifiedLayerNormalization", ["x", "g"], ["y"]), [1, 3, 4, 4], {"g": zeros(4)}, ("normalisation", 48, 48, 192, 4)),
        (node("Resize", ["x", "", "s"], ["y"], mode="linear"), [1, 3, 4, 4], {"s": np.array([1, 1, 2, 2], "f4")}, ("resampling", 48, 192, 192 * 8, 4)),
        (node("Gather", ["x", "i"], ["y"], axis=1), [1, 3, 4, 4], {"i": ints(0, 2)}, ("indexing", 32, 32, 0, 0)),
        (node("TopK", ["x", "k"], ["v", "y"]), [1, 3, 4, 4], {"k": ints(2)}, ("indexing", 48, 48, 48 * 6, 0)),
        (node("QuantizeLinear", ["x", "s"], ["y"]), [1, 3, 4, 4], {"s": zeros()}, ("quantisation", 48, 48, 96, 1)),
        (node("DFT", ["x"], ["y"], axis=1), [1, 8, 1], {}, ("elementwise", 8, 16, 120, 0)),
        (node("Det", ["x"], ["y"]), [1, 3, 4, 4], {}, ("elementwise", 48, 3, 2 * 3 * 64, 0)),
        (node("RotaryEmbedding", ["x", "p", "c", "c"], ["y"], **MS), [1, 3, 16], {"p": zeros(1, 3, dtype="i8"), "c": zeros(9, 4)}, ("elementwise", 48, 48, 144, 72)),
        (node("QLinearAdd", ["q", "s", "z", "q", "s", "z", "s", "z"], ["y"], **MS), {"q": value("q", [1, 48], TensorProto.UINT8)}, {"s": zeros(), "z": zeros(dtype="u1")}, ("elementwise", 96, 48, 48, 6)),
        (node("QLinearAveragePool", ["q", "s", "z", "s", "z"], ["y"], kernel_shape=[2, 2], **MS), {"q": value("q", [1, 3, 4, 4], TensorProto.UINT8)}, {"s": zeros(), "z": zeros(dtype="u1")}, ("pooling", 48, 27, 108, 4)),
        (node("QLinearAveragePool", ["q", "s", "z", "s", "z"], ["y"], kernel_shape=[2, 2], channels_last=1, **MS), {"q": value("q", [1, 4, 4, 3], TensorProto.UINT8)}, {"s": zeros(), "z": zeros(dtype="u1")}, ("pooling", 48, 27, 108, 4)),
        (node("GroupNormalization", ["x", "g", "b"], ["y"], num_groups=1), [1, 3, 4, 4], {"g": zeros(3), "b": zeros(3)}, ("normalisation", 48, 48, 336, 6)),
    ],
)  # fmt: skip
def test_vector_work_is_a_row_of_its_own_kind_without_ops(tmp_path, layer, x, weights, row):
    inputs = x if isinstance(x, dict) else {"x": x}
    conv = node("MatMul", ["f", "w"], ["o"])
    weights = {name: array.astype("f4") if array.dtype == "f8" else array for name, array in weights.items()}
    opset = 21 if layer.op_type == "GroupNormalization" else 17
    path = write(
        tmp_path,
        [layer, conv],
        {**weights, "w": zeros(4, 2)},
        {**inputs, "f": [2 if x == [2, 3, 4, 4] else 1, 4]},
        outputs=["y", "o"],
        opset=opset,
    )
    table = rc.read_network(path)
    assert table.height == 2
    columns = ["kind", "input_elements", "output_elements", "vector_ops", "constants"]
    assert table.filter(pl.col("operator") != "MatMul").select(columns).row(0) == row
    assert table.filter(pl.col("operator") != "MatMul")["ops"].item() == 0


@pytest.mark.parametrize(
    "layer",
    [
        node("Reshape", ["x", "s"], ["y"]), node("Transpose", ["x"], ["y"]), node("Concat", ["x", "x"], ["y"], axis=1), node("Flatten", ["x"], ["y"]),
        node("Split", ["x"], ["y", "z"], axis=1), node("Slice", ["x", "s", "s"], ["y"]), node("Expand", ["x", "s"], ["y"]), node("Identity", ["x"], ["y"]),
        node("Unsqueeze", ["x", "s"], ["y"]), node("Tile", ["x", "two"], ["y"]), node("Dropout", ["x"], ["y"]), node("Shape", ["x"], ["y"]), node("Pad", ["x", "pads"], ["y"]),
    ],
)  # fmt: skip
def test_operators_that_only_move_or_rename_are_free(tmp_path, layer):
    weights = {"w": zeros(4, 2), "s": ints(1), "two": ints(2, 2), "pads": ints(0, 0, 1, 1)}
    if layer.op_type in ("Reshape", "Expand"):
        weights["s"] = ints(1, 4)
    path = write(tmp_path, [layer, node("MatMul", ["x", "w"], ["o"])], weights, [1, 4], outputs=["y", "o"])
    assert rc.read_network(path)["operator"].to_list() == ["MatMul"]


def test_matrix_work_and_vector_work_stay_apart_in_the_inputs(tmp_path):
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["b"]), node("Conv", ["b", "v"], ["y"])]
    table = rc.read_network(write(tmp_path, nodes, {"w": zeros(4, 3, 1, 1), "v": zeros(2, 4, 1, 1)}, [1, 3, 8, 8]))
    inputs = rc.inputs(topologies=[table, "CNV"], platforms="TX2", batch=1)
    mine = inputs.sel(topology="net", pruning=100)
    assert float(mine.ops) == 2 * 64 * (12 + 8)
    assert float(mine.activations) == 64 * (3 + 4 + 4 + 2)
    assert (mine.layer_ops > 0).values[:3].tolist() == [True, True, False]
    assert (float(mine.vector_ops), float(mine.vector_elements)) == (256.0, 512.0)
    assert not bool(inputs.vector_ops.sel(topology="CNV").notnull().any())
    assert "vector_ops" not in rc.inputs("cifar10")


def test_a_table_that_is_looked_up_takes_memory_but_only_its_picked_rows_are_read(tmp_path):
    nodes = [node("Gather", ["table", "ids"], ["e"]), node("MatMul", ["e", "w"], ["y"])]
    ids = {"ids": value("ids", [1, 7], TensorProto.INT64)}
    table = rc.read_network(write(tmp_path, nodes, {"table": zeros(1000, 16), "w": zeros(16, 3)}, ids))
    inputs = rc.inputs(topologies=table, platforms="TX2", batch=1).squeeze()
    assert float(inputs.params) == 16048
    assert inputs.layer_params.values.tolist() == [7 * 16, 48]


# files ----------------------------------------------------------------------------------------------------------------


def test_weights_beside_the_file_need_not_be_there(tmp_path):
    nodes = [node("Reshape", ["x", "s"], ["r"]), node("MatMul", ["r", "w"], ["y"])]
    path = write(tmp_path, nodes, {"w": zeros(8, 5), "s": ints(1, 6, 8)}, [1, 48])
    onnx.save(onnx.load(path), tmp_path / "ext.onnx", save_as_external_data=True, location="ext.bin", size_threshold=0)
    # the shape that the graph computes with is read, where it is there
    assert rc.read_network(tmp_path / "ext.onnx")["ops"].sum() // 2 == 6 * 40
    onnx.save(onnx.load(path), tmp_path / "big.onnx", save_as_external_data=True, location="big.bin", size_threshold=64)
    (tmp_path / "big.bin").unlink()
    assert rc.read_network(tmp_path / "big.onnx")["ops"].sum() // 2 == 6 * 40
    (tmp_path / "ext.bin").unlink()
    missing = r"comes from the stored tensor 's', which is not readable in 'ext.bin' beside the model: fetch that file"
    with pytest.raises(InvalidDataError, match=missing):
        rc.read_network(tmp_path / "ext.onnx")


def test_turns_that_are_stored_in_a_file_that_is_missing_name_that_file(tmp_path):
    inputs = [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("h", None)]
    body = graph([node("Identity", ["go"], ["on"]), node("MatMul", ["h", "w"], ["k"])], ["on", "k"], inputs=inputs)
    nodes = [node("Add", ["n", "n"], ["m"]), node("Loop", ["m", "", "x"], ["y"], body=body)]
    path = write(tmp_path, nodes, {"w": zeros(8, 8), "n": ints(7)}, [1, 8])
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="ext.bin", size_threshold=0)
    assert rc.read_network(path)["ops"].sum() // 2 == 14 * 64
    (tmp_path / "ext.bin").unlink()
    with pytest.raises(InvalidDataError, match=r"its trip count comes from the stored tensor 'n'.*'ext\.bin'"):
        rc.read_network(path)


def test_names_that_are_there_twice_are_refused(tmp_path):
    path = write(tmp_path, [node("MatMul", ["x", "w"], ["y"])], {"w": zeros(8, 5)}, {"x": [1, 8], "w": [8, 5]})
    # a stored tensor that is an input as well is that input's default
    assert rc.read_network(path)["params"].sum() == 40
    for field, name in (("initializer", "w"), ("input", "x")):
        model = onnx.load(path)
        values = getattr(model.graph, field)
        values.append(next(one for one in values if one.name == name))
        onnx.save(model, tmp_path / "twice.onnx")
        with pytest.raises(InvalidDataError, match=rf"its stored tensors or inputs '{name}' are there twice"):
            rc.read_network(tmp_path / "twice.onnx")


def test_a_file_name_is_taken_as_it_is_and_in_any_case(tmp_path):
    """A file that is called like another spelling of an embedded network is not that network."""
    layers = [node("MatMul", ["x", "w"], ["y"])]
    table = rc.read_network(write(tmp_path, layers, {"w": zeros(8, 5)}, [1, 8], name="MobileNet.ONNX"))
    assert table["topology"].to_list() == ["MobileNet"]
    inputs = rc.inputs(topologies=[table, "MobileNet"], platforms="TX2")
    assert inputs.topology.values.tolist() == ["MobileNetv1", "MobileNet"]
    named = rc.read_network(tmp_path / "MobileNet.ONNX", name=" RN50 ", task="kws", pruning=50)
    assert named.select("topology", "task", "pruning_percent").row(0) == ("RN50", "kws", 50.0)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Relu", ["x"], ["y"])], "has no convolution, matrix product or recurrent layer on its inputs"),
        ([node("MatMul", ["w", "w"], ["y"])], "has no convolution, matrix product"),
    ],
)
def test_a_file_without_a_layer_is_refused(tmp_path, nodes, message):
    with pytest.raises(InvalidDataError, match=message):
        rc.read_network(write(tmp_path, nodes, {"w": zeros(4, 4)}, [1, 4]))


def test_what_is_no_onnx_is_refused(tmp_path):
    for content in (b"not onnx", b"", helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString()):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(InvalidDataError, match=r"bad\.onnx: not readable as ONNX \(.*\); export the model again"):
            rc.read_network(tmp_path / "bad.onnx")


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)  # what import takes for a package that is not there
    path = write(tmp_path, [node("MatMul", ["x", "w"], ["y"])], {"w": zeros(8, 5)}, [1, 8])
    with pytest.raises(MissingExtraError, match=r"pip install 'roofcube\[onnx\]'"):
        rc.read_network(path)


@pytest.mark.parametrize("pruning", [0, 101, True, "50"])
def test_channels_kept_are_a_share(tmp_path, pruning):
    path = write(tmp_path, [node("MatMul", ["x", "w"], ["y"])], {"w": zeros(8, 5)}, [1, 8])
    with pytest.raises(InvalidDataError, match="`pruning`: expected channels kept in percent, above 0 and at most 100"):
        rc.read_network(path, pruning=pruning)


def test_a_pointer_to_a_model_is_no_model(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", encoding="utf-8")
    with pytest.raises(InvalidDataError, match=r"net\.onnx: expected an ONNX model, got a pointer of Git LFS"):
        rc.read_network(path)


def test_upsampling_between_neighbours_counts_as_resizing_does(tmp_path):
    weights = {"s": np.array([1, 1, 2, 2], "f4"), "w": zeros(5, 4, 1, 1)}
    counts = [
        rc.read_network(write(tmp_path, [layer, node("Conv", ["r", "w"], ["y"])], weights, [1, 4, 8, 8], opset=opset))
        for layer, opset in (
            (node("Upsample", ["x", "s"], ["r"], mode="linear"), 9),
            (node("Resize", ["x", "", "s"], ["r"], mode="linear"), 13),
        )
    ]
    one, other = (table.filter(pl.col("kind") == "resampling")["vector_ops"].item() for table in counts)
    assert one == other == 8 * 4 * 16 * 16


def test_sizes_are_a_mapping(tmp_path):
    path = write(tmp_path, [node("MatMul", ["x", "w"], ["y"])], {"w": zeros(8, 5)}, [1, 8])
    with pytest.raises(InvalidDataError, match=r"`sizes`: expected a mapping, got \(1, 8\)"):
        rc.read_network(path, sizes=(1, 8))
    assert rc.read_network(path, batch=np.int64(1))["ops"].item() == 80
