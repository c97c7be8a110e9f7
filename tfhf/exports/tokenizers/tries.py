"""A vocabulary as a trie in sorted arrays, walked by all positions of all texts together.

Nodes are numbered breadth first, so the sorted array of `parent * symbols + symbol` holds every
edge in the order of the children's numbers: one binary search finds an edge and the child at once.
"""

import numpy as np
import tensorflow as tf


class Trie(tf.Module):
    """Finds entries of a vocabulary in rows of symbols."""

    def __init__(self, entries, count):
        """Builds the trie.

        Args:
            entries: list of tuples of symbols, none empty and no two equal.
            count: symbols are in [0, count).
        """
        super().__init__(name="trie")
        edges, entry_of = _numbered(entries, count)
        self.depth = max(map(len, entries), default=0)
        with tf.device("CPU"):
            self._edges = tf.constant(edges)
            self._entry_of = tf.constant(entry_of)
        self._count = count

    def matches(self, symbols, ends, note, noted):
        """Walks from every position as far as the trie goes.

        Args:
            symbols: `(P,)` int64; one that stands in no entry matches nothing.
            ends: `(P,)` int64, the position before which a match from each position must end.
            note: called for every length of a match in turn, as
                `note(noted, length, positions, entries)`: `(M,)` int64 positions from which an
                entry of this length begins, and the entries' int32 numbers; returns `noted` anew.
            noted: a tensor to begin with.

        Returns:
            `noted` in the end.
        """
        final = tf.size(symbols, tf.int64) - 1

        def walk(position, node, depth, noted):
            place = position + depth
            key = node * self._count + tf.gather(symbols, tf.minimum(place, final))
            edge = tf.searchsorted(self._edges, key, out_type=tf.int64)
            edge = tf.minimum(edge, tf.size(self._edges, tf.int64) - 1)
            found = (tf.gather(self._edges, edge) == key) & (place < tf.gather(ends, position))
            found = tf.where(found)[:, 0]
            position, node, depth = (
                tf.gather(position, found),
                tf.gather(edge, found) + 1,
                depth + 1,
            )
            entry = tf.gather(self._entry_of, node)
            whole = tf.where(entry >= 0)[:, 0]
            noted = note(noted, depth, tf.gather(position, whole), tf.gather(entry, whole))
            return position, node, depth, noted

        position = tf.range(tf.size(symbols, tf.int64))
        start = position, tf.zeros_like(position), tf.constant(0, tf.int64), noted
        return while_any(walk, start)[-1]


def while_any(step, state):
    """Repeats `step` until the first part of the state, the live positions, is empty."""
    return tf.while_loop(lambda *now: tf.size(now[0]) > 0, step, state)


def _numbered(entries, count):
    """Numbers a trie's nodes breadth first.

    Returns:
        edges `(E,)` int64, sorted: `parent * count + symbol`, whose child is node `index + 1`;
        entry_of `(E + 1,)` int32, the number of the entry that ends at a node, or -1.
    """
    children, entry_of = [{}], [-1]
    for number, symbols in enumerate(entries):
        node = 0
        for symbol in symbols:
            if symbol not in children[node]:
                children[node][symbol] = len(children)
                children.append({})
                entry_of.append(-1)
            node = children[node][symbol]
        entry_of[node] = number
    order, edges = [0], []
    for number, node in enumerate(order):  # grows while it is walked
        for symbol in sorted(children[node]):
            edges.append(number * count + symbol)
            order.append(children[node][symbol])
    entry_of = np.array([entry_of[node] for node in order], np.int32)
    return np.array(edges or [-1], np.int64), entry_of
