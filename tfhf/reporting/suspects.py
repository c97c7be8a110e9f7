"""Rows whose label, rather than the model, looks mistaken.

Source: Northcutt, Jiang and Chuang 2021, "Confident learning", section 3.1,
https://arxiv.org/abs/1911.00068
"""

from typing import NamedTuple

SHOWN = 15  # kinds of doubt


class Doubt(NamedTuple):
    """Rows with one label that look as if they had another.

    `row` is the clearest of them, and `confidence` its probability of the other label.
    """

    expected: str
    suggested: str
    rows: int
    row: object
    confidence: float


def doubts(rows):
    """Finds labels to check, in rows that the model was not trained on.

    A row is in doubt where the model gives another class at least the probability that it gives
    this class on average in the rows that truly have it; of several such classes, the most
    probable counts.

    Args:
        rows: single-label predictions, with the probabilities of all classes among their facts.

    Returns:
        A list of `Doubt`, the most frequent first; empty where there are no probabilities.
    """
    rows = [row for row in rows if row.facts.get("probabilities")]
    sums, counts = {}, {}
    for row in rows:
        own = row.facts["probabilities"].get(row.expected)
        if own is not None:
            sums[row.expected] = sums.get(row.expected, 0.0) + own
            counts[row.expected] = counts.get(row.expected, 0) + 1
    least = {label: sums[label] / counts[label] for label in sums}
    groups = {}
    for row in rows:
        sure = {
            label: share
            for label, share in row.facts["probabilities"].items()
            if share >= least.get(label, 2.0)
        }
        suggested = max(sure, key=sure.get, default=row.expected)
        if suggested != row.expected:
            groups.setdefault((row.expected, suggested), []).append((sure[suggested], row))
    found = []
    for (expected, suggested), group in groups.items():
        confidence, row = max(group, key=lambda pair: pair[0])
        found.append(Doubt(expected, suggested, len(group), row, confidence))
    return sorted(found, key=lambda doubt: (-doubt.rows, -doubt.confidence, doubt.expected))
