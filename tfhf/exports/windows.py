"""Long rows of tokens as windows that overlap, as TensorFlow ops.

Shapes: B rows, F windows of all rows, in the order of the rows.
"""

from typing import NamedTuple

import tensorflow as tf

from tfhf.exports.tokenizers.template import first_of_rows


class Windows(NamedTuple):
    """Windows over ragged rows.

    Attributes:
        columns: for each of the given tensors a ragged `(F, None)` one.
        rows: `(F,)` int64, the row of each window, ascending.
        firsts: `(F,)` int64, where in its row each window begins.
    """

    columns: list[tf.RaggedTensor]
    rows: tf.Tensor
    firsts: tf.Tensor


def cut(columns, room, stride):
    """Cuts rows into windows, as the Hugging Face tokenizer cuts what overflows.

    Args:
        columns: ragged `(B, None)` tensors of one partition.
        room: int or `(B,)` int64, tokens a window holds; more than `stride`.
        stride: tokens that a window repeats of the one before.

    Returns:
        Windows; at least one for each row.
    """
    whole = columns[0]
    lengths = whole.row_lengths()
    room = tf.broadcast_to(tf.cast(room, tf.int64), tf.shape(lengths))
    step = room - stride
    counts = 1 + tf.maximum(-((room - lengths) // step), 0)
    rows = tf.repeat(tf.range(whole.nrows()), counts)
    number = tf.range(tf.size(rows, tf.int64)) - tf.gather(tf.cumsum(counts) - counts, rows)
    firsts = number * tf.gather(step, rows)
    sizes = tf.minimum(tf.gather(room, rows), tf.gather(lengths, rows) - firsts)
    begins = tf.gather(whole.row_starts(), rows) + firsts
    index = tf.ragged.range(begins, begins + sizes)
    found = [index.with_values(tf.gather(one.values, index.values)) for one in columns]
    return Windows(found, rows, firsts)


def of_questions(tokenizer, questions, contexts, *, max_length, stride, max_question_tokens=None):
    """Windows as `tfhf.data.windows.encode_windows` makes them.

    Args:
        tokenizer: an in-graph tokenizer of `tfhf.exports.tokenizers`.
        questions, contexts: `(B,)` strings. A question that would leave no room for its context is
            cut.
        max_length, stride, max_question_tokens: as there.

    Returns:
        Column → tensor: those of the tokenizer `(F, T)`, `offset_start` and `offset_end` `(F, T)`,
        `null` `(F,)`, and `row` `(F,)` int64.
    """
    template = tokenizer.template
    question = tokenizer.tokenize(questions)
    found = tokenizer.tokenize_with_offsets(contexts)
    room = template.room(max_length, pair=True)
    longest = min(max_question_tokens or room, room - stride - 1)
    question = first_of_rows(question, tf.minimum(question.row_lengths(), longest))
    parts, rows, _ = cut(
        [found.ids, found.starts, found.ends], room - question.row_lengths(), stride
    )
    question = tf.gather(question, rows)
    order = (question, parts[0]) if template.question_first else (parts[0], question)
    columns = template.columns(*order)
    outside = question.with_values(tf.fill(tf.shape(question.values), -1))
    for name, places in zip(("offset_start", "offset_end"), parts[1:], strict=True):
        order = (outside, places) if template.question_first else (places, outside)
        columns[name] = template.beside(*order, fill=-1)
    columns["null"] = template.null(columns["input_ids"])
    return columns | {"row": rows}


def owned(places, real, rows):
    """Chooses for each token of a row the window that sees it in most context.

    The rule is that of `tfhf.data.token_windows.owners`.

    Args:
        places: `(F, T)` int32, where in its row each token stands, from 0.
        real: `(F, T)` bool, which are tokens of the row.
        rows: `(F,)` int64, the row of each window, ascending.

    Returns:
        `(N,)` int64, places in the flattened `(F · T)` tokens, one for each token of each row, in
        the order of the rows and of their tokens.
    """
    behind = tf.cast(1 << 30, tf.int64)
    places = tf.cast(places, tf.int64)
    first = tf.reduce_min(tf.where(real, places, behind), 1)
    last = tf.reduce_max(tf.where(real, places, -1), 1)
    goes_on = tf.concat([rows[1:] == rows[:-1], [False]], 0)[: tf.size(rows)]
    context = tf.minimum(
        tf.where((first > 0)[:, None], places - first[:, None], behind),
        tf.where(goes_on[:, None], last[:, None] - places, behind),
    )
    flat = tf.where(tf.reshape(real, [-1]))[:, 0]
    context = tf.gather(tf.reshape(context, [-1]), flat)
    # Tokens numbered over all rows.
    sizes = tf.math.segment_max(last + 1, rows)
    begins = tf.gather(tf.cumsum(sizes) - sizes, rows)[:, None]
    number = tf.gather(tf.reshape(begins + places, [-1]), flat)
    count = tf.reduce_sum(sizes)
    most = tf.math.unsorted_segment_max(context, number, count)
    chosen = tf.where(context == tf.gather(most, number), flat, tf.int64.max)
    return tf.math.unsorted_segment_min(chosen, number, count)
