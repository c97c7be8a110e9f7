"""The best answer to each question from the best spans of its windows.

Shapes: B questions, F windows, n spans of each window.
"""

import tensorflow as tf

from tfhf.exports.answers.texts import Texts


def best_answer(results, rows, contexts, threshold):
    """Chooses a question's answer, by the rules of `tfhf.learning.answers.distinct`.

    Args:
        results: what `tfhf.learning.spans.best_spans` gave for F windows.
        rows: `(F,)` int64, the question of each window, ascending.
        contexts: `(B,)` string.
        threshold: probability of no answer above which a question counts as unanswerable; None to
            answer every question.

    Returns:
        `answer` `(B,)` string, `score` `(B,)` float32, `start` and `end` `(B,)` int32, characters
        of the context; no answer is the empty string from 0 to 0. And `no_answer_probability`
        `(B,)` float32.
    """
    count = tf.size(contexts, tf.int64)
    owner = tf.repeat(rows, tf.shape(results["span_score"])[1])
    score, start, end = (
        tf.reshape(results[name], [-1]) for name in ("span_score", "span_start", "span_end")
    )
    start, end = tf.where(score > 0, start, 0), tf.where(score > 0, end, 0)
    texts = Texts(contexts)
    start, end = texts.stripped(owner, start, end)
    found = end > start
    start, end = texts.with_marks(owner, start, end)

    best = tf.math.segment_max(results["span_score"][:, 0], rows)
    absent = tf.math.segment_min(results["null_score"], rows)
    share = tf.where(best + absent > 0, absent / (best + absent), 1.0)
    told = tf.where(found, score, 0.0)
    most = tf.math.segment_max(told, owner)
    places = tf.range(tf.size(owner, tf.int64))
    chosen = tf.where((told == tf.gather(most, owner)) & found, places, places[-1:] + 1)
    chosen = tf.math.segment_min(chosen, owner)
    answered = chosen < tf.size(owner, tf.int64)
    chosen = tf.where(answered, chosen, 0)
    none = tf.zeros_like(most)
    if threshold is not None:
        answered &= share <= threshold
        none = tf.where(share > threshold, absent, none)
    start = tf.where(answered, tf.gather(start, chosen), 0)
    end = tf.where(answered, tf.gather(end, chosen), 0)
    return {
        "answer": texts.parts(tf.range(count), start, end),
        "score": tf.where(answered, most, none),
        "start": start,
        "end": end,
        "no_answer_probability": share,
    }
