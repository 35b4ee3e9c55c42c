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

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from roofcube.datasets.text_decoders import text_decoder
from roofcube.datasets.transformer_families import FULL, INNER_DENSE, STEP, Family, Keys, family_of, with_defaults
from roofcube.errors import InvalidDataError, check_choice

__all__ = ["PHASES", "Transformer", "is_transformer", "transformer_of", "transformer_table"]

PHASES = ("prefill", "decode")
LONGEST = 2**40


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
    chunked
        They are those of the token's own chunk, which begins anew.
    """

    dense: int
    expert: int
    vectors: int
    cached: int
    prefill_products: int
    decode_products: int
    moved: int
    window: int
    chunked: bool = False


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

    @cached_property
    def params(self) -> int:
        """All parameters."""
        routed = self.experts * sum(block.expert for block in self.blocks)
        return self.embedding + self.head + self.final + sum(block.dense for block in self.blocks) + routed

    @cached_property
    def active_params(self) -> int:
        """Parameters that one token passes or looks up."""
        return self.params - (self.experts - self.chosen) * sum(block.expert for block in self.blocks)

    @property
    def expert_share(self) -> float:
        """Share of the routed experts that one token passes."""
        return self.chosen / self.experts if self.experts else 1.0

    @cached_property
    def matrix_params(self) -> int:
        """Weights of matrices that one token passes."""
        chosen = self.chosen * sum(block.expert for block in self.blocks)
        return self.head + sum(block.dense - block.vectors for block in self.blocks) + chosen

    @cached_property
    def kinds(self) -> tuple[tuple[Block, int], ...]:
        """The distinct layers, and how many there are of each."""
        return tuple(Counter(self.blocks).items())

    def cache(self, context: int) -> int:
        """Elements of the cache of a sequence."""
        return sum(times * block.cached * _seen(context, block.window) for block, times in self.kinds)

    def ops(self, phase: str, context: int) -> int:
        """Operations of one input: a token in decode, a prompt of `context` tokens in prefill."""
        if phase == "decode":
            products = sum(n * block.decode_products * _seen(context, block.window) for block, n in self.kinds)
            return 2 * (self.matrix_params + products)
        products = sum(n * block.prefill_products * _seen_by_all(context, block) for block, n in self.kinds)
        return 2 * (self.matrix_params * context + products)

    def activations(self, tokens: int) -> int:
        """Elements that the matrices read and write."""
        return tokens * sum(block.moved for block in self.blocks)


def _seen(context: int, window: int) -> int:
    return min(context, window) if window else context


def _seen_by_all(context: int, block: Block) -> int:
    """Positions that the tokens of a prompt see together: 1 + 2 + …, at most the window each, or anew in each chunk."""
    full = _seen(context, block.window)
    if block.chunked:
        chunks, rest = divmod(context, full)
        return (chunks * full * (full + 1) + rest * (rest + 1)) // 2
    return full * (full + 1) // 2 + (context - full) * full


# configurations -------------------------------------------------------------------------------------------------------


def is_transformer(source: Any) -> bool:
    """Check whether a mapping is a configuration of a model, not columns of a table."""
    return isinstance(source, Mapping) and isinstance(source.get("model_type", ()), str | None)


def transformer_of(config: Mapping[str, Any], *, source: str = "`source`") -> Transformer:
    """Count a transformer from its configuration.

    Raises
    ------
    InvalidDataError
        Naming the key: a `model_type` that is not known, a count that is missing or none. Of a model for pictures or
        sound the decoder of its text is counted, see `text_decoder`.
    """
    decoder = text_decoder(config, source)
    config, source = decoder.config, decoder.source
    family = family_of(config, source)
    read = Keys(with_defaults(config, family), source)
    width, vocabulary = read.count("hidden_size"), read.count("vocab_size")
    tied = read.flag("tie_word_embeddings", default=family.tied)
    embedded = read.optional("word_embed_proj_dim", width)
    if embedded != width:
        msg = (
            f"{source}, key 'word_embed_proj_dim': {embedded} is not the hidden size {width}, and the projection would "
            "not be counted; give the network as ONNX, or as a table of totals"
        )
        raise InvalidDataError(msg)
    longest = read.count("max_position_embeddings") if family.positions is not None else None
    positions = (longest + (family.positions or 0)) * width if longest is not None else 0
    experts = read.optional("experts", 0)
    chosen = read.count("experts_per_token") if experts else 0
    if chosen > experts:
        msg = f"{source}, key 'num_experts_per_tok': got {chosen} of {experts} experts; correct the configuration"
        raise InvalidDataError(msg)
    blocks = tuple(_block(read, family, layer) for layer in range(read.count("num_hidden_layers")))
    return Transformer(
        blocks=blocks,
        embedding=positions + (0 if tied else vocabulary * width),
        head=vocabulary * width,
        final=family.norm_size * width + (vocabulary if read.flag("lm_head_bias", default=family.head_bias) else 0),
        experts=experts,
        chosen=chosen,
        longest=longest,
        largest=width + vocabulary,
    )


def _block(read: Keys, family: Family, layer: int) -> Block:
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
        chunked=family.chunked,
    )


def _norms(read: Keys, family: Family) -> int:
    # Falcon's newer architecture normalises attention and MLP apart, and so do MLPs that follow the attention
    if read.config.get("model_type") == "falcon":
        if read.flag("new_decoder_architecture", default=False):
            return read.optional("num_ln_in_parallel_attn", 2)
        return 1 if read.flag("parallel_attn", default=True) else 2
    return family.norms


def _attention(read: Keys, family: Family) -> tuple[int, int, int, int, int, int]:
    """Count attention of heads: matrices, vectors, cache, products a position in prefill and decode, elements moved."""
    width, heads = read.count("hidden_size"), read.count("num_attention_heads")
    size = read.width_of_head(width, heads)
    falcon = read.config.get("model_type") == "falcon"
    multi_query = read.flag("multi_query", default=falcon) and not read.flag("new_decoder_architecture", default=False)
    pairs = 1 if multi_query else read.optional("num_key_value_heads", heads)
    if not pairs or heads % pairs:
        msg = f"{read.source}, key 'num_key_value_heads': got {pairs}; it must divide the {heads} heads"
        raise InvalidDataError(msg)
    query, key_value, out = width * heads * size, 2 * width * pairs * size, heads * size * width
    vectors = _attention_vectors(read, family, heads * size, pairs * size)
    moved = width + (heads + 2 * pairs) * size + heads * size + width
    return query + key_value + out, vectors, 2 * pairs * size, 2 * heads * size, 2 * heads * size, moved


def _attention_vectors(read: Keys, family: Family, queries: int, keys: int) -> int:
    """Count biases and normalisations of attention, given the widths of all queries and of all keys."""
    width, heads = read.count("hidden_size"), read.count("num_attention_heads")
    biased = read.flag("attention_bias", default=False) or read.flag("bias", default=False)
    biased = read.flag("use_bias", default=biased or "o" in family.bias)
    # where the family has both, the flag turns both off
    both = biased and read.flag("attention_bias", default=True)
    vectors = queries + 2 * keys if both or read.flag("qkv_bias", default=family.bias == ("qkv",)) else 0
    vectors += width if (both and family.out_bias) or read.flag("attention_out_bias", default=False) else 0
    vectors += heads if read.config.get("model_type") == "gpt_oss" else 0  # a sink for each head
    if not family.head_norm or (family.head_norm_flag and not read.flag(family.head_norm_flag, default=False)):
        return vectors
    return vectors + (queries + keys if family.head_norm == "width" else 2 * queries // heads)


def _latent_attention(read: Keys) -> tuple[int, int, int, int, int, int]:
    width, heads = read.count("hidden_size"), read.count("num_attention_heads")
    latent, rotary = read.count("kv_lora_rank"), read.count("qk_rope_head_dim")
    plain, value = read.count("qk_nope_head_dim"), read.count("v_head_dim")
    rank = read.optional("q_lora_rank", 0)
    queries = heads * (plain + rotary)
    query = width * rank + rank * queries if rank else width * queries
    down, up, out = width * (latent + rotary), latent * heads * (plain + value), heads * value * width
    moved = width + rank + queries + latent + rotary + heads * (plain + 2 * value) + width
    prefill = heads * (plain + rotary + value)
    vectors = rank + latent
    vectors += rank + latent + rotary + width if read.flag("attention_bias", default=False) else 0
    return query + down + up + out, vectors, latent + rotary, prefill, heads * (2 * latent + rotary), moved


def _feed_forward(read: Keys, family: Family, layer: int) -> tuple[int, int, int, int]:
    """Count an MLP or a mixture of experts: matrices, those of an expert, vectors, elements moved."""
    width, experts = read.count("hidden_size"), read.optional("experts", 0)
    matrices = 3 if family.gated else 2
    if not experts or not _is_mixture(read, layer):
        inner = read.optional(INNER_DENSE, 0) or read.optional("intermediate_size", 4 * width)
        biased = (
            read.flag("use_bias", default="mlp" in family.bias)
            or read.flag("mlp_bias", default=False)
            or read.flag("bias", default=False)
        )
        vectors = (matrices - 1) * inner + width if biased else 0
        return matrices * width * inner, 0, vectors, matrices * (width + inner)
    inner = read.optional("moe_intermediate_size", 0) or read.count("intermediate_size")
    # what is dense in some layers under a key of its own is an expert that all tokens pass in the others
    always = 1 if INNER_DENSE in read else read.optional("n_shared_experts", 0)
    shared = always * inner or read.optional("shared_expert_intermediate_size", 0)
    gate = width if "shared_expert_intermediate_size" in read else 0
    chosen = read.count("experts_per_token")
    # a bias of every expert is read with it, and is no matrix
    bias = (matrices - 1) * inner + width if "mlp" in family.bias else 0
    routed_by_bias = family.router_bias or "mlp" in family.bias or read.config.get("topk_method") == "noaux_tc"
    router_bias = experts if routed_by_bias else 0
    dense = width * experts + matrices * width * shared + gate
    moved = width + experts + matrices * (width + inner) * chosen + matrices * (width + shared) * bool(shared)
    return dense, matrices * width * inner + bias, router_bias, moved


def _is_mixture(read: Keys, layer: int) -> bool:
    if layer < read.optional("first_k_dense_replace", 0) or layer in read.layers_named("mlp_only_layers"):
        return False
    if "moe_layers" in read:
        return layer in read.layers_named("moe_layers")
    step = read.optional("decoder_sparse_step", 0) or read.optional(STEP, 1) or 1
    return (layer + 1) % step == 0 and layer % (read.optional("moe_layer_freq", 1) or 1) == 0


def _window(read: Keys, family: Family, layer: int) -> int:
    window = read.optional("attention_chunk_size" if family.chunked else "sliding_window", 0)
    kinds = read.kinds_of_layers(read.count("num_hidden_layers"))
    if not window or not read.flag("use_sliding_window", default=True):
        return 0
    if kinds is not None:
        return window if kinds[layer] != FULL else 0
    if family.chunked:
        return window if read.has_positions(layer) else 0
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
    network, left_out = transformer_of(config, source=source), text_decoder(config, source).left_out
    phases, contexts = _phases(phase), _contexts(context)
    if network.longest is not None and max(contexts) > network.longest:
        msg = f"`context`: got {max(contexts)}; {source} has {network.longest} learned positions; give fewer tokens"
        raise InvalidDataError(msg)
    table = pl.DataFrame([_row(network, one, int(tokens), name) for one in phases for tokens in contexts])
    if not left_out:
        return table
    return table.with_columns(left_out=pl.lit(f"of {name} the text decoder alone, without {', '.join(left_out)}"))


def _members(given: Any) -> list[Any]:
    """Return what was given once, or several times in a collection of any kind, as plain values."""
    values = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        return [values]
    return [one.item() if isinstance(one, np.generic) else one for one in values]


def _phases(phase: Any) -> list[str]:
    """Return phases in the order given, those of a set as they follow each other; both where none is asked for."""
    given = _members(PHASES if phase is None else phase)
    for one in given:
        check_choice("phase", one, PHASES)
    if not given or len(set(given)) < len(given):
        msg = f"`phase`: expected one or more of {', '.join(PHASES)}, each once, got {phase!r}; leave it out for both"
        raise InvalidDataError(msg)
    return sorted(given, key=PHASES.index) if isinstance(phase, Set) else given


def _contexts(context: Any) -> list[int]:
    """Return contexts as whole numbers, in the order given, those of a set from the shortest on."""
    given = _members(context)
    whole = all(isinstance(tokens, int) and not isinstance(tokens, bool) and 0 < tokens <= LONGEST for tokens in given)
    if not given or not whole or len(set(given)) < len(given):
        msg = (
            f"`context`: expected tokens in context, 1 or more, got {context!r:.80}; give a whole number, or several, "
            "each once"
        )
        raise InvalidDataError(msg)
    return sorted(given) if isinstance(context, Set) else given


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
