"""The label values of one split as found in its files, before they become class numbers."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data.checks import check_characters
from tfhf.data.rows import first_value, type_name
from tfhf.errors import UserError

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_CODE = re.compile(r"\s*0\d")  # 007: a number would lose its zeros


@dataclass(frozen=True)
class LabelValues:
    """Every label of N rows: one each, or E entries in lists.

    Args:
        values: the distinct values in order of appearance; integers, floats that are no integers,
            or strings.
        codes: `(E,)` int, index into `values` of each entry; -1 where there is no value.
        rows: `(E,)` int, the row of each entry.
        missing: `(N,)` bool, the row has no label.
        where: row number from 0 → its place.
        lengths: `(N,)` int, entries of each row; None if each has one.
        names: the names of a `ClassLabel` feature in its order, else None.
    """

    values: list
    codes: np.ndarray
    rows: np.ndarray
    missing: np.ndarray
    where: Callable[[int], str]
    lengths: np.ndarray | None = None
    names: list[str] | None = None

    @property
    def listed(self):
        """Whether each row has a list of labels."""
        return self.lengths is not None

    def place(self, value):
        """The place of the first row with a value."""
        return self.where(int(self.rows[(self.codes == self.values.index(value)).argmax()]))

    def count(self, value):
        """How many entries have a value."""
        return int((self.codes == self.values.index(value)).sum())


def read_labels(rows, column, *, mixed_allowed=False):
    """Reads the labels of one split as distinct values and codes.

    Text in an untyped file (CSV) that is all numbers becomes numbers; floats without a fraction
    become integers; true and false become the names "False" and "True"; an empty string, a null
    and NaN are no label.

    Args:
        rows: `Rows` of one split.
        column: the label column, or a list of 0/1 columns.
        mixed_allowed: whether an untyped column may hold numbers and other text.

    Returns:
        `LabelValues`.

    Raises:
        UserError: if types are mixed, or the column holds something that is no label.
    """
    if isinstance(column, list):
        return _read_columns(rows, column)
    array, names = _read_column(rows, column)
    lengths, entry_rows = None, np.arange(len(rows))
    missing = array.is_null().to_numpy(zero_copy_only=False)
    if type_name(array.type).startswith("list"):
        lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy()
        entry_rows = np.repeat(entry_rows, lengths)
        array = pc.list_flatten(array)
    if type_name(array.type) not in ("number", "text", "true/false", "nothing"):
        raise UserError(
            f"{rows.where(0)}: label column {column!r} has type {type_name(array.type)}; a label "
            "is a number or a text, or a list of them"
        )
    if type_name(array.type) == "text":
        check_characters(rows, column, 0, array, entry_rows)
    if pa.types.is_boolean(array.type):
        array, names = array.cast(pa.int8()), ["False", "True"]
    values, codes = _factorize(array)
    if rows.untyped(column):
        values = _numbers_from_text(values)
        if not mixed_allowed:
            _check_one_kind(rows, column, values, codes)
    values = [_canonical(value, names) for value in values]
    values, codes = _recode(values, codes)
    missing[entry_rows[codes < 0]] = True
    return LabelValues(values, codes, entry_rows, missing, rows.where, lengths, names)


def read_numbers(rows, column, noun="label", needed_by="options.problem: regression"):
    """Reads the numbers that a regression learns.

    Args:
        rows: `Rows` of one split.
        column: one numeric column, or a column of an untyped file (CSV) that holds numbers.
        noun: what messages call a number.
        needed_by: who needs numbers, for messages.

    Returns:
        `(N,)` float32 Arrow array, and `(N,)` bool: the row has no number.

    Raises:
        UserError: if a value is no finite number.
    """
    if isinstance(column, list):
        raise UserError(f"data.columns.label: regression learns one column, received {column}")
    array, _ = _read_column(rows, column)
    if rows.untyped(column):
        array = _floats(array, rows.where, noun, needed_by)
    if type_name(array.type) not in ("number", "nothing"):
        row, value = first_value(array)
        raise UserError(
            f"{rows.where(row)}: {noun} column {column!r} has type {type_name(array.type)}, but "
            f"{needed_by} needs numbers; received {value!r}"
        )
    missing = array.is_null().to_numpy(zero_copy_only=False)
    numbers = pc.fill_null(array.cast(pa.float64()), 0.0).to_numpy()
    with np.errstate(over="ignore"):
        numbers = numbers.astype(np.float32)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{rows.where(row)}: {noun} {array[row].as_py()!r} is no finite float32 number "
            f"({wrong.sum()} of {len(rows)} rows); remove such rows"
        )
    return pa.array(numbers), missing


def _floats(array, where, noun, needed_by):
    """Text → float64; an empty text is null."""
    text = pc.utf8_trim_whitespace(array)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:  # a text that is no number, or one that only Python reads
        numbers = []
        for row, value in enumerate(text.to_pylist()):
            try:
                numbers.append(None if value is None else _float(value))
            except ValueError:
                raise UserError(
                    f"{where(row)}: {noun} {value!r} is no number, which {needed_by} needs"
                ) from None
        return pa.array(numbers, pa.float64())


def _float(text):
    """A number as people write it; Python's own code may part digits by underscores, too."""
    if "_" in text:
        raise ValueError(text)
    return float(text)


