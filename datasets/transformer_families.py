"""What configurations of decoder transformers leave unsaid, by family, and how their keys are read; counts nothing.

Configurations are saved without what is the default of their class in Hugging Face's transformers, so that a key that
is missing has one value in one family and another in the next. What a family derives from other keys (as many heads of
keys as of queries, an MLP four times as wide) is derived here; what it has as a number is asked for by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from roofcube.errors import InvalidDataError, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAMILIES", "FIXED", "READ", "Family", "Keys", "check_fixed", "family_of", "with_defaults"]

# no model is near, and nothing beyond is counted exactly
LARGEST, MOST_LAYERS = 2**40, 1_000
SLIDING, CHUNKED, FULL = "sliding_attention", "chunked_attention", "full_attention"


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
    out_bias
        An `attention_bias` is one of the output's matrix too.
    head_norm
        Queries and keys are normalised: ``"head"`` by vectors that heads share, ``"width"`` by those of all heads.
    head_norm_flag
        Key that says whether they are; empty where nothing does.
    head_bias
        The head has a bias.
    router_bias
        The router has a bias for each expert.
    positions
        Rows of learned positions beyond the longest context; None for rotary ones.
    sliding
        Which layers slide where the configuration has a window and no list: a period of flags; empty where the class
        reads no window.
    chunked
        Tokens see those of their own chunk in place of a window.
    needs
        Keys that must be there, if only as null, since the family has a number for them.
    mixture
        A mixture of experts.
    latent
        Latent attention.
    ignored
        Keys that change no count in this family.
    defaults
        Counts of the class in Hugging Face's transformers that published configurations leave unsaid.
    """

    gated: bool = True
    tied: bool = False
    bias: tuple[str, ...] = ()
    norms: int = 2
    norm_size: int = 1
    out_bias: bool = True
    head_norm: str = ""
    head_norm_flag: str = ""
    head_bias: bool = False
    router_bias: bool = False
    positions: int | None = None
    sliding: tuple[bool, ...] = ()
    chunked: bool = False
    needs: tuple[str, ...] = ("intermediate_size",)
    mixture: bool = False
    latent: bool = False
    ignored: tuple[str, ...] = ()
    defaults: Mapping[str, int] = field(default_factory=dict)


