"""Choices of several rows as one batch, and their scores back to the rows.

Rows have different numbers of choices, and choices different lengths. Padding every row to as many
choices as the largest has, and every choice to the longest, would feed the model mostly padding; so
the choices of a batch are laid under each other, whichever row they belong to.

Shapes: B rows, S tokens of all choices of the longest row, C choices of the row that has most, N
choices of the batch, T tokens of its longest choice.
"""


def fold(tokens, lengths, fill):
    """Cuts rows into their choices.

    Args:
        tokens: `(B, S)` integers, the choices of a row end to end.
        lengths: `(B, C)` int32, tokens of each choice; 0 where a row has fewer choices.
        fill: value behind the end of a choice.

    Returns:
        `(N, T)` integers, the first row's choices first.
    """
    import tensorflow as tf

    places = tf.where(lengths > 0)
    starts = tf.gather_nd(tf.cumsum(lengths, 1, exclusive=True), places)
    positions = tf.range(tf.reduce_max(lengths))[None, :]
    real = positions < tf.gather_nd(lengths, places)[:, None]
    columns = tf.where(real, starts[:, None] + positions, 0)
    cut = tf.gather(tf.gather(tokens, places[:, 0]), columns, batch_dims=1)
    return tf.where(real, cut, tf.cast(fill, tokens.dtype))


def unfold(scores, lengths):
    """Puts each choice's score back to its row.

    Args:
        scores: `(N,)` float32, in the order of `fold`.
        lengths: as for `fold`.

    Returns:
        `(B, C)` float32; minus infinity where a row has fewer choices, so that a softmax gives
        such a place probability 0.
    """
    import tensorflow as tf

    real = lengths > 0
    found = tf.scatter_nd(tf.where(real), scores, tf.shape(lengths, tf.int64))
    return tf.where(real, found, -float("inf"))
