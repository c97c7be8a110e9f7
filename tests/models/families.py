"""Tiny configs of every family that a task needs, and the heads PyTorch and tfhf have for it.

Read by `benchmarks/record_names.py`, which records what PyTorch makes of them, and by the tests.
"""

ENCODER = {
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
    "num_labels": 3,
    "pad_token_id": 1,
}
DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 4,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
    "type_vocab_size": 0,
}
T5 = {
    "vocab_size": 32,
    "d_model": 16,
    "d_kv": 6,
    "d_ff": 24,
    "num_layers": 1,
    "num_heads": 2,
    "relative_attention_num_buckets": 8,
    "pad_token_id": 1,
    "decoder_start_token_id": 2,
}
DECODER = {
    "vocab_size": 32,
    "n_embd": 16,
    "n_layer": 1,
    "n_head": 2,
    "n_positions": 20,
    "num_labels": 3,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
BART = {
    "vocab_size": 32,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 20,
    "num_labels": 3,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "decoder_start_token_id": 2,
    "forced_eos_token_id": 3,
}
XGLM = {
    "vocab_size": 32,
    "d_model": 16,
    "ffn_dim": 24,
    "num_layers": 1,
    "attention_heads": 2,
    "max_position_embeddings": 20,
    "pad_token_id": 1,
    "bos_token_id": 2,
    "eos_token_id": 2,
}
IMAGES = {
    "image_size": 16,
    "patch_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_labels": 3,
}
STAGES = {"image_size": 32, "hidden_sizes": [8, 12, 12, 16], "depths": [1, 1, 1, 1]}
CONFIGS = {
    "bert": ("bert", ENCODER),
    "distilbert": (
        "distilbert",
        {
            "vocab_size": 32,
            "dim": 16,
            "n_layers": 1,
            "n_heads": 2,
            "hidden_dim": 24,
            "max_position_embeddings": 20,
            "num_labels": 3,
            "pad_token_id": 1,
        },
    ),
    "roberta": ("roberta", {**ENCODER, "type_vocab_size": 1}),
    "xlm-roberta": ("xlm-roberta", {**ENCODER, "type_vocab_size": 1}),
    "camembert": ("camembert", {**ENCODER, "type_vocab_size": 1}),
    "roberta-prelayernorm": ("roberta-prelayernorm", {**ENCODER, "type_vocab_size": 1}),
    "electra": ("electra", {**ENCODER, "embedding_size": 12}),
    "albert": ("albert", {**ENCODER, "embedding_size": 12}),
    "mpnet": ("mpnet", ENCODER),
    "mobilebert": (
        "mobilebert",
        {
            **ENCODER,
            "embedding_size": 12,
            "intra_bottleneck_size": 8,
            "num_feedforward_networks": 2,
        },
    ),
    "convbert": (
        "convbert",
        {**ENCODER, "embedding_size": 12, "num_attention_heads": 4, "conv_kernel_size": 3},
    ),
    "convbert with groups": (
        "convbert",
        {
            **ENCODER,
            "embedding_size": 12,
            "num_attention_heads": 4,
            "conv_kernel_size": 3,
            "num_groups": 2,
        },
    ),
    "longformer": ("longformer", {**ENCODER, "type_vocab_size": 1, "attention_window": [4]}),
    "deberta": (
        "deberta",
        {
            **ENCODER,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
    ),
    "deberta-v2": ("deberta-v2", {**ENCODER, **DEBERTA}),
    "deberta-v2 with convolution": (
        "deberta-v2",
        {**ENCODER, **DEBERTA, "conv_kernel_size": 3, "conv_act": "gelu", "num_hidden_layers": 2},
    ),
    "roformer": ("roformer", {**ENCODER, "embedding_size": 12}),
    "rembert": ("rembert", {**ENCODER, "input_embedding_size": 12, "output_embedding_size": 14}),
    "layoutlm": ("layoutlm", {**ENCODER, "max_2d_position_embeddings": 8}),
    "funnel": (
        "funnel",
        {
            "vocab_size": 32,
            "block_sizes": [1, 1],
            "num_decoder_layers": 1,
            "d_model": 16,
            "n_head": 2,
            "d_head": 8,
            "d_inner": 24,
            "num_labels": 3,
            "pad_token_id": 1,
            "architectures": ["FunnelModel"],  # there is a base without decoder, too
        },
    ),
    "xlnet": (
        "xlnet",
        {
            "vocab_size": 32,
            "d_model": 16,
            "n_layer": 1,
            "n_head": 2,
            "d_inner": 24,
            "num_labels": 3,
            "pad_token_id": 1,
        },
    ),
    "gpt2": ("gpt2", {**DECODER, "n_inner": 24}),
    "gptj": ("gptj", {**DECODER, "n_inner": 24, "rotary_dim": 4}),
    "ctrl": (
        "ctrl",
        {
            "vocab_size": 32,
            "n_embd": 16,
            "n_layer": 1,
            "n_head": 2,
            "n_positions": 20,
            "dff": 24,
            "num_labels": 3,
            "pad_token_id": 1,
        },
    ),
    "opt": (
        "opt",
        {
            "vocab_size": 32,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "ffn_dim": 24,
            "max_position_embeddings": 20,
            "word_embed_proj_dim": 16,
            "pad_token_id": 1,
            "bos_token_id": 2,
            "eos_token_id": 2,
        },
    ),
    "gptj with tied embeddings": (
        "gptj",
        {**DECODER, "n_inner": 24, "rotary_dim": 4, "tie_word_embeddings": True},
    ),
    "xglm": ("xglm", XGLM),
    "xglm with a head of its own": ("xglm", {**XGLM, "tie_word_embeddings": False}),
    "mistral": (
        "mistral",
        {
            "vocab_size": 32,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "intermediate_size": 24,
            "max_position_embeddings": 20,
            "sliding_window": None,
            "num_labels": 3,
            "pad_token_id": 1,
            "bos_token_id": 2,
            "eos_token_id": 2,
        },
    ),
    "t5": ("t5", T5),
    "t5 1.1": (
        "t5",
        {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    ),
    "mt5": ("mt5", {**T5, "tie_word_embeddings": False}),
    "bart": ("bart", BART),
    "mbart": ("mbart", BART),
    "pegasus": ("pegasus", BART),
    "marian": ("marian", {**BART, "static_position_embeddings": True}),
    "blenderbot": ("blenderbot", BART),
    "led": (
        "led",
        {
            **BART,
            "max_encoder_position_embeddings": 20,
            "max_decoder_position_embeddings": 20,
            "attention_window": [4],
        },
    ),
    "vit": ("vit", IMAGES),
    "deit": ("deit", {**IMAGES, "architectures": ["DeiTForImageClassification"]}),
    "deit with teacher": (
        "deit",
        {**IMAGES, "architectures": ["DeiTForImageClassificationWithTeacher"]},
    ),
    "swin": (
        "swin",
        {
            "image_size": 16,
            "patch_size": 2,
            "embed_dim": 8,
            "depths": [2, 1],
            "num_heads": [2, 2],
            "window_size": 4,
            "num_labels": 3,
        },
    ),
    "convnext": ("convnext", {**STAGES, "num_labels": 3}),
    "convnextv2": ("convnextv2", {**STAGES, "num_labels": 3}),
    "resnet": (
        "resnet",
        {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "num_labels": 3},
    ),
}
# Families that count positions from the padding token's number on.
COUNTING = ("roberta", "xlm-roberta", "camembert", "longformer", "mpnet", "roberta-prelayernorm")
CONFIGS |= {
    f"{family} padded by 0": (family, {**CONFIGS[family][1], "pad_token_id": 0})
    for family in COUNTING
}
ENCODER_HEADS = [
    "AutoModel",
    "AutoModelForMaskedLM",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoModelForQuestionAnswering",
    "AutoModelForMultipleChoice",
]
CLASSIFIES = "AutoModelForSequenceClassification"
TAGS = "AutoModelForTokenClassification"
ANSWERS = "AutoModelForQuestionAnswering"
GENERATES = ["AutoModel", "AutoModelForSeq2SeqLM"]
CLASSIFIES_IMAGES = ["AutoModel", "AutoModelForImageClassification"]
# What TFAuto classes of transformers 4.57.6 reach, and the heads of `tfhf.models.heads`.
HEADS = {
    "bert": [
        *ENCODER_HEADS,
        "AutoModelForPreTraining",
        "AutoModelForCausalLM",
        "AutoModelForNextSentencePrediction",
    ],
    "distilbert": ENCODER_HEADS,
    "roberta": [*ENCODER_HEADS, "AutoModelForCausalLM"],
    "xlm-roberta": ENCODER_HEADS,
    "camembert": ENCODER_HEADS,
    "roberta-prelayernorm": ["AutoModelForMaskedLM", "AutoModelForSequenceClassification"],
    "electra": [*ENCODER_HEADS, "AutoModelForPreTraining"],
    "albert": ENCODER_HEADS,
    "mpnet": ENCODER_HEADS,
    "mobilebert": ENCODER_HEADS,
    "convbert": ENCODER_HEADS,
    "convbert with groups": ["AutoModel"],
    "longformer": ENCODER_HEADS,
    "deberta": ENCODER_HEADS[:-1],
    "deberta-v2": ENCODER_HEADS,
    "deberta-v2 with convolution": ["AutoModel", "AutoModelForMaskedLM"],
    "roformer": ENCODER_HEADS,  # TensorFlow's decoder sees what comes, PyTorch's does not
    "rembert": [*ENCODER_HEADS, "AutoModelForCausalLM"],
    "layoutlm": ENCODER_HEADS[:4],
    "funnel": [*ENCODER_HEADS, "AutoModelForPreTraining"],
    "xlnet": ["AutoModel", "AutoModelForCausalLM", *ENCODER_HEADS[2:]],
    "gpt2": ["AutoModel", "AutoModelForCausalLM", CLASSIFIES, TAGS, ANSWERS],
    "gptj": ["AutoModel", "AutoModelForCausalLM", CLASSIFIES, "AutoModelForQuestionAnswering"],
    "ctrl": ["AutoModel", "AutoModelForCausalLM", CLASSIFIES],
    "opt": ["AutoModel", "AutoModelForCausalLM", CLASSIFIES, ANSWERS],
    "gptj with tied embeddings": ["AutoModelForCausalLM"],
    "xglm": ["AutoModel", "AutoModelForCausalLM"],
    "xglm with a head of its own": ["AutoModelForCausalLM"],
    "mistral": ["AutoModel", "AutoModelForCausalLM", CLASSIFIES, TAGS, ANSWERS],
    "t5": [*GENERATES, "AutoModelForTextEncoding", CLASSIFIES, TAGS, ANSWERS],
    "t5 1.1": GENERATES,
    "mt5": [*GENERATES, "AutoModelForTextEncoding", CLASSIFIES, TAGS, ANSWERS],
    "bart": [*GENERATES, CLASSIFIES, ANSWERS],
    "mbart": [*GENERATES, CLASSIFIES, ANSWERS],
    "pegasus": GENERATES,
    "marian": GENERATES,
    "blenderbot": GENERATES,
    "led": [*GENERATES, ANSWERS],
    "vit": CLASSIFIES_IMAGES,
    "deit": CLASSIFIES_IMAGES,
    "deit with teacher": CLASSIFIES_IMAGES[1:],
    "swin": CLASSIFIES_IMAGES,
    "convnext": CLASSIFIES_IMAGES,
    "convnextv2": CLASSIFIES_IMAGES,
    "resnet": CLASSIFIES_IMAGES,
    **{f"{family} padded by 0": ["AutoModel"] for family in COUNTING},
}
# What a head needs changed in the family's config.
CHANGES = {
    "AutoModelForCausalLM": {"is_decoder": True},
    "AutoModelForQuestionAnswering": {"num_labels": 2},
}
# The same for one family alone: its classifier finds the end of a text by this token.
ENDS = dict.fromkeys(
    [("t5", CLASSIFIES), ("mt5", CLASSIFIES)], {"num_labels": 3, "eos_token_id": 3}
)


def settings(family, head):
    """The `model_type` and the settings of a family's config under a head."""
    model_type, values = CONFIGS[family]
    changes = ENDS.get((family, head), CHANGES.get(head, {}))
    return model_type, {**values, **changes}
