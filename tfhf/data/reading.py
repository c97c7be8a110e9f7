"""From the rows of one split, or of one file, to columns by role: checked and encoded."""

import numpy as np

from tfhf.data.checks import count_rows
from tfhf.data.files import find
from tfhf.data.rows import Rows
from tfhf.data.tables import read_table
from tfhf.errors import UserError


def read_rows(file, kinds, columns=None, encoding=None, separator=None):
    """Reads one file to predict on.

    Args:
        file: a file or folder, as in `load`.
        kinds: role → kind; what a model learns to say need not be there.
        columns, encoding, separator: as in `load`.

    Returns:
        A memory-mapped `datasets.Dataset` of every row, with all columns of the file as they are
        (text in CSV; JSON text where a column of a JSON file mixes types) and under their own
        names; `match_columns` says which plays which role.

    Raises:
        UserError: if the file cannot be read, or a text column is missing or holds no text.
    """
    return read_inputs(file, kinds, columns, encoding, separator)[0]


def read_inputs(file, kinds, columns=None, encoding=None, separator=None):
    """Reads one file to predict on, as it is and as a task takes it.

    Args:
        file, kinds, columns, encoding, separator: as in `read_rows`.

    Returns:
        What `read_rows` gives, and a `datasets.Dataset` of the same rows whose columns are the
        roles, checked and encoded.

    Raises:
        UserError: as in `read_rows`.
    """
    paths = find(str(file), "file")
    if len(paths) > 1:
        raise UserError(f"file: {file} matches {len(paths)} files; name one of them")
    asked = {role: kind for role, kind in kinds.items() if not kind.target}
    columns = {role: one for role, one in (columns or {}).items() if role in asked}
    table = read_table(paths[0], encoding=encoding, separator=separator)
    rows = Rows(table.name, [table], asked, columns, predicting=True)
    dataset, _, _ = check_rows(rows, asked)
    return table.dataset, dataset


def check_rows(rows, kinds, learned=None, on_unlabeled="error", on_empty="keep"):
    """Checks every row of one split and encodes what it holds.

    Args:
        rows: `Rows` of the split.
        kinds: role → kind.
        learned: role → what train decided, for the roles where it decides something.
        on_unlabeled, on_empty: as in `load`.

    Returns:
        A `datasets.Dataset` of all rows whose columns are the roles, the `(N,)` int numbers of the
        rows to keep, and notes, one line each.

    Raises:
        UserError: if a row cannot be used, or none is left.
    """
    import datasets

    keep, notes, columns = np.ones(len(rows), bool), [], {}
    # A role that is checked against another one is read after it.
    for role in sorted(rows.matched, key=lambda role: kinds[role].of is not None):
        kind = kinds[role]
        column = kind.read(rows, role, (learned or {}).get(role), columns, on_unlabeled)
        columns[role] = column
        notes += column.notes
        if column.blank is not None and column.blank.any():
            if on_empty == "drop" or not kind.blank:
                notes.append(_blank_note(rows, role, column.blank, on_empty))
            keep &= ~column.blank | (on_empty == "keep")
        if column.missing is not None and column.missing.any():
            missing = (
                f"{count_rows(column.missing)} no {kind.missing}{_first(rows, column.missing)}"
            )
            if on_unlabeled == "error":
                raise UserError(
                    f"{rows.name}: {missing}; label them, or set data.on_unlabeled: drop"
                )
            notes.append(f"{rows.name}: {missing}; left out")
            keep &= ~column.missing
    if not keep.any():
        filters = {"on_unlabeled: drop": on_unlabeled, "on_empty: drop": on_empty}
        used = " and ".join(f"data.{one}" for one, choice in filters.items() if choice == "drop")
        raise UserError(f"{rows.name}: no rows left after {used}")
    parts = [columns[role].dataset for role in rows.matched]
    return datasets.concatenate_datasets(parts, axis=1), np.flatnonzero(keep), notes


def _blank_note(rows, role, blank, on_empty):
    fate = "left out" if on_empty == "drop" else "kept; data.on_empty: drop leaves them out"
    found = f"{count_rows(blank)} an empty text in column {rows.matched[role]!r}"
    return f"{rows.name}: {found}{_first(rows, blank)}; {fate}"


def _first(rows, mask):
    return f" (first: {rows.where(int(mask.argmax()))})"
