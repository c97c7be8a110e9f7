"""Texts beside each other in one batch, each read by the same model: towers.

A tower's tensors have its name as prefix: `positive.input_ids`, `positive.attention_mask`. Shapes:
B examples, T tokens, N texts, D width.
"""

import inspect

from tfhf import models
from tfhf.learning.tracing import run


def tokens(inputs, prefix):
    """What the transformers model reads for one tower: its names → `(B, T)`."""
    names = ("input_ids", "attention_mask", "token_type_ids")
    return {name: inputs[f"{prefix}{name}"] for name in names if f"{prefix}{name}" in inputs}


def apart(tokens, lengths, fills):
    """Rows that hold several texts end to end → one row per text.

    Args:
        tokens: name → `(B, T)` int32, `attention_mask` among them.
        lengths: `(B, K)` int32, tokens of each text; 0 where a row has fewer texts.
        fills: name → the value that fills up shorter texts; 0 for the others.

    Returns:
        Name → `(N, T)` int32, the texts of all rows one after the other.
    """
    import tensorflow as tf

    real, each = tokens["attention_mask"] > 0, tf.boolean_mask(lengths, lengths > 0)
    cut = {}
    for name, values in tokens.items():
        ragged = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(values, real), each)
        cut[name] = ragged.to_tensor(fills.get(name, 0))
    return cut


def states_of(backbone, read, training):
    """The states of every token, `(B, T, D)` float32; an encoder-decoder's are its decoder's.

    Args:
        backbone: a transformers body.
        read: what `tokens` gave.
        training: whether dropout is on.
    """
    import tensorflow as tf

    if "decoder_input_ids" in inspect.signature(backbone.call).parameters:
        read = read | models.decoder_inputs(backbone.config, read["input_ids"])
    return tf.cast(run(backbone, read | {"training": training}).last_hidden_state, tf.float32)


def pooled(states, mask, how):
    """Vectors of tokens → one per text.

    Args:
        states: `(B, T, D)` float32.
        mask: `(B, T)`, 1 for tokens and 0 for padding, which is on the right.
        how: `mean`, `max`, or `cls` for the first token's vector and `last` for the last one's.

    Returns:
        `(B, D)` float32.
    """
    import tensorflow as tf

    if how == "last":
        from tfhf.models.head_classes import at, last

        return at(states, last(mask))
    mask = tf.expand_dims(tf.cast(mask, states.dtype), -1)  # `[:, :, None]` is none of LiteRT's ops
    if how == "cls":
        return states[:, 0]
    if how == "max":
        return tf.reduce_max(tf.where(mask > 0, states, states.dtype.min), 1)
    return tf.reduce_sum(states * mask, 1) / tf.reduce_sum(mask, 1)