INNER, PAIRS, HEAD, WINDOW = "intermediate_size", "num_key_value_heads", "head_dim", "sliding_window"
INNER_DENSE, STEP = "intermediate_size_mlp", "interleave_moe_layer_step"
EXPERTS = ("experts", "experts_per_token")
ROUTED = (*EXPERTS, "moe_intermediate_size")
LATENT = (
    *ROUTED, INNER, "n_shared_experts", "first_k_dense_replace", "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim",
    "qk_nope_head_dim", "v_head_dim",
)  # fmt: skip
SHARED = ("n_shared_experts", "first_k_dense_replace")
ALL = ("qkv", "o", "mlp")
EVERY = (True,)
LLAMA = Family()
DEEPSEEK = Family(needs=LATENT, mixture=True, latent=True)
FAMILIES = {
    # of its connector to a tower for pictures (SmolVLM)
    "llama": Family(ignored=("is_llama_config", "pixel_shuffle_factor", "perceiver_config")),
    "granite": LLAMA,
    "arcee": Family(gated=False),
    "nemotron": Family(gated=False, norm_size=2),
    "seed_oss": Family(out_bias=False, needs=(INNER, PAIRS, HEAD, "attention_bias")),
    "ernie4_5": Family(tied=True, needs=(INNER, PAIRS)),
    "smollm3": Family(tied=True, sliding=(False,), needs=(INNER, PAIRS)),
    "olmo": Family(norms=0, norm_size=0),
    "olmo2": Family(head_norm="width"),
    "olmo3": Family(head_norm="width", sliding=(True, True, True, False), needs=(INNER, WINDOW)),
    "olmoe": Family(head_norm="width", needs=(INNER, *EXPERTS), mixture=True),
    "exaone4": Family(sliding=EVERY, head_norm="head", needs=(INNER, PAIRS, WINDOW)),
    "cohere": Family(tied=True, norms=1, head_norm="width", head_norm_flag="use_qk_norm"),
    "cohere2": Family(tied=True, norms=1, sliding=(True, True, True, False), needs=(INNER, PAIRS, WINDOW)),
    "glm": Family(out_bias=False, needs=(INNER, PAIRS, HEAD)),
    "glm4": Family(norms=4, out_bias=False, needs=(INNER, PAIRS, HEAD)),
    "glm4_moe": Family(
        out_bias=False, head_norm="head", head_norm_flag="use_qk_norm", router_bias=True, mixture=True,
        needs=(INNER, PAIRS, HEAD, *ROUTED, *SHARED),
    ),
    "dots1": Family(
        sliding=EVERY, head_norm="head", router_bias=True, mixture=True, needs=(INNER, PAIRS, *ROUTED, *SHARED)
    ),
    "granitemoe": Family(needs=(INNER, *EXPERTS), mixture=True),
    "phimoe": Family(sliding=EVERY, norm_size=2, needs=(INNER, PAIRS, WINDOW, *EXPERTS), mixture=True),
    "minimax_m2": Family(
        head_norm="width", head_norm_flag="use_qk_norm", router_bias=True, needs=(INNER, PAIRS, HEAD, *EXPERTS),
        mixture=True, ignored=("use_routing_bias",),
    ),
    "llama4_text": Family(
        chunked=True, mixture=True, ignored=("use_qk_norm",),
        needs=(INNER, INNER_DENSE, PAIRS, HEAD, STEP, "attention_chunk_size", *EXPERTS),
    ),
    "phi": Family(gated=False, bias=ALL, norms=1, norm_size=2, head_bias=True),
    "gpt_neox": Family(gated=False, bias=ALL, norm_size=2, ignored=("use_parallel_residual",)),
    "starcoder2": Family(sliding=EVERY, gated=False, tied=True, bias=ALL, norm_size=2, needs=(INNER, PAIRS)),
    "ministral3": Family(sliding=EVERY, needs=(INNER, PAIRS, HEAD)),
    "mistral": Family(sliding=EVERY, needs=(INNER, PAIRS, WINDOW)),
    "mixtral": Family(sliding=EVERY, needs=(INNER, PAIRS, *EXPERTS), mixture=True),
    "phi3": Family(sliding=EVERY),
    "qwen2": Family(bias=("qkv",), sliding=(False,), needs=(INNER, PAIRS)),
    "qwen2_moe": Family(
        bias=("qkv",), sliding=(False,), needs=(INNER, PAIRS, *ROUTED, "shared_expert_intermediate_size"), mixture=True
    ),
    "qwen3": Family(head_norm="head", sliding=(False,), needs=(INNER, PAIRS, HEAD)),
    "qwen3_moe": Family(head_norm="head", sliding=(False,), needs=(INNER, PAIRS, HEAD, *ROUTED), mixture=True),
    "gemma": Family(tied=True, needs=(INNER, PAIRS, HEAD)),
    "gemma2": Family(tied=True, norms=4, sliding=(True, False), needs=(INNER, PAIRS, HEAD, WINDOW)),
    "gemma3_text": Family(
        tied=True, norms=4, head_norm="head", sliding=(True,) * 5 + (False,), needs=(INNER, PAIRS, HEAD, WINDOW),
        # of Gemma3TextConfig, what the configurations of the 4, 12 and 27 B models leave out
        defaults={"num_attention_heads": 8, PAIRS: 4, HEAD: 256, "vocab_size": 262208},
    ),
    "deepseek_v2": DEEPSEEK,
    "deepseek_v3": DEEPSEEK,
    "kimi_k2": DEEPSEEK,
    "gpt_oss": Family(
        bias=ALL, sliding=(True, False), needs=(INNER, PAIRS, HEAD, WINDOW, *EXPERTS), mixture=True
    ),
    "gpt2": Family(
        gated=False, tied=True, bias=ALL, norm_size=2, positions=0, needs=("max_position_embeddings",)
    ),
    "opt": Family(
        gated=False, tied=True, bias=ALL, norm_size=2, positions=2,
        needs=(INNER, "max_position_embeddings"),
    ),
    "falcon": Family(gated=False, tied=True, norms=1, norm_size=2, needs=()),
}  # fmt: skip
# the part of a model for pictures and text that is the transformer has a name of its own
FAMILIES |= {
    "qwen2_vl_text": FAMILIES["qwen2"],
    "qwen2_5_vl_text": FAMILIES["qwen2"],
    "qwen3_vl_text": FAMILIES["qwen3"],
    "qwen3_vl_moe_text": FAMILIES["qwen3_moe"],
    "glm4v_text": FAMILIES["glm4"],
    "glm4v_moe_text": FAMILIES["glm4_moe"],
    # of these the text stands on top
    "qwen2_vl": FAMILIES["qwen2"],
    "qwen2_5_vl": FAMILIES["qwen2"],
}
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
# widths that no model is without; a zero elsewhere says that there is none
WIDTHS = (HEAD, INNER, INNER_DENSE, "moe_intermediate_size")
# flags that change what is counted in a way that is not: the value at which they do not, and what they are
FIXED = {
    "is_encoder_decoder": (False, "an encoder would not be counted"),
    "add_cross_attention": (False, "cross attention would not be counted"),
    "layer_norm_elementwise_affine": (True, "its normalisations have no parameters"),
    "enable_bias": (True, "its matrices have no biases"),
    "do_layer_norm_before": (True, "it has no last normalisation"),
}
# keys that are read here or in `transformers`
READ = {
    *ALSO, *(name for names in ALSO.values() for name in names), *FIXED, *LATENT, HEAD, WINDOW,
    "model_type", "architectures", "vocab_size", "tie_word_embeddings", "word_embed_proj_dim", "layer_types",
    "attention_bias", "attention_out_bias", "bias", "mlp_bias", "qkv_bias", "use_bias", "lm_head_bias",
    "shared_expert_intermediate_size", "decoder_sparse_step", "mlp_only_layers", "moe_layer_freq", "moe_layers",
    "use_sliding_window", "sliding_window_pattern", "max_window_layers", "no_rope_layers",
    "no_rope_layer_interval", "attn_type_list", "multi_query", "parallel_attn", "new_decoder_architecture",
    "num_ln_in_parallel_attn",
}  # fmt: skip
# Keys that change neither parameters nor cache nor products: of positions, training, sampling, scaling, routing among
# the same experts, storage; layers that predict further tokens are no part of published counts.
NEUTRAL = re.compile(
    r"_.*|.*token(_ids?|_index)?|.*rope.*|.*rotary.*|.*position.*|n_ctx|(model_)?max_(seq|length|batch).*|seq_length"
    r"|initial_context_length|alibi.*|.*drop.*|.*init.*|.*_std|.*eps(ilon)?|use_cache|.*_act|quantization.*|compress.*"
    r"|router_(aux|jitter|z).*|output_.*|.*aux.*|norm_topk_prob|n_group|topk_group|.*scal(e|ing|ar).*|.*multiplier"
    r"|.*softcap.*|.*jitter.*|attn_temperature_tuning|.*mtp.*|num_nextn_predict_layers|ep_size|pretraining_tp|.*_limit"
    r"|generation_.*|task_specific_params|(id2label|label2id)|summary_.*|auto_map|.*checkpoint.*|.*upcast.*|reorder_.*"
    r"|return_dict.*|is_decoder|torchscript|use_bfloat16|num_labels|chunk_size_feed_forward|pruned_heads|prefix|top_[kp]"
    r"|temperature|num_beam.*|min_length|.*_penalty|typical_p|num_return_sequences|.*no_repeat_ngram_size|do_sample"
    r"|early_stopping|.*suppress_tokens|bad_words_ids|use_(flash|dynamic|logn|memory_efficient).*|.*_version|.*dtype.*"
    r"|clip_qkv|interpolate.*|qk_head_dim|layerdrop|.*causal.*|use_return_dict|swiglu_.*|unsloth.*|tensor_parallel.*|.*logits.*"
)
# model types that are near a family by name and have layers of another kind
OTHERS = {
    re.compile(
        r".*(mamba|hybrid|[jbz]amba|rwkv|recurrent|retnet|griffin|hyena).*|nemotron_h|falcon_h1|lfm2.*|qwen3_(next|5).*"
        r"|minimax(_text.*)?|kimi_linear|plamo2"
    ): "layers of a state-space model or of linear attention",
    re.compile(r"mllama.*|idefics|flamingo.*"): "layers of cross attention",
}
HEADS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


