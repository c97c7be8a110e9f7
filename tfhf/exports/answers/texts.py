"""Texts as code points, of which parts can be found, trimmed and cut out.

Shapes: B texts, N parts of texts. A part is its text's number and its characters, counted in code
points, the end excluded.
"""

import functools
import sys
import unicodedata

import numpy as np
import tensorflow as tf


class Texts:
    """A batch of texts, decoded once.

    Args:
        texts: `(B,)` string, UTF-8; a byte that is none counts as U+FFFD.
    """

    def __init__(self, texts):
        decoded = tf.strings.unicode_decode(texts, "UTF-8")
        self.points = decoded.values
        self._begins = decoded.row_starts()
        self._ends = decoded.row_limits()

    def parts(self, rows, starts, ends):
        """The parts themselves: `(N,)` string, for `(N,)` integers."""
        index = tf.ragged.range(*self._absolute(rows, starts, ends))
        points = index.with_values(tf.gather(self.points, index.values))
        return tf.strings.unicode_encode(points, "UTF-8")

    def stripped(self, rows, starts, ends):
        """Parts without the blanks at their ends, as `str.strip` has them.

        Returns:
            New `(starts, ends)`; equal where there is nothing but blanks.
        """
        begin, end = self._absolute(rows, starts, ends)
        shown = tf.where(~_is("blank", self.points))[:, 0]
        size = tf.size(self.points, tf.int64)
        after = tf.gather(tf.concat([shown, [size]], 0), tf.searchsorted(shown, begin))
        before = tf.gather(tf.concat([[-1], shown], 0), tf.searchsorted(shown, end)) + 1
        after = tf.minimum(after, end)
        return self._relative(rows, after, tf.maximum(before, after))

    def with_marks(self, rows, starts, ends):
        """Parts with the combining marks that belong to their first and last letters.

        Returns:
            New `(starts, ends)`.
        """
        begin, end = self._absolute(rows, starts, ends)
        letters = tf.where(~_is("mark", self.points))[:, 0]
        size = tf.size(self.points, tf.int64)
        last = tf.searchsorted(letters, begin, side="right")
        begin = tf.maximum(
            tf.gather(tf.concat([[0], letters], 0), last), tf.gather(self._begins, rows)
        )
        following = tf.gather(tf.concat([letters, [size]], 0), tf.searchsorted(letters, end))
        end = tf.minimum(following, tf.gather(self._ends, rows))
        return self._relative(rows, begin, end)

    def are_punctuation(self, rows, starts, ends):
        """Which parts, without blanks, are nothing but punctuation: `(N,)` bool."""
        begin, end = self._absolute(rows, *self.stripped(rows, starts, ends))
        marks = tf.cumsum(tf.cast(_is("punctuation", self.points), tf.int64))
        marks = tf.concat([[tf.constant(0, tf.int64)], marks], 0)
        return (end > begin) & (tf.gather(marks, end) - tf.gather(marks, begin) == end - begin)

    def _absolute(self, rows, starts, ends):
        begin = tf.gather(self._begins, rows)
        return begin + tf.cast(starts, tf.int64), begin + tf.cast(ends, tf.int64)

    def _relative(self, rows, starts, ends):
        begin = tf.gather(self._begins, rows)
        return tf.cast(starts - begin, tf.int32), tf.cast(ends - begin, tf.int32)


@functools.cache
def _borders(kind):
    """The code points at which a class of characters begins or ends, `(E,)` int32."""
    belongs = {
        "blank": str.isspace,
        "mark": lambda one: unicodedata.category(one) in ("Mn", "Mc", "Me"),
        "punctuation": lambda one: unicodedata.category(one)[0] == "P",
    }[kind]
    inside = np.fromiter((belongs(chr(one)) for one in range(sys.maxunicode + 1)), bool)
    return np.flatnonzero(np.diff(inside, prepend=False)).astype(np.int32)


def _is(kind, points):
    """Which code points belong to a class, as Python's Unicode tables have it."""
    return tf.searchsorted(_borders(kind), points, side="right") % 2 == 1
