"""Texts as characters and added tokens such as `<mask>`, as TensorFlow ops."""

import itertools
import re
from typing import NamedTuple

import tensorflow as tf

from tfhf.errors import UserError
from tfhf.exports.tokenizers.pretokenization import ADDED, SPACE, character_kinds, shifted

_MARK, _LAST = 0x100000, 0x10FFFF  # for private use: no token has these characters


class Characters(NamedTuple):
    """The characters of all texts in one row; an added token counts as one character.

    Attributes:
        code_points: `(N,)` int32.
        kinds: `(N,)` int32, as `pretokenization` has them; `ADDED` for an added token.
        tokens: `(N,)` int64, the id of an added token; -1 for others.
        rows: `(N,)` int64, the text of each, ascending.
        starts: `(N,)` int32, where in its text each begins, in characters.
        ends: `(N,)` int32, the place behind it.
        taken: `(N, 2)` int32, white space before and behind an added token that belongs to it.
    """

    code_points: tf.Tensor
    kinds: tf.Tensor
    tokens: tf.Tensor
    rows: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    taken: tf.Tensor

    def gathered(self, index):
        """Some of the characters, or some of them twice: those at `index` `(M,)`."""
        return Characters(*(tf.gather(column, index) for column in self))

    def apart(self):
        """`(N,)` bool, which do not touch the one before: another text, or an added token."""
        added = self.kinds == ADDED
        return added | shifted(added, 1, True) | (self.rows != shifted(self.rows, 1, -1))


class TextReader(tf.Module):
    """Takes texts apart into characters and added tokens."""

    def __init__(self, tokenizer):
        """Takes the added tokens off a tokenizer.

        Args:
            tokenizer: a `PreTrainedTokenizerFast` without a normaliser.

        Raises:
            UserError: if a token is looked for in a way that these ops cannot follow.
        """
        super().__init__(name="reader")
        added = tokenizer.added_tokens_decoder
        if tokenizer.backend_tokenizer.encode_special_tokens:
            added = {number: token for number, token in added.items() if not token.special}
        # Tokens that are not normalised are looked for first.
        tokens = sorted(added.items(), key=lambda item: item[1].normalized)
        _check([token for _, token in tokens])
        self._contents = [token.content for _, token in tokens]
        self._kinds = character_kinds()
        self._strips = any(token.lstrip or token.rstrip for _, token in tokens)
        flags = [(token.lstrip, token.rstrip) for _, token in tokens]
        with tf.device("CPU"):  # what stands at 0 is for characters that are no added token
            self._numbers = tf.constant([-1, *(number for number, _ in tokens)], tf.int64)
            self._lengths = tf.constant([1, *map(len, self._contents)])
            self._flags = tf.constant([(False, False), *flags])

    def __call__(self, texts):
        """Characters of texts, added tokens found.

        Args:
            texts: `(B,)` string, UTF-8.

        Returns:
            Characters.
        """
        # An added token is written as the mark and a character of its own. A mark that was in the
        # text all along is told by the first of these.
        for number, content in enumerate([chr(_MARK), *self._contents]):
            written = chr(_MARK) + chr(_MARK + 1 + number)
            texts = tf.strings.regex_replace(texts, re.escape(content), written)
        decoded = tf.strings.unicode_decode(texts, "UTF-8")
        marks = decoded.values == _MARK
        kept = tf.where(~marks)[:, 0]
        marked = tf.gather(shifted(marks, 1, False), kept)
        code_points = tf.gather(decoded.values, kept)
        number = tf.where(marked, code_points - (_MARK + 1), 0)
        code_points = tf.where(marked, _MARK, code_points)
        rows = tf.gather(decoded.value_rowids(), kept)
        lengths = tf.gather(self._lengths, number)
        ends = tf.cumsum(lengths)
        starts = ends - lengths
        shift = tf.gather(tf.math.segment_min(starts, rows), rows)
        found = Characters(
            code_points,
            tf.where(number > 0, ADDED, self._kinds(code_points)),
            tf.gather(self._numbers, number),
            rows,
            starts - shift,
            ends - shift,
            tf.zeros([tf.size(rows), 2], tf.int32),
        )
        return _stripped(found, tf.gather(self._flags, number)) if self._strips else found


def _stripped(characters, flags):
    """Gives white space to the added tokens beside it that take it; between two, to the first."""
    strips_left, strips_right = tf.unstack(flags, axis=1)
    space = characters.kinds == SPACE
    same_row = characters.rows == shifted(characters.rows, 1, -1)
    changes = characters.apart() | (space != shifted(space, 1, False))
    # From here on by run: of white space, of other characters, or an added token.
    begin = tf.where(changes)[:, 0]
    end = shifted(begin, -1, tf.size(changes)) - 1
    to_first = tf.gather(space & same_row & shifted(strips_right, 1, False), begin)
    to_next = tf.gather(space & shifted(same_row & strips_left, -1, False), end) & ~to_first
    sizes = tf.cast(end - begin + 1, tf.int32)
    before = tf.where(shifted(to_next, 1, False), shifted(sizes, 1, 0), 0)
    behind = tf.where(shifted(to_first, -1, False), shifted(sizes, -1, 0), 0)
    run = tf.cumsum(tf.cast(changes, tf.int64)) - 1
    taken = tf.gather(tf.stack([before, behind], axis=1), run)
    kept = tf.where(~tf.gather(to_first | to_next, run))[:, 0]
    return characters._replace(
        starts=characters.starts - taken[:, 0], ends=characters.ends + taken[:, 1], taken=taken
    ).gathered(kept)


def _check(tokens):
    """Refuses what cannot be found by replacing one token after another."""
    for token in tokens:
        if token.single_word:
            raise UserError(
                f"this tokenizer cannot be exported: add the token {token.content!r} with "
                "single_word=False; received single_word=True"
            )
        if any(_MARK <= ord(char) <= _LAST for char in token.content):
            raise UserError(
                "this tokenizer cannot be exported: its tokens must not have characters for "
                f"private use above U+FFFFF; received {token.content!r}"
            )
    for one, other in itertools.permutations([token.content for token in tokens], 2):
        if one in other or any(one.endswith(other[:size]) for size in range(1, len(other))):
            raise UserError(
                "this tokenizer cannot be exported: two of its special tokens can overlap in a "
                f"text; rename one of them; received {one!r} and {other!r}"
            )
