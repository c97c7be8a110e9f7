"""What a Hugging Face tokenizer does to every character, read off the tokenizer as a table.

BERT's normaliser (cleaning, white space around CJK, accents, lower case) works character by
character, so asking it about each of the 1,114,112 code points tells all it knows, in the Unicode
version it was built with. A second question, to the pre-tokenizer, sorts the results into spaces,
characters that join into words, and characters that stand alone.
"""

import functools
import itertools
import pickle
import unicodedata
from dataclasses import dataclass

import numpy as np

from tfhf.errors import UserError

PAGE = 256
SPACE, UNKNOWN = 0, 1
_CODE_POINTS = 0x110000
_BLOCK = 4096  # characters per question
_WIDTH = 4  # the longest canonical decomposition
_SPACE, _WORD, _ISOLATED = 0, 1, 2


@dataclass(frozen=True)
class Characters:
    """Code points to symbols, and symbols to what they may form.

    A symbol is a small integer: 0 a space, 1 any word character that no vocabulary entry uses,
    then the word characters of the vocabulary. From `first_isolated` on come those that are words
    by themselves: punctuation outside the vocabulary, punctuation in it, special tokens.

    Attributes:
        pages: `(4352,)` int32, the page of each block of 256 code points.
        rows: `(pages * 256,)` int32, the row of `outputs` of each code point of a page.
        outputs: `(rows, width)` int32, the symbols a code point turns into, -1 past the end.
        symbols: character → symbol, for the characters of the vocabulary.
        specials: content of a special token → symbol.
        sentinels: content of a special token → the character that stands for it in a text.
        spare: a character that the tokenizer treats like the sentinels, and that is none.
        first_isolated: the first symbol that is a word by itself.
        count: how many symbols there are.
    """

    pages: np.ndarray
    rows: np.ndarray
    outputs: np.ndarray
    symbols: dict[str, int]
    specials: dict[str, int]
    sentinels: dict[str, str]
    spare: str
    first_isolated: int
    count: int


def read_characters(backend, alphabet, specials):
    """Reads the character table off a tokenizer.

    Args:
        backend: a `tokenizers.Tokenizer` with BERT's normaliser and pre-tokenizer.
        alphabet: set of the characters of all vocabulary entries.
        specials: list of the contents of the special tokens to look for in raw text.

    Returns:
        A `Characters`.

    Raises:
        UserError: if the normaliser's result depends on more than one character at a time.
    """
    _check_independence(backend.normalizer, alphabet)
    normalized, kinds = _asked_of_all(
        pickle.dumps(backend.normalizer), pickle.dumps(backend.pre_tokenizer)
    )
    words = [char for char in sorted(alphabet) if kinds[ord(char)] == _WORD]
    isolated = [char for char in sorted(alphabet) if kinds[ord(char)] == _ISOLATED]
    first_isolated = UNKNOWN + 1 + len(words)
    symbols = {char: UNKNOWN + 1 + i for i, char in enumerate(words)}
    symbols |= {char: first_isolated + 1 + i for i, char in enumerate(isolated)}
    first_special = first_isolated + 1 + len(isolated)
    special_symbols = {text: first_special + i for i, text in enumerate(specials)}

    symbol_of = np.array([SPACE, UNKNOWN, first_isolated], np.int32)[kinds]
    symbol_of[[ord(char) for char in symbols]] = list(symbols.values())
    meaning = np.where(normalized < 0, -1, symbol_of[normalized])
    taken = alphabet.union(*specials)
    *sentinels, spare = _private_characters(meaning, taken, len(specials) + 1)
    for text, sentinel in zip(specials, sentinels, strict=True):
        meaning[ord(sentinel)] = [special_symbols[text]] + [-1] * (_WIDTH - 1)
    return Characters(
        *_paged(meaning),
        symbols=symbols,
        specials=special_symbols,
        sentinels=dict(zip(specials, sentinels, strict=True)),
        spare=spare,
        first_isolated=first_isolated,
        count=first_special + len(specials),
    )


