"""SentencePiece's character maps, read as the tokenizers library reads them.

Such a map ("precompiled") is a trie over the bytes of what is to be replaced, laid out as a double
array, and the replacements. The library goes from grapheme to grapheme: one of less than six bytes
is replaced as a whole if the map knows its beginning; in any other each character is looked up by
itself. Which characters make one grapheme is asked of the library, in its version of Unicode.

Sources: https://github.com/huggingface/spm_precompiled,
https://github.com/google/sentencepiece/blob/master/src/normalizer.cc,
https://www.unicode.org/reports/tr29/
"""

import functools
import struct
from dataclasses import dataclass

import numpy as np

from tfhf.exports.tokenizers.tables import CODE_POINTS

LONGEST_GRAPHEME = 5  # bytes, of those replaced as a whole
_LEAF = 1 << 8
_BLOCK = 4096  # characters per question


@dataclass(frozen=True)
class Graphemes:
    """How characters join with their neighbours; each `(1114112,)` bool.

    Attributes:
        extends: joins with the character before it (marks, joiners, vowel signs).
        prepends: joins with the character after it.
        controls: joins with none, not even with a mark behind it.
    """

    extends: np.ndarray
    prepends: np.ndarray
    controls: np.ndarray


def replacements(charsmap):
    """What a map replaces that is short enough ever to be found: dict from text to text.

    Args:
        charsmap: bytes, SentencePiece's `precompiled_charsmap`.
    """
    (size,) = struct.unpack_from("<I", charsmap)
    units = np.frombuffer(charsmap, "<u4", size // 4, 4)
    texts = charsmap[4 + size :]
    found = {}
    nodes, keys = np.array([_offset(units[0])]), [b""]
    byte = np.arange(1, 256)
    for _ in range(LONGEST_GRAPHEME):
        places = nodes[:, None] ^ byte
        inside = places < len(units)
        unit = units[np.where(inside, places, 0)]
        # A leaf's value has its highest bit set, and so is no label.
        parent, column = np.nonzero(inside & ((unit & 0x800000FF) == byte))
        unit, places = unit[parent, column], places[parent, column]
        keys = [keys[one] + bytes([byte[other]]) for one, other in zip(parent, column, strict=True)]
        nodes = places ^ _offset(unit)
        for number in np.flatnonzero(unit & _LEAF):
            begin = int(units[nodes[number]] & 0x7FFFFFFF)
            written = texts[begin : texts.index(b"\0", begin)]
            found[keys[number].decode("utf-8")] = written.decode("utf-8")
    return found


@functools.cache
def read_graphemes():
    """Asks the tokenizers library about every code point: `Graphemes`."""
    from tokenizers import normalizers

    normalizer = normalizers.Precompiled(_counting_map())
    mark = "\u0301"
    return Graphemes(
        extends=_counts(normalizer, "a", "") == 1,
        prepends=_counts(normalizer, "", "a" + mark) != 2,
        controls=_counts(normalizer, "", mark + mark) == 2,
    )


def _counting_map():
    """A map that writes one `b` for a short grapheme, and one per character of a long one.

    Every byte but that of the line break leads to a leaf: bytes stand in the units 256 to 511, and
    their leaves' values, all zero, in the units 1 to 255.
    """
    units = np.zeros(512, "<u4")
    units[0] = 256 << 10
    byte = np.array([byte for byte in range(1, 256) if byte != ord("\n")])
    units[256 + byte] = byte | _LEAF | 256 << 10
    return struct.pack("<I", units.nbytes) + units.tobytes() + b"b\0"


def _counts(normalizer, before, after):
    """What `_counting_map` writes for each code point between two texts: `(1114112,)` lengths."""
    silent = [0, *map(ord, "\r\n"), *range(0xD800, 0xE000), *range(0x40000, 0xE0000)]
    asked = np.setdiff1d(np.arange(0xF0000), silent)
    ordinary = "\U00040000"  # stands for the planes in which nothing joins
    counts = np.full(CODE_POINTS, len(normalizer.normalize_str(before + ordinary + after)))
    counts[silent[:3]] = 2  # control characters, which would not stay on their line
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        lines = (before + chr(code_point) + after for code_point in block)
        written = normalizer.normalize_str("\n".join(lines)).split("\n")
        counts[block] = [len(line) for line in written]
    return counts


def _offset(unit):
    """Where a unit's children stand, relative to it."""
    unit = unit.astype(np.int64)
    return (unit >> 10) << ((unit & (1 << 9)) >> 6)
