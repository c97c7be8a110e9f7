"""Classes one by one: what was predicted of each against all others."""

from typing import NamedTuple


class Decision(NamedTuple):
    """One class against the others: whether each row has it, and its probability in each row."""

    name: str
    truth: object
    probabilities: object


def decisions(rows):
    """A `Decision` for every class that some rows have and others have not.

    Args:
        rows: a list of `forms.Row`.

    Returns:
        A list, empty where the rows hold no probabilities.
    """
    import numpy as np

    rows = [row for row in rows if row.facts.get("probabilities")]
    if not rows:
        return []
    found = []
    for name in rows[0].facts["probabilities"]:
        scores = np.array([row.facts["probabilities"].get(name, np.nan) for row in rows])
        truth = np.array([name in row.expected_labels for row in rows])
        if truth.any() and not truth.all() and np.isfinite(scores).all():
            found.append(Decision(name, truth, scores))
    return found
