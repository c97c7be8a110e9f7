"""Whether an export answers what the model answers, row by row, as a person reads it."""

from dataclasses import dataclass

import numpy as np

from tfhf.exports import ExportError


@dataclass(frozen=True)
class Agreement:
    """What a comparison found.

    Attributes:
        rows: rows compared.
        different: rows with another string, or a number too far away.
        largest: largest difference of a number in the other rows, relative above 1.
        first: what differs in the first of the different rows, or None.
    """

    rows: int
    different: int
    largest: float
    first: str | None


def compare(found, expected, *, tolerance=1e-5, agreement=1.0):
    """Compares answers row by row.

    Args:
        found: list of dictionaries, what the export answers.
        expected: list of dictionaries, what the model answers; it may say more.
        tolerance: largest difference of a number, relative to the expected one where that is
            above 1. A `label` may differ where the two labels' `probabilities` are closer than
            twice the tolerance.
        agreement: share of rows that must agree, in [0, 1].

    Returns:
        Agreement.

    Raises:
        ExportError: if too few rows agree.
    """
    if len(found) != len(expected):
        raise ExportError(f"the export answers {len(found)} rows of {len(expected)}")
    different, largest, first = 0, 0.0, None
    for row, (answer, wanted) in enumerate(zip(found, expected, strict=True)):
        distance, name = _row(answer, wanted, tolerance)
        if distance <= tolerance:
            largest = max(largest, distance)
            continue
        different += 1
        first = first or (
            f"{name} of row {row}: {_shown(answer[name])} instead of {_shown(wanted.get(name))}"
        )
    if different > len(expected) * (1.0 - agreement) + 1e-9:
        raise ExportError(
            f"the export differs from the model in {different} of {len(expected)} rows, first in "
            f"{first}"
        )
    return Agreement(len(expected), different, largest, first)


def _row(answer, wanted, tolerance):
    """The largest distance within a row, and the name under which it was found."""
    farthest, where = 0.0, next(iter(answer), "")
    for name, value in answer.items():
        distance = _distance(value, wanted.get(name))
        if name == "label" and distance == np.inf and _tied(value, wanted, tolerance):
            distance = 0.0
        if not distance <= farthest:
            farthest, where = distance, name
        if np.isnan(distance):
            return np.inf, name
    return farthest, where


def _distance(value, wanted):
    """How far two values are apart; infinity for what is no number and differs, NaN for a NaN."""
    if isinstance(value, dict) and isinstance(wanted, dict) and value.keys() == wanted.keys():
        return _largest(_distance(value[key], wanted[key]) for key in value)
    if isinstance(value, list) and isinstance(wanted, list) and len(value) == len(wanted):
        return _largest(_distance(*pair) for pair in zip(value, wanted, strict=True))
    if isinstance(value, float) and isinstance(wanted, float | int):
        return abs(value - wanted) / max(1.0, abs(wanted))
    return 0.0 if value == wanted else np.inf


def _largest(distances):
    distances = list(distances)
    return float(np.max(distances)) if distances else 0.0


def _tied(label, wanted, tolerance):
    """Whether another label is as probable as the expected one."""
    shares = wanted.get("probabilities")
    if not isinstance(shares, dict) or label not in shares or wanted["label"] not in shares:
        return False
    return abs(shares[label] - shares[wanted["label"]]) < 2 * tolerance


def _shown(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]} …"