def _read_column(rows, column):
    """One array over all tables, and the names of its `ClassLabel` feature, if it is one."""
    kind, names, first = pa.null(), None, None
    for table, start, array in zip(rows.tables, rows.starts(), rows.columns(column), strict=True):
        feature = table.feature(column)
        table_names = getattr(getattr(feature, "feature", feature), "names", None)
        try:
            both = [pa.schema([("label", one)]) for one in (kind, array.type)]
            kind = pa.unify_schemas(both, promote_options="permissive").field(0).type
            agree = first is None or pa.types.is_null(array.type) or table_names == names
        except pa.ArrowTypeError:
            agree = False
        if not agree:
            row, value = first_value(array)
            raise UserError(
                f"{rows.where(start + row)}: label {value!r} is {type_name(array.type)}, but "
                f"column {column!r} is {type_name(kind)} in {first}; use one type"
            )
        if first is None and not pa.types.is_null(kind):
            names, first = table_names, table.name
    arrays = [chunk for array in rows.columns(column) for chunk in array.cast(kind).chunks]
    return pa.concat_arrays(arrays) if arrays else pa.array([], kind), names


def _read_columns(rows, columns):
    """Several 0/1 columns as lists of column names."""
    marks, missing = [], np.zeros(len(rows), bool)
    for column in columns:
        one = read_labels(rows, column, mixed_allowed=True)
        for value in one.values:
            if one.listed or value not in (0, 1, "False", "True"):
                raise UserError(
                    f"{one.place(value)}: label column {column!r} is {value!r}; several label "
                    "columns hold 0 or 1 each"
                )
        is_on = np.array([value in (1, "True") for value in one.values] + [False])
        marks.append(is_on[one.codes])
        missing |= one.missing
    marks = np.stack(marks, axis=1)  # (N, C)
    entry_rows, codes = np.nonzero(marks)
    values = np.flatnonzero(marks.any(axis=0))
    codes = np.searchsorted(values, codes)
    return LabelValues(
        [columns[one] for one in values],
        codes,
        entry_rows,
        missing,
        rows.where,
        marks.sum(axis=1),
        list(columns),
    )


def _factorize(array):
    """Arrow array → distinct values in order of appearance, and `(E,)` codes, -1 for null."""
    coded = array.dictionary_encode()
    codes = pc.fill_null(coded.indices, -1).to_numpy().astype(np.int64)
    return coded.dictionary.to_pylist(), codes


def _check_one_kind(rows, column, values, codes):
    """Refuses an untyped column in which some values are numbers and others are not."""
    shown = [(code, v) for code, v in enumerate(values) if isinstance(v, str) and v.strip()]
    number = next((one for one in shown if _is_number(one[1])), None)
    text = next((one for one in shown if not _is_number(one[1])), None)
    if number and text:
        places = [rows.where(int((codes == code).argmax())) for code, _ in (text, number)]
        raise UserError(
            f"{places[0]}: label {text[1]!r} is text, but {number[1]!r} ({places[1]}) is a number; "
            f"write one kind, or list all labels of {column!r} in data.labels"
        )


def _is_number(text):
    return _NUMBER.fullmatch(text) is not None


def _numbers_from_text(values):
    """Text values → numbers if all of them are; codes such as "007" stay text."""
    texts = [value for value in values if value.strip()]
    if not all(map(_is_number, texts)) or any(_CODE.match(text) for text in texts):
        return values
    return [float(value) if value.strip() else value for value in values]


def _canonical(value, names):
    """One label value → int, float with a fraction, or text; None for an empty one."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        value = int(value) if value.is_integer() else value
    if isinstance(value, str):
        return value if value.strip() else None
    return names[value] if names and value in range(len(names)) else value


def _recode(values, codes):
    """Joins equal values and gives None the code -1."""
    numbers = {}
    for value in values:
        if value is not None:
            numbers.setdefault(value, len(numbers))
    table = np.array([numbers.get(value, -1) for value in values] + [-1])
    return list(numbers), table[codes]
