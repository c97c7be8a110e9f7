"""Every text of every row is looked at before anything else happens to it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data.rows import first_value, type_name
from tfhf.errors import UserError


def check_texts(rows, role, *, numbers_allowed=False):
    """Checks the text column of one role, over all rows, in Arrow.

    Args:
        rows: `Rows` of one split.
        role: the role, a key of `rows.matched`.
        numbers_allowed: whether every text of an untyped file (CSV) may look like a number.

    Returns:
        `(rows,)` bool: the text is empty or only white space.

    Raises:
        UserError: if a row has no text, the column holds something else than text, or a text holds
            characters that are none.
    """
    column = rows.matched[role]
    arrays = rows.columns(column)
    for start, array in zip(rows.starts(), arrays, strict=True):
        if type_name(array.type) not in ("text", "nothing"):
            row, value = first_value(array)
            raise UserError(
                f"data.columns: column {column!r} ({role}) has type {type_name(array.type)}, not "
                f"text ({rows.where(start + row)}: {str(value)[:40]}); name the column of texts"
            )
    missing = np.concatenate([_mask(array, pc.is_null) for array in arrays])
    if missing.any():
        raise UserError(
            f"{rows.name}: {count_rows(missing)} no text in column {column!r} "
            f"(first: {rows.where(missing.argmax())}); write a text or remove them"
        )
    for start, chunk in rows.chunks(column):
        check_characters(rows, column, start, chunk)
    if rows.untyped(column) and not numbers_allowed and all(map(_all_numbers, arrays)):
        raise UserError(
            f"data.columns: column {column!r} ({role}) holds only numbers, no text "
            f"({rows.where(0)}: {arrays[0][0].as_py()!r}); name the column of texts"
        )
    return np.concatenate([_mask(array, is_blank) for array in arrays])


def count_rows(mask):
    """Words for how many rows a mask selects: `3 of 1000 rows have`."""
    selected, total = int(mask.sum()), len(mask)
    if selected == total == 1:
        return "the only row has"
    if selected == total:
        return f"all {total} rows have"
    return f"{selected} of {total} rows {'has' if selected == 1 else 'have'}"


def is_blank(chunk):
    # Arrow's utf8_is_space is false for an empty string.
    return pc.or_(pc.equal(pc.binary_length(chunk), 0), pc.utf8_is_space(chunk))


def _mask(array, test):
    """Applies a test chunk by chunk, so that no more than one mask is held."""
    chunks = [test(chunk).to_numpy(zero_copy_only=False) for chunk in array.chunks]
    return np.concatenate(chunks).astype(bool) if chunks else np.zeros(0, bool)


def check_characters(rows, column, start, chunk, parents=None):
    """Refuses bytes that are not UTF-8, lone surrogates among them; Arrow does not by itself.

    Args:
        rows: `Rows` of one split.
        column: the column's name, for messages.
        start: the row of the first text, or what is added to `parents`.
        chunk: `pa.Array` of texts.
        parents: `(texts,)` int, the row of each text in a column of lists.

    Raises:
        UserError: names the row.
    """
    try:
        chunk.validate(full=True)
    except pa.ArrowInvalid:
        for index, value in enumerate(chunk.cast(pa.large_binary())):
            try:
                (value.as_py() or b"").decode()
            except UnicodeDecodeError as error:
                row = start + (index if parents is None else parents[index])
                raise UserError(
                    f"{rows.where(row)}: column {column!r} is not valid Unicode: "
                    f"byte 0x{error.object[error.start]:02x} (half a surrogate pair, or text "
                    "in another encoding); rewrite it as UTF-8"
                ) from None
        raise


def _all_numbers(array):
    """Whether every text is a number; stops at the first chunk that says no."""
    number = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
    return all(
        pc.all(pc.match_substring_regex(part, number), min_count=0).as_py()
        for chunk in array.chunks
        for part in (chunk[:100], chunk)
    )
