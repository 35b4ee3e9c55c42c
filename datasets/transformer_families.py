"""What configurations of decoder transformers leave unsaid, by family, and how their keys are read; counts nothing.

Configurations are saved without what is the default of their class in Hugging Face's transformers, so that a key that
is missing has one value in one family and another in the next. What a family derives from other keys (as many heads of
keys as of queries, an MLP four times as wide) is derived here; what it has as a number is asked for by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from roofcube.errors import InvalidDataError, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAMILIES", "Family", "Keys", "family_of"]

# no model is near, and nothing beyond is counted exactly
LARGEST, MOST_LAYERS = 2**40, 1_000
SLIDING, FULL = "sliding_attention", "full_attention"


@dataclass(frozen=True)
class Family:
    """What configurations of one `model_type` leave unsaid.

    Attributes
    ----------
    gated
        The MLP has a gate beside its up-projection.
    tied
        Input and output embeddings are one where the configuration does not say.
    bias
        Which matrices have biases: ``"qkv"``, ``"o"``, ``"mlp"``.
    norms
        Normalisations of the width of the model in a layer, each of `norm_size` vectors.
    head_norm
        Queries and keys are normalised head by head.
    positions
        Rows of learned positions beyond the longest context; None for rotary ones.
    sliding
        Which layers slide where the configuration has a window and no list: a period of flags.
    needs
        Keys that must be there, if only as null, since the family has a number for them.
    mixture
        A mixture of experts.
    latent
        Latent attention.
    """

    gated: bool = True
    tied: bool = False
    bias: tuple[str, ...] = ()
    norms: int = 2
    norm_size: int = 1
    head_norm: bool = False
    positions: int | None = None
    sliding: tuple[bool, ...] = (True,)
    needs: tuple[str, ...] = ("intermediate_size",)
    mixture: bool = False
    latent: bool = False


INNER, PAIRS, HEAD, WINDOW = "intermediate_size", "num_key_value_heads", "head_dim", "sliding_window"
EXPERTS = ("experts", "experts_per_token")
ROUTED = (*EXPERTS, "moe_intermediate_size")
LATENT = (
    *ROUTED, INNER, "n_shared_experts", "first_k_dense_replace", "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim",
    "qk_nope_head_dim", "v_head_dim",
)  # fmt: skip
LLAMA = Family()
DEEPSEEK = Family(needs=LATENT, mixture=True, latent=True)
FAMILIES = {
    "llama": LLAMA,
    "mistral": Family(needs=(INNER, PAIRS, WINDOW)),
    "mixtral": Family(needs=(INNER, PAIRS, *EXPERTS), mixture=True),
    "phi3": LLAMA,
    "qwen2": Family(bias=("qkv",), sliding=(False,), needs=(INNER, PAIRS)),
    "qwen2_moe": Family(
        bias=("qkv",), sliding=(False,), needs=(INNER, PAIRS, *ROUTED, "shared_expert_intermediate_size"), mixture=True
    ),
    "qwen3": Family(head_norm=True, sliding=(False,), needs=(INNER, PAIRS, HEAD)),
    "qwen3_moe": Family(head_norm=True, sliding=(False,), needs=(INNER, PAIRS, HEAD, *ROUTED), mixture=True),
    "gemma": Family(tied=True, needs=(INNER, PAIRS, HEAD)),
    "gemma2": Family(tied=True, norms=4, sliding=(True, False), needs=(INNER, PAIRS, HEAD, WINDOW)),
    "gemma3_text": Family(
        tied=True, norms=4, head_norm=True, sliding=(True,) * 5 + (False,), needs=(INNER, PAIRS, HEAD, WINDOW)
    ),
    "deepseek_v2": DEEPSEEK,
    "deepseek_v3": DEEPSEEK,
    "gpt_oss": Family(
        bias=("qkv", "o", "mlp"), sliding=(True, False), needs=(INNER, PAIRS, HEAD, WINDOW, *EXPERTS), mixture=True
    ),
    "gpt2": Family(
        gated=False, tied=True, bias=("qkv", "o", "mlp"), norm_size=2, positions=0, needs=("max_position_embeddings",)
    ),
    "opt": Family(
        gated=False, tied=True, bias=("qkv", "o", "mlp"), norm_size=2, positions=2,
        needs=(INNER, "max_position_embeddings"),
    ),
    "falcon": Family(gated=False, tied=True, norms=1, norm_size=2, needs=()),
}  # fmt: skip
# other names of a key
ALSO = {
    "hidden_size": ("n_embd", "d_model"),
    "num_hidden_layers": ("n_layer",),
    "num_attention_heads": ("n_head",),
    "num_key_value_heads": ("num_kv_heads",),
    "intermediate_size": ("n_inner", "ffn_dim", "ffn_hidden_size"),
    "max_position_embeddings": ("n_positions",),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts"),
    "experts_per_token": ("num_experts_per_tok", "experts_per_token"),
}
# flags that change what is counted in a way that is not: the value at which they do not, and what they are
FIXED = {
    "is_encoder_decoder": (False, "an encoder would not be counted"),
    "add_cross_attention": (False, "cross attention would not be counted"),
    "layer_norm_elementwise_affine": (True, "its normalisations have no parameters"),
    "enable_bias": (True, "its matrices have no biases"),
    "do_layer_norm_before": (True, "it has no last normalisation"),
}


def family_of(config: Mapping[str, Any], source: str) -> Family:
    """Return the family of a configuration, which has all that it must have and nothing that the family has not.

    Raises
    ------
    InvalidDataError
        Naming the key.
    """
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        near = suggestion(str(kind), FAMILIES)
        msg = (
            f"{source}, key 'model_type': {kind!r} is not known{near}; expected one of {', '.join(FAMILIES)}: give the "
            "network as ONNX, or as a table of totals"
        )
        raise InvalidDataError(msg)
    family = FAMILIES[kind]
    foreign = [*(() if family.mixture else ALSO["experts"]), *(() if family.latent else ("kv_lora_rank",))]
    for key in foreign:
        if config.get(key):
            msg = (
                f"{source}, key {key!r}: got {config[key]!r}, which no {kind} has; correct model_type, or give the "
                "network as a table of totals"
            )
            raise InvalidDataError(msg)
    for key in family.needs:
        if not any(name in config for name in (key, *ALSO.get(key, ()))):
            msg = (
                f"{source}: expected the key {_spelled(key)}, got none; a {kind} without it has a number that the file "
                "does not say: write it in"
            )
            raise InvalidDataError(msg)
    read = Keys(config, source)
    for key, (value, what) in FIXED.items():
        if read.flag(key, default=value) is not value:
            msg = f"{source}, key {key!r}: got {config[key]!r}, where {what}; give the network as a table of totals"
            raise InvalidDataError(msg)
    return family


def _spelled(key: str) -> str:
    names = (key, *ALSO.get(key, ())) if key not in ("experts", "experts_per_token") else ALSO[key]
    return " or ".join(map(repr, dict.fromkeys(names)))


class Keys:
    """Reads counts, flags and lists of a configuration, by any of their names."""

    def __init__(self, config: Mapping[str, Any], source: str) -> None:
        self.config, self.source = config, source

    def __contains__(self, key: str) -> bool:
        return self.config.get(key) is not None

    def optional(self, key: str, default: int) -> int:
        """Return a count, or what stands for it where there is none."""
        name = next((one for one in (key, *ALSO.get(key, ())) if one in self), None)
        if name is None:
            return default
        value = self.config[name]
        most = MOST_LAYERS if key == "num_hidden_layers" else LARGEST
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            msg = (
                f"{self.source}, key {name!r}: expected a whole number, got {str(value)[:60]!r}"
                f"{f', at most {most:,} are counted' if isinstance(value, int) else ''}; correct the configuration"
            )
            raise InvalidDataError(msg)
        return value

    def count(self, key: str) -> int:
        """Return a count that must be there."""
        value = self.optional(key, 0)
        if not value:
            msg = f"{self.source}: expected the key {_spelled(key)} with a count, got none; correct the configuration"
            raise InvalidDataError(msg)
        return value

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self.config.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            msg = f"{self.source}, key {key!r}: expected true or false, got {value!r:.60}; correct the configuration"
            raise InvalidDataError(msg)
        return value

    def width_of_head(self, width: int, heads: int) -> int:
        """Return the width of a head, which is a part of the model's where nothing is said."""
        if "head_dim" not in self and width % heads:
            msg = (
                f"{self.source}, key 'num_attention_heads': {heads} heads do not divide the hidden size {width}, and "
                "there is no 'head_dim'; correct the configuration"
            )
            raise InvalidDataError(msg)
        return self.optional("head_dim", width // heads)

    def kinds_of_layers(self, layers: int) -> list[str] | None:
        """Return which layers slide, where the configuration lists them."""
        kinds = self.config.get("layer_types")
        if kinds is None:
            return None
        if not isinstance(kinds, list | tuple) or len(kinds) != layers or not set(map(str, kinds)) <= {SLIDING, FULL}:
            msg = (
                f"{self.source}, key 'layer_types': expected {SLIDING} or {FULL} for each of {layers} layers, got "
                f"{kinds!r:.120}; give the network as a table of totals"
            )
            raise InvalidDataError(msg)
        return [str(one) for one in kinds]

    def layers_named(self, key: str) -> frozenset[int]:
        """Return the layers that a key lists by number."""
        value = self.config.get(key)
        if value is None:
            return frozenset()
        if not isinstance(value, list | tuple) or not all(isinstance(one, int) for one in value):
            msg = f"{self.source}, key {key!r}: expected a list of layers, got {value!r:.60}; correct the configuration"
            raise InvalidDataError(msg)
        return frozenset(value)
