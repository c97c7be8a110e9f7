"""Documents as blocks of tokens: joined end to end, or each cut into pieces. Nothing is dropped.

The usual scripts for language models throw the rest of every 1,000 rows away and put nothing
between two documents; here the last block is shorter, and a separator stands where one document
ends and the next begins.
"""

from dataclasses import dataclass
from itertools import chain

import numpy as np


@dataclass(frozen=True)
class Blocks:
    """Blocks of tokens, in the order of the documents.

    Attributes:
        ids: a list of token ids per block, none of them empty.
        rows: `(blocks,)` int64, the number of the document in which each block begins.
        marks: a list per block with the marks of its tokens; None where none were given.
    """

    ids: list
    rows: np.ndarray
    marks: list | None = None


def join(documents, size, *, separator=(), marks=None, close=False, keep_empty=False):
    """Joins documents end to end and cuts the whole into blocks of equal size.

    Args:
        documents: a list of token ids per document.
        size: tokens per block; the last block has what is left, 1 to `size`.
        separator: ids put between two documents, such as `[end_of_text]`.
        marks: an integer per token, as a list per document: 1 where a word begins, say. The
            tokens of a separator get 1.
        close: whether the last document is followed by a separator, too.
        keep_empty: whether a document without tokens gets its separator (the blank lines of
            prose); else it leaves no trace.

    Returns:
        Blocks.

    Example:
        >>> join([[1, 2, 3], [], [4, 5]], 4, separator=[0]).ids
        [[1, 2, 3, 0], [4, 5]]
    """
    lengths = np.fromiter(map(len, documents), np.int64, len(documents))
    kept = np.arange(len(documents)) if keep_empty else np.flatnonzero(lengths)
    separators = [list(separator)] * len(kept)
    if separators and not close:
        separators[-1] = []
    total = lengths[kept] + np.fromiter(map(len, separators), np.int64, len(kept))
    ends = np.cumsum(total)
    starts = np.arange(0, ends[-1] if len(ends) else 0, size)
    # The document of a position is the first that ends behind it.
    rows = kept[np.searchsorted(ends, starts, side="right")]
    ids = _flat(chain.from_iterable(zip((documents[row] for row in kept), separators, strict=True)))
    if marks is not None:
        ones = ([1] * len(one) for one in separators)
        marks = _flat(chain.from_iterable(zip((marks[row] for row in kept), ones, strict=True)))
        marks = _slices(marks, starts, size)
    return Blocks(_slices(ids, starts, size), rows, marks)


def join_between(documents, size, alone, *, separator=(), marks=None):
    """Joins documents, but cuts some of them by themselves.

    Args:
        documents, size, separator, marks: as for `join`.
        alone: numbers of the documents to be cut by themselves, ascending. What stands between
            two of them is joined.

    Returns:
        Blocks.
    """
    parts, begin = [], 0
    for row in [*alone, len(documents)]:
        between, itself = slice(begin, row), slice(row, row + 1)
        their = None if marks is None else marks[between]
        joined = join(documents[between], size, separator=separator, marks=their)
        their = None if marks is None else marks[itself]
        parts += [(begin, joined), (row, cut(documents[itself], size, marks=their))]
        begin = row + 1
    return _concatenated(parts)


def cut(documents, size, *, marks=None):
    """Cuts every document by itself into pieces of at most `size` tokens; empty ones give none.

    Args:
        documents, size, marks: as for `join`.

    Returns:
        Blocks.

    Example:
        >>> cut([[1, 2, 3], [], [4, 5]], 2).ids
        [[1, 2], [3], [4, 5]]
    """
    places = [(row, at) for row, ids in enumerate(documents) for at in range(0, len(ids), size)]
    return Blocks(
        [documents[row][at : at + size] for row, at in places],
        np.array([row for row, _ in places], np.int64),
        None if marks is None else [marks[row][at : at + size] for row, at in places],
    )


def _concatenated(parts):
    """Blocks of several stretches of documents, each with the number of its first one, as one."""
    marked = parts[0][1].marks is not None
    return Blocks(
        list(chain.from_iterable(part.ids for _, part in parts)),
        np.concatenate([start + part.rows for start, part in parts]),
        list(chain.from_iterable(part.marks for _, part in parts)) if marked else None,
    )


def _flat(lists):
    return np.fromiter(chain.from_iterable(lists), np.int64)


def _slices(values, starts, size):
    """A flat array cut at the starts; Python's integers, which are written faster than NumPy's."""
    values = values.tolist()
    return [values[start : start + size] for start in starts.tolist()]
