"""Padding moved to the other side of a batch."""


def on_the_left(inputs):
    """Rows with their padding in front, for heads that read the last place of a row.

    Args:
        inputs: column → `(B, T)`, `attention_mask` among them; what is padded in front already
            stays as it is.

    Returns:
        The same columns.
    """
    import tensorflow as tf

    mask = tf.cast(inputs["attention_mask"] > 0, tf.int32)
    width = tf.shape(mask)[1]
    last = tf.reduce_max(mask * (tf.range(width) + 1)[None, :], 1)
    places = tf.math.floormod(tf.range(width)[None, :] - (width - last)[:, None], width)
    return {name: tf.gather(values, places, batch_dims=1) for name, values in inputs.items()}


def reads_last(backbone):
    """Whether a model's head reads the last place of a row (XLNet's; RoFormer's of choices)."""
    summary = getattr(backbone, "sequence_summary", None)
    return getattr(summary, "summary_type", None) == "last"
