"""How likely a model makes the tokens it was to say: sums per example.

Shapes: B examples, T tokens, V vocabulary. A label below 0 is not to be said.
"""

import tensorflow as tf


def losses(labels, logits, smoothing=0.0):
    """Cross-entropy of each label.

    Args:
        labels: `(B, T)` int32.
        logits: `(B, T, V)` float32.
        smoothing: share of the label's probability that is spread over all V tokens, in [0, 1).

    Returns:
        `(B, T)` float32 losses, 0 where nothing is to be said, and `(B, T)` ones and zeros.

    Source: Szegedy et al. 2016, section 7, https://arxiv.org/abs/1512.00567 (smoothing)
    """
    real = tf.cast(labels >= 0, tf.float32)
    found = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    if smoothing:
        uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), -1)
        found = (1.0 - smoothing) * found + smoothing * uniform
    return found * real, real


def sums(labels, logits):
    """What metrics of a split need of each example: `(B,)` `loss`, `tokens` and `correct`."""
    found, real = losses(labels, logits)
    right = tf.argmax(logits, -1, labels.dtype) == labels
    return {
        "loss": tf.reduce_sum(found, -1),
        "tokens": tf.cast(tf.reduce_sum(real, -1), tf.int32),
        "correct": tf.reduce_sum(tf.cast(right, tf.int32), -1),
    }
