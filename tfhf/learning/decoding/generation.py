"""`generate`: a model, prompts and settings → tokens."""

import tensorflow as tf

from tfhf.errors import UserError
from tfhf.learning.decoding import beams, loop, stepping


def generate(backbone, inputs, settings, *, seeds=None, stops=None, on_tokens=None):
    """Generates tokens; to be called inside a `tf.function` or an exported signature.

    Args:
        backbone: a transformers TensorFlow model with a language modelling head.
        inputs: `input_ids` and `attention_mask`, `(B, T)` int32; padding may stand on either side.
            To go on with answers that have begun, also `begun` `(B, M)` int32, their tokens, and
            `steps`, a scalar int32: how many more to make at most. Not with several answers.
        settings: a Generation. A row ends, too, where the model has no further positions.
        seeds: `(B,)` int32, what makes a row's draws its own when sampling (its number in the
            data, say); its place in the batch by default.
        stops: a Stops, whose strings end a text early; beam search goes on behind them.
        on_tokens: called in Python with the new tokens of each step and whether each row had ended
            before (`(B × answers,)` each); not with beams, and not in an export.

    Returns:
        `sequences` `(B, answers, L)` int32, without the prompt, filled up with `pad_token_id`, what
        had begun included; `lengths` `(B, answers)` int32, the end-of-text token counted; with
        beams `scores` `(B, answers)` float32.

    Raises:
        UserError: if the model's family cannot be decoded, or has too few positions.
    """
    model = stepping.stepper(backbone, inputs, settings)
    limits = _limits(backbone.config, model, settings)
    if settings.num_beams > 1:
        return beams.search(model, settings, limits)
    if seeds is None:
        seeds = tf.range(tf.shape(model.prompt)[0])
    begun = loop.Begun(inputs["begun"], inputs["steps"]) if "begun" in inputs else None
    return loop.decode(model, settings, limits, seeds, stops, on_tokens, begun)


def _limits(config, model, settings):
    """`(B,)` int32: most tokens to make for each prompt."""
    lengths = tf.reduce_sum(model.real, 1)
    if settings.max_new_tokens is not None:
        limits = tf.fill(tf.shape(lengths), settings.max_new_tokens)
    else:
        limits = settings.max_length - lengths
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:  # T5 counts distances
        return tf.maximum(limits, 0)
    if (settings.max_new_tokens or 0) > positions:
        raise UserError(
            f"max_new_tokens: the model has {positions} positions; "
            f"received {settings.max_new_tokens}"
        )
    # The last token is made, not read.
    return tf.clip_by_value(positions + 1 - lengths, 0, tf.maximum(limits, 0))
