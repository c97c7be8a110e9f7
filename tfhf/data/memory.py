"""Rows that are in memory already: texts to predict on, and datasets a Keras user brings along."""

from tfhf.data.columns import Label, Text
from tfhf.data.labels import Labels
from tfhf.data.loading import check_rows
from tfhf.data.rows import Rows
from tfhf.data.tables import Table
from tfhf.errors import UserError


def from_rows(rows, roles):
    """Makes a dataset of texts.

    Args:
        rows: a list of texts (for one role) or of dictionaries from role to text, or a
            `datasets.Dataset` with the roles among its columns.
        roles: names of the roles, one or more.

    Returns:
        A `datasets.Dataset` with these columns.

    Raises:
        UserError: if a role is missing or no text; rows are counted from 1.
    """
    import datasets

    if isinstance(rows, datasets.Dataset):
        _check_columns(rows.column_names, roles)
        return rows.select_columns(list(roles))
    roles = list(roles)
    columns = {role: [] for role in roles}
    for number, row in enumerate(rows, 1):
        given = {roles[0]: row} if isinstance(row, str) else row
        for role in roles:
            value = given.get(role) if isinstance(given, dict) else None
            if not isinstance(value, str):
                raise UserError(
                    f"row {number}: this model takes {' and '.join(roles)}, each a text; "
                    f"received {row!r}"
                )
            columns[role].append(value)
    features = datasets.Features({role: datasets.Value("string") for role in roles})
    return datasets.Dataset.from_dict(columns, features=features)


def conform(dataset, kinds, columns, features):
    """Gives a dataset the columns a task expects: by role, checked, labels as class numbers.

    Args:
        dataset: a `datasets.Dataset`.
        kinds: role → `Text` or `Label`.
        columns: role → column name, where they differ; or None.
        features: the task's typed columns, which say what the labels are.

    Returns:
        A `datasets.Dataset` whose columns are the roles of `features`.

    Raises:
        UserError: if a column is missing or a value does not fit; names the row.
    """
    table = Table("the dataset", dataset, lambda row: f"row {row + 1} of the dataset")
    kinds = {role: _required(kind) for role, kind in kinds.items() if role in features}
    rows = Rows("the dataset", [table], kinds, columns)
    role = next((role for role, kind in kinds.items() if isinstance(kind, Label)), None)
    learned = None if role is None else Labels.of(features[role])
    checked, _, _ = check_rows(rows, kinds, role, learned, "error", "keep")
    return checked


def _required(kind):
    return Text() if isinstance(kind, Text) else kind


def _check_columns(names, roles):
    missing = [role for role in roles if role not in names]
    if missing:
        raise UserError(f"column {missing[0]!r} not found; the columns are {list(names)}")
