"""Transformers from their configurations: parameters and cache as published, operations as closed formulas."""

from __future__ import annotations

import numpy as np
import pytest

from roofcube.datasets.transformers import transformer_of, transformer_table
from roofcube.errors import InvalidDataError

LLAMA = {"model_type": "llama", "tie_word_embeddings": False}


def llama(width, layers, heads, pairs, inner, vocabulary=128256, **more):
    return LLAMA | {
        "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": pairs,
        "intermediate_size": inner, "vocab_size": vocabulary, **more,
    }  # fmt: skip


DEEPSEEK_V3 = {
    "model_type": "deepseek_v3", "hidden_size": 7168, "num_hidden_layers": 61, "num_attention_heads": 128,
    "num_key_value_heads": 128, "intermediate_size": 18432, "moe_intermediate_size": 2048, "n_routed_experts": 256,
    "n_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 3, "moe_layer_freq": 1,
    "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "vocab_size": 129280, "topk_method": "noaux_tc", "tie_word_embeddings": False,
}  # fmt: skip
DEEPSEEK_V2_LITE = {
    "model_type": "deepseek_v2", "hidden_size": 2048, "num_hidden_layers": 27, "num_attention_heads": 16,
    "intermediate_size": 10944, "moe_intermediate_size": 1408, "n_routed_experts": 64, "n_shared_experts": 2,
    "num_experts_per_tok": 6, "first_k_dense_replace": 1, "moe_layer_freq": 1, "q_lora_rank": None,
    "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "vocab_size": 102400,
    "tie_word_embeddings": False,
}  # fmt: skip
MIXTRAL = llama(4096, 32, 32, 8, 14336, 32000) | {
    "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2, "sliding_window": None,
}  # fmt: skip
MISTRAL = llama(4096, 32, 32, 8, 14336, 32000) | {"model_type": "mistral", "sliding_window": 4096}
QWEN_MOE = {
    "model_type": "qwen3_moe", "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32,
    "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 6144, "moe_intermediate_size": 768,
    "num_experts": 128, "num_experts_per_tok": 8, "decoder_sparse_step": 1, "mlp_only_layers": [],
    "vocab_size": 151936, "tie_word_embeddings": False, "use_sliding_window": False, "sliding_window": None,
}  # fmt: skip
GPT_OSS = {
    "model_type": "gpt_oss", "hidden_size": 2880, "num_hidden_layers": 24, "num_attention_heads": 64,
    "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 2880, "num_local_experts": 32,
    "num_experts_per_tok": 4, "vocab_size": 201088, "sliding_window": 128, "attention_bias": True,
    "tie_word_embeddings": False, "layer_types": ["sliding_attention", "full_attention"] * 12,
}  # fmt: skip
GEMMA_2 = {
    "model_type": "gemma2", "hidden_size": 3584, "num_hidden_layers": 42, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 256, "intermediate_size": 14336, "vocab_size": 256000,
    "sliding_window": 4096,
}  # fmt: skip
GEMMA_3 = {
    "model_type": "gemma3_text", "hidden_size": 1152, "num_hidden_layers": 26, "num_attention_heads": 4,
    "num_key_value_heads": 1, "head_dim": 256, "intermediate_size": 6912, "vocab_size": 262144,
    "sliding_window": 512, "sliding_window_pattern": 6,
}  # fmt: skip
QWEN_2 = llama(3584, 28, 28, 4, 18944, 152064) | {
    "model_type": "qwen2", "use_sliding_window": False, "sliding_window": 131072,
}  # fmt: skip
GPT_2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
OPT = {
    "model_type": "opt", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "ffn_dim": 16384,
    "max_position_embeddings": 2048, "vocab_size": 50272,
}  # fmt: skip
FALCON = {
    "model_type": "falcon", "hidden_size": 4544, "num_hidden_layers": 32, "num_attention_heads": 71,
    "multi_query": True, "new_decoder_architecture": False, "parallel_attn": True, "bias": False,
    "vocab_size": 65024,
}  # fmt: skip
PHI_3 = llama(3072, 32, 32, 32, 8192, 32064) | {"model_type": "phi3", "sliding_window": 2047}

