"""Lists and objects that a format can only hold as text, such as the cells of CSV."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.errors import UserError

TEXTS = pa.list_(pa.string())
EXAMPLES = {
    "a list of texts": '["one", "two"]',
    "a list of words": '["one", "two"]',
    "a list of tags": '["O", "B-person"]',
    "a list of answers": '{"text": ["one"], "answer_start": [0]}',
    "a list of messages": '[{"role": "user", "content": "one"}]',
}


def nested(array, kind, role, column, table):
    """The lists or objects of a column, where the format or the file has them as text.

    Args:
        array: `pa.ChunkedArray`, the column as read.
        kind: the kind of column.
        role, column: of the array, for messages.
        table: the `Table` it stands in.

    Returns:
        A `pa.ChunkedArray` of lists or objects, or `array` itself where it holds them already.

    Raises:
        UserError: if a cell cannot be read; names the row.
    """
    if column in table.mixed:
        return _parsed(array, kind, _from_mixed, role, column, table.where)
    if kind.mixes and is_text(array.type):
        brackets = pc.starts_with(pc.utf8_ltrim_whitespace(array), "[")
        if not (table.untyped and pc.any(brackets).as_py()):
            return pa.chunked_array([_alone(chunk) for chunk in array.chunks], TEXTS)
    if table.untyped:
        return _parsed(array, kind, kind.from_text, role, column, table.where)
    return array


def is_text(kind):
    """Whether an Arrow type is text of any width."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _alone(chunk):
    """Texts → lists of one text each, over the same memory; null stays null."""
    offsets = pa.array(np.arange(len(chunk) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, chunk.cast(pa.string()), mask=chunk.is_null())


def _from_mixed(text):
    value = json.loads(text)
    return [value] if isinstance(value, str) else value


def _parsed(array, kind, read, role, column, where):
    values = []
    for row, cell in enumerate(array):
        text = cell.as_py()
        try:
            there = text is not None and (kind.mixes or text.strip())
            value = read(text) if there else None
            if not isinstance(value, list | dict | None):
                raise ValueError
        except ValueError:
            raise UserError(
                f"{where(row)}: column {column!r} ({role}) holds {text[:60]!r}, not {kind.called}; "
                f"write it as JSON, such as {EXAMPLES[kind.called]}"
            ) from None
        values.append(value)
    try:
        return pa.chunked_array([pa.array(values)])
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise _mixed(values, role, column, where) from None


def _mixed(values, role, column, where):
    """The error for the first cell whose values are not of the types of the cells before it."""
    row = next(end for end in range(len(values)) if not _fits(values[: end + 1]))
    return UserError(
        f"{where(row)}: column {column!r} ({role}) holds {str(values[row])[:60]}, whose values are "
        "of other types than those before; write one type throughout"
    )


def _fits(values):
    try:
        pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True
