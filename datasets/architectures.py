"""Shapes of the embedded networks, short definitions that write ``data/layers.csv``; knows no tables, cubes or models.

A row is a layer with weights: convolution, depthwise convolution or fully connected. Pooling, bias, batch
normalisation, activation functions, concatenation and element-wise addition are not rows and count neither as
operations nor as parameters; what they do to the shape is followed. One multiply-accumulate is 2 ops; positions where
a kernel meets padding count in full. ``params`` are weights only. Layers side by side (inception branches, shortcut
projections) each count the input they read. No embedded network has squeeze-and-excite.

Maintainers write the table anew with ``python -m roofcube.datasets.architectures``; a test holds it equal to these
definitions.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

__all__ = ["LAYERS_CSV", "NETWORKS", "Layer", "Network", "Shape", "rows", "trace", "write_layers"]

LAYERS_CSV = Path(__file__).parent / "data" / "layers.csv"
IMAGENET_CLASSES = 1000

Kind = Literal["conv", "depthwise", "fully_connected"]


class Shape(NamedTuple):
    """Channels and spatial size of one activation.

    Examples
    --------
    >>> Shape(3, 224, 224).elements
    150528
    """

    channels: int
    height: int
    width: int

    @property
    def elements(self) -> int:
        """Number of values."""
        return self.channels * self.height * self.width


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer with weights; all figures are per input.

    Examples
    --------
    >>> layer = trace(NETWORKS["MLP", 100])[-1]
    >>> layer.name, layer.params, layer.ops
    ('fc4', 20480, 40960)
    """

    name: str
    kind: Kind
    kernel: int
    stride: int
    groups: int
    source: Shape
    result: Shape

    @property
    def params(self) -> int:
        """Number of weights."""
        return self.kernel**2 * (self.source.channels // self.groups) * self.result.channels

    @property
    def ops(self) -> int:
        """Operations, 2 per multiply-accumulate."""
        return 2 * self.params * self.result.height * self.result.width


@dataclass
class Network:
    """Follows a shape through a network and notes every layer with weights.

    Examples
    --------
    >>> net = Network()
    >>> net.conv("conv1", Shape(3, 32, 32), 64, kernel=3, padding=False)
    Shape(channels=64, height=30, width=30)
    >>> net.noted[0].params
    1728
    """

    noted: list[Layer] = field(default_factory=list)

    def conv(
        self, name: str, source: Shape, channels: int, *, kernel: int = 1, stride: int = 1, padding: bool = True
    ) -> Shape:
        """Convolve with a square kernel; with padding, stride 1 keeps the size."""
        border = 0 if padding else kernel - 1
        result = strided(Shape(channels, source.height - border, source.width - border), stride)
        return self._note(name, "conv", source, result, kernel, stride)

    def depthwise(self, name: str, source: Shape, *, kernel: int, stride: int) -> Shape:
        """Convolve every channel alone, with padding."""
        return self._note(name, "depthwise", source, strided(source, stride), kernel, stride, source.channels)

    def fully_connected(self, name: str, source: Shape, channels: int) -> Shape:
        """Connect every input value to every output, written as a 1x1 convolution at one position."""
        return self._note(name, "fully_connected", Shape(source.elements, 1, 1), Shape(channels, 1, 1))

    def _note(
        self, name: str, kind: Kind, source: Shape, result: Shape, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> Shape:
        layer = Layer(name=name, kind=kind, kernel=kernel, stride=stride, groups=groups, source=source, result=result)
        self.noted.append(layer)
        return result


def strided(source: Shape, stride: int) -> Shape:
    """Take every stride-th position, sizes rounded up: what padded convolutions and poolings of these networks do."""
    return Shape(source.channels, math.ceil(source.height / stride), math.ceil(source.width / stride))


def globally_pooled(source: Shape) -> Shape:
    """Average each channel to one value."""
    return Shape(source.channels, 1, 1)


def mlp(net: Network, *, hidden: int) -> None:
    """784-h-h-h-10 on MNIST; 'MLP 100 %' is 2048 wide, not 1024."""
    x = Shape(784, 1, 1)
    for index, channels in enumerate((hidden, hidden, hidden, 10), start=1):
        x = net.fully_connected(f"fc{index}", x, channels)


def cnv(net: Network, *, unit: int) -> None:
    """FINN's CNV on CIFAR-10, VGG-like without padding; 'CNV 100 %' has a unit of 128 channels, twice BNN-PYNQ's."""
    x = Shape(3, 32, 32)
    for index, units in enumerate((1, 1, 2, 2, 4, 4), start=1):
        x = net.conv(f"conv{index}", x, units * unit, kernel=3, padding=False)
        x = strided(x, 2) if index in (2, 4) else x
    for index, channels in enumerate((8 * unit, 8 * unit, 10), start=1):
        x = net.fully_connected(f"fc{index}", x, channels)


# 1x1 | 3x3 reduce, 3x3 | 5x5 reduce, 5x5 | pool projection: Szegedy et al. 2015, table 1. Its '5x5' are 5x5 here;
# the TensorFlow-slim and torchvision ports use 3x3 kernels there and have fewer ops.
INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet_v1(net: Network) -> None:
    """GoogLeNet at inference, without its auxiliary heads (Szegedy et al. 2015)."""
    x = strided(net.conv("conv1", Shape(3, 224, 224), 64, kernel=7, stride=2), 2)
    x = net.conv("conv2_3x3", net.conv("conv2_reduce", x, 64), 192, kernel=3)
    for module, widths in INCEPTION.items():
        x = inception(net, module, strided(x, 2) if module in ("3a", "4a", "5a") else x, widths)
    net.fully_connected("fc", globally_pooled(x), IMAGENET_CLASSES)


def inception(net: Network, module: str, x: Shape, widths: Sequence[int]) -> Shape:
    """Four branches side by side, concatenated."""
    one, reduce_three, three, reduce_five, five, pool = widths
    net.conv(f"{module}_1x1", x, one)
    net.conv(f"{module}_3x3", net.conv(f"{module}_3x3_reduce", x, reduce_three), three, kernel=3)
    net.conv(f"{module}_5x5", net.conv(f"{module}_5x5_reduce", x, reduce_five), five, kernel=5)
    net.conv(f"{module}_pool_projection", x, pool)
    return x._replace(channels=one + three + five + pool)


def mobilenet_v1(net: Network) -> None:
    """MobileNet v1 1.0 at 224 (Howard et al. 2017, table 1, whose last stride '2' is 1 by its own sizes)."""
    x = net.conv("conv1", Shape(3, 224, 224), 32, kernel=3, stride=2)
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for index, (channels, stride) in enumerate(blocks, start=1):
        x = net.depthwise(f"block{index}_depthwise", x, kernel=3, stride=stride)
        x = net.conv(f"block{index}_pointwise", x, channels)
    net.fully_connected("fc", globally_pooled(x), IMAGENET_CLASSES)


def resnet_50(net: Network, *, stride_in: Literal["1x1", "3x3"], kept: Sequence[float] = (1, 1, 1, 1)) -> None:
    """ResNet-50 (He et al. 2016): v1 strides in a stage's first 1x1, v1.5 in its 3x3; ``kept`` thins inner widths."""
    x = strided(net.conv("conv1", Shape(3, 224, 224), 64, kernel=7, stride=2), 2)
    stages = zip((3, 4, 6, 3), (64, 128, 256, 512), (1, 2, 2, 2), kept, strict=True)
    for stage, (blocks, width, stride, share) in enumerate(stages, start=1):
        for block in range(1, blocks + 1):
            strides = {stride_in: stride} if block == 1 else {}
            name, inner = f"stage{stage}_block{block}", round(width * share)
            if block == 1:
                net.conv(f"{name}_shortcut", x, 4 * width, stride=stride)
            x = net.conv(f"{name}_reduce", x, inner, stride=strides.get("1x1", 1))
            x = net.conv(f"{name}_3x3", x, inner, kernel=3, stride=strides.get("3x3", 1))
            x = net.conv(f"{name}_expand", x, 4 * width)
    net.fully_connected("fc", globally_pooled(x), IMAGENET_CLASSES)


# Repeats, kernel, stride, expansion, nominal input, output, fused: `efficientnet_edgetpu_builder.py` in tensorflow/tpu.
EDGETPU_STAGES = (
    (1, 3, 1, 4, 24, 24, True),
    (2, 3, 2, 8, 24, 32, True),
    (4, 3, 2, 8, 32, 48, True),
    (5, 5, 2, 8, 48, 96, False),
    (4, 5, 1, 8, 96, 144, False),
    (2, 5, 2, 8, 144, 192, False),
)


def efficientnet_edgetpu(net: Network, *, width: float, depth: float, resolution: int) -> None:
    """EfficientNet-EdgeTPU as released (tensorflow/tpu, ``efficientnet_model.py``).

    Two traps: a fused block strides in its 1x1 projection, so that its 3x3 runs at full resolution (ports that stride
    in the 3x3 have 18 to 24 % fewer ops), and the first block expands from a nominal 24 channels, not from the stem's
    32. There is a 1001st class, the background. Published sizes (5.44, 6.90, 10.59 M) count normalisation and bias too.
    """
    x = net.conv("stem", Shape(3, resolution, resolution), scaled(32, width), kernel=3, stride=2)
    for stage, (repeats, kernel, stride, expansion, nominal, channels, fused) in enumerate(EDGETPU_STAGES, start=1):
        outer = scaled(channels, width)
        for block in range(1, math.ceil(repeats * depth) + 1):
            name = f"stage{stage}_block{block}"
            inner = expansion * (scaled(nominal, width) if block == 1 else outer)
            step = stride if block == 1 else 1
            if fused:
                x = net.conv(f"{name}_expand", x, inner, kernel=kernel)
                x = net.conv(f"{name}_project", x, outer, stride=step)
            else:
                x = net.conv(f"{name}_expand", x, inner)
                x = net.depthwise(f"{name}_depthwise", x, kernel=kernel, stride=step)
                x = net.conv(f"{name}_project", x, outer)
    x = net.conv("head", x, scaled(1280, width))
    net.fully_connected("fc", globally_pooled(x), IMAGENET_CLASSES + 1)


def scaled(channels: int, width: float) -> int:
    """Scale a width to the nearest multiple of 8 that keeps 90 % of it (EfficientNet's ``round_filters``)."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


# The source never published the shapes of its pruned ResNet-50, only op counts and intensities. Assumed: v1 with outer
# widths kept, inner widths of stages 1-2 and of 3-4 thinned by one factor each. Two equations determine the two: ops
# 6.54, 3.75, 2.45 G and weights 24.075, 15.79, 10.10 M (ops over intensity; for 80 % the source prints 23.7 M, which
# does not agree with its own ops). One choice of many: other splits over the stages fit as well.
PRUNED_RESNET_50 = {80: (0.765, 0.966), 50: (0.361, 0.671), 30: (0.278, 0.391)}


def pruned_resnet_50(net: Network, *, early: float, late: float) -> None:
    """ResNet-50 v1 with thinner inner layers, an assumption."""
    resnet_50(net, stride_in="1x1", kept=(early, early, late, late))


Build = Callable[[Network], None]

#: Topology and channels kept (percent) -> the definition that draws the network.
NETWORKS: dict[tuple[str, float], Build] = {
    ("GoogLeNetv1", 100): googlenet_v1,
    ("MobileNetv1", 100): mobilenet_v1,
    ("ResNet-50", 100): partial(resnet_50, stride_in="1x1"),
    **{
        ("ResNet-50", kept): partial(pruned_resnet_50, early=early, late=late)
        for kept, (early, late) in PRUNED_RESNET_50.items()
    },
    ("ResNet-50v15", 100): partial(resnet_50, stride_in="3x3"),
    ("EfficientNet-S", 100): partial(efficientnet_edgetpu, width=1.0, depth=1.0, resolution=224),
    ("EfficientNet-M", 100): partial(efficientnet_edgetpu, width=1.0, depth=1.1, resolution=240),
    ("EfficientNet-L", 100): partial(efficientnet_edgetpu, width=1.2, depth=1.4, resolution=300),
    **{("CNV", kept): partial(cnv, unit=unit) for kept, unit in ((100, 128), (50, 64), (25, 32), (12.5, 16))},
    **{("MLP", kept): partial(mlp, hidden=h) for kept, h in ((100, 2048), (50, 1024), (25, 512), (12.5, 256))},
}


def trace(build: Build) -> list[Layer]:
    """Return the layers with weights of one network, in the order they run.

    Parameters
    ----------
    build
        A definition, such as a value of ``NETWORKS``.

    Examples
    --------
    >>> [layer.params for layer in trace(NETWORKS["MLP", 12.5])]
    [200704, 65536, 65536, 2560]
    """
    net = Network()
    build(net)
    return net.noted


def rows(networks: Mapping[tuple[str, float], Build] = NETWORKS) -> Iterator[dict[str, str | int]]:
    """Return the rows of ``layers.csv``: every layer of every network, columns in order.

    Parameters
    ----------
    networks
        Definitions by topology and channels kept in percent.

    Examples
    --------
    >>> first = next(rows())
    >>> first["topology"], first["name"], first["params"]
    ('GoogLeNetv1', 'conv1', 9408)
    """
    for (topology, kept), build in networks.items():
        for index, layer in enumerate(trace(build)):
            yield {
                "topology": topology,
                "pruning_percent": f"{kept:g}",
                "layer": index,
                "name": layer.name,
                "kind": layer.kind,
                "kernel_height": layer.kernel,
                "kernel_width": layer.kernel,
                "stride": layer.stride,
                "groups": layer.groups,
                "in_channels": layer.source.channels,
                "out_channels": layer.result.channels,
                "in_height": layer.source.height,
                "in_width": layer.source.width,
                "out_height": layer.result.height,
                "out_width": layer.result.width,
                "ops": layer.ops,
                "params": layer.params,
                "input_elements": layer.source.elements,
                "output_elements": layer.result.elements,
            }


def write_layers(path: Path = LAYERS_CSV, networks: Mapping[tuple[str, float], Build] = NETWORKS) -> Path:
    """Write the layer table.

    Parameters
    ----------
    path
        The file to write, by default the embedded one.
    networks
        Definitions by topology and channels kept in percent.

    Returns
    -------
    Path
        ``path``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_layers(Path(folder) / "layers.csv").read_bytes() == LAYERS_CSV.read_bytes()
    True
    """
    table = list(rows(networks))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return path


if __name__ == "__main__":
    print(f"wrote {write_layers()}")
