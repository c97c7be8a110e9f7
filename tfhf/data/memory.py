"""Rows that are in memory already: rows to predict on, and datasets a Keras user brings along."""

import json

from tfhf.data.columns import Text
from tfhf.data.reading import check_rows
from tfhf.data.rows import Rows
from tfhf.data.tables import Table
from tfhf.errors import UserError


def from_rows(rows, kinds):
    """Makes a dataset of rows to predict on.

    Args:
        rows: a list of values (of the first role that must be there) or of dictionaries from role
            to value, or a `datasets.Dataset` with the roles among its columns.
        kinds: role → kind of the columns a prediction needs; or names of roles, all of them texts.

    Returns:
        A `datasets.Dataset` with these columns. Of the optional roles it has those that the rows
        have. A dataset keeps its values as they are.

    Raises:
        UserError: if a role is missing or a value is none of its kind; rows are counted from 1.
    """
    import datasets

    if not isinstance(kinds, dict):
        kinds = {role: Text() for role in kinds}
    if isinstance(rows, datasets.Dataset):
        _check_columns(rows.column_names, kinds)
        return rows.select_columns([role for role in kinds if role in rows.column_names])
    rows = list(rows)
    first = next((role for role, kind in kinds.items() if not kind.optional), next(iter(kinds)))
    given = [row if isinstance(row, dict) else {first: row} for row in rows]
    there = [
        role
        for role, kind in kinds.items()
        if not kind.optional or any(row.get(role) is not None for row in given)
    ]
    if rows and not there:
        raise UserError(f"row 1: this model takes {' or '.join(kinds)}; received {_shown(rows[0])}")
    kinds = {role: kinds[role].required() for role in there}
    columns = {role: [] for role in there}
    for number, (row, values) in enumerate(zip(rows, given, strict=True), 1):
        for role, kind in kinds.items():
            try:
                columns[role].append(kind.accept(values.get(role)))
            except TypeError:
                raise UserError(f"row {number}: {_wanted(kinds)}; received {_shown(row)}") from None
    features = datasets.Features({role: kind.feature() for role, kind in kinds.items()})
    try:
        dataset = datasets.Dataset.from_dict(columns, features=features)
    except UnicodeEncodeError:
        raise _half_a_character(rows) from None
    if not rows:
        return dataset
    table = Table("the rows", dataset, _row)
    checked, _, _ = check_rows(Rows("the rows", [table], kinds, None, predicting=True), kinds)
    return checked


def conform(dataset, kinds, columns, features):
    """Gives a dataset the columns a task expects: by role, checked, labels as class numbers.

    Args:
        dataset: a `datasets.Dataset`.
        kinds: role → kind.
        columns: role → column name, where they differ; or None.
        features: the task's typed columns, which say what the labels are.

    Returns:
        A `datasets.Dataset` whose columns are the roles of `features`.

    Raises:
        UserError: if a column is missing or a value does not fit; names the row.
    """
    if dataset._indices is not None:  # rows picked or shuffled: the table holds them all
        dataset = dataset.flatten_indices()
    table = Table("the dataset", dataset, lambda row: f"row {row + 1} of the dataset")
    kinds = {role: kind.required() for role, kind in kinds.items() if role in features}
    rows = Rows("the dataset", [table], kinds, columns)
    learned = {role: kind.learned(features[role]) for role, kind in kinds.items()}
    checked, _, _ = check_rows(rows, kinds, learned)
    return checked


def _row(number):
    return f"row {number + 1}"


def _wanted(kinds):
    """Words for what a row needs: `this model takes question and context, each a text`."""
    called = {kind.called for kind in kinds.values()}
    if len(called) == 1:
        return f"this model takes {' and '.join(kinds)}, each {called.pop()}"
    each = [f"{role} ({kind.called})" for role, kind in kinds.items()]
    return f"this model takes {' and '.join(each)}"


def _half_a_character(rows):
    """The error for the first row that holds half of a surrogate pair."""
    for number, row in enumerate(rows, 1):
        try:
            json.dumps(row, ensure_ascii=False, default=repr).encode()
        except UnicodeEncodeError:
            wrong = "half a surrogate pair, which is no character"
            return UserError(f"row {number}: {wrong}; received {_shown(row)}")
    raise ValueError("every row can be encoded")


def _shown(row):
    text = repr(row)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _check_columns(names, kinds):
    missing = [role for role, kind in kinds.items() if not kind.optional and role not in names]
    if missing:
        raise UserError(f"column {missing[0]!r} not found; the columns are {list(names)}")