# parameters as the stored weights of each model hold them, as its card or its paper says
PUBLISHED = {
    "Llama 3.1 8B": (llama(4096, 32, 32, 8, 14336), 8_030_261_248, None),
    "Llama 3.1 70B": (llama(8192, 80, 64, 8, 28672), 70_553_706_496, None),
    "Llama 3.1 405B": (llama(16384, 126, 128, 8, 53248), 405_853_388_800, None),
    "Mistral 7B v0.1": (MISTRAL, 7_241_732_096, None),
    "Mixtral 8x7B": (MIXTRAL, 46_702_792_704, 12.9e9),
    "Qwen2.5 7B": (QWEN_2, 7_615_616_512, None),
    "Qwen3 30B A3B": (QWEN_MOE, 30_532_122_624, 3.35e9),
    "Gemma 2 9B": (GEMMA_2, 9_241_705_984, None),
    "Gemma 3 1B": (GEMMA_3, 999_885_952, None),
    "DeepSeek V2 Lite": (DEEPSEEK_V2_LITE, 15_706_484_224, None),
    "DeepSeek V3": (DEEPSEEK_V3, 671_026_419_200, 37.5e9),
    "gpt-oss 20b": (GPT_OSS, 20_914_757_184, 3.6e9),
    "GPT-2": (GPT_2, 124_439_808, None),
    "OPT 6.7B": (OPT, 6_658_473_984, None),
    "Falcon 7B": (FALCON, 6_921_720_704, None),
    "Phi 3 mini": (PHI_3, 3_821_079_552, None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_that_are_published(name):
    config, params, active = PUBLISHED[name]
    network = transformer_of(config)
    assert network.params == pytest.approx(params, rel=1e-4)
    if active is not None:
        # papers count a token's parameters with or without embeddings, and round
        assert network.active_params == pytest.approx(active, rel=0.03) or (
            network.active_params - network.embedding == pytest.approx(active, rel=0.03)
        )
        assert network.active_params < network.params


# bytes a token in 16 bits; DeepSeek-AI 2025 (arXiv 2505.09343), table 1, for the first three
CACHES = {
    "DeepSeek V3": (DEEPSEEK_V3, 70_272),
    "Qwen2.5 72B": (llama(8192, 80, 64, 8, 29568, 152064) | {"model_type": "qwen2"}, 327_680),
    "Llama 3.1 405B": (PUBLISHED["Llama 3.1 405B"][0], 516_096),
    "Llama 3.1 8B": (PUBLISHED["Llama 3.1 8B"][0], 131_072),
    "Mixtral 8x7B": (MIXTRAL, 131_072),
    "Qwen2.5 7B": (QWEN_2, 57_344),
    "Gemma 2 9B": (GEMMA_2, 344_064),
    "DeepSeek V2 Lite": (DEEPSEEK_V2_LITE, 31_104),
    "GPT-2": (GPT_2, 36_864),
    "Falcon 7B": (FALCON, 8_192),
}


@pytest.mark.parametrize("name", CACHES)
def test_the_cache_is_the_one_that_is_published(name):
    config, a_token = CACHES[name]
    assert 2 * transformer_of(config).cache(100) == 100 * a_token


def test_sliding_windows_bound_the_cache():
    half = transformer_of(GPT_OSS)
    assert half.cache(4096) == 2 * 8 * 64 * (12 * 128 + 12 * 4096)
    assert transformer_of(MISTRAL).cache(10_000) == 32 * 2 * 8 * 128 * 4096
    assert transformer_of(GEMMA_3).cache(2000) == 2 * 256 * (22 * 512 + 4 * 2000)
    assert transformer_of(QWEN_2).cache(200_000) == 28 * 2 * 4 * 128 * 200_000


@pytest.mark.parametrize("context", [1, 100, 8192])
def test_operations_of_grouped_attention_are_the_closed_formulas(context):
    network, width, layers, heads, size = transformer_of(llama(4096, 32, 32, 8, 14336)), 4096, 32, 32, 128
    matrices = layers * (2 * width * heads * size + 2 * width * 8 * size + 3 * width * 14336) + width * 128256
    assert network.matrix_params == matrices
    assert network.ops("decode", context) == 2 * matrices + 4 * layers * heads * size * context
    prompt = 2 * matrices * context + 4 * layers * heads * size * context * (context + 1) // 2
    assert network.ops("prefill", context) == prompt
    # a prompt costs what decoding it token by token would
    assert prompt == sum(network.ops("decode", seen) for seen in range(1, context + 1))


def test_operations_of_latent_attention_are_those_of_the_absorbed_form():
    network = transformer_of(DEEPSEEK_V3)
    step = network.ops("decode", 2000) - network.ops("decode", 1000)
    assert step == 1000 * 2 * 61 * 128 * (2 * 512 + 64)
    prompt = network.ops("prefill", 3) - 3 * 2 * network.matrix_params
    assert prompt == (1 + 2 + 3) * 2 * 61 * 128 * (128 + 64 + 128)


def test_operations_of_windows_are_sums_over_what_each_token_sees():
    network = transformer_of(GPT_OSS)
    heads = 64 * 64
    seen = sum(min(i, 128) for i in range(1, 301)) * 12 + sum(range(1, 301)) * 12
    assert network.ops("prefill", 300) == 2 * (network.matrix_params * 300 + 2 * heads * seen)


def test_a_token_passes_the_experts_that_it_chose():
    network = transformer_of(MIXTRAL)
    expert = 32 * 3 * 4096 * 14336
    assert network.params - network.active_params == 6 * expert
    assert network.expert_share == 0.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "lama"}, r"key 'model_type': 'lama' is not known; did you mean 'llama'"),
        ({"hidden_size": None}, "expected the key 'hidden_size' or 'n_embd' or 'd_model' with a count, got none"),
        ({"vocab_size": "many"}, "key 'vocab_size': expected a whole number, got 'many'"),
        ({"num_key_value_heads": 3}, "key 'num_key_value_heads': got 3; it must divide the 32 heads"),
        ({"word_embed_proj_dim": 512}, "key 'word_embed_proj_dim': 512 is not the hidden size 4096"),
        ({"text_config": {}}, "key 'text_config': the model reads more than text"),
        ({"model_type": ["llama"]}, r"key 'model_type': \['llama'\] is not known"),
        ({"model_type": "mixtral"}, "expected the key 'num_local_experts' or 'num_experts' or .* a mixtral without it"),
        ({"model_type": "mistral"}, "expected the key 'sliding_window', got none; a mistral without it"),
        ({"model_type": "qwen3"}, "expected the key 'head_dim', got none"),
        ({"num_local_experts": 8}, "key 'num_local_experts': got 8, which no llama has"),
        ({"kv_lora_rank": 512}, "key 'kv_lora_rank': got 512, which no llama has"),
        ({"is_encoder_decoder": True}, "key 'is_encoder_decoder': got True, where an encoder would not be counted"),
        ({"tie_word_embeddings": "false"}, "key 'tie_word_embeddings': expected true or false, got 'false'"),
        ({"hidden_size": 4095}, "32 heads do not divide the hidden size 4095, and there is no 'head_dim'"),
        ({"num_hidden_layers": 10**9}, "key 'num_hidden_layers': expected a whole number, got .*at most 1,000 are"),
        ({"hidden_size": 10**300}, "key 'hidden_size': expected a whole number, got .*at most"),
        (
            {"sliding_window": 128, "layer_types": ["full_attention"]},
            "key 'layer_types': expected sliding_attention or",
        ),
        ({"layer_types": ["linear_attention"] * 32}, "key 'layer_types': expected sliding_attention or full_attention"),
    ],
)
def test_what_cannot_be_counted_is_refused(change, message):
    with pytest.raises(InvalidDataError, match=message):
        transformer_of(llama(4096, 32, 32, 8, 14336) | change)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (MIXTRAL | {"num_experts_per_tok": 9}, "key 'num_experts_per_tok': got 9 of 8 experts"),
        (QWEN_MOE | {"mlp_only_layers": "all"}, "key 'mlp_only_layers': expected a list of layers, got 'all'"),
        ({key: one for key, one in DEEPSEEK_V3.items() if key != "q_lora_rank"}, "expected the key 'q_lora_rank'"),
        ({key: one for key, one in QWEN_MOE.items() if key != "moe_intermediate_size"}, "'moe_intermediate_size', got"),
    ],
)
def test_mixtures_that_are_not_whole_are_refused(config, message):
    with pytest.raises(InvalidDataError, match=message):
        transformer_of(config)


