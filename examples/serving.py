"""Which chips, how many, in which precision and batch, to serve a language model: fronts of tokens/s, latency, joules.

Run ``python examples/serving.py [config.json]``. Without a file the model is one of 70 billion parameters with grouped
attention. Weights and cache are split over `chips` in tensor-parallel ranks; two all-reduces a layer move the hidden
state over the links. Everything here is a prediction from data sheets: nothing was measured or calibrated.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import roofcube as rc

CONFIG = {
    "model_type": "llama", "hidden_size": 8192, "num_hidden_layers": 80, "num_attention_heads": 64,
    "num_key_value_heads": 8, "intermediate_size": 28672, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip
# bytes/s that one chip sends to the others, one direction; yours may differ, so they are named here
LINKS = {
    "NVIDIA A100 SXM 80GB": 300e9,
    "NVIDIA H100 SXM 80GB": 450e9,
    "NVIDIA H200 SXM 141GB": 450e9,
    "NVIDIA B200 SXM": 900e9,
}


def space(config: dict[str, Any] | Path, contexts: list[int], batches: list[int], chips: list[int]) -> xr.Dataset:
    """Return the inputs of the sweep: decode of one model over chips × precision × batch × context × ranks."""
    network = rc.read_network(config, name="model", phase="decode", context=contexts)
    inputs = rc.inputs(
        "generate",
        platforms=list(LINKS),
        topologies=network,
        precision=["FP16", "FP8", "W4A16"],
        batch=batches,
    )
    ranks = xr.DataArray(chips, dims="chips", coords={"chips": chips}, attrs={"long_name": "tensor-parallel ranks"})
    together = {
        name: (inputs[name] * ranks).assign_attrs(inputs[name].attrs)
        for name in ("peak_compute", "memory_bandwidth", "memory_capacity", "power")
    }
    links = xr.DataArray(list(LINKS.values()), dims="platform", coords={"platform": list(LINKS)})
    return inputs.assign(together | {"exchange": _exchange(config, ranks) / links})


def _exchange(config: dict[str, Any] | Path, ranks: xr.DataArray) -> xr.DataArray:
    """Bytes that a rank sends for one token: of two ring all-reduces a layer 2 (n − 1) / n of the state, in 16 bits."""
    import json

    model = json.loads(config.read_text(encoding="utf-8")) if isinstance(config, Path) else config
    state = 2 * model["hidden_size"] * model["num_hidden_layers"] * 2.0
    return state * 2 * (ranks - 1) / ranks


def with_links(assumptions: rc.Assumptions) -> rc.Assumptions:
    """Add the time on the links to that of the chips; throughput and energy move with it."""
    slower = assumptions.with_term(
        "token_latency",
        lambda model: model.predicted_latency + model.batch * model.exchange,
        units="s",
        long_name="time between two tokens of a sequence",
        sense="min",
    )
    faster = slower.with_term(
        "tokens_per_s",
        lambda model: model.batch / model.token_latency,
        units="1/s",
        long_name="tokens of all sequences a second",
        sense="max",
    )
    return faster.with_term(
        "joules_per_token",
        lambda model: model.power / model.tokens_per_s,
        units="J",
        long_name="energy of a token at the listed power",
        sense="min",
    )


def main(config: dict[str, Any] | Path = CONFIG, *, fine: bool = False) -> xr.Dataset:
    """Print the fronts; with `fine` over a hundred times as many batches and contexts."""
    batches = list(range(1, 1025)) if fine else [1, 2, 4, 8, 16, 32, 64, 128, 256]
    contexts = np.unique(np.geomspace(256, 131072, 200 if fine else 6).astype(int)).tolist()
    sweep = rc.Sweep(space(config, contexts, batches, [1, 2, 4, 8]), assumptions=with_links(rc.SERVING))
    print(f"{sweep.size:,} points of {dict(sweep.sizes)}")
    within = {"token_latency": (None, 0.05), "context": (4000, None)}
    best = sweep.best("tokens_per_s", per="platform", where=within)
    for name, one in best.groupby("platform"):
        print(name, one.precision.item(), int(one.chips.item()), "chips, batch", int(one.batch.item()))
    front = sweep.pareto({"tokens_per_s": "max", "token_latency": "min", "joules_per_token": "min"}, where=within)
    print(f"{front.sizes['point']} points on the front of tokens/s, latency and joules a token")
    return front


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--fine"]
    main(Path(words[0]) if words else CONFIG, fine="--fine" in sys.argv)
