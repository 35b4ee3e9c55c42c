"""Count what a decoder transformer needs from its Hugging Face style configuration: parameters, operations, cache.

A *token* passes each matrix once: 2 operations a weight. Attention adds 2 operations for each product of a query with a
key and of a weight with a value, over the positions that the token sees: itself and those before it, or the last
`sliding_window` of them. An input is one token in decode and one prompt of `context` tokens in prefill; every token
passes the head. `state` is the key-value cache of one sequence in elements, what decode reads for every token.

Latent attention (DeepSeek-AI 2024, arXiv 2405.04434, section 2.1) caches one latent vector and one rotary key a token;
in decode its up-projections are absorbed into queries and outputs, so that heads work on the latent vector itself. Of a
mixture of experts a token passes `active_params`; a batch reads the experts that any of its tokens chose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from roofcube.errors import InvalidDataError, check_choice, suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PHASES", "Transformer", "is_transformer", "transformer_of", "transformer_table"]

PHASES = ("prefill", "decode")


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
    """

    gated: bool = True
    tied: bool = False
    bias: tuple[str, ...] = ()
    norms: int = 2
    norm_size: int = 1
    head_norm: bool = False
    positions: int | None = None
    sliding: tuple[bool, ...] = (True,)


GPT = Family(gated=False, tied=True, bias=("qkv", "o", "mlp"), norm_size=2, positions=0)
LLAMA = Family()
FAMILIES = {
    "llama": LLAMA,
    "mistral": LLAMA,
    "mixtral": LLAMA,
    "phi3": LLAMA,
    "qwen2": Family(bias=("qkv",), sliding=(False,)),
    "qwen2_moe": Family(bias=("qkv",), sliding=(False,)),
    "qwen3": Family(head_norm=True, sliding=(False,)),
    "qwen3_moe": Family(head_norm=True, sliding=(False,)),
    "gemma": Family(tied=True),
    "gemma2": Family(tied=True, norms=4, sliding=(True, False)),
    "gemma3_text": Family(tied=True, norms=4, head_norm=True, sliding=(True,) * 5 + (False,)),
    "deepseek_v2": LLAMA,
    "deepseek_v3": LLAMA,
    "gpt_oss": Family(bias=("qkv", "o", "mlp"), sliding=(True, False)),
    "gpt2": GPT,
    "opt": Family(gated=False, tied=True, bias=("qkv", "o", "mlp"), norm_size=2, positions=2),
    "falcon": Family(gated=False, tied=True, norms=1, norm_size=2),
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


@dataclass(frozen=True, kw_only=True)
class Block:
    """Weights of one layer, and what its attention does with a position.

    Attributes
    ----------
    dense, expert
        Parameters that every token passes; parameters of one routed expert.
    vectors
        Parameters of biases and normalisations, which are among `dense` and no matrix.
    cached
        Elements of the cache a position.
    prefill_products, decode_products
        Multiplications a position that a token sees.
    moved
        Elements that the matrices read and write for a token.
    window
        Positions seen at most; 0 where all are.
    """

    dense: int
    expert: int
    vectors: int
    cached: int
    prefill_products: int
    decode_products: int
    moved: int
    window: int


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """A decoder transformer, counted.

    Attributes
    ----------
    blocks : tuple of Block
    embedding : int
        Parameters that are looked up only: input embeddings that are not the head, positions.
    head : int
        Parameters of the head.
    final : int
        Parameters of the last normalisation.
    experts, chosen : int
        Routed experts of a layer, and those that a token passes.
    longest : int or None
        Most positions, where they are learned.

    Examples
    --------
    >>> from roofcube.datasets.transformers import transformer_of
    >>> small = {"model_type": "llama", "vocab_size": 100, "hidden_size": 8, "num_hidden_layers": 1,
    ...          "num_attention_heads": 2, "intermediate_size": 16}
    >>> transformer_of(small).params, transformer_of(small).cache(10)
    (2264, 160)
    """

    blocks: tuple[Block, ...]
    embedding: int
    head: int
    final: int
    experts: int = 0
    chosen: int = 0
    longest: int | None = None
    largest: int = field(default=0)

    @property
    def params(self) -> int:
        """All parameters."""
        routed = self.experts * sum(block.expert for block in self.blocks)
        return self.embedding + self.head + self.final + sum(block.dense for block in self.blocks) + routed

    @property
    def active_params(self) -> int:
        """Parameters that one token passes or looks up."""
        return self.params - (self.experts - self.chosen) * sum(block.expert for block in self.blocks)

    @property
    def expert_share(self) -> float:
        """Share of the routed experts that one token passes."""
        return self.chosen / self.experts if self.experts else 1.0

    @property
    def matrix_params(self) -> int:
        """Weights of matrices that one token passes."""
        chosen = self.chosen * sum(block.expert for block in self.blocks)
        return self.head + sum(block.dense - block.vectors for block in self.blocks) + chosen

    def cache(self, context: int) -> int:
        """Elements of the cache of a sequence."""
        return sum(block.cached * _seen(context, block.window) for block in self.blocks)

    def ops(self, phase: str, context: int) -> int:
        """Operations of one input: a token in decode, a prompt of `context` tokens in prefill."""
        if phase == "decode":
            products = sum(block.decode_products * _seen(context, block.window) for block in self.blocks)
            return 2 * (self.matrix_params + products)
        products = sum(block.prefill_products * _seen_by_all(context, block.window) for block in self.blocks)
        return 2 * (self.matrix_params * context + products)

    def activations(self, tokens: int) -> int:
        """Elements that the matrices read and write."""
        return tokens * sum(block.moved for block in self.blocks)


def _seen(context: int, window: int) -> int:
    return min(context, window) if window else context


def _seen_by_all(context: int, window: int) -> int:
    """Positions that the tokens of a prompt see together: 1 + 2 + …, at most the window each."""
    full = _seen(context, window)
    return full * (full + 1) // 2 + (context - full) * full


# configurations -------------------------------------------------------------------------------------------------------


def is_transformer(source: Any) -> bool:
    """Check whether a mapping is a configuration of a model, not columns of a table."""
    return hasattr(source, "keys") and "model_type" in source


def transformer_of(config: Mapping[str, Any], *, source: str = "`source`") -> Transformer:
    """Count a transformer from its configuration.

    Raises
    ------
    InvalidDataError
        Naming the key: a `model_type` that is not known, a count that is missing or none.
    """
    if "text_config" in config:
        msg = (
            f"{source}, key 'text_config': the model reads more than text, whose part would not be counted; give the "
            "mapping under 'text_config' alone"
        )
        raise InvalidDataError(msg)
    kind = config.get("model_type")
    if kind not in FAMILIES:
        near = suggestion(str(kind), FAMILIES)
        msg = (
            f"{source}, key 'model_type': {kind!r} is not known{near}; expected one of {', '.join(FAMILIES)}: give the "
            "network as ONNX, or as a table of totals"
        )
        raise InvalidDataError(msg)
    family, read = FAMILIES[str(kind)], _Keys(config, source)
    width, vocabulary = read.count("hidden_size"), read.count("vocab_size")
    tied = bool(config.get("tie_word_embeddings", family.tied))
    longest = read.count("max_position_embeddings") if family.positions is not None else None
    positions = (longest + (family.positions or 0)) * width if longest is not None else 0
    experts = read.optional("experts", 0)
    blocks = tuple(_block(read, family, layer) for layer in range(read.count("num_hidden_layers")))
    return Transformer(
        blocks=blocks,
        embedding=positions + (0 if tied else vocabulary * width),
        head=vocabulary * width,
        final=family.norm_size * width,
        experts=experts,
        chosen=read.count("experts_per_token") if experts else 0,
        longest=longest,
        largest=width + vocabulary,
    )


class _Keys:
    """Reads counts of a configuration, by any of their names."""

    def __init__(self, config: Mapping[str, Any], source: str) -> None:
        self.config, self.source = config, source

    def __contains__(self, key: str) -> bool:
        return self.config.get(key) is not None

    def optional(self, key: str, default: int) -> int:
        name = next((one for one in (key, *ALSO.get(key, ())) if one in self), None)
        if name is None:
            return default
        value = self.config[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            msg = f"{self.source}, key {name!r}: expected a whole number, got {value!r}; correct the configuration"
            raise InvalidDataError(msg)
        return value

    def count(self, key: str) -> int:
        value = self.optional(key, 0)
        if not value:
            names = " or ".join(map(repr, (key, *ALSO.get(key, ()))))
            msg = f"{self.source}: expected the key {names} with a count, got none; correct the configuration"
            raise InvalidDataError(msg)
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.config.get(key)
        return default if value is None else bool(value)


def _block(read: _Keys, family: Family, layer: int) -> Block:
    width = read.count("hidden_size")
    matrices, vectors, cached, prefill, decode, moved = (
        _latent_attention(read) if "kv_lora_rank" in read else _attention(read, family)
    )
    mlp, expert, mlp_vectors, mlp_moved = _feed_forward(read, family, layer)
    vectors += mlp_vectors + _norms(read, family) * family.norm_size * width
    return Block(
        dense=matrices + mlp + vectors,
        expert=expert,
        vectors=vectors,
        cached=cached,
        prefill_products=prefill,
        decode_products=decode,
        moved=moved + mlp_moved,
        window=_window(read, family, layer),
    )


def _norms(read: _Keys, family: Family) -> int:
    # Falcon's newer architecture normalises attention and MLP apart
    return 2 if read.flag("new_decoder_architecture", default=False) else family.norms


def _attention(read: _Keys, family: Family) -> tuple[int, int, int, int, int, int]:
    """Count attention of heads: matrices, vectors, cache, products a position in prefill and decode, elements moved."""
    width, heads = read.count("hidden_size"), read.count("num_attention_heads")
    size = read.optional("head_dim", width // heads)
    multi_query = read.flag("multi_query", default=False) and not read.flag("new_decoder_architecture", default=False)
    pairs = 1 if multi_query else read.optional("num_key_value_heads", heads)
    if not pairs or heads % pairs:
        msg = f"{read.source}, key 'num_key_value_heads': got {pairs}; it must divide the {heads} heads"
        raise InvalidDataError(msg)
    query, key_value, out = width * heads * size, 2 * width * pairs * size, heads * size * width
    biased = read.flag("attention_bias", default=False)
    vectors = (heads + 2 * pairs) * size if biased or "qkv" in family.bias else 0
    vectors += width if biased or "o" in family.bias else 0
    vectors += 2 * size if family.head_norm else 0
    vectors += heads if read.config.get("model_type") == "gpt_oss" else 0  # a sink for each head
    moved = width + (heads + 2 * pairs) * size + heads * size + width
    return query + key_value + out, vectors, 2 * pairs * size, 2 * heads * size, 2 * heads * size, moved


def _latent_attention(read: _Keys) -> tuple[int, int, int, int, int, int]:
    width, heads = read.count("hidden_size"), read.count("num_attention_heads")
    latent, rotary = read.count("kv_lora_rank"), read.count("qk_rope_head_dim")
    plain, value = read.count("qk_nope_head_dim"), read.count("v_head_dim")
    rank = read.optional("q_lora_rank", 0)
    queries = heads * (plain + rotary)
    query = width * rank + rank * queries if rank else width * queries
    down, up, out = width * (latent + rotary), latent * heads * (plain + value), heads * value * width
    moved = width + rank + queries + latent + rotary + heads * (plain + 2 * value) + width
    prefill = heads * (plain + rotary + value)
    return query + down + up + out, rank + latent, latent + rotary, prefill, heads * (2 * latent + rotary), moved


def _feed_forward(read: _Keys, family: Family, layer: int) -> tuple[int, int, int, int]:
    """Count an MLP or a mixture of experts: matrices, those of an expert, vectors, elements moved."""
    width, experts = read.count("hidden_size"), read.optional("experts", 0)
    matrices = 3 if family.gated else 2
    if not experts or not _is_mixture(read, layer):
        inner = read.optional("intermediate_size", 4 * width)
        biased = "mlp" in family.bias or read.flag("mlp_bias", default=False)
        vectors = (matrices - 1) * inner + width if biased else 0
        return matrices * width * inner, 0, vectors, matrices * (width + inner)
    inner = read.optional("moe_intermediate_size", 0) or read.count("intermediate_size")
    shared = read.optional("n_shared_experts", 0) * inner or read.optional("shared_expert_intermediate_size", 0)
    gate = width if "shared_expert_intermediate_size" in read else 0
    chosen = read.count("experts_per_token")
    # a bias of every expert is read with it, and is no matrix
    bias = (matrices - 1) * inner + width if "mlp" in family.bias else 0
    router_bias = experts if "mlp" in family.bias or read.config.get("topk_method") == "noaux_tc" else 0
    dense = width * experts + matrices * width * shared + gate
    moved = width + experts + matrices * (width + inner) * chosen + matrices * (width + shared) * bool(shared)
    return dense, matrices * width * inner + bias, router_bias, moved


def _is_mixture(read: _Keys, layer: int) -> bool:
    if layer < read.optional("first_k_dense_replace", 0) or layer in (read.config.get("mlp_only_layers") or ()):
        return False
    step = read.optional("decoder_sparse_step", 1) or 1
    return (layer + 1) % step == 0 and layer % (read.optional("moe_layer_freq", 1) or 1) == 0


def _window(read: _Keys, family: Family, layer: int) -> int:
    window = read.optional("sliding_window", 0)
    if not window or not read.flag("use_sliding_window", default=True):
        return 0
    kinds = read.config.get("layer_types")
    if kinds:
        return window if kinds[layer] == "sliding_attention" else 0
    if read.flag("use_sliding_window", default=False):
        return window if layer >= read.optional("max_window_layers", 0) else 0
    every = read.optional("sliding_window_pattern", 0)
    slides = (layer + 1) % every != 0 if every else family.sliding[layer % len(family.sliding)]
    return window if slides else 0


# tables ---------------------------------------------------------------------------------------------------------------


def transformer_table(
    config: Mapping[str, Any],
    *,
    phase: str | Sequence[str] | None,
    context: int | Sequence[int] | None,
    name: str,
    source: str,
) -> pl.DataFrame:
    """Return a row for each phase and context of a transformer.

    Raises
    ------
    InvalidDataError
        As `transformer_of`; if a context is missing, not positive, or longer than learned positions.
    """
    network = transformer_of(config, source=source)
    phases = PHASES if phase is None else (phase,) if isinstance(phase, str) else tuple(phase)
    for one in phases:
        check_choice("phase", one, PHASES)
    contexts = [] if context is None else [context] if isinstance(context, int) else list(context)
    if not contexts or any(isinstance(one, bool) or int(one) != one or one < 1 for one in contexts):
        msg = f"`context`: expected tokens in context, 1 or more, got {context!r}; give a whole number, or several"
        raise InvalidDataError(msg)
    if network.longest is not None and max(contexts) > network.longest:
        msg = f"`context`: got {max(contexts)}; {source} has {network.longest} learned positions; give fewer tokens"
        raise InvalidDataError(msg)
    return pl.DataFrame([_row(network, one, int(tokens), name) for one in phases for tokens in contexts])


def _row(network: Transformer, phase: str, context: int, name: str) -> dict[str, Any]:
    tokens = context if phase == "prefill" else 1
    return {
        "topology": name,
        "task": "generate",
        "pruning_percent": 100.0,
        "phase": phase,
        "context": context,
        "tokens": float(tokens),
        "ops": float(network.ops(phase, context)),
        "params": float(network.params),
        "active_params": float(network.active_params),
        "expert_share": network.expert_share,
        "activations": float(network.activations(tokens)),
        "activation_memory": float(network.largest * tokens),
        "state": float(network.cache(context)),
    }
