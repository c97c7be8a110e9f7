"""The normalisers of SentencePiece-like tokenizers in TensorFlow ops.

Each takes a `Stream` and returns one. `inert` `(1114112,)` bool names the characters it leaves
alone whatever stands around them, unless the text matches the regular expression `disturbing`.
"""

import base64
import itertools
import re
import unicodedata

import numpy as np
import tensorflow as tf

from tfhf.errors import UserError
from tfhf.exports.tokenizers.graphemes import CharacterMap
from tfhf.exports.tokenizers.pretokenization import shifted
from tfhf.exports.tokenizers.streams import WHITE_SPACE, coming, is_white, last
from tfhf.exports.tokenizers.tables import CODE_POINTS, PagedTable, RowTable, paged

_ONE_BY_ONE = ("Lowercase", "NFD", "NFKD", "StripAccents", "Nmt")
_DECOMPOSING = ("NFD", "NFKD")
_BLOCK = 4096  # characters per question


def steps(spec, alphabet):
    """Builds a normaliser.

    Args:
        spec: the normaliser as read from the tokenizer's JSON, or None.
        alphabet: set of the characters of all vocabulary entries.

    Returns:
        list of modules, to be called one after another.

    Raises:
        UserError: if part of it has no form in ops.
    """
    built = []
    for one_by_one, parts in itertools.groupby(_flattened(spec), _works_one_by_one):
        if one_by_one:
            built.append(CharacterTable([*parts], alphabet))
        else:
            built += [_step(part) for part in parts]
    return built


def _works_one_by_one(part):
    return part["type"] in _ONE_BY_ONE


def _step(part):
    """The module for one normaliser."""
    kind = part["type"]
    if kind == "Precompiled":
        return CharacterMap(base64.b64decode(part["precompiled_charsmap"]))
    if kind == "Replace":
        return Replacement(part["pattern"], part["content"])
    if kind == "Strip":
        return Strip(part["strip_left"], part["strip_right"])
    raise UserError(
        "this tokenizer cannot be exported: its normaliser must be made of Precompiled, "
        f"Replace, Strip, {', '.join(_ONE_BY_ONE)}; received {kind}"
    )


def _flattened(spec):
    """The parts of nested sequences, in order."""
    if spec is None:
        return []
    if spec["type"] == "Sequence":
        return [part for one in spec["normalizers"] for part in _flattened(one)]
    return [spec]


class CharacterTable(tf.Module):
    """Normalisers that work character by character, such as lower-casing, read as a table."""

    disturbing = None

    def __init__(self, parts, alphabet):
        """Asks the tokenizers library about every code point.

        Args:
            parts: list of normalisers as read from JSON.
            alphabet: set of the characters of all vocabulary entries.

        Raises:
            UserError: if marks of the alphabet could change places.
        """
        super().__init__(name="characters")
        written = _ask(parts)
        if any(part["type"] in _DECOMPOSING for part in parts):
            _check_order(written, alphabet)
        rows = np.full(CODE_POINTS, -1, np.int64)
        texts = {text: row for row, text in enumerate(dict.fromkeys(written.values()))}
        rows[list(written)] = [texts[text] for text in written.values()]
        self._rows = PagedTable(paged(rows, -1))
        self._table = RowTable([[ord(char) for char in text] for text in texts])
        self.inert = rows < 0

    def __call__(self, stream):
        """Rewrites a `Stream`."""
        rows = self._rows(tf.minimum(stream.values, CODE_POINTS - 1))
        rows = tf.cast(tf.where(stream.added, -1, rows), tf.int64)
        return stream.rewritten(self._table, rows)[0]