def test_biases_and_second_norms_of_falcon_count():
    """Falcon RW 1B: biases everywhere, an MLP after the attention; parameters as stored."""
    sizes = {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 32, "vocab_size": 50304}
    flags = {"multi_query": False, "parallel_attn": False, "bias": True, "new_decoder_architecture": False}
    assert transformer_of({"model_type": "falcon"} | sizes | flags).params == 1_311_625_216
    newer = {"model_type": "falcon", "new_decoder_architecture": True, "num_kv_heads": 8} | sizes
    apart, together = transformer_of(newer), transformer_of(newer | {"num_ln_in_parallel_attn": 1})
    assert apart.params - together.params == 24 * 2 * 2048


def test_phases_and_contexts_are_asked_for():
    def table(**given):
        return transformer_table(GPT_2, **{"phase": None, "context": 128, "name": "n", "source": "s"} | given)

    assert table().select("phase", "context", "tokens").rows() == [("prefill", 128, 128.0), ("decode", 128, 1.0)]
    with pytest.raises(InvalidDataError, match="`context`: expected tokens in context, 1 or more, got None"):
        table(context=None)
    with pytest.raises(InvalidDataError, match="`context`: got 2048; s has 1024 learned positions"):
        table(context=[128, 2048])
    for phase in ("training", 5, [], ["decode", "decode"]):
        with pytest.raises(InvalidDataError, match="`phase`: expected one"):
            table(phase=phase)
    for context in (1.5, "128", [1, "x"], float("nan"), [8, 8], 10**30, True):
        with pytest.raises(InvalidDataError, match="`context`: expected tokens in context, 1 or more"):
            table(context=context)
    for context in (np.int64(8), np.array([8]), range(8, 9), (8,)):
        assert table(context=context)["context"].unique().to_list() == [8]
