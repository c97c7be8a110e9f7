"""Settings of a config that PyTorch's classes follow and TensorFlow's do not even read.

A checkpoint that differs in one of them would load without a word and answer something else.
"""

from tfhf.errors import UserError

ENCODERS = ("albert", "bert", "camembert", "electra", "roberta", "roberta-prelayernorm")
# Setting → the value that TensorFlow's classes take for granted, and the families concerned.
IGNORED = {
    "position_embedding_type": ("absolute", (*ENCODERS, "xlm-roberta")),
    "scale_attn_weights": (True, ("gpt2",)),
    "scale_attn_by_inverse_layer_idx": (False, ("gpt2",)),
    "rope_scaling": (None, ("mistral",)),
    "enable_bias": (True, ("opt",)),
    "layer_norm_elementwise_affine": (True, ("opt",)),
    "share_encoder_decoder_embeddings": (True, ("marian",)),
    "qkv_bias": (True, ("deit", "vit")),
    "downsample_in_bottleneck": (False, ("resnet",)),
}


def check_settings(config, name):
    """Refuses a config that TensorFlow's class of the family would not follow.

    Args:
        config: the model's config.
        name: what the user called the model, for messages.

    Raises:
        UserError: names the setting.
    """
    for setting, (assumed, families) in IGNORED.items():
        value = getattr(config, setting, assumed)
        if config.model_type in families and value != assumed:
            raise UserError(
                f"model: {name} has {setting} {value!r}, and TensorFlow's {config.model_type} knows"
                f" {assumed!r} alone; take another checkpoint"
            )
