"""Running transformers' models on lengths that are unknown when a graph is traced."""

import tensorflow as tf

from tfhf.learning.decoding.families import BRANCHING


def run(backbone, inputs):
    """Runs a model; `backbone(**inputs)` for batches of every length.

    Some families branch in Python on a length, which a graph does not know. AutoGraph makes
    operations of the branch, and switching it on for them alone keeps the others' tracing short.

    Args:
        backbone: a transformers TensorFlow model.
        inputs: the keywords of its call, the first of its arguments among them.

    Returns:
        What the model returns.
    """
    if backbone.config.model_type not in BRANCHING or tf.executing_eagerly():
        return backbone(**inputs)

    @tf.function(autograph=True)
    def branching():
        return backbone(**inputs)

    return branching()
