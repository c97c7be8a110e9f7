"""How much memory a training takes: from a model's config and the number of its parameters."""

FLOAT = 4  # bytes
# What a config may call the width of a layer's feed-forward part; four times the hidden size else.
INNER = ("intermediate_size", "ffn_dim", "d_ff", "n_inner", "hidden_dim", "encoder_ffn_dim")
DECODER_LAYERS = ("num_decoder_layers", "decoder_layers")
# Families of images that are sequences of patches of one size; others narrow from layer to layer.
PATCHES = ("vit", "deit")


def footprint(config, parameters, *, rows, width, frozen=0, accumulate=1, half=False, scored=0.0):
    """Estimates the memory of a training, TensorFlow's own not included.

    Weights are float32, one gradient and AdamW's two moments each: 16 bytes per parameter, 20 where
    gradients are collected over slices, 4 where it is frozen. Of each layer and token are kept, for
    the way back, `8 · hidden + 4 · inner + 2.25 · heads · width` floats: the sum of Korthikanti et
    al. 2022 for float32, and twice what they have for the feed-forward part, because TensorFlow's
    classes compute GELU in steps. A decoder that looks at an encoder keeps its attention twice.

    Args:
        config: a transformers config.
        parameters: numbers in the model's weights.
        frozen: those that are not trained.
        rows, width: of the largest slice of a batch: examples, and tokens of each.
        accumulate: slices per update.
        half: whether layers compute in 16 bits.
        scored: share of the tokens for which the whole vocabulary is scored.

    Returns:
        Bytes by name: `weights`, `gradients`, `moments`, `activations` (None where the family is
        none of layers of one width), and `total` of those known.

    Source: https://arxiv.org/abs/2205.05198, section 4.1
    """
    trained = parameters - frozen
    found = {
        "weights": FLOAT * parameters,
        "gradients": FLOAT * trained * (1 if accumulate == 1 else 2),
        "moments": 2 * FLOAT * trained,
        "activations": _activations(config, rows, width, scored, FLOAT // 2 if half else FLOAT),
    }
    return found | {"total": sum(value for value in found.values() if value)}


def _activations(config, rows, width, scored, size):
    if hasattr(config, "image_size"):
        if config.model_type not in PATCHES:
            return None
        width = (config.image_size // config.patch_size) ** 2 + 1
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    hidden, layers, heads = (getattr(config, name, None) for name in names)
    if not all(isinstance(one, int) for one in (hidden, layers, heads)):
        return None
    inner = next((one for one in (getattr(config, name, 0) for name in INNER) if one), 4 * hidden)
    attention = 5 * hidden + 2.25 * heads * width
    kept = layers * (attention + 3 * hidden + 4 * inner)
    if config.is_encoder_decoder:
        decoder = next((getattr(config, n) for n in DECODER_LAYERS if hasattr(config, n)), layers)
        kept += decoder * (2 * attention + 4 * hidden + 4 * inner)
    # Scores of the vocabulary: as they come, normalised, and their gradient; always in float32.
    words = 3 * FLOAT * scored * getattr(config, "vocab_size", 0)
    return int(rows * width * (size * kept + words))
