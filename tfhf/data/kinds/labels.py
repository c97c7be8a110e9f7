"""Labels, numbers and choices: one value for each row to learn from."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data import labels
from tfhf.data.label_values import read_labels, read_numbers
from tfhf.data.rows import Column, as_dataset
from tfhf.errors import UserError


def is_unlabeled(rows, role):
    """Whether no row has a label; benchmarks publish such test splits, with -1 for every row."""
    found = read_labels(rows, rows.matched[role], mixed_allowed=True)
    return set(found.values) == {-1} or bool(found.missing.all())


def read_label(rows, role, learned, unlabeled):
    """Reads a `Label`; see `Kind.read`."""
    values, missing = labels.encode(rows, rows.matched[role], learned, unlabeled=unlabeled)
    return Column(as_dataset(role, [values], learned.feature()), missing=missing)


def read_number(rows, role, kind):
    """Reads a `Number`; see `Kind.read`."""
    column = rows.matched[role]
    values, missing = read_numbers(rows, column, noun=role, needed_by=f"the role {role}")
    return Column(as_dataset(role, [values], kind.feature()), missing=missing)


def read_choice(rows, role, kind, choices, unlabeled):
    """Reads a `Choice`; see `Kind.read`."""
    column = rows.matched[role]
    found = read_labels(rows, column, mixed_allowed=True)
    if found.listed:
        raise UserError(
            f"data.columns: {column!r} ({role}) holds a list per row ({rows.where(0)}); a choice "
            f"is the number of one of the {kind.of}, counted from 0"
        )
    missing = found.missing.copy()
    numbers = np.zeros(len(found.values) + 1, np.int64)  # the last is for "no value", code -1
    for code, value in enumerate(found.values):
        numbers[code] = _number(value, found)
        if value == -1 and unlabeled == "drop":
            missing[found.rows[found.codes == code]] = True
        elif value == -1:
            raise labels.no_label(found)
    chosen = numbers[found.codes]
    counts = pc.list_value_length(choices.array).to_numpy()
    wrong = ~missing & ((chosen < 0) | (chosen >= counts))
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{rows.where(row)}: {role} {chosen[row]} is outside 0..{counts[row] - 1}; the row has "
            f"{counts[row]} {kind.of}, counted from 0"
        )
    return Column(as_dataset(role, [pa.array(chosen)], kind.feature()), missing=missing)


def _number(value, found):
    """A choice as found in a file → int."""
    if found.names and value in found.names:
        return found.names.index(value)
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    if isinstance(value, int) and abs(value) < 2**31:
        return value
    raise UserError(
        f"{found.place(value)}: {value!r} is no choice; write its number, counted from 0"
    )
