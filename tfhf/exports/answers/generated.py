"""Prompts for a model that generates, and generated tokens as text.

Shapes: B rows, A answers to each row, L tokens of the longest answer.
"""

import re

import tensorflow as tf

from tfhf.exports.answers.texts import Texts


def prompts(ids, *, before, begin, room):
    """Token rows that a language model continues, as `tfhf.data.language.Reader` makes them.

    Args:
        ids: ragged `(B, None)` int32, the tokens of the texts.
        before: list of ids that stand before every text.
        begin: the id that stands for an empty prompt.
        room: most tokens of a prompt; of a longer one the beginning is left out.

    Returns:
        Ragged `(B, None)` int32, at least one token in each row.
    """
    lengths = ids.row_lengths()
    kept = tf.minimum(lengths, room - len(before) if room > len(before) else room)
    ends = ids.row_limits()
    index = tf.ragged.range(ends - kept, ends)
    ids = index.with_values(tf.gather(ids.values, index.values))
    if before:
        return tf.concat([tf.tile(tf.constant([before]), [ids.nrows(), 1]), ids], axis=1)
    empty = tf.cast(ids.row_lengths() == 0, tf.int64)
    first = tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(empty)], begin), empty)
    return tf.concat([first, ids], axis=1)


def padded(ids, fill):
    """Ragged rows as `input_ids` and `attention_mask`, `(B, T)` int32."""
    lengths = tf.cast(ids.row_lengths(), tf.int32)
    return {
        "input_ids": ids.to_tensor(fill),
        "attention_mask": tf.sequence_mask(lengths, dtype=tf.int32),
    }


def continued(generate, inputs, so_far, steps):
    """Goes on with answers, each row for itself: they may have come to different lengths.

    Args:
        generate: takes a row's inputs, `begun` `(1, M)` and `steps`, as the function of that name
            in `tfhf.learning.decoding.generation` does, and gives `sequences` and `lengths`.
        inputs: name → `(B, …)`.
        so_far: `(B,)` string, the tokens that were made, as this function writes them.
        steps: `(B,)` int32, most tokens to make now.

    Returns:
        `sequences` `(B, 1, L)` and `lengths` `(B, 1)` int32, all that was made; `so_far` `(B,)`
        string; `finished` `(B,)` bool: fewer tokens than asked for were left to make.
    """

    def one(row):
        begun = tf.strings.to_number(tf.strings.split(row["so_far"]), tf.int32)
        alone = {name: row[name][tf.newaxis] for name in inputs}
        found = generate(**alone, begun=begun[tf.newaxis], steps=row["steps"])
        made = found["sequences"][0, 0, : found["lengths"][0, 0]]
        written = tf.strings.reduce_join(tf.strings.as_string(made), separator=" ")
        return written, tf.size(made) - tf.size(begun) < row["steps"]

    rows = inputs | {"so_far": so_far, "steps": steps}
    so_far, finished = tf.map_fn(one, rows, fn_output_signature=(tf.string, tf.bool))
    made = tf.strings.split(so_far)
    made = made.with_values(tf.strings.to_number(made.values, tf.int32))
    return {
        "sequences": made.to_tensor()[:, tf.newaxis],
        "lengths": tf.cast(made.row_lengths(), tf.int32)[:, tf.newaxis],
        "so_far": so_far,
        "finished": finished,
    }


def texts(results, tokenizer, clean_up=None):
    """What was generated, as text.

    Args:
        results: `sequences` `(B, A, L)` and `lengths` `(B, A)` int32.
        tokenizer: one in TensorFlow ops.
        clean_up: as for its `detokenize`.

    Returns:
        `(B, A)` string.
    """
    made = _made(results)
    return tf.reshape(tokenizer.detokenize(made, clean_up), tf.shape(results["lengths"]))


def continuations(results, asked, tokenizer, stops=(), clean_up=None):
    """What was generated behind prompts: the text of both, without that of the prompt.

    Args:
        results, tokenizer, clean_up: as for `texts`.
        asked: ragged `(B, None)` int32, the prompts.
        stops: strings that end a text and do not belong to it.

    Returns:
        `(B, A)` string.
    """
    shape = tf.shape(results["lengths"])
    asked = tf.gather(asked, tf.repeat(tf.range(shape[0]), shape[1]))
    whole = tokenizer.detokenize(tf.concat([asked, _made(results)], axis=1), clean_up)
    shown = tf.strings.length(tokenizer.detokenize(asked, clean_up), unit="UTF8_CHAR")
    length = tf.strings.length(whole, unit="UTF8_CHAR")
    found = tf.strings.substr(whole, tf.minimum(shown, length), length, unit="UTF8_CHAR")
    if stops:
        found = tf.strings.regex_replace(found, f"(?s)(?:{'|'.join(map(re.escape, stops))}).*", "")
    return tf.reshape(found, shape)


def _made(results):
    """Generated tokens, ragged `(B · A, None)`."""
    sequences = results["sequences"]
    flat = tf.reshape(sequences, [-1, tf.shape(sequences)[2]])
    return tf.RaggedTensor.from_tensor(flat, lengths=tf.reshape(results["lengths"], [-1]))


def stripped(strings):
    """Texts without the blanks at their ends, as `str.strip` has them: `(B,)` string."""
    found = Texts(strings)
    rows = tf.range(tf.size(strings, tf.int64))
    ends = tf.strings.length(strings, unit="UTF8_CHAR")
    return found.parts(rows, *found.stripped(rows, tf.zeros_like(ends), ends))