def family_of(config: Mapping[str, Any], source: str) -> Family:
    """Return the family of a configuration, which has all that it must have and nothing that the family has not.

    Raises
    ------
    InvalidDataError
        Naming the key.
    """
    kind = config.get("model_type")
    if isinstance(kind, str) and (other := next((what for names, what in OTHERS.items() if names.fullmatch(kind)), "")):
        msg = (
            f"{source}, key 'model_type': {kind!r} has {other}, which are not counted; give the network as ONNX, or as "
            "a table of totals"
        )
        raise InvalidDataError(msg)
    if not isinstance(kind, str) or kind not in FAMILIES:
        near = suggestion(str(kind), FAMILIES)
        msg = (
            f"{source}, key 'model_type': {kind!r} is not known{near}; expected one of {', '.join(FAMILIES)}: give the "
            "network as ONNX, or as a table of totals"
        )
        raise InvalidDataError(msg)
    family = FAMILIES[kind]
    config = with_defaults(config, family)
    foreign = [*(() if family.mixture else ALSO["experts"]), *(() if family.latent else ("kv_lora_rank",))]
    foreign += () if family.sliding or config.get("use_sliding_window") is False else (WINDOW,)
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
    check_fixed(config, source)
    kinds = config.get("attn_type_list")
    if kinds is not None and (not isinstance(kinds, list | tuple) or any(one != 1 for one in kinds)):
        msg = (
            f"{source}, key 'attn_type_list': got {kinds!r:.60}, where 1 is attention over all; other kinds are not "
            "counted: give the network as a table of totals"
        )
        raise InvalidDataError(msg)
    _check_all_read(config, family, source)
    return family


