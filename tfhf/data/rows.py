"""The rows of one split: one or more tables read one after the other."""

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from tfhf.data.cells import TEXTS, is_text, nested
from tfhf.data.matching import match_columns, named
from tfhf.errors import UserError

AT_ONCE = 10_000  # rows that are Python objects at a time


@dataclass(frozen=True)
class Column:
    """The column of one role, checked and encoded.

    Args:
        dataset: a `datasets.Dataset` with the role as its only column and every row of the split.
        blank: `(N,)` bool, the row has an empty text; None where that is nothing unusual.
        missing: `(N,)` bool, the row has nothing to learn from; None where every row has.
        notes: what a person should know, one line each.
    """

    dataset: Any
    blank: np.ndarray | None = None
    missing: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def array(self):
        """The rows' values as a `pa.ChunkedArray`."""
        return self.dataset.data.column(0)


class Rows:
    """One split before its columns become roles.

    Args:
        name: what messages call it: `data.train`, or the file where there is no recipe.
        tables: one or more `Table`.
        kinds, columns: as in `match_columns`.
        predicting: whether the rows are there to be answered, not to be learned from.

    Attributes:
        matched: role → column name or list of names.

    Raises:
        UserError: if a column is missing, the tables differ in the columns used, or a cell of CSV
            does not hold the list or object it should.
    """

    def __init__(self, name, tables, kinds, columns, *, predicting=False):
        self.name, self.tables, self.predicting = name, tables, predicting
        first = tables[0]
        names = first.dataset.column_names
        self.matched = match_columns(kinds, columns, names, first.name, first.inner)
        used = {column for _, column in named(self.matched)}
        for table in tables[1:]:
            names = [*table.dataset.column_names, *table.inner]
            # An optional column that this file has must not be lost because the first has it not.
            more = {role for role, kind in kinds.items() if kind.optional} & set(names)
            if not used <= set(names) or not more <= set(self.matched) | used:
                raise UserError(
                    f"{table.name} has columns {table.dataset.column_names}, {first.name} has "
                    f"columns {first.dataset.column_names}; the files of {name} need the same "
                    "columns"
                )
        self._ends = list(accumulate(len(table.dataset) for table in tables))
        self._nested = {}  # (table, column) → the lists or objects that its texts stand for
        numbered = {kind.of for kind in kinds.values()}
        for role, column in list(self.matched.items()):
            if kinds[role].joins and isinstance(column, list):
                self._join(role, column, role in numbered)
        for role, column in named(self.matched):
            for number, table in enumerate(tables):
                if (number, column) not in self._nested:
                    self._unfold(number, table, role, column, kinds[role])

    def _join(self, role, columns, numbered):
        """Puts the texts of several columns into one column of lists.

        Where their places are `numbered` by another role, an empty cell would move those behind it.
        """
        joined = self.matched[role] = " + ".join(columns)
        for number, table in enumerate(self.tables):
            for column in columns:
                found = type_name(table.column(column).type)
                if column in table.mixed or found not in ("text", "list of text", "nothing"):
                    raise UserError(
                        f"data.columns.{role}: column {column!r} of {table.name} has type "
                        f"{table.mixed.get(column, found)}, not text or list of text"
                    )
            arrays, chunks = [table.column(column) for column in columns], []
            for start in range(0, len(table.dataset), AT_ONCE):
                parts = (array.slice(start, AT_ONCE).to_pylist() for array in arrays)
                values = list(zip(*parts, strict=True))
                if numbered:
                    _check_gaps(table, role, columns, values, start)
                lists = [[text for value in row for text in _texts(value)] for row in values]
                chunks.append(pa.array(lists, TEXTS))
            self._nested[number, joined] = pa.chunked_array(chunks)

    def _unfold(self, number, table, role, column, kind):
        if column in table.mixed and not kind.mixes:
            raise UserError(
                f"{table.name}: {column!r} is {table.mixed[column]}; write one type throughout"
            )
        if kind.nested:
            array = table.column(column)
            found = nested(array, kind, role, column, table)
            if found is not array:
                self._nested[number, column] = found

    def __len__(self):
        return self._ends[-1]

    def where(self, row):
        """Says which file, and which row of it, a row (from 0) of the split is."""
        index = bisect_right(self._ends, row)
        start = self._ends[index - 1] if index else 0
        return self.tables[index].where(int(row) - start)

    def folder(self, row):
        """What paths in a row are relative to; None for the working folder."""
        return self.tables[bisect_right(self._ends, row)].folder

    def starts(self):
        """The number of the first row of every table."""
        return [0, *self._ends[:-1]]

    def columns(self, name):
        """The arrays of one column, a `pa.ChunkedArray` per table; memory-mapped, not copied."""
        return [
            self._nested[number, name] if (number, name) in self._nested else table.column(name)
            for number, table in enumerate(self.tables)
        ]

    def chunks(self, name):
        """Yields `(number of the first row, pa.Array)` for one column, in order."""
        for start, array in zip(self.starts(), self.columns(name), strict=True):
            for chunk in array.chunks:
                yield start, chunk
                start += len(chunk)

    def untyped(self, name):
        """Whether the values of a column are text because the format knows nothing else."""
        return all(
            table.untyped and (number, name) not in self._nested
            for number, table in enumerate(self.tables)
        )

    def mapped(self, role, feature):
        """The column of a role as it is, as a `datasets.Dataset`; memory-mapped where it was.

        Args:
            role: a key of `matched`.
            feature: the `datasets` feature of the result; the values must fit it.
        """
        import datasets

        column, parts = self.matched[role], []
        kind = arrow_type(feature)
        for table, array in zip(self.tables, self.columns(column), strict=True):
            data = table.dataset.data
            if column in data.column_names and data.schema.field(column).type == kind == array.type:
                data = data.select([column]).rename_columns([role]).replace_schema_metadata(None)
                parts.append(datasets.Dataset(data))
            else:
                parts.append(
                    as_dataset(role, [chunk.cast(kind) for chunk in array.chunks], feature)
                )
        return parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)


def _check_gaps(table, role, columns, values, start):
    """Refuses a row, the first of which is `start`, where a cell is empty and a later one not."""
    for row, cells in enumerate(values, start):
        there = [cell is not None for cell in cells]
        if there != sorted(there, reverse=True):
            raise UserError(
                f"{table.where(row)}: column {columns[there.index(False)]!r} ({role}) is empty, but"
                " one behind it is not; only the last ones may be empty, because they are numbered"
            )


def _texts(value):
    """What a cell adds to a list of texts."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def arrow_type(feature):
    """The Arrow type of a `datasets` feature."""
    import datasets

    return datasets.Features({"one": feature}).arrow_schema.field(0).type


def as_dataset(role, chunks, feature):
    """A `datasets.Dataset` of one column over arrays in memory, or mapped into it.

    Args:
        role: the column's name.
        chunks: list of `pa.Array`, cast where their type is another.
        feature: the `datasets` feature.
    """
    import datasets

    schema = datasets.Features({role: feature}).arrow_schema
    kind = schema.field(0).type
    column = pa.chunked_array([chunk.cast(kind) for chunk in chunks], kind)
    return datasets.Dataset(pa.table([column], schema))


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
    if is_text(kind):
        return "text"
    tests = {"true/false": types.is_boolean, "nothing": types.is_null, "object": types.is_struct}
    return next((name for name, test in tests.items() if test(kind)), str(kind))
