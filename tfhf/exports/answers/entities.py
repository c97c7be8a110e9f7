"""Entities of texts from the classes of their tokens.

Shapes: B texts, F windows of T tokens, N tokens of all texts, W words of all texts, E entities of
the text that has most, C classes.
"""

import numpy as np
import tensorflow as tf

from tfhf.exports import windows
from tfhf.exports.answers.texts import Texts
from tfhf.learning import tagging


def entities(results, rows, strings, *, labels, aggregation, mark_entities):
    """Finds the entities that tagged tokens mark, by the rules of `tfhf.learning.tagged_words`.

    Args:
        results: `(F, T)` tensors: `label` int32 and `score` float32 of each token; `word` int32,
            from 1, 0 for special tokens; `start` and `end`, its characters; `position`, its place
            in its text; and `probabilities` `(F, T, C)` where they are averaged.
        rows: `(F,)` int64, the text of each window, ascending.
        strings: `(B,)` string, the texts.
        labels: names of the classes.
        aggregation: how a word gets its class: `first`, `max` or `average`.
        mark_entities: whether the classes are tags that mark entities; otherwise each word is one.

    Returns:
        `entity_group` and `word` `(B, E)` string, `score` `(B, E)` float32, `start` and `end`
        `(B, E)` int32.
    """
    tokens, text = _joined(results, rows)
    texts = Texts(strings)
    if mark_entities:
        kept = _without_punctuation(texts, text, tokens)
        tokens = {name: tf.boolean_mask(values, kept) for name, values in tokens.items()}
        text = tf.boolean_mask(text, kept)
    words, text = _words(tokens, text, aggregation)
    words["start"], words["end"] = texts.stripped(text, words["start"], words["end"])
    begins, ends = _limits(words["label"], text, labels, mark_entities)
    start, end = tf.gather(words["start"], begins), tf.gather(words["end"], ends)
    text = tf.gather(text, begins)
    sums = tf.concat([[0.0], tf.cumsum(tf.cast(words["score"], tf.float64))], 0)
    scores = (tf.gather(sums, ends + 1) - tf.gather(sums, begins)) / tf.cast(
        ends + 1 - begins, tf.float64
    )
    kinds = [tagging.as_bioes(label)[2:] if mark_entities else label for label in labels]
    found = {
        "entity_group": tf.gather(tf.constant(kinds), tf.gather(words["label"], ends)),
        "score": tf.cast(scores, tf.float32),
        "word": texts.parts(text, start, end),
        "start": start,
        "end": end,
    }
    count = tf.size(strings, tf.int64)
    return {
        name: tf.RaggedTensor.from_value_rowids(values, text, count, validate=False).to_tensor()
        for name, values in found.items()
    }


def _joined(results, rows):
    """The tokens of all texts, each as the window saw it that owns it, and the text of each."""
    real = results["word"] > 0
    owned = windows.owned(results["position"], real, rows)
    width = tf.shape(real, tf.int64)[1]
    tokens = {
        name: tf.gather(tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], 0)), owned)
        for name, values in results.items()
    }
    return tokens, tf.gather(rows, owned // width)


def _without_punctuation(texts, text, tokens):
    """Which tokens are no marks before or behind all else of their word: `(N,)` bool."""
    mark = texts.are_punctuation(text, tokens["start"], tokens["end"])
    segment, _ = _segments(text, tokens["word"])
    count = _count(segment)
    index = tf.range(tf.size(segment))
    inner = tf.boolean_mask(index, ~mark)
    inner_segment = tf.boolean_mask(segment, ~mark)
    # A word of nothing but marks stays whole: no token is before its first, or behind its last.
    first = tf.math.unsorted_segment_min(inner, inner_segment, count)
    last = tf.math.unsorted_segment_max(inner, inner_segment, count)
    only_marks = tf.gather(first > last, segment)
    within = (index >= tf.gather(first, segment)) & (index <= tf.gather(last, segment))
    return only_marks | within


def _words(tokens, text, aggregation):
    """Name → `(W,)` label, score, start and end of each word, and the text of each."""
    segment, begins = _segments(text, tokens["word"])
    count, index = _count(segment), tf.range(tf.size(segment))
    last = tf.math.unsorted_segment_max(index, segment, count)
    label, score = tokens["label"], tokens["score"]
    if aggregation == "average":
        means = tf.math.unsorted_segment_mean(tokens["probabilities"], segment, count)
        label, score = tf.argmax(means, -1, tf.int32), tf.reduce_max(means, -1)
    else:
        chosen = begins
        if aggregation == "max":
            most = tf.gather(tf.math.unsorted_segment_max(score, segment, count), segment)
            surest = tf.where(score == most, index, tf.int32.max)
            chosen = tf.math.unsorted_segment_min(surest, segment, count)
        label, score = tf.gather(label, chosen), tf.gather(score, chosen)
    start, end = tf.gather(tokens["start"], begins), tf.gather(tokens["end"], last)
    words = {"label": label, "score": score, "start": start, "end": end}
    return words, tf.gather(text, begins)


def _segments(text, word):
    """The number of each token's word over all texts, and the first token of each word."""
    changes = (text[1:] != text[:-1]) | (word[1:] != word[:-1])
    begins = tf.concat([[True], changes], 0)[: tf.size(word)]
    return tf.cumsum(tf.cast(begins, tf.int32)) - 1, tf.cast(tf.where(begins)[:, 0], tf.int32)


def _count(segment):
    return tf.reduce_max(tf.concat([segment, [-1]], 0)) + 1


def _limits(label, text, labels, mark_entities):
    """First and last word of each entity, `(entities,)` int32 each."""
    size = tf.size(label)
    if not mark_entities:
        return tf.range(size), tf.range(size)
    begins, ends = _borders(labels)
    border = tf.constant(len(labels), label.dtype)
    same = text[1:] == text[:-1]
    before = tf.concat([[border], tf.where(same, label[:-1], border)], 0)[:size]
    after = tf.concat([tf.where(same, label[1:], border), [border]], 0)[:size]
    first = tf.where(tf.gather_nd(begins, tf.stack([before, label], 1)))[:, 0]
    last = tf.where(tf.gather_nd(ends, tf.stack([label, after], 1)))[:, 0]
    opened = tf.searchsorted(first, last, side="right") - 1
    return tf.cast(tf.gather(first, opened), tf.int32), tf.cast(last, tf.int32)


def _borders(labels):
    """Whether an entity begins between two tags, and whether one ends: `(C + 1, C + 1)` bool.

    The last row and column stand for the ends of a text.
    """
    from seqeval.metrics.sequence_labeling import end_of_chunk, start_of_chunk

    tags = [tagging.as_bioes(label) for label in [*labels, tagging.OUTSIDE]]
    parts = [(tag[0], tag[2:] or "_") for tag in tags]
    pairs = [[(*before, *after) for after in parts] for before in parts]
    ask = {start_of_chunk: None, end_of_chunk: None}
    for rule in ask:
        ask[rule] = [[rule(b[0], b[2], b[1], b[3]) for b in row] for row in pairs]
    return np.array(ask[start_of_chunk]), np.array(ask[end_of_chunk])
