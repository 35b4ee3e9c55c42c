"""Which known name is meant by one that is not."""

import pytest

from roofcube.errors import suggestion
from roofcube.nearest import nearest

BOARDS = ["TX2", "NCS2", "NVIDIA A100 SXM 40GB", "NVIDIA A100 SXM 80GB", "NVIDIA A100 PCIe 80GB", "RTX4090"]


@pytest.mark.parametrize(
    ("value", "known", "meant"),
    [
        ("rtx-4090", [*BOARDS, "GeForce RTX 4090"], ["RTX4090", "GeForce RTX 4090"]),
        ("A100", BOARDS, BOARDS[2:5]),
        ("A100 80GB", BOARDS, BOARDS[3:5]),
        ("TX3", BOARDS, ["TX2"]),
        ("b0.ra_in1k", ["b7@600", "b0@224"], []),  # two letters tell nothing
        ("net_b0.ra_in1k", ["net_b7@600", "net_b0@224", "net_b0_gn@224", "net_b0@256"], ["net_b0@224", "net_b0@256"]),
        ("vgg16@225", ["vgg16@224", "vgg16_bn@224"], ["vgg16@224"]),
        ("latency", ["predicted_latency", "top1", "measured_latency"], ["predicted_latency", "measured_latency"]),
        ("Abacus", BOARDS, []),
        ("My GPU", ["Apple M4 GPU", *BOARDS], []),
        ("convolution", ["depthwise", "conv", "dense"], ["conv"]),
        ("", BOARDS, []),
        ("--", BOARDS, []),
        (7, ["x"], []),
        ("Größe", ["größe", "grosse"], ["größe"]),
    ],
)
def test_what_is_meant(value, known, meant):
    assert nearest(value, known) == meant


def test_what_is_meant_is_said_in_one_sentence():
    assert suggestion("A100", BOARDS) == (
        "; did you mean 'NVIDIA A100 SXM 40GB', 'NVIDIA A100 SXM 80GB' or 'NVIDIA A100 PCIe 80GB'?"
    )
    assert suggestion("rtx_4090", [*BOARDS, "GeForce RTX 4090"]) == "; did you mean 'RTX4090' or 'GeForce RTX 4090'?"
    assert suggestion("TX3", BOARDS) == "; did you mean 'TX2'?"
    assert suggestion("Abacus", BOARDS) == ""


@pytest.mark.parametrize("name", ["FP²", "FP1²", "FP" + "9" * 5000, "FP٣"])
def test_digits_of_any_writing_are_no_fault(name):
    assert nearest(name, ["FP4", "FP16", "FP64"]) in ([], ["FP16"], ["FP4"])