def check_fixed(config: Mapping[str, Any], source: str) -> None:
    """Raise where a flag changes what is counted in a way that is not.

    Raises
    ------
    InvalidDataError
    """
    read = Keys(config, source)
    for key, (value, what) in FIXED.items():
        if read.flag(key, default=value) is not value:
            msg = f"{source}, key {key!r}: got {config[key]!r}, where {what}; give the network as a table of totals"
            raise InvalidDataError(msg)


def _check_all_read(config: Mapping[str, Any], family: Family, source: str) -> None:
    """Raise where the configuration has keys that may change counts and are not understood, or another head."""
    kind = config["model_type"]
    known = {*READ, *family.needs, *family.ignored, family.head_norm_flag}
    plain = (bool, int, float, list, tuple, dict, type(None))
    odd = [
        f"{key!r} ({value!r:.40})"
        for key, value in config.items()
        if not isinstance(value, str) and (value if isinstance(value, plain) else True)
        and key not in known and not NEUTRAL.fullmatch(str(key))
    ]  # fmt: skip
    if odd:
        msg = (
            f"{source}: the keys {', '.join(odd)} of a {kind} are not understood, and may change what is "
            "counted; leave them out where they do not, or give the network as ONNX, or as a table of totals"
        )
        raise InvalidDataError(msg)
    heads = config.get("architectures")
    if isinstance(heads, list | tuple) and not all(str(one).endswith(HEADS) for one in heads):
        msg = (
            f"{source}, key 'architectures': got {', '.join(map(str, heads))!r:.120}, expected a model that ends in "
            f"{' or '.join(HEADS)}: another head, or none, would not be counted; give the network as ONNX, or as a "
            "table of totals"
        )
        raise InvalidDataError(msg)


