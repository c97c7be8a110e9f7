"""Tags: one class for each word, in BIO, BIOES or any other scheme."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data import labels
from tfhf.data.label_values import read_labels
from tfhf.data.labels import Labels
from tfhf.data.rows import Column, as_dataset
from tfhf.errors import UserError

PREFIXES = "BIESLUM"  # begin, inside, end (last), single (unit), middle


def decide(rows, role, given):
    """Finds the classes of the tags from the training rows; see `Kind.decide`.

    Strings are put in the usual order: "O" first, then by type, then by prefix.
    """
    column = rows.matched[role]
    found = _read(rows, column, mixed_allowed=given is not None)
    if not found.values:
        raise UserError(f"{rows.name}: no row has a tag in {column!r}")
    names, ids = labels.classes(found, given, order=_scheme)
    learned = Labels("tags", names, ids)
    return learned, labels.notes(learned, found, given)


def is_unlabeled(rows, role):
    """Whether no row has a tag, as in published test splits."""
    return not read_labels(rows, rows.matched[role], mixed_allowed=True).values


def read_tags(rows, role, learned, kind, words):
    """Reads `Tags`; see `Kind.read`."""
    column = rows.matched[role]
    found = _read(rows, column, mixed_allowed=True)
    if (found.codes < 0).any():
        entry = int((found.codes < 0).argmax())
        row = int(found.rows[entry])
        tag = entry - int((found.rows == row).argmax()) + 1
        raise UserError(f"{rows.where(row)}: tag {tag} of column {column!r} is empty; write one")
    encoded = labels.numbers(found, learned)[found.codes]
    counts = pc.list_value_length(words.array).to_numpy()
    wrong = (counts != found.lengths) & ~found.missing
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{rows.where(row)}: {counts[row]} {kind.of} but {found.lengths[row]} {role}; write "
            "one tag for each word"
        )
    offsets = np.concatenate([[0], np.cumsum(found.lengths)]).astype(np.int32)
    values = pa.ListArray.from_arrays(offsets, pa.array(encoded))
    return Column(as_dataset(role, [values], learned.feature()), missing=found.missing)


def _read(rows, column, mixed_allowed):
    found = read_labels(rows, column, mixed_allowed=mixed_allowed)
    if not found.listed and found.values:
        raise UserError(
            f"data.columns: {column!r} holds one value per row ({rows.where(0)}), not a list of "
            "tags; name the column with a tag for each word"
        )
    return found


def _scheme(name):
    """Sorts tags: "O", then by type, "B-" before "I-" of the same."""
    prefix, dash, kind = name.partition("-")
    if dash and len(prefix) == 1 and prefix in PREFIXES:
        return (1, kind, prefix)
    return (name != "O", name, "")
