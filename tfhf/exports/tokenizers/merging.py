"""Byte-pair merging of many words at once, as TensorFlow ops.

Byte-pair encoding joins, again and again, the pair of neighbours in a word that comes first in the
list of merges. One pair at a time would be slow here, so each round joins every pair that is sure
to be joined in the end:

- the first pair of each word, by that rule; and
- any pair whose two tokens nobody can take away before its turn. The left one could only be
  taken by a merge of a token ending like its left neighbour, the right one by a merge with a token
  beginning like its right neighbour: tokens only grow. The earliest such merges are in a table.

A run of one token (`aaaaa`) is joined two by two from its left end. All this holds if each token's
merges come later than those that make its parts, which is so in any trained list; with another
list only the first rule is used. A word of n bytes takes some log(n) rounds.
"""

import numpy as np
import tensorflow as tf

_NEVER = np.int32(2**31 - 1)


class Merges(tf.Module):
    """A list of merges, applied to all words of a batch together."""

    def __init__(self, merges, vocabulary):
        """Makes the tables.

        Args:
            merges: list of pairs of token texts, the first to be joined first.
            vocabulary: text of a token → id; holds the parts and the results of all merges.
        """
        super().__init__(name="merges")
        self._count = max(vocabulary.values()) + 1
        self._ordered = _is_ordered(merges)
        table = _pair_table(merges, vocabulary)
        pairs = np.array([first * self._count + second for first, second in table], np.int64)
        order = np.argsort(pairs)
        ranks = np.array(list(table.values()), np.int32).reshape(-1, 3)[order]
        with tf.device("CPU"):  # the last is for pairs that are in no merge
            self._pairs = tf.constant([*pairs[order], np.iinfo(np.int64).max], tf.int64)
            self._ranks = tf.constant([*ranks, [_NEVER] * 3], tf.int32)
            self._results = tf.constant([*(vocabulary[a + b] for a, b in merges), 0], tf.int64)

    def __call__(self, tokens, words, count):
        """Joins tokens within words until no merge applies.

        Args:
            tokens: `(N,)` int64 ids, such as those of single bytes.
            words: `(N,)` int64 number of the word of each, ascending.
            count: scalar, above all those numbers.

        Returns:
            `(M,)` int64 ids, and `(M,)` int64 places in `tokens` where each begins.
        """

        def join(_, tokens, words, places):
            ranks, taken_right, taken_left = self._look_up(tokens, words)
            mergeable = ranks < _NEVER
            best = mergeable & (ranks == tf.gather(tf.math.segment_min(ranks, words), words))
            if self._ordered:
                joined = mergeable & _safe(ranks, taken_right, taken_left, mergeable, best)
            else:
                joined = _first_of_words(best, words)
            result = tf.gather(self._results, tf.where(joined, ranks, 0))
            tokens = tf.where(joined, result, tokens)
            kept = tf.where(~tf.roll(joined, 1, 0))[:, 0]
            parts = [tf.gather(part, kept) for part in (tokens, words, places)]
            return tf.reduce_any(joined), *parts

        # A word at the end that nothing joins, not even itself: so each token has a next one.
        tokens = tf.concat([tokens, [self._count]], 0)
        words = tf.concat([words, [tf.cast(count, tf.int64)]], 0)
        start = (tf.constant(True), tokens, words, tf.range(tf.size(tokens, tf.int64)))
        _, tokens, _, places = tf.while_loop(lambda again, *_: again, join, start)
        return tokens[:-1], places[:-1]

    def _look_up(self, tokens, words):
        """The three columns of the pair table, for each token and the next."""
        pairs = tokens * self._count + tf.roll(tokens, -1, 0)
        place = tf.searchsorted(self._pairs, pairs)
        found = (tf.gather(self._pairs, place) == pairs) & (words == tf.roll(words, -1, 0))
        row = tf.where(found, place, tf.size(self._pairs) - 1)
        return tf.unstack(tf.gather(self._ranks, row), axis=1)


def _first_of_words(chosen, words):
    """The first of the chosen pairs of each word."""
    place = tf.range(tf.size(words))
    order = tf.where(chosen, place, tf.size(words))
    return chosen & (order == tf.gather(tf.math.segment_min(order, words), words))


def _safe(ranks, taken_right, taken_left, mergeable, best):
    """Which pairs are sure to be joined, whatever happens around them."""
    taken_right = tf.roll(taken_right, 1, 0)  # by the pair on the left
    taken_left = tf.roll(taken_left, -1, 0)  # by the pair on the right
    alone = best | ((ranks < taken_right) & (ranks <= taken_left))
    # Only a run of one token has neighbouring pairs of equal rank; a pair is then taken by the
    # one before it, if that is joined.
    runs_on = mergeable & (ranks == tf.roll(ranks, 1, 0))

    def in_runs():
        begin = tf.where(~runs_on)[:, 0]
        run = tf.cumsum(tf.cast(~runs_on, tf.int32)) - 1
        odd = (tf.range(tf.size(ranks, tf.int64)) - tf.gather(begin, run)) % 2 == 1
        inside = best | ((ranks <= taken_right) & (ranks <= taken_left))
        return tf.where(runs_on, inside & ~odd, alone) & tf.gather(tf.gather(alone, begin), run)

    return tf.cond(tf.reduce_any(runs_on), in_runs, lambda: alone)


def _is_ordered(merges):
    """Whether every merge comes after those that make its parts."""
    made = {}
    for rank, (first, second) in enumerate(merges):
        made[first + second] = rank
    return all(
        max(made.get(first, -1), made.get(second, -1)) < rank
        for rank, (first, second) in enumerate(merges)
    )


def _pair_table(merges, vocabulary):
    """What is known of two neighbouring tokens: `(first id, second id)` → three ranks.

    The ranks are of the merge of the two; of the earliest merge of the second with a token that
    ends like the first; of the earliest merge of the first with one that begins like the second.
    """
    table = {}

    def note(first, second, columns, rank):
        if first in vocabulary and second in vocabulary:
            ranks = table.setdefault((vocabulary[first], vocabulary[second]), [_NEVER] * 3)
            for column in columns:
                ranks[column] = min(ranks[column], rank)

    for rank, (first, second) in enumerate(merges):
        note(first, second, (0, 1, 2), rank)
        for cut in range(1, len(first)):
            note(first[cut:], second, (1,), rank)
        for cut in range(1, len(second)):
            note(first, second[:cut], (2,), rank)
    return table
