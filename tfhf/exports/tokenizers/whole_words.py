"""Words that are one token, found at once, as TensorFlow ops.

Most words of a text are, and need no merging. A word of up to 14 bytes is written as two numbers
of seven bytes each, and those are looked up.
"""

import numpy as np
import tensorflow as tf

_HALF = 7  # bytes of 9 bits: a byte plus 1, so that no two words have the same numbers
_BITS = 9
_MIXED = np.int64(-7046029254386353131)  # odd: spreads the second number over all 64 bits


class WholeWords(tf.Module):
    """Looks words up in a vocabulary.

    It may miss one, where two have the same key.
    """

    def __init__(self, vocabulary):
        """Makes the tables.

        Args:
            vocabulary: bytes of a word → id. Words of more than 14 bytes are left out.
        """
        super().__init__(name="whole_words")
        short = {word: n for word, n in vocabulary.items() if 0 < len(word) <= 2 * _HALF}
        low = np.array([_number(word[:_HALF]) for word in short], np.int64)
        high = np.array([_number(word[_HALF:]) for word in short], np.int64)
        keys, kept = np.unique(_key(low, high), return_index=True)
        numbers = np.array(list(short.values()), np.int64)
        with tf.device("CPU"):  # the last is for what is above all keys
            self._keys = tf.constant(keys)
            self._low = tf.constant([*low[kept], 0], tf.int64)
            self._high = tf.constant([*high[kept], 0], tf.int64)
            self._numbers = tf.constant([*numbers[kept], -1], tf.int64)

    def __call__(self, values, words):
        """Looks up words.

        Args:
            values: `(N,)` int64, bytes of all words; what is no byte is above 255.
            words: `(N,)` int64, the number of the word of each: 0, 1, …

        Returns:
            `(W,)` int64 ids, -1 where there is none, and `(W,)` int64 places in `values` where
            each word begins.
        """
        place = tf.range(tf.size(values, tf.int64))
        firsts = tf.math.segment_min(place, words)
        offset = place - tf.gather(firsts, words)
        inside = offset < 2 * _HALF
        second = tf.cast(offset >= _HALF, tf.int64)
        shift = tf.where(inside, _BITS * (offset - _HALF * second), 0)
        code = tf.bitwise.left_shift(values + 1, shift)
        count = tf.size(firsts, tf.int64)
        halves = tf.math.unsorted_segment_sum(code, words * 2 + second, 2 * count)
        low, high = tf.unstack(tf.reshape(halves, [-1, 2]), axis=1)
        row = tf.searchsorted(self._keys, _key(low, high))
        same = (tf.gather(self._low, row) == low) & (tf.gather(self._high, row) == high)
        short = tf.math.segment_max(offset, words) < 2 * _HALF
        return tf.where(same & short, tf.gather(self._numbers, row), -1), firsts


def _number(part):
    """Up to seven bytes as one number."""
    return sum((byte + 1) << (_BITS * place) for place, byte in enumerate(part))


def _key(low, high):
    """A number for both; two pairs may share it."""
    return low + high * _MIXED
