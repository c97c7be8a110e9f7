"""Spans of a text by the scores of their first and last tokens, over all windows of the text.

A score is a probability: a softmax over the tokens that may begin an answer, another over those
that may end it, and the product of the two; as in transformers' question answering pipeline.

Shapes: B windows, T tokens, L tokens of the longest answer, n spans kept per window, F windows of
a split, R rows.

Source: Devlin et al. 2019, "BERT", sections 4.2 and 4.3.
"""

import numpy as np

IMPOSSIBLE = -float("inf")


def best_spans(start_logits, end_logits, offset_start, offset_end, null, *, count, longest):
    """Finds the best spans of each window; the same operations in `predict` and in exports.

    Args:
        start_logits, end_logits: `(B, T)` float32.
        offset_start, offset_end: `(B, T)` int32, the characters of the context that each token
            stands for; -1 for tokens outside the context.
        null: `(B,)` int32, the token that stands for "no answer here".
        count: n, spans to keep.
        longest: L, tokens an answer has at most.

    Returns:
        `span_score` `(B, n)` float32, best first, 0 where a window has fewer spans; `span_start`
        and `span_end` `(B, n)` int32, characters of the context; `null_score` `(B,)` float32, the
        score of no answer.
    """
    import tensorflow as tf

    size = tf.shape(offset_start)[1]
    context = offset_start >= 0
    known = tf.logical_or(context, tf.range(size)[None, :] == null[:, None])
    starts = tf.nn.log_softmax(tf.where(known, start_logits, IMPOSSIBLE))
    ends = tf.nn.log_softmax(tf.where(known, end_logits, IMPOSSIBLE))
    nothing = tf.gather(starts, null, batch_dims=1) + tf.gather(ends, null, batch_dims=1)

    # Only ends that can be reached from a start are laid out: (B, T, L) in place of (B, T, T).
    starts = tf.where(context, starts, IMPOSSIBLE)
    ends = tf.pad(
        tf.where(context, ends, IMPOSSIBLE), [[0, 0], [0, longest]], constant_values=IMPOSSIBLE
    )
    reached = tf.gather(ends, tf.range(size)[:, None] + tf.range(longest)[None, :], axis=1)
    scores = tf.reshape(starts[:, :, None] + reached, [-1, size * longest])
    scores = tf.pad(scores, [[0, 0], [0, count]], constant_values=IMPOSSIBLE)  # for short windows

    best, places = tf.nn.top_k(scores, count)
    first = tf.minimum(places // longest, size - 1)
    last = tf.minimum(first + places % longest, size - 1)
    return {
        "span_score": tf.exp(best),
        "span_start": tf.gather(offset_start, first, batch_dims=1),
        "span_end": tf.gather(offset_end, last, batch_dims=1),
        "null_score": tf.exp(nothing),
    }


def gather_windows(results, rows, *, best):
    """Joins the spans of each row's windows.

    Args:
        results: what `best_spans` gave for F windows, as arrays.
        rows: `(F,)` int array, the row of each window, ascending from 0.
        best: whether to keep the n best spans of a row, best first; otherwise all are kept,
            window after window.

    Returns:
        The same names for R rows: spans `(R, n)`, or `(R, n · windows of the row that has most)`
        with scores of 0 where a row has fewer; `null_score` `(R,)` is the smallest, since a
        question is answered where any window answers it. And `no_answer_probability` `(R,)`: that
        of no answer against the best span; 0.5 where both score the same.
    """
    windows = np.bincount(rows)
    firsts = np.cumsum(windows) - windows
    if (windows > 1).any():
        results = _joined(results, rows, windows, firsts, best)
    null, score = results["null_score"], results["span_score"].max(1)
    probability = np.ones_like(null)
    np.divide(null, null + score, out=probability, where=null + score > 0)
    return results | {"no_answer_probability": probability}


def _joined(results, rows, windows, firsts, best):
    scores = results["span_score"]
    kept = scores.shape[1]
    owners = np.repeat(rows, kept)
    order = np.lexsort((-scores.ravel(), owners)) if best else np.arange(owners.size)
    rank = np.arange(owners.size) - firsts[owners] * kept
    width = kept if best else kept * windows.max()
    place = (owners[rank < width], rank[rank < width])
    joined = {"null_score": np.minimum.reduceat(results["null_score"], firsts)}
    for name in ("span_score", "span_start", "span_end"):
        values = results[name]
        joined[name] = np.zeros((len(windows), width), values.dtype)
        joined[name][place] = values.ravel()[order][rank < width]
    return {name: joined[name] for name in results}
