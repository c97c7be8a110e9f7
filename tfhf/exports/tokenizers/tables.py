"""Tables over all code points, small enough to stand in a graph."""

import numpy as np
import tensorflow as tf

CODE_POINTS = 0x110000
_PAGE = 256


class PagedTable(tf.Module):
    """A number for each code point; equal pages of 256 code points are kept once."""

    def __init__(self, values):
        """Packs `(N,)` integers, N a multiple of 256, as many as there are code points or more."""
        super().__init__(name="table")
        pages, page_of = np.unique(np.reshape(values, (-1, _PAGE)), axis=0, return_inverse=True)
        with tf.device("CPU"):
            self._pages = tf.constant(page_of.reshape(-1), tf.int32)
            self._values = tf.constant(pages.reshape(-1), tf.int32)

    def __call__(self, code_points):
        """Looks up `(N,)` int32 code points: `(N,)` int32."""
        page = tf.gather(self._pages, code_points // _PAGE)
        return tf.gather(self._values, page * _PAGE + code_points % _PAGE)


class RowTable(tf.Module):
    """Rows of code points, of any length."""

    def __init__(self, rows):
        """Packs a list of lists of code points."""
        super().__init__(name="rows")
        lengths = np.array([len(row) for row in rows], np.int64)
        with tf.device("CPU"):
            self._lengths = tf.constant(lengths)
            self._firsts = tf.constant(np.cumsum(lengths) - lengths)
            self._values = tf.constant([value for row in rows for value in row] + [0], tf.int32)

    def counts(self, rows):
        """Values in each row `(N,)` int64, and 1 for the row -1: `(N,)` int64."""
        return tf.where(rows < 0, tf.constant(1, tf.int64), tf.gather(self._lengths, _some(rows)))

    def __call__(self, rows, places):
        """The value at each place `(N,)` int64 of each row `(N,)`: `(N,)` int32."""
        return tf.gather(self._values, tf.gather(self._firsts, _some(rows)) + places)


def _some(rows):
    """Rows that can be looked up: the first in the place of -1."""
    return tf.maximum(rows, 0)


def paged(values, fill):
    """Values of the code points, lengthened to full pages by `fill`."""
    rest = -len(values) % _PAGE
    return np.append(values, np.full(rest, fill, np.int64))
