"""Transformers from their configurations: parameters and cache as published, operations as closed formulas."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from roofcube.datasets.transformer_families import FAMILIES, OTHERS
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


def of(kind, *sizes, **more):
    return llama(*sizes, **more) | {"model_type": kind}


LLAMA_4 = of(
    "llama4_text", 5120, 48, 40, 8, 8192, 202048, intermediate_size_mlp=16384, head_dim=128, num_local_experts=16,
    num_experts_per_tok=1, interleave_moe_layer_step=1, attention_chunk_size=8192, no_rope_layers=[], use_qk_norm=True,
)  # fmt: skip
GLM_AIR = of(
    "glm4_moe", 4096, 46, 96, 8, 10944, 151552, head_dim=128, attention_bias=True, moe_intermediate_size=1408,
    n_routed_experts=128, n_shared_experts=1, num_experts_per_tok=8, first_k_dense_replace=1, use_qk_norm=False,
    num_nextn_predict_layers=1,
)  # fmt: skip
KIMI_K2 = DEEPSEEK_V3 | {
    "model_type": "kimi_k2", "vocab_size": 163840, "num_attention_heads": 64, "num_key_value_heads": 64,
    "n_routed_experts": 384, "first_k_dense_replace": 1,
}  # fmt: skip
DOTS = of(
    "dots1", 4096, 62, 32, 32, 10944, 152064, moe_intermediate_size=1408, n_routed_experts=128, n_shared_experts=2,
    num_experts_per_tok=6, first_k_dense_replace=1,
)  # fmt: skip
MINIMAX = of(
    "minimax_m2", 3072, 62, 48, 8, 1536, 200064, head_dim=128, num_local_experts=256, num_experts_per_tok=8,
    use_qk_norm=True, attn_type_list=[1] * 62,
)  # fmt: skip
PHI_MOE = of(
    "phimoe", 4096, 32, 32, 8, 6400, 32064, num_local_experts=16, num_experts_per_tok=2, sliding_window=131072,
    attention_bias=True, lm_head_bias=True,
)  # fmt: skip
MAVERICK = LLAMA_4 | {"num_local_experts": 128, "interleave_moe_layer_step": 2}
SMOLLM = of("smollm3", 2048, 36, 16, 4, 11008, tie_word_embeddings=True)
COMMAND_R_7B = of(
    "cohere2", 4096, 32, 32, 8, 14336, 256000, head_dim=128, sliding_window=4096, tie_word_embeddings=True
)
COMMAND_R_PLUS = of("cohere", 12288, 64, 96, 8, 33792, 256000, use_qk_norm=True, tie_word_embeddings=True)
STARCODER = of("starcoder2", 3072, 30, 24, 2, 12288, 49152, use_bias=True, tie_word_embeddings=True)

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
    "Llama 4 Scout, text": (LLAMA_4, 107_769_861_120, 17.17e9),
    "Llama 4 Maverick, text": (MAVERICK, 400_711_848_960, 17.17e9),
    "GLM 4.5 Air": (GLM_AIR, 106_852_251_264, None),
    "Kimi K2": (KIMI_K2, 1_026_408_232_448, 32.9e9),
    "dots.llm1": (DOTS, 142_774_381_696, 14e9),
    "MiniMax M2": (MINIMAX, 228_689_764_864, None),
    "OLMoE 1B 7B": (
        of("olmoe", 2048, 16, 16, 16, 1024, 50304, num_experts=64, num_experts_per_tok=8),
        6_919_161_856,
        1.3e9,
    ),
    "Phi 3.5 MoE": (PHI_MOE, 41_873_153_344, 6.6e9),
    "Granite 3.3 8B": (of("granite", 4096, 40, 32, 8, 12800, 49159, tie_word_embeddings=True), 8_170_864_640, None),
    "SmolLM3 3B": (SMOLLM, 3_075_098_624, None),
    "OLMo 7B": (of("olmo", 4096, 32, 32, 32, 11008, 50304), 6_888_095_744, None),
    "OLMo 2 7B": (of("olmo2", 4096, 32, 32, 32, 11008, 100352), 7_298_617_344, None),
    "Command R7B": (COMMAND_R_7B, 8_028_033_024, None),
    "Command R+": (COMMAND_R_PLUS, 103_810_674_688, None),
    "StarCoder2 3B": (STARCODER, 3_030_371_328, None),
    "Phi 2": (of("phi", 2560, 32, 32, 32, 10240, 51200, qk_layernorm=False), 2_779_683_840, None),
    "Pythia 6.9B": (of("gpt_neox", 4096, 32, 32, 32, 16384, 50432), 6_857_302_016, None),
    "Seed OSS 36B": (
        of("seed_oss", 5120, 64, 80, 8, 27648, 155136, head_dim=128, attention_bias=True),
        36_151_104_512,
        None,
    ),
    "GLM 4 9B": (of("glm4", 4096, 40, 32, 2, 13696, 151552, head_dim=128, attention_bias=True), 9_400_279_040, None),
    "Minitron 4B": (of("nemotron", 3072, 32, 24, 8, 9216, 256000, head_dim=128), 4_190_509_056, None),
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


def test_tokens_in_chunks_see_their_own_chunk():
    network = transformer_of(LLAMA_4 | {"attention_chunk_size": 100})
    assert network.cache(250) == 2 * 8 * 128 * (36 * 100 + 12 * 250)
    seen = 36 * (2 * sum(range(1, 101)) + sum(range(1, 51))) + 12 * sum(range(1, 251))
    assert network.ops("prefill", 250) == 2 * (network.matrix_params * 250 + 2 * 40 * 128 * seen)
    everywhere = transformer_of(LLAMA_4 | {"no_rope_layers": [0] * 48})
    assert everywhere.cache(10_000) == 48 * 2 * 8 * 128 * 10_000


def test_flags_of_biases_and_norms_are_followed():
    def vectors(config):
        return transformer_of(config).blocks[0].vectors

    qwen = of("qwen3", 64, 1, 4, 2, 128, 100, head_dim=16)
    assert vectors(qwen | {"attention_bias": True}) - vectors(qwen) == (4 + 2 * 2) * 16 + 64
    starcoder = of("starcoder2", 64, 1, 4, 2, 128, 100)
    assert vectors(starcoder) - vectors(starcoder | {"use_bias": False}) == (4 + 2 * 2) * 16 + 64 + 128 + 64
    glm = of("glm4", 64, 1, 4, 2, 128, 100, head_dim=16)
    assert vectors(glm | {"attention_bias": True}) - vectors(glm) == (4 + 2 * 2) * 16
    cohere = of("cohere", 64, 1, 4, 2, 128, 100)
    assert vectors(cohere | {"use_qk_norm": True}) - vectors(cohere) == (4 + 2) * 16
    latent = DEEPSEEK_V3 | {"attention_bias": True}
    assert vectors(latent) - vectors(DEEPSEEK_V3) == 1536 + 512 + 64 + 7168


@pytest.mark.parametrize("kind", ["llama", "olmo2", "granite", "gpt_neox", "gemma", "glm4"])
def test_a_window_of_a_model_that_has_none_is_refused(kind):
    plain = of(kind, 4096, 32, 32, 8, 14336, head_dim=128)
    with pytest.raises(InvalidDataError, match=f"key 'sliding_window': got 128, which no {kind} has; correct model_ty"):
        transformer_of(plain | {"sliding_window": 128})
    unused = plain | {"sliding_window": 128, "use_sliding_window": False}
    for config in (unused, plain | {"sliding_window": None}):
        assert transformer_of(config).cache(1000) == transformer_of(plain).cache(1000) == 32 * 2 * 8 * 128 * 1000


@pytest.mark.parametrize("kind", ["mistral", "phi3", "starcoder2", "ministral3"])
def test_a_window_of_a_model_that_has_one_bounds_its_cache(kind):
    config = of(kind, 4096, 32, 32, 8, 14336, head_dim=128, sliding_window=128)
    assert transformer_of(config).cache(1000) == 32 * 2 * 8 * 128 * 128


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
        ({"text_config": {}}, "key 'text_config': expected the configuration of the text decoder, got {}"),
        ({"text_config": "llama"}, "key 'text_config': expected the configuration of the text decoder, got 'llama'"),
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
            {"model_type": "mistral", "sliding_window": 128, "layer_types": ["full_attention"]},
            "key 'layer_types': expected sliding_attention or",
        ),
        (
            {"mamba_d_state": 16, "lora_rank": 8},
            r"the keys 'mamba_d_state' \(16\), 'lora_rank' \(8\) of a llama are not",
        ),
        ({5: 3, "notes": np.ones(2)}, r"the keys 5 \(3\), 'notes' \(array.* of a llama are not"),
        ({"use_qk_norm": True}, "the keys 'use_qk_norm' .* of a llama are not understood, and may change"),
        ({"vision_config": {"hidden_size": 8}}, "the keys 'vision_config' .* are not understood"),
        ({"head_dim": 0}, "key 'head_dim': expected 1 or more, got 0; correct it, or leave it out"),
        ({"intermediate_size": 0}, "key 'intermediate_size': expected 1 or more, got 0"),
        ({"n_embd": 2048}, "keys 'hidden_size' and 'n_embd': got 4096 and 2048 for one count; keep the right one"),
        ({"n_layer": 2}, "keys 'num_hidden_layers' and 'n_layer': got 32 and 2 for one count"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "key 'architectures': got 'LlamaForSequenceClassifica"),
        ({"architectures": ["MistralModel"]}, "'MistralModel', expected a model that ends in ForCausalLM or"),
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
        (MINIMAX | {"attn_type_list": [0, 1] * 31}, "key 'attn_type_list': got .* other kinds are not counted"),
        (LLAMA_4 | {"no_rope_layers": [1, 0]}, "key 'no_rope_layers': expected a flag for each layer, got"),
        (QWEN_MOE | {"mlp_only_layers": "all"}, "key 'mlp_only_layers': expected a list of layers, got 'all'"),
        (QWEN_MOE | {"mlp_only_layers": [99]}, "key 'mlp_only_layers': got the layer 99, expected 0 to 47 of 48"),
        (QWEN_MOE | {"moe_intermediate_size": 0}, "key 'moe_intermediate_size': expected 1 or more, got 0"),
        (MIXTRAL | {"num_experts": 64}, "keys 'num_local_experts' and 'num_experts': got 8 and 64 for one count"),
        ({key: one for key, one in DEEPSEEK_V3.items() if key != "q_lora_rank"}, "expected the key 'q_lora_rank'"),
        ({key: one for key, one in QWEN_MOE.items() if key != "moe_intermediate_size"}, "'moe_intermediate_size', got"),
    ],
)
def test_mixtures_that_are_not_whole_are_refused(config, message):
    with pytest.raises(InvalidDataError, match=message):
        transformer_of(config)


def test_keys_that_change_no_count_are_let_be():
    published = {
        "architectures": ["LlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": [2, 3], "hidden_act": "silu",
        "initializer_range": 0.02, "max_position_embeddings": 131072, "pretraining_tp": 1, "rms_norm_eps": 1e-5,
        "rope_scaling": {"factor": 8.0}, "rope_theta": 500000.0, "torch_dtype": "bfloat16", "use_cache": True,
        "transformers_version": "4.55.0", "attention_dropout": 0.0, "quantization_config": {"bits": 4},
    }  # fmt: skip
    plain = llama(4096, 32, 32, 8, 14336)
    assert transformer_of(plain | published) == transformer_of(plain)
    said_twice = {"n_embd": 4096, "n_inner": None, "head_dim": None, "num_experts": 0, "sliding_window": 0}
    assert transformer_of(plain | said_twice) == transformer_of(plain)


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


@pytest.mark.parametrize("kind", [np.array, pl.Series, set, frozenset, list])
def test_phases_and_contexts_come_in_any_collection(kind):
    table = transformer_table(
        GPT_2, phase=kind(["prefill", "decode"]), context=kind([8, 64, 512]), name="n", source="s"
    )
    assert table["phase"].unique(maintain_order=True).to_list() == ["prefill", "decode"]
    assert table["context"].unique(maintain_order=True).to_list() == [8, 64, 512]


# models for pictures or sound too --------------------------------------------------------------------------------------


def seeing(kind, text, **more):
    """Return the configuration of a model with a tower for pictures, in the nested form of transformers 4.50."""
    return {
        "architectures": [f"{kind}ForConditionalGeneration"], "model_type": kind, "image_token_index": 10,
        "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 1152}, "text_config": text, **more,
    }  # fmt: skip


# as saved by google/gemma-3-4b-it, -12b-it and -27b-it, which leave out what Gemma3TextConfig has as its default
GEMMAS_3 = {
    "4b": {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34},
    "12b": {
        "hidden_size": 3840, "intermediate_size": 15360, "num_hidden_layers": 48, "num_attention_heads": 16,
        "num_key_value_heads": 8,
    },
    "27b": {
        "hidden_size": 5376, "intermediate_size": 21504, "num_hidden_layers": 62, "num_attention_heads": 32,
        "num_key_value_heads": 16, "head_dim": 128, "query_pre_attn_scalar": 168,
    },
}  # fmt: skip
MISTRAL_SMALL = llama(5120, 40, 32, 8, 32768, 131072, head_dim=128, sliding_window=None) | {"model_type": "mistral"}
QWEN_2_5_3B = of("qwen2", 2048, 36, 16, 2, 11008, 151936, use_sliding_window=False) | {"tie_word_embeddings": True}
LLAMA_8B = llama(4096, 32, 32, 8, 14336)
QWEN_VL = {key: value for key, value in QWEN_2.items() if key != "model_type"}


@pytest.mark.parametrize(
    ("size", "millions"),
    # Gemma Team 2025 (arXiv 2503.19786), table 1: parameters that are no embeddings; its vision encoder has 417 more
    [("4b", 3_209), ("12b", 10_759), ("27b", 25_600)],
)
def test_the_text_of_gemma_3_is_the_one_that_is_published(size, millions):
    text = GEMMAS_3[size] | {"model_type": "gemma3_text", "rope_scaling": {"factor": 8.0}, "sliding_window": 1024}
    network = transformer_of(seeing("gemma3", text, boi_token_index=255999, mm_tokens_per_image=256))
    assert network.params - network.head == pytest.approx(millions * 1e6, rel=2e-4)
    assert network.head == 262_208 * text["hidden_size"]
    assert sum(block.window == 1024 for block in network.blocks) == text["num_hidden_layers"] * 5 // 6 + (size != "12b")


@pytest.mark.parametrize(
    ("config", "params"),
    [
        # stored weights of the text models that each was made from, as their cards say
        (seeing("mistral3", MISTRAL_SMALL, spatial_merge_size=2), 23_572_403_200),  # Mistral Small 24B Base 2501
        (seeing("qwen2_5_vl", QWEN_VL | {"model_type": "qwen2_5_vl_text"}), 7_615_616_512),  # Qwen2.5 7B
        (seeing("qwen2_5_vl", QWEN_2_5_3B | {"model_type": "qwen2_5_vl_text"}), 3_085_938_688),  # Qwen2.5 3B
        (seeing("llama4", LLAMA_4 | {"for_llm_compressor": False}), 107_769_861_120),  # Llama 4 Scout, text
        (seeing("aya_vision", COMMAND_R_7B), 8_028_033_024),  # Command R7B
        (seeing("qwen3_vl_moe", QWEN_MOE | {"model_type": "qwen3_vl_moe_text"}), 30_532_122_624),  # Qwen3 30B A3B
        (seeing("glm4v_moe", GLM_AIR | {"model_type": "glm4v_moe_text"}), 106_852_251_264),  # GLM 4.5 Air
    ],
)
def test_the_text_decoder_of_a_seeing_model_is_its_text_model(config, params):
    assert transformer_of(config).params == pytest.approx(params, rel=1e-6)


def test_text_that_stands_on_top_is_read_and_the_tower_left_out():
    # as Qwen/Qwen2.5-VL-7B-Instruct was first saved
    old = QWEN_VL | {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl", "image_token_id": 151655,
        "vision_start_token_id": 151652, "rope_scaling": {"type": "mrope"}, "max_window_layers": 28,
        "vision_config": {"depth": 32, "hidden_size": 1280},
    }  # fmt: skip
    assert transformer_of(old) == transformer_of(QWEN_2)
    table = transformer_table(old, phase="decode", context=128, name="VL", source="s")
    assert table["left_out"].to_list() == ["of VL the text decoder alone, without vision_config"]
    table = transformer_table(
        seeing("voxtral", LLAMA_8B, audio_config={"model_type": "voxtral_encoder"}, quantization_config={"bits": 4}),
        phase="decode", context=128, name="V", source="s",
    )  # fmt: skip
    left_out = (
        "of V the text decoder alone, without vision_config (siglip_vision_model), audio_config (voxtral_encoder)"
    )
    assert table["left_out"].to_list() == [left_out]
    assert "left_out" not in transformer_table(QWEN_2, phase="decode", context=128, name="T", source="s").columns


@pytest.mark.parametrize(
    ("config", "message"),
    [
        # the decoder of Llama 3.2 Vision has layers of cross attention
        (
            seeing("mllama", LLAMA_8B | {"model_type": "mllama_text_model"}),
            "key 'model_type': 'mllama_text_model' has layers of cross",
        ),
        (
            seeing("x", LLAMA_8B | {"model_type": "jamba"}),
            "s, key 'text_config', key 'model_type': 'jamba' has layers of a state-space model or of",
        ),
        (
            seeing("x", LLAMA_8B | {"mamba_d_state": 16}),
            r"s, key 'text_config': the keys 'mamba_d_state' \(16\) of a llama",
        ),
        (
            seeing("x", {"model_type": "llama", "vocab_size": 32064}),
            "key 'text_config': expected the key 'intermediate_size'",
        ),
        (seeing("x", LLAMA_8B, vocab_size=32000), "s, key 'vocab_size': got 32000, but 128256 in 'text_config'"),
        (
            seeing("x", LLAMA_8B, tie_word_embeddings=True),
            "key 'tie_word_embeddings': got True, but False in 'text_con",
        ),
        (seeing("x", LLAMA_8B, is_encoder_decoder=True), "key 'is_encoder_decoder': got True, where an encoder would"),
        (seeing("x", LLAMA_8B, cross_layer_interval=4), "key 'cross_layer_interval': got 4, cross attention"),
        (
            seeing("x", LLAMA_8B) | {"architectures": ["XForSequenceClassification"]},
            "key 'architectures': got 'XForSeq",
        ),
    ],
)
def test_what_joins_text_to_pictures_otherwise_is_refused(config, message):
    with pytest.raises(InvalidDataError, match=message):
        transformer_of(config, source="s")


@pytest.mark.parametrize(
    "kind",
    ["granitemoehybrid", "bamba", "zamba2", "nemotron_h", "falcon_h1", "falcon_mamba", "qwen3_next", "rwkv", "minimax"],
)
def test_hybrids_are_refused_by_name(kind):
    assert kind not in FAMILIES
    with pytest.raises(
        InvalidDataError, match=f"'{kind}' has layers of a state-space model or of linear attention, which"
    ):
        transformer_of(LLAMA_8B | {"model_type": kind})


def test_families_are_not_taken_for_hybrids():
    assert not [kind for kind in FAMILIES for names in OTHERS if names.fullmatch(kind)]


def test_the_text_of_smolvlm_500m_is_read():
    """As HuggingFaceTB/SmolVLM-500M-Instruct says it: SmolLM2 360M with a head of its own."""
    text = llama(960, 32, 15, 5, 2560, 49280, head_dim=64, is_llama_config=True, pixel_shuffle_factor=4)
    layer = 2 * 960 * 960 + 2 * 960 * 320 + 3 * 960 * 2560 + 2 * 960
    assert transformer_of(seeing("idefics3", text, scale_factor=4)).params == 32 * layer + 2 * 49280 * 960 + 960
