"""Rows that say the same: within a split, in two splits, and with different labels.

Two rows are the same if their texts are, capitals and white space aside. A row is known by 64 bits:
among ten million rows, two different ones are taken for the same with a chance of 3 in a million.
"""

import numpy as np


def keys_of(columns):
    """What rows are known by, for one process.

    Args:
        columns: one or more lists of N texts.

    Returns:
        `(N,)` int64, equal where all texts are.
    """
    plain = ([" ".join(text.casefold().split()) for text in column] for column in columns)
    return np.fromiter(map(hash, zip(*plain, strict=True)), np.int64)


def repeated(keys):
    """`(N,)` bool: an earlier row is the same."""
    mask = np.ones(len(keys), bool)
    mask[np.unique(keys, return_index=True)[1]] = False
    return mask


def contradicting(keys, labels):
    """Finds rows that are the same and have different labels.

    Args:
        keys: `(N,)` int64.
        labels: `(N,)` int.

    Returns:
        A list of `(row, other row)`: for each text with several labels, its first row and the first
        with another label.
    """
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(keys[order]) != 0])
    sorted_labels = labels[order]
    least = np.minimum.reduceat(sorted_labels, starts)
    most = np.maximum.reduceat(sorted_labels, starts)
    ends = np.r_[starts[1:], len(keys)]
    pairs = []
    for group in np.flatnonzero(least != most):
        rows = order[starts[group] : ends[group]]
        pairs.append((int(rows[0]), int(rows[(labels[rows] != labels[rows[0]]).argmax()])))
    return sorted(pairs)