def _spelled(key: str) -> str:
    names = (key, *ALSO.get(key, ())) if key not in ("experts", "experts_per_token") else ALSO[key]
    return " or ".join(map(repr, dict.fromkeys(names)))


def with_defaults(config: Mapping[str, Any], family: Family) -> Mapping[str, Any]:
    """Add what published configurations of a family leave unsaid."""
    return {
        **family.defaults,
        **{key: value for key, value in config.items() if value is not None or key not in family.defaults},
    }


class Keys:
    """Reads counts, flags and lists of a configuration, by any of their names."""

    def __init__(self, config: Mapping[str, Any], source: str) -> None:
        self.config, self.source = config, source

    def __contains__(self, key: str) -> bool:
        return self.config.get(key) is not None

    def optional(self, key: str, default: int) -> int:
        """Return a count, or what stands for it where there is none."""
        names = [name for name in dict.fromkeys((key, *ALSO.get(key, ()))) if name in self]
        if not names:
            return default
        values = [self._whole(key, name) for name in names]
        for name, value in zip(names, values, strict=True):
            if value != values[0]:
                msg = (
                    f"{self.source}, keys {names[0]!r} and {name!r}: got {values[0]} and {value} for one count; keep "
                    "the right one"
                )
                raise InvalidDataError(msg)
        return values[0]

    def _whole(self, key: str, name: str) -> int:
        value = self.config[name]
        most = MOST_LAYERS if key == "num_hidden_layers" else LARGEST
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            msg = (
                f"{self.source}, key {name!r}: expected a whole number, got {str(value)[:60]!r}"
                f"{f', at most {most:,} are counted' if isinstance(value, int) else ''}; correct the configuration"
            )
            raise InvalidDataError(msg)
        if value == 0 and key in WIDTHS:
            msg = (
                f"{self.source}, key {name!r}: expected 1 or more, got 0; correct it, or leave it out where the class "
                "derives it"
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
        if (
            not isinstance(kinds, list | tuple)
            or len(kinds) != layers
            or not set(map(str, kinds)) <= {SLIDING, CHUNKED, FULL}
        ):
            msg = (
                f"{self.source}, key 'layer_types': expected {SLIDING} or {FULL} for each of {layers} layers, got "
                f"{kinds!r:.120}; give the network as a table of totals"
            )
            raise InvalidDataError(msg)
        return [str(one) for one in kinds]

    def has_positions(self, layer: int) -> bool:
        """Check whether a layer turns queries and keys by their positions, as most do where some see everything."""
        flags = self.config.get("no_rope_layers")
        if flags and (not isinstance(flags, list | tuple) or len(flags) != self.count("num_hidden_layers")):
            msg = f"{self.source}, key 'no_rope_layers': expected a flag for each layer, got {flags!r:.60}; correct it"
            raise InvalidDataError(msg)
        return bool(flags[layer]) if flags else (layer + 1) % (self.optional("no_rope_layer_interval", 4) or 4) != 0

    def layers_named(self, key: str) -> frozenset[int]:
        """Return the layers that a key lists by number."""
        value = self.config.get(key)
        if value is None:
            return frozenset()
        layers = self.count("num_hidden_layers")
        if not isinstance(value, list | tuple) or not all(isinstance(one, int) for one in value):
            msg = f"{self.source}, key {key!r}: expected a list of layers, got {value!r:.60}; correct the configuration"
            raise InvalidDataError(msg)
        beyond = next((layer for layer in value if not 0 <= layer < layers), None)
        if beyond is not None:
            msg = (
                f"{self.source}, key {key!r}: got the layer {beyond}, expected 0 to {layers - 1} of {layers} layers; "
                "correct the configuration"
            )
            raise InvalidDataError(msg)
        return frozenset(value)
