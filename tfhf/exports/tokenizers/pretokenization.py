"""GPT-2's splitting of texts into words, as TensorFlow ops on characters.

GPT-2 splits by the regular expression

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+

which RE2, the only engine in TensorFlow, cannot run: it has no look-ahead, and knows neither
these white spaces nor this version of Unicode. In words: a word is a run of letters, of digits, or
of other visible characters, with the space before it; contractions are words of their own where
the apostrophe begins one; of a run of white space the last character stands apart from the rest
if something visible follows.

Source: Radford et al. 2019, https://github.com/openai/gpt-2/blob/master/src/encoder.py
"""

import functools

import numpy as np
import tensorflow as tf

from tfhf.exports.tokenizers.tables import CODE_POINTS, PagedTable

SPACE, LETTER, NUMBER, OTHER, ADDED = range(5)
_BLOCK = 4096  # characters per question


def character_kinds():
    """Makes the table of what every code point is: `SPACE`, `LETTER`, `NUMBER` or `OTHER`.

    It is read off the tokenizers library, in the version of Unicode that it knows.

    Returns:
        PagedTable.
    """
    return PagedTable(_kinds())


def word_begins(code_points, kinds, apart):
    """Finds where words begin.

    Args:
        code_points: `(N,)` int32, the characters of all texts.
        kinds: `(N,)` int32, the kind of each.
        apart: `(N,)` bool, which characters belong to another text than the one before.

    Returns:
        `(N,)` bool.
    """
    visible = kinds != SPACE
    changes = apart | (kinds != shifted(kinds, 1, SPACE))
    behind_space = shifted(code_points, 1, 0) == ord(" ")
    size = _contractions(code_points, kinds, apart, behind_space)
    inside = shifted(size >= 2, 1, False) | shifted(size == 3, 2, False)
    behind = shifted(size == 2, 2, False) | shifted(size == 3, 3, False)
    word = (changes | behind) & ~inside & ~behind_space
    last_space = shifted(visible & ~apart, -1, False)
    return apart | tf.where(visible, word, changes | last_space)


def shifted(values, places, fill):
    """Values moved right by `places` (left if negative), and `fill` where none are."""
    size = tf.size(values)
    filling = tf.fill([tf.minimum(abs(places), size)], tf.cast(fill, values.dtype))
    if places > 0:
        return tf.concat([filling, values[:-places]], axis=0)
    return tf.concat([values[-places:], filling], axis=0)


def _contractions(code_points, kinds, apart, behind_space):
    """Characters in the contraction that begins at each character; 0 if none does."""
    joins = (shifted(kinds, 1, SPACE) == OTHER) | behind_space
    begins = (code_points == ord("'")) & (apart | ~joins)
    # A contraction does not go on in the next text.
    first = shifted(tf.where(apart, 0, code_points), -1, 0)
    second = shifted(tf.where(apart | shifted(apart, 1, True), 0, code_points), -2, 0)
    short = tf.reduce_any([first == ord(letter) for letter in "stmd"], axis=0)
    long = tf.reduce_any(
        [(first == ord(one)) & (second == ord(other)) for one, other in ("re", "ve", "ll")], axis=0
    )
    return tf.where(begins & short, 2, tf.where(begins & long, 3, 0))


@functools.cache  # it takes a second
def _kinds():
    """The kind of every code point: `(1114112,)`."""
    from tokenizers import pre_tokenizers

    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str
    code_points = np.setdiff1d(np.arange(CODE_POINTS), np.arange(0xD800, 0xE000))
    kinds = np.full(CODE_POINTS, OTHER, np.int32)
    for start in range(0, len(code_points), _BLOCK):
        block = code_points[start : start + _BLOCK]
        # Each piece is of one kind, but for a space in front of it.
        for _, (begin, end) in split("".join(map(chr, block))):
            kinds[block[begin:end]] = _kind(chr(block[end - 1]), split)
    kinds[ord(" ")] = SPACE
    return kinds


def _kind(character, split):
    """What a character joins with."""
    for known, kind in (("a", LETTER), ("1", NUMBER), ("!", OTHER)):
        if len(split(known + character)) == 1:
            return kind
    return SPACE
