"""The schema of every table, one class each: columns with units, ranges and meaning; reads no files.

A column without a default must be there; one that may be None may be empty. The classes are plain annotations:
`roofcube.datasets.forms.reading` makes pydantic models of them when a user's file is validated; the embedded tables
need only the types of their columns, so a cold process does without pydantic.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

__all__ = [
    "DEVICE_CLASSES",
    "Accuracy",
    "Alias",
    "Correction",
    "LayerRow",
    "ListedPlatform",
    "Measurement",
    "NetworkLayer",
    "NetworkTotalsRow",
    "Platform",
    "PlatformFigure",
    "PlatformStructure",
    "PowerSample",
    "PublishedNetwork",
    "Repeat",
    "Topology",
    "TracedLayer",
]

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Percent = Annotated[float, Ge(0), Le(100)]
Kept = Annotated[float, Gt(0), Le(100)]
Count = Annotated[int, Ge(1), Le(2**63 - 1)]
Place = Annotated[int, Ge(0), Le(2**63 - 1)]
Label = Annotated[str, MinLen(1)]
Phase = Literal["prefill", "decode"]
Precision = Literal[
    "INT1", "INT2", "INT4", "INT8", "INT16", "FP4", "NVFP4", "MXFP4", "MXFP6", "MXFP8", "FP8", "FP16", "BF16", "TF32",
    "FP32", "FP64", "W2A16", "W4A4", "W4A8", "W4A16", "W8A8", "W8A16",
]  # fmt: skip
# suggested; a class is free text
DEVICE_CLASSES = (
    "FPGA", "GPU", "TPU", "VLIW", "CPU", "NPU", "DSP", "ASIC", "MCU", "SoC", "CGRA", "IMC", "neuromorphic",
)  # fmt: skip


class Platform:
    """What a platform offers in one mode at one precision.

    Attributes
    ----------
    device_class
        Free text; known ones are in `DEVICE_CLASSES`.
    family
        Platforms of one design whose efficiencies may be pooled.
    executed_precision
        Precision that it really computes in.
    """

    platform: Label
    device_class: Label
    family: Label
    mode: Label = "default"
    precision: Precision
    executed_precision: Precision
    peak_compute_op_per_s: Positive
    memory_bandwidth_b_per_s: Positive
    memory_capacity_b: Positive | None = None
    listed_power_w: Positive | None = None


class ListedPlatform(Platform):
    """A platform of data sheets: a memory bandwidth that nobody publishes, or that is on the chip, is empty."""

    memory_bandwidth_b_per_s: Positive | None = None  # type: ignore[assignment]


class PlatformFigure:
    """One published figure of a platform, with the page that says it; never a measurement of ours.

    Attributes
    ----------
    precision
        Of a peak; empty for what all precisions share.
    quantity
        A variable of the hardware, or the rate of a memory on the chip, which never stands as memory bandwidth.
    basis
        Published, derived from clocks and widths, or half of a figure with structured sparsity: peaks are dense.
    seen
        What the source says, in its words.
    read
        Day on which it was taken over.
    evidence
        Page or data sheet of the maker, two sources that agree within 3 %, or why it is not used.
    used
        It is the figure in the table of platforms.
    """

    platform: Label
    vendor: str = ""
    device_class: Label
    mode: Label = "default"
    precision: str = ""
    quantity: Literal[
        "peak_compute", "memory_bandwidth", "memory_capacity", "on_chip_memory", "on_chip_bandwidth", "power"
    ]
    value: Positive
    unit: Literal["op/s", "B/s", "B", "W"]
    source: Label
    source_kind: Literal["maker's page", "maker's data sheet", "third party table"]
    basis: Literal["published", "derived", "half of the sparse figure"]
    seen: str = ""
    read: Label
    evidence: Label
    used: bool = False
    note: str = ""


class PlatformStructure:
    """What is known of a platform's inside; inferred figures say so in `basis`.

    Attributes
    ----------
    board
        Printed circuit board; platforms on one board share its base power.
    cores
        Cores that each take one input at a time.
    weight_memory_b
        On-chip memory that keeps weights between batches; 0 where none does, None where it is not known.
    channel_tile
        Width of the output-channel tile of the compute array.
    weights_shared
        The inputs in flight share one reading of the weights.
    dataflow
        A compute unit per layer; throughput is set by folding.
    """

    platform: Label
    board: str = ""
    cores: Count = 1
    weight_memory_b: NotNegative | None = None
    channel_tile: Count = 1
    weights_shared: bool = True
    dataflow: bool = False
    basis: str = ""


class Topology:
    """The printed counts of a network at one share of channels kept.

    Attributes
    ----------
    ops_source_exact
        Op count that the source derived from layers.
    ops_source
        Op count behind the source's predictions.
    """

    topology: Label
    task: Label
    pruning_percent: Kept
    ops_source_exact: Positive | None
    params_source_exact: Positive | None
    ops_source: Positive | None
    ops_printed: Positive | None
    params_printed: Positive | None
    ops_per_byte_int8_printed: Positive | None
    shapes: Literal["published", "assumed"]


class PublishedNetwork:
    """A network beside the benchmark: what its publication says, and what its layers do not.

    Attributes
    ----------
    ops_published, params_published, activations_published
        Counts of the source, rounded there; activations are those that layers with weights write.
    activation_memory
        Elements of the largest layer, read and written.
    vector_elements
        Elements that element-wise operators read and write.
    kernels
        Operators that run for one input, as traced.
    image_size
        Side of the input.
    weights
        Which trained weights the accuracy is of.
    variant_of
        The network that this one computes the same as, with fewer operations.
    """

    topology: Label
    task: Label
    pruning_percent: Kept = 100.0
    ops_published: Positive | None = None
    params_published: Positive | None = None
    activations_published: Positive | None = None
    activation_memory: Positive | None = None
    vector_elements: NotNegative | None = None
    kernels: NotNegative | None = None
    architecture: str = ""
    image_size: Count | None = None
    weights: str = ""
    variant_of: str = ""


class LayerRow:
    """One weight layer of a network."""

    topology: Label
    pruning_percent: Kept
    layer: Place
    name: Label
    kind: Literal["conv", "depthwise", "fully_connected"]
    kernel_height: Count
    kernel_width: Count
    stride: Count
    groups: Count
    in_channels: Count
    out_channels: Count
    in_height: Count
    in_width: Count
    out_height: Count
    out_width: Count
    ops: Count
    params: Count
    input_elements: Count
    output_elements: Count


# kinds of layers with operations (or, of a table that is looked up, parameters) of their own …
WeightKind = Literal["conv", "depthwise", "conv_transpose", "fully_connected", "recurrent", "matmul", "embedding"]
# … and of vector work, which has none: elements that come in and go out
VectorKind = Literal[
    "elementwise", "normalisation", "softmax", "quantisation", "reduction", "pooling", "resampling", "indexing"
]
LayerKind = Literal[WeightKind, VectorKind]


class TracedLayer(LayerRow):
    """One layer of a network beside the benchmark.

    Attributes
    ----------
    kind
        As of `NetworkLayer`, those with operations.
    weights_of
        The layer that has these weights too and counts them among its `params`, which here are left out.
    note
        What must be said of the count.
    """

    kind: WeightKind  # type: ignore[assignment]
    params: Place
    output_elements: Place
    weights_of: str = ""
    note: str = ""


class OwnAccuracy:
    """Accuracy of a user's own network, the same at every precision or at one.

    Attributes
    ----------
    top1_percent, top5_percent
        At every precision that has none of its own, as ``top1_int8_percent``.
    """

    top1_percent: Percent | None = None
    top5_percent: Percent | None = None
    top1_int1_percent: Percent | None = None
    top1_int2_percent: Percent | None = None
    top1_int4_percent: Percent | None = None
    top1_int8_percent: Percent | None = None
    top1_int16_percent: Percent | None = None
    top1_fp8_percent: Percent | None = None
    top1_fp16_percent: Percent | None = None
    top1_bf16_percent: Percent | None = None
    top1_fp32_percent: Percent | None = None
    top1_fp64_percent: Percent | None = None
    top1_fp4_percent: Percent | None = None
    top1_nvfp4_percent: Percent | None = None
    top1_mxfp4_percent: Percent | None = None
    top1_mxfp6_percent: Percent | None = None
    top1_mxfp8_percent: Percent | None = None
    top1_tf32_percent: Percent | None = None
    top1_w2a16_percent: Percent | None = None
    top1_w4a4_percent: Percent | None = None
    top1_w4a8_percent: Percent | None = None
    top1_w4a16_percent: Percent | None = None
    top1_w8a8_percent: Percent | None = None
    top1_w8a16_percent: Percent | None = None
    top5_int1_percent: Percent | None = None
    top5_int2_percent: Percent | None = None
    top5_int4_percent: Percent | None = None
    top5_int8_percent: Percent | None = None
    top5_int16_percent: Percent | None = None
    top5_fp8_percent: Percent | None = None
    top5_fp16_percent: Percent | None = None
    top5_bf16_percent: Percent | None = None
    top5_fp32_percent: Percent | None = None
    top5_fp64_percent: Percent | None = None
    top5_fp4_percent: Percent | None = None
    top5_nvfp4_percent: Percent | None = None
    top5_mxfp4_percent: Percent | None = None
    top5_mxfp6_percent: Percent | None = None
    top5_mxfp8_percent: Percent | None = None
    top5_tf32_percent: Percent | None = None
    top5_w2a16_percent: Percent | None = None
    top5_w4a4_percent: Percent | None = None
    top5_w4a8_percent: Percent | None = None
    top5_w4a16_percent: Percent | None = None
    top5_w8a8_percent: Percent | None = None
    top5_w8a16_percent: Percent | None = None


class NetworkLayer(OwnAccuracy, LayerRow):
    """One layer of a user's own network: what a layer table may say beyond the embedded one.

    Attributes
    ----------
    kind
        With the ops that the shape columns give: conv, depthwise, fully_connected; conv_transpose (places of its
        input), recurrent (input and state × gates of all directions, a place a step), matmul (of two activations, no
        parameters); embedding (a table that is looked up, parameters only). The others are vector work: no ops.
    vector_ops
        Element-wise operations per input, which are not among `ops`.
    constants
        Constant elements that are no weights: biases, scales of a normalisation.
    weight_bits, activation_bits
        As the file stores them.
    operator
        Of the file that it was read from.
    weights_of
        The layer that has these weights too and counts them among its `params`, which here are left out; the layer
        itself where its weights repeat those that it counts.
    note
        What must be said of the count.
    source
        File that it was read from.
    """

    kind: LayerKind  # type: ignore[assignment]
    ops: Place
    params: Place
    input_elements: Place
    output_elements: Place
    task: Label = "custom"
    vector_ops: Place = 0
    constants: Place = 0
    weight_bits: Count | None = None
    activation_bits: Count | None = None
    operator: str = ""
    weights_of: str = ""
    note: str = ""
    source: str = ""


class NetworkTotalsRow(OwnAccuracy):
    """A user's own network known by its totals, per input, at every precision or at one.

    Attributes
    ----------
    precision
        Where the totals hold for one precision only.
    activations
        Elements read and written by the layers with weights.
    activation_memory
        Elements alive at once.
    input_elements, output_elements
        Elements of what goes in and what comes out: kept, no model reads them; traffic is counted by `activations`.
    vector_ops, vector_elements
        Element-wise operations, and the elements that they read and write.
    phase, context, tokens, active_params, expert_share, left_out
        Of a transformer, as `read_network` gives them of its configuration.
    """

    topology: Label
    task: Label = "custom"
    pruning_percent: Kept = 100.0
    precision: Precision | None = None
    phase: Phase | None = None
    context: Count | None = None
    tokens: Positive | None = None
    active_params: Positive | None = None
    expert_share: Annotated[float, Gt(0), Le(1)] | None = None
    left_out: str = ""
    ops: Positive
    params: Positive
    activations: NotNegative | None = None
    activation_memory: NotNegative | None = None
    input_elements: NotNegative | None = None
    output_elements: NotNegative | None = None
    state: NotNegative | None = None
    vector_ops: NotNegative | None = None
    vector_elements: NotNegative | None = None
    source: str = ""


class Accuracy:
    """Accuracy of a trained network."""

    topology: Label
    pruning_percent: Kept
    precision: Precision
    top1_percent: Percent | None
    top5_percent: Percent | None


class Repeat:
    """One measured configuration: performance only.

    Attributes
    ----------
    pruning_percent
        Share of channels that is left.
    batch
        Batch size, or threads where `batch_kind` says so.
    latency_compute_s
        Time of a whole batch, accelerator alone.
    latency_system_s
        The same with host and transfers.
    throughput_compute_per_s
        Inputs per second, accelerator alone.
    throughput_system_per_s
        The same with host and transfers.
    source_row
        Where the row is from; filled in where it is missing.
    """

    task: Label
    topology: Label
    platform: Label
    mode: Label = "default"
    precision: Precision
    pruning_percent: Kept = 100.0
    batch: Count
    batch_kind: Literal["batch", "threads"] = "batch"
    latency_compute_s: Positive | None = None
    latency_system_s: Positive | None = None
    throughput_compute_per_s: Positive | None = None
    throughput_system_per_s: Positive | None = None
    source_row: str = ""


class Measurement(Repeat):
    """One measured configuration: performance, accuracy and power.

    Attributes
    ----------
    power_base_w
        Mean power of the board, application not started.
    power_idle_w
        The same with the platform idle.
    power_full_w
        The same under load.
    initiation_interval_s
        Time between inputs of a dataflow design, from its compile report.
    """

    top1_percent: Percent | None = None
    top5_percent: Percent | None = None
    power_base_w: NotNegative | None = None
    power_idle_w: NotNegative | None = None
    power_full_w: NotNegative | None = None
    initiation_interval_s: Positive | None = None


class PowerSample:
    """One meter sample: volts and amperes, or watts."""

    platform: Label
    mode: Label
    topology: Label
    sample: Place
    voltage_v: float | None
    current_a: float | None
    power_w: float | None


class Alias:
    """Another spelling of a label."""

    column: Label
    alias: Label
    name: Label


class Correction:
    """A source value that is wrong or doubtful, what it should be, and why; never applied to the source column."""

    table: Label
    row: Label
    column: Label
    source_value: str
    corrected_value: str
    reason: Label
