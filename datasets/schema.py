"""The schema of every table, one pydantic model each: columns with units, ranges and meaning; reads no files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

__all__ = [
    "Accuracy",
    "Alias",
    "Correction",
    "Layer",
    "Measurement",
    "Platform",
    "PlatformStructure",
    "PowerSample",
    "Repeat",
    "Row",
    "Topology",
]


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _without_percent_sign(value: object) -> object:
    return value[:-1].strip() if isinstance(value, str) and value.endswith("%") else value


Positive = Annotated[FiniteFloat, Field(gt=0)]
NotNegative = Annotated[FiniteFloat, Field(ge=0)]
Percent = Annotated[FiniteFloat, Field(ge=0, le=100), BeforeValidator(_without_percent_sign)]
Kept = Annotated[FiniteFloat, Field(gt=0, le=100), BeforeValidator(_without_percent_sign)]
Count = Annotated[int, Field(ge=1)]
Label = Annotated[str, Field(min_length=1)]
OptionalPositive = Annotated[Positive | None, BeforeValidator(_none_if_empty)]
OptionalNotNegative = Annotated[NotNegative | None, BeforeValidator(_none_if_empty)]
OptionalNumber = Annotated[FiniteFloat | None, BeforeValidator(_none_if_empty)]
OptionalPercent = Annotated[Percent | None, BeforeValidator(_none_if_empty)]
Precision = Annotated[str, Field(pattern=r"^(INT(1|2|4|8|16)|FP(8|16|32|64)|BF16)$")]
DeviceClass = Literal["FPGA", "GPU", "TPU", "VLIW", "CPU"]


class Row(BaseModel):
    """Base of all rows: unknown columns are errors, numbers come from text as CSV has it."""

    # built on first use: a cold process needs half of the models, and building one takes 8 ms
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Platform(Row):
    """What a platform offers in one mode at one precision."""

    platform: Label
    device_class: DeviceClass
    family: Label = Field(description="platforms of one design whose efficiencies may be pooled")
    mode: Label = "default"
    precision: Precision
    executed_precision: Precision = Field(description="precision that it really computes in")
    peak_compute_op_per_s: Positive
    memory_bandwidth_b_per_s: Positive
    memory_capacity_b: OptionalPositive = None
    listed_power_w: OptionalPositive = None


class PlatformStructure(Row):
    """What is known of a platform's inside; inferred figures say so in `basis`."""

    platform: Label
    board: str = Field("", description="printed circuit board; platforms on one board share its base power")
    cores: Count = Field(1, description="cores that each take one input at a time")
    weight_memory_b: NotNegative = Field(0.0, description="on-chip memory that keeps weights between batches")
    channel_tile: Count = Field(1, description="width of the output-channel tile of the compute array")
    weights_shared: bool = Field(True, description="the inputs in flight share one reading of the weights")
    dataflow: bool = Field(False, description="a compute unit per layer; throughput is set by folding")
    basis: str = ""


class Topology(Row):
    """The printed counts of a network at one share of channels kept."""

    topology: Label
    task: Label
    pruning_percent: Kept
    ops_source_exact: OptionalPositive = Field(description="op count that the source derived from layers")
    params_source_exact: OptionalPositive
    ops_source: OptionalPositive = Field(description="op count behind the source's predictions")
    ops_printed: OptionalPositive
    params_printed: OptionalPositive
    ops_per_byte_int8_printed: OptionalPositive
    shapes: Literal["published", "assumed"]


class Layer(Row):
    """One weight layer of a network."""

    topology: Label
    pruning_percent: Kept
    layer: Annotated[int, Field(ge=0)]
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


class Accuracy(Row):
    """Accuracy of a trained network."""

    topology: Label
    pruning_percent: Kept
    precision: Precision
    top1_percent: OptionalPercent
    top5_percent: OptionalPercent


class Repeat(Row):
    """One measured configuration: performance only."""

    task: Label
    topology: Label
    platform: Label
    mode: Label = "default"
    precision: Precision
    pruning_percent: Kept
    batch: Count = Field(description="batch size, or threads where `batch_kind` says so")
    batch_kind: Literal["batch", "threads"] = "batch"
    latency_compute_s: OptionalPositive = None
    latency_system_s: OptionalPositive = None
    throughput_compute_per_s: OptionalPositive = None
    throughput_system_per_s: OptionalPositive = None
    source_row: str = ""


class Measurement(Repeat):
    """One measured configuration: performance, accuracy and power."""

    top1_percent: OptionalPercent = None
    top5_percent: OptionalPercent = None
    power_base_w: OptionalNotNegative = None
    power_idle_w: OptionalNotNegative = None
    power_full_w: OptionalNotNegative = None
    initiation_interval_s: OptionalPositive = Field(
        None, description="time between inputs of a dataflow design, from its compile report"
    )


class PowerSample(Row):
    """One meter sample: volts and amperes, or watts."""

    platform: Label
    mode: Label
    topology: Label
    sample: Annotated[int, Field(ge=0)]
    voltage_v: OptionalNumber
    current_a: OptionalNumber
    power_w: OptionalNumber


class Alias(Row):
    """Another spelling of a label."""

    column: Label
    alias: Label
    name: Label


class Correction(Row):
    """A source value that is wrong or doubtful, what it should be, and why; never applied to the source column."""

    table: Label
    row: Label
    column: Label
    source_value: str
    corrected_value: str
    reason: Label
