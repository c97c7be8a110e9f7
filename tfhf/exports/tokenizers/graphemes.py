"""A SentencePiece character map in TensorFlow ops, with the places of what it writes."""

import numpy as np
import tensorflow as tf

from tfhf.errors import UserError
from tfhf.exports.tokenizers.charsmaps import LONGEST_GRAPHEME, read_graphemes, replacements
from tfhf.exports.tokenizers.pretokenization import shifted
from tfhf.exports.tokenizers.streams import last, since
from tfhf.exports.tokenizers.tables import CODE_POINTS, PagedTable, RowTable, paged

_CONTROL, _EXTENDS, _PREPENDS, _OTHER = 0, 1, 2, 3


class CharacterMap(tf.Module):
    """The tokenizers library's `Precompiled` normaliser."""

    disturbing = None

    def __init__(self, charsmap):
        """Makes the tables.

        Args:
            charsmap: bytes, SentencePiece's `precompiled_charsmap`.

        Raises:
            UserError: if the map replaces three characters at once.
        """
        super().__init__(name="character_map")
        found, joining = replacements(charsmap), read_graphemes()
        singles = {text: row for row, text in enumerate(found) if len(text) == 1}
        pairs = _pairs(found)
        rows = np.full(CODE_POINTS, -1, np.int64)
        rows[[ord(text) for text in singles]] = list(singles.values())
        kinds = np.full(CODE_POINTS, _OTHER)
        kinds[joining.extends] = _EXTENDS
        kinds[joining.prepends] = _PREPENDS
        kinds[joining.controls] = _CONTROL
        order = sorted(pairs)
        self._rows = PagedTable(paged(rows, -1))
        self._kinds = PagedTable(paged(kinds, _CONTROL))
        written = [[ord(char) for char in text] for text in found.values()]
        self._absorbed = np.int64(len(written))  # an empty row
        self._table = RowTable([*written, []])
        with tf.device("CPU"):
            self._pairs = tf.constant(order or [-1], tf.int64)
            self._rows_of_pair = tf.constant([pairs[key] for key in order] or [-1], tf.int64)
        self.inert = (rows < 0) & (kinds == _OTHER)

    def __call__(self, stream):
        """Rewrites a `Stream`."""
        heads, counts, whole = self._graphemes(stream)
        alone = self._rows_alone(stream)
        row = tf.where(alone >= 0, alone, self._rows_of_pairs(stream, heads))
        replaced = tf.gather(whole & (row >= 0), last(heads))
        rows = tf.where(replaced, tf.where(heads, row, self._absorbed), alone)
        written, place = stream.rewritten(self._table, rows)
        units, taken = heads | ~replaced, tf.where(replaced, counts, tf.ones_like(counts))
        source = _sources(stream, written, place, units, taken, self._table.counts(rows) - taken)
        return written._replace(
            starts=tf.gather(stream.starts, source), ends=tf.gather(stream.ends, source)
        )

    def _rows_alone(self, stream):
        """The row each character alone is replaced by, or -1."""
        rows = self._rows(tf.minimum(stream.values, CODE_POINTS - 1))
        return tf.cast(tf.where(stream.added, -1, rows), tf.int64)

    def _graphemes(self, stream):
        """Which characters begin a grapheme; how many it has; whether it is short."""
        kinds = self._kinds(tf.minimum(stream.values, CODE_POINTS - 1))
        kinds = tf.where(stream.added, _CONTROL, kinds)
        before = shifted(kinds, 1, _CONTROL)
        joins = (kinds == _EXTENDS) & (before != _CONTROL)
        joins |= (before == _PREPENDS) & (kinds != _CONTROL)
        joins |= (stream.values == ord("\n")) & (shifted(stream.values, 1, 0) == ord("\r"))
        heads = stream.apart | ~joins
        limits = tf.constant([0x80, 0x800, 0x10000], tf.int32)
        sizes = 1 + tf.reduce_sum(tf.cast(stream.values[:, None] >= limits, tf.int64), axis=1)
        number = tf.cumsum(tf.cast(heads, tf.int64)) - 1
        counts = tf.gather(tf.math.segment_sum(tf.ones_like(sizes), number), number)
        sizes = tf.gather(tf.math.segment_sum(sizes, number), number)
        return heads, counts, (counts > 1) & (sizes <= LONGEST_GRAPHEME)

    def _rows_of_pairs(self, stream, heads):
        """The row that each character and the next in its grapheme are replaced by, or -1."""
        values = tf.cast(stream.values, tf.int64)
        following = tf.where(
            shifted(heads, -1, True), tf.zeros_like(values), shifted(values, -1, 0)
        )
        key = values * CODE_POINTS + following
        place = tf.searchsorted(self._pairs, key, out_type=tf.int64)
        place = tf.minimum(place, tf.size(self._pairs, tf.int64) - 1)
        found = tf.gather(self._pairs, place) == key
        return tf.where(found, tf.gather(self._rows_of_pair, place), tf.constant(-1, tf.int64))


def _pairs(found):
    """What two characters are replaced by: their number → row; only where the first is not."""
    pairs = {}
    for row, text in enumerate(found):
        shorter = any(text[:size] in found for size in range(1, len(text)))
        if len(text) < 2 or shorter:  # the shortest beginning that the map knows counts
            continue
        if len(text) > 2:
            raise UserError(
                "this tokenizer cannot be exported: its character map replaces three characters "
                f"at once; received {text!r}"
            )
        pairs[ord(text[0]) * CODE_POINTS + ord(text[1])] = row
    return pairs


def _sources(stream, written, place, units, taken, differences):
    """The character whose place each written character has, as the library notes it.

    It keeps places by a list of changes: 1 for a character that is new, 0 for one that stands for
    one that was, -n for one that also stands for n removed behind it. Characters beyond as many
    as there were are new; those missing count for the last character written before, whatever it
    was, and at the beginning of a segment for none.

    Args:
        stream: the `Stream` before.
        written: the `Stream` after.
        place: `(M,)` int64, the character that each written one comes from.
        units: `(N,)` bool, which characters begin what was replaced together.
        taken: `(N,)` int64, how many characters that was.
        differences: `(N,)` int64, how many more were written.

    Returns:
        `(M,)` int64.

    Source: `normalizers/precompiled.rs` of https://github.com/huggingface/tokenizers
    """
    size, count = (tf.size(part, tf.int64) for part in (stream.values, place))
    index = tf.range(count)
    number = tf.math.unsorted_segment_sum(tf.ones_like(place), place, size)
    behind = tf.cumsum(number)  # written up to each character and for it
    inside = index - tf.gather(behind - number, place)
    changes = tf.cast(inside >= tf.gather(taken, place), tf.int64)
    missing = tf.where(units & (differences < 0))[:, 0]
    before = tf.gather(behind, missing) - 1
    segments = tf.concat([[-1], written.segments], 0)  # before the first there is none
    same = tf.gather(segments, before + 1) == tf.gather(stream.segments, missing)
    changes += tf.math.unsorted_segment_sum(
        tf.gather(differences, missing), tf.where(same, before, -tf.ones_like(before)), count
    )
    used = tf.where(changes > 0, tf.zeros_like(changes), 1 - changes)
    passed = since(tf.cumsum(used) - used, written.apart)
    begin = tf.gather(last(stream.apart), place)
    source = begin + passed - tf.cast(changes > 0, tf.int64)
    return tf.minimum(tf.maximum(source, begin), size - 1)
