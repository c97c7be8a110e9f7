"""The characters of many texts in one row, changed step by step, each knowing where it stood."""

from typing import NamedTuple

import tensorflow as tf

from tfhf.exports.tokenizers.pretokenization import shifted
from tfhf.exports.tokenizers.tables import CODE_POINTS

# What `\\s` and `char::is_whitespace` of Rust mean.
WHITE_SPACE = (
    *range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
    0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
)  # fmt: skip


class Stream(NamedTuple):
    """Characters of B texts.

    Attributes:
        values: `(N,)` int32 code points; from 0x110000 on, the numbers of added tokens.
        rows: `(N,)` int64, the text of each, ascending.
        starts: `(N,)` int32, the first character of its text that each stands for.
        ends: `(N,)` int32, the one behind the last.
        segments: `(N,)` int64, ascending: what stands between two added tokens is one segment,
            and so is an added token.
    """

    values: tf.Tensor
    rows: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    segments: tf.Tensor

    @classmethod
    def of(cls, texts):
        """Decodes `(B,)` strings; bytes that are not UTF-8 become U+FFFD."""
        decoded = tf.strings.unicode_decode(texts, "UTF-8")
        rows = decoded.value_rowids()
        place = tf.range(tf.size(decoded.values, tf.int64))
        starts = tf.cast(place - tf.gather(decoded.row_starts(), rows), tf.int32)
        return cls(decoded.values, rows, starts, starts + 1, rows)

    @property
    def apart(self):
        """`(N,)` bool, which characters begin a segment."""
        return self.segments != shifted(self.segments, 1, -1)

    @property
    def closing(self):
        """`(N,)` bool, which characters end a segment."""
        return shifted(self.apart, -1, True)

    @property
    def added(self):
        """`(N,)` bool, which are added tokens."""
        return self.values >= CODE_POINTS

    def at(self, places):
        """The stream of the characters at `places` `(M,)`."""
        return Stream(*(tf.gather(part, places) for part in self))

    def where(self, kept):
        """The stream of the characters for which `kept` `(N,)` is true."""
        return self.at(tf.where(kept)[:, 0])

    def rewritten(self, table, rows):
        """Puts a row of characters in the place of each.

        Args:
            table: a `RowTable`.
            rows: `(N,)` int64, the row of each character; -1 leaves it as it is.

        Returns:
            The stream, and `(M,)` int64 place of the character each comes from.
        """
        counts = table.counts(rows)
        place = tf.repeat(tf.range(tf.size(rows, tf.int64)), counts)
        inside = tf.range(tf.size(place, tf.int64)) - tf.gather(tf.cumsum(counts) - counts, place)
        row, stream = tf.gather(rows, place), self.at(place)
        values = tf.where(row < 0, stream.values, table(row, inside))
        return stream._replace(values=values), place


def since(numbers, begins):
    """Numbers less that of the last place before them, or at them, where `begins` is true.

    Args:
        numbers: `(N,)` integers.
        begins: `(N,)` bool, true at the first place.

    Returns:
        `(N,)` integers.
    """
    return numbers - tf.gather(numbers, last(begins))


def last(begins):
    """The last place before each, or at it, where `begins` `(N,)` is true: `(N,)` int64."""
    return tf.gather(tf.where(begins)[:, 0], tf.cumsum(tf.cast(begins, tf.int64)) - 1)


def coming(ends):
    """The next place behind each, or at it, where `ends` `(N,)` is true: `(N,)` int64.

    It must be true at the last place.
    """
    counts = tf.cast(ends, tf.int64)
    return tf.gather(tf.where(ends)[:, 0], tf.cumsum(counts) - counts)


def is_white(values):
    """Which code points `(N,)` are white space."""
    return tf.reduce_any(values[:, None] == tf.constant(WHITE_SPACE, tf.int32), axis=1)
