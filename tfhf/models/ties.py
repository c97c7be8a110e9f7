"""What PyTorch's models share or hold fixed, and TensorFlow's do not.

Some TensorFlow classes keep an output layer of its own where PyTorch's uses the embeddings; once
trained, such a model has no PyTorch form any more. Others train the tables of positions that
PyTorch computes. Both are put right in a built model.
"""

import numpy as np

from tfhf.models.names import places

# Families whose TensorFlow class has an output layer of its own, so that both kinds can be loaded.
SEPARATE = ("gptj", "mistral", "xglm")
EMBEDDINGS = ("embed_tokens.weight", "wte.weight")  # as these families call them


def settle_ties(config, stored):
    """Lets a config say that embeddings are untied where a file's are, and TensorFlow can be so.

    Args:
        config: the model's config; changed in place.
        stored: name → Stored, from `open_weights`.
    """
    head = stored.get("lm_head.weight")
    if config.model_type not in SEPARATE or head is None:
        return
    for name, weight in stored.items():
        if name.endswith(EMBEDDINGS) and weight.shape == head.shape:
            config.tie_word_embeddings = np.array_equal(weight.read(), head.read())


def tie(model):
    """Lets a built model share what PyTorch's shares, and hold fixed what PyTorch's holds fixed.

    Args:
        model: a transformers TensorFlow model, its variables built; changed in place.
    """
    for layer in model.submodules:
        kind = type(layer).__name__
        if kind.endswith("SinusoidalPositionalEmbedding"):
            layer.trainable = False
        elif kind == "TFMobileBertLMPredictionHead":
            layer.decoder = model.mobilebert.embeddings.weight
    config = model.config
    if config.model_type in SEPARATE and config.tie_word_embeddings and hasattr(model, "lm_head"):
        words = [place for place in places(model) if place.name.endswith(EMBEDDINGS)]
        model.lm_head = _head_over(words[0].variable, model.lm_head.bias)


def _head_over(matrix, bias):
    """An output layer whose matrix is that of the embeddings; the bias, if any, is its own."""
    import tensorflow as tf
    import tf_keras

    class TiedHead(tf_keras.layers.Layer):
        def __init__(self):
            super().__init__(name="lm_head")
            self.matrix, self.bias = matrix, bias

        def call(self, states):
            logits = tf.matmul(states, tf.cast(self.matrix, states.dtype), transpose_b=True)
            return logits if self.bias is None else logits + tf.cast(self.bias, states.dtype)

    return TiedHead()
