"""The best way to write words with a unigram vocabulary: Viterbi's algorithm in TensorFlow ops.

A word's score is the sum of the scores of its tokens, in float64 as in the tokenizers library,
where such sums are exact; of several ways with the same score the one wins that the library finds
first: whose last token is longest, then the one before it, and so on.

Where no entry reaches across, a word can be cut before the search, so all pieces of all words are
searched together, one character of each at a time. That takes as many steps as the longest piece
has characters: some ten for real words; only a long run such as `aaaa…` needs one per character.

Source: Kudo 2018, section 3.2, https://arxiv.org/abs/1804.10959
"""

import numpy as np
import tensorflow as tf

from tfhf.exports.tokenizers.pretokenization import shifted
from tfhf.exports.tokenizers.streams import coming, last
from tfhf.exports.tokenizers.tries import Trie, while_any

_UNKNOWN_PENALTY = 10.0  # below the lowest score, as in SentencePiece


class Lattice(tf.Module):
    """A vocabulary with scores that writes words."""

    def __init__(self, entries, count, ids, scores, unknown, lowest):
        """Makes the tables.

        Args:
            entries: list of tuples of symbols.
            count: symbols are in [0, count); some may stand in no entry.
            ids: token id of each entry.
            scores: score of each entry.
            unknown: id of the token for what no entry writes.
            lowest: the lowest score of the vocabulary.
        """
        super().__init__(name="lattice")
        self._unknown = unknown
        self._trie = Trie(entries, count)
        self._no_entry, self._unknown_entry = len(entries), len(entries) + 1
        with tf.device("CPU"):
            self._ids = tf.constant([*ids, unknown, unknown], tf.int32)
            self._scores = tf.constant([*scores, -np.inf, lowest - _UNKNOWN_PENALTY], tf.float64)
        self._lengths = np.arange(1, max(self._trie.depth, 1) + 1)

    def __call__(self, symbols, begins):
        """Splits words into tokens.

        Args:
            symbols: `(P,)` int64, the characters of all words.
            begins: `(P,)` bool, which begin a word.

        Returns:
            `(M,)` int64 places where tokens begin, ascending, and `(M,)` int32 their ids. A token
            ends where the next one begins. What no entry writes is one token, however long.
        """
        ending = self._entries(symbols, begins)
        first, final = _pieces(begins, ending[:, 1:] != self._no_entry)
        lengths = self._search(ending, first, final)
        place = _token_places(lengths, first, final)
        behind = tf.concat([place[1:], [tf.size(symbols, tf.int64)]], 0)[: tf.size(place)]
        entry = tf.gather_nd(ending, tf.stack([behind - 1, behind - place - 1], axis=1))
        ids = tf.gather(self._ids, entry)
        # As in the library, an entry that has the unknown token's id counts as unknown as well.
        unknown = ids == self._unknown
        repeats = unknown & shifted(unknown, 1, False) & ~tf.gather(begins, place)
        kept = tf.where(~repeats)[:, 0]
        return tf.gather(place, kept), tf.gather(ids, kept)

    def _entries(self, symbols, begins):
        """Entries by the place where they end and their length: `(P, L)` int32."""
        size = tf.size(symbols, tf.int64)
        ends = coming(shifted(begins, -1, True)) + 1

        def note(ending, length, positions, entries):
            column = tf.fill(tf.shape(positions), length - 1)
            where = tf.stack([positions + length - 1, column], axis=1)
            return tf.tensor_scatter_nd_update(ending, where, entries)

        ending = tf.fill([size, len(self._lengths)], tf.constant(self._no_entry, tf.int32))
        ending = self._trie.matches(symbols, ends, note, ending)
        alone = tf.where(ending[:, :1] == self._no_entry, self._unknown_entry, ending[:, :1])
        return tf.concat([alone, ending[:, 1:]], axis=1)

    def _search(self, ending, first, final):
        """Length of the last token of the best way to each place: `(P,)` int64."""
        scores = tf.gather(self._scores, ending)
        place = tf.range(tf.size(first, tf.int64))
        # Where each token's way so far ends: its place in `best`, which begins with no way at all.
        past = place[:, None] + 1 - self._lengths
        past = tf.where(past > first[:, None], past, tf.zeros_like(past))

        def extend(place, best):
            total = tf.gather(best, tf.gather(past, place)) + tf.gather(scores, place)
            best = tf.tensor_scatter_nd_update(
                best, place[:, None] + 1, tf.reduce_max(total, axis=1)
            )
            return tf.gather(place, tf.where(place < tf.gather(final, place))[:, 0]) + 1, best

        best = tf.zeros([tf.size(place) + 1], tf.float64)
        best = while_any(extend, (tf.where(place == first)[:, 0], best))[1]
        top = tf.gather(best, past) + scores == best[1:, None]
        return tf.reduce_max(tf.where(top, self._lengths, tf.zeros_like(past)), axis=1)


def _pieces(begins, longer):
    """The first and the last place of the piece of each place; no entry reaches across pieces.

    Args:
        begins: `(P,)` bool, which places begin a word.
        longer: `(P, L - 1)` bool, whether an entry of 2, 3, … characters ends at each place.
    """
    size = tf.size(begins, tf.int64)
    final, column = tf.unstack(tf.where(longer), axis=1)
    # An entry forbids cuts from its second place on, and no longer behind its last.
    forbidden = tf.math.unsorted_segment_sum(tf.ones_like(final), final - column, size + 1)
    forbidden -= tf.math.unsorted_segment_sum(tf.ones_like(final), final + 1, size + 1)
    cuts = begins | (tf.cumsum(forbidden)[:-1] == 0)
    return last(cuts), coming(shifted(cuts, -1, True))


def _token_places(lengths, first, final):
    """Where the tokens of the best way begin: `(M,)` int64, ascending."""

    def jump(place, taken):
        begin = place + 1 - tf.gather(lengths, place)
        taken = tf.tensor_scatter_nd_update(taken, begin[:, None], tf.ones_like(begin, tf.bool))
        going = tf.where(begin > tf.gather(first, place))[:, 0]
        return tf.gather(begin, going) - 1, taken

    place = tf.range(tf.size(lengths, tf.int64))
    start = tf.where(place == final)[:, 0], tf.zeros_like(lengths, tf.bool)
    return tf.where(while_any(jump, start)[1])[:, 0]
