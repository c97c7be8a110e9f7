"""The rows of one split: one or more tables read one after the other."""

from bisect import bisect_right
from itertools import accumulate

import pyarrow as pa

from tfhf.data.columns import Text, match_columns, named
from tfhf.errors import UserError


class Rows:
    """One split before its columns become roles.

    Args:
        name: what messages call it: `data.train`, or the file where there is no recipe.
        tables: one or more `Table`.
        kinds, columns: as in `match_columns`.

    Attributes:
        matched: role → column name or list of names.

    Raises:
        UserError: if a column is missing, or the tables differ in the columns used.
    """

    def __init__(self, name, tables, kinds, columns):
        self.name, self.tables = name, tables
        first = tables[0]
        self.matched = match_columns(kinds, columns, first.dataset.column_names, first.name)
        used = {column for _, column in named(self.matched)}
        for table in tables[1:]:
            names = table.dataset.column_names
            # An optional text that this file has must not be lost because the first has it not.
            more = {role for role, kind in kinds.items() if isinstance(kind, Text)} & set(names)
            if not used <= set(names) or not more <= set(self.matched) | used:
                raise UserError(
                    f"{table.name} has columns {names}, {first.name} has columns "
                    f"{first.dataset.column_names}; the files of {name} need the same columns"
                )
        for table in tables:
            for column in used & set(table.mixed):
                raise UserError(
                    f"{table.name}: {column!r} is {table.mixed[column]}; write one type throughout"
                )
        self._ends = list(accumulate(len(table.dataset) for table in tables))

    def __len__(self):
        return self._ends[-1]

    def where(self, row):
        """Says which file, and which row of it, a row (from 0) of the split is."""
        index = bisect_right(self._ends, row)
        start = self._ends[index - 1] if index else 0
        return self.tables[index].where(row - start)

    def starts(self):
        """The number of the first row of every table."""
        return [0, *self._ends[:-1]]

    def columns(self, name):
        """The arrays of one column, a `pa.ChunkedArray` per table; memory-mapped, not copied."""
        return [table.dataset.data.column(name) for table in self.tables]

    def texts(self, roles):
        """The text columns of some roles as one memory-mapped `datasets.Dataset`."""
        import datasets

        parts = []
        for table in self.tables:
            data = table.dataset.data.select([self.matched[role] for role in roles])
            data = data.rename_columns(roles).replace_schema_metadata(None)
            part = datasets.Dataset(data)
            for role in roles:
                if part.features[role].dtype != "string":
                    part = part.cast_column(role, datasets.Value("string"))
            parts.append(part)
        return datasets.concatenate_datasets(parts)


def first_value(array):
    """The number and value of the first row that has one; `(0, None)` if none has."""
    for row, value in enumerate(array):
        if value.is_valid:
            return row, value.as_py()
    return 0, None


def type_name(kind):
    """An Arrow type, as people call it: number, text, true/false, list of text, nothing, object."""
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return f"list of {type_name(kind.value_type)}"
    if types.is_integer(kind) or types.is_floating(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind):
        return "text"
    tests = {"true/false": types.is_boolean, "nothing": types.is_null, "object": types.is_struct}
    return next((name for name, test in tests.items() if test(kind)), str(kind))
