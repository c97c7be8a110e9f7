"""From which probability a label counts as present: the best threshold of each label."""

import numpy as np


def best_thresholds(references, probabilities, otherwise=0.5):
    """Finds, for each label, the threshold with the highest F1.

    Since macro F1 is the mean over the labels, these thresholds together have the highest macro F1
    on these rows. Each lies halfway between two probabilities that occur, so that rounding decides
    on none of them; of several equally good ones it is the one nearest to 0.5.

    Args:
        references: `(rows, C)` of 0 and 1.
        probabilities: `(rows, C)`.
        otherwise: threshold of a label that no row has.

    Returns:
        A list of C floats.
    """
    columns = zip(np.asarray(references).T, np.asarray(probabilities, np.float64).T, strict=True)
    return [_best(present, scores, otherwise) for present, scores in columns]


def _best(present, scores, otherwise):
    if not present.any():
        return otherwise
    values = np.unique(scores)  # ascending
    # Between two neighbours; and below the lowest, where every row counts as present.
    cuts = np.r_[values[0] / 2, (values[:-1] + values[1:]) / 2]
    # Rows at or above a cut: all from the first such value on.
    order = np.argsort(scores, kind="stable")
    first = np.searchsorted(scores[order], values)
    hits = present[order][::-1].cumsum()[::-1][first]
    taken = len(scores) - first
    f1 = 2.0 * hits / (taken + present.sum())
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(cuts[best[np.argmin(np.abs(cuts[best] - 0.5))]])
