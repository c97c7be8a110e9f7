"""To which widths batches are padded where each shape costs a compilation (XLA, TPUs)."""

import numpy as np


def widths(lengths, count):
    """Chooses the widths that leave the fewest padding tokens.

    Every feature is padded to the smallest width that holds it. The choice is exact, by dynamic
    programming over the distinct lengths: a width is always one of them.

    Args:
        lengths: `(N,)` int array, tokens of each feature.
        count: how many widths there may be, 1 or more.

    Returns:
        `(K,)` int64 array, ascending, K ≤ count; its last element is the longest length.

    Example:
        >>> widths(np.array([3, 3, 4, 9, 10]), 2).tolist()
        [4, 10]
    """
    sizes, counts = np.unique(np.asarray(lengths), return_counts=True)
    sizes, before = sizes.astype(np.int64), np.concatenate([[0], np.cumsum(counts)])
    # fed[j]: fewest tokens fed for the j shortest sizes, with as many widths as there were rounds.
    fed = np.full(len(sizes) + 1, np.inf)
    fed[0], starts = 0, []
    for _ in range(min(count, len(sizes))):
        start, best = np.zeros(len(sizes) + 1, np.int64), np.full(len(sizes) + 1, np.inf)
        for last in range(1, len(sizes) + 1):
            ways = fed[:last] + sizes[last - 1] * (before[last] - before[:last])
            start[last] = np.argmin(ways)
            best[last] = ways[start[last]]
        fed = best
        starts.append(start)
    return _traced_back(sizes, starts)


def _traced_back(sizes, starts):
    """The sizes at which the best ways end, from the last round to the first."""
    chosen, last = [], len(sizes)
    for start in reversed(starts):
        chosen.append(sizes[last - 1])
        last = start[last]
    return np.array(chosen[::-1], np.int64)


def of_columns(store, key):
    """How wide each ragged column is where the longest one is padded to a width of `key`.

    Args:
        store: a TokenStore.
        key: `(K,)` int array, ascending widths for `store.lengths`.

    Returns:
        Ragged column → `(K,)` int32 array: the column's longest feature among those that fit.
    """
    place = np.searchsorted(key, store.lengths)
    found = {}
    for name in store.padding:
        longest = np.zeros(len(key), np.int64)
        np.maximum.at(longest, place, np.diff(store.array(f"{name}.offsets")))
        found[name] = np.maximum.accumulate(longest).astype(np.int32)
    return found
