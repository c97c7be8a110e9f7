"""New weights, drawn as PyTorch's classes draw them.

TensorFlow's classes cut the normal distribution off at two standard deviations, so that what they
draw is an eighth smaller; and GPT-2's residual layers start too large. Where a training is short,
that is seen in what it reaches. `tests/models/facts/starts.json` holds what PyTorch draws.
"""

import math
import re

from tfhf.models.agreement import OFFSET_POSITIONS, padding_id
from tfhf.models.names import places

# Weights that start with zeros though they are matrices, or though TensorFlow draws them.
ZEROS = re.compile(
    r"\.bias$|final_logits_bias$|relative_position_bias_table$|mask_token$|\.grn\.weight$"
    r"|^(deit\.)?embeddings\.(cls_token|distillation_token|position_embeddings)$"
)
# Embeddings whose row of the padding token is zero.
WORDS = re.compile(r"(^|\.)(word_embeddings|embed_tokens|shared)\.weight$")
POSITIONS = re.compile(r"(^|\.)position_embeddings\.weight$")
# What Funnel's attention adds to its matrices.
RELATIVE = re.compile(r"\.(r_w_bias|r_r_bias|r_s_bias|r_kernel|seg_embed)$")
# DeBERTa's convolution starts as PyTorch starts layers of which a model says nothing.
UNSAID = re.compile(r"encoder\.conv\.conv\.(weight|bias)$")


def initialize(model, names):
    """Draws new weights by Keras's global seed.

    Args:
        model: the built transformers model.
        names: PyTorch names of the weights to draw.
    """
    names = set(names)
    for place in places(model):
        if place.name in names and not place.computed and not place.is_integer:
            values = _start(place, model.config)
            if values is not None:
                place.assign(values)


def _start(place, config):
    """What a place starts with, in TensorFlow's layout; None for what its class made of it."""
    import tensorflow as tf

    shape, name = place.variable.shape, place.name
    if hasattr(config, "initializer_factor"):
        # T5 scales every matrix by its own width, in both frameworks alike, but for one.
        shared = config.model_type in ("t5", "mt5") and name.endswith("shared.weight")
        return tf.random.normal(shape, stddev=config.initializer_factor) if shared else None
    deviation = getattr(config, "initializer_range", None)
    if deviation is None:
        deviation = getattr(config, "init_std", None)
    if deviation is None:
        return None
    if config.model_type == "deberta-v2" and UNSAID.search(name):
        bound = 1 / math.sqrt(config.hidden_size * config.conv_kernel_size)
        return tf.random.uniform(shape, -bound, bound)
    if ZEROS.search(name):
        return tf.zeros(shape)
    if shape.rank < 2:
        return None
    if config.model_type == "funnel":
        if RELATIVE.search(name):
            return tf.random.uniform(shape, 0.0, config.initializer_range)
        usual = 1.0 if WORDS.search(name) else 1 / math.sqrt(sum(shape))
        deviation = config.initializer_std or usual
    if config.model_type == "gpt2" and name.endswith("c_proj.weight"):
        deviation /= math.sqrt(2 * config.n_layer)
    values = tf.random.normal(shape, stddev=deviation)
    counted = config.model_type in OFFSET_POSITIONS
    padding = padding_id(config) if counted else config.pad_token_id
    if padding is not None and (WORDS.search(name) or (counted and POSITIONS.search(name))):
        values *= 1 - tf.one_hot([padding], shape[0], axis=0)
    return values
