"""Labels that are named with each text, and how well they fit.

Shapes: B texts, C candidate labels of the text that has most; "" stands for no label.
"""

import tensorflow as tf

NOT_THERE = -1e9  # a logit that no softmax notices


def hypotheses(labels, template):
    """The texts that say of each label that it fits: `(B · C,)` string, from `(B, C)`."""
    before, after = template.split("{}", 1)
    flat = tf.reshape(labels, [-1])
    # Further braces of the template hold the label, too.
    parts = [before, flat]
    for part in after.split("{}")[:-1]:
        parts += [part, flat]
    return tf.strings.join([*parts, after.split("{}")[-1]])


def entailed(evidence, there, multi_label):
    """Scores of labels by entailment, as `tfhf.learning.label_scores.entailed` has them.

    Args:
        evidence: `(B, C, 2)` float32, logits of contradiction and entailment.
        there: `(B, C)` bool, which are labels.
        multi_label: whether each label has a score of its own; else they add up to 1.

    Returns:
        `(B, C)` float32.
    """
    apart = tf.nn.softmax(evidence)[..., 1]
    if multi_label:
        return apart
    together = tf.nn.softmax(tf.where(there, evidence[..., 1], NOT_THERE))
    return tf.where(tf.reduce_sum(tf.cast(there, tf.int32), 1, keepdims=True) > 1, together, apart)


def nearness(cosines, there, multi_label, temperature):
    """Scores of labels by cosines `(B, C)`, as `tfhf.learning.label_scores.nearness` has them."""
    if multi_label:
        return tf.clip_by_value(cosines, 0.0, 1.0)
    return tf.nn.softmax(tf.where(there, cosines / temperature, NOT_THERE))


def ranked(scores, labels, there):
    """Labels with their scores, best first; what is no label stands last, with a score of 0.

    Returns:
        `labels` `(B, C)` string and `scores` `(B, C)` float32.
    """
    order = tf.argsort(tf.where(there, scores, -1.0), direction="DESCENDING", stable=True)
    return {
        "labels": tf.gather(labels, order, batch_dims=1),
        "scores": tf.gather(tf.where(there, scores, 0.0), order, batch_dims=1),
    }
