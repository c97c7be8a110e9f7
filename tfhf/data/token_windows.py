"""Long texts as windows of sub-tokens that overlap, and their results as one sequence again.

Shapes: B features (windows), N rows, T sub-tokens of a window with the special ones, L sub-tokens
of a whole row without them.
"""

from dataclasses import dataclass
from itertools import accumulate, groupby

import numpy as np


@dataclass(frozen=True)
class Window:
    """One feature of a row: a part of its sub-tokens, with special tokens around them.

    Attributes:
        input_ids, token_type_ids: T of each, as of everything below.
        word: number of the word each sub-token belongs to, from 1; 0 for special tokens.
        start, end: the sub-token's characters in the row's text; 0 for special tokens.
        position: where the sub-token would stand if the row were one window; 0 for special tokens.
        is_first: whether the sub-token is the first of its word.
        is_owned: whether this window, of all those that hold the sub-token, speaks for it.
    """

    input_ids: list[int]
    token_type_ids: list[int]
    word: list[int]
    start: list[int]
    end: list[int]
    position: list[int]
    is_first: list[bool]
    is_owned: list[bool]


def cut(tokenizer, rows, *, by_words, max_length, stride):
    """Turns every row into one or more windows.

    Args:
        tokenizer: a fast tokenizer of transformers.
        rows: a list of texts, or of lists of words.
        by_words: whether they are lists of words. Their text is the words joined by a blank, and
            theirs are the words' numbers; those of a text are numbered as the tokenizer splits it.
        max_length: tokens of a window at most, special tokens included.
        stride: sub-tokens that neighbouring windows share.

    Yields:
        For each row its list of `Window`.
    """
    encoded = tokenizer(
        rows,
        is_split_into_words=by_words,
        truncation=True,
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        return_attention_mask=False,
    )
    numbered = zip(encoded["overflow_to_sample_mapping"], encoded.encodings, strict=True)
    for row, group in groupby(numbered, key=lambda pair: pair[0]):
        offsets = word_starts(rows[row]) if by_words else None
        yield _windows([encoding for _, encoding in group], stride, offsets)


def word_starts(words):
    """Where each word begins in the text that is the words joined by a blank."""
    return list(accumulate((len(word) + 1 for word in words[:-1]), initial=0))


def _windows(encodings, stride, offsets):
    """The windows of one row.

    Args:
        encodings: the row's `tokenizers.Encoding`, in the order of the text.
        stride: as for `cut`.
        offsets: where each word begins in the text; None where the row is a text.
    """
    real = [[i for i, word in enumerate(one.word_ids) if word is not None] for one in encodings]
    counts = [len(places) for places in real]
    starts = list(accumulate((count - stride for count in counts[:-1]), initial=0))
    before = real[0][0] if real[0] else 0  # special tokens in front
    first_of, windows = {}, []
    for encoding, places, start, owned in zip(
        encodings, real, starts, owners(starts, counts), strict=True
    ):
        length = len(encoding.ids)
        word, begin, end, position = ([0] * length for _ in range(4))
        is_first, is_owned = [False] * length, [False] * length
        for number, place in enumerate(places):
            own = encoding.word_ids[place]
            shift = offsets[own] if offsets else 0
            begin[place], end[place] = (shift + offset for offset in encoding.offsets[place])
            word[place], position[place] = own + 1, before + start + number
            is_first[place] = first_of.setdefault(own, position[place]) == position[place]
            is_owned[place] = bool(owned[number])
        windows.append(
            Window(encoding.ids, encoding.type_ids, word, begin, end, position, is_first, is_owned)
        )
    return windows


def owners(starts, counts):
    """Which of its sub-tokens each window of a row speaks for: those it sees in most context.

    A sub-token's context in a window is its distance to the window's nearer end; where that end is
    an end of the text it takes nothing away. The earlier one of two equal windows counts.

    Args:
        starts: each window's first sub-token, counted over the row; ascending.
        counts: sub-tokens of each window.

    Returns:
        A bool array per window; each sub-token of the row is True in exactly one.
    """
    most = np.full(starts[-1] + counts[-1], -1.0)
    owner = np.zeros(len(most), np.int64)
    for number, (start, count) in enumerate(zip(starts, counts, strict=True)):
        context = np.full(count, np.inf)
        if start > 0:
            context = np.minimum(context, np.arange(count))
        if number + 1 < len(starts):
            context = np.minimum(context, np.arange(count)[::-1])
        part = slice(start, start + count)
        owner[part] = np.where(context > most[part], number, owner[part])
        most[part] = np.maximum(context, most[part])
    parts = enumerate(zip(starts, counts, strict=True))
    return [owner[start : start + count] == number for number, (start, count) in parts]


def join(results, rows):
    """The windows of each row as one sequence; each sub-token as the window saw it that owns it.

    Args:
        results: name → `(B, T, …)` array, `word` and `position` among them.
        rows: `(B,)` int array, the row of each feature, ascending, none left out.

    Returns:
        Name → `(N, L, …)` array; zeros behind the end of a row.
    """
    taken = []
    for features in _by_row(rows):
        real = [np.flatnonzero(results["word"][feature]) for feature in features]
        starts = [
            int(results["position"][feature, places[0]]) if len(places) else 0
            for feature, places in zip(features, real, strict=True)
        ]
        masks = owners([start - starts[0] for start in starts], list(map(len, real)))
        taken.append([places[mask] for places, mask in zip(real, masks, strict=True)])
    return _lay(results, rows, taken)


def lay_end_to_end(results, rows):
    """The windows of each row one after the other, overlaps twice; `window` counts them from 1.

    Args:
        results, rows: as for `join`.

    Returns:
        Name → `(N, L, …)` array, `window` `(N, L)` among them.
    """
    taken, windows = [], np.zeros_like(results["word"])
    for features in _by_row(rows):
        taken.append([np.flatnonzero(results["word"][feature]) for feature in features])
        for number, feature in enumerate(features, 1):
            windows[feature] = number
    return _lay(results | {"window": windows}, rows, taken)


def _by_row(rows):
    """The features of each row, as ranges."""
    ends = [*(np.flatnonzero(np.diff(rows)) + 1), len(rows)]
    return [range(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _lay(results, rows, taken):
    """Lays chosen sub-tokens of each row side by side.

    Args:
        taken: for each row, for each of its features, an int array of places.
    """
    longest = max(sum(map(len, places)) for places in taken)
    laid = {
        name: np.zeros((len(taken), longest, *values.shape[2:]), values.dtype)
        for name, values in results.items()
    }
    for row, features in enumerate(_by_row(rows)):
        end = 0
        for feature, places in zip(features, taken[row], strict=True):
            start, end = end, end + len(places)
            for name, values in results.items():
                laid[name][row, start:end] = values[feature, places]
    return laid
