"""Transformers models in graphs whose sizes are known only when they run."""

# Families whose classes ask in Python about a size: BART and its kin whether they read more than
# one token, LED and Swin whether their windows fit.
BRANCHING = {
    "bart", "blenderbot", "blenderbot-small", "led", "marian", "mbart", "opt", "pegasus", "swin",
}  # fmt: skip


def run(backbone, inputs):
    """Runs a model: `backbone(**inputs)` for batches of every size.

    Graphs are traced without AutoGraph here, where a Python `if` cannot ask a tensor. AutoGraph
    makes operations of such branches; switching it on for these families alone keeps the others'
    tracing short.

    Args:
        backbone: a transformers TensorFlow model.
        inputs: the keywords of its call, the first of its arguments among them.

    Returns:
        What the model returns.
    """
    import tensorflow as tf

    if backbone.config.model_type not in BRANCHING or tf.executing_eagerly():
        return backbone(**inputs)

    @tf.function(autograph=True)
    def branching():
        return backbone(**inputs)

    return branching()