def _check_independence(normalizer, alphabet):
    """Refuses the one way in which neighbours could matter: canonical reordering of marks."""
    marks = [char for char in sorted(alphabet) if unicodedata.combining(char)]
    alone = {mark: normalizer.normalize_str(mark) for mark in marks}
    for first, second in itertools.permutations(marks, 2):
        if normalizer.normalize_str(first + second) != alone[first] + alone[second]:
            raise UserError(
                "this tokenizer cannot be exported: its normaliser reorders the marks "
                f"U+{ord(first):04X} and U+{ord(second):04X}, both in its vocabulary; "
                "use a vocabulary without one of them"
            )


@functools.lru_cache(maxsize=2)
def _asked_of_all(normalizer, pre_tokenizer):
    """What a pickled normaliser and pre-tokenizer say of every code point.

    Asking takes seconds, and tokenizers with other vocabularies answer alike.

    Returns:
        As `_normalize_all` and `_sort_all`, arrays that cannot be written to.
    """
    normalized = _normalize_all(pickle.loads(normalizer))
    kinds = _sort_all(pickle.loads(pre_tokenizer), np.unique(normalized[normalized >= 0]))
    normalized.flags.writeable = kinds.flags.writeable = False
    return normalized, kinds


def _normalize_all(normalizer):
    """What every code point becomes: `(1114112, 4)` int32 code points, -1 past the end."""
    separator = "|"  # nothing else turns into it, and it is not a mark
    normalized = np.full((_CODE_POINTS, _WIDTH), -1, np.int32)
    normalized[ord(separator), 0] = ord(separator)
    asked = np.setdiff1d(
        np.arange(_CODE_POINTS), [*range(0xD800, 0xE000), ord(separator)], assume_unique=True
    )
    for start in range(0, len(asked), _BLOCK):
        block = asked[start : start + _BLOCK]
        answer = _code_points(normalizer.normalize_str(separator.join(map(chr, block))))
        ends = np.append(np.flatnonzero(answer == ord(separator)), len(answer))
        lengths = np.diff(ends, prepend=-1) - 1
        for column in range(_WIDTH):
            some = lengths > column
            normalized[block[some], column] = answer[(ends - lengths)[some] + column]
    return normalized


def _sort_all(pre_tokenizer, code_points):
    """Which of the code points join into words, and which stand alone: `(1114112,)` int8 kinds."""
    kinds = np.full(_CODE_POINTS, _SPACE, np.int8)
    for start in range(0, len(code_points), _BLOCK):
        block = code_points[start : start + _BLOCK]
        text = "a" + "a".join(map(chr, block)) + "a"  # a letter joins with any that can be joined
        kind = np.full(len(text), _SPACE)
        for _, (begin, end) in pre_tokenizer.pre_tokenize_str(text):
            kind[begin:end] = _ISOLATED if end - begin == 1 else _WORD
        kinds[block] = kind[1::2]
    return kinds


def _code_points(text):
    return np.frombuffer(text.encode("utf-32-le"), np.int32)


def _private_characters(meaning, taken, count):
    """The last private-use characters that all mean the same and are not taken."""
    last = _CODE_POINTS - 3
    found = [
        chr(code_point)
        for code_point in range(last, last - count - len(taken), -1)
        if chr(code_point) not in taken and (meaning[code_point] == meaning[last]).all()
    ]
    return found[:count]


def _paged(meaning):
    """Shares equal results and equal pages: `pages`, `rows`, `outputs`."""
    # Four symbols of 16 bits: room for 65,534, more than the alphabet of any vocabulary we know.
    packed = (meaning + 1).astype(np.uint64) @ (1 << 16 * np.arange(_WIDTH, dtype=np.uint64))
    _, example, row_of = np.unique(packed, return_index=True, return_inverse=True)
    rows, pages = np.unique(row_of.reshape(-1, PAGE), axis=0, return_inverse=True)
    outputs = meaning[example]
    width = (outputs >= 0).any(axis=0).sum()
    return pages.reshape(-1).astype(np.int32), rows.reshape(-1).astype(np.int32), outputs[:, :width]
