"""Greedy decoding and sampling: one token after the other, each row for itself."""

from typing import NamedTuple

import tensorflow as tf

from tfhf.learning.decoding import rules, stepping


class Begun(NamedTuple):
    """Answers to go on with, one for each row."""

    tokens: tf.Tensor  # (B, M) int32, what was made of them
    steps: tf.Tensor  # () int32, most tokens to make now


def decode(model, settings, limits, seeds, stops=None, on_tokens=None, begun=None):
    """Continues every prompt.

    Args:
        model: a stepper, see `stepping`.
        settings: a Generation with one beam.
        limits: `(B,)` int32, most tokens to make per row.
        seeds: `(B,)` int32, what makes a row's draws its own.
        stops: a Stops, whose strings end a text, or None.
        on_tokens: called, while a graph runs, with the new tokens of each step (pad where a text
            has ended) and whether each text had ended before, `(N,)` each; or None.
        begun: a Begun; None begins with the prompts, and goes on to the ends.

    Returns:
        `sequences` `(B, answers, L)` int32 and `lengths` `(B, answers)` int32.
    """
    answers = settings.answers
    limits = tf.repeat(limits, answers)
    most = tf.reduce_max(limits)
    rows = tf.shape(limits)[0]
    width = tf.shape(model.prompt)[1]
    if begun is None:
        begun = Begun(tf.zeros([tf.shape(model.prompt)[0], 0], tf.int32), most)
    logits, cache = model.start(begun.tokens)
    logits, cache = tf.repeat(logits, answers, axis=0), stepping.repeated(cache, answers)
    start = _start(model, settings, limits, stops, begun.tokens)
    before = start[1]
    end = before + tf.minimum(begun.steps, most - before)
    prompt = tf.cast(tf.repeat(model.real, answers, axis=0), tf.bool)
    draws = _draws(settings, seeds, most) if settings.do_sample else None

    def pick(logits, tokens, made, finished, lengths, tails):
        columns = tf.range(width + most)
        answer = tf.broadcast_to(tf.range(most) < made, [rows, most])
        place = rules.Place(
            tokens=tokens,
            real=tf.concat([prompt, answer], 1),
            made=made,
            prompt_lengths=tf.reduce_sum(tf.cast(prompt, tf.int32), 1),
            limits=limits,
        )
        scores = rules.ruled(logits, place, settings)
        if settings.do_sample:
            chosen = _sampled(rules.warped(scores, settings), draws[:, made])
        else:
            chosen = tf.argmax(scores, -1, tf.int32)
        chosen = tf.where(finished, settings.pad_token_id, chosen)
        if on_tokens is not None:
            tf.py_function(on_tokens, [chosen, finished], [])
        tokens = tf.where(columns == width + made, chosen[:, None], tokens)
        made += 1
        lengths = tf.where(finished, lengths, made)
        finished |= _is_one_of(chosen[:, None], settings.eos_token_id) | (made >= limits)
        if stops is not None:
            tails = stops.extended(tails, chosen)
            finished |= stops.reached(tails)
        return tokens, made, finished, lengths, tails

    def body(tokens, made, finished, lengths, tails, cache):
        logits, cache = model.step(tokens, made, cache, answers)
        return *pick(logits, tokens, made, finished, lengths, tails), cache

    state = (*_first(pick, logits, start, end > before), cache)
    shapes = [value.shape for value in state[:-1]] + [stepping.growing(cache)]
    shapes[0] = tf.TensorShape([None, None])
    tokens, made, _, lengths, _, _ = tf.while_loop(
        lambda tokens, made, finished, *_: ~tf.reduce_all(finished) & (made < end),
        body,
        state,
        shape_invariants=tuple(shapes),
    )
    made = tokens[:, width : width + made]
    return {
        "sequences": tf.reshape(made, [-1, answers, tf.shape(made)[1]]),
        "lengths": tf.reshape(lengths, [-1, answers]),
    }


def _start(model, settings, limits, stops, begun):
    """The state before the first step: tokens, how many are made, what has ended, lengths, tails.

    Args:
        begun: `(B, M)` int32, what was made before.
    """
    rows, before = tf.shape(limits)[0], tf.shape(begun)[1]
    room = tf.fill([rows, tf.maximum(tf.reduce_max(limits) - before, 0)], settings.pad_token_id)
    prompt, begun = (tf.repeat(x, settings.answers, axis=0) for x in (model.prompt, begun))
    finished = _is_one_of(begun[:, -1:], settings.eos_token_id) | (before >= limits)
    tails = tf.fill([rows], "")
    if stops is not None:
        tails = stops.spelled(begun)
        finished |= stops.reached(tails)
    lengths = tf.fill([rows], before)
    return tf.concat([prompt, begun, room], 1), before, finished, lengths, tails


def _first(pick, logits, start, wanted):
    """The first token, which needs no step of the model; none where no row may have one."""
    return tf.cond(wanted, lambda: pick(logits, *start), lambda: start)


def _is_one_of(tokens, wanted):
    """`(N,)` bool: whether a row of `(N, n)` tokens holds one of those."""
    return tf.reduce_any(tokens[..., None] == tf.constant(list(wanted), tf.int32), [1, 2])


def _draws(settings, seeds, most):
    """`(N, most)` numbers from [0, 1): a function of (seed, row, answer), whatever the batch."""
    answers = tf.range(settings.num_return_sequences)
    rows = tf.repeat(tf.cast(seeds, tf.int32), settings.num_return_sequences)
    answers = tf.tile(answers, tf.shape(seeds)[:1])
    keys = tf.stack([settings.seed + 1_000_003 * answers, rows], 1)
    signature = tf.TensorSpec([None], tf.float32)
    return tf.map_fn(
        lambda key: tf.random.stateless_uniform([most], key), keys, fn_output_signature=signature
    )


def _sampled(scores, draws):
    """One token per row: where the summed probabilities pass the row's draw."""
    summed = tf.cumsum(tf.nn.softmax(scores), axis=-1)
    return tf.argmax(summed > draws[:, None] * summed[:, -1:], -1, tf.int32)
