"""What a page says of a model in general: by the kind of its predictions, with no number in it."""

from __future__ import annotations

__all__ = ["ABOVE", "BEWARE", "DIMS", "FIXED", "GAP", "MODELS", "READING"]

# how the text calls dims; own dims are called as they are
DIMS = {"topology": "network", "pruning": "channels kept"}

# published: weights read per input; bound: what physics allows; calibrated: with intervals; own: anything else
MODELS = {
    "published": (
        "A roofline gives each platform two limits: its peak compute, and its memory bandwidth times the operations "
        "that a network does for each byte of weights."
    ),
    "bound": (
        "The bound is what physics allows: per layer, the compute at peak, or the traffic of weights, which a batch "
        "shares, and of activations at full bandwidth, whichever takes longer."
    ),
    "calibrated": (
        "A calibration predicts what a platform will really do, from what was measured on it, with an interval for "
        "each prediction."
    ),
    "own": "The predictions follow assumptions of the cube's own.",
    "none": "",
}
READING = {
    "published": " A network left of a ridge point starves for data, right of it for arithmetic.",
    "bound": " Nothing real can be faster; how much slower it is, the bound does not say.",
    "calibrated": " What binds is the largest part of the time.",
    "own": "",
    "none": "",
}
BEWARE = {
    "published": (
        "The published model reads every weight from memory for every input and counts nothing else, so batch size "
        "plays no part. It is too strict where weights are reused or stay on chip, "
        "and far too kind where overheads rule. It ranks better than it predicts."
    ),
    "bound": (
        "A bound is no prediction: overheads, schedules and software are left out, and small networks stay far below "
        "it. A platform with the higher bound need not be the faster one."
    ),
    "calibrated": (
        "A calibrated prediction is as good as the rows behind it: for networks and hardware unlike them it "
        "extrapolates, and its interval is what to trust, not its middle."
    ),
    "own": "What follows from the assumptions “{model}” holds where they do; nothing here was fitted to measurements.",
    "none": "",
}
GAP = {
    "published": (
        "A gap between the fronts is not waste alone: part of it is a model that knows no overhead. A cross right "
        "of its circle does not mean that a platform beats physics, but that an assumption of the model does not "
        "hold for it."
    ),
    "bound": (
        "A gap between the fronts is not waste alone: a bound knows no overhead. A cross right of its circle cannot "
        "be: either the measurement or a fact behind the bound is wrong."
    ),
    "calibrated": (
        "A calibration may have seen the rows that it is laid over, which flatters it. A cross off its circle shows "
        "where it did not learn what a configuration does."
    ),
    "own": "A gap between the fronts is a property of the assumptions as much as of the platforms.",
    "none": "",
}
ABOVE = {
    "published": (
        "there the model's assumption fails, because weights are reused over a batch or never leave the chip."
    ),
    "bound": "no platform can exceed the bound, so that there a measurement or a fact is wrong.",
    "calibrated": "there the calibration predicts less than was measured.",
    "own": "there the assumptions do not hold.",
    "none": "",
}
FIXED = {
    "published": "Small networks pay fixed costs that a roofline does not know. ",
    "bound": "Small networks pay fixed costs that a bound does not know. ",
    "calibrated": "",
    "own": "",
    "none": "",
}