class Replacement(tf.Module):
    """Writes a text in the place of one that is some character repeated."""

    def __init__(self, pattern, content):
        """Reads the pattern.

        Args:
            pattern: `{"String": "aa"}`, or `{"Regex": "a{2,}"}` for runs.
            content: what is written instead.

        Raises:
            UserError: if the pattern is another.
        """
        super().__init__(name="replacement")
        ((kind, text),) = pattern.items()
        run = re.fullmatch(r"([^\\.^$*+?()\[\]{}|])\{(\d+),\}", text, re.DOTALL)
        if kind == "Regex" and run:
            self._character, self._shortest, self._runs = ord(run[1]), int(run[2]), True
        elif kind == "String" and len(set(text)) == 1:
            self._character, self._shortest, self._runs = ord(text[0]), len(text), False
        else:
            raise UserError(
                "this tokenizer cannot be exported: its normaliser must replace one repeated "
                f"character, such as two spaces; received the pattern {text!r}"
            )
        self._table = RowTable([[], [ord(char) for char in content]])
        self.disturbing = f"{re.escape(chr(self._character))}{{{self._shortest}}}"
        self.inert = np.ones(CODE_POINTS, bool)

    def __call__(self, stream):
        """Rewrites a `Stream`."""
        same = stream.values == self._character
        follows = shifted(same, 1, False) & same & ~stream.apart
        inside = tf.range(tf.size(same, tf.int64)) - last(~follows | ~same)
        ends = ~shifted(follows, -1, False)
        lengths = 1 + tf.gather(inside, coming(ends))
        if self._runs:
            matched, closes = same & (lengths >= self._shortest), ends
        else:
            matched = same & (inside < lengths - lengths % self._shortest)
            closes = inside % self._shortest == self._shortest - 1
        rows = tf.where(matched, tf.cast(closes, tf.int64), tf.constant(-1, tf.int64))
        return stream.rewritten(self._table, rows)[0]


class Strip(tf.Module):
    """Takes white space away from the ends of segments."""

    def __init__(self, left, right):
        """Takes which ends are meant."""
        super().__init__(name="strip")
        self._left, self._right = left, right
        sides = [f"^[{_WHITE}]" if left else None, f"[{_WHITE}]$" if right else None]
        self.disturbing = "|".join(filter(None, sides)) or None
        self.inert = np.ones(CODE_POINTS, bool)

    def __call__(self, stream):
        """Rewrites a `Stream`."""
        visible = tf.cast(~is_white(stream.values), tf.int64)
        seen = tf.cumsum(visible)
        first = last(stream.apart)
        before = seen - tf.gather(seen - visible, first)
        final = coming(stream.closing)
        behind = tf.gather(seen, final) - seen + visible
        kept = tf.ones_like(stream.added)
        if self._left:
            kept &= before > 0
        if self._right:
            kept &= behind > 0
        return stream.where(kept)


_WHITE = "".join(f"\\x{{{code_point:x}}}" for code_point in WHITE_SPACE)


def _ask(parts):
    """What changes: dict from code point to text."""
    from tokenizers import normalizers

    normalizer = normalizers.Sequence([getattr(normalizers, part["type"])() for part in parts])
    separator = "\ue000"  # for private use: nothing turns into it, and it joins with nothing
    asked = np.setdiff1d(np.arange(CODE_POINTS), [*range(0xD800, 0xE000), ord(separator)])
    written = {}
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK].tolist()
        answer = normalizer.normalize_str(separator.join(map(chr, block))).split(separator)
        pairs = zip(block, answer, strict=True)
        written.update((number, text) for number, text in pairs if text != chr(number))
    return written


def _check_order(written, alphabet):
    """Refuses the one way in which neighbours could matter: marks that change places."""
    marks = {
        unicodedata.combining(char): char
        for char in alphabet
        if written.get(ord(char), char) == char and unicodedata.combining(char)
    }
    if len(marks) > 1:
        one, other = list(marks.values())[:2]
        raise UserError(
            "this tokenizer cannot be exported: its normaliser reorders the marks "
            f"U+{ord(one):04X} and U+{ord(other):04X}, both in its vocabulary; "
            "use a vocabulary without one of them"
        )
