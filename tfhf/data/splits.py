"""Which rows: seeded subsets and a validation split set aside, pure in the seed."""

import numpy as np

SHARE = 0.1  # of the training rows, set aside for validation where none is given


def subset(rows, limit, seed):
    """Draws a subset of rows.

    Args:
        rows: `(N,)` int row numbers, ascending.
        limit: how many to draw; all are kept if there are no more.
        seed: int or list of ints; the same seed draws the same rows.

    Returns:
        `(min(N, limit),)` int, ascending.
    """
    if limit >= len(rows):
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))


def set_aside(rows, classes, seed):
    """Parts the training rows into training and validation rows.

    With classes, each gives its share to within one row, and never its only row.

    Args:
        rows: `(N,)` int row numbers, ascending.
        classes: `(N,)` int class of each row; None parts at random.
        seed: int or list of ints; the same seed gives the same parts.

    Returns:
        Training rows and validation rows, both int and ascending; validation is about a tenth, and
        empty only if no class can spare a row.
    """
    if classes is None:
        classes = np.zeros(len(rows), int)
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    counts = np.bincount(classes)
    taken = _shares(counts, max(1, round(SHARE * len(rows))))
    starts = np.cumsum(counts) - counts
    place = np.arange(len(rows)) - np.repeat(starts, counts)  # within the class, after shuffling
    aside = np.zeros(len(rows), bool)
    aside[by_class] = place < np.repeat(taken, counts)
    return rows[~aside], rows[aside]


def _shares(counts, total):
    """How many rows each class gives so that `total` is met: largest remainders first."""
    exact = counts * total / counts.sum()
    most = np.maximum(counts - 1, 0)
    taken = np.minimum(np.floor(exact).astype(int), most)
    order = np.argsort(-(exact - taken), kind="stable")
    spare = order[taken[order] < most[order]]
    taken[spare[: max(0, total - taken.sum())]] += 1
    return taken
