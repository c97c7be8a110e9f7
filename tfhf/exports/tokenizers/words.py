"""Texts that a tokenizer only has to cut at the spaces, and words it only has to look up."""

import numpy as np
import tensorflow as tf

from tfhf.exports.tokenizers.streams import WHITE_SPACE

_BUCKETS = 2**63 - 1  # as many as there can be: a bucket is a fingerprint


class PlainTexts(tf.Module):
    """Tells which texts no step of a tokenizer changes but at the spaces."""

    def __init__(self, inert, disturbing):
        """Makes the two regular expressions.

        Args:
            inert: `(1114112,)` bool, characters that stay as they are.
            disturbing: list of regular expressions; a text that matches one is not plain.
        """
        super().__init__(name="plain_texts")
        inert = inert.copy()
        inert[[*WHITE_SPACE, *range(0xD800, 0xE000)]] = False
        inside = _ranges(np.flatnonzero(inert))
        self._plain = f"[{inside}][{inside} ]*" if inside else "a^"
        self._disturbed = f"(?s).*(?:{'|'.join(disturbing)}).*" if disturbing else None

    def __call__(self, texts):
        """Which of the texts `(B,)` are plain: not empty, and beginning with no space."""
        plain = tf.strings.regex_full_match(texts, self._plain)
        if self._disturbed:
            plain &= ~tf.strings.regex_full_match(texts, self._disturbed)
        return plain


class KnownWords(tf.Module):
    """Words that are one token each."""

    def __init__(self, words):
        """Makes the tables.

        Args:
            words: dict from word to token id.
        """
        super().__init__(name="known_words")
        texts = list(words) or [""]
        prints = tf.strings.to_hash_bucket_fast(texts, _BUCKETS).numpy()
        order = np.argsort(prints)
        self.count = len(texts)
        with tf.device("CPU"):
            self._prints = tf.constant(prints[order])
            self._texts = tf.constant([texts[number] for number in order])
            self.ids = tf.constant([words.get(texts[number], -1) for number in order], tf.int32)

    def __call__(self, words):
        """The place in `ids` of each word `(W,)`, or -1: `(W,)` int64."""
        prints = tf.strings.to_hash_bucket_fast(words, _BUCKETS)
        place = tf.searchsorted(self._prints, prints, out_type=tf.int64)
        place = tf.minimum(place, self.count - 1)
        known = tf.gather(self._texts, place) == words
        return tf.where(known, place, tf.constant(-1, tf.int64))


def _ranges(code_points):
    """The inside of a character class of RE2 that holds the code points, ascending."""
    runs = np.split(code_points, np.flatnonzero(np.diff(code_points) > 1) + 1)
    return "".join(f"\\x{{{run[0]:x}}}-\\x{{{run[-1]:x}}}" for run in runs if len(run))
