"""Texts, lists of texts, and words."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhf.data.checks import check_characters, check_texts, count_rows, is_blank
from tfhf.data.rows import Column, first_value, type_name
from tfhf.errors import UserError


def read_text(rows, role, kind):
    """Reads a `Text`; see `Kind.read`."""
    blank = check_texts(rows, role, numbers_allowed=rows.predicting)
    return Column(rows.mapped(role, kind.feature()), blank=blank)


def read_texts(rows, role, kind):
    """Reads a `Texts`; see `Kind.read`."""
    column = rows.matched[role]
    blank = np.zeros(len(rows), bool)
    for start, chunk in _lists(rows, role, kind):
        lengths = pc.list_value_length(chunk).to_numpy()
        short = lengths < kind.least
        if short.any():
            row = int(short.argmax())
            count = "1 text" if lengths[row] == 1 else f"{lengths[row]} texts"
            raise UserError(
                f"{rows.where(start + row)}: column {column!r} ({role}) holds {count}, expected at "
                f"least {kind.least}"
            )
        texts, parents = chunk.flatten(), pc.list_parent_indices(chunk).to_numpy()
        blank[start + parents[_mask(is_blank(texts))]] = True
    return Column(rows.mapped(role, kind.feature()), blank=blank)


def read_words(rows, role, kind):
    """Reads `Words`; see `Kind.read`."""
    column = rows.matched[role]
    for start, chunk in _lists(rows, role, kind):
        empty = _mask(pc.equal(pc.list_value_length(chunk), 0))
        if empty.any():
            raise UserError(
                f"{rows.where(start + int(empty.argmax()))}: column {column!r} ({role}) holds no "
                "words; remove the row"
            )
        words = chunk.flatten()
        empty = _mask(pc.equal(pc.binary_length(words), 0))
        if empty.any():
            parents = pc.list_parent_indices(chunk).to_numpy()
            row = int(parents[empty.argmax()])
            word = int(empty.argmax() - (parents == row).argmax()) + 1
            raise UserError(
                f"{rows.where(start + row)}: word {word} of column {column!r} ({role}) is empty; "
                "remove it, and its tag"
            )
    return Column(rows.mapped(role, kind.feature()))


def _lists(rows, role, kind):
    """Yields `(number of the first row, pa.ListArray of text)`; refuses whatever is no text."""
    column = rows.matched[role]
    what = kind.called.rpartition(" ")[2]
    for start, array in zip(rows.starts(), rows.columns(column), strict=True):
        if type_name(array.type) not in ("list of text", "list of nothing", "nothing"):
            row, value = first_value(array)
            raise UserError(
                f"data.columns: column {column!r} ({role}) has type {type_name(array.type)}, not "
                f"list of text ({rows.where(start + row)}: {str(value)[:40]}); name the column of "
                f"lists of {what}"
            )
    missing = np.concatenate([_mask(pc.is_null(array)) for array in rows.columns(column)])
    if missing.any():
        raise UserError(
            f"{rows.name}: {count_rows(missing)} no {kind.missing} in column {column!r} "
            f"(first: {rows.where(missing.argmax())}); write one or remove them"
        )
    for start, chunk in rows.chunks(column):
        chunk = chunk.cast(pa.list_(pa.string()))
        texts, parents = chunk.flatten(), pc.list_parent_indices(chunk).to_numpy()
        if texts.null_count:
            row = int(parents[_mask(pc.is_null(texts)).argmax()])
            raise UserError(
                f"{rows.where(start + row)}: column {column!r} ({role}) holds null among its "
                f"{what}; write a text or remove it"
            )
        check_characters(rows, column, start, texts, parents)
        yield start, chunk


def _mask(array):
    return array.to_numpy(zero_copy_only=False).astype(bool)
